"""The conclusion as a sentence, and at most three lines after it, made from report.json.

A sentence is a tuple of spans, so that a page can set names and intervals apart and a terminal can print it plainly.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from workbench import words
from workbench.words import NBSP, Word

Row = dict[str, Any]
Report = dict[str, Any]


@dataclass(frozen=True)
class Span:
    """`kind`: "" prose, "name" what a file or a command would contain, "interval" what qualifies a figure."""

    text: str
    kind: str = ""


Sentence = tuple[Span, ...]


@dataclass(frozen=True)
class Remark:
    word: Word
    sentence: Sentence


def plain(sentence: Sentence, quote: str = "`") -> str:
    """One line of text, names between `quote`."""
    return "".join(f"{quote}{span.text}{quote}" if span.kind == "name" else span.text for span in sentence)


# ---- reading a report -----------------------------------------------------------------------------


def finished(report: Report) -> list[Row]:
    """Rows that have figures, in the order of the report."""
    return [row for row in report["rows"] if row["status"] == "ok"]


def ordered(report: Report) -> list[Row]:
    """The baseline, then by speed-up from fast to slow, rows without a speed-up after them, failed and skipped last."""

    def place(row: Row) -> tuple[int, float]:
        group = {"ok": 1, "failed": 2, "skipped": 3}.get(row["status"], 2)
        ratio = speed(row).get("speedup")
        return (0 if row["name"] == report["baseline"] else group, -ratio if words.usable(ratio) else math.inf)

    return sorted(report["rows"], key=place)


def listed(report: Report) -> list[Row]:
    """Those of a table, in that order: of a search only what finished, since how each candidate ended stands beside."""
    return [row for row in ordered(report) if row["status"] == "ok" or not report.get("search")]


def named(report: Report, name: str | None) -> Row | None:
    return next((row for row in report["rows"] if row["name"] == name), None)


def speed(row: Row) -> dict[str, Any]:
    return row.get("speed") or {}


def accuracy(row: Row) -> dict[str, Any]:
    """Empty where nothing was measured."""
    facts: dict[str, Any] = row.get("accuracy") or {}
    return facts if words.usable(facts.get("delta")) else {}


def measure(report: Report) -> dict[str, Any]:
    """The accuracy of the first row that has one: which metric, unit and direction all rows share."""
    return next((accuracy(row) for row in finished(report) if accuracy(row)), {})


def bar(report: Report) -> float | None:
    """How much of the metric may be lost, in its own unit; None where the report does not say."""
    goal = report.get("goal") or {}
    most, base = goal.get("max_drop"), measure(report).get("baseline")
    if not words.usable(most):
        return None
    return most * abs(base) if goal.get("kind") == "relative" and words.usable(base) else most


def failure(row: Row) -> tuple[str, str]:
    """(stage, reason) of a row that did not finish; a reason may begin with its stage: `export: One operator …`."""
    reason = str(row.get("reason") or "No reason was given.")
    found = re.match(r"([a-z][a-z_-]*): (?=\S)", reason)
    return (found[1].replace("_", " "), reason[found.end() :]) if found else ("", reason)


def resolution(report: Report) -> float | None:
    """Half the width of the A/A interval: no smaller difference of speed can be seen in this run."""
    ends = (report.get("resolution") or {}).get("aa_ci95")
    return (ends[1] - ends[0]) / 2 if words.is_interval(ends) else None


def call(report: Report) -> str:
    """What one timed call of the headline is, where it is more than a call of the model: `16 tokens written`, or ""."""
    points = next((speed(row).get("points") for row in finished(report) if speed(row).get("points")), None)
    return str(points[0].get("call") or "") if points else ""


def unlabelled(report: Report) -> bool:
    """No labels: variants were compared with the baseline's answers."""
    return any(accuracy(row).get("metric") in ("agreement", "cosine") for row in finished(report))


def change_name(report: Report) -> str:
    """What the rows' accuracy is called: `accuracy change`, `WER change`, `agreement with the baseline`."""
    name = words.metric_name(measure(report).get("metric"))
    return f"{name} with the baseline" if unlabelled(report) else f"{name} change"


def worse_sign(facts: dict[str, Any]) -> float:
    """Multiplies a change so that worse is negative."""
    return -1.0 if facts.get("better") == "lower" else 1.0


# ---- the verdict ----------------------------------------------------------------------------------


def verdict(report: Report) -> Sentence:
    """The conclusion."""
    start = (Span("Quick look: "),) if report.get("quick") else ()
    return start + _conclusion(report)


def _conclusion(report: Report) -> Sentence:
    others = [row for row in finished(report) if row["name"] != report["baseline"]]
    best = named(report, report.get("best"))
    if report.get("search") and best is None:
        return _nothing_found(report, report["search"])
    if not others:
        return _nothing_finished(report)
    if best is not None and best["name"] != report["baseline"]:
        return _best(best)
    faster = [row for row in others if speed(row).get("verdict") == "faster"]
    if not faster:
        return _nothing_faster(report, others)
    return _faster_but(max(faster, key=_ratio), bar(report))


def _nothing_found(report: Report, search: dict[str, Any]) -> Sentence:
    tried = words.plural(search["candidates"], "candidate")
    tested = f"{words.number(search['answered'])} were tested for accuracy"
    said = Span(f"Nothing meets the goal: of {tried} {words.number(search['raced'])} were raced and {tested}.")
    if (closest := named(report, search.get("best_so_far"))) is None:
        return (said,)
    fast = words.speedup(speed(closest).get("speedup"))
    return (said, Span(" The best so far is "), Span(closest["name"], "name"), Span(f", {fast}."))


def _ratio(row: Row) -> float:
    value = speed(row).get("speedup")
    return value if words.usable(value) else 0.0


def _nothing_finished(report: Report) -> Sentence:
    states = [row["status"] for row in report["rows"]]
    parts = [f"{states.count(status)} {status}" for status in ("failed", "skipped") if status in states]
    return (Span("No variant finished" + (": " + ", ".join(parts) if parts else "") + "."),)


def _best(row: Row) -> Sentence:
    name = Span(row["name"], "name")
    return (name, *_speed_clause(row), *_accuracy_clause(accuracy(row)), Span("."))


def _speed_clause(row: Row) -> Sentence:
    facts = speed(row)
    ratio, interval = words.speedup(facts.get("speedup")), _bracket(words.ratio_interval(facts.get("ci95")))
    said = {"faster": f" is {ratio} faster", "slower": f" is slower, {ratio}"}.get(facts.get("verdict", ""))
    if said is None and facts.get("verdict") == "no_clear_difference":
        return (Span(f" is not clearly faster, {ratio} "), interval)
    return (Span((said or f" has no comparable speed, {ratio}") + " "), interval)


def _bracket(text: str) -> Span:
    return Span(f"({text})", "interval")


def _accuracy_clause(facts: dict[str, Any]) -> Sentence:
    """What follows the speed, from its comma on."""
    token, unit = facts.get("verdict"), facts.get("unit")
    if facts.get("metric") == "agreement" and token in ("no_detectable_drop", "cannot_tell", "drop"):
        said = f", the same answer as the baseline for {words.value_of(facts.get('value'), unit)} "
        return (Span(said), _bracket(f"n{NBSP}={NBSP}{words.number(facts.get('n'))}, no labels"))
    if facts.get("metric") == "cosine" and token in ("no_detectable_drop", "cannot_tell", "drop"):
        said = f", its vectors at a mean cosine of {words.cosine(facts.get('value'))} to the baseline’s "
        return (Span(said), _bracket(f"n{NBSP}={NBSP}{words.number(facts.get('n'))}, no labels"))
    name, falls = words.metric_name(facts.get("metric")), "rise" if facts.get("better") == "lower" else "drop"
    if token == "no_detectable_drop":
        return (Span(f", no detectable {name} {falls} "), _bracket(_could_have_seen(facts)))
    if token == "drop":
        lost = words.amount(facts.get("delta"), unit)
        interval = words.change_interval(facts.get("ci95"), unit)
        inside = {"met": ", inside the bar", "missed": ", which misses the bar"}.get(facts.get("constraint", ""), "")
        return (Span(f", at {_a(name)} {falls} of {lost} "), _bracket(interval), Span(inside))
    if token == "cannot_tell":
        seen = f", and {plural_examples(facts)} cannot tell if its {name} holds "
        return (Span(seen), _bracket(words.change_interval(facts.get("ci95"), unit)))
    return (Span(f"; its {name} was not measured"),)


def _a(name: str) -> str:
    """`an accuracy`, `a macro F1`, `an F1`, `an MSE`: by the sound of the first letter."""
    vowel = name[:1] in "aeiou" or ((name[:2].isupper() or name[1:2].isdigit()) and name[:1] in "AEFHILMNORSX")
    return f"{'an' if vowel else 'a'} {name}"


def _could_have_seen(facts: dict[str, Any]) -> str:
    said = f"n{NBSP}={NBSP}{words.number(facts.get('n'))}"
    seen = facts.get("detectable_drop")
    return f"{said} could have seen {words.amount(seen, facts.get('unit'))}" if words.usable(seen) else said


def plural_examples(facts: dict[str, Any]) -> str:
    return words.plural(facts.get("n") or 0, "example")


def _nothing_faster(report: Report, others: list[Row]) -> Sentence:
    unclear = [row for row in others if speed(row).get("verdict") != "slower"]
    closest = max(unclear or others, key=_ratio)
    ratio, interval = words.speedup(speed(closest).get("speedup")), words.ratio_interval(speed(closest).get("ci95"))
    end = ", no clear difference." if speed(closest).get("verdict") == "no_clear_difference" else "."
    return (
        Span("Nothing here is faster than "),
        Span(report["baseline"], "name"),
        Span("; "),
        Span(closest["name"], "name"),
        Span(f" comes closest, {ratio} "),
        _bracket(interval),
        Span(end),
    )


def _faster_but(row: Row, max_drop: float | None) -> Sentence:
    facts, name = accuracy(row), Span(row["name"], "name")
    speed_part = _speed_clause(row)
    if facts.get("constraint") == "missed":
        falls = "rise" if facts.get("better") == "lower" else "drop"
        lost = (
            f"{words.metric_name(facts.get('metric'))} {falls} "
            f"of {words.amount(facts.get('delta'), facts.get('unit'))} "
        )
        interval = _bracket(words.change_interval(facts.get("ci95"), facts.get("unit")))
        return (
            name,
            *speed_part,
            Span(f", but its {lost}"),
            interval,
            Span(f" misses {_bar(max_drop, facts)}; nothing faster meets it."),
        )
    if facts.get("constraint") == "cannot_tell":
        end = f", but {plural_examples(facts)} cannot tell if it stays within {_bar(max_drop, facts)}."
        return (name, *speed_part, Span(end))
    return (name, *speed_part, Span("; its accuracy was not measured."))


# ---- at most three more lines -----------------------------------------------------------------------


def remarks(report: Report) -> list[Remark]:
    """Faster but undecided (and how many examples would decide), ties with the best, surprises: three at most."""
    best = named(report, report.get("best"))
    others = [row for row in finished(report) if row["name"] not in (report["baseline"], report.get("best"))]
    undecided = [_undecided(row, best, bar(report)) for row in others if _is_undecided(row, best)]
    ties = [_tie(row, best) for row in others if best is not None and _is_tie(row, best)]
    surprises = [_surprise(row) for row in others if _is_surprise(row)]
    return [*undecided[:1], *ties[:1], *surprises, *undecided[1:], *ties[1:]][:3]


def _is_undecided(row: Row, best: Row | None) -> bool:
    faster = speed(row).get("verdict") == "faster" and (best is None or _ratio(row) > _ratio(best))
    return faster and accuracy(row).get("constraint") == "cannot_tell"


def _bar(max_drop: float | None, facts: dict[str, Any]) -> str:
    if max_drop is None:
        return "the bar"
    name = f"{words.metric_name(facts.get('metric'))} " if facts.get("unit") in ("", "1") else ""
    return f"the {words.amount(max_drop, facts.get('unit'))} {name}bar"


def _undecided(row: Row, best: Row | None, max_drop: float | None) -> Remark:
    facts = accuracy(row)
    still = "faster still, " if best is not None else ""
    text = (
        f" is {still}{words.speedup(_ratio(row))}{'' if still else ' faster'}, "
        f"but {plural_examples(facts)} cannot tell if it stays within {_bar(max_drop, facts)}."
    )
    more = examples_to_decide(facts, max_drop)
    if more:
        near = words.change(facts.get("delta"), facts.get("unit"))
        text += f" If the change stays near {near}, about {words.number(more)} more would."
    return Remark(words.VERDICTS["cannot_tell"], (Span(row["name"], "name"), Span(text)))


def examples_to_decide(facts: dict[str, Any], max_drop: float | None) -> int | None:
    """How many more examples bring the interval to one side of the bar if the change stays where it is; None if unknown
    or more than twenty times as many as there were. The interval's half-width shrinks with the root of n."""
    n, delta, ends = facts.get("n"), facts.get("delta"), facts.get("ci95")
    if not (n and words.usable(delta) and words.is_interval(ends) and max_drop is not None):
        return None
    sign = worse_sign(facts)
    change = sign * float(delta or 0.0)
    low, high = sorted((sign * ends[0], sign * ends[1]))
    room = change + max_drop
    half = change - low if room >= 0 else high - change
    if half <= 0 or abs(room) < half / math.sqrt(20):
        return None
    more = n * ((half / room) ** 2 - 1)
    if more <= 0:
        return None
    step = 10 ** math.floor(math.log10(max(more, 1)))
    return int(math.ceil(more / step) * step)


def _is_tie(row: Row, best: Row) -> bool:
    mine, other = speed(row).get("ci95"), speed(best).get("ci95")
    if not (words.is_interval(mine) and words.is_interval(other)) or accuracy(row).get("constraint") != "met":
        return False
    return bool(mine[0] <= other[1] and other[0] <= mine[1]) and speed(row).get("verdict") == "faster"


def _tie(row: Row, best: Row) -> Remark:
    interval = words.ratio_interval(speed(row).get("ci95"))
    text = f" is a tie with the best ({interval}){_compared_size(row.get('size_mb'), best.get('size_mb'))}."
    return Remark(words.VERDICTS["no_clear_difference"], (Span(row["name"], "name"), Span(text)))


def _compared_size(mine: float | None, other: float | None) -> str:
    if not (mine and other):
        return ""
    share, said = mine / other, f"{words.megabytes(mine)}{NBSP}MB"
    if 0.95 <= share <= 1.05:
        return f" at the same size, {said}"
    if 0.45 <= share <= 0.55:
        return f" at half the size, {said}"
    return f" and {'smaller' if share < 1 else 'larger'}, {said}"


def _is_surprise(row: Row) -> bool:
    return speed(row).get("verdict") == "slower" or accuracy(row).get("constraint") == "missed"


def _surprise(row: Row) -> Remark:
    facts, ratio = accuracy(row), words.speedup(speed(row).get("speedup"))
    slower, missed = speed(row).get("verdict") == "slower", facts.get("constraint") == "missed"
    change = words.change(facts.get("delta"), facts.get("unit"))
    said = [f"slower than the baseline, {ratio}"] if slower else [f"faster, {ratio}"] if ratio != words.NONE else []
    text = " is " + " and ".join(said) if said else " was not timed"
    if missed:
        text += f", and misses the bar with {change}" if slower else f", but misses the bar with {change}"
    reason = _first_sentence(row.get("why") or [])
    return Remark(
        words.VERDICTS["slower"], (Span(row["name"], "name"), Span(text + (f": {reason}" if reason else ".")))
    )


def _first_sentence(why: Iterable[str]) -> str:
    """The first reason, beginning small so that it can follow a colon, unless it begins with a name."""
    text = next(iter(why), "").strip()
    if len(text) > 1 and text[0].isupper() and text[1].islower() and text.split()[0].isalpha():
        text = text[0].lower() + text[1:]
    return text if not text or text.endswith(".") else text + "."
