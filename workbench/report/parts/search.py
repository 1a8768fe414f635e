"""What a search looked at: every candidate with why it lost, and which operators cost most where that was asked."""

from __future__ import annotations

from typing import Any

from workbench import words
from workbench.report.markup import e, heading, table

SHOWN = 10  # operators of one ranking


def search(report: dict[str, Any], details: dict[str, Any]) -> str:
    """Nothing for a report that no search has made."""
    said = report.get("search")
    if not said:
        return ""
    rankings = "".join(_ranking(name, rows) for name, rows in (said.get("rankings") or {}).items())
    return heading("Search", e(spent(said))) + _tried(said) + rankings


def spent(said: dict[str, Any]) -> str:
    """`34 candidates, 20 raced, 9 tested for accuracy, in 8 min of 10 min.`"""
    return (
        f"{words.plural(said['candidates'], 'candidate')}, {words.number(said['raced'])} raced, "
        f"{words.number(said['answered'])} tested for accuracy, in {words.duration(said['spent_s'])} of "
        f"{words.duration(said['budget_s'])}."
    )


def _tried(said: dict[str, Any]) -> str:
    rows = [(f'<code>{e(one["name"])}</code>', e(words.speedup((one["pace"] or {}).get("speedup"))),
             e(words.number(one["examples"])), e(one["reason"] or "The best of those that meet every bar."))
            for one in ordered(said)]  # fmt: skip
    return table(("Candidate", "Speed-up in the race", "Examples answered", "How it ended"), rows, caption="Search")


def ordered(said: dict[str, Any]) -> list[dict[str, Any]]:
    """The winner first, then the fastest."""
    return sorted(said["tried"], key=lambda one: (one["state"] != "best", -((one["pace"] or {}).get("speedup") or 0)))


def _ranking(name: str, operators: list[dict[str, Any]]) -> str:
    rows = [(f'<code>{e(one["name"])}</code>', e(one["type"]), *(e(words.percent(one[key] ** 0.5, 2))
             for key in ("error", "carried"))) for one in operators[:SHOWN]]  # fmt: skip
    note = e(f"{min(SHOWN, len(operators))} of {words.plural(len(operators), 'quantized operator')}, the worst first.")
    title = heading(f"What costs most in {name}", note, 3)
    return title + table(("Operator", "Type", "Its own error", "Carried error"), rows, caption=f"Operators of {name}")
