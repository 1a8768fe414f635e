"""A model that writes, as the calls it is made of: each becomes one file."""

from __future__ import annotations

import inspect
import types
from typing import Any

from workbench.plugin import StepContext, Writes
from workbench.steps.loaded import traced

Part = tuple[Any, dict[str, Any]]  # what is traced, and with which inputs


def parts(model: Any, context: StepContext) -> dict[str, Part]:
    """What is exported, by the name of its file: the one call of the model; for a task that asks for Writes, what it
    takes to write."""
    inputs = traced(context, model)
    if Writes not in context.asks:
        return {"model": (model, inputs)}
    if model.config.is_encoder_decoder:
        return _begin_and_go_on(model, inputs)
    return {"model": _any_tokens(model, inputs)}


def _begin_and_go_on(model: Any, inputs: dict[str, Any]) -> dict[str, Part]:
    """Two files. "model": all from what the encoder reads to the logits of the words so far, and the cache they leave;
    "decode": one more word. What the encoder read is in the cache, and no graph can both make it and find it there."""
    import torch
    from transformers.exporters.utils import decompose_for_generation

    begun = inputs["decoder_input_ids"]
    begun = torch.cat([begun, begun], dim=1)[:, : max(2, begun.shape[1])]  # one would be taken for a constant
    inputs = {**inputs, "decoder_input_ids": begun}
    stages = decompose_for_generation(_plainly(model), inputs, _settings(model))
    return {"model": (model, {**inputs, "use_cache": True}), "decode": stages["decode"]}


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


def _plainly(model: Any) -> Any:
    """The model with transformers' general `generate`: Whisper's own listens in pieces and guesses a language."""
    from transformers import GenerationMixin

    model.generate = types.MethodType(GenerationMixin.generate, model)
    return model


def _plain(inputs: dict[str, Any]) -> dict[str, Any]:
    """`generate` counts positions itself."""
    return {name: value for name, value in inputs.items() if name != "position_ids"}


def _settings(model: Any) -> Any:
    """Greedy, whatever the model's own taste: how it would sample does not belong into a graph."""
    from transformers import GenerationConfig

    said = model.generation_config
    names = ("pad_token_id", "eos_token_id", "bos_token_id", "decoder_start_token_id")
    kept = {name: getattr(said, name) for name in names}
    return GenerationConfig(do_sample=False, num_beams=1, **kept)
