"""Who asks the variants of a run once asks them again: models stay loaded for a while, those of one run at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from workbench import bench
from workbench.errors import WorkbenchError
from workbench.store import Store

if TYPE_CHECKING:
    from workbench.trying import Panel, Said, Trial

IDLE = 120.0  # seconds after which loaded models are let go
PATIENCE = 60.0  # seconds that one waits for the question before


class Asking:
    """`ask` from any thread, one question at a time."""

    def __init__(self, store: Store, idle: float = IDLE, patience: float = PATIENCE) -> None:
        self.store, self.idle, self.patience = store, idle, patience
        self._turn = threading.Lock()
        self._panel: Panel | None = None
        self._timer: threading.Timer | None = None

    def ask(self, run: str, example: dict[str, Any], tell: Callable[[Said], None] = lambda _: None) -> Trial:
        """As `bench.answers`. `run` is a whole id. Raises WorkbenchError, too, where others ask for too long."""
        if not self._turn.acquire(timeout=self.patience):
            raise WorkbenchError("Somebody else asks just now.", "One input is asked at a time.", "Try again.")
        try:
            if self._timer:
                self._timer.cancel()
            return self._of(run).ask(example, tell)
        finally:
            self._timer = threading.Timer(self.idle, self._rest)
            self._timer.daemon = True
            self._timer.start()
            self._turn.release()

    def stop(self, run: str) -> None:
        """End the question that is asked of this run now; whoever asked it gets a WorkbenchError."""
        if (panel := self._panel) and panel.run == run:
            panel.close()

    def close(self) -> None:
        """Let the models go."""
        with self._turn:
            self._let_go()

    def _of(self, run: str) -> Panel:
        if self._panel is None or self._panel.run != run or self._panel.closed:
            self._let_go()
            self._panel = bench.panel(run, self.store)
        return self._panel

    def _rest(self) -> None:
        """After a while in which nobody asked; a question that goes on starts the time anew."""
        if self._turn.acquire(blocking=False):
            try:
                if threading.current_thread() is self._timer:
                    self._let_go()
            finally:
                self._turn.release()

    def _let_go(self) -> None:
        if self._panel is not None:
            self._panel.close()
            self._panel = None
