"""The page: five screens as tabs, and what their buttons do. No event does the work; a run's id is all it needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from workbench import bench
from workbench.errors import WorkbenchError
from workbench.faces.web import api, choose, compare, history, run, take
from workbench.faces.web.api import told
from workbench.faces.web.choose import Choice
from workbench.faces.web.parts import html, part
from workbench.faces.web.parts.problem import problem
from workbench.faces.web.visitors import Visitors
from workbench.faces.web.watching import Watching
from workbench.report.markup import MARK
from workbench.store import RunRecord, Store

POLL = 1.0  # seconds between two looks at a run that goes on
MAST = (
    f'<header class="mast"><div class="mark">{MARK}<span><span class="opt">Optimization </span>Workbench</span></div>'
    "</header>"
)
FORM = ("model", "task", "data", "fields", "n", "bar", "target", "recipes", "quick")


@dataclass(frozen=True)
class Page:
    """What the buttons do, over one store. Each function takes plain values and the visitor, and checks whose run it
    is: anybody can call it."""

    store: Store
    visitors: Visitors
    watching: Watching

    def record(self, run_id: str | None, visitor: str) -> RunRecord | None:
        """One's own run, or none."""
        try:
            return self.visitors.own(run_id, visitor)
        except WorkbenchError:
            return None

    def submit(self, choice: Choice, visitor: str) -> tuple[str, str]:
        """(run id, "") or ("", markup of what is wrong)."""
        plan, said, _ = choose.planned(choice, self.store, local=not self.visitors.shared)
        if plan is None:
            return "", said
        try:
            found = bench.submit(plan, self.store)
        except WorkbenchError as error:
            return "", problem(error)
        self.visitors.claim(found, visitor)
        return found, ""

    def cancel(self, run_id: str, visitor: str) -> None:
        bench.cancel(self.visitors.own(run_id, visitor).id, self.store)

    def resume(self, run_id: str, visitor: str) -> None:
        bench.resume(self.visitors.own(run_id, visitor).id, self.store)


def build(store: Store, shared: bool = False) -> gr.Blocks:
    """The whole page. `shared`: several people use it, and see only their own runs."""
    page = Page(store, Visitors(store, shared), Watching(store))
    with gr.Blocks(title="Optimization Workbench", analytics_enabled=False, fill_width=True) as demo:
        visitor = gr.BrowserState("", storage_key="workbench-visitor")
        current = gr.Textbox("", visible="hidden", label="Run")  # a State does not reach the page's own script
        html(MAST)
        with gr.Tabs(selected="compare") as tabs:
            with gr.Tab("Choose", id="choose"):
                form = choose.build(store)
            with gr.Tab("Run", id="run"):
                running = run.build()
            with gr.Tab("Compare", id="compare"):
                compared = compare.build()
            with gr.Tab("Take it with you", id="take") as taking:
                taken = take.build() | {"tab": taking}
            with gr.Tab("History", id="history"):
                earlier = history.build()
        timer = gr.Timer(POLL, active=False)
        title = gr.Textbox("", visible="hidden", label="Title")
        for function in api.functions(store, page.visitors, page.watching):
            gr.api(function, api_name=function.__name__)
        _wire(demo, page, visitor, current, tabs, form, running, compared, taken, earlier, timer, title)
    return demo


def _wire(
    demo: gr.Blocks, page: Page, visitor: Any, current: Any, tabs: Any, form: dict[str, Any], running: dict[str, Any],
    compared: dict[str, Any], taken: dict[str, Any], earlier: dict[str, Any], timer: Any, title: Any,
) -> None:  # fmt: skip
    private = {"api_visibility": "private", "show_progress": "hidden"}
    fields = [form[name] for name in FORM]
    state = [running["screen"], running["cancel"], running["resume"], timer, title]

    def look(run_id: str, who: str) -> tuple[Any, ...]:
        record = page.record(run_id, who)
        alive = record is not None and record.status in run.ALIVE
        over = record is not None and record.status in ("failed", "cancelled", "stopped")
        return (
            part(run.shown(record, who, page.visitors, page.watching)), gr.update(visible=alive),
            gr.update(visible=over), gr.Timer(active=alive), run.title(record, page.watching),
        )  # fmt: skip

    def compared_whole(record: RunRecord | None) -> bool:
        """There is something on the screens that come after the run."""
        return record is not None and record.status == "ok" and record.compares

    def results(run_id: str, who: str) -> tuple[Any, ...]:
        record = page.record(run_id, who)
        ready = record if compared_whole(record) else None
        names = compare.rows(ready, page.store) if ready else []
        return part(compare.shown(ready, page.store)), gr.update(choices=names, value=names[0] if names else None)

    def opened(who: str, request: gr.Request) -> tuple[Any, ...]:
        who = who or page.visitors.new()
        asked = dict(request.query_params).get("run", "") if request else ""
        record = page.record(asked, who)
        found = record.id if record else ""
        there = gr.Tabs(selected="compare" if compared_whole(record) else "run") if record else gr.skip()
        return (who, found, there, *look(found, who), *results(found, who),
                part(history.shown(who, page.visitors)))  # fmt: skip

    def choice(*values: Any) -> Choice:
        said = dict(zip(FORM, values, strict=True))
        return Choice(**said | {"recipes": tuple(said["recipes"] or ()), "n": said["n"] or 0, "bar": said["bar"] or 0,
                                "model": said["model"] or "", "task": said["task"] or ""})  # fmt: skip

    def plan(*values: Any) -> tuple[str, str]:
        _, said, command = choose.planned(choice(*values), page.store, local=not page.visitors.shared)
        return part(said), command

    def submit(who: str, *values: Any) -> tuple[Any, ...]:
        found, wrong = page.submit(choice(*values), who)
        if wrong:
            return gr.skip(), gr.skip(), part(wrong), *(gr.skip() for _ in state)
        return (found, gr.Tabs(selected="run"), gr.skip(), *look(found, who))

    def tick(run_id: str, who: str) -> tuple[Any, ...]:
        shown = look(run_id, who)
        record = page.record(run_id, who)
        done = compared_whole(record)
        return (*shown, *(results(run_id, who) if done else (gr.skip(), gr.skip())),
                gr.Tabs(selected="compare") if done else gr.skip())  # fmt: skip

    def stop(run_id: str, who: str) -> tuple[Any, ...]:
        with told():
            page.cancel(run_id, who)
        return look(run_id, who)

    def again(run_id: str, who: str) -> tuple[Any, ...]:
        with told():
            page.resume(run_id, who)
        return look(run_id, who)

    def texts(row: str | None, run_id: str, who: str) -> tuple[Any, ...]:
        record = page.record(run_id, who)
        if not record or not row:
            return "", "", "", None, gr.update(value=None, visible=False)
        with told():
            files = [str(take.file_of(record, row, kind, page.store)) for kind in take.SMALL]
            return (*take.texts(record, row, page.store), files, gr.update(value=None, visible=False))

    def pack(row: str | None, run_id: str, who: str) -> Any:
        with told():
            record = page.visitors.own(run_id, who)
            return gr.update(value=str(take.file_of(record, row or "", "model", page.store)), visible=True)

    def verified(found: str, who: str) -> tuple[Any, ...]:
        record = page.record(found, who)
        if record is None:
            return part(""), gr.Timer(active=False)
        markup = take.verified(record, page.visitors.place(record.id), page.watching)
        return part(markup), gr.Timer(active=record.status in run.ALIVE)

    def verify(row: str | None, run_id: str, who: str) -> tuple[Any, ...]:
        with told():
            found = take.verify(page.visitors.own(run_id, who), row or "", page.store)
            page.visitors.claim(found, who)
        return (found, *verified(found, who))

    shown = [compared["screen"], taken["row"]]
    demo.load(opened, [visitor], [visitor, current, tabs, *state, *shown, earlier["screen"]], **private)
    form["show"].click(plan, fields, [form["plan"], form["command"]], api_visibility="private", show_progress="minimal")
    form["model"].key_up(
        lambda typed: gr.update(choices=choose.suggestions(typed or "", page.store)), form["model"], form["model"],
        trigger_mode="always_last", **private,
    )  # fmt: skip
    form["task"].change(lambda task: part(choose.cards(task or "")), form["task"], form["shelf"], **private)
    form["run"].click(submit, [visitor, *fields], [current, tabs, form["plan"], *state], api_visibility="private",
                      show_progress="minimal")  # fmt: skip
    current.change(None, current, None, js="run => { window.workbench.address(run); }")
    title.change(None, title, None, js="text => { window.workbench.title(text); }")
    timer.tick(tick, [current, visitor], [*state, *shown, tabs], **private)
    running["cancel"].click(stop, [current, visitor], state, **private)
    running["resume"].click(again, [current, visitor], state, **private)
    running["link"].click(None, None, None, js="() => { window.workbench.copyLink(); }")
    lines = [taken[name] for name in ("yaml", "python", "command", "files", "model")]
    taken["pack"].click(pack, [taken["row"], current, visitor], taken["model"], api_visibility="private")
    chosen = [taken["row"], current, visitor]
    seen = [taken["levels"], taken["timer"]]
    taken["verify"].click(verify, chosen, [taken["verification"], *seen], **private)
    taken["timer"].tick(verified, [taken["verification"], visitor], seen, **private)
    taken["row"].change(lambda: ("", part(""), gr.Timer(active=False)), None, [taken["verification"], *seen], **private)
    taken["row"].change(texts, chosen, lines, **private)
    taken["tab"].select(texts, chosen, lines, **private)  # buttons of a tab that was never open miss what came before
    earlier["again"].click(lambda who: part(history.shown(who, page.visitors)), visitor, earlier["screen"], **private)
