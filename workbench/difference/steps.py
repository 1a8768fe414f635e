"""Steps that came, went or changed places, and their options: what is not written has its default."""

from __future__ import annotations

from typing import Any

from workbench import catalog
from workbench.difference.change import NOTHING, Change, in_words
from workbench.difference.topics import BOTH
from workbench.errors import RequestError
from workbench.plugin import Plugin
from workbench.recipe import Recipe
from workbench.recipe_proof import LockedStep

Key = tuple[str, int]  # a step's name, and how often it occurred before
ORDER = "The same steps in another order make another file."
VERSION = "The same options may build another file."
LOCKED = "The lock says another value than the spec: it belongs to another spec."
WRITTEN = "The value is the same; written out it makes another recipe by its identity."


def between(old: Recipe, new: Recipe) -> list[Change]:
    """Everything that differs in `spec.steps`, and in what `lock.steps` says of the same steps."""
    before, after = _keys(old), _keys(new)
    said = [_whole("removed", key, old, before[key]) for key in before if key not in after]
    said += [_whole("added", key, new, after[key]) for key in after if key not in before]
    kept = [key for key in before if key in after]
    if (order := [key for key in after if key in before]) != kept:
        names = [", ".join(name for name, _ in keys) for keys in (kept, order)]
        said.append(Change("spec", "spec.steps", "reordered", "order of the steps", names[0], names[1], ORDER, BOTH))
    for key in kept:
        said += _options(old, new, before[key], after[key])
        said += _lock(old, new, before[key], after[key], {change.where for change in said})
    return said


def _keys(recipe: Recipe) -> dict[Key, int]:
    """(name, occurrence) -> place."""
    found: dict[Key, int] = {}
    for place, step in enumerate(recipe.spec.steps):
        found[step.use, sum(name == step.use for name, _ in found)] = place
    return found


def _whole(how: Any, key: Key, recipe: Recipe, place: int) -> Change:
    given = recipe.spec.steps[place].options
    said = f"{key[0]} ({in_words(given)})" if given else key[0]
    texts = (NOTHING, said) if how == "added" else (said, NOTHING)
    plugin = plugin_of("step", key[0])
    return Change(
        "spec",
        f"spec.steps[{place}]",
        how,
        f"step {key[0]}",
        texts[0],
        texts[1],
        plugin.summary if plugin else "",
        BOTH,
    )


def _options(old: Recipe, new: Recipe, before: int, after: int) -> list[Change]:
    name = new.spec.steps[after].use
    given = (old.spec.steps[before].options, new.spec.steps[after].options)
    locked = (_locked(old, before), _locked(new, after))
    where = f"spec.steps[{after}]"
    return option_changes(where, name, plugin_of("step", name), given, locked)


def option_changes(
    where: str, name: str, plugin: Plugin | None, given: tuple[dict[str, Any], dict[str, Any]],
    locked: tuple[dict[str, Any], dict[str, Any]] = ({}, {}),
) -> list[Change]:  # fmt: skip
    """Options of one plug-in in the old and the new recipe. `locked`: what a lock says of those not written: their
    defaults at that time."""
    known = {one["name"]: one for one in catalog.options(plugin)} if plugin else {}
    keys = dict.fromkeys([*known, *given[0], *given[1], *locked[0], *locked[1]])
    said = []
    for key in keys:
        values = [_value(key, *one, known) for one in zip(given, locked, strict=True)]
        why = known[key]["description"] if key in known else f"{name} does not know this option here."
        texts = [_text(value, key, mine, known) for value, mine in zip(values, given, strict=True)]
        label = f"{key} of {name}"
        if values[0] != values[1]:
            said.append(Change("spec", f"{where}.{key}", "changed", label, texts[0], texts[1], why, BOTH))
        elif (key in given[0]) != (key in given[1]):
            said.append(Change("about", f"{where}.{key}", "changed", label, texts[0], texts[1], WRITTEN))
    return said


def _value(key: str, given: dict[str, Any], locked: dict[str, Any], known: dict[str, Any]) -> Any:
    if key in given:
        return given[key]
    return locked[key] if key in locked else known[key]["default"] if key in known else None


def _text(value: Any, key: str, given: dict[str, Any], known: dict[str, Any]) -> str:
    notes = ["the default"] if key in known and value == known[key]["default"] else []
    notes += [] if key in given or not notes else ["not written"]
    return in_words(value) + (f" ({', '.join(notes)})" if notes else "")


def _locked(recipe: Recipe, place: int) -> dict[str, Any]:
    """What the lock says of a step's options, where it belongs to this spec."""
    lock = recipe.lock
    return dict(lock.steps[place].options) if lock and not recipe.is_edited() and place < len(lock.steps) else {}


def _lock(old: Recipe, new: Recipe, before: int, after: int, said: set[str]) -> list[Change]:
    """The step's version, and what only the locks say of its options. `said`: keys that the specs say already."""
    if not (old.lock and new.lock and before < len(old.lock.steps) and after < len(new.lock.steps)):
        return []
    then, now = old.lock.steps[before], new.lock.steps[after]
    if then.use != now.use:
        return []
    where, found = f"lock.steps[{after}]", []
    if then.version != now.version:
        name = f"version of the step {now.use}"
        versions = str(then.version), str(now.version)
        found.append(Change("environment", f"{where}.version", "changed", name, *versions, VERSION, BOTH))
    keys = [key for key in dict.fromkeys([*then.options, *now.options]) if f"spec.steps[{after}].{key}" not in said]
    return found + [one for key in keys if (one := _built(f"{where}.options.{key}", key, then, now))]


def _built(where: str, key: str, then: LockedStep, now: LockedStep) -> Change | None:
    """An option that the two locks say otherwise; one that an older lock does not name had its default."""
    plugin = plugin_of("step", now.use)
    default = next((one["default"] for one in catalog.options(plugin) if one["name"] == key), None) if plugin else None
    old, new = (options.get(key, default) for options in (then.options, now.options))
    name = f"{key} of {now.use}, as it was built"
    if old != new:
        return Change("spec", where, "changed", name, in_words(old), in_words(new), LOCKED, BOTH)
    if (key in then.options) == (key in now.options):
        return None
    texts = [in_words(old) if key in options else f"{in_words(old)} (the default, not written)"
             for options in (then.options, now.options)]  # fmt: skip
    return Change("about", where, "changed", name, texts[0], texts[1], WRITTEN)


def plugin_of(word: str, name: str) -> Plugin | None:
    """A step or backend; None where it is not known here."""
    try:
        return catalog.step(name) if word == "step" else catalog.backend(name)
    except RequestError:
        return None
