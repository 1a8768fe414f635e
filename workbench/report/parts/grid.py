"""Speed-up at fixed batch x sequence points, as cells that print their value, with the rate or the time under it."""

from __future__ import annotations

import math
from typing import Any

from workbench import figures, sentence, words
from workbench.report.markup import e, heading
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
    units = {str(point["rate_unit"]) for row in rows for point in fixed(row) if point.get("rate_unit")}
    note = (
        "Speed-up over the baseline at the same point; columns are tokens an example. Under it: "
        f"{' or '.join(sorted(units)) or 'milliseconds a call'}. Hatched: no clear difference. Dash: not measured."
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
    said, whole = f"{words.speedup(ratio)}<small>{e(_under(point))}</small>", e(figures.point(point))
    if not clear(point, width):
        unclear = '<span class="hidden"> no clear difference</span>'
        return f'<td class="n" title="{whole}"><span>{said}{unclear}</span></td>'
    strength = min(abs(math.log(ratio)) / math.log(FULL), 1.0)
    css, part = "g" if ratio > 1 else "b", 8 + 44 * strength
    return f'<td class="{css}" style="--p:{part:.0f}%" title="{whole}">{said}</td>'


def _under(point: Point) -> str:
    """Its rate without a unit, which the note says; the time where it has none."""
    return words.figure(point["rate"]) if words.usable(point.get("rate")) else figures.time(point)


def clear(point: Point, width: float) -> bool:
    """The interval lies beyond what the baseline shows against itself."""
    ends = point.get("ci95")
    return words.is_interval(ends) and (ends[0] > 1 + width or ends[1] < 1 - width)
