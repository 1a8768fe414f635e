"""Answers of one model to every example: by several workers where that pays, each on cores of its own, and in the order
of a trial until it is certain that it fails."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from workbench import block, work
from workbench.comparison import Predictions
from workbench.errors import WorkbenchError
from workbench.event import Failed, Measured, Progress, Started, failed
from workbench.executing import Here
from workbench.isolate import Worker
from workbench.tuning import sequential
from workbench.tuning.sequential import GivenUp, Seen, Trial

FEWEST_EACH = 200  # examples that are worth a worker of their own
PARTS = 20  # in which progress is told
Verdict = Callable[[Seen], GivenUp | None]


def answer_all(here: Here, name: str) -> Failed | None:
    """Let the variant of this name answer every example; its answers are in the store."""
    id = f"predict-{name}"
    if here.is_there(id) or here.plan.measure["accuracy_batch"] != 1:
        return here.do(id)
    found = _answered(here, id, range(here.facts("inputs")["n"]), (), lambda _: None)
    return found if isinstance(found, Failed) else None


def answer(here: Here, name: str, trial: Trial, base: Predictions) -> GivenUp | Failed | None:
    """The same, in the order of the trial, until it is given up. None: all examples are answered."""
    id = f"predict-{name}"
    if here.is_there(id) or here.plan.measure["accuracy_batch"] != 1:
        return here.do(id)
    return _answered(here, id, trial.order, trial.looks, partial(sequential.given_up, trial, base))


def _answered(
    here: Here, id: str, order: Sequence[int], looks: Sequence[int], verdict: Verdict
) -> GivenUp | Failed | None:
    here.emit(Started(work=id, title=here.plan.piece(id).called))
    begin = time.monotonic()
    try:
        given_up = _in_turns(here, id, order, looks, verdict)
    except WorkbenchError as error:
        broken = failed(id, "predict", error, "")
        here.emit(broken)
        return broken
    if given_up:
        facts = {"given_up_after": given_up.examples}
        here.emit(Measured(work=id, key="", seconds=time.monotonic() - begin, reused=False, facts=facts))
    return given_up


def _in_turns(here: Here, id: str, order: Sequence[int], looks: Sequence[int], verdict: Verdict) -> GivenUp | None:
    begin, n = time.monotonic(), len(order)
    until = begin + here.patience()
    stops = sorted({*looks, *(n * part // PARTS for part in range(1, PARTS)), n} - {0})
    with ExitStack() as stack:
        into = stack.enter_context(here.store.aside())
        workers = stack.enter_context(here.parked(work.predict_in_turns, id, _jobs(here, id, order, into)))
        parts = [str(stack.enter_context(here.store.aside())) for _ in workers]
        seen = Seen([], {})
        for stop in stops:
            seen = _more(seen, workers, stop, until)
            here.emit(Progress(work=id, done=stop, total=n, note="examples"))
            if stop in looks and (over := verdict(seen)):
                return over
        _all(workers, [{"leave": part} for part in parts], until)
        workers[0].tell({"join": parts})
        here.keep(id, into, workers[0].result(), time.monotonic() - begin)
    return None


def _jobs(here: Here, id: str, order: Sequence[int], into: Path) -> list[dict[str, Any]]:
    """As many as there are cores, as long as each has enough to do and the models fit into memory side by side."""
    piece = here.plan.piece(id)
    variant = next(one for one in here.plan.variants if one.name == piece.job["variant"])
    most = len(here.cores) if variant.device == "cpu" else 1
    size = here.bytes_of(variant.artifact)
    of = next(
        of for of in range(max(1, min(most, len(order) // FEWEST_EACH)), 0, -1) if of == 1 or block.fits([size] * of)
    )
    return [{"order": list(order), "place": place, "of": of, "into": str(into)} for place in range(of)]


def _all(workers: Sequence[Worker], messages: Sequence[Any], until: float) -> list[Any]:
    """What each answers to its message before that moment; they work side by side."""
    for worker, message in zip(workers, messages, strict=True):
        worker.tell(message)
    return [worker.answer(max(1.0, until - time.monotonic())) for worker in workers]


def _more(seen: Seen, workers: Sequence[Worker], stop: int, until: float) -> Seen:
    """What was seen, and the answers to all places before `stop`, by turns of the workers'."""
    said = _all(workers, [{"upto": stop}] * len(workers), until)
    turns = [place % len(workers) for place in range(len(seen.predicted), stop)]

    def woven(rows: Sequence[Sequence[Any]]) -> list[Any]:
        each = [iter(one) for one in rows]
        return [next(each[turn]) for turn in turns]

    names = {name for one in said for name in one["statistics"]}
    statistics = {name: [*seen.statistics.get(name, ()), *woven([one["statistics"].get(name, ()) for one in said])]
                  for name in names}  # fmt: skip
    return Seen([*seen.predicted, *woven([one["predicted"] for one in said])], statistics)
