"""A measuring block is closed: a request and folders in, one result out; who is broken hides nobody."""

from __future__ import annotations

import itertools
import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests import small as make
from tests.conftest import Small
from workbench import block, machine, running
from workbench.errors import WorkbenchError
from workbench.probes.speed import Speed
from workbench.store import Store
from workbench.tasks.text_classification import TextClassification

VARIANTS = ("onnx-fp32", "onnx-int8-dynamic")


@pytest.fixture
def request_(small: Small, warm_run: tuple[Path, str]) -> dict[str, Any]:
    """What a runner hands to the block, for two recipes whose runtime starts quickly."""
    store = Store(warm_run[0])
    plan = running.plan_of(warm_run[1], store)

    def path(id: str) -> str:
        found = store.find(plan.piece(id).key)
        assert found is not None
        return str(found.path)

    variants = [one for one in plan.variants if one.name in VARIANTS]
    rows = store.find(plan.piece("inputs").job["rows"])
    assert rows is not None
    return {
        "task": plan.task, "baseline": VARIANTS[0], "inputs": path("inputs"), "rows": str(rows.path),
        "model": path("model"), "examples": 120, "threads": 1, "cores": machine.usable_cores(), "seed": 3,
        "measure": make.BLINK | {"rounds": {"min": 3, "max": 6}, "target_half_width": 1e-9},
        "variants": [{"name": one.name, "backend": one.backend, "device": one.device, "threads": 1, "bytes": 100_000,
                      "options": one.options, "folder": path(one.artifact), "inputs": path("inputs")}
                     for one in variants],
    }  # fmt: skip


def run(request: dict[str, Any], tmp_path: Path, **changes: Any) -> dict[str, Any]:
    request = json.loads(json.dumps(request | changes))  # it can travel
    result = block.run(request, tmp_path / "log", lambda *_: None)
    return dict(json.loads(json.dumps(result, allow_nan=False)))


ALONE = """
import json, sys
from pathlib import Path
from workbench import block
said = []
result = block.run(json.load(sys.stdin), Path(sys.argv[1]), lambda done, total, note: said.append(note))
print(json.dumps({"result": result, "said": said}, allow_nan=False))
"""


def test_a_block_runs_in_an_empty_home_from_a_request_and_folders(request_: dict[str, Any], tmp_path: Path) -> None:
    env = {name: value for name, value in os.environ.items() if name != "WORKBENCH_HOME"} | {
        "HOME": str(tmp_path / "nobody")
    }
    done = subprocess.run(
        [sys.executable, "-c", ALONE, str(tmp_path / "log")], input=json.dumps(request_), env=env, cwd=tmp_path,
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    result, said = json.loads(done.stdout)["result"], json.loads(done.stdout)["said"]
    assert not (tmp_path / "nobody" / ".cache" / "workbench").exists()
    assert result["parked"] and result["stopped"] == "rounds" and len(result["rounds"]) == 6
    assert "loading onnx-fp32" in said and any(note.startswith("round 5") for note in said)
    _has_the_shape(result, rounds=6)


def _has_the_shape(result: dict[str, Any], rounds: int) -> None:
    for kept in result["variants"].values():
        assert kept["error"] is None and kept["ready"]["peak_rss"] > 1e6 and kept["ready"]["load_s"] > 0
        assert [point["name"] for point in kept["ready"]["points"]] == ["natural, batch 1", "16 tokens, batch 1"]
        headline, other = kept["points"]
        assert [len(calls) for calls in headline] == [2] * rounds and min(min(calls) for calls in headline) > 0
        assert len(other) >= 3 and all(len(calls) == block.POINT_CALLS for calls in other)
        assert kept["ready"]["read_s"] > 0
    assert [len(one) for one in result["again"]] == [rounds, len(result["variants"][VARIANTS[0]]["points"][1])]
    assert [len(calls) for calls in result["processing"]] == [2] * rounds
    assert all(0 <= one["foreign"] <= 1 and one["seconds"] > 0 for one in result["rounds"])


def test_a_round_visits_everybody_once_and_the_baseline_twice_in_random_order(
    request_: dict[str, Any], tmp_path: Path
) -> None:
    result = run(request_, tmp_path, rows="")
    orders = [tuple(one["order"]) for one in result["rounds"]]
    assert all(Counter(order) == Counter([*VARIANTS, block.AGAIN]) for order in orders)
    assert len(set(orders)) > 1 and not result["processing"]


def test_all_visits_of_a_round_take_the_same_examples(request_: dict[str, Any], tmp_path: Path) -> None:
    turns: list[tuple[str, Any]] = []

    class Seat(block._Seat):
        def take(self, turn: dict[str, Any]) -> dict[str, Any]:
            turns.append((self.log.stem, dict(turn)))
            return super().take(turn)

    patch = pytest.MonkeyPatch()
    patch.setattr(block, "_Seat", Seat)
    try:
        run(request_, tmp_path)
    finally:
        patch.undo()
    headline = [(name, turn) for name, turn in turns if turn.get("point", 0) == block.HEADLINE and turn["calls"] > 1]
    starts = [turn["start"] for _, turn in headline]
    assert Counter(starts) == {0: 4, 2: 4, 4: 4, 6: 4, 8: 4, 10: 4}  # two variants, one again, pre-processing
    assert starts == sorted(starts) and {turn["calls"] for _, turn in headline} == {2}
    models = [name for name, _ in turns if block.PROCESSOR not in name]
    assert len(set(models)) == 2 and all(one != other for one, other in itertools.pairwise(models)), (
        "nobody twice in a row"
    )


def test_a_broken_variant_leaves_the_others(request_: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    request_["variants"][1]["folder"] = str(tmp_path / "empty")
    result = run(request_, tmp_path)
    assert result["variants"][VARIANTS[1]]["error"]["what"]
    assert len(result["variants"][VARIANTS[0]]["points"][0]) == 6 and result["half_width"] > 0


class Breaking(block._Seat):
    """A seat whose worker is killed before its third turn."""

    broken = ""

    def take(self, turn: dict[str, Any]) -> dict[str, Any]:
        if self.log.stem == f"measure-{self.broken}" and turn["start"] == 4:
            assert self.worker is not None
            self.worker.process.kill()
        return super().take(turn)


@pytest.mark.parametrize("name", [VARIANTS[1], block.PROCESSOR])
def test_who_dies_while_measuring_is_out_and_the_rest_goes_on(
    name: str, request_: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Breaking, "broken", name)
    monkeypatch.setattr(block, "_Seat", Breaking)
    result = run(request_, tmp_path)
    assert len(result["variants"][VARIANTS[0]]["points"][0]) == len(result["again"][0]) == 6
    if name == block.PROCESSOR:
        assert not result["processing"] and not result["variants"][VARIANTS[1]]["error"]
    else:
        assert "SIGKILL" in result["variants"][name]["error"]["what"]


def test_without_the_baseline_there_is_nothing_to_compare(
    request_: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Breaking, "broken", VARIANTS[0])
    monkeypatch.setattr(block, "_Seat", Breaking)
    with pytest.raises(WorkbenchError, match="SIGKILL"):
        run(request_, tmp_path)


def test_models_too_large_to_park_take_turns_in_fresh_processes(request_: dict[str, Any], tmp_path: Path) -> None:
    for variant in request_["variants"]:
        variant["bytes"] = machine.memory_limit()
    request_["measure"]["rounds"] = {"min": 3, "max": 3}
    result = run(request_, tmp_path, rows="")
    assert not result["parked"] and not result["processing"]
    _has_the_shape(result | {"processing": [[0, 0]] * 3}, rounds=3)


# ---- when to stop: logic with made-up seconds ---------------------------------------------------


class Pretended(block._Block):
    """Rounds whose seconds come from `seconds(name, number)` instead of workers."""

    def __init__(self, settings: dict[str, Any], seconds: Any) -> None:
        variants = [{"name": name, "bytes": 1} for name in VARIANTS]
        measure = make.BLINK | {"calls_per_round": 4, "target_half_width": 0.015, "time_cap_s": 1e9} | settings
        super().__init__({"variants": variants, "measure": measure, "seed": 1, "examples": 10, "baseline": VARIANTS[0]},
                         Path(), lambda *_: None)  # fmt: skip
        self.seconds, self.turns = seconds, 0
        self.seats = {name: _Pretending(self, name) for name in VARIANTS}  # type: ignore[misc]
        self.variants = {name: {"ready": {"points": [{"metric": "latency"}]}, "points": [[]], "error": None}
                         for name in VARIANTS}  # fmt: skip
        self.again = [[]]


class _Pretending:
    def __init__(self, owner: Pretended, name: str) -> None:
        self.owner, self.name = owner, name

    def take(self, turn: dict[str, Any]) -> dict[str, Any]:
        return {"latency": [self.owner.seconds(self.name) for _ in range(turn["calls"])], "cpu": 0.0}

    def close(self) -> None:
        pass


def noisy(share: float) -> Any:
    chance = random.Random(5)
    return lambda name: (1.0 if name == VARIANTS[0] else 0.5) * chance.uniform(1 - share, 1 + share)


def stopped(settings: dict[str, Any], seconds: Any) -> Pretended:
    pretended = Pretended({"rounds": {"min": 10, "max": 400}} | settings, seconds)
    pretended.headline()
    return pretended


class _Sleeper:
    """A session that counts its calls; each takes `seconds`."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.calls = seconds, 0

    def infer(self, batch: Any) -> Any:
        self.calls += 1
        time.sleep(self.seconds)
        return {}

    def wait(self) -> None:
        pass


@pytest.mark.parametrize(("seconds", "fewest", "most"), [(0.005, 10, 18 + 2), (0.03, 10, 10), (0.08, 9, 9)])
def test_a_turn_warms_up_for_a_moment_with_two_calls_at_least_or_a_long_one(
    seconds: float, fewest: int, most: int
) -> None:
    session: Any = _Sleeper(seconds)
    said = Speed().measure(task=TextClassification(), session=session, batches=[{}] * 8, warmup=2)
    assert len(said["latency"]) == 8 and fewest <= session.calls <= most


def test_measuring_stops_when_every_interval_is_narrow_but_not_before_the_fewest_rounds() -> None:
    quiet = stopped({}, noisy(0.001))
    assert quiet.stopped == "half_width" and len(quiet.rounds) == 10 and quiet.half_width <= 0.015
    loud = stopped({}, noisy(0.1))
    assert loud.stopped == "half_width" and len(loud.rounds) > 20 and loud.half_width <= 0.015
    assert len(loud.again[0]) == len(loud.rounds)


def test_measuring_stops_at_the_most_rounds_or_at_the_time_cap() -> None:
    assert stopped({"rounds": {"min": 3, "max": 12}}, noisy(0.5)).stopped == "rounds"
    capped = stopped({"time_cap_s": 1e-9}, noisy(0.5))
    assert capped.stopped == "time_cap" and len(capped.rounds) == 3  # with fewer there is no interval
    assert capped.half_width < float("inf")


def raced(race: dict[str, Any], times: dict[str, float]) -> Pretended:
    """Of three whose calls take so many times what the baseline's do: it, a second and `slow`."""
    pretended = Pretended(
        {"rounds": {"min": 5, "max": 40}, "target_half_width": 1e-9},
        lambda name: quiet(VARIANTS[0]) * times.get(name, 1.0),
    )
    quiet, pretended.request["race"] = noisy(0.01), {"least": None, "over": 1} | race
    pretended.seats |= {"slow": _Pretending(pretended, "slow")}  # type: ignore[dict-item]
    pretended.variants["slow"] = {"ready": {"points": [{"metric": "latency"}]}, "points": [[]], "error": None}
    pretended.headline()
    return pretended


def test_a_race_ends_when_one_is_left_and_not_where_only_one_came() -> None:
    second = VARIANTS[1]
    told = raced({"keep": 1}, {second: 0.5, "slow": 1.5})
    assert told.stopped == "race" and len(told.rounds) == 5 and "slow" not in told.seats
    assert raced({"keep": 2}, {second: 0.5, "slow": 1.5}).stopped == "rounds", "two are to stay"
    assert raced({"keep": 1}, {second: 0.5, "slow": 0.5}).stopped == "rounds", "equals are not told apart"


def test_where_the_baseline_takes_part_a_race_goes_on_until_nobody_is_left_beside_it() -> None:
    beside = {"keep": 1, "least": 1.0, "over": 0}
    assert raced(beside, {VARIANTS[1]: 1.2, "slow": 1.5}).stopped == "race", "all are surely slower than it"
    told = raced(beside, {VARIANTS[1]: 0.8, "slow": 1.5})
    assert told.stopped == "rounds" and "slow" not in told.seats, "how much faster one is, is still asked"


def test_in_a_race_all_are_measured_though_the_baseline_loads_beside_the_others(
    request_: dict[str, Any], tmp_path: Path
) -> None:
    result = run(request_, tmp_path, race={"keep": 3, "least": None, "over": 1})
    assert set(result["variants"]) == set(VARIANTS) and len(result["again"][0]) == len(result["rounds"]) >= 3
    assert all(len(one["points"][0]) == len(result["rounds"]) for one in result["variants"].values())


def test_the_time_cap_grows_with_variants_beyond_nine() -> None:
    def cap(count: int) -> float:
        request = {"variants": [{"bytes": 1}] * count, "measure": {"time_cap_s": 60}, "seed": 1, "examples": 10}
        return block._Block(request, Path(), lambda *_: None).cap

    assert (cap(2), cap(9), cap(18)) == (60, 60, 120)


def test_a_point_that_one_variant_alone_has_is_visited_there_alone() -> None:
    pretended = Pretended({}, noisy(0.01))
    shared, own = ({"name": name, "metric": "latency"} for name in ("natural, batch 1", "natural, 2 in flight"))
    for name, kept in pretended.variants.items():
        kept["ready"] = {"points": [shared, own] if name == VARIANTS[1] else [shared]}
        kept["points"] = [[] for _ in kept["ready"]["points"]]
    pretended.others()
    assert [len(rounds) for rounds in pretended.variants[VARIANTS[1]]["points"]] == [0, block.POINT_ROUNDS]
    assert pretended.variants[VARIANTS[0]]["points"] == [[]] == pretended.again
