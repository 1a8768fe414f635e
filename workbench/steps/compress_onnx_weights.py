"""ONNX with the weights of its matrix products stored in four or eight bits, a scale for each block of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from workbench import plugin
from workbench.graph import read_onnx
from workbench.steps.folder import copy_companions, require_empty
from workbench.steps.onnx_source import excluded, is_large, quantizable
from workbench.steps.quiet import quietly
from workbench.steps.results import OnnxResult, covered, onnx_parts, onnx_results


class CompressOnnxWeights(OnnxResult, plugin.Step):
    name = "compress-onnx-weights"
    summary = "Weights of matrix products stored in INT4 or INT8 (MatMulNBits); no calibration data needed."
    needs = ("onnx", "onnxruntime")
    takes = ("onnx",)
    gives = "onnx"
    version = 2

    class Options(plugin.Options):
        bits: Literal[4, 8] = Field(4, description="Bits a weight.", json_schema_extra={"search": [4, 8]})
        block_size: Literal[16, 32, 64, 128, 256] = Field(
            32,
            description="Weights that share a scale: fewer are closer to the original and take more room.",
            json_schema_extra={"search": [32, 128]},
        )
        symmetric: bool = Field(
            False,
            description="No zero point: quicker, a little less exact.",
            json_schema_extra={"search": [False, True]},
        )
        accuracy_level: Literal[1, 4] = Field(
            4,
            description="What activations are turned into before a product: 1 float32, 4 INT8, which is faster on "
            "most CPUs.",
            json_schema_extra={"search": [4, 1]},
        )
        exclude: tuple[str, ...] = Field((), description="Names of operators to leave alone; * stands for anything.")

    def apply(self, source: Path, into: Path, options: Options, context: plugin.StepContext) -> dict[str, Any]:
        """Facts: coverage; its `weights` counts products whose weight is compressed, `quantized` those that compute
        in integers as well. Raises WorkbenchError for a name in `exclude` that no operator has."""
        require_empty(into)
        context.progress(0, 1, "compressing weights")
        left_alone = excluded(onnx_parts(source), options.exclude)
        for name, part in onnx_results(source).items():
            with quietly(), quantizable(source, part.name) as model:
                compressed = _compress(model, options, left_alone)
                compressed.save_model_to_file(str(into / name), use_external_data_format=is_large(model))
        copy_companions(context.model, into)
        return {"coverage": covered(read_onnx(part) for part in onnx_parts(into))}


def _compress(model: Path, options: CompressOnnxWeights.Options, left_alone: list[str]) -> Any:
    import onnx
    from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

    quantizer = MatMulNBitsQuantizer(
        onnx.load(str(model)),
        bits=options.bits,
        block_size=options.block_size,
        is_symmetric=options.symmetric,
        accuracy_level=options.accuracy_level,
        nodes_to_exclude=left_alone,
    )
    quantizer.process()
    return quantizer.model
