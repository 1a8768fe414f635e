"""A tiny model made ready, and a recipe of the shelf built on it: steps and session alone, no run around them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.tiny.kind import Tiny
from workbench import catalog
from workbench.plugin import Batch, Prepared, StepContext, Task
from workbench.recipe import Recipe


@dataclass(frozen=True)
class Ready:
    """A tiny model, its rows prepared, and the first four of them as a batch. `made`: what steps have left, by the
    steps that led there."""

    task: Task
    model: Path
    prepared: Prepared
    batch: Batch
    made: dict[str, Path] = field(default_factory=dict)

    @property
    def config(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.model / "config.json").read_text())
        return found


def ready(tiny: Tiny, folder: Path) -> Ready:
    task, model = catalog.task(tiny.task), tiny.make(folder / "model")
    rows = task.check(tiny.rows(folder), json.loads((model / "config.json").read_text()))
    prepared = task.prepare(rows, model)
    return Ready(task, model, prepared, task.collate(prepared, range(4)))


def built(ready: Ready, said: Recipe, folder: Path) -> Path:
    """What the recipe's steps leave behind; calibration has all the rows."""
    context = StepContext(ready.task, ready.model, ready.prepared, ready.prepared, lambda *_: None)
    source, key = ready.model, ""
    for one in said.spec.steps:
        key += json.dumps([one.use, one.options], sort_keys=True)
        if key not in ready.made:
            step, into = catalog.step(one.use), folder / f"step-{len(ready.made)}"
            step.apply(source, into, catalog.options_of(step, one.options, said.name), context)
            ready.made[key] = into
        source = ready.made[key]
    return source


def opened(ready: Ready, said: Recipe, folder: Path) -> Any:
    """The recipe's session on its built model, on the CPU."""
    runs = catalog.backend(said.spec.target.backend)
    options = dict(said.spec.target.options)
    if "auto_class" in type(runs).Options.model_fields:
        options["auto_class"] = ready.task.class_for(ready.config)
    return runs.open(built(ready, said, folder), "cpu", 1, catalog.options_of(runs, options, said.name))
