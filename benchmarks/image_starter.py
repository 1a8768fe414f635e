"""The image starter with every recipe of the shelf that can run here, in an empty home.

    python -m benchmarks.image_starter

Writes docs/results/image-starter.{md,json}. Says how many rounds other load disturbed.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.comparing import compared
from benchmarks.machine_line import machine_line

RESULTS = Path(__file__).parent.parent / "docs/results"


def main() -> None:
    from workbench import recipe

    names = [one.name for one in recipe.shelf_for("image-classification")]
    with tempfile.TemporaryDirectory() as folder:
        os.environ["WORKBENCH_HOME"] = folder + "/home"
        start = time.monotonic()
        report = compared(["starter:fashion", "--out", folder + "/out"], names)
        text = _text(report, time.monotonic() - start)
        print(text)
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "image-starter.md").write_text(text)
        shutil.copy(Path(folder) / "out/report.json", RESULTS / "image-starter.json")


def _text(report: dict[str, Any], seconds: float) -> str:
    from workbench import catalog

    flagged, rounds = report["measuring"]["flagged"], report["measuring"]["rounds"]
    shared = (
        f"The machine was shared: {flagged} of {rounds} rounds were disturbed, so milliseconds and intervals are not "
        "those of a quiet machine."
    )
    alone = "No round was disturbed by other load."
    return "\n".join([
        "# The image starter: `workbench compare starter:fashion` in an empty home",
        "",
        machine_line(),
        "",
        f"{shared if flagged else alone} {seconds:.0f} s in all.",
        "",
        catalog.renderer("md").render(report, {}),
        "",
        "| Recipe | Accuracy | Top-5 | Images/s (batch 1) | Images/s (batch 8) |",
        "|---|---|---|---|---|",
        *[_line(row) for row in report["rows"] if row["status"] == "ok"],
        "",
        "Made by `python -m benchmarks.image_starter`; image-starter.json holds every sample.",
        "",
    ])  # fmt: skip


def _line(row: dict[str, Any]) -> str:
    second = {one["metric"]: one["value"] for one in row["accuracy"].get("secondary") or ()}
    rates = [_rate(row, batch) for batch in (1, 8)]
    return f"| `{row['name']}` | {row['accuracy']['value']:.1%} | {second['top_5']:.1%} | {' | '.join(rates)} |"


def _rate(row: dict[str, Any], batch: int) -> str:
    seconds = [one["value"] for one in row["speed"]["points"] if one["batch"] == batch and one["metric"] == "latency"]
    return f"{batch / seconds[0]:,.0f}" if seconds and seconds[0] else "–"


if __name__ == "__main__":
    main()
