"""Model, data, target and recipes chosen with a form in the notebook; what it holds is a request.

picker = workbench.Picker("org/model")
picker.plan()        the work and its cost; builds nothing
picker.compare()     the same as workbench.compare with what was chosen
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import ipywidgets

from workbench import bench
from workbench.card import Card
from workbench.errors import RequestError, WorkbenchError
from workbench.faces import snippets
from workbench.faces.notebook import markup
from workbench.faces.notebook.forms import PartForm, RecipeForm
from workbench.faces.script import Handle
from workbench.faces.web import choose
from workbench.faces.web.parts.plan_card import plan_card
from workbench.faces.web.parts.problem import problem
from workbench.pieces import Plan, Request
from workbench.recipe import Recipe
from workbench.report.markup import e
from workbench.store import Store

STYLE = {"description_width": "110px"}
WIDTH = {"width": "520px"}
SEARCH_AFTER = 0.4  # seconds without a key


class Picker:
    """Every field is an ipywidget (`picker.model`, `.task`, `.data`, `.n`, …) and may be set from a cell too."""

    def __init__(self, model: str = bench.STARTER, recipes: Sequence[str] = (), **asked: Any) -> None:
        """`asked`: task, data, calibration, target, max_drop, n, quick, as `workbench.compare` takes them."""
        self.comparison: Handle | None = None
        self._forms: dict[str, RecipeForm] = {}
        self._timer: threading.Timer | None = None
        self._store = Store()
        self._fields(model, recipes, asked)
        self._parts()
        for field in (self.model, self.task, self.data, self.calibration, self.target, self.n, self.bar, self.quick):
            field.observe(self._changed, "value")
        self.model.observe(self._search, "value")
        for field in (self.task, self.target):
            field.observe(self._offer, "value")
        self.recipes.observe(self._open_forms, "value")
        self._open_forms()

    # ---- what it holds

    @property
    def chosen(self) -> list[Recipe]:
        """The recipes with their options as the forms say. Raises RequestError naming a field that cannot be so."""
        return [self._forms[name].recipe() for name in self.recipes.value]

    @property
    def request(self) -> Request:
        """Raises RequestError for what is wrong in words."""
        return bench.request(
            self.model.value.strip(), self.chosen, task=self.task.value or None, data=self.data.value.strip() or None,
            calibration=self.calibration.value.strip() or None,
            target=None if self.target.value == "this-machine" else self.target.value,
            max_drop=self.bar.value / 100, n=self.n.value or None, quick=self.quick.value,
        )  # fmt: skip

    def plan(self) -> Plan:
        """All the work, checked, with its cost. Raises RequestError."""
        return bench.plan(self.request)

    def compare(self) -> Handle:
        """Start what was chosen, or join the same; shown in the cell that calls this."""
        self.comparison = Handle(bench.submit(self.plan()))._shown()
        return self.comparison

    def form(self, recipe: str, plugin: str) -> PartForm:
        """The options of a step or of the backend of a chosen recipe. Raises RequestError for what is not there."""
        if recipe not in self.recipes.value:
            raise RequestError(f"`{recipe}` is not chosen.", f"Chosen: {', '.join(self.recipes.value) or 'none'}.", "")
        return self._forms[recipe].of(plugin)

    # ---- the form

    def _fields(self, model: str, recipes: Sequence[str], asked: dict[str, Any]) -> None:
        starters = [name for _, name in choose.suggestions("", self._store)]
        tasks = [one["name"] for one in bench.tasks() if not one.get("missing")]
        said: dict[str, Any] = {"style": STYLE, "layout": WIDTH}
        self.model = ipywidgets.Combobox(
            value=model, options=starters, description="Model", placeholder="a Hub id, a folder, or a starter", **said
        )
        self.task = ipywidgets.Dropdown(
            options=[("as the model says", ""), *((name, name) for name in tasks)], value=asked.get("task") or "",
            description="Task", **said,
        )  # fmt: skip
        self.data = ipywidgets.Text(
            asked.get("data") or "", placeholder="as the model brings, a Hub data set or a file", description="Data",
            continuous_update=False, **said,
        )  # fmt: skip
        self.calibration = ipywidgets.Text(
            asked.get("calibration") or "", placeholder="the data's own train split, or a part of it",
            description="Calibration", continuous_update=False, **said,
        )  # fmt: skip
        self.target = ipywidgets.Dropdown(
            options=[one["name"] for one in bench.targets()], value=asked.get("target") or "this-machine",
            description="Target", **said,
        )  # fmt: skip
        most = 100 * asked.get("max_drop", 0.01)
        self.n = ipywidgets.BoundedIntText(asked.get("n") or 0, max=10**9, description="n (0: all)", **said)
        self.bar = ipywidgets.BoundedFloatText(most, max=99.9, step=0.1, description="Bar, points", **said)
        self.quick = ipywidgets.Checkbox(
            bool(asked.get("quick")), description="Quick: fewer examples and rounds, wider intervals", **said
        )
        offered = self._shelf()
        self.recipes = ipywidgets.SelectMultiple(
            options=offered, value=[name for name in recipes if name in offered], rows=9, description="Recipes", **said
        )

    def _parts(self) -> None:
        self._plan_html, self._result = ipywidgets.HTML(), ipywidgets.VBox()
        self._options = ipywidgets.Accordion()
        plan = ipywidgets.Button(description="Show the plan")
        run = ipywidgets.Button(description="Compare", button_style="primary")
        plan.on_click(lambda _: self._show_plan())
        run.on_click(lambda _: self._run())
        notes = ["Ctrl or Cmd marks several; none means the first choices."]
        notes += [f"{one.name} of {one.origin} is not on the shelf. {one.why}" for one in bench.refused()]
        note = ipywidgets.HTML("".join(f"<span class=wb-note>{e(one)}</span>" for one in notes))
        left = [self.model, self.task, self.data, self.calibration, self.target, self.n, self.bar, self.quick,
                self.recipes, note, ipywidgets.HBox([plan, run], layout={"margin": "8px 0 12px 118px"})]  # fmt: skip
        sides = ipywidgets.HBox([ipywidgets.VBox(left), self._plan_html])
        style = ipywidgets.HTML(f"<style>{markup.css()}</style>")
        self.widget = ipywidgets.VBox([style, sides, self._options, self._result])
        self.widget.add_class("workbench-picker")

    def _shelf(self) -> list[str]:
        """Names of what can run on the target, for the task where one is said; best first."""
        target = "" if self.target.value == "this-machine" else self.target.value
        offered = bench.offered(self.task.value, target, self._store)
        return [one.recipe.name for one in offered if not one.missing]

    def _offer(self, _: Any) -> None:
        offered = self._shelf()
        kept = [name for name in self.recipes.value if name in offered]
        self.recipes.options, self.recipes.value = offered, kept

    def _open_forms(self, _: Any = None) -> None:
        shelf = {one.name: one for one in bench.shelf()}
        for name in self.recipes.value:
            if name not in self._forms:
                self._forms[name] = RecipeForm(shelf[name], self._changed)
        self._options.children = [self._forms[name].widget for name in self.recipes.value]
        origins = {name: bench.origin(shelf[name]) for name in self.recipes.value}
        self._options.titles = [f"Options of {name}{origin and f', from {origin}'}" for name, origin in origins.items()]
        self._changed()

    def _search(self, change: Any) -> None:
        """Suggestions while typing, once nothing was typed for a moment."""
        if self._timer:
            self._timer.cancel()
        self._timer = threading.Timer(SEARCH_AFTER, self._suggest, (change["new"],))
        self._timer.daemon = True
        self._timer.start()

    def _suggest(self, typed: str) -> None:
        self.model.options = [name for _, name in choose.suggestions(typed, self._store)]

    def _changed(self, _: Any = None) -> None:
        self._say("")

    def _say(self, html: str) -> None:
        self._plan_html.value = f'<div class="workbench-cell"><div class="workbench">{html}</div></div>' if html else ""

    def _show_plan(self) -> Plan | None:
        self._say('<p class="note">Looking at model and data …</p>')
        try:
            plan = self.plan()
        except WorkbenchError as error:
            self._say(problem(error))
            return None
        self._say(plan_card(plan))
        return plan

    def _run(self) -> None:
        plan = self._show_plan()
        if plan is None:
            return
        try:
            self.comparison = Handle(bench.submit(plan))
        except WorkbenchError as error:
            self._say(problem(error))
            return
        self._result.children = [self.comparison.widget]

    # ---- looks

    def __repr__(self) -> str:
        return self._card().text()

    def _repr_mimebundle_(self, **more: Any) -> dict[str, Any]:
        found = self.widget._repr_mimebundle_(**more)
        live = found[0] if isinstance(found, tuple) else found
        return dict(live or {}) | self._card().bundle()

    def _card(self) -> Card:
        try:
            said = snippets.command(self.request)
        except WorkbenchError as error:
            said = str(error)
        return Card("Picker", "What was chosen, as a command:", rows=[(said,)])
