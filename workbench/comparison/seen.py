"""What comes into a comparison: all that was seen of each variant. Seconds and bytes; None was not measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from workbench.evidence import Rounds
from workbench.measurement import Metric

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Predictions:
    """What a variant answered to the n evaluation examples `ids`, in order.

    metrics: the headline first; empty in label-free mode. statistics: metric name -> float64 [n, k].
    predicted: n class ids, texts or lists; None where an answer is a vector. scores: float32 [n, classes], [n, d],
    or [n, 0] where there are none.
    """

    ids: Sequence[str]
    predicted: Sequence[Any]
    scores: np.ndarray
    metrics: Sequence[Metric] = ()
    statistics: Mapping[str, np.ndarray] = field(default_factory=dict)

    @property
    def metric(self) -> Metric | None:
        return self.metrics[0] if self.metrics else None

    @property
    def vectors(self) -> bool:
        """Whether answers are vectors, nearer to the baseline's or farther, and never equal."""
        return bool(self.predicted) and all(answer is None for answer in self.predicted)

    @property
    def right(self) -> np.ndarray | None:
        """Per example whether the answer was right [n], where one of the metrics says so."""
        binary = [metric.name for metric in self.metrics if metric.binary]
        return self.statistics[binary[0]][:, 0] if binary else None


@dataclass(frozen=True)
class PointSamples:
    """Seconds by round and call at one condition; a call takes `batch` examples, `sequence` tokens each or natural.
    One sample gets `units` done, which `rate_unit` names ("tokens"); 0 where no rate is said. `call`: what one timed
    call is, where it is more than a call of the model."""

    name: str
    rounds: Rounds
    metric: str = "latency"
    unit: str = "s"
    batch: int = 1
    sequence: int | None = None
    units: float = 0
    rate_unit: str = ""
    call: str = ""


@dataclass(frozen=True)
class VariantResult:
    """All that was seen of one variant; seconds and bytes. What is None was not measured.

    points: the first is the headline (batch 1, natural lengths); round i of all variants took the same examples.
    again: the same points at the second visits, of the baseline only. precision, placement: read back from the session.
    flops: operations of a headline example (mean); weight_bytes: read from memory at least once a call.
    not_comparable: why its speed must not be compared, though it was measured.
    """

    name: str
    status: str = "ok"
    reason: str = ""
    recipe_path: str | None = None
    backend: str = ""
    device: str = "cpu"
    points: Sequence[PointSamples] = ()
    again: Sequence[PointSamples] = ()
    predictions: Predictions | None = None
    size_bytes: float | None = None
    peak_rss_bytes: float | None = None
    load_s: float | None = None
    first_call_s: float | None = None
    build_s: float | None = None
    reused: bool = False
    audit: Mapping[str, Any] = field(default_factory=dict)
    profile: Sequence[Mapping[str, Any]] = ()
    precision: str = ""
    placement: Mapping[str, int] = field(default_factory=dict)
    flops: float | None = None
    weight_bytes: float | None = None
    not_comparable: str = ""

    @property
    def headline(self) -> Rounds:
        return self.points[0].rounds if self.points else []


@dataclass(frozen=True)
class Goal:
    """`max_drop` of `metric` (empty: the task's headline): absolute, or relative to the baseline's value.

    optimize: "latency", "throughput" or "size", of the rows that meet the bar. constraints: all there are, as a recipe
    says them; none: the bar alone.
    """

    max_drop: float = 0.01
    kind: str = "absolute"
    metric: str = ""
    confidence: float = 0.95
    optimize: str = "latency"
    constraints: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True)
class Inputs:
    """One comparison. `baseline` names a variant; the dicts go into the report as they are.

    machine: facts, with "flags", "architecture" and, where measured, "peaks": {"fp32", "bf16", "int8":
    operations/s, "bandwidth": bytes/s}. measuring: {"rounds", "flagged", "stopped", "half_width", "parked", …}.
    cards, classes: of the evaluation examples, for flips.
    """

    created: str
    baseline: str
    variants: Sequence[VariantResult]
    model: Mapping[str, Any] = field(default_factory=dict)
    evaluation: Mapping[str, Any] = field(default_factory=dict)
    calibration: Mapping[str, Any] = field(default_factory=dict)
    machine: Mapping[str, Any] = field(default_factory=dict)
    target: Any = None
    goal: Goal = field(default_factory=Goal)
    quick: bool = False
    measuring: Mapping[str, Any] = field(default_factory=dict)
    warnings: Sequence[str] = ()
    search: Mapping[str, Any] | None = None
    cards: Sequence[Mapping[str, Any]] = ()
    classes: Sequence[str] = ()
    seed: int = 7
