"""The live part of a cell: one widget a comparison, whose traits are what the page needs and what it answers."""

from __future__ import annotations

import contextvars
import secrets
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from workbench import bench
from workbench.errors import WorkbenchError
from workbench.faces.notebook import markup
from workbench.faces.web.parts.problem import problem
from workbench.faces.web.watching import Watching
from workbench.report.html import script
from workbench.store import Store

TICK = 0.4  # seconds between two looks at the run


class RunWidget(anywidget.AnyWidget):
    """`status`, `html` and `stamp` (which changes with it) go to the page; `selected`, the name of a row,
    comes from there, and the messages {"do": "cancel"} and {"do": "resume"}."""

    _esm = script() + (Path(__file__).parent / "widget.js").read_text(encoding="utf-8")
    _css = markup.css()
    run = traitlets.Unicode().tag(sync=True)
    cell = traitlets.Unicode().tag(sync=True)
    place = traitlets.Unicode().tag(sync=True)
    status = traitlets.Unicode().tag(sync=True)
    html = traitlets.Unicode().tag(sync=True)
    stamp = traitlets.Unicode().tag(sync=True)
    selected = traitlets.Unicode().tag(sync=True)

    def __init__(self, run: str) -> None:
        self._watching = Watching(Store())
        self._ended = threading.Event()
        self._then: Callable[[], None] = lambda: None
        super().__init__(run=run, cell=f"workbench-{secrets.token_hex(6)}", place=markup.still("", "", ""))
        self.on_msg(self._told)
        self.refresh()

    # ---- towards the page

    def refresh(self) -> bool:
        """Look at the run and show it; whether it has ended."""
        status = bench.status(self.run)
        try:
            drawn = markup.drawn(self.run, status, self._watching)
        except WorkbenchError as error:
            drawn = problem(error)
        with self.hold_sync():
            self.status = status
            if drawn != self.html:
                self.html, self.stamp = drawn, f"{status} {time.time():.3f}"
        return status in markup.ENDED

    def follow(self, then: Callable[[], None]) -> None:
        """Show the run until it ends, on a thread of its own, whose messages belong to the cell that runs now; `then`
        is called on it at the end."""
        self._then = then
        self._ended.clear()
        context = contextvars.copy_context()
        threading.Thread(target=context.run, args=(self._follow,), daemon=True).start()

    def _follow(self) -> None:
        try:
            while not self.refresh():
                time.sleep(TICK)
            self._then()
        finally:
            self._ended.set()

    def wait(self) -> None:
        """Return when the run has ended and is shown. An interrupt of the kernel ends the waiting, not the run."""
        while not self._ended.wait(0.5):
            pass

    # ---- from the page

    def _told(self, _: Any, content: dict[str, Any], __: Any) -> None:
        if content.get("do") == "cancel":
            threading.Thread(target=bench.cancel, args=(self.run,), daemon=True).start()
        elif content.get("do") == "resume" and self._ended.is_set():
            bench.resume(self.run)
            self.follow(self._then)
