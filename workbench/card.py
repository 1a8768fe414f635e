"""Small cards, as text and as HTML, from strings only: how a public object draws itself in a terminal or a notebook.

The HTML carries its own few styles, because a notebook strips style sheets, and takes ink and paper
from the page around it.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

BOX = (
    "font: 13px/1.5 system-ui, sans-serif; font-variant-numeric: tabular-nums; border: 1px "
    "solid color-mix(in srgb, currentColor 22%, transparent); border-radius: 4px; padding: "
    "12px 16px; max-width: 900px; overflow-x: auto"
)
CELL = (
    "padding: 3px 14px 3px 0; text-align: left; border: 0; border-top: 1px solid "
    "color-mix(in srgb, currentColor 14%, transparent); background: none"
)
QUIET = "opacity: .72"
MONO = "font-family: ui-monospace, Menlo, Consolas, monospace; font-size: 12px"


@dataclass(frozen=True)
class Card:
    """A title, a sentence, facts, one table, notes. All are plain texts; anything may be empty.

    `mono` numbers the columns of the table that hold names of files or commands.
    """

    title: str
    sentence: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
    header: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    notes: Sequence[str] = ()
    mono: Sequence[int] = (0,)

    def text(self) -> str:
        """Lines for a terminal; columns are padded to the widest cell."""
        lines = [self.title, *([self.sentence] if self.sentence else [])]
        width = max((len(key) for key in self.facts), default=0)
        lines += [f"  {key:<{width}}  {value}" for key, value in self.facts.items()]
        lines += [f"  {line}" for line in _columns([*([self.header] if self.header else []), *self.rows])]
        return "\n".join([*lines, *self.notes])

    def html(self) -> str:
        said = f'<p style="margin: 2px 0 6px">{_e(self.sentence)}</p>' if self.sentence else ""
        notes = "".join(f'<p style="margin: 6px 0 0; {QUIET}">{_e(note)}</p>' for note in self.notes)
        return (
            f'<div class="workbench-card" style="{BOX}">'
            f"<strong>{_e(self.title)}</strong>{said}{self._facts()}{self._table()}{notes}</div>"
        )

    def bundle(self) -> dict[str, str]:
        """What `_repr_mimebundle_` returns: both forms, so that every notebook and every saved file can show one."""
        return {"text/plain": self.text(), "text/html": self.html()}

    def _facts(self) -> str:
        if not self.facts:
            return ""
        lines = "".join(
            (
                f'<tr><th scope="row" style="{CELL}; font-weight: 400; {QUIET}">{_e(key)}</th><td '
                f'style="{CELL}">{_e(value)}</td></tr>'
            )
            for key, value in self.facts.items()
        )
        return f'<table style="border-collapse: collapse; margin: 6px 0 0">{lines}</table>'

    def _table(self) -> str:
        if not self.rows:
            return ""
        head = "".join(
            f'<th scope="col" style="{CELL}; border-top: 0; font-weight: 400; {QUIET}">{_e(cell)}</th>'
            for cell in self.header
        )
        lines = "".join(
            "<tr>" + "".join(self._cell(index, cell) for index, cell in enumerate(row)) + "</tr>" for row in self.rows
        )
        return (
            f'<table style="border-collapse: collapse; margin: 6px 0 0"><thead><tr>{head}</tr></thead>'
            f"<tbody>{lines}</tbody></table>"
        )

    def _cell(self, index: int, cell: str) -> str:
        face = f"; {MONO}" if index in self.mono else ""
        return f'<td style="{CELL}{face}">{_e(cell)}</td>'


def _e(value: str) -> str:
    return html.escape(str(value), quote=True)


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Cells padded so that columns stand under each other."""
    if not rows:
        return []
    count = max(len(row) for row in rows)
    widths = [max((len(row[index]) for row in rows if index < len(row)), default=0) for index in range(count)]
    return ["  ".join(cell.ljust(widths[index]) for index, cell in enumerate(row)).rstrip() for row in rows]
