"""The Python face: what `workbench.compare(...)` returns in a script, a prompt or a notebook.

A handle returns at once; what needs a result waits for it, with progress on stderr or in the notebook's cell.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from workbench.comparison import Comparison
    from workbench.faces.notebook.cell import Cell
    from workbench.recipe import Recipe
    from workbench.verification_run import Verifying


class Handle:
    """A comparison that runs or has run. `run` is its id; every accessor waits for what it needs."""

    def __init__(self, run: str) -> None:
        self.run = run
        self._seen: Comparison | None = None
        self._cell: Cell | None = None
        self._chosen = ""

    # ---- waiting

    def wait(self) -> Handle:
        """Return when the run has ended. Raises WorkbenchError when it gave no result."""
        if self._seen is None:
            from workbench import bench
            from workbench.faces import board, live

            if self._cell:
                self._cell.wait()
            elif bench.status(self.run) != "ok":
                live.watch(board.board_of_run(self.run), bench.follow(self.run))
            self._seen = bench.comparison(self.run)
        return self

    def __await__(self) -> Generator[Any, None, Handle]:
        import asyncio

        return asyncio.to_thread(self.wait).__await__()

    def cancel(self) -> bool:
        """End the run and all its processes; True if there was something to end."""
        from workbench import bench

        return bench.cancel(self.run)

    @property
    def status(self) -> str:
        """waiting, running, ok, failed, cancelled or stopped. Does not wait."""
        from workbench import bench

        return bench.status(self.run)

    # ---- results

    @property
    def comparison(self) -> Comparison:
        self.wait()
        assert self._seen is not None
        return self._seen

    @property
    def report(self) -> dict[str, Any]:
        """report.json as plain data."""
        return self.comparison.report

    @property
    def rows(self) -> Sequence[Choice]:
        return [Choice(self.run, row.data) for row in self.comparison.rows]

    def row(self, name: str) -> Choice:
        return Choice(self.run, self.comparison.row(name).data)

    def best(self) -> Choice | None:
        """The fastest row that meets the constraint; None if none does."""
        found = self.comparison.best
        return Choice(self.run, found.data) if found else None

    def to_frame(self) -> pd.DataFrame:
        """One line a row."""
        return self.comparison.to_frame()

    def samples_frame(self) -> pd.DataFrame:
        """Every timed call."""
        return self.comparison.samples_frame()

    def flips_frame(self) -> pd.DataFrame:
        """Every example that a row answered differently than the baseline."""
        return self.comparison.flips_frame()

    def profile_frame(self) -> pd.DataFrame:
        """Where the time of a call goes: row, name, type, precision, seconds and share of each operator, of those rows
        whose runtime tells."""
        import pandas as pd

        from workbench import bench

        self.wait()
        _, details = bench.report(self.run)
        lines = [{"row": name, **one} for name, found in details["profile"].items() for one in found]
        return pd.DataFrame(lines, columns=["row", "name", "type", "precision", "seconds", "share"])

    def save(self, folder: str | Path) -> Path:
        """Write reports, recipe files, models and logs into a folder."""
        from workbench import bench

        self.wait()
        return bench.take(self.run, Path(folder))

    # ---- choosing

    @property
    def selected(self) -> Choice | None:
        """The row that was clicked in the notebook, or set here by its name; before that the best one."""
        name = self._cell.widget.selected if self._cell else self._chosen
        return self.row(name) if name else self.best()

    @selected.setter
    def selected(self, row: str | Choice) -> None:
        name = self.row(row if isinstance(row, str) else row.name).name
        self._chosen = name
        if self._cell:
            self._cell.widget.selected = name

    # ---- looks

    @property
    def widget(self) -> Any:
        """The live widget by itself, for a layout of one's own. Raises WorkbenchError where there are no widgets."""
        from workbench.errors import WorkbenchError

        if not self._in_cell():
            why = "This process is no notebook's kernel, or anywidget is not installed."
            raise WorkbenchError("There is no widget here.", why, "`pip install optimization-workbench[notebook]`.")
        assert self._cell is not None
        return self._cell.embedded()

    def __repr__(self) -> str:
        if self._seen is None and self.status != "ok":
            return f"<comparison {self.run}: {self.status}>"
        from workbench.comparison import drawn

        return drawn.table(self._report()).text()

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        if self._cell:
            return self._cell.bundle()
        from workbench.card import Card
        from workbench.comparison import drawn

        if self._seen is None and self.status != "ok":
            return Card("Comparison", f"Run {self.run} is {self.status}.").bundle() | {"text/plain": repr(self)}
        return drawn.table(self._report()).bundle()

    def _ipython_display_(self) -> None:
        if self._cell is None:
            raise NotImplementedError  # IPython takes `_repr_mimebundle_` then
        self._cell.show()

    def _report(self) -> dict[str, Any]:
        """Without the raw samples; of a run that has ended."""
        from workbench import bench

        return self._seen.report if self._seen else bench.report(self.run)[0]

    def _shown(self) -> Handle:
        """In a notebook the cell that asks shows the run at once."""
        if self._in_cell() and self._cell:
            self._cell.show()
        return self

    def _in_cell(self) -> bool:
        """Whether this is a notebook that can show a live cell; it is ready then."""
        from workbench.faces import notebook

        if self._cell is None and notebook.shell() is not None and notebook.has_widgets():
            from workbench.faces.notebook.cell import Cell

            self._cell = Cell(self.run, self.__repr__)
        return self._cell is not None


class Choice:
    """One row, frozen: `data` is its object in report.json."""

    def __init__(self, run: str, data: Any) -> None:
        self.run, self.data = run, data

    @property
    def name(self) -> str:
        return str(self.data["name"])

    @property
    def recipe(self) -> Recipe:
        """The recipe file of this row: runs, verifies and loads as it is."""
        from workbench import bench, recipe

        return recipe.load(bench.recipe_file(self.run, self.name))

    def __getitem__(self, key: str) -> Any:
        return self.data[key]

    def __repr__(self) -> str:
        from workbench.comparison import drawn

        return drawn.line(self.data)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        from workbench.comparison import drawn

        return drawn.row(self.data).bundle() | {"text/plain": repr(self)}


def compare(model: str, recipes: Sequence[Any] = (), **asked: Any) -> Handle:
    """Compare recipes of one model; returns at once. Keywords as `workbench.bench.request`:
    baseline, task, data, calibration, fields, target, max_drop, n, fresh, quick.

    Raises RequestError for whatever is wrong with the request; nothing is started then.
    """
    from workbench import bench

    return Handle(bench.submit(bench.plan(bench.request(model, recipes, **asked))))._shown()


def tune(model: str, recipes: Sequence[Any] = (), **asked: Any) -> Handle:
    """Search for the best recipe within bounds and a budget of wall time; returns at once. Keywords as
    `workbench.bench.tune_request`: max_drop, relative, min_speedup, max_size, max_memory, optimize, budget, and those
    of `compare`. `.best()` is the winner, None where nothing meets the goal; `.report["search"]` says what was tried.

    Raises RequestError for whatever is wrong with the request; nothing is started then.
    """
    from workbench import bench

    return Handle(bench.submit(bench.plan(bench.tune_request(model, recipes, **asked))))._shown()


def sensitivity(model: str, recipe: Any, **asked: Any) -> Any:
    """Which operators that a recipe quantizes cost most: `.operators`, the worst first. Keywords as `compare`."""
    from workbench import bench

    return bench.sensitivity(model, recipe, **asked)


def open_run(run: str) -> Handle | Verifying:
    """Any stored run, also one that another face started; of a verification what is known of it so far. Raises
    RequestError if there is none."""
    from workbench import bench

    found = bench.record(run)
    return Handle(found.id)._shown() if found.compares else bench.verification_of(found.id)


def verify(file: str | Path, **asked: Any) -> Any:
    """Rebuild what a recipe file says and check its promises, V0 to V5; `.passed`, `.levels`."""
    from workbench import bench

    return bench.verify(file, **asked)


def load(file: str | Path, **asked: Any) -> Any:
    """The model of a recipe file, built or reused, called like the transformers model it came from."""
    from workbench import bench

    return bench.load(file, **asked)


def pipeline(file: str | Path, **asked: Any) -> Any:
    """A transformers pipeline over the model of a recipe file."""
    from workbench import bench

    return bench.pipeline(file, **asked)
