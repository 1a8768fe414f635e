"""What may be tried: the recipes of the plan, a form of each for the race, and each with one option changed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from workbench import catalog, machine, planning, target
from workbench import recipe as recipes
from workbench.pieces import Plan, Variant
from workbench.plugin import Repairs

FEW = 8  # calibration samples of a model that is only raced: its speed does not depend on their values
RACER = "+few"
SAMPLES = (64, 512)  # amounts of calibration worth trying beside the usual one
Document = dict[str, Any]


def in_order(plan: Plan) -> list[Variant]:
    """The plan's candidates, those first that are likeliest to be worth their time: as the target has them; else what
    suits a class that this machine is one of and what is not of the shelf, then other first choices, then the rest,
    who needs an export of its own last: it would cost several others their turn. What shares an export comes together,
    the bare export first, which costs no more, then in the order of the narrowest class: the best is first there."""
    found = [variant for variant in plan.variants[1:] if not is_racer(variant.name)]
    if plan.target:
        return found
    shelf, classes = recipes.shelf(), target.classes_of(machine.this_machine())
    suited = list(dict.fromkeys(name for one in classes for name in one.suited()))

    def place(variant: Variant) -> int:
        known = shelf.get(variant.name)
        if known is None or known.shelf is None or variant.name in suited:
            return 0
        return 1 if known.shelf.first_choice else 2

    def best(variant: Variant) -> int:
        return suited.index(variant.name) if variant.name in suited else len(suited)

    exports = list(dict.fromkeys(variant.chain[:2] for variant in found))
    shared = {step for variant in found if place(variant) < 2 for step in variant.chain}

    def key(variant: Variant) -> tuple[int, bool, int, bool, int]:
        export = variant.chain[:2]
        alone = not shared.issuperset(export)
        return place(variant), alone, exports.index(export), variant.chain != export, best(variant)

    return sorted(found, key=key)


# ---- for the race -------------------------------------------------------------------------------


def racer_name(variant: Variant) -> str:
    """The variant's own name where it learns nothing from calibration."""
    few = variant.calibration and planning.calibration_of(recipes.from_dict(variant.recipe)).n > FEW
    return variant.name + RACER if few else variant.name


def is_racer(name: str) -> bool:
    return name.endswith(RACER)


def racer(plan: Plan, variant: Variant) -> Document:
    """The recipe of a candidate for the race."""
    return with_calibration(plan, variant.recipe, FEW)


def with_calibration(plan: Plan, document: Document, n: int) -> Document:
    """A recipe that calibrates on `n` samples of the plan's data."""
    select = planning.calibration_of(recipes.from_dict(document)).model_dump() | {"n": n}
    said = plan.data["calibration"]
    source = said["source"].partition(":")[0] if said["kind"] == "hub" else said["source"]
    data = dict(document["spec"].get("data", {})) | {"calibration": {"source": source, "select": select}}
    return document | {"spec": document["spec"] | {"data": data}}


# ---- changes ------------------------------------------------------------------------------------


def leaving(document: Document, names: list[str]) -> Document:
    """The recipe whose last step that can, leaves these operators alone."""
    steps = [dict(step) for step in document["spec"]["steps"]]
    at = max(i for i, step in enumerate(steps) if isinstance(catalog.step(step["use"]), Repairs))
    step = catalog.step(steps[at]["use"])
    assert isinstance(step, Repairs)
    options = {key: value for key, value in steps[at].items() if key != "use"}
    steps[at] = {"use": steps[at]["use"], **step.leaving(options, names)}
    return _with_steps(document, steps)


def values(plan: Plan, variant: Variant, optimize: str) -> dict[str, Document]:
    """Changes that leave the speed as it is: {name: recipe}."""
    found = dict(_changed(variant, "values", optimize))
    if variant.calibration and plan.data["origin"] != "held out":  # whose amount no recipe file can say
        usual = planning.drawn(plan, variant.calibration)["n"]
        have = plan.data["calibration"]["n"]
        found |= {f"{variant.name}+{n}-samples": with_calibration(plan, variant.recipe, n)
                  for n in SAMPLES if n != usual and n <= have}  # fmt: skip
    return found


def speeds(plan: Plan, variant: Variant, optimize: str) -> dict[str, Document]:
    """Changes that may change the speed: {name: recipe}."""
    found = dict(_changed(variant, "speed", optimize))
    half = machine.auto_threads() // 2
    if half and variant.threads != half and optimize != "size":
        said = variant.recipe["spec"]["target"] | {"threads": half}
        found[f"{variant.name}+{half}-threads"] = _with_target(variant.recipe, said)
    return found


def _changed(variant: Variant, changes: str, optimize: str) -> Iterator[tuple[str, Document]]:
    """One option of one step, or of the backend, to another value that its plug-in says is worth a search. The last
    step's come first: what they need is built but for one step."""
    document = variant.recipe
    for place, said in reversed(list(enumerate(document["spec"].get("steps", ())))):
        given = {key: value for key, value in said.items() if key != "use"}
        for option, value in _worth_a_search(catalog.step(said["use"]), given, changes, optimize):
            steps = [*document["spec"]["steps"]]
            steps[place] = said | {option: value}
            yield _name(variant, option, value), _with_steps(document, steps)
    keys = document["spec"]["target"]
    given = keys.get("options", {})
    for option, value in _worth_a_search(catalog.backend(keys["backend"]), given, changes, optimize):
        yield _name(variant, option, value), _with_target(document, keys | {"options": given | {option: value}})


def _worth_a_search(plugin: Any, given: dict[str, Any], changes: str, optimize: str) -> Iterator[tuple[str, Any]]:
    for one in catalog.options(plugin):
        now = given.get(one["name"], one["default"])
        if one["changes"] == changes and one["pays_for"] in ("", optimize):
            yield from ((one["name"], value) for value in one["search"] if value != now)


def _name(variant: Variant, option: str, value: Any) -> str:
    """`onnx-int8-static+calibration-percentile`: letters that a recipe's name may have."""
    word = str(value).lower() if isinstance(value, bool) else str(value)
    return re.sub(r"[^A-Za-z0-9._+~-]", ".", f"{variant.name}+{option.replace('_', '-')}-{word}")[:100]


def _with_steps(document: Document, steps: list[Document]) -> Document:
    return document | {"spec": document["spec"] | {"steps": steps}}


def _with_target(document: Document, target: Document) -> Document:
    return document | {"spec": document["spec"] | {"target": target}}
