"""The machine, the packages, and the command that measures all this again."""

from __future__ import annotations

from typing import Any

from workbench import words
from workbench.report.markup import e, facts, heading
from workbench.report.parts.facts import peak_words


def machine(report: dict[str, Any], details: dict[str, Any]) -> str:
    known = facts(machine_facts(report, details))
    packages = facts(
        (name, version) for name, version in sorted(((details.get("machine") or {}).get("packages") or {}).items())
    )
    again = repeat(details)
    return (
        f'{heading("Machine and packages")}<div class="two even"><div>{known}{again}</div><div>{packages}</div></div>'
    )


def machine_facts(report: dict[str, Any], details: dict[str, Any]) -> list[tuple[str, str]]:
    """What a reader needs to judge the figures, as (name, text)."""
    given, peaks = details.get("machine") or {}, (details.get("machine") or {}).get("peaks") or {}
    memory = given.get("memory_gb")
    return [
        ("Processor", str(given.get("cpu") or "")),
        ("Accelerators", ", ".join(given.get("accelerators") or ())),
        ("Class", str((report.get("machine") or {}).get("class") or given.get("class") or "")),
        ("Cores", words.number(given.get("cores"))),
        ("Quota", f"{words.number(given.get('quota'), 1)} cores" if words.usable(given.get("quota")) else ""),
        (
            "Threads",
            f"{words.number(given.get('threads'))}, the same for all" if words.usable(given.get("threads")) else "",
        ),
        ("Memory", f"{words.number(memory, 1)}{words.NBSP}GB" if words.usable(memory) else ""),
        ("System", str(given.get("os") or "")),
        ("Measured peak of the CPU", peak_words(peaks)),
        ("Memory bandwidth", words.rate(peaks.get("bandwidth"), "B/s")),
        ("Target", str(report.get("target") or "")),
    ]


def repeat(details: dict[str, Any]) -> str:
    command = details.get("command")
    if not command:
        return ""
    return (
        '<div class="code"><div class="head"><h3>Measure it again</h3><button type="button" '
        'class="copy" hidden>Copy</button></div>'
        f'<pre class="yaml" tabindex="0" role="region" aria-label="Command">{e(command)}</pre></div>'
    )
