"""PyTorch to OpenVINO's IR, through transformers' own exporter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field

from workbench import plugin
from workbench.graph import read_ir
from workbench.steps.folder import copy_companions, require_empty
from workbench.steps.loaded import load_model
from workbench.steps.quiet import quietly
from workbench.steps.results import IrResult, ir_parts
from workbench.steps.writing import parts


class ExportOpenVINO(IrResult, plugin.Step):
    name = "export-openvino"
    summary = "Writes the model as OpenVINO IR; batch and sequence may change from call to call."
    needs = ("transformers", "torch", "openvino")
    takes = ("transformers",)
    gives = "openvino"

    class Options(plugin.Options):
        dynamic: bool = Field(True, description="Let batch size and sequence length change from call to call.")
        compress_to_fp16: bool = Field(
            False, description="Store the weights in float16: half the file, a narrower range."
        )

    def apply(self, source: Path, into: Path, options: Options, context: plugin.StepContext) -> dict[str, Any]:
        """Facts: operators. Raises WorkbenchError where the model cannot be loaded."""
        from transformers.exporters.base import ExportedModel
        from transformers.exporters.configs import OpenVINOConfig
        from transformers.exporters.exporter_openvino import OpenVINOExporter

        require_empty(into)
        context.progress(0, 3, "loading the model")
        with quietly():
            model = load_model(source, context)
            context.progress(1, 3, "tracing and converting")
            # A cache that another graph begins goes in and out: the runtime's own state cannot be handed over.
            config = OpenVINOConfig(dynamic=options.dynamic, compress_to_fp16=options.compress_to_fp16,
                                    stateful=not model.config.is_encoder_decoder)  # fmt: skip
            exporter: Any = OpenVINOExporter()
            made = {name: exporter.export(part, taken, config=config).components["model"]
                    for name, (part, taken) in parts(model, context).items()}  # fmt: skip
            context.progress(2, 3, "writing")
            ExportedModel(made, exporter.export_format, config=model.config).save_pretrained(into)
        for path in ir_parts(into):
            _tidy(path)
        copy_companions(context.model, into)
        return {"operators": read_ir(into / "openvino_model.xml").operators}


def _tidy(path: Path) -> None:
    """The exporter notes the precision of its own trace as a wish for the runtime; that is the backend's to say."""
    text = path.read_text(encoding="utf-8")
    start, end = text.find("<runtime_options>"), text.find("</runtime_options>")
    if start >= 0:
        path.write_text(text[:start].rstrip() + text[end + len("</runtime_options>") :], encoding="utf-8")
