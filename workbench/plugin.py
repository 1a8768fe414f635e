"""What a plug-in promises. Concrete ones live in steps/, backends/, tasks/, probes/ and report/.

A plug-in module is cheap to import: what it `needs` is imported inside its methods, never on top.
"""

from __future__ import annotations

import json
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict

from workbench.machine import Machine
from workbench.measurement import Metric
from workbench.reply import Reply, reply_of

if TYPE_CHECKING:
    import numpy as np

Batch = dict[str, "np.ndarray"]  # input or output name -> array with batch axis
Progress = Callable[[float, float, str], None]  # done, total (0: not known), note


class Options(BaseModel):
    """One declaration gives the YAML check, the form, the flags and the manual.

    `Field(..., json_schema_extra={"search": [...]})` names the values worth searching; "changes": "values" beside it
    says that they leave the speed as it is, "pays_for": "throughput" that nobody else gains from them. A search tries
    the options of a step in the order of their declaration: first what promises most.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)


class Plugin:
    """`name` is the word a recipe uses, `needs` the packages that must be installed (their PyPI names)."""

    name: ClassVar[str]
    summary: ClassVar[str] = ""
    needs: ClassVar[tuple[str, ...]] = ()
    Options: ClassVar[type[Options]] = Options


# ---- inputs -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Prepared:
    """Inputs of n examples, ready for a model call, with no padding: numpy only, no tokenizer needed.

    tensors: input name -> n arrays without batch axis, int64 or float32 (`input_ids`: [length];
             `pixel_values`: [3, height, width]), the model's main input first. What the task itself needs to read
             an answer may stand here too, text among it: a model is given what it knows.
    padding: input name -> value that fills a shorter example (inputs not named here have one shape).
    labels:  n labels as the task's statistics take them (ids), or None in label-free mode.
    cards:   n small dicts for people: {"text": …} or {"image": "data:image/png;base64,…"} and "label" in words.
    facts:   {"truncated": int, "max_length": int | None, "classes": [...], …}
    shared:  input name -> one array that every batch takes as it is (candidates that all examples are held against).
    """

    tensors: dict[str, list[np.ndarray]]
    padding: dict[str, float]
    labels: list[Any] | None
    ids: list[str]
    cards: list[dict[str, Any]]
    facts: dict[str, Any] = field(default_factory=dict)
    shared: Batch = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)

    def length(self, index: int) -> int:
        """Of an example: positions of its longest input that is padded; 1 where none is."""
        return max((len(values[index]) for name, values in self.tensors.items() if name in self.padding), default=1)


@dataclass(frozen=True)
class Point:
    """One condition of speed. `batches` are visited in order, the same ones for every variant.

    `metric` is one of those that `Task.time` gives; `batch` examples a call; `sequence` tokens each, or None for
    natural lengths. `units`: what one sample of the metric gets done (examples, tokens, seconds of sound; `rate_unit`
    names them), for a rate beside the seconds; 0: no rate. `in_flight`: requests under way at once; a sample is then
    seconds a request over a whole turn. `call`: what one timed call is, where it is more than a call of the model
    ("16 tokens written").
    """

    name: str
    metric: str
    unit: str
    batch: int
    sequence: int | None
    batches: Sequence[Batch]
    units: float = 0
    rate_unit: str = ""
    in_flight: int = 1
    call: str = ""


@dataclass(frozen=True)
class Answers:
    """What a model said to n examples, float32 scores beside each.

    predicted: n ids, texts or lists of them, equal where two models say the same; None where an answer is a vector
               that can only be nearer or farther.
    scores:    [n, classes] probabilities, [n, d] vectors, or [n, 0] where a task has none; fewer rows where the
               task keeps those of some examples only, the same ones of every model, and k rows an example, one after
               another, where it keeps several of each.
    kept:      what else `statistics` needs of each answer, [n, …] by name; it is not stored.
    """

    predicted: list[Any]
    scores: np.ndarray
    kept: Batch = field(default_factory=dict)

    @classmethod
    def joined(cls, parts: Sequence[Answers]) -> Answers:
        """What was said in several calls, at least one, as one."""
        import numpy as np

        predicted = [one for part in parts for one in part.predicted]
        scores = np.concatenate([part.scores for part in parts]).astype(np.float32)
        return cls(predicted, scores, {name: np.concatenate([part.kept[name] for part in parts])
                                       for name in parts[0].kept})  # fmt: skip


# ---- what runs a model --------------------------------------------------------------------------


class Session(ABC):
    """A model loaded in this process. Arrays in, arrays out; both in host memory."""

    @abstractmethod
    def infer(self, batch: Batch) -> Batch:
        """One call. Inputs the model does not know are ignored; outputs are float32 or int64."""

    @abstractmethod
    def facts(self) -> dict[str, Any]:
        """Read back from the runtime: {"precision": "fp32|bf16|fp16|int8", "threads": int, "device": str, …}."""

    def wait(self) -> None:  # noqa: B027 - a runtime that answers synchronously has nothing to wait for
        """Return when all work that was begun is done."""

    def close(self) -> None:  # noqa: B027 - freeing is optional: the process ends anyway
        """Free the model."""


@runtime_checkable
class Profiles(Protocol):
    """A session that can say where its time goes."""

    def profile(self, batches: Sequence[Batch]) -> list[dict[str, Any]]:
        """[{"name": node, "type": operator, "precision": str, "provider": str, "seconds": per call}], longest first."""


@dataclass(frozen=True)
class Written:
    """What a session wrote: tokens, int64 [n, new] without the prompt, the end-of-text token last where a text ended
    before, then padding; `first`: seconds until the first token of all n was there; `seconds`: of the whole, the
    first included."""

    tokens: np.ndarray
    first: float
    seconds: float


@runtime_checkable
class Writes(Protocol):
    """A session that writes, greedily and with a cache of keys and values."""

    def write(self, batch: Batch, new_tokens: int, ends: bool = True) -> Written:
        """At most `new_tokens` after the prompts in `batch`: left-padded `input_ids` and `attention_mask`, or, of a
        model with an encoder, `decoder_input_ids` [n, k] beside what the encoder reads. `ends`: stop when every text
        has ended; without, exactly `new_tokens` are written, an end of text among them, as timing wants it."""


@runtime_checkable
class Concurrent(Protocol):
    """A session that works on several requests at once."""

    @property
    def requests(self) -> int:
        """How many at once it was opened for; 1: it gains nothing from a second."""

    def infer_all(self, batches: Sequence[Batch]) -> list[Batch]:
        """One call each, `requests` of them under way at any time; answers in order."""


@dataclass(frozen=True)
class Device:
    """`name` as a target says it ("cpu", "gpu"); `missing`: why it can't be used and what would add it, or ""."""

    name: str
    description: str = ""
    missing: str = ""


class Backend(Plugin, ABC):
    """`promises`: what its sessions can beyond one call (`Profiles`, …): a task may ask for it."""

    reads: ClassVar[tuple[str, ...]]
    promises: ClassVar[tuple[type, ...]] = ()

    @abstractmethod
    def devices(self) -> list[Device]: ...

    @abstractmethod
    def open(self, folder: Path, device: str, threads: int, options: Any) -> Session:
        """Load the artifact in `folder`. `threads` is explicit and at least 1."""

    def unsuited(self, device: str, options: Any, machine: Machine) -> str:
        """Why nobody should choose these options on this machine who does not insist, or ""."""
        return ""

    def opening(self, folder: Path, auto_class: str) -> str:
        """Python for somebody who has the files and not the workbench: it opens them with the runtime alone, out of
        the place that its variable `folder` names. Imports, an empty line, the rest; "" where only the workbench can.
        `auto_class` is transformers'."""
        return ""

    def audit(self, folder: Path) -> dict[str, Any]:
        """Read from the file, without running it: {"operators": {type: count}, "precision": {…},
        "coverage": {"MatMul": {"quantized": 36, "total": 38}}, "qdq_pairs": int, "casts": int,
        "fused": {type: count}}, and "measured" where speed here says little: what it is for and where it ran."""
        return {}


# ---- what makes a model -------------------------------------------------------------------------


@dataclass(frozen=True)
class StepContext:
    """What a step may use besides its source."""

    task: Task
    model: Path  # the transformers folder that the pipeline began with
    samples: Prepared  # a few real examples
    calibration: Prepared | None  # all calibration examples, when the step asked for them
    progress: Progress
    seed: int = 0
    like: Path | None = None  # what this step made of the same source and calibration, with other operators left alone

    @property
    def asks(self) -> tuple[type, ...]:
        """What the task asks of sessions with this model."""
        return self.task.asks_for(json.loads((self.model / "config.json").read_text(encoding="utf-8")))


class Step(Plugin, ABC):
    """`version` is raised when the result changes. `executes` says that building runs the model
    (calibration): the instruction set then belongs to the artifact's name."""

    version: ClassVar[int] = 1
    takes: ClassVar[tuple[str, ...]]
    gives: ClassVar[str]
    executes: ClassVar[bool] = False
    calibrates: ClassVar[bool] = False
    takes_as_is: ClassVar[bool] = False  # a graph that somebody else wrote is run: refused on a shared server

    def wants_calibration(self, options: Any) -> bool:
        """Whether these options ask for calibration data, and so run the model while building."""
        return self.calibrates

    def unsuited(self, device: str, options: Any, machine: Machine) -> str:
        """As `Backend.unsuited`: why what this makes should not be chosen for this machine, or ""."""
        return ""

    def unfit(self, options: Any, asks: tuple[type, ...], config: Mapping[str, Any]) -> str:
        """Why this cannot be made of a model with this config.json, of which its task asks these promises, or "". A
        plan asks it, before anything is fetched or built."""
        return ""

    @abstractmethod
    def apply(self, source: Path, into: Path, options: Any, context: StepContext) -> dict[str, Any]:
        """Fill the empty folder `into`; return facts, {"coverage": …} where the step changes precision."""

    @abstractmethod
    def semantic(self, folder: Path) -> str:
        """Hex sha256 of graph structure and tensors in canonical order: equal models, equal hash."""


@runtime_checkable
class Repairs(Protocol):
    """A step that can leave single operators in the precision they came in, and tell which cost most."""

    def sensitivity(self, source: Path, made: Path, context: StepContext) -> dict[str, Any]:
        """{"operators": [{"name", "type", "error", "carried"}], "outputs": float} of what it made of `source`, on the
        examples in `context.calibration`. Errors are squared and relative to the original's: `error` of an operator
        that alone is changed and reads what the original's reads, the largest first; `carried` in the changed model,
        with all that came before; `outputs` of what the whole model says."""

    def leaving(self, options: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
        """The options that leave these operators alone as well."""


# ---- what a model is for ------------------------------------------------------------------------


class Processor(Protocol):
    """Turns one row into model inputs without batch axis, as `Prepared.tensors` holds them."""

    def __call__(self, row: dict[str, Any]) -> Batch: ...

    def facts(self) -> dict[str, Any]:
        """What was done to the rows so far: {"truncated": int, "max_length": int | None, …}."""


class Task(Plugin, ABC):
    """What goes in, what comes out, and when it is right. Imports neither torch nor transformers on top:
    only `prepare`, `load` and `facts` run where those are. `asks`: promises that a session must keep for it."""

    auto_class: ClassVar[str]  # e.g. "AutoModelForSequenceClassification"; `class_for` is what others ask
    columns: ClassVar[Mapping[str, tuple[str, ...]]]  # field -> usual column names, first match wins
    inputs: ClassVar[
        tuple[tuple[str, ...], ...]
    ]  # alternatives of fields that make an input: (("text",), ("text1", "text2"))
    target: ClassVar[str | None] = "label"
    by_name: ClassVar[bool] = False  # where the data names its label ids, rows hold the names
    metrics: ClassVar[tuple[Metric, ...]]  # all there may be; `statistics` says which, and which comes first
    asks: ClassVar[tuple[type, ...]] = ()
    rows: ClassVar[int | None] = None  # at most so many are answered when nobody says how many; None: all
    default_data: ClassVar[str] = ""  # compared without its labels when nobody names data
    form: ClassVar[Mapping[str, str]] = {}  # field -> its label, where a person asks about an input of their own;
    # empty: the fields of the run's data. What is in no alternative of `inputs` may be left out
    needs: ClassVar[tuple[str, ...]] = ("transformers", "torch")

    def class_for(self, config: Mapping[str, Any]) -> str:
        """The auto class of transformers that loads the model with this config.json. Raises RequestError for a model
        whose answers the task cannot read."""
        return self.auto_class

    def asks_for(self, config: Mapping[str, Any]) -> tuple[type, ...]:
        """`asks`, and what a model with this config.json needs beyond it."""
        return self.asks

    @abstractmethod
    def check(self, rows: list[dict[str, Any]], config: dict[str, Any]) -> list[dict[str, Any]]:
        """Rows in the task's fields, each with its number "row", labels turned into ids by the model's config.json.
        Raises RequestError naming the row for empty or unknown values, one class, or too few rows."""

    @abstractmethod
    def processor(self, model: Path) -> Processor:
        """The model's own pre-processing, for one row at a time."""

    @abstractmethod
    def prepare(self, rows: list[dict[str, Any]], model: Path) -> Prepared:
        """Checked rows through `processor`, at natural length."""

    @abstractmethod
    def collate(self, prepared: Prepared, indices: Sequence[int]) -> Batch:
        """One padded batch of these examples."""

    @abstractmethod
    def read(self, outputs: Batch, batch: Batch, facts: dict[str, Any]) -> Answers:
        """Model outputs of one batch as answers. `batch` is what was asked, with what the task keeps in it for this
        moment (a mask, offsets); `facts` are those of the prepared inputs (classes, …)."""

    @abstractmethod
    def statistics(self, answers: Answers, labels: Sequence[Any]) -> dict[str, np.ndarray]:
        """Per metric name the per-example statistics, float64 [n, k]: of those `metrics` that these labels have, the
        headline first."""

    def prepare_own(self, row: dict[str, Any], model: Path, facts: Mapping[str, Any]) -> Prepared:
        """One row in the fields of `form`, without a label, as an input of a run whose prepared inputs have these
        facts. Raises RequestError for what cannot be asked."""
        return self.prepare([row], model)

    def reply(self, session: Session, prepared: Prepared) -> Reply:
        """What the model says to the one example that `prepare_own` made, for a person."""
        batch = self.collate(prepared, [0])
        answers = self.read(self.answer(session, batch), batch, prepared.facts)
        scores = answers.scores[0].tolist() if len(answers.scores) else []
        return reply_of(answers.predicted[0], scores, prepared.facts.get("classes") or ())

    def answer(self, session: Session, batch: Batch) -> Batch:
        """One whole answer to one batch; a task that generates loops here."""
        return session.infer(batch)

    def time(self, session: Session, batch: Batch) -> dict[str, float]:
        """Seconds of one answer by metric name, "latency" among them: the metrics that `points` may name."""
        start = time.perf_counter()
        self.answer(session, batch)
        session.wait()
        return {"latency": time.perf_counter() - start}

    @abstractmethod
    def points(
        self, prepared: Prepared, order: Sequence[int], batches: Sequence[int], sequences: Sequence[int]
    ) -> list[Point]:
        """Where speed is measured. The first is the headline: batch 1, natural lengths, examples in `order`.
        The others are batch x sequence, filled with real examples; a length the model can't take is left out."""


class Probe(Plugin, ABC):
    """Takes raw values; `metrics` names them. What it needs is in `subject`, its own keyword arguments."""

    metrics: ClassVar[tuple[Metric, ...]]

    @abstractmethod
    def measure(self, *args: Any, **subject: Any) -> dict[str, Any]: ...


# ---- what is said -------------------------------------------------------------------------------


class Renderer(Plugin, ABC):
    extension: ClassVar[str]

    @abstractmethod
    def render(self, report: dict[str, Any], details: dict[str, Any]) -> str:
        """`report` is report.json; `details` is what only people read (flips with their text, recipe files, peaks)."""


def batches_of(task: Task, prepared: Prepared, size: int = 1) -> Iterator[Batch]:
    """All examples in order, `size` a batch."""
    for start in range(0, len(prepared), size):
        yield task.collate(prepared, range(start, min(start + size, len(prepared))))
