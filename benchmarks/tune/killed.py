"""A search that is killed (SIGKILL) at ten random moments and resumed ends with the same winner, or one not slower.

    python -m benchmarks.tune.killed [--budget 10m]

Moments are drawn over the time that an undisturbed search took. Run it on a machine that does nothing else. Writes
docs/results/tune-killed.md.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.machine_line import machine_line
from benchmarks.tune.searching import RESULTS, counted, row, speed

KILLS, SEED = 10, 7
RECIPES = ("onnx-fp32", "onnx-int8-dynamic", "onnx-int8-static", "openvino-int8")


def main(budget: str = "10m") -> None:
    with tempfile.TemporaryDirectory() as folder:
        whole, seconds, _ = _search(Path(folder) / "whole", budget, [])
        chance = random.Random(SEED)
        # A search that is killed and does nothing twice goes on for about as long as before.
        moments = sorted(chance.uniform(2.0, 0.95 * seconds) for _ in range(KILLS))
        pauses = [later - sooner for sooner, later in zip([0.0, *moments], moments, strict=False)]
        killed, took, again = _search(Path(folder) / "killed", budget, pauses)
    text = "\n".join([
        "# A search killed ten times", "", machine_line(), "",
        f"`workbench tune starter:sentiment --budget {budget}` over {', '.join(RECIPES)}.", "",
        f"- Undisturbed: {_winner(whole)} {counted(whole)}",
        f"- Killed {again} times by SIGKILL, each time resumed: {_winner(killed)} {counted(killed)} "
        f"{took:.0f} s in all, against {seconds:.0f} s.",
        "", "Made by `python -m benchmarks.tune.killed`.", "",
    ])  # fmt: skip
    (RESULTS / "tune-killed.md").write_text(text)
    print(text)


def _winner(report: dict[str, Any]) -> str:
    if report["best"] is None:
        return "nothing met the bar."
    return f"`{report['best']}`, {speed(row(report, report['best']))}."


def _search(home: Path, budget: str, pauses: list[float]) -> tuple[dict[str, Any], float, int]:
    """A search whose runner is killed after each of these pauses: its report, wall seconds, and how often it was."""
    from workbench import bench
    from workbench.store import Store

    store, begin, killed = Store(home), time.monotonic(), 0
    asked = bench.tune_request("starter:sentiment", list(RECIPES), max_drop=0.01, budget=budget)
    run = bench.submit(bench.plan(asked, store), store)
    for pause in pauses:
        end = time.monotonic() + pause
        while time.monotonic() < end and store.alive(run):
            time.sleep(0.05)
        pid = store.run(run).pid
        if pid is None or not store.alive(run):
            continue
        os.kill(pid, signal.SIGKILL)
        killed += 1
        while bench.status(run, store) != "stopped":
            time.sleep(0.05)
        bench.resume(run, store)
    for _ in bench.follow(run, 0, store):
        pass
    report, _ = bench.report(run, store)
    return report, time.monotonic() - begin, killed


if __name__ == "__main__":
    main(*sys.argv[2:3])
