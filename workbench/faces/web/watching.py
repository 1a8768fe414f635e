"""Boards of the runs that people look at: events are read once, whoever asks."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass

from workbench import bench, words
from workbench.event import Checked, Event, Failed, Made, Measured, Started, Tried
from workbench.faces.board import Board, board_of, board_of_run
from workbench.faces.live import candidate, is_news, line
from workbench.store import Store

KEPT = 50  # runs
POLL = 1.0  # seconds between two looks of a page at a run that goes on
POLL_MEASURING = 3.0  # and while somebody measures here: each look takes a hundredth of a second of a core from that
MOST_LOOKS = 3.0  # a second, of all pages together, while somebody measures
PRESENT = 30.0  # seconds after a look in which a visitor counts as one who watches
LINES = 400  # of a log


@dataclass
class _Seen:
    board: Board
    variants: tuple[str, ...]
    after: int = 0
    log: tuple[str, ...] = ()


def paced(visitors: int) -> float:
    """Seconds between two looks of each of so many, while somebody measures."""
    return max(POLL_MEASURING, visitors / MOST_LOOKS)


class Watching:
    """`of(run)` is the newest state, for any number of people at once."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._seen: OrderedDict[str, _Seen] = OrderedDict()
        self._looks: dict[str, float] = {}  # visitor -> when
        self._lock = threading.Lock()

    def of(self, run: str) -> tuple[Board, tuple[str, ...], tuple[str, ...]]:
        """(board, variants of a comparison, lines of the log). `run` is a whole id."""
        with self._lock:
            if run not in self._seen:
                self._seen[run] = self._begun(run)
            seen = self._seen[run]
            self._seen.move_to_end(run)
            while len(self._seen) > KEPT:
                self._seen.popitem(last=False)
            for number, event in self.store.events(run, seen.after):
                seen.after, seen.board = number, seen.board.after(event)
                if said := _line(event, seen.board):
                    seen.log = (*seen.log, f"{seen.board.elapsed:7.1f} s  {said}")[-LINES:]
            return seen.board, seen.variants, seen.log

    def pace(self, visitor: str) -> float:
        """Seconds until this visitor's next look."""
        now = time.monotonic()
        with self._lock:
            self._looks = {one: at for one, at in self._looks.items() if now - at < PRESENT} | {visitor: now}
            return paced(len(self._looks)) if bench.is_measured_on() else POLL

    def _begun(self, run: str) -> _Seen:
        if not bench.record(run, self.store).compares:
            return _Seen(board_of_run(run, self.store), ())
        plan = bench.plan_of(run, self.store)
        return _Seen(board_of(plan), tuple(one.name for one in plan.variants))


def _line(event: Event, board: Board) -> str:
    """What the log says of it; "" for what is no news."""
    if isinstance(event, Checked):
        return f"{words.LEVELS[event.result]}: {words.level_name(event.level)}, {event.why}"
    if isinstance(event, Tried):
        return candidate(event) if is_news(event) else ""
    news = isinstance(event, Started | Made | Measured | Failed) and event.work in board.items
    return line(board.items[event.work]) if news else ""
