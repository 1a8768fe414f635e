"""The fifth screen: earlier runs of one's own, newest first."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING

from workbench import bench, words
from workbench.faces.web.parts import html
from workbench.faces.web.visitors import Visitors
from workbench.report.markup import e, table

if TYPE_CHECKING:
    import gradio as gr

EMPTY = '<p class="empty">No runs yet. The first one appears here as soon as it begins, and stays.</p>'
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
    return table(("Run", "Status", "Begun", "Took", "Id"), rows, caption="Earlier runs")


def _when(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")


def build() -> dict[str, gr.components.Component]:
    import gradio as gr

    return {
        "screen": html(EMPTY),
        "again": gr.Button("Refresh"),
    }
