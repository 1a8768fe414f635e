"""What a person takes along besides the recipe file: the same request as a command, in Python and as a notebook.

A request that has a budget is a search."""

from __future__ import annotations

import json
import shlex
from typing import Any

from workbench.pieces import Request


def command(request: Request) -> str:
    """What asks for the same in a terminal. Recipes that are not on the shelf are named by their file."""
    words = ["workbench", _verb(request), request.model + (f"@{request.revision}" if request.revision else "")]
    for name in _recipes(request):
        words += ["-r", name]
    for name, value in _keywords(request).items():
        flag = f"--{name.replace('_', '-')}"
        if isinstance(value, dict):
            value = ",".join(f"{field}={column}" for field, column in value.items())
        words += [flag] if value is True else [flag, _plain(value)]
    return shlex.join(words)


def python(request: Request) -> str:
    """The same in Python."""
    recipes = _recipes(request)
    given = ({"recipes": recipes} if recipes else {}) | _keywords(request)
    inside = "\n".join([f"    {request.model!r},", *(f"    {name}={value!r}," for name, value in given.items())])
    return f"import workbench\n\ncomparison = workbench.{_verb(request)}(\n{inside}\n)\ncomparison.to_frame()\n"


def use(name: str, file: str) -> str:
    """How a recipe file becomes a model to call."""
    return (
        f"import workbench\n\nmodel = workbench.load({file!r})  # {name}: called like the transformers model\n"
        f"pipe = workbench.pipeline({file!r})\n"
    )


def notebook(request: Request, file: str) -> str:
    """A notebook (nbformat 4) that compares, looks and loads, without outputs."""
    cells = [
        _cell("markdown", f"# {request.model}\n\nThe comparison again, and the recipe that was taken from it."),
        _cell("code", python(request)),
        _cell("code", "comparison  # the table; `comparison.best()` is the fastest row that meets the bar"),
        _cell("code", f"import workbench\n\nmodel = workbench.load({file!r})"),
    ]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    whole = {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(whole, indent=1)


def _cell(kind: str, source: str) -> dict[str, Any]:
    cell: dict[str, Any] = {"cell_type": kind, "metadata": {}, "source": source.splitlines(keepends=True)}
    cell["id"] = f"{kind}-{len(source)}"
    return cell | ({"outputs": [], "execution_count": None} if kind == "code" else {})


def _verb(request: Request) -> str:
    return "tune" if request.budget_s else "compare"


def _recipes(request: Request) -> list[str]:
    """None for a search of the whole shelf."""
    return [] if request.budget_s and not request.named else [str(one["name"]) for one in request.recipes]


def _keywords(request: Request) -> dict[str, Any]:
    """Keywords of `workbench.compare` or `workbench.tune`, which are the flags of the command, too."""
    goal = request.baseline["spec"].get("goal", {}) if request.budget_s else {}
    bounds = {name.removesuffix("_mb"): value for one in goal.get("constraints", ()) for name, value in one.items()}
    relative = any(one.get("kind") == "relative" for one in goal.get("constraints", ()))
    optimize = goal.get("optimize")
    given = {
        "task": request.task, "data": request.data, "calibration": request.calibration,
        "fields": dict(request.fields) or None, "target": request.target,
        "max_drop": bounds.get("max_drop", request.max_drop),
        "relative": relative or None,
        **{name: bounds.get(name) for name in ("min_speedup", "max_size", "max_memory")},
        "optimize": None if optimize == "latency" else optimize,
        "budget": f"{_plain(request.budget_s)}s" if request.budget_s else None,
        "n": request.n, "quick": request.quick or None,
    }  # fmt: skip
    return {name: value for name, value in given.items() if value is not None}


def _plain(value: Any) -> str:
    return str(value).removesuffix(".0")
