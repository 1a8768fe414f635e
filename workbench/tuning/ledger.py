"""What a search knows: its candidates one by one, and how much of its budget is left. Kept whole on disk.

A search that was killed begins again with what is written here; what it has built, measured and answered is found
in the store and in the run's folder, so that it soon stands where it was.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from workbench.event import Event, Searching, Tried
from workbench.store import write_whole
from workbench.tuning import reasons

State = Literal["waits", "builds", "races", "answers", "alive", "best", "dead"]


@dataclass(frozen=True)
class Candidate:
    """One way to optimize. `racer`: name of the variant whose speed is measured, which may be built with few
    calibration samples; the candidate's own name is that of its whole form.

    pace: {"speedup", "ci95", "throughput", "size", "peak_rss"} of a race. accuracy: as a row of the report has it, over
    all examples. first: on the first so many it has met the bar, while the baseline went on; it must meet it on all.
    lost: {"why": token, …} when it is dead. origin: what it is a change of, and which.
    """

    name: str
    racer: str
    state: State = "waits"
    pace: dict[str, Any] | None = None
    accuracy: dict[str, Any] | None = None
    examples: int = 0
    first: int = 0
    lost: dict[str, Any] | None = None
    origin: dict[str, Any] = field(default_factory=dict)

    @property
    def dead(self) -> bool:
        return self.lost is not None

    @property
    def meets(self) -> bool:
        return not self.dead and self.accuracy is not None and self.accuracy["constraint"] == "met"


class Ledger:
    """All candidates in the order in which they came, and the clock."""

    def __init__(self, path: Path, budget_s: float, emit: Callable[[Event], None]) -> None:
        self.path, self.budget_s, self._emit = path, budget_s, emit
        self.candidates: dict[str, Candidate] = {}
        self.phase = ""
        self._spent_before, self._begin = 0.0, time.monotonic()
        if path.exists():
            said = json.loads(path.read_text())
            self._spent_before = said["spent_s"]
            self.candidates = {one["name"]: Candidate(**one) for one in said["candidates"]}

    # ---- the clock

    @property
    def spent(self) -> float:
        """Wall seconds of all attempts together."""
        return self._spent_before + time.monotonic() - self._begin

    @property
    def left(self) -> float:
        return self.budget_s - self.spent

    def left_until(self, share: float) -> float:
        """Seconds until this share of the budget is spent."""
        return share * self.budget_s - self.spent

    def enter(self, phase: str) -> None:
        self.phase = phase
        self._emit(Searching(phase=phase, left_s=max(0.0, self.left)))
        self._save()

    # ---- candidates

    def add(self, candidate: Candidate) -> Candidate:
        """What is known already stays known."""
        if candidate.name not in self.candidates:
            self.candidates[candidate.name] = candidate
            self._say(candidate)
        return self.candidates[candidate.name]

    def note(self, name: str, **known: Any) -> Candidate:
        """Something more is known of a candidate."""
        self.candidates[name] = candidate = replace(self.candidates[name], **known)
        self._say(candidate)
        self._save()
        return candidate

    def bury(self, name: str, why: str, **facts: Any) -> Candidate:
        return self.note(name, state="dead", lost={"why": why, **facts})

    @property
    def alive(self) -> list[Candidate]:
        return [one for one in self.candidates.values() if not one.dead]

    def raced(self) -> list[Candidate]:
        return [one for one in self.alive if one.pace is not None]

    @property
    def has_raced(self) -> bool:
        return any(one.pace is not None for one in self.candidates.values())

    def _say(self, one: Candidate) -> None:
        pace = one.pace or {}
        reason = reasons.in_words(one.lost) if one.lost else ""
        self._emit(Tried(name=one.name, state=one.state, reason=reason, speedup=pace.get("speedup"),
                         ci95=pace.get("ci95"), examples=one.examples, first=one.first))  # fmt: skip

    def _save(self) -> None:
        said = {"spent_s": self.spent, "candidates": [asdict(one) for one in self.candidates.values()]}
        write_whole(self.path, json.dumps(said, indent=1, allow_nan=False))
