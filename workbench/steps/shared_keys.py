"""Attention in which several heads share a key, written down without repeating the keys.

transformers repeats each key and value for every head that shares it. A compiler of graphs may see through that; ONNX
Runtime on a CPU makes the copies, of all that was said so far, for each new token. Here the heads that share a key
stand in one product with it: the same numbers, nothing copied.
"""

from __future__ import annotations

from typing import Any

NAME = "workbench-shared-keys"


def attend_by_shared_keys(model: Any) -> None:
    """Let a model that is about to be traced attend so, where its heads share keys and it attends by sdpa."""
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import eager_mask

    config = model.config.get_text_config()
    heads = getattr(config, "num_attention_heads", None)
    shared = getattr(config, "num_key_value_heads", None) or heads
    if heads == shared or config._attn_implementation != "sdpa":
        return
    AttentionInterface.register(NAME, _attend)
    AttentionMaskInterface.register(NAME, eager_mask)
    model.set_attn_implementation(NAME)


def _attend(
    module: Any, query: Any, key: Any, value: Any, attention_mask: Any, scaling: float | None = None, **more: Any
) -> tuple[Any, None]:
    """query [n, heads, length, size], key and value [n, shared, cached, size], attention_mask [n, 1, length, cached],
    added -> ([n, length, heads, size], None)."""
    import torch
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    if more.get("position_bias") is not None or attention_mask is None:
        return sdpa_attention_forward(module, query, key, value, attention_mask, scaling=scaling, **more)
    n, heads, length, size = query.shape
    shared = key.shape[1]
    rows = heads // shared * length
    together = (query * (size**-0.5 if scaling is None else scaling)).reshape(n, shared, rows, size)
    scores = torch.matmul(together, key.transpose(2, 3)).reshape(n, heads, length, -1) + attention_mask
    weights = torch.softmax(scores, dim=-1).reshape(n, shared, rows, -1)
    found = torch.matmul(weights, value).reshape(n, heads, length, size)
    return found.transpose(1, 2).contiguous(), None
