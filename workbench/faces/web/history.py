"""The fifth screen: earlier runs of one's own, newest first."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import gradio as gr

from workbench import bench, words
from workbench.errors import RequestError, WorkbenchError
from workbench.faces.web.around import BUSY, QUIET, Desk, Shared
from workbench.faces.web.bring import text_of
from workbench.faces.web.parts import html, part
from workbench.faces.web.parts.changes import changes
from workbench.faces.web.parts.problem import problem
from workbench.faces.web.parts.two_runs import two_runs
from workbench.faces.web.visitors import Visitors
from workbench.report.markup import e, table

TITLE = '<h1 class="hidden">History</h1>'
EMPTY = TITLE + '<p class="empty">No runs yet. The first one appears here as soon as it begins, and stays.</p>'
SHOWN = 100


def shown(visitor: str, visitors: Visitors) -> str:
    """A table with a link to each run."""
    found = visitors.runs(visitor)[:SHOWN]
    if not found:
        return EMPTY
    rows = [
        (f'<a href="?run={e(one.id)}">{e(bench.title(one, visitors.store))}</a>', e(words.STATUSES[one.status]),
         e(_when(one.created)), e(words.duration(one.finished - one.created) if one.finished else words.NONE),
         f"<code>{e(one.id)}</code>")
        for one in found
    ]  # fmt: skip
    return TITLE + table(("Run", "Status", "Begun", "Took", "Id"), rows, caption="Earlier runs")


def _when(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")


# ---- the screen ---------------------------------------------------------------------------------


def build() -> dict[str, Any]:
    screen = html(EMPTY)
    again = gr.Button("Refresh")
    html("<h2>Compare two runs</h2>")
    with gr.Row():
        first = gr.Dropdown([], label="Run", allow_custom_value=False)
        second = gr.Dropdown([], label="Against", allow_custom_value=False)
        against = gr.Button("Compare the two")
    both = html("")
    html("<h2>What changed between two recipe files</h2>")
    with gr.Row():
        old = gr.File(label="Old", file_types=[".yaml", ".yml"], height=120, elem_id="old-file")
        new = gr.File(label="New", file_types=[".yaml", ".yml"], height=120, elem_id="new-file")
        changed = gr.Button("Show what changed")
    said = html("")
    return {"screen": screen, "again": again, "first": first, "second": second, "against": against, "both": both,
            "old": old, "new": new, "changed": changed, "said": said}  # fmt: skip


def finished(visitor: str, visitors: Visitors) -> list[tuple[str, str]]:
    """[(what is shown, id)] of one's own comparisons that have a report, newest first."""
    found = [one for one in visitors.runs(visitor)[:SHOWN] if one.status == "ok" and one.compares]
    return [(f"{one.title}, {_when(one.created)}", one.id) for one in found]


def wire(desk: Desk, shared: Shared, earlier: dict[str, Any], tab: Any) -> None:
    def look(who: str, first: str | None, second: str | None) -> tuple[Any, ...]:
        runs = finished(who, desk.visitors)
        ids = [id for _, id in runs]
        chosen = (
            first if first in ids else next(iter(ids), None),
            second if second in ids else next(iter(ids[1:]), None),
        )
        return part(shown(who, desk.visitors)), *(gr.update(choices=runs, value=one) for one in chosen)

    def against(first: str | None, second: str | None, who: str) -> str:
        try:
            one, other = (desk.visitors.own(id, who).id for id in (first, second))
            return part(two_runs(bench.against(one, other, desk.store)))
        except WorkbenchError as error:
            return part(problem(error))

    def changed(old: str | None, new: str | None) -> str:
        try:
            if not old or not new:
                raise RequestError("Two files are needed.", "", "Choose the old one and the new one.")
            return part(changes(bench.changed(text_of(Path(old)), text_of(Path(new)))))
        except WorkbenchError as error:
            return part(problem(error))

    seen = [earlier["screen"], earlier["first"], earlier["second"]]
    asked = [shared.visitor, earlier["first"], earlier["second"]]
    earlier["again"].click(look, asked, seen, **QUIET)
    tab.select(look, asked, seen, **QUIET)
    earlier["against"].click(against, [*asked[1:], shared.visitor], earlier["both"], **BUSY)
    earlier["changed"].click(changed, [earlier["old"], earlier["new"]], earlier["said"], **BUSY)
