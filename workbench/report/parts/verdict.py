"""The conclusion as a sentence, what else a person should know, and the file to take away."""

from __future__ import annotations

import base64
from typing import Any

from workbench import sentence
from workbench.report.markup import e, icon
from workbench.report.markup import sentence as spans


def verdict(report: dict[str, Any], details: dict[str, Any]) -> str:
    remarks = "".join(
        f"<li>{icon(remark.word.icon)}<span>{spans(remark.sentence)}</span></li>" for remark in sentence.remarks(report)
    )
    also = f'<ul class="also">{remarks}</ul>' if remarks else ""
    quick = (
        '<p class="quick"><span class="tag">quick</span> Fewer examples and rounds than a full '
        "run: the intervals are honest, but wide.</p>"
    )
    head = spans(sentence.verdict(report))
    return (
        f'<div class="verdict">{quick if report.get("quick") else ""}<h1>{head}</h1>{also}{take(report, details)}</div>'
    )


def take(report: dict[str, Any], details: dict[str, Any]) -> str:
    """A link that saves the best recipe; it needs no script and no server."""
    name = report.get("best")
    text = (details.get("yaml") or {}).get(name)
    return f'<div class="go">{saving(name, text, "button primary", "Take")}</div>' if name and text else ""


def saving(name: str, text: str, css: str, verb: str) -> str:
    data = base64.b64encode(text.encode()).decode()
    label = f"{icon('get')}{e(verb)} {e(name)}.yaml"
    return f'<a class="{css}" download="{e(name)}.yaml" href="data:application/yaml;base64,{data}">{label}</a>'


def warnings(report: dict[str, Any], details: dict[str, Any]) -> str:
    """What the run itself warns of, before any figure."""
    items = "".join(f"<li>{icon('note')}<span>{e(text)}</span></li>" for text in report.get("warnings") or ())
    return f'<ul class="warnings" aria-label="Warnings">{items}</ul>' if items else ""
