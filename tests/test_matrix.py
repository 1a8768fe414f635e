"""Every task with every backend: it runs, and answers as PyTorch does in float32, or it is a gap with a reason."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.building import Ready, opened, ready
from tests.tiny import ALL
from tests.tiny.kind import Tiny
from workbench import catalog, manual, recipe
from workbench.plugin import Batch, Writes
from workbench.tasks import TASKS

BACKENDS = sorted(catalog.backends())
CLOSEST = 0.999  # cosine with PyTorch's outputs


@dataclass(frozen=True)
class Known:
    """A tiny model made ready, and what PyTorch says to its first four rows."""

    ready: Ready
    expected: Batch


def fp32(backend: str) -> recipe.Recipe:
    """The shelf's recipe that runs a backend in float32."""
    found = [
        one for one in recipe.shelf().values() if one.spec.target.backend == backend and one.name.endswith("-fp32")
    ]
    assert len(found) == 1, f"the shelf has {len(found)} recipes called …-fp32 for {backend}"
    return found[0]


@pytest.fixture(scope="module")
def made() -> dict[str, Known]:
    """What was made so far, by the name of the tiny model."""
    return {}


def known(tiny: Tiny, made: dict[str, Known], folder: Path) -> Known:
    if str(tiny) not in made:
        found = ready(tiny, folder)
        session = opened(found, fp32("pytorch"), folder)
        made[str(tiny)] = Known(found, found.task.answer(session, found.batch))
    return made[str(tiny)]


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("tiny", ALL, ids=str)
def test_a_pair_of_task_and_backend_answers_as_pytorch_or_is_a_gap(
    tiny: Tiny, backend: str, made: dict[str, Known], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("matrix")
    one = known(tiny, made, folder)
    model, expected = one.ready, one.expected
    if reason := catalog.gap(model.task, catalog.backend(backend), model.config):
        assert len(reason.split()) >= 5, reason
        return
    session = opened(model, fp32(backend), folder)
    assert session.facts()["precision"] == "fp32"
    said = model.task.answer(session, model.batch)
    shared = [name for name, value in expected.items() if name in said and value.dtype.kind == "f"]
    writes = Writes in model.task.asks_for(model.config)
    assert shared or writes
    if writes:
        writes_alike(session, one, said)
    for name in shared:
        assert said[name].shape == expected[name].shape, name
        assert cosine(said[name], expected[name]) >= CLOSEST, name
    found = model.task.read(said, model.batch, model.prepared.facts)
    assert (
        len(found.predicted) == 4
        and len(found.scores)
        and len(found.scores) % 4 == 0
        and found.scores.dtype == np.float32
    )


def writes_alike(session: Any, known: Known, said: Batch) -> None:
    """The same words as PyTorch writes; and as the session itself without its cache, and without padding."""
    assert said["tokens"].tolist() == known.expected["tokens"].tolist()
    task, prepared = known.ready.task, known.ready.prepared
    alone = [task.answer(session, task.collate(prepared, [row]))["tokens"][0] for row in range(4)]
    for one, row in zip(alone, said["tokens"], strict=True):  # the longest text says how long the rows are
        assert one.tolist() == row[: len(one)].tolist(), "beside shorter texts, and by themselves"
        assert set(row[len(one) :].tolist()) <= {session.habits.padding}
    for point in task.points(prepared, range(8), [1, 2], [8]):
        assert task.time(session, point.batches[0])[point.metric] > 0, point.name
    again = task.collate(prepared, [0])
    begun = session.write(again, 6, ends=False).tokens[0]
    assert begun.tolist() == written_without_cache(session, again, 6), "from a cache, and from the whole text again"


def written_without_cache(session: Any, batch: Batch, new_tokens: int) -> list[int]:
    """By whole calls, each a word longer. What a model with an encoder reads stays the same."""
    prompt = "decoder_input_ids" if "decoder_input_ids" in batch else "input_ids"
    ids = batch[prompt]
    for number in range(new_tokens):
        given = batch | {prompt: ids} if "decoder" in prompt else {prompt: ids, "attention_mask": np.ones_like(ids)}
        logits = session.infer(given)["logits"][:, -1]
        ids = np.concatenate([ids, session.habits.likeliest(logits, number == 0)[:, None]], axis=1)
    return [int(token) for token in ids[0, batch[prompt].shape[1] :]]


def test_every_task_has_a_tiny_model() -> None:
    assert {one.task for one in ALL} == {task.name for task in TASKS}


def test_every_gap_is_between_things_that_there_are() -> None:
    for one in catalog._listed_gaps():
        assert len(one["reason"].split()) >= 5, one
        if one["backend"]:
            assert one["task"] in catalog.tasks() and one["backend"] in catalog.backends()
        else:
            assert one["task"] not in catalog.tasks()


def test_a_gap_of_some_models_is_told_of_these_alone_and_stands_in_the_table() -> None:
    task, backend = catalog.task("audio-classification"), catalog.backend("executorch")
    assert catalog.gap(task, backend) == catalog.gap(task, backend, {"max_length": 1024}) == ""
    assert "Wav2Vec2" in catalog.gap(task, backend, {"conv_dim": [512]}) == catalog.partial_gap(task, backend)
    assert any(line.endswith("| runs (1) |") for line in manual.matrix().splitlines() if "audio" in line)


def cosine(one: np.ndarray, other: np.ndarray) -> float:
    a, b = one.astype(np.float64).ravel(), other.astype(np.float64).ravel()
    return float(a @ b / max(np.linalg.norm(a) * np.linalg.norm(b), 1e-30))
