"""Outputs of one comparison: put there at once, replaced by the report when the run has ended.

What a file of the notebook keeps is HTML and text, never a widget: a page that has lost its kernel would show an error
in a widget's place. The widget takes the HTML over while it lives.
"""

from __future__ import annotations

from collections.abc import Callable

from workbench.faces.notebook import markup, shell
from workbench.faces.notebook.widget import RunWidget


class Cell:
    """`text()` is what stands there where no HTML can be shown."""

    def __init__(self, run: str, text: Callable[[], str]) -> None:
        self.widget = RunWidget(run)
        self._text = text
        self._shown_in = -1  # the number of an executed cell
        self._followed = self._settled = False

    def show(self) -> None:
        """Put an output here. Twice in one cell is once."""
        number = shell().execution_count
        if self._shown_in != number:
            self._shown_in = number
            self._display(update=False)
            self._follow()

    def embedded(self) -> RunWidget:
        """The widget for a layout of somebody else's."""
        self._follow()
        return self.widget

    def wait(self) -> None:
        """Return when the run has ended and its outputs say so, also to clients that hear only what the cell at work
        says."""
        if self._settled:
            return
        self._follow()
        self.widget.wait()
        self._settled = True
        self._settle()

    def _follow(self) -> None:
        if not self._followed:
            self._followed = True
            self.widget.follow(self._settle)

    def _settle(self) -> None:
        if self._shown_in != -1:
            self._display()

    def bundle(self) -> dict[str, str]:
        widget = self.widget
        page = markup.still(widget.cell, widget.stamp, widget.html, markup.css())
        return {"text/plain": self._text(), "text/html": page}

    def _display(self, update: bool = True) -> None:
        from IPython.display import display

        display(self.bundle(), raw=True, display_id=self.widget.cell, update=update)
