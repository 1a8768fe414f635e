"""PyTorch on an NVIDIA GPU beside PyTorch on the CPU, the same classifier and data in one comparison.

    python -m benchmarks.cuda MODEL EVALUATION CALIBRATION [--budget 3m]

MODEL: a folder that transformers loads, with the labels of EVALUATION, a CSV file with the columns text and label.
Needs a PyTorch that was built with CUDA. Beside the shelf's recipes for `cuda` it measures float32 on the GPU, and a
search finds its own way among the same. Writes docs/results/cuda.{md,json}.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import yaml

from benchmarks.comparing import compared
from benchmarks.machine_line import machine_line
from benchmarks.tune.searching import change, counted, searched, speed

RESULTS = Path(__file__).parent.parent / "docs/results"
SHELF = ("pytorch-bf16-cuda", "pytorch-fp16-cuda")
BATCHES = [1, 8, 64]


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("model", "evaluation", "calibration"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--budget", default="3m", help="of the search")
    asked = parser.parse_args()
    given = [str(asked.model), "--data", str(asked.evaluation), "--calibration", str(asked.calibration)]
    with tempfile.TemporaryDirectory() as folder:
        os.environ["WORKBENCH_HOME"] = folder + "/home"
        names = [*_float32(Path(folder)), *SHELF]
        report = compared([*given, "--out", folder + "/out"], names)
        named = [word for name in names for word in ("-r", name)]
        search, code = searched(
            [*given, *named, "--budget", asked.budget], Path(folder) / "tuned", Path(folder) / "tune"
        )
        text = _text(report, search, code)
        print(text)
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "cuda.md").write_text(text)
        shutil.copy(Path(folder) / "out/report.json", RESULTS / "cuda.json")


def _float32(folder: Path) -> list[str]:
    """Recipes: the model as it is on the GPU, and compiled there. The first one's `measure` is the comparison's."""
    said = {"pytorch-fp32-cuda": {}, "pytorch-compile-cuda": {"compile": True}}
    for name, options in said.items():
        target = {"backend": "pytorch", "device": "cuda", "options": options}
        spec = {"target": target, "steps": [], "measure": {"batches": BATCHES}}
        document = {"schema": "workbench/recipe@1", "name": name, "summary": "Float32 on the GPU.", "spec": spec}
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(document))
    return [str(folder / f"{name}.yaml") for name in said]


def _text(report: dict[str, Any], search: dict[str, Any], code: int) -> str:
    from workbench import machine

    rows = [row for row in report["rows"] if row["status"] == "ok"]
    others = [f"- `{row['name']}`: {row['status']}, {row['reason']}" for row in report["rows"] if row not in rows]
    return "\n".join([
        "# On an NVIDIA GPU",
        "",
        f"{', '.join(machine.this_machine().accelerators)}; {machine_line()}",
        "",
        f"n = {report['data']['evaluation']['n']:,}; {report['measuring']['rounds']} rounds, "
        f"{report['measuring']['flagged']} of them disturbed.",
        "",
        "| row | precision, read back | against the CPU in float32 | accuracy | "
        + " | ".join(f"texts/s, batch {batch}" for batch in BATCHES) + " |",
        "|---|---|---|---|" + "---|" * len(BATCHES),
        *[_line(row) for row in rows],
        *["", *others],
        "",
        f"`workbench tune` among the same: `{search['best']}`, exit code {code}. {counted(search)}",
        "",
        "Made by `python -m benchmarks.cuda`; cuda.json holds every sample.",
        "",
    ])  # fmt: skip


def _line(row: dict[str, Any]) -> str:
    rates = " | ".join(_rate(row, batch) for batch in BATCHES)
    return f"| `{row['name']}` | {row['precision']} | {speed(row)} | {change(row)} | {rates} |"


def _rate(row: dict[str, Any], batch: int) -> str:
    """At the fixed length, so that batches are alike."""
    seconds = [one["value"] for one in row["speed"]["points"]
               if one["batch"] == batch and one["sequence"] and one["metric"] == "latency"]  # fmt: skip
    return f"{batch / seconds[0]:,.0f}" if seconds and seconds[0] else "–"


if __name__ == "__main__":
    main()
