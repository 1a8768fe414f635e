"""What there is, as plain facts: tasks, backends, targets and this machine, with what cannot run here and why.

Nothing heavy is imported: devices are asked by whoever calls, in a worker.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from workbench import catalog, environment, machine, recipe
from workbench import target as target_room
from workbench.errors import RequestError, WorkbenchError
from workbench.plugin import Backend, Plugin, Task
from workbench.recipe import Recipe
from workbench.recipe_keys import Goal
from workbench.target import MachineClass

Facts = dict[str, Any]


# ---- tasks --------------------------------------------------------------------------------------


def tasks() -> list[Facts]:
    """Those there are, then those that are known of and not there, with the reason in "missing"."""
    missing = [{"name": name, "missing": reason} for name, reason in catalog.missing_tasks().items()]
    return [_task(one) for one in catalog.tasks().values()] + missing


def _task(task: Task) -> Facts:
    metrics = [{"name": one.name, "unit": one.unit, "better": one.better} for one in task.metrics]
    return {
        "name": task.name, "summary": task.summary, "metric": task.metrics[0].name, "metrics": metrics,
        "columns": {field: list(names) for field, names in task.columns.items()},
        "inputs": [list(fields) for fields in task.inputs], "target": task.target, "default_data": task.default_data,
        "pipeline": task.name in environment.pipeline_tasks(), "asks": [one.__name__ for one in task.asks],
        "backends": {name: catalog.gap(task, backend) for name, backend in catalog.backends().items()},
        "partly": {name: some for name, backend in catalog.backends().items()
                    if (some := catalog.partial_gap(task, backend))},
        "recipes": [one.name for one in recipe.shelf_for(task.name)],
    }  # fmt: skip


# ---- backends -----------------------------------------------------------------------------------


def backends(devices: Callable[[str], Facts]) -> dict[str, Facts]:
    """`devices` asks one backend, by its name, for {device: {"description", "missing"}}."""
    return {name: _backend(backend, devices) for name, backend in catalog.backends().items()}


def _backend(backend: Backend, devices: Callable[[str], Facts]) -> Facts:
    lacking = environment.missing(backend.needs)
    return {
        "summary": backend.summary, "reads": list(backend.reads),
        "promises": [one.__name__ for one in backend.promises],
        "missing": f"pip install {' '.join(lacking)}" if lacking else "",
        "packages": environment.versions_of(backend.needs),
        "devices": {} if lacking else devices(backend.name), "options": catalog.options(backend),
        "recipes": {name: _no_default(one, backend) for name, one in recipe.shelf().items()
                    if one.spec.target.backend == backend.name},
        "tasks": {name: catalog.gap(task, backend) for name, task in catalog.tasks().items()},
    }  # fmt: skip


def _no_default(asked: Recipe, backend: Backend) -> str:
    """Why nobody should choose the recipe here who does not insist, or ""."""
    target = asked.spec.target
    try:
        options = catalog.options_of(backend, target.options, f"The recipe {asked.name}")
    except RequestError as error:  # of a package's recipe; ours are tested
        return str(error)
    return backend.unsuited(target.device, options, machine.this_machine())


# ---- recipes ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Offered:
    """A recipe of the shelf for somebody who chooses. `missing`: why it cannot run here; `unsuited`: why nobody should
    take it who does not insist; `default`: it is taken when none is named; `origin`: the package that brings it, "" for
    the workbench's own."""

    recipe: Recipe
    missing: str
    unsuited: str
    default: bool
    origin: str = ""


def offered(task: str, wanted: MachineClass | None, devices: Callable[[str], Facts]) -> list[Offered]:
    """The shelf for a task and a machine class, the usual baseline first and always, then what suits the class best.
    `devices` as in `backends`; it is asked, of several at once, only where a recipe runs on another device than the
    CPU."""
    wanted = wanted or target_room.find_target(target_room.THIS_MACHINE)
    here = machine.this_machine()
    there = target_room.like(wanted, here)
    shelf = recipe.shelf_for(task) if task else list(recipe.shelf().values())
    base = recipe.on_shelf(Goal().baseline)
    shelf += [base] if base not in shelf else []  # it is measured with any task
    able = [one for one in shelf if there == here and not missing_for(one)]  # a package may name a backend nobody has
    asked = {one.spec.target.backend for one in able if one.spec.target.device != "cpu"}

    def answer(backend: str) -> Facts | WorkbenchError:
        try:
            return devices(backend)
        except WorkbenchError as error:  # a runtime that cannot start costs its own recipes alone
            return error

    with ThreadPoolExecutor() as pool:
        known = dict(zip(asked, pool.map(answer, asked), strict=True))
    found = [_offered(one, wanted, there, known) for one in shelf]
    return sorted(found, key=lambda one: (one.recipe.name != base.name, target_room.place(wanted, one.recipe)))


def _offered(
    one: Recipe, wanted: MachineClass, there: machine.Machine, devices: dict[str, Facts | WorkbenchError]
) -> Offered:
    """`devices` by backend, of this machine; where it is another one's turn, they are over there."""
    missing, unsuited = missing_for(one), target_room.unsuited(wanted, one)
    if not missing:
        missing = _no_device(one, devices)
    if not missing and not unsuited:
        device = one.spec.target.device
        said = (plugin.unsuited(device, options, there) for plugin, options in _plugins(one))
        unsuited = next((str(why) for why in said if why), "")
    first = bool(one.shelf and one.shelf.first_choice) or one.name in wanted.suited()
    return Offered(one, missing, unsuited, first and not missing and not unsuited, recipe.origin(one.name))


def _no_device(one: Recipe, devices: dict[str, Facts | WorkbenchError]) -> str:
    wanted, backend = one.spec.target.device, one.spec.target.backend
    if wanted == "cpu" or backend not in devices:
        return ""
    found = devices[backend]
    if isinstance(found, WorkbenchError):
        return f"{backend} could not be asked for its devices: {found.what}"
    if wanted not in found:
        return f"there is no device called {wanted} here; {backend} has {', '.join(found)}"
    return str(found[wanted]["missing"])


def missing_for(one: Recipe) -> str:
    """Why a recipe cannot run here, or ""."""
    try:
        plugins = [plugin for plugin, _ in _plugins(one)]
    except RequestError as error:
        return str(error)
    lacking = environment.missing(sorted({package for plugin in plugins for package in plugin.needs}))
    return f"needs {', '.join(lacking)}: pip install {' '.join(lacking)}" if lacking else ""


def _plugins(one: Recipe) -> list[tuple[Any, Any]]:
    """(step or backend, its options) in order. Raises RequestError for one that is not there."""
    where, target = f"The recipe {one.name}", one.spec.target
    named: list[tuple[Plugin, dict[str, Any]]] = [(catalog.step(step.use), step.options) for step in one.spec.steps]
    named.append((catalog.backend(target.backend), dict(target.options)))
    return [(plugin, catalog.options_of(plugin, given, where)) for plugin, given in named]


# ---- targets ------------------------------------------------------------------------------------


def targets() -> list[Facts]:
    return [target(one) for one in target_room.targets()]


def target(wanted: MachineClass) -> Facts:
    """What the class's file says, "missing": what this machine lacks to be one, "recipes": best first, "lacking":
    what the shelf has not, and for this machine itself "machine": its facts."""
    said = wanted.model_dump(mode="json")
    said |= {"missing": target_room.lacks(wanted, machine.this_machine()), "recipes": list(wanted.suited()),
             "lacking": [one.lacking for one in wanted.suits if one.lacking]}  # fmt: skip
    return said | ({"machine": here()} if wanted.name == target_room.THIS_MACHINE else {})


def here() -> Facts:
    """This machine in detail: its facts, threads, what it computes natively, and the runtimes that are installed."""
    found = machine.this_machine()
    needs = {package for backend in catalog.backends().values() for package in backend.needs}
    return found.to_dict() | {
        "threads": machine.auto_threads(), "instruction_sets": found.instruction_sets,
        "native": {precision: found.computes(precision) for precision in machine.NATIVE},
        "runtimes": environment.versions_of(needs), "is": [one.name for one in target_room.classes_of(found)],
    }  # fmt: skip
