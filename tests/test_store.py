"""Finished work is whole or not there, events are complete and in order, and any process can read along."""

from __future__ import annotations

import fcntl
import json
import os
import re
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from workbench.errors import RequestError, WorkbenchError
from workbench.event import Made, Progress, Started
from workbench.store import STARTING, Store, write_whole

KEY = "ab" * 32


def kept(store: Store, text: str = "weights", key: str = KEY) -> Any:
    with store.aside() as folder:
        (folder / "sub").mkdir()
        (folder / "sub" / "model.bin").write_text(text)
        return store.keep(key, "onnx", folder, {"n": 1})


def added(store: Store, fingerprint: str = "f") -> tuple[str, bool]:
    return store.add_run("a title", {"model": "m"}, fingerprint, {"work": []})


def store_home() -> Path:
    return Path(os.environ["WORKBENCH_HOME"])


def python(code: str, *words: str, **more: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, timeout=120, **more)


# ---- artifacts ----------------------------------------------------------------------------------


def test_an_artifact_is_found_again_with_its_facts_and_files() -> None:
    store = Store()
    made = kept(store)
    assert store.find(KEY, check=True) == made == Store().find(KEY)
    assert made.format == "onnx" and made.facts == {"n": 1}
    assert [entry["path"] for entry in store.files_of(KEY)] == ["sub/model.bin"]
    assert (made.path / "sub" / "model.bin").read_text() == "weights"


def test_the_first_one_in_stays() -> None:
    store = Store()
    kept(store, "first")
    assert (kept(store, "second").path / "sub" / "model.bin").read_text() == "first"
    assert not list((store.home / "aside").iterdir())


def test_what_was_not_kept_is_gone() -> None:
    store = Store()
    with pytest.raises(ZeroDivisionError), store.aside() as folder:
        (folder / "half.bin").write_text("half")
        1 / 0
    assert store.find(KEY) is None and not list((store.home / "aside").iterdir())


@pytest.mark.parametrize("damage", ["shorter", "changed", "file gone", "manifest gone", "manifest cut"])
def test_a_damaged_artifact_is_not_found_and_can_be_made_again(damage: str) -> None:
    store = Store()
    file, manifest = kept(store).path / "sub" / "model.bin", kept(store).path.parent / "artifact.json"
    if damage in ("shorter", "changed"):
        file.write_text("short" if damage == "shorter" else "WEIGHTS")
    elif damage == "manifest cut":
        manifest.write_text(manifest.read_text()[:50])
    else:
        (file if damage == "file gone" else manifest).unlink()
    assert store.find(KEY, check=True) is None
    assert (kept(store, "again").path / "sub" / "model.bin").read_text() == "again"


def test_a_changed_byte_is_only_seen_by_a_check() -> None:
    store = Store()
    (kept(store).path / "sub" / "model.bin").write_text("WEIGHTS")
    assert store.find(KEY) is not None and store.find(KEY, check=True) is None


WRITER = """
import sys
from workbench.store import Store
store = Store()
for number in range(10_000):
    with store.aside() as folder:
        (folder / "a.bin").write_bytes(bytes(300_000))
        (folder / "b.bin").write_bytes(bytes(300_000))
        store.keep(f"{number:064d}", "onnx", folder, {})
    print(number, flush=True)
"""


def test_a_writer_killed_at_any_moment_leaves_only_whole_artifacts(in_background: Any) -> None:
    store = Store()
    for after in (1, 3, 6):
        writer = in_background(sys.executable, "-c", WRITER)
        for _ in range(after):
            writer.stdout.readline()
        writer.kill()
        writer.wait()
    found = [key for key, *_ in store.sizes()]
    assert len(found) >= 6 and all(store.find(key, check=True) for key in found)
    store.clean(keep_bytes=10**12)
    assert not list((store.home / "aside").iterdir())


# ---- runs and events ----------------------------------------------------------------------------


def test_run_ids_cannot_be_guessed() -> None:
    store = Store()
    ids = {added(store, str(number))[0] for number in range(20)}
    assert len(ids) == 20 and all(re.fullmatch(r"\d{6}-[0-9a-f]{16}", one) for one in ids)


def test_events_come_back_in_order_as_they_were() -> None:
    store = Store()
    run, _ = added(store)
    said = [Started(work="a", title="A"), Progress(work="a", done=1, total=2, note="half"),
            Made(work="a", key=KEY, format="onnx", seconds=1.5, reused=False, facts={"n": 1})]  # fmt: skip
    for event in said:
        store.append(run, event)
    assert [event for _, event in store.events(run)] == said
    assert store.events(run, after=2) == [(3, said[2])]


def test_time_does_not_run_backwards_in_a_run_whatever_threads_and_clocks_say() -> None:
    store = Store()
    run, _ = added(store)
    for at in (5.0, 3.0, 4.0, 6.0):
        store.append(run, Progress(at=at))
    assert [event.at for _, event in store.events(run)] == [5.0, 5.0, 5.0, 6.0]


APPENDER = """
import sys
from workbench.event import Progress
from workbench.store import Store
store = Store()
for number in range(50):
    store.append(sys.argv[1], Progress(work=sys.argv[2], done=number))
"""


def test_four_writers_at_once_lose_no_event_and_a_reader_sees_them_grow(in_background: Any) -> None:
    store = Store()
    run, _ = added(store)
    writers = [in_background(sys.executable, "-c", APPENDER, run, name) for name in "abcd"]
    seen: list[tuple[int, Any]] = []
    while any(writer.poll() is None for writer in writers) or len(seen) < 200:
        seen += store.events(run, after=seen[-1][0] if seen else 0)
        assert all(writer.poll() in (None, 0) for writer in writers)
        time.sleep(0.02)
    assert [number for number, _ in seen] == list(range(1, 201))
    assert seen == store.events(run)
    for name in "abcd":
        assert [event.done for _, event in seen if event.work == name] == list(range(50))


def test_the_database_writes_ahead_and_through_to_the_disk() -> None:
    store = Store()
    with store._reading() as database:
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert database.execute("PRAGMA synchronous").fetchone() == (2,)


def test_the_same_request_is_joined_while_it_waits_or_runs() -> None:
    store = Store()
    first, new = added(store)
    assert new and added(store) == (first, False)  # its runner is about to start
    assert added(store, "another")[1]
    with store.running(first):
        store.set_status(first, "running")
        assert added(store) == (first, False)
    assert added(store)[0] != first  # its runner is gone
    store.set_status(first, "ok")
    assert added(store)[1] is False  # the second one still waits


def test_a_run_is_alive_as_long_as_somebody_holds_it() -> None:
    store = Store()
    run, _ = added(store)
    assert not store.alive(run)
    with store.running(run):
        assert store.alive(run)
        with pytest.raises(WorkbenchError, match="running already"), store.running(run):
            pass
    assert not store.alive(run)


def test_a_look_at_the_lock_does_not_keep_a_runner_out() -> None:
    store = Store()
    run, _ = added(store)
    with store.running(run):
        pass
    with (store.run_folder(run) / "runner.lock").open() as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        pid = os.fork()
        if pid == 0:  # holds the shared lock a moment longer, as `alive` does
            time.sleep(0.1)
            os._exit(0)
    with store.running(run):
        assert store.alive(run)
    os.waitpid(pid, 0)


def test_a_run_whose_runner_is_gone_is_stopped() -> None:
    store = Store()
    run, _ = added(store)
    assert store.run(run).status == "waiting"
    store.set_status(run, "running")
    assert store.run(run).status == store.runs()[0].status == "stopped"
    store.set_status(run, "ok")
    assert store.run(run).status == "ok" and store.run(run).finished
    waiting, _ = added(store, "another")
    with sqlite3.connect(store.home / "runs.sqlite") as database:
        database.execute("UPDATE runs SET created=created-?", (STARTING + 1,))
    assert store.run(waiting).status == "stopped"  # no runner ever came


def test_a_run_that_has_ended_is_not_cancelled_afterwards() -> None:
    store = Store()
    run, _ = added(store)
    store.set_status(run, "ok")
    store.set_status(run, "cancelling")
    assert store.run(run).status == "ok"


def test_a_run_is_named_by_the_beginning_of_its_id() -> None:
    store = Store()
    run, other = added(store, "1")[0], added(store, "2")[0]
    assert store.run(run[:-1]).id == run and store.run(other).id == other
    for name, why in ((run[:3], "Several"), ("xyz", "does not know"), ("", "does not know"), ("%", "does not know")):
        with pytest.raises(RequestError, match=why):
            store.run(name)


# ---- room and refusals --------------------------------------------------------------------------


def test_clean_frees_the_oldest_until_the_budget_is_kept() -> None:
    store = Store()
    for number in range(4):
        kept(store, "x" * 1000, f"{number:064d}")
        time.sleep(0.01)
    assert store.clean(keep_bytes=2500) == 2000
    assert [key[-1] for key, *_ in store.sizes()] == ["2", "3"]
    assert store.clean() == 2000 and not store.sizes()


def test_clean_leaves_what_a_living_process_is_making() -> None:
    store = Store()
    left = store.home / "aside" / "999999999-dead" / "files"
    left.mkdir(parents=True)
    (left / "half.bin").write_text("12345")
    with store.aside() as mine:
        assert store.clean() == 5
        assert mine.is_dir() and not left.exists()


def test_clean_leaves_what_a_living_run_stands_on() -> None:
    store = Store()
    used, unused = "a" * 64, "b" * 64
    for key in (used, unused):
        kept(store, "x" * 1000, key)
    run, _ = store.add_run("a title", {}, "f", {"work": [{"key": used}]})
    with store.running(run):
        assert store.clean() == 1000 and [key for key, *_ in store.sizes()] == [used]
    assert store.clean() == 1000 and not store.sizes()


BEFORE_KINDS = """
CREATE TABLE runs (
    id TEXT PRIMARY KEY, created REAL NOT NULL, title TEXT NOT NULL, request TEXT NOT NULL,
    fingerprint TEXT NOT NULL, status TEXT NOT NULL, pid INTEGER, finished REAL
);
CREATE TABLE events (
    run TEXT NOT NULL, number INTEGER NOT NULL, at REAL NOT NULL, body TEXT NOT NULL, PRIMARY KEY (run, number)
);
INSERT INTO runs VALUES ('251101-a', 1.0, 'old', '{}', 'f', 'ok', NULL, 2.0);
PRAGMA user_version=1;
"""


def test_the_runs_of_an_older_store_are_kept_and_are_comparisons(home: Path) -> None:
    home.mkdir()
    with sqlite3.connect(home / "runs.sqlite") as database:
        database.executescript(BEFORE_KINDS)
    Store()
    store = Store()  # once is enough
    run, _ = store.add_run("new", {}, "g", None, "verify")
    assert [(one.title, one.kind) for one in store.runs()] == [("new", "verify"), ("old", "compare")]
    assert store.run("251101-a").finished == 2.0 and store.last_event(run) is None
    store.append(run, Progress(work="a", note="last"))
    last = store.last_event(run)
    assert isinstance(last, Progress) and last.note == "last"


def test_a_store_of_a_newer_version_is_refused_and_left_alone() -> None:
    store = Store()
    with sqlite3.connect(store.home / "runs.sqlite") as database:
        database.execute("PRAGMA user_version=99")
    with pytest.raises(WorkbenchError) as caught:
        Store()
    assert "newer" in caught.value.what and "99" in caught.value.why and "WORKBENCH_HOME" in caught.value.fix


def test_a_home_that_cannot_be_a_folder_is_an_error_for_people(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkbenchError) as caught:
        Store(tmp_path / "file" / "home")
    assert "cannot be used" in caught.value.what and "WORKBENCH_HOME" in caught.value.fix


def test_a_database_that_is_none_is_an_error_for_people(home: Path) -> None:
    home.mkdir()
    (home / "runs.sqlite").write_bytes(b"this is no database " * 100)
    with pytest.raises(WorkbenchError) as caught:
        Store()
    assert "cannot be used" in caught.value.what


NO_ROOM = """
import resource, sys
from pathlib import Path
from workbench.errors import WorkbenchError
from workbench.event import Progress
from workbench.store import Store, write_whole
store = Store()
run, _ = store.add_run("title", {}, "f", {})
store.append(run, Progress(work="a", note="before"))
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
file = Path(sys.argv[1])
for work in (lambda: write_whole(file, "new" * 100_000),
             lambda: store.append(run, Progress(work="a", note="x" * 400_000)),
             lambda: store.add_run("title", {}, "g", {"long": "x" * 400_000})):
    try:
        work()
    except (OSError, WorkbenchError) as error:
        print(type(error).__name__, error)
"""


def test_without_space_nothing_is_half_written_and_the_store_stays_readable(tmp_path: Path) -> None:
    file = tmp_path / "out" / "report.json"
    write_whole(file, "old")
    said = python(NO_ROOM, str(file))
    lines = said.stdout.splitlines()
    assert len(lines) == 3 and lines[0].startswith("OSError"), said.stderr
    assert lines[1].startswith("WorkbenchError") and str(store_home()) in lines[1], lines
    assert lines[2].startswith("WorkbenchError There is no space left."), lines
    assert file.read_text() == "old" and [path.name for path in file.parent.iterdir()] == ["report.json"]
    store = Store()
    (run,) = store.runs()
    assert [event.note for _, event in store.events(run.id)] == ["before"]
    store.append(run.id, Progress(work="a", note="after"))
    assert not [path for path in store.home.rglob("*") if path.name.startswith(".plan.json")]


def test_a_file_is_written_whole(tmp_path: Path) -> None:
    write_whole(tmp_path / "a" / "b.json", json.dumps({"ü": 1}, ensure_ascii=False))
    write_whole(tmp_path / "a" / "b.json", "{}")
    assert (tmp_path / "a" / "b.json").read_text() == "{}" and len(list((tmp_path / "a").iterdir())) == 1
