"""What two files say was measured: whether their intervals tell them apart, and whether the same was built."""

from __future__ import annotations

from typing import Any

from workbench.difference import written
from workbench.difference.change import NOTHING, Change
from workbench.recipe import Recipe
from workbench.recipe_proof import Expect, ExpectedAccuracy, ExpectedSpeed

OVERLAP = "The intervals overlap: they do not tell the two apart."
APART = "The intervals do not overlap: the two are apart."
OTHER_MACHINE = "They belong to other machine classes and cannot be compared."
NO_INTERVAL = "Without both intervals nothing tells whether they are apart."
OTHER_ROWS = "They were measured on other rows."
OTHER_BASELINE = "They are against other baselines and cannot be compared."
NOT_INTERLEAVED = "Each is against the baseline of its own run; the two runs were not interleaved."
SAME_ANSWERS, OTHER_ANSWERS = "All answers are the same.", "Not all answers are the same."


def between(old: Recipe, new: Recipe) -> list[Change]:
    if old.expect is None or new.expect is None:
        return []
    return [*_speeds(old, new, old.expect, new.expect), *_accuracy(old, new, old.expect, new.expect),
            *_artifacts(old.expect, new.expect)]  # fmt: skip


def _speeds(old: Recipe, new: Recipe, then: Expect, now: Expect) -> list[Change]:
    before, after = ({one.name: one for one in each.speed} for each in (then, now))
    said = []
    for name in dict.fromkeys([*before, *after]):
        a, b = before.get(name), after.get(name)
        if a != b:
            texts = [written.speed(one.model_dump()) if one else NOTHING for one in (a, b)]
            why = _speed_why(old, new, a, b) if a and b else ""
            said.append(Change("expectations", "expect.speed", "changed", f"speed-up, {name}", texts[0], texts[1], why))
    return said


def _speed_why(old: Recipe, new: Recipe, a: ExpectedSpeed, b: ExpectedSpeed) -> str:
    from workbench import evidence

    classes = [one.lock.machine.isa if one.lock and one.lock.machine else None for one in (old, new)]
    if classes[0] != classes[1]:
        return OTHER_MACHINE
    if old.spec.goal.baseline != new.spec.goal.baseline:
        return OTHER_BASELINE
    if a.ci95 is None or b.ci95 is None:
        return NO_INTERVAL
    both = evidence.overlap(evidence.widened(a.ci95, a.aa_ci95), evidence.widened(b.ci95, b.aa_ci95))
    return f"{OVERLAP if both else APART} {NOT_INTERLEAVED}"


def _accuracy(old: Recipe, new: Recipe, then: Expect, now: Expect) -> list[Change]:
    a, b = then.accuracy, now.accuracy
    if a == b:
        return []
    texts = [written.accuracy(one.model_dump(), written.unit_of(recipe, one.metric)) if one else NOTHING
             for one, recipe in ((a, old), (b, new))]  # fmt: skip
    name = a.metric if a else b.metric if b else ""
    why = _accuracy_why(a, b, _same_rows(old, new)) if a and b else ""
    return [Change("expectations", "expect.accuracy", "changed", name.replace("_", " "), texts[0], texts[1], why)]


def _accuracy_why(a: ExpectedAccuracy, b: ExpectedAccuracy, same_rows: bool) -> str:
    from workbench import evidence

    if a.metric != b.metric:
        return "They are other metrics."
    parts = [] if same_rows else [OTHER_ROWS]
    if same_rows and a.predictions_sha256 and b.predictions_sha256:
        parts.append(SAME_ANSWERS if a.predictions_sha256 == b.predictions_sha256 else OTHER_ANSWERS)
    if a.ci95 and b.ci95:
        parts.append(OVERLAP if evidence.overlap(a.ci95, b.ci95) else APART)
    return " ".join(parts or [NO_INTERVAL])


def _same_rows(old: Recipe, new: Recipe) -> bool:
    sets = [one.lock.data.evaluation if one.lock and one.lock.data else None for one in (old, new)]
    return bool(sets[0] and sets[1] and sets[0].rows == sets[1].rows)


def _artifacts(then: Expect, now: Expect) -> list[Change]:
    """Of the steps that both have: the last of a name stands for it."""
    before, after = ({one.step: one.model_dump(mode="json") for one in each.artifacts} for each in (then, now))
    pairs = [(step, before[step], after[step]) for step in before if step in after]
    return [
        Change("expectations", "expect.artifacts", "changed", f"what {step} built", written.artifact(a),
               written.artifact(b), _built_why(a, b))
        for step, a, b in pairs if a["semantic"] != b["semantic"] or a["coverage"] != b["coverage"]
    ]  # fmt: skip


def _built_why(a: dict[str, Any], b: dict[str, Any]) -> str:
    return "" if a["semantic"] == b["semantic"] else "Graph and tensors are others."
