"""`workbench tune` as a person runs it, in a process of its own, and its outcome as lines of Markdown."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from workbench import words

RESULTS = Path(__file__).parent.parent.parent / "docs/results"


def searched(said: Sequence[str], home: Path, out: Path | None = None) -> tuple[dict[str, Any], int]:
    """The report of `workbench tune SAID … --json` in that home, and the exit code: 0, or 3 where nothing meets the
    goal. Ends the script for any other."""
    where = ["--out", str(out or home / "out")]
    done = subprocess.run(
        [sys.executable, "-m", "workbench", "tune", *said, *where, "--json"], stdout=subprocess.PIPE, text=True,
        env=dict(os.environ) | {"WORKBENCH_HOME": str(home)},
    )  # fmt: skip
    if done.returncode not in (0, 3):
        raise SystemExit(done.returncode)
    report: dict[str, Any] = json.loads(done.stdout)
    return report, done.returncode


def once(path: Path, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What was made before and kept in that file, or is made and kept now."""
    if not path.exists():
        made = json.dumps(make())
        path.write_text(made)
    said: dict[str, Any] = json.loads(path.read_text())
    return said


def row(report: dict[str, Any], name: str | None) -> dict[str, Any]:
    """A row of a report by its name."""
    found: dict[str, Any] = next(one for one in report["rows"] if one["name"] == name)
    return found


def speed(one: dict[str, Any]) -> str:
    """`2.41x (2.37–2.45)`"""
    return f"{words.speedup(one['speed']['speedup'])} ({words.ratio_interval(one['speed']['ci95'])})"


def change(one: dict[str, Any]) -> str:
    """`−0.3 pp (−0.8 to +0.2)`"""
    facts = one["accuracy"]
    return f"{words.change(facts['delta'], facts['unit'])} ({words.change_interval(facts['ci95'], facts['unit'])})"


def counted(report: dict[str, Any]) -> str:
    """What a search took, in a sentence."""
    search, done = report["search"], report["search"]["work"]
    return (
        f"{search['spent_s']:.0f} s of {search['budget_s']:.0f} s; {search['candidates']} candidates, "
        f"{search['raced']} raced, {search['answered']} tested for accuracy; {done['builds']} builds, "
        f"{done['calibrations']} of them calibrated, {done['evaluations']} evaluations on all examples, "
        f"{done['given_up']} given up early."
    )


def tried(report: dict[str, Any]) -> list[str]:
    """A table of every candidate and why it lost."""
    lines = ["| candidate | raced (95 %) | examples | why it lost |", "|---|---|---|---|"]
    for one in report["search"]["tried"]:
        pace = words.NONE
        if one["pace"]:
            pace = f"{words.speedup(one['pace']['speedup'])} ({words.ratio_interval(one['pace']['ci95'])})"
        reason = "the winner" if one["state"] == "best" else str(one["reason"]).replace("|", "\\|").split("\n")[0]
        lines.append(f"| `{one['name']}` | {pace} | {words.number(one['examples'])} | {reason} |")
    return lines
