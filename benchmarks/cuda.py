"""PyTorch on an NVIDIA GPU beside PyTorch on the CPU, the same classifier and data in one comparison.

    python -m benchmarks.cuda MODEL EVALUATION CALIBRATION [--about SENTENCE]

MODEL: a folder that transformers loads, with the labels of EVALUATION, a CSV file with the columns text and label.
Needs a PyTorch that was built with CUDA. Beside the shelf's recipes for `cuda` it measures float32 on the GPU, as it is
and compiled. Writes docs/results/cuda.{md,json}; SENTENCE says there what model it is.
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
from benchmarks.tune.searching import change, speed

RESULTS = Path(__file__).parent.parent / "docs/results"
SHELF = ("pytorch-bf16-cuda", "pytorch-fp16-cuda")
BATCHES = [1, 8, 64]
LENGTH = 128  # tokens


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("model", "evaluation", "calibration"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--about", default="", metavar="SENTENCE")
    asked = parser.parse_args()
    given = [str(asked.model), "--data", str(asked.evaluation), "--calibration", str(asked.calibration)]
    with tempfile.TemporaryDirectory() as folder:
        os.environ["WORKBENCH_HOME"] = folder + "/home"
        report = compared([*given, "--out", folder + "/out"], [*_float32(Path(folder)), *SHELF])
        text = written(report, machine_line(), asked.about)
        print(text)
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "cuda.md").write_text(text)
        shutil.copy(Path(folder) / "out/report.json", RESULTS / "cuda.json")


def _float32(folder: Path) -> list[str]:
    """Recipes: the model as it is on the GPU, and compiled there. The first one's `measure` is the comparison's."""
    said: dict[str, dict[str, Any]] = {"pytorch-fp32-cuda": {}, "pytorch-compile-cuda": {"compile": True}}
    measure = {"batches": BATCHES, "sequence_lengths": [LENGTH]}
    for name, options in said.items():
        target = {"backend": "pytorch", "device": "cuda", "options": options}
        spec = {"target": target, "steps": [], "measure": measure}
        document = {"schema": "workbench/recipe@1", "name": name, "summary": "Float32 on the GPU.", "spec": spec}
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(document))
    return [str(folder / f"{name}.yaml") for name in said]


def written(report: dict[str, Any], where: str, about: str) -> str:
    """The page. `where`: what machine_line says on the machine of the report."""
    rows = [row for row in report["rows"] if row["status"] == "ok"]
    model = f"{report['model']['parameters'] / 1e6:.1f} M parameters. {about}".strip()
    others = [f"- `{row['name']}`: {row['status']}, {row['reason']}" for row in report["rows"] if row not in rows]
    heads = ["row", "precision, read back", "one text, against the CPU in float32", "accuracy"]
    heads += [f"batch {batch}" for batch in BATCHES]
    return "\n".join([
        "# On an NVIDIA GPU",
        "",
        f"{', '.join(report['machine']['accelerators'])}; {where}",
        "",
        f"{model} n = {report['data']['evaluation']['n']:,}; {report['measuring']['rounds']} rounds, "
        f"{report['measuring']['flagged']} of them disturbed. The columns at the right: texts of {LENGTH} tokens a "
        "second, and how much faster than the CPU (95 %).",
        "",
        f"| {' | '.join(heads)} |",
        "|---" * len(heads) + "|",
        *[_line(row) for row in rows],
        *["", *others][: len(others) + bool(others)],
        "",
        "Made by `python -m benchmarks.cuda`; cuda.json holds every sample.",
        "",
    ])  # fmt: skip


def _line(row: dict[str, Any]) -> str:
    rates = " | ".join(_rate(row, batch) for batch in BATCHES)
    return f"| `{row['name']}` | {row['precision']} | {speed(row)} | {change(row)} | {rates} |"


def _rate(row: dict[str, Any], batch: int) -> str:
    """`9,985; 44.5x (43.1–46.0)`"""
    from workbench import words

    one = next(one for one in row["speed"]["points"]
               if one["batch"] == batch and one["sequence"] == LENGTH and one["metric"] == "latency")  # fmt: skip
    faster = f"{words.speedup(one['speedup'])} ({words.ratio_interval(one['ci95'])})"
    return f"{batch / one['value']:,.0f}; {faster}"


if __name__ == "__main__":
    main()
