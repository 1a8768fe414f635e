"""Answers of one model to every example: by several workers where that pays, each on cores of its own, and in the order
of a trial until it is certain that it fails."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from workbench import block, work
from workbench.comparison import Predictions
from workbench.errors import WorkbenchError
from workbench.event import Failed, Measured, Progress, Started, failed
from workbench.executing import Here
from workbench.isolate import Worker
from workbench.tuning import sequential
from workbench.tuning.sequential import GivenUp, Seen, Trial

FEWEST_EACH = 200  # examples that are worth a worker of their own
PARTS = 40  # after each of which progress is told, and somebody else may have the machine
Ended = TypeVar("Ended")


class Pause:
    """Who answers in another thread rests, between two parts, while somebody needs the machine."""

    def __init__(self) -> None:
        self._may_go_on, self._at_work = threading.Event(), threading.Lock()
        self._may_go_on.set()

    @contextmanager
    def part(self) -> Iterator[None]:
        self._may_go_on.wait()
        with self._at_work:
            yield

    @contextmanager
    def quiet(self) -> Iterator[None]:
        self._may_go_on.clear()
        try:
            with self._at_work:
                yield
        finally:
            self._may_go_on.set()


def answer_all(
    here: Here, name: str, order: Sequence[int], note: Callable[[Seen], None], pause: Pause
) -> Failed | None:
    """Let the variant of this name answer every example; its answers are in the store. `note` hears what was said so
    far to the first of `order`."""

    def part(_: int, seen: Seen) -> None:
        note(seen)

    id = f"predict-{name}"
    if _at_once(here, id):
        with pause.part():
            return here.do(id)
    return _answered(here, id, order, (), part, pause)


def answer(here: Here, name: str, trial: Trial, base: Predictions) -> GivenUp | Failed | None:
    """The same, in the order of the trial, until it is given up. None: all examples are answered."""

    def part(stop: int, seen: Seen) -> GivenUp | None:
        return sequential.given_up(trial, base, seen) if stop in trial.looks else None

    id = f"predict-{name}"
    return here.do(id) if _at_once(here, id) else _answered(here, id, trial.order, trial.looks, part, Pause())


def answer_first(here: Here, name: str, order: Sequence[int], count: int) -> Seen | Failed | None:
    """What the variant of this name says to the first `count` of the order; nothing is kept. None: it has no parts."""

    def part(stop: int, seen: Seen) -> Seen | None:
        return seen if stop == count else None

    id = f"predict-{name}"
    return None if _at_once(here, id) else _answered(here, id, order, (count,), part, Pause())


def _at_once(here: Here, id: str) -> bool:
    return here.is_there(id) or here.plan.measure["accuracy_batch"] != 1


def _answered(
    here: Here, id: str, order: Sequence[int], looks: Sequence[int], part: Callable[[int, Seen], Ended | None],
    pause: Pause,
) -> Ended | Failed | None:  # fmt: skip
    here.emit(Started(work=id, title=here.plan.piece(id).called))
    begin = time.monotonic()
    try:
        ended = _in_turns(here, id, order, looks, part, pause)
    except WorkbenchError as error:
        broken = failed(id, "predict", error, "")
        here.emit(broken)
        return broken
    if ended is not None:
        facts = {"given_up_after": ended.examples} if isinstance(ended, GivenUp) else {"first": max(looks)}
        here.emit(Measured(work=id, key="", seconds=time.monotonic() - begin, reused=False, facts=facts))
    return ended


def _in_turns(
    here: Here, id: str, order: Sequence[int], looks: Sequence[int], part: Callable[[int, Seen], Ended | None],
    pause: Pause,
) -> Ended | None:  # fmt: skip
    """Part for part, until `part` says something to all that was seen so far; else all is kept."""
    begin, n = time.monotonic(), len(order)
    until = begin + here.patience()
    stops = sorted({*looks, *(n * i // PARTS for i in range(1, PARTS)), n} - {0})
    with ExitStack() as stack:
        into = stack.enter_context(here.store.aside())
        workers = stack.enter_context(here.parked(work.predict_in_turns, id, _jobs(here, id, order, into)))
        parts = [str(stack.enter_context(here.store.aside())) for _ in workers]
        seen = Seen([], {})
        for stop in stops:
            with pause.part():
                seen = _more(seen, workers, stop, until)
            here.emit(Progress(work=id, done=stop, total=n, note="examples"))
            if (ended := part(stop, seen)) is not None:
                return ended
        _all(workers, [{"leave": one} for one in parts], until)
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

    names = dict.fromkeys(name for one in said for name in one["statistics"])  # the headline first
    statistics = {name: [*seen.statistics.get(name, ()), *woven([one["statistics"].get(name, ()) for one in said])]
                  for name in names}  # fmt: skip
    return Seen([*seen.predicted, *woven([one["predicted"] for one in said])], statistics)
