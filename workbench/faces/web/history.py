"""The fifth screen: earlier runs of one's own, newest first."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any

from workbench import bench, words
from workbench.faces.web.around import QUIET, Desk, Shared
from workbench.faces.web.parts import html, part
from workbench.faces.web.visitors import Visitors
from workbench.report.markup import e, table

if TYPE_CHECKING:
    from gradio.components import Component

TITLE = '<h1 class="hidden">History</h1>'
EMPTY = TITLE + '<p class="empty">No runs yet. The first one appears here as soon as it begins, and stays.</p>'
SHOWN = 100


def shown(visitor: str, visitors: Visitors) -> str:
    """A table with a link to each run."""
    found = visitors.runs(visitor)[:SHOWN]
    if not found:
        return EMPTY
    rows = [
        (f'<a href="?run={e(one.id)}">{e(bench.title(one, visitors.store))}</a>', e(one.status), e(_when(one.created)),
         e(words.duration(one.finished - one.created) if one.finished else words.NONE), f"<code>{e(one.id)}</code>")
        for one in found
    ]  # fmt: skip
    return TITLE + table(("Run", "Status", "Begun", "Took", "Id"), rows, caption="Earlier runs")


def _when(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")


def build() -> dict[str, Component]:
    import gradio as gr

    return {"screen": html(EMPTY), "again": gr.Button("Refresh")}


def wire(desk: Desk, shared: Shared, earlier: dict[str, Any], tab: Any) -> None:
    def look(who: str) -> str:
        return part(shown(who, desk.visitors))

    earlier["again"].click(look, shared.visitor, earlier["screen"], **QUIET)
    tab.select(look, shared.visitor, earlier["screen"], **QUIET)
