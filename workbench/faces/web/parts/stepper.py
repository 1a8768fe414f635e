"""A run while it goes on: what is happening, how far it is, and each variant's way through the work."""

from __future__ import annotations

from collections.abc import Sequence

from workbench import words
from workbench.faces.board import Board, Item
from workbench.faces.web.parts import candidates
from workbench.report.markup import e, icon

COLUMNS = {"make": "Build", "predict": "Accuracy", "audit": "Audit", "speed": "Speed"}
STATES = {  # item.state -> (class, icon, word for those who do not see the icon)
    "waits": ("wait", "open", "waits"),
    "runs": ("now", "run", "runs now"),
    "done": ("done", "ok", "done"),
    "reused": ("done", "again", "reused"),
    "failed": ("bad", "no", "failed"),
    "skipped": ("wait", "skip", "skipped"),
}


def headline(board: Board, place: int = 0) -> str:
    """The page's first line: what happens now, or how it ended. `place`: of a run that waits, from 1 on."""
    if board.status != "running":
        queued = f", place {place} in the queue" if place and board.status == "waiting" else ""
        return f"{words.STATUSES[board.status]}{queued}"
    now = board.current
    if now is None:
        return "Starting"
    return f"{now.title}{f', {now.note}' if now.note else ''}"


def share(board: Board) -> float:
    """0 to 1: of the pieces of work, those that run by their own count; of a search, what is spent of its budget."""
    if board.status == "ok":
        return 1.0
    if board.phase:
        return 1 - board.remaining / max(board.seconds_estimated, board.remaining, 1.0)
    items = list(board.items.values())
    done = sum(1.0 if item.state not in ("waits", "runs") else _part(item) for item in items)
    return done / max(len(items), 1)


def _part(item: Item) -> float:
    return min(item.done / item.total, 1.0) if item.state == "runs" and item.total else 0.0


def facts(board: Board, now: float, place: int = 0) -> str:
    """Elapsed, remaining, reused, queue; of a search, what candidates.facts says. `now`: seconds since the epoch."""
    silent = max(0.0, now - board.now) if board.began and board.status == "running" else 0.0
    passed, left = board.elapsed + silent, max(0.0, board.remaining - silent)
    ended, total = board.counts
    reused = sum(item.state == "reused" for item in board.items.values())
    remaining = words.duration(left) if board.status in ("running", "waiting") else words.NONE
    states = {"waiting": f"place {place}" if place else "waits", "running": "its turn"}
    queue = states.get(board.status, words.NONE)
    cells = [
        ("Elapsed", words.duration(passed), f"{ended} of {total} pieces of work"),
        ("Remaining", f"about {remaining}" if remaining != words.NONE else remaining, "an estimate of the plan"),
        ("Reused", words.plural(reused, "piece"), "speed is always measured anew"),
        ("Queue", queue, "one run measures at a time"),
    ]
    if board.phase:
        cells[1:] = candidates.facts(board, left)
    inside = "".join(
        f"<div><dt>{e(name)}</dt><dd>{e(value)}</dd><dd>{e(note)}</dd></div>" for name, value, note in cells
    )
    return f'<dl class="facts">{inside}</dl>'


def bar(board: Board) -> str:
    done = round(100 * share(board))
    return (
        f'<div class="thin" role="progressbar" aria-valuenow="{done}" aria-valuemin="0" aria-valuemax="100" '
        f'aria-label="Whole run"><i style="width:{done}%"></i></div>'
    )


def stepper(board: Board, variants: Sequence[str]) -> str:
    """A row a variant, a column a kind of work. What several variants share stands in each of their rows. Of a search,
    its candidates."""
    if board.phase:
        return candidates.candidates(board)
    head = "".join(f'<th scope="col">{e(name)}</th>' for name in ("Variant", *COLUMNS.values()))
    rows = "".join(_row(board, name) for name in variants)
    return (
        '<div class="scroll" tabindex="0" role="region" aria-label="Variants"><table class="steps">'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _row(board: Board, name: str) -> str:
    own = [item for item in board.items.values() if name in item.variants]
    cells = {kind: [item for item in own if _kind(item) == kind] for kind in COLUMNS}
    runs = any(item.state == "runs" and item.id != "speed" for item in own)
    tds = "".join(f'<td data-l="{e(COLUMNS[kind])}">{_cell(items)}</td>' for kind, items in cells.items())
    return f'<tr{" class=now" if runs else ""}><th scope="row">{e(name)}</th>{tds}</tr>'


def _kind(item: Item) -> str:
    return next((kind for kind in COLUMNS if item.id.startswith(kind)), "")


def _cell(items: Sequence[Item]) -> str:
    """The piece that says most: what failed, what runs, what waits, else all of it done."""
    if not items:
        return '<span class="st wait"><span aria-hidden="true">–</span><span class="hidden">not needed</span></span>'
    order = ("failed", "runs", "waits", "skipped", "done", "reused")
    shown = min(items, key=lambda item: order.index(item.state))
    css, sign, word = STATES[shown.state]
    text = _text(shown, sum(item.seconds for item in items))
    title = f' title="{e(shown.reason)}"' if shown.reason else ""
    return f'<span class="st {css}"{title}>{icon(sign)}<span class="hidden">{word} </span>{e(text)}</span>'


def _text(item: Item, seconds: float) -> str:
    if item.state == "runs":
        return words.percent(item.done / item.total) if item.total else item.note or "…"
    return {"done": words.duration(seconds), "reused": "reused", "failed": "failed"}.get(item.state, item.state)


def failures(board: Board) -> str:
    """What failed and why, in words; nothing where nothing did."""
    items = "".join(
        f"<li>{icon('no')}<span><b>{e(item.title)}</b> {e(item.reason)}</span></li>"
        for item in board.items.values() if item.state == "failed"
    )  # fmt: skip
    whole = f"<li>{icon('no')}<span>{e(board.reason)}</span></li>" if board.reason else ""
    return f'<ul class="warnings" role="alert">{whole}{items}</ul>' if whole or items else ""


def queue(waiting: Sequence[tuple[str, str, bool]]) -> str:
    """[(title, status, whether it is the visitor's own)], the one that measures first."""
    if not waiting:
        return '<p class="note">Nothing runs and nothing waits.</p>'
    rows = "".join(
        f'<li{" class=you" if own else ""}><span class="n">{number}</span>'
        f"<span>{e(title if own else 'Somebody else’s run')}</span>"
        f'<span class="st {"now" if status == "running" else "wait"}">{icon("run" if status == "running" else "open")}'
        f"{e('runs' if status == 'running' else 'waits')}</span></li>"
        for number, (title, status, own) in enumerate(waiting, 1)
    )
    return f'<ol class="queue">{rows}</ol><p class="note">One run measures at a time; the others wait in order.</p>'
