"""What a family of tiny models says of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Tiny:
    """`make` fills a folder as save_pretrained does, processor included; two layers, some kB. `rows` gives 24 labelled
    rows in the task's fields, each with "id" and "row", media as bytes or as files below the folder it is given."""

    task: str
    make: Callable[[Path], Path]
    rows: Callable[[Path], list[dict[str, Any]]]
    name: str = ""  # where a task has several kinds of models

    def __str__(self) -> str:
        return self.name or self.task
