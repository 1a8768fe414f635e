"""Two finished runs side by side: whether they can be compared at all, then every recipe that both have."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from workbench import recipe as recipes
from workbench import sentence, words
from workbench.difference import files, pair
from workbench.difference.change import Change, Changes
from workbench.difference.measured import NOT_INTERLEAVED
from workbench.difference.pair import Pair, Report, Row
from workbench.errors import WorkbenchError
from workbench.recipe import Recipe
from workbench.words import NBSP

if TYPE_CHECKING:
    from workbench.comparison import Goal, Predictions

SCHEMA = "workbench/against@1"
# A change of one of these makes figures of two runs figures of different things.
MODEL = ("spec.model.id", "spec.model.digest", "spec.model.task", "lock.model", "lock.data", "lock")
MACHINE = ("lock.machine.class", "lock.machine", "lock.runtime.threads", "lock.runtime.details.threads")
HARMLESS = ("lock.model.license",)
ROWS = "lock.data.evaluation"


@dataclass(frozen=True)
class Finished:
    """A run that has a report. `answers` gives what a row answered, None where that is gone."""

    id: str
    report: Report = field(repr=False)
    details: Mapping[str, Any] = field(repr=False)
    answers: Callable[[str], Predictions | None] = field(repr=False, default=lambda _: None)

    @cached_property
    def recipes(self) -> dict[str, Recipe]:
        """The recipe files of its rows."""
        return {name: recipes.load(text) for name, text in self.details["yaml"].items()}

    @property
    def baseline(self) -> Recipe:
        name = str(self.report["baseline"])
        if name not in self.recipes:
            raise WorkbenchError(
                f"Run {self.id} cannot be compared with another.",
                f"Its baseline {name} did not finish, and every figure is against it.",
                "Run it again.",
            )
        return self.recipes[name]


@dataclass(frozen=True)
class TwoRuns:
    """`changes`: what differs between the runs as a whole. `bars_speed`, `bars_accuracy`: those of it that make the
    figures not comparable. `notes`: what must stand beside every speed-up."""

    a: Finished
    b: Finished
    changes: Changes
    bars_speed: tuple[Change, ...]
    bars_accuracy: tuple[Change, ...]
    pairs: tuple[Pair, ...]
    only_a: tuple[Row, ...]
    only_b: tuple[Row, ...]
    notes: tuple[str, ...]

    @property
    def comparable(self) -> bool:
        return not self.bars_speed and not self.bars_accuracy

    @property
    def bars(self) -> tuple[Change, ...]:
        """Each once."""
        return tuple(dict.fromkeys([*self.bars_accuracy, *self.bars_speed]))

    @property
    def best(self) -> tuple[str | None, str | None]:
        return self.a.report["best"], self.b.report["best"]

    def to_dict(self) -> dict[str, Any]:
        """Tokens and numbers, without the raw rounds."""
        return {
            "schema": SCHEMA, "runs": [self.a.id, self.b.id], "comparable": self.comparable, "best": list(self.best),
            "bars": {"speed": [asdict(one) for one in self.bars_speed],
                     "accuracy": [asdict(one) for one in self.bars_accuracy]},
            "changes": [asdict(one) for one in self.changes], "rows": [_plain(one) for one in self.pairs],
            "only": [[row["name"] for row in rows] for rows in (self.only_a, self.only_b)], "notes": list(self.notes),
        }  # fmt: skip


def _plain(one: Pair) -> dict[str, Any]:
    ratio = asdict(one.speed.ratio) if one.speed.ratio else None
    figures = [{"speedup": row["speed"]["speedup"], "ci95": row["speed"]["ci95"], "accuracy": row["accuracy"]["value"],
                "delta": row["accuracy"]["delta"], "delta_ci95": row["accuracy"]["ci95"], "size_mb": row["size_mb"],
                "peak_rss_mb": row["peak_rss_mb"]} for row in (one.a, one.b)]  # fmt: skip
    return {
        "names": list(one.names), "same_recipe": one.same, "figures": figures,
        "speed": {"verdict": one.speed.verdict, "ratio": ratio, "reason": one.speed.reason or None},
        "accuracy": {"verdict": one.accuracy.verdict, "paired": one.accuracy.paired and dict(one.accuracy.paired),
                     "reason": one.accuracy.reason or None},
        "changes": [asdict(change) for change in one.changes],
    }  # fmt: skip


# ---- against ------------------------------------------------------------------------------------


def against(a: Finished, b: Finished) -> TwoRuns:
    """Raises WorkbenchError for a run whose baseline did not finish."""
    whole = files.between(a.baseline, b.baseline, (a.id, b.id))
    kept = tuple(change for change in whole if change.kind not in ("expectations", "about"))
    changes = replace(whole, changes=kept, notes=())
    bars_speed = tuple(change for change in kept if _bars_speed(change))
    bars_accuracy = tuple(change for change in kept if _bars_accuracy(change, a, b))
    matched = _matched(a, b)
    pairs = tuple(_pair(a, b, rows, kept, bars_speed, bars_accuracy) for rows in matched)
    taken = [{rows[side]["name"] for rows in matched} for side in (0, 1)]
    rest = [tuple(row for row in sentence.ordered(dict(run.report)) if row["name"] not in names)
            for run, names in zip((a, b), taken, strict=True)]  # fmt: skip
    return TwoRuns(a, b, changes, bars_speed, bars_accuracy, pairs, rest[0], rest[1], _notes(a, b))


def _of(change: Change, paths: Sequence[str]) -> bool:
    return any(change.where == path or change.where.startswith(f"{path}.") for path in paths)


def _bars_speed(change: Change) -> bool:
    """Another model, other rows, another class of machine, other threads, another baseline."""
    if change.kind == "spec" or change.where == "spec.goal.baseline":
        return True
    other_rows = change.where == ROWS and "speed" in change.explains
    return not _of(change, HARMLESS) and (other_rows or (change.where != ROWS and _of(change, (*MODEL, *MACHINE))))


def _bars_accuracy(change: Change, a: Finished, b: Finished) -> bool:
    """Another model, or other data. Rows of the same data can be paired where both were answered."""
    if change.where == ROWS:
        return _content(a) != _content(b)
    return not _of(change, HARMLESS) and change.where != ROWS and _of(change, MODEL)


def _content(run: Finished) -> tuple[Any, ...]:
    said = run.report["data"]["evaluation"]
    return said.get("source"), said.get("revision"), said.get("split")


def _matched(a: Finished, b: Finished) -> list[tuple[Row, Row]]:
    """Rows of one identity, then rows of one name, in the order of the first report's table."""
    rows = {row["name"]: row for row in b.report["rows"]}
    by_identity = {recipe.identity(): name for name, recipe in b.recipes.items()}
    found: dict[str, str] = {}
    for name, recipe in a.recipes.items():
        other = by_identity.pop(recipe.identity(), None)
        if other is not None:
            found[name] = other
    for row in a.report["rows"]:
        name = row["name"]
        if name in rows and name not in found and name not in found.values():
            found[name] = name
    return [(row, rows[found[row["name"]]]) for row in sentence.ordered(dict(a.report)) if row["name"] in found]


def _pair(a: Finished, b: Finished, rows: tuple[Row, Row], whole: Sequence[Change], bars_speed: Sequence[Change],
          bars_accuracy: Sequence[Change]) -> Pair:  # fmt: skip
    names = rows[0]["name"], rows[1]["name"]
    mine, other = a.recipes.get(names[0]), b.recipes.get(names[1])
    own: tuple[Change, ...] = ()
    if mine and other:
        known = {(change.where, change.old, change.new) for change in whole}
        own = tuple(change for change in files.between(mine, other)
                    if change.kind not in ("expectations", "about")
                    and (change.where, change.old, change.new) not in known)  # fmt: skip
    return Pair(
        a=rows[0], b=rows[1], same=bool(mine and other and mine.identity() == other.identity()),
        speed=pair.speed((a.report, b.report), rows, bars_speed),
        accuracy=pair.accuracy(rows, (a.answers(names[0]), b.answers(names[1])), bars_accuracy, _goal(b)),
        changes=own,
    )  # fmt: skip


def _goal(run: Finished) -> Goal:
    from workbench.comparison import Goal

    return Goal(**run.report["goal"])


def _notes(a: Finished, b: Finished) -> tuple[str, ...]:
    """What must be known to read a difference of speed."""
    times = [next(row for row in run.report["rows"] if row["name"] == run.report["baseline"])["speed"]["p50_ms"]
             for run in (a, b)]  # fmt: skip
    said = [
        NOT_INTERLEAVED + " The intervals hold the scatter inside each run, not what changed on the machine between "
        "them: with others at work on it, one file can be faster or slower by more than its interval."
    ]
    if all(words.usable(time) for time in times):
        then, now = (words.milliseconds(time) for time in times)
        said.append(f"The baseline took {then}{NBSP}ms a call in the first run and {now}{NBSP}ms in the second.")
    return tuple(said)
