"""report.md: verdict, table, machine and how to measure it again, for an issue, a model card or a README."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from workbench import figures, sentence, words
from workbench.plugin import Renderer
from workbench.report.parts.facts import sampled
from workbench.report.parts.machine import machine_facts
from workbench.report.parts.methods import method_lines
from workbench.report.parts.search import CANDIDATE, OPERATOR, candidates, costly, shown, spent
from workbench.sentence import Report, Row
from workbench.words import CONSTRAINTS, NBSP

SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~&])")
BREAKS = re.compile(r"[^\S\u00a0]+")  # white space, but not the space that binds a unit
HEADER = (
    "Recipe",
    "Speed-up (95 %)",
    "Speed",
    "{change} (95 %)",
    "Accuracy",
    "p50 ms",
    "p90 ms",
    "p99 ms",
    "Size MB",
    "Memory MB",
)


class Markdown(Renderer):
    name = "md"
    summary = "Verdict and table as text."
    extension = "md"

    def render(self, report: dict[str, Any], details: dict[str, Any]) -> str:
        blocks = [
            f"# {text(details.get('title') or 'Compare: ' + report['model']['id'])}",
            _sentence(sentence.verdict(report)),
            "\n".join(f"- {remark.word.glyph} {_sentence(remark.sentence)}" for remark in sentence.remarks(report)),
            "\n".join(f"> {text(warning)}" for warning in report.get("warnings") or ()),
            table(report),
            _out(report),
            *_figures(report),
            _why(report),
            *_search(report.get("search")),
            "## Conditions",
            "\n".join(f"- {text(name)}: {text(value)}" for name, value in conditions(report, details)),
            _again(details),
            "\n\n".join(text(line) for line in (*method_lines(report), *(details.get("notes") or ()))),
        ]
        return "\n\n".join(block for block in blocks if block) + "\n"


def text(value: object) -> str:
    """Somebody's text on one line, with nothing in it that Markdown or HTML would take for markup."""
    return SPECIAL.sub(r"\\\1", BREAKS.sub(" ", str(value)))


def code(value: object) -> str:
    """A code span; a text that would end one, or end a cell of a table, stays plain."""
    said = BREAKS.sub(" ", str(value)).strip()
    return text(said) if "`" in said or "|" in said else f"`{said}`"


def _sentence(spans: sentence.Sentence) -> str:
    return "".join(code(span.text) if span.kind == "name" else text(span.text) for span in spans)


def table(report: Report) -> str:
    """The rows that finished, baseline first."""
    rows = [row for row in sentence.ordered(report) if row["status"] == "ok"]
    if not rows:
        return ""
    name = sentence.change_name(report)
    header = " | ".join(HEADER).replace("{change}", text(name[0].upper() + name[1:]))
    return _table(header.split(" | "), [_cells(report, row) for row in rows])


def _table(header: Sequence[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [f"| {' | '.join(header)} |", "|---|" + "---|" * (len(header) - 1)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def _cells(report: Report, row: Row) -> list[str]:
    fast, good = sentence.speed(row), sentence.accuracy(row)
    ratio = f"{words.speedup(fast.get('speedup'))} ({words.ratio_interval(fast.get('ci95'))})"
    best = " **best**" if row["name"] == report.get("best") else ""
    return [
        code(row["name"]) + best,
        ratio,
        text(words.word(fast.get("verdict"))),
        text(change(good)),
        text(accuracy_words(good)),
        *(words.milliseconds(fast.get(key)) for key in ("p50_ms", "p90_ms", "p99_ms")),
        words.megabytes(row.get("size_mb")),
        words.megabytes(row.get("peak_rss_mb")),
    ]


def change(facts: dict[str, Any]) -> str:
    """The change with its interval; for the baseline the value itself."""
    if not facts:
        return words.NONE
    if facts.get("verdict") == "baseline":
        return words.value_of(facts.get("value"), facts.get("unit"))
    return (
        f"{words.change(facts.get('delta'), facts.get('unit'))} "
        f"({words.change_interval(facts.get('ci95'), facts.get('unit'))})"
    )


def accuracy_words(facts: dict[str, Any]) -> str:
    """`✓ no detectable drop, meets the bar`."""
    bar = CONSTRAINTS.get(facts.get("constraint") or "")
    said = str(words.word(facts.get("verdict")))
    return said if bar is None or facts.get("verdict") == "baseline" else f"{said}, {bar.text}"


def _figures(report: Report) -> Iterator[str]:
    """Other measures of the answers and points of speed, a table each; a cell ends with its interval."""
    tables = (figures.metrics(report), figures.natural(report), *figures.fixed(report))
    for one in tables:
        if one:
            header = ["Recipe", *(text(", ".join(filter(None, (each.title, each.below)))) for each in one.columns)]
            rows = [[code(name), *(text(each.figures.get(name, words.NONE)) for each in one.columns)]
                    for name in one.rows]  # fmt: skip
            yield f"## {text(one.title)}"
            yield _table(header, rows)
            yield text(one.meaning)


def _out(report: Report) -> str:
    lines = []
    for row in sentence.listed(report):
        if row["status"] != "ok":
            stage, reason = sentence.failure(row)
            known = words.failed_at(stage) if row["status"] == "failed" else words.word(row["status"])
            lines.append(f"- {code(row['name'])} {text(known)}: {text(reason)}")
    return "\n".join(lines)


def _why(report: Report) -> str:
    lines = [
        f"- {code(row['name'])}: {text(' '.join(row['why']))}"
        for row in sentence.ordered(report)
        if row.get("why") and row["status"] == "ok"
    ]
    return "## What the audits found\n\n" + "\n".join(lines) if lines else ""


def _search(said: dict[str, Any] | None) -> Iterator[str]:
    """What the page says of a search, block by block."""
    if said:
        yield "## Search"
        yield text(spent(said))
        yield _table(CANDIDATE, _coded(candidates(said)))
        for name, operators in (said.get("rankings") or {}).items():
            yield f"### What costs most in {code(name)}"
            yield text(shown(operators))
            yield _table(OPERATOR, _coded(costly(operators)))


def _coded(rows: Iterable[Sequence[str]]) -> Iterator[list[str]]:
    """Names as code, all else as text."""
    return ([code(name), *map(text, rest)] for name, *rest in rows)


def conditions(report: Report, details: dict[str, Any]) -> list[tuple[str, str]]:
    """Model, data, machine, packages and resolution, without empty ones."""
    data = (report.get("data") or {}).get("evaluation") or {}
    width = sentence.resolution(report)
    packages = (details.get("machine") or {}).get("packages") or {}
    known = [
        ("Model", f"{report['model']['id']}, revision {report['model'].get('revision') or 'not known'}"),
        ("Data", f"{data.get('source') or 'none'}, n{NBSP}={NBSP}{words.number(data.get('n'))}"),
        *machine_facts(report, details),
        ("Packages", ", ".join(f"{name} {version}" for name, version in sorted(packages.items()))),
        ("Resolution (A/A)", f"±{words.percent(width, 1)}. {sampled(report)}" if width is not None else "not measured"),
        ("Made", str(report["created"])),
    ]
    return [(name, value) for name, value in known if value and value != words.NONE]


def _again(details: dict[str, Any]) -> str:
    command = " ".join(str(details.get("command") or "").split())
    fence = "`" * (3 + command.count("```"))
    return f"## Measure it again\n\n{fence}sh\n{command}\n{fence}" if command else ""
