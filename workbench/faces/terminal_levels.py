"""A verification that is or was a run, in the terminal: each level as soon as it is known."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from workbench.event import Checked
from workbench.faces.board import Board
from workbench.faces.live import Screen
from workbench.verification import Level

if TYPE_CHECKING:
    from workbench.event import Event
    from workbench.verification_run import Verifying


def watch(events: Iterable[tuple[int, Event]], begun: Board | None = None, quiet: bool = False) -> None:
    """Levels go to stdout, unless `quiet`; progress goes to stderr. `begun`: what was seen before."""
    screen = Screen(begun)
    try:
        for _, event in events:
            if not isinstance(event, Checked):
                screen.after(event)
            elif not quiet:
                screen.pause()
                print(Level(event.level, event.result, event.why), flush=True)
    finally:
        screen.pause()


def show(found: Verifying, json_: bool = False) -> None:
    """What is known; how it stands goes to stderr where that is not all."""
    if json_:
        print(json.dumps(found.to_dict(), indent=1, ensure_ascii=False))
    else:
        print(found)
    if not found.done:
        say_ended(found)


def say_ended(found: Verifying) -> None:
    """How a run came to an end before all levels were known, or that it goes on."""
    ways = {"failed": found.reason, "cancelled": f"`workbench resume {found.run}` begins it again.",
            "stopped": f"Its runner is gone. `workbench resume {found.run}` begins it again."}  # fmt: skip
    said = ways.get(found.status, f"It is {found.status}; `workbench follow {found.run}` shows it.")
    print(f"Run {found.run}: {found.status}. {said}" if found.status in ways else said, file=sys.stderr, flush=True)
