"""From a table's own columns to the fields of a task, and the name every row gets from its input."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workbench.artifact import sha256_of, sha256_of_file
from workbench.errors import RequestError
from workbench.hub.models import inside

MEDIA = ("image", "audio", "mask")
TEXTS = ("text", "text1", "text2", "question", "context")


@dataclass(frozen=True)
class Fields:
    """What a task wants to find: `columns` field -> usual names, `inputs` alternatives of fields that make an
    input, `target` the field of the right answer; `chosen` is what the person said: field -> column.
    `by_name`: labels are names, where the table names its label ids."""

    columns: Mapping[str, Sequence[str]]
    inputs: Sequence[Sequence[str]]
    target: str | None = "label"
    chosen: Mapping[str, str] = field(default_factory=dict)
    by_name: bool = False


def find_columns(available: Sequence[str], fields: Fields, name: str) -> dict[str, str]:
    """Field -> column of table `name`: one whole alternative of inputs, the longest first, the target when it
    is there, and whatever else the task knows. Raises RequestError naming the columns there are."""
    for key, column in fields.chosen.items():
        _check_choice(key, column, available, fields, name)
    columns = {key: _column_of(key, available, fields) for key in fields.columns}
    found = {key: column for key, column in columns.items() if column}
    inputs = _pick_inputs(found, fields)
    if not inputs:
        wanted = " or ".join("+".join(alternative) for alternative in fields.inputs)
        raise RequestError(
            f"No input column was found in {name}.", f"Its columns are {listed(available) or 'none'}.",
            f"Say which one it is with --fields {min(fields.inputs, key=len)[0]}=COLUMN (wanted: {wanted}).",
        )  # fmt: skip
    every_input = {key for alternative in fields.inputs for key in alternative}
    return {key: column for key, column in found.items() if key in inputs or key not in every_input}


def _check_choice(key: str, column: str, available: Sequence[str], fields: Fields, name: str) -> None:
    if key not in fields.columns:
        raise RequestError(
            f"There is no field called `{key}`.",
            f"This task has {', '.join(fields.columns)}.",
            _nearest(key, fields.columns),
        )
    if column not in available:
        raise RequestError(
            f"{name} has no column `{column}`.", f"Its columns are {listed(available)}.",
            _nearest(column, available) or f"Name one of them with --fields {key}=….",
        )  # fmt: skip


def listed(names: Sequence[str]) -> str:
    """The first of them, each short and without what cannot be printed."""
    shown = ["".join(char if char.isprintable() else "\ufffd" for char in name[:60]) for name in names[:20]]
    return ", ".join(shown) + (", …" if len(names) > 20 else "")


def _nearest(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, list(known), 1)
    return f"Did you mean `{close[0]}`?" if close else ""


def _column_of(key: str, available: Sequence[str], fields: Fields) -> str | None:
    """The person's choice, else the first usual name, in any case, that no choice has taken."""
    if key in fields.chosen:
        return fields.chosen[key]
    taken = set(fields.chosen.values())
    by_lower = {column.strip().lower(): column for column in reversed(available) if column not in taken}
    return next((by_lower[usual.lower()] for usual in fields.columns[key] if usual.lower() in by_lower), None)


def _pick_inputs(found: Mapping[str, str], fields: Fields) -> set[str]:
    """The longest complete alternative with one column a field; fields a person named must be in it."""
    every_input = {key for alternative in fields.inputs for key in alternative}
    named = every_input & set(fields.chosen)
    for alternative in sorted(fields.inputs, key=len, reverse=True):
        columns = [found.get(key) for key in alternative]
        if named <= set(alternative) and all(columns) and len(set(columns)) == len(columns):
            return set(alternative)
    return set()


def make_row(
    raw: Mapping[str, Any], mapping: Mapping[str, str], inputs: set[str], folder: Path, where: str
) -> dict[str, Any]:
    """A row in the task's fields plus "id". Pictures and sounds become bytes or a Path below `folder`.

    Raises RequestError, naming the row by `where` ("Row 3 of data.csv"), for an empty input.
    """
    row = {key: _plain(raw.get(column)) for key, column in mapping.items()}
    for key in row:
        if key in MEDIA and (key in inputs or row[key] is not None):
            row[key] = _media(row[key], folder, f"{where}, column `{mapping[key]}`")
        elif key in inputs:
            _check_input(row[key], f"{where} has", mapping[key], key in TEXTS)
    try:
        return {"id": row_id({key: row[key] for key in inputs}), **row}
    except (ValueError, TypeError) as error:  # half a surrogate pair, not-a-number inside a list, nested bytes
        raise RequestError(f"{where} holds what is no text.", f"{error}.", "Correct or remove the row.") from error


def _check_input(value: Any, where: str, column: str, is_text: bool) -> None:
    if value is None or value in ([], {}) or (isinstance(value, str) and not value.strip()):
        raise RequestError(
            f"{where} an empty `{column}`.", "A model cannot be asked about nothing.", "Fill it in or remove the row."
        )
    if isinstance(value, int | float) or (is_text and not isinstance(value, str)):
        kind = "a number" if isinstance(value, int | float) else "no text"
        raise RequestError(
            f"{where} {kind} in `{column}`.", "A text is wanted there.", "Name another column with --fields."
        )


def row_id(inputs: Mapping[str, Any]) -> str:
    """sha256 over the canonical JSON of the input fields; a file stands there by its own sha256."""
    return sha256_of({key: _by_content(value) for key, value in inputs.items()})


def _by_content(value: Any) -> Any:
    if isinstance(value, bytes):
        return hashlib.sha256(value).hexdigest()
    return sha256_of_file(value) if isinstance(value, Path) else value


def _plain(value: Any) -> Any:
    """Not-a-number, which tables use for nothing, is None; what JSON cannot say becomes text."""
    if isinstance(value, float) and value != value:
        return None
    if value is None or isinstance(value, str | int | float | bool | bytes | list | dict):
        return value
    return str(value)


def _media(value: Any, folder: Path, where: str) -> bytes | Path:
    """Bytes as they are ({"bytes", "path"} as the Hub keeps them), or a file that lies inside `folder`."""
    if isinstance(value, dict):
        value = value.get("bytes") or value.get("path")
    if isinstance(value, bytes) and value:
        return value
    if not isinstance(value, str) or not value.strip():
        raise RequestError(f"{where}: there is no file.", "The cell is empty.", "Fill it in or remove the row.")
    path = folder / value
    if ".." in Path(value).parts or Path(value).is_absolute():
        raise RequestError(f"{where}: {value} leads out of the folder.", "", "Put the file below the data's folder.")
    if not path.is_file():
        raise RequestError(
            f"{where}: there is no file {value}.", f"It was looked for in {folder}.", "Correct the name."
        )
    return inside(folder, path)
