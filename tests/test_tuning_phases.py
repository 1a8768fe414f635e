"""What a search does first: who is built, who answers before a race, who is raced beside whom, who is repaired."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests import small as make
from tests.conftest import Small
from workbench import bench, machine
from workbench.errors import WorkbenchError
from workbench.event import Event, Failed, Measured, Tried
from workbench.faces.board import board_of_run
from workbench.faces.live import is_news, standing
from workbench.faces.web.parts import candidates as parts
from workbench.store import TUNE, Store
from workbench.tuning import account, answering, improving, racing, search, space, trying
from workbench.tuning.ledger import Candidate, Ledger
from workbench.tuning.sequential import Seen

WIDE = 0.1  # 120 rows can tell no small drop


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
