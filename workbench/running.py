"""Plan -> events: a runner of its own does the work and survives its caller.

    run = submit(plan, store)          at once; the same request that waits or runs is joined
    for event in follow(run, store)    in any process, from the first event on
    resume(run, store)  cancel(run, store)

A run is of a kind: a comparison, whose plan is carried out here, or another that stands above this room and comes
into the same queue by `enqueue`. Its process is the runner's (runner.py), which knows what does each kind.

How a plan's work is done is in executing.py.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from workbench import event, isolate
from workbench.errors import WorkbenchError
from workbench.event import Event, Finished
from workbench.executing import Emit, Runner
from workbench.pieces import Plan
from workbench.store import COMPARE, TUNE, RunRecord, Store

POLL = 0.15  # seconds between two looks at a run's events
Kind = Callable[[RunRecord, Store, Emit], str]  # does a run in the runner's process; its status, which it has said too
RUNNER = "from workbench.runner import main; main()"
_BEGUN: list[subprocess.Popen[bytes]] = []  # this process's runners: nobody waits for them, the ended are buried


# ---- from any process ---------------------------------------------------------------------------


def submit(plan: Plan, store: Store) -> str:
    """Hand the plan to a runner of its own; returns the run's id at once."""
    said, many = plan.to_dict(), len(plan.variants)
    kind = TUNE if plan.request.budget_s else COMPARE
    title = f"{plan.model['id']}: {f'{many} variants' if kind == COMPARE else f'tune, {many - 1} candidates'}"
    return enqueue(title, said["request"], plan.fingerprint, store, plan=said, kind=kind)


def enqueue(title: str, request: dict[str, Any], fingerprint: str, store: Store, *,
            plan: dict[str, Any] | None = None, kind: str = COMPARE) -> str:  # fmt: skip
    """The same for a run of any kind; a living one with this fingerprint is joined."""
    run, new = store.add_run(title, request, fingerprint, plan, kind)
    if new:
        _start_runner(run, store)
    return run


def resume(run: str, store: Store) -> str:
    """Begin a stopped, failed or cancelled run again; finished work is found in the store. A verification builds
    everything itself: it begins at V0."""
    record = store.run(run)
    if record.status != "ok" and not store.alive(record.id):
        _start_runner(record.id, store)
    return record.id


def cancel(run: str, store: Store, patience: float = 2.0) -> bool:
    """End a run and every process of it; True if there was something to end. Done within three seconds."""
    id, until = store.run(run).id, time.monotonic() + patience
    was_alive = store.alive(id)
    if was_alive:
        store.set_status(id, "cancelling")
        while store.alive(id) and time.monotonic() < until and not _signal(id, store, signal.SIGTERM):
            time.sleep(0.05)  # it starts just now: its number is not known yet
        while store.alive(id) and time.monotonic() < until:
            time.sleep(0.05)
        if store.alive(id):
            _signal(id, store, signal.SIGKILL)
        isolate.end_orphans()
        store.clear_aside(store.run(id).pid)  # also what its workers still wrote while the runner cleared it away
    if store.run(id).status not in Finished.FINAL:
        store.append(id, Finished(status="cancelled"))
        store.set_status(id, "cancelled")
    return was_alive


def _signal(run: str, store: Store, number: signal.Signals) -> bool:
    """Send a signal to the runner; its workers end with it. False while its number is not known."""
    pid = store.run(run).pid
    with contextlib.suppress(ProcessLookupError):
        if pid is not None:
            os.kill(pid, number)
    return pid is not None


def follow(run: str, store: Store, after: int = 0) -> Iterator[tuple[int, Event]]:
    """(number, event) from `after` on until the run ends. Raises WorkbenchError when its runner is gone."""
    while True:
        record = store.run(run)
        seen = store.events(record.id, after)
        for number, one in seen:
            after = number
            yield number, one
        if record.status in Finished.FINAL and not seen:
            return
        if record.status == "stopped" and not seen:
            raise _stopped(record, store)
        time.sleep(POLL)


def plan_of(run: str, store: Store) -> Plan:
    """Raises WorkbenchError for a run that has not planned yet what it does."""
    record = store.run(run)
    try:
        return Plan.from_dict(json.loads((store.run_folder(record.id) / "plan.json").read_text()))
    except FileNotFoundError:
        why = f"It is {record.status}."
        raise WorkbenchError(f"Run {record.id} has no plan yet.", why, f"`workbench follow {record.id}`.") from None


def _stopped(record: RunRecord, store: Store) -> WorkbenchError:
    log = store.run_folder(record.id) / "log" / "runner.log"
    return WorkbenchError(
        f"Run {record.id} stopped before it was done.",
        f"Its runner is gone; {log} holds its last words.",
        f"`workbench resume {record.id}` goes on where it was.",
    )


def _start_runner(run: str, store: Store) -> None:
    """The runner inherits the run's lock: from this moment on the run is alive, until its runner's end."""
    log = store.run_folder(run) / "log" / "runner.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    ours = str(Path(__file__).resolve().parent.parent)
    path = os.pathsep.join(part for part in (ours, os.environ.get("PYTHONPATH", "")) if part)
    env = dict(os.environ) | {"WORKBENCH_HOME": str(store.home), "PYTHONPATH": path}
    with store.running(run) as lock, log.open("ab") as output:
        store.begin(run)
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", RUNNER, run],
            stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=env, start_new_session=True, cwd=store.home,
            pass_fds=(lock,),
        )  # fmt: skip
        store.set_pid(run, process.pid)
    _BEGUN[:] = [process, *(one for one in _BEGUN if one.poll() is None)]


# ---- the runner ---------------------------------------------------------------------------------


class _Cancelled(BaseException):
    """Raised in the runner by SIGTERM."""


def serve(run: str, kinds: Mapping[str, Kind]) -> None:
    """The runner's process: one run, then the end. It holds the run's lock, which it has inherited."""
    isolate.take_place(first=False)
    isolate.hide()
    isolate.end_orphans()
    store = Store()

    def stop(*_: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise _Cancelled

    signal.signal(signal.SIGTERM, stop)
    try:
        store.set_status(run, "running")
        record = store.run(run)
        store.set_status(run, kinds[record.kind](record, store, lambda one: store.append(run, one)))
    except _Cancelled:
        store.append(run, Finished(status="cancelled"))
        store.set_status(run, "cancelled")
        os._exit(0)  # threads that wait for a worker would keep this process, and the worker, alive


def compare(run: RunRecord, store: Store, emit: Emit) -> str:
    """The kind of run that carries out a plan."""
    return execute(plan_of(run.id, store), store, store.run_folder(run.id), emit)


def execute(plan: Plan, store: Store, folder: Path, emit: Emit) -> str:
    """Do a plan's work here, in this process's own workers; returns the final status and has said it too."""
    return to_its_end(lambda: {"jobs_s": Runner(plan, store, folder, emit).run()}, folder, emit)


def to_its_end(work: Callable[[], dict[str, Any]], folder: Path, emit: Emit) -> str:
    """Do `work`, whose facts the last event holds; returns the final status and has said it, and why, too."""
    begin, facts = time.monotonic(), {}
    try:
        facts = work()
        status = "ok"
    except Exception as error:  # whatever it is, the run must end with a word for a person
        import traceback

        traceback.print_exc()
        emit(event.failed("", "run", error, str(folder / "log")))
        status = "failed"
    facts |= {"wall_s": time.monotonic() - begin, "own_cpu_s": time.process_time()}
    emit(Finished(status=status, facts=facts))
    return status
