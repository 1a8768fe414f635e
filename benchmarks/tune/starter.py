"""Ten minutes for the starter: is the winner at least 2.3 times as fast as PyTorch in float32, and its bar met?
And a bar that nothing meets.

    python -m benchmarks.tune.starter [HOME]

HOME, an empty folder, is kept; without one all is done in a temporary one. Run it on a machine that does nothing else.
Writes docs/results/tune.md.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.machine_line import machine_line
from benchmarks.tune.searching import RESULTS, change, counted, row, searched, speed, tried

MODEL = "starter:sentiment"
WANTED = 2.3
BUDGET = "10m"
NOTHING = ("--max-drop", "0", "--min-speedup", "50", "--budget", "3m", "-r", "onnx-fp32", "-r", "onnx-int8-dynamic")
MADE = "\nMade by `python -m benchmarks.tune.starter`.\n"


def main(home: str = "") -> None:
    with tempfile.TemporaryDirectory() as folder:
        at = Path(home or folder)
        found, code = searched([MODEL, "--max-drop", "0.01", "--budget", BUDGET], at, at / "found")
        text = [*_found(found, code)]
        (RESULTS / "tune.md").write_text("\n".join([*text, MADE]))
        nothing, no = searched([MODEL, *NOTHING], at, at / "nothing")
    text += _nothing(nothing, no)
    (RESULTS / "tune.md").write_text("\n".join([*text, MADE]))
    print("\n".join(text))


def _found(report: dict[str, Any], code: int) -> list[str]:
    lines = [
        "# The starter, within ten minutes",
        "",
        machine_line(),
        "",
        f"`workbench tune {MODEL} --max-drop 0.01 --budget {BUDGET}` in an empty home, n = "
        f"{report['data']['evaluation']['n']:,}; exit code {code}. {counted(report)}",
        "",
    ]
    if report["best"] is None:
        return [*lines, "Nothing met the bar.", "", *tried(report), ""]
    best = row(report, report["best"])
    front = ", ".join(f"`{one}`" for one in report["search"]["pareto"])
    reached = best["speed"]["speedup"] >= WANTED
    return [
        *lines,
        f"The winner is `{best['name']}`: {speed(best)} against PyTorch in float32 ({'at' if reached else 'not at'} "
        f"least {WANTED}x), {change(best)}; its constraint: {best['accuracy']['constraint']}. Runner-up: "
        f"`{report['search']['runner_up']}`. On the front: {front}.",
        "",
        *tried(report),
        "",
    ]


def _nothing(report: dict[str, Any], code: int) -> list[str]:
    return [
        "## A bar that nothing meets",
        "",
        f"`workbench tune {MODEL} {' '.join(NOTHING)}`: exit code {code}. {counted(report)} Best so far: "
        f"`{report['search']['best_so_far']}`.",
        "",
        *tried(report),
    ]


if __name__ == "__main__":
    main(*sys.argv[1:2])
