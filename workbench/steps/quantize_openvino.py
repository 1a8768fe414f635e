"""OpenVINO INT8 by NNCF's post-training quantization, calibrated on real examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from workbench import plugin
from workbench.graph import coverage, read_ir
from workbench.steps.folder import copy_companions, require_empty
from workbench.steps.openvino_revert import revert
from workbench.steps.openvino_sensitivity import ranking
from workbench.steps.quiet import quietly
from workbench.steps.results import IrResult, ir_model
from workbench.steps.samples import calibration_batches, fed, without_cache


class QuantizeOpenVINO(IrResult, plugin.Step):
    name = "quantize-openvino"
    summary = "Weights and activations in INT8 by NNCF, ranges learned from calibration data."
    needs = ("openvino", "nncf")
    takes = ("openvino",)
    gives = "openvino"
    executes = True
    calibrates = True

    class Options(plugin.Options):
        model_type: Literal["transformer", "other"] = Field(
            "transformer", description="Which pattern of operators to expect; transformer treats attention with care."
        )
        preset: Literal["performance", "mixed"] = Field(
            "mixed",
            description="Symmetric everywhere, or asymmetric activations (closer to the original).",
            json_schema_extra={"search": ["mixed", "performance"]},
        )
        subset_size: int = Field(300, ge=1, description="At most so many calibration examples.")
        fast_bias_correction: bool = Field(
            True, description="Correct biases by one estimate, not layer by layer, which takes far longer."
        )
        smooth_quant_alpha: float | None = Field(
            None, ge=-1, le=1, description="How much of an outlier moves from activations into weights; -1: none."
        )
        overflow_fix: Literal["auto", "enable", "first_layer", "disable"] = Field(
            "auto", description="Seven bits where a CPU without VNNI would overflow."
        )
        exclude: tuple[str, ...] = Field((), description="Operators to leave alone, as regular expressions.")
        revert: tuple[str, ...] = Field(
            (), description="Names of operators to bring back to floats at the end; the others stay as they are."
        )

    def unfit(self, options: Any, asks: tuple[type, ...], config: Mapping[str, Any]) -> str:
        return without_cache(self.name, asks, config, state=True)

    def apply(self, source: Path, into: Path, options: Options, context: plugin.StepContext) -> dict[str, Any]:
        """Facts: coverage, calibrated (examples used). Raises WorkbenchError without calibration data."""
        import openvino

        require_empty(into)
        with quietly():
            if context.like:  # it was quantized already, and fewer of its operators were brought back
                quantized = openvino.Core().read_model(ir_model(context.like))
            else:
                model, batches = openvino.Core().read_model(ir_model(source)), list(calibration_batches(context))
                quantized = _quantize(model, fed(model, batches[: options.subset_size]), options)
            revert(quantized, ir_model(source), options.revert)
            openvino.save_model(quantized, into / "openvino_model.xml", compress_to_fp16=False)
        copy_companions(context.model, into)
        calibrated = min(len(context.calibration) if context.calibration else 0, options.subset_size)
        return {"coverage": coverage(read_ir(into / "openvino_model.xml")), "calibrated": calibrated}

    def sensitivity(self, source: Path, made: Path, context: plugin.StepContext) -> dict[str, Any]:
        """On calibration examples, each alone."""
        with quietly():
            return ranking(ir_model(source), ir_model(made), list(calibration_batches(context)), context.progress)

    def leaving(self, options: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
        """They are brought back in the end: to leave them out from the start would mean to calibrate again."""
        return options | {"revert": sorted({*options.get("revert", ()), *names})}


def _quantize(model: Any, feeds: list[dict[str, Any]], options: QuantizeOpenVINO.Options) -> Any:
    import nncf
    from nncf.quantization.advanced_parameters import OverflowFix

    fixes = {
        "enable": OverflowFix.ENABLE,
        "first_layer": OverflowFix.FIRST_LAYER,
        "disable": OverflowFix.DISABLE,
    }
    return nncf.quantize(
        model,
        nncf.Dataset(feeds),
        preset=nncf.QuantizationPreset(options.preset),
        subset_size=len(feeds),
        fast_bias_correction=options.fast_bias_correction,
        model_type=nncf.ModelType.TRANSFORMER if options.model_type == "transformer" else None,
        ignored_scope=nncf.IgnoredScope(patterns=list(options.exclude)) if options.exclude else None,
        advanced_parameters=nncf.AdvancedQuantizationParameters(
            overflow_fix=fixes.get(options.overflow_fix), smooth_quant_alpha=options.smooth_quant_alpha
        ),
    )
