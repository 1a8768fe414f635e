"""A verification as a run: a runner of its own does it, and what is known of it is in its events.

    run = submit(file, given, store)      at once; the same one that waits or runs is joined
    known(run, store).levels              V0 first, those that are known

A run that is begun again begins at V0: everything is built by the very verification that it shows.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from workbench import event, executing, pieces, running, verification, words
from workbench.artifact import sha256_of
from workbench.card import Card
from workbench.errors import RequestError
from workbench.event import Checked, Failed, Finished
from workbench.pieces import Plan
from workbench.recipe_file import read_text
from workbench.store import VERIFY, RunRecord, Store
from workbench.verification import SCHEMA, Given, Level, first_failed


@dataclass(frozen=True)
class Verifying:
    """What is known of a verification so far. `levels`: V0 first. `status` is that of its run; `reason` says in words
    why one that failed came to no end."""

    run: str
    name: str
    status: str
    levels: tuple[Level, ...]
    reason: str = ""

    @property
    def done(self) -> bool:
        """Every level is known."""
        return self.status == "ok"

    @property
    def failed(self) -> str | None:
        """The first level that failed."""
        return first_failed(self.levels)

    @property
    def passed(self) -> bool | None:
        """None until all levels are known, or one failed."""
        return False if self.failed else True if self.done else None

    def to_dict(self) -> dict[str, Any]:
        """workbench/verify@1; `passed` is null as long as it is not known."""
        return {"schema": SCHEMA, "passed": self.passed, "levels": [asdict(level) for level in self.levels]}

    def __str__(self) -> str:
        return "\n".join([self._title, *map(str, self.levels)])

    @property
    def _title(self) -> str:
        return f"{self.name}: {words.verified(self.failed) if self.done else self.reason or self.status}"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        rows = [(words.level_name(one.level), one.result.replace("_", " "), one.why) for one in self.levels]
        return Card(self._title, header=("level", "result", "why"), rows=rows).bundle()


def submit(file: Path | str, given: Given, store: Store, *, reuse: bool = False) -> str:
    """Hand the verification of a file, or of its text, to a runner of its own; returns the run's id at once.

    Raises RequestError for what is no recipe or promises nothing; what else is wrong is the reason of the run's end.
    """
    recipe = verification.promising(file)
    text = read_text(file) if isinstance(file, Path) else file
    places = {name: _whole(place) for name, place in asdict(given).items()}
    asked = {"name": recipe.name, "recipe": text, "given": places, "reuse": reuse}
    fingerprint = sha256_of([VERIFY, asked | {"recipe": recipe.to_dict()}])
    return running.enqueue(f"verify {recipe.name}", asked, fingerprint, store, kind=VERIFY)


def _whole(place: str | None) -> str | None:
    """A place of this machine by its whole path, as the runner works elsewhere; `rows.csv[train]` keeps its split."""
    if not place:
        return None
    parts = re.fullmatch(r"(.+?)(\[[^\[\]]+\])?", place)
    for path, rest in ((place, ""), parts.groups("") if parts else (place, "")):
        if Path(path).expanduser().exists():
            return f"{Path(path).expanduser().resolve()}{rest}"
    return place


def known(run: RunRecord, store: Store) -> Verifying:
    """Read from the store, by any process. Raises RequestError for a run of another kind."""
    if run.kind != VERIFY:
        raise RequestError(f"Run {run.id} is no verification.", f"It is {run.title}.", f"`workbench show {run.id}`.")
    levels: list[Level] = []
    reason = ""
    for _, said in store.events(run.id):
        if isinstance(said, Checked):
            levels = [*(one for one in levels if one.level < said.level), Level(said.level, said.result, said.why)]
        elif isinstance(said, Failed) and not said.work:
            reason = said.reason
    return Verifying(run.id, run.request["name"], run.status, tuple(levels), reason if run.status == "failed" else "")


def outcome(run: RunRecord, store: Store) -> str:
    """What a verification that is done came to, in words; "" while it is not known."""
    last = store.last_event(run.id) if run.status == "ok" else None
    return words.verified(last.facts["failed"]) if isinstance(last, Finished) else ""


# ---- in the runner ------------------------------------------------------------------------------


def carry_out(run: RunRecord, store: Store, emit: executing.Emit) -> str:
    """Do it here; returns the final status, "ok" also where a level fails, and has said it, too."""
    folder = store.run_folder(run.id)
    return running.to_its_end(lambda: _verify(run, store, folder / "work", emit), folder, emit)


def _verify(run: RunRecord, store: Store, folder: Path, emit: executing.Emit) -> dict[str, Any]:
    shutil.rmtree(folder, ignore_errors=True)  # of a run that stopped

    def tell(said: event.Event | Plan | Level) -> None:
        if isinstance(said, Level):
            emit(Checked(**asdict(said)))
        elif isinstance(said, Plan):
            store.set_plan(run.id, said.to_dict())
            emit(pieces.planned(said))
        else:
            emit(said)

    asked = run.request
    given = Given(**asked["given"])
    found = verification.verify(asked["recipe"], given, store, tell, reuse=asked["reuse"], kept=folder)
    return {"passed": found.passed, "failed": found.failed}
