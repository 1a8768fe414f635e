"""A model that writes, as the calls it is made of: each becomes one file."""

from __future__ import annotations

import inspect
from typing import Any

from workbench.plugin import StepContext, Writes
from workbench.steps.loaded import traced

Part = tuple[Any, dict[str, Any]]  # what is traced, and with which inputs


def parts(model: Any, context: StepContext) -> dict[str, Part]:
    """What is exported, by the name of its file: the one call of the model; for a task that asks for Writes, what it
    takes to write."""
    inputs = traced(context, model)
    if Writes not in context.task.asks:
        return {"model": (model, inputs)}
    return {"model": _any_tokens(model, inputs)}


def _any_tokens(model: Any, inputs: dict[str, Any]) -> Part:
    """One graph that takes any number of tokens after any number of cached ones. It begins and goes on, and scores
    whole texts; `logits_to_keep` names the places of which logits are wanted."""
    import torch
    from transformers.exporters.utils import decompose_for_generation

    stages = decompose_for_generation(model, _plain(inputs), _settings(model), multi_token_decode=True)
    one, taken = stages["decode"]
    if "logits_to_keep" in inspect.signature(model.forward).parameters:
        taken["logits_to_keep"] = torch.arange(2)
    return one, taken


def _plain(inputs: dict[str, Any]) -> dict[str, Any]:
    """`generate` counts positions itself."""
    return {name: value for name, value in inputs.items() if name != "position_ids"}


def _settings(model: Any) -> Any:
    """Greedy, whatever the model's own taste: how it would sample does not belong into a graph."""
    from transformers import GenerationConfig

    said = model.generation_config
    kept = {name: getattr(said, name) for name in ("pad_token_id", "eos_token_id", "bos_token_id")}
    return GenerationConfig(do_sample=False, num_beams=1, **kept)
