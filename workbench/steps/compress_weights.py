"""OpenVINO with its weights stored in few bits; arithmetic stays in floating point."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from workbench import plugin
from workbench.graph import read_ir
from workbench.steps.folder import copy_companions, require_empty
from workbench.steps.quiet import quietly
from workbench.steps.results import IrResult, covered, ir_parts
from workbench.steps.samples import calibration_batches, fed, without_cache

if TYPE_CHECKING:
    from workbench.plugin import Batch


class CompressWeights(IrResult, plugin.Step):
    name = "compress-weights"
    summary = "Weights stored in INT8 or INT4; activations and arithmetic in floating point."
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
            None,
            description="Weights that share a scale in the INT4 modes; -1: a whole channel; empty: chosen. Where a "
            "layer's width is no multiple of it, a smaller group of 32 or more is taken, else INT8.",
        )
        ratio: float | None = Field(
            None, gt=0, le=1, description="Share of the layers in INT4, the others in INT8; empty: all that can be."
        )
        awq: bool = Field(
            False,
            description="In INT4: first scale the weights that matter most, as calibration data shows (AWQ).",
            json_schema_extra={"search": [False, True]},
        )
        scale_estimation: bool = Field(
            False,
            description="In INT4: choose scales that change the layers' answers to calibration data least.",
            json_schema_extra={"search": [False, True]},
        )
        subset_size: int = Field(128, ge=1, description="At most so many calibration examples.")
        exclude: tuple[str, ...] = Field((), description="Operators to leave alone, as regular expressions.")

        @property
        def learns(self) -> bool:
            """INT8 modes have nothing to learn."""
            return self.mode.startswith("int4") and (self.awq or self.scale_estimation)

    def wants_calibration(self, options: Any) -> bool:
        return bool(options.learns)

    def unfit(self, options: Any, asks: tuple[type, ...], config: Mapping[str, Any]) -> str:
        return without_cache(self.name, asks, config, state=True) if options.learns else ""

    def apply(self, source: Path, into: Path, options: Options, context: plugin.StepContext) -> dict[str, Any]:
        """Facts: coverage; its `weights` counts the operators whose weight is compressed. Raises WorkbenchError
        where the options learn from calibration data and there is none."""
        import openvino

        require_empty(into)
        context.progress(0, 1, "compressing weights")
        batches = list(calibration_batches(context))[: options.subset_size] if options.learns else []
        with quietly():
            for number, part in enumerate(ir_parts(source)):
                model = openvino.Core().read_model(part)
                made = into / (part.name if number else "openvino_model.xml")
                openvino.save_model(_compress(model, batches, options), made, compress_to_fp16=False)
        copy_companions(context.model, into)
        facts = {"calibrated": len(batches)} if options.learns else {}
        return {"coverage": covered(read_ir(part) for part in ir_parts(into)), **facts}


def _compress(model: Any, batches: list[Batch], options: CompressWeights.Options) -> Any:
    import nncf

    learned: dict[str, Any] = {
        "dataset": nncf.Dataset(fed(model, batches)),
        "subset_size": len(batches),
        "awq": options.awq,
        "scale_estimation": options.scale_estimation,
    }

    few = options.mode.startswith("int4")
    fits = nncf.AdvancedCompressionParameters(group_size_fallback_mode=nncf.GroupSizeFallbackMode.ADJUST)
    return nncf.compress_weights(
        model,
        mode=nncf.CompressWeightsMode(options.mode),
        group_size=options.group_size if few else None,
        ratio=options.ratio if few else None,
        advanced_parameters=fits if few else None,
        ignored_scope=nncf.IgnoredScope(patterns=list(options.exclude)) if options.exclude else None,
        **(learned if options.learns else {}),
    )
