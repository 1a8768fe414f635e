"""How long single calls took: one strip a variant, on one log axis."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from workbench import sentence, words
from workbench.report.markup import e, heading
from workbench.report.parts.board import TONES
from workbench.report.scale import Scale, spaced
from workbench.sentence import Report, Row

BINS, STRIP, MOST_TICKS = 120, 34, 70


@dataclass(frozen=True)
class Strips:
    """Sizes of one drawing in px: `first` is where the axis begins, names stand to its left, or above (`stacked`)."""

    width: int
    first: int
    last: int
    step: int
    stacked: bool


WIDE = Strips(680, 190, 560, STRIP, False)
NARROW = Strips(358, 4, 354, 52, True)


def latency(report: Report, details: dict[str, Any]) -> str:
    rows = [row for row in sentence.ordered(report) if row["status"] == "ok" and calls_of(row)]
    if not rows:
        return ""
    drawings = "".join(_drawing(report, rows, form, css) for form, css in ((WIDE, "wide"), (NARROW, "narrow")))
    return (
        f'{heading("Latency of single calls")}<figure class="plot">{drawings}<figcaption '
        f'class="note">{e(_caption(report, rows))}</figcaption></figure>'
    )


def calls_of(row: Row) -> list[float]:
    """All calls of all rounds, milliseconds, sorted."""
    return sorted(ms for each in sentence.speed(row).get("rounds") or () for ms in each if words.usable(ms) and ms > 0)


def _caption(report: Report, rows: list[Row]) -> str:
    calls = len(calls_of(rows[0]))
    missing = [f"p90 needs {words.P90_FLOOR} calls"] if calls < words.P90_FLOOR else []
    missing += [f"p99 needs {words.P99_FLOOR}" + ("" if missing else " calls")] if calls < words.P99_FLOOR else []
    few = f" {words.NONE}: too few calls ({', '.join(missing)})." if missing else ""
    return (
        f"{words.plural(calls, 'call')} of {rows[0]['name']}, on real inputs; every variant saw "
        "the same sequence. Much of the spread is the length of the inputs. "
        f"Hill: how often; ticks: calls. Tall line: p50; short line: p90; line through all: p50 of the baseline.{few}"
    )


def _drawing(report: Report, rows: list[Row], form: Strips, css: str) -> str:
    seen = [calls_of(row) for row in rows]
    low, high = min(calls[0] for calls in seen), max(calls[-1] for calls in seen)
    axis = Scale(low / 1.12, high * 1.12, form.first, form.last, log=True)
    bottom = 14 + len(rows) * form.step
    label = "Latency of single calls by variant, log scale; p50 and p90 are in the table."
    strips = "".join(
        _strip(row, calls, axis, form, index) for index, (row, calls) in enumerate(zip(rows, seen, strict=True))
    )
    body = _axis(axis, bottom, form) + _reference(report, axis, bottom) + strips
    return f'<svg viewBox="0 0 {form.width} {bottom + 24}" class="{css}" role="img" aria-label="{label}">{body}</svg>'


def _axis(axis: Scale, bottom: int, form: Strips) -> str:
    values = [base * 10.0**power for power in range(-4, 6) for base in (1, 2, 5)]
    inside = [value for value in values if axis.low <= value <= axis.high]
    room = 120 if form.stacked else 0
    kept = [
        item
        for item in spaced([(axis.at(value), f"{value:g}") for value in inside], gap=14)
        if item[0] > form.first + room or not form.stacked
    ]
    lines = "".join(
        (
            f'<path class="grid" d="M{x:.1f} 8V{bottom}"/><text x="{x:.1f}" y="{bottom + 16}" '
            f'text-anchor="middle">{text}</text>'
        )
        for x, text in kept
    )
    right = "" if form.stacked else f'<text x="{form.width}" y="{bottom + 16}" text-anchor="end">p50 / p90 / p99</text>'
    return f'{lines}<text x="0" y="{bottom + 16}">ms a call, log scale</text>{right}'


def _reference(report: Report, axis: Scale, bottom: int) -> str:
    row = sentence.named(report, report["baseline"])
    p50 = sentence.speed(row).get("p50_ms") if row else None
    return f'<path class="axisline" d="M{axis.at(p50):.1f} 8V{bottom}"/>' if words.usable(p50) and p50 else ""


def _strip(row: Row, calls: list[float], axis: Scale, form: Strips, index: int) -> str:
    facts, foot = sentence.speed(row), 8 + (index + 1) * form.step - 8
    colour = TONES.get(words.word(facts.get("verdict")).tone, "var(--ink-3)")
    rug = "".join(f"M{axis.at(ms):.1f} {foot + 1}v5" for ms in thinned(calls))
    lines = "".join(
        f'<path d="M{axis.at(ms):.1f} {foot - tall}V{foot + 6}" stroke="{colour}" stroke-width="{width}"/>'
        for ms, tall, width in ((facts.get("p50_ms"), 20, 2.4), (facts.get("p90_ms"), 9, 1.4))
        if words.usable(ms)
    )
    hill = f'<path d="{outline(calls, axis, foot, 20)}" fill="{colour}" opacity=".22"/>'
    return (
        f'<g data-point="{e(row["name"])}">{hill}<path d="{rug}" stroke="{colour}" '
        f'opacity=".55"/>{lines}{_texts(row, facts, form, foot)}</g>'
    )


def _texts(row: Row, facts: dict[str, Any], form: Strips, foot: int) -> str:
    p50, p90, p99 = (words.milliseconds(facts.get(key)) for key in ("p50_ms", "p90_ms", "p99_ms"))
    y = foot - 26 if form.stacked else foot
    name = row["name"] if len(row["name"]) <= 26 else row["name"][:25] + "…"
    figures = f'<tspan class="strong">{p50}</tspan> / {p90} / {p99}'
    return (
        f'<text class="mono halo" x="0" y="{y}">{e(name)}</text><text class="halo" '
        f'x="{form.width}" y="{y}" text-anchor="end">{figures}</text>'
    )


def thinned(calls: list[float]) -> list[float]:
    """At most 70 calls, evenly by rank."""
    if len(calls) <= MOST_TICKS:
        return calls
    return [calls[round(index * (len(calls) - 1) / (MOST_TICKS - 1))] for index in range(MOST_TICKS)]


def outline(calls: list[float], axis: Scale, foot: float, height: float) -> str:
    """The density of log latency as an SVG path: a histogram smoothed with a Gaussian
    (width: Silverman, Density Estimation, 1986, eq. 3.31)."""
    logs = [math.log(ms) for ms in calls]
    start, end = math.log(axis.low), math.log(axis.high)
    step = (end - start) / BINS
    counts = [0] * (BINS + 1)
    for value in logs:
        counts[min(max(round((value - start) / step), 0), BINS)] += 1
    dense = _smooth(counts, max(_silverman(logs) / step, 0.8))
    top = max(dense) or 1.0
    points = [
        (axis.start + index * (axis.end - axis.start) / BINS, foot - height * value / top)
        for index, value in enumerate(dense)
        if value > 0.004 * top
    ]
    line = "L".join(f"{x:.0f} {y:.1f}" for x, y in points)
    return f"M{points[0][0]:.0f} {foot}L{line}L{points[-1][0]:.0f} {foot}Z"


def _silverman(values: list[float]) -> float:
    mean = sum(values) / len(values)
    deviation = math.sqrt(sum((value - mean) ** 2 for value in values) / max(len(values) - 1, 1))
    quarter = (values[3 * len(values) // 4] - values[len(values) // 4]) / 1.34
    return float(0.9 * (min(deviation, quarter) or deviation or 0.05) * len(values) ** -0.2)


def _smooth(counts: list[int], width: float) -> list[float]:
    reach = math.ceil(3 * width)
    kernel = [math.exp(-0.5 * (offset / width) ** 2) for offset in range(-reach, reach + 1)]
    return [
        sum(
            counts[index + offset] * kernel[offset + reach]
            for offset in range(-reach, reach + 1)
            if 0 <= index + offset < len(counts)
        )
        for index in range(len(counts))
    ]
