"""Plan and results -> what is given out: the report's documents, and a recipe file for every row.

RUN/report.json  RUN/details.json  RUN/recipes/<row>.yaml
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from workbench import catalog, comparison, environment, event, evidence, inputs, machine, work
from workbench import recipe as recipes
from workbench.artifact import digest_of
from workbench.comparison import PointSamples, Predictions, VariantResult, bounds
from workbench.errors import WorkbenchError
from workbench.event import Failed
from workbench.measurement import Metric
from workbench.pieces import Make, Plan, Variant, command
from workbench.planning import drawn
from workbench.recipe import Recipe
from workbench.recipe_proof import Search
from workbench.store import Store, write_whole
from workbench.version import VERSION

SHOWN_FLIPS = 50


@dataclass(frozen=True)
class Results:
    """What the runner has in its hands at the end: facts, seconds and reuse by work id, what broke, the block."""

    facts: dict[str, dict[str, Any]]
    seconds: dict[str, float]
    reused: dict[str, bool]
    broken: dict[str, Failed]
    speed: dict[str, Any]


def write(plan: Plan, results: Results, store: Store, folder: Path, search: dict[str, Any] | None = None) -> None:
    """Compare, and write every document whole. `search`: of a tuning, what was tried."""
    write_whole(folder / "results.json", json.dumps(_kept(results), allow_nan=False))
    compared = compared_rows(plan, results, store, search)
    texts = {}
    for variant in plan.variants:
        if compared.row(variant.name).status == "ok":
            made = recipe_of(plan, results, store, variant, compared.row(variant.name).data, search)
            texts[variant.name] = made.to_yaml()
            made.save(folder / "recipes" / f"{variant.name}.yaml")
    write_whole(folder / "report.json", catalog.renderer("json").render(compared.report, {}))
    details = _details(plan, results, compared, texts)
    write_whole(folder / "details.json", json.dumps(details, allow_nan=False, ensure_ascii=False))


def _kept(results: Results) -> dict[str, Any]:
    return {"facts": results.facts, "seconds": results.seconds, "reused": results.reused, "speed": results.speed,
            "broken": {id: event.to_dict(one) for id, one in results.broken.items()}}  # fmt: skip


def again(report: dict[str, Any], plan: Plan, store: Store, folder: Path) -> comparison.Comparison:
    """A written comparison with its raw samples and answers; `report` stays as it was written."""
    said = json.loads((folder / "results.json").read_text())
    broken = {id: cast(Failed, event.from_dict(one)) for id, one in said.pop("broken").items()}
    return replace(compared_rows(plan, Results(**said, broken=broken), store), report=report)


# ---- comparison ---------------------------------------------------------------------------------


def compared_rows(
    plan: Plan, results: Results, store: Store, search: dict[str, Any] | None = None
) -> comparison.Comparison:
    """The comparison of a finished run, from its stored pieces."""
    stored = store.find(plan.piece("inputs").key)
    return comparison.compare(comparison.Inputs(
        created=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        baseline=plan.baseline.name,
        variants=[_variant(plan, results, store, one) for one in plan.variants] + _gaps(plan),
        model=_model(plan, results),
        evaluation=_evaluation(plan, results),
        calibration=dict(plan.data["calibration"] or {}),
        machine=_machine(plan, results),
        target=plan.baseline.recipe["spec"]["target"]["machine"],
        goal=goal_of(plan),
        quick=plan.request.quick,
        measuring=_measuring(results),
        warnings=plan.warnings,
        search=search,
        cards=inputs.load_cards(stored.path) if stored else (),
        classes=results.facts.get("inputs", {}).get("classes", ()),
    ))  # fmt: skip


def _variant(plan: Plan, results: Results, store: Store, variant: Variant) -> VariantResult:
    broken = next(
        (results.broken[id] for id in (*variant.chain, f"predict-{variant.name}") if id in results.broken), None
    )
    measured = results.speed["variants"].get(variant.name)
    if broken is None and measured and measured["error"]:
        error = measured["error"]
        broken = Failed(stage="measure", what=error["what"], why=error["why"], fix=error["fix"])
    if broken is not None or measured is None:
        reason = f"{broken.stage}: {broken.reason}" if broken else "It was not measured."
        return VariantResult(variant.name, status="failed", reason=reason, backend=variant.backend)
    return _finished(plan, results, store, variant, measured)


def _finished(plan: Plan, results: Results, store: Store, variant: Variant, measured: dict[str, Any]) -> VariantResult:
    ready, again = measured["ready"], results.speed["again"] if variant == plan.baseline else None
    makes = [id for id in variant.chain if isinstance(plan.piece(id), Make)]
    looked = results.facts.get(f"audit-{variant.name}", {})
    flops = results.facts.get("facts", {}).get("flops")
    return VariantResult(
        name=variant.name,
        recipe_path=f"recipes/{variant.name}.yaml",
        backend=variant.backend,
        device=variant.device,
        points=points_of(ready, measured["points"]) + _end_to_end(measured["points"][0], ready["read_s"], results),
        again=points_of(ready, again) + _end_to_end(again[0], ready["read_s"], results) if again else (),
        predictions=predictions(plan, store, variant),
        size_bytes=ready["size"],
        peak_rss_bytes=ready["peak_rss"],
        load_s=ready["load_s"],
        first_call_s=ready["first_call_s"],
        build_s=sum(results.seconds[id] for id in makes),
        reused=bool(makes) and all(results.reused[id] for id in makes),
        audit=looked.get("audit", {}),
        profile=looked.get("profile", []),
        precision=str(ready["facts"].get("precision", "")),
        placement=ready["facts"].get("placement", {}),
        flops=flops,
        weight_bytes=_read_bytes(ready["size"], results.facts.get("facts", {})),
    )


def _read_bytes(size: float, facts: dict[str, Any]) -> float | None:
    """Bytes of weights that a call must read: the file without its look-up tables, which stay in float32 unless
    the file is too small for that."""
    if "table_parameters" not in facts:
        return None
    tables = 4 * facts["table_parameters"]
    read = size - tables if tables < size else size - facts["table_parameters"] * size / facts["parameters"]
    return float(read)


def points_of(ready: dict[str, Any], rounds: list[Any]) -> list[PointSamples]:
    return [
        PointSamples(
            said["name"],
            taken,
            said["metric"],
            said["unit"],
            said["batch"],
            said["sequence"],
            said["units"],
            said["rate_unit"],
            said.get("call", ""),
        )
        for said, taken in zip(ready["points"], rounds, strict=True)
    ]


def _end_to_end(calls: list[list[float]], read: float, results: Results) -> list[PointSamples]:
    """Pre-processing of the same example in the same round + the call + reading its outputs."""
    before = results.speed["processing"]
    if not before or not calls:
        return []
    rounds = [
        [pre + call + read for pre, call in zip(taken, one, strict=False)]
        for taken, one in zip(before, calls, strict=False)
    ]
    return [PointSamples("end to end, batch 1", rounds, metric="end_to_end")]


def accuracy_of(plan: Plan, store: Store, variant: Variant) -> dict[str, Any]:
    """The `accuracy` of one row alone, from stored answers. Raises WorkbenchError when they are not there."""
    base, mine = (predictions(plan, store, one) for one in (plan.baseline, variant))
    if base is None or mine is None:
        raise WorkbenchError("The answers are gone.", "They were removed from the store meanwhile.", "Try again.")
    return comparison.accuracy_of(base, mine, goal_of(plan))


def predictions(plan: Plan, store: Store, variant: Variant) -> Predictions | None:
    """What a variant of a run answered; None where the store has it no more."""
    kept = store.find(plan.piece(f"predict-{variant.name}").key)
    stored = store.find(plan.piece("inputs").key)
    if kept is None or stored is None:
        return None
    answers, statistics = work.load_answers(kept.path)
    ids = json.loads((stored.path / "inputs.json").read_text())["ids"]
    return Predictions(ids, answers.predicted, answers.scores, metrics_of(plan, statistics), statistics)


def metrics_of(plan: Plan, names: Iterable[str]) -> list[Metric]:
    """Those of the plan's task that are known under these names, in their order."""
    known = {metric.name: metric for metric in catalog.task(plan.task).metrics}
    return [known[name] for name in names if name in known]


def _gaps(plan: Plan) -> list[VariantResult]:
    return [VariantResult(gap.recipe, status=gap.status, reason=gap.reason) for gap in plan.gaps]


def _model(plan: Plan, results: Results) -> dict[str, Any]:
    said = plan.model
    parameters = results.facts.get("facts", {}).get("parameters")
    return {"id": said["id"], "revision": said["revision"], "task": plan.task, "parameters": parameters,
            "license": said["license"]}  # fmt: skip


def _evaluation(plan: Plan, results: Results) -> dict[str, Any]:
    facts = results.facts.get("inputs", {})
    return {**plan.data["evaluation"], "truncated": facts.get("truncated"), "max_length": facts.get("max_length"),
            "mean_length": facts.get("mean_length"), "classes": facts.get("classes"), "overlap": 0,
            **{name: facts[name] for name in ("normalizer", "prompt") if name in facts}}  # fmt: skip


def _machine(plan: Plan, results: Results) -> dict[str, Any]:
    said = plan.machine
    peaks = {key: value for key, value in results.facts.get("peaks", {}).items() if key != "seconds"}
    return {**said, "class": said["isa"], "memory_gb": round(said["memory_bytes"] / 1e9, 1), "peaks": peaks,
            "threads": machine.auto_threads()}  # fmt: skip


def goal_of(plan: Plan) -> comparison.Goal:
    goal = plan.variants[-1].recipe["spec"].get("goal", {})
    bound: dict[str, Any] = next((one for one in goal.get("constraints", ()) if one.get("max_drop") is not None), {})
    return comparison.Goal(
        max_drop=bound.get("max_drop", 0.01), kind=bound.get("kind", "absolute"),
        confidence=bound.get("confidence", 0.95), optimize=goal.get("optimize", "latency"),
        constraints=tuple(goal.get("constraints", ())),
    )  # fmt: skip


def _measuring(results: Results) -> dict[str, Any]:
    speed = results.speed
    return {"rounds": len(speed["rounds"]), "flagged": speed["flagged"], "stopped": speed["stopped"],
            "half_width": speed["half_width"], "parked": speed["parked"]}  # fmt: skip


# ---- details for people -------------------------------------------------------------------------


def _details(plan: Plan, results: Results, compared: comparison.Comparison, texts: dict[str, str]) -> dict[str, Any]:
    ok = [row.name for row in compared.rows if row.status == "ok"]
    return {
        "title": f"{plan.model['id']} on {plan.machine['isa']}",
        "flips": {name: [_shown(flip) for flip in compared.flips(name)[:SHOWN_FLIPS]] for name in ok},
        "yaml": texts,
        "machine": _machine(plan, results) | {"packages": environment.versions_of(_packages(plan, plan.variants))},
        "sublines": {one.name: _subline(one) for one in plan.variants},
        "profile": {name: _profile(results, name) for name in ok},
        "notes": list(plan.warnings),
        "classes": list(results.facts.get("inputs", {}).get("classes", ())),
        "command": _command(plan),
    }


def _shown(flip: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": flip["id"],
        **flip["card"],
        "kind": flip["kind"],
        "baseline": flip["baseline"],
        "variant": flip["variant"],
    }


def _subline(variant: Variant) -> str:
    steps = [step["use"] for step in variant.recipe["spec"].get("steps", ())]
    precision = variant.options.get("precision") or variant.options.get("dtype")
    return ", ".join([variant.backend, *steps[-1:], *([str(precision)] if precision else [])])


def _profile(results: Results, name: str) -> list[dict[str, Any]]:
    rows = results.facts.get(f"audit-{name}", {}).get("profile", [])
    total = sum(row["seconds"] for row in rows) or 1.0
    return [row | {"share": row["seconds"] / total} for row in rows[:12]]


def _command(plan: Plan) -> str:
    """What asks for the same; local places by their names only."""
    request, calibration = plan.request, plan.data.get("calibration") or {}
    if request.verb == "run":
        return f"workbench run {request.recipes[0]['name']}.yaml"
    data = plan.data["evaluation"]["source"] if request.data else None
    calibrated = calibration.get("source") if request.calibration else None
    return command(replace(request, model=plan.model["id"], data=data, calibration=calibrated))


# ---- a recipe file ------------------------------------------------------------------------------


def recipe_of(
    plan: Plan, results: Results, store: Store, variant: Variant, row: Any, search: dict[str, Any] | None = None
) -> Recipe:
    """The row's recipe with everything resolved (`lock`) and measured (`expect`); `search`: what found it."""
    asked = recipes.from_dict(variant.recipe)
    document = {
        "schema": recipes.SCHEMA, "name": asked.name, "summary": asked.summary,
        "spec": _spec(plan, variant),
    }  # fmt: skip
    spec_sha256 = recipes.from_dict(document).spec_sha256()
    document |= {
        "lock": _lock(plan, results, store, variant, spec_sha256) | _locked_search(search),
        "expect": _expect(plan, results, store, variant, row),
    }
    return recipes.from_dict(document).sealed()


def _spec(plan: Plan, variant: Variant) -> dict[str, Any]:
    said, evaluation = plan.model, plan.data["evaluation"]
    local = {"digest": said["revision"]} if said["kind"] == "local" else {}
    revision = {"revision": plan.request.revision or "main"} if said["kind"] == "hub" else {}
    spec = dict(variant.recipe["spec"])
    select = {"n": plan.request.n or "all", "seed": plan.request.data_seed}
    data = {"evaluation": _source(evaluation, plan.request.data) | {"select": select}}
    if calibration := _calibration_spec(plan, variant):
        data["calibration"] = calibration
    baseline = plan.baseline.recipe["name"]
    goal = spec.get("goal", {}) | ({"baseline": baseline} if baseline in recipes.shelf() else {})
    return spec | {"model": {"id": said["id"], **revision, **local, "task": plan.task}, "data": data,
                   "goal": goal, "measure": plan.measure}  # fmt: skip


def _calibration_spec(plan: Plan, variant: Variant) -> dict[str, Any]:
    """Given data is named also where a recipe needs none: because of it no row was kept out of evaluation."""
    request, origin = plan.request, plan.data["origin"]
    if not request.hold_out:
        return dict(variant.recipe["spec"]["data"]["calibration"])
    if origin != "given" and not (variant.calibration and origin == "train"):
        return {}
    select = {"select": plan.piece(variant.calibration).job["select"]} if variant.calibration else {}
    return _source(plan.data["calibration"], request.calibration) | select


def _source(data: dict[str, Any], asked: str | None) -> dict[str, Any]:
    name, _, config = data["source"].partition(":") if data["kind"] == "hub" else (data["source"], "", "")
    said = {"source": name, "split": data["split"]} | ({"config": config} if config else {})
    if data["kind"] == "hub" and asked and "@" in asked:
        said["revision"] = asked.partition("@")[2].partition("[")[0]
    columns = {field: column for field, column in data["columns"].items() if field != column}
    said |= {"fields": columns} if columns else {}
    return said | ({"digest": data["revision"]} if data["kind"] == "local" else {})


def _lock(plan: Plan, results: Results, store: Store, variant: Variant, spec_sha256: str) -> dict[str, Any]:
    said = plan.machine
    steps = [plan.piece(id) for id in variant.chain[1:]]
    return {
        "spec_sha256": spec_sha256,
        "tool": {"name": "workbench", "version": VERSION},
        "model": {"revision": plan.model["revision"], "files": store.files_of(plan.model["key"]),
                  "license": plan.model["license"], "trust_remote_code": False},
        "data": _locked_data(plan, results, variant),
        "steps": [{"use": one.job["step"], "version": catalog.step(one.job["step"]).version,
                   "options": one.job["options"]} for one in steps],
        "environment": {"python": said["python"], "packages": environment.versions_of(_packages(plan, [variant])),
                        "os": said["os"], "env": environment.variables()},
        "machine": {"class": said["isa"], "cpu": said["cpu"], "cores": said["cores"], "quota": said["quota"],
                    "memory_gb": round(said["memory_bytes"] / 1e9, 1), "accelerators": list(said["accelerators"])},
        "runtime": {"device": variant.device, "threads": variant.threads,
                    "details": results.speed["variants"][variant.name]["ready"]["facts"]},
    }  # fmt: skip


def _locked_search(search: dict[str, Any] | None) -> dict[str, Any]:
    return {"search": {key: search[key] for key in Search.model_fields}} if search else {}


def _locked_data(plan: Plan, results: Results, variant: Variant) -> dict[str, Any]:
    locked: dict[str, Any] = {"evaluation": _locked_rows(plan.data["evaluation"]), "overlap": 0}
    if variant.calibration:
        consumed = results.facts[variant.calibration]["consumed"]
        rows = drawn(plan, variant.calibration)
        locked["calibration"] = _locked_rows(plan.data["calibration"] | rows) | {"consumed": consumed}
    return locked


def _locked_rows(data: dict[str, Any]) -> dict[str, Any]:
    pinned = {"revision": data["revision"]} if data["kind"] == "hub" else {"digest": data["revision"]}
    return pinned | {"rows": {"count": data["n"], "ids_sha256": data["ids_sha256"]}}


def _packages(plan: Plan, variants: Any) -> set[str]:
    """What the plug-ins of these variants need, and the task's."""
    needs = set(catalog.task(plan.task).needs)
    for variant in variants:
        needs |= set(catalog.backend(variant.backend).needs)
        for id in variant.chain[1:]:
            needs |= set(catalog.step(plan.piece(id).job["step"]).needs)
    return needs


def _expect(plan: Plan, results: Results, store: Store, variant: Variant, row: Any) -> dict[str, Any]:
    accuracy, speed = row["accuracy"], row["speed"]
    return {
        "artifacts": [_artifact(plan, results, store, id) for id in variant.chain[1:]],
        "accuracy": {
            "metric": accuracy["metric"], "baseline": accuracy["baseline"], "optimized": accuracy["value"],
            "n": accuracy["n"], "delta": accuracy["delta"], "ci95": accuracy["ci95"], "flips": accuracy["flips"],
            "agreement": accuracy["agreement"],
            "predictions_sha256": results.facts[f"predict-{variant.name}"]["predictions_sha256"],
            "tolerance": {"agreement": 0.01, "delta": 0.005},
        },
        "speed": _speeds(plan, results, row),
        "resources": {"peak_rss_mb": row["peak_rss_mb"], "size_mb": row["size_mb"], "load_s": row["load_s"]},
        "verdict": {"accuracy": accuracy["verdict"], "detectable_drop": accuracy["detectable_drop"],
                    "speed": speed["verdict"], "constraints": bounds.of_all(_constraints(variant), row)},
    }  # fmt: skip


def _constraints(variant: Variant) -> list[dict[str, Any]]:
    said = variant.recipe["spec"].get("goal", {}).get("constraints")
    return [{"max_drop": 0.01}] if said is None else list(said)


def _artifact(plan: Plan, results: Results, store: Store, id: str) -> dict[str, Any]:
    piece, facts = plan.piece(id), results.facts[id]
    files = store.files_of(piece.key)
    return {"step": piece.job["step"], "sha256": digest_of(files), "semantic": facts["semantic"],
            "bytes": sum(entry["bytes"] for entry in files),
            "coverage": {kind: {"quantized": one["quantized"], "total": one["total"]}
                         for kind, one in facts.get("coverage", {}).items()}}  # fmt: skip


def _speeds(plan: Plan, results: Results, row: Any) -> list[dict[str, Any]]:
    speed = row["speed"]
    if speed["speedup"] is None:
        return []
    base = results.speed["variants"][plan.baseline.name]["points"][0]
    calls = sorted(call for one in base for call in one)
    resolution = evidence.aa_interval(base, results.speed["again"][0])
    return [{
        "name": "natural, batch 1", "batch": 1, "sequence": None, "speedup": speed["speedup"], "ci95": speed["ci95"],
        "baseline_p50_ms": calls[len(calls) // 2] * 1e3, "p50_ms": speed["p50_ms"], "rounds": len(base),
        "aa_ci95": [resolution.lo, resolution.hi] if resolution else None,
    }]  # fmt: skip
