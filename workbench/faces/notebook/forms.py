"""Forms over what of a recipe can be changed, as ipywidgets: one group a step, one for the backend and one for where
it runs; what they hold are texts, as in every form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets

from workbench import bench
from workbench.editing import Field, Part
from workbench.errors import RequestError
from workbench.recipe import Recipe
from workbench.report.markup import e

SAID = {"style": {"description_width": "170px"}, "layout": {"width": "430px"}}


class RecipeForm:
    """`widget` is the form, `recipe()` what it says: the very recipe it was made of where nothing was changed."""

    def __init__(self, recipe: Recipe, changed: Callable[[], None]) -> None:
        self._recipe, self._changed = recipe, changed
        self._parts = [PartForm(part, self._look) for part in bench.options(recipe) if part.fields]
        self.widget = ipywidgets.VBox([one.widget for one in self._parts])

    def of(self, title: str) -> PartForm:
        """The form of a step or of the backend, by its name. Raises RequestError if the recipe has none such."""
        forms = {one.part.title: one for one in self._parts}
        if title not in forms:
            raise RequestError(f"`{self._recipe.name}` does not use {title}.", "", f"It uses {', '.join(forms)}.")
        return forms[title]

    def recipe(self) -> Recipe:
        """Raises RequestError naming the field that cannot be so."""
        return bench.edited(self._recipe, self._changes())

    def _changes(self) -> dict[str, dict[str, str]]:
        return {one.part.place: one.texts() for one in self._parts}

    def _look(self, _: Any) -> None:
        wrong = bench.wrongs(self._recipe, self._changes())
        for form in self._parts:
            for name, note in form.wrong.items():
                why = wrong.get(f"{form.part.place}.{name}", "")
                note.value = f'<span class="wb-wrong" role="alert">{e(why)}</span>' if why else ""
        self._changed()


class PartForm:
    """One part. `inputs` and `wrong` (empty where a value is right), by the field's name."""

    def __init__(self, part: Part, look: Callable[[Any], None]) -> None:
        self.part = part
        self.inputs = {field.name: _input(field, part.values[field.name]) for field in part.fields}
        self.wrong = {field.name: ipywidgets.HTML() for field in part.fields}
        rows = []
        for field in part.fields:
            self.inputs[field.name].observe(look, "value")
            note = ipywidgets.HTML(f'<span class="wb-note">{e(field.description)}</span>')
            rows += [self.inputs[field.name], note, self.wrong[field.name]]
        self.widget = ipywidgets.VBox([ipywidgets.HTML(f"<b>{e(part.title)}</b> {e(part.summary)}"), *rows])
        self.widget.add_class("wb-options")

    def texts(self) -> dict[str, str]:
        """What stands in the form, by the field's name."""
        return {field.name: _text(field, self.inputs[field.name].value) for field in self.part.fields}


def _input(field: Field, value: Any) -> Any:
    said: dict[str, Any] = SAID | {"description": field.name.replace("_", " "), "tooltip": field.words}
    if field.kind == "flag":
        return ipywidgets.Checkbox(bool(value), indent=True, **said)
    if field.kind == "choice":
        empty = [("as the runtime chooses", "")] if field.may_be_empty else []
        shown = [*empty, *((text, text) for text in map(field.text, field.choices))]
        return ipywidgets.Dropdown(options=shown, value=field.text(value), **said)
    hint = "names, with commas between" if field.kind == "list" else field.words
    return ipywidgets.Text(field.text(value), placeholder=hint, continuous_update=False, **said)


def _text(field: Field, value: Any) -> str:
    return field.text(value) if field.kind == "flag" else str(value)
