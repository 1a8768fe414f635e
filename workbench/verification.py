"""Recipe file -> which of its promises hold here: six levels, each a result and why.

    V0 schema   V1 inputs   V2 environment   V3 artifact   V4 behaviour   V5 speed

Everything is rebuilt in an empty work folder. The first FAIL ends it: what comes later stands on it.
"""

from __future__ import annotations

import contextlib
import platform
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from workbench import catalog, environment, executing, machine, planning, replay, replica, words
from workbench import recipe as recipes
from workbench.card import Card
from workbench.errors import RequestError, WorkbenchError
from workbench.event import Event, Failed, Result
from workbench.pieces import Plan, Variant
from workbench.recipe import Recipe
from workbench.recipe_proof import ExpectedSpeed, Lock
from workbench.store import Store
from workbench.version import VERSION

SCHEMA = "workbench/verify@1"
Answer = tuple[Result, str]


@dataclass(frozen=True)
class Level:
    """One promise: `level` is V0 to V5."""

    level: str
    result: Result
    why: str

    def __str__(self) -> str:
        return f"{self.level} {NAMES[self.level]:<11} {self.result.replace('_', ' ').upper():<14}  {self.why}"


def first_failed(levels: Sequence[Level]) -> str | None:
    return next((one.level for one in levels if one.result == "fail"), None)


Tell = Callable[[Event | Plan | Level], None]  # a plan before its events, each level as soon as it is known
NAMES = words.LEVEL_NAMES


@dataclass(frozen=True)
class Verification:
    """The levels of one file, V0 first. It passed when none of them failed."""

    name: str
    levels: tuple[Level, ...]

    @property
    def passed(self) -> bool:
        return self.failed is None

    @property
    def failed(self) -> str | None:
        """The first level that failed; what comes later was not looked at."""
        return first_failed(self.levels)

    def to_dict(self) -> dict[str, Any]:
        return {"schema": SCHEMA, "passed": self.passed, "levels": [asdict(level) for level in self.levels]}

    def __str__(self) -> str:
        return "\n".join([self._title, *map(str, self.levels)])

    @property
    def _title(self) -> str:
        return f"{self.name}: {'every promise that can be checked here holds' if self.passed else 'not reproduced'}."

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        rows = [(f"{one.level} {NAMES[one.level]}", one.result.replace("_", " "), one.why) for one in self.levels]
        return Card(self._title, header=("level", "result", "why"), rows=rows).bundle()


@dataclass(frozen=True)
class Given:
    """Inputs named by hand: where local ones are, or others in their place."""

    model: str | None = None
    data: str | None = None
    calibration: str | None = None


def verify(file: Path | str, given: Given, store: Store, tell: Tell, *, reuse: bool = False,
           kept: Path | None = None) -> Verification:  # fmt: skip
    """Check every level. `store` is where local inputs are found again; `reuse` also builds in it. `kept`: an empty
    folder for logs, which stay there.

    Raises RequestError for a file that is no recipe or promises nothing, and when an input is not to be had.
    """
    recipe = promising(file)
    with store.aside() as folder:
        home = store if reuse else Store(folder / "home")
        return _Verifier(recipe, given, store, home, kept or folder / "run", tell).verify()


def isolated(file: Path, given: Given, store: Store, tell: Tell) -> Verification:
    """The same in a fresh virtual environment with the locked packages. Raises WorkbenchError if none can be made."""
    recipe = promising(file)
    flags = [(f"--{name}", value) for name, value in asdict(given).items() if value]
    with store.aside() as folder:
        python = replica.build(recipe, folder / "python", store.home / "isolated.log", tell)
        arguments = ["verify", str(file.resolve()), "--json", *(part for flag in flags for part in flag)]
        said = replica.workbench(python, arguments, store.home, tell)
    levels = tuple(Level(**level) for level in said["levels"])
    for level in levels:
        tell(level)
    return Verification(recipe.name, levels)


def promising(file: Path | str) -> Recipe:
    """The recipe of a file, or of its text, that has something to hold it to. Raises RequestError."""
    recipe = recipes.load(file if isinstance(file, Path) else f"{file}\n")  # one line of text is no path
    name = file.name if isinstance(file, Path) else recipe.name
    lacking = " and ".join(f"`{key}`" for key in ("lock", "expect") if getattr(recipe, key) is None)
    if lacking:
        raise RequestError(
            f"{name} promises nothing yet: it has no {lacking}.",
            "Only a recipe that was run says what it gave.",
            f"`workbench run {file if isinstance(file, Path) else f'{name}.yaml'}` writes one that can be verified.",
        )
    return recipe


class _Verifier:
    """One file in one store. A level's method gives its result and why; later ones use what earlier ones made."""

    def __init__(self, recipe: Recipe, given: Given, usual: Store, store: Store, folder: Path, tell: Tell) -> None:
        assert recipe.lock and recipe.expect
        self.recipe, self.lock, self.expect = recipe, recipe.lock, recipe.expect
        self.given, self.usual, self.store, self.folder, self.tell = given, usual, store, folder, tell
        self.isa = machine.this_machine().isa

    def verify(self) -> Verification:
        checks = (self.schema, self.inputs, self.environment, self.artifact, self.behaviour, self.speed)
        levels: list[Level] = []
        for name, check in zip(NAMES, checks, strict=True):
            broken = first_failed(levels)
            answer: Answer = ("not_applicable", f"failed at {broken}") if broken else check()
            levels.append(Level(name, *answer))
            self.tell(levels[-1])
        return Verification(self.recipe.name, tuple(levels))

    # ---- V0 to V2: is it the same that is asked for?

    def schema(self) -> Answer:
        if self.recipe.is_edited():
            return "info", "It can be read, and was edited since it was written: its identity is another one."
        return "pass", f"{recipes.SCHEMA}, unchanged since it was written."

    def inputs(self) -> Answer:
        request = replay.request_of(self.recipe, self.usual, **asdict(self.given), pinned=True, verb="verify")
        if said := replay.changed_place(self.recipe, request):
            return "fail", said
        self.plan = planning.make(request, self.store, self.folder / "log")
        if said := " ".join(replay.changes(self.recipe, self.plan)):
            return "fail", said
        self.tell(self._needed())
        self.here = executing.Here(self.plan, self.store, self.folder, self.tell)
        if failed := self.here.do("model"):
            return "fail", failed.reason
        files = self.store.files_of(self.plan.piece("model").key)
        if said := " ".join(replay.files_changes(self.recipe, files)):
            return "fail", said
        rows = f"{self.plan.data['evaluation']['n']:,} evaluation rows"
        if self.lock.data and self.lock.data.calibration:
            rows += f", {self.lock.data.calibration.rows.count:,} calibration rows"
        return "pass", f"The model's {len(files)} files and {rows} are the locked ones."

    def _needed(self) -> Plan:
        """The plan as far as it is carried out, for those who draw it."""
        away = ("facts", "peaks")
        work = [one for one in self.plan.work if one.id not in away and one.job["do"] != "audit"]
        return replace(self.plan, work=tuple(work))

    def environment(self) -> Answer:
        if blocking := [*(gap.reason for gap in self.plan.gaps), *_other_packages(self.lock)]:
            return "fail", " ".join([*blocking, "--isolated rebuilds what is locked."])
        notes = _notes(self.lock, self.plan)
        if self._other_isa:
            then = self.lock.machine.isa if self.lock.machine else "an unknown machine"
            why = "speed, and what ran the model to be built, cannot be compared."
            notes.insert(0, f"It was made on {then}, this is {self.isa}: {why}")
        elif said := self._other_card:
            notes.insert(0, f"{said} Speed cannot be compared.")
        if notes:
            return "info", f"Python and packages are the locked ones. {' '.join(notes)}"
        return "pass", "Python, instruction set and packages are the locked ones."

    @property
    def _other_isa(self) -> bool:
        return self.lock.machine is None or self.lock.machine.isa != self.isa

    @property
    def _other_card(self) -> str:
        assert self.lock.machine
        return other_card(self._variant.device, self.lock.machine.accelerators, self.plan.machine["accelerators"])

    @property
    def _variant(self) -> Variant:
        return self.plan.variants[-1]

    # ---- V3: is the same built?

    def artifact(self) -> Answer:
        pieces = [self.plan.piece(id) for id in self._variant.chain[1:]]
        names, expected = [one.job["step"] for one in pieces], self.expect.artifacts
        if names != [one.step for one in expected]:
            return "fail", f"The steps are {_list(names)}; locked are {_list([one.step for one in expected])}."
        if said := replay.option_changes(self.recipe, [one.job for one in pieces]):
            return "fail", said
        if not names:
            return "not_applicable", "There are no steps: the model is used as it is."
        if failed := self.here.do(self._variant.artifact):
            return "fail", self._keep_log(failed)
        same: list[str] = []
        for piece, promise in zip(pieces, expected, strict=True):
            runs = catalog.step(promise.step).executes or catalog.calibrates(promise.step, piece.job["options"])
            if self._other_isa and runs:
                break  # and what follows is made from it
            found = self.here.facts(piece.id)["semantic"]
            if found != promise.semantic:
                what = f"{promise.step} gave another model: {found[:12]}…, locked is {promise.semantic[:12]}…"
                return "fail", f"{what} (graph and tensors)."
            same.append(promise.step)
        return self._built(names, same)

    def _built(self, names: list[str], same: list[str]) -> Answer:
        rest = [name for name in names if name not in same]
        other = f"{_list(rest)} ran the model on another instruction set and may differ."
        if not same:
            return "not_applicable", other
        return "pass", " ".join([f"Graph and tensors are the same: {_list(same)}.", *([other] if rest else [])])

    def _keep_log(self, failed: Failed) -> str:
        """The reason; its log is kept where the work folder goes away."""
        if not self.folder.is_relative_to(self.usual.home / "aside"):
            return f"{failed.stage}: {failed.reason}"
        kept = self.usual.home / "verify.log"
        with contextlib.suppress(OSError):
            shutil.copyfile(failed.log, kept)
            return f"{failed.stage}: {failed.reason} ({kept})"
        return f"{failed.stage}: {failed.reason}"

    # ---- V4: does it answer the same?

    def behaviour(self) -> Answer:
        promised = self.expect.accuracy
        if promised is None or promised.predictions_sha256 is None:
            return "not_applicable", "The file says nothing about answers."
        mine, base = f"predict-{self._variant.name}", f"predict-{self.plan.baseline.name}"
        if failed := self.here.do(mine):
            return "fail", self._keep_log(failed)
        n = self.here.facts(mine)["n"]
        if self.here.facts(mine)["predictions_sha256"] == promised.predictions_sha256:
            return "pass", f"All {n:,} answers are the same."
        if failed := self.here.do(base):
            return "fail", self._keep_log(failed)
        return self._inside(self.here.accuracy(self._variant))

    def _inside(self, found: dict[str, Any]) -> Answer:
        """Agreement with the baseline and the change of accuracy, each against its tolerance."""
        promised = self.expect.accuracy
        assert promised
        tolerance, said, inside = promised.tolerance, ["Not all answers are the same."], True
        both = promised.agreement is not None and found["agreement"] is not None  # of vectors there is none
        if both and tolerance and tolerance.agreement is not None:
            lost = float(promised.agreement or 0) - found["agreement"]
            inside &= lost <= tolerance.agreement
            said.append(f"Agreement with the baseline is {found['agreement']:.2%}, promised {promised.agreement:.2%}.")
        if promised.delta is not None and found["delta"] is not None and tolerance and tolerance.delta is not None:
            inside &= abs(found["delta"] - promised.delta) <= tolerance.delta
            said.append(f"{promised.metric} changed by {found['delta']:+.4f}, promised {promised.delta:+.4f}.")
        if len(said) == 1:
            return "fail", "Not all answers are the same, and the file gives no tolerance."
        said.append("That is inside the tolerance." if inside else "That is outside the tolerance.")
        return ("pass" if inside else "fail"), " ".join(said)

    # ---- V5: is it as fast, compared with the baseline?

    def speed(self) -> Answer:
        promised = next((one for one in self.expect.speed if one.ci95), None)
        if promised is None:
            return "not_applicable", "The file says nothing about speed."
        if self._other_isa:
            return "not_applicable", "Speed is promised for the same machine class only."
        if said := self._other_card:
            return "not_applicable", said
        locked = self.lock.runtime.threads if self.lock.runtime else None
        if locked and locked != self._variant.threads:
            return "not_applicable", f"It was measured with {locked} threads, here are {self._variant.threads}."
        if failed := self.here.do(*dict.fromkeys(variant.artifact for variant in self.plan.variants)):
            return "fail", self._keep_log(failed)
        try:
            compared = self.here.compare()
        except WorkbenchError as error:
            return "fail", str(error)
        return _as_fast(promised, compared.row(self._variant.name).speed, compared.report["resolution"]["aa_ci95"])


# ---- parts --------------------------------------------------------------------------------------


def other_card(device: str, then: Iterable[str], now: Iterable[str]) -> str:
    """What is said where a GPU or the like ran it and another is here now; "" where it is the same, or the CPU did."""
    before, here = sorted(then), sorted(now)
    same = device == "cpu" or before == here
    return "" if same else f"Accelerators were {_list(before)}, here: {_list(here)}."


def _other_packages(lock: Lock) -> list[str]:
    """What must be equal for the same files to be made: Python's minor version, and what the plug-ins need."""
    if lock.environment is None:
        return []
    said = []
    if not f"{lock.environment.python}.".startswith(f"{environment.python_minor()}."):
        said.append(f"Python is {platform.python_version()}, locked is {lock.environment.python}.")
    for name, version in lock.environment.packages.items():
        here = environment.version_of(name)
        if here is None or environment.public(here) != environment.public(version):
            said.append(f"{name} is {here or 'not installed'}, locked is {version}.")
    return said


def _notes(lock: Lock, plan: Plan) -> list[str]:
    """What differs and blocks nothing."""
    said = []
    if lock.tool.version != VERSION:
        said.append(f"The workbench is {VERSION}, then {lock.tool.version}.")
    if lock.environment and lock.environment.python != platform.python_version():
        said.append(f"Python is {platform.python_version()}, then {lock.environment.python}.")
    packages = lock.environment.packages if lock.environment else {}
    said += [f"{name} is {here}, then {version}." for name, version in packages.items()
             if (here := environment.version_of(name)) != version]  # fmt: skip
    if lock.machine and lock.machine.cpu != plan.machine["cpu"]:
        said.append(f"The CPU is {plan.machine['cpu']}, then {lock.machine.cpu}.")
    if lock.environment and lock.environment.os != plan.machine["os"]:
        said.append(f"The system is {plan.machine['os']}, then {lock.environment.os}.")
    for step in lock.steps:
        if step.use in catalog.steps() and (now := catalog.step(step.use).version) != step.version:
            said.append(f"The step {step.use} is version {now}, then {step.version}.")
    return said


def _as_fast(promised: ExpectedSpeed, found: Any, resolution: Sequence[float] | None) -> Answer:
    """Two intervals, each widened by the A/A interval of its own run: apart is a FAIL."""
    from workbench import evidence

    if found["ci95"] is None:
        return "fail", found.get("reason") or "The speed could not be measured."
    assert promised.ci95
    then, now = evidence.widened(promised.ci95, promised.aa_ci95), evidence.widened(found["ci95"], resolution)
    said = f"{found['speedup']:.2f}x ({now[0]:.2f}–{now[1]:.2f})"
    said += f", promised {promised.speedup:.2f}x ({then[0]:.2f}–{then[1]:.2f})"
    if evidence.overlap(now, then):
        return "pass", f"{said}: the intervals overlap."
    return "fail", f"{said}: {'faster' if now[0] > then[1] else 'slower'} than promised."


def _list(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"
