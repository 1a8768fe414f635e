"""Which rows are used for what: a seeded selection, and calibration rows that never meet evaluation."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from workbench.artifact import sha256_of
from workbench.errors import RequestError
from workbench.hub.data import Data

FEWEST_CALIBRATION = 32
HELD_OUT = 0.2
MOST_OVERLAP = 0.1


def select(data: Data, n: int | Literal["all"], seed: int = 0) -> Data:
    """`n` rows, in their own order. Which ones depends on their ids and `seed` alone, not on their order:
    the same rows are chosen again after a file was sorted, and n + 1 rows hold the n rows."""
    if n == "all" or n >= len(data):
        if n == "all" or n == len(data):
            return data
        said = f"{n:,} rows were asked for; {data.source} ({data.split}) has {len(data):,}."
        return replace(data, warnings=(*data.warnings, said))
    if n < 1:
        raise RequestError(f"{n} rows can't be selected.", "", 'Say a number from 1 on, or "all".')
    return _keep(data, sorted(_shuffled(range(len(data)), data, seed)[:n]))


def ids_sha256(data: Data) -> str:
    """One hash for the rows that were used, in any order."""
    return sha256_of(sorted(data.ids))


def _shuffled(indices: Iterable[int], data: Data, seed: int) -> list[int]:
    """Indices by sha256(seed, id): a shuffle that is the same in every version of Python."""

    def place(index: int) -> tuple[str, int]:
        return hashlib.sha256(f"{seed}:{data.rows[index]['id']}".encode()).hexdigest(), index

    return sorted(indices, key=place)


def _keep(data: Data, indices: Iterable[int]) -> Data:
    return replace(data, rows=[data.rows[index] for index in indices])


@dataclass(frozen=True)
class Split:
    """What evaluates and what calibrates; no input is on both sides. `calibration` is None for `reason`."""

    evaluation: Data
    calibration: Data | None
    origin: Literal["given", "train", "held out", "none"]
    overlap_removed: int = 0
    warnings: tuple[str, ...] = ()
    reason: str = ""


def split_calibration(evaluation: Data, given: Data | None = None, train: Data | None = None, *,
                      seed: int = 7) -> Split:  # fmt: skip
    """Calibration that is `given`; else the data set's `train` split; else a seeded 20 % of the rows (at
    least 32) kept out of evaluation; else none, with the reason.

    Rows of calibration whose input occurs in evaluation are left out and counted. Raises RequestError when
    both are the same file and split, or when more than 10 % of the calibration rows occur in evaluation.
    """
    if given is not None:
        return _without_overlap(evaluation, given, "given")
    if train is not None:
        return _without_overlap(evaluation, train, "train")
    return _hold_out(evaluation, seed)


def _without_overlap(evaluation: Data, calibration: Data, origin: Literal["given", "train"]) -> Split:
    if (evaluation.revision, evaluation.split) == (calibration.revision, calibration.split) and _same(
        evaluation, calibration
    ):
        raise RequestError(
            f"{calibration.source} ({calibration.split}) is named for calibration and for evaluation.",
            "A model calibrated on the rows it is judged by looks better than it is.",
            "Name other rows with --calibration, or leave it out.",
        )
    seen = set(evaluation.ids)
    keep = [index for index, row in enumerate(calibration.rows) if row["id"] not in seen]
    removed = len(calibration) - len(keep)
    if removed > MOST_OVERLAP * len(calibration):
        raise RequestError(
            f"{removed:,} of {len(calibration):,} calibration rows occur in evaluation too.",
            "More than 10 % says that the two were not kept apart.",
            "Name other rows with --calibration.",
        )
    said = f"{removed:,} calibration rows were left out: their input occurs in evaluation." if removed else ""
    return Split(evaluation, _keep(calibration, keep), origin, removed, (said,) if said else ())


def _same(one: Data, other: Data) -> bool:
    """A commit names a repository's state, a digest the rows themselves: with digests names do not matter."""
    return one.source == other.source or "hub" not in (one.kind, other.kind)


def _hold_out(evaluation: Data, seed: int) -> Split:
    by_input: dict[str, list[int]] = {}
    for index, row in enumerate(evaluation.rows):
        by_input.setdefault(row["id"], []).append(index)
    firsts = _shuffled([indices[0] for indices in by_input.values()], evaluation, seed)
    size = int(len(firsts) * HELD_OUT)
    if size < FEWEST_CALIBRATION:
        return Split(
            evaluation, None, "none",
            reason=f"20 % of {len(evaluation)} rows are fewer than {FEWEST_CALIBRATION}, too few to keep out.",
        )  # fmt: skip
    out = set(firsts[:size])
    away = {evaluation.rows[index]["id"] for index in out}
    rest = [index for index, row in enumerate(evaluation.rows) if row["id"] not in away]
    said = f"{size:,} rows of {evaluation.source} calibrate and are kept out of evaluation."
    return Split(_keep(evaluation, rest), _keep(evaluation, sorted(out)), "held out", 0, (said,))


def save_rows(data: Data, folder: Path) -> None:
    """`rows.jsonl`, `data.json` and, for pictures and sounds, `files/<sha256>`: a folder that can travel."""
    with (folder / "rows.jsonl").open("w", encoding="utf-8") as out:
        for row in data.rows:
            kept = {key: _keep_file(value, folder / "files") for key, value in row.items()}
            out.write(json.dumps(kept) + "\n")
    rest = {key: value for key, value in vars(data).items() if key != "rows"}
    (folder / "data.json").write_text(json.dumps(rest, ensure_ascii=False), encoding="utf-8")


def _keep_file(value: Any, files: Path) -> Any:
    if isinstance(value, Path):
        value = value.read_bytes()
    if not isinstance(value, bytes):
        return value
    name = hashlib.sha256(value).hexdigest()
    files.mkdir(exist_ok=True)
    if not (files / name).is_file():
        (files / name).write_bytes(value)
    return {"$file": name}


def load_rows(folder: Path) -> Data:
    """What `save_rows` wrote; pictures and sounds are Paths now."""
    rest = json.loads((folder / "data.json").read_text(encoding="utf-8"))
    rest["warnings"] = tuple(rest["warnings"])
    with (folder / "rows.jsonl").open(encoding="utf-8") as source:
        rows = [
            {key: _find_file(value, folder / "files") for key, value in json.loads(line).items()} for line in source
        ]
    return Data(**rest, rows=rows)


def _find_file(value: Any, files: Path) -> Any:
    return files / value["$file"] if isinstance(value, dict) and set(value) == {"$file"} else value
