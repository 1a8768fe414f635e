"""A model and a machine, each in a line of facts."""

from __future__ import annotations

from typing import Any

from workbench import words
from workbench.report.markup import e, icon


def about_line(found: dict[str, Any]) -> str:
    """What `bench.about` knows: size, licence, what it tells apart, revision."""
    labels = [str(one) for one in ((found.get("config") or {}).get("id2label") or {}).values()]
    shown = ", ".join(labels[:4]) + (f" and {len(labels) - 4} more" if len(labels) > 4 else "")
    revision = str(found.get("revision") or "")[:12]
    said = [
        ("Weights", f"{words.megabytes(found['bytes'] / 1e6)}{words.NBSP}MB"), ("Licence", found.get("license") or ""),
        ("Tells apart", shown), ("Revision", revision),
    ]  # fmt: skip
    gated = (
        f'<span class="v plain">{icon("skip")}gated: needs a login that may read it</span>'
        if found.get("gated")
        else ""
    )
    return _pairs(said) + gated


def machine_facts(facts: dict[str, Any], apart: tuple[float, float] | None = None, shared: bool = False) -> str:
    """This machine: what decides its numbers. `apart`: its baseline against itself, last time."""
    seen = words.ratio_interval(apart) if apart else "not measured yet"
    memory = f"{facts['memory_bytes'] / 1e9:.0f}{words.NBSP}GB"
    said = [("CPU", str(facts["cpu"])), ("Instructions", str(facts["isa"])), ("Threads", str(facts["threads"])),
            ("Memory", memory), ("Baseline against itself", seen)]  # fmt: skip
    return _pairs(said) + (_shared(int(facts["threads"])) if shared else "")


def _shared(cores: int) -> str:
    return (
        f'<p class="note">Others use these {cores} cores, too. A run measures alone, but the host may not be: each '
        "report measures the baseline against itself, and calls nothing faster or slower that is inside that "
        "range. For a decision, run the recipe file where the model shall serve.</p>"
    )


def _pairs(said: list[tuple[str, str]]) -> str:
    inside = "".join(f"<div><dt>{e(name)}</dt><dd>{e(text)}</dd></div>" for name, text in said if text)
    return f'<dl class="mf">{inside}</dl>'
