"""What may be tried: the recipes of the plan, and a form of each for the race."""

from __future__ import annotations

from typing import Any

from workbench import planning
from workbench import recipe as recipes
from workbench.planning import Plan, Variant

FEW = 8  # calibration samples of a model that is only raced: its speed does not depend on their values
RACER = "+few"


def racer_name(variant: Variant) -> str:
    """The variant's own name where it learns nothing from calibration."""
    few = variant.calibration and planning.calibration_of(recipes.from_dict(variant.recipe)).n > FEW
    return variant.name + RACER if few else variant.name


def is_racer(name: str) -> bool:
    return name.endswith(RACER)


def racer(plan: Plan, variant: Variant) -> dict[str, Any]:
    """The recipe of a candidate for the race."""
    return with_calibration(plan, variant.recipe, FEW)


def with_calibration(plan: Plan, document: dict[str, Any], n: int) -> dict[str, Any]:
    """A recipe that calibrates on `n` samples of the plan's data."""
    select = planning.calibration_of(recipes.from_dict(document)).model_dump() | {"n": n}
    source = plan.data["calibration"]["source"].partition(":" if plan.data["calibration"]["kind"] == "hub" else "\n")[0]
    data = dict(document["spec"].get("data", {})) | {"calibration": {"source": source, "select": select}}
    return document | {"spec": document["spec"] | {"data": data}}
