"""Every key of a recipe's `shelf` and `spec`, with what it means and what it takes.

The descriptions are the manual: the JSON Schema, the form and the error messages read them from here.
An optional key defaults to None and is then not written, so that a key which is added later changes
the identity of no older recipe.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    WithJsonSchema,
    model_serializer,
    model_validator,
)
from pydantic_core import PydanticCustomError

NAME = r"^[A-Za-z0-9][A-Za-z0-9._+~-]{0,99}$"
WORD = r"^[a-z0-9][a-z0-9_-]{0,63}$"
DEVICE = r"^[a-z][a-z0-9_.-]*(:[0-9]+)?$"
SOURCE = r"^(starter:[\w.-]+|local:[^/\\]+|\w[\w.-]*(/\w[\w.-]*)?)$"
REVISION = r"^([0-9a-f]{40}|(sha256:)?[0-9a-f]{64})$"
SHA256 = r"^[0-9a-f]{64}$"
SOURCES = "org/name, starter:<name> or local:<name>"
LOCAL_FILE = (".csv", ".json", ".jsonl", ".parquet", ".tsv", ".txt", ".zip", ".tar", ".gz")


class Keys(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, serialize_by_alias=True)


def wrong(why: str, fix: str = "") -> PydanticCustomError:
    """A value that is refused for a reason of its own; the door turns it into what / why / fix."""
    return PydanticCustomError("recipe", "{why} {fix}", {"why": why, "fix": fix})


def _number_or(word: str) -> Any:
    def check(value: Any) -> Any:
        if value != word and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
            raise wrong(f"Expected: a whole number from 1 on, or `{word}`.")
        return value

    return BeforeValidator(check)


def _fraction(value: Any) -> Any:
    if isinstance(value, int | float) and not isinstance(value, bool) and value >= 1:
        points = f"`max_drop: {value / 100:g}` for {value:g} percentage points" if value < 100 else "a fraction below 1"
        raise wrong("Is it percent or a fraction?", f"Write {points}.")
    return value


def _source(value: Any) -> Any:
    if isinstance(value, str) and value.lower().endswith(LOCAL_FILE) and not value.startswith("local:"):
        name = value.replace("\\", "/").rsplit("/", 1)[-1]
        raise wrong("A recipe names no files.", f"Write `local:{name}` and give the file on the command line.")
    return value


def _form(pattern: str, words: str) -> Any:
    """Text of one form, told in words; `_written` puts the pattern into the JSON Schema."""

    def check(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise wrong(f"Expected: {words}.")
        return value

    return AfterValidator(check)


def _written(pattern: str) -> Any:
    return WithJsonSchema({"type": "string", "pattern": pattern})


All = Literal["all"]
Count = Annotated[int | All, _number_or("all")]
Threads = Annotated[int | Literal["auto"], _number_or("auto")]
Word = Annotated[str, _form(WORD, "lower-case letters, digits, - and _"), _written(WORD)]
Name = Annotated[str, _form(NAME, "letters, digits and . _ + ~ -"), _written(NAME)]
Device = Annotated[str, _form(DEVICE, "a word such as cpu or cuda:0"), _written(DEVICE)]
Revision = Annotated[str, _form(REVISION, "a commit (40 hex digits) or a sha256; never a branch"), _written(REVISION)]
Sha256 = Annotated[str, _form(SHA256, "64 hex digits"), _written(SHA256)]
Source = Annotated[str, BeforeValidator(_source), _form(SOURCE, SOURCES), _written(SOURCE)]
Share = Annotated[float, Field(gt=0, lt=1)]
Options = dict[str, JsonValue]

# The environment variables that change numbers or speed; no other is ever written into a lock.
Variable = Literal[
    "ATEN_CPU_CAPABILITY",
    "CUBLAS_WORKSPACE_CONFIG",
    "KMP_AFFINITY",
    "KMP_BLOCKTIME",
    "MKL_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OMP_PROC_BIND",
    "OMP_WAIT_POLICY",
    "ONEDNN_DEFAULT_FPMATH_MODE",
    "ONEDNN_MAX_CPU_ISA",
    "OPENBLAS_NUM_THREADS",
    "PYTHONHASHSEED",
    "TOKENIZERS_PARALLELISM",
]
ALLOWED_VARIABLES: tuple[str, ...] = get_args(Variable)


# ---- the shelf ----------------------------------------------------------------------------------


class Shelf(Keys):
    first_choice: bool = Field(default=False, description="For each of its tasks: compared when nobody names a recipe.")
    tasks: tuple[str, ...] = Field(default=(), description="Tasks that it works for, and is offered for.")
    pays_when: str = Field(min_length=1, description="In plain words: where this is worth its cost.")


# ---- spec: what a person asks for ---------------------------------------------------------------


class Model(Keys):
    id: Source = Field(description="The model: a Hub id (org/name), starter:<name>, or local:<name> with its digest.")
    revision: str | None = Field(default=None, description="Branch, tag or commit on the Hub; none means main.")
    digest: Sha256 | None = Field(default=None, description="sha256 of the content, for a local: model.")
    task: Word | None = Field(default=None, description="What the model is for; none means: look it up.")


class TargetKeys(Keys):
    machine: Word = Field(default="this-machine", description="A machine class; `workbench targets` lists them.")
    backend: Word = Field(description="The runtime; `workbench backends` lists them.")
    device: Device = Field(default="cpu", description="Where the model runs: cpu, gpu, cuda:0, …")
    threads: Threads = Field(
        default="auto", description="Threads of one model call; auto is the cores of the CPU quota."
    )
    options: Options = Field(default={}, description="Options of the backend.")


class Step(BaseModel):
    """`use` names the step, every other key is an option of it (checked by the step itself)."""

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[str, JsonValue] = Field(init=False)
    use: Word = Field(description="The step's name.")

    @property
    def options(self) -> Options:
        return dict(self.__pydantic_extra__)

    @model_serializer
    def _flat(self) -> dict[str, Any]:
        return {"use": self.use, **self.options}  # an option that is null stays


class Select(Keys):
    n: Count = Field(default="all", description="How many rows, or all.")
    seed: int = Field(default=7, ge=0, description="Which rows are drawn when n is a number.")


class CalibrationSelect(Keys):
    n: int = Field(default=256, ge=1, description="How many samples are drawn.")
    seed: int = Field(default=7, ge=0, description="Which samples are drawn.")


class DataKeys(Keys):
    source: Source = Field(
        description="The data: a Hub id (org/name), starter:<name>, or local:<name> with its digest."
    )
    config: str | None = Field(default=None, description="Configuration (subset) of a Hub data set.")
    revision: str | None = Field(default=None, description="Branch, tag or commit of a Hub data set.")
    split: str | None = Field(default=None, description="Split; none means the usual one.")
    digest: Sha256 | None = Field(default=None, description="sha256 of the content, for local: data.")
    fields: dict[str, str] = Field(
        default={}, description="Field of the task -> column of the data, where the names differ."
    )


class Data(DataKeys):
    select: Select = Field(default=Select(), description="Which rows are used.")


class CalibrationData(DataKeys):
    select: CalibrationSelect = Field(default=CalibrationSelect(), description="Counted in samples.")


class DataSets(Keys):
    evaluation: Data | None = Field(default=None, description="Rows that every variant answers; labels judge them.")
    calibration: CalibrationData | None = Field(
        default=None, description="Rows that quantization looks at; never evaluated."
    )


class Constraint(Keys):
    """One bound: `max_drop` of a metric, or `min_speedup`, `max_size_mb`, `max_memory_mb`."""

    metric: Word | None = Field(default=None, description="The metric of max_drop; none means the task's first.")
    max_drop: Annotated[float, Field(ge=0, lt=1), BeforeValidator(_fraction)] | None = Field(
        default=None,
        description="Largest drop of the metric that is accepted, as a fraction: 0.01 is one percentage point.",
    )
    kind: Literal["absolute", "relative"] = Field(
        default="absolute", description="Is max_drop relative to the baseline?"
    )
    min_speedup: float | None = Field(
        default=None, gt=0, description="Least speed-up against the baseline: 2.0 is twice as fast."
    )
    max_size_mb: float | None = Field(
        default=None, gt=0, description="Largest size of the model's files, in MB (10^6 bytes)."
    )
    max_memory_mb: float | None = Field(
        default=None, gt=0, description="Largest peak memory of the worker, in MB (10^6 bytes)."
    )
    confidence: Share = Field(default=0.95, description="How sure the verdict must be: the level of the interval.")

    @model_validator(mode="after")
    def _one_bound(self) -> Self:
        bounds = ("max_drop", "min_speedup", "max_size_mb", "max_memory_mb")
        if sum(getattr(self, bound) is not None for bound in bounds) != 1:
            raise wrong(
                f"A constraint has exactly one of {', '.join(bounds)}.", "Write several constraints as several entries."
            )
        if self.max_drop is None and (self.metric is not None or self.kind != "absolute"):
            raise wrong("`metric` and `kind` belong to `max_drop` only.", "Leave them out here.")
        return self


class Goal(Keys):
    optimize: Literal["latency", "throughput", "size"] = Field(default="latency", description="What shall be best.")
    constraints: tuple[Constraint, ...] = Field(
        default=(Constraint(max_drop=0.01),),
        description="What must hold; unless said, at most one percentage point is lost.",
    )
    baseline: Name = Field(default="pytorch-fp32", description="The shelf recipe that everything is compared with.")


class Rounds(Keys):
    min: int = Field(default=10, ge=3, description="Fewest rounds, however narrow the interval is.")
    max: int = Field(default=400, ge=3, description="Most rounds, however wide the interval is.")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min > self.max:
            raise wrong(f"`min` is {self.min} and `max` is {self.max}.", "Make `min` the smaller one.")
        return self


class Measure(Keys):
    rounds: Rounds = Field(
        default=Rounds(), description="A round visits every variant once, the baseline twice, in random order."
    )
    calls_per_round: int = Field(
        default=8, ge=1, description="Model calls of one variant in one round of the headline."
    )
    warmup: int = Field(default=10, ge=1, description="Model calls before the first round; they are not counted.")
    target_half_width: Share = Field(
        default=0.015, description="Stop when every speed-up's interval is within ± this share."
    )
    time_cap_s: float = Field(
        default=60,
        gt=0,
        description="Stop measuring speed after this many seconds; more than nine variants take longer in proportion.",
    )
    batches: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        default=(1, 8), min_length=1, description="Batch sizes of the further points."
    )
    sequence_lengths: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        default=(128,), description="Fixed lengths (tokens) of the further points; the headline has natural lengths."
    )
    accuracy_batch: int = Field(
        default=1,
        ge=1,
        description="Batch of the accuracy run; dynamic quantization's ranges depend on it, and the headline has 1.",
    )
    n: Count = Field(default="all", description="At most so many evaluation rows are answered.")
    seed: int = Field(default=0, ge=0, description="Order of rounds and rows, and the bootstrap.")
    bootstrap: int = Field(default=2000, ge=100, description="Resamples behind each interval.")
    confidence: Share = Field(default=0.95, description="Level of every interval.")
    quick: bool = Field(default=False, description="Fewer rows and rounds; marked as quick everywhere.")

    def as_quick(self) -> Measure:
        """Fewer rows and a cap of 20 s."""
        n = 500 if self.n == "all" else min(self.n, 500)
        return self.model_copy(update={"n": n, "time_cap_s": min(self.time_cap_s, 20.0), "quick": True})


class Spec(Keys):
    model: Model | None = Field(default=None, description="The model; absent on the shelf.")
    target: TargetKeys = Field(description="What it shall run on.")
    steps: tuple[Step, ...] = Field(default=(), description="What is done to the model, in order.")
    data: DataSets | None = Field(default=None, description="What it is judged on, and what quantization looks at.")
    goal: Goal = Field(default=Goal(), description="What is wanted.")
    measure: Measure = Field(default=Measure(), description="How it is measured.")
    seed: int = Field(default=7, ge=0, description="Seed of the steps.")
