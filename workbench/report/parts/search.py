"""What a search looked at: every candidate with why it lost, and which operators cost most where that was asked."""

from __future__ import annotations

from typing import Any

from workbench import words
from workbench.report.markup import e, heading, table

SHOWN = 10  # operators of one ranking
CANDIDATE = ("Candidate", "Speed-up in the race (95 %)", "Examples answered", "How it ended")
OPERATOR = ("Operator", "Type", "Its own error", "Carried error")


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
    rows = [(f"<code>{e(name)}</code>", *map(e, rest)) for name, *rest in candidates(said)]
    return table(CANDIDATE, rows, "plain said", "Search")


def candidates(said: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    """What stands below `CANDIDATE`, in words, the winner first, then the fastest."""
    return [(one["name"], _pace(one["pace"] or {}), words.number(one["examples"]),
             one["reason"] or "The best of those that meet every bar.") for one in ordered(said)]  # fmt: skip


def _pace(pace: dict[str, Any]) -> str:
    if pace.get("speedup") is None:
        return words.NONE
    return f"{words.speedup(pace['speedup'])} ({words.ratio_interval(pace.get('ci95'))})"


def ordered(said: dict[str, Any]) -> list[dict[str, Any]]:
    """The winner first, then the fastest."""
    return sorted(said["tried"], key=lambda one: (one["state"] != "best", -((one["pace"] or {}).get("speedup") or 0)))


def _ranking(name: str, operators: list[dict[str, Any]]) -> str:
    rows = [(f"<code>{e(operator)}</code>", *map(e, rest)) for operator, *rest in costly(operators)]
    title = heading(f"What costs most in {name}", e(shown(operators)), 3)
    return title + table(OPERATOR, rows, caption=f"Operators of {name}")


def costly(operators: list[dict[str, Any]]) -> list[tuple[str, str, str, str]]:
    """What stands below `OPERATOR`, in words, of the first `SHOWN`."""
    return [(one["name"], one["type"], words.percent(one["error"] ** 0.5, 2), words.percent(one["carried"] ** 0.5, 2))
            for one in operators[:SHOWN]]  # fmt: skip


def shown(operators: list[dict[str, Any]]) -> str:
    """`10 of 34 quantized operators, the worst first.`"""
    return f"{min(SHOWN, len(operators))} of {words.plural(len(operators), 'quantized operator')}, the worst first."
