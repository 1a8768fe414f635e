"""Every recipe of the shelf beyond the first choices on the starter's text classifier, in an empty home.

    python -m benchmarks.shelf

The first choices stand in docs/results/starter.md, pictures in image-starter.md, models that write in smollm2.md.
Writes docs/results/shelf.md. What this machine lacks is listed there with the reason.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from benchmarks.comparing import compared
from benchmarks.machine_line import machine_line

RESULTS = Path(__file__).parent.parent / "docs/results"
TASK = "text-classification"
N = 1000


def main() -> None:
    from workbench import catalog, recipe

    wanted = [one.name for one in recipe.shelf_for(TASK) if one.shelf and not one.shelf.first_choice]
    with tempfile.TemporaryDirectory() as folder:
        os.environ["WORKBENCH_HOME"] = folder + "/home"
        report = compared(["starter:sentiment", "--n", str(N), "--out", folder + "/out"], wanted)
    text = "\n".join([
        "# The rest of the shelf on the starter's text classifier", "", machine_line(), "",
        catalog.renderer("md").render(report, {}), "", "Made by `python -m benchmarks.shelf`.", "",
    ])  # fmt: skip
    (RESULTS / "shelf.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
