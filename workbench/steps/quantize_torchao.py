"""The same PyTorch model with weights in few bits, by torchao. PyTorch's backend loads it again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from workbench import plugin
from workbench.machine import Machine
from workbench.steps.folder import copy_companions, require_empty
from workbench.steps.loaded import load_model
from workbench.steps.quiet import quietly
from workbench.steps.results import TensorsResult

FAST_INT4 = "avx512f"
ROWS = 16  # the 4-bit kernel takes weights with a multiple of so many rows


class QuantizeTorchao(TensorsResult, plugin.Step):
    name = "quantize-torchao"
    summary = "Weights of linear layers in INT8 or INT4 inside PyTorch, activations in INT8 too where asked."
    needs = ("transformers", "torch", "torchao", "safetensors")
    takes = ("transformers",)
    gives = "transformers"

    class Options(plugin.Options):
        scheme: Literal["int8_dynamic", "int8_weights", "int4_weights"] = Field(
            "int8_weights",
            description="INT8 products with activations quantized on the fly, or weights that are stored in few bits "
            "and widened before each product.",
            json_schema_extra={"search": ["int8_weights", "int8_dynamic", "int4_weights"]},
        )
        group_size: Literal[32, 64, 128] = Field(
            32,
            description="Weights that share a scale in INT4: fewer are closer to the original and take more room.",
            json_schema_extra={"search": [32, 128]},
        )
        reduce_range: bool = Field(
            False, description="Seven bits in `int8_dynamic`: for x86 CPUs without VNNI, where eight can overflow."
        )

    def unsuited(self, device: str, options: Any, machine: Machine) -> str:
        if device != "cpu":
            return ""
        if options.scheme == "int8_dynamic" and not machine.computes("int8"):
            return "This CPU has no instructions for INT8 products: PyTorch would emulate them, many times slower."
        if options.scheme == "int4_weights" and machine.has("avx2") and not machine.has(FAST_INT4):
            return "PyTorch's 4-bit kernel is made for AVX-512: with AVX2 it was 18 times slower than float32."
        return ""

    def apply(self, source: Path, into: Path, options: Options, context: plugin.StepContext) -> dict[str, Any]:
        """Facts: coverage. `quantized` counts layers that compute in integers, `weights` those that store them."""
        require_empty(into)
        context.progress(0, 3, "loading the model")
        with quietly():
            model = load_model(source, context)
            context.progress(1, 3, "quantizing weights")
            total, done = _quantize(model, options)
            context.progress(2, 3, "writing")
            _save(model, into, context.model, options)
        dynamic = options.scheme == "int8_dynamic"
        return {"coverage": {"Linear": {"quantized": done if dynamic else 0, "total": total, "weights": done}}}


def _quantize(model: Any, options: QuantizeTorchao.Options) -> tuple[int, int]:
    """(linear layers, those quantized). Output layers that share their weight with an embedding are left alone."""
    import torch
    from torchao.quantization import quantize_

    linears = {name: one for name, one in model.named_modules() if isinstance(one, torch.nn.Linear)}
    tied = {name.rpartition(".")[0] for name in model.all_tied_weights_keys}
    chosen = {name: one for name, one in linears.items() if name not in tied and _fits(one, options)}
    if options.scheme == "int4_weights":
        for one in chosen.values():
            one.weight = torch.nn.Parameter(_four_bits(one.weight.detach(), options.group_size), requires_grad=False)
    else:
        quantize_(model, _config(options), filter_fn=lambda _, name: name in chosen)
    return len(linears), len(chosen)


def _fits(linear: Any, options: QuantizeTorchao.Options) -> bool:
    rows, columns = linear.weight.shape
    return options.scheme != "int4_weights" or (rows % ROWS == 0 and columns % options.group_size == 0)


def _config(options: QuantizeTorchao.Options) -> Any:
    """`set_inductor_config` would have torch.compile try every kernel, for many minutes."""
    from torchao.quantization import Int4WeightOnlyConfig, Int8DynamicActivationInt8WeightConfig, Int8WeightOnlyConfig

    if options.scheme == "int4_weights":
        return Int4WeightOnlyConfig(group_size=options.group_size, set_inductor_config=False)
    if options.scheme == "int8_dynamic":
        return Int8DynamicActivationInt8WeightConfig(set_inductor_config=False, reduce_range=options.reduce_range)
    return Int8WeightOnlyConfig(set_inductor_config=False)


def _four_bits(weight: Any, group: int) -> Any:
    """torchao's plain 4-bit format, which it makes itself on a GPU only: value * scale + zero, a pair of values
    (-8 to 7) a byte, the first in the low four bits; scales [groups, rows]."""
    import torch
    from torchao.quantization.quantize_.workflows.int4.int4_tensor import Int4Tensor

    groups = weight.reshape(-1, group)
    low, high = groups.amin(1, keepdim=True), groups.amax(1, keepdim=True)
    scale = (high - low).clamp(min=1e-6) / 15
    values = ((groups - low) / scale).round().clamp(0, 15).sub(8).to(torch.int8).reshape(weight.shape)
    packed = (values[:, ::2] & 0xF) | (values[:, 1::2] << 4)
    scales, zeros = (each.reshape(len(weight), -1).t().contiguous() for each in (scale, low + 8 * scale))
    return Int4Tensor(packed.contiguous(), scales, zeros, [1, group], weight.shape)


def _save(model: Any, into: Path, companions: Path, options: QuantizeTorchao.Options) -> None:
    """As transformers writes a torchao model, from which it reads the kind of every tensor."""
    from safetensors.torch import save_file
    from torchao.prototype.safetensors.safetensors_support import flatten_tensor_state_dict
    from transformers import TorchAoConfig

    kept = {name: value for name, value in model.state_dict().items() if name not in model.all_tied_weights_keys}
    tensors, metadata = flatten_tensor_state_dict(kept)
    save_file(tensors, into / "model.safetensors", metadata={**metadata, "format": "pt"})
    copy_companions(companions, into)
    config = json.loads((companions / "config.json").read_text(encoding="utf-8"))
    config["quantization_config"] = TorchAoConfig(_config(options)).to_dict()
    (into / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
