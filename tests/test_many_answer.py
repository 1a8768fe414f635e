"""Several workers that share the examples of a model give the very answers that one gives."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.building import ready
from tests.conftest import Small, planned
from tests.tiny import ALL
from tests.tiny.kind import Tiny
from workbench import inputs, isolate, outcome, work
from workbench.event import Event, Measured, Progress
from workbench.executing import Here
from workbench.isolate import Limits
from workbench.store import Store
from workbench.tuning import answering, sequential

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


@pytest.mark.slow
@pytest.mark.parametrize("in_order", ["of the examples", "of a trial"])
def test_a_search_keeps_what_a_comparison_has_kept(
    small: Small, warm_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_order: str
) -> None:
    monkeypatch.setattr(answering, "FEWEST_EACH", 20)
    plan, store, said = planned(small), Store(), list[Event]()
    here = Here(plan, store, tmp_path, said.append)
    variant = plan.variants[-1]
    piece = plan.piece(f"predict-{variant.name}")
    before = store.find(piece.key)
    base = outcome.predictions(plan, store, plan.baseline)
    assert before is not None and base is not None
    answers, _ = work.load_answers(before.path)
    store.forget(piece.key)
    assert here.do("inputs", variant.artifact) is None
    if in_order == "of a trial":
        trial = sequential.trial(base, outcome.goal_of(plan), plan.request.data_seed)
        trial = sequential.Trial(trial.kind, trial.order, trial.looks, len(trial.order), wrong=trial.wrong)
        assert answering.answer(here, variant.name, trial, base) is None
    else:
        heard = list[sequential.Seen]()
        order = [int(one) for one in np.random.default_rng(5).permutation(len(answers.predicted))]
        assert answering.answer_all(here, variant.name, order, heard.append, answering.Pause()) is None
        assert heard[-1].predicted == [answers.predicted[one] for one in order], "what was said so far is told"
    after = store.find(piece.key)
    assert after is not None and after.facts["predictions_sha256"] == before.facts["predictions_sha256"]
    assert work.load_answers(after.path)[0].predicted == answers.predicted
    told = [one.done for one in said if isinstance(one, Progress) and one.work == piece.id]
    assert told == sorted(told) and told[-1] == len(answers.predicted)
    assert isinstance(said[-1], Measured) and not said[-1].reused
    store.forget(piece.key)
    first = answering.answer_first(here, variant.name, range(len(answers.predicted)), 50)
    assert isinstance(first, sequential.Seen) and len(first.predicted) == 50
    assert list(first.statistics) == list(base.statistics), "the metric that decides comes first"
    jobs = answering._jobs(here, piece.id, range(len(answers.predicted)), tmp_path)
    assert len(jobs) == min(len(here.cores), len(answers.predicted) // 20)


def test_who_answers_beside_rests_while_somebody_needs_the_machine() -> None:
    pause, done = answering.Pause(), [0]
    over = threading.Event()

    def answer() -> None:
        while not over.is_set():
            with pause.part():
                before = done[0]
                time.sleep(0.001)
                done[0] = before + 1

    thread = threading.Thread(target=answer)
    thread.start()
    for _ in range(3):
        with pause.quiet():
            seen = done[0]
            time.sleep(0.02)
            assert done[0] == seen
        while done[0] < seen + 3:
            time.sleep(0.001)
    over.set()
    thread.join()
