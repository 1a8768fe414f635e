"""The steps of one recipe of a finished run once more, in a process that begins with nothing: what the user of another
search has to do before it.

    python -m benchmarks.tune.exporting HOME RECIPE INTO
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from workbench import bench, work
from workbench.store import Store


def main(home: str, recipe: str, into: str) -> None:
    store = Store(Path(home))
    plan = bench.plan_of(store.runs()[0].id, store)
    variant = next(one for one in plan.variants if one.name == recipe)
    channel: Any = SimpleNamespace(progress=lambda *_: None)
    source = _path(store, plan.piece("model").key)
    for id in variant.chain:
        job = plan.piece(id).job
        if job["do"] == "build":
            given = {"task": plan.task, "model": _path(store, plan.piece("model").key), "source": source,
                     "inputs": _path(store, plan.piece("inputs").key), "into": str(Path(into) / id)}  # fmt: skip
            (Path(into) / id).mkdir(parents=True)
            work.build(job | given, channel)
            source = given["into"]


def _path(store: Store, key: str) -> str:
    found = store.find(key)
    assert found, "It was removed meanwhile."
    return str(found.path)


if __name__ == "__main__":
    main(*sys.argv[1:4])
