"""A comparison and its rows as small cards: how they draw themselves in a terminal or a notebook."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workbench import sentence, words
from workbench.card import Card

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
        "p50": f"{words.milliseconds(speed['p50_ms'])}{words.NBSP}ms",
        "size": f"{words.megabytes(data['size_mb'])}{words.NBSP}MB",
        "memory": f"{words.megabytes(data['peak_rss_mb'])}{words.NBSP}MB",
    }
    return Card(name, facts=facts, notes=list(data.get("why") or ()))


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
