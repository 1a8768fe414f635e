"""What every screen stands among: the store and its visitors, and the components that all screens share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from workbench import bench
from workbench.errors import WorkbenchError
from workbench.faces.web.visitors import Visitors
from workbench.faces.web.watching import Watching
from workbench.pieces import Plan
from workbench.store import RunRecord, Store

# Of every listener: it is no part of the API, and Gradio draws no veil over what it changes.
QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
BUSY: dict[str, Any] = {"api_visibility": "private", "show_progress": "minimal"}
ALIVE = ("waiting", "running", "cancelling")


@dataclass(frozen=True)
class Desk:
    """What the buttons do, over one store. Each function takes plain values and the visitor, and checks whose run it
    is: anybody can call it."""

    store: Store
    visitors: Visitors
    watching: Watching

    def record(self, run: str | None, visitor: str) -> RunRecord | None:
        """One's own run, or none."""
        try:
            return self.visitors.own(run, visitor)
        except WorkbenchError:
            return None

    def finished(self, run: str | None, visitor: str) -> RunRecord | None:
        """One's own comparison that has a report, or none."""
        record = self.record(run, visitor)
        return record if record is not None and record.status == "ok" and record.compares else None

    def submit(self, plan: Plan, visitor: str) -> str:
        """The run's id. Raises WorkbenchError, also for somebody who has too many runs under way."""
        self.visitors.check_room(visitor)
        found = bench.submit(plan, self.store)
        self.visitors.claim(found, visitor)
        return found

    def cancel(self, run: str, visitor: str) -> bool:
        return bench.cancel(self.visitors.own(run, visitor).id, self.store)

    def resume(self, run: str, visitor: str) -> None:
        bench.resume(self.visitors.own(run, visitor).id, self.store)


@contextmanager
def told() -> Iterator[None]:
    """What is wrong in words, as the page's own message."""
    import gradio as gr

    try:
        yield
    except WorkbenchError as error:
        raise gr.Error(str(error), title="Not done") from None


@dataclass(frozen=True)
class Shared:
    """Components of no one screen. `visitor` is who asks, `current` the run that is looked at."""

    visitor: Any
    current: Any
    tabs: Any
    timer: Any
    title: Any
