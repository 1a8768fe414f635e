"""Figures beside the headline: speed at other points, and other measures of the answers."""

from __future__ import annotations

from typing import Any

from workbench import figures
from workbench.figures import Column, Figure, Table
from workbench.report.markup import e, heading, icon, with_roles
from workbench.words import NONE

MARKS = {"better": "up", "worse": "down"}
MANY = 3  # columns from which on a table takes the whole width


def points(report: dict[str, Any], details: dict[str, Any]) -> str:
    """A table for natural lengths, then one for each part of a call that was timed at fixed lengths."""
    found = [natural] if (natural := figures.natural(report)) else []
    found += [one for one in figures.fixed(report) if one.timed != "latency"]
    if len(found) < 2:
        return "".join(heading(one.title, _legend(one)) + _drawn(one) for one in found)
    parts = "".join(f"<div{_wide(one)}>{heading(one.title, _legend(one), 3)}{_drawn(one)}</div>" for one in found)
    return f'{heading("Speed, point by point")}<div class="tables">{parts}</div>'


def metrics(report: dict[str, Any], details: dict[str, Any]) -> str:
    """Nothing where the headline's metric is the only one."""
    found = figures.metrics(report)
    return heading(found.title) + _drawn(found, "inline") if found else ""


def _legend(said: Table) -> str:
    return e(", ".join(filter(None, ("Median", said.unit, "speed-up (95 %)"))))


def _wide(said: Table) -> str:
    return ' class="all"' if not said.timed or len(said.columns) > MANY else ""


def _drawn(said: Table, css: str = "") -> str:
    """On a phone each row is a card, whose cells say their column."""
    head = "".join(f'<th scope="col">{e(one.title)}{_small(one.below)}</th>' for one in said.columns)
    body = "".join(_row(said, name) for name in said.rows)
    shown = (
        f'<table class="plain figures {css}"><caption class="hidden">{e(said.title)}</caption>'
        f'<thead><tr><th scope="col">Recipe</th>{head}</tr></thead><tbody>{body}</tbody></table>'
    )
    note = f'<p class="note under">{e(said.meaning)}</p>' if said.meaning else ""
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{e(said.title)}">{with_roles(shown)}</div>{note}'
    )


def _row(said: Table, name: str) -> str:
    cells = "".join(_cell(one, one.figures.get(name), not said.unit) for one in said.columns)
    return f'<tr><th scope="row"><code>{e(name)}</code></th>{cells}</tr>'


def _cell(column: Column, figure: Figure | None, unit: bool) -> str:
    where = f'<span class="m at" aria-hidden="true">{e(", ".join(filter(None, (column.title, column.below))))}</span>'
    if figure is None:
        return f'<td>{where}<span class="faint">{NONE}</span></td>'
    mark = f"{icon(MARKS[figure.tone])} " if figure.tone else ""
    more = f'<small class="{figure.tone}">{mark}{e(figure.more)}</small>' if figure.more else ""
    rate = f" <i>{e(figure.rated(unit))}</i>" if figure.rate else ""
    return f"<td>{where}<b>{e(figure.value)}</b>{rate}{more}</td>"


def _small(text: str) -> str:
    return f"<small>{e(text)}</small>" if text else ""
