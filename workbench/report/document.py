"""The shape of report.json, said once: the shipped JSON Schema is made from it, every document is checked by it.

Figures that cannot be given are null. Times of calls are milliseconds, other times seconds, sizes 10^6 bytes; changes
and shares are fractions. The keys listed here are kept; further keys may stand beside them.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from workbench.errors import WorkbenchError

Interval = tuple[float, float]
Count = Annotated[int, Field(ge=0, le=10**15)]


class Open(BaseModel):
    """These keys are kept; others may stand beside them. No NaN."""

    model_config = ConfigDict(extra="allow", frozen=True, allow_inf_nan=False)


class Model(Open):
    id: str
    revision: str | None
    task: str
    parameters: int | None


class Source(Open):
    source: str | None = None
    n: int | None = None


class Data(Open):
    evaluation: Source
    calibration: Source | None = None


class Machine(Open):
    class_: str | None = Field(alias="class", description="Instruction sets that decide which numbers are comparable.")


class Point(Open):
    """Speed under one condition; `sequence` is null for inputs at their natural lengths. Beside `value` may stand
    `rate` with its `rate_unit` ("tokens/s"), and `call`: what one timed call is, where it is more than one of the
    model ("16 tokens written")."""

    name: str
    metric: str
    unit: str
    batch: int
    sequence: int | None
    value: float | None
    speedup: float | None
    ci95: Interval | None


class Speed(Open):
    """Against the baseline, at batch 1 and natural lengths. The baseline's `ci95` is the A/A interval."""

    speedup: float | None
    ci95: Interval | None
    verdict: Literal["faster", "slower", "no_clear_difference", "not_comparable", "baseline"]
    p50_ms: float | None
    p90_ms: float | None = Field(description="Null below 64 calls.")
    p99_ms: float | None = Field(description="Null below 662 calls.")
    throughput: float | None = Field(description="Examples a second.")
    throughput_ci95: Interval | None = Field(default=None, description="Over rounds.")
    throughput_at: str | None = Field(default=None, description="The name of the point that it was seen at.")
    limit_share: float | None = Field(description="Share of the machine's measured peak that was reached.")
    points: list[Point]
    rounds: list[list[float]] = Field(description="Raw samples: milliseconds of every call, by round.")


class Flips(Open):
    to_wrong: int | None
    to_right: int | None


class Measure(Open):
    """One more measure of the answers; `ci95` is that of the paired `delta`. What lies between two models (KL, cosine)
    has null for `baseline` and `delta`, and `ci95` is that of `value`."""

    metric: str
    better: Literal["higher", "lower"]
    unit: str
    value: float | None
    baseline: float | None
    n: Count
    delta: float | None
    ci95: Interval | None = None


class Accuracy(Open):
    """`delta` = variant − baseline as it is. Without labels `metric` is "agreement", or "cosine" where answers
    are vectors: the baseline's answers stand for labels."""

    metric: str
    better: Literal["higher", "lower"]
    unit: str
    value: float | None
    baseline: float | None
    n: int
    delta: float | None
    ci95: Interval | None
    agreement: float | None
    flips: Flips | None
    verdict: Literal["no_detectable_drop", "drop", "cannot_tell", "baseline"]
    detectable_drop: float | None = Field(description="The smallest drop that this n can see.")
    constraint: Literal["met", "missed", "cannot_tell"] | None
    kl: float | None = Field(default=None, description="Mean KL(baseline || variant) in nats.")
    secondary: list[Measure] | None = None


class Quantized(Open):
    """Of one type of operator: how many were quantized."""

    quantized: Count = 0
    total: Count = 0


class Audit(Open):
    """What was read from the model's file."""

    qdq_pairs: Count | None = None
    qdq_unfused: Count | None = None
    coverage: dict[str, Quantized] | None = None


class Row(Open):
    """One variant. Rows that failed or were skipped say why in `reason` and have null figures."""

    name: str
    status: Literal["ok", "failed", "skipped"]
    reason: str | None
    recipe: str | None
    speed: Speed | None
    accuracy: Accuracy | None
    size_mb: float | None
    peak_rss_mb: float | None
    load_s: float | None
    build_s: float | None
    reused: bool | None
    audit: Audit | None
    why: list[str]


class Goal(Open):
    """The bar: how much of the metric may be lost, absolute or relative to the baseline's value."""

    max_drop: float
    kind: Literal["absolute", "relative"] = "absolute"


class Resolution(Open):
    aa_ratio: float | None
    aa_ci95: Interval | None


class Pace(Open):
    """Speed in the race, against the baseline beside it."""

    speedup: float | None = None
    ci95: Interval | None = None


class Tried(Open):
    """A candidate and how it ended."""

    name: str
    state: str
    pace: Pace | None
    examples: Count
    reason: str | None


class Operator(Open):
    """Squared relative errors: of the operator alone, and with what came before it."""

    name: str
    type: str
    error: float = Field(ge=0)
    carried: float = Field(ge=0)


class Effort(Open):
    builds: Count
    calibrations: Count
    evaluations: Count
    given_up: Count


class Test(Open):
    """How often the search may err: chances for each candidate, and for any of those tested."""

    wrong_kill_each: float
    wrong_kill_any: float
    wrong_accept_each: float
    wrong_accept_any: float


class Search(Open):
    """What a search looked at, in seconds of wall time."""

    budget_s: float
    spent_s: float
    candidates: Count
    raced: Count
    answered: Count
    tried: list[Tried]
    rankings: dict[str, list[Operator]] | None = None
    work: Effort
    test: Test


class Report(Open):
    """workbench/report@1"""

    schema_: Literal["workbench/report@1"] = Field(alias="schema")
    created: str
    quick: bool
    model: Model
    data: Data
    machine: Machine
    target: Any
    goal: Goal | None = None
    baseline: str
    best: str | None
    rows: list[Row]
    pareto: list[str]
    resolution: Resolution
    search: Search | None = None
    warnings: list[str]


def json_schema() -> dict[str, Any]:
    """The JSON Schema that is shipped as report.schema.json."""
    made = Report.model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "workbench/report@1"} | made


def check(report: dict[str, Any]) -> None:
    """Raises WorkbenchError that names the first key which is not as the contract says."""
    try:
        Report.model_validate(report)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the document"
        raise WorkbenchError(
            "The report is not a workbench/report@1 document.",
            f"{where}: {first['msg']}.",
            "This is a fault of the program; please report it.",
        ) from error
