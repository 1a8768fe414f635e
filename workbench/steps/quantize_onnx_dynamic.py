"""INT8 weights; activations are quantized on the fly, so no calibration data is needed."""

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


class QuantizeOnnxDynamic(OnnxResult, plugin.Step):
    name = "quantize-onnx-dynamic"
    summary = "Weights in INT8, activations quantized on the fly; no calibration data needed."
    needs = ("onnx", "onnxruntime")
    takes = ("onnx",)
    gives = "onnx"

    class Options(plugin.Options):
        per_channel: bool = Field(
            True,
            description="One scale a column of each weight, not one a weight: far closer to the original.",
            json_schema_extra={"search": [True, False]},
        )
        op_types: tuple[str, ...] = Field(("MatMul", "Gemm"), description="Operators whose weights are quantized.")
        weight_type: Literal["int8", "uint8"] = Field("int8", description="Stored type of a weight.")
        reduce_range: bool = Field(
            False, description="Seven bits a weight: for x86 CPUs without VNNI, where eight can overflow."
        )
        exclude: tuple[str, ...] = Field((), description="Names of operators to leave alone; * stands for anything.")

    def apply(self, source: Path, into: Path, options: Options, context: plugin.StepContext) -> dict[str, Any]:
        """Facts: coverage. Raises WorkbenchError for a name in `exclude` that no operator has."""
        require_empty(into)
        context.progress(0, 1, "quantizing weights")
        left_alone = excluded(onnx_parts(source), options.exclude)
        for name, part in onnx_results(source).items():
            with quietly(), quantizable(source, part.name) as model:
                _quantize(model, into / name, options, left_alone)
        copy_companions(context.model, into)
        return {"coverage": covered(read_onnx(part) for part in onnx_parts(into))}


def _quantize(model: Path, made: Path, options: QuantizeOnnxDynamic.Options, left_alone: list[str]) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(
        model,
        made,
        op_types_to_quantize=list(options.op_types),
        per_channel=options.per_channel,
        reduce_range=options.reduce_range,
        weight_type=QuantType.QInt8 if options.weight_type == "int8" else QuantType.QUInt8,
        # A Gemm is first split into a MatMul of that name and an Add.
        nodes_to_exclude=left_alone + [f"{name}_MatMul" for name in left_alone],
        use_external_data_format=is_large(model),
        # Products of two activations have no weight to quantize ahead of time.
        extra_options={"MatMulConstBOnly": True},
    )
