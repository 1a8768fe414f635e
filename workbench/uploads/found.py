"""What was found in uploaded data, as plain values that a page can show."""

from __future__ import annotations

import unicodedata
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

CELL, MESSAGE = 80, 300  # characters that are shown
TURNS = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A)])  # they reorder what stands around them


@dataclass(frozen=True)
class Column:
    """`type` in words ("text", "whole number", …); `field`: what the task takes it for, or ""."""

    name: str
    type: str
    field: str = ""


@dataclass(frozen=True)
class Wrong:
    """One row that cannot be used. `row` counts from 1 in its table; `part`: the split, where there are several."""

    row: int
    column: str
    what: str
    why: str = ""
    part: str = ""


@dataclass(frozen=True)
class DataCheck:
    """`path`: what `--data` is given, once every row can be used; `rows`: all, the wrong ones too.

    kind: "csv", "tsv", "jsonl", "json", "parquet", "pictures", "sounds" or "tables" (a folder of them). `preview`: the
    first rows as text, a cell a column. `labels`: (value, rows), the most frequent first, of `distinct_labels`; empty
    where answers are free text. `wrong` are the first of `wrong_total`. `bytes` of the file as it was given.
    """

    name: str
    kind: str
    bytes: int
    rows: int
    task: str = ""
    split: str = "all"
    columns: tuple[Column, ...] = ()
    preview: tuple[tuple[str, ...], ...] = ()
    labels: tuple[tuple[str, int], ...] = ()
    distinct_labels: int = 0
    wrong: tuple[Wrong, ...] = ()
    wrong_total: int = 0
    notes: tuple[str, ...] = ()
    path: Path | None = field(default=None)

    @property
    def usable(self) -> bool:
        return self.path is not None

    @property
    def fields(self) -> dict[str, str]:
        """Field -> column."""
        return {column.field: column.name for column in self.columns if column.field}

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"path": str(self.path) if self.path else None}

    @classmethod
    def from_dict(cls, said: dict[str, Any]) -> DataCheck:
        made: dict[str, Any] = {
            "columns": tuple(Column(**one) for one in said["columns"]),
            "preview": tuple(tuple(row) for row in said["preview"]),
            "labels": tuple((str(value), int(count)) for value, count in said["labels"]),
            "wrong": tuple(Wrong(**one) for one in said["wrong"]),
            "notes": tuple(said["notes"]),
            "path": Path(said["path"]) if said.get("path") else None,
        }
        return cls(**said | made)


def shown(value: Any, most: int = CELL) -> str:
    """A value as one short line of text that no page can trip over: no control characters, no halves of pairs."""
    if value is None:
        return ""
    if isinstance(value, dict) and isinstance(value.get("bytes"), bytes):
        value = value["bytes"]
    if isinstance(value, bytes):
        return f"{len(value):,} bytes"
    try:
        text = value if isinstance(value, str) else str(value)
    except (RecursionError, ValueError):  # a list in a list in a list …, a number of thousands of digits
        return "…"
    cut = text[: most + 1].translate(TURNS)
    clean = "".join(" " if char in "\t\r\n" else _harmless(char) for char in cut)
    return clean if len(text) <= most else clean[: most - 1] + "…"


def _harmless(char: str) -> str:
    return "\ufffd" if unicodedata.category(char) in ("Cc", "Cs") else char
