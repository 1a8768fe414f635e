"""OpenVINO with its weights stored in few bits; arithmetic stays in floating point."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from workbench import plugin
from workbench.graph import read_ir
from workbench.steps.folder import copy_companions, require_empty
from workbench.steps.quiet import quietly
from workbench.steps.results import IrResult, covered, ir_parts


class CompressWeights(IrResult, plugin.Step):
    name = "compress-weights"
    summary = "Weights stored in INT8 or INT4; activations and arithmetic in floating point, no calibration data."
    needs = ("openvino", "nncf")
    takes = ("openvino",)
    gives = "openvino"

    class Options(plugin.Options):
        mode: Literal["int8_asym", "int8_sym", "int4_sym", "int4_asym"] = Field(
            "int8_asym",
            description="Bits a weight, with or without a zero point.",
            json_schema_extra={"search": ["int8_asym", "int8_sym", "int4_sym"]},
        )
        group_size: int | None = Field(
            None, description="Weights that share a scale in the INT4 modes; -1: a whole channel; empty: chosen."
        )
        ratio: float | None = Field(
            None, gt=0, le=1, description="Share of the layers in INT4, the others in INT8; empty: all that can be."
        )
        exclude: tuple[str, ...] = Field((), description="Operators to leave alone, as regular expressions.")

    def apply(self, source: Path, into: Path, options: Options, context: plugin.StepContext) -> dict[str, Any]:
        """Facts: coverage; its `weights` counts the operators whose weight is compressed."""
        import openvino

        require_empty(into)
        context.progress(0, 1, "compressing weights")
        with quietly():
            for number, part in enumerate(ir_parts(source)):
                model = openvino.Core().read_model(part)
                made = into / (part.name if number else "openvino_model.xml")
                openvino.save_model(_compress(model, options), made, compress_to_fp16=False)
        copy_companions(context.model, into)
        return {"coverage": covered(read_ir(part) for part in ir_parts(into))}


def _compress(model: Any, options: CompressWeights.Options) -> Any:
    import nncf

    few = options.mode.startswith("int4")
    return nncf.compress_weights(
        model,
        mode=nncf.CompressWeightsMode(options.mode),
        group_size=options.group_size if few else None,
        ratio=options.ratio if few else None,
        ignored_scope=nncf.IgnoredScope(patterns=list(options.exclude)) if options.exclude else None,
    )
