"""What a model shall run on: the machine classes there are, and the target of one run.

A machine class is a data file in `targets/`; whether a machine fits one is for planning to say.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import Field

from workbench.door import checked, did_you_mean
from workbench.errors import RequestError
from workbench.recipe_file import read
from workbench.recipe_keys import Keys, TargetKeys, Word


class MachineClass(Keys):
    """A kind of machine, and what one must have to be called that."""

    name: Word = Field(description="The word that a recipe uses.")
    summary: str = Field(min_length=1, description="One sentence for people.")
    architecture: tuple[str, ...] = Field(default=(), description="One of these; none means any.")
    flags: tuple[str, ...] = Field(default=(), description="Instruction sets that it must have, all of them.")
    accelerator: str | None = Field(default=None, description="A part of the name of an accelerator that it must have.")
    cores: int = Field(default=1, ge=1, description="At least so many cores.")
    memory_gb: float = Field(default=0, ge=0, description="At least so much memory, in GB.")
    devices: tuple[str, ...] = Field(
        default=("cpu",), description="Devices that make sense there, the usual one first."
    )
    good_to_know: str = Field(default="", description="What this class is good or bad at.")


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
    return tuple(sorted(found, key=lambda each: (each.name != "this-machine", each.name)))


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
