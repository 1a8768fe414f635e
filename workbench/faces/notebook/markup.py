"""What a cell shows, as markup in the report's classes: a run while it goes on, then its whole report."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from functools import cache
from pathlib import Path

from workbench import bench
from workbench.faces.web.parts import stepper
from workbench.faces.web.watching import Watching
from workbench.report.html import body, stylesheet
from workbench.report.markup import e

HERE = Path(__file__).parent
ENDED = ("ok", "failed", "cancelled", "stopped")


@cache
def css() -> str:
    """The report's sheet for a cell. A cell is narrower than its window, so what asked for the window's width asks for
    the cell's; and its classes weigh three times, so that the notebook's rules for tables, lists and code yield."""
    web = (HERE.parent / "web" / "page.css").read_text(encoding="utf-8")
    own = (HERE / "cell.css").read_text(encoding="utf-8")
    before, after = own.split("/* ---- after the report's rules */")
    sheets = "".join((before, stylesheet(), web, after))
    narrow = re.sub(r"@media (?=\((?:max|min)-width)", "@container ", sheets)
    return re.sub(r"\.workbench\b(?!-)", ".workbench.workbench.workbench", narrow)


def drawn(run: str, status: str, watching: Watching) -> str:
    """The run as it is now. `run` is a whole id."""
    return finished(run) if status == "ok" else going_on(run, status, watching)


def finished(run: str) -> str:
    """The report, and how to have this very run again."""
    report, details = bench.report(run)
    opening = f"<code>workbench.open({e(repr(run))})</code>"
    said = f"{opening} shows this run again. The same comparison asked for once more is measured once more."
    return f'{body(report, details)}<p class="note run" data-run="{e(run)}">{said}</p>'


def going_on(run: str, status: str, watching: Watching) -> str:
    board, variants, log = watching.of(run)
    board = replace(board, status=status)
    lines = e("\n".join(log)) or "Nothing yet."
    return (
        f'<div class="verdict"><h1>{e(stepper.headline(board))}</h1>'
        f'<p class="note" data-run="{e(run)}">{e(_said(run, status))}</p></div>'
        f"{stepper.bar(board)}{stepper.failures(board)}{stepper.facts(board, time.time())}"
        f'<div class="run two"><div>{stepper.stepper(board, variants)}</div>'
        f'<div><pre class="log" tabindex="0" role="region" aria-label="Log">{lines}</pre></div></div>'
    )


def _said(run: str, status: str) -> str:
    if status in ENDED:
        return f"Run {run} has ended; what it finished stays. Resume goes on where it was."
    return (
        f"Run {run} goes on in processes of its own: this cell, its kernel and its page may be closed. "
        "The same cell again, or workbench.open with this id, finds it."
    )


def still(cell: str, stamp: str, markup: str, style: str = "") -> str:
    """Markup as an output of a cell, readable without scripts. Where a widget of the same name lives, it takes over."""
    return (
        f'<div class="workbench-cell" data-workbench-cell="{e(cell)}">{style and f"<style>{style}</style>"}'
        f'<div class="workbench"><div class="drawn" data-stamp="{e(stamp)}">{markup}</div><div class="actions"></div>'
        "</div></div>"
    )
