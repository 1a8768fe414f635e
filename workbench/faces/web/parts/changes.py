"""What changed between two recipe files, or between a file and this machine: kind by kind, what matters first."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from workbench import words
from workbench.difference import KINDS, NOTHING, Change, Changes
from workbench.report.markup import e, icon, say
from workbench.words import Word

SAME = Word("✓", "ok", "the same recipe", "better")
OTHER = Word("◇", "same", "another recipe")


def changes(found: Changes) -> str:
    """Markup of the whole list; `old` and `new` stand where the names of both are."""
    verdict = "" if found.same is None else f'<p class="sum">{say(SAME if found.same else OTHER)}</p>'
    notes = "".join(f"<li>{icon('note')}<span>{e(note)}</span></li>" for note in found.notes)
    warnings = f'<ul class="warnings">{notes}</ul>' if notes else ""
    more = _explained(found) + listed(found.changes) if found.changes else ""
    return f'<div class="diff"><h2>{e(found.title)}</h2>{verdict}{warnings}{more}</div>'


def _explained(found: Changes) -> str:
    """Which of it can explain another speed, and which another accuracy."""
    lines = []
    for effect in ("speed", "accuracy"):
        names = list(dict.fromkeys(one.name for one in found.explaining(effect)))
        said = ", ".join(map(e, names)) or "nothing that the two say"
        lines.append(f"<dt>Can explain another {effect}</dt><dd>{said}</dd>")
    return f'<dl class="pairs">{"".join(lines)}</dl>'


def listed(found: Sequence[Change]) -> str:
    """The changes alone, under a heading a kind."""
    groups = groupby(found, key=lambda one: one.kind)
    return "".join(f"<h3>{e(KINDS[kind])}</h3><ul>{''.join(map(_change, group))}</ul>" for kind, group in groups)


def _change(one: Change) -> str:
    tags = "".join(f' <span class="tag">{e(effect)}</span>' for effect in one.explains)
    why = f"<small>{e(one.why)}</small>" if one.why else ""
    what = f"<b>{e(one.name)}</b>{tags}<code>{e(one.where)}</code>"
    return f'<li><div class="what">{what}</div><div>{_values(one)}{why}</div></li>'


def _values(one: Change) -> str:
    known = words.CHANGES[one.how]
    if one.how in ("added", "removed") and NOTHING in (one.old, one.new):
        css, there = ("now", one.new) if one.how == "added" else ("was", one.old)
        return f'<p>{say(known, small=True)} <span class="{css}">{e(there)}</span></p>'
    hidden = f'<span class="hidden">{e(known.text)} to</span>'
    return (
        f'<p><span class="was">{e(one.old)}</span> {icon(known.icon)}{hidden} <span class="now">{e(one.new)}</span></p>'
    )
