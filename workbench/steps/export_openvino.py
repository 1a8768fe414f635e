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
    version = 2
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
            for one in made.values():
                _repeat_heads_by_product(one.program)
            context.progress(2, 3, "writing")
            ExportedModel(made, exporter.export_format, config=model.config).save_pretrained(into)
        for path in ir_parts(into):
            _tidy(path)
        copy_companions(context.model, into)
        return {"operators": read_ir(into / "openvino_model.xml").operators}


def _repeat_heads_by_product(model: Any) -> None:
    """Where several heads share a key, the exporter repeats it with a Broadcast between the cache and the attention.
    The CPU plugin knows only a product with ones there, and else writes the whole cache anew for each token
    (its StatefulSDPAFusion, openvino/src/plugins/intel_cpu/src/transformations/cpu_opset/common/pass)."""
    import numpy as np
    import openvino.opset14 as ops

    for attention in [node for node in model.get_ordered_ops() if node.get_type_name() == "ScaledDotProductAttention"]:
        heads = attention.input_value(0).get_partial_shape()[1]
        for port in (1, 2):
            path = _upstream(attention.input_value(port).get_node(), "Reshape", "Broadcast", "Unsqueeze", "Concat")
            if not path or heads.is_dynamic:
                continue
            _, broadcast, unsqueeze, _ = path
            shared = unsqueeze.output(0).get_partial_shape()
            if len(shared) == 5 and shared[1].is_static and shared[2] == 1:
                times = heads.get_length() // shared[1].get_length()
                ones = ops.constant(np.ones([1, 1, times, 1, 1], dtype=np.float32))
                product = ops.multiply(unsqueeze.output(0), ones)
                for reader in broadcast.output(0).get_target_inputs():
                    reader.replace_source_output(product.output(0))
    model.validate_nodes_and_infer_types()


def _upstream(node: Any, *kinds: str) -> list[Any]:
    """The nodes from this one up, each the first input of the one before; none where they are of other kinds."""
    found: list[Any] = []
    for kind in kinds:
        if node.get_type_name() != kind:
            return []
        found.append(node)
        node = node.input_value(0).get_node()
    return found


def _tidy(path: Path) -> None:
    """The exporter notes the precision of its own trace as a wish for the runtime; that is the backend's to say."""
    text = path.read_text(encoding="utf-8")
    start, end = text.find("<runtime_options>"), text.find("</runtime_options>")
    if start >= 0:
        path.write_text(text[:start].rstrip() + text[end + len("</runtime_options>") :], encoding="utf-8")
