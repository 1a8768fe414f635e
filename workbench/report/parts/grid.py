"""Speed-up at fixed batch x sequence points, as cells that print their value; and the other points of speed."""

from __future__ import annotations

import math
from typing import Any

from workbench import sentence, words
from workbench.report.markup import e, heading, table
from workbench.sentence import Report, Row

Point = dict[str, Any]
FULL = 4.5  # the ratio whose cell has the strongest colour
MOST = 12


def grid(report: Report, details: dict[str, Any]) -> str:
    """One small grid for every variant but the baseline, against the baseline at the same point."""
    rows = [
        row
        for row in sentence.ordered(report)
        if row["status"] == "ok" and row["name"] != report["baseline"] and fixed(row)
    ]
    if not rows:
        return ""
    width = sentence.resolution(report) or 0.0
    grids = [_cells(row, width) for row in _telling(rows, report.get("best"))[:MOST]]
    shown, rest = "".join(grids[:3]), "".join(grids[3:])
    more = (
        (
            f'<details class="more"><summary>{words.number(len(grids) - 3)} more</summary><div '
            f'class="grids">{rest}</div></details>'
        )
        if rest
        else ""
    )
    note = (
        "Speed-up over the baseline at the same point; columns are tokens an example. Hatched: "
        "no clear difference. Dash: not measured."
    )
    return (
        f'{heading("Batch and sequence length")}<div class="grids">{shown}</div>{more}<p '
        f'class="note under">{e(note)}</p>'
    )


def _telling(rows: list[Row], best: str | None) -> list[Row]:
    """The best, the fastest and the slowest first; `rows` come from fast to slow."""
    first = [*(row for row in rows if row["name"] == best), rows[0], rows[-1]]
    unique = list({row["name"]: row for row in (*first, *rows)}.values())
    return unique


def fixed(row: Row) -> list[Point]:
    return [
        point
        for point in sentence.speed(row).get("points") or ()
        if point.get("sequence") is not None and point.get("metric") == "latency"
    ]


def _cells(row: Row, width: float) -> str:
    found = {(point["batch"], point["sequence"]): point for point in fixed(row)}
    batches, lengths = sorted({batch for batch, _ in found}), sorted({length for _, length in found})
    head = "".join(f'<th scope="col">{length}</th>' for length in lengths)
    lines = "".join(
        f'<tr><th scope="row">batch {batch}</th>'
        + "".join(_cell(found.get((batch, length)), width) for length in lengths)
        + "</tr>"
        for batch in batches
    )
    return (
        f'<table class="cells"><caption>{e(row["name"])}</caption><thead><tr>'
        f"<td></td>{head}</tr></thead><tbody>{lines}</tbody></table>"
    )


def _cell(point: Point | None, width: float) -> str:
    ratio = point.get("speedup") if point else None
    if point is None or not words.usable(ratio) or ratio is None or ratio <= 0:
        return f'<td class="faint">{words.NONE}</td>'
    if not clear(point, width):
        return f'<td class="n"><span>{words.speedup(ratio)}<span class="hidden"> no clear difference</span></span></td>'
    strength = min(abs(math.log(ratio)) / math.log(FULL), 1.0)
    return f'<td class="{"g" if ratio > 1 else "b"}" style="--p:{8 + 44 * strength:.0f}%">{words.speedup(ratio)}</td>'


def clear(point: Point, width: float) -> bool:
    """The interval lies beyond what the baseline shows against itself."""
    ends = point.get("ci95")
    return words.is_interval(ends) and (ends[0] > 1 + width or ends[1] < 1 - width)


def others(report: Report, details: dict[str, Any]) -> str:
    """Points that are no cell of the grid: natural lengths at larger batches, end to end, first token, per token."""
    names = [point["name"] for row in sentence.finished(report) for point in _loose(row)]
    if not names:
        return ""
    columns = list(dict.fromkeys(names))
    rows = [row for row in sentence.ordered(report) if row["status"] == "ok" and _loose(row)]
    lines = [[f"<code>{e(row['name'])}</code>", *(_loose_cell(row, name) for name in columns)] for row in rows]
    header = ["Recipe", *(e(name.replace("_", " ")) for name in columns)]
    note = "Median over speed-up and its 95 % interval."
    shown = table(header, lines, "plain figures", "Other points of speed")
    return f'{heading("Other points of speed")}{shown}<p class="note under">{note}</p>'


def _loose(row: Row) -> list[Point]:
    points = sentence.speed(row).get("points") or ()
    return [point for point in points if not _headline(point) and (point.get("sequence") is None or not _call(point))]


def _call(point: Point) -> bool:
    return bool(point.get("metric") == "latency")


def _headline(point: Point) -> bool:
    """Batch 1 at natural lengths is what the table of all variants shows."""
    return _call(point) and point.get("batch") == 1 and point.get("sequence") is None


def _loose_cell(row: Row, name: str) -> str:
    point = next((point for point in _loose(row) if point["name"] == name), None)
    if point is None:
        return words.NONE
    unit = point.get("unit") or ""
    value = words.milliseconds(point.get("value")) if unit == "ms" else words.figure(point.get("value"))
    ratio, ends = words.speedup(point.get("speedup")), words.ratio_interval(point.get("ci95"))
    return f"{e(value)}{words.NBSP}{e(unit)}<small>{e(ratio)} ({e(ends)})</small>"
