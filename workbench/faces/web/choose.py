"""The first screen: model, task and data, target, recipes with their options; and the plan before anything runs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench import bench, catalog, words
from workbench import recipe as recipes
from workbench.errors import RequestError, WorkbenchError
from workbench.faces import snippets
from workbench.faces.web.around import BUSY, QUIET, Desk, Shared
from workbench.faces.web.parts import html, part
from workbench.faces.web.parts.about import about_line, machine_facts
from workbench.faces.web.parts.plan_card import plan_card
from workbench.faces.web.parts.problem import problem
from workbench.faces.web.parts.recipe_cards import recipe_cards
from workbench.faces.web.visitors import UPLOAD
from workbench.inventory import Offered
from workbench.pieces import Plan, Request
from workbench.recipe import Recipe
from workbench.report.markup import e, icon

if TYPE_CHECKING:
    from gradio.components import Component

    from workbench.store import Store

FIRST = "starter:sentiment"
HERE = "this-machine"
MOST_RECIPES = 100  # that the page can send at once
LOOKED_AT = 20  # newest runs, for the machine's resolution
EMPTY = (
    '<p class="empty">The plan stands here before anything runs: the work, what it costs, what so many examples can '
    "show, and which recipes cannot run here and why.</p>"
)


@dataclass(frozen=True)
class Choice:
    """What the form holds, as plain values. Empty text and 0 mean: not said. `shelf` is the value of the cards
    (page.js), `opened` the text of a recipe file that was opened."""

    model: str
    task: str = ""
    data: str = ""
    columns: str = ""
    n: float = 0
    bar: float = 1.0  # percentage points
    target: str = ""
    shelf: str = ""
    quick: bool = False
    opened: str = ""

    def request(self) -> Request:
        """Raises RequestError for what is wrong in words."""
        return bench.request(
            self.model.strip(), self.recipes(), task=self.task or None, data=self.data.strip() or None,
            fields=columns_of(self.columns), target=None if self.target in ("", HERE) else self.target,
            max_drop=self.bar / 100, n=int(self.n) or None, quick=self.quick,
        )  # fmt: skip

    def recipes(self) -> list[Recipe]:
        """Those that were chosen, with their options; none: the first choices."""
        return [bench.edited(self.recipe(name), changes) for name, changes in self._chosen()]

    def recipe(self, name: str) -> Recipe:
        opened = recipes.load(f"{self.opened}\n") if self.opened.strip() else None
        return opened if opened and opened.name == name else recipes.on_shelf(name)

    def _chosen(self) -> list[tuple[str, dict[str, dict[str, str]]]]:
        """Raises RequestError for what the page's own script never sends."""
        try:
            said = json.loads(self.shelf or "{}")
            named, options = said.get("recipes") or [], said.get("options") or {}
            found = [(str(name), options.get(name) or {}) for name in named]
            plain = all(isinstance(one, dict) for _, places in found for one in (places, *places.values()))
        except (ValueError, AttributeError, TypeError, RecursionError):
            plain = False
        if not plain or len(found) > MOST_RECIPES:
            raise RequestError("These are no chosen recipes.", "The page sends them otherwise.", "Reload the page.")
        return found

    def wrongs(self) -> dict[str, str]:
        """What is wrong at which field, as far as words go; of options by recipe, place and field."""
        found: dict[str, str] = {}
        for name, check in CHECKS.items():
            if said := check(self):
                found[name] = said
        for name, changes in self._chosen():
            wrong = bench.wrongs(self.recipe(name), changes)
            found |= {f"{name}.{place}": why for place, why in wrong.items()}
        return found


def _check_n(choice: Choice) -> str:
    if choice.n and not (choice.n >= bench.FEWEST_ROWS and float(choice.n).is_integer()):
        return f"A whole number from {bench.FEWEST_ROWS} on, or 0 for all there are."
    return ""


def _check_columns(choice: Choice) -> str:
    try:
        columns_of(choice.columns)
    except RequestError as error:
        return error.fix
    return ""


CHECKS: dict[str, Callable[[Choice], str]] = {
    "model": lambda choice: "" if choice.model.strip() else "Give a Hub id, a folder or a starter.",
    "columns": _check_columns,
    "n": _check_n,
    "bar": lambda choice: "" if 0 <= choice.bar < 100 else "Percentage points from 0 to below 100.",
}


def columns_of(text: str) -> dict[str, str] | None:
    """`text=review, label=stars` as a mapping."""
    if not text.strip():
        return None
    pairs = [part.partition("=") for part in text.split(",")]
    if any(not sign or not field.strip() or not column.strip() for field, sign, column in pairs):
        fix = "Write field=column, such as text=review, label=stars."
        raise RequestError(f"{text.strip()!r} names no columns.", "", fix)
    return {field.strip(): column.strip() for field, _, column in pairs}


def refuse_places(names: Sequence[str], desk: Desk) -> None:
    """RequestError where visitors of a shared server name its folders and files, however they spell them."""
    for name in map(str.strip, names) if desk.visitors.shared else ():
        if not _is_public(name):
            why = "Visitors of this server choose among starters, models and data of the Hub, and the shelf."
            raise RequestError(f"{name[:200]} is a place on this server.", why, "Name one of those, or upload a file.")


def _is_public(name: str) -> bool:
    """Whether nothing of this machine is meant: a revision or a split behind the name changes nothing."""
    if (
        name.startswith(("/", ".", "~", "local:", "file:"))
        or ".." in re.split(r"[/\\]", name)
        or not name.isprintable()
    ):
        return False
    if name.startswith("starter:"):
        return True
    bare = re.sub(r"\[[^\[\]]*\]$", "", name)
    return not any(_is_here(one) for one in {name, bare, bare.partition("@")[0], bare.partition(":")[0]})


def _is_here(name: str) -> bool:
    try:
        return bool(name) and Path(name).exists()
    except (OSError, ValueError):  # too long for any path
        return False


def refuse_files(plan: Plan, desk: Desk) -> None:
    """RequestError where visitors of a shared server have it run a graph that somebody else wrote."""
    for variant in plan.variants if desk.visitors.shared else ():
        for use in (step["use"] for step in variant.recipe["spec"].get("steps", ())):
            if catalog.step(use).takes_as_is:
                why = f"`use: {use}` would run a graph that a stranger wrote, on a server that others use."
                fix = "Take a recipe that exports the model, or run the workbench on a machine of your own."
                raise RequestError(f"{variant.name} is not run here.", why, fix)


def planned(choice: Choice, desk: Desk, visitor: str) -> tuple[Plan, str]:
    """(plan, the command that asks for the same). Raises RequestError for what is wrong."""
    refuse_places((choice.model, choice.data), desk)
    named = choice.data.strip()
    if named.startswith(UPLOAD):
        choice = replace(choice, data=str(desk.visitors.upload(named, visitor)))
    plan = bench.plan(choice.request(), desk.store)
    refuse_files(plan, desk)
    said = replace(plan.request, data=named.rpartition("/")[2]) if named.startswith(UPLOAD) else plan.request
    return plan, snippets.command(said)


# ---- what is suggested and shown ----------------------------------------------------------------


def suggestions(typed: str, store: Store) -> list[tuple[str, str]]:
    """[(what is shown, model id)] for a search field: the starters, then what the Hub finds for three letters."""
    starters = [(f"{name} · comes with the workbench", name) for name in bench.starters()]
    if len(typed.strip()) < 3:
        return starters
    try:
        found = bench.search(typed.strip(), limit=12, store=store)
    except WorkbenchError:  # no network: what is typed can still be taken as it is
        return starters
    return starters + [(_shown(one), str(one["id"])) for one in found]


def _shown(one: dict[str, Any]) -> str:
    downloads = f"{words.count(one['downloads'])} downloads" if one.get("downloads") else ""
    said = [str(one["id"]), one.get("task") or "", downloads, one.get("license") or "",
            "gated: sign in" if one.get("gated") else ""]  # fmt: skip
    return " · ".join(part for part in said if part)


def cards(task: str, target: str, store: Store, opened: str = "") -> str:
    """The shelf for a task and a target; a recipe file that was opened stands first."""
    found = bench.offered(task, "" if target == HERE else target, store)
    if opened.strip():
        own = recipes.load(f"{opened}\n")
        found = [one for one in found if one.recipe.name != own.name]
        found.insert(1, Offered(own, bench.missing_for(own), "", True))
    return recipe_cards(found, bench.options, bench.refused())


def resolution(desk: Desk) -> tuple[float, float] | None:
    """The baseline against itself in the newest run that measured it: what this machine can tell apart."""
    for one in desk.store.runs()[:LOOKED_AT]:
        if one.status == "ok" and one.compares:
            try:
                report, _ = bench.report(one.id, desk.store)
            except WorkbenchError:
                continue
            if ends := report["resolution"]["aa_ci95"]:
                return float(ends[0]), float(ends[1])
    return None


def targets() -> list[tuple[str, str]]:
    """[(what is shown, name)], with what this machine lacks to be one."""
    return [(f"{one['name']} · {one['missing']}" if one["missing"] else one["name"], one["name"])
            for one in bench.targets()]  # fmt: skip


def target_note(name: str, desk: Desk) -> str:
    """What is known of a target: this machine's facts, or what can be built here for another and measured there."""
    if name in ("", HERE):
        return machine_facts(bench.machine_facts(), resolution(desk), desk.visitors.shared)
    said = bench.target(name)
    lacks = f'<p class="v plain">{icon("skip")}{e(said["missing"])}</p>' if said["missing"] else ""
    return (
        f'<p class="note">{e(said["summary"])}</p>{lacks}<p class="note"><b>Here:</b> {e(said["build_here"])} '
        f"<b>There:</b> {e(said['measure_there'])} {e(said['good_to_know'])}</p>"
    )


# ---- the screen ---------------------------------------------------------------------------------

FORM = tuple(field.name for field in fields(Choice))
SHELF_JS = "window.workbench.chooser(element, props, trigger, watch); // 'change'"


def _step(number: int, title: str, note: str = "") -> None:
    html(f'<div class="stepn"><span class="n">{number}</span><h2>{e(title)}</h2><span class="note">{note}</span></div>')


def build(desk: Desk, *brought: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The screen's components by name. `brought` build what a person can bring to the data and to the recipes."""
    import gradio as gr

    tasks = [one["name"] for one in bench.tasks() if not one.get("missing")]
    found = bench.about(FIRST, store=desk.store)
    folder = "" if desk.visitors.shared else ", a folder"
    html('<h1 class="hidden">Choose</h1>')
    with gr.Row(equal_height=False):
        with gr.Column(scale=20, min_width=320):
            _step(1, "Model")
            model = gr.Dropdown(
                suggestions("", desk.store), value=FIRST, label="Model", allow_custom_value=True, filterable=True,
                info=f"A Hub id{folder} or a starter. Type three letters to search the Hub.",
            )  # fmt: skip
            about = html(about_line(found))
            _step(2, "Task and data")
            with gr.Row():
                task = gr.Dropdown(tasks, value=found["task"], label="Task")
                data = gr.Textbox(found["data"], label="Evaluation data", placeholder="Hub data set, or upload below")
                n = gr.Number(0, label="Examples (n)", precision=0, info="0: all there are")
            with gr.Row():
                columns = gr.Textbox(label="Columns", placeholder="found by themselves, or text=review, label=stars")
                bar = gr.Number(1.0, label="Bar, pp", info="Most accuracy that may be lost, in points", step=0.1)
            own = brought[0]()
            _step(3, "Target")
            target = gr.Dropdown(targets(), value=HERE, label="Target", show_label=False, container=False)
            note = html(target_note(HERE, desk))
            _step(4, "Recipes", "ticked: the first choices for this task and target")
            own |= brought[1]()
            shelf = gr.HTML(
                "", html_template="${cards}", js_on_load=SHELF_JS, apply_default_css=False, padding=False,
                cards=part(cards(found["task"], "", desk.store)), wrong="{}",
            )  # fmt: skip
        with gr.Column(scale=11, min_width=320, elem_classes="aside"):
            html("<h2>Plan</h2>")
            with gr.Row():
                run = gr.Button("Run", variant="primary")
                show = gr.Button("Show the plan")
            quick = gr.Checkbox(False, label="Quick: fewer examples and rounds; wider intervals, marked as quick")
            plan = html(EMPTY)
            command = gr.Code("", label="The same as a command", language="shell", interactive=False, lines=1,
                              wrap_lines=True, visible=False)  # fmt: skip
            opened = gr.Textbox("", visible="hidden", label="Recipe file")
    return {"model": model, "task": task, "data": data, "n": n, "columns": columns, "bar": bar, "target": target,
            "shelf": shelf, "quick": quick, "opened": opened, "plan": plan, "show": show, "run": run,
            "command": command, "about": about, "note": note} | own  # fmt: skip


def choice_of(values: Sequence[Any]) -> Choice:
    """What the components hold; emptied ones hold None."""
    said: dict[str, Any] = dict(zip(FORM, values, strict=True))
    empty: dict[str, Any] = {"n": 0, "bar": 0, "quick": False}
    return Choice(**{name: empty.get(name, "") if value is None else value for name, value in said.items()})


def wire(
    desk: Desk, shared: Shared, form: dict[str, Any], tab: Any, begun: Sequence[Component], look: Callable[..., Any]
) -> None:
    """`look` gives the values of `begun`, the run screen, once a run began."""
    import gradio as gr

    inputs = [form[name] for name in FORM]

    def fill(model: str, target: str, opened: str, who: str) -> tuple[Any, ...]:
        try:
            refuse_places((model or "",), desk)
            found = bench.about(model or "", store=desk.store)
        except WorkbenchError as error:
            return part(problem(error)), gr.skip(), gr.skip(), gr.skip()
        known = gr.update(value=found["task"]) if found["task"] in dict.fromkeys(_tasks()) else gr.skip()
        shown = gr.HTML(cards=part(cards(found["task"], target or "", desk.store, opened)))
        return part(about_line(found)), known, gr.update(value=found["data"] or ""), shown

    def shown(task: str, target: str, opened: str) -> tuple[Any, ...]:
        return part(target_note(target or "", desk)), gr.HTML(
            cards=part(cards(task or "", target or "", desk.store, opened))
        )

    def plan(who: str, *values: Any) -> tuple[Any, ...]:
        choice = choice_of(values)
        wrong = _options_wrong(choice)
        try:
            made, said = planned(choice, desk, who)
        except WorkbenchError as error:
            return part(problem(error)), gr.update(visible=False), gr.update(value="Run"), wrong
        count = words.plural(len(made.variants), "variant")
        return part(plan_card(made)), gr.update(value=said, visible=True), gr.update(value=f"Run {count}"), wrong

    def submit(who: str, *values: Any) -> tuple[Any, ...]:
        choice = choice_of(values)
        try:
            found = desk.submit(planned(choice, desk, who)[0], who)
        except WorkbenchError as error:
            return gr.skip(), gr.skip(), part(problem(error)), _options_wrong(choice), *(gr.skip() for _ in begun)
        return found, gr.Tabs(selected="run"), gr.skip(), gr.skip(), *look(found, who)

    def checked(who: str, *values: Any) -> list[Any]:
        wrong = choice_of(values).wrongs()
        return [gr.validate(True, ""), *(gr.validate(name not in wrong, wrong.get(name, "")) for name in FORM)]

    asked = [shared.visitor, *inputs]
    tab.select(lambda target: part(target_note(target or "", desk)), form["target"], form["note"], **QUIET)
    form["model"].key_up(
        lambda typed: gr.update(choices=suggestions(typed or "", desk.store)), form["model"], form["model"],
        trigger_mode="always_last", **QUIET,
    )  # fmt: skip
    form["model"].change(
        fill, [form["model"], form["target"], form["opened"], shared.visitor],
        [form["about"], form["task"], form["data"], form["shelf"]], trigger_mode="always_last", **QUIET,
    )  # fmt: skip
    gr.on([form["task"].input, form["target"].input], shown, [form["task"], form["target"], form["opened"]],
          [form["note"], form["shelf"]], trigger_mode="always_last", **QUIET)  # fmt: skip
    planning = [form["show"].click, form["shelf"].change, form["data"].change, form["n"].blur, form["bar"].blur,
                form["columns"].blur, form["target"].change, form["task"].change, form["quick"].change]  # fmt: skip
    gr.on(
        planning, plan, asked, [form["plan"], form["command"], form["run"], form["shelf"]], validator=checked,
        trigger_mode="always_last", concurrency_limit=2, concurrency_id="plan", **BUSY,
    )  # fmt: skip
    form["run"].click(submit, asked, [shared.current, shared.tabs, form["plan"], form["shelf"], *begun],
                      validator=checked, **BUSY)  # fmt: skip


def _tasks() -> list[str]:
    return [str(one["name"]) for one in bench.tasks() if not one.get("missing")]


def _options_wrong(choice: Choice) -> Any:
    """The cards again, with what is wrong at their fields."""
    import gradio as gr

    return gr.HTML(wrong=json.dumps({name: why for name, why in choice.wrongs().items() if "." in name}))
