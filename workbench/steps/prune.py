"""The same PyTorch model with the smallest weights of its linear layers set to zero."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from workbench import plugin
from workbench.steps.folder import copy_companions, require_empty
from workbench.steps.loaded import load_model
from workbench.steps.quiet import quietly
from workbench.steps.results import TensorsResult

GROUP, KEPT = 4, 2  # weights in a row, and how many of them stay


class Prune(TensorsResult, plugin.Step):
    name = "prune"
    summary = (
        "Sets the smallest weights to zero; without a runtime that skips zeros it costs accuracy and gains nothing."
    )
    needs = ("transformers", "torch", "safetensors")
    takes = ("transformers",)
    gives = "transformers"

    class Options(plugin.Options):
        pattern: Literal["2:4", "unstructured"] = Field(
            "2:4",
            description="Two of each four weights in a row, as GPUs since Ampere can skip, or the smallest of a layer.",
            json_schema_extra={"search": ["2:4", "unstructured"]},
        )
        share: float = Field(
            0.5,
            gt=0,
            lt=1,
            description="Share of a layer's weights set to zero where the pattern is `unstructured`.",
            json_schema_extra={"search": [0.2, 0.3, 0.5]},
        )

    def apply(self, source: Path, into: Path, options: Options, context: plugin.StepContext) -> dict[str, Any]:
        """Facts: zeros, the share of weights that are zero by type of layer."""
        require_empty(into)
        context.progress(0, 2, "loading the model")
        with quietly():
            model = load_model(source, context)
            context.progress(1, 2, "pruning")
            _prune(model, options)
            model.save_pretrained(into)
        config = (into / "config.json").read_bytes()
        copy_companions(context.model, into)
        (into / "config.json").write_bytes(config)
        return {"zeros": _zeros(model)}


def _prune(model: Any, options: Prune.Options) -> None:
    """Output layers that share their weight with an embedding are left alone: it is looked up, not multiplied."""
    import torch

    tied = {name.rpartition(".")[0] for name in model.all_tied_weights_keys}
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Linear) and name not in tied:
            weight = module.weight.data
            module.weight.data = _two_of_four(weight) if options.pattern == "2:4" else _smallest(weight, options.share)


def _two_of_four(weight: Any) -> Any:
    """Unchanged where a row's length is no multiple of four."""
    import torch

    if weight.shape[1] % GROUP:
        return weight
    groups = weight.reshape(-1, GROUP)
    kept = groups.abs().topk(KEPT, dim=1).indices
    return (groups * torch.zeros_like(groups).scatter_(1, kept, 1.0)).reshape(weight.shape)


def _smallest(weight: Any, share: float) -> Any:
    import torch

    count = int(share * weight.numel())
    flat = weight.flatten().clone()
    flat[torch.argsort(flat.abs(), stable=True)[:count]] = 0
    return flat.reshape(weight.shape)


def _zeros(model: Any) -> dict[str, float]:
    """{type of layer: share of zeros in its weights}."""
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for module in model.modules():
        if (weight := getattr(module, "weight", None)) is not None and weight.dim() > 1:
            counts[type(module).__name__][0] += int((weight == 0).sum())
            counts[type(module).__name__][1] += weight.numel()
    return {kind: round(zero / total, 4) for kind, (zero, total) in sorted(counts.items())}
