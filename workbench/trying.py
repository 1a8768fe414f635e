"""One's own input on all variants of a finished run: what each says, and how long a few calls take.

    with Panel(run, store) as panel:
        trial = panel.ask({"text": "a warm and clever film"})

Nothing is built: what the run made is opened where it still is. The model's processor and the variants of one backend
live in a worker each, parked between two questions; variants are asked one at a time. What comes out is no
measurement: these workers give way to whatever else the machine does.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
import shutil
import statistics
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench import catalog, isolate, machine, running, work
from workbench.errors import RequestError, WorkbenchError
from workbench.hub.columns import MEDIA
from workbench.isolate import Limits, Worker
from workbench.pieces import Plan, Variant
from workbench.plugin import Task
from workbench.reply import Reply
from workbench.store import Store

MOST_TEXT = 20_000  # characters
MOST_BYTES = 20 << 20  # of a picture or a sound
SECONDS = 120.0  # that one answer may take: a loaded model, or all calls of one variant
WORKER_BYTES, MODEL_SIZES = 4 << 30, 4  # heap of a worker: so much, and so many times the models' files
MEMORY_SHARE = 0.7  # of this machine's, that a worker may never pass
KEPT_SHARE = 0.25  # of this machine's memory: models that fit into it stay open for the next input
NOUNS = {"text": "text", "image": "picture", "audio": "sound"}

Tell = Callable[["Said"], None]
Problem = dict[str, str]  # what, why, fix
GONE = {
    "what": "Its model is gone.",
    "why": "It was removed to free room; nothing is built again for one input.",
    "fix": "Run the comparison again: it builds what is missing.",
}


@dataclass(frozen=True)
class Field:
    """What a person gives. `kind`: text, image or audio, the last two as a file; `value`: what stands there first."""

    name: str
    kind: str
    label: str
    optional: bool = False
    value: str = ""


@dataclass(frozen=True)
class Said:
    """One variant's answer, or why there is none. `agrees`: with the baseline, None where that can't be told;
    `cosine`: of two vectors, where the answer is one; `seconds`: of each timed call."""

    name: str
    baseline: bool
    reply: Reply | None = None
    seconds: tuple[float, ...] = ()
    agrees: bool | None = None
    cosine: float | None = None
    problem: Problem | None = None

    @property
    def median(self) -> float | None:
        """Seconds; None where nothing was timed."""
        return statistics.median(self.seconds) if self.seconds else None


@dataclass(frozen=True)
class Trial:
    """What all variants said to one input. `card`: the input, as reports show it; `truncated`: whether it was cut at
    `max_length` tokens; `timed`: what one timed call gets done, where that is more than one example."""

    card: dict[str, Any]
    truncated: bool
    max_length: int | None
    timed: str
    rows: tuple[Said, ...]
    took: float  # seconds in all, loading included


class Panel:
    """The variants of a finished run, ready to be asked. One question at a time; `close` from any thread.

    Raises RequestError for a run that has not finished, WorkbenchError where the model itself was removed.
    """

    def __init__(self, run: str, store: Store) -> None:
        self.store, self.run = store, store.run(run).id
        self.plan, self._failed = running.plan_of(self.run, store), _failures(self.run, store)
        self.task = catalog.task(self.plan.task)
        self._model = store.find(self.plan.piece("model").key)
        if self._model is None:
            raise WorkbenchError(f"The model of run {self.run} is gone.", GONE["why"], GONE["fix"])
        self.fields = fields_of(self.task, self.plan, self._classes())
        self._asking, self._changing = threading.Lock(), threading.Lock()
        self._workers: dict[tuple[str, int], Worker] = {}
        self._starter = ThreadPoolExecutor(1)  # a worker ends with the thread that began it: this one stays
        self.closed = False
        self._leaving = contextlib.ExitStack()
        self._folder = self._leaving.enter_context(store.aside())
        self._keep = self._fit_together()

    # ---- asking

    def ask(self, example: Mapping[str, Any], tell: Tell = lambda _: None) -> Trial:
        """Give `example` (field -> text, or the path of a file) to every variant; `tell` gets each answer at once.

        Raises RequestError for an input that cannot be asked, WorkbenchError when the panel was closed meanwhile.
        """
        row = checked(self.fields, example)
        with self._asking:
            if self.closed:
                raise _stopped()
            begin, into = time.monotonic(), self._folder / "input"
            shutil.rmtree(into, ignore_errors=True)
            into.mkdir()
            about, broken = self._begin(row, into)
            rows: list[Said] = []
            for variant in self.plan.variants:
                problem = broken.get(variant.name)
                said = {"problem": problem} if problem else self._ask(variant, into)
                rows.append(_said(variant.name, said, rows))
                tell(rows[-1])
            return Trial(about["card"], bool(about["truncated"]), about["max_length"], about["timed"], tuple(rows),
                         time.monotonic() - begin)  # fmt: skip

    def _begin(self, row: dict[str, Any], into: Path) -> tuple[dict[str, Any], dict[str, Problem]]:
        """The input prepared, while the models are loaded: (about it, variants that cannot be asked and why)."""
        groups: dict[tuple[str, int], list[Variant]] = {}
        broken: dict[str, Problem] = {}
        for variant in self.plan.variants:
            if problem := self._unaskable(variant):
                broken[variant.name] = problem
            else:
                groups.setdefault(_group(variant), []).append(variant)
        with ThreadPoolExecutor(len(groups) + 1) as pool:
            prepared = pool.submit(self._prepare, row, into)
            for found in pool.map(self._open, groups.values() if self._keep else ()):
                broken |= found
            return prepared.result(), broken

    def _unaskable(self, variant: Variant) -> Problem | None:
        if reason := self._failed.get(variant.name):
            return {"what": "It failed in the run itself.", "why": reason, "fix": ""}
        return None if self.store.find(self.plan.piece(variant.artifact).key) else GONE

    def _prepare(self, row: dict[str, Any], into: Path) -> dict[str, Any]:
        files = {field.name: _copied(row, field.name, into) for field in self.fields
                 if field.kind != "text" and field.name in row}  # fmt: skip
        facts = self.store.find(self.plan.piece("inputs").key)
        job = {"task": self.task.name, "model": str(self._model.path) if self._model else "",
               "inputs": str(facts.path) if facts else ""}  # fmt: skip
        asked = {"row": row | files | {"id": "own"}, "files": list(files), "into": str(into)}
        said = self._tell(("", machine.auto_threads()), work.park_own, job, asked)
        if problem := said.get("problem"):
            kind = RequestError if said.get("request") else WorkbenchError
            raise kind(problem["what"], problem["why"], problem["fix"])
        return said

    def _open(self, variants: list[Variant]) -> dict[str, Problem]:
        """Load them, one after another; those that can't be loaded, and why."""
        said = {variant.name: self._ask(variant, None) for variant in variants}
        return {name: one["problem"] for name, one in said.items() if "problem" in one}

    def _ask(self, variant: Variant, into: Path | None) -> dict[str, Any]:
        folder = self.store.find(self.plan.piece(variant.artifact).key)
        if folder is None:  # cleaned up a moment ago
            return {"problem": GONE}
        asked = {"name": variant.name, "folder": str(folder.path), "backend": variant.backend,
                 "device": variant.device, "threads": variant.threads, "options": variant.options,
                 "keep": self._keep, "inputs": str(into) if into else None}  # fmt: skip
        return self._tell(_group(variant), work.park_replies, {"task": self.task.name}, asked)

    # ---- workers

    def _tell(self, group: tuple[str, int], function: Any, job: dict[str, Any], asked: Any) -> dict[str, Any]:
        """One message to the worker of a group, which is started where there is none; a problem where it dies."""
        worker = self._worker(group, function, job)
        try:
            return dict(worker.ask(asked))
        except WorkbenchError as error:
            with self._changing:
                self._workers.pop(group, None)
            worker.end()
            if self.closed:
                raise _stopped() from None
            return {"problem": {"what": error.what, "why": error.why, "fix": error.fix}}

    def _worker(self, group: tuple[str, int], function: Any, job: dict[str, Any]) -> Worker:
        with self._changing:
            if self.closed:
                raise _stopped()
            if group not in self._workers:
                log = self._folder / "log" / f"{group[0] or 'input'}-{group[1]}.log"
                begun = self._starter.submit(isolate.start, function, job, self._limits(group), log)
                self._workers[group] = begun.result()
            return self._workers[group]

    def _limits(self, group: tuple[str, int]) -> Limits:
        own = [variant for variant in self.plan.variants if _group(variant) == group]
        memory = min(WORKER_BYTES + MODEL_SIZES * sum(map(self._bytes, own)), MEMORY_SHARE * machine.memory_limit())
        on_cpu = all(variant.device == "cpu" for variant in own)  # drivers of accelerators map more than they use
        return Limits(seconds=SECONDS, memory_bytes=int(memory) if on_cpu else None, threads=group[1],
                      cores=tuple(machine.usable_cores()))  # fmt: skip

    def _fit_together(self) -> bool:
        """Whether all models may stay open; a loaded one takes about twice its file."""
        return 2 * sum(map(self._bytes, self.plan.variants)) < KEPT_SHARE * machine.memory_limit()

    def _bytes(self, variant: Variant) -> int:
        key = self.plan.piece(variant.artifact).key
        return sum(entry["bytes"] for entry in self.store.files_of(key)) if self.store.find(key) else 0

    def _classes(self) -> list[str]:
        found = self.store.find(self.plan.piece("inputs").key)
        return [str(name) for name in found.facts.get("classes") or ()] if found else []

    def close(self) -> None:
        """End every worker, also in the middle of a question, which then ends with an error. Safe to call twice."""
        with self._changing:
            self.closed = True
            for worker in self._workers.values():
                worker.kill()
        with self._asking:
            for worker in self._workers.values():
                worker.end()
            self._starter.shutdown()
            self._leaving.close()

    def __enter__(self) -> Panel:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


# ---- what goes in -------------------------------------------------------------------------------


def fields(run: str, store: Store) -> tuple[Field, ...]:
    """What a person gives to ask about an input of their own."""
    plan = running.plan_of(run, store)
    found = store.find(plan.piece("inputs").key)
    return fields_of(catalog.task(plan.task), plan, (found.facts.get("classes") or ()) if found else ())


def fields_of(task: Task, plan: Plan, classes: Any) -> tuple[Field, ...]:
    """As the task's `form` says, else those that the run's data had."""
    given = plan.data["evaluation"]["columns"]
    needed = {name for alternative in task.inputs for name in alternative}
    form = task.form or {name: _label(name) for name in max(
        (one for one in task.inputs if set(one) <= set(given)), key=len, default=task.inputs[0])}  # fmt: skip
    return tuple(
        Field(
            name, name if name in MEDIA else "text", label, name not in needed,
            "" if name in needed else ", ".join(map(str, classes)),
        )
        for name, label in form.items()
    )  # fmt: skip


def _label(name: str) -> str:
    """`text1` -> "Text 1"."""
    known = {"image": "picture", "audio": "sound"}
    return " ".join(re.findall(r"[^\W\d]+|\d+", known.get(name, name))).capitalize()


def checked(fields: tuple[Field, ...], example: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that were filled in: texts, and paths as `Path`. Raises RequestError."""
    known = {field.name for field in fields}
    if unknown := sorted(set(example) - known):
        raise RequestError(
            f"There is no field called {unknown[0]!r}.", f"This run asks for {', '.join(known)}.", "Name one of these."
        )
    row: dict[str, Any] = {}
    for field in fields:
        value = example.get(field.name)
        if value is None or (isinstance(value, str) and not value.strip()):
            if not field.optional:
                act = "Write one" if field.kind == "text" else "Choose a file"
                raise RequestError(f"{field.label} is empty.", "A model cannot be asked about nothing.", f"{act}.")
        elif field.kind == "text":
            row[field.name] = _text(field, value)
        else:
            row[field.name] = _file(field, value)
    return row


def _text(field: Field, value: Any) -> str:
    if not isinstance(value, str):
        raise RequestError(f"{field.label} is no text.", f"It is a {type(value).__name__}.", "Write a text.")
    if len(value) > MOST_TEXT:
        raise RequestError(
            f"{field.label} has {len(value):,} characters.", f"Up to {MOST_TEXT:,} are taken.", "Give a part of it."
        )
    try:
        value.encode()
    except UnicodeEncodeError:  # half a surrogate pair
        raise RequestError(f"{field.label} holds what is no text.", "", "Write it anew.") from None
    return value


def _file(field: Field, value: Any) -> Path:
    noun = NOUNS[field.kind]
    path = Path(value) if isinstance(value, str | Path) else None
    if path is None or not path.is_file():
        raise RequestError(f"There is no file for {field.label}.", "", f"Choose a {noun}.")
    size = path.stat().st_size
    if not 0 < size <= MOST_BYTES:
        why = f"Up to {MOST_BYTES / 1e6:.0f} MB are taken." if size else "Nothing is in it."
        raise RequestError(f"The {noun} has {size / 1e6:.1f} MB.", why, f"Give another {noun}.")
    return path


def _copied(row: dict[str, Any], name: str, into: Path) -> str:
    """The worker reads a copy, under a name that says nothing."""
    return str(shutil.copyfile(row[name], into / f"{name}.file"))


# ---- what comes out -----------------------------------------------------------------------------


def _said(name: str, found: dict[str, Any], before: list[Said]) -> Said:
    """`before`: rows so far, the baseline first."""
    if problem := found.get("problem"):
        return Said(name, not before, problem=problem)
    reply = Reply(**found["reply"] | {"scores": tuple((label, score) for label, score in found["reply"]["scores"]),
                                      "vector": tuple(found["reply"]["vector"])})  # fmt: skip
    base = before[0].reply if before else None
    told = base is not None and base.same is not None and reply.same is not None
    return Said(
        name, not before, reply, tuple(found["seconds"]), base.same == reply.same if told and base else None,
        _cosine(base.vector, reply.vector) if base else None,
    )  # fmt: skip


def _cosine(one: tuple[float, ...], other: tuple[float, ...]) -> float | None:
    """Of two vectors of one length that is not zero."""
    norms = math.hypot(*one) * math.hypot(*other)
    if len(one) != len(other) or not norms:
        return None
    return sum(a * b for a, b in zip(one, other, strict=True)) / norms


def _group(variant: Variant) -> tuple[str, int]:
    """Variants that share a worker: of one backend, with as many threads."""
    return variant.backend, variant.threads


def _failures(run: str, store: Store) -> dict[str, str]:
    """Row -> why, of those that did not finish. Raises RequestError where the run has no report yet."""
    try:
        report = json.loads((store.run_folder(run) / "report.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        status = store.run(run).status
        raise RequestError(f"Run {run} has nothing to ask yet.", f"It is {status}.", "Ask when it is done.") from None
    return {row["name"]: row["reason"] or row["status"] for row in report["rows"] if row["status"] != "ok"}


def _stopped() -> WorkbenchError:
    return WorkbenchError("The question was stopped.", "", "Ask again.")
