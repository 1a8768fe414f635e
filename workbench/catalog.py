"""Which plug-ins there are: one tuple a folder, and what other people's packages register."""

from __future__ import annotations

import difflib
import functools
import importlib.metadata
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

from workbench import backends as backends_room
from workbench import probes as probes_room
from workbench import report as report_room
from workbench import steps as steps_room
from workbench import tasks as tasks_room
from workbench.errors import RequestError
from workbench.plugin import Backend, Plugin, Probe, Renderer, Step, Task


@functools.cache
def _plugins(kind: str) -> dict[str, Plugin]:
    """Ours first; entry points of the group `workbench.<kind>` add to them and replace none."""
    own: dict[str, Iterable[type[Plugin]]] = {
        "backends": backends_room.BACKENDS,
        "probes": probes_room.PROBES,
        "renderers": report_room.RENDERERS,
        "steps": steps_room.STEPS,
        "tasks": tasks_room.TASKS,
    }
    found: dict[str, Plugin] = {cls.name: cls() for cls in own[kind]}
    for entry in importlib.metadata.entry_points(group=f"workbench.{kind}"):
        cls = entry.load()
        found.setdefault(cls.name, cls())
    return found


def _one(kind: str, word: str, name: str) -> Plugin:
    known = _plugins(kind)
    if name in known:
        return known[name]
    if kind == "tasks" and (reason := missing_tasks().get(name)):
        raise RequestError(f"{name} is not there yet.", reason, f"There is {', '.join(sorted(known))}.")
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"Did you mean {near[0]!r}?" if near else "Take one of these, or install the package that adds it."
    raise RequestError(f"There is no {word} called {name!r}.", f"Known: {', '.join(sorted(known))}.", hint)


def backends() -> dict[str, Backend]:
    return cast(dict[str, Backend], _plugins("backends"))


def steps() -> dict[str, Step]:
    return cast(dict[str, Step], _plugins("steps"))


def tasks() -> dict[str, Task]:
    return cast(dict[str, Task], _plugins("tasks"))


def probes() -> dict[str, Probe]:
    return cast(dict[str, Probe], _plugins("probes"))


def renderers() -> dict[str, Renderer]:
    return cast(dict[str, Renderer], _plugins("renderers"))


def backend(name: str) -> Backend:
    """Raises RequestError that names the known ones."""
    return cast(Backend, _one("backends", "backend", name))


def step(name: str) -> Step:
    return cast(Step, _one("steps", "step", name))


def task(name: str) -> Task:
    return cast(Task, _one("tasks", "task", name))


def probe(name: str) -> Probe:
    return cast(Probe, _one("probes", "probe", name))


def renderer(name: str) -> Renderer:
    return cast(Renderer, _one("renderers", "report format", name))


@functools.cache
def _listed_gaps() -> list[dict[str, str]]:
    """[{"task", "backend", "with", "reason"}] as gaps.yaml has them, "" for what one does not say."""
    import yaml

    listed = yaml.safe_load(Path(__file__).with_name("gaps.yaml").read_text(encoding="utf-8"))
    return [{"backend": "", "with": "", **one} for one in listed]


@functools.cache
def _known_gaps() -> dict[tuple[str, str], str]:
    """(task, backend) -> reason, of all models; ("object-detection", "") is a task that no backend does."""
    return {(one["task"], one["backend"]): one["reason"] for one in _listed_gaps() if not one["with"]}


def missing_tasks() -> dict[str, str]:
    """Tasks that are known of and not there, with the reason."""
    return {task: reason for (task, backend), reason in _known_gaps().items() if not backend}


def gap(task: Task, backend: Backend, config: Mapping[str, Any] | None = None) -> str:
    """Why this backend cannot do this task, or "": a promise that the task asks for, with this model where its
    config.json is given, and its sessions do not keep, or what gaps.yaml lists."""
    asked = task.asks if config is None else task.asks_for(config)
    lacking = [_in_words(one) for one in asked if one not in backend.promises]
    if lacking:
        return f"{task.name} needs a session that {' and that '.join(lacking)}; those of {backend.name} do not."
    partly = (one["reason"] for one in _partial_gaps(task, backend) if config is not None and one["with"] in config)
    return _known_gaps().get((task.name, backend.name)) or next(partly, "")


def partial_gap(task: Task, backend: Backend) -> str:
    """Which models this backend cannot do this task with, though it can with others, and why, or ""."""
    return " ".join(one["reason"] for one in _partial_gaps(task, backend))


def _partial_gaps(task: Task, backend: Backend) -> list[dict[str, str]]:
    return [one for one in _listed_gaps() if one["with"] and (one["task"], one["backend"]) == (task.name, backend.name)]


def _in_words(promise: type) -> str:
    """`writes, greedily and with a cache …`: a promise as its own first line says it, "A session that …"."""
    return (promise.__doc__ or promise.__name__).strip().splitlines()[0].removeprefix("A session that ").rstrip(".")


def devices(job: dict[str, Any], channel: Any) -> dict[str, Any]:
    """{device: {"description", "missing"}} of job["backend"], asked of the installed build: run it in a worker."""
    found = backend(job["backend"]).devices()
    return {device.name: {"description": device.description, "missing": device.missing} for device in found}


def options(plugin: Plugin) -> list[dict[str, Any]]:
    """Every option of a plug-in, for the lists, the manual and the form: {"name", "type" in words, "default",
    "description", "search": the values worth searching, "changes": "speed" or "values" alone, "pays_for": what it is
    worth it for, "" for anything}."""
    schema = plugin.Options.model_json_schema()
    kinds = schema.get("$defs", {})
    plain = plugin.Options.model_construct().model_dump(mode="json", warnings=False)
    return [
        {"name": name, "type": _type(said, kinds), "default": plain.get(name),
         "description": said.get("description", ""), "search": said.get("search", []),
         "changes": said.get("changes", "speed"), "pays_for": said.get("pays_for", "")}
        for name, said in schema.get("properties", {}).items()
    ]  # fmt: skip


TYPES = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false",
         "object": "mapping", "null": "empty"}  # fmt: skip


def _type(said: dict[str, Any], kinds: dict[str, Any]) -> str:
    """JSON Schema in words: "whole number from 1 on, or empty"."""
    if "$ref" in said:
        said = kinds[said["$ref"].rsplit("/", 1)[-1]]
    if choices := said.get("anyOf") or said.get("allOf"):
        return ", or ".join(_type(one, kinds) for one in choices)
    if values := said.get("enum") or [said[key] for key in ("const",) if key in said]:
        return " / ".join(f"`{value}`" for value in values)
    if said.get("type") == "array":
        return f"list of {_type(said.get('items', {}), kinds)}"
    return TYPES.get(said.get("type", ""), "any value") + _bounds(said)


def _bounds(said: dict[str, Any]) -> str:
    low, high = said.get("minimum", said.get("exclusiveMinimum")), said.get("maximum", said.get("exclusiveMaximum"))
    above = "" if low is None else f" from {low:g}" if "minimum" in said else f" above {low:g}"
    if high is None:
        return f"{above} on" if "minimum" in said else above
    return f"{above} to {high:g}" if "maximum" in said else f"{above} below {high:g}"


def calibrates(name: str, options: dict[str, Any]) -> bool:
    """Whether the step of this name with these options learns from calibration data."""
    found = step(name)
    return found.wants_calibration(options_of(found, options, f"The step {name}"))


def options_of(plugin: Plugin, given: dict[str, Any], where: str) -> Any:
    """The plug-in's options from plain values, defaults filled in. Raises RequestError naming the field."""
    from pydantic import ValidationError

    try:
        return plugin.Options(**given)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "options"
        known = sorted(plugin.Options.model_fields)
        if first["type"] == "extra_forbidden":
            near = difflib.get_close_matches(field, known, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else f"It has: {', '.join(known) or 'no options'}."
            raise RequestError(f"{where} has no option {field!r}.", f"{plugin.name} does not know it.", hint) from None
        raise RequestError(
            f"{where}: the option {field!r} of {plugin.name} cannot be {first.get('input')!r}.",
            f"{first['msg']}.",
            "`workbench recipes` and recipes/README.md explain the options.",
        ) from None
