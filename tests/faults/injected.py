"""Faults inside a process: the n-th write fails, the clock jumps. For a child process by its environment."""

from __future__ import annotations

import builtins
import errno
import io
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

KEPT = ExitStack()  # faults that last as long as the process
WRITE, CLOCK = "WORKBENCH_FAULT_WRITE", "WORKBENCH_FAULT_CLOCK"
STATEMENTS = ("INSERT", "UPDATE", "DELETE", "CREATE", "ALTER", "PRAGMA USER_VERSION=")


class Count:
    """How many writes there were; the n-th and, on a disk that stays full, every later one fails."""

    def __init__(self, n: int, stays: bool) -> None:
        self.n, self.stays, self.seen = n, stays, 0

    def one_more(self, what: str) -> bool:
        self.seen += 1
        return self.seen >= self.n if self.stays else self.seen == self.n


@contextmanager
def failing_write(n: int, home: Path, stays: bool = False) -> Iterator[Count]:
    """Counted are files opened to write, folders made, things renamed and flushed, and statements that change a
    database, all below `home`. The n-th ends with "No space left on device", as the system and as SQLite say it."""
    count, place = Count(n, stays), str(home.resolve())

    def here(path: Any) -> bool:
        try:
            return os.path.abspath(os.fspath(path)).startswith(place)
        except TypeError:  # a descriptor
            return True

    def guarded(real: Callable[..., Any], opens: bool = False) -> Callable[..., Any]:
        def function(path: Any, *more: Any, **named: Any) -> Any:
            mode = str(more[0] if more else named.get("mode", "r"))
            writes = here(path) and (not opens or (not isinstance(path, int) and bool(set(mode) & set("wax+"))))
            if writes and count.one_more(str(path)):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
            return real(path, *more, **named)

        return function

    class Connection(sqlite3.Connection):
        def execute(self, sql: str, *more: Any) -> sqlite3.Cursor:
            if sql.lstrip().upper().startswith(STATEMENTS) and count.one_more(sql):
                raise sqlite3.OperationalError("database or disk is full")
            return super().execute(sql, *more)

    def connect(path: Any, *more: Any, **named: Any) -> sqlite3.Connection:
        return real_connect(path, *more, **named | ({"factory": Connection} if here(path) else {}))

    real_connect = sqlite3.connect
    with ExitStack() as stack:
        for name in ("mkdir", "rename", "replace", "fsync"):
            stack.enter_context(patch.object(os, name, guarded(getattr(os, name))))
        opening = guarded(io.open, opens=True)
        stack.enter_context(patch.object(io, "open", opening))
        stack.enter_context(patch.object(builtins, "open", opening))
        stack.enter_context(patch.object(sqlite3, "connect", connect))
        yield count


@contextmanager
def jumping_clock(n: int, seconds: float) -> Iterator[None]:
    """From its n-th reading on the wall clock is off by `seconds`; the monotonic one never is."""
    real, count = time.time, Count(n, True)
    with patch.object(time, "time", lambda: real() + (seconds if count.one_more("clock") else 0.0)):
        yield


def from_environment() -> None:
    """WORKBENCH_FAULT_WRITE=n or n+ (and all after it), below WORKBENCH_HOME; WORKBENCH_FAULT_CLOCK=n:seconds."""
    if said := os.environ.get(WRITE):
        KEPT.enter_context(failing_write(int(said.rstrip("+")), Path(os.environ["WORKBENCH_HOME"]), said.endswith("+")))
    if said := os.environ.get(CLOCK):
        n, _, seconds = said.partition(":")
        KEPT.enter_context(jumping_clock(int(n), float(seconds)))
