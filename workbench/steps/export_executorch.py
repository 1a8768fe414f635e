"""PyTorch to an ExecuTorch program for phones and boards, through transformers' own exporter and XNNPACK."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from workbench import plugin
from workbench.artifact import sha256_of_file
from workbench.errors import WorkbenchError
from workbench.graph.program import read_pte
from workbench.steps.folder import copy_companions, require_empty
from workbench.steps.loaded import load_model, traced
from workbench.steps.quiet import quietly


class ExportExecutorch(plugin.Step):
    name = "export-executorch"
    summary = "Writes the model as an ExecuTorch program for phones and boards, up to a stated length."
    needs = ("transformers", "torch", "executorch", "torchao")
    takes = ("transformers",)
    gives = "executorch"

    class Options(plugin.Options):
        precision: Literal["fp32", "int8"] = Field(
            "fp32",
            description="int8: weights of linear layers in INT8, activations quantized on the fly (PT2E).",
            json_schema_extra={"search": ["fp32", "int8"]},
        )
        max_batch: int = Field(8, ge=2, description="Most examples a call: memory for them is planned beforehand.")
        max_length: int = Field(128, ge=2, description="Longest input: memory for it is planned beforehand.")

    def apply(self, source: Path, into: Path, options: Options, context: plugin.StepContext) -> dict[str, Any]:
        """Facts: operators, coverage, bounds (the largest batch and length it can take)."""
        require_empty(into)
        context.progress(0, 3, "loading the model")
        bounds = {"batch": options.max_batch, "length": _longest(context, options)}
        with quietly(), _lists_unverified():
            model = load_model(source, context)
            context.progress(1, 3, "tracing and converting")
            exported = _export(model, context, options, bounds)
            context.progress(2, 3, "writing")
            exported.save_pretrained(into)
            program = read_pte(into / "model.pte")
        copy_companions(context.model, into)
        return {"operators": program.operators, "coverage": program.coverage(), "bounds": bounds}

    def semantic(self, folder: Path) -> str:
        """Of the file: the exporter writes no time and no path into it."""
        return sha256_of_file(folder / "model.pte")


def _longest(context: plugin.StepContext, options: ExportExecutorch.Options) -> int:
    """The shortest of what is asked for and what tokenizer and model can take."""
    config = json.loads((context.model / "config.json").read_text(encoding="utf-8"))
    limits = (context.samples.facts.get("max_length"), config.get("max_position_embeddings"))
    return min([options.max_length, *(int(limit) for limit in limits if limit)])


def _export(model: Any, context: plugin.StepContext, options: ExportExecutorch.Options, bounds: dict[str, int]) -> Any:
    from transformers.exporters.configs import ExecutorchConfig
    from transformers.exporters.exporter_executorch import ExecutorchExporter

    inputs = traced(context, model)
    config = ExecutorchConfig(
        backend="xnnpack",
        dynamic_shapes={name: _dims(name, tensor, context, bounds) for name, tensor in inputs.items()},
        quantizer=_quantizer() if options.precision == "int8" else None,
    )
    exporter: Any = ExecutorchExporter
    return exporter().export(model, inputs, config=config)


@contextmanager
def _lists_unverified() -> Iterator[None]:
    """The verifier of ExecuTorch 1.5 takes the first tensor of a list for the list, asks for its length, and so makes
    a batch that may change a constant: graphs that hold lists (a split) are spared its look at dtypes."""
    from executorch.exir.verification import verifier

    verify = verifier._check_tensor_args_matching_op_allowed_dtype

    def spared(module: Any) -> None:
        if not any(isinstance(node.meta.get("val"), list | tuple) for node in module.graph.nodes):
            verify(module)

    verifier._check_tensor_args_matching_op_allowed_dtype = spared
    try:
        yield
    finally:
        verifier._check_tensor_args_matching_op_allowed_dtype = verify


def _dims(name: str, tensor: Any, context: plugin.StepContext, bounds: dict[str, int]) -> dict[int, Any]:
    """The batch may change up to its bound, and the first axis of what is padded up to its own."""
    import torch

    auto: Any = torch.export.Dim.AUTO
    dims = {0: auto(max=bounds["batch"])}
    if name in context.samples.padding and tensor.dim() > 1:
        if tensor.shape[1] > bounds["length"]:
            why = f"One has {tensor.shape[1]} positions in {name}, and the program shall take {bounds['length']}."
            raise WorkbenchError("The examples are too long to trace the model.", why, "Raise max_length.")
        dims[1] = auto(max=bounds["length"])
    return dims


def _quantizer() -> Any:
    from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
        XNNPACKQuantizer,
        get_symmetric_quantization_config,
    )
    from transformers.exporters.quantizers.quantizer_pt2e import PT2EQuantizer

    chosen: Any = XNNPACKQuantizer()
    # It would first make every number in the graph a float, indices among them; linear layers need none of that.
    chosen.transform_for_annotation = lambda model: model
    chosen.set_global(get_symmetric_quantization_config(is_per_channel=True, is_dynamic=True))
    return PT2EQuantizer(chosen)
