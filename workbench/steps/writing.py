"""A model that writes, as the calls it is made of: each becomes one file."""

from __future__ import annotations

import inspect
from typing import Any

from workbench.plugin import StepContext, Writes
from workbench.steps.loaded import traced

Parts = dict[str, tuple[Any, dict[str, Any]]]  # name of the file -> what is traced, and with which inputs


def writes(context: StepContext) -> bool:
    return Writes in context.task.asks


def parts(model: Any, context: StepContext) -> Parts:
    """What is exported: the one call of the model; for a task that asks for Writes, what it takes to write."""
    inputs = traced(context, model)
    if not writes(context):
        return {"model": (model, inputs)}
    return _with_encoder(model, inputs) if model.config.is_encoder_decoder else _decoder(model, inputs)


def _decoder(model: Any, inputs: dict[str, Any]) -> Parts:
    """One graph that takes any number of tokens after any number of cached ones. It begins and goes on, and scores
    whole texts; `logits_to_keep` names the places of which logits are wanted."""
    import torch
    from transformers.exporters.utils import decompose_for_generation

    stages = decompose_for_generation(model, _plain(inputs), _settings(model), multi_token_decode=True)
    one, taken = stages["decode"]
    if "logits_to_keep" in inspect.signature(model.forward).parameters:
        taken["logits_to_keep"] = torch.arange(2)
    return {"model": (one, taken)}


def _with_encoder(model: Any, inputs: dict[str, Any]) -> Parts:
    """The whole call with the first tokens of the answer, and one token more from the cache that it gives."""
    import torch
    from transformers.exporters.utils import decompose_for_generation

    stages = decompose_for_generation(model, _plain(inputs), _settings(model))
    rows = len(next(iter(inputs.values())))
    begun = inputs | {"decoder_input_ids": torch.ones((rows, 2), dtype=torch.int64)}
    return {"model": (model, begun), "decode": stages["decode"]}


def _plain(inputs: dict[str, Any]) -> dict[str, Any]:
    """`generate` counts positions itself."""
    return {name: value for name, value in inputs.items() if name not in ("position_ids", "decoder_input_ids")}


def _settings(model: Any) -> Any:
    """Greedy, whatever the model's own taste: how it would sample does not belong into a graph."""
    from transformers import GenerationConfig

    said = model.generation_config
    kept = {name: getattr(said, name) for name in ("pad_token_id", "eos_token_id", "bos_token_id",
                                                   "decoder_start_token_id")}  # fmt: skip
    return GenerationConfig(do_sample=False, num_beams=1, **kept)
