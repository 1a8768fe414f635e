"""report.html: one file that asks for nothing outside, readable without scripts, on a desk and on a phone."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from workbench import sentence, words
from workbench.plugin import Renderer
from workbench.report.markup import MARK, e, heading, section
from workbench.report.parts.board import board
from workbench.report.parts.facts import facts
from workbench.report.parts.flips import flips
from workbench.report.parts.grid import grid
from workbench.report.parts.latency import latency
from workbench.report.parts.machine import machine
from workbench.report.parts.memory import memory
from workbench.report.parts.methods import methods
from workbench.report.parts.pareto import pareto
from workbench.report.parts.points import metrics, points
from workbench.report.parts.profile import profile
from workbench.report.parts.recipes import recipes
from workbench.report.parts.search import search
from workbench.report.parts.verdict import verdict, warnings
from workbench.report.parts.why import why
from workbench.report.tokens import themes

# A browser that opens the file may load nothing from anywhere: what is not in it is not shown.
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src "
    "data:; base-uri 'none'; form-action 'none'"
)


class Html(Renderer):
    name = "html"
    summary = "One self-contained page for people."
    extension = "html"

    def render(self, report: dict[str, Any], details: dict[str, Any]) -> str:
        title = e(details.get("title") or f"Compare: {report['model']['id']}")
        return (
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n<meta '
            'name="color-scheme" content="light dark">\n'
            f"<title>{title}</title>\n<style>\n{stylesheet()}</style>\n</head>\n"
            f'<body class="workbench">\n<div class="page">\n{_mast(report)}\n'
            f"<main>\n{body(report, details)}\n</main>\n</div>\n"
            f"<script>\n{script()}</script>\n</body>\n</html>\n"
        )


def body(report: dict[str, Any], details: dict[str, Any]) -> str:
    """All parts in order; an empty part leaves nothing behind."""
    top = [verdict(report, details), warnings(report, details), facts(report, details)]
    table = _title(report) + board(report, details)
    parts = [
        section(table, "variants"),
        section(search(report, details), "search"),
        section(_two(pareto(report, details), why(report, details)), "tradeoff"),
        section(metrics(report, details), "metrics"),
        section(_two(latency(report, details), grid(report, details)), "latency"),
        section(points(report, details), "points"),
        section(_two(memory(report, details), profile(report, details)), "memory"),
        section(flips(report, details), "flips"),
        section(recipes(report, details), "recipes"),
        section(machine(report, details), "machine"),
        methods(report, details),
    ]
    return "\n".join(part for part in (*top, *parts) if part)


def _title(report: dict[str, Any]) -> str:
    n = len(sentence.listed(report))
    text = f"{words.numeral(n).capitalize()} {'variant' if n == 1 else 'variants'} against {report['baseline']}"
    missing = n - len(sentence.finished(report))
    out = " Last: what did not finish." if missing else ""
    return heading(text, e(f"Dot: estimate. Whiskers: 95 % interval. Hollow: undecided.{out}"))


def _two(left: str, right: str) -> str:
    """Side by side where there is room; one alone takes the width."""
    if left and right:
        return f'<div class="two"><div>{left}</div><div>{right}</div></div>'
    return f"<div>{left or right}</div>" if left or right else ""


def _mast(report: dict[str, Any]) -> str:
    quick = '<span class="tag">quick run</span>' if report.get("quick") else ""
    return (
        f'<header class="mast"><div class="mark">{MARK}<span><span class="opt">Optimization '
        "</span>Workbench</span></div>"
        f'<div class="right">{quick}<span class="note">{e(str(report["created"])[:10])}</span>'
        '<button class="plain theme" type="button" aria-label="Change theme" hidden>Auto</button></div></header>'
    )


@cache
def stylesheet() -> str:
    """Tokens and classes, all inside `.workbench`; the web face and the widget use the same."""
    return themes() + (Path(__file__).parent / "style.css").read_text(encoding="utf-8")


@cache
def script() -> str:
    """Theme, copy buttons, selecting a row, filtering the flips. It adds comfort; nothing needs it."""
    return (Path(__file__).parent / "script.js").read_text(encoding="utf-8")
