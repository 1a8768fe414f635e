"""One measuring block at a time runs on a machine: who wants to measure waits for its turn, in order of asking."""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any


@contextlib.contextmanager
def measuring_turn(say: Callable[[int], None]) -> Iterator[None]:
    """The machine's measuring lock, in order of asking; `say(n)` tells how many are before.

    Each asker holds a numbered ticket, a locked file in a folder of the machine (not of a home). It is its
    turn when every earlier ticket is gone or let go: a process that dies lets go.
    """
    folder = _tickets()
    folder.mkdir(mode=0o700, exist_ok=True)
    ticket, number = _ticket(folder)
    try:
        told = 0
        while before := sum(_held(path) for path in folder.glob("*.ticket") if int(path.stem) < number):
            if before != told:
                say(before)
                told = before
            time.sleep(0.2)
        yield
    finally:
        Path(ticket.name).unlink(missing_ok=True)
        ticket.close()


def is_measured_on() -> bool:
    """Whether somebody measures on this machine now: what is not urgent waits then."""
    return any(_held(path) for path in _tickets().glob("*.ticket"))


def _tickets() -> Path:
    return Path(tempfile.gettempdir()) / f"workbench-measuring-{os.getuid()}"


def _ticket(folder: Path) -> tuple[Any, int]:
    with (folder / "counter").open("a+") as counter:
        fcntl.flock(counter, fcntl.LOCK_EX)
        counter.seek(0)
        number = int(counter.read() or 0) + 1
        counter.truncate(0)
        counter.write(str(number))
        counter.flush()
        ticket = (folder / f"{number}.ticket").open("w")
        fcntl.flock(ticket, fcntl.LOCK_EX)
        return ticket, number


def _held(path: Path) -> bool:
    try:
        with path.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    path.unlink(missing_ok=True)
    return False
