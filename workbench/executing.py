"""A plan's work, done in this process's own workers.

What is in the store already is reused; each other piece is done by a worker. A variant whose work failed is out, the
others go on. One measuring block at a time runs on a machine: whoever measures waits for its turn in order.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from workbench import catalog, event, isolate, machine, planning, work
from workbench.errors import WorkbenchError
from workbench.event import Event, Failed, Made, Measured, Progress, Started
from workbench.hub import jobs
from workbench.isolate import Limits
from workbench.pieces import Measure, Plan, Prepare, Variant, Work
from workbench.store import Store, write_whole
from workbench.turns import measuring_turn

if TYPE_CHECKING:
    from workbench.comparison import Comparison
    from workbench.outcome import Results

STAGE_SECONDS = 3600.0  # that a piece of work may take until its first answer; WORKBENCH_STAGE_SECONDS says otherwise
Emit = Callable[[Event], None]


class Here:
    """A plan's work in this process's own workers, as far as somebody needs it; no documents are written before
    `write`. `plan` may grow meanwhile. `patience` says how many seconds one piece of work may take."""

    def __init__(
        self, plan: Plan, store: Store, folder: Path, emit: Emit, patience: Callable[[], float] | None = None
    ) -> None:
        self._runner = Runner(plan, store, folder, emit)
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

    def preload(self) -> None:
        """Import what workers will need beside the first pieces."""
        self._runner.preload()

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
        in `kept` and is not measured again. `changes` are those to the block's request, its baseline among them."""
        baseline = changes.setdefault("baseline", self.plan.baseline.name)
        variants = [one for one in self.plan.variants if one.name in (*names, baseline)]
        return self._runner.interleaved(variants, kept, title, changes)

    def patience(self) -> float:
        """Seconds that a piece of work may take now."""
        return self._runner.patience()

    @property
    def cores(self) -> tuple[int, ...]:
        """Ids of those that workers may use."""
        return self._runner.cores[: machine.auto_threads()]

    @contextlib.contextmanager
    def parked(
        self, function: Callable[..., Any], id: str, jobs: Sequence[dict[str, Any]]
    ) -> Iterator[list[isolate.Worker]]:
        """A worker a job, each on cores of its own, for one piece of measuring in turns; they end with the block."""
        piece = self.plan.piece(id)
        with contextlib.ExitStack() as stack:
            shares = [self.cores[place :: len(jobs)] for place in range(len(jobs))]
            parked = [self._runner.parked(function, piece, *each) for each in zip(jobs, shares, strict=True)]
            yield [stack.enter_context(one) for one in parked]

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


class Runner:
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
        self.preload()
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

    def preload(self) -> None:
        """Import what workers will need beside the first pieces, if any is to be done."""
        if any(self._preloads(piece) and self.store.find(piece.key) is None for piece in self.plan.work):
            isolate.preload(Limits(threads=machine.auto_threads(), preload=True))

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
            self.emit(Started(work=piece.id, title=piece.called))
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
        """Whether it is done with PyTorch and transformers, on the CPU: drivers of accelerators do not like forks. The
        rest begins where they are imported, too, once they are: NumPy and our own modules are as well."""
        do, job = piece.job["do"], piece.job
        needs: tuple[str, ...] = ()
        if do == "build":
            needs = catalog.step(job["step"]).needs
        elif do in ("predict", "audit"):
            variant = self._variant(job["variant"])
            if variant.device != "cpu":
                return False
            needs = catalog.backend(variant.backend).needs
        elif do == "facts":
            return True
        elif do != "prepare":
            return False
        return {"torch", "transformers"} <= set(needs) or isolate.preloaded(Limits(preload=True))

    def _memory(self) -> int | None:
        """All that there is: a worker that wants more is told so, before the system ends anything. Drivers of
        accelerators map more than they use."""
        on_cpu = all(one.device == "cpu" for one in self.plan.variants)
        return machine.memory_limit() if on_cpu else None

    @contextlib.contextmanager
    def parked(
        self, function: Callable[..., Any], piece: Work, job: dict[str, Any], cores: tuple[int, ...]
    ) -> Iterator[isolate.Worker]:
        job = self._session(piece.job["variant"]) | piece.job | {"task": self.plan.task} | job
        limits = Limits(threads=job["threads"], cores=cores, seconds=self.patience(), memory_bytes=self._memory(),
                        preload=self._preloads(piece))  # fmt: skip
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
