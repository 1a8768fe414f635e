"""One turn of a loaded model: a few calls, timed one by one, then silence."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from typing import Any

from workbench import machine
from workbench.measurement import Metric
from workbench.plugin import Batch, Concurrent, Probe, Session, Task

WARM = 0.05  # seconds of calls until the caches are full: 43 MB of weights on two cores took about 40 ms


class Speed(Probe):
    name = "speed"
    summary = "Seconds of each model call, from prepared inputs in host memory to outputs in host memory."
    metrics = (Metric("latency", unit="s", better="lower"), Metric("concurrent", unit="s", better="lower"))

    def measure(self, *, task: Task, session: Session, batches: Sequence[Batch], warmup: int = 1,
                in_flight: int = 1, **_: Any) -> dict[str, Any]:  # fmt: skip
        """{metric: [seconds of each batch], "quiet": seconds until the runtime's threads slept, "cpu": CPU seconds
        of the whole turn}. Calls before are not kept, since after another process the caches hold nothing of this one:
        `warmup` of them at least and until WARM seconds have passed, or one that takes so long. With several requests
        in flight, which the session promises, the one sample is {"concurrent": [seconds a request]}."""
        begin, start = time.process_time(), time.perf_counter()
        for number, batch in enumerate(itertools.cycle(batches), 1):
            task.time(session, batch)
            passed = time.perf_counter() - start
            if passed > WARM and (number >= warmup or passed > number * WARM):
                break
        session.wait()
        taken = _together(session, batches) if in_flight > 1 else _in_turn(task, session, batches)
        quiet = machine.silence()
        return {**taken, "quiet": quiet, "cpu": time.process_time() - begin}


def _in_turn(task: Task, session: Session, batches: Sequence[Batch]) -> dict[str, list[float]]:
    taken: dict[str, list[float]] = {}
    for batch in batches:
        for metric, seconds in task.time(session, batch).items():
            taken.setdefault(metric, []).append(seconds)
    return taken


def _together(session: Session, batches: Sequence[Batch]) -> dict[str, list[float]]:
    assert isinstance(session, Concurrent), "only such a session has a point of this kind"
    start = time.perf_counter()
    session.infer_all(batches)
    return {"concurrent": [(time.perf_counter() - start) / len(batches)]}
