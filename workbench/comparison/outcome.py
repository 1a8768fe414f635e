"""A finished comparison: the report as plain data, the rows to choose among, and questions to them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from workbench.comparison import accuracy, bounds, drawn, flips
from workbench.comparison.judge import Judge
from workbench.comparison.seen import Goal, Inputs, Predictions, VariantResult
from workbench.errors import RequestError

if TYPE_CHECKING:
    import pandas as pd

SCHEMA = "workbench/report@1"


@dataclass(frozen=True)
class Row:
    """One variant as `report.json` has it; `data` is that object, and `None` is a figure that cannot be given."""

    data: Mapping[str, Any]

    @property
    def name(self) -> str:
        return str(self.data["name"])

    @property
    def status(self) -> str:
        return str(self.data["status"])

    @property
    def speed(self) -> Mapping[str, Any]:
        return dict(self.data["speed"])

    @property
    def accuracy(self) -> Mapping[str, Any]:
        return dict(self.data["accuracy"])

    @property
    def speedup(self) -> float | None:
        return self.speed["speedup"]  # type: ignore[no-any-return]  # a number or null of the report

    @property
    def gain(self) -> float | None:
        """Change of the metric, oriented so that worse is negative."""
        delta = self.accuracy["delta"]
        if delta is None:
            return None
        return float(delta) if self.accuracy["better"] == "higher" else -float(delta)

    def __repr__(self) -> str:
        return drawn.line(self.data)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return drawn.row(self.data).bundle() | {"text/plain": repr(self)}


@dataclass(frozen=True)
class Comparison:
    """A finished comparison: the report as plain data, and questions to it."""

    report: dict[str, Any]
    inputs: Inputs = field(repr=False)

    @property
    def rows(self) -> tuple[Row, ...]:
        return tuple(Row(data) for data in self.report["rows"])

    @property
    def best(self) -> Row | None:
        return self.row(self.report["best"]) if self.report["best"] else None

    @property
    def pareto(self) -> tuple[Row, ...]:
        return tuple(self.row(name) for name in self.report["pareto"])

    def row(self, name: str) -> Row:
        """The row of that name; RequestError naming the rows there are."""
        for row in self.rows:
            if row.name == name:
                return row
        raise RequestError(f"There is no row called `{name}`.", fix=f"Known: {', '.join(r.name for r in self.rows)}.")

    def flips(self, name: str) -> list[dict[str, Any]]:
        """Examples that `name` answered differently than the baseline, the widest change of score first:
        [{"index", "id", "card", "kind": to_wrong|to_right|changed, "baseline": {"answer", "score"}, "variant":
        {"answer", "score"}, "score_change"}]. A score is the probability of the answer it stands beside, None where
        answers are no classes; score_change is that of the baseline's answer. Empty for the baseline itself."""
        self.row(name)
        results = {result.name: result for result in self.inputs.variants}
        base, variant = results[self.inputs.baseline].predictions, results[name].predictions
        if base is None or variant is None or name == self.inputs.baseline or list(base.ids) != list(variant.ids):
            return []
        return flips.between(base, variant, self.inputs)

    def to_frame(self) -> pd.DataFrame:
        """One line a row, nested figures flattened: speed.p50_ms, accuracy.delta, …"""
        import pandas as pd

        kept = [{key: row.data[key] for key in row.data if key not in ("audit", "why")} for row in self.rows]
        frame = pd.json_normalize(kept, max_level=2)
        return frame.drop(columns=[c for c in frame if c in ("speed.points", "speed.rounds", "speed.rounds_again")])

    def samples_frame(self) -> pd.DataFrame:
        """Every timed call: variant, point, visit (1, or 2 for the baseline's second), round, call, seconds."""
        import pandas as pd

        columns = ["variant", "point", "visit", "round", "call", "seconds"]
        return pd.DataFrame(list(_samples(self.inputs.variants)), columns=columns)

    def flips_frame(self) -> pd.DataFrame:
        """The flips of every row (`name`), one line each, flattened: variant.answer, baseline.score, …"""
        import pandas as pd

        lines = [{"name": row.name, **flip} for row in self.rows for flip in self.flips(row.name)]
        return pd.json_normalize(lines)

    def __repr__(self) -> str:
        return drawn.table(self.report).text()

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return drawn.table(self.report).bundle()


# ---- compare ------------------------------------------------------------------------------------


def compare(inputs: Inputs) -> Comparison:
    """All rows against the baseline. Raises RequestError when the baseline is not among the variants."""
    variants = [_asked_metric_first(variant, inputs.goal.metric) for variant in inputs.variants]
    inputs = dataclasses.replace(inputs, variants=_with_names_of_their_own(variants))
    bases = [variant for variant in inputs.variants if variant.name == inputs.baseline]
    if not bases:
        raise RequestError(f"The baseline `{inputs.baseline}` is not among the variants.")
    judge = Judge(inputs, bases[0])
    data = [judge.row(variant) for variant in inputs.variants]
    rows = [Row(row) for row in data]
    best = _best(rows, inputs)
    report = {
        "schema": SCHEMA,
        "created": inputs.created,
        "quick": inputs.quick,
        "model": dict(inputs.model),
        "data": {"evaluation": dict(inputs.evaluation), "calibration": dict(inputs.calibration)},
        "machine": dict(inputs.machine),
        "target": inputs.target,
        "goal": dataclasses.asdict(inputs.goal),
        "baseline": inputs.baseline,
        "best": best.name if best else None,
        "rows": data,
        "pareto": [row.name for row in _pareto(rows)],
        "resolution": judge.resolution(),
        "measuring": dict(inputs.measuring),
        "warnings": [*inputs.warnings, *judge.warnings()],
    }
    if inputs.search is not None:
        report["search"] = dict(inputs.search)
    return Comparison(_finite(report), inputs)


def accuracy_of(base: Predictions, mine: Predictions, goal: Goal, seed: int = 7) -> dict[str, Any]:
    """The `accuracy` of a row, without a comparison around it."""
    return accuracy.judge(base, mine, goal, seed)


# ---- choosing


def _pareto(rows: Sequence[Row]) -> list[Row]:
    """Rows that no other beats in speed-up and accuracy at once, by their point estimates, the fastest first."""
    placed = [(row, row.speedup, row.gain) for row in rows if row.status == "ok"]
    known = [(row, speed, gain) for row, speed, gain in placed if speed is not None and gain is not None]
    front = [
        (speed, row)
        for row, speed, gain in known
        if not any(s >= speed and g >= gain and (s > speed or g > gain) for _, s, g in known)
    ]
    return [row for _, row in sorted(front, key=lambda entry: -entry[0])]


def _best(rows: Sequence[Row], inputs: Inputs) -> Row | None:
    """The fastest row whose constraint is `met`; for another goal the one of most throughput or least size.

    The baseline meets its own bar, so a row that is slower than it is no best: None where only the baseline is left.
    """
    constraints = inputs.goal.constraints
    met = [row for row in rows if row.status == "ok" and row.accuracy["constraint"] == "met"
           and (not constraints or bounds.of_all(constraints, row.data) == "met")]  # fmt: skip
    others = [(row, _worth(row, inputs.goal.optimize)) for row in met if row.name != inputs.baseline]
    known = [(worth, row) for row, worth in others if worth is not None]
    return max(known, key=lambda entry: entry[0])[1] if known else None


def _worth(row: Row, optimize: str) -> float | None:
    """More is better; None where it is not known or cannot be best."""
    if optimize == "size":
        size: float | None = row.data["size_mb"]
        return None if size is None else -size
    if optimize == "throughput":
        return row.speed["throughput"]  # type: ignore[no-any-return]  # a number or null of the report
    return row.speedup if row.speed["verdict"] in ("faster", "no_clear_difference") else None


# ---- plain data


def _with_names_of_their_own(variants: Sequence[VariantResult]) -> tuple[VariantResult, ...]:
    """Of two variants with one name the second becomes `name~2`."""
    seen: dict[str, int] = {}
    named = []
    for variant in variants:
        seen[variant.name] = count = seen.get(variant.name, 0) + 1
        named.append(variant if count == 1 else dataclasses.replace(variant, name=f"{variant.name}~{count}"))
    return tuple(named)


def _asked_metric_first(variant: VariantResult, metric: str) -> VariantResult:
    """The row speaks of its first metric; RequestError where the task has none of that name."""
    answers = variant.predictions
    if not metric or answers is None or answers.metric is None or answers.metric.name == metric:
        return variant
    known = {each.name: each for each in answers.metrics}
    if metric not in known:
        raise RequestError(f"There is no metric called `{metric}`.", fix=f"Known: {', '.join(known)}.")
    order = [known.pop(metric), *known.values()]
    return dataclasses.replace(variant, predictions=dataclasses.replace(answers, metrics=order))


def _samples(variants: Sequence[VariantResult]) -> Iterator[tuple[str, str, int, int, int, float]]:
    for variant in variants:
        for visit, points in ((1, variant.points), (2, variant.again)):
            for point in points:
                for number, turn in enumerate(point.rounds):
                    for call, seconds in enumerate(turn):
                        yield variant.name, point.name, visit, number, call, seconds


def _finite(value: Any) -> Any:
    """Plain data for JSON: a number that is none becomes None, tuples and arrays become lists."""
    if isinstance(value, Mapping):
        return {str(key): _finite(each) for key, each in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_finite(each) for each in value]
    if hasattr(value, "tolist"):
        return _finite(value.tolist())
    return None if isinstance(value, float) and not math.isfinite(value) else value
