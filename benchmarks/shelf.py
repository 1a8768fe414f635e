"""Every recipe of the shelf beyond the first choices on the starter's text classifier, in an empty home.

    python -m benchmarks.shelf
    python -m benchmarks.shelf openvino-fp16 openvino-int4-awq

The first choices stand in docs/results/starter.md, pictures in image-starter.md, models that write in smollm2.md.
Writes docs/results/shelf.md; of those that are named, docs/results/shelf-some.md. What this machine lacks is listed
there with the reason.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from benchmarks.comparing import compared
from benchmarks.machine_line import machine_line

RESULTS = Path(__file__).parent.parent / "docs/results"
TASK = "text-classification"
N = 1000


def main() -> None:
    from workbench import catalog, recipe

    named = sys.argv[1:]
    wanted = named or [one.name for one in recipe.shelf_for(TASK) if one.shelf and not one.shelf.first_choice]
    with tempfile.TemporaryDirectory() as folder:
        os.environ["WORKBENCH_HOME"] = folder + "/home"
        report = compared(["starter:sentiment", "--n", str(N), "--out", folder + "/out"], wanted)
    command = " ".join(["python -m benchmarks.shelf", *named])
    text = "\n".join([
        f"# {'Some' if named else 'The rest'} of the shelf on the starter's text classifier", "", machine_line(), "",
        catalog.renderer("md").render(report, {}), "", f"Made by `{command}`.", "",
    ])  # fmt: skip
    (RESULTS / ("shelf-some.md" if named else "shelf.md")).write_text(text)
    print(text)


if __name__ == "__main__":
    main()
