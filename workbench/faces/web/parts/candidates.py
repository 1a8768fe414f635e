"""A search while it goes on: every candidate with how it stands, the best first."""

from __future__ import annotations

from workbench import words
from workbench.event import Tried
from workbench.faces.board import Board
from workbench.faces.live import standing
from workbench.report.markup import e, icon

COLUMNS = ("Candidate", "Speed-up", "Answered", "How it stands")
STATES = {  # state -> (class, icon)
    "waits": ("wait", "open"),
    "builds": ("now", "run"),
    "races": ("now", "run"),
    "answers": ("now", "run"),
    "alive": ("done", "ok"),
    "best": ("done", "ok"),
    "dead": ("wait", "no"),
}


def ordered(board: Board) -> list[Tried]:
    """Who is alive first, then who lost; the fastest first."""
    return sorted(board.candidates.values(), key=lambda one: (one.state == "dead", -(one.speedup or 0)))


def candidates(board: Board) -> str:
    """A row a candidate."""
    head = "".join(f'<th scope="col">{e(name)}</th>' for name in COLUMNS)
    rows = "".join(_row(one) for one in ordered(board))
    return (
        '<div class="scroll" tabindex="0" role="region" aria-label="Candidates"><table class="steps searched">'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _row(one: Tried) -> str:
    css, sign = STATES[one.state]
    interval = f" ({words.ratio_interval(one.ci95)})" if one.ci95 else ""
    said = f'<span class="st {css}">{icon(sign)}{e("lost" if one.reason else standing(one))}</span> {e(one.reason)}'
    cells = (f"{words.speedup(one.speedup)}{interval}", words.number(one.examples or one.first))
    tds = "".join(f'<td data-l="{e(name)}">{e(cell)}</td>' for name, cell in zip(COLUMNS[1:], cells, strict=False))
    now = " class=now" if css == "now" else ""
    return f'<tr{now}><th scope="row">{e(one.name)}</th>{tds}<td data-l="{COLUMNS[3]}">{said}</td></tr>'


def facts(board: Board, left: float) -> list[tuple[str, str, str]]:
    """(name, value, note) of a search's budget, candidates and best so far. `left`: seconds."""
    alive = sum(one.state != "dead" for one in board.candidates.values())
    best = board.best
    return [
        ("Budget left", words.duration(left), f"of {words.duration(board.seconds_estimated)}"),
        ("Candidates", f"{alive} alive", f"of {len(board.candidates)} so far"),
        ("Best so far", _speed(best) if best else words.NONE, best.name if best else "none yet"),
    ]


def _speed(best: Tried) -> str:
    return words.speedup(best.speedup) if best.speedup else "not raced yet"
