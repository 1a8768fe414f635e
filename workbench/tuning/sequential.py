"""When is it certain that a candidate will not meet the bar? Decided after as few examples as the evidence allows.

What is asked is a question about n fixed examples: will the interval over all of them, the one that the report shows,
lie inside the bar? A candidate may lose `most_lost` right answers on balance and still meet it (`net`), or change
`most_lost` answers where there are no labels (`changes`). It is given up only when it must lose more than that:

- `net`: answers that turned wrong among those seen are a bound from below for all, whatever the order. So examples that
  the baseline answers rightly come in the order of its own doubt, where most turn, and nothing is assumed about the
  rest. Answers that turn right can make up for them, only where the baseline is wrong. Those examples come in a random
  order drawn beforehand, so that the exact hypergeometric bound from above holds for all of them. Its error is shared
  out among the looks, which are fixed beforehand, too.
- `changes`: every change counts and none is made up for: no error at all.
- `interval`, for other metrics: a random order, and the paired interval at a few looks, whose errors add up; it is
  asymptotic.

So: a candidate that would meet the bar is given up with a chance of at most WRONG_KILL, over the random order. None is
taken early: who is not given up answers every example, and what is taken wrongly is what the interval over all of them
takes wrongly, once a candidate (`wrong_accept`). docs/decisions/ has the reasoning, tests the simulation.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special

from workbench import evidence
from workbench.comparison import Goal, Predictions, accuracy_of
from workbench.measurement import Metric

WRONG_KILL = 0.01
FIRST_LOOK = 32
GROWTH = 1.5  # from one look to the next
Kind = Literal["net", "changes", "interval", "none"]


@dataclass(frozen=True)
class Trial:
    """What is fixed before any candidate is seen: the order of examples, and after how many of them to look.

    most_lost: of `net` and `changes`. metric, bar: of `interval`; the bar is absolute. wrong: examples among the first
    k of `order` that the baseline answers wrongly are wrong[:k].sum()."""

    kind: Kind
    order: tuple[int, ...]
    looks: tuple[int, ...]
    most_lost: int = 0
    metric: Metric | None = None
    bar: float = 0.0
    confidence: float = 0.95
    wrong: NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class GivenUp:
    """After `examples` of n it was certain. `lost`: seen so far; `made_up`: at most so many turn right in all;
    `change`: of the metric, seen so far, where that is how it was told."""

    examples: int
    n: int
    lost: int | None = None
    made_up: int | None = None
    change: float | None = None


def trial(base: Predictions, goal: Goal, seed: int) -> Trial:
    """The trial that the baseline's answers allow. `none` where examples cannot be told apart one by one."""
    n = len(base.ids)
    random_order = np.random.default_rng(seed).permutation(n)
    looks = tuple(_looks(n))
    if base.vectors or len(base.scores) % n:
        return Trial("none", tuple(range(n)), ())
    if base.metric is None:
        most = most_changed(n, goal.max_drop, goal.confidence)
        return Trial("changes", _ints(_by_doubt(base, random_order)), looks, most_lost=most)
    before = base.statistics[base.metric.name]
    bar = goal.max_drop * abs(base.metric.value(before)) if goal.kind == "relative" else goal.max_drop
    if base.metric.binary:
        right = before[:, 0] > 0.5
        order = _by_turns(_by_doubt(base, random_order), random_order, right)
        most = most_lost(n, bar, goal.confidence)
        return Trial("net", _ints(order), looks, most_lost=most, wrong=~right[order])
    few = tuple(look for look in (n // 8, n // 4, n // 2) if look >= 2 * FIRST_LOOK)
    return Trial("interval", _ints(random_order), few, metric=base.metric, bar=bar, confidence=goal.confidence)


def given_up(trial: Trial, base: Predictions, seen: Seen) -> GivenUp | None:
    """The verdict at a look, after `seen` of the first examples in the trial's order."""
    if trial.kind == "net":
        return _net(trial, base, seen)
    if trial.kind == "changes":
        said = zip(seen.predicted, (base.predicted[i] for i in trial.order), strict=False)
        changed = sum(mine != theirs for mine, theirs in said)
        return GivenUp(len(seen.predicted), len(trial.order), changed) if changed > trial.most_lost else None
    return _interval(trial, base, seen) if trial.kind == "interval" else None


@dataclass(frozen=True)
class Seen:
    """What a candidate answered to the first examples of a trial's order. statistics: metric name -> rows [k, …]."""

    predicted: Sequence[Any]
    statistics: dict[str, list[list[float]]]

    def first(self, count: int) -> Seen:
        """What it answered to so many."""
        return Seen(self.predicted[:count], {name: rows[:count] for name, rows in self.statistics.items()})


def meets(base: Seen, mine: Seen, metrics: Sequence[Metric], goal: Goal) -> bool:
    """Whether the interval over the examples that both have answered, in one order, lies within the bar. Said of a
    random sample it is a verdict on the rest, too, with the confidence of the goal; it takes no part in `given_up`."""

    def known(seen: Seen) -> Predictions:
        n = len(seen.predicted)
        statistics = {name: np.asarray(rows) for name, rows in seen.statistics.items()}
        return Predictions(
            [str(i) for i in range(n)], seen.predicted, np.empty((n, 0), np.float32), metrics, statistics
        )

    return bool(accuracy_of(known(base), known(mine), goal)["constraint"] == "met")


# ---- bounds -------------------------------------------------------------------------------------


def most_lost(n: int, bar: float, confidence: float) -> int:
    """The largest net loss among n with which the interval of the change can still lie inside the bar: with nothing
    turned right. −1 where even no loss meets it."""

    def meets(lost: int) -> bool:
        interval = evidence.paired_proportion_interval(lost, 0, n, confidence=confidence)
        return evidence.constraint_verdict(interval, "higher", bar) == "met"

    return _last(meets, n)


def most_changed(n: int, bar: float, confidence: float) -> int:
    """The same where there are no labels: the most answers among n that may differ from the baseline's."""
    return _last(lambda c: evidence.agreement_interval(n - c, n, confidence=confidence).lo >= 1 - bar, n)


def _last(meets: Any, n: int) -> int:
    """The last of 0 … n that meets, where all before it do; −1: none."""
    low, high = -1, n + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if meets(middle) else (low, middle)
    return low


def upper_bound(found: int, drawn: int, total: int, error: float) -> int:
    """The most of `total` that may have a property, when `found` of `drawn` had it, drawn at random without putting
    back: the largest number with which so few are found with a chance above `error` (exact, hypergeometric)."""
    low, high = found, total - drawn + found + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _chance_of_so_few(found, drawn, total, middle) > error else (low, middle)
    return low


def _chance_of_so_few(found: int, drawn: int, total: int, having: int) -> float:
    """P(X <= found) of the hypergeometric distribution."""
    j = np.arange(max(0, drawn - (total - having)), min(found, having, drawn) + 1)
    logs = _log_choose(having, j) + _log_choose(total - having, drawn - j) - _log_choose(total, np.asarray(drawn))
    return float(np.exp(logs).sum())


def _log_choose(n: int, k: NDArray[Any]) -> NDArray[np.float64]:
    return np.asarray(special.gammaln(n + 1) - special.gammaln(k + 1) - special.gammaln(n - k + 1), np.float64)


# ---- looks --------------------------------------------------------------------------------------


def _net(trial: Trial, base: Predictions, seen: Seen) -> GivenUp | None:
    assert base.metric is not None and trial.wrong is not None
    k = len(seen.predicted)
    now = np.asarray(seen.statistics[base.metric.name])[:, 0] > 0.5
    wrong, total = trial.wrong[:k], int(trial.wrong.sum())
    lost, turned = int((~wrong & ~now).sum()), int((wrong & now).sum())
    made_up = upper_bound(turned, int(wrong.sum()), total, WRONG_KILL / len(trial.looks))
    return GivenUp(k, len(trial.order), lost, made_up) if lost - made_up > trial.most_lost else None


def _interval(trial: Trial, base: Predictions, seen: Seen) -> GivenUp | None:
    metric, k = trial.metric, len(seen.predicted)
    assert metric is not None
    before = base.statistics[metric.name][list(trial.order[:k])]
    confidence = 1 - 2 * WRONG_KILL / len(trial.looks)
    change = evidence.difference_interval(
        metric, before, np.asarray(seen.statistics[metric.name]), confidence=confidence
    )
    if evidence.constraint_verdict(change, metric.better, trial.bar) == "missed":
        return GivenUp(k, len(trial.order), change=change.estimate)
    return None


def _looks(n: int) -> Iterator[int]:
    """Places at which to look: few, since the error is shared out among them."""
    at = float(FIRST_LOOK)
    while at < 0.9 * n:
        yield int(at)
        at *= GROWTH


# ---- orders -------------------------------------------------------------------------------------


def _by_doubt(base: Predictions, random_order: NDArray[np.int64]) -> NDArray[np.int64]:
    """Examples whose two likeliest answers are closest first; in random order where there are no such scores."""
    if base.scores.ndim != 2 or base.scores.shape[1] < 2 or len(base.scores) != len(base.ids):
        return random_order
    ranked = np.sort(evidence.probabilities(base.scores), axis=1)
    return np.argsort(ranked[:, -1] - ranked[:, -2], kind="stable")


def _by_turns(doubt: NDArray[np.int64], random_order: NDArray[np.int64], right: NDArray[np.bool_]) -> list[int]:
    """One that the baseline answers rightly, by doubt, then one that it answers wrongly, at random; then the rest."""
    queues = [iter(doubt[right[doubt]]), iter(random_order[~right[random_order]])]
    order: list[int] = []
    while queues:
        for queue in list(queues):
            if (one := next(queue, None)) is None:
                queues.remove(queue)
            else:
                order.append(int(one))
    return order


def _ints(order: Any) -> tuple[int, ...]:
    return tuple(int(one) for one in order)


def wrong_accept(confidence: float) -> float:
    """The chance that a candidate meets the bar whose true drop is the bar itself: what lies outside the interval on
    one side. Whose true drop is larger meets it more rarely; a test has what is left of it at twice the bar."""
    return (1 - confidence) / 2


def chance_of_any(tested: int, each: float = WRONG_KILL) -> float:
    """At most so likely is it that any of `tested` candidates was judged wrongly, when each is with a chance of `each`:
    they share the examples and their order, and a sum needs no independence."""
    return min(1.0, tested * each)
