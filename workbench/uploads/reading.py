"""What a worker does with one uploaded file: unpack it, read it as planning will, and say what it found.

Everything here sees a stranger's bytes: it runs in a process of its own, with limits and without the network.
"""

from __future__ import annotations

import resource
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from workbench import catalog, environment, isolate
from workbench.errors import RequestError
from workbench.hub import Data, DataInfo, Fields, find_columns, find_data, read_rows
from workbench.hub.columns import MEDIA
from workbench.hub.data import open_tables, too_many
from workbench.hub.tables import PICTURES, SOUNDS, TABLES, Table
from workbench.plugin import Task
from workbench.tasks.one_call import listed
from workbench.uploads import archive, limits
from workbench.uploads.found import CELL, MESSAGE, shown
from workbench.uploads.rows import Row, WrongRows, check_rows

Job = dict[str, Any]
Clean = Callable[[str], str]
KINDS = {".ndjson": "jsonl"}


def check(job: Job, channel: isolate.Channel) -> dict[str, Any]:
    """Look at job["at"]; a zip is unpacked into the empty folder job["into"]. {"at": where the data lies then,
    "name", "left_out", and what `DataCheck` says}. Raises RequestError for what is wrong with the whole."""
    _bind(job["seconds"])
    at = Path(job["at"])
    folders = [str(job["into"]), str(at.parent)]

    def clean(text: str) -> str:
        for folder in folders:
            text = text.replace(f"{folder}/", "").replace(folder, "the upload")
        return text

    try:
        left_out = 0
        if at.suffix.lower() == ".zip" and at.is_file():
            into = Path(job["into"]) / at.stem
            into.mkdir()
            left_out = archive.unpack(at, into)
            at = archive.top_of(into)
        return _looked_at(at, job, clean) | {"at": str(at), "left_out": left_out}
    except RequestError as error:
        what, why, fix = (shown(clean(text), MESSAGE) for text in (error.what, error.why, error.fix))
        raise RequestError(what, why, fix) from error
    except RecursionError as error:
        why = "Its values hold lists in lists in lists."
        raise RequestError(f"{at.name} is nested too deeply.", why, "Give texts and labels.") from error


def _bind(seconds: int) -> None:
    """Processor time and the size of a file, besides what every worker is bound to; and no picture of its memory."""
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (limits.UNPACKED_BYTES, limits.UNPACKED_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _looked_at(at: Path, job: Job, clean: Clean) -> dict[str, Any]:
    info = find_data(str(at))
    for path in _files(info):
        if path.suffix.lower() == ".parquet":
            _check_parquet(path)
    tables = open_tables(info, max_bytes=limits.UNPACKED_BYTES)
    first = tables[0]
    if len(first.columns) > limits.COLUMNS:
        raise RequestError(
            f"{first.name} has {len(first.columns):,} columns.", f"At most {limits.COLUMNS} are read.",
            "Leave out those that are no input and no label.",
        )  # fmt: skip
    head = list(islice(first.rows(first.columns), limits.ROWS_TYPED))
    said: dict[str, Any] = {"kind": _kind(info), "split": info.split, "notes": [], "labels": [], "distinct_labels": 0}
    if job["task"]:
        said |= _for_task(info, catalog.task(job["task"]), job, clean, first)
    else:
        said |= {"rows": _counted(info, first.name), "fields": {}, "wrong": [], "wrong_total": 0}
    fields = {column: key for key, column in said.pop("fields").items()}
    columns = [{"name": name, "type": _type(head, name, fields.get(name, "")), "field": fields.get(name, "")}
               for name in first.columns]  # fmt: skip
    preview = [[shown(row.get(name), CELL) for name in first.columns] for row in head[: limits.ROWS_SHOWN]]
    return said | {"columns": [one | {"name": shown(one["name"])} for one in columns], "preview": preview}


def _files(info: DataInfo) -> list[Path]:
    return [Path(info.folder or "") / file.path for part in info.parts.values() for file in part]


def _kind(info: DataInfo) -> str:
    suffixes = Counter(path.suffix.lower() for path in _files(info))
    if info.whole_folders:
        sounds = sum(suffixes[one] for one in SOUNDS) > sum(suffixes[one] for one in PICTURES)
        return "sounds" if sounds else "pictures"
    if len(_files(info)) > 1:
        return "tables"
    suffix = next(iter(suffixes))
    return KINDS.get(suffix, suffix.lstrip(".")) if suffix in TABLES else "tables"


def _check_parquet(path: Path) -> None:
    """Its footer tells how large the rest will be; who lies there meets the worker's limits."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            about = file.metadata
            size = sum(about.row_group(number).total_byte_size for number in range(about.num_row_groups))
            depth = max((about.schema.column(one).path.count(".") for one in range(about.num_columns)), default=0)
    except (pa.ArrowException, OSError, OverflowError) as error:
        why = (str(error).splitlines() or [""])[0]
        raise RequestError(f"{path.name} cannot be read as Parquet.", why, "Write it again.") from error
    if about.num_rows > limits.ROWS:
        raise too_many(path.name, limits.ROWS)
    if not 0 <= size <= limits.UNPACKED_BYTES or about.num_columns > 4 * limits.COLUMNS or depth > 2 * limits.DEPTH:
        raise RequestError(
            f"{path.name} is too large or too deep.",
            f"It has {size / 1e6:,.0f} MB unpacked in {about.num_columns:,} columns, nested {depth} deep.",
            f"At most {limits.UNPACKED_BYTES / 1e6:,.0f} MB of plain columns are read.",
        )


def _counted(info: DataInfo, name: str) -> int:
    count = 0
    for table in open_tables(info, max_bytes=limits.UNPACKED_BYTES):
        for _ in table.rows(table.columns[:1]):
            count += 1
            if count > limits.ROWS:
                raise too_many(name, limits.ROWS)
    if not count:
        raise RequestError(f"{name} has no rows.", "There is only a header.", "Give data with rows.")
    return count


# ---- for a task ---------------------------------------------------------------------------------


def _for_task(info: DataInfo, task: Task, job: Job, clean: Clean, table: Table) -> dict[str, Any]:
    if lacking := environment.missing(task.needs):
        raise RequestError(f"{task.name} needs {', '.join(lacking)}.", "It is not installed here.")
    fields = Fields(task.columns, task.inputs, task.target, job["fields"], task.by_name)
    mapping, wrong = find_columns(table.columns, fields, table.name), WrongRows(clean)
    data, rows = _checked(info, fields, mapping, task, job["config"], wrong)
    if info.train:
        unlabelled = _without_target(fields)
        _checked(info.train, unlabelled, mapping, task, None, wrong)
    labels = _labels(data, task)
    return {
        "rows": rows, "fields": mapping, "wrong": wrong.first, "wrong_total": wrong.total,
        "notes": [shown(clean(one), MESSAGE) for one in data.warnings],
        "labels": labels[: limits.LABELS_SHOWN], "distinct_labels": len(labels),
    }  # fmt: skip


def _without_target(fields: Fields) -> Fields:
    """Calibration needs no right answers."""
    columns = {key: usual for key, usual in fields.columns.items() if key != fields.target}
    chosen = {key: column for key, column in fields.chosen.items() if key != fields.target}
    return replace(fields, columns=columns, chosen=chosen, target=None)


def _checked(info: DataInfo, fields: Fields, mapping: dict[str, str], task: Task, config: dict[str, Any] | None,
             wrong: WrongRows) -> tuple[Data, int]:  # fmt: skip
    """The rows that can be read, and how many there are with those that cannot."""
    part = info.split if len(info.parts) > 1 else ""
    before, table = wrong.total, info.files[0].path if len(info.files) == 1 else ""

    def refuse(table: str, row: int, error: RequestError) -> None:
        wrong.add(part, table, row, _named(error, mapping), error)

    def say(row: Row, column: str, error: RequestError) -> None:
        wrong.add(part, table, row["row"], column, error)

    data = read_rows(info, fields, max_rows=limits.ROWS, max_bytes=limits.UNPACKED_BYTES, wrong=refuse)
    unread = wrong.total - before
    if data.rows:
        check_rows(task, config, data, say, complete=not unread)
    return data, len(data) + unread


def _named(error: RequestError, mapping: dict[str, str]) -> str:
    """The column that an error of `make_row` speaks of."""
    return next((column for column in mapping.values() if f"`{column}`" in error.what), "")


def _labels(data: Data, task: Task) -> list[tuple[str, int]]:
    """Values of the target, the most frequent first; none where they are free text or files."""
    target = task.target
    if target is None or target in MEDIA or not data.labelled or target not in data.columns:
        return []
    given = [row[target] for row in data.rows if row.get(target) is not None]
    names = data.facts.get("classes") or []
    if any(isinstance(value, list) for value in given):
        given = [one for value in given for one in listed(value)]
    counts = Counter(_label(value, names) for value in given)
    free = len(counts) > limits.LABELS_SHOWN and 2 * len(counts) > len(given)
    return [] if free else counts.most_common()


def _label(value: Any, names: Sequence[str]) -> str:
    is_id = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(names)
    return shown(f"{names[value]} ({value})" if is_id else value, 60)


# ---- types in words -----------------------------------------------------------------------------

TYPES = {bool: "true or false", int: "whole number", float: "number", list: "list", dict: "mapping", bytes: "bytes"}


def _type(rows: Sequence[Row], name: str, key: str) -> str:
    if key in MEDIA:
        return {"audio": "sound file", "mask": "mask file"}.get(key, "picture file")
    found = {_kind_of(row[name]) for row in rows if row.get(name) is not None}
    if found == {"whole number", "number"}:
        return "number"
    return next(iter(found)) if len(found) == 1 else "mixed" if found else "empty"


def _kind_of(value: Any) -> str:
    if not isinstance(value, str):
        return TYPES.get(type(value), "text")
    try:
        float(value)
    except ValueError:
        return "text"
    return "whole number" if value.strip().lstrip("+-").isdecimal() else "number"
