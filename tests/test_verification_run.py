"""A verification is a run like any other: detached, joined, followed, cancelled, begun again, in every list."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Small, command, edit
from tests.faults.processes import family, lives, until
from tests.test_running import events
from workbench import bench, open
from workbench.errors import RequestError, WorkbenchError
from workbench.event import Checked, Finished, Made, Planned, Progress, Started
from workbench.faces.board import Board, board_of_run
from workbench.faces.web import history
from workbench.faces.web import run as run_screen
from workbench.faces.web.parts.levels import levels
from workbench.faces.web.visitors import Visitors
from workbench.faces.web.watching import Watching
from workbench.store import Store
from workbench.verification import Level
from workbench.verification_run import Verifying, _whole

NAMES = ["V0", "V1", "V2", "V3", "V4", "V5"]


def ended(run: str) -> Verifying:
    for _ in bench.follow(run):
        pass
    return bench.verification_of(run)


def results(found: Verifying) -> list[str]:
    return [one.result for one in found.levels]


def page(record: Any) -> str:
    """The page's screen of a run, as whoever sits at home sees it."""
    visitors, watching = Visitors(Store()), Watching(Store())
    return run_screen.shown(record, "me", visitors, watching)


# ---- to its end ---------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_file_is_verified_by_a_runner_of_its_own_in_an_empty_folder_and_every_list_tells_it(
    home: Path, exported: Path, small: Small
) -> None:
    given = {"model": str(small.model), "data": str(small.rows)}
    run = bench.submit_verify(exported.read_text(), **given)
    assert bench.submit_verify(exported, **given) == run, "asked for twice, done once"
    begun = bench.verification_of(run)
    assert not begun.done and begun.passed is None and begun.status in ("waiting", "running")
    found = ended(run)
    assert results(found) == ["pass"] * 6, str(found)
    assert found.done and found.passed and [one.level for one in found.levels] == NAMES
    assert not any(event.reused for event in events(run) if isinstance(event, Made))
    assert Store().sizes() == [] and not list((home / "aside").iterdir())
    assert {"text/plain", "text/html"} <= found._repr_mimebundle_().keys() and str(open(run)) == str(found)

    board = board_of_run(run)
    for event in events(run):
        board = board.after(event)
    assert [one.level for one in board.levels] == NAMES and board.status == "ok"
    assert {item.state for item in board.items.values()} <= {"done", "skipped"} and board.items["speed"].state == "done"

    in_terminal(run)
    in_page(run)


def in_terminal(run: str) -> None:
    listed = command("runs").stdout
    assert "ok" in listed and "verify onnx-int8-dynamic: every promise that can be checked here holds" in listed
    assert json.loads(command("runs", "--json").stdout)[0]["kind"] == "verify"
    shown = command("show", run)
    assert shown.returncode == 0 and [line[:2] for line in shown.stdout.splitlines()[1:]] == NAMES
    said = json.loads(command("show", run, "--json").stdout)
    assert (said["schema"], said["passed"]) == ("workbench/verify@1", True) and len(said["levels"]) == 6
    followed = command("follow", run)
    assert [line[:2] for line in followed.stdout.splitlines()[:-1]] == NAMES, followed.stdout
    assert followed.stdout.splitlines()[-1] == f"{run} ok" and "Build: export-onnx" in followed.stderr
    assert command("cancel", run).stdout.strip() == "It was not running."
    refused = command("report", run)
    assert refused.returncode == 2 and "is a verification" in refused.stderr and "Traceback" not in refused.stderr


def in_page(run: str) -> None:
    from workbench.faces.web.api import functions
    from workbench.faces.web.around import Desk

    store, record = Store(), bench.record(run)
    markup = page(record)
    assert all(f"<code>{name}</code>" in markup for name in NAMES) and markup.count("pass</span>") == 6
    assert "Every promise that can be checked here holds" in markup and "<h2>Variants</h2>" not in markup
    assert run_screen.title(record, Watching(store)) == "Every promise that can be checked here holds"
    assert f'href="?run={run}">verify onnx-int8-dynamic: every promise' in history.shown("me", Visitors(store))
    api = {one.__name__: one for one in functions(Desk(store, Visitors(store), Watching(store)))}
    assert api["status"](run, "")["share"] == 1 and api["result"](run, "")["passed"] is True


@pytest.mark.slow
def test_a_changed_byte_fails_at_its_level_and_the_run_says_so_though_it_ended_well(
    home: Path, exported: Path, small: Small, tmp_path: Path
) -> None:
    import shutil

    model = Path(shutil.copytree(small.model, tmp_path / "model"))
    weights = bytearray((model / "model.safetensors").read_bytes())
    weights[-5] ^= 1
    (model / "model.safetensors").write_bytes(weights)
    found = ended(run := bench.submit_verify(exported, model=str(model), data=str(small.rows)))
    assert results(found) == ["pass", "fail"] + ["not_applicable"] * 4
    assert found.done and found.passed is False and "other bytes" in found.levels[1].why
    assert "verify onnx-int8-dynamic: not reproduced, V1 inputs fails" in command("runs").stdout
    assert "Not reproduced, V1 inputs fails" in page(bench.record(run))
    again = command("resume", run, "--json")
    assert again.returncode == 3 and json.loads(again.stdout)["passed"] is False, "there is nothing to resume"


@pytest.mark.slow
def test_what_the_store_has_is_taken_where_that_is_asked_for(warm_home: Path, exported: Path) -> None:
    found = ended(run := bench.submit_verify(exported, reuse=True))
    assert found.passed and all(event.reused for event in events(run) if isinstance(event, Made))
    assert bench.plan_of(run).variants[-1].name == "onnx-int8-dynamic"


# ---- before its end -----------------------------------------------------------------------------


@pytest.mark.slow
def test_cancel_ends_it_within_three_seconds_and_no_process_and_nothing_half_built_is_left(
    home: Path, exported: Path, small: Small
) -> None:
    store = Store()
    run = bench.submit_verify(exported, model=str(small.model), data=str(small.rows))
    until(lambda: any(isinstance(event, Started) and event.work.startswith("make-") for event in events(run)))
    processes = family(until(lambda: store.run(run).pid))
    begin = time.monotonic()
    assert bench.cancel(run)
    assert time.monotonic() - begin < 3.0
    until(lambda: not any(map(lives, processes)), 5.0)
    found = bench.verification_of(run)
    assert found.status == "cancelled" and not found.done and results(found)[:2] == ["pass", "pass"]
    assert isinstance(events(run)[-1], Finished) and not list((home / "aside").iterdir())
    shown = command("show", run)
    assert shown.returncode == 0 and "V1" in shown.stdout and "workbench resume" in shown.stderr
    assert "not checked" in page(store.run(run))


@pytest.mark.slow
def test_one_whose_runner_is_killed_is_stopped_and_begins_again_at_the_first_level(
    home: Path, exported: Path, small: Small
) -> None:
    store, given = Store(), {"model": str(small.model), "data": str(small.rows)}
    run = bench.submit_verify(exported, **given)
    until(lambda: any(isinstance(event, Started) and event.work.startswith("make-") for event in events(run)))
    processes = family(until(lambda: store.run(run).pid))
    os.kill(store.run(run).pid, signal.SIGKILL)  # type: ignore[arg-type]
    until(lambda: not any(map(lives, processes)), 20.0)
    until(lambda: bench.status(run) == "stopped")
    with pytest.raises(WorkbenchError, match="workbench resume"):
        list(bench.follow(run))
    assert bench.verification_of(run).status == "stopped" and "Stopped" in page(store.run(run))
    other = bench.submit_verify(exported, **given)
    assert other != run, "a dead run is not joined"
    bench.cancel(other)
    resumed = command("resume", run)
    assert resumed.returncode == 0, resumed.stderr
    assert [line[:2] for line in resumed.stdout.splitlines()] == NAMES
    assert bench.verification_of(run).passed and len(bench.verification_of(run).levels) == 6
    assert [event.level for event in events(run) if isinstance(event, Checked)].count("V0") == 2
    assert store.clean() > 0 and not list((home / "aside").iterdir()), "what the killed one left is cleaned up"


def test_what_is_missing_is_the_reason_of_its_end(home: Path, exported: Path) -> None:
    found = ended(run := bench.submit_verify(exported))
    assert found.status == "failed" and not found.done and found.passed is None
    assert results(found) == ["pass"] and "Give it with --model." in found.reason
    assert "Give it with --model." in command("show", run).stderr and "Give it with --model." in page(bench.record(run))


# ---- what is asked for --------------------------------------------------------------------------


def test_what_promises_nothing_is_refused_at_once_and_text_is_never_a_path(home: Path, exported: Path) -> None:
    edit(exported, lambda said: said.pop("expect"))
    for wrong in (exported, exported.read_text(), str(exported), exported.parent / "none.yaml"):
        with pytest.raises(RequestError):
            bench.submit_verify(wrong)
    assert bench.runs() == []


def test_places_are_found_from_the_folder_of_the_runner(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.csv").write_text("text")
    here = str((tmp_path / "rows.csv").resolve())
    given = ("org/name@main", "rows.csv[train]", "rows.csv", "", None)
    assert [_whole(one) for one in given] == ["org/name@main", f"{here}[train]", here, None, None]


def test_a_comparison_is_no_verification(warm_run: tuple[Path, str], home: Path) -> None:
    with pytest.raises(RequestError, match="is no verification"):
        bench.verification_of(warm_run[1], Store(warm_run[0]))


# ---- how it is drawn ----------------------------------------------------------------------------


def test_a_board_learns_what_comes_from_an_event_and_a_new_attempt_forgets_the_old_levels() -> None:
    board = Board()
    said = [
        Checked(level="V0", result="pass", why="a"), Checked(level="V1", result="pass", why="b"),
        Planned(pieces=[{"id": "m", "title": "Fetch m", "variants": []}], seconds=60),
        Started(work="x", title="Not planned"), Progress(work="y", note="never begun"),
    ]  # fmt: skip
    for event in said:
        board = board.after(event)
    assert [one.level for one in board.levels] == ["V0", "V1"] and board.seconds_estimated == 60
    assert {id: item.state for id, item in board.items.items()} == {"m": "waits", "x": "runs"}
    assert [one.why for one in board.after(Checked(level="V0", result="pass", why="new")).levels] == ["new"]


def test_levels_come_in_one_by_one_with_word_and_reason_and_no_text_is_markup() -> None:
    known = [Level("V0", "pass", "As it was."), Level("V1", "fail", "<b>other</b> & more")]
    markup = levels(known, "ok")
    assert "&lt;b&gt;other&lt;/b&gt; &amp; more" in markup and "<b>" not in markup
    assert [markup.count(word) for word in ("pass", "fail", "not checked")] == [1, 1, 4]
    running_ = levels(known[:1], "running", "Build: <i>")
    assert [running_.count(word) for word in ("checking", "waits", "Build: &lt;i&gt;")] == [1, 4, 1]
    assert levels([], "waiting").count("waits") == 6
