"""What the shelf offers for a task works for it: each recipe is built and asked on tiny models of that task."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest

from tests.building import Ready, built, opened, ready
from tests.tiny import ALL
from tests.tiny.kind import Tiny
from workbench import catalog, recipe

# The kind that is offered most. All of them, for half an hour: python -m tests.test_shelf_tasks
TRIED = [tiny for tiny in ALL if str(tiny) == "text-classification"]
COMPILED = ("text-classification", "text-generation")  # torch.compile takes a minute a model: one of each kind


def works(model: Ready, said: recipe.Recipe, folder: Path) -> None:
    """It answers four rows together and one alone, in finite numbers that the task can read."""
    session = opened(model, said, folder)
    found = model.task.answer(session, model.batch)
    assert all(np.isfinite(value).all() for value in found.values() if value.dtype.kind == "f")
    assert len(model.task.read(found, model.batch, model.prepared.facts).predicted) == 4
    model.task.answer(session, model.task.collate(model.prepared, [0]))
    session.close()


@pytest.mark.slow
@pytest.mark.parametrize("tiny", TRIED, ids=str)
def test_every_recipe_that_is_offered_for_a_task_works_for_its_models(tiny: Tiny, tmp_path: Path) -> None:
    assert not (wrong := broken(tiny, tmp_path)), wrong


def broken(tiny: Tiny, tmp_path: Path) -> dict[str, str]:
    """Recipes that do not work, and why."""
    model, wrong = ready(tiny, tmp_path), {}
    for said in recipe.shelf_for(tiny.task):
        runs = said.spec.target
        if runs.options.get("compile") and str(tiny) not in COMPILED:
            continue
        if catalog.gap(model.task, catalog.backend(runs.backend), model.config):
            continue
        try:
            if runs.device == "cpu":
                works(model, said, tmp_path)
            else:  # the files are made anywhere; only the device can run them
                built(model, said, tmp_path)
        except Exception as error:
            wrong[said.name] = f"{type(error).__name__}: {error}"
    return wrong


if __name__ == "__main__":
    for each in ALL:
        with TemporaryDirectory() as name:
            print(each, broken(each, Path(name)) or "ok", flush=True)
