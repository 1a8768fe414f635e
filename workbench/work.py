"""What happens inside a worker. Each function takes a plain job and a channel, and answers with plain facts.

Names of plug-ins arrive as words and are resolved here. Every function runs in a process of its own, so
what it imports and how much memory it takes ends with it.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench import catalog, hub, inputs, machine
from workbench.artifact import canonical_json
from workbench.errors import RequestError, WorkbenchError
from workbench.isolate import Channel
from workbench.plugin import (
    Answers,
    Batch,
    Concurrent,
    Point,
    Prepared,
    Repairs,
    Session,
    StepContext,
    Task,
    Writes,
)

if TYPE_CHECKING:
    import numpy as np

Job = dict[str, Any]
SAMPLES = 4
RANKED = 32  # examples that rank operators
POLITE = 10  # niceness of what nobody measures: a measurement that goes on shall hardly feel it
FEWEST_CALLS, MOST_CALLS, CALLS_SECONDS = 3, 9, 1.0  # timed for a person's own input
ROUNDS_IN_FLIGHT = 4  # times a turn fills every place of a session that takes several requests


# ---- making -------------------------------------------------------------------------------------


def prepare(job: Job, channel: Channel) -> dict[str, Any]:
    """Rows through the model's processor, into the folder `into`. {"n", "truncated", "max_length", "mean_length"}."""
    task = catalog.task(job["task"])
    rows = hub.load_rows(Path(job["rows"])).rows
    channel.progress(0, len(rows), "examples")
    prepared = task.prepare(rows, Path(job["model"]))
    inputs.save(prepared, Path(job["into"]))
    tokens = [int(example.shape[0]) for example in next(iter(prepared.tensors.values()))]
    consumed = {"samples": len(prepared), "unique": len(set(prepared.ids)), "token_ids_sha256": _content(prepared)}
    return {**prepared.facts, "n": len(prepared), "mean_length": sum(tokens) / len(tokens), "consumed": consumed}


def build(job: Job, channel: Channel) -> dict[str, Any]:
    """One step: source folder -> `into`. The step's facts, and the semantic hash of what it made."""
    step = catalog.step(job["step"])
    options = catalog.options_of(step, job["options"], f"The step {step.name}")
    calibration = inputs.load(Path(job["calibration"])) if job["calibration"] else None
    into = Path(job["into"])
    facts = step.apply(Path(job["source"]), into, options, _context(job, channel, calibration))
    anew = calibration is not None and not job.get("like")
    return {**facts, "calibrated_anew": anew, "semantic": step.semantic(into), **_size(into)}


def _context(job: Job, channel: Channel, calibration: Prepared | None) -> StepContext:
    return StepContext(
        task=catalog.task(job["task"]),
        model=Path(job["model"]),
        samples=inputs.some(inputs.load(Path(job["inputs"])), SAMPLES),
        calibration=calibration,
        progress=channel.progress,
        seed=job["seed"],
        like=Path(job["like"]) if job.get("like") else None,
    )


def sensitivity(job: Job, channel: Channel) -> dict[str, Any]:
    """What each operator that a step has changed costs, as Repairs.sensitivity has it, on a few examples."""
    step = catalog.step(job["step"])
    assert isinstance(step, Repairs)
    examples = inputs.load(Path(job["calibration"] or job["inputs"]))
    context = _context(job, channel, inputs.some(examples, RANKED))
    return step.sensitivity(Path(job["source"]), Path(job["made"]), context)


def model_facts(job: Job, channel: Channel) -> dict[str, Any]:
    """{"parameters", "flops": operations of one call at mean natural length, "table_parameters": those of
    look-up tables, of which a call reads a few rows only}, counted on the PyTorch model."""
    import torch
    import transformers
    from torch.utils.flop_counter import FlopCounterMode

    task = catalog.task(job["task"])
    prepared = inputs.load(Path(job["inputs"]))
    config = json.loads((Path(job["model"]) / "config.json").read_text())
    auto_class = getattr(transformers, task.class_for(config))
    model = auto_class.from_pretrained(job["model"], dtype=torch.float32).eval()
    model.requires_grad_(False)  # the counter hooks itself to gradients of weights that are computed from others
    lengths = [example.size for example in next(iter(prepared.tensors.values()))]
    middle = sorted(range(len(lengths)), key=lambda i: lengths[i])[len(lengths) // 2]
    known = inspect.signature(model.forward).parameters
    batch = {name: torch.from_numpy(value) for name, value in task.collate(prepared, [middle]).items() if name in known}
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        model(**batch)
    scale = (sum(lengths) / len(lengths)) / max(lengths[middle], 1)
    return {
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        # An answer that is written takes many calls, each with its own part of the arithmetic: no one figure says it.
        "flops": None if Writes in task.asks_for(config) else counter.get_total_flops() * scale,
        "table_parameters": sum(one.weight.numel() for one in model.modules() if isinstance(one, torch.nn.Embedding)),
    }


def audit(job: Job, channel: Channel) -> dict[str, Any]:
    """{"audit": read from the file, "profile": where the time of a few natural calls goes}."""
    backend = catalog.backend(job["backend"])
    task, prepared = catalog.task(job["task"]), inputs.load(Path(job["inputs"]))
    said = backend.audit(Path(job["folder"]))
    session = _open(job)
    batches = [task.collate(prepared, [i]) for i in range(min(16, len(prepared)))]
    found = catalog.probe("profile").measure(session=session, batches=batches)
    return {"audit": said, "profile": found["operators"][:40]}


def peaks(job: Job, channel: Channel) -> dict[str, Any]:
    """The machine's measured peaks."""
    return catalog.probe("peak").measure(threads=job["threads"], progress=channel.progress)


# ---- measuring ----------------------------------------------------------------------------------


def predict(job: Job, channel: Channel) -> dict[str, Any]:
    """Every example once; answers into `into`. {"n", "predictions_sha256", "facts": of the session}."""
    task, prepared = catalog.task(job["task"]), inputs.load(Path(job["inputs"]))
    session = _open(job)
    answers = catalog.probe("accuracy").measure(
        task=task, session=session, prepared=prepared, progress=channel.progress, batch=job["batch"]
    )["answers"]
    save_answers(answers, prepared, task, Path(job["into"]))
    return {"n": len(prepared), "predictions_sha256": _hash(answers), "facts": session.facts()}


def predict_in_turns(job: Job, channel: Channel) -> dict[str, Any]:
    """`predict`, one example a call, by several workers: this one takes every job["of"]-th place of the order
    job["order"] of examples, from place job["place"] on. {"upto": k} asks for its places before k: {"predicted": [...],
    "statistics": {metric: [[...]]}} of the new ones. {"leave": folder} puts what it has said there. {"join": [folders]}
    puts what all workers have left, by place, into job["into"], in the order of the examples, and ends it. Builds and
    measurements go first."""
    os.nice(POLITE)
    task, prepared = catalog.task(job["task"]), inputs.load(Path(job["inputs"]))
    session, places, parts = _open(job), range(job["place"], len(job["order"]), job["of"]), list[Answers]()
    while "join" not in (asked := channel.receive()):
        if "leave" in asked:
            _leave(parts, Path(asked["leave"]))
            channel.answer({})
            continue
        new = [job["order"][place] for place in places[len(parts) :] if place < asked["upto"]]
        parts += [_one(task, session, prepared, example) for example in new]
        channel.answer(_told(task, parts[len(parts) - len(new) :], inputs.chosen(prepared, new)))
    answers = _in_order([_left(Path(folder)) for folder in asked["join"]], job["order"])
    save_answers(answers, prepared, task, Path(job["into"]))
    return {"n": len(prepared), "predictions_sha256": _hash(answers), "facts": session.facts()}


def park(job: Job, channel: Channel) -> None:
    """A loaded, warmed model that waits for turns: {"point", "start", "calls", "warmup"} -> what Speed measured.

    The first answer: {"load_s", "first_call_s", "read_s", "peak_rss", "size", "facts", "points": [{name, batch, …}]}.
    """
    task, prepared = catalog.task(job["task"]), inputs.load(Path(job["inputs"]))
    order = inputs.spread(prepared, job["order"], job["calls"])
    points = task.points(prepared, order, job["batches"], job["sequences"])
    begin = time.perf_counter()
    session = _open(job)
    loaded = time.perf_counter()
    points += _concurrent(task, session, points[0])
    outputs = task.answer(session, points[0].batches[0])
    session.wait()
    first = time.perf_counter() - loaded
    for batch in points[0].batches[: job["warmup_calls"]]:
        task.time(session, batch)
    speed, memory = catalog.probe("speed"), catalog.probe("memory")
    ready = {**memory.measure(), **_size(Path(job["folder"])), "load_s": loaded - begin, "first_call_s": first,
             "read_s": _read_seconds(task, outputs, points[0].batches[0], prepared),
             "facts": session.facts(), "points": [_described(point) for point in points]}  # fmt: skip
    before = machine.thread_seconds()
    for batch in _one_of_each_shape(points[0].batches):  # some runtimes prepare a kernel for each new length
        task.time(session, batch)
    places = machine.places(before, job["threads"])
    machine.silence()
    channel.answer(ready)
    while True:
        turn = channel.receive()
        point = points[turn["point"]]
        with machine.held(places if point.in_flight == 1 else {}):
            said = speed.measure(task=task, session=session, warmup=turn["warmup"], in_flight=point.in_flight,
                                 batches=_turn(point.batches, turn, point.in_flight))  # fmt: skip
        channel.answer(said)


def park_processor(job: Job, channel: Channel) -> None:
    """The task's pre-processing, parked like a model: {"start", "calls"} -> {"latency": [seconds an example]}."""
    task = catalog.task(job["task"])
    rows, prepared = hub.load_rows(Path(job["rows"])).rows, inputs.load(Path(job["inputs"]))
    ordered = [rows[i] for i in inputs.spread(prepared, job["order"], job["calls"])]
    process = task.processor(Path(job["model"]))
    for row in ordered[:8]:
        process(row)
    machine.silence()
    channel.answer({})
    while True:
        turn = channel.receive()
        taken = []
        for row in _turn(ordered, turn):
            start = time.perf_counter()
            process(row)
            taken.append(time.perf_counter() - start)
        channel.answer({"latency": taken})


# ---- one input of a person's own ----------------------------------------------------------------


def park_own(job: Job, channel: Channel) -> None:
    """The model's processor, parked: {"row", "files": fields whose value is a path, "into"} -> {"card", "truncated",
    "max_length", "timed": what one timed call gets done, in words}."""
    os.nice(POLITE)
    task, model = catalog.task(job["task"]), Path(job["model"])
    facts = inputs.load_facts(Path(job["inputs"])) if job["inputs"] else {}

    def prepare_own(asked: Job) -> dict[str, Any]:
        row = {name: Path(value) if name in asked["files"] else value for name, value in asked["row"].items()}
        prepared = task.prepare_own(row, model, facts)
        inputs.save(prepared, Path(asked["into"]))
        point = task.points(prepared, [0], [1], [])[0]
        return {"card": prepared.cards[0], "truncated": prepared.facts.get("truncated") or 0,
                "max_length": prepared.facts.get("max_length"),
                "timed": f"{point.units:.3g} {point.rate_unit}" if point.units > 1 else ""}  # fmt: skip

    _serve(prepare_own, channel)


def park_replies(job: Job, channel: Channel) -> None:
    """Variants of one backend, asked one after another: what `_open` takes, "name", "keep": whether it stays open, and
    "inputs": where the prepared input lies, or None for opening only -> {} or {"reply", "seconds": of each call}."""
    os.nice(POLITE)
    task = catalog.task(job["task"])
    opened: dict[str, Session] = {}

    def reply(asked: Job) -> dict[str, Any]:
        session = opened.pop(asked["name"], None) or _open(asked)
        said = {} if asked["inputs"] is None else _replied(task, session, inputs.load(Path(asked["inputs"])))
        if asked["keep"]:
            opened[asked["name"]] = session
        else:
            session.close()
        return said

    _serve(reply, channel)


def _replied(task: Task, session: Session, prepared: Prepared) -> dict[str, Any]:
    said = task.reply(session, prepared)
    batch, taken = task.collate(prepared, [0]), list[float]()
    task.time(session, batch)  # warm by now
    while len(taken) < FEWEST_CALLS or (len(taken) < MOST_CALLS and sum(taken) < CALLS_SECONDS):
        taken.append(task.time(session, batch)["latency"])
    return {"reply": asdict(said), "seconds": taken}


def _serve(function: Callable[[Job], dict[str, Any]], channel: Channel) -> None:
    """Answer every message until the parent ends; what is wrong with one, in words, does not end the worker."""
    while True:
        asked = channel.receive()
        try:
            channel.answer(function(asked))
        except WorkbenchError as error:
            channel.answer({"problem": {"what": error.what, "why": error.why, "fix": error.fix},
                            "request": isinstance(error, RequestError)})  # fmt: skip


# ---- on disk ------------------------------------------------------------------------------------


def save_answers(answers: Answers, prepared: Prepared, task: Task, folder: Path) -> None:
    """`scores` [n, c] and, where there are labels, `statistics.<metric>` [n, k], in answers.npz; answers as JSON."""
    import numpy as np

    arrays: dict[str, Any] = {"scores": answers.scores}
    if prepared.labels is not None:
        for name, values in task.statistics(answers, prepared.labels).items():
            arrays[f"statistics.{name}"] = values
    np.savez(folder / "answers.npz", **arrays)
    (folder / "answers.json").write_text(json.dumps(answers.predicted))


def load_answers(folder: Path) -> tuple[Answers, dict[str, np.ndarray]]:
    """What `save_answers` wrote: the answers, and statistics by metric name."""
    import numpy as np

    with np.load(folder / "answers.npz") as arrays:
        statistics = {name.removeprefix("statistics."): arrays[name] for name in arrays.files if "." in name}
        return Answers(json.loads((folder / "answers.json").read_text()), arrays["scores"]), statistics


# ---- small parts --------------------------------------------------------------------------------


def _open(job: Job) -> Session:
    backend = catalog.backend(job["backend"])
    options = catalog.options_of(backend, job["options"], f"The backend {backend.name}")
    return backend.open(Path(job["folder"]), job["device"], job["threads"], options)


def _one(task: Task, session: Session, prepared: Prepared, example: int) -> Answers:
    """What it says to one example."""
    chosen = inputs.chosen(prepared, [example])
    asked: dict[str, Any] = {"task": task, "session": session, "prepared": chosen, "progress": lambda *_: None}
    answers: Answers = catalog.probe("accuracy").measure(**asked)["answers"]
    return answers


def _told(task: Task, parts: Sequence[Answers], prepared: Prepared) -> dict[str, Any]:
    if not parts:
        return {"predicted": [], "statistics": {}}
    answers = Answers.joined(parts)
    statistics = task.statistics(answers, prepared.labels) if prepared.labels is not None else {}
    said = {name: values.tolist() for name, values in statistics.items()}
    return {"predicted": answers.predicted, "statistics": said}


def _leave(parts: Sequence[Answers], folder: Path) -> None:
    """Answers to single examples, for `_left`: each array of all of them, and how many rows of it each example has."""
    import numpy as np

    each = [{"scores": part.scores, **part.kept} for part in parts]
    arrays = {name: np.concatenate([one[name] for one in each]) for name in each[0]}
    rows = {f"{name}.rows": np.array([len(one[name]) for one in each]) for name in each[0]}
    np.savez(folder / "part.npz", **arrays, **rows)  # type: ignore[arg-type]
    (folder / "part.json").write_text(json.dumps([part.predicted[0] for part in parts]))


def _left(folder: Path) -> list[Answers]:
    import numpy as np

    with np.load(folder / "part.npz") as found:
        arrays = {name: np.split(found[name], np.cumsum(found[f"{name}.rows"])[:-1])
                  for name in found.files if not name.endswith(".rows")}  # fmt: skip
    scores, predicted = arrays.pop("scores"), json.loads((folder / "part.json").read_text())
    return [Answers([said], scores[i], {name: values[i] for name, values in arrays.items()})
            for i, said in enumerate(predicted)]  # fmt: skip


def _in_order(shares: Sequence[Sequence[Answers]], order: Sequence[int]) -> Answers:
    """Answers to single examples, of several workers by turns over `order`, in the order of the examples."""
    found: dict[int, Answers] = {}
    for place, share in enumerate(shares):
        found |= dict(zip(order[place :: len(shares)], share, strict=True))
    return Answers.joined([found[example] for example in sorted(found)])


def _turn(items: Sequence[Any], turn: dict[str, Any], in_flight: int = 1) -> list[Any]:
    calls = turn["calls"] if in_flight == 1 else ROUNDS_IN_FLIGHT * in_flight
    return [items[(turn["start"] + i) % len(items)] for i in range(calls)]


def _concurrent(task: Task, session: Session, headline: Point) -> list[Point]:
    """The headline's examples with several requests in flight: for sessions that promise it and were opened for it,
    and tasks whose answer is one call."""
    one_call = type(task).answer is Task.answer
    if not one_call or not isinstance(session, Concurrent) or (many := session.requests) < 2:
        return []
    name = f"natural, {many} requests in flight"
    return [Point(name, "concurrent", "s", 1, None, headline.batches, 1, "examples", many)]


def _size(folder: Path) -> dict[str, Any]:
    return catalog.probe("size").measure(folder=folder)


def _read_seconds(task: Task, outputs: Any, batch: Batch, prepared: Prepared) -> float:
    """Seconds of turning one batch of outputs into answers: the median of nine."""
    taken = []
    for _ in range(9):
        start = time.perf_counter()
        task.read(outputs, batch, prepared.facts)
        taken.append(time.perf_counter() - start)
    return sorted(taken)[4]


def _one_of_each_shape(batches: Sequence[Any]) -> list[Any]:
    shapes = {tuple(array.shape for array in batch.values()): batch for batch in batches}
    return list(shapes.values())


def _described(point: Any) -> dict[str, Any]:
    return {"name": point.name, "metric": point.metric, "unit": point.unit, "batch": point.batch,
            "sequence": point.sequence, "batches": len(point.batches), "units": point.units,
            "rate_unit": point.rate_unit, "call": point.call}  # fmt: skip


def _hash(answers: Answers) -> str:
    """Of what was said; of the vectors where that is all."""
    digest = hashlib.sha256(canonical_json(answers.predicted).encode())
    if answers.predicted and all(one is None for one in answers.predicted):
        digest.update(answers.scores.tobytes())
    return digest.hexdigest()


def _content(prepared: Prepared) -> str:
    """sha256 over the first input's values of all examples in order (token ids; pixels of a picture)."""
    digest = hashlib.sha256()
    for example in next(iter(prepared.tensors.values())):
        digest.update(example.tobytes())
    return digest.hexdigest()
