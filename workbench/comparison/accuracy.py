"""One row's accuracy: the change against the baseline on the same examples, with its interval and verdicts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workbench import evidence
from workbench.comparison.flips import has_scores
from workbench.comparison.seen import Goal, Predictions
from workbench.evidence import Interval
from workbench.measurement import Metric

if TYPE_CHECKING:
    import numpy as np

AGREEMENT = Metric("agreement", binary=True)  # what stands for accuracy where there are no labels
COSINE = Metric("cosine", unit="")  # the same where answers are vectors
KL = Metric("kl", unit="nats", better="lower")  # how far what a model expects is from what the baseline expects

NO_CHANGE = Interval(0.0, 0.0, 0.0)

Accuracy = dict[str, Any]


def judge(base: Predictions, mine: Predictions, goal: Goal, seed: int) -> Accuracy:
    """The `accuracy` of a row that is not the baseline; values are fractions, delta = variant - baseline."""
    if list(base.ids) != list(mine.ids):
        return none(base, "It answered other examples than the baseline.")
    return without_labels(base, mine, goal, seed) if base.metric is None else labelled(base, mine, goal, seed)


def labelled(base: Predictions, mine: Predictions, goal: Goal, seed: int) -> Accuracy:
    metric = base.metrics[0]
    before, after = base.statistics[metric.name], mine.statistics[metric.name]
    change = evidence.difference_interval(metric, before, after, seed=seed)
    asked = change
    if goal.confidence != 0.95:
        asked = evidence.difference_interval(metric, before, after, confidence=goal.confidence, seed=seed)
    bar = goal.max_drop * abs(metric.value(before)) if goal.kind == "relative" else goal.max_drop
    kl = _divergence(base, mine, seed)
    return {
        **_head(metric, metric.value(after), metric.value(before), len(base.ids)),
        "delta": change.estimate,
        "ci95": [change.lo, change.hi],
        "agreement": None if base.vectors else evidence.agreement(base.predicted, mine.predicted),
        **_paired(base, mine, change),
        "verdict": evidence.accuracy_verdict(change, metric.better, bar),
        "constraint": evidence.constraint_verdict(asked, metric.better, bar),
        "kl": kl["value"] if kl else None,
        "secondary": [*_secondary(base, mine, seed), *([kl] if kl else [])],
    }


def without_labels(base: Predictions, mine: Predictions, goal: Goal, seed: int) -> Accuracy:
    """Right answers can't have become fewer than the answers that changed: so the bar may be met for certain,
    but a drop is never certain."""
    if base.vectors:
        return nearness(base, mine, goal, seed)
    n = len(base.ids)
    same = round(evidence.agreement(base.predicted, mine.predicted) * n)
    share = evidence.agreement_interval(same, n, confidence=goal.confidence)
    shown = evidence.agreement_interval(same, n)
    kl, cosine = _divergence(base, mine, seed), _cosine(base, mine, seed)
    return {
        **_head(AGREEMENT, share.estimate, 1.0, n),
        "delta": share.estimate - 1,
        "ci95": [shown.lo - 1, shown.hi - 1],
        "agreement": share.estimate,
        "flips": None,
        "verdict": "no_detectable_drop" if shown.lo >= 1 - goal.max_drop else "cannot_tell",
        "detectable_drop": 1 - shown.lo,
        "constraint": "met" if share.lo >= 1 - goal.max_drop else "cannot_tell",
        "kl": kl["value"] if kl else None,
        "cosine": cosine["value"] if cosine else None,
        "secondary": [one for one in (kl, cosine) if one],
    }


def nearness(base: Predictions, mine: Predictions, goal: Goal, seed: int) -> Accuracy:
    """Answers that are vectors: the mean cosine with the baseline's, of which the bar may be lost."""
    near = evidence.cosine(base.scores, mine.scores).reshape(-1, 1)
    change = evidence.difference_interval(COSINE, near * 0 + 1, near, seed=seed)
    asked = change
    if goal.confidence != 0.95:
        asked = evidence.difference_interval(COSINE, near * 0 + 1, near, confidence=goal.confidence, seed=seed)
    return {
        **_head(COSINE, float(near.mean()), 1.0, len(base.ids)),
        "delta": change.estimate,
        "ci95": [change.lo, change.hi],
        "agreement": None,
        "flips": None,
        "verdict": evidence.accuracy_verdict(change, COSINE.better, goal.max_drop),
        "detectable_drop": change.half_width,
        "constraint": evidence.constraint_verdict(asked, COSINE.better, goal.max_drop),
        "kl": None,
        "secondary": [],
    }


def baseline(base: Predictions) -> Accuracy:
    metric = base.metric or (COSINE if base.vectors else AGREEMENT)
    value = metric.value(base.statistics[metric.name]) if base.metric else 1.0
    flips = {"to_wrong": 0, "to_right": 0} if base.right is not None else None
    return {
        **_head(metric, value, value, len(base.ids)), "delta": 0.0, "ci95": [0.0, 0.0],
        "agreement": None if base.vectors else 1.0,
        "flips": flips, "verdict": "baseline", "detectable_drop": None, "constraint": "met",
        "secondary": _secondary(base, base, seed=0),
    }  # fmt: skip


def none(base: Predictions | None, reason: str) -> Accuracy:
    """All keys with nothing in them, and why."""
    metric = (base.metric if base else None) or (COSINE if base and base.vectors else AGREEMENT)
    value = metric.value(base.statistics[metric.name]) if base and base.metric else None
    return {
        **_head(metric, None, value, 0), "delta": None, "ci95": None, "agreement": None,
        "flips": None, "verdict": "cannot_tell", "detectable_drop": None,
        "constraint": "cannot_tell", "reason": reason,
    }  # fmt: skip


def _head(metric: Metric, value: float | None, baseline: float | None, n: int) -> dict[str, Any]:
    facts = {"metric": metric.name, "better": metric.better, "unit": metric.unit}
    return facts | {"value": value, "baseline": baseline, "n": n}


def _paired(base: Predictions, mine: Predictions, change: Interval) -> dict[str, Any]:
    """Flips with their exact test, and the smallest drop that could have been seen."""
    if base.right is None or mine.right is None:
        return {"flips": None, "p_value": None, "detectable_drop": change.half_width}
    to_wrong, to_right = evidence.count_flips(base.right, mine.right)
    discordant = evidence.half_width(len(base.ids), to_wrong + to_right)
    return {
        "flips": {"to_wrong": to_wrong, "to_right": to_right},
        "p_value": evidence.mcnemar(to_wrong, to_right),
        "detectable_drop": discordant if base.metrics[0].binary else change.half_width,
    }


def _secondary(base: Predictions, mine: Predictions, seed: int) -> list[dict[str, Any]]:
    """The metrics after the first, each with its paired change; a baseline's own change is none."""
    lines = []
    for metric in base.metrics[1:]:
        before, after = base.statistics[metric.name], mine.statistics[metric.name]
        change = NO_CHANGE if mine is base else evidence.difference_interval(metric, before, after, seed=seed)
        head = _head(metric, metric.value(after), metric.value(before), len(base.ids))
        lines.append(head | {"delta": change.estimate, "ci95": [change.lo, change.hi]})
    return lines


def _divergence(base: Predictions, mine: Predictions, seed: int) -> dict[str, Any] | None:
    """KL(baseline || variant), where scores are probabilities of the same classes."""
    fits = has_scores(base) and base.scores.shape == mine.scores.shape and not base.vectors
    return _between(KL, evidence.kl_divergence(base.scores, mine.scores), 0.0, seed) if fits else None


def _cosine(base: Predictions, mine: Predictions, seed: int) -> dict[str, Any] | None:
    fits = has_scores(base) and base.scores.shape == mine.scores.shape
    return _between(COSINE, evidence.cosine(base.scores, mine.scores), 1.0, seed) if fits else None


def _between(metric: Metric, values: np.ndarray, same: float, seed: int) -> dict[str, Any]:
    """A mean over examples of how near two models are: neither has it alone, so there is no change, and `ci95` is
    that of the value. `same`: the value of equal answers."""
    apart = values.reshape(-1, 1)
    found = evidence.difference_interval(metric, apart * 0 + same, apart, seed=seed)
    head = _head(metric, same + found.estimate, None, len(values))
    return head | {"delta": None, "ci95": [same + found.lo, same + found.hi]}
