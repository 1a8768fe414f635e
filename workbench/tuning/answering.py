"""Accuracy of one candidate against the baseline, example by example, until it is certain or all have answered."""

from __future__ import annotations

import time
from typing import Any

from workbench import work
from workbench.comparison import Predictions
from workbench.errors import WorkbenchError
from workbench.event import Failed, Measured, Progress, Started, failed
from workbench.executing import Here
from workbench.tuning import sequential
from workbench.tuning.sequential import GivenUp, Seen, Trial


def answer(here: Here, name: str, trial: Trial, base: Predictions) -> GivenUp | Failed | None:
    """Let the variant of this name answer. None: all examples are answered, and its answers are in the store."""
    id = f"predict-{name}"
    if trial.kind == "none" or not trial.looks or here.is_there(id) or here.plan.measure["accuracy_batch"] != 1:
        return here.do(id)
    piece = here.plan.piece(id)
    here.emit(Started(work=id, title=f"{piece.title}: {name}"))
    begin = time.monotonic()
    try:
        given_up = _in_turns(here, id, trial, base)
    except WorkbenchError as error:
        broken = failed(id, "predict", error, "")
        here.emit(broken)
        return broken
    if given_up:
        facts = {"given_up_after": given_up.examples}
        here.emit(Measured(work=id, key="", seconds=time.monotonic() - begin, reused=False, facts=facts))
    return given_up


def _in_turns(here: Here, id: str, trial: Trial, base: Predictions) -> GivenUp | None:
    begin, n = time.monotonic(), len(trial.order)
    job: dict[str, Any] = {"order": list(trial.order)}
    with here.store.aside() as into, here.parked(work.predict_in_turns, id, job | {"into": str(into)}) as worker:
        worker.answer()
        seen = Seen([], {})
        for look in trial.looks:
            said = worker.ask({"upto": look})
            here.emit(Progress(work=id, done=look, total=n, note="examples"))
            rows = {name: [*seen.statistics.get(name, ()), *more] for name, more in said["statistics"].items()}
            seen = Seen([*seen.predicted, *said["predicted"]], rows)
            if over := sequential.given_up(trial, base, seen):
                return over
        worker.tell({"upto": None})
        facts = worker.result()
        here.keep(id, into, facts, time.monotonic() - begin)
    return None
