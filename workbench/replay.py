"""Recipe file -> Request: what a file asks for, with the pins of its lock where it has one.

Local inputs are found again in the store by the digest that the file names, or are given by hand.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from workbench import catalog, hub, planning
from workbench import recipe as recipes
from workbench.artifact import digest_of
from workbench.errors import RequestError
from workbench.hub import allowed
from workbench.pieces import Plan, Request
from workbench.recipe import Recipe
from workbench.recipe_keys import DataKeys
from workbench.recipe_proof import LockedData
from workbench.store import Store

LOCAL = "local:"
TRACED = 20  # rows; two are traced, and no task takes fewer than this for data


def request_of(recipe: Recipe, store: Store, *, model: str | None = None, data: str | None = None,
               calibration: str | None = None, pinned: bool = True, verb: str = "run") -> Request:  # fmt: skip
    """What `recipe` asks for, against its baseline. `pinned` takes revisions from its lock, not from its spec.

    `model`, `data` and `calibration` are given by hand: they say where local inputs are, or take another's place.
    Raises RequestError for an input that is neither named nor found.
    """
    baseline, asked = _documents(recipe)
    evaluation = recipe.spec.data.evaluation if recipe.spec.data else None
    found = {**_model(recipe, store, model, pinned), **_data(recipe, store, data, pinned)}
    found |= _calibration(recipe, store, data, calibration, pinned)
    n = evaluation.select.n if evaluation else "all"
    return Request(
        recipes=(asked,), baseline=baseline, named=(recipe.name,), n=None if n == "all" else int(n), verb=verb,
        data_seed=evaluation.select.seed if evaluation else 7, quick=recipe.spec.measure.quick, **found,
    )  # fmt: skip


def build_request(recipe: Recipe, store: Store, *, model: str | None, data: str | None, calibration: str | None,
                  pinned: bool) -> Request:  # fmt: skip
    """What building `recipe` alone asks for: it is its own baseline. Its data is read only where a step calibrates, or
    where the task has no default data, a few rows of which are enough to trace. Raises RequestError as `request_of`."""
    asked = planning.as_asked(recipe, None, None).to_dict()
    if not any(catalog.calibrates(step.use, step.options) for step in recipe.spec.steps):
        found = _model(recipe, store, model, pinned)
        if data or not _has_default_data(found["task"]):
            found |= _data(recipe, store, data, pinned)
        return Request(
            recipes=(asked,), baseline=asked, named=(recipe.name,), n=TRACED, hold_out=False, verb="load", **found
        )  # fmt: skip
    if recipe.spec.data is None and not (data or calibration):
        raise RequestError(f"{recipe.name} calibrates, and names no data.", "", "Give --data or --calibration.")
    whole = request_of(recipe, store, model=model, data=data, calibration=calibration, pinned=pinned, verb="load")
    return replace(whole, baseline=asked, recipes=(asked,))


def _has_default_data(task: str | None) -> bool:
    """Also where the task is not known yet: the plan says what is wrong then."""
    return task is None or bool(catalog.task(task).default_data)


def changes(recipe: Recipe, plan: Plan) -> list[str]:
    """Each way in which the plan's inputs are not those of the recipe's lock, as a sentence."""
    if recipe.lock is None:
        return []
    said = _model_changes(recipe, plan)
    locked = recipe.lock.data
    if locked and locked.evaluation:
        said += _rows_changes("evaluation", locked.evaluation, plan.data["evaluation"])
    drawn = next((variant.calibration for variant in plan.variants[-1:] if variant.calibration), None)
    if locked and locked.calibration and drawn:
        said += _rows_changes("calibration", locked.calibration, plan.data["calibration"] | planning.drawn(plan, drawn))
    return said


def files_changes(recipe: Recipe, files: list[dict[str, Any]]) -> list[str]:
    """The same for the model's files, [{path, sha256}]; those whose hash is not known yet are left out."""
    locked = {file.path: file.sha256 for file in recipe.lock.model.files} if recipe.lock else {}
    here = {file["path"]: file["sha256"] for file in files}
    said = [f"{path} is missing." for path in sorted(locked.keys() - here.keys())]
    said += [f"{path} is no file of the locked model." for path in sorted(here.keys() - locked.keys())]
    other = [path for path in sorted(locked.keys() & here.keys()) if here[path] and here[path] != locked[path]]
    return said + [f"{path} has other bytes: sha256 {here[path][:12]}…, locked {locked[path][:12]}…." for path in other]


def changed_place(recipe: Recipe, request: Request) -> str:
    """Local and starter inputs by their content, before anything of them is read: a changed row may be no
    row at all. "" when they are the locked ones."""
    lock = recipe.lock
    assert lock
    with_place = (LOCAL, "starter:")
    if request.model.startswith(with_place):
        at = Path(request.model_at) if request.model_at else None
        formats = tuple({"safetensors", *request.formats})
        info = hub.find_model(request.model, formats=formats, at=at)
        if info.revision != lock.model.revision:
            return " ".join(files_changes(recipe, [file.to_dict() for file in info.files]))
    sets = {"evaluation": (request.data, request.data_at), "calibration": (request.calibration, request.calibration_at)}
    for name, (reference, place) in sets.items():
        locked = getattr(lock.data, name, None)
        if locked and locked.digest and reference and reference.startswith(with_place):
            found = hub.find_data(reference, at=Path(place) if place else None)
            if found.revision != locked.digest:
                other = f"sha256 {found.revision[:12]}…, locked {locked.digest[:12]}…"
                return f"The {name} data has other content: {other}."
    return ""


def option_changes(recipe: Recipe, builds: Sequence[dict[str, Any]]) -> str:
    """The first option of the builds that is not as locked, in words; "" when all are."""
    for build, locked in zip(builds, recipe.lock.steps if recipe.lock else (), strict=False):
        name, options = build["step"], build["options"]
        for key in sorted(options.keys() | locked.options.keys()):
            if options.get(key) != locked.options.get(key):
                now, then = json.dumps(options.get(key)), json.dumps(locked.options.get(key))
                return f"{name} has {key}: {now}, locked is {then}."
    return ""


def _model_changes(recipe: Recipe, plan: Plan) -> list[str]:
    assert recipe.lock is not None
    said = files_changes(recipe, plan.model["files"])
    if plan.model["revision"] != recipe.lock.model.revision and not said:
        said = [f"The model is {plan.model['revision'][:12]}…, locked is {recipe.lock.model.revision[:12]}…."]
    return said


def _rows_changes(name: str, locked: LockedData, here: dict[str, Any]) -> list[str]:
    if here["ids_sha256"] != locked.rows.ids_sha256 or here["n"] != locked.rows.count:
        return [f"The {name} rows are others: {here['n']:,} rows here, {locked.rows.count:,} in the lock."]
    if here["revision"] != (locked.revision or locked.digest):
        return [f"The {name} data has other content: its inputs are the same, the rest of it is not."]
    return []


# ---- the two recipes ----------------------------------------------------------------------------


def _documents(recipe: Recipe) -> tuple[dict[str, Any], dict[str, Any]]:
    """(baseline, recipe) as requests hold them; one document twice where the recipe is its own baseline."""
    asked = planning.as_asked(recipe, None, None).to_dict()
    baseline = recipes.on_shelf(recipe.spec.goal.baseline)
    same = (baseline.spec.target, baseline.spec.steps, baseline.spec.seed)
    if same == (recipe.spec.target, recipe.spec.steps, recipe.spec.seed):
        return asked, asked
    return planning.as_asked(baseline, None, None).to_dict(), asked


# ---- the model ----------------------------------------------------------------------------------


def _model(recipe: Recipe, store: Store, given: str | None, pinned: bool) -> dict[str, Any]:
    said, lock = recipe.spec.model, recipe.lock
    task = said.task if said else None
    formats = _formats(recipe)
    if given:
        local = said is not None and said.id.startswith(LOCAL) and Path(given).expanduser().is_dir()
        if local and said:
            return {"model": said.id, "model_at": str(Path(given).expanduser()), "task": task, "formats": formats}
        name, _, revision = given.partition("@") if not Path(given).exists() else (given, "", "")
        return {"model": name, "revision": revision or None, "task": task}
    if said is None:
        raise RequestError(f"{recipe.name} names no model.", "It fits many models.", "Give one with --model.")
    if said.id.startswith(LOCAL):
        at = _kept_model(store, said.digest)
        if at is None:
            raise _unknown(said.id, "--model")
        return {"model": said.id, "model_at": str(at), "task": task, "formats": formats}
    hub = not said.id.startswith("starter:")
    pin = lock.model.revision if lock and pinned else said.revision
    return {"model": said.id, "revision": pin if hub else None, "task": task, "formats": formats}


def _formats(recipe: Recipe) -> tuple[str, ...]:
    """Of the weights that the locked model holds: without some of them it would be another model."""
    files = recipe.lock.model.files if recipe.lock else ()
    held = (name for name, form in allowed.WEIGHTS.items() if any(form.fullmatch(file.path) for file in files))
    return tuple(sorted(held))


def _kept_model(store: Store, digest: str | None) -> Path | None:
    for key, format, _, _ in store.sizes():
        if format == "transformers" and digest_of(store.files_of(key)) == digest:
            found = store.find(key, check=True)
            return found.path if found else None
    return None


def _unknown(name: str, flag: str) -> RequestError:
    return RequestError(f"`{name}` is not known here.", "Nothing in the store has its digest.", f"Give it with {flag}.")


# ---- the data -----------------------------------------------------------------------------------


def _data(recipe: Recipe, store: Store, given: str | None, pinned: bool) -> dict[str, Any]:
    sets, locked = recipe.spec.data, recipe.lock.data if recipe.lock and pinned else None
    said = sets.evaluation if sets else None
    if said is None or (given and not _is_place(said, given)):
        return {"data": given}
    reference, at = _found(said, store, given, locked.evaluation if locked else None, "--data")
    return {"data": reference, "data_at": at, "fields": dict(said.fields)}


def _calibration(recipe: Recipe, store: Store, data: str | None, given: str | None, pinned: bool) -> dict[str, Any]:
    """A recipe that does not calibrate needs no such rows; that others were given keeps evaluation whole."""
    sets, locked = recipe.spec.data, recipe.lock.data if recipe.lock and pinned else None
    said = sets.calibration if sets else None
    if said is None or (given and not _is_place(said, given)):
        return {"calibration": given}
    if not any(catalog.calibrates(step.use, step.options) for step in recipe.spec.steps):
        return {"calibration": None, "hold_out": False}
    evaluation = sets.evaluation if sets else None
    if data and not given and evaluation and evaluation.source == said.source:
        if not _is_place(said, data):
            return {"calibration": None}
        given = data
    reference, at = _found(said, store, given, locked.calibration if locked else None, "--calibration")
    return {"calibration": reference, "calibration_at": at, "calibration_fields": dict(said.fields)}


def _is_place(said: DataKeys, given: str) -> bool:
    """`given` tells where the local data that the recipe names is, and is no other data."""
    return said.source.startswith(LOCAL) and Path(given).expanduser().exists()


def _found(said: DataKeys, store: Store, given: str | None, locked: LockedData | None,
           flag: str) -> tuple[str, str | None]:  # fmt: skip
    """(reference, place of local data)."""
    split = f"[{said.split}]" if said.split else ""
    if not said.source.startswith(LOCAL):
        config = f":{said.config}" if said.config else ""
        revision = locked.revision if locked and locked.revision else said.revision
        return f"{said.source}{config}{f'@{revision}' if revision else ''}{split}", None
    if given:
        return said.source + split, str(Path(given).expanduser())
    kept = store.find(planning.local_data_key(said.digest or ""), check=True)
    if kept is None:
        raise _unknown(said.source, flag)
    return said.source + split, str(kept.path / kept.facts["at"])
