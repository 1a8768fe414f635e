"""Two recipe files -> what changed between them. Every key that differs is said, or follows from one that is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from workbench import replay
from workbench.difference import measured, steps, written
from workbench.difference.change import KINDS, Change, Changes, Effect, How
from workbench.difference.topics import ACCURACY, BOTH, TOPICS, Topic, topic_of
from workbench.door import field_at, shown
from workbench.recipe import Recipe, different_keys
from workbench.recipe_file import KeyPath

WHY = {  # where the key's own description does not say why it matters
    "baseline": "Every speed-up and every accuracy change is against it.",
    "lock": "Without a lock nothing says what the recipe was resolved to: rows, versions and machine are not known.",
    "what was measured": "Without it there is nothing to compare what is measured now with.",
    "machine class": "Other instruction sets run other kernels: they differ in speed, and round differently.",
    "workbench": "Another version may build and measure in another way.",
    "name": "Files and rows are called by it; nothing else depends on it.",
    "summary": "It is for people; nothing depends on it.",
}
NAMES = {"select": "selection", "fields": "columns", "optimize": "what shall be best"}
PACKAGE = "Other versions build, run and round in other ways."
VARIABLE = "It changes numbers or speed."
SAME_INPUTS = "Its inputs are the same, the rest of it (labels among it) is not."
OTHER_ROWS = "Other rows have other lengths and other answers."
EVALUATION, CALIBRATION = ("lock", "data", "evaluation"), ("lock", "data", "calibration")
STEPS, OPTIONS = ("spec", "steps"), ("spec", "target", "options")
APART = (STEPS, ("lock", "steps"), OPTIONS, ("expect", "speed"), ("expect", "accuracy"), ("expect", "artifacts"))
Document = dict[str, Any]


def between(old: Recipe, new: Recipe, names: tuple[str, str] = ("", "")) -> Changes:
    """`names`: what the two are called, for people."""
    found = [*_keys(old, new), *steps.between(old, new), *_backend_options(old, new), *measured.between(old, new)]
    labels = (names[0] or old.name, names[1] or new.name)
    return Changes(
        *labels, old.identity() == new.identity(), tuple(sorted(found, key=_place)), _notes(old, new, labels)
    )


def _place(change: Change) -> tuple[int, int]:
    """Kinds in their order, then topics in theirs; what stands apart comes where its topic does."""
    order = next((number for number, topic in enumerate(TOPICS) if _begins(change.where, topic)), len(TOPICS))
    return list(KINDS).index(change.kind), order


def _begins(where: str, topic: Topic) -> bool:
    path = ".".join(map(str, topic.path))
    return where == path or where.startswith((f"{path}.", f"{path}["))


def _notes(old: Recipe, new: Recipe, names: tuple[str, str]) -> tuple[str, ...]:
    edited = [name for recipe, name in zip((old, new), names, strict=True) if recipe.lock and recipe.is_edited()]
    return tuple(
        f"{name} was edited since it was written: what it was resolved to and measured at belongs to another spec."
        for name in edited
    )


# ---- keys ---------------------------------------------------------------------------------------


def _keys(old: Recipe, new: Recipe) -> list[Change]:
    before, after = old.to_dict(), new.to_dict()
    groups: dict[tuple[str, str], tuple[Topic, KeyPath]] = {}
    for path in different_keys(old, new):
        cut = _cut(path, before, after)
        topic = topic_of(cut)
        if topic is None or any(cut[: len(one)] == one for one in APART):
            continue
        whole = cut[: len(topic.path) + topic.depth]
        name = topic.name if topic.name and len(whole) == len(topic.path) else _name(topic, whole)
        groups.setdefault((topic.kind, name), (topic, whole))
    changes = [_change(old, new, *found, name) for (_, name), found in groups.items()]
    return [one for one in changes if one.kind != "expectations" or one.old != one.new]  # the same as people read it


def _cut(path: KeyPath, before: Document, after: Document) -> KeyPath:
    """The key that one side lacks altogether, where there is one: a section is missing as a whole."""
    for end in range(1, len(path)):
        if (_at(before, path[:end]) is None) != (_at(after, path[:end]) is None):
            return path[:end]
    return path


def _at(document: Document, path: KeyPath) -> Any:
    found: Any = document
    for part in path:
        if isinstance(found, Mapping):
            found = found.get(part)  # type: ignore[call-overload]
        elif isinstance(found, list) and isinstance(part, int) and part < len(found):
            found = found[part]
        else:
            return None
    return found


def _name(topic: Topic, path: KeyPath) -> str:
    last = NAMES.get(str(path[-1]), str(path[-1]))
    if topic.path[-1] in ("packages", "env"):
        return last
    return f"{topic.name}: {last.replace('_', ' ')}" if topic.name else last.replace("_", " ")


def _change(old: Recipe, new: Recipe, topic: Topic, path: KeyPath, name: str) -> Change:
    values = _at(old.to_dict(), path), _at(new.to_dict(), path)
    how: How = "added" if values[0] is None else "removed" if values[1] is None else "changed"
    texts = [_text(path, value) for value in values]
    why, explains = _why(topic, path, name), topic.explains
    if path == ("lock", "model") and old.lock and new.lock:
        why = " ".join(replay.files_changes(old, [file.model_dump() for file in new.lock.model.files]))
    if path in (EVALUATION, CALIBRATION) and how == "changed":
        why, explains = _of_rows(*values)
        texts = [f"{text}, content {written.content(value)}" if explains == ACCURACY else text
                 for text, value in zip(texts, values, strict=True)]  # fmt: skip
    return Change(topic.kind, shown(path), how, name, texts[0], texts[1], why, explains)


def _of_rows(old: Any, new: Any) -> tuple[str, tuple[Effect, ...]]:
    """Why two sets of locked rows differ, and what that can explain."""
    if old["rows"] != new["rows"]:
        return OTHER_ROWS, BOTH
    return SAME_INPUTS, ACCURACY


def _text(path: KeyPath, value: Any) -> str:
    if path[:-1] == ("lock", "environment", "packages") and value is None:
        return "not there"
    said = written.text(path, value)
    return f"{said} (the default)" if path[0] == "spec" and value is not None and value == _default(path) else said


def _default(path: KeyPath) -> Any:
    """Of a key of the spec, as the file would write it; None where it has none."""
    field = field_at(Recipe, path)
    default = field.get_default() if field and not field.is_required() else None
    if isinstance(default, tuple):
        return [one.model_dump(mode="json", exclude_none=True) if isinstance(one, BaseModel) else one
                for one in default]  # fmt: skip
    return None if isinstance(default, BaseModel | dict) else default


def _why(topic: Topic, path: KeyPath, name: str) -> str:
    if name in WHY:
        return WHY[name]
    if topic.path[-1] == "packages":
        return PACKAGE
    if topic.path[-1] == "env":
        return VARIABLE
    ends = range(len(path), 0, -1)
    return next((field.description or "" for end in ends if (field := field_at(Recipe, path[:end]))), "")


def _backend_options(old: Recipe, new: Recipe) -> list[Change]:
    name = new.spec.target.backend
    given = (dict(old.spec.target.options), dict(new.spec.target.options))
    plugin = steps.plugin_of("backend", name)
    if old.spec.target.backend == name:
        return steps.option_changes("spec.target.options", name, plugin, given)
    said = [key for key in {**given[0], **given[1]} if given[0].get(key) != given[1].get(key)]
    both = f"{old.spec.target.backend} and {name} have options of their own."
    texts = [tuple(written.text(OPTIONS, one.get(key)) for one in given) for key in said]
    return [
        Change("spec", f"spec.target.options.{key}", "changed", f"{key} of the backend", text[0], text[1], both, BOTH)
        for key, text in zip(said, texts, strict=True)
    ]
