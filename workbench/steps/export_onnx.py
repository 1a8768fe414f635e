"""PyTorch to ONNX, through transformers' own exporter. One export serves every ONNX recipe."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from workbench import plugin
from workbench.graph import read_onnx
from workbench.steps.folder import copy_companions, require_empty
from workbench.steps.loaded import load_model, traced
from workbench.steps.quiet import quietly
from workbench.steps.results import OnnxResult
from workbench.steps.writing import parts


class ExportOnnx(OnnxResult, plugin.Step):
    name = "export-onnx"
    summary = "Writes the model as an ONNX graph in float32; batch and sequence may change from call to call."
    needs = ("transformers", "torch", "onnx", "onnxscript", "onnxruntime")
    takes = ("transformers",)
    gives = "onnx"

    class Options(plugin.Options):
        dynamic: bool = Field(True, description="Let batch size and sequence length change from call to call.")
        opset: int | None = Field(None, ge=18, le=25, description="ONNX operator set; empty: the exporter's newest.")
        optimize: bool = Field(True, description="Fold constants and remove what is not used, once, in the file.")
        fusions: Literal["none", "cpu", "cuda", "webgpu", "dml"] = Field(
            "cpu",
            description="Fuse norms, GELU and the query, key and value products into ONNX Runtime's own operators for "
            "this device. A fused file runs on ONNX Runtime only.",
            json_schema_extra={"search": ["none", "cpu"]},
        )

    def apply(self, source: Path, into: Path, options: Options, context: plugin.StepContext) -> dict[str, Any]:
        """Facts: opset, operators, and `unfused`: why a file that should be fused for the CPU is not. Raises
        WorkbenchError where the model cannot be loaded."""
        require_empty(into)
        context.progress(0, 3, "loading the model")
        with quietly():
            model = load_model(source, context)
            context.progress(1, 3, "tracing and converting")
            self._export(model, context, options).save_pretrained(into)
            why = _refusal(into / "model.onnx", traced(context, model)) if options.fusions == "cpu" else ""
            if why:
                context.progress(2, 3, "again, without fusions")
                shutil.rmtree(into)
                into.mkdir()
                plain = options.model_copy(update={"fusions": "none"})
                self._export(model, context, plain).save_pretrained(into)
        copy_companions(context.model, into)
        graph = read_onnx(into / "model.onnx")
        return {"opset": graph.facts["opsets"].get("ai.onnx"), "operators": graph.operators} | (
            {"unfused": f"ONNX Runtime refuses the fused file: {why}"} if why else {}
        )

    @staticmethod
    def _export(model: Any, context: plugin.StepContext, options: Options) -> Any:
        from transformers.exporters.base import ExportedModel
        from transformers.exporters.configs import OnnxConfig
        from transformers.exporters.exporter_onnx import OnnxExporter

        config = OnnxConfig(
            dynamic=options.dynamic,
            opset_version=options.opset,
            optimize=options.optimize or options.fusions != "none",
            ort_fusions=None if options.fusions == "none" else options.fusions,
        )
        exporter: Any = OnnxExporter()
        made = {name: exporter.export(part, taken, config=config).components["model"]
                for name, (part, taken) in parts(model, context).items()}  # fmt: skip
        return ExportedModel(made, exporter.export_format, config=model.config)


def _refusal(path: Path, inputs: dict[str, Any]) -> str:
    """What ONNX Runtime says against a call of this file with the traced inputs, or "". A fusion may fit a model badly
    (transformers 5.23 fuses a product of matrices in SigLIP into one of batches). A file that takes more than these
    inputs, a cache, is only loaded."""
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])
        wanted = [one.name for one in session.get_inputs()]
        if all(name in inputs for name in wanted):
            session.run(None, {name: inputs[name].numpy() for name in wanted})
    except Exception as error:  # onnxruntime's own errors have no common class
        return str(error).strip().splitlines()[0][:300]
    return ""
