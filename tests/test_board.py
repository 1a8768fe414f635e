"""Every face folds the same events into the same board; without a terminal it becomes plain lines."""

from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from workbench import running, words
from workbench.event import (
    Checked,
    Event,
    Failed,
    Finished,
    Made,
    Measured,
    Planned,
    Progress,
    Searching,
    Started,
    Tried,
    from_dict,
    to_dict,
)
from workbench.faces import live
from workbench.faces.board import Board, Item, board_of
from workbench.faces.web.parts import stepper
from workbench.store import Store

ITEMS = {"export": Item("export", "Build: export", ("a", "b")), "quantize": Item("quantize", "Build: quantize", ("b",))}


def folded(*events: Event) -> Board:
    return functools.reduce(lambda board, event: board.after(event), events, Board(ITEMS, seconds_estimated=60))


def made(work: str, at: float, reused: bool = False) -> Made:
    return Made(work=work, at=at, key="k", format="onnx", seconds=at, reused=reused)


def test_a_board_follows_a_piece_from_waiting_to_done() -> None:
    start = Started(work="export", at=10, title="Build: export")
    half = Progress(work="export", at=12, done=1, total=2, note="tracing")
    assert folded().current is None and folded().counts == (0, 2)
    running_ = folded(start, half)
    assert running_.current and (running_.current.state, running_.current.note) == ("runs", "tracing")
    done = folded(start, half, made("export", 14))
    assert done.counts == (1, 2) and done.items["export"].state == "done" and done.current is None
    assert (done.elapsed, done.remaining) == (4, 56)
    assert folded(made("export", 1, reused=True)).items["export"].state == "reused"


def test_what_never_began_is_skipped_when_the_run_ends() -> None:
    failed = Failed(work="export", at=3, stage="export", what="It broke.", why="A reason.", fix="Do this.")
    board = folded(Started(work="export", at=1, title=""), failed, Finished(at=5, status="failed"))
    assert {id: item.state for id, item in board.items.items()} == {"export": "failed", "quantize": "skipped"}
    assert board.items["export"].reason == "It broke. A reason. Do this." and board.status == "failed"
    assert board.counts == (2, 2) and board.remaining == 56


def test_a_resumed_run_is_running_again() -> None:
    board = folded(Finished(at=1, status="cancelled"), Started(work="quantize", at=2, title=""))
    assert board.status == "running" and board.items["quantize"].state == "runs"


def test_an_error_of_the_run_itself_is_its_reason() -> None:
    assert folded(Failed(at=1, stage="run", what="No baseline.")).reason == "No baseline."


@pytest.mark.parametrize("event", [
    Started(work="a", at=1, title="t"), Progress(at=2, done=1, total=3, note="n"), made("a", 1),
    Planned(at=1, pieces=[{"id": "a", "title": "t", "variants": ["v"]}], seconds=2.5),
    Checked(at=1, level="V0", result="pass", why="w"), Measured(at=1, key="k", seconds=1, reused=True, facts={"n": 1}),
    Failed(at=1, stage="s", what="w"),
    Finished(at=1, status="ok", facts={"jobs_s": 1.5}),
], ids=lambda event: type(event).__name__)  # fmt: skip
def test_an_event_is_the_same_after_its_way_through_json(event: Event) -> None:
    assert from_dict(to_dict(event)) == event


def test_the_events_of_a_run_end_in_a_board_on_which_all_is_done(
    warm_run: tuple[Path, str], capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store(warm_run[0])
    plan, events = running.plan_of(warm_run[1], store), store.events(warm_run[1])
    start = board_of(plan)
    export = next(item for item in start.items.values() if item.title == "Build: export-onnx")
    assert set(export.variants) == {"onnx-fp32", "onnx-int8-dynamic"}
    board = live.watch(start, events)
    assert board.status == "ok" and {item.state for item in board.items.values()} == {"done"}
    lines = capsys.readouterr().err.splitlines()
    assert len([line for line in lines if "✓" in line]) == len(board.items) and all(
        line.startswith("[") for line in lines
    )


def test_a_line_says_how_far_a_piece_is_and_how_it_ended() -> None:
    def said(**facts: Any) -> str:
        return live.line(Item("a", "Build: a", **facts))

    assert said(state="runs", done=1, total=4, note="writing") == "◜ Build: a … 25% writing"
    assert said(state="runs") == "◜ Build: a …" and said() == "◌ Build: a"
    assert said(state="done", seconds=1.26) == "✓ Build: a: 1.3 s" and said(state="reused") == "↻ Build: a: reused"
    assert said(state="failed", reason="It broke.") == "✕ Build: a: It broke."
    assert live.clock(65) == "1:05"


def test_a_search_shows_what_is_left_of_its_budget_and_how_each_candidate_stands() -> None:
    said = [
        Searching(phase="race", left_s=300.0, at=100.0), Tried(name="a", state="waits", at=101.0),
        Tried(name="b", state="waits", at=101.0),
        Tried(name="a", state="alive", speedup=2.0, ci95=[1.9, 2.1], at=110.0),
        Tried(name="b", state="alive", speedup=3.0, ci95=[2.9, 3.1], at=112.0),
        Tried(name="b", state="dead", reason="It drops.", speedup=3.0, examples=64, at=130.0),
        Started(work="predict-a", title="Answer every example: a", at=130.0),
    ]  # fmt: skip
    board = Board()
    for event in said:
        board = board.after(event)
    assert board.remaining == 270.0 and board.phase is not None and board.phase.phase == "race"
    assert board.best is not None and board.best.name == "a"
    assert board.candidates["b"].reason == "It drops." and board.current is not None
    drawn = stepper.stepper(board, ()) + stepper.facts(board, 130.0)
    assert drawn.index("2.00x (1.90") < drawn.index("It drops.") and "1 alive" in drawn and "of 2 so far" in drawn
    later = replace(board, began=100.0, status="running")
    assert "4 min 30 s" in plain(stepper.facts(later, 130.0)), "and it goes on while nothing happens"
    assert "4 min 20 s" in plain(stepper.facts(later, 140.0))
    assert [from_dict(to_dict(event)) for event in said] == said


def plain(text: str) -> str:
    return text.replace(words.NBSP, " ")
