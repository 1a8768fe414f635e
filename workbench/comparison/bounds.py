"""The constraints of a goal against one row: `met`, `missed` for certain, or `cannot_tell`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from workbench import evidence
from workbench.evidence import Interval

SIZES = {"max_size_mb": "size_mb", "max_memory_mb": "peak_rss_mb"}


def of_all(constraints: Sequence[Mapping[str, Any]], row: Mapping[str, Any]) -> str:
    """One missed is missed; all met is met."""
    found = {of_one(constraint, row) for constraint in constraints}
    return "missed" if "missed" in found else "cannot_tell" if "cannot_tell" in found else "met"


def of_one(constraint: Mapping[str, Any], row: Mapping[str, Any]) -> str:
    """`constraint` as a recipe says it, `row` as the report says it. Speed by its interval, sizes as they are."""
    if constraint.get("max_drop") is not None:
        return _drop(constraint, row["accuracy"])
    if (least := constraint.get("min_speedup")) is not None:
        lo, hi = row["speed"]["ci95"] or (0.0, float("inf"))
        return "met" if lo >= least else "missed" if hi < least else "cannot_tell"
    bound = next(name for name in SIZES if constraint.get(name) is not None)
    value = row[SIZES[bound]]
    if value is None:
        return "cannot_tell"
    return "met" if value <= constraint[bound] else "missed"


def in_words(constraint: Mapping[str, Any]) -> str:
    """`max_drop 0.01`: the bound as a recipe spells it."""
    bounds = ("max_drop", "min_speedup", *SIZES)
    return next(f"{name} {constraint[name]:g}" for name in bounds if constraint.get(name) is not None)


def _drop(constraint: Mapping[str, Any], accuracy: Mapping[str, Any]) -> str:
    """The interval of the change is that of the row's own metric; of another one nothing is certain."""
    if constraint.get("metric") not in (None, accuracy["metric"]) or accuracy["ci95"] is None:
        return "cannot_tell"
    if accuracy["metric"] == "agreement" or constraint.get("confidence", 0.95) != 0.95:
        return str(accuracy["constraint"])  # these were judged by an interval that the row does not show
    bar = constraint["max_drop"]
    if constraint.get("kind") == "relative":
        bar *= abs(accuracy["baseline"])
    return evidence.constraint_verdict(Interval(accuracy["delta"], *accuracy["ci95"]), accuracy["better"], bar)
