"""The first screen: model, task and data, target, recipes; and the plan before anything runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench import bench
from workbench.errors import RequestError, WorkbenchError
from workbench.faces import snippets
from workbench.faces.web.parts import html
from workbench.faces.web.parts.plan_card import plan_card
from workbench.faces.web.parts.problem import problem
from workbench.faces.web.parts.recipe_cards import recipe_cards
from workbench.planning import Plan, Request
from workbench.report.markup import e

if TYPE_CHECKING:
    import gradio as gr

    from workbench.store import Store

EMPTY = (
    '<p class="empty">The plan stands here before anything runs: the work, what it costs, what so many examples can '
    "show, and which recipes cannot run here and why.</p>"
)


@dataclass(frozen=True)
class Choice:
    """What the form holds, as plain values. Empty text and 0 mean: not said."""

    model: str
    task: str = ""
    data: str = ""
    fields: str = ""
    n: float = 0
    bar: float = 1.0  # percentage points
    target: str = ""
    recipes: tuple[str, ...] = ()
    quick: bool = False

    def request(self) -> Request:
        """Raises RequestError for what is wrong in words."""
        return bench.request(
            self.model.strip(), self.recipes, task=self.task or None, data=self.data.strip() or None,
            fields=_pairs(self.fields), target=None if self.target in ("", "this-machine") else self.target,
            max_drop=self.bar / 100, n=int(self.n) or None, quick=self.quick,
        )  # fmt: skip


def _pairs(text: str) -> dict[str, str] | None:
    """`text=review, label=stars` as a mapping."""
    if not text.strip():
        return None
    pairs = [part.partition("=") for part in text.split(",")]
    if any(not sign for _, sign, _ in pairs):
        fix = "Write field=column, such as text=review, label=stars."
        raise RequestError(f"{text.strip()!r} names no columns.", "", fix)
    return {field.strip(): column.strip() for field, _, column in pairs}


def planned(choice: Choice, store: Store, local: bool = True) -> tuple[Plan | None, str, str]:
    """(plan, markup of the card or of what is wrong, the command that asks for the same)."""
    try:
        plan, said = planned_or_raise(choice, store, local)
    except WorkbenchError as error:
        return None, problem(error), ""
    return plan, plan_card(plan), said


def planned_or_raise(choice: Choice, store: Store, local: bool = True) -> tuple[Plan, str]:
    """(plan, the command that asks for the same). `local`: folders and files of this machine may be named. Raises
    RequestError for what is wrong."""
    for name in () if local else (choice.model, choice.data, choice.target, *choice.recipes):
        if name.strip().startswith(("/", ".", "~")) or (name.strip() and Path(name.strip()).exists()):
            why = "Visitors of this server choose among starters, models and data of the Hub, and the shelf."
            raise RequestError(f"{name.strip()} is a place on this server.", why, "Name one of those.")
    plan = bench.plan(choice.request(), store)
    return plan, snippets.command(plan.request)


def suggestions(typed: str, store: Store) -> list[tuple[str, str]]:
    """[(what is shown, model id)] for a search field: the starters, then what the Hub finds for three letters."""
    starters = [(f"{name}, comes with the workbench", name) for name in bench.starters()]
    if len(typed.strip()) < 3:
        return starters
    try:
        found = bench.search(typed.strip(), limit=12, store=store)
    except WorkbenchError:  # no network: what is typed can still be taken as it is
        return starters
    return starters + [(_shown(one), str(one["id"])) for one in found]


def _shown(one: dict[str, Any]) -> str:
    said = [str(one["id"]), one.get("task") or "", f"{one['downloads']:,} downloads" if one.get("downloads") else "",
            "gated" if one.get("gated") else ""]  # fmt: skip
    return " · ".join(part for part in said if part)


def cards(task: str) -> str:
    """The shelf for a task: its first choices and what else there is, with what cannot run here."""
    shelf = [one for one in bench.shelf() if not task or (one.shelf and task in one.shelf.tasks)]
    return recipe_cards([(one, bench.missing_for(one)) for one in shelf])


def machine_line() -> str:
    """This machine in a line."""
    facts = bench.machine_facts()
    memory = facts["memory_bytes"] / 1e9
    return (
        f'<p class="note">This machine: {e(facts["cpu"])}, {e(facts["isa"])}, {facts["threads"]} threads, '
        f"{memory:.0f} GB of memory.</p>"
    )


def build(store: Store) -> dict[str, gr.components.Component]:
    """The screen's components by name."""
    import gradio as gr

    tasks = [one["name"] for one in bench.tasks() if not one.get("missing")]
    shelf = [one.name for one in bench.shelf()]
    with gr.Row(equal_height=False):
        with gr.Column(scale=2, min_width=320):
            model = gr.Dropdown(
                suggestions("", store), value="starter:sentiment", label="Model", allow_custom_value=True,
                filterable=True, info="A Hub id, a folder, or a starter. Type three letters to search the Hub.",
            )  # fmt: skip
            with gr.Row():
                said = [("as the model says", ""), *((name, name) for name in tasks)]
                task = gr.Dropdown(said, value="", label="Task")
                data = gr.Textbox(label="Evaluation data", placeholder="as the model brings, a Hub data set or a file")
                n = gr.Number(0, label="Examples (n)", precision=0, minimum=0, info="0: all there are")
            with gr.Row():
                fields = gr.Textbox(label="Columns", placeholder="text=review, label=stars")
                bar = gr.Number(1.0, label="Bar, pp", info="Most accuracy that may be lost, in points", step=0.1)
                target = gr.Dropdown([one["name"] for one in bench.targets()], value="this-machine", label="Target")
            recipes = gr.Dropdown(shelf, value=[], multiselect=True, label="Recipes", info="None: the first choices")
            quick = gr.Checkbox(False, label="Quick: 500 examples and 20 s of timing; intervals are wider")
            html(machine_line())
            with gr.Accordion("What is on the shelf", open=False):
                shelf_html = html(cards(""))
        with gr.Column(scale=1, min_width=320):
            plan = html(EMPTY)
            with gr.Row():
                show = gr.Button("Show the plan")
                run = gr.Button("Run", variant="primary")
            command = gr.Code(
                "", label="The same as a command", language="shell", interactive=False, lines=1, wrap_lines=True
            )
    return {"model": model, "task": task, "data": data, "n": n, "fields": fields, "bar": bar, "target": target,
            "recipes": recipes, "quick": quick, "plan": plan, "show": show, "run": run, "command": command,
            "shelf": shelf_html}  # fmt: skip
