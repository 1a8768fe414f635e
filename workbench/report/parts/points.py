"""Figures beside the headline: speed at other points, and other measures of the answers."""

from __future__ import annotations

from typing import Any

from workbench import figures
from workbench.figures import Figure, Table
from workbench.report.markup import e, heading, icon, with_roles
from workbench.words import NONE

MARKS = {"better": "up", "worse": "down"}
MANY = 3  # columns that fit half a page, or a phone


def points(report: dict[str, Any], details: dict[str, Any]) -> str:
    """A table for natural lengths, then one for each part of a call that was timed at fixed lengths."""
    found = [natural] if (natural := figures.natural(report)) else []
    found += [one for one in figures.fixed(report) if one.timed != "latency"]
    if len(found) < 2:
        return "".join(heading(one.title) + _drawn(one) for one in found)
    parts = "".join(f"<div{_wide(one)}>{heading(one.title, level=3)}{_drawn(one)}</div>" for one in found)
    return f'{heading("Speed, point by point")}<div class="tables">{parts}</div>'


def metrics(report: dict[str, Any], details: dict[str, Any]) -> str:
    """Nothing where the headline's metric is the only one."""
    found = figures.metrics(report)
    return heading(found.title) + _drawn(found, "inline") if found else ""


def _wide(said: Table) -> str:
    return "" if said.timed and len(said.columns) <= MANY else ' class="all"'


def _drawn(said: Table, css: str = "") -> str:
    """On a phone a row's name stands above its figures, so that three columns fit."""
    css = f"plain figures {css} {'many' if len(said.columns) > MANY else ''}".strip()
    head = "".join(f'<th scope="col">{e(one.title)}{_small(one.below)}</th>' for one in said.columns)
    body = "".join(_row(said, name) for name in said.rows)
    shown = (
        f'<table class="{css}" style="--n:{len(said.columns)}"><caption class="hidden">{e(said.title)}'
        f'</caption><thead><tr><th scope="col">Recipe</th>{head}</tr></thead><tbody>{body}</tbody></table>'
    )
    note = f'<p class="note under">{e(said.meaning)}</p>' if said.meaning else ""
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{e(said.title)}">{with_roles(shown)}</div>{note}'
    )


def _row(said: Table, name: str) -> str:
    cells = "".join(f"<td>{_cell(one.figures.get(name), not said.unit)}</td>" for one in said.columns)
    return f'<tr><th scope="row"><code>{e(name)}</code></th>{cells}</tr>'


def _cell(figure: Figure | None, unit: bool) -> str:
    if figure is None:
        return f'<span class="faint">{NONE}</span>'
    mark = f"{icon(MARKS[figure.tone])} " if figure.tone else ""
    parts = figure.more.replace(" (", "\n(").split("\n")  # a line may end between them, and nowhere else
    more = " ".join(f"<span>{e(part)}</span>" for part in parts)
    rate = f" <i>{e(figure.rated(unit))}</i>" if figure.rate else ""
    return f'<b>{e(figure.value)}</b>{rate}<small class="{figure.tone}">{mark}{more}</small>'


def _small(text: str) -> str:
    return f"<small>{e(text)}</small>" if text else ""
