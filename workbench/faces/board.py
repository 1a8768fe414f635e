"""What every face draws while a run goes on: the same events, folded into the same board.

board = board_of_run(run)
for _, event in bench.follow(run):
    board = board.after(event)
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from workbench.event import (
    Checked,
    Event,
    Failed,
    Finished,
    Made,
    Measured,
    Planned,
    Progress,
    Searching,
    Started,
    Tried,
)
from workbench.pieces import Plan, planned
from workbench.store import Store


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
    """A run at one moment. `status` is that of the run; `seconds_estimated` is the plan's guess; `levels` are those of
    a verification that are known, V0 first.

    Of a search: `candidates` by name with what is known of each, the newest; `phase`, and how much of its budget was
    left when it began.
    """

    items: dict[str, Item] = field(default_factory=dict)
    status: str = "waiting"
    began: float = 0
    now: float = 0
    seconds_estimated: float = 0
    reason: str = ""
    levels: tuple[Checked, ...] = ()
    candidates: dict[str, Tried] = field(default_factory=dict)
    phase: Searching | None = None

    def after(self, event: Event) -> Board:
        """The board when this event has happened."""
        began = self.began or event.at
        board = replace(self, began=began, now=max(self.now, event.at))
        if isinstance(event, Finished):
            return replace(board, status=event.status, items={id: _ended(item) for id, item in self.items.items()})
        board = replace(board, status="running")
        if isinstance(event, Planned):
            return replace(board, items=_items(event), seconds_estimated=event.seconds)
        if isinstance(event, Checked):  # one that begins again forgets what came before
            return replace(board, levels=(*(one for one in self.levels if one.level < event.level), event))
        if isinstance(event, Failed) and not event.work:
            return replace(board, reason=event.reason)
        if isinstance(event, Tried):
            return replace(board, candidates=self.candidates | {event.name: event})
        if isinstance(event, Searching):
            return replace(board, phase=event)
        known = self.items.get(event.work)
        if known is None and isinstance(event, Started):  # no plan named it
            known = Item(event.work, event.title)
        return replace(board, items=self.items | {event.work: _changed(known, event)}) if known else board

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
        """Of a search, the fastest that is alive so far; who meets the bar before others, also where its speed is not
        known yet."""
        alive = [one for one in self.candidates.values()
                 if one.state != "dead" and (one.speedup or one.examples or one.first)]  # fmt: skip
        return max(
            alive,
            key=lambda one: (one.state == "best", one.examples > 0, one.first > 0, one.speedup or 0),
            default=None,
        )

    @property
    def remaining(self) -> float:
        """Seconds, a guess: the plan's estimate less what has passed; of a search, what is left of its budget. Never
        below zero."""
        if self.phase:
            return max(0.0, self.phase.left_s - (self.now - self.phase.at))
        return max(0.0, self.seconds_estimated - self.elapsed)


def board_of(plan: Plan) -> Board:
    """Everything waits; a search shows what it has begun."""
    if plan.request.budget_s:
        return Board(seconds_estimated=plan.request.budget_s)
    known = planned(plan)
    return Board(_items(known), seconds_estimated=known.seconds)


def board_of_run(run: str, store: Store | None = None) -> Board:
    """The same for a run of any kind: what was not planned before it was submitted, its events tell."""
    from workbench import bench

    return board_of(bench.plan_of(run, store)) if bench.record(run, store).compares else Board()


def _items(known: Planned) -> dict[str, Item]:
    return {one["id"]: Item(one["id"], one["title"], tuple(one["variants"])) for one in known.pieces}


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
