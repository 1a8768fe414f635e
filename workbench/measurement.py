"""What was seen: a metric, and raw values under their conditions. What is said is computed when said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np


def _mean(statistics: np.ndarray) -> float:
    return float(statistics[:, 0].mean())


def _ratio(statistics: np.ndarray) -> float:
    return float(statistics[:, 0].sum() / max(statistics[:, 1].sum(), 1e-12))


def _f1(statistics: np.ndarray) -> float:
    true_positive, false_positive, false_negative = statistics.sum(axis=0)
    return float(2 * true_positive / max(2 * true_positive + false_positive + false_negative, 1e-12))


def _exp_ratio(statistics: np.ndarray) -> float:
    import math

    return math.exp(_ratio(statistics))


def _macro_f1(statistics: np.ndarray) -> float:
    """The unweighted mean of the F1 of each class that occurs. Columns: label id, predicted id; or, where an example
    has several labels, tp, fp, fn of the first class, then of the next."""
    if statistics.shape[1] > 2:
        counts = statistics.sum(axis=0).reshape(-1, 3)
        found = [_f1(each[None]) for each in counts if each.sum()]
        return float(sum(found) / max(len(found), 1))
    import numpy as np

    label, predicted = statistics.astype(np.int64).T
    size = int(max(label.max(), predicted.max())) + 1
    both = np.bincount(label[label == predicted], minlength=size)
    either = np.bincount(label, minlength=size) + np.bincount(predicted, minlength=size)
    return float((2 * both[either > 0] / either[either > 0]).mean())


def _mean_iou(statistics: np.ndarray) -> float:
    """Columns: each class's intersection, then each class's union. The mean over classes that occur at all."""
    intersections, unions = statistics.sum(axis=0).reshape(2, -1)
    occurs = unions > 0
    return float((intersections[occurs] / unions[occurs]).mean()) if occurs.any() else 0.0


def _spearman(statistics: np.ndarray) -> float:
    """Columns: two values an example. Pearson's correlation of their ranks, ties at the mean of theirs (Spearman 1904,
    The Proof and Measurement of Association between Two Things); 0 where one of them is always the same."""
    import numpy as np

    first, second = (ranks - ranks.mean() for ranks in (_ranks(statistics[:, 0]), _ranks(statistics[:, 1])))
    scale = float(np.sqrt((first @ first) * (second @ second)))
    return float(first @ second) / scale if scale else 0.0


def _ranks(values: np.ndarray) -> np.ndarray:
    import numpy as np

    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[place]


COMBINE: dict[str, Callable[[np.ndarray], float]] = {
    "mean": _mean,
    "ratio": _ratio,
    "f1": _f1,
    "exp_ratio": _exp_ratio,
    "macro_f1": _macro_f1,
    "mean_iou": _mean_iou,
    "spearman": _spearman,
}


@dataclass(frozen=True)
class Metric:
    """How good, and how per-example statistics (shape [n, k], float64) make one value.

    `combine` is a name in COMBINE: mean of column 0; ratio of two column sums (errors / words); f1 of
    (tp, fp, fn) sums; exp_ratio for perplexity (nll, tokens); macro_f1 of (label, predicted) or of (tp, fp, fn) a
    class; mean_iou of (intersection of every class, union of every class); spearman of two values. `binary` says
    that the statistic is right/wrong, which allows McNemar's exact test.
    """

    name: str
    unit: str = "fraction"
    better: Literal["higher", "lower"] = "higher"
    combine: str = "mean"
    binary: bool = False

    def value(self, statistics: np.ndarray) -> float:
        return COMBINE[self.combine](statistics)


@dataclass(frozen=True)
class Measurement:
    """Raw samples of one metric for one variant. Seconds and bytes inside."""

    variant: str
    metric: str
    samples: Any
    conditions: dict[str, Any] = field(default_factory=dict)
