"""Nothing is lost: kills, cancels, full memory, hangs, full disks, failing writes and a clock that jumps.

The long form of each is in benchmarks/soak.sh; both drive the same drill over the same real comparison.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests import jobs
from tests.conftest import REPOSITORY, Small, once
from tests.faults.injected import failing_write, jumping_clock
from tests.faults.processes import lives, small_disk, until, workers
from workbench import isolate
from workbench.errors import WorkbenchError
from workbench.event import Finished, Progress, Started
from workbench.isolate import Limits
from workbench.store import Store
from workbench.turns import measuring_turn

pytestmark = pytest.mark.slow
SHORT = {"kills": 10, "cancels": 3, "memory": 2, "hangs": 1, "writes": [37, 12]}
FAULTS = REPOSITORY / "tests" / "faults" / "site"


@pytest.fixture(scope="module")
def drilled(small: Small, warm_run: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What happened in the short drill."""

    def drill(folder: Path) -> dict[str, Any]:
        import shutil

        home = shutil.copytree(warm_run[0], folder / "home")
        env = os.environ | {"WORKBENCH_HOME": str(home), "PYTHONPATH": os.pathsep.join((str(REPOSITORY), str(FAULTS)))}
        words = [str(small.model), str(small.rows), str(small.recipes[0]), json.dumps(SHORT)]
        done = subprocess.run([sys.executable, "-m", "tests.faults.drill", *words], env=env, capture_output=True,
                              text=True, timeout=600)  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]
        return dict(json.loads(done.stdout))

    return dict(once(tmp_path_factory, "drill", drill)[1])


def test_kills_at_random_moments_lose_no_finished_stage_and_leave_no_damaged_artifact(drilled: dict[str, Any]) -> None:
    said = drilled["kills"]
    assert said["kills"] == SHORT["kills"] and said["at_the_end"] == ["ok", "ok"]
    assert (said["corrupt"], said["lost"], said["made_twice"], said["left"]) == (0, 0, 0, 0), said
    assert said["most_redone"] <= 1, said


def test_cancelling_takes_three_seconds_at_most_and_leaves_no_process(drilled: dict[str, Any]) -> None:
    said = drilled["cancels"]
    assert said["slowest_s"] <= 3.0 and (said["left"], said["corrupt"]) == (0, 0), said


def test_a_stage_that_runs_out_of_memory_is_called_so_by_its_name(drilled: dict[str, Any]) -> None:
    said = drilled["memory"]
    assert said["named"] == said["count"] == SHORT["memory"] and not said["left"], said


def test_a_stage_that_hangs_is_ended_and_told_with_the_end_of_its_log(drilled: dict[str, Any]) -> None:
    said = drilled["hangs"]
    assert said["named"] == said["count"] == SHORT["hangs"] and not said["left"], said


def test_a_runner_whose_nth_write_fails_says_so_and_goes_on_when_it_is_resumed(drilled: dict[str, Any]) -> None:
    said = drilled["writes"]
    assert said["writes"] == 4 and said["failed"] >= 3, said  # the first one makes a folder that is there already
    assert (said["corrupt"], said["untold"], said["not_resumed"]) == (0, 0, 0), said


# ---- the store, write by write ------------------------------------------------------------------


def journey(home: Path, name: str = "a") -> None:
    """What a run asks of a store, from its opening to its end."""
    store = Store(home)
    run, _ = store.add_run(name, {}, name, {"plan": name})
    store.set_status(run, "running")
    for number in range(3):
        store.append(run, Started(work=f"piece-{number}", title="A piece"))
        with store.aside() as folder:
            (folder / "model.bin").write_bytes(bytes(3000))
            store.keep(f"{name}{number}".ljust(64, "0"), "onnx", folder, {})
        store.append(run, Progress(work=f"piece-{number}", done=1))
    store.forget(f"{name}0".ljust(64, "0"))
    store.append(run, Finished(status="ok"))
    store.set_status(run, "ok")


def in_a_child(function: Any) -> str:
    """What a forked child's function raised, as `type: text`, or ""."""
    read_end, write_end = os.pipe()
    if not (child := os.fork()):
        said = ""
        try:
            function()
        except BaseException as error:
            said = f"{type(error).__name__}: {error}"
        os.write(write_end, said.encode())
        os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end, "rb") as answer:
        said = answer.read().decode()
    os.waitpid(child, 0)
    return said


def is_readable(home: Path) -> bool:
    """Every artifact whole, the database sound, every run with its events in order; and it takes new work."""
    store = Store(home)
    assert all(store.find(place.name, check=True) for place in (home / "artifacts").glob("*/*"))
    with closing(sqlite3.connect(home / "runs.sqlite")) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    for record in store.runs():
        numbers = [number for number, _ in store.events(record.id)]
        assert numbers == list(range(1, len(numbers) + 1))
    journey(home, f"after-{time.monotonic_ns()}")
    return True


@pytest.mark.parametrize("stays", [False, True], ids=["once", "from then on"])
def test_whichever_of_fifty_writes_fails_is_told_and_the_store_stays_readable(stays: bool, memory_disk: Path) -> None:
    told = {n: failed_at(n, stays, memory_disk / str(n)) for n in range(1, 51)}
    wrong = [text for text in told.values() if text and not told_in_words(text)]
    assert not wrong
    assert sum(map(bool, told.values())) >= (50 if stays else 40), (
        "one that fails once may be tried again, or not matter"
    )


@pytest.fixture
def memory_disk(tmp_path: Path) -> Iterator[Path]:
    """Where a thousand flushed files take no time."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else tmp_path) as folder:
        yield Path(folder)


def failed_at(n: int, stays: bool, home: Path) -> str:
    """What was told when the n-th write of a journey failed; "" when the journey came to its end all the same."""
    journey(home, "before")

    def fail() -> None:
        with failing_write(n, home, stays) as count:
            journey(home)
        assert count.seen >= n, f"there are only {count.seen} writes"

    told = in_a_child(fail)
    assert is_readable(home)
    assert told or [one.status for one in Store(home).runs()].count("ok") == 3
    return told


def told_in_words(text: str) -> bool:
    """By the store, or by the system where the caller itself writes a file aside."""
    return "There is no space left." in text if text.startswith("WorkbenchError: ") else "No space left" in text


def test_a_full_disk_is_told_and_room_that_is_made_is_used(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 4_000_000) as disk:
        home = disk / "home"
        journey(home, "before")
        store, kept = Store(home), 0
        with pytest.raises((WorkbenchError, OSError), match=r"space|too large") as full:
            for number in range(100):
                with store.aside() as folder:
                    (folder / "model.bin").write_bytes(bytes(700_000 + 300_000 * number))
                    store.keep(f"full{number}".ljust(64, "0"), "onnx", folder, {})
                    kept += 1
        assert kept >= 1 and str(full.value)
        assert len(store.runs()) == 1 and store.find("full0".ljust(64, "0"), check=True)
        assert not list((home / "aside").iterdir())
        assert store.clean() >= 700_000 and not store.sizes()
        assert is_readable(home)


@pytest.mark.parametrize("seconds", [-86_400.0, 86_400.0], ids=["a day back", "a day on"])
def test_a_clock_that_jumps_changes_no_order_and_hides_no_run(seconds: float, tmp_path: Path) -> None:
    with jumping_clock(6, seconds):
        journey(tmp_path)
    store = Store(tmp_path)
    (record,) = store.runs()
    times = [event.at for _, event in store.events(record.id)]
    assert record.status == "ok" and times == sorted(times) and is_readable(tmp_path)
    with jumping_clock(1, seconds):
        lost, _ = store.add_run("lost", {}, "lost", {})  # whoever should have begun it is gone
    assert store.run(lost).status == "stopped"


def test_twenty_who_ask_at_once_measure_one_after_the_other_in_their_order() -> None:
    inside, order, most = 0, [], 0

    def ask(number: int) -> None:
        nonlocal inside, most
        with measuring_turn(lambda before: None):
            inside += 1
            most = max(most, inside)
            order.append(number)
            time.sleep(0.01)
            inside -= 1

    threads = []
    with measuring_turn(lambda before: None):
        for number in range(20):
            threads.append(threading.Thread(target=ask, args=(number,)))
            threads[-1].start()
            tickets = Path(tempfile.gettempdir()) / f"workbench-measuring-{os.getuid()}"
            until(lambda number=number, at=tickets: len(list(at.glob("*.ticket"))) == number + 2)  # type: ignore[misc]
        assert not order
    for thread in threads:
        thread.join(30)
    assert order == list(range(20)) and most == 1


# ---- what workers leave behind ------------------------------------------------------------------

PARENT = """
import sys, time
from pathlib import Path
from tests import jobs
from workbench import isolate
worker = isolate.start(jobs.leave_orphan, {}, isolate.Limits(seconds=60), Path(sys.argv[1]))
print(*worker.answer(), flush=True)
time.sleep(600)
"""


def test_what_a_killed_run_left_behind_is_found_and_ended_at_the_next_start(home: Path, in_background: Any,
                                                                            tmp_path: Path) -> None:  # fmt: skip
    parent = in_background(sys.executable, "-c", PARENT, str(tmp_path / "log"))
    worker, orphan = map(int, parent.stdout.readline().split())
    assert isolate.end_orphans() == [] and lives(orphan), "its parent lives"
    parent.kill()
    parent.wait()
    until(lambda: not lives(worker))
    assert lives(orphan) and workers(home) == {orphan}
    assert isolate.end_orphans() == [orphan]
    until(lambda: not lives(orphan))


def test_whoever_holds_a_token_is_hidden_from_others_of_the_same_user(tmp_path: Path) -> None:
    """The fetcher, which has it, and no worker that runs model code, which has none."""
    hidden = [
        isolate.call(jobs.is_hidden, {}, Limits(seconds=60, network=one), tmp_path / "log") for one in (True, False)
    ]
    assert hidden == [True, False]
