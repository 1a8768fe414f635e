"""The same PyTorch model with its weights in 16 bits."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from workbench import plugin
from workbench.steps.folder import copy_companions, require_empty
from workbench.steps.loaded import load_model
from workbench.steps.quiet import quietly
from workbench.steps.results import TensorsResult, tensors_of


class Cast(TensorsResult, plugin.Step):
    name = "cast"
    summary = "Weights and arithmetic in 16 bits: half the file, faster where the processor has such units."
    needs = ("transformers", "torch", "safetensors")
    takes = ("transformers",)
    gives = "transformers"

    class Options(plugin.Options):
        dtype: Literal["bfloat16", "float16", "float32"] = Field(
            "bfloat16",
            description="bfloat16 keeps the range of float32, float16 has three more bits of precision.",
            json_schema_extra={"search": ["bfloat16", "float16"]},
        )

    def apply(self, source: Path, into: Path, options: Options, context: plugin.StepContext) -> dict[str, Any]:
        """Facts: dtypes, {dtype: number of tensors}, and overflows: weights that became infinite."""
        import torch

        require_empty(into)
        context.progress(0, 2, "loading the model")
        with quietly():
            model = load_model(source, context, options.dtype)
            context.progress(1, 2, "writing")
            model.save_pretrained(into)
        overflows = sum(int(torch.isinf(weight).sum()) for weight in model.parameters())
        config = (into / "config.json").read_bytes()
        copy_companions(context.model, into)
        (into / "config.json").write_bytes(config)  # the saved one names the new dtype
        return {"dtypes": _counts(into), "overflows": overflows}


def _counts(folder: Path) -> dict[str, int]:
    kinds = [row[1] for row in tensors_of(folder)]
    return {kind: kinds.count(kind) for kind in sorted(set(kinds))}
