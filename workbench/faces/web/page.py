"""The page: five screens as tabs over one store. No event does the work; a run's id is all that a page needs."""

from __future__ import annotations

from typing import Any, cast

import gradio as gr
from gradio.events import api as endpoint

from workbench.faces.web import api, bring, choose, compare, history, own_input, run, take
from workbench.faces.web.around import QUIET, Desk, Shared
from workbench.faces.web.parts import html
from workbench.faces.web.visitors import Visitors
from workbench.faces.web.watching import POLL, Watching
from workbench.report.markup import MARK
from workbench.store import Store

MAST = (
    f'<header class="mast"><div class="mark">{MARK}<span><span class="opt">Optimization </span>Workbench</span></div>'
    '<div class="right"><button class="plain theme" type="button" aria-label="Theme: as the system has it">Auto'
    "</button></div></header>"
)


def build(store: Store, shared: bool = False) -> gr.Blocks:
    """The whole page. `shared`: several people use it, and see only their own runs."""
    desk = Desk(store, Visitors(store, shared), Watching(store))
    with gr.Blocks(title="Optimization Workbench", analytics_enabled=False, fill_width=True) as demo:
        around: dict[str, Any] = {
            "visitor": gr.BrowserState("", storage_key="workbench-visitor"),
            "current": gr.Textbox("", visible="hidden", label="Run"),  # a State does not reach the page's own script
        }
        html(MAST)
        with gr.Tabs(selected="compare") as around["tabs"]:
            with gr.Tab("Choose", id="choose") as choose_tab:
                form = choose.build(desk, bring.build_data, bring.build_recipe)
            with gr.Tab("Run", id="run"):
                running = run.build()
            with gr.Tab("Compare", id="compare"):
                compared = compare.build(store)
            with gr.Tab("Take it with you", id="take") as take_tab:
                taken = take.build(desk)
            with gr.Tab("History", id="history") as history_tab:
                earlier = history.build()
        around["timer"] = gr.Timer(POLL, active=False)
        around["title"] = gr.Textbox("", visible="hidden", label="Title")
        everywhere = Shared(**around)
        for function in api.functions(desk):
            endpoint(function, api_name=function.__name__)
        look = run.looker(desk)
        bring.wire(desk, everywhere, form)
        own_input.wire(desk, everywhere, compared["own"])
        choose.wire(desk, everywhere, form, choose_tab, run.state(everywhere, running), look)
        take.wire(desk, everywhere, taken, take_tab)
        history.wire(desk, everywhere, earlier, history_tab)
        _wire(demo, desk, everywhere, running, compared, taken)
    return cast(gr.Blocks, demo)


def _wire(
    demo: gr.Blocks, desk: Desk, shared: Shared, running: dict[str, Any], compared: dict[str, Any],
    taken: dict[str, Any],
) -> None:  # fmt: skip
    """What concerns several screens: the page that opens, and a run that ends."""
    look, drawn = run.looker(desk), run.state(shared, running)
    results = [*compare.offered(compared), *take.offered(taken)]

    def ended(run_id: str, who: str) -> tuple[Any, ...]:
        record = desk.finished(run_id, who)
        names = compare.rows(record, desk.store) if record else []
        return *compare.offer(record, desk), *take.offer(names)

    def opened(who: str, request: gr.Request) -> tuple[Any, ...]:
        who = who or desk.visitors.new()
        asked = dict(request.query_params) if request else {}
        record = desk.record(asked.get("run"), who)
        found, there = record.id if record else "", gr.skip()
        if "run" in asked:  # one that is not there is told on its screen
            there = gr.Tabs(selected="compare" if desk.finished(found, who) else "run")
        elif "recipe" in asked:  # the cards tick it themselves
            there = gr.Tabs(selected="choose")
        return (who, found, there, *look(asked.get("run", ""), who), *ended(found, who))

    demo.load(opened, [shared.visitor], [shared.visitor, shared.current, shared.tabs, *drawn, *results], **QUIET)
    demo.load(None, None, None, js="() => { window.workbench.theme(); }")
    shared.current.change(None, shared.current, None, js="run => { window.workbench.address(run); }")
    shared.title.change(None, shared.title, None, js="text => { window.workbench.title(text); }")
    run.wire(desk, shared, running, look, ended, results)
