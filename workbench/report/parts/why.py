"""Why a variant is slower, or not faster: the sentences of the rule base with their evidence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from workbench import sentence, words
from workbench.report.markup import e, heading, icon
from workbench.sentence import Row


@dataclass(frozen=True)
class Evidence:
    """A share with its text; `tone` "bad" says that this is the trouble."""

    name: str
    share: float
    text: str
    tone: str = ""


def why(report: dict[str, Any], details: dict[str, Any]) -> str:
    told = [row for row in sentence.ordered(report) if row.get("why") and row["status"] == "ok"]
    slow = sorted(told, key=lambda row: sentence.speed(row).get("verdict") != "slower")
    if not slow:
        return ""
    articles = "".join(_article(row, (details.get("profile") or {}).get(row["name"]) or []) for row in slow)
    tokens = {sentence.speed(row).get("verdict") for row in slow}
    title = "What the audits found" if tokens - {"slower", "no_clear_difference"} else "Why not faster"
    source = "Evidence: the audit of each file after its build, and a profile by operator where the runtime gives one."
    return f'<div class="whys">{heading(title)}{articles}<p class="src">{e(source)}</p></div>'


def _article(row: Row, profile: list[dict[str, Any]]) -> str:
    facts = sentence.speed(row)
    known = words.word(facts.get("verdict"))
    tone = f" {known.tone}" if known.tone in ("better", "worse") else ""
    mark = f'<span class="v{tone}">{icon(known.icon)}{e(words.speedup(facts.get("speedup")))}</span>'
    reasons = "".join(f'<p class="note">{e(text)}</p>' for text in row["why"])
    bars = "".join(_bar(item) for item in evidence(row, profile))
    return (
        f'<article><h3><span class="mono">{e(row["name"])}'
        f"</span>{mark}</h3>{reasons}{f'<div class=ev>{bars}</div>' if bars else ''}</article>"
    )


def _bar(item: Evidence) -> str:
    css = f' class="{item.tone}"' if item.tone else ""
    width = max(0.0, min(item.share, 1.0)) * 100
    return (
        f'<span>{e(item.name)}</span><span class="bar"><i{css} '
        f'style="width:{width:.0f}%"></i></span><b{css}>{e(item.text)}</b>'
    )


def evidence(row: Row, profile: list[dict[str, Any]]) -> Iterator[Evidence]:
    """Coverage and unfused pairs from the audit, and the three costliest operator types from the profile."""
    audit = row.get("audit") or {}
    pairs, unfused = audit.get("qdq_pairs"), audit.get("qdq_unfused")
    if pairs and unfused is not None:
        yield Evidence("Q/DQ pairs unfused", unfused / pairs, f"{unfused} of {pairs}", "bad" if unfused else "")
    for name, counts in (audit.get("coverage") or {}).items():
        done, total = counts.get("quantized", 0), counts.get("total", 0)
        if total and (done or name == "MatMul"):
            yield Evidence(f"{name} in INT8", done / total, f"{done} of {total}", "" if done else "bad")
    for kind, share in shares(profile, "type")[:3]:
        costly = any(part in kind.lower() for part in ("quantize", "cast", "convert", "reorder"))
        yield Evidence(f"Time in {kind}", share, words.percent(share), "bad" if costly else "mid")


def shares(profile: list[dict[str, Any]], key: str) -> list[tuple[str, float]]:
    """Share of the time by operator type or precision, largest first."""
    found: dict[str, float] = {}
    for entry in profile:
        name = str(entry.get(key) or "other")
        found[name] = found.get(name, 0.0) + float(entry.get("share") or 0.0)
    return sorted(found.items(), key=lambda item: -item[1])
