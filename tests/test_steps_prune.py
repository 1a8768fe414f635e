"""Pruning: how many zeros there are, where, and that the largest weights stay."""

from __future__ import annotations

import pytest
from models import built, make, step


def weights(folder: object) -> dict[str, object]:
    from safetensors.torch import load_file

    return load_file(f"{folder}/model.safetensors")


def test_two_of_each_four_weights_of_linear_layers_are_zero_and_they_are_the_smaller_ones() -> None:
    folder, facts = make(built(), "prune")
    assert facts["zeros"]["Linear"] == pytest.approx(0.5) and facts["zeros"]["Embedding"] < 0.01
    name = "bert.encoder.layer.0.attention.self.query.weight"
    before, after = (weights(one)[name].reshape(-1, 4) for one in (built(), folder))
    assert bool(((after == 0).sum(1) == 2).all())
    kept, lost = before.abs().where(after != 0, float("inf")), before.abs().where(after == 0, 0.0)
    assert bool((kept.min(1).values >= lost.max(1).values).all())


def test_an_unstructured_share_is_what_was_asked_for() -> None:
    facts = make(built(), "prune", pattern="unstructured", share=0.3)[1]
    assert facts["zeros"]["Linear"] == pytest.approx(0.3, abs=0.01)


def test_the_same_options_give_the_same_model_and_others_another() -> None:
    once, again = (step("prune").semantic(make(built(), "prune")[0]) for _ in range(2))
    other = step("prune").semantic(make(built(), "prune", pattern="unstructured")[0])
    assert once == again != other
