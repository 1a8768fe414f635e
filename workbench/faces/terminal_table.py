"""A comparison in a terminal: verdict, table, resolution, warnings, files. Fits 100 columns, manages with 80."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workbench import sentence, words
from workbench.report.parts.search import spent
from workbench.sentence import Report, Row, Sentence
from workbench.words import Word

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from workbench.tuning import Sensitivity

STYLES = {"better": "cyan", "worse": "dark_orange", "quiet": "dim", "accent": "magenta"}
NARROW = 98  # below this many columns latency, size and memory are left out
BARS = {"met": "meets", "missed": "misses", "cannot_tell": "crosses"}  # under a column called "Bar"


def table_of(report: Report, width: int = 100) -> Table:
    """A rich table of the rows that finished, baseline first, then by speed-up; each cell is two lines."""
    from rich import box
    from rich.table import Table

    small = width >= NARROW
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    table.add_column("Recipe", overflow="fold")
    for title in ("Speed-up", _accuracy_title(report), "Bar"):
        table.add_column(title, no_wrap=True)
    for title in ("p50 ms\n[dim]p90[/]", "MB\n[dim]RAM[/]") if small else ():
        table.add_column(title, justify="right", no_wrap=True)
    for row in sentence.ordered(report):
        if row["status"] == "ok":
            table.add_row(*_cells(report, row, small))
    return table


def _accuracy_title(report: Report) -> str:
    facts = sentence.measure(report)
    name = words.metric_name(facts.get("metric"))
    return name[:1].upper() + name[1:]


def _cells(report: Report, row: Row, small: bool) -> list[Text]:
    fast, good = sentence.speed(row), sentence.accuracy(row)
    bar = "" if good.get("verdict") == "baseline" else BARS.get(good.get("constraint") or "", "")
    cells = [_name(report, row), _speed(report, fast), _accuracy(good), _two(bar)]
    pairs = (
        (words.milliseconds(fast.get("p50_ms")), words.milliseconds(fast.get("p90_ms"))),
        (words.megabytes(row.get("size_mb")), words.megabytes(row.get("peak_rss_mb"))),
    )
    return cells + [_two(top, low) for top, low in pairs if small]


def _two(top: str, low: str = "") -> Text:
    """A line and a quieter one under it."""
    from rich.text import Text

    return Text(top).append(f"\n{low}", style="dim") if low else Text(top)


def _name(report: Report, row: Row) -> Text:
    from rich.text import Text

    best = row["name"] == report.get("best")
    name = Text(row["name"], style="bold" if best else "")
    return name.append("\nbest", style="magenta not bold") if best else name


def _measured(value: str, interval: str, word: Word) -> Text:
    """`2.41x (2.37–2.45)` over `▲ faster`."""
    from rich.text import Text

    text = Text(value, style="bold")
    if interval and interval != words.NONE:
        text.append(f" ({interval})", style="dim not bold")
    return text.append("\n").append_text(_say(word))


def _speed(report: Report, fast: dict[str, Any]) -> Text:
    width, interval = sentence.resolution(report), words.ratio_interval(fast.get("ci95"))
    if fast.get("verdict") == "baseline":
        interval = f"A/A ±{words.percent(width, 1)}" if width is not None else ""
    return _measured(words.speedup(fast.get("speedup")), interval, words.word(fast.get("verdict")))


def _accuracy(facts: dict[str, Any]) -> Text:
    if not facts:
        return _measured(words.NONE, "", words.UNKNOWN)
    unit, token = facts.get("unit"), words.word(facts.get("verdict"))
    if facts.get("verdict") == "baseline":
        return _measured(words.value_of(facts.get("value"), unit), f"n = {words.number(facts.get('n'))}", token)
    return _measured(words.change(facts.get("delta"), unit), words.change_interval(facts.get("ci95"), unit), token)


def _say(word: Word) -> Text:
    from rich.text import Text

    return Text(str(word), style=f"not bold {STYLES.get(word.tone, '')}".strip())


def verdict_lines(report: Report) -> list[Text]:
    """The verdict, and at most three lines after it."""
    from rich.text import Text

    first = _spans(sentence.verdict(report))
    first.stylize("bold")
    more = [Text(f"{remark.word.glyph} ").append_text(_spans(remark.sentence)) for remark in sentence.remarks(report)]
    return [first, *more]


def _spans(spans: Sentence) -> Text:
    from rich.text import Text

    styles = {"name": "magenta", "interval": "dim not bold"}
    return Text.assemble(*((span.text, styles.get(span.kind, "")) for span in spans))


def out_lines(report: Report) -> list[Text]:
    """One line for each variant that failed or was skipped: which, where, why, what to do."""
    lines = []
    for row in sentence.ordered(report):
        if row["status"] != "ok":
            stage, reason = sentence.failure(row)
            known = words.failed_at(stage) if row["status"] == "failed" else words.word(row["status"])
            lines.append(_say(known).append(f"  {row['name']}", style="default").append(f"  {reason}", style="dim"))
    return lines


def resolution_line(report: Report) -> str:
    """What this run can tell apart."""
    width = sentence.resolution(report)
    if width is None:
        return "Resolution (A/A) not measured: no verdict on speed is certain."
    return f"Resolution (A/A) ±{words.percent(width, 1)}: smaller differences of speed can’t be seen in this run."


def search_lines(report: Report) -> list[Text]:
    """What a search looked at, in one line; why each other candidate lost stands at its name."""
    from rich.text import Text

    search = report.get("search")
    if not search:
        return []
    return [Text(f"Search: {spent(search)}", style="dim")]


def show_ranking(console: Console, found: Sensitivity) -> None:
    """The operators that cost most, one a line."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    for title in ("", "Operator", "Type", "Its own error", "Carried error"):
        table.add_column(title, justify="right" if "error" in title or not title else "left", overflow="fold")
    for line in found.lines():
        table.add_row(*line)
    console.print(f"{found.title}.")
    console.print(table)


def closing_lines(report: Report, details: dict[str, Any] | None = None, out: Path | str | None = None) -> list[Text]:
    """What stands under the table: what did not finish, resolution, warnings, and what lies in the folder `out`."""
    from rich.text import Text

    lines = [*search_lines(report), *out_lines(report), Text(resolution_line(report), style="dim")]
    lines += [Text(f"! {warning}", style="dim") for warning in report.get("warnings") or ()]
    if report.get("quick"):
        lines.append(Text("! Quick run: fewer examples and rounds; the intervals are honest, but wide.", style="dim"))
    if out is not None:
        lines.append(Text(f"Files in {out}: report.html to read, recipes/ to run again, models/ to load."))
    return lines


def show(
    console: Console, report: Report, details: dict[str, Any] | None = None, out: Path | str | None = None
) -> None:
    """Print a comparison at the console's own width."""
    for line in verdict_lines(report):
        console.print(line)
    if sentence.finished(report):
        console.print(table_of(report, console.width))
    for line in closing_lines(report, details, out):
        console.print(line)
