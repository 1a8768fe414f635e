"""The folder a step fills: empty before, complete after."""

from __future__ import annotations

import shutil
from pathlib import Path

from workbench.errors import WorkbenchError

# Small files that make a folder loadable: configuration, tokenizer, processor. Weights are never among them.
COMPANIONS = ("*.json", "*.txt", "*.model", "*.jinja", "*.tiktoken")
NOT_COMPANIONS = ("*.index.json", "export.json", "requirements*.txt", "starter.json", "README*", "LICENSE*")


def require_empty(into: Path) -> None:
    """Make `into` if need be. Raises WorkbenchError when something is in it already."""
    into.mkdir(parents=True, exist_ok=True)
    if any(into.iterdir()):
        raise WorkbenchError(
            f"The folder {into.name} is not empty.", "A step fills an empty folder only.", "Name a new folder."
        )


def copy_companions(model: Path, into: Path) -> None:
    """Copy configuration, tokenizer and processor files of `model`; they take the place of same-named ones."""
    for path in companions(model):
        shutil.copyfile(path, into / path.name)


def companions(model: Path) -> list[Path]:
    found = {path for pattern in COMPANIONS for path in model.glob(pattern) if path.is_file()}
    return sorted(path for path in found if not any(path.match(pattern) for pattern in NOT_COMPANIONS))
