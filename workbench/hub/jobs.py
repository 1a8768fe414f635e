"""What the fetcher does: jobs for a process of its own, which has the network and runs no model code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from workbench import isolate
from workbench.hub.client import RemoteFile
from workbench.hub.columns import Fields
from workbench.hub.data import Data, DataInfo, fetch_data, find_data, read_rows
from workbench.hub.models import ModelInfo, fetch_model, find_model, search_models
from workbench.hub.pushing import Outgoing, push_files
from workbench.hub.rows import Split, ids_sha256, save_rows, select, split_calibration
from workbench.hub.tasks import infer_task, task_by_optimum

Job = dict[str, Any]
CALIBRATION_ROWS = 20_000  # of a train split; enough to draw from


def inspect_model(job: Job, channel: isolate.Channel) -> dict[str, Any]:
    """Everything known of job["reference"] before its weights are here, with its task, as plain data."""
    at = Path(job["at"]) if job["at"] else None
    info = find_model(job["reference"], job["revision"], formats=job["formats"], at=at)
    log = Path(job["log"])
    task = infer_task(info, job["task"], optimum=lambda one: _ask_optimum(one, log), added=job.get("tasks", ()))
    plain = asdict(info) | {"folder": str(info.folder) if info.folder else None}
    return plain | {"task": task, "bytes": info.size_bytes, "data": info.id if info.kind == "starter" else None}


def _ask_optimum(question: dict[str, Any], log: Path) -> str | None:
    answer = isolate.call(task_by_optimum, question, isolate.Limits(seconds=120), log)
    return str(answer) if answer else None


def fetch(job: Job, channel: isolate.Channel) -> dict[str, Any]:
    """Bring the model described by job["info"] into job["into"], every file checked. {"files": manifest}."""
    said = job["info"]
    files = tuple(RemoteFile(**file) for file in said["files"])
    folder = Path(said["folder"]) if said["folder"] else None
    names = {name: said[name] for name in ("id", "kind", "revision", "config", "license", "gated", "pipeline_tag")}
    return {"files": fetch_model(ModelInfo(**names, files=files, folder=folder), Path(job["into"]), channel.progress)}


def read_data(job: Job, channel: isolate.Channel) -> dict[str, Any]:
    """Evaluation and calibration rows into job["into"]/{evaluation,calibration}; what they are, as plain data.

    Rows for calibration are set apart whether or not a recipe needs them: the evaluation rows must not
    depend on which recipes are compared.
    """
    into = Path(job["into"])
    fields = Fields(job["columns"], job["inputs"], job["target"], job["fields"], bool(job.get("by_name")))
    found = find_data(job["data"], at=_path(job["at"]))
    evaluation = _read(found, fields, into / "raw", channel.progress)
    unlabelled = _without_target(fields)
    if (named := job.get("calibration_fields")) is not None:
        unlabelled = replace(unlabelled, chosen=named)
    given = train = other = None
    if job["calibration"]:
        other = find_data(job["calibration"], at=_path(job["calibration_at"]))
        given = _read(other, unlabelled, into / "raw-calibration", channel.progress, CALIBRATION_ROWS)
    elif found.train:
        other = found.train
        train = _read(found.train, unlabelled, into / "raw-train", channel.progress, CALIBRATION_ROWS)
    if other or job.get("hold_out", True):
        split = split_calibration(evaluation, given, train, seed=job["seed"])
    else:
        split = Split(evaluation, None, "none", reason="None was given.")
    split = replace(split, calibration=_without_answers(split.calibration, fields.target))
    chosen = select(split.evaluation, job["n"] or "all", job["seed"])
    local = [_local(info) for info in (found, other) if info and info.kind == "local"]
    return _kept(split, chosen, into) | {"local": local}


def _without_answers(data: Data | None, target: str | None) -> Data | None:
    """Rows that were kept out of evaluation still know the right answers."""
    if data is None:
        return None
    columns = {name: column for name, column in data.columns.items() if name != target}
    rows = [{key: value for key, value in row.items() if key != target} for row in data.rows]
    return replace(data, columns=columns, rows=rows)


def _local(info: DataInfo) -> dict[str, Any]:
    """Where local data lies: {"digest", "folder", "files": {path: sha256}, "at": the file in it, or "" for all}."""
    files = {file.path: file.sha256 for part in info.parts.values() for file in part}
    one = len(files) == 1 and not info.whole_folders
    return {"digest": info.revision, "folder": str(info.folder), "files": files, "at": next(iter(files)) if one else ""}


def _without_target(fields: Fields) -> Fields:
    """What quantization looks at needs no right answers."""
    columns = {name: usual for name, usual in fields.columns.items() if name != fields.target}
    chosen = {name: column for name, column in fields.chosen.items() if name != fields.target}
    return replace(fields, columns=columns, chosen=chosen, target=None)


def _kept(split: Split, chosen: Data, into: Path) -> dict[str, Any]:
    parts = {"evaluation": chosen, "calibration": split.calibration}
    warnings = [*split.warnings, *chosen.warnings]
    said: dict[str, Any] = {"overlap": split.overlap_removed, "no_calibration": split.reason}
    for name, data in parts.items():
        said[name] = None if data is None else _described(data)
        if data is not None:
            (into / name).mkdir()
            save_rows(data, into / name)
    return said | {"warnings": list(dict.fromkeys(warnings)), "origin": split.origin}


def _described(data: Data) -> dict[str, Any]:
    return {"source": data.source, "kind": data.kind, "revision": data.revision, "split": data.split, "n": len(data),
            "columns": dict(data.columns), "labelled": data.labelled, "ids_sha256": ids_sha256(data)}  # fmt: skip


def _read(info: DataInfo, fields: Fields, into: Path, progress: Callable[[float, float, str], None],
          rows: int | None = None) -> Data:  # fmt: skip
    fetch_data(info, into, progress)
    bound: dict[str, Any] = {"max_rows": rows} if rows and info.kind == "hub" else {}
    return read_rows(info, fields, into=into, **bound)


def _path(text: str | None) -> Path | None:
    return Path(text).expanduser() if text else None


def search(job: Job, channel: isolate.Channel) -> list[dict[str, Any]]:
    """Models on the Hub for job["query"], as plain data."""
    return [asdict(one) for one in search_models(job["query"], job["task"], job["limit"])]


def push(job: Job, channel: isolate.Channel) -> dict[str, Any]:
    """One commit of job["files"] into job["repo_id"]. The token comes in the job, which is kept nowhere, or is the one
    this person logged in with."""
    from huggingface_hub.utils import logging

    logging.set_verbosity_error()  # its warnings hold addresses that whoever has them may write to for a while
    files = [Outgoing(Path(one["at"]), one["path"], one["sha256"], one["bytes"]) for one in job["files"]]
    how = {name: job[name] for name in ("token", "private", "pull_request")}
    return push_files(job["repo_id"], files, job["title"], job["description"], progress=channel.progress, **how)
