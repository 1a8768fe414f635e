"""Weights that torchao stores in few bits, as PyTorch holds them: asked what they are, and made ready for a CPU."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

INNER_TILES = 1  # an argument that the CPU's kernel ignores


def stored_in(weight: Any) -> str:
    """ "float32", or "int8" and "int4" where the values behind it are integers."""
    if not hasattr(weight, "qdata"):
        return str(weight.dtype).removeprefix("torch.")
    return "int4" if type(weight).__name__.startswith("Int4") else str(weight.qdata.dtype).removeprefix("torch.")


def computes_in(weight: Any) -> str:
    """Integers only where activations are quantized as well; else weights are widened to this before the product."""
    if getattr(weight, "act_quant_kwargs", None) is not None:
        return stored_in(weight)
    return str(weight.dtype).removeprefix("torch.")


def pack_for_cpu(model: Any) -> None:
    """Put 4-bit weights into the order that this processor's kernel reads. A file holds them in plain order, since
    the other one depends on the instruction set."""
    import torch

    for module in model.modules():
        weight = getattr(module, "weight", None)
        if type(weight).__name__ == "Int4Tensor":
            module.weight = torch.nn.Parameter(_packed(weight), requires_grad=False)


def _packed(weight: Any) -> Any:
    import torch
    from torchao.prototype.quantization.int4.int4_opaque_tensor import Int4OpaqueTensor

    pairs = torch.stack([(weight.qdata << 4) >> 4, weight.qdata >> 4], dim=-1)  # the low four bits come first
    values = pairs.reshape(weight.shape).int() + 8  # from -8…7 to 0…15
    ordered = torch.ops.aten._convert_weight_to_int4pack_for_cpu(values, INNER_TILES)
    scales = torch.stack([weight.scale, weight.zero_point], dim=-1).contiguous()  # [groups, rows, 2]
    return Int4OpaqueTensor(ordered, scales, list(weight.block_size), weight.shape)


def is_four_bits(folder: Path) -> bool:
    """Whether config.json says that torchao wrote the file in INT4."""
    said = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("quantization_config") or {}
    return said.get("quant_method") == "torchao" and "Int4" in json.dumps(said.get("quant_type", {}))


def coverage_of_file(folder: Path, names: list[str], linears: int) -> dict[str, Any]:
    """{"coverage": {"Linear": {"quantized", "total", "weights"}}} where config.json says that torchao wrote the file;
    `names` are those of its tensors."""
    said = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("quantization_config") or {}
    if said.get("quant_method") != "torchao":
        return {}
    weights = sum(name.endswith("_qdata") for name in names)
    dynamic = "DynamicActivation" in json.dumps(said.get("quant_type", {}))
    return {"coverage": {"Linear": {"quantized": weights if dynamic else 0, "total": linears, "weights": weights}}}
