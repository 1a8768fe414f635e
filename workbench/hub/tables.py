"""Rows out of CSV, JSONL, JSON lists, Parquet, and folders of pictures or sounds; broken ones are named."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workbench.errors import RequestError

TABLES = (".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".parquet")
PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff")
SOUNDS = (".wav", ".flac", ".ogg", ".mp3")


@dataclass(frozen=True)
class Table:
    """`rows(columns)` yields dicts with at least these columns; `folder` is where file names in it begin.
    `facts` may hold {"classes": {column: names}}."""

    name: str
    columns: list[str]
    rows: Callable[[Sequence[str]], Iterator[dict[str, Any]]]
    folder: Path
    facts: dict[str, Any] = field(default_factory=dict)


def open_table(path: Path, max_bytes: int, separator: str | None = None) -> Table:
    """A file or a folder as a table. Raises RequestError when it is too large, broken, or nothing we know."""
    if path.is_dir():
        return open_folder(path, max_bytes)
    if path.suffix.lower() not in TABLES:
        raise RequestError(
            f"{path.name} is not a kind of data that can be read.", f"Known: {', '.join(TABLES)}, and folders.",
            "Convert it to one of these.",
        )  # fmt: skip
    if (size := path.stat().st_size) > max_bytes:
        raise too_large(path.name, size, max_bytes)
    if size == 0:
        raise RequestError(f"{path.name} is empty.", "It has no bytes.", "Give a file with rows.")
    if path.suffix.lower() == ".parquet":
        return _parquet(path, max_bytes)
    if path.suffix.lower() in (".csv", ".tsv"):
        return _csv(path, separator)
    return _json(path)


def too_large(name: str, size: int, limit: int) -> RequestError:
    return RequestError(
        f"{name} has {size / 1e6:,.0f} MB.", f"At most {limit / 1e6:,.0f} MB are read.", "Give a smaller part of it."
    )


def _text(path: Path) -> str:
    raw = path.read_bytes()
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise RequestError(
            f"{path.name} is not UTF-8 (line {line}).", f"Byte {raw[error.start]:#04x} has no meaning there.",
            "Save it again as UTF-8.",
        ) from error  # fmt: skip


def _csv(path: Path, separator: str | None) -> Table:
    text = _text(path)
    head = text.lstrip("\r\n").splitlines()[0] if text.strip() else ""
    separator = separator or max(",;\t", key=head.count)
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    with _csv_errors(path, lines):
        header = next((line for line in lines if line), [])
    header = [name.strip() for name in header]
    if len(set(header)) < len(header) or not any(header):
        raise RequestError(
            f"{path.name} needs a first line with different column names.", f"It is {str(header)[:200]}."
        )

    def rows(columns: Sequence[str]) -> Iterator[dict[str, Any]]:
        with _csv_errors(path, lines):
            for cells in lines:
                if cells and len(cells) != len(header):
                    raise RequestError(
                        f"Line {lines.line_num} of {path.name} has {len(cells)} cells.",
                        f"The first line names {len(header)} columns.", "Put text with separators into quotes.",
                    )  # fmt: skip
                if cells:
                    yield {name: cell if cell else None for name, cell in zip(header, cells, strict=True)}

    return Table(path.name, header, rows, path.parent)


@contextmanager
def _csv_errors(path: Path, lines: Any) -> Iterator[None]:
    try:
        yield
    except csv.Error as error:
        raise RequestError(
            f"{path.name} is broken (line {lines.line_num}).", f"{str(error).capitalize()}.",
            "Look for a quote that is not closed.",
        ) from error  # fmt: skip


def _json(path: Path) -> Table:
    text = _text(path)
    records = _list(path, text) if text.lstrip().startswith("[") else _lines(path, text)
    columns = list(dict.fromkeys(name for record in records[:1000] for name in record))
    return Table(path.name, columns, lambda _: iter(records), path.parent)


def _list(path: Path, text: str) -> list[dict[str, Any]]:
    try:
        records = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RequestError(f"{path.name} is not valid JSON.", f"{str(error)[:200]}.") from error
    for number, record in enumerate(records, 1):
        if not isinstance(record, dict):
            raise RequestError(f"Item {number} of {path.name} is not an object.", 'A row looks like {"text": …}.')
    return list(records)


def _lines(path: Path, text: str) -> list[dict[str, Any]]:
    records = []
    for number, line in enumerate(text.split("\n"), 1):  # str.splitlines would also cut at U+2028 inside texts
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise RequestError(f"Line {number} of {path.name} is not valid JSON.", f"{str(error)[:200]}.") from error
        if not isinstance(record, dict):
            raise RequestError(f"Line {number} of {path.name} is not an object.", 'A row looks like {"text": …}.')
        records.append(record)
    return records


def _parquet(path: Path, max_bytes: int) -> Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    def broken(error: Exception) -> RequestError:
        return RequestError(
            f"{path.name} cannot be read as Parquet.", f"{str(error).splitlines()[0][:200]}", "Write it again."
        )

    try:
        schema = pq.read_schema(path)
        names = list(schema.names)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise broken(error) from error

    def rows(columns: Sequence[str]) -> Iterator[dict[str, Any]]:
        unpacked = 0
        try:
            with pq.ParquetFile(path) as file:
                for batch in file.iter_batches(batch_size=1000, columns=list(columns)):
                    unpacked += batch.nbytes
                    if unpacked > max_bytes:
                        raise too_large(f"{path.name} (unpacked)", unpacked, max_bytes)
                    yield from batch.to_pylist()
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            raise broken(error) from error

    return Table(path.name, names, rows, path.parent, {"classes": _class_names(schema)})


def _class_names(schema: Any) -> dict[str, list[str]]:
    """Names behind label ids, where `datasets` wrote the file."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        return {key: list(kind["names"]) for key, kind in features.items() if kind.get("_type") == "ClassLabel"}
    except (KeyError, TypeError, ValueError, AttributeError):  # metadata is a courtesy: without it ids stay ids
        return {}


def open_folder(folder: Path, max_bytes: int) -> Table:
    """`metadata.csv|jsonl` with a `file_name` column, else one subfolder a class (columns: image or audio, label)."""
    for name in ("metadata.csv", "metadata.jsonl"):
        if (folder / name).is_file():
            table = open_table(folder / name, max_bytes)
            if "file_name" not in table.columns:
                raise RequestError(
                    f"{name} in {folder.name} has no column `file_name`.",
                    f"Its columns are {', '.join(name[:60] for name in table.columns[:20])}.",
                )
            return table
    records, kind = _class_folders(folder)
    if not records:
        raise RequestError(
            f"The folder {folder.name} holds no data that can be read.",
            "Wanted is a metadata.csv with `file_name`, or one subfolder of pictures or sounds a class.",
            "Give a CSV, JSONL or Parquet file instead.",
        )
    return Table(folder.name, [kind, "label"], lambda _: iter(records), folder)


def _class_folders(folder: Path) -> tuple[list[dict[str, Any]], str]:
    records, kind = [], "image"
    for path in sorted(folder.glob("*/*")):
        suffix = path.suffix.lower()
        if path.is_file() and not path.name.startswith(".") and suffix in PICTURES + SOUNDS:
            kind = "audio" if suffix in SOUNDS else "image"
            records.append({kind: path.relative_to(folder).as_posix(), "label": path.parent.name})
    return records, kind
