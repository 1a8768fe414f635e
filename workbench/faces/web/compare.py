"""The third screen: what a run gave. The parts are the report's own; the first visit shows the starter's comparison."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from workbench import bench
from workbench.errors import WorkbenchError
from workbench.faces.web import own_input
from workbench.faces.web.around import Desk
from workbench.faces.web.parts import html, part
from workbench.faces.web.parts.problem import problem
from workbench.report.html import body
from workbench.store import RunRecord, Store

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
    """Names of the rows that finished, the best first."""
    try:
        report, _ = bench.report(record.id, store) if record else first()
    except WorkbenchError:
        return []
    finished = [row["name"] for row in report["rows"] if row["status"] == "ok"]
    return sorted(finished, key=lambda name: name != report["best"])


LIVELY = "const live = () => window.workbench?.enliven?.(element); live(); watch('value', live);"


def build(store: Store) -> dict[str, Any]:
    return {"screen": html(shown(None, store), js_on_load=LIVELY), "own": own_input.build()}


def offered(compared: dict[str, Any]) -> list[Any]:
    """The components that `offer` gives the values of."""
    return [compared["screen"], *own_input.offered(compared["own"])]


def offer(record: RunRecord | None, desk: Desk) -> tuple[Any, ...]:
    """The screen for a run; for none the comparison that comes with the workbench."""
    return part(shown(record, desk.store)), *own_input.offer(record.id if record else None, desk)
