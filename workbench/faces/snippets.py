"""What a person takes along besides the recipe file: the same request as a command, in Python and as a notebook."""

from __future__ import annotations

import json
import shlex
from typing import Any

from workbench.pieces import Request


def command(request: Request) -> str:
    """The `workbench compare` that asks for the same. Recipes that are not on the shelf are named by their file."""
    words = ["workbench", "compare", request.model + (f"@{request.revision}" if request.revision else "")]
    for name in _recipes(request):
        words += ["-r", name]
    said: list[tuple[str, Any]] = [
        ("--task", request.task), ("--data", request.data), ("--calibration", request.calibration),
        ("--target", request.target), ("--max-drop", request.max_drop), ("--n", request.n),
    ]  # fmt: skip
    for flag, value in said:
        words += [flag, str(value)] if value is not None else []
    if request.fields:
        words += ["--fields", ",".join(f"{field}={column}" for field, column in request.fields.items())]
    words += ["--quick"] if request.quick else []
    return shlex.join(words)


def python(request: Request) -> str:
    """The same with `workbench.compare`."""
    given = {"recipes": _recipes(request) or None, "task": request.task, "data": request.data,
             "calibration": request.calibration, "fields": dict(request.fields) or None, "target": request.target,
             "max_drop": request.max_drop, "n": request.n, "quick": request.quick or None}  # fmt: skip
    said = [f"    {name}={value!r}," for name, value in given.items() if value is not None]
    inside = "\n".join([f"    {request.model!r},", *said])
    return f"import workbench\n\ncomparison = workbench.compare(\n{inside}\n)\ncomparison.to_frame()\n"


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


def _recipes(request: Request) -> list[str]:
    return [str(one["name"]) for one in request.recipes]
