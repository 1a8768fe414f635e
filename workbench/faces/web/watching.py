"""Boards of the runs that people look at: events are read once, whoever asks."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass

from workbench import bench
from workbench.event import Failed, Made, Measured, Started
from workbench.faces.board import Board, board_of
from workbench.faces.live import line
from workbench.store import Store

KEPT = 50  # runs
LINES = 400  # of a log


@dataclass
class _Seen:
    board: Board
    variants: tuple[str, ...]
    after: int = 0
    log: tuple[str, ...] = ()


class Watching:
    """`of(run)` is the newest state, for any number of people at once."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._seen: OrderedDict[str, _Seen] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, run: str) -> tuple[Board, tuple[str, ...], tuple[str, ...]]:
        """(board, variants, lines of the log). `run` is a whole id."""
        with self._lock:
            if run not in self._seen:
                plan = bench.plan_of(run, self.store)
                self._seen[run] = _Seen(board_of(plan), tuple(one.name for one in plan.variants))
            seen = self._seen[run]
            self._seen.move_to_end(run)
            while len(self._seen) > KEPT:
                self._seen.popitem(last=False)
            for number, event in self.store.events(run, seen.after):
                seen.after, seen.board = number, seen.board.after(event)
                if isinstance(event, Started | Made | Measured | Failed) and event.work in seen.board.items:
                    said = f"{seen.board.elapsed:7.1f} s  {line(seen.board.items[event.work])}"
                    seen.log = (*seen.log, said)[-LINES:]
            return seen.board, seen.variants, seen.log
