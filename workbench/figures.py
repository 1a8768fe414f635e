"""Figures beside the headline as people read them: points of speed, throughput, further metrics.

A row's points fall into tables by what was timed and by whether lengths were natural; a cell is a `Figure`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workbench import sentence, words
from workbench.sentence import Report, Row
from workbench.words import NBSP

Point = Mapping[str, Any]
NATURAL = "Speed at natural lengths"
CHANGES = "Beside each value its change against the baseline with the 95 % interval, marked where that leaves out zero."
GLYPHS = {"better": "▲ ", "worse": "▼ "}
FEW = 1e-6  # a divergence below it is arithmetic's


@dataclass(frozen=True)
class Figure:
    """`value` with its unit; `rate` without its `unit`, and `turned`, its reciprocal where that has a name; `more`: the
    change or the ratio with its interval. A `tone` ("better", "worse") where a change's interval leaves out zero."""

    value: str
    more: str = ""
    rate: str = ""
    unit: str = ""
    turned: str = ""
    tone: str = ""

    def __str__(self) -> str:
        more = self.more if self.more.startswith("(") else f"· {GLYPHS.get(self.tone, '')}{self.more}"
        rate = f" · {self.rated()}" if self.rate else ""
        return f"{self.value}{rate} {more}" if self.more else f"{self.value}{rate}"

    def rated(self, unit: bool = True) -> str:
        """`83.1 s of sound/s, RTF 0.012`; without the unit `83.1/s, RTF 0.012`; "" where no rate is said."""
        if not self.rate:
            return ""
        said = f"{self.rate}{NBSP}{self.unit.replace(' ', NBSP)}" if unit else f"{self.rate}/s"
        return f"{said}, {self.turned}" if self.turned else said


@dataclass(frozen=True)
class Column:
    """A title and what stands under it, with the figure of each row that has one, by the row's name."""

    title: str
    below: str
    figures: Mapping[str, Figure]


@dataclass(frozen=True)
class Table:
    """`meaning`: sentences under it. `timed`: the metric of its points, where they are at fixed lengths."""

    title: str
    meaning: str
    columns: tuple[Column, ...]
    timed: str = ""

    @property
    def rows(self) -> list[str]:
        """Names of the rows that have a figure, each once."""
        return list(dict.fromkeys(name for column in self.columns for name in column.figures))

    @property
    def unit(self) -> str:
        return _unit(self.columns)


# ---- speed --------------------------------------------------------------------------------------


def point(said: Point, base: bool = False) -> Figure:
    """`12.3 ms`, its rate, and the speed-up with its interval; of the baseline the interval against itself."""
    ratio = f"{'A/A' if base else words.speedup(said.get('speedup'))} ({words.ratio_interval(said.get('ci95'))})"
    value, unit = said.get("rate"), str(said.get("rate_unit") or "")
    if not words.usable(value) or not value or not unit:
        return Figure(time(said), ratio)
    name = words.RECIPROCALS.get(unit, "")
    turned = f"{name}{NBSP}{words.figure(1 / value)}" if name else ""
    return Figure(time(said), ratio, words.figure(value), unit, turned)


def throughput(row: Row) -> Figure | None:
    """Examples a second, with the interval over rounds."""
    facts = sentence.speed(row)
    value, ends = facts.get("throughput"), facts.get("throughput_ci95")
    if not words.usable(value) or not words.is_interval(ends):
        return None
    return Figure(f"{words.figure(value)}/s", f"({words.figure(ends[0])}–{words.figure(ends[1])})")


def natural(report: Report) -> Table | None:
    """Throughput, and every point at natural lengths that says more than the table of all variants."""
    given = [one for one in _points(report) if one.said.get("sequence") is None and not one.part]
    loose = [one for one in given if not _headline(one.said) or one.figure.rate]
    columns = _throughputs(report)
    for name in dict.fromkeys(one.said["name"] for one in loose):
        found = {one.row: one.figure for one in loose if one.said["name"] == name}
        columns.append(Column(str(name).replace("_", " "), "", found))
    turned = {words.RECIPROCALS.get(one.figure.unit, ""): "" for one in loose if one.figure.turned}
    meaning = [_legend(columns), *(f"{name}: {words.TERMS[name]}" for name in turned)]
    return Table(NATURAL, " ".join(meaning), tuple(columns)) if columns else None


def _throughputs(report: Report) -> list[Column]:
    """One column, which says where it was seen if that is one point for all."""
    found = {row["name"]: figure for row in _rows(report) if (figure := throughput(row))}
    places = {str(sentence.speed(row).get("throughput_at") or "") for row in _rows(report) if row["name"] in found}
    where = places.pop() if len(places) == 1 else "at the best point"
    return [Column("Throughput", f"examples a second, {where}", found)] if found else []


def fixed(report: Report) -> list[Table]:
    """At each length and batch, a table for each thing that was timed: whole calls, first tokens, tokens after them.
    Those parts of a call are told for natural lengths here too."""
    tables = []
    given = [one for one in _points(report) if one.said.get("sequence") is not None or one.part]
    for metric in dict.fromkeys(str(one.said["metric"]) for one in given):
        own = [one for one in given if one.said["metric"] == metric]
        columns = []
        for length, batch in sorted({one.place for one in own}):
            found = {one.row: one.figure for one in own if one.place == (length, batch)}
            where = f"{words.number(length)} tokens" if length else "natural lengths"
            columns.append(Column(where, f"batch {batch}", found))
        title, meaning = words.TIMED.get(metric, (metric.replace("_", " ").capitalize(), ""))
        tables.append(Table(title, f"{_legend(columns)} {meaning}".strip(), tuple(columns), metric))
    return tables


def _legend(columns: Sequence[Column]) -> str:
    """What a cell holds."""
    unit = _unit(columns)
    said = ", ".join(filter(None, ("Median", unit, "speed-up with its 95 % interval")))
    return f"{said}; A/A: the baseline against itself."


def _unit(columns: Sequence[Column]) -> str:
    """That of all rates, or "" where there are several or none."""
    units = {one.unit for column in columns for one in column.figures.values() if one.rate}
    return units.pop() if len(units) == 1 else ""


@dataclass(frozen=True)
class _Seen:
    """A point of a row."""

    row: str
    said: Point
    figure: Figure

    @property
    def part(self) -> bool:
        """Whether it is a part of a call."""
        return self.said["metric"] != "latency" and self.said["metric"] in words.TIMED

    @property
    def place(self) -> tuple[int, int]:
        """Length and batch; 0: natural lengths."""
        return self.said["sequence"] or 0, self.said["batch"]


def _points(report: Report) -> list[_Seen]:
    base = report["baseline"]
    return [_Seen(row["name"], one, point(one, row["name"] == base))
            for row in _rows(report) for one in sentence.speed(row).get("points") or ()]  # fmt: skip


def _rows(report: Report) -> list[Row]:
    return [row for row in sentence.ordered(report) if row["status"] == "ok"]


def _headline(one: Point) -> bool:
    """Batch 1 at natural lengths is what the table of all variants shows."""
    return one.get("metric") == "latency" and one.get("batch") == 1 and one.get("sequence") is None


def time(said: Point) -> str:
    """In milliseconds, whatever the unit of the report."""
    value, unit = said.get("value"), said.get("unit") or ""
    if not words.usable(value) or unit not in ("s", "ms"):
        return f"{words.figure(value)}{NBSP}{unit}".strip()
    return f"{words.milliseconds(value * (1e3 if unit == 's' else 1))}{NBSP}ms"


# ---- answers ------------------------------------------------------------------------------------


def metrics(report: Report) -> Table | None:
    """What else was judged of the answers: a column a metric."""
    given = [(row["name"], one) for row in _rows(report) for one in (sentence.accuracy(row).get("secondary") or ())
             if metric(one)]  # fmt: skip
    columns = []
    for name in dict.fromkeys(one["metric"] for _, one in given):
        own = [(row, one) for row, one in given if one["metric"] == name]
        found = {row: figure for row, one in own if (figure := metric(one))}
        columns.append(Column(_title(name), _under(own[-1][1]), found))
    meaning = [CHANGES] if any(one["delta"] is not None for _, one in given) else []
    meaning += [f"KL: {words.TERMS['KL']}"] if any(one["metric"] == "kl" for _, one in given) else []
    return Table("Other measures of the answers", " ".join(meaning), tuple(columns)) if columns else None


def metric(said: Mapping[str, Any]) -> Figure | None:
    """`85.4 %` with `−0.3 pp (−0.6 to +0.1)`; of what lies between two models the value and its interval alone;
    None without an interval."""
    value, delta, ends, unit = said.get("value"), said.get("delta"), said.get("ci95"), said.get("unit")
    if not words.usable(value) or not words.is_interval(ends):
        return None
    if delta is None:
        low, high = (_near(said, end) for end in ends)
        return Figure(_near(said, value), f"({low}–{high})")
    if tuple(ends) == (0, 0):  # the baseline against itself; no other interval is that narrow
        return Figure(words.value_of(value, unit))
    more = f"{words.change(delta, unit)} ({words.change_interval(ends, unit)})"
    return Figure(words.value_of(value, unit), more, tone=_tone(said, ends))


def _tone(said: Mapping[str, Any], ends: Any) -> str:
    low, high = sorted(sentence.worse_sign(dict(said)) * end for end in ends)
    return "better" if low > 0 else "worse" if high < 0 else ""


def _near(said: Mapping[str, Any], value: float) -> str:
    """A cosine with the digits that tell it from one; a divergence too small to mean anything says so."""
    if said["metric"] == "cosine":
        return words.cosine(value)
    if said["metric"] == "kl" and value < FEW:
        return "0"
    return words.figure(value, significant=2)


def _title(name: str) -> str:
    said = words.metric_name(name)
    return said[:1].upper() + said[1:]


def _under(said: Mapping[str, Any]) -> str:
    """Unit, direction and n."""
    unit = str(said.get("unit") or "")
    parts = (unit if unit not in ("", "1", "fraction") else "",
             "less is better" if said.get("better") == "lower" else "",
             f"n{NBSP}={NBSP}{words.number(said.get('n'))}")  # fmt: skip
    return ", ".join(part for part in parts if part)
