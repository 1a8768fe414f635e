"""The page's public functions, for gradio_client and scripts: submit, status, cancel, result, search, validate.

Each answers at once; the work is in the runner. `owner` is what `submit` gave: on a shared server nobody else can see
a run. What is wrong is raised as what, why and what to do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from workbench import bench, recipe
from workbench.faces.web import run as run_screen
from workbench.faces.web.around import Desk, told
from workbench.faces.web.choose import refuse_files, refuse_places
from workbench.faces.web.parts import stepper


def functions(desk: Desk) -> tuple[Callable[..., Any], ...]:
    """Each is served under its own name."""

    def submit(
        model: str, recipes: list[str], task: str, data: str, n: int, max_drop: float, quick: bool, owner: str
    ) -> dict[str, str]:
        """Start a comparison, or join the same one; {"run", "owner"}. Empty text and 0 mean: as the model brings;
        `recipes` are names of the shelf or texts of recipe files; `max_drop` is a fraction (0.01 is one point)."""
        with told():
            who = owner or desk.visitors.new()
            refuse_places((model, data, *(one for one in recipes if "\n" not in one)), desk)
            chosen = [recipe.load(one) if "\n" in one else one for one in recipes]
            request = bench.request(model, chosen, task=task or None, data=data or None, max_drop=max_drop,
                                    n=n or None, quick=quick)  # fmt: skip
            plan = bench.plan(request, desk.store)
            refuse_files(plan, desk)
            return {"run": desk.submit(plan, who), "owner": who}

    def status(run: str, owner: str) -> dict[str, Any]:
        """{"status", "share": 0 to 1 of the work, "now": in words, "place": in the queue}"""
        with told():
            record = desk.visitors.own(run, owner)
            board = replace(desk.watching.of(record.id)[0], status=record.status)
            place = desk.visitors.place(record.id)
            return {"status": record.status, "share": round(stepper.share(board), 3),
                    "now": run_screen.headline(record, board, place), "place": place}  # fmt: skip

    def cancel(run: str, owner: str) -> dict[str, Any]:
        """End a run; what is finished stays in the store. {"cancelled": whether it was going on}"""
        with told():
            return {"cancelled": bench.cancel(desk.visitors.own(run, owner).id, desk.store)}

    def result(run: str, owner: str) -> dict[str, Any]:
        """report.json of a run that has finished, and under "recipes" the recipe file of each row; of a verification
        its levels, as far as they are known (`passed` is null until all are)."""
        with told():
            record = desk.visitors.own(run, owner)
            if not record.compares:
                return bench.verification_of(record.id, desk.store).to_dict()
            report, _ = bench.report(record.id, desk.store)
            names = [row["name"] for row in report["rows"] if row["status"] == "ok"]
            files = {name: bench.recipe_file(record.id, name, desk.store).read_text(encoding="utf-8") for name in names}
            return report | {"recipes": files}

    def search(text: str) -> list[dict[str, Any]]:
        """Models of the Hub whose names hold these words."""
        with told():
            return bench.search(text, limit=20, store=desk.store)

    def validate(recipe_yaml: str) -> dict[str, Any]:
        """{"name", "identity"} of a recipe file, given as its text."""
        with told():
            found = recipe.load(f"{recipe_yaml}\n")  # text, never a path
            return {"name": found.name, "identity": found.identity()}

    return submit, status, cancel, result, search, validate
