"""A search within bounds and a budget: it ends with the best recipe it could find, or with why there is none."""

from __future__ import annotations

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests import small as make
from tests.conftest import Small, command
from tests.faults.processes import until
from workbench import bench, machine
from workbench.errors import RequestError, WorkbenchError
from workbench.event import Event, Failed, Made, Measured, Progress, Searching, Started, Tried
from workbench.faces import snippets
from workbench.faces.board import board_of_run
from workbench.faces.live import is_news, standing
from workbench.faces.web.parts import candidates as parts
from workbench.recipe import load
from workbench.report.document import check
from workbench.store import TUNE, Store
from workbench.tuning import account, answering, improving, racing, reasons, search, space, trying
from workbench.tuning.ledger import Candidate, Ledger
from workbench.tuning.sequential import Seen

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


@pytest.mark.slow
def test_what_takes_long_to_build_is_put_off_and_nothing_is_hurried_before_something_is_built(
    small: Small, warm_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No build ends within no time: the first is not hurried, the second has its turn when that one has been raced, and
    the third, which needs the step that took long, is not even begun before."""
    monkeypatch.setattr(trying, "BUILDING", 0.0)
    monkeypatch.setattr(trying, "FEWEST_SECONDS", 0.0)
    changes: dict[str, dict[str, Any]] = {"first": {"per_channel": True}, "slow": {"per_channel": False},
                                          "third": {"weight_type": "uint8"}}  # fmt: skip
    candidates = [make.make_recipe(tmp_path, "onnx-int8-dynamic", *one) for one in changes.items()]
    asked = {"baseline": small.baseline, "data": str(small.rows), "max_drop": WIDE, "budget": 600.0}
    plan, store = bench.plan(bench.tune_request(str(small.model), candidates, fresh=True, **asked)), Store()
    run, _ = store.add_run("a search", {}, "fingerprint", plan.to_dict(), TUNE)
    said: list[Event] = []
    trier = trying.Trying(plan, store, store.run_folder(run), said.append)
    search.inputs(trier)
    search.begin(trier)
    search.race_all(trier)
    states = [(event.name, event.state) for event in said if isinstance(event, Tried)]
    assert states.index(("first", "alive")) < states.index(("slow", "alive")), states
    assert states.index(("slow", "alive")) <= states.index(("third", "alive")), states
    broken = [event for event in said if isinstance(event, Failed)]
    assert [(event.kind, event.stage) for event in broken] == [("timeout", "quantize-onnx-dynamic")], broken


@pytest.mark.slow
def test_who_is_light_answers_before_any_race_and_its_likeliest_change_is_in_the_first_heat(
    small: Small, warm_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trying, "LIGHT", 10)  # the graph of so small a model is heavier than its weights
    light = make.make_recipe(tmp_path, "onnx-int8-dynamic", "light", {"per_channel": True})
    asked = {"baseline": small.baseline, "data": str(small.rows), "max_drop": WIDE, "budget": 600.0}
    plan, store = bench.plan(bench.tune_request(str(small.model), [light], fresh=True, **asked)), Store()
    run, _ = store.add_run("a search", {}, "fingerprint", plan.to_dict(), TUNE)
    said: list[Event] = []
    trier = trying.Trying(plan, store, store.run_folder(run), said.append)
    search.inputs(trier)
    trier.answer_baseline()
    search.begin(trier)
    search.race_all(trier)
    change = "light+per-channel-false"
    tried = [event for event in said if isinstance(event, Tried)]
    before = tried[: next(i for i, event in enumerate(tried) if event.state == "races")]
    assert {event.name for event in before if event.examples and event.speedup is None} == {"light", change}
    assert trier.ledger.candidates[change].origin == {"of": "light", "changed": "per-channel-false"}
    assert names(trier.met()) and set(names(trier.met())) <= {"light", change}
    assert len([event for event in said if isinstance(event, Measured) and event.work.startswith("race-")]) == 1
    board = board_of_run(run)
    for event in [*before, *(event for event in tried if event.state == "races")]:
        board = board.after(event)
    assert board.best and board.best.name in ("light", change), "also while it is raced"
    assert parts.facts(board, 300)[-1] == ("Best so far", "not raced yet", board.best.name)
    assert standing(replace(board.best, state="alive")).startswith("meets the bar on all")
    built = [event for event in before if standing(event) == "built"]
    assert built and not any(map(is_news, built)), "its work has said so"


@pytest.mark.slow
def test_who_misses_the_bar_before_any_race_is_raced_all_the_same_since_it_may_be_repaired(
    small: Small, warm_home: Path, tmp_path: Path
) -> None:
    asked = {"baseline": small.baseline, "data": str(small.rows), "max_drop": 0.0001, "budget": 600.0}
    plan, store = bench.plan(bench.tune_request(str(small.model), [small.recipes[1]], **asked)), Store()
    run, _ = store.add_run("a search", {}, "fingerprint", plan.to_dict(), TUNE)
    trier = trying.Trying(plan, store, store.run_folder(run), lambda _: None)
    search.inputs(trier)
    trier.answer_baseline()
    search.begin(trier)
    (one,) = trier.ledger.alive
    assert not trier.look(one)
    assert trier.ledger.candidates[one.name].state == "alive" and trier.ledger.candidates[one.name].accuracy is None


@pytest.mark.slow
def test_a_first_look_is_taken_on_what_the_baseline_has_answered_and_is_no_verdict(
    small: Small, warm_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trying, "EARLY", 40)
    asked = {"baseline": small.baseline, "data": str(small.rows), "max_drop": WIDE, "budget": 600.0}
    plan, store = bench.plan(bench.tune_request(str(small.model), [small.recipes[0]], fresh=True, **asked)), Store()
    run, _ = store.add_run("a search", {}, "fingerprint", plan.to_dict(), TUNE)
    said: list[Event] = []
    trier = trying.Trying(plan, store, store.run_folder(run), said.append)
    assert trier.here.do("inputs", plan.baseline.artifact) is None
    search.begin(trier)
    (one,) = trier.ledger.alive
    assert not trier.early and not trier.look_early(one), "nothing is known of the baseline"
    trier._order = list(range(trier.here.facts("inputs")["n"]))
    seen = answering.answer_first(trier.here, plan.baseline.name, trier._order, 60)
    assert isinstance(seen, Seen)
    trier._hear(seen)
    assert trier.early and trier.look_early(one)
    after = trier.ledger.candidates[one.name]
    assert (after.first, after.examples, after.meets, after.state) == (40, 0, False, "alive")
    assert [event.first for event in said if isinstance(event, Tried)][-1] == 40
    trier.goal = replace(trier.goal, max_drop=0.0001)  # which 40 examples cannot tell of anybody
    trier.ledger.note(one.name, first=0)
    assert not trier.look_early(one) and not trier.ledger.candidates[one.name].dead, "missed early is no verdict either"
    assert not trier.here.is_there(f"predict-{one.name}"), "nothing of it is kept"


def test_of_those_about_as_fast_who_is_built_is_asked_first_and_nobody_slower_before_them() -> None:
    waiting = candidates(static=4.8, dynamic=4.5, other=4.2, fp32=2.3)
    judge: Any = SimpleNamespace(goal=SimpleNamespace(optimize="latency"))
    assert [one.name for one in search._soonest(judge, waiting)] == ["dynamic", "static", "other", "fp32"]


def test_who_is_about_as_fast_as_the_best_is_measured_in_full_and_two_in_any_case(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "search.json", 600, lambda _: None)
    met = {"constraint": "met", "delta": 0.0, "better": "higher"}
    for one in candidates(static=4.8, dynamic=4.5, other=4.2, fp32=2.3):
        ledger.add(replace(one, accuracy=met))
    assert [one.name for one in account.finalists(ledger, "latency")] == ["static", "dynamic", "other"]
    ledger.bury("dynamic", "failed", stage="predict", reason="")
    ledger.bury("other", "failed", stage="predict", reason="")
    assert [one.name for one in account.finalists(ledger, "latency")][:2] == ["static", "fp32"]


def test_who_could_not_answer_before_the_first_race_is_not_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger(tmp_path / "search.json", 600, lambda _: None)
    built = [ledger.add(Candidate(name, name)) for name in ("whole", "broken")]
    ledger.bury("broken", "failed", stage="predict", reason="")
    heats: list[list[str]] = []
    trier: Any = SimpleNamespace(ledger=ledger, met=list, race=lambda them, _: heats.append(names(them)))
    monkeypatch.setattr(search, "_ask", lambda _: None)
    search._heat(trier, built)
    search._heat(trier, built[1:])
    assert heats == [["whole"]] and ledger.candidates["broken"].state == "dead"


def test_who_was_measured_worst_is_raced_again_before_who_is_surely_a_little_slower() -> None:
    paces = {
        "sure": (5.0, [4.9, 5.1]),
        "near": (4.8, [4.7, 4.9]),
        "unsure": (4.2, [3.0, 5.6]),
        "slow": (4.2, [4.1, 4.3]),
    }
    waiting = [Candidate(name, name, pace={"speedup": speed, "ci95": ci95}) for name, (speed, ci95) in paces.items()]
    assert names(racing.maybe_best(waiting, "latency")) == ["unsure", "sure", "near"]


def test_who_gains_much_is_repaired_before_options_are_changed_and_who_gains_little_after_that(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    far, near, slow = (replace(one, lost={"why": "missed"}) for one in candidates(far=6.0, near=4.4, slow=3.9))
    trier: Any = SimpleNamespace(
        ledger=SimpleNamespace(candidates={one.name: one for one in (far, near, slow)}), time_is_up=False,
        met=lambda: candidates(met=4.0), worth=lambda one: one.pace["speedup"],
    )  # fmt: skip
    done: list[str] = []
    monkeypatch.setattr(improving, "repair", lambda _, one: done.append(one.name))
    monkeypatch.setattr(improving, "_change_values", lambda *_: None)
    monkeypatch.setattr(improving, "_change_options", lambda _: done.append("options"))
    improving.improve(trier)
    assert done == ["far", "far", "options", "far", "near", "far", "near"]


def test_an_export_for_few_recipes_comes_after_what_others_export_too() -> None:
    names = ["executorch-int8", "onnx-fp32", "onnx-int4-weights", "openvino-fp32", "openvino-int4-weights"]
    plan = bench.plan(bench.tune_request("starter:sentiment", names))
    assert [one.name for one in space.in_order(plan)][-1] == "executorch-int8"


def test_what_shares_an_export_comes_as_it_suits_the_machine_and_the_bare_export_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plan = bench.plan(bench.tune_request("starter:sentiment", ["onnx-int8-dynamic", "onnx-int8-static", "onnx-fp32"]))
    for flags, first in ((("avx2",), "onnx-int8-dynamic"), (("avx2", "avx512_vnni"), "onnx-int8-static")):
        here = replace(machine.this_machine(), architecture="x86_64", flags=flags)
        monkeypatch.setattr(machine, "this_machine", lambda here=here: here)
        assert [one.name for one in space.in_order(plan)][:2] == ["onnx-fp32", first]


def test_options_are_changed_of_all_the_fast_by_turns_and_those_of_the_last_step_first() -> None:
    assert improving.by_turns([["a1", "a2", "a3"], ["b1"], ["c1", "c2"]]) == ["a1", "b1", "c1", "a2", "c2", "a3"]
    plan = bench.plan(bench.tune_request("starter:sentiment", ["onnx-int8-dynamic"]))
    changes = [name.partition("+")[2] for name in space.speeds(plan, plan.variants[1], "latency")]
    assert changes[:2] == ["per-channel-false", "fusions-none"], changes


def a_race(asked: list[dict[str, Any]], broken: str = "") -> Any:
    """A search's hands: a call of "base" takes 40 s, of "best" 8 and of "new" 10, in rounds of one call each."""
    seconds = {"base": 40.0, "best": 8.0, "new": 10.0}

    def measured(names: list[str], kept: Path, title: str, **request: Any) -> dict[str, Any]:
        asked.append(request)
        if request["baseline"] == broken:
            raise WorkbenchError("It cannot be loaded.", "", "")

        def said(name: str) -> dict[str, Any]:
            point = {"name": "natural, batch 1", "metric": "latency", "unit": "s", "batch": 1, "sequence": None,
                     "units": 1.0, "rate_unit": "examples/s"}  # fmt: skip
            return {
                "ready": {"points": [point], "size": 1, "peak_rss": 1},
                "points": [[[seconds[name]]] * 5],
                "error": None,
            }

        return {"variants": {name: said(name) for name in (*names, request["baseline"])},
                "again": [[[seconds[request["baseline"]]]] * 5]}  # fmt: skip

    plan = SimpleNamespace(baseline=SimpleNamespace(name="base"), measure={"rounds": {"max": 300}, "time_cap_s": 60})
    return SimpleNamespace(interleaved=measured, plan=plan, folder=Path())


def test_a_race_beside_the_best_so_far_does_without_the_baseline_and_its_paces_are_of_one_scale(tmp_path: Path) -> None:
    ledger, asked = Ledger(tmp_path / "search.json", 600, lambda _: None), list[dict[str, Any]]()
    best, new = (ledger.add(Candidate(name, name)) for name in ("best", "new"))
    racing.race(a_race(asked), ledger, [best], 2.0, points=False)
    first = ledger.candidates["best"].pace
    assert (
        first and first["speedup"] == pytest.approx(5.0) and asked[-1]["race"] == {"keep": 3, "least": 2.0, "over": 1}
    )
    anchor = ledger.note("best", accuracy={"constraint": "met"}, pace=first | {"speedup": 5.5, "ci95": [5.0, 6.0]})
    racing.race(a_race(asked), ledger, [new], 2.0, points=False, anchor=anchor)
    assert asked[-1]["baseline"] == "best" and asked[-1]["race"] == {"keep": 1, "least": 1.0, "over": 0}
    pace = ledger.candidates["new"].pace
    assert pace and pace["speedup"] == pytest.approx(5.5 * 0.8) and pace["ci95"] == pytest.approx([4.0, 4.8])
    assert pace["throughput"] == pytest.approx(first["throughput"] * 0.8) and pace["verdict"] == "faster"
    assert ledger.candidates["best"].pace == anchor.pace


def test_where_the_best_so_far_cannot_be_loaded_again_the_race_is_beside_the_baseline(tmp_path: Path) -> None:
    ledger, asked = Ledger(tmp_path / "search.json", 600, lambda _: None), list[dict[str, Any]]()
    new = ledger.add(Candidate("new", "new"))
    anchor = ledger.add(Candidate("best", "best", pace={"speedup": 5.0, "ci95": [4.9, 5.1], "throughput": 0.1}))
    racing.race(a_race(asked, broken="best"), ledger, [new], None, points=False, anchor=anchor)
    assert [one["baseline"] for one in asked] == ["best", "base"]
    assert (ledger.candidates["new"].pace or {})["speedup"] == pytest.approx(4.0)
    with pytest.raises(WorkbenchError, match="cannot be loaded"):
        racing.race(a_race(asked, broken="base"), ledger, [new], None, points=False)


@pytest.mark.parametrize("optimize", ["latency", "size"])
def test_those_that_may_be_the_best_are_raced_once_more_in_one_heat(
    optimize: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger(tmp_path / "search.json", 600, lambda _: None)
    for one in candidates(static=4.8, dynamic=4.5, other=4.2, fp32=2.3):
        ledger.add(one)
    ledger.note("dynamic", accuracy={"constraint": "met"})
    heats, judged = [], []
    trier: Any = SimpleNamespace(
        ledger=ledger, goal=SimpleNamespace(optimize=optimize), time_is_up=False, until=None, enter=lambda *_: None,
        worth=lambda one: one.pace["speedup"], race=lambda them, anchor, _: heats.append(([*names(them)], anchor.name)),
    )  # fmt: skip
    monkeypatch.setattr(search, "_judge", lambda _, wanted: judged.append(wanted))
    search.race_again(trier, 0.75)
    assert heats == ([(["static", "other"], "dynamic")] if optimize == "latency" else []), "fp32 is far behind"
    assert judged == ([2] if optimize == "latency" else []), "sizes are known"


def names(them: list[Candidate]) -> list[str]:
    return [one.name for one in them]


def candidates(**speedups: float) -> list[Candidate]:
    """Raced ones; the models of some are whole already."""
    racers = {name: name if name in ("dynamic", "fp32") else f"{name}+few" for name in speedups}
    return [Candidate(name, racers[name], pace={"speedup": one, "throughput": one, "size_mb": 1.0})
            for name, one in speedups.items()]  # fmt: skip


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
