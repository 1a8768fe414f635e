"""Several workers that share the examples of a model give the very answers that one gives."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.building import ready
from tests.tiny import ALL
from tests.tiny.kind import Tiny
from workbench import inputs, isolate, work
from workbench.isolate import Limits

KINDS = ("text-classification", "token-classification", "question-answering", "text-generation", "image-segmentation")
LIMITS = Limits(preload=True)


@pytest.mark.slow
@pytest.mark.parametrize("tiny", [one for one in ALL if str(one) in KINDS], ids=str)
def test_two_workers_in_any_order_leave_what_one_leaves(tiny: Tiny, tmp_path: Path) -> None:
    model = ready(tiny, tmp_path)
    folders = {name: tmp_path / name for name in ("inputs", "alone", "shared", "first", "second")}
    for folder in folders.values():
        folder.mkdir()
    inputs.save(model.prepared, folders["inputs"])
    n = len(model.prepared)
    order = [int(one) for one in np.random.default_rng(3).permutation(n)]
    job = {"task": tiny.task, "inputs": str(folders["inputs"]), "folder": str(model.model), "backend": "pytorch",
           "device": "cpu", "threads": 1, "options": {"auto_class": model.task.class_for(model.config)}}  # fmt: skip
    alone = isolate.call(work.predict, job | {"batch": 1, "into": str(folders["alone"])}, LIMITS, tmp_path / "log")
    shared = in_turns(job | {"order": order, "into": str(folders["shared"])}, n, folders, tmp_path / "log")
    assert {key: alone[key] for key in ("n", "predictions_sha256")} == {
        key: shared[key] for key in ("n", "predictions_sha256")
    }
    (one, statistics), (other, again) = (work.load_answers(folders[name]) for name in ("alone", "shared"))
    assert one.predicted == other.predicted and np.array_equal(one.scores, other.scores)
    assert statistics.keys() == again.keys() and all(np.array_equal(statistics[key], again[key]) for key in again)


def in_turns(job: dict[str, Any], n: int, folders: dict[str, Path], log: Path) -> dict[str, Any]:
    with ExitStack() as stack:
        jobs = [job | {"place": place, "of": 2} for place in range(2)]
        workers = [stack.enter_context(isolate.start(work.predict_in_turns, one, LIMITS, log)) for one in jobs]
        for upto in (n // 3, n // 3, n):
            said = [worker.ask({"upto": upto}) for worker in workers]
        assert sum(len(one["predicted"]) for one in said) == n - n // 3
        parts = [str(folders[name]) for name in ("first", "second")]
        for worker, part in zip(workers, parts, strict=True):
            worker.ask({"leave": part})
        workers[0].tell({"join": parts})
        return dict(workers[0].result())
