"""Uploaded data before it is used: what it is, its first rows, its labels, and every row that cannot be used."""

from __future__ import annotations

from workbench import words
from workbench.report.markup import e, icon, table
from workbench.uploads import Column, DataCheck, Wrong

COLUMNS_SHOWN = 8
LONG = 24  # characters from which a cell may take several lines
KINDS = {
    "csv": "CSV", "tsv": "TSV", "jsonl": "JSONL", "json": "JSON", "parquet": "Parquet",
    "pictures": "a folder of pictures", "sounds": "a folder of sounds", "tables": "a folder of tables",
}  # fmt: skip


def data_preview(checked: DataCheck) -> str:
    """Markup of the whole."""
    return (
        f'<div class="data">{_verdict(checked)}{_facts(checked)}{_wrong(checked)}{_rows(checked)}{_labels(checked)}'
        f"{_notes(checked)}</div>"
    )


def _verdict(checked: DataCheck) -> str:
    total = checked.wrong_total
    if not total:
        said = "Every row can be used" if checked.task else "The file can be read"
        return f'<p class="v better">{icon("ok")}{said}</p>'
    said = f"{words.plural(total, 'row')} of {words.number(checked.rows)} cannot be used"
    return f'<p class="v worse" role="alert">{icon("no")}{e(said)}</p>'


def _facts(checked: DataCheck) -> str:
    size = checked.bytes
    amount = (
        f"{words.megabytes(size / 1e6)}{words.NBSP}MB"
        if size >= 1e5
        else f"{words.number(size / 1e3, 1)}{words.NBSP}kB"
    )
    cells = [
        ("File", checked.name, f"{KINDS.get(checked.kind, checked.kind)}, {amount}"),
        ("Rows", words.number(checked.rows), f"split {checked.split}" if checked.split != "all" else "all are read"),
        ("Columns", words.number(len(checked.columns)), _taken(checked)),
        ("Labels", *_labelled(checked)),
    ]
    inside = "".join(
        f"<div><dt>{e(name)}</dt><dd>{e(value)}</dd><dd>{e(note)}</dd></div>" for name, value, note in cells
    )
    return f'<dl class="facts">{inside}</dl>'


def _taken(checked: DataCheck) -> str:
    if not checked.task:
        return "the model says which are wanted"
    return ", ".join(f"{column.name} is the {column.field}" for column in checked.columns if column.field)


def _labelled(checked: DataCheck) -> tuple[str, str]:
    if checked.distinct_labels:
        return words.plural(checked.distinct_labels, "value"), ""
    return words.NONE, "" if not checked.task else "free text, files, or none"


def _rows(checked: DataCheck) -> str:
    if not checked.preview:
        return ""
    order = sorted(range(len(checked.columns)), key=lambda at: not checked.columns[at].field)[:COLUMNS_SHOWN]
    head = ["Row", *(_head(checked.columns[at]) for at in order)]
    body = [[str(number), *(_cell(row[at]) for at in order)]
            for number, row in enumerate(checked.preview, 1)]  # fmt: skip
    left = len(checked.columns) - len(order)
    note = f'<p class="note under">{e(words.plural(left, "more column"))} without a use here.</p>' if left else ""
    return f"<h3>First rows</h3>{table(head, body, 'plain preview', 'First rows')}{note}"


def _cell(text: str) -> str:
    return f'<span class="cell{" long" if len(text) > LONG else ""}">{e(text)}</span>'


def _head(column: Column) -> str:
    """Its name, its type, and what the task takes it for."""
    tag = f'<span class="tag on">{icon("go")} {e(column.field)}</span>' if column.field else ""
    return f"<code>{e(column.name)}</code> {tag}<small>{e(column.type)}</small>"


def _labels(checked: DataCheck) -> str:
    if not checked.labels:
        return ""
    most = max(count for _, count in checked.labels)
    body = [[e(value) or "(empty)", _amount(count, most)] for value, count in checked.labels]
    left = checked.distinct_labels - len(checked.labels)
    note = f'<p class="note under">{e(words.plural(left, "rarer label"))} not shown.</p>' if left > 0 else ""
    return f"<h3>Labels</h3>{table(['Label', 'Rows'], body, 'plain bars', 'Rows of each label')}{note}"


def _amount(count: int, most: int) -> str:
    width = f"width:{100 * count / most:.0f}%"
    return (
        f'<span class="bar" aria-hidden="true"><i style="{width}"></i></span>'
        f'<span class="amount">{words.number(count)}</span>'
    )


def _wrong(checked: DataCheck) -> str:
    if not checked.wrong:
        return ""
    body = [[_place(one), f"<code>{e(one.column)}</code>", f"{e(one.what)}<small>{e(one.why)}</small>"]
            for one in checked.wrong]  # fmt: skip
    left = checked.wrong_total - len(checked.wrong)
    note = f'<p class="note under">{e(words.plural(left, "more row"))} not shown.</p>' if left > 0 else ""
    return (
        f"<h3>What is wrong</h3>{table(['Row', 'Column', 'What is wrong'], body, 'plain wrongs', 'Wrong rows')}{note}"
    )


def _place(one: Wrong) -> str:
    return f"{e(one.part)} {words.number(one.row)}" if one.part else words.number(one.row)


def _notes(checked: DataCheck) -> str:
    items = "".join(f"<li>{icon('note')}<span>{e(text)}</span></li>" for text in checked.notes)
    return f'<ul class="gaps">{items}</ul>' if items else ""
