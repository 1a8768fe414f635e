"""One recipe in two runs: its speed-up and its accuracy then and now, and whether they are apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from workbench.difference.change import Change
from workbench.tasks.one_call import FEWEST_ROWS

if TYPE_CHECKING:
    from workbench.comparison import Goal, Predictions
    from workbench.evidence import Interval, Timed

Row = Mapping[str, Any]
Report = Mapping[str, Any]


@dataclass(frozen=True)
class Speed:
    """`verdict`: faster or slower (the speed-up of the second run is higher or lower by more than the intervals),
    no_clear_difference, baseline, not_comparable; overlap or apart where no raw rounds are left to say more.

    `ratio`: speed-up of the second / speed-up of the first, from the rounds of both, or None.
    """

    verdict: str
    ratio: Interval | None = None
    reason: str = ""


@dataclass(frozen=True)
class Accuracy:
    """`verdict`: that of the second run against the first on the examples that both answered; overlap or apart where
    the answers are not to be had; not_comparable.

    `paired`: as a row's `accuracy`, the first run in the place of the baseline; None where there are no pairs.
    """

    verdict: str
    paired: Mapping[str, Any] | None = None
    reason: str = ""


@dataclass(frozen=True)
class Pair:
    """`a` and `b` are rows of the two reports; `same`: one recipe by its identity. `changes`: what differs in this
    recipe, besides what differs in the whole runs."""

    a: Row = field(repr=False)
    b: Row = field(repr=False)
    same: bool
    speed: Speed
    accuracy: Accuracy
    changes: tuple[Change, ...] = ()

    @property
    def names(self) -> tuple[str, str]:
        return str(self.a["name"]), str(self.b["name"])


# ---- speed --------------------------------------------------------------------------------------


def speed(reports: tuple[Report, Report], rows: tuple[Row, Row], bars: Sequence[Change]) -> Speed:
    """`bars`: what makes speed-ups of the two runs not comparable."""
    from workbench import evidence

    if bars:
        return Speed("not_comparable", reason=f"Other {_names(bars)}.")
    for row, which in zip(rows, ("first", "second"), strict=True):
        if row["status"] != "ok" or row["speed"]["ci95"] is None:
            why = row["reason"] or row["speed"].get("reason") or "It was not measured."
            return Speed("not_comparable", reason=f"In the {which} run: {why}")
    if all(row["name"] == report["baseline"] for row, report in zip(rows, reports, strict=True)):
        return Speed("baseline")
    timed = [_timed(report, row) for report, row in zip(reports, rows, strict=True)]
    resolutions = [report["resolution"]["aa_ci95"] for report in reports]
    ratio = evidence.ratio_between(timed[0], timed[1]) if timed[0] and timed[1] else None
    if ratio is None or not all(resolutions):
        return Speed(_apart(*(evidence.widened(row["speed"]["ci95"], aa)
                              for row, aa in zip(rows, resolutions, strict=True))))  # fmt: skip
    both = sum((hi - lo) / 2 for lo, hi in resolutions)
    return Speed(evidence.speed_verdict(ratio, evidence.Interval(1.0, 1 - both, 1 + both)), ratio)


def _timed(report: Report, row: Row) -> Timed | None:
    """The rounds that the report kept; milliseconds serve as well as seconds, only ratios are taken."""
    from workbench.evidence import Timed

    base = next(one for one in report["rows"] if one["name"] == report["baseline"])
    if not base["speed"].get("rounds") or not row["speed"].get("rounds"):
        return None
    return Timed(base["speed"]["rounds"], row["speed"]["rounds"], base["speed"].get("rounds_again"))


def _apart(one: Sequence[float], other: Sequence[float]) -> str:
    from workbench import evidence

    return "overlap" if evidence.overlap(one, other) else "apart"


def _names(changes: Sequence[Change]) -> str:
    return ", ".join(dict.fromkeys(change.name for change in changes))


# ---- accuracy -----------------------------------------------------------------------------------


def accuracy(rows: tuple[Row, Row], answers: tuple[Predictions | None, Predictions | None], bars: Sequence[Change],
             goal: Goal) -> Accuracy:  # fmt: skip
    """`bars`: what makes answers of the two runs not comparable."""
    from workbench import comparison

    if bars:
        return Accuracy("not_comparable", reason=f"Other {_names(bars)}.")
    before, after = (row["accuracy"] for row in rows)
    if before["delta"] is None or after["delta"] is None or before["metric"] != after["metric"]:
        known = before["delta"] is not None and after["delta"] is not None
        return Accuracy("not_comparable", reason="Other metrics." if known else "One of the two was not measured.")
    one, other = answers
    if one is None or other is None:
        return _unpaired(before, after, "Their answers are not in the store any more.")
    shared = _shared(one, other)
    if len(shared[0].ids) < FEWEST_ROWS:
        return _unpaired(before, after, "They answered other examples.")
    found = comparison.accuracy_of(*shared, goal)
    return Accuracy(str(found["verdict"]), found)


def _unpaired(before: Mapping[str, Any], after: Mapping[str, Any], reason: str) -> Accuracy:
    """Each is against the baseline of its own run; the baselines themselves are against nothing then."""
    if before["verdict"] == after["verdict"] == "baseline":
        return Accuracy("baseline", reason=reason)
    return Accuracy(_apart(before["ci95"], after["ci95"]), reason=reason)


def _shared(one: Predictions, other: Predictions) -> tuple[Predictions, Predictions]:
    """Both cut to the examples that both answered, in one order."""
    places = [{key: place for place, key in enumerate(_occurrences(each.ids))} for each in (one, other)]
    keys = [key for key in places[0] if key in places[1]]
    return _only(one, [places[0][key] for key in keys]), _only(other, [places[1][key] for key in keys])


def _occurrences(ids: Sequence[str]) -> list[tuple[str, int]]:
    """An example may occur twice: (id, how often before)."""
    seen: dict[str, int] = {}
    found = []
    for one in ids:
        found.append((one, seen.get(one, 0)))
        seen[one] = seen.get(one, 0) + 1
    return found


def _only(answers: Predictions, places: list[int]) -> Predictions:
    return replace(
        answers, ids=[answers.ids[place] for place in places],
        predicted=[answers.predicted[place] for place in places], scores=answers.scores[places],
        statistics={name: values[places] for name, values in answers.statistics.items()},
    )  # fmt: skip
