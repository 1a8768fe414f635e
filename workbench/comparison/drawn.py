"""A comparison and its rows as small cards: how they draw themselves in a terminal or a notebook."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workbench import figures, sentence, words
from workbench.card import Card

POINT = ("point of speed", "median", "rate", "speed-up (95 %)")
HEADER = ("recipe", "speed-up (95 %)", "", "change (95 %)", "")


def table(report: Mapping[str, Any]) -> Card:
    """The verdict, all rows, and what to know. `report` is report.json."""
    report = dict(report)
    return Card(
        title=f"{report['model']['id']} against {report['baseline']}",
        sentence=sentence.plain(sentence.verdict(report)),
        header=HEADER,
        rows=[_cells(row) for row in sentence.ordered(report)],
        notes=[*report["warnings"], *(["A quick run: fewer examples and rounds."] if report["quick"] else [])],
    )


def row(data: Mapping[str, Any]) -> Card:
    """One row. `data` is its object in report.json."""
    if data["status"] != "ok":
        return Card(str(data["name"]), f"{words.word(data['status'])}: {data['reason']}")
    name, faster, verdict, change, kept = _cells(data)
    speed = data["speed"]
    facts = {
        "speed-up": f"{faster}, {verdict}",
        "accuracy": f"{change}, {kept}",
        **_measures(data),
        "p50": f"{words.milliseconds(speed['p50_ms'])}{words.NBSP}ms",
        "size": f"{words.megabytes(data['size_mb'])}{words.NBSP}MB",
        "memory": f"{words.megabytes(data['peak_rss_mb'])}{words.NBSP}MB",
    }
    if rate := figures.throughput(dict(data)):
        facts["throughput"] = str(rate)
    points = [(one["name"], *_point(one, speed["verdict"] == "baseline")) for one in speed["points"]]
    return Card(name, facts=facts, header=POINT if points else (), rows=points, notes=list(data.get("why") or ()))


def _measures(data: Mapping[str, Any]) -> dict[str, str]:
    """The other measures of the answers, by their names."""
    given = (data.get("accuracy") or {}).get("secondary") or ()
    return {words.metric_name(one["metric"]): str(found) for one in given if (found := figures.metric(one))}


def _point(said: Mapping[str, Any], base: bool) -> tuple[str, str, str]:
    found = figures.point(said, base)
    return found.value, found.rated() or words.NONE, found.more


def line(data: Mapping[str, Any]) -> str:
    return f"<row {'  '.join(_cells(data))}>"


def _cells(data: Mapping[str, Any]) -> tuple[str, ...]:
    if data["status"] != "ok":
        return data["name"], words.word(data["status"]).text, data["reason"], "", ""
    speed, accuracy = data["speed"], data["accuracy"]
    unit = accuracy["unit"]
    faster = f"{words.speedup(speed['speedup'])} ({words.ratio_interval(speed['ci95'])})"
    change = f"{words.change(accuracy['delta'], unit)} ({words.change_interval(accuracy['ci95'], unit)})"
    return data["name"], faster, words.word(speed["verdict"]).text, change, words.word(accuracy["verdict"]).text
