"""A recipe with options of one's own: what of it can be changed, what is wrong, and the recipe that comes of it.

A form knows places ("steps.1", "target.options") and fields, and holds texts; the plug-ins' `Options` say the rest.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from workbench import catalog
from workbench import recipe as recipes
from workbench.errors import RequestError
from workbench.plugin import Plugin
from workbench.recipe import Recipe
from workbench.recipe_keys import Device, TargetKeys, Threads

Changes = Mapping[str, Mapping[str, str]]  # place -> field -> text, as a form holds it
EDITED = "-edited"  # behind the name of a recipe that was changed
WHERE = ("threads", "device")  # of the target, which belong to no plug-in


@dataclass(frozen=True)
class Field:
    """One option. kind: flag, choice, whole, number, list, text or mapping; `words` says the type for people, and
    an empty text stands for no value where `may_be_empty`."""

    name: str
    kind: str
    default: Any
    description: str
    words: str
    choices: tuple[Any, ...] = ()
    may_be_empty: bool = False

    def text(self, value: Any) -> str:
        """A value as the form holds it."""
        if value is None:
            return ""
        if self.kind == "list":
            return ", ".join(map(str, value))
        return value if isinstance(value, str) else json.dumps(value)

    def value(self, text: str) -> Any:
        """What a text means; texts that mean nothing stay texts, and are refused by the option's own check."""
        text = text.strip()
        if not text and self.may_be_empty:
            return None
        if self.kind == "choice":
            return next((one for one in self.choices if self.text(one) == text), text)
        if self.kind == "list":
            return [part.strip() for part in text.split(",") if part.strip()]
        if self.kind == "text":
            return text
        try:
            return json.loads(text or "{}" if self.kind == "mapping" else text)
        except ValueError:
            return text


@dataclass(frozen=True)
class Part:
    """The options of one step or of the backend, or where the recipe runs. `values`: what the recipe says."""

    place: str
    title: str
    summary: str
    fields: tuple[Field, ...]
    values: Mapping[str, Any]


def parts(recipe: Recipe) -> tuple[Part, ...]:
    """Everything of a recipe that a form can change: its steps in order, its backend, where it runs. What belongs to
    a plug-in that is not installed is left out."""
    return tuple(_parts(recipe))


def _parts(recipe: Recipe) -> Iterator[Part]:
    steps, backends = catalog.steps(), catalog.backends()
    for number, step in enumerate(recipe.spec.steps):
        if step.use in steps:
            yield _part(f"steps.{number}", steps[step.use], step.options)
    target = recipe.spec.target
    if target.backend in backends:
        yield _part("target.options", backends[target.backend], target.options)
    said = {name: getattr(target, name) for name in WHERE}
    yield Part("target", "where it runs", "", tuple(_where(name) for name in WHERE), said)


def _part(place: str, plugin: Plugin, given: Mapping[str, Any]) -> Part:
    fields = fields_of(plugin)
    values = {field.name: given.get(field.name, field.default) for field in fields}
    return Part(place, plugin.name, plugin.summary, fields, values)


def _where(name: str) -> Field:
    said = TargetKeys.model_fields[name]
    words = "a whole number, or auto" if name == "threads" else "a word"
    return Field(name, "whole" if name == "threads" else "text", said.default, said.description or "", words)


def fields_of(plugin: Plugin) -> tuple[Field, ...]:
    """The options of a plug-in, in the order of its declaration."""
    schema = plugin.Options.model_json_schema()
    kinds, said = schema.get("$defs", {}), schema.get("properties", {})
    return tuple(_field(one, said[one["name"]], kinds) for one in catalog.options(plugin))


KINDS = {"boolean": "flag", "integer": "whole", "number": "number", "array": "list", "object": "mapping"}


def _field(one: dict[str, Any], said: dict[str, Any], kinds: dict[str, Any]) -> Field:
    ways = [kinds.get(way["$ref"].rsplit("/", 1)[-1], way) if "$ref" in way else way
            for way in said.get("anyOf", [said])]  # fmt: skip
    empty = any(way.get("type") == "null" for way in ways)
    real = [way for way in ways if way.get("type") != "null"]
    choices = tuple(value for way in real for value in way.get("enum", [way["const"]] if "const" in way else []))
    kind = "choice" if choices else KINDS.get(real[0].get("type", ""), "text") if len(real) == 1 else "text"
    return Field(one["name"], kind, one["default"], one["description"], one["type"], choices, empty)


# ---- what a form holds --------------------------------------------------------------------------


def wrongs(recipe: Recipe, changes: Changes) -> dict[str, str]:
    """What cannot be, by place and field ("steps.1.percentile"), in words; {} where all is well."""
    found: dict[str, str] = {}
    for part in _changed_parts(recipe, changes):
        found |= _wrongs(recipe, part, _values(part, changes[part.place]))
    return found


def edited(recipe: Recipe, changes: Changes) -> Recipe:
    """The recipe with these options. The same recipe where nothing differs; else its name says that it was edited,
    and what it was once resolved to is left behind. Raises RequestError for what cannot be."""
    if wrong := wrongs(recipe, changes):
        place, why = next(iter(wrong.items()))
        raise RequestError(f"{recipe.name}: {place.rsplit('.', 1)[-1]} cannot be that.", why, "")
    said = recipe.to_dict()
    for part in _changed_parts(recipe, changes):
        at: Any = said["spec"]
        for key in part.place.split("."):
            at = at[int(key)] if isinstance(at, list) else at.setdefault(key, {})
        at.update(_values(part, changes[part.place]))
    after = recipes.from_dict(said)
    if after.spec_sha256() == recipe.spec_sha256():
        return recipe
    kept = {key: value for key, value in said.items() if key in ("schema", "summary", "shelf", "spec")}
    return recipes.from_dict(kept | {"name": f"{recipe.name.removesuffix(EDITED)}{EDITED}"})


def _changed_parts(recipe: Recipe, changes: Changes) -> Iterator[Part]:
    return (part for part in parts(recipe) if _values(part, changes.get(part.place, {})))


def _values(part: Part, texts: Mapping[str, str]) -> dict[str, Any]:
    """Those that differ from what the recipe says. Names that the part does not have are nobody's."""
    found = {field.name: field.value(texts[field.name]) for field in part.fields if field.name in texts}
    return {name: value for name, value in found.items() if value != _plain(part.values.get(name))}


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _wrongs(recipe: Recipe, part: Part, values: Mapping[str, Any]) -> dict[str, str]:
    try:
        if part.place == "target":
            for name, kind in (("threads", Threads), ("device", Device)):
                if name in values:
                    TypeAdapter(kind).validate_python(values[name])
        else:
            plugin = _plugin(recipe, part.place)
            plugin.Options(**dict(part.values) | dict(values))
    except ValidationError as error:
        words = {field.name: field.words for field in part.fields}
        return {
            f"{part.place}.{name}": f"{_said(one)} It is {words[name]}."
            for one in error.errors()
            for name in (_at(one, values),)
        }
    return {}


def _said(error: Any) -> str:
    return f"{error['msg'].removeprefix('Value error, ').rstrip('. ')}."


def _at(error: Any, values: Mapping[str, Any]) -> str:
    """The option that an error is about; a check of several at once stands at the one that was changed."""
    at = str(error["loc"][0]) if error["loc"] else ""
    return at if at in values else next(iter(values))


def _plugin(recipe: Recipe, place: str) -> Plugin:
    if place == "target.options":
        return catalog.backend(recipe.spec.target.backend)
    return catalog.step(recipe.spec.steps[int(place.removeprefix("steps."))].use)
