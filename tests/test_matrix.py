"""Every task with every backend: it runs, and answers as PyTorch does in float32, or it is a gap with a reason."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.tiny import ALL
from tests.tiny.kind import Tiny
from workbench import catalog, recipe
from workbench.plugin import Batch, Prepared, StepContext, Task, Writes
from workbench.tasks import TASKS

BACKENDS = sorted(catalog.backends())
CLOSEST = 0.999  # cosine with PyTorch's outputs


@dataclass(frozen=True)
class Ready:
    """A tiny model, its rows prepared, and what PyTorch says to the first four."""

    task: Task
    model: Path
    prepared: Prepared
    batch: Batch
    expected: Batch


def fp32(backend: str) -> recipe.Recipe:
    """The shelf's recipe that runs a backend in float32."""
    found = [
        one for one in recipe.shelf().values() if one.spec.target.backend == backend and one.name.endswith("-fp32")
    ]
    assert len(found) == 1, f"the shelf has {len(found)} recipes called …-fp32 for {backend}"
    return found[0]


def opened(ready: Ready, backend: str, folder: Path) -> Any:
    """The backend's float32 recipe on this model, step by step, and its session."""
    said, source = fp32(backend), ready.model
    context = StepContext(ready.task, ready.model, ready.prepared, None, lambda *_: None)
    for number, one in enumerate(said.spec.steps):
        step = catalog.step(one.use)
        into = folder / str(number)
        step.apply(source, into, catalog.options_of(step, one.options, "the matrix"), context)
        source = into
    runs = catalog.backend(backend)
    options = dict(said.spec.target.options)
    if "auto_class" in type(runs).Options.model_fields:
        options["auto_class"] = ready.task.class_for(json.loads((ready.model / "config.json").read_text()))
    return runs.open(source, "cpu", 1, catalog.options_of(runs, options, "the matrix"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ready]:
    """What was made so far, by the name of the tiny model."""
    return {}


def ready(tiny: Tiny, made: dict[str, Ready], folder: Path) -> Ready:
    if str(tiny) not in made:
        task, model = catalog.task(tiny.task), tiny.make(folder / "model")
        rows = task.check(tiny.rows(folder), json.loads((model / "config.json").read_text()))
        prepared = task.prepare(rows, model)
        batch = task.collate(prepared, range(4))
        found = Ready(task, model, prepared, batch, {})
        session = opened(found, "pytorch", folder)
        made[str(tiny)] = Ready(task, model, prepared, batch, task.answer(session, batch))
    return made[str(tiny)]


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("tiny", ALL, ids=str)
def test_a_pair_of_task_and_backend_answers_as_pytorch_or_is_a_gap(
    tiny: Tiny, backend: str, made: dict[str, Ready], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("matrix")
    known = ready(tiny, made, folder)
    config = json.loads((known.model / "config.json").read_text())
    if reason := catalog.gap(known.task, catalog.backend(backend), config):
        assert len(reason.split()) >= 5, reason
        return
    session = opened(known, backend, folder)
    assert session.facts()["precision"] == "fp32"
    said = known.task.answer(session, known.batch)
    shared = [name for name, value in known.expected.items() if name in said and value.dtype.kind == "f"]
    writes = Writes in known.task.asks_for(config)
    assert shared or writes
    if writes:
        writes_alike(session, known, said)
    for name in shared:
        assert said[name].shape == known.expected[name].shape, name
        assert cosine(said[name], known.expected[name]) >= CLOSEST, name
    one = known.task.read(said, known.batch, known.prepared.facts)
    assert len(one.predicted) == 4 and len(one.scores) and len(one.scores) % 4 == 0 and one.scores.dtype == np.float32


def writes_alike(session: Any, known: Ready, said: Batch) -> None:
    """The same words as PyTorch writes; and as the session itself without its cache, and without padding."""
    assert said["tokens"].tolist() == known.expected["tokens"].tolist()
    alone = [known.task.answer(session, known.task.collate(known.prepared, [row]))["tokens"][0] for row in range(4)]
    for one, row in zip(alone, said["tokens"], strict=True):  # the longest text says how long the rows are
        assert one.tolist() == row[: len(one)].tolist(), "beside shorter texts, and by themselves"
        assert set(row[len(one) :].tolist()) <= {session.habits.padding}
    again = known.task.collate(known.prepared, [0])
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
    for (task, backend), reason in catalog._known_gaps().items():
        assert len(reason.split()) >= 5, reason
        if backend:
            assert task in catalog.tasks() and backend in catalog.backends()
        else:
            assert task not in catalog.tasks()


def cosine(one: np.ndarray, other: np.ndarray) -> float:
    a, b = one.astype(np.float64).ravel(), other.astype(np.float64).ravel()
    return float(a @ b / max(np.linalg.norm(a) * np.linalg.norm(b), 1e-30))
