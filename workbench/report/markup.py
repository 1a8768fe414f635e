"""Small pieces of HTML and SVG that all parts share. Text goes in through `e`, and only through `e`."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable

from workbench import words
from workbench.sentence import Sentence
from workbench.words import Word

ICONS = {
    "up": '<path d="M6 1.5 11 10H1z" fill="currentColor" stroke="none"/>',
    "down": '<path d="M6 10.5 1 2h10z" fill="currentColor" stroke="none"/>',
    "same": '<path d="M6 1.2 10.8 6 6 10.8 1.2 6z"/>',
    "ok": '<path d="m1.5 6.5 3 3 6-7"/>',
    "no": '<path d="m2 2 8 8m0-8-8 8"/>',
    "open": '<circle cx="6" cy="6" r="4.9" stroke-dasharray="2.2 1.65"/>',
    "skip": '<circle cx="6" cy="6" r="4.9"/><path d="M2.6 9.4 9.4 2.6"/>',
    "base": '<path d="M6 1v10M2.5 6h7"/>',
    "none": '<path d="M2.5 6h7"/>',
    "go": '<path d="M2 6h8M6.5 2.5 10 6l-3.5 3.5"/>',
    "copy": '<path d="M4 4h7v7H4zM8 4V1H1v7h3" stroke-width="1.2"/>',
    "get": '<path d="M6 1v7M2.8 5 6 8.2 9.2 5M1 11h10"/>',
    "lock": '<path d="M2 5.5h8v5.5H2zM3.8 5.5V3.6a2.2 2.2 0 0 1 4.4 0v1.9" stroke-width="1.3"/>',
    "park": '<path d="M4 2v8M8 2v8"/>',
    "run": '<path d="M6 1.1A4.9 4.9 0 1 1 1.1 6"/>',
    "again": '<path d="M10.6 4.5A5 5 0 1 0 11 6.6M10.8 1.2v3.4H7.4"/>',
    "note": '<path d="M6 1v6.5M6 9.6v1.6" stroke-width="2"/>',
}

MARK = (
    '<svg viewBox="0 0 26 14" fill="none" stroke="currentColor" stroke-width="2" aria-hidden="true">'
    '<path d="M1 2v10M25 2v10M1 7h24"/><circle cx="16" cy="7" r="3.6" fill="currentColor" stroke="none"/></svg>'
)
ROLES = {"table": "table", "thead": "rowgroup", "tbody": "rowgroup", "tr": "row", "td": "cell"}
IMAGE = re.compile(r"data:image/(png|jpeg|webp|gif);base64,[A-Za-z0-9+/]+={0,2}")


def term(text: str, meaning: str) -> str:
    """A word that says what it means to whoever points at it; `meaning` is a key of `words.TERMS`."""
    return f'<abbr title="{e(words.TERMS[meaning])}">{e(text)}</abbr>'


def e(value: object) -> str:
    """Text made harmless, for content and for attributes in double quotes."""
    return html.escape(str(value), quote=True)


def icon(name: str) -> str:
    return f'<svg class="ic" viewBox="0 0 12 12" aria-hidden="true">{ICONS.get(name, ICONS["none"])}</svg>'


def say(word: Word, reason: str = "", small: bool = False) -> str:
    """Icon, word and colour; under it, small, the reason (text)."""
    tone = {"better": " better", "worse": " worse", "accent": " accent"}.get(word.tone, "")
    weight = " plain" if small or word.text in ("baseline", "skipped") else ""
    below = f"<small>{e(reason)}</small>" if reason else ""
    return f'<span class="v{tone}{weight}">{icon(word.icon)}{e(word.text)}</span>{below}'


def sentence(spans: Sentence) -> str:
    """A sentence with its names and intervals set apart."""
    kinds = {"name": "<code>{}</code>", "interval": '<span class="ci">{}</span>'}
    return "".join(kinds.get(span.kind, "{}").format(e(span.text)) for span in spans)


def image(source: str, description: str) -> str:
    """A picture that is inside the file, or nothing: no address outside is ever written."""
    if not IMAGE.fullmatch(source):
        return ""
    return f'<img src="{source}" alt="{e(description)}" loading="lazy">'


def heading(text: str, note: str = "", level: int = 2) -> str:
    """`text` is plain, `note` is markup that stands at the right of the heading."""
    aside = f'<p class="note more">{note}</p>' if note else ""
    return f'<div class="head"><h{level}>{e(text)}</h{level}>{aside}</div>'


def section(body: str, name: str) -> str:
    """A part of the page, or nothing when it is empty. `name` is its anchor."""
    return f'<section id="{e(name)}">{body}</section>' if body else ""


def table(header: Iterable[str], rows: Iterable[Iterable[str]], css: str = "plain", caption: str = "") -> str:
    """A table of markup cells whose first column heads its row."""
    head = "".join(f'<th scope="col">{cell}</th>' for cell in header)
    body = "".join(
        f'<tr><th scope="row">{first}</th>' + "".join(f"<td>{cell}</td>" for cell in rest) + "</tr>"
        for first, *rest in rows
    )
    title = f'<caption class="hidden">{e(caption)}</caption>' if caption else ""
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{e(caption or "Table")}">'
        f'<table class="{css}">{title}<thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def with_roles(table: str) -> str:
    """On a phone the rows are laid out as cards, and browsers then forget that this is a table: say it.
    All texts in `table` are escaped, so these tags can only be our own."""
    table = re.sub(
        r'<th scope="(col|row)',
        lambda found: f'<th role="{"columnheader" if found[1] == "col" else "rowheader"}" scope="{found[1]}',
        table,
    )
    return re.sub(r"<(table|thead|tbody|tr|td)(?=[ >])", lambda found: f'<{found[1]} role="{ROLES[found[1]]}"', table)


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    """A definition list of texts; empty values and "–" are left out."""
    items = "".join(f"<dt>{e(key)}</dt><dd>{e(value)}</dd>" for key, value in pairs if value and value != words.NONE)
    return f'<dl class="pairs">{items}</dl>' if items else ""


def hatch(left: float, top: float, right: float, bottom: float, gap: float = 6) -> str:
    """A path of diagonal lines that fill the rectangle: "not allowed here", without a pattern that needs an id."""
    if right <= left or bottom <= top:
        return ""
    height, lines, start = bottom - top, [], left - (bottom - top)
    while start < right:
        x0, x1 = max(start, left), min(start + height, right)
        if x1 > x0:
            lines.append(f"M{x0:.1f} {bottom - (x0 - start):.1f}L{x1:.1f} {bottom - (x1 - start):.1f}")
        start += gap
    return f'<path class="hatch" d="{"".join(lines)}"/>'
