"""From values to pixels: the two axes that the table and the Pareto plot share, and their ticks."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from workbench import sentence, words
from workbench.sentence import Report, Row

STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0)


@dataclass(frozen=True)
class Scale:
    """Maps [low, high] to [start, end] pixels, on a log axis where `log`. `start` > `end` turns it around."""

    low: float
    high: float
    start: float = 0.0
    end: float = 150.0
    log: bool = False

    def at(self, value: float) -> float:
        """The pixel of `value`, kept inside the axis."""
        low, high, here = (
            (math.log(x) for x in (self.low, self.high, max(value, 1e-9))) if self.log else (self.low, self.high, value)
        )
        share = min(max((here - low) / (high - low), 0.0), 1.0)
        return self.start + share * (self.end - self.start)

    def holds(self, value: float) -> bool:
        margin = 0.0 if self.log else 1e-9 * (self.high - self.low)
        return self.low - margin <= value <= self.high + margin

    def drawn(self, start: float, end: float) -> Scale:
        return Scale(self.low, self.high, start, end, self.log)


def speed_scale(report: Report, start: float = 0.0, end: float = 150.0) -> Scale:
    """Log, around 1x, over all intervals."""
    seen = [1.0]
    for row in sentence.finished(report):
        facts = sentence.speed(row)
        seen += [x for x in (facts.get("speedup"), *(facts.get("ci95") or ())) if words.usable(x) and x > 0]
    low, high = min(0.8, min(seen) * 0.9), max(1.3, max(seen) * 1.1)
    return Scale(low, high, start, end, log=True)


def change_scale(report: Report, bar: float | None, start: float = 0.0, end: float = 150.0) -> Scale:
    """Linear over all intervals and the bar, better at `end`. What lies beyond ten bars is drawn at the edge
    with an arrow, so that one broken variant does not press all others into a line."""
    sign = sentence.worse_sign(sentence.measure(report))
    seen = [0.0] + [sign * x for row in sentence.finished(report) for x in interval_of(row)]
    if bar:
        seen += [-1.6 * bar, 0.6 * bar]
        seen = [max(x, -10 * bar) for x in seen]
    low, high = min(seen), max(seen)
    pad = 0.06 * (high - low) or 0.01
    low, high = low - pad, high + pad
    return Scale(low, high, start, end) if sign > 0 else Scale(-high, -low, end, start)


def interval_of(row: Row) -> list[float]:
    """The change of accuracy with its interval, where there is one: [low, estimate, high]."""
    facts = sentence.accuracy(row)
    ends = facts.get("ci95")
    delta = facts.get("delta")
    if facts.get("verdict") == "baseline" or not words.usable(delta):
        return []
    return [float(ends[0]), float(delta), float(ends[1])] if words.is_interval(ends) else [float(delta)] * 3


def log_ticks(scale: Scale, most: int = 6) -> list[float]:
    """Round ratios inside the scale, always with 1 where it is inside."""
    ticks = [step for step in STEPS if scale.low <= step <= scale.high]
    if len(ticks) > most:
        ticks = [step for step in ticks if step in (0.01, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 100.0)]
    return ticks


def ticks(scale: Scale, most: int = 5) -> list[float]:
    """Round values inside a linear scale, with 0 among them where it is inside."""
    width = scale.high - scale.low
    power = 10.0 ** math.floor(math.log10(width / most))
    step = next(power * factor for factor in (1, 2, 5, 10) if width / (power * factor) <= most)
    first = math.ceil(scale.low / step)
    return [step * k for k in range(first, math.floor(scale.high / step) + 1)]


def spaced(labels: Iterable[tuple[float, str]], gap: float = 6.0, width: float = 6.5) -> list[tuple[float, str]]:
    """Tick labels (pixel, text) that do not touch: the first given win, so give the important ones first."""
    kept: list[tuple[float, str]] = []
    for at, text in labels:
        if all(abs(at - other) >= gap + width * (len(text) + len(said)) / 2 for other, said in kept):
            kept.append((at, text))
    return kept
