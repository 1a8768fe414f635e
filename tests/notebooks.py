"""Notebooks for tests: executed as a person would, in a folder of their own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).resolve().parent.parent / "notebooks"
FILES = sorted(FOLDER.glob("*.ipynb"))


def executed(notebook: Any, cwd: Path, seconds: float = 300, **env: str) -> Any:
    """A copy of a notebook with its outputs. Raises CellExecutionError for a cell that fails."""
    cwd.mkdir(parents=True, exist_ok=True)
    done = nbformat.from_dict(notebook)
    client = NotebookClient(done, timeout=seconds, kernel_name="python3", resources={"metadata": {"path": str(cwd)}})
    client.execute(env=os.environ | env)
    return done


def of_cells(*sources: str) -> Any:
    """A notebook of these code cells."""
    from nbformat import v4

    return v4.new_notebook(cells=[v4.new_code_cell(source) for source in sources])


def outputs(cell: Any, mime: str) -> list[str]:
    """What a cell shows in this form."""
    return [one["data"][mime] for one in cell["outputs"] if mime in one.get("data", {})]


def read(file: Path) -> Any:
    return nbformat.read(file, as_version=4)
