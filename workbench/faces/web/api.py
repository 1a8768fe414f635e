"""The page's public functions, for gradio_client and scripts: submit, status, cancel, result, search, validate.

Each answers at once; the work is in the runner. `owner` is what `submit` gave: on a shared server nobody else can see
a run. What is wrong is raised as what, why and what to do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import gradio as gr

from workbench import bench, recipe
from workbench.errors import WorkbenchError
from workbench.faces.web import run as run_screen
from workbench.faces.web.choose import Choice, planned_or_raise
from workbench.faces.web.parts import stepper
from workbench.faces.web.visitors import Visitors
from workbench.faces.web.watching import Watching
from workbench.store import Store


@contextmanager
def told() -> Iterator[None]:
    """What is wrong in words, as the page's own message."""
    try:
        yield
    except WorkbenchError as error:
        raise gr.Error(str(error), title="Not done") from None


def functions(store: Store, visitors: Visitors, watching: Watching) -> tuple[Callable[..., Any], ...]:
    """Each is served under its own name."""

    def submit(
        model: str, recipes: list[str], task: str, data: str, n: int, max_drop: float, quick: bool, owner: str
    ) -> dict[str, str]:
        """Start a comparison, or join the same one; {"run", "owner"}. Empty text and 0 mean: as the model brings;
        `max_drop` is a fraction (0.01 is one point)."""
        with told():
            choice = Choice(model, task, data, n=n, bar=100 * max_drop, recipes=tuple(recipes), quick=quick)
            plan, _ = planned_or_raise(choice, store, local=not visitors.shared)
            run, who = bench.submit(plan, store), owner or visitors.new()
            visitors.claim(run, who)
            return {"run": run, "owner": who}

    def status(run: str, owner: str) -> dict[str, Any]:
        """{"status", "share": 0 to 1 of the work, "now": in words, "place": in the queue}"""
        with told():
            record = visitors.own(run, owner)
            board = replace(watching.of(record.id)[0], status=record.status)
            place = visitors.place(record.id)
            return {"status": record.status, "share": round(stepper.share(board), 3),
                    "now": run_screen.headline(record, board, place), "place": place}  # fmt: skip

    def cancel(run: str, owner: str) -> dict[str, Any]:
        """End a run; what is finished stays in the store. {"cancelled": whether it was going on}"""
        with told():
            return {"cancelled": bench.cancel(visitors.own(run, owner).id, store)}

    def result(run: str, owner: str) -> dict[str, Any]:
        """report.json of a run that has finished, and under "recipes" the recipe file of each row; of a verification
        its levels, as far as they are known (`passed` is null until all are)."""
        with told():
            record = visitors.own(run, owner)
            if not record.compares:
                return bench.verification_of(record.id, store).to_dict()
            report, _ = bench.report(record.id, store)
            names = [row["name"] for row in report["rows"] if row["status"] == "ok"]
            files = {name: bench.recipe_file(record.id, name, store).read_text(encoding="utf-8") for name in names}
            return report | {"recipes": files}

    def search(text: str) -> list[dict[str, Any]]:
        """Models of the Hub whose names hold these words."""
        with told():
            return bench.search(text, limit=20, store=store)

    def validate(recipe_yaml: str) -> dict[str, Any]:
        """{"name", "identity"} of a recipe file, given as its text."""
        with told():
            found = recipe.load(f"{recipe_yaml}\n")  # text, never a path
            return {"name": found.name, "identity": found.identity()}

    return submit, status, cancel, result, search, validate
