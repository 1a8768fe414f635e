"""Finished work on disk: artifacts in folders with manifests, runs and events in SQLite.

    HOME/artifacts/<2>/<key>/       files + artifact.json, written aside and renamed into place
    HOME/runs.sqlite                runs and their events, readable by any process while a run goes on
    HOME/runs/<run id>/             plan, logs, and what the run gives out

SQLite 3.7.0 to 3.51.2 (all builds of 3.40, too; mended in 3.51.3, 3.50.7 and 3.44.6) can damage a WAL database
when two connections write or checkpoint at the same instant (sqlite.org/wal.html#walresetbug). It cannot happen
here: every write, and the checkpoint that a close or a full log causes, is made while holding an exclusive file
lock, so there is one writer at a time.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import re
import secrets
import shutil
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from workbench import event as events
from workbench.artifact import Artifact, manifest_of
from workbench.errors import RequestError, WorkbenchError
from workbench.event import Event

VERSION = 2
SCHEMA = """
CREATE TABLE IF NOT EXISTS runs (
    id TEXT PRIMARY KEY, created REAL NOT NULL, title TEXT NOT NULL, request TEXT NOT NULL,
    fingerprint TEXT NOT NULL, status TEXT NOT NULL, pid INTEGER, finished REAL,
    kind TEXT NOT NULL DEFAULT 'compare'
);
CREATE TABLE IF NOT EXISTS events (
    run TEXT NOT NULL, number INTEGER NOT NULL, at REAL NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (run, number)
);
"""
# From the version before: what an older store lacks.
MIGRATIONS = {2: "ALTER TABLE runs ADD COLUMN kind TEXT NOT NULL DEFAULT 'compare';"}
COMPARE, TUNE, VERIFY = "compare", "tune", "verify"  # kinds of runs
LIVE = ("waiting", "running")
STARTING = 15.0  # seconds between the noting of a run and its runner's start


@dataclass(frozen=True)
class RunRecord:
    """One row of `runs`. status: waiting, running, cancelling, ok, failed, cancelled, stopped. `kind` says what the
    run does, and with it what its request holds and which results it has."""

    id: str
    created: float
    title: str
    request: dict[str, Any]
    fingerprint: str
    status: str
    pid: int | None
    finished: float | None
    kind: str = COMPARE

    @property
    def compares(self) -> bool:
        """It has a plan, rows and a report."""
        return self.kind in (COMPARE, TUNE)


def default_home() -> Path:
    """WORKBENCH_HOME, else `workbench` in the user's cache folder."""
    if os.environ.get("WORKBENCH_HOME"):
        return Path(os.environ["WORKBENCH_HOME"]).expanduser().resolve()
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "workbench"


class Store:
    """Opening makes the folders and nothing else; raises WorkbenchError when the home cannot be written."""

    def __init__(self, home: Path | None = None) -> None:
        self.home = home or default_home()
        try:
            for name in ("artifacts", "runs", "aside"):
                (self.home / name).mkdir(parents=True, exist_ok=True)
            with self._writing() as database:
                have = database.execute("PRAGMA user_version").fetchone()[0]
                if have > VERSION:
                    raise WorkbenchError(
                        f"The store in {self.home} was written by a newer workbench.",
                        f"Its version is {have}, this one reads {VERSION}.",
                        "Update the workbench, or set WORKBENCH_HOME to another folder.",
                    )
                if have < VERSION:
                    steps = [SCHEMA] if not have else [MIGRATIONS[one] for one in range(have + 1, VERSION + 1)]
                    database.executescript("".join(["BEGIN;", *steps, f"PRAGMA user_version={VERSION};", "COMMIT;"]))
        except OSError as error:
            raise self._unusable(error) from error

    # ---- artifacts ------------------------------------------------------------------------------

    def find(self, key: str, check: bool = False) -> Artifact | None:
        """The artifact, if it is there and whole: every file by its size, with `check` by its hash too.
        A damaged one is removed, so that it is made again."""
        folder = self._folder(key)
        try:
            said = json.loads((folder / "artifact.json").read_text())
        except (OSError, ValueError):
            return None
        if not self._whole(folder, said["files"], check):
            self.forget(key)
            return None
        return Artifact(key, said["format"], folder / "files", said["facts"])

    def files_of(self, key: str) -> list[dict[str, Any]]:
        """[{path, sha256, bytes}] of a stored artifact."""
        return list(json.loads((self._folder(key) / "artifact.json").read_text())["files"])

    @contextlib.contextmanager
    def aside(self) -> Iterator[Path]:
        """An empty folder to fill; gone afterwards unless `keep` took it."""
        folder = self._new_aside()
        try:
            (folder / "files").mkdir(parents=True)
        except OSError as error:
            raise self._unusable(error) from error
        try:
            yield folder / "files"
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _new_aside(self) -> Path:
        """A name that nobody has; it begins with this process, so that `clean` knows when it was left behind."""
        return self.home / "aside" / f"{os.getpid()}-{secrets.token_hex(6)}"

    def keep(self, key: str, format: str, files: Path, facts: dict[str, Any]) -> Artifact:
        """Take a filled `aside` folder in under `key`, whole or not at all. The first one in stays."""
        folder, aside = self._folder(key), files.parent
        said = {"key": key, "format": format, "facts": facts, "created": time.time(), "files": manifest_of(files)}
        with self._telling():
            write_whole(aside / "artifact.json", json.dumps(said, indent=1, allow_nan=False))
            folder.parent.mkdir(parents=True, exist_ok=True)
        for _ in range(2):
            with contextlib.suppress(OSError):  # another process was first: both made the same thing
                os.rename(aside, folder)
            if found := self.find(key):
                return found
            self.forget(key)  # what a crash or a damaged disk left in its place
        raise WorkbenchError("A finished artifact could not be kept.", f"{folder} is not whole.", "Try again.")

    def forget(self, key: str) -> None:
        """Remove an artifact: out of its place at once, so that nobody ever sees half of it."""
        away = self._new_aside()
        with self._telling(), contextlib.suppress(FileNotFoundError):
            os.rename(self._folder(key), away)
        shutil.rmtree(away, ignore_errors=True)

    def _folder(self, key: str) -> Path:
        return self.home / "artifacts" / key[:2] / key

    @staticmethod
    def _whole(folder: Path, files: list[dict[str, Any]], check: bool) -> bool:
        try:
            if check:
                return manifest_of(folder / "files") == files
            return all((folder / "files" / entry["path"]).stat().st_size == entry["bytes"] for entry in files)
        except OSError:
            return False

    # ---- runs -----------------------------------------------------------------------------------

    def run_folder(self, run: str) -> Path:
        return self.home / "runs" / run

    def add_run(
        self, title: str, request: dict[str, Any], fingerprint: str, plan: dict[str, Any] | None, kind: str = COMPARE
    ) -> tuple[str, bool]:
        """A new run's id and True; or the id of the same request that waits or runs already, and False. `plan` None:
        the run makes one itself."""
        with self._writing() as database:
            same = database.execute("SELECT * FROM runs WHERE fingerprint=? ORDER BY created DESC", (fingerprint,))
            if found := next((one for one in map(self._record, same) if one.status in LIVE), None):
                return found.id, False
            run = f"{time.strftime('%y%m%d')}-{secrets.token_hex(8)}"
            self.run_folder(run).mkdir(parents=True, exist_ok=True)
            if plan is not None:
                self.set_plan(run, plan)
            database.execute(
                "INSERT INTO runs VALUES (?,?,?,?,?,?,?,?,?)",
                (run, time.time(), title, json.dumps(request), fingerprint, "waiting", None, None, kind),
            )
            return run, True

    def set_plan(self, run: str, plan: dict[str, Any]) -> None:
        """What the run does, beside its results; `clean` spares every artifact that it names."""
        with self._telling():
            write_whole(self.run_folder(run) / "plan.json", json.dumps(plan, indent=1, allow_nan=False))

    def begin(self, run: str) -> None:
        """A runner is about to start, for the first time or again."""
        with self._writing() as database:
            database.execute("UPDATE runs SET status='waiting', finished=NULL, pid=NULL WHERE id=?", (run,))

    def set_pid(self, run: str, pid: int) -> None:
        with self._writing() as database:
            database.execute("UPDATE runs SET pid=? WHERE id=?", (pid, run))

    def set_status(self, run: str, status: str) -> None:
        """A run that has ended is not `cancelling` any more."""
        finished = time.time() if status in events.Finished.FINAL else None
        with self._writing() as database:
            database.execute(
                "UPDATE runs SET status=?, finished=? WHERE id=? AND (?<>'cancelling' OR finished IS NULL)",
                (status, finished, run, status),
            )

    def append(self, run: str, event: events.Event) -> None:
        """Number an event behind the run's others. Its time is never before theirs: threads say what happened a
        moment apart, and clocks are set back."""
        with self._writing() as database:
            last = database.execute(
                "SELECT COALESCE(MAX(number), 0), COALESCE(MAX(at), 0) FROM events WHERE run=?", (run,)
            )
            number, at = last.fetchone()
            event = replace(event, at=max(event.at, at))
            body = json.dumps(events.to_dict(event), allow_nan=False)
            database.execute("INSERT INTO events VALUES (?,?,?,?)", (run, number + 1, event.at, body))

    def events(self, run: str, after: int = 0) -> list[tuple[int, events.Event]]:
        """(number, event) of a run in order, those behind number `after`."""
        with self._reading() as database:
            rows = database.execute(
                "SELECT number, body FROM events WHERE run=? AND number>? ORDER BY number", (run, after)
            ).fetchall()
        return [(number, events.from_dict(json.loads(body))) for number, body in rows]

    def last_event(self, run: str) -> Event | None:
        with self._reading() as database:
            row = database.execute(
                "SELECT body FROM events WHERE run=? ORDER BY number DESC LIMIT 1", (run,)
            ).fetchone()
        return events.from_dict(json.loads(row[0])) if row else None

    def run(self, run: str) -> RunRecord:
        """One run, by its id or an unambiguous beginning of it. Raises RequestError if there is none."""
        with self._reading() as database:
            rows = database.execute("SELECT * FROM runs WHERE substr(id, 1, ?) = ?", (len(run), run)).fetchall()
        found = [self._record(row) for row in rows]
        if len(found) == 1 and run:
            return found[0]
        why = "Several runs begin so." if found and run else "The store does not know it."
        raise RequestError(f"There is no run called {run!r}.", why, "`workbench runs` lists them.")

    def runs(self) -> list[RunRecord]:
        """All runs, the newest first. One whose runner is gone is `stopped`: it can be resumed."""
        with self._reading() as database:
            rows = database.execute("SELECT * FROM runs ORDER BY created DESC").fetchall()
        return [self._record(row) for row in rows]

    def _record(self, row: tuple[Any, ...]) -> RunRecord:
        record = RunRecord(row[0], row[1], row[2], json.loads(row[3]), *row[4:])
        begun = record.status in ("running", "cancelling") or record.pid is not None
        gone = begun or abs(time.time() - record.created) > STARTING  # clocks are set back, too
        if record.status not in events.Finished.FINAL and gone and not self.alive(record.id):
            return replace(record, status="stopped")
        return record

    @contextlib.contextmanager
    def running(self, run: str) -> Iterator[int]:
        """Held by the one runner of a run; a second one gets a WorkbenchError. The lock's file descriptor may be
        handed to a child process, which then holds it, too."""
        with (self.run_folder(run) / "runner.lock").open("a") as file:
            for pause in (0.0, 0.02, 0.05, 0.1, 0.2, 0.4):  # `alive` looks at the lock for an instant
                time.sleep(pause)
                with contextlib.suppress(OSError):
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
            else:
                raise WorkbenchError(f"Run {run} is running already.", "", f"`workbench follow {run}` shows it.")
            yield file.fileno()

    def alive(self, run: str) -> bool:
        """Whether a runner holds this run now."""
        try:
            with (self.run_folder(run) / "runner.lock").open() as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                return False
        except FileNotFoundError:
            return False
        except OSError:
            return True

    # ---- SQLite ---------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._reading() as database, database:
            yield database

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        # A reader that closes last would checkpoint: it takes the lock, too, so no writer is at work then.
        try:
            with (self.home / "runs.lock").open("a") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                with contextlib.closing(self._connect()) as database:
                    yield database
        except (OSError, sqlite3.Error) as error:
            raise self._unusable(error) from error

    @contextlib.contextmanager
    def _telling(self) -> Iterator[None]:
        """What the disk refuses, in words."""
        try:
            yield
        except OSError as error:
            raise self._unusable(error) from error

    def _unusable(self, error: Exception) -> WorkbenchError:
        if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) or "disk is full" in str(error):
            fix = "`workbench clean` frees room, or set WORKBENCH_HOME to a larger disk."
            return WorkbenchError("There is no space left.", f"The store is in {self.home}.", fix)
        fix = "Set WORKBENCH_HOME to a folder that can be written."
        return WorkbenchError(f"The store in {self.home} cannot be used.", f"{error}.", fix)

    def _connect(self) -> sqlite3.Connection:
        database = sqlite3.connect(self.home / "runs.sqlite", timeout=30)
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=FULL")
        return database

    # ---- room -----------------------------------------------------------------------------------

    def sizes(self) -> list[tuple[str, str, int, float]]:
        """(key, format, bytes, created) of every artifact, the oldest first."""
        found = []
        for path in (self.home / "artifacts").glob("*/*/artifact.json"):
            with contextlib.suppress(OSError, ValueError):
                said = json.loads(path.read_text())
                size = sum(entry["bytes"] for entry in said["files"])
                found.append((said["key"], said["format"], size, said["created"]))
        return sorted(found, key=lambda entry: entry[3])

    def clear_aside(self, pid: int | str | None) -> int:
        """Remove what that process, which is gone, was filling. Returns bytes freed."""
        freed = 0
        for folder in (self.home / "aside").glob(f"{pid}-*"):
            freed += sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
            shutil.rmtree(folder, ignore_errors=True)
        return freed

    def clean(self, keep_bytes: int = 0) -> int:
        """Free room: what was left aside, then the oldest artifacts until `keep_bytes` stay; never what a living run
        stands on. Returns bytes freed."""
        pids = {folder.name.partition("-")[0] for folder in (self.home / "aside").iterdir()}
        freed = sum(self.clear_aside(pid) for pid in pids if not _process_lives(pid))
        sizes, in_use = self.sizes(), self._in_use()
        total = sum(size for _, _, size, _ in sizes)
        for key, _, size, _ in sizes:
            if total <= keep_bytes:
                break
            if key in in_use:
                continue
            self.forget(key)
            total, freed = total - size, freed + size
        return freed

    def _in_use(self) -> set[str]:
        """Every key in the plan of a living run."""
        plans = (self.run_folder(one.id) / "plan.json" for one in self.runs() if self.alive(one.id))
        return {key for plan in plans if plan.exists() for key in re.findall(r'"([0-9a-f]{64})"', plan.read_text())}


def _process_lives(pid: str) -> bool:
    return pid.isdigit() and Path(f"/proc/{pid}").exists()


def write_whole(path: Path, text: str) -> None:
    """Write a file so that it is whole or not there: aside, flushed, renamed into place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        with aside.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)
