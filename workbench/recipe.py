"""A recipe: what a person asks for (`spec`), what it was resolved to (`lock`), what was measured (`expect`).

A recipe file is read once, at the door; from then on it is frozen. Who a recipe is depends on the
spec and on the model, data and steps that it was resolved to, never on a machine or a result.
"""

from __future__ import annotations

import functools
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, Field

from workbench.artifact import sha256_of
from workbench.card import Card
from workbench.door import checked, did_you_mean, refuse_unsafe, shown
from workbench.errors import RequestError, WorkbenchError
from workbench.recipe_file import KeyPath, Lines, read, write
from workbench.recipe_keys import Goal, Keys, Name, Shelf, Spec
from workbench.recipe_proof import Expect, Identity, Lock

VERSION = 1
SCHEMA: Literal["workbench/recipe@1"] = "workbench/recipe@1"
COMMENTS = {
    "lock": "Written by the workbench: what the spec was resolved to. It is checked when this is run again.",
    "expect": "What was measured, and how surely. `workbench verify` checks which of it still holds.",
}

# from a version -> what turns its plain data into the next version's
MIGRATIONS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}


class Recipe(Keys):
    schema_: Literal["workbench/recipe@1"] = Field(
        default=SCHEMA, alias="schema", description="The version of this format."
    )
    name: Name = Field(description="A short name, also used for files.")
    summary: str = Field(default="", description="One or two sentences for people.")
    shelf: Shelf | None = Field(default=None, description="On the shelf only: who should pick this, and when.")
    spec: Spec = Field(description="What a person asks for; may be edited.")
    lock: Lock | None = Field(default=None, description="What the spec was resolved to; written by the workbench.")
    expect: Expect | None = Field(default=None, description="What was measured; written by the workbench.")
    stated: Identity | None = Field(
        default=None, alias="identity", description="Who this recipe was when it was written."
    )

    def spec_sha256(self) -> str:
        """Over the spec with every default written out."""
        return sha256_of(_plain(self.spec))

    def identity(self) -> str:
        """sha256 over canonical JSON of spec + lock.{model, data, steps}: not machine, environment or results."""
        lock = _plain(self.lock) if self.lock else {}
        pinned = {key: lock[key] for key in ("model", "data", "steps") if key in lock}
        return sha256_of({"spec": _plain(self.spec), "lock": pinned})

    def is_edited(self) -> bool:
        """The spec is not the one that the lock was made for, or the file is not who it says it is."""
        other_spec = self.lock is not None and self.lock.spec_sha256 != self.spec_sha256()
        return other_spec or (self.stated is not None and self.stated.recipe != self.identity())

    def sealed(self) -> Self:
        """The same recipe that states its identity, as the workbench writes it."""
        return self.model_copy(update={"stated": Identity(recipe=self.identity())})

    def to_dict(self) -> dict[str, Any]:
        """Plain data in the order of the manual, every default written out."""
        return _plain(self)

    def to_yaml(self) -> str:
        """The file. A recipe with a lock says every default; without one it is short, as a person writes it."""
        data = self.to_dict() if self.lock else {**self.to_dict(), "spec": self._short_spec()}
        return write({key: value for key, value in data.items() if value != ""}, COMMENTS)

    def with_step(self, use: str, name: str = "", **options: Any) -> Recipe:
        """The same with other options of the step `use`, under a new name if one is given; what was proven is left
        out. Raises RequestError for a step that is not there."""
        steps = [step["use"] for step in self.to_dict()["spec"]["steps"]]
        if use not in steps:
            what = f"`{self.name}` has no step `{use}`."
            raise RequestError(what, did_you_mean(use, steps), f"Known: {', '.join(steps) or 'none'}.")
        said = self.to_dict()["spec"]
        said["steps"] = [step | options if step["use"] == use else step for step in said["steps"]]
        return self._with_spec(said, name)

    def with_backend(self, name: str = "", **options: Any) -> Recipe:
        """The same with other options of its backend, as `with_step`."""
        said = self.to_dict()["spec"]
        said["target"] = said["target"] | {"options": said["target"]["options"] | options}
        return self._with_spec(said, name)

    def with_measure(self, name: str = "", **keys: Any) -> Recipe:
        """The same measured otherwise (recipes/README.md names the keys), as `with_step`."""
        said = self.to_dict()["spec"]
        return self._with_spec(said | {"measure": said["measure"] | keys}, name)

    def _with_spec(self, spec: dict[str, Any], name: str) -> Recipe:
        kept = {key: value for key, value in self.to_dict().items() if key in ("schema", "summary", "shelf")}
        return from_dict(kept | {"name": name or self.name, "spec": spec})

    def __repr__(self) -> str:
        return f"<recipe {self.name}: {self._way()}>"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return self._card().bundle()

    def _card(self) -> Card:
        target, lock, expect = self.spec.target, self.lock, self.expect
        said = {"steps": self._way(), "runs on": f"{target.backend}, {target.device}"}
        if self.spec.model:
            said["model"] = self.spec.model.id
        proof = f"{'pins' if lock else ''}{' and ' if lock and expect else ''}{'promises' if expect else ''}"
        notes = [f"This file {proof} what it was measured with."] if proof else []
        return Card(self.name, self.summary, said, notes=notes)

    def _way(self) -> str:
        """Its steps in order, then the backend."""
        return " > ".join([*(step.use for step in self.spec.steps), self.spec.target.backend])

    def _short_spec(self) -> dict[str, Any]:
        spec = _plain(self.spec, short=True) | _plain(self.spec, only={"target", "steps"})
        return {key: spec[key] for key in Spec.model_fields if key in spec}

    def save(self, path: Path | str) -> Path:
        """Write the file whole or not at all; raises WorkbenchError when it cannot be written."""
        path = Path(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _write_aside(path, self.to_yaml())
        except OSError as error:
            raise WorkbenchError(f"{path.name} could not be written.", f"{error.strerror or error}.") from error
        return path


def _plain(model: BaseModel, short: bool = False, only: set[str] | None = None) -> dict[str, Any]:
    return model.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=short, include=only)


def _write_aside(path: Path, text: str) -> None:
    handle, aside = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(aside, 0o644)
        os.replace(aside, path)
    except BaseException:
        Path(aside).unlink(missing_ok=True)
        raise


# ---- in -----------------------------------------------------------------------------------------


def load(source: Path | str) -> Recipe:
    """A recipe from a file, or from YAML text (a str with more than one line). Raises RequestError."""
    if isinstance(source, str) and "\n" not in source:
        source = Path(source)
    name = source.name if isinstance(source, Path) else "The text"
    data, lines = read(source, name)
    return from_dict(data, lines, name)


def from_dict(data: Any, lines: Lines | None = None, name: str = "The recipe") -> Recipe:
    """Plain data as a recipe: schema, safety, then every key. Raises RequestError naming key and line."""
    data = _migrated(data, name)
    refuse_unsafe(data, lines)
    return checked(Recipe, data, lines)


def _migrated(data: Any, name: str) -> dict[str, Any]:
    """The data in this version's form."""
    if not isinstance(data, Mapping) or not ({"schema", "spec"} & set(data)):
        raise RequestError(
            f"{name} is not a recipe.", f"A recipe begins with `schema: {SCHEMA}`.", "Give a recipe file."
        )
    said = re.fullmatch(r"workbench/recipe@([0-9]{1,6})", str(data.get("schema", "")))
    if not said:
        why = f"Its `schema` is {data['schema']!r}." if "schema" in data else "It does not say its `schema`."
        raise RequestError(
            f"{name} is not a recipe that can be read.", why, f"Its first line should be `schema: {SCHEMA}`."
        )
    version, data = int(said[1]), dict(data)
    if version > VERSION:
        why = f"It is written as {data['schema']}, and this workbench reads up to {SCHEMA}."
        raise RequestError(f"{name} needs a newer workbench.", why, "Update the workbench.")
    while version < VERSION:
        if version not in MIGRATIONS:
            raise RequestError(
                f"{name} is too old.", f"Nothing turns {data['schema']} into {SCHEMA}.", "Write it anew."
            )
        data, version = MIGRATIONS[version](data), version + 1
    return {**data, "schema": SCHEMA}


# ---- what changed -------------------------------------------------------------------------------


def differences(a: Recipe, b: Recipe) -> list[tuple[str, Any, Any]]:
    """[(path, value in a, value in b)] in the order of the manual; None where there is none."""
    old, new = dict(_leaves(a.to_dict(), ())), dict(_leaves(b.to_dict(), ()))
    return [(shown(path), old.get(path), new.get(path)) for path in different_keys(a, b)]


def different_keys(a: Recipe, b: Recipe) -> list[KeyPath]:
    """Where two recipes differ, in the order of the manual."""
    old, new = dict(_leaves(a.to_dict(), ())), dict(_leaves(b.to_dict(), ()))
    return [path for path in (old | new) if old.get(path) != new.get(path)]


def _leaves(value: Any, path: KeyPath) -> Iterator[tuple[KeyPath, Any]]:
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    if not inside:
        yield path, value
    for key, inner in inside:
        yield from _leaves(inner, (*path, key))


# ---- the shelf ----------------------------------------------------------------------------------


def shelf_folder() -> Path:
    """Where the shelf is: inside the installed package, else beside it in a checkout."""
    here = Path(__file__).parent
    return installed if (installed := here / "_recipes").is_dir() else here.parent / "recipes"


@functools.cache
def _shelf() -> dict[str, Recipe]:
    found = {path.stem: load(path) for path in shelf_folder().glob("*.yaml")}
    return {name: found[name] for name in sorted(found, key=lambda name: (name != Goal().baseline, name))}


def shelf() -> dict[str, Recipe]:
    """Every recipe on the shelf by its name; the usual baseline is the first."""
    return dict(_shelf())


def shelf_for(task: str) -> list[Recipe]:
    """What the shelf offers for a task, the usual baseline first."""
    return [one for one in shelf().values() if one.shelf and task in one.shelf.tasks]


def find_recipe(name_or_path: str | Path) -> Recipe:
    """A recipe from the shelf by name, or from a file. Raises RequestError with the nearest name."""
    if isinstance(name_or_path, Path) or re.search(r"[/\\]|\.(ya?ml|json)$", name_or_path, re.IGNORECASE):
        return load(Path(name_or_path))
    return on_shelf(name_or_path, "; or give a file")


def on_shelf(name: str, otherwise: str = "") -> Recipe:
    """A recipe of the shelf by name; no file is looked for. Raises RequestError with the nearest name."""
    if found := _shelf().get(name):
        return found
    what = f"There is no recipe called `{name}`."
    raise RequestError(what, did_you_mean(name, _shelf()), f"Known: {', '.join(_shelf())}{otherwise}.")
