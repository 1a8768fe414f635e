"""Request -> all the work, checked, with its cost. Builds nothing; data is read, weights are not fetched.

Everything that can be wrong with a request is found here, before anything is started.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from workbench import catalog, environment, hub, isolate, machine
from workbench import recipe as recipes
from workbench import target as targets
from workbench.artifact import Artifact, sha256_of, sha256_of_file
from workbench.errors import RequestError
from workbench.hub import jobs
from workbench.isolate import Limits
from workbench.machine import Machine
from workbench.pieces import Gap, Make, Measure, Plan, Prepare, Request, Variant, Work
from workbench.plugin import Backend, Repairs, Step, Task
from workbench.recipe import Recipe
from workbench.recipe_keys import CalibrationSelect
from workbench.store import Store

ANY = "*"  # the format that a step gives when only the files can tell
TYPICAL_CHANGE = 0.02  # share of answers that differ between a model and its INT8 form
EXPORTS_ROOM = 2.5  # artifacts of one export chain, in sizes of the model
MEMORY_ROOM = 5.0  # peak of exporting and quantizing, in sizes of the fp32 model
MEMORY_BASE = 600_000_000  # bytes of a worker that has PyTorch and transformers loaded, and no model
TOKENS_A_SECOND = 2e11  # operations/s that a small machine surely reaches; for estimates only


def make(request: Request, store: Store, log: Path) -> Plan:
    """Look everything up and check it. Raises RequestError for whatever is wrong with the request."""
    return _Planner(request, store, log).plan()


def extended(
    plan: Plan, documents: Mapping[str, dict[str, Any]], store: Store, log: Path, like: Mapping[str, str]
) -> Plan:
    """The plan with further variants, {name of the row: recipe document}; those it has stay as they are. Nothing is
    read or asked again. A recipe that cannot run here becomes a gap. `like` {name: variant}: the last step of the one
    differs from the other's in what it leaves alone only, and may use again what that has learned. Raises RequestError
    for an unknown plug-in."""
    known = {variant.name for variant in plan.variants}
    planner = _Planner(replace(plan.request, recipes=plan.request.recipes[:1]), store, log)
    planner.task, planner.work = catalog.task(plan.task), {work.id: work for work in plan.work}
    made = []
    for name, document in documents.items():
        if name not in known:
            recipe = recipes.from_dict(document | {"name": name})
            made.append(planner._variant(name, recipe, *planner._plugins(recipe), plan.model, plan.data))
    kept = tuple(variant for variant in made if variant)
    planner._measures(kept)
    artifacts = {variant.name: variant.artifact for variant in (*plan.variants, *kept)}
    for name, other in like.items():
        if name in artifacts:
            piece = planner.work[artifacts[name]]
            planner.work[piece.id] = replace(piece, job=piece.job | {"like": artifacts[other]})
    work, gaps = tuple(planner.work.values()), (*plan.gaps, *planner.gaps)
    return replace(plan, variants=(*plan.variants, *kept), work=work, gaps=gaps)


def about(
    model: str, revision: str | None, task: str | None, log: Path, *, at: str | None = None,
    formats: Sequence[str] = ("safetensors",),
) -> dict[str, Any]:  # fmt: skip
    """What is known of a model before its weights are here. Raises RequestError for one that cannot be used."""
    job = {"reference": model, "revision": revision, "task": task, "at": at, "formats": list(formats),
           "tasks": sorted(catalog.tasks()), "log": str(log / "task.log")}  # fmt: skip
    return dict(_asked(jobs.inspect_model, job, log))


def _asked(function: Callable[..., Any], job: dict[str, Any], log: Path, network: bool = True) -> Any:
    """In a process of its own: what strangers wrote is parsed there."""
    limits = Limits(seconds=1800, network=network)
    return isolate.call(function, job, limits, log / f"{function.__name__}.log")


class _Planner:
    def __init__(self, request: Request, store: Store, log: Path) -> None:
        self.request, self.store, self.log = request, store, log
        self.machine: Machine = machine.this_machine()
        self.target = targets.find_target(request.target) if request.target else None
        self.there = targets.like(self.target, self.machine) if self.target else self.machine
        self.baseline = recipes.from_dict(request.baseline)
        self.recipes = [recipes.from_dict(one) for one in request.recipes]  # none: the task's first choices
        self.work: dict[str, Work] = {}
        self.gaps: list[Gap] = []
        self.devices: dict[str, dict[str, Any]] = {}  # of each backend that was asked
        self.warnings: list[str] = list(request.notes)

    def plan(self) -> Plan:
        info = self._model()
        self.task: Task = self._task(info)
        if not self.recipes:
            self.recipes = self._first_choices()
        if self.target and not self.request.named:
            self.recipes = self._suited(self.target)
        named = _named(
            [self.baseline, *(one for one in self.recipes if one.spec_sha256() != self.baseline.spec_sha256())]
        )
        chains = {name: self._plugins(recipe) for name, recipe in named.items()}
        self._size_check(info)
        data = self._data(info)
        self._inputs(info, data)
        self._ask_devices(named, chains)
        variants = [self._variant(name, recipe, *chains[name], info, data) for name, recipe in named.items()]
        kept = tuple(variant for variant in variants if variant)
        if not kept or kept[0].name != next(iter(named)):
            raise self._no_baseline()
        self._measures(kept)
        measure = self._measure_settings()
        return Plan(
            request=self.request, task=self.task.name, model=info, data=data, variants=kept,
            work=tuple(self.work.values()), gaps=tuple(self.gaps), cost=self._cost(info, data, measure, len(kept)),
            measure=measure, machine=self.machine.to_dict(), warnings=tuple(self.warnings),
            target=self._target_facts(self.target) if self.target else {},
        )  # fmt: skip

    def _no_baseline(self) -> RequestError:
        gap = self.gaps[0]
        if all(recipe["name"] == gap.recipe for recipe in self.request.recipes):  # the one recipe is its own baseline
            return RequestError(f"{gap.recipe} cannot run here.", gap.reason)
        return RequestError("The baseline cannot run here.", gap.reason, "Name another one with --baseline.")

    def _first_choices(self) -> list[Recipe]:
        """Those of the task, and what the target names beside them."""
        suited = self.target.suited() if self.target else {}
        found = recipes.shelf_for(self.task.name)
        found = [one for one in found if (one.shelf and one.shelf.first_choice) or one.name in suited]
        if not found:
            raise RequestError(
                f"The shelf has no recipes for {self.task.name} yet.",
                "",
                "Name recipes with -r, or write one of your own.",
            )
        return [as_asked(one, self.request.max_drop, self.request.target) for one in found]

    # ---- the target

    def _suited(self, wanted: targets.MachineClass) -> list[Recipe]:
        """The recipes that suit the target, best first; the others become gaps."""
        kept = []
        for recipe in self.recipes:
            reason = targets.unsuited(wanted, recipe) if recipe.name != self.baseline.name else ""
            if reason:
                self.gaps.append(Gap(recipe.name, f"{reason} `-r {recipe.name}` takes it all the same."))
            else:
                kept.append(recipe)
        return sorted(kept, key=lambda recipe: targets.place(wanted, recipe))

    def _target_facts(self, wanted: targets.MachineClass) -> dict[str, Any]:
        """{"name", "missing": why this machine is not one, "suited": {recipe: {"why", "source"}} of those planned,
        "lacking": what the shelf has not for it}."""
        known = {recipe.name for recipe in self.recipes}
        suited = {name: {"why": one.why, "source": str(one.source)}
                  for name, one in wanted.suited().items() if name in known}  # fmt: skip
        return {"name": wanted.name, "missing": targets.lacks(wanted, self.machine), "suited": suited,
                "lacking": [f"{one.runtime}: {one.lacking}" for one in wanted.suits if one.lacking]}  # fmt: skip

    # ---- model and data

    def _model(self) -> dict[str, Any]:
        asked = self.request
        info = about(asked.model, asked.revision, asked.task, self.log, at=asked.model_at, formats=self._formats())
        info["key"] = sha256_of({"model": [[f["path"], f["sha256"] or f["oid"]] for f in info["files"]]})
        self._add(
            Prepare("model", f"Fetch {info['id']}", info["key"], "transformers", (), {"do": "fetch", "info": info})
        )
        return info

    def _task(self, info: dict[str, Any]) -> Task:
        name, known = info["task"], catalog.tasks()
        if name not in known:
            raise RequestError(
                f"`{info['id']}` is for {name}, and there is no such task here.",
                catalog.missing_tasks().get(name) or f"There are {', '.join(sorted(known))}.",
                "Take a model for one of these, or install a package that adds the task.",
            )
        if lacking := environment.missing(known[name].needs):
            fix = f"Run `pip install {' '.join(lacking)}`."
            raise RequestError(f"{name} needs {', '.join(lacking)}.", "It is not installed here.", fix)
        return known[name]

    def _formats(self) -> list[str]:
        wanted = {word for recipe in self.recipes for step in recipe.spec.steps[:1]
                  for word in catalog.step(step.use).takes}  # fmt: skip
        return sorted({"safetensors", *self.request.formats} | (wanted - {"transformers"}))

    def _size_check(self, info: dict[str, Any]) -> None:
        memory, free = self.machine.memory_bytes, shutil.disk_usage(self.store.home).free
        if _memory(info) > memory:
            raise RequestError(
                f"{info['id']} is too large for this machine's memory.",
                f"Its weights are {info['bytes'] / 1e9:.1f} GB, exporting takes about {MEMORY_ROOM:.0f} times that,"
                f" and there are {memory / 1e9:.1f} GB.",
                "Take a smaller model or a larger machine.",
            )
        if info["bytes"] * EXPORTS_ROOM > free:
            raise RequestError(
                f"There is not enough room in {self.store.home}.",
                f"About {info['bytes'] * EXPORTS_ROOM / 1e9:.1f} GB are needed, {free / 1e9:.1f} GB are free.",
                "`workbench clean` frees room, or set WORKBENCH_HOME to a larger disk.",
            )

    def _data(self, info: dict[str, Any]) -> dict[str, Any]:
        with self.store.aside() as folder:
            found: dict[str, Any] = _asked(jobs.read_data, self._data_job(info) | {"into": str(folder)}, self.log)
            rows = hub.load_rows(folder / "evaluation")
            checked = self.task.check(rows.rows, info["config"])
            found["evaluation"]["key"] = self._keep_rows(replace(rows, rows=checked))
            if found["calibration"]:
                found["calibration"]["key"] = self._keep_rows(hub.load_rows(folder / "calibration"))
        self.warnings += found.pop("warnings")
        return found

    def _data_job(self, info: dict[str, Any]) -> dict[str, Any]:
        request, task = self.request, self.task
        source, columns = request.data or info["data"], dict(task.columns)
        labelled = source is not None
        if source is None:
            source = self._default_data()
            columns.pop(task.target or "", None)
            self.warnings.append(f"No data was given: the inputs of {source} are taken, without their labels.")
        return {
            "data": source, "at": request.data_at, "calibration": request.calibration,
            "calibration_at": request.calibration_at, "fields": request.fields, "columns": columns,
            "inputs": task.inputs, "target": task.target if labelled else None, "by_name": task.by_name, "n": self._n(),
            "seed": request.data_seed,
            "hold_out": request.hold_out, "calibration_fields": request.calibration_fields,
        }  # fmt: skip

    def _default_data(self) -> str:
        if not self.task.default_data:
            fields = dict.fromkeys((*self.task.inputs[0], self.task.target or ""))
            wanted = ", ".join(self.task.columns[field][0] for field in fields if field)
            raise RequestError(
                "No data was given.",
                f"The workbench brings none along for {self.task.name}.",
                f"Name some with --data: a Hub data set, a table, or a folder with metadata.csv (columns {wanted}).",
            )
        return self.task.default_data

    def _n(self) -> int | None:
        measure = self.recipes[0].spec.measure if self.recipes else self.baseline.spec.measure
        n = self.request.n or (self.task.rows if measure.n == "all" else int(measure.n))
        return min(n or 500, 500) if self.request.quick else n

    def _keep_rows(self, data: hub.Data) -> str:
        known = {"id", "row", *(field for alternative in self.task.inputs for field in alternative)}
        key = sha256_of({
            "rows": [
                [row["id"], hub.row_id({name: value for name, value in row.items() if name not in known})]
                for row in data.rows
            ]
        })  # fmt: skip
        if self.store.find(key) is None:
            with self.store.aside() as folder:
                hub.save_rows(data, folder)
                self.store.keep(key, "rows", folder, {"n": len(data)})
        return key

    def _inputs(self, info: dict[str, Any], data: dict[str, Any]) -> None:
        self._prepared("inputs", "Prepare the inputs", data["evaluation"]["key"], info["key"])
        facts_key = sha256_of({"facts": info["key"], "inputs": self.work["inputs"].key})
        self._add(
            Prepare(
                "facts", "Count parameters and operations", facts_key, "facts", ("model", "inputs"), {"do": "facts"}
            )
        )
        peaks = {
            "peaks": [self.machine.cpu, self.machine.isa, machine.auto_threads(), environment.versions_of(["torch"])]
        }
        self._add(Prepare("peaks", "Measure the machine's peaks", sha256_of(peaks), "peaks", (), {"do": "peaks"}))

    def _prepared(self, id: str, title: str, rows: str, model: str, drawn: dict[str, Any] | None = None) -> str:
        key = sha256_of({"inputs": rows, "model": model, "task": self.task.name,
                         "packages": environment.versions_of(["transformers", "tokenizers", "pillow"])})  # fmt: skip
        self._add(Prepare(id, title, key, "inputs", ("model",), {"do": "prepare", "rows": rows, **(drawn or {})}))
        return id

    # ---- recipes

    def _plugins(self, recipe: Recipe) -> tuple[list[tuple[Step, Any]], tuple[Backend, Any]]:
        """The recipe's plug-ins with checked options. Raises RequestError for an unknown one."""
        where = f"The recipe {recipe.name}"
        steps = [
            (step := catalog.step(one.use), catalog.options_of(step, one.options, where)) for one in recipe.spec.steps
        ]
        backend = catalog.backend(recipe.spec.target.backend)
        return steps, (backend, catalog.options_of(backend, recipe.spec.target.options, where))

    def _variant(self, name: str, recipe: Recipe, steps: list[tuple[Step, Any]], runs: tuple[Backend, Any],
                 info: dict[str, Any], data: dict[str, Any]) -> Variant | None:  # fmt: skip
        backend, options = runs
        reason = self._not_offered(recipe) or self._impossible(recipe, steps, backend, info, data)
        warning = self._unsuited(recipe.spec.target.device, [*steps, runs])
        if warning and recipe.name not in self.request.named:
            reason = reason or f"{warning} `-r {recipe.name}` runs it all the same."
        if reason:
            self.gaps.append(Gap(name, reason))
            return None
        calibration = None
        if any(step.wants_calibration(options) for step, options in steps):
            calibration = self._calibration(recipe, info, data)
        chain = self._chain(recipe, steps, calibration)
        threads = self._threads(recipe)
        backend_options = options.model_dump(mode="json")
        if "auto_class" in type(options).model_fields:
            backend_options["auto_class"] = self.task.class_for(info["config"])
        return Variant(
            name=name, recipe=recipe.to_dict(), artifact=chain[-1], chain=tuple(chain), backend=backend.name,
            device=recipe.spec.target.device, threads=threads,
            options=backend_options, calibration=calibration,
        )  # fmt: skip

    def _not_offered(self, recipe: Recipe) -> str:
        """Why a recipe of the shelf that nobody named is not tried: it does not work for this task."""
        offered = [one.name for one in recipes.shelf_for(self.task.name)]
        asked = (*self.request.named, self.request.baseline["name"])
        if not offered or recipe.name in (*offered, *asked) or recipe.name not in recipes.shelf():
            return ""
        return f"The shelf does not offer it for {self.task.name}. `-r {recipe.name}` tries it all the same."

    def _threads(self, recipe: Recipe) -> int:
        """Never left to the runtime; more than there are cores is a warning."""
        auto, asked = machine.auto_threads(), recipe.spec.target.threads
        if asked != "auto" and int(asked) > auto:
            self.warnings.append(f"{recipe.name} asks for {asked} threads; this machine has {auto} cores for them.")
        return auto if asked == "auto" else int(asked)

    def _unsuited(self, device: str, plugins: list[Any]) -> str:
        """The first warning of a recipe's steps and backend, each with its options."""
        said = (plugin.unsuited(device, options, self.there) for plugin, options in plugins)
        return next((str(one) for one in said if one), "")

    def _impossible(
        self, recipe: Recipe, chosen: list[tuple[Step, Any]], backend: Backend, info: dict[str, Any],
        data: dict[str, Any],
    ) -> str:  # fmt: skip
        steps = [step for step, _ in chosen]
        lacking = environment.missing({package for plugin in (*steps, backend) for package in plugin.needs})
        if lacking:
            return f"It needs {', '.join(lacking)}, which is not installed: pip install {' '.join(lacking)}."
        asks, config = self.task.asks_for(info["config"]), info["config"]
        if unfit := next((why for step, options in chosen if (why := step.unfit(options, asks, config))), ""):
            return unfit
        if any(step.wants_calibration(options) for step, options in chosen) and not data["calibration"]:
            return f"It needs calibration data. {data['no_calibration']} --calibration names a file or data set for it."
        if gap := catalog.gap(self.task, backend, info["config"]):
            return gap
        formats = ["transformers", *(step.gives for step in steps)]
        for step, format in zip(steps, formats, strict=False):
            if format not in (ANY, *step.takes):
                return f"The step {step.name} takes {' or '.join(step.takes)}, not {format}."
        if formats[-1] not in (ANY, *backend.reads):
            return f"The backend {backend.name} reads {' or '.join(backend.reads)}, not {formats[-1]}."
        return "" if self.there is not self.machine else self._no_device(recipe.spec.target.device, backend)

    def _ask_devices(self, named: Mapping[str, Recipe], chains: Mapping[str, Any]) -> None:
        """Of all backends that a recipe wants another device of than the CPU, side by side."""
        wanted = {runs[0].name: runs[0] for name, (_, runs) in chains.items()
                  if named[name].spec.target.device != "cpu"}  # fmt: skip
        asked = [name for name, backend in wanted.items() if not environment.missing(backend.needs)]
        if asked and self.there is self.machine:
            with ThreadPoolExecutor(max(2, machine.auto_threads())) as pool:
                self.devices = dict(zip(asked, pool.map(self._devices_of, asked), strict=True))

    def _devices_of(self, backend: str) -> dict[str, Any]:
        return dict(_asked(catalog.devices, {"backend": backend}, self.log / backend, network=False))

    def _no_device(self, device: str, backend: Backend) -> str:
        if device == "cpu":
            return ""
        if backend.name not in self.devices:
            self.devices[backend.name] = self._devices_of(backend.name)
        found = self.devices[backend.name]
        if device not in found:
            return f"{backend.name} has no device called {device!r} here; it has {', '.join(found)}."
        return str(found[device]["missing"])

    def _calibration(self, recipe: Recipe, info: dict[str, Any], data: dict[str, Any]) -> str:
        select = calibration_of(recipe)
        rows = hub.load_rows(self._stored(data["calibration"]["key"]).path)
        chosen = hub.select(rows, select.n, select.seed)
        drawn = {"select": select.model_dump() | {"n": len(chosen)}, "ids_sha256": hub.ids_sha256(chosen)}
        return self._prepared(f"calibration-{len(chosen)}-{select.seed}", f"Prepare {len(chosen)} calibration samples",
                              self._keep_rows(chosen), info["key"], drawn)  # fmt: skip

    def _stored(self, key: str) -> Artifact:
        found = self.store.find(key)
        assert found is not None, "kept a moment ago"
        return found

    def _chain(self, recipe: Recipe, steps: list[tuple[Step, Any]], calibration: str | None) -> list[str]:
        """Ids of the work that makes the variant, the model first."""
        chain = ["model"]
        for step, options in steps:
            chain.append(self._step(step, options, chain[-1], calibration, recipe.spec.seed))
        return chain

    def _step(self, step: Step, chosen: Any, source: str, calibration: str | None, seed: int) -> str:
        calibrates, options = step.wants_calibration(chosen), chosen.model_dump(mode="json")
        uses = calibration if calibrates else None
        key = sha256_of({
            "source": self.work[source].key, "step": step.name, "version": step.version, "options": options,
            "packages": environment.versions_of(step.needs), "task": self.task.name,
            "calibration": self.work[uses].key if uses else None, "seed": seed if calibrates else None,
            "isa": self.machine.isa if step.executes or calibrates else None,
        })  # fmt: skip
        id = f"make-{key[:12]}"
        job = {
            "do": "build",
            "step": step.name,
            "options": options,
            "source": source,
            "calibration": uses,
            "seed": seed,
        }
        after = tuple(one for one in ("model", "inputs", source, uses) if one)
        self._add(Make(id, f"Build: {step.name}", key, step.gives, tuple(dict.fromkeys(after)), job))
        return id

    def _measures(self, variants: Iterable[Variant]) -> None:
        batch = self._measure_settings()["accuracy_batch"]
        for variant in variants:
            source = self.work[variant.artifact]
            same = {"artifact": source.key, "inputs": self.work["inputs"].key, "backend": variant.backend,
                    "device": variant.device, "options": variant.options,
                    "packages": environment.versions_of(catalog.backend(variant.backend).needs),
                    "isa": self.machine.isa}  # fmt: skip
            after = tuple(dict.fromkeys(("inputs", variant.artifact)))
            pieces: tuple[tuple[str, str, dict[str, Any]], ...] = (
                ("predict", "Answer every example", {"batch": batch, "threads": 1}),  # side by side, one a core
                ("audit", "Look inside", {"threads": variant.threads}),
            )
            for do, title, extra in pieces:
                self._add(Measure(f"{do}-{variant.name}", title, sha256_of({do: same | extra}), do, after,
                                  {"do": do, "variant": variant.name, **extra}))  # fmt: skip

    def _measure_settings(self) -> dict[str, Any]:
        measure = (self.recipes[0] if self.recipes else self.baseline).spec.measure
        measure = measure.as_quick() if self.request.quick else measure
        return dict(measure.model_dump(mode="json"))

    def _cost(self, info: dict[str, Any], data: dict[str, Any], measure: dict[str, Any], rows: int) -> dict[str, Any]:
        """Estimates: {"download_bytes", "disk_bytes", "memory_bytes", "seconds", "builds", "reused"},
        and "accuracy_half_width": the change that n examples can show when TYPICAL_CHANGE of the answers differ."""
        new = [work for work in self.work.values() if self.store.find(work.key) is None or self.request.fresh]
        makes = [work for work in new if isinstance(work, Make)]
        answers = sum(work.job["do"] == "predict" for work in new)
        call = max(0.002, 2 * info["bytes"] / 4 * 32 / TOKENS_A_SECOND)
        seconds = len(makes) * (8 + info["bytes"] / 20e6) + answers * data["evaluation"]["n"] * call
        seconds = round(seconds + measure["time_cap_s"] * 1.5 + 3 * rows)
        from workbench import evidence  # statistics are heavy to import, and a shelf needs none

        return {
            "accuracy_half_width": evidence.detectable_drop(data["evaluation"]["n"], TYPICAL_CHANGE),
            "download_bytes": info["bytes"] if info["kind"] == "hub" and self.work["model"] in new else 0,
            "disk_bytes": int(sum(info["bytes"] for work in makes))
            + (info["bytes"] if self.work["model"] in new else 0),
            "memory_bytes": _memory(info),
            "seconds": min(seconds, self.request.budget_s or seconds),
            "builds": len(makes),
            "reused": sum(isinstance(work, Make) for work in self.work.values()) - len(makes),
        }

    # ---- small parts

    def _add(self, work: Work) -> None:
        self.work.setdefault(work.id, work)


def _memory(info: dict[str, Any]) -> int:
    """Bytes that one worker will have at most, estimated (benchmarks/estimates.py measures by how much it is off)."""
    return int(MEMORY_BASE + info["bytes"] * MEMORY_ROOM)


def as_asked(recipe: Recipe, max_drop: float | None, target: str | None) -> Recipe:
    """The recipe as one comparison wants it: its bar and its target. Results of an earlier run are left behind."""
    document = recipe.to_dict()
    for key in ("lock", "expect", "identity", "shelf"):
        document.pop(key, None)
    if max_drop is not None:
        kind = next((one.kind for one in recipe.spec.goal.constraints if one.max_drop is not None), "absolute")
        bar = {"max_drop": max_drop, **({"kind": kind} if kind != "absolute" else {})}
        document["spec"]["goal"] = document["spec"].get("goal", {}) | {"constraints": [bar]}
    if target:
        document["spec"]["target"]["machine"] = target
    return recipes.from_dict(document)


def with_ranking(plan: Plan, name: str) -> Plan:
    """The plan with a further piece, `sensitivity-<name>`: which operators of a variant cost most. Raises RequestError
    where none of its steps can tell."""
    variant = next(one for one in plan.variants if one.name == name)
    makes = [plan.piece(id) for id in variant.chain[1:]]
    found = next((one for one in reversed(makes) if isinstance(catalog.step(one.job["step"]), Repairs)), None)
    if found is None:
        known = ", ".join(step.name for step in catalog.steps().values() if isinstance(step, Repairs))
        raise RequestError(
            f"{name} has no step that can tell how sensitive operators are.", f"These can: {known}.",
            "Name a recipe with one of them.",
        )  # fmt: skip
    key = sha256_of({"sensitivity": found.key, "isa": plan.machine["isa"]})
    job = {"do": "sensitivity", "variant": name, "make": found.id, "threads": variant.threads}
    piece = Measure(f"sensitivity-{name}", "Rank operators", key, "sensitivity", (found.id,), job)
    return plan if piece in plan.work else replace(plan, work=(*plan.work, piece))


def with_goal(document: dict[str, Any], goal: dict[str, Any]) -> dict[str, Any]:
    """A recipe document that wants this."""
    said = document | {"spec": document["spec"] | {"goal": goal}}
    return recipes.from_dict(said).to_dict()


def refuse_elsewhere(plan: Plan) -> None:
    """Raises RequestError when a plan is for a machine that this one is not: nothing is measured for another."""
    here = machine.this_machine()
    for name in dict.fromkeys(variant.recipe["spec"]["target"]["machine"] for variant in plan.variants):
        if missing := targets.lacks(targets.find_target(name), here):
            best = next(iter(plan.target.get("suited", {})), plan.variants[-1].name)
            run = f"Run it there: `workbench run {best}.yaml --model {plan.request.model}`"
            never = targets.find_target(name).never
            raise RequestError(
                f"This machine is no {name}; {missing}.",
                "What was not measured there is never shown as if it was.",
                f"`workbench targets {name}` tells what can be built for it."
                if never
                else f"{run}; `workbench targets {name}` tells what suits it.",
            )


def calibration_of(recipe: Recipe) -> CalibrationSelect:
    """How many calibration samples a recipe wants, and which."""
    data = recipe.spec.data
    return data.calibration.select if data and data.calibration else CalibrationSelect()


def drawn(plan: Plan, calibration: str) -> dict[str, Any]:
    """{"n", "ids_sha256"} of the calibration rows that were drawn."""
    job = plan.piece(calibration).job
    return {"n": job["select"]["n"], "ids_sha256": job["ids_sha256"]}


def local_data_key(digest: str) -> str:
    """Where local data with this digest is kept in a store."""
    return sha256_of({"data": digest})


def keep_local_data(plan: Plan, store: Store) -> None:
    """Copy local data into the store: a recipe file names it by its digest, and finds it again by that.
    What has changed since the plan was made is not kept."""
    for local in plan.data.get("local", ()):
        key = local_data_key(local["digest"])
        if store.find(key) is None:
            with store.aside() as folder, contextlib.suppress(OSError):
                if _copied(local, folder):
                    store.keep(key, "data", folder, {"at": local["at"]})


def _copied(local: dict[str, Any], into: Path) -> bool:
    for path, sha256 in local["files"].items():
        (into / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(Path(local["folder"]) / path, into / path)
        if sha256_of_file(into / path) != sha256:
            return False
    return True


def _named(several: Iterable[Recipe]) -> dict[str, Recipe]:
    """Recipes by the name of their row; a second one of the same name is `name~2`."""
    named: dict[str, Recipe] = {}
    for recipe in several:
        name, number = recipe.name, 2
        while name in named:
            name, number = f"{recipe.name}~{number}", number + 1
        named[name] = recipe
    return named
