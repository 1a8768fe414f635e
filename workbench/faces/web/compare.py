"""The third screen: what a run gave. The parts are the report's own; the first visit shows the starter's comparison."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench import bench
from workbench.errors import WorkbenchError
from workbench.faces.web.parts import html
from workbench.faces.web.parts.problem import problem
from workbench.report.html import body
from workbench.store import RunRecord, Store

if TYPE_CHECKING:
    from gradio.components import Component

FIRST = Path(__file__).parent / "first"  # report.json and details.json of the starter, shipped with the package


def shown(record: RunRecord | None, store: Store) -> str:
    """Markup of the comparison, of the starter's where no run is named."""
    try:
        report, details = bench.report(record.id, store) if record else first()
    except WorkbenchError as error:
        return problem(error)
    return body(report, details)


@cache
def first() -> tuple[dict[str, Any], dict[str, Any]]:
    """(report, details) of the comparison that comes with the workbench, measured where its machine line says."""
    names = ("report.json", "details.json")
    report, details = (json.loads((FIRST / name).read_text(encoding="utf-8")) for name in names)
    return report, details


def rows(record: RunRecord | None, store: Store) -> list[str]:
    """Names of the rows that finished."""
    try:
        report, _ = bench.report(record.id, store) if record else first()
    except WorkbenchError:
        return []
    return [row["name"] for row in report["rows"] if row["status"] == "ok"]


LIVELY = "const live = () => window.workbench?.enliven?.(element); live(); watch('value', live);"


def build(store: Store) -> dict[str, Component]:
    return {"screen": html(shown(None, store), js_on_load=LIVELY)}
