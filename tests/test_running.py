"""A run belongs to nobody: it survives its caller, any process can follow or cancel it, nothing is done twice."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests import small as make
from tests.conftest import Small, command, planned
from tests.faults.processes import family, lives, until
from workbench import bench, pieces, running
from workbench.errors import WorkbenchError
from workbench.event import Event, Failed, Finished, Made, Measured, Progress, Started
from workbench.store import Store


def events(run: str, store: Store | None = None) -> list[Event]:
    return [event for _, event in (store or Store()).events(run)]


def built(found: list[Event]) -> Counter[str]:
    """How often each piece of work was really done."""
    return Counter(event.work for event in found if isinstance(event, Made | Measured) and not event.reused)


def quick_plan(small: Small, **changes: Any) -> Any:
    """Two recipes that need no PyTorch once the home is warm."""
    return planned(small, baseline=small.recipes[0], recipes=[small.recipes[1]], **changes)


# ---- what the first run did ---------------------------------------------------------------------


def test_recipes_that_begin_alike_export_once(warm_run: tuple[Path, str]) -> None:
    store = Store(warm_run[0])
    found, plan = events(warm_run[1], store), bench.plan_of(warm_run[1], store)
    steps = Counter(plan.piece(event.work).job["step"] for event in found if isinstance(event, Made)
                    and plan.piece(event.work).job["do"] == "build" and not event.reused)  # fmt: skip
    assert steps == {"export-onnx": 1, "quantize-onnx-dynamic": 1}
    assert sum(plan.piece(id).job.get("step") == "export-onnx" for one in plan.variants for id in one.chain) == 2


def test_every_piece_begins_and_ends_once_and_the_run_says_it_is_finished(warm_run: tuple[Path, str]) -> None:
    store = Store(warm_run[0])
    found, plan = events(warm_run[1], store), bench.plan_of(warm_run[1], store)
    pieces = {work.id for work in plan.work} | {"speed"}
    assert Counter(event.work for event in found if isinstance(event, Started)) == Counter(pieces)
    assert built(found) == Counter(pieces)
    assert isinstance(found[-1], Finished) and found[-1].status == "ok"
    assert [event.at for event in found] == sorted(event.at for event in found)


def test_a_plan_survives_its_way_through_the_store(small: Small, warm_home: Path) -> None:
    plan = planned(small)
    said = json.loads(json.dumps(plan.to_dict()))
    again = pieces.Plan.from_dict(said)
    assert json.loads(json.dumps(again.to_dict())) == said and again.fingerprint == plan.fingerprint
    assert (again.request, again.variants, again.work, again.gaps) == (
        plan.request,
        plan.variants,
        plan.work,
        plan.gaps,
    )
    assert plan.cost["builds"] == 0 and plan.cost["reused"] == 2


# ---- a second run, begun by a process that is killed --------------------------------------------

CALLER = """
import json, sys, time
from workbench import bench
asked = json.loads(sys.argv[1])
plan = bench.plan(bench.request(asked.pop("model"), **asked))
print(bench.submit(plan), flush=True)
time.sleep(600)
"""


def test_a_run_survives_its_caller_reuses_everything_and_any_process_can_follow(
    small: Small, warm_home: Path, warm_run: tuple[Path, str], in_background: Any
) -> None:
    asked = {"model": str(small.model), "data": str(small.rows), "baseline": str(small.baseline),
             "recipes": [str(one) for one in small.recipes]}  # fmt: skip
    caller = in_background(sys.executable, "-c", CALLER, json.dumps(asked))
    run = caller.stdout.readline().strip()
    os.killpg(caller.pid, signal.SIGKILL)
    caller.wait()
    followed = command("follow", run, "--json")
    assert followed.returncode == 0, followed.stderr
    said, mine = json.loads(followed.stdout), events(run)
    assert len(said) == len(mine) and said[-1] | {"facts": {}} == {
        "event": "finished", "work": "", "at": mine[-1].at, "status": "ok", "facts": {},
    }  # fmt: skip
    assert built(mine) == {"speed": 1}  # speed is measured again, all else is reused
    assert {event.work for event in mine if isinstance(event, Made | Measured) and event.reused} == {
        work.id for work in bench.plan_of(run).work
    }
    first, second = [bench.report(one)[0] for one in (warm_run[1], run)]
    accuracy = [[row["accuracy"] for row in report["rows"]] for report in (first, second)]
    assert accuracy[0] == accuracy[1]
    assert all(row["reused"] for row in second["rows"][1:])


# ---- cancel, kill, resume -----------------------------------------------------------------------


def test_cancel_leaves_no_process_and_resume_goes_on(small: Small, warm_home: Path) -> None:
    """Three seconds are promised from the call on; what is looked at is the clock around the call alone."""
    store = Store()
    plan = quick_plan(small, fresh=True)
    run = bench.submit(plan)
    assert bench.submit(plan) == run  # asked for twice at once, done once
    until(lambda: any(isinstance(event, Started) and event.work.startswith("make-") for event in events(run)))
    pid = until(lambda: store.run(run).pid)
    processes = until(lambda: len(found := family(pid)) > 1 and found)
    begin = time.monotonic()
    assert bench.cancel(run)
    assert time.monotonic() - begin < 3.0
    assert bench.status(run) == "cancelled" and not store.alive(run)
    until(lambda: not any(map(lives, processes)), 5.0)
    assert isinstance(events(run)[-1], Finished) and not bench.cancel(run)
    assert not list((store.home / "aside").iterdir())
    killed_again_and_again_it_finishes(run, store)


def killed_again_and_again_it_finishes(run: str, store: Store) -> None:
    """kill -9 of the runner at the beginning, while building, between two steps, and while measuring."""
    plan = bench.plan_of(run)
    steps = {work.job["step"]: work.id for work in plan.work if "step" in work.job}
    moments: list[tuple[type[Event], str]] = [
        (Made, "model"), (Started, steps["export-onnx"]), (Made, steps["export-onnx"]), (Progress, "speed"),
    ]  # fmt: skip
    for kind, work in moments:
        number = len(events(run))
        bench.resume(run)
        until(lambda: any(isinstance(e, kind) and e.work == work for e in events(run)[number:]))  # noqa: B023
        processes = family(until(lambda: store.run(run).pid))
        os.kill(store.run(run).pid, signal.SIGKILL)  # type: ignore[arg-type]
        until(lambda: not any(map(lives, processes)), 20.0)  # noqa: B023
        until(lambda: bench.status(run) == "stopped")  # its last thread lets go of the lock
        with pytest.raises(WorkbenchError, match="workbench resume"):
            list(bench.follow(run))
    bench.resume(run)
    for _ in bench.follow(run):
        pass
    assert bench.status(run) == "ok"
    done = built(events(run))
    assert set(done.values()) == {1}, done  # `fresh`: everything was done anew, and nothing twice
    assert {work.id for work in plan.work if work.job["do"] in ("build", "predict", "audit")} <= set(done)
    assert all(store.find(key, check=True) for key, *_ in store.sizes())
    report, _ = bench.report(run)
    assert [row["status"] for row in report["rows"]] == ["ok", "ok"]
    assert bench.resume(run) == run and bench.status(run) == "ok"  # nothing is left to do


def test_a_run_that_is_cancelled_at_once_never_works(small: Small, warm_home: Path) -> None:
    run = bench.submit(quick_plan(small))
    assert bench.cancel(run)
    assert bench.status(run) == "cancelled"
    pid = Store().run(run).pid
    until(lambda: pid is None or not lives(pid), 10.0)
    assert isinstance(events(run)[-1], Finished)


def test_a_runner_that_cannot_begin_is_told_with_its_log(small: Small, warm_home: Path) -> None:
    store = Store()
    plan = quick_plan(small)
    run, _ = store.add_run("title", plan.to_dict()["request"], plan.fingerprint, {"no": "plan"})
    running.resume(run, store)
    with pytest.raises(WorkbenchError) as caught:
        list(bench.follow(run))
    assert (
        "runner.log" in caught.value.why and "Traceback" in (store.run_folder(run) / "log" / "runner.log").read_text()
    )


# ---- one broken recipe --------------------------------------------------------------------------


def test_a_recipe_that_fails_to_build_leaves_the_others_whole(small: Small, warm_home: Path, tmp_path: Path) -> None:
    broken = make.make_recipe(tmp_path, "onnx-int8-dynamic", "broken", {"exclude": ["no such operator*"]})
    done = command("compare", str(small.model), "--data", str(small.rows), "--baseline", str(small.recipes[0]), "-r",
                   str(small.recipes[1]), "-r", str(broken), "--out", str(tmp_path / "out"), "--json")  # fmt: skip
    assert done.returncode == 1, done.stderr  # a recipe that was named failed
    rows = {row["name"]: row for row in json.loads(done.stdout)["rows"]}
    assert {name: row["status"] for name, row in rows.items()} == {
        "onnx-fp32": "ok", "onnx-int8-dynamic": "ok", "broken": "failed",
    }  # fmt: skip
    assert "quantize-onnx-dynamic" in rows["broken"]["reason"] and "no such operator*" in rows["broken"]["reason"]
    assert rows["onnx-int8-dynamic"]["speed"]["speedup"] > 0
    run = bench.runs()[0].id
    failed = [event for event in events(run) if isinstance(event, Failed)]
    assert len(failed) == 1 and failed[0].stage == "quantize-onnx-dynamic" and Path(failed[0].log).is_file()
    out = tmp_path / "out"
    assert sorted(path.stem for path in (out / "recipes").iterdir()) == ["onnx-fp32", "onnx-int8-dynamic"]
    assert sorted(path.name for path in (out / "models").iterdir()) == ["onnx-fp32", "onnx-int8-dynamic"]


# ---- one at a time ------------------------------------------------------------------------------

TURN = """
import sys
from workbench.turns import measuring_turn
with measuring_turn(lambda before: print("waits for", before, flush=True)):
    print("in", flush=True)
    sys.stdin.readline()
print("out", flush=True)
"""


def test_measuring_goes_in_order_and_a_killed_holder_frees_its_turn(in_background: Any) -> None:
    import subprocess

    def ask() -> Any:
        return in_background(sys.executable, "-c", TURN, stdin=subprocess.PIPE)

    first = ask()
    assert first.stdout.readline() == "in\n"
    second = ask()
    assert second.stdout.readline() == "waits for 1\n"
    third = ask()
    assert third.stdout.readline() == "waits for 2\n"
    first.kill()
    assert second.stdout.readline() == "in\n"
    assert third.stdout.readline() == "waits for 1\n"
    second.stdin.write("\n")
    second.stdin.flush()
    assert second.stdout.readline() == "out\n" and third.stdout.readline() == "in\n"
