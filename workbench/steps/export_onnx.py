"""PyTorch to ONNX, through transformers' own exporter. One export serves every ONNX recipe."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from workbench import plugin
from workbench.graph import read_onnx
from workbench.steps.folder import copy_companions, require_empty
from workbench.steps.loaded import load_model
from workbench.steps.quiet import quietly
from workbench.steps.results import OnnxResult
from workbench.steps.shared_keys import attend_by_shared_keys
from workbench.steps.writing import parts


class ExportOnnx(OnnxResult, plugin.Step):
    name = "export-onnx"
    version = 3
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
        """Facts: opset, operators. Raises WorkbenchError where the model cannot be loaded."""
        require_empty(into)
        context.progress(0, 3, "loading the model")
        with quietly():
            model = load_model(source, context)
            if plugin.Writes in context.asks:
                attend_by_shared_keys(model)
            context.progress(1, 3, "tracing and converting")
            exported = self._export(model, context, options)
            context.progress(2, 3, "writing")
            exported.save_pretrained(into)
        copy_companions(context.model, into)
        graph = read_onnx(into / "model.onnx")
        return {"opset": graph.facts["opsets"].get("ai.onnx"), "operators": graph.operators}

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
        with _batches_put_back():
            made = {name: exporter.export(part, taken, config=config).components["model"]
                    for name, (part, taken) in parts(model, context).items()}  # fmt: skip
        return ExportedModel(made, exporter.export_format, config=model.config)


@contextmanager
def _batches_put_back() -> Iterator[None]:
    """Meanwhile transposed batches fused into a product of matrices become a Transpose again for the CPU, too, where
    ONNX Runtime refuses them (microsoft/onnxscript#3156): transformers 5.23 does it for CUDA and DirectML only, and
    files of SigLIP and of SmolLM2 did not run."""
    from transformers.exporters import onnxruntime_fusions

    fusions: Any = onnxruntime_fusions
    steps = fusions._STEPS
    repair = fusions._untranspose_batch_matmuls
    fusions._STEPS = tuple((step, (*on, "cpu") if step is repair else on) for step, on in steps)
    try:
        yield
    finally:
        fusions._STEPS = steps
