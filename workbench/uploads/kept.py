"""An upload is copied, looked at in a worker, and kept by its content once every row can be used."""

from __future__ import annotations

import hashlib
import os
import stat
import unicodedata
from dataclasses import replace
from pathlib import Path
from typing import Any

from workbench import isolate
from workbench.artifact import sha256_of
from workbench.errors import RequestError
from workbench.hub import jobs
from workbench.hub.allowed import FORMATS
from workbench.hub.tables import TABLES
from workbench.isolate import Limits, WorkerError
from workbench.store import Store
from workbench.uploads import limits, reading
from workbench.uploads.found import DataCheck

FORMAT = "upload"
NAME_BYTES = 120
KNOWN = (*TABLES, ".zip")


def check(
    file: Path, store: Store, *, task: str | None = None, model: str | None = None, revision: str | None = None,
    fields: dict[str, str] | None = None,
) -> DataCheck:  # fmt: skip
    """What is in an uploaded file, and whether `task` can use every row of it; the model says which labels there are.

    `file` is a file anywhere, or what an earlier check gave as `path`. Kept, and its `path` said, when no row is wrong.
    Without task and model only the file itself is looked at. Raises RequestError for what is wrong with the whole.
    """
    config: dict[str, Any] | None = None
    with store.aside() as log, store.aside() as work, store.aside() as kept:
        if model:
            task, config = _model(model, revision, task, log)
        job = {"task": task, "config": config, "fields": dict(fields or {})}
        if key_of(file, store):
            given, digest, size = file.resolve(), "", _size(file)
        else:
            given, digest, size = _copied(file, work)
        (work / "unpacked").mkdir()
        found = _asked(job | {"at": str(given), "into": str(work / "unpacked")}, log)
        at, left_out = Path(found.pop("at")), found.pop("left_out")
        name = given.stem if given.suffix.lower() == ".zip" and digest else given.name
        checked = DataCheck.from_dict(found | {"name": name, "bytes": size, "task": task or ""})
        if left_out:
            checked = replace(checked, notes=(*checked.notes, f"{left_out:,} files of other kinds were left out."))
        if checked.wrong_total:
            return checked
        if not digest:
            return replace(checked, path=given)
        key = sha256_of({FORMAT: digest, "name": name})
        os.rename(at, kept / name)
        return replace(checked, path=store.keep(key, FORMAT, kept, {"name": name}).path / name)


def key_of(path: Path | str, store: Store) -> str | None:
    """The key under which the store keeps this upload; None for any other path, one inside an upload too."""
    home = (store.home / "artifacts").resolve()
    try:
        parts = Path(path).resolve().relative_to(home).parts
    except (ValueError, OSError, RuntimeError):
        return None
    if len(parts) != 4 or parts[2] != "files":
        return None
    found = store.find(parts[1])
    is_one = found is not None and found.format == FORMAT and parts[3] == found.facts.get("name")
    return parts[1] if is_one and parts[0] == parts[1][:2] else None


def _model(model: str, revision: str | None, task: str | None, log: Path) -> tuple[str, dict[str, Any]]:
    job = {"reference": model, "revision": revision, "task": task, "at": None, "formats": list(FORMATS),
           "log": str(log / "task.log")}  # fmt: skip
    found = isolate.call(jobs.inspect_model, job, Limits(seconds=300, network=True), log / "model.log")
    return str(found["task"]), dict(found["config"])


def _copied(file: Path, into: Path) -> tuple[Path, str, int]:
    """(the copy, its sha256, bytes). Never more than the limit, whatever happens to the file meanwhile."""
    name = clean_name(file.name)
    if not name.lower().endswith(KNOWN):
        raise RequestError(
            f"{name} is not a kind of data that can be read.", f"Known: {', '.join(KNOWN)}.",
            "Convert it to one of these; pictures and sounds come as a zip.",
        )  # fmt: skip
    digest, size = hashlib.sha256(), 0
    try:
        source = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise RequestError(f"{name} cannot be opened.", f"{error.strerror}.", "Upload it again.") from error
    if not stat.S_ISREG(os.fstat(source).st_mode):
        os.close(source)
        raise RequestError(f"{name} is no file.", "It is a folder or a device.", "Give a file, and a folder as a zip.")
    with os.fdopen(source, "rb") as given, (into / name).open("xb") as out:
        while chunk := given.read(1 << 20):
            size += len(chunk)
            if size > limits.FILE_BYTES:
                raise RequestError(
                    f"{name} is too large.", f"At most {limits.FILE_BYTES / 1e6:,.0f} MB are taken in.",
                    "Give a smaller part of it; a few thousand rows are enough.",
                )  # fmt: skip
            digest.update(chunk)
            out.write(chunk)
    if not size:
        raise RequestError(f"{name} is empty.", "It has no bytes.", "Give a file with rows.")
    return into / name, digest.hexdigest(), size


def clean_name(name: str) -> str:
    """A file's own name, as one part of a path that is neither hidden nor odd."""
    plain = unicodedata.normalize("NFC", name.encode(errors="surrogateescape").decode(errors="replace"))
    kept = "".join("_" if unicodedata.category(char)[0] == "C" or char in '/\\:*?"<>|[]@' else char for char in plain)
    stem, dot, suffix = kept.strip(" .").rpartition(".")
    if not dot:
        return (suffix or "data")[:40]
    while len(stem.encode()) > NAME_BYTES:
        stem = stem[:-1]
    return f"{stem.strip(' .') or 'data'}.{suffix[:12]}"


def _size(path: Path) -> int:
    return sum(one.stat().st_size for one in ([path] if path.is_file() else path.rglob("*")) if one.is_file())


def _asked(job: dict[str, Any], log: Path) -> dict[str, Any]:
    bounds = Limits(seconds=limits.WAIT, memory_bytes=limits.MEMORY_BYTES)
    try:
        return dict(isolate.call(reading.check, job | {"seconds": limits.SECONDS}, bounds, log / "check.log"))
    except WorkerError as error:
        if error.kind == "error":
            raise
        why = "It is broken in a way that ended its reader."
        if error.kind == "memory":
            why = f"Reading it takes more than {limits.MEMORY_BYTES / 1e9:.1f} GB of memory."
        if error.kind == "timeout" or "SIGXCPU" in error.what:
            why = f"Reading it takes more than {limits.SECONDS} s."
        fix = "Give a smaller or simpler file."
        raise RequestError(f"{Path(job['at']).name} cannot be taken in.", why, fix) from error
