"""A search within bounds and a budget: it ends with the best recipe it could find, or with why there is none."""

from __future__ import annotations

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests import small as make
from tests.conftest import Small, command
from tests.faults.processes import until
from workbench import bench
from workbench.errors import RequestError
from workbench.event import Event, Made, Measured, Progress, Searching, Started, Tried
from workbench.faces import snippets
from workbench.faces.board import board_of_run
from workbench.recipe import load
from workbench.report.document import check
from workbench.store import Store
from workbench.tuning import improving, reasons
from workbench.tuning.ledger import Candidate, Ledger

WIDE = 0.1  # 120 rows can tell no small drop; the bad one loses about as much


def words(small: Small, *more: str) -> list[str]:
    return [str(small.model), "--data", str(small.rows), "--baseline", str(small.baseline), "-r", str(small.recipes[0]),
            "--max-drop", str(WIDE), "--budget", "10m", *more]  # fmt: skip


@pytest.fixture(scope="module")
def tuned(small: Small, warm_run: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """`workbench tune` for the smallest model, from a recipe that calibrates badly: (what it said, folder). Sizes are
    the same on every machine, so the search takes the same way on each."""
    import shutil

    folder = tmp_path_factory.mktemp("tuned")
    shutil.copytree(warm_run[0], folder / "home")
    bad = make.make_recipe(folder, "onnx-int8-static", "clipped", {"calibration": "percentile", "percentile": 51.0})
    calibration = make.make_rows(folder / "calibration.csv", 64, seed=9)
    said = [str(small.model), "--data", str(small.rows), "--calibration", str(calibration), "-r", str(bad),
            "--baseline", str(small.recipes[0]), "--max-drop", str(WIDE), "--optimize", "size", "--json"]  # fmt: skip
    done = command("tune", *said, cwd=folder, WORKBENCH_HOME=str(folder / "home"))
    return done, folder


def events(run: str) -> list[Event]:
    return [event for _, event in Store().events(run)]


# ---- a whole search -----------------------------------------------------------------------------


@pytest.mark.slow
def test_a_search_ends_with_a_report_a_winner_and_a_reason_for_every_other(tuned: Any) -> None:
    done, _ = tuned
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    check(report)
    search = report["search"]
    told = {one["name"]: one for one in search["tried"]}
    assert "clipped" in told and search["best_so_far"] == report["best"]
    assert report["best"] == search["winner"] and told[report["best"]]["state"] == "best"
    assert all(one["reason"] for name, one in told.items() if name != report["best"])
    assert search["candidates"] == len(told) and search["budget_s"] == 600 and 0 < search["spent_s"] < 600
    rows = {row["name"]: row for row in report["rows"]}
    assert rows[report["best"]]["status"] == "ok" and rows[report["best"]]["accuracy"]["constraint"] == "met"
    assert all(row["reason"] for row in rows.values() if row["status"] != "ok")
    assert search["runner_up"] in {None, *rows} and set(told) <= set(rows)
    assert search["test"]["kind"] == "net" and 0 < search["test"]["wrong_kill_any"] < 1


@pytest.mark.slow
def test_the_winner_is_a_recipe_like_any_other_whose_lock_tells_of_the_search(tuned: Any) -> None:
    done, folder = tuned
    report = json.loads(done.stdout)
    (out,) = (folder / "runs").iterdir()
    found = load(out / "recipes" / f"{report['best']}.yaml")
    assert found.lock and found.lock.search and found.expect and not found.is_edited()
    assert found.lock.search.candidates == len(report["search"]["tried"]) and found.lock.search.budget_s == 600
    assert any((out / "models" / report["best"]).iterdir())


@pytest.mark.slow
def test_a_face_sees_budget_candidates_and_the_best_so_far(tuned: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    done, folder = tuned
    monkeypatch.setenv("WORKBENCH_HOME", str(folder / "home"))
    run = bench.runs()[0]
    assert run.kind == "tune" and "candidates" in run.title
    board = board_of_run(run.id)
    for event in events(run.id):
        board = board.after(event)
    best = json.loads(done.stdout)["best"]
    assert board.status == "ok" and board.best is not None and board.best.name == best
    assert board.phase is not None and 0 < board.remaining < 600
    phases = [event.phase for event in events(run.id) if isinstance(event, Searching)]
    assert phases[:3] == ["inputs", "race", "answers"] and phases[-1] == "confirm", phases
    assert phases.count("improve") == 1, phases
    assert set(phases[3:-1]) == {"race", "answers", "improve"}, "the fastest of each heat answer"
    dead = [one for one in board.candidates.values() if one.state == "dead"]
    assert dead and all(one.reason for one in dead)
    assert bench.comparison(run.id).best is not None  # read again, as any run


@pytest.mark.slow
def test_what_is_better_and_fails_is_repaired_operator_by_operator_without_calibrating_again(
    tuned: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    done, folder = tuned
    monkeypatch.setenv("WORKBENCH_HOME", str(folder / "home"))
    run = bench.runs()[0].id
    plan, made = bench.plan_of(run), {one.work: one.facts for one in events(run) if isinstance(one, Made)}
    search = json.loads(done.stdout)["search"]
    told = {one["name"]: one for one in search["tried"]}
    assert told["clipped"]["lost"]["why"] in improving.INACCURATE
    repaired = [one for one in search["tried"] if (one["origin"] or {}).get("kept")]
    assert [one["origin"]["kept"] for one in repaired][:2] == [1, 2]
    for one in repaired:
        ranked = [row["name"] for row in search["rankings"][one["origin"]["of"]]]
        assert one["origin"]["operators"] == ranked[: one["origin"]["kept"]]
        assert made[plan.piece(f"predict-{one['name']}").after[-1]]["calibrated_anew"] is False
    page = next((folder / "runs").glob("*/report.html")).read_text()
    assert "What costs most in clipped" in page and "given up with a chance" in page


@pytest.mark.slow
def test_nothing_meets_the_goal_is_an_answer_too(small: Small, warm_home: Path, tmp_path: Path) -> None:
    done = command("tune", *words(small, "--min-speedup", "1000", "--json"), cwd=tmp_path)
    assert done.returncode == 3, done.stderr
    report = json.loads(done.stdout)
    check(report)
    assert report["best"] is None and report["search"]["winner"] is None
    assert {one["lost"]["why"] for one in report["search"]["tried"]} == {"below_speedup"}
    assert report["search"]["best_so_far"] == "onnx-fp32"
    assert "at least 1,000x is asked for" in report["search"]["tried"][0]["reason"]


@pytest.mark.slow
def test_killed_again_and_again_a_search_goes_on_and_makes_nothing_twice(small: Small, warm_home: Path) -> None:
    store = Store()
    asked = {"baseline": small.recipes[0], "data": str(small.rows), "max_drop": 0.5, "budget": 600.0,
             "optimize": "size"}  # fmt: skip  # where INT8 products saturate this model loses a tenth
    plan = bench.plan(bench.tune_request(str(small.model), [small.recipes[1]], fresh=True, **asked))
    run = bench.submit(plan)
    moments: list[Callable[[Event], bool]] = [
        lambda event: isinstance(event, Started) and event.work.startswith("make-"),
        lambda event: isinstance(event, Progress) and event.work.startswith("race-"),
        lambda event: isinstance(event, Searching) and event.phase == "answers",
        lambda event: isinstance(event, Progress) and event.work == "speed",
    ]
    number = 0
    for reached in moments:
        until(lambda: any(reached(event) for event in events(run)[number:]))  # noqa: B023
        pid = until(lambda: store.run(run).pid)
        os.kill(pid, signal.SIGKILL)
        until(lambda: bench.status(run) == "stopped")
        number = len(events(run))
        bench.resume(run)
    for _ in bench.follow(run):
        pass
    assert bench.status(run) == "ok", (store.run_folder(run) / "log" / "runner.log").read_text()
    done = Counter(event.work for event in events(run) if isinstance(event, Made | Measured) and not event.reused)
    assert set(done.values()) == {1}, done
    report, _ = bench.report(run)
    assert report["best"].startswith("onnx-int8-dynamic") and report["search"]["spent_s"] > 0
    last = {event.name: event.state for event in events(run) if isinstance(event, Tried)}
    assert [name for name, state in last.items() if state == "best"] == [report["best"]]


# ---- what was asked for -------------------------------------------------------------------------


def test_bounds_are_constraints_of_every_recipe() -> None:
    request = bench.tune_request(
        "starter:sentiment", ["onnx-fp32"], max_drop=0.02, relative=True, min_speedup=1.5, max_size=40,
        max_memory=900, optimize="size", budget="1h30m", baseline="pytorch-fp32",
    )  # fmt: skip
    assert request.budget_s == 5400 and request.verb == "tune"
    for document in (request.baseline, *request.recipes):
        goal = document["spec"]["goal"]
        assert goal["optimize"] == "size"
        assert [{k: v for k, v in one.items() if k not in ("confidence", "kind")} for one in goal["constraints"]] == [
            {"max_drop": 0.02}, {"min_speedup": 1.5}, {"max_size_mb": 40.0}, {"max_memory_mb": 900.0},
        ]  # fmt: skip
        assert goal["constraints"][0]["kind"] == "relative"


def test_a_search_is_asked_for_again_by_its_command_and_in_python() -> None:
    asked = bench.tune_request("starter:sentiment", ["onnx-fp32"], max_drop=0.02, relative=True, min_speedup=2,
                               max_size=50, optimize="size", budget="90s", quick=True)  # fmt: skip
    assert snippets.command(asked) == (
        "workbench tune starter:sentiment -r onnx-fp32 --max-drop 0.02 --relative --min-speedup 2 --max-size 50 "
        "--optimize size --budget 90s --quick"
    )
    said: dict[str, Any] = {}
    exec(snippets.python(asked).replace("import workbench", "").replace("comparison.to_frame()", ""), {
        "workbench": SimpleNamespace(tune=lambda *models, **words: said.update(words, model=models))})  # fmt: skip
    assert bench.tune_request(*said.pop("model"), **said) == asked
    other = bench.request(
        "starter:sentiment", baseline="onnx-fp32", data="a.csv", fields={"text": "said"}, max_drop=0.005
    )
    assert snippets.command(other) == (
        "workbench compare starter:sentiment --baseline onnx-fp32 --data a.csv --fields text=said --max-drop 0.005"
    )
    whole = bench.tune_request("starter:sentiment")
    assert snippets.command(whole) == "workbench tune starter:sentiment --max-drop 0.01 --budget 600s"


def test_without_recipes_the_whole_shelf_is_searched() -> None:
    request = bench.tune_request("starter:sentiment")
    assert len(request.recipes) == len(bench.shelf()) and not request.named and request.budget_s == 600


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"budget": "ten minutes"}, "is no time"), ({"budget": "10"}, "is no time"), ({"budget": ""}, "is no time"),
        ({"budget": "1s"}, "too short"), ({"max_drop": 1.0}, "not a fraction"), ({"min_speedup": 0}, "can't be met"),
        ({"max_size": -1}, "can't be met"), ({"optimize": "joy"}, "Nothing optimizes"),
    ],
)  # fmt: skip
def test_what_cannot_be_searched_for_is_refused(asked: dict[str, Any], said: str) -> None:
    with pytest.raises(RequestError, match=said):
        bench.tune_request("starter:sentiment", **asked)


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("10m", 600), ("10min", 600), ("1h30m", 5400), (45, 45)])
def test_a_budget_is_said_with_its_unit(text: str | float, seconds: float) -> None:
    assert bench.seconds_of(text) == seconds


# ---- the ledger ---------------------------------------------------------------------------------


def test_what_a_search_knows_survives_its_end_and_time_goes_on_counting(tmp_path: Path) -> None:
    said: list[Event] = []
    first = Ledger(tmp_path / "search.json", 100.0, said.append)
    first.add(Candidate("a", "a+few"))
    first.note("a", pace={"speedup": 2.0, "ci95": [1.9, 2.1]}, state="alive")
    first.add(Candidate("b", "b"))
    first.bury("b", "below_speedup", speedup=1.1, ci95=[1.0, 1.2], bar=1.5)
    time.sleep(0.05)
    first.enter("race")
    second = Ledger(tmp_path / "search.json", 100.0, said.append)
    assert second.candidates == first.candidates and second.spent >= 0.05 and second.left < 100
    assert [one.name for one in second.alive] == ["a"] and second.candidates["b"].dead
    assert second.add(Candidate("b", "other")).racer == "b"
    tried = [event for event in said if isinstance(event, Tried) and event.name == "b"]
    assert tried[-1].state == "dead" and tried[-1].reason.startswith("Too slow: 1.10x (1.00–1.20)")


def test_every_reason_is_a_sentence() -> None:
    facts = {"mine": 1.5, "best": 2.0, "than": "x", "speedup": 1.5, "ci95": [1.4, 1.6], "bar": 2.0, "mb": 91.0,
             "examples": 100, "n": 1000, "lost": 30, "made_up": 9, "allowed": 4, "change": None, "unit": "fraction",
             "delta": -0.03, "stage": "export-onnx", "reason": "It broke.", "before": "was built", "kept": 8,
             "enough": 6, "seconds": 72.0}  # fmt: skip
    for why in reasons.SAID:
        said = reasons.in_words({"why": why, **facts})
        assert said.endswith(".") and said[0].isupper() and "None" not in said


# ---- repair: how few operators ------------------------------------------------------------------


@pytest.mark.parametrize("enough", [1, 2, 3, 7, 8, 19, 20])
def test_the_fewest_operators_are_found_with_few_trials(enough: int) -> None:
    tried: list[int] = []

    def passes(count: int) -> bool:
        tried.append(count)
        return count >= enough

    found = improving.fewest(passes, 20, lambda: False)
    assert found is not None and enough <= found <= enough + max(1, found // 8)
    assert len(tried) == len(set(tried)) <= 9


def test_a_model_that_no_repair_saves_is_left_after_its_largest_repair() -> None:
    tried: list[int] = []
    assert improving.fewest(lambda count: bool(tried.append(count)), 20, lambda: False) is None
    assert tried == [1, 2, 4, 8, 16, 20]
    assert improving.fewest(lambda count: True, 20, lambda: True) is None
