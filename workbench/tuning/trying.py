"""What can be done with one candidate: plan it, build it, race it, let it answer. Each outcome goes into the ledger."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from workbench import block, outcome, planning
from workbench.comparison import Goal, Predictions
from workbench.errors import WorkbenchError
from workbench.event import Failed
from workbench.executing import Emit, Here, stage_seconds
from workbench.pieces import Plan, Variant
from workbench.store import Store
from workbench.tuning import account, answering, racing, sequential
from workbench.tuning.ledger import Candidate, Ledger

FEWEST_SECONDS = 20.0  # that one piece of work may take, however little is left
BUILDING = 0.12  # of the budget, that one step of a hurried build may take
EARLY = 1500  # examples that are enough for a first look, where there are twice as many
LOOKING = 0.1  # of the budget, that the baseline may take for as many, if others are to answer before they are raced
LIGHT, AS_LIGHT = 0.8, 1.25  # of the baseline's bytes, and of the lightest's: who is likely to be fast


class Trying:
    """One search's hands. `until` is the share of the budget at which its phase ends; None: nothing hurries it."""

    def __init__(self, plan: Plan, store: Store, folder: Path, emit: Emit) -> None:
        assert plan.request.budget_s
        self.store, self.folder = store, folder
        self.ledger = Ledger(folder / "search.json", plan.request.budget_s, emit)
        self.here = Here(plan, store, folder, emit, self._patience)
        self.goal: Goal = outcome.goal_of(plan)
        self.bounds = account.bounds_of(self.goal)
        self.until: float | None = None
        self._searcher, self._answering = threading.get_ident(), ThreadPoolExecutor(max_workers=1)
        self._answered: Future[Failed | None] | None = None
        self._pause, self._order, self._so_far = answering.Pause(), list[int](), sequential.Seen([], {})
        self._looked = threading.Event()
        self._answering_since, self._seconds_each = 0.0, 0.0
        self._hurried = False
        self._put_off: list[Failed] = []
        self.base: Predictions | None = None
        self.trial: sequential.Trial | None = None

    @property
    def plan(self) -> Plan:
        return self.here.plan

    @property
    def left(self) -> float:
        """Seconds until this phase begins nothing new."""
        return float("inf") if self.until is None else self.ledger.left_until(self.until)

    @property
    def time_is_up(self) -> bool:
        return self.left <= 0

    def enter(self, phase: str, until: float | None) -> None:
        self.until = until
        self.ledger.enter(phase)

    def _patience(self) -> float:
        """Seconds that one piece of work may take now. The baseline's answers, which are given beside, have all there
        is: nothing goes on without them."""
        if self.until is None or threading.get_ident() != self._searcher:
            return stage_seconds()
        left = self.ledger.left_until(self.until)
        return max(FEWEST_SECONDS, min(BUILDING * self.ledger.budget_s, left) if self._hurried else left)

    # ---- the plan

    def extend(self, documents: Mapping[str, dict[str, Any]], like: Mapping[str, str] | None = None) -> None:
        """The plan grows, also on disk: what it names is not cleaned away. `like`: see planning.extended."""
        self.here.plan = planning.extended(self.plan, documents, self.store, self.folder / "log", like or {})
        self.store.set_plan(self.folder.name, self.plan.to_dict())

    def variant(self, name: str) -> Variant:
        return next(one for one in self.plan.variants if one.name == name)

    def is_planned(self, name: str) -> bool:
        """Or it cannot run here, and the plan's gap of that name says why."""
        return any(one.name == name for one in self.plan.variants)

    # ---- speed

    def build(self, one: Candidate, name: str, hurry: bool = True, again: bool = False) -> bool:
        """Make a variant of a candidate; who fails, or is too large, is buried. `hurry`: one slow step must not cost
        others their turn. `again`: who only took too long waits until `take_up`, and with it who needs such a step."""
        if again and self._needs_a_slow_step(name):
            return False
        self.ledger.note(one.name, state="builds")
        artifact = self.variant(name).artifact
        self._hurried = hurry
        limit = self._patience()
        broken = self.here.do(artifact)
        self._hurried = False
        if broken and broken.kind == "timeout" and again and not self.time_is_up:
            self._put_off.append(broken)
            self.ledger.note(one.name, state="waits")
            return False
        if broken and broken.kind == "timeout" and not self.time_is_up:
            self.ledger.bury(one.name, "built_too_long", stage=broken.stage, seconds=limit)
            return False
        if broken:
            self._bury_broken(one, broken)
            return False
        size = self.here.bytes_of(artifact) / 1e6
        if (most := self.bounds.get("max_size_mb")) and size > most:
            self.ledger.bury(one.name, "too_large", mb=size, bar=most)
            return False
        return True

    def _needs_a_slow_step(self, name: str) -> bool:
        slow = {broken.stage for broken in self._put_off}
        chain = [self.plan.piece(id) for id in self.variant(name).chain]
        return any(one.job.get("step") in slow and not self.here.is_there(one.id) for one in chain)

    def take_up(self) -> None:
        """What took too long may be tried once more."""
        for broken in self._put_off:
            self.here.again(broken)
        self._put_off.clear()

    def _bury_broken(self, one: Candidate, broken: Failed) -> None:
        if self.time_is_up:
            self.ledger.bury(one.name, "budget", before="was built")
        else:
            self.ledger.bury(one.name, "failed", stage=broken.stage, reason=broken.reason)

    def race(
        self, candidates: Sequence[Candidate], anchor: Candidate | None = None, long: racing.Length = racing.SHORT
    ) -> None:  # fmt: skip
        """Those whose racers are built, beside an `anchor` whose pace is known: see racing.race. Nothing else is at
        work meanwhile: the baseline's answers rest, or come first where memory is too small for all."""
        sizes = {one.name: self.here.bytes_of(self.variant(one.racer).artifact) for one in candidates}
        base = self.here.bytes_of(self.plan.baseline.artifact)
        if self._answered and not block.fits([*sizes.values(), base, *[base] * len(self.here.cores)]):
            self.go_on()
            self._answered.result()
        with self._pause.quiet():
            self._race(candidates, sizes, anchor, long)

    def _race(
        self, candidates: Sequence[Candidate], sizes: Mapping[str, int], anchor: Candidate | None, long: racing.Length,
    ) -> None:  # fmt: skip
        points = self.goal.optimize == "throughput"
        for heat in racing.heats(candidates, sizes):
            racing.race(self.here, self.ledger, heat, self.bounds.get("min_speedup"), points, anchor, long)
            for one in heat:
                self.weigh(self.ledger.candidates[one.name])

    def weigh(self, one: Candidate) -> None:
        """Bury who surely misses a bar that accuracy has no part in."""
        if one.dead or one.pace is None or one.pace["ci95"] is None:
            return
        pace, least, most = one.pace, self.bounds.get("min_speedup"), self.bounds.get("max_memory_mb")
        if least and pace["ci95"][1] < least:
            self.ledger.bury(one.name, "below_speedup", speedup=pace["speedup"], ci95=pace["ci95"], bar=least)
        elif most and pace["peak_rss_mb"] > most:
            self.ledger.bury(one.name, "too_much_memory", mb=pace["peak_rss_mb"], bar=most)
        elif self.goal.optimize == "latency" and pace["verdict"] == "slower":
            self.ledger.bury(one.name, "not_faster", speedup=pace["speedup"], ci95=pace["ci95"])

    def worth(self, one: Candidate) -> float:
        return racing.worth(one, self.goal.optimize)

    # ---- accuracy

    def begin_baseline(self) -> None:
        """Let it answer while candidates are built, in a random order: what it has answered is a sample of all."""
        n = self.here.facts("inputs")["n"]
        self._order = [int(one) for one in np.random.default_rng(self.plan.request.data_seed).permutation(n)]
        asked = (self.plan.baseline.name, self._order, self._hear, self._pause)
        self._answering_since = time.monotonic()
        self._answered = self._answering.submit(answering.answer_all, self.here, *asked)

    def _hear(self, seen: sequential.Seen) -> None:
        """What the baseline has answered. With enough for a first look it rests until somebody has had one: two cores
        that share their arithmetic build half as fast beside it."""
        self._so_far = seen
        self._seconds_each = (time.monotonic() - self._answering_since) / max(len(seen.predicted), 1)
        if self.early and self.until is not None:
            self._looked.wait(max(0.0, self.ledger.left_until(self.until)))

    def go_on(self) -> None:
        """The baseline need not wait for a first look any more."""
        self._looked.set()

    @property
    def baseline_has_answered(self) -> bool:
        return self._answered is not None and self._answered.done()

    @property
    def early(self) -> bool:
        """Whether the baseline has answered enough for a first look, and goes on."""
        said, n = self._so_far.predicted, len(self._order)
        return len(said) >= EARLY and n >= 2 * EARLY and said[0] is not None and not self.baseline_has_answered

    @property
    def may_look(self) -> bool:
        """Whether the baseline has answered enough for that."""
        return self.baseline_has_answered or self.early

    @property
    def looks_pay(self) -> bool:
        """Whether a few candidates may answer before they are raced, which takes longer than that: as far as is known,
        the baseline's own answers take no more than a small share of the budget."""
        base = f"predict-{self.plan.baseline.name}"
        if self.baseline_has_answered and not self.here.broken(base):
            self._seconds_each = self.here.facts(base)["seconds"] / max(len(self._order), 1)
        return 0 < min(len(self._order), EARLY) * self._seconds_each <= LOOKING * self.ledger.budget_s

    def lightest(self, built: Sequence[Candidate]) -> list[Candidate]:
        """Of those that are built, in order: much lighter than the baseline, and about as light as the lightest."""
        sizes = {one.name: self.here.bytes_of(self.variant(one.racer).artifact) for one in built}
        most = min(LIGHT * self.here.bytes_of(self.plan.baseline.artifact), AS_LIGHT * min(sizes.values(), default=0))
        return [one for one in built if sizes[one.name] <= most]

    def answer_baseline(self) -> None:
        """Once; the order of the examples is fixed by it, before any candidate is seen."""
        if self.base is not None:
            return
        assert self._answered is not None
        self.go_on()
        if broken := self._answered.result():
            raise WorkbenchError("The baseline could not answer.", broken.what, broken.fix)
        self.base = outcome.predictions(self.plan, self.store, self.plan.baseline)
        assert self.base is not None
        self.trial = sequential.trial(self.base, self.goal, self.plan.request.data_seed)

    def judge(self, one: Candidate) -> Candidate:
        """Let it answer, in its whole form, until it is certain that it fails, or to the end."""
        assert self.trial is not None and self.base is not None
        if not self.build(one, one.name):
            return self.ledger.candidates[one.name]
        found = self._answers(one)
        if isinstance(found, sequential.GivenUp):
            facts: dict[str, Any] = {"lost": found.lost, "made_up": found.made_up, "change": found.change}
            facts |= {"why": "drop", "examples": found.examples, "n": found.n, "allowed": self.trial.most_lost,
                      "unit": self.base.metric.unit if self.base.metric else "fraction"}  # fmt: skip
            self.ledger.note(one.name, examples=found.examples, state="dead", lost=facts)
        elif found is None:
            self._weigh_answers(one)
        return self.ledger.candidates[one.name]

    def _answers(self, one: Candidate) -> Failed | sequential.GivenUp | None:
        """Who fails is buried."""
        assert self.trial is not None and self.base is not None
        self.ledger.note(one.name, state="answers")
        found = answering.answer(self.here, one.name, self.trial, self.base)
        if isinstance(found, Failed):
            self._bury_broken(one, found)
        return found

    def look(self, one: Candidate) -> bool:
        """Whether it meets the bar on what the baseline has answered, before it is raced. Who does not is no worse off:
        where it is fast it will be judged, and may be repaired."""
        if not self.baseline_has_answered:
            return self.look_early(one)
        self.answer_baseline()
        if not one.accuracy and self.build(one, one.name):
            found = self._answers(one)
            if found is None and self.here.accuracy(self.variant(one.name))["constraint"] == "met":
                self._weigh_answers(one)
            elif not isinstance(found, Failed):
                self.ledger.note(one.name, state="alive")
        return self.ledger.candidates[one.name].meets

    def look_early(self, one: Candidate) -> bool:
        """Whether it meets the bar on the first examples that the baseline has answered. That is no verdict."""
        if one.first or not self.early or not self.build(one, one.name):
            return bool(one.first)
        self.ledger.note(one.name, state="answers")
        with self._pause.quiet():
            mine = answering.answer_first(self.here, one.name, self._order, EARLY)
        if isinstance(mine, Failed):
            self._bury_broken(one, mine)
            return False
        base = self._so_far.first(EARLY)
        metrics = outcome.metrics_of(self.plan, base.statistics)
        met = mine is not None and sequential.meets(base, mine, metrics, self.goal)
        self.ledger.note(one.name, state="alive", first=EARLY if met else 0)
        return met

    def _weigh_answers(self, one: Candidate) -> None:
        said = self.here.accuracy(self.variant(one.name))
        known: dict[str, Any] = {"accuracy": said, "examples": said["n"], "state": "alive"}
        if said["constraint"] != "met":
            why = "missed" if said["constraint"] == "missed" else "cannot_tell"
            facts = {key: said[key] for key in ("delta", "ci95", "unit", "n")}
            known |= {"state": "dead", "lost": {"why": why, **facts}}
        self.ledger.note(one.name, **known)

    def met(self) -> list[Candidate]:
        """Who meets the bar, the best first."""
        return sorted((one for one in self.ledger.raced() if one.meets), key=lambda one: -self.worth(one))
