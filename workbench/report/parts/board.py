"""The table of all variants: a forest plot whose rows are a table. What failed or was skipped stands last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from workbench import sentence, words
from workbench.report.markup import e, say, term, with_roles
from workbench.report.scale import Scale, change_scale, log_ticks, spaced, speed_scale, ticks
from workbench.sentence import Report, Row
from workbench.words import CONSTRAINTS, NBSP

WIDTH, INSET = 150.0, 8.0  # of a whisker cell's drawing, and its distance from the cell's left edge, in px
LONG = 20  # letters of an interval that may stand in two lines
TONES = {"better": "var(--better)", "worse": "var(--worse)"}


@dataclass(frozen=True)
class Axes:
    """The two axes that all rows share. `bar` is the change that just meets the bar, signed as `delta` is."""

    speed: Scale
    change: Scale
    bar: float | None
    unit: str | None


def axes_of(report: Report) -> Axes:
    bar, first = sentence.bar(report), sentence.measure(report)
    signed = None if bar is None else -bar * sentence.worse_sign(first)
    return Axes(speed_scale(report, 4, WIDTH - 4), change_scale(report, bar, 4, WIDTH - 4), signed, first.get("unit"))


def board(report: Report, details: dict[str, Any]) -> str:
    axes = axes_of(report)
    lines = [_row(report, details, row, axes) for row in sentence.listed(report)]
    caption = (
        f"Every variant against {report['baseline']}: speed-up, accuracy change, latency, size, "
        "memory, load time, share of the machine’s limit."
    )
    table = (
        f'<table class="board" style="{_lines(axes)}"><caption '
        f'class="hidden">{e(caption)}</caption>{_head(report, axes)}'
        f"<tbody>{''.join(lines)}</tbody></table>"
    )
    return f'<div class="scroll" tabindex="0" role="region" aria-label="All variants">{with_roles(table)}</div>'


def _lines(axes: Axes) -> str:
    """Where the reference lines stand that run through all rows, as CSS variables."""
    change = axes.change
    said = [f"--one:{axes.speed.at(1.0):.1f}px", f"--zero:{change.at(0.0):.1f}px"]
    if axes.bar is not None:
        said += [f"--bar:{change.at(axes.bar):.1f}px", f"--beyond:{change.at(axes.bar) + INSET:.1f}px"]
    else:
        said += ["--bar:-99px", "--beyond:0px"]
    return ";".join(said)


# ---- head -------------------------------------------------------------------------------------------


def _head(report: Report, axes: Axes) -> str:
    measured = sentence.measure(report)
    name = sentence.change_name(report)
    unit = f", {term('pp', 'pp')}" if axes.unit in (None, "fraction") else f", {e(axes.unit)}" if axes.unit else ""
    side = "; right is better" if measured.get("better") == "lower" else ""
    pairs = ((term("p50 ms", "p50"), term("p90 ms", "p90")), (term("Size MB", "size"), term("memory", "memory")),
             (term("Load s", "load"), term("of limit", "of limit")))  # fmt: skip
    ends = "".join(f'<th class="q" scope="col">{top}<br><span class="faint">{low}</span></th>' for top, low in pairs)
    interval = term("95 % interval", "95 % interval")
    return (
        f'<thead><tr><th scope="col">Recipe</th><th scope="colgroup" colspan="3">{term("Speed-up", "speed-up")}, '
        f"{e(sentence.call(report) or 'one call')}, batch 1 ({interval})</th>"
        f'<th scope="colgroup" colspan="3">{e(name[0].upper() + name[1:])}{unit} ({interval})'
        f"{e(side)}</th>{ends}</tr>" + _axis_row(axes, bool(sentence.finished(report))) + "</thead>"
    )


def _axis_row(axes: Axes, any_finished: bool) -> str:
    if not any_finished:
        return ""
    return (
        '<tr class="axis" aria-hidden="true"><td></td><td></td><td class="fp '
        f's">{axis_marks(speed_labels(axes.speed), 22, 14)}</td><td></td><td></td>'
        f'<td class="fp a">{axis_marks(change_labels(axes), 22, 14)}</td><td '
        f'class="faint">{"hatched: beyond the bar" if axes.bar is not None else ""}</td><td '
        'colspan="3"></td></tr>'
    )


def speed_labels(scale: Scale) -> list[tuple[float, str]]:
    order = sorted(
        log_ticks(scale), key=lambda tick: (tick != 1.0, abs(tick - 2.0) > 0.01, abs(tick - 0.5) > 0.01, tick)
    )
    return spaced((scale.at(tick), f"{tick:g}x") for tick in order)


def change_labels(axes: Axes) -> list[tuple[float, str]]:
    factor = 100 if axes.unit in (None, "fraction") else 1
    order = sorted(ticks(axes.change), key=abs)
    return spaced((axes.change.at(tick), _short(factor * tick)) for tick in order)


def _short(value: float) -> str:
    return (words.MINUS if value < 0 else "") + f"{abs(value):.3g}" if abs(value) > 1e-9 else "0"


def axis_marks(labels: list[tuple[float, str]], height: int, baseline: int) -> str:
    """The ticks (pixel, text) of a column's axis."""
    marks = "".join(
        (
            f'<text x="{at:.1f}" y="{baseline}" text-anchor="middle">{e(text)}</text><path '
            f'd="M{at:.1f} {height - 4}v4" class="axisline"/>'
        )
        for at, text in labels
    )
    return f'<svg viewBox="0 0 {WIDTH:.0f} {height}" style="height:{height}px" aria-hidden="true">{marks}</svg>'


# ---- rows -------------------------------------------------------------------------------------------


def _row(report: Report, details: dict[str, Any], row: Row, axes: Axes) -> str:
    name = row["name"]
    best = name == report.get("best")
    tag = ' <span class="tag on">best</span>' if best else ""
    below = (details.get("sublines") or {}).get(name, "")
    head = (
        f'<th scope="row"><span class="name"><span class="id">{e(name)}</span>{tag}</span><span '
        f'class="sub">{e(below)}</span></th>'
    )
    if row["status"] != "ok":
        return f'<tr class="out" data-row="{e(name)}">{head}{_out(row)}</tr>'
    css = "base" if name == report["baseline"] else ""
    current = ' aria-current="true"' if best else ""
    cells = _speed_cells(report, row, axes) + _accuracy_cells(report, row, axes) + _small_cells(row)
    return f'<tr class="{css}" data-row="{e(name)}"{current}>{head}{cells}</tr>'


def _out(row: Row) -> str:
    """Stage, reason and what to do, across the whole row."""
    stage, reason = sentence.failure(row)
    known = words.failed_at(stage) if row["status"] == "failed" else words.word(row["status"])
    return f'<td colspan="9"><div class="why">{say(known)}<span>{e(reason)}</span></div></td>'


def _speed_cells(report: Report, row: Row, axes: Axes) -> str:
    facts = sentence.speed(row)
    ratio, token = facts.get("speedup"), facts.get("verdict")
    if token == "baseline":
        width = sentence.resolution(report)
        below = f"A/A ±{words.percent(width, 1)}" if width is not None else ""
        reason = "reference"
    else:
        below, reason = (
            words.ratio_interval(facts.get("ci95")),
            facts.get("reason") or "" if token == "not_comparable" else "",
        )
    known = words.word(token)
    mark = whisker(
        axes.speed,
        ratio,
        facts.get("ci95"),
        1.0,
        known.tone,
        token in ("no_clear_difference", "not_comparable"),
        small=True,
    )
    return _measured(
        words.speedup(ratio), below, "s", mark + narrow_marks(speed_labels(axes.speed)), say(known, reason)
    )


def _accuracy_cells(report: Report, row: Row, axes: Axes) -> str:
    facts = sentence.accuracy(row)
    token, unit, n = facts.get("verdict"), facts.get("unit"), facts.get("n")
    known, labels = words.word(token), narrow_marks(bar_labels(axes))
    if not facts:
        return _measured(words.NONE, "", "a", labels, say(known))
    if token == "baseline":
        below = f"of {words.number(n)}" if n else ""
        return _measured(words.value_of(facts.get("value"), unit), below, "a", labels, say(known, "reference"))
    bar = CONSTRAINTS.get(facts.get("constraint") or "")
    open_ = token == "cannot_tell" or facts.get("constraint") == "cannot_tell"
    mark = whisker(axes.change, facts.get("delta"), facts.get("ci95"), 0.0, known.tone, open_)
    return _measured(
        words.change(facts.get("delta"), unit), _below(facts), "a", mark + labels, say(known, bar.text if bar else "")
    )


def _below(facts: dict[str, Any]) -> str:
    """The interval; where nothing changed at all, that says more."""
    if facts.get("agreement") == 1 and facts.get("delta") == 0:
        return "0 flips"
    return words.change_interval(facts.get("ci95"), facts.get("unit"))


def _measured(number: str, below: str, axis: str, marks: str, verdict: str) -> str:
    long = ' class="long"' if len(below) > LONG else ""
    return (
        f'<td class="num"><b>{e(number)}</b><i{long}>{e(below)}</i></td><td class="fp {axis}"><svg '
        f'viewBox="0 0 {WIDTH:.0f} 34" aria-hidden="true">{marks}</svg></td>'
        f'<td class="say">{verdict}</td>'
    )


def whisker(
    scale: Scale, value: float | None, ci95: Any, reference: float, tone: str, undecided: bool, small: bool = False
) -> str:
    """Estimate and interval, with a faint line to the reference. Hollow: undecided. An arrow: beyond the axis."""
    if not words.usable(value):
        return ""
    colour, at = TONES.get(tone, "var(--ink-3)"), scale.at(value)
    low, high = (scale.at(end) for end in ci95) if words.is_interval(ci95) else (at, at)
    faint = (
        f'<path d="M{scale.at(reference):.1f} 17H{at:.1f}" stroke="{colour}" opacity=".5"/>'
        if tone in TONES and not undecided
        else ""
    )
    bar = f'<path d="M{low:.1f} 11v12M{high:.1f} 11v12M{low:.1f} 17H{high:.1f}" stroke="{colour}" stroke-width="1.6"/>'
    if not scale.holds(value):
        return faint + _arrow(at, 17, colour, pointing_left=at < WIDTH / 2)
    fill, radius = ("var(--sheet)", 3.6) if undecided else (colour, 2.8 if small else 3.4)
    return (
        f'{faint}{bar}<circle cx="{at:.1f}" cy="17" r="{radius}" fill="{fill}" stroke="{colour}" stroke-width="1.6"/>'
    )


def _arrow(x: float, y: float, colour: str, pointing_left: bool) -> str:
    step = -7 if pointing_left else 7
    return f'<path d="M{x - step:.1f} {y - 5}L{x:.1f} {y}l{-step} 5z" fill="{colour}"/>'


def narrow_marks(labels: list[tuple[float, str]], y: float = 49) -> str:
    """Axis labels that only show on a phone, where each card has its own axis."""
    return "".join(
        f'<text class="m" x="{at:.1f}" y="{y:g}" text-anchor="middle">{e(text)}</text>' for at, text in labels
    )


def bar_labels(axes: Axes) -> list[tuple[float, str]]:
    """0, and the bar where there is one."""
    labels = [(axes.change.at(0.0), "0")]
    if axes.bar is not None:
        factor = 100 if axes.unit in (None, "fraction") else 1
        text = f"bar {_short(factor * axes.bar)}"
        labels.append((min(axes.change.at(axes.bar), axes.change.at(0.0) - 10 - 3 * len(text)), text))
    return labels


def _small_cells(row: Row) -> str:
    """Other facts, in pairs; and once more in one line for a phone."""
    facts = sentence.speed(row)
    pairs = (
        (words.milliseconds(facts.get("p50_ms")), words.milliseconds(facts.get("p90_ms"))),
        (words.megabytes(row.get("size_mb")), words.megabytes(row.get("peak_rss_mb"))),
        (words.load_seconds(row.get("load_s")), words.percent(facts.get("limit_share"))),
    )
    cells = "".join(f'<td class="q">{e(top)}<small>{e(low)}</small></td>' for top, low in pairs)
    (p50, p90), (size, memory), (load, share) = pairs
    limit = f" · {share} of limit" if share != words.NONE else ""
    line = f"p50 {p50}, p90 {p90}{NBSP}ms · {size}{NBSP}MB · memory {memory}{NBSP}MB · load {load}{NBSP}s{limit}"
    return f'{cells}<td class="m qm" aria-hidden="true">{e(line)}</td>'
