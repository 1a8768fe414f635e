"""A recipe file opened here: what differs from the machine and the packages that it was made with."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from workbench import catalog, environment, machine, target
from workbench.difference import files
from workbench.difference.change import Change, Changes
from workbench.difference.steps import plugin_of
from workbench.machine import Machine
from workbench.plugin import Plugin
from workbench.recipe import Recipe
from workbench.recipe_proof import Environment, Lock, MachineFacts, Runtime
from workbench.version import VERSION

HERE = "this machine"
NOT_INSTALLED = "not installed"
Devices = Callable[[str], Mapping[str, Any]]  # a backend's name -> {device: {"description", "missing"}}


def from_here(recipe: Recipe, devices: Devices, name: str = "") -> Changes:
    """`old` is what the file says, `new` what is here; what is not here at all comes first. Only environment and
    machine are looked at. `devices` is asked about devices other than the CPU."""
    found = machine.this_machine()
    whole = files.between(recipe, _as_here(recipe, found), (name, HERE))
    lacking = [*_plugins(recipe), *_target(recipe, found), *_device(recipe, devices)]
    said = {change.name for change in lacking}
    other = [_installed(change) for change in whole.of_kind("environment") if change.name not in said]
    notes = whole.notes if recipe.lock and recipe.is_edited() else ()
    return replace(
        whole, same=None, notes=notes[:1], changes=(*lacking, *sorted(other, key=lambda one: one.new != NOT_INSTALLED))
    )


def _installed(change: Change) -> Change:
    is_package = change.where.startswith("lock.environment.packages.") and change.how == "removed"
    return replace(change, new=NOT_INSTALLED) if is_package else change


# ---- the recipe as it would be locked here ------------------------------------------------------


def _as_here(recipe: Recipe, found: Machine) -> Recipe:
    if recipe.lock is None:
        return recipe
    lock = recipe.lock
    tool = lock.tool.model_copy(update={"version": VERSION})
    steps = tuple(one.model_copy(update={"version": _version(one.use, one.version)}) for one in lock.steps)
    changed = {"tool": tool, "steps": steps, "environment": _environment(lock, found), "machine": _machine(lock, found),
               "runtime": _runtime(recipe, lock)}  # fmt: skip
    return recipe.model_copy(update={"lock": lock.model_copy(update=changed)})


def _version(step: str, locked: int) -> int:
    return catalog.steps()[step].version if step in catalog.steps() else locked


def _environment(lock: Lock, found: Machine) -> Environment | None:
    if lock.environment is None:
        return None
    packages = environment.versions_of(lock.environment.packages)
    return Environment.model_validate(
        {"python": platform.python_version(), "packages": packages, "os": found.os, "env": environment.variables()}
    )


def _machine(lock: Lock, found: Machine) -> MachineFacts | None:
    """What the lock says nothing of stays unsaid."""
    if lock.machine is None:
        return None
    here = {"class": found.isa, "cpu": found.cpu, "cores": found.cores, "quota": found.quota,
            "memory_gb": round(found.memory_bytes / 1e9, 1), "accelerators": found.accelerators}  # fmt: skip
    said = lock.machine.model_dump(by_alias=True, exclude_none=True)
    return MachineFacts.model_validate({key: value for key, value in here.items() if key in said})


def _runtime(recipe: Recipe, lock: Lock) -> Runtime | None:
    if lock.runtime is None or lock.runtime.threads is None:
        return lock.runtime
    threads = target.resolved(recipe.spec.target, machine.auto_threads()).threads
    return lock.runtime.model_copy(update={"threads": threads})


# ---- what is not here ---------------------------------------------------------------------------


def _plugins(recipe: Recipe) -> list[Change]:
    """Steps and backend that are not known here, and packages of theirs that are not installed."""
    asked = [("backend", recipe.spec.target.backend, "spec.target.backend")]
    asked += [("step", step.use, f"spec.steps[{place}]") for place, step in enumerate(recipe.spec.steps)]
    locked = recipe.lock.environment.packages if recipe.lock and recipe.lock.environment else {}
    said: dict[str, Change] = {}
    for word, name, where in asked:
        plugin = plugin_of(word, name)
        if plugin is None:
            why = f"The package that adds this {word} is not installed here, or it is misspelt."
            said[name] = Change("environment", where, "removed", f"{word} {name}", name, "not known", why)
            continue
        for package in environment.missing(plugin.needs):
            said.setdefault(package, _missing(package, locked.get(package, "needed"), where, f"{word} {name}"))
    return list(said.values())


def _missing(package: str, version: str, where: str, who: str) -> Change:
    why = f"The {who} needs it: pip install {package}"
    return Change("environment", where, "removed", package, version, NOT_INSTALLED, why)


def _target(recipe: Recipe, found: Machine) -> list[Change]:
    said, asked = [], recipe.spec.target
    known = {one.name: one for one in target.targets()}
    lacks = target.lacks(known[asked.machine], found) if asked.machine in known else "no machine class is called so"
    if lacks:
        why = f"{lacks[0].upper()}{lacks[1:].rstrip('.')}."
        said.append(Change("environment", "spec.target.machine", "changed", "machine class asked for", asked.machine,
                           found.isa, why))  # fmt: skip
    if asked.threads != "auto" and asked.threads > machine.auto_threads():
        why = "More threads than cores share them, and wait for each other."
        said.append(Change("environment", "spec.target.threads", "changed", "threads asked for", str(asked.threads),
                           f"cores for {machine.auto_threads()}", why, ("speed",)))  # fmt: skip
    return said


def _device(recipe: Recipe, devices: Devices) -> list[Change]:
    asked = recipe.spec.target
    plugin: Plugin | None = plugin_of("backend", asked.backend)
    if asked.device == "cpu" or plugin is None or environment.missing(plugin.needs):
        return []
    found = devices(asked.backend)
    missing = found[asked.device]["missing"] if asked.device in found else f"It has {', '.join(found) or 'none'}."
    if not missing:
        return []
    return [Change("environment", "spec.target.device", "removed", f"device of {asked.backend}", asked.device,
                   "not present", str(missing))]  # fmt: skip
