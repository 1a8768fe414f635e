"""What a run says while it works. Events are stored, and every face folds the same ones."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Literal

from workbench.errors import WorkbenchError

Result = Literal["pass", "fail", "not_applicable", "info"]  # of a level


@dataclass(frozen=True, kw_only=True)
class Event:
    """`work` names the piece of work in the plan; "" is the run itself. `at` is seconds since the epoch."""

    work: str = ""
    at: float = field(default_factory=time.time)


@dataclass(frozen=True, kw_only=True)
class Started(Event):
    title: str


@dataclass(frozen=True, kw_only=True)
class Progress(Event):
    """`done` of `total` (0: not known) units, with a short note such as "round 12"."""

    done: float = 0
    total: float = 0
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Planned(Event):
    """What comes is known now: `pieces` of work in order, each {"id", "title", "variants"}; `seconds` is a guess."""

    pieces: list[dict[str, Any]]
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Checked(Event):
    """One level of a verification is known: `level` is V0 to V5."""

    level: str
    result: Result
    why: str


@dataclass(frozen=True, kw_only=True)
class Made(Event):
    """An artifact is in the store under `key`; `reused` says that nothing was built for it."""

    key: str
    format: str
    seconds: float
    reused: bool
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Measured(Event):
    """A measurement is kept; `facts` is small, raw samples are in the artifact `key`."""

    key: str
    seconds: float
    reused: bool
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Tried(Event):
    """What a search knows of one candidate now. `state`: waits, builds, races, answers, alive, best, dead, and then
    `reason` says why. `examples`: how many it has answered; `first`: on the first so many it has met the bar."""

    name: str
    state: str
    reason: str = ""
    speedup: float | None = None
    ci95: list[float] | None = None
    examples: int = 0
    first: int = 0


@dataclass(frozen=True, kw_only=True)
class Searching(Event):
    """A search begins with something else; `left_s`: wall seconds left of its budget."""

    phase: str
    left_s: float


@dataclass(frozen=True, kw_only=True)
class Failed(Event):
    """One piece of work failed, for the reason a person reads; `log` names the file with the rest, `kind` is that of
    isolate.WorkerError."""

    stage: str
    what: str
    why: str = ""
    fix: str = ""
    log: str = ""
    kind: str = ""

    @property
    def reason(self) -> str:
        return " ".join(part for part in (self.what, self.why, self.fix) if part)


@dataclass(frozen=True, kw_only=True)
class Finished(Event):
    """The run ended: `ok`, `failed` (nothing usable), or `cancelled`."""

    FINAL: ClassVar[tuple[str, ...]] = ("ok", "failed", "cancelled")
    status: str
    facts: dict[str, Any] = field(default_factory=dict)


KINDS: dict[str, type[Event]] = {
    kind.__name__.lower(): kind
    for kind in (Planned, Started, Progress, Made, Measured, Checked, Tried, Searching, Failed, Finished)
}


def to_dict(event: Event) -> dict[str, Any]:
    """A JSON-ready form; `from_dict` takes it back."""
    return {"event": type(event).__name__.lower(), **asdict(event)}


def from_dict(data: dict[str, Any]) -> Event:
    rest = dict(data)
    return KINDS[rest.pop("event")](**rest)


def failed(work: str, stage: str, error: BaseException, log: str = "") -> Failed:
    """The event for an error; what is not a WorkbenchError is named by its type and first line."""
    if isinstance(error, WorkbenchError):
        kind = getattr(error, "kind", "")
        return Failed(work=work, stage=stage, what=error.what, why=error.why, fix=error.fix, log=log, kind=kind)
    first = (str(error).strip().splitlines() or [""])[0][:300]
    what = f"{stage} stopped with {type(error).__name__}."
    return Failed(work=work, stage=stage, what=what, why=first, fix="The log has the rest." if log else "", log=log)
