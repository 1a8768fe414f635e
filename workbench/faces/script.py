"""The Python face: what `workbench.compare(...)` returns in a script, a prompt or a cell.

A handle returns at once; what needs a result waits for it, with progress on stderr.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from workbench.card import Card
    from workbench.comparison import Comparison
    from workbench.recipe import Recipe
    from workbench.verification_run import Verifying


class Handle:
    """A comparison that runs or has run. `run` is its id; every accessor waits for what it needs."""

    def __init__(self, run: str) -> None:
        self.run = run
        self._seen: Comparison | None = None

    # ---- waiting

    def wait(self) -> Handle:
        """Return when the run has ended. Raises WorkbenchError when it gave no result."""
        if self._seen is None:
            from workbench import bench
            from workbench.faces import board, live

            if bench.status(self.run) != "ok":
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

    def save(self, folder: str | Path) -> Path:
        """Write reports, recipe files, models and logs into a folder."""
        from workbench import bench

        self.wait()
        return bench.take(self.run, Path(folder))

    # ---- looks

    def __repr__(self) -> str:
        if self._seen is None and self.status != "ok":
            return f"<comparison {self.run}: {self.status}>"
        return _card(self.report).text()

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        if self._seen is None and self.status != "ok":
            return {"text/plain": repr(self)}
        return _card(self.report).bundle()


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
        return f"<row {'  '.join(_cells(self.data))}>"


def _card(report: dict[str, Any]) -> Card:
    from workbench import sentence
    from workbench.card import Card

    return Card(
        title=f"{report['model']['id']} against {report['baseline']}",
        sentence=sentence.plain(sentence.verdict(report)),
        header=("recipe", "speed-up (95 %)", "", "change (95 %)", ""),
        rows=[_cells(row) for row in sentence.ordered(report)],
        notes=[*report["warnings"], *(["A quick run: fewer examples and rounds."] if report["quick"] else [])],
    )


def _cells(row: Any) -> tuple[str, ...]:
    from workbench import words

    if row["status"] != "ok":
        return row["name"], words.word(row["status"]).text, row["reason"], "", ""
    speed, accuracy = row["speed"], row["accuracy"]
    unit = accuracy["unit"]
    faster = f"{words.speedup(speed['speedup'])} ({words.ratio_interval(speed['ci95'])})"
    change = f"{words.change(accuracy['delta'], unit)} ({words.change_interval(accuracy['ci95'], unit)})"
    return row["name"], faster, words.word(speed["verdict"]).text, change, words.word(accuracy["verdict"]).text


def compare(model: str, recipes: Sequence[Any] = (), **asked: Any) -> Handle:
    """Compare recipes of one model; returns at once. Keywords as `workbench.bench.request`:
    baseline, task, data, calibration, fields, target, max_drop, n, fresh, quick.

    Raises RequestError for whatever is wrong with the request; nothing is started then.
    """
    from workbench import bench

    return Handle(bench.submit(bench.plan(bench.request(model, recipes, **asked))))


def tune(model: str, recipes: Sequence[Any] = (), **asked: Any) -> Handle:
    """Search for the best recipe within bounds and a budget of wall time; returns at once. Keywords as
    `workbench.bench.tune_request`: max_drop, relative, min_speedup, max_size, max_memory, optimize, budget, and those
    of `compare`. `.best()` is the winner, None where nothing meets the goal; `.report["search"]` says what was tried.

    Raises RequestError for whatever is wrong with the request; nothing is started then.
    """
    from workbench import bench

    return Handle(bench.submit(bench.plan(bench.tune_request(model, recipes, **asked))))


def sensitivity(model: str, recipe: Any, **asked: Any) -> Any:
    """Which operators that a recipe quantizes cost most: `.operators`, the worst first. Keywords as `compare`."""
    from workbench import bench

    return bench.sensitivity(model, recipe, **asked)


def open_run(run: str) -> Handle | Verifying:
    """Any stored run, also one that another face started; of a verification what is known of it so far. Raises
    RequestError if there is none."""
    from workbench import bench

    found = bench.record(run)
    return Handle(found.id) if found.compares else bench.verification_of(found.id)


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
