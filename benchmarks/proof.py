"""The starter's recipe files, run and verified in homes that never saw them; what a changed byte, row or option does.

    python -m benchmarks.proof [FOLDER of a finished `workbench try`]

Without a folder `workbench try` is run first. Writes docs/results/proof.md after every line. Installs the locked
packages once more for the isolated part, so it needs the package registry.
"""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from benchmarks.machine_line import machine_line

RESULTS = Path(__file__).parent.parent / "docs/results"
RUN_AND_VERIFIED = ("onnx-int8-static", "openvino-int8")
ISOLATED = "onnx-int8-dynamic"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        given = Path(sys.argv[1]) if len(sys.argv) > 1 else _tried(work)
        lines: list[str] = []
        for one in _asked(given, work):
            lines.append(_line(given, work, *one))
            (RESULTS / "proof.md").write_text(_text(lines))
    print(_text(lines))


def _text(lines: list[str]) -> str:
    return "\n".join([
        "# The starter's recipe files, in homes that never saw them", "", machine_line(), "",
        "| file | command | exit code | levels | seconds |", "|---|---|---|---|---|", *lines, "",
        "Levels are V0 to V5: ✓ pass, ✕ fail, – not applicable, i info. Made by `python -m benchmarks.proof`.", "",
    ])  # fmt: skip


def _tried(work: Path) -> Path:
    _workbench(work / "tried-home", "try", "--out", str(work / "tried"))
    return work / "tried"


def _asked(given: Path, work: Path) -> list[tuple[str, Path, list[str]]]:
    """(what is special, recipe file, words of the command)"""
    other = given / "recipes" / f"{RUN_AND_VERIFIED[0]}.yaml"
    edited = _edited(other, work, lambda said: said["spec"]["steps"][-1].update(per_channel=False))
    asked = [
        ("one byte of the model changed", other, ["verify", str(other), "--model", str(_one_byte(work))]),
        ("one row changed", other, ["verify", str(other), "--data", str(_one_row(work))]),
        ("one option changed", edited, ["verify", str(edited)]),
    ]
    isolated = given / "recipes" / f"{ISOLATED}.yaml"
    asked.append(("", isolated, ["verify", str(isolated), "--isolated"]))
    for name in RUN_AND_VERIFIED:
        file = given / "recipes" / f"{name}.yaml"
        asked += [("", file, ["run", str(file), "--out", str(work / name)]), ("", file, ["verify", str(file)])]
    return asked


def _line(given: Path, work: Path, special: str, file: Path, words: list[str]) -> str:
    home, start = Path(tempfile.mkdtemp(dir=work)), time.monotonic()
    done = _workbench(home, *words)
    shutil.rmtree(home)
    shown = " ".join(word if word.startswith("--") or word in ("run", "verify") else "…" for word in words)
    levels = " ".join(_sign(line) for line in done.stdout.splitlines() if line.startswith("V"))
    what = f"`{file.name}`" + (f", {special}" if special else "")
    return f"| {what} | `workbench {shown}` | {done.returncode} | {levels} | {time.monotonic() - start:.0f} |"


def _sign(line: str) -> str:
    signs = {"PASS": "✓", "FAIL": "✕", "NOT APPLICABLE": "–", "INFO": "i"}
    return next(sign for word, sign in signs.items() if word in line)


def _workbench(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    env = os.environ | {"WORKBENCH_HOME": str(home)}
    command = [sys.executable, "-m", "workbench", *words]
    print(" ".join(words), file=sys.stderr, flush=True)
    return subprocess.run(command, env=env, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parent.parent)


def _one_byte(work: Path) -> Path:
    """The starter's model as a folder, with another last byte."""
    from workbench import bench
    from workbench.store import Store

    store = Store(work / "model-home")
    model = bench.load("onnx-fp32", model=bench.STARTER, store=store)
    folder = Path(shutil.copytree(model.folder, work / "model"))
    model.close()
    weights = bytearray((folder / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (folder / "model.safetensors").write_bytes(weights)
    return folder


def _one_row(work: Path) -> Path:
    """The starter's rows with one word more in one of them."""
    from workbench.hub import starters

    with (starters.find("starter:sentiment") / "evaluation.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    rows[7]["text"] += " indeed"
    with (work / "rows.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return work / "rows.csv"


def _edited(file: Path, work: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    said = yaml.safe_load(file.read_text())
    change(said)
    (work / file.name).write_text(yaml.safe_dump(said, sort_keys=False))
    return work / file.name


if __name__ == "__main__":
    main()
