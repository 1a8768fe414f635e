"""What every face draws while a run goes on: the same events, folded into the same board.

board = board_of(plan)
for _, event in bench.follow(run):
    board = board.after(event)
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from workbench.event import Event, Failed, Finished, Made, Measured, Progress, Searching, Started, Tried
from workbench.planning import Plan


@dataclass(frozen=True)
class Item:
    """One piece of work. state: waits, runs, done, reused, failed, skipped."""

    id: str
    title: str
    variants: tuple[str, ...] = ()
    state: str = "waits"
    done: float = 0
    total: float = 0
    note: str = ""
    began: float = 0
    seconds: float = 0
    reason: str = ""


@dataclass(frozen=True)
class Board:
    """A run at one moment. `status` is that of the run; `seconds_estimated` is the plan's guess.

    Of a search: `candidates` by name with what is known of each, the newest; `phase`, and how much of its budget was
    left when it began.
    """

    items: dict[str, Item] = field(default_factory=dict)
    status: str = "waiting"
    began: float = 0
    now: float = 0
    seconds_estimated: float = 0
    reason: str = ""
    candidates: dict[str, Tried] = field(default_factory=dict)
    phase: Searching | None = None

    def after(self, event: Event) -> Board:
        """The board when this event has happened."""
        began = self.began or event.at
        board = replace(self, began=began, now=max(self.now, event.at))
        if isinstance(event, Finished):
            return replace(board, status=event.status, items={id: _ended(item) for id, item in self.items.items()})
        board = replace(board, status="running")
        if isinstance(event, Failed) and not event.work:
            return replace(board, reason=event.reason)
        if isinstance(event, Tried):
            return replace(board, candidates=self.candidates | {event.name: event})
        if isinstance(event, Searching):
            return replace(board, phase=event)
        if event.work not in self.items:
            if not (self.phase and isinstance(event, Started)):
                return board
            board = replace(board, items=self.items | {event.work: Item(event.work, event.title)})
            return replace(board, items=board.items | {event.work: _changed(board.items[event.work], event)})
        return replace(board, items=self.items | {event.work: _changed(self.items[event.work], event)})

    @property
    def current(self) -> Item | None:
        return next((item for item in self.items.values() if item.state == "runs"), None)

    @property
    def counts(self) -> tuple[int, int]:
        """(pieces that ended, all)."""
        return sum(item.state not in ("waits", "runs") for item in self.items.values()), len(self.items)

    @property
    def elapsed(self) -> float:
        return max(0.0, self.now - self.began)

    @property
    def best(self) -> Tried | None:
        """Of a search, the fastest that is alive so far."""
        alive = [one for one in self.candidates.values() if one.state in ("alive", "best") and one.speedup]
        return max(alive, key=lambda one: (one.state == "best", one.examples > 0, one.speedup or 0), default=None)

    @property
    def remaining(self) -> float:
        """Seconds, a guess: the plan's estimate less what has passed; of a search, what is left of its budget. Never
        below zero."""
        if self.phase:
            return max(0.0, self.phase.left_s - (self.now - self.phase.at))
        return max(0.0, self.seconds_estimated - self.elapsed)


def board_of(plan: Plan) -> Board:
    """Everything waits; a search shows what it has begun."""
    if plan.request.verb == "tune":
        return Board(seconds_estimated=plan.request.budget_s or 0.0)
    items = {work.id: Item(work.id, _title(work, plan), _variants(work.id, plan)) for work in plan.work}
    items["speed"] = Item("speed", "Measure speed, interleaved", tuple(variant.name for variant in plan.variants))
    return Board(items, seconds_estimated=plan.cost["seconds"])


def _title(work: Any, plan: Plan) -> str:
    name = work.job.get("variant")
    return f"{work.title}: {name}" if name else str(work.title)


def _variants(id: str, plan: Plan) -> tuple[str, ...]:
    return tuple(one.name for one in plan.variants if id in one.chain or id.endswith(f"-{one.name}"))


def _ended(item: Item) -> Item:
    """What never began when the run ended stands on something that failed, or was cancelled."""
    return replace(item, state="skipped") if item.state in ("waits", "runs") else item


def _changed(item: Item, event: Event) -> Item:
    if isinstance(event, Started):
        return replace(item, state="runs", began=event.at)
    if isinstance(event, Progress):
        return replace(item, done=event.done, total=event.total, note=event.note)
    if isinstance(event, Made | Measured):
        return replace(item, state="reused" if event.reused else "done", seconds=event.seconds, note="")
    if isinstance(event, Failed):
        return replace(item, state="failed", reason=event.reason)
    return item
