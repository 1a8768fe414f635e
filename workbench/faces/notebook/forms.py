"""Forms over a recipe's options, as ipywidgets: one group a step and one for the backend, generated from `Options`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets
import yaml

from workbench import catalog
from workbench.errors import RequestError
from workbench.faces.notebook.fields import Field, fields_of
from workbench.plugin import Plugin
from workbench.recipe import Recipe
from workbench.report.markup import e

WIDE = {"description_width": "170px"}


class RecipeForm:
    """`widget` is the form, `recipe()` what it says: the very recipe it was made of where nothing was changed."""

    def __init__(self, recipe: Recipe, changed: Callable[[], None]) -> None:
        self._recipe = recipe
        steps = recipe.to_dict()["spec"]["steps"]
        backend = recipe.spec.target
        self._steps = [
            OptionsForm(catalog.step(step["use"]), {key: step[key] for key in step if key != "use"}, changed)
            for step in steps
        ]
        self._backend = OptionsForm(catalog.backend(backend.backend), dict(backend.options), changed)
        groups = [one.widget for one in (*self._steps, self._backend) if one.fields]
        self.widget = ipywidgets.VBox(groups)

    def of(self, plugin: str) -> OptionsForm:
        """The form of a step or of the backend. Raises RequestError if the recipe has none of that name."""
        forms = {one.plugin.name: one for one in (*self._steps, self._backend)}
        if plugin not in forms:
            raise RequestError(f"`{self._recipe.name}` does not use {plugin}.", "", f"It uses {', '.join(forms)}.")
        return forms[plugin]

    def recipe(self) -> Recipe:
        """Raises RequestError naming the field that cannot be so."""
        found = self._recipe
        for form in self._steps:
            if changed := form.changed():
                found = found.with_step(form.plugin.name, **changed)
        if changed := self._backend.changed():
            found = found.with_backend(**changed)
        return found


class OptionsForm:
    """One plug-in's options. `given` are those that the recipe says; the others stand at their defaults."""

    def __init__(self, plugin: Plugin, given: dict[str, Any], changed: Callable[[], None]) -> None:
        self.plugin, self._given, self._changed = plugin, given, changed
        self.fields = fields_of(plugin.Options)
        self.inputs = {field.name: _input(field, given.get(field.name, field.default)) for field in self.fields}
        self._first = {name: one.value for name, one in self.inputs.items()}
        self.wrong = ipywidgets.HTML()
        rows = []
        for field in self.fields:
            self.inputs[field.name].observe(self._look, "value")
            note = ipywidgets.HTML(f'<span class="wb-note">{e(field.description)}</span>')
            rows.append(ipywidgets.VBox([self.inputs[field.name], note]))
        title = ipywidgets.HTML(f"<b>{e(plugin.name)}</b> {e(plugin.summary)}")
        self.widget = ipywidgets.VBox([title, *rows, self.wrong])
        self.widget.add_class("wb-options")

    def changed(self) -> dict[str, Any]:
        """What differs from the recipe. Raises RequestError naming the field that cannot be so."""
        moved = [field for field in self.fields if self.inputs[field.name].value != self._first[field.name]]
        said = {field.name: _value(field, self.inputs[field.name].value) for field in moved}
        catalog.options_of(self.plugin, self._given | said, self.plugin.name)
        return said

    def _look(self, _: Any) -> None:
        try:
            self.changed()
            self.wrong.value = ""
        except RequestError as error:
            self.wrong.value = f'<span class="wb-wrong" role="alert">{e(error)}</span>'
        self._changed()


def _input(field: Field, value: Any) -> Any:
    said = {"description": field.name.replace("_", " "), "style": WIDE, "layout": {"width": "430px"}}
    if field.kind == "flag":
        return ipywidgets.Checkbox(bool(value), indent=True, **said)
    if field.kind == "choice":
        empty = [("as the runtime chooses", None)] if field.empty else []
        return ipywidgets.Dropdown(options=[*empty, *((str(one), one) for one in field.choices)], value=value, **said)
    return ipywidgets.Text(_text(field, value), placeholder=_hint(field), continuous_update=False, **said)


def _text(field: Field, value: Any) -> str:
    if value is None:
        return ""
    if field.kind == "list":
        return ", ".join(value)
    return str(value) if field.kind != "plain" or value else ""


def _hint(field: Field) -> str:
    low, high = ("" if limit is None else f"{limit:g}" for limit in (field.low, field.high))
    span = f"{low} to {high}" if low and high else f"from {low}" if low else f"to {high}" if high else ""
    kinds = {"list": "names, with commas between", "plain": "key: value"}
    return span or kinds.get(field.kind, "empty: the runtime chooses" if field.empty else "")


def _value(field: Field, raw: Any) -> Any:
    """What was typed in the field's own type where it can be read so; the option's own check says the rest."""
    if field.kind == "list":
        return tuple(part.strip() for part in raw.split(",") if part.strip())
    if field.kind in ("whole", "number", "plain"):
        try:
            return yaml.safe_load(raw) if raw.strip() else ({} if field.kind == "plain" else None)
        except yaml.YAMLError:
            return raw
    return raw
