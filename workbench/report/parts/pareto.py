"""Speed against accuracy: every variant with both intervals, the bar, the frontier; dominated ones dimmed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from workbench import sentence, words
from workbench.report.labels import Box, Label, place
from workbench.report.markup import e, hatch, heading
from workbench.report.parts.board import TONES, Axes, axes_of, change_labels, speed_labels
from workbench.report.scale import Scale, interval_of
from workbench.sentence import Report, Row


@dataclass(frozen=True)
class Frame:
    """The drawing in px: its size, and the plot area inside."""

    width: int
    height: int
    left: int
    top: int
    right: int
    bottom: int


WIDE = Frame(680, 420, 44, 30, 664, 378)
NARROW = Frame(358, 440, 34, 30, 350, 398)


@dataclass(frozen=True)
class Mark:
    """One variant in pixels. `x` and `y` are (low, estimate, high)."""

    name: str
    x: tuple[float, float, float]
    y: tuple[float, float, float]
    colour: str
    hollow: bool
    dominated: bool
    role: str  # best, baseline or ""
    off: bool = False  # beyond the axis: drawn at the edge with an arrow


def pareto(report: Report, details: dict[str, Any]) -> str:
    axes = axes_of(report)
    if not any(
        interval_of(row) and words.usable(sentence.speed(row).get("speedup")) for row in sentence.finished(report)
    ):
        return ""
    label = (
        f"Speed-up against accuracy change of {len(sentence.finished(report))} variants; the same "
        "figures are in the table above."
    )
    drawings = "".join(
        (
            f'<svg viewBox="0 0 {frame.width} {frame.height}" class="{css}" role="img" '
            f'aria-label="{e(label)}">{draw(report, axes, frame)}</svg>'
        )
        for frame, css in ((WIDE, "wide"), (NARROW, "narrow"))
    )
    return (
        f'{heading("Speed against accuracy")}<figure class="plot">{drawings}<figcaption '
        f'class="note">{_caption(report, axes)}</figcaption></figure>'
    )


def _caption(report: Report, axes: Axes) -> str:
    n = sentence.measure(report).get("n")
    said = [
        f"Dot: estimate; whiskers: 95 % intervals, accuracy over n = {words.number(n)} examples. Hollow: undecided."
    ]
    if len(report.get("pareto") or []) > 1:
        said.append("Dotted line: the frontier.")
    said.append("Grey names are dominated: something else is at least as fast and as accurate.")
    return e(" ".join(said))


def draw(report: Report, axes: Axes, frame: Frame) -> str:
    """The inside of the SVG, in the tokens of style.css."""
    roomy = Scale(
        axes.speed.low, axes.speed.high**0.8 * max(axes.speed.high, 2.0) ** 0.2 * 1.3, frame.left, frame.right, log=True
    )
    placed = Axes(roomy, _upward(axes, frame), axes.bar, axes.unit)
    marks = marks_of(report, placed)
    return (
        grid(placed, frame, report)
        + frontier(report, marks)
        + "".join(_mark(mark) for mark in marks)
        + _names(marks, placed, frame)
    )


def _upward(axes: Axes, frame: Frame) -> Scale:
    """Better is up, whichever sign is better."""
    turned = axes.change.start > axes.change.end
    start, end = (frame.top, frame.bottom) if turned else (frame.bottom, frame.top)
    return axes.change.drawn(start, end)


def marks_of(report: Report, axes: Axes) -> list[Mark]:
    """Dominated variants first, so that the frontier is drawn over them."""
    made = [mark for row in sentence.ordered(report) if (mark := _mark_of(report, row, axes)) is not None]
    return sorted(made, key=lambda mark: (not mark.dominated, mark.role == "best"))


def _mark_of(report: Report, row: Row, axes: Axes) -> Mark | None:
    facts, known, name = sentence.speed(row), interval_of(row), row["name"]
    ratio, baseline = facts.get("speedup"), row["name"] == report["baseline"]
    if row["status"] != "ok" or not words.usable(ratio) or not (known or baseline):
        return None
    low, high = facts["ci95"] if words.is_interval(facts.get("ci95")) else (ratio, ratio)
    tone = words.word(facts.get("verdict")).tone
    heights = [axes.change.at(value) for value in (known or [0.0] * 3)]
    return Mark(
        name=name,
        x=(axes.speed.at(low), axes.speed.at(ratio), axes.speed.at(high)),
        y=(heights[0], heights[1], heights[2]),
        colour="var(--ink)" if baseline else TONES.get(tone, "var(--ink-3)"),
        hollow=sentence.accuracy(row).get("verdict") == "cannot_tell" or facts.get("verdict") == "no_clear_difference",
        dominated=name not in (report.get("pareto") or []) and not baseline and name != report.get("best"),
        role="baseline" if baseline else "best" if name == report.get("best") else "",
        off=bool(known) and not axes.change.holds(known[1]),
    )


def grid(axes: Axes, frame: Frame, report: Report) -> str:
    parts = []
    if axes.bar is not None:
        y = axes.change.at(axes.bar)
        parts.append(hatch(frame.left, y, frame.right, frame.bottom, 7))
    for x, text in speed_labels(axes.speed):
        css = "axisline" if text == "1x" else "grid"
        parts.append(
            f'<path class="{css}" d="M{x:.1f} {frame.top}V{frame.bottom}"/><text x="{x:.1f}" '
            f'y="{frame.bottom + 17}" text-anchor="middle">{e(text)}</text>'
        )
    for y, text in change_labels(axes):
        css = "axisline" if text == "0" else "grid"
        parts.append(
            f'<path class="{css}" d="M{frame.left} {y:.1f}H{frame.right}"/><text x="{frame.left - 7}" '
            f'y="{y + 4:.1f}" text-anchor="end">{e(text)}</text>'
        )
    return "".join(parts) + _bar_line(axes, frame) + _axis_names(axes, frame, report)


def _bar_line(axes: Axes, frame: Frame) -> str:
    if axes.bar is None:
        return ""
    y, most = axes.change.at(axes.bar), words.amount(axes.bar, axes.unit)
    text = f"bar: a rise of at most {most}" if axes.bar > 0 else f"bar: at most {most} lost"
    return (
        f'<path class="barline" d="M{frame.left} {y:.1f}H{frame.right}"/>'
        f'<text class="halo" x="{frame.left + 6}" y="{y + 15:.1f}" style="fill:var(--worse)">{e(text)}</text>'
    )


def _axis_names(axes: Axes, frame: Frame, report: Report) -> str:
    unit = "pp" if axes.unit in (None, "fraction") else axes.unit
    text = ", ".join(part for part in (sentence.change_name(report), unit) if part) + "; up is better"
    return (
        f'<text x="0" y="14">{e(text)}</text>'
        f'<text x="{frame.right}" y="{frame.bottom + 36}" text-anchor="end">speed-up, log scale; right is faster</text>'
    )


def frontier(report: Report, marks: list[Mark]) -> str:
    on = sorted((mark.x[1], mark.y[1]) for mark in marks if mark.name in (report.get("pareto") or []) and not mark.off)
    if len(on) < 2:
        return ""
    return f'<path class="frontier" d="M{"L".join(f"{x:.1f} {y:.1f}" for x, y in on)}"/>'


def _mark(mark: Mark) -> str:
    (x0, x, x1), (y0, y, y1) = mark.x, mark.y
    dim = ' opacity=".65"' if mark.dominated else ""
    if mark.off:
        edge = 1 if y > 100 else -1
        body = f'<path d="M{x - 5:.1f} {y - 8 * edge:.1f}h10L{x:.1f} {y:.1f}z" fill="{mark.colour}"/>'
    elif mark.role == "baseline":
        body = f'<path d="M{x - 6:.1f} {y:.1f}h12M{x:.1f} {y - 6:.1f}v12" stroke="{mark.colour}" stroke-width="2.2"/>'
    else:
        fill = "var(--sheet)" if mark.hollow else mark.colour
        lines = f"M{x:.1f} {y0:.1f}V{y1:.1f}M{x - 4:.1f} {y0:.1f}h8M{x - 4:.1f} {y1:.1f}h8M{x0:.1f} {y:.1f}H{x1:.1f}"
        body = (
            f'<path class="whisk" stroke="{mark.colour}" d="{lines}"/>'
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{fill}" stroke="{mark.colour}" stroke-width="1.8"/>'
        )
    return f'<g data-point="{e(mark.name)}"{dim}>{body}</g>'


def _names(marks: list[Mark], axes: Axes, frame: Frame) -> str:
    """Direct labels with leaders: the best, the baseline and the frontier choose their place first."""
    order = sorted(marks, key=lambda mark: (mark.role == "", mark.dominated, mark.x[1]))
    taken = [Box(mark.x[1] - 6, mark.y[1] - 6, mark.x[1] + 6, mark.y[1] + 6) for mark in marks]
    taken += [Box(mark.x[1] - 2, min(mark.y), mark.x[1] + 2, max(mark.y)) for mark in marks if not mark.off]
    taken += _lines(axes, frame)
    inside = Box(2, frame.top - 8, frame.width - 2, frame.bottom - 2)
    found = place(
        [(f"{mark.name} (off the scale)" if mark.off else mark.name, mark.x[1], mark.y[1]) for mark in order],
        taken,
        inside,
    )
    return "".join(_name(mark, label) for mark, label in zip(order, found, strict=True))


def _lines(axes: Axes, frame: Frame) -> list[Box]:
    """The bar with its text and the two reference lines: names keep off them."""
    one, zero = axes.speed.at(1.0), axes.change.at(0.0)
    lines = [
        Box(one - 1, frame.top, one + 1, frame.bottom, 0.05),
        Box(frame.left, zero - 1, frame.right, zero + 1, 0.1),
    ]
    if axes.bar is None:
        return lines
    y = axes.change.at(axes.bar)
    return [*lines, Box(frame.left, y - 1.5, frame.right, y + 1.5, 0.4), Box(frame.left, y, frame.left + 150, y + 18)]


def _name(mark: Mark, label: Label) -> str:
    fill, weight = (
        ("var(--ink-3)", "") if mark.dominated else ("var(--ink)", ";font-weight:600" if mark.role == "best" else "")
    )
    lead = f'<path class="lead" d="{label.leader}"/>' if label.leader else ""
    return (
        f'<g data-point="{e(mark.name)}">{lead}<text class="mono halo" x="{label.x:.1f}" '
        f'y="{label.y:.1f}" text-anchor="{label.anchor}" '
        f'style="fill:{fill}{weight}">{e(label.text)}</text></g>'
    )
