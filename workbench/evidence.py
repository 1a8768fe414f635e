"""The statistics: when may we say "faster", "no drop", "cannot tell"? Pure functions over raw samples.

Choices were made on simulated rounds (drift, spikes, foreign load on one of two cores):
- The two visits of the baseline are compared with the variant one by one and kept apart. Their mean is
  lower-noise but biased under load: two visits catch a disturbance more often than one does.
- Rounds are joined by the midmean (25 % trimmed mean): near the mean's precision when the machine is quiet,
  near the median's when every fourth visit is disturbed.
- Whole rounds are resampled and their calls stay together (Davison & Hinkley 1997, Bootstrap Methods and
  Their Application, section 3.8, strategy 1). Resampling the calls as well covered 99 % where 95 % was asked.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special  # not scipy.stats: it takes half a second to import

from workbench.measurement import Metric

Floats = NDArray[np.float64]
Rounds = Sequence[Sequence[float]]
Better = Literal["higher", "lower"]

MIN_ROUNDS = 3
DRAWS = 2000
TRIM = 0.25
# Calls below which a percentile is not shown: some six of them must lie beyond it.
PERCENTILE_FLOORS = {0.5: 1, 0.9: 64, 0.99: 662}


@dataclass(frozen=True)
class Interval:
    """An estimate and where it may lie."""

    estimate: float
    lo: float
    hi: float

    @property
    def half_width(self) -> float:
        return (self.hi - self.lo) / 2

    @property
    def relative_half_width(self) -> float:
        return self.half_width / abs(self.estimate) if self.estimate else math.inf

    def mirrored(self) -> Interval:
        return Interval(-self.estimate, -self.hi, -self.lo)


# ---- speed --------------------------------------------------------------------------------------


def ratio_interval(
    base: Rounds,
    variant: Rounds,
    second: Rounds | None = None,
    *,
    confidence: float = 0.95,
    draws: int = DRAWS,
    seed: int = 7,
) -> Interval | None:
    """Speed-up (baseline seconds / variant seconds) with its interval; None below MIN_ROUNDS rounds.

    Round i of all three holds seconds of the same examples in the same order; `second` is the baseline's
    second visit of the round. A round's statistic is the median of its paired log ratios.
    """
    pairs = Timed(base, variant, second).pairs
    if len(pairs) < MIN_ROUNDS:
        return None
    logs = _resampled_midmeans(pairs, draws, seed)
    return _ratio_of(logs, float(_midmean(pairs.reshape(1, -1))[0]), len(pairs), confidence)


def _ratio_of(logs: Floats, centre: float, rounds: int, confidence: float) -> Interval:
    """The interval of resampled log ratios around their estimate."""
    tail = _expanded_tail(rounds, confidence)
    lo, hi = np.quantile(logs, [tail, 1 - tail])
    return Interval(math.exp(centre), math.exp(min(lo, centre)), math.exp(max(hi, centre)))


def product(one: Interval, other: Interval) -> Interval:
    """Of two ratios that were measured apart. On the log scale their half-widths add as squares, each side by itself:
    the propagation of independent errors."""

    def joint(*sides: float) -> float:
        return math.exp(math.hypot(*map(math.log, sides)))

    estimate = one.estimate * other.estimate
    below = joint(one.estimate / one.lo, other.estimate / other.lo)
    return Interval(estimate, estimate / below, estimate * joint(one.hi / one.estimate, other.hi / other.estimate))


@dataclass(frozen=True)
class Timed:
    """Rounds of one variant and of its baseline, as `ratio_interval` takes them."""

    base: Rounds
    variant: Rounds
    second: Rounds | None = None

    @property
    def pairs(self) -> Floats:
        """[rounds, visits]: log ratios."""
        return _round_medians([self.base] if self.second is None else [self.base, self.second], self.variant)


def ratio_between(
    old: Timed, new: Timed, *, confidence: float = 0.95, draws: int = DRAWS, seed: int = 7
) -> Interval | None:
    """Speed-up of `new` / speed-up of `old`, each against the baseline of its own run; None below MIN_ROUNDS rounds.

    The runs were not interleaved, so each is resampled by itself. The interval holds the scatter inside both runs;
    what changed on the machine from one to the other is not in it.
    """
    before, after = old.pairs, new.pairs
    rounds = min(len(before), len(after))
    if rounds < MIN_ROUNDS:
        return None
    logs = _resampled_midmeans(after, draws, seed + 1) - _resampled_midmeans(before, draws, seed)
    centres = [float(_midmean(pairs.reshape(1, -1))[0]) for pairs in (before, after)]
    return _ratio_of(logs, centres[1] - centres[0], rounds, confidence)


def aa_interval(base: Rounds, second: Rounds, *, confidence: float = 0.95, seed: int = 7) -> Interval | None:
    """The baseline against itself: its half-width is what this run could not tell from nothing."""
    return ratio_interval(base, second, confidence=confidence, seed=seed)


def widest_half_width(
    base: Rounds, second: Rounds | None, variants: Mapping[str, Rounds], *, confidence: float = 0.95, seed: int = 7
) -> float:
    """For the stopping rule: the widest relative half-width of all variants; infinite while one has too few rounds.

    With `second`, the A/A interval counts too: its half-width is part of every verdict, and without it a variant
    5 % slower was missed once in 15 simulated runs that stopped at ±1.5 %. The same computation as the report's,
    so that what stopped the measuring is what is reported.
    """
    intervals = [ratio_interval(base, rounds, second, confidence=confidence, seed=seed) for rounds in variants.values()]
    if second is not None:
        intervals.append(aa_interval(base, second, confidence=confidence, seed=seed))
    widths = [interval.relative_half_width if interval else math.inf for interval in intervals]
    return max(widths, default=math.inf)


def speed_verdict(ratio: Interval | None, aa: Interval | None) -> str:
    """`faster` iff lo > 1 + r, `slower` iff hi < 1 - r, with r the half-width of the A/A interval."""
    if ratio is None or aa is None:
        return "not_comparable"
    if ratio.lo > 1 + aa.half_width:
        return "faster"
    return "slower" if ratio.hi < 1 - aa.half_width else "no_clear_difference"


def hopeless(ratios: Mapping[str, Interval | None], keep: int, least: float | None = None) -> list[str]:
    """Who is surely slower than `keep` of the others, or surely below the speed-up `least`, by intervals of the
    speed-up against one baseline. Who has no interval yet stays."""
    known = {name: ratio for name, ratio in ratios.items() if ratio is not None}
    floors = sorted((ratio.lo for ratio in known.values()), reverse=True)
    bar = max(floors[keep - 1] if len(floors) > keep else 0.0, least or 0.0)
    return [name for name, ratio in known.items() if ratio.hi < bar]


def widened(interval: Sequence[float], resolution: Sequence[float] | None) -> tuple[float, float]:
    """An interval of a speed-up, wider by the A/A interval of its run."""
    lo, hi = resolution or (1.0, 1.0)
    return interval[0] * min(lo, 1.0), interval[1] * max(hi, 1.0)


def overlap(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether two intervals have a value in common."""
    return one[0] <= other[1] and other[0] <= one[1]


def percentile(samples: Sequence[float], q: float) -> float | None:
    """The q-quantile (0 to 1), or None where the samples are too few to show it."""
    floor = PERCENTILE_FLOORS.get(q, 1 if q <= 0.5 else math.ceil(6.62 / (1 - q)))
    return float(np.quantile(np.asarray(samples, float), q)) if len(samples) >= floor else None


def median_interval(
    values: Sequence[float], *, confidence: float = 0.95, draws: int = DRAWS, seed: int = 7
) -> Interval | None:
    """The median of one value a round, over resampled rounds; None below MIN_ROUNDS of them."""
    seen = np.asarray(values, float)
    if len(seen) < MIN_ROUNDS:
        return None
    chosen = np.random.default_rng(seed).integers(len(seen), size=(draws, len(seen)))
    tail, centre = _expanded_tail(len(seen), confidence), float(np.median(seen))
    lo, hi = np.quantile(np.median(seen[chosen], axis=1), [tail, 1 - tail])
    return Interval(centre, float(min(lo, centre)), float(max(hi, centre)))


def _round_medians(visits: Sequence[Rounds], variant: Rounds) -> Floats:
    """[rounds, visits]: per round and visit the median log ratio of the calls that both made."""
    rows = [
        [_median_log_ratio(seconds, calls) for seconds in round_visits]
        for *round_visits, calls in zip(*visits, variant, strict=False)
        if len(calls) and all(len(seconds) for seconds in round_visits)
    ]
    return np.array(rows, dtype=np.float64).reshape(len(rows), len(visits))


def _median_log_ratio(base: Sequence[float], variant: Sequence[float]) -> float:
    shared = min(len(base), len(variant))
    logs = [np.log(np.maximum(np.asarray(seconds[:shared], float), 1e-9)) for seconds in (base, variant)]
    return float(np.median(logs[0] - logs[1]))


def _resampled_midmeans(pairs: Floats, draws: int, seed: int) -> Floats:
    rounds = len(pairs)
    chosen = np.random.default_rng(seed).integers(rounds, size=(draws, rounds))
    return _midmean(pairs[chosen].reshape(draws, -1))


def _midmean(values: Floats) -> Floats:
    """Mean of the middle half of each row."""
    size = values.shape[1]
    cut = int(TRIM * size)
    kept: Floats = np.sort(values, axis=1)[:, cut : size - cut]
    return np.asarray(kept.mean(axis=1), dtype=np.float64)


def _expanded_tail(rounds: int, confidence: float) -> float:
    """Tail of the expanded percentile interval, which keeps its coverage with few rounds
    (Hesterberg 2015, What Teachers Should Know About the Bootstrap, section 4.3)."""
    quantile = special.stdtrit(rounds - 1, (1 - confidence) / 2)
    return float(special.ndtr(math.sqrt(rounds / (rounds - 1)) * quantile))


# ---- accuracy -----------------------------------------------------------------------------------


def count_flips(base_right: NDArray[Any], variant_right: NDArray[Any]) -> tuple[int, int]:
    """(to wrong, to right): examples that only the baseline, only the variant answers rightly."""
    base, variant = np.asarray(base_right) > 0.5, np.asarray(variant_right) > 0.5
    return int((base & ~variant).sum()), int((~base & variant).sum())


def mcnemar(to_wrong: int, to_right: int) -> float:
    """Two-sided p of the exact test (binomial on the discordant pairs); 1.0 where none disagree."""
    discordant, fewer = to_wrong + to_right, min(to_wrong, to_right)
    return min(1.0, 2 * float(special.bdtr(fewer, discordant, 0.5))) if discordant else 1.0


def paired_proportion_interval(to_wrong: float, to_right: float, n: int, *, confidence: float = 0.95) -> Interval:
    """Change of the share of right answers, variant - baseline, by Bonett & Price (2012, J. Educational and
    Behavioral Statistics 37:479): one pair is added to each way of disagreeing, so that no discordant pair among
    n gives about ±2.8/n, not zero. In simulations it covered as well as Tango's score interval and was narrower."""
    down, up = (to_wrong + 1) / (n + 2), (to_right + 1) / (n + 2)
    centre, change = up - down, (to_right - to_wrong) / n
    width = _z(confidence) * math.sqrt((up + down - centre**2) / (n + 2))
    return Interval(change, max(-1.0, min(centre - width, change)), min(1.0, max(centre + width, change)))


def difference_interval(
    metric: Metric, base: Floats, variant: Floats, *, confidence: float = 0.95, draws: int = DRAWS, seed: int = 7
) -> Interval:
    """Change of a metric, variant - baseline as it is, from per-example statistics [n, k] of the same examples."""
    if metric.binary:
        to_wrong, to_right = count_flips(base[:, 0], variant[:, 0])
        return paired_proportion_interval(to_wrong, to_right, len(base), confidence=confidence)
    return bootstrap_difference(metric, base, variant, confidence=confidence, draws=draws, seed=seed)


def bootstrap_difference(
    metric: Metric, base: Floats, variant: Floats, *, confidence: float = 0.95, draws: int = DRAWS, seed: int = 7
) -> Interval:
    """Percentile interval over resampled examples, both variants on the same ones (a quarter of the
    draws for a metric whose statistics don't simply add up).

    Where no example differs, or none in what the metric looks at (ranks), the resamples can't either; the width is
    then that of a share of which nothing was seen among n, so that a small n never looks certain.
    """
    before = metric.value(base)
    change, n = metric.value(variant) - before, len(base)
    same = np.array_equal(base, variant)
    changes = np.zeros(1) if same else _resampled_changes(metric, base, variant, draws, seed)
    if not changes.any():
        unseen = half_width(n, 0, confidence=confidence) * (1.0 if metric.unit == "fraction" else abs(before))
        return Interval(change, change - unseen, change + unseen)
    tail = (1 - confidence) / 2
    lo, hi = np.quantile(changes, [tail, 1 - tail])
    return Interval(change, float(min(lo, change)), float(max(hi, change)))


def accuracy_verdict(change: Interval, better: Better, max_drop: float) -> str:
    """`drop` iff hi < 0; `no_detectable_drop` iff lo >= -max_drop; else `cannot_tell` (worse is negative)."""
    oriented = _oriented(change, better)
    if oriented.hi < 0:
        return "drop"
    return "no_detectable_drop" if oriented.lo >= -max_drop else "cannot_tell"


def constraint_verdict(change: Interval, better: Better, max_drop: float) -> str:
    """`met` iff lo >= -max_drop, `missed` iff hi < -max_drop, else `cannot_tell` (worse is negative)."""
    oriented = _oriented(change, better)
    if oriented.lo >= -max_drop:
        return "met"
    return "missed" if oriented.hi < -max_drop else "cannot_tell"


def is_implausible_gain(change: Interval, better: Better) -> bool:
    """A gain beyond chance: optimizing should not improve answers, so it is questioned like a drop."""
    return _oriented(change, better).lo > 0


def half_width(n: int, discordant: float, *, confidence: float = 0.95) -> float:
    """Half-width of the paired interval of a change of zero, with `discordant` of n pairs disagreeing."""
    return paired_proportion_interval(discordant / 2, discordant / 2, n, confidence=confidence).half_width


def detectable_drop(n: int, discordant_rate: float = 0.02, *, confidence: float = 0.95) -> float:
    """The smallest observed drop that n examples tell from nothing: 0.02 discordant, n = 1,000 -> 0.009."""
    return half_width(n, n * discordant_rate, confidence=confidence)


def examples_needed(max_drop: float, discordant_rate: float = 0.02, *, confidence: float = 0.95) -> int:
    """The smallest n at which a variant that changed nothing on balance meets `max_drop`."""
    low, high = 1, 2
    while detectable_drop(high, discordant_rate, confidence=confidence) > max_drop:
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        enough = detectable_drop(middle, discordant_rate, confidence=confidence) <= max_drop
        low, high = (low, middle) if enough else (middle, high)
    return high


def _oriented(change: Interval, better: Better) -> Interval:
    return change if better == "higher" else change.mirrored()


def _z(confidence: float) -> float:
    return float(special.ndtri((1 + confidence) / 2))


def _resampled_changes(metric: Metric, base: Floats, variant: Floats, draws: int, seed: int) -> Floats:
    rng, n = np.random.default_rng(seed), len(base)
    if not _additive(metric):
        picks = (rng.integers(n, size=n) for _ in range(draws // 4))
        return np.array([metric.value(variant[rows]) - metric.value(base[rows]) for rows in picks])
    blocks = (rng.integers(n, size=(100, n)) for _ in range(math.ceil(draws / 100)))  # lazily: n may be large
    return np.concatenate([_changes_by_sums(metric, base, variant, block) for block in blocks])


def _additive(metric: Metric) -> bool:
    """Whether the column means say everything that `combine` needs."""
    return metric.combine in ("mean", "ratio", "f1", "exp_ratio", "mean_iou")


def _changes_by_sums(metric: Metric, base: Floats, variant: Floats, chosen: NDArray[np.int64]) -> Floats:
    """As metric.value on the chosen rows, from their column means: one product for all draws."""
    draws, n = chosen.shape
    counts = np.bincount((chosen + n * np.arange(draws)[:, None]).ravel(), minlength=draws * n).reshape(draws, n)
    before, after = counts @ base / n, counts @ variant / n
    return np.array([metric.value(b[None]) - metric.value(a[None]) for a, b in zip(before, after, strict=True)])


# ---- without labels -----------------------------------------------------------------------------


def agreement(base: Sequence[Any], variant: Sequence[Any]) -> float:
    """Share of examples that got the same answer."""
    return sum(bool(a == b) for a, b in zip(base, variant, strict=True)) / max(len(base), 1)


def agreement_interval(same: int, n: int, *, confidence: float = 0.95) -> Interval:
    """Agreement with its Wilson score interval. Accuracy cannot have dropped by more than 1 - agreement."""
    share, squared = same / n, _z(confidence) ** 2
    centre = (share + squared / (2 * n)) / (1 + squared / n)
    width = math.sqrt(squared * (share * (1 - share) / n + squared / (4 * n**2))) / (1 + squared / n)
    return Interval(share, max(0.0, min(centre - width, share)), min(1.0, max(centre + width, share)))


def kl_divergence(base: NDArray[Any], variant: NDArray[Any]) -> Floats:
    """Per example KL(baseline || variant) in nats, from scores [n, classes]: logits, or probabilities as they are."""
    before, after = _log_probabilities(base), _log_probabilities(variant)
    return np.asarray((np.exp(before) * (before - after)).sum(axis=1), dtype=np.float64)


def cosine(base: NDArray[Any], variant: NDArray[Any]) -> Floats:
    """Per example the cosine of two vectors, from scores [n, d]."""
    a, b = np.asarray(base, np.float64), np.asarray(variant, np.float64)
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return np.asarray((a * b).sum(axis=1) / np.maximum(norms, 1e-12), dtype=np.float64)


def probabilities(scores: NDArray[Any]) -> Floats:
    """Scores [n, classes] as probabilities: left as they are where they already are some, else softmax."""
    return np.exp(_log_probabilities(scores))


def _log_probabilities(scores: NDArray[Any]) -> Floats:
    values = np.asarray(scores, np.float64)
    if (values >= 0).all() and np.allclose(values.sum(axis=1), 1, atol=1e-3):
        return np.log(np.maximum(values, 1e-12))
    shifted = values - values.max(axis=1, keepdims=True)
    logs: Floats = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return logs
