"""Progress of a run on stderr: a live list in a terminal, plain lines anywhere else."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from workbench import words
from workbench.event import Tried
from workbench.faces.board import Board, Item, board_of

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from workbench.event import Event
    from workbench.pieces import Plan

SIGNS = {"done": "✓", "reused": "↻", "runs": "◜", "failed": "✕", "waits": "◌", "skipped": "⊘"}
SHOWN = 14  # lines of work in a live list


def watch(board: Board, events: Iterable[tuple[int, Event]]) -> Board:
    """Draw until the events end; returns the last board."""
    from rich.console import Console

    console = Console(stderr=True)
    return _live(board, events, console) if console.is_terminal else _plain(board, events)


class Screen:
    """The same for events that are pushed: `after` draws one, `pause` makes room for lines of results."""

    def __init__(self, begun: Board | None = None) -> None:
        from rich.console import Console

        self.board = begun or Board()
        self._console = Console(stderr=True)
        self._live: Any = None
        self._said = 0.0

    def after(self, event: Event) -> None:
        before, self.board = self.board, self.board.after(event)
        if self._console.is_terminal:
            self._draw()
        else:
            self._said = _print(before, self.board, event, self._said)

    def plan(self, plan: Plan) -> None:
        """What comes is known now."""
        self.board = board_of(plan)

    def pause(self) -> None:
        if self._live:
            self._live.stop()
            self._live = None

    def _draw(self) -> None:
        from rich.live import Live

        if self._live is None:
            self._live = Live(console=self._console, refresh_per_second=8, transient=True)
            self._live.start()
        self._live.update(_drawn(self.board))


def _plain(board: Board, events: Iterable[tuple[int, Event]]) -> Board:
    said = 0.0
    for _, event in events:
        before, board = board, board.after(event)
        said = _print(before, board, event, said)
    return board


def _print(before: Board, board: Board, event: Event, said: float) -> float:
    """One line when a piece of work begins or ends, and every ten seconds while it goes on; when it was said."""
    if isinstance(event, Tried):
        if is_news(event):
            print(f"[{board.elapsed:6.1f} s] {candidate(event)}", file=sys.stderr, flush=True)
        return said
    item = board.items.get(event.work)
    was = before.items.get(event.work)
    began = item is not None and (was is None or was.state != item.state)
    if item is None or not (began or (item.state == "runs" and time.monotonic() - said > 10)):
        return said
    print(f"[{board.elapsed:6.1f} s] {line(item)}", file=sys.stderr, flush=True)
    return time.monotonic()


def _live(board: Board, events: Iterable[tuple[int, Event]], console: Console) -> Board:
    from rich.live import Live

    with Live(_drawn(board), console=console, refresh_per_second=8, transient=True) as live:
        for _, event in events:
            board = board.after(event)
            live.update(_drawn(board))
    return board


def _drawn(board: Board) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    if board.phase:
        return _searching(board)
    ended, total = board.counts
    head = Text(
        f"{ended} of {total}  ·  {clock(board.elapsed)} passed, about {clock(board.remaining)} to go", style="bold"
    )
    items = list(board.items.values())
    at = next((i for i, item in enumerate(items) if item.state == "runs"), ended)
    first = max(0, min(at - SHOWN // 2, len(items) - SHOWN))
    styles = {"runs": "cyan", "failed": "yellow", "waits": "dim", "reused": "dim"}
    return Group(
        head, *(Text("  " + line(item), style=styles.get(item.state, "")) for item in items[first : first + SHOWN])
    )


CANDIDATES = {"best": "★", "alive": "✓", "dead": "✕", "races": "◜", "builds": "◜", "answers": "◜", "waits": "◌"}


def _searching(board: Board) -> RenderableType:
    """Budget, what goes on, the best so far, and every candidate with how it stands."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    best, current = board.best, board.current
    left = f"{clock(board.remaining)} of the budget left"
    alive = sum(one.state != "dead" for one in board.candidates.values())
    head = f"{left}  ·  {alive} of {len(board.candidates)} candidates alive"
    speed = f", {words.speedup(best.speedup)}" if best and best.speedup else ""
    head += f"  ·  best so far {best.name}{speed}" if best else ""
    table = Table(box=None, show_header=False, padding=(0, 1), pad_edge=False)
    for one in sorted(board.candidates.values(), key=lambda one: (one.state == "dead", -(one.speedup or 0)))[:SHOWN]:
        style = {"dead": "dim", "best": "magenta", "alive": ""}.get(one.state, "cyan")
        table.add_row(
            f"  {CANDIDATES[one.state]} {one.name}",
            words.speedup(one.speedup),
            one.reason or standing(one),
            style=style,
        )
    return Group(Text(head, style="bold"), Text(f"  {line(current)}" if current else "", style="cyan"), table)


def is_news(one: Tried) -> bool:
    """Whether a candidate has lost, won, or something is known of it; that it is built is said of that work already."""
    return one.state in ("best", "dead") or (one.state == "alive" and bool(one.speedup or one.examples or one.first))


def candidate(one: Tried) -> str:
    """One candidate in a line."""
    speed = f" {words.speedup(one.speedup)}" if one.speedup else ""
    return f"{CANDIDATES[one.state]} {one.name}:{speed} {one.reason or standing(one)}"


def standing(one: Tried) -> str:
    """How a candidate stands that did not lose, in words."""
    if one.state == "alive":
        told = "raced" if one.speedup else "built"
        if one.examples:
            return f"meets the bar on all {words.number(one.examples)} examples"
        return f"a first look at {words.number(one.first)} examples meets the bar" if one.first else told
    return {"best": "the best", "races": "is raced", "builds": "is built", "answers": "answers"}.get(one.state, "waits")


def line(item: Item) -> str:
    """One piece of work in words: sign, title, how far, or how it ended."""
    text = f"{SIGNS[item.state]} {item.title}"
    if item.state == "runs":
        share = f" {item.done / item.total:.0%}" if item.total else ""
        return text + (f" …{share} {item.note}".rstrip() if share or item.note else " …")
    if item.state in ("done", "reused"):
        return f"{text}: {'reused' if item.state == 'reused' else f'{item.seconds:.1f} s'}"
    return f"{text}: {item.reason}" if item.reason else text


def clock(seconds: float) -> str:
    """1:05 for 65 seconds."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
