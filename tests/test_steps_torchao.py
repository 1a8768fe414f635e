"""Weights in few bits inside PyTorch: what is stored, what computes, and that PyTorch's backend loads it again."""

from __future__ import annotations

import numpy as np
import pytest
from models import built, context, make, pictures, step, texts

from workbench import machine
from workbench.backends import BACKENDS
from workbench.machine import Machine

PYTORCH = next(found() for found in BACKENDS if found.name == "pytorch")
SCHEMES = ("int8_weights", "int8_dynamic", "int4_weights")
NEAR = {"int8_weights": 0.1, "int8_dynamic": 0.1, "int4_weights": 0.8}


def answers(folder: object, examples: object, auto_class: str = "AutoModelForSequenceClassification") -> np.ndarray:
    session = PYTORCH.open(folder, "cpu", 1, PYTORCH.Options(auto_class=auto_class))
    batch = context(built(), examples).task.collate(examples, range(len(examples)))
    return session.infer(batch)["logits"]


def distance(found: np.ndarray, wanted: np.ndarray) -> float:
    """Root of the mean square of the differences, in units of the spread of the logits."""
    return float(np.sqrt(((found - wanted) ** 2).mean()) / wanted.std())


@pytest.mark.parametrize("scheme", SCHEMES)
def test_quantized_weights_are_loaded_again_and_answer_nearly_the_same(scheme: str) -> None:
    folder, _ = make(built(), "quantize-torchao", scheme=scheme)
    found, wanted = answers(folder, texts(8)), answers(built(), texts(8))
    assert distance(found, wanted) < NEAR[scheme]


@pytest.mark.parametrize("scheme", ["int8_weights", "int4_weights"])
def test_pictures_work_as_well(scheme: str) -> None:
    folder, _ = make(built(model="vit"), "quantize-torchao", model="vit", scheme=scheme)
    auto_class = "AutoModelForImageClassification"
    found, wanted = answers(folder, pictures(8), auto_class), answers(built(model="vit"), pictures(8), auto_class)
    assert distance(found, wanted) < NEAR[scheme]


@pytest.mark.parametrize(
    ("scheme", "precision", "stored", "quantized", "weights"),
    [
        ("int8_weights", "fp32", "int8", 0, 14),
        ("int8_dynamic", "int8", "int8", 14, 14),
        ("int4_weights", "fp32", "int4", 0, 13),  # three classes are fewer rows than the kernel takes
    ],
)
def test_precision_is_read_from_the_loaded_modules_and_coverage_from_the_file(
    scheme: str, precision: str, stored: str, quantized: int, weights: int
) -> None:
    folder, facts = make(built(), "quantize-torchao", scheme=scheme)
    said = PYTORCH.open(folder, "cpu", 1, PYTORCH.Options()).facts()
    assert said["precision"] == precision
    assert said["stored"][stored] > said["stored"]["float32"]
    assert facts["coverage"] == {"Linear": {"quantized": quantized, "total": 14, "weights": weights}}
    assert PYTORCH.audit(folder)["coverage"] == facts["coverage"]


def test_four_bits_take_less_room_than_eight_and_eight_less_than_floats() -> None:
    sizes = [
        sum(path.stat().st_size for path in folder.glob("*.safetensors"))
        for folder in (
            make(built(), "quantize-torchao", scheme="int4_weights")[0],
            make(built(), "quantize-torchao", scheme="int8_weights")[0],
            built(),
        )
    ]
    assert sizes == sorted(sizes)


def test_the_kernel_of_the_processor_reads_four_bit_weights_as_the_file_means_them() -> None:
    import torch

    from workbench.backends.torch_weights import _packed
    from workbench.steps.quantize_torchao import _four_bits

    torch.manual_seed(0)
    weight, given = torch.randn(32, 64), torch.randn(5, 64)
    stored = _four_bits(weight, 32)
    low, high = (stored.qdata << 4) >> 4, stored.qdata >> 4
    values = torch.stack([low, high], -1).reshape(32, 2, 32).float()
    meant = values * stored.scale.t()[..., None] + stored.zero_point.t()[..., None]
    assert torch.allclose(meant.reshape(32, 64), weight, atol=0.25)
    found = torch.nn.functional.linear(given, _packed(stored))
    wanted = torch.nn.functional.linear(given, meant.reshape(32, 64))
    assert torch.nn.functional.cosine_similarity(found.flatten(), wanted.flatten(), dim=0) > 0.9999


def test_the_same_options_give_the_same_model() -> None:
    hashes = {step("quantize-torchao").semantic(make(built(), "quantize-torchao", scheme=one)[0])
              for one in (*SCHEMES, *SCHEMES)}  # fmt: skip
    assert len(hashes) == len(SCHEMES)


def test_int8_products_are_not_advised_where_they_are_emulated() -> None:
    found, here = step("quantize-torchao"), machine.this_machine().to_dict()
    old, new = (Machine(**here | {"flags": flags}) for flags in (("avx2",), ("avx2", "avx512_vnni")))
    dynamic, weights = (found.Options(scheme=scheme) for scheme in ("int8_dynamic", "int8_weights"))
    assert "emulate" in found.unsuited("cpu", dynamic, old)
    four = found.Options(scheme="int4_weights")
    wide = Machine(**here | {"flags": ("avx2", "avx512f")})
    assert "AVX-512" in found.unsuited("cpu", four, old) and not found.unsuited("cpu", four, wide)
    assert not found.unsuited("cpu", dynamic, new) and not found.unsuited("cpu", weights, old)


@pytest.mark.slow
def test_a_compiled_model_answers_the_same_to_any_length_and_is_compiled_once() -> None:
    examples = texts(6)
    batches = [context(built(), examples).task.collate(examples, [at, at + 1]) for at in range(0, 6, 2)]
    plain = PYTORCH.open(built(), "cpu", 1, PYTORCH.Options())
    session = PYTORCH.open(built(), "cpu", 1, PYTORCH.Options(compile=True))
    assert len({batch["input_ids"].shape for batch in batches}) > 1
    before = session.facts()["graphs"]
    for batch in batches:
        assert np.allclose(session.infer(batch)["logits"], plain.infer(batch)["logits"], atol=1e-4)
    assert session.facts()["graphs"] == before + 1
    assert "compiled" in {row["type"] for row in session.profile(batches[:1])}


def test_compiling_is_not_advised_without_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    here, options = machine.this_machine(), PYTORCH.Options(compile=True)
    monkeypatch.setenv("PATH", "/nowhere")
    assert "C++ compiler" in PYTORCH.unsuited("cpu", options, here)
