"""Plan -> events: a runner of its own does the work and survives its caller.

    run = submit(plan, store)          at once; the same request that waits or runs is joined
    for event in follow(run, store)    in any process, from the first event on
    resume(run, store)  cancel(run, store)

A run is of a kind: a comparison, whose plan is carried out here, or another that stands above this room and comes
into the same queue by `enqueue`. Its process is the runner's (runner.py), which knows what does each kind.

The runner of a comparison goes through the plan's work in order. What is in the store already is reused; each other
piece is done by a worker. A variant whose work failed is out, the others go on. One measuring block at a time
runs on a machine: runners wait for their turn in order.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from workbench import catalog, event, isolate, machine, planning, work
from workbench.errors import WorkbenchError
from workbench.event import Event, Failed, Finished, Made, Measured, Progress, Started
from workbench.hub import jobs
from workbench.isolate import Limits
from workbench.planning import Measure, Plan, Prepare, Variant, Work
from workbench.store import COMPARE, TUNE, RunRecord, Store, write_whole

if TYPE_CHECKING:
    from workbench.comparison import Comparison
    from workbench.outcome import Results

STAGE_SECONDS = 3600.0  # that a piece of work may take until its first answer; WORKBENCH_STAGE_SECONDS says otherwise
POLL = 0.15  # seconds between two looks at a run's events
Emit = Callable[[Event], None]
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
    return to_its_end(lambda: {"jobs_s": _Runner(plan, store, folder, emit).run()}, folder, emit)


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


class Here:
    """A plan's work in this process's own workers, as far as somebody needs it; no documents are written before
    `write`. `plan` may grow meanwhile. `patience` says how many seconds one piece of work may take."""

    def __init__(
        self, plan: Plan, store: Store, folder: Path, emit: Emit, patience: Callable[[], float] | None = None
    ) -> None:
        self._runner = _Runner(plan, store, folder, emit)
        self._runner.patience = patience or self._runner.patience
        self._done: set[str] = set()

    @property
    def plan(self) -> Plan:
        return self._runner.plan

    @plan.setter
    def plan(self, plan: Plan) -> None:
        self._runner.plan = plan

    def do(self, *ids: str) -> Failed | None:
        """These pieces and what they stand on, each once; the first of these that failed."""
        for id in ids:
            piece = self.plan.piece(id)
            if id not in self._done:
                self._done.add(id)
                self.do(*piece.after)
                self._runner._do(piece)
        return next((self._runner.broken[id] for id in ids if id in self._runner.broken), None)

    def again(self, failed: Failed) -> None:
        """What failed so, and what failed because of it, may be done once more."""
        gone = [id for id, one in self._runner.broken.items() if one is failed]
        for id in gone:
            del self._runner.broken[id]
        self._done.difference_update(gone)

    def facts(self, id: str) -> dict[str, Any]:
        """What a piece that was done said of itself."""
        return self._runner.facts[id]

    def accuracy(self, variant: Variant) -> dict[str, Any]:
        """The change against the baseline, when both have answered."""
        from workbench import outcome

        return outcome.accuracy_of(self.plan, self._runner.store, variant)

    def broken(self, id: str) -> Failed | None:
        return self._runner.broken.get(id)

    @property
    def jobs_s(self) -> float:
        return self._runner.jobs_s

    @property
    def store(self) -> Store:
        return self._runner.store

    @property
    def folder(self) -> Path:
        return self._runner.folder

    @property
    def emit(self) -> Emit:
        return self._runner.emit

    def is_there(self, id: str) -> bool:
        """A piece's artifact is in the store, and need not be made anew."""
        piece = self.plan.piece(id)
        return not self._runner._afresh(piece) and self._runner.store.find(piece.key) is not None

    def bytes_of(self, id: str) -> int:
        return self._runner._bytes(id)

    def interleaved(self, names: Sequence[str], kept: Path, title: str, **changes: Any) -> dict[str, Any]:
        """A measuring block of the baseline and the variants of these names, whose models were made. Its result stays
        in `kept` and is not measured again. `changes` are those to the block's request."""
        variants = [one for one in self.plan.variants if one.name in names or one is self.plan.baseline]
        return self._runner.interleaved(variants, kept, title, changes)

    @contextlib.contextmanager
    def parked(self, function: Callable[..., Any], id: str, job: dict[str, Any]) -> Iterator[isolate.Worker]:
        """A worker that does a piece of measuring in turns; it ends with the block."""
        with self._runner.parked(function, self.plan.piece(id), job) as worker:
            yield worker

    def keep(self, id: str, into: Path, facts: dict[str, Any], seconds: float) -> None:
        """Take in what such a worker has filled the folder `into` with."""
        self._runner.keep(self.plan.piece(id), into, facts, seconds)
        self._done.add(id)

    def compared(self, plan: Plan, speed: dict[str, Any]) -> dict[str, Any]:
        """The report of such a block, whose rows are the variants and gaps of `plan`."""
        from workbench import outcome

        return outcome.compared_rows(plan, self._results(speed), self.store).report

    def write(self, plan: Plan, speed: dict[str, Any], search: dict[str, Any]) -> None:
        """The same with all documents, in the run's folder. `search`: what was tried."""
        from workbench import outcome

        outcome.write(plan, self._results(speed), self.store, self.folder, search)

    def _results(self, speed: dict[str, Any]) -> Results:
        from workbench import outcome

        runner = self._runner
        return outcome.Results(runner.facts, runner.seconds, runner.reused, runner.broken, speed)

    def compare(self) -> Comparison:
        """Measure the speed of all variants, whose models were made, and compare them by it. Raises WorkbenchError."""
        from workbench import outcome

        return outcome.compared_rows(self.plan, self._results(self._runner._measure_speed()), self.store)


class _Runner:
    def __init__(self, plan: Plan, store: Store, folder: Path, emit: Emit) -> None:
        self.plan, self.store, self.folder, self.emit = plan, store, folder, emit
        self.log = folder / "log"
        self.facts: dict[str, dict[str, Any]] = {}  # work id -> facts
        self.seconds: dict[str, float] = {}
        self.reused: dict[str, bool] = {}
        self.broken: dict[str, Failed] = {}
        self.cores = tuple(machine.usable_cores())
        self.jobs_s = 0.0  # wall seconds in which at least one worker was at work
        self.patience: Callable[[], float] = stage_seconds
        self._counting, self._at_work, self._since = threading.Lock(), 0, 0.0
        self._free_cores: SimpleQueue[int] = SimpleQueue()

    def run(self) -> float:
        """All work, then the documents; returns the wall seconds that jobs took."""
        planning.keep_local_data(self.plan, self.store)
        if any(self._preloads(piece) and self.store.find(piece.key) is None for piece in self.plan.work):
            isolate.preload(Limits(threads=machine.auto_threads(), preload=True))  # beside the first pieces
        answers = [piece for piece in self.plan.work if piece.job["do"] == "predict"]
        looks = [piece for piece in self.plan.work if piece.job["do"] == "audit"]
        for piece in self.plan.work:
            if piece not in answers and piece not in looks:
                self._do(piece)
        self._side_by_side(answers)
        for piece in looks:
            self._do(piece)
        if essential := self.broken.get("model") or self.broken.get("inputs"):
            raise WorkbenchError(essential.what, essential.why, essential.fix)
        from workbench import outcome  # statistics are heavy to import: only the runner needs them

        speed = self._measure_speed()
        results = outcome.Results(self.facts, self.seconds, self.reused, self.broken, speed)
        outcome.write(self.plan, results, self.store, self.folder)
        return self.jobs_s

    def _side_by_side(self, pieces: list[Work]) -> None:
        """One worker a core, one thread each: what is not timed may share the machine. Each is kept on a core of its
        own: some runtimes pin their only thread to the first core that they may use."""
        for core in self.cores[: machine.auto_threads()]:
            self._free_cores.put(core)
        pool = ThreadPoolExecutor(max_workers=self._free_cores.qsize())
        try:
            for _ in pool.map(self._do, pieces):
                pass
        finally:  # nobody waits for the rest when the run is cancelled: the workers end with this process
            pool.shutdown(wait=False, cancel_futures=True)

    # ---- one piece

    def _do(self, piece: Work) -> None:
        cause = next((self.broken[one] for one in piece.after if one in self.broken), None)
        if cause is not None:
            self.broken[piece.id] = cause
            return
        begin = time.monotonic()
        found = None if self._afresh(piece) else self.store.find(piece.key, check=True)
        if found is None:
            self.emit(Started(work=piece.id, title=piece.title))
        try:
            facts = found.facts if found else self._make(piece)
        except (WorkbenchError, OSError) as error:
            self._fail(piece, error)
            return
        seconds = float(facts.get("seconds", 0.0)) if found else time.monotonic() - begin
        self._note(piece, facts, seconds, reused=found is not None)

    def _note(self, piece: Work, facts: dict[str, Any], seconds: float, reused: bool) -> None:
        self.facts[piece.id], self.seconds[piece.id], self.reused[piece.id] = facts, seconds, reused
        kind = Measured if isinstance(piece, Measure) else Made
        said: dict[str, Any] = {} if kind is Measured else {"format": piece.format}
        self.emit(kind(work=piece.id, key=piece.key, seconds=seconds, reused=reused, facts=_brief(facts), **said))

    def keep(self, piece: Work, into: Path, facts: dict[str, Any], seconds: float) -> None:
        kept = self.store.keep(piece.key, piece.format, into, facts | {"seconds": seconds})
        self._mark(piece)
        self._note(piece, kept.facts, seconds, reused=False)

    def _afresh(self, piece: Work) -> bool:
        """`fresh` builds anew once: what this very run has made already stays."""
        if not self.plan.request.fresh or isinstance(piece, Prepare):
            return False
        marks = self.folder / "fresh"
        marks.mkdir(exist_ok=True)
        if (marks / piece.key).exists():
            return False
        self.store.forget(piece.key)
        return True

    def _fail(self, piece: Work, error: BaseException) -> None:
        log = self._log_of(piece)
        failed = event.failed(piece.id, piece.job.get("step") or piece.job["do"], error, str(log))
        self.broken[piece.id] = failed
        self.emit(failed)

    def _make(self, piece: Work) -> dict[str, Any]:
        """Do the work into an empty folder and keep it whole; returns its facts."""
        with self.store.aside() as into:
            begin = time.monotonic()
            facts = self._work(piece, into)
            facts = facts | {"seconds": time.monotonic() - begin}
            if not any(into.iterdir()):
                write_whole(into / "facts.json", json.dumps(facts))
            kept = self.store.keep(piece.key, facts.get("format", piece.format), into, facts)
        self._mark(piece)
        return kept.facts

    def _mark(self, piece: Work) -> None:
        if self.plan.request.fresh and not isinstance(piece, Prepare):
            (self.folder / "fresh" / piece.key).touch()

    def _work(self, piece: Work, into: Path) -> dict[str, Any]:
        do, job = piece.job["do"], piece.job
        if do == "fetch":
            return self._call(jobs.fetch, piece, {"info": job["info"], "into": str(into)}, network=True)
        if do == "prepare":
            return self._call(work.prepare, piece, {"rows": self._path(job["rows"]), "into": str(into)})
        if do == "facts":
            return self._call(work.model_facts, piece, {"inputs": self._path_of("inputs")})
        if do == "peaks":
            with measuring_turn(self._waiting(piece)):
                return self._call(work.peaks, piece, {"threads": machine.auto_threads()})
        if do == "build":
            uses = {"source": self._path_of(job["source"]), "inputs": self._path_of("inputs"), "into": str(into),
                    "calibration": self._path_of(job["calibration"]) if job["calibration"] else None,
                    "like": self._made_before(job.get("like"))}  # fmt: skip
            return self._call(work.build, piece, job | uses)
        if do == "sensitivity":
            return self._call(work.sensitivity, piece, self._sensitivity(self.plan.piece(job["make"])))
        function = {"predict": work.predict, "audit": work.audit}[do]
        job = self._session(job["variant"]) | job | {"into": str(into)}
        return self._call(function, piece, job, threads=job["threads"])

    def _sensitivity(self, made: Work) -> dict[str, Any]:
        uses = made.job["calibration"]
        return {"step": made.job["step"], "options": made.job["options"], "source": self._path_of(made.job["source"]),
                "made": self._path_of(made.id), "inputs": self._path_of("inputs"), "seed": made.job["seed"],
                "calibration": self._path_of(uses) if uses else None}  # fmt: skip

    def _made_before(self, id: str | None) -> str | None:
        found = self.store.find(self.plan.piece(id).key) if id else None
        return str(found.path) if found else None

    def _variant(self, name: str) -> Variant:
        return next(one for one in self.plan.variants if one.name == name)

    def _session(self, name: str) -> dict[str, Any]:
        """What opens a variant in a worker."""
        variant = self._variant(name)
        return {"backend": variant.backend, "device": variant.device, "threads": variant.threads,
                "options": variant.options, "folder": self._path_of(variant.artifact),
                "inputs": self._path_of("inputs")}  # fmt: skip

    def _call(self, function: Callable[..., Any], piece: Work, job: dict[str, Any], network: bool = False,
              threads: int | None = None) -> dict[str, Any]:  # fmt: skip
        job = {
            "task": self.plan.task,
            "model": self._path_of("model") if piece.id not in ("model", "peaks") else "",
            **job,
        }

        def say(done: float, total: float, note: str) -> None:
            self.emit(Progress(work=piece.id, done=done, total=total, note=note))

        with self._busy(), self._seat_of(piece) as cores:
            limits = Limits(
                seconds=self.patience(), memory_bytes=self._memory(), threads=threads or machine.auto_threads(),
                cores=cores, network=network, timed=function is work.peaks, preload=self._preloads(piece),
            )  # fmt: skip
            return dict(isolate.call(function, job, limits, self._log_of(piece), say))

    def _preloads(self, piece: Work) -> bool:
        """Whether it is done with PyTorch and transformers, on the CPU: drivers of accelerators do not like forks."""
        do, job = piece.job["do"], piece.job
        if do == "build":
            needs = catalog.step(job["step"]).needs
        elif do in ("predict", "audit"):
            variant = self._variant(job["variant"])
            needs = catalog.backend(variant.backend).needs if variant.device == "cpu" else ()
        else:
            return bool(do == "facts")
        return {"torch", "transformers"} <= set(needs)

    def _memory(self) -> int | None:
        """All that there is: a worker that wants more is told so, before the system ends anything. Drivers of
        accelerators map more than they use."""
        on_cpu = all(one.device == "cpu" for one in self.plan.variants)
        return machine.memory_limit() if on_cpu else None

    @contextlib.contextmanager
    def parked(self, function: Callable[..., Any], piece: Work, job: dict[str, Any]) -> Iterator[isolate.Worker]:
        job = self._session(piece.job["variant"]) | piece.job | {"task": self.plan.task} | job
        limits = Limits(threads=job["threads"], cores=self.cores, seconds=self.patience())
        with self._busy(), isolate.start(function, job, limits, self._log_of(piece)) as worker:
            yield worker

    @contextlib.contextmanager
    def _seat_of(self, piece: Work) -> Iterator[tuple[int, ...]]:
        """The cores that a piece of work may use: one that is free where several are done side by side."""
        if piece.job["do"] != "predict" or self._free_cores.empty():
            yield self.cores
            return
        core = self._free_cores.get()
        try:
            yield (core,)
        finally:
            self._free_cores.put(core)

    @contextlib.contextmanager
    def _busy(self) -> Iterator[None]:
        """Count the wall time in which at least one worker is at work."""
        with self._counting:
            self._at_work += 1
            if self._at_work == 1:
                self._since = time.monotonic()
        try:
            yield
        finally:
            with self._counting:
                self._at_work -= 1
                if self._at_work == 0:
                    self.jobs_s += time.monotonic() - self._since

    def _log_of(self, piece: Work) -> Path:
        return self.log / f"{piece.id}.log"

    def _path_of(self, id: str) -> str:
        return self._path(self.plan.piece(id).key)

    def _path(self, key: str) -> str:
        found = self.store.find(key)
        if found is None:
            raise WorkbenchError("A finished artifact is gone.", f"{key[:12]} was removed meanwhile.", "Run it again.")
        return str(found.path)

    # ---- speed

    def _measure_speed(self) -> dict[str, Any]:
        """The measuring block over all variants that were built; its result is kept in the run's folder."""
        whole = [one for one in self.plan.variants if f"predict-{one.name}" not in self.broken]
        if self.plan.baseline not in whole:
            failed = self.broken[f"predict-{self.plan.baseline.name}"]
            raise WorkbenchError("The baseline could not be measured.", failed.what, failed.fix)
        return self.interleaved(whole, self.folder / "speed.json", "Measure speed", {})

    def interleaved(self, variants: list[Variant], kept: Path, title: str, changes: dict[str, Any]) -> dict[str, Any]:
        from workbench import block

        if kept.exists():
            return dict(json.loads(kept.read_text()))
        piece = Measure(kept.stem, title, "", "speed", (), {"do": "speed"})
        self.emit(Started(work=piece.id, title=title))
        begin = time.monotonic()
        with measuring_turn(self._waiting(piece)), self._busy():
            result = block.run(self._block(variants) | changes, self.log, self._saying(piece))
        write_whole(kept, json.dumps(result, allow_nan=False))
        facts = {"rounds": len(result["rounds"]), "stopped": result["stopped"], "half_width": result["half_width"]}
        self.emit(Measured(work=piece.id, key="", seconds=time.monotonic() - begin, reused=False, facts=facts))
        return result

    def _block(self, variants: list[Any]) -> dict[str, Any]:
        rows = self.plan.piece("inputs").job["rows"]
        return {
            "task": self.plan.task, "baseline": self.plan.baseline.name, "inputs": self._path_of("inputs"),
            "rows": self._path(rows), "model": self._path_of("model"), "examples": self.facts["inputs"]["n"],
            "threads": machine.auto_threads(), "cores": list(self.cores), "measure": self.plan.measure,
            "seed": self.plan.measure["seed"], "memory": self._memory(),
            "variants": [
                self._session(one.name) | {"name": one.name, "bytes": self._bytes(one.artifact)} for one in variants
            ],
        }  # fmt: skip

    def _bytes(self, id: str) -> int:
        return sum(entry["bytes"] for entry in self.store.files_of(self.plan.piece(id).key))

    def _saying(self, piece: Work) -> isolate.Progress:
        last = [0.0]

        def say(done: float, total: float, note: str) -> None:
            if time.monotonic() - last[0] > 0.3:
                last[0] = time.monotonic()
                self.emit(Progress(work=piece.id, done=done, total=total, note=note))

        return say

    def _waiting(self, piece: Work) -> Callable[[int], None]:
        def say(place: int) -> None:
            self.emit(Progress(work=piece.id, note=f"waits for its turn to measure, {place} before it"))

        return say


def stage_seconds() -> float:
    """Raises WorkbenchError for a setting that is no number of seconds."""
    said = os.environ.get("WORKBENCH_STAGE_SECONDS", "")
    try:
        seconds = float(said or STAGE_SECONDS)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise WorkbenchError(
            f"WORKBENCH_STAGE_SECONDS is {said!r}.", "It is a number of seconds.", "Say 3600, or less."
        )
    return seconds


def _brief(facts: dict[str, Any]) -> dict[str, Any]:
    """Facts small enough for an event."""
    return {
        name: value
        for name, value in facts.items()
        if isinstance(value, str | int | float | bool) or name == "coverage"
    }


# ---- one measuring block at a time --------------------------------------------------------------


@contextlib.contextmanager
def measuring_turn(say: Callable[[int], None]) -> Iterator[None]:
    """The machine's measuring lock, in order of asking; `say(n)` tells how many are before.

    Each asker holds a numbered ticket, a locked file in a folder of the machine (not of a home). It is its
    turn when every earlier ticket is gone or let go: a process that dies lets go.
    """
    folder = _tickets()
    folder.mkdir(mode=0o700, exist_ok=True)
    ticket, number = _ticket(folder)
    try:
        told = 0
        while before := sum(_held(path) for path in folder.glob("*.ticket") if int(path.stem) < number):
            if before != told:
                say(before)
                told = before
            time.sleep(0.2)
        yield
    finally:
        Path(ticket.name).unlink(missing_ok=True)
        ticket.close()


def is_measured_on() -> bool:
    """Whether somebody measures on this machine now: what is not urgent waits then."""
    return any(_held(path) for path in _tickets().glob("*.ticket"))


def _tickets() -> Path:
    return Path(tempfile.gettempdir()) / f"workbench-measuring-{os.getuid()}"


def _ticket(folder: Path) -> tuple[Any, int]:
    with (folder / "counter").open("a+") as counter:
        fcntl.flock(counter, fcntl.LOCK_EX)
        counter.seek(0)
        number = int(counter.read() or 0) + 1
        counter.truncate(0)
        counter.write(str(number))
        counter.flush()
        ticket = (folder / f"{number}.ticket").open("w")
        fcntl.flock(ticket, fcntl.LOCK_EX)
        return ticket, number


def _held(path: Path) -> bool:
    try:
        with path.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    path.unlink(missing_ok=True)
    return False
