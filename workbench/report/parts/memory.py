"""Size on disk, peak memory, load and build time: bars that print their value, so that the plot is its own table."""

from __future__ import annotations

from typing import Any

from workbench import sentence, words
from workbench.report.markup import e, heading, table
from workbench.sentence import Report, Row

COLUMNS = (
    ("Size, MB", "size_mb", words.megabytes),
    ("Peak memory, MB", "peak_rss_mb", words.megabytes),
    ("Load, s", "load_s", words.load_seconds),
    ("Build, s", "build_s", words.build_seconds),
)


def memory(report: Report, details: dict[str, Any]) -> str:
    rows = [row for row in sentence.ordered(report) if row["status"] == "ok"]
    if not any(words.usable(row.get(key)) for row in rows for _, key, _ in COLUMNS):
        return ""
    most = {key: max((row.get(key) or 0.0 for row in rows), default=0.0) for _, key, _ in COLUMNS}
    lines = [
        [f"<code>{e(row['name'])}</code>", *(_cell(row, key, most[key], say) for _, key, say in COLUMNS)]
        for row in rows
    ]
    note = (
        "Size: files of the model on disk. Peak memory: the most that the variant’s own worker "
        "process ever held (VmHWM). Build: once; later runs reuse it."
    )
    header = ["Recipe", *(title for title, _, _ in COLUMNS)]
    shown = table(header, lines, "plain bars", "Size, memory, load and build time")
    return f'{heading("Size and memory")}{shown}<p class="note under">{e(note)}</p>'


def _cell(row: Row, key: str, most: float, say: Any) -> str:
    value = row.get(key)
    if not words.usable(value):
        return words.NONE
    if key == "build_s" and row.get("reused"):
        return '<span class="faint">reused</span>'
    width = 100 * value / most if most else 0
    return f'<span class="bar"><i style="width:{width:.1f}%"></i></span><span class="amount">{e(say(value))}</span>'
