"""The second screen: a run while it goes on. It is read from the store, so that any page shows the same."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from workbench import bench
from workbench.errors import WorkbenchError
from workbench.faces.board import Board
from workbench.faces.web.around import ALIVE, QUIET, Desk, Shared, told
from workbench.faces.web.parts import html, levels, part, stepper
from workbench.faces.web.parts.problem import problem
from workbench.faces.web.visitors import Visitors
from workbench.faces.web.watching import POLL, Watching
from workbench.report.markup import e
from workbench.store import RunRecord

if TYPE_CHECKING:
    from gradio.components import Component

EMPTY = (
    '<h1 class="hidden">Run</h1><p class="empty">Nothing runs. Choose a model and press Run: the work goes on outside '
    "this page, which may be closed, reloaded or opened elsewhere by its link.</p>"
)


def shown(record: RunRecord | None, visitor: str, visitors: Visitors, watching: Watching) -> str:
    """Markup of the whole screen."""
    if record is None:
        return EMPTY + f"<h2>Queue</h2>{stepper.queue(visitors.queue(visitor))}"
    board, variants, log = watching.of(record.id)
    board = replace(board, status=record.status)  # events do not tell that a runner is gone
    place = visitors.place(record.id)
    lines = e("\n".join(log)) or "Nothing yet."
    return (
        f'<div class="verdict"><h1>{e(headline(record, board, place))}</h1><p class="note">{e(record.title)}. You may '
        "close this page; its link finds the run again.</p></div>"
        f"{stepper.facts(board, time.time(), place)}{stepper.bar(board)}"
        f"{stepper.failures(board)}{_log(record, visitors)}"
        f'<div class="two"><div>{_body(record, board, variants)}</div>'
        f"<div><h2>Queue</h2>{stepper.queue(visitors.queue(visitor))}<h2>Log</h2>"
        f'<pre class="log" tabindex="0" role="region" aria-label="Log">{lines}</pre></div></div>'
    )


def _log(record: RunRecord, visitors: Visitors) -> str:
    """Of a run that failed, and only for who may see it: what its workers wrote."""
    if record.status != "failed" or not (text := bench.log_of(record.id, visitors.store)):
        return ""
    inside = f'<pre class="log" tabindex="0" role="region" aria-label="Logs of the workers">{e(text)}</pre>'
    return f'<details class="more"><summary>Show log</summary>{inside}</details>'


def _body(record: RunRecord, board: Board, variants: tuple[str, ...]) -> str:
    if record.compares:
        title = "Candidates" if board.phase else "Variants"
        return f"<h2>{title}</h2>{stepper.stepper(board, variants)}"
    return f"<h2>Levels</h2>{levels.levels(board.levels, board.status, levels.note(board))}"


def headline(record: RunRecord, board: Board, place: int = 0) -> str:
    """The first line, by the run's kind."""
    return stepper.headline(board, place) if record.compares else levels.headline(board, place)


def title(record: RunRecord | None, watching: Watching) -> str:
    """For the tab: `37 %`, or how it ended."""
    if record is None:
        return ""
    board, _, _ = watching.of(record.id)
    board = replace(board, status=record.status)
    return f"{stepper.share(board):.0%}" if record.status in ALIVE else headline(record, board)


# ---- the screen ---------------------------------------------------------------------------------


def build() -> dict[str, Any]:
    import gradio as gr

    screen = html(EMPTY)
    with gr.Row():
        cancel = gr.Button("Cancel", visible=False)
        resume = gr.Button("Resume", visible=False)
        link = gr.Button("Copy link")
    return {"screen": screen, "cancel": cancel, "resume": resume, "link": link}


def state(shared: Shared, running: dict[str, Any]) -> list[Component]:
    """The components that `looker` gives the values of."""
    return [running["screen"], running["cancel"], running["resume"], shared.timer, shared.title]


def looker(desk: Desk) -> Callable[[str, str], tuple[Any, ...]]:
    """A function of (run, visitor) that gives what the screen shows now."""
    import gradio as gr

    def look(run: str, who: str) -> tuple[Any, ...]:
        try:
            record, wrong = desk.visitors.own(run, who) if run else None, ""
        except WorkbenchError as error:
            record, wrong = None, problem(error)
        alive = record is not None and record.status in ALIVE
        over = record is not None and record.status in ("failed", "cancelled", "stopped")
        markup = part(wrong + shown(record, who, desk.visitors, desk.watching))
        timer = gr.Timer(desk.watching.pace(who) if alive else POLL, active=alive)
        return markup, gr.update(visible=alive), gr.update(visible=over), timer, title(record, desk.watching)

    return look


def wire(
    desk: Desk, shared: Shared, running: dict[str, Any], look: Callable[[str, str], tuple[Any, ...]],
    ended: Callable[[str, str], tuple[Any, ...]], others: Sequence[Component],
) -> None:  # fmt: skip
    """`ended` gives the values of `others`, the screens that show a result, once there is one."""
    import gradio as gr

    def tick(run: str, who: str) -> tuple[Any, ...]:
        done = desk.finished(run, who) is not None
        rest = ended(run, who) if done else tuple(gr.skip() for _ in others)
        return (*look(run, who), *rest, gr.Tabs(selected="compare") if done else gr.skip())

    def stop(run: str, who: str) -> tuple[Any, ...]:
        with told():
            desk.cancel(run, who)
        return look(run, who)

    def again(run: str, who: str) -> tuple[Any, ...]:
        with told():
            desk.resume(run, who)
        return look(run, who)

    asked, drawn = [shared.current, shared.visitor], state(shared, running)
    shared.timer.tick(tick, asked, [*drawn, *others, shared.tabs], **QUIET)
    running["cancel"].click(stop, asked, drawn, **QUIET)
    running["resume"].click(again, asked, drawn, **QUIET)
    running["link"].click(None, None, None, js="() => { window.workbench.copyLink(); }")
