"""Ten minutes for the starter: is the winner at least 2.3 times as fast as PyTorch in float32, and its bar met?
And a bar that nothing meets.

    python -m benchmarks.tune.starter [--budget 10m]

Run it on a machine that does nothing else. Writes docs/results/tune.md.
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


def main(budget: str = "10m") -> None:
    with tempfile.TemporaryDirectory() as folder:
        found, code = searched([MODEL, "--max-drop", "0.01", "--budget", budget], Path(folder) / "home")
        bar = ["--max-drop", "0", "--min-speedup", "50"]
        nothing, no = searched([MODEL, *bar, "--budget", "3m", "-r", "onnx-fp32", "-r", "onnx-int8-dynamic"],
                               Path(folder) / "home")  # fmt: skip
    text = "\n".join([*_found(found, code, budget), *_nothing(nothing, no, bar), _MADE])
    (RESULTS / "tune.md").write_text(text)
    print(text)


_MADE = "\nMade by `python -m benchmarks.tune.starter`.\n"


def _found(report: dict[str, Any], code: int, budget: str) -> list[str]:
    lines = [
        "# The starter, within ten minutes",
        "",
        machine_line(),
        "",
        f"`workbench tune {MODEL} --max-drop 0.01 --budget {budget}` in an empty home, n = "
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


def _nothing(report: dict[str, Any], code: int, bar: list[str]) -> list[str]:
    return [
        "## A bar that nothing meets",
        "",
        f"`workbench tune {MODEL} {' '.join(bar)} --budget 3m`: exit code {code}. {counted(report)}",
        "",
        *tried(report),
    ]


if __name__ == "__main__":
    main(*sys.argv[2:3])
