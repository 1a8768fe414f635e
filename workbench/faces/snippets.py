"""What a person takes along besides the recipe file: the same request as a command, in Python and as a notebook."""

from __future__ import annotations

import json
from typing import Any

from workbench.pieces import Request, command, keywords, recipes_of, verb

__all__ = ["command", "notebook", "python", "use"]


def python(request: Request) -> str:
    """The same in Python."""
    recipes = recipes_of(request)
    given = ({"recipes": recipes} if recipes else {}) | keywords(request)
    inside = "\n".join([f"    {request.model!r},", *(f"    {name}={value!r}," for name, value in given.items())])
    return f"import workbench\n\ncomparison = workbench.{verb(request)}(\n{inside}\n)\ncomparison.to_frame()\n"


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
