"""What a model shall run on: the machine classes there are, what suits each, and the target of one run.

A machine class is a data file in `targets/`. What it says of runtimes and precisions has a source; nothing in it was
measured here.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import Field, model_validator

from workbench.door import checked, did_you_mean
from workbench.errors import RequestError
from workbench.machine import Machine
from workbench.recipe import Recipe
from workbench.recipe_file import read
from workbench.recipe_keys import Device, Keys, Name, TargetKeys, Word, wrong

THIS_MACHINE = "this-machine"


class Source(Keys):
    """Where a statement can be read up: the vendor's or the runtime's own documentation."""

    title: str = Field(min_length=1, description="The document's title.")
    url: str = Field(pattern=r"^https://[^\s]+$", description="Its public address.")

    def __str__(self) -> str:
        return f"{self.title}, {self.url}"


class Suits(Keys):
    """A runtime that suits the class, and in which precisions."""

    runtime: str = Field(min_length=1, description="The runtime, as its makers call it.")
    backend: Word | None = Field(default=None, description="The backend that drives it; none: there is none for it.")
    device: Device = Field(default="cpu", description="The backend's device there.")
    precisions: tuple[Word, ...] = Field(min_length=1, description="Those that pay there, best first.")
    why: str = Field(min_length=1, description="Why, in a sentence or two.")
    source: Source = Field(description="Who says so.")
    recipes: tuple[Name, ...] = Field(default=(), description="On the shelf, best first.")
    lacking: str = Field(default="", description="What the shelf lacks for it, where no recipe is named.")

    @model_validator(mode="after")
    def _complete(self) -> Suits:
        if not self.recipes and not self.lacking:
            raise wrong("A runtime with no recipe says what is lacking.", "Write `lacking`.")
        return self


class Unsuited(Keys):
    """Recipes that nobody should choose there who does not insist."""

    recipes: tuple[Name, ...] = Field(min_length=1, description="On the shelf.")
    why: str = Field(min_length=1, description="Why not, in a sentence or two.")
    source: Source = Field(description="Who says so.")


class MachineClass(Keys):
    """A kind of machine: what one must have to be called that, and what suits it."""

    name: Word = Field(description="The word that a recipe uses.")
    summary: str = Field(min_length=1, description="One sentence for people.")
    architecture: tuple[str, ...] = Field(default=(), description="One of these; none means any.")
    system: str | None = Field(default=None, description="The operating system that it must have.")
    cpu: str | None = Field(default=None, description="A word of the CPU's name that it must have.")
    flags: tuple[str, ...] = Field(default=(), description="Instruction sets that it must have, all of them.")
    accelerator: str | None = Field(default=None, description="Words of the name of an accelerator that it must have.")
    cores: int = Field(default=1, ge=1, description="At least so many cores.")
    memory_gb: float = Field(default=0, ge=0, description="At least so much memory, in GB.")
    never: str = Field(default="", description="Why the workbench itself cannot measure there, if it cannot.")
    devices: tuple[str, ...] = Field(
        default=("cpu",), description="Devices that make sense there, the usual one first; none means any."
    )
    suits: tuple[Suits, ...] = Field(default=(), description="Runtimes and precisions that suit it, best first.")
    unsuited: tuple[Unsuited, ...] = Field(default=(), description="Recipes that are no defaults there.")
    build_here: str = Field(default="", description="What another machine can build for it.")
    measure_there: str = Field(default="", description="What only such a machine can tell.")
    good_to_know: str = Field(default="", description="What this class is good or bad at.")

    def suited(self) -> dict[str, Suits]:
        """Recipe name -> what suits, best first."""
        found: dict[str, Suits] = {}
        for one in self.suits:
            for name in one.recipes:
                found.setdefault(name, one)
        return found


@dataclass(frozen=True)
class Target:
    """Where one model runs. `threads` is a number from 1 on: nothing is left to the runtime."""

    machine: str
    backend: str
    device: str
    threads: int
    options: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))


def resolved(keys: TargetKeys, auto_threads: int) -> Target:
    """The target that a recipe asks for; `auto_threads` is what `threads: auto` stands for on the machine."""
    threads = auto_threads if keys.threads == "auto" else keys.threads
    options = MappingProxyType(dict(keys.options))
    return Target(keys.machine, keys.backend, keys.device, threads, options)


@functools.cache
def _targets() -> tuple[MachineClass, ...]:
    folder = Path(__file__).parent / "targets"
    found = [_read(path) for path in sorted(folder.glob("*.yaml"))]
    return tuple(sorted(found, key=lambda each: (each.name != THIS_MACHINE, each.name)))


def _read(path: Path) -> MachineClass:
    data, lines = read(path)
    return checked(MachineClass, data, lines, path.name)


def targets() -> list[MachineClass]:
    """Every machine class; this machine is the first."""
    return list(_targets())


def find_target(name: str) -> MachineClass:
    """The machine class of that name; RequestError with the nearest name."""
    known = {each.name: each for each in _targets()}
    if name in known:
        return known[name]
    what = f"There is no target called `{name}`."
    raise RequestError(what, did_you_mean(name, known), f"Known: {', '.join(known)}.")


# ---- a machine, and a class ---------------------------------------------------------------------


def lacks(wanted: MachineClass, here: Machine) -> str:
    """What this machine lacks to be of a class, or ""."""
    if wanted.never:
        return wanted.never
    if wanted.architecture and here.architecture not in wanted.architecture:
        return f"this machine is {here.architecture}, not {wanted.architecture[0]}"
    if wanted.system and not here.os.startswith(wanted.system):
        return f"this machine runs {here.os.split()[0]}, not {wanted.system}"
    if wanted.cpu and not _called(wanted.cpu, here.cpu):
        return f"its CPU is no {wanted.cpu}"
    if lacking := [flag for flag in wanted.flags if not here.has(flag)]:
        return f"this CPU has no {', '.join(lacking)}"
    if wanted.accelerator and not any(_called(wanted.accelerator, name) for name in here.accelerators):
        return f"no accelerator called {wanted.accelerator} was found here"
    if here.cores < wanted.cores or here.memory_bytes < wanted.memory_gb * 1e9:
        return f"it wants {wanted.cores} cores and {wanted.memory_gb:g} GB"
    return ""


def classes_of(here: Machine) -> list[MachineClass]:
    """The machine classes that this machine is one of, the narrowest first: the one that asks for most."""
    found = [one for one in targets() if one.name != THIS_MACHINE and not lacks(one, here)]
    return sorted(found, key=lambda one: -len([*one.flags, *(one.accelerator or "").split(), *(one.cpu or "").split()]))


def _called(words: str, name: str) -> bool:
    """All of the words are words of the name: an L40S is no L4."""
    return all(re.search(rf"\b{re.escape(word)}\b", name, re.IGNORECASE) for word in words.split())


def like(wanted: MachineClass, here: Machine) -> Machine:
    """This machine as it would be if it were of the class, as far as its instruction sets go."""
    if wanted.name == THIS_MACHINE or not lacks(wanted, here):
        return here
    return replace(here, architecture=(*wanted.architecture, here.architecture)[0], flags=wanted.flags)


# ---- a recipe, and a class ----------------------------------------------------------------------


def unsuited(wanted: MachineClass, recipe: Recipe) -> str:
    """Why nobody should choose a recipe for a class who does not insist, or ""."""
    for one in wanted.unsuited:
        if recipe.name in one.recipes:
            return f"It does not suit {wanted.name}. {one.why} ({one.source})"
    device = recipe.spec.target.device.partition(":")[0]
    if wanted.devices and device not in wanted.devices:
        return f"It runs on {device}, and {wanted.name} is chosen for {' or '.join(wanted.devices)}."
    return ""


def place(wanted: MachineClass, recipe: Recipe) -> int:
    """0 for the recipe that suits a class best; those that its file does not name come last."""
    order = list(wanted.suited())
    return order.index(recipe.name) if recipe.name in order else len(order)
