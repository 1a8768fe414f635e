"""Every row that a task cannot use, not only the first: its input, its label, its picture or sound."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workbench.errors import RequestError
from workbench.hub import Data
from workbench.hub.columns import MEDIA
from workbench.plugin import Task
from workbench.tasks.one_call import FEWEST_ROWS
from workbench.tasks.pictures import opened, readable
from workbench.tasks.sounds import check_sounds, read_sound
from workbench.uploads.found import MESSAGE, shown
from workbench.uploads.limits import VALUES, VALUES_EACH, WRONG_SHOWN

Row = dict[str, Any]
Say = Callable[[Row, str, RequestError], None]
NAMES_A_ROW = re.compile(r"\brow \d", re.IGNORECASE)


@dataclass
class WrongRows:
    """How many there are, and the first of them as plain values. `clean` takes out what is not for people."""

    clean: Callable[[str], str]
    total: int = 0
    _found: list[Row] = field(default_factory=list)

    def add(self, part: str, table: str, row: int, column: str, error: RequestError) -> None:
        self.total += 1
        what = _without_row(self.clean(error.what), row, table)
        self._found.append({"part": part, "row": row, "column": shown(column), "what": shown(what, MESSAGE),
                            "why": shown(self.clean(error.why), MESSAGE)})  # fmt: skip
        if len(self._found) > 50 * WRONG_SHOWN:
            self._found = self.first

    @property
    def first(self) -> list[Row]:
        return sorted(self._found, key=lambda one: (one["part"], one["row"]))[:WRONG_SHOWN]


def _without_row(what: str, row: int, table: str) -> str:
    """`Row 5 of a.csv has an empty text.` -> `Has an empty text.`: the number stands beside it."""
    named = rf"(^Row {row}( of {re.escape(table)})?(, column `.*?`:)? )|( of row {row}\b)"
    cut = re.sub(named, "", what)
    return cut[:1].upper() + cut[1:]


def check_rows(task: Task, config: dict[str, Any] | None, data: Data, say: Say, complete: bool = True) -> None:
    """Tell `say` (row, column, error) of each row that the task refuses. `config`: the model's; None: labels are only
    looked for. `complete`: no row was left out before. Raises RequestError for what is wrong with all of them, such
    as one class, when it is not for want of the wrong ones."""
    rows = _with_media(data, _with_target(task, data, say), say)
    if config is None or not rows:
        return
    complete = complete and len(rows) == len(data)
    error = _refusal(task, rows, config, enough=not complete)
    if error and NAMES_A_ROW.search(error.what):
        for row, why in _refused(task, rows, config):
            say(row, _column(task, data, row, config), why)
            complete = False
    if error and complete:
        raise error


def _with_target(task: Task, data: Data, say: Say) -> list[Row]:
    target = task.target
    if target is None or not data.labelled or target not in data.columns:
        return data.rows
    for row in data.rows:
        if row.get(target) is None:
            said = f"Row {row['row']} has no {target}."
            say(row, data.columns[target], RequestError(said, "Fill it in, or leave the column out."))
    return [row for row in data.rows if row.get(target) is not None]


def _refused(task: Task, rows: Sequence[Row], config: dict[str, Any]) -> Iterator[tuple[Row, RequestError]]:
    """Rows by halves: a task checks many at once and names the first that is wrong."""
    error = _refusal(task, rows, config)
    if error is None or not NAMES_A_ROW.search(error.what):
        return
    if len(rows) == 1:
        yield rows[0], error
        return
    half = len(rows) // 2
    yield from _refused(task, rows[:half], config)
    yield from _refused(task, rows[half:], config)


def _refusal(task: Task, rows: Sequence[Row], config: dict[str, Any], enough: bool = True) -> RequestError | None:
    """What the task says of these rows; `enough`: repeated, so that it never says there are too few."""
    times = -(-FEWEST_ROWS // len(rows)) if enough else 1
    try:
        task.check([*rows] * times, config)
    except RequestError as error:
        return error
    return None


def _column(task: Task, data: Data, row: Row, config: dict[str, Any]) -> str:
    """The target's, unless the row is as wrong without it."""
    inputs = [key for key in data.columns if key != task.target]
    bare = {key: value for key, value in row.items() if key != task.target}
    error = _refusal(task, [bare], config)
    wrong_input = error is not None and NAMES_A_ROW.search(error.what)
    return data.columns[inputs[0] if wrong_input or task.target not in data.columns else str(task.target)]


# ---- pictures and sounds ------------------------------------------------------------------------


def _with_media(data: Data, rows: list[Row], say: Say) -> list[Row]:
    """The rows whose files can be read to their end. First every head, so that the whole is known to be small."""
    keys = [key for key in data.columns if key in MEDIA]
    if not keys:
        return rows
    small, values = [], 0
    for row in rows:
        try:
            values += sum(_values(row, key) for key in keys if row.get(key) is not None)
            small.append(row)
        except RequestError as error:
            say(row, data.columns[keys[0]], error)
    if values > VALUES:
        raise RequestError(
            f"The files have {values / 1e6:,.0f} million pixels or samples together.",
            f"At most {VALUES / 1e6:,.0f} million are taken in.", "Give fewer or smaller ones.",
        )  # fmt: skip
    kept = []
    for row in small:
        try:
            for key in keys:
                if row.get(key) is not None:
                    _read_whole(row, key)
            kept.append(row)
        except RequestError as error:
            say(row, data.columns[keys[0]], error)
    return kept


def _values(row: Row, key: str) -> int:
    """Pixels, or samples of all channels, by the file's head alone."""
    if key == "audio":
        import soundfile

        check_sounds([row])
        info = soundfile.info(_source(row[key]))
        count = info.frames * info.channels
    else:
        with _decoding(row, key):
            picture = opened(row, key)
            count = picture.width * picture.height
    if count > VALUES_EACH:
        raise RequestError(f"The file of row {row['row']} has {count / 1e6:,.0f} million pixels or samples.",
                           f"At most {VALUES_EACH / 1e6:,.0f} million are read.")  # fmt: skip
    return int(count)


def _read_whole(row: Row, key: str) -> None:
    with _decoding(row, key):
        if key == "audio":
            import soundfile

            read_sound(row, soundfile.info(_source(row[key])).samplerate)
        else:
            opened(row, key).load()


@contextmanager
def _decoding(row: Row, key: str) -> Iterator[None]:
    """Whatever a decoder raises on hostile bytes is that row's fault."""
    try:
        yield
    except (RequestError, MemoryError):
        raise
    except Exception as error:
        with readable(row, {"audio": "sound", "mask": "mask"}.get(key, "picture")):
            raise ValueError(str(error).rstrip(".") or type(error).__name__) from error


def _source(value: Any) -> Any:
    return io.BytesIO(value) if isinstance(value, bytes) else str(value) if isinstance(value, Path) else value
