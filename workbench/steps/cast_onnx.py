"""An ONNX model in float16, for devices whose provider computes in it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from pydantic import Field

from workbench import plugin
from workbench.graph import precision, read_onnx
from workbench.machine import Machine
from workbench.steps.folder import copy_companions, require_empty
from workbench.steps.onnx_source import is_large, quantizable
from workbench.steps.quiet import quietly
from workbench.steps.results import OnnxResult, onnx_parts, onnx_results


class CastOnnx(OnnxResult, plugin.Step):
    name = "cast-onnx"
    summary = "Weights and arithmetic of an ONNX graph in float16: half the file, faster on GPUs and NPUs."
    needs = ("onnx", "onnxruntime")
    takes = ("onnx",)
    gives = "onnx"
    version = 2

    class Options(plugin.Options):
        keep_io_types: bool = Field(
            True, description="Inputs and outputs of the model stay in float32, so that a caller need not change."
        )
        op_block_list: tuple[str, ...] = Field(
            (),
            description="Operators to leave in float32, such as Softmax, besides those that have no float16 form.",
        )

    def unsuited(self, device: str, options: Any, machine: Machine) -> str:
        if device != "cpu" or (machine.computes("fp16") and machine.architecture != "x86_64"):
            return ""
        return "On this CPU ONNX Runtime has no float16 kernels: it would widen every value to float32 and back."

    def apply(self, source: Path, into: Path, options: Options, context: plugin.StepContext) -> dict[str, Any]:
        """Facts: weights, {dtype: bytes}."""
        import onnx

        require_empty(into)
        context.progress(0, 1, "casting to float16")
        for name, part in onnx_results(source).items():
            with quietly(), quantizable(source, part.name) as model:
                cast = _float16(onnx.load(str(model)), options)
                onnx.save(cast, str(into / name), save_as_external_data=is_large(model), location=f"{name}.data")
        copy_companions(context.model, into)
        return {"weights": _weights(into)}


def _weights(folder: Path) -> dict[str, int]:
    """{dtype: bytes} of all files of the model together, the most first."""
    total: Counter[str] = Counter()
    for part in onnx_parts(folder):
        total.update(precision(read_onnx(part)))
    return dict(total.most_common())


def _float16(model: Any, options: CastOnnx.Options) -> Any:
    from onnxruntime.transformers.float16 import DEFAULT_OP_BLOCK_LIST, convert_float_to_float16

    return convert_float_to_float16(
        model,
        keep_io_types=options.keep_io_types,
        op_block_list=[*DEFAULT_OP_BLOCK_LIST, *options.op_block_list],
    )
