"""Where the time of a call goes, by operator and by precision."""

from __future__ import annotations

from typing import Any

from workbench import sentence, words
from workbench.report.markup import e, heading, table
from workbench.report.parts.why import shares
from workbench.sentence import Report

Entry = dict[str, Any]
MOST = 8
SHADES = {"int8": "int8", "bf16": "half", "fp16": "half", "fp32": "full"}


def profile(report: Report, details: dict[str, Any]) -> str:
    given: dict[str, list[Entry]] = details.get("profile") or {}
    rows = [row for row in sentence.ordered(report) if given.get(row["name"])]
    if not rows:
        return ""
    groups = "".join(_group(row["name"], given[row["name"]], index == 0) for index, row in enumerate(rows))
    return (
        f'{heading("Where the time goes")}<div class="profiles">{groups}</div><p class="note '
        'under">A call by operator, longest first, with the precision it ran in. What is not '
        "listed is the rest of the call.</p>"
    )


def _group(name: str, entries: list[Entry], opened: bool) -> str:
    parts = ", ".join(f"{precision} {words.percent(share)}" for precision, share in shares(entries, "precision"))
    lines = [
        [
            f'<code>{e(entry.get("type"))}</code><small class="faint">{e(entry.get("name"))}</small>',
            e(entry.get("precision") or words.NONE),
            _time(entry),
            _share(entry),
        ]
        for entry in entries[:MOST]
    ]
    body = table(["Operator", "Precision", "ms a call", "Share"], lines, "plain bars", f"Time by operator in {name}")
    return (
        f"<details{' open' if opened else ''}><summary><code>{e(name)}</code> <span "
        f'class="note">{e(parts)}</span>{_strip(entries)}</summary>{body}</details>'
    )


def _time(entry: Entry) -> str:
    seconds = entry.get("seconds")
    return words.milliseconds(1000 * seconds) if words.usable(seconds) else words.NONE


def _share(entry: Entry) -> str:
    share = entry.get("share")
    if not words.usable(share):
        return words.NONE
    return (
        f'<span class="bar"><i style="width:{100 * min(share, 1.0):.1f}%"></i></span><span '
        f'class="amount">{words.percent(share)}</span>'
    )


def _strip(entries: list[Entry]) -> str:
    """One bar, cut by precision; the text beside it says the same."""
    pieces = "".join(
        f'<i class="{SHADES.get(precision, "other")}" style="width:{100 * min(share, 1.0):.1f}%"></i>'
        for precision, share in shares(entries, "precision")
    )
    return f'<span class="precisions" aria-hidden="true">{pieces}</span>'
