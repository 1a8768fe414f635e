"""One search from its first build to its report. Everything it decides is in the ledger; what it does is reused."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from workbench import outcome, planning, running
from workbench.comparison import Goal, Predictions
from workbench.errors import WorkbenchError
from workbench.event import Failed
from workbench.isolate import Limits
from workbench.planning import Plan, Variant
from workbench.running import Emit, Here
from workbench.store import Store, write_whole
from workbench.tuning import account, answering, racing, sequential, space
from workbench.tuning.ledger import Candidate, Ledger

# Shares of the budget at which a phase begins nothing new.
RACING, JUDGING, IMPROVING = 0.5, 0.65, 0.75
CONFIRMED = 4  # rows beside the baseline that are measured in full
FEWEST_SECONDS = 20.0  # that one piece of work may take, however little is left


def work(plan: Plan, store: Store, folder: Path, emit: Emit) -> float:
    """Search within plan.request.budget_s wall seconds, all attempts together; the seconds that jobs took."""
    search = _Search(plan, store, folder, emit)
    search.run()
    return search.here.jobs_s


class _Search:
    def __init__(self, plan: Plan, store: Store, folder: Path, emit: Emit) -> None:
        self.store, self.folder = store, folder
        assert plan.request.budget_s
        self.ledger = Ledger(folder / "search.json", plan.request.budget_s, emit)
        self.here = Here(plan, store, folder, emit, self._patience)
        self.goal: Goal = outcome.goal_of(plan)
        self.bounds = account.bounds_of(self.goal)
        self.until: float | None = None
        self.base: Predictions | None = None
        self.trial: sequential.Trial | None = None
        self.answered = 0

    @property
    def plan(self) -> Plan:
        return self.here.plan

    def run(self) -> None:
        planning.keep_local_data(self.plan, self.store)
        self._inputs()
        self._begin()
        self._race_all()
        self._judge_all()
        self._confirm()

    def _patience(self) -> float:
        """Seconds that one piece of work may take now."""
        if self.until is None:
            return Limits.seconds
        return max(FEWEST_SECONDS, self.ledger.left_until(self.until))

    def _enter(self, phase: str, until: float | None) -> None:
        self.until = until
        self.ledger.enter(phase)

    # ---- what all need

    def _inputs(self) -> None:
        self._enter("inputs", None)
        if broken := self.here.do("model", "inputs"):
            raise WorkbenchError(broken.what, broken.why, broken.fix)
        if broken := self.here.do(self.plan.baseline.artifact):
            raise WorkbenchError("The baseline could not be built.", broken.what, broken.fix)

    def _begin(self) -> None:
        """The candidates of the plan, and each one's form for the race."""
        for gap in self.plan.gaps:
            self.ledger.add(Candidate(gap.recipe, "", "dead", lost={"why": "skipped", "reason": gap.reason}))
        for variant in self.plan.variants[1:]:
            if not space.is_racer(variant.name):
                self.ledger.add(Candidate(variant.name, space.racer_name(variant)))
        self._extend({one.racer: space.racer(self.plan, self._variant(one.name)) for one in self.ledger.alive
                      if one.racer != one.name})  # fmt: skip

    def _extend(self, documents: dict[str, dict[str, Any]]) -> None:
        """The plan grows, also on disk: what it names is not cleaned away."""
        self.here.plan = planning.extended(self.plan, documents, self.store, self.folder / "log")
        write_whole(self.folder / "plan.json", json.dumps(self.plan.to_dict(), indent=1, allow_nan=False))

    def _variant(self, name: str) -> Variant:
        return next(one for one in self.plan.variants if one.name == name)

    # ---- speed

    def _race_all(self) -> None:
        self._enter("race", RACING)
        waiting = [one for one in self.ledger.alive if one.pace is None]
        built: list[Candidate] = []
        for one in waiting:
            if self.ledger.left_until(RACING) <= 0 and (built or self.ledger.raced()):
                self.ledger.bury(one.name, "budget", before="was built")
            elif self._build(one, one.racer):
                built.append(one)
            if len(built) == racing.HEAT:
                self._race(built)
                built = []
        self._race(built)

    def _build(self, one: Candidate, name: str) -> bool:
        """Make a variant of a candidate; who fails, or is too large, is buried."""
        self.ledger.note(one.name, state="builds")
        artifact = self._variant(name).artifact
        if broken := self.here.do(artifact):
            self._bury_broken(one, broken)
            return False
        size = self.here.bytes_of(artifact) / 1e6
        if (most := self.bounds.get("max_size_mb")) and size > most:
            self.ledger.bury(one.name, "too_large", mb=size, bar=most)
            return False
        return True

    def _bury_broken(self, one: Candidate, broken: Failed) -> None:
        if self.until is not None and self.ledger.left_until(self.until) <= 0:
            self.ledger.bury(one.name, "budget", before="was built")
        else:
            self.ledger.bury(one.name, "failed", stage=broken.stage, reason=broken.reason)

    def _race(self, candidates: Sequence[Candidate]) -> None:
        sizes = {one.name: self.here.bytes_of(self._variant(one.racer).artifact) for one in candidates}
        for heat in racing.heats(candidates, sizes):
            racing.race(
                self.here, self.ledger, heat, self.bounds.get("min_speedup"), self.goal.optimize == "throughput"
            )
            for one in heat:
                self._weigh(self.ledger.candidates[one.name])

    def _weigh(self, one: Candidate) -> None:
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

    # ---- accuracy

    def _judge_all(self) -> None:
        """From the best on, until two meet the bar; the safest before time runs out."""
        self._enter("answers", None)
        if broken := self.here.do(f"predict-{self.plan.baseline.name}"):
            raise WorkbenchError("The baseline could not answer.", broken.what, broken.fix)
        self.base = outcome.predictions_of(self.plan, self.store, self.plan.baseline)
        assert self.base is not None
        self.trial = sequential.trial(self.base, self.goal, self.plan.request.data_seed)
        self.until = JUDGING
        slowest = 0.0
        while len(self._met()) < 2 and (waiting := self._ranked(unanswered=True)):
            left = self.ledger.left_until(JUDGING)
            if left <= 0 and (self._met() or slowest):
                break
            begin = self.ledger.spent
            self._judge(self._safest(waiting) if left < 2 * slowest and not self._met() else waiting[0])
            slowest = max(slowest, self.ledger.spent - begin)

    def _met(self) -> list[Candidate]:
        found = [one for one in self.ledger.raced() if one.meets]
        return sorted(found, key=lambda one: -racing.worth(one, self.goal.optimize))

    def _ranked(self, unanswered: bool = False) -> list[Candidate]:
        found = [one for one in self.ledger.raced() if not (unanswered and one.accuracy)]
        return sorted(found, key=lambda one: -racing.worth(one, self.goal.optimize))

    def _safest(self, waiting: Sequence[Candidate]) -> Candidate:
        """The best of those in which the fewest operators were changed to integers."""

        def changed(one: Candidate) -> float:
            found = self.here.facts(self._variant(one.racer).artifact).get("coverage", {}).values()
            return sum(each["quantized"] for each in found) / max(sum(each["total"] for each in found), 1)

        return min(waiting, key=changed)  # the first, so the fastest, of equals

    def _judge(self, one: Candidate) -> None:
        assert self.trial is not None and self.base is not None
        if one.racer != one.name and not self._build(one, one.name):
            return
        self.ledger.note(one.name, state="answers")
        found = answering.answer(self.here, one.name, self.trial, self.base)
        if isinstance(found, Failed):
            self._bury_broken(one, found)
        elif found is not None:
            facts = {"lost": found.lost, "made_up": found.made_up, "change": found.change}
            self.ledger.note(one.name, examples=found.examples)
            self.ledger.bury(one.name, "drop", examples=found.examples, n=found.n, allowed=self.trial.most_lost,
                             unit=self.base.metric.unit if self.base.metric else "fraction", **facts)  # fmt: skip
        else:
            self._weigh_answers(one)

    def _weigh_answers(self, one: Candidate) -> None:
        said = self.here.accuracy(self._variant(one.name))
        self.ledger.note(one.name, accuracy=said, examples=said["n"], state="alive")
        if said["constraint"] != "met":
            why = "missed" if said["constraint"] == "missed" else "cannot_tell"
            self.ledger.bury(one.name, why, **{key: said[key] for key in ("delta", "ci95", "unit", "n")})

    # ---- the end

    def _confirm(self) -> None:
        """The best, its runner-up and what else is on the front: all examples, a whole block, fresh processes."""
        self._enter("confirm", None)
        chosen = [self._variant(one.name) for one in account.finalists(self.ledger, self.goal.optimize)[:CONFIRMED]]
        everyone = [self.plan.baseline, *chosen]
        for variant in everyone:
            self.here.do(*variant.chain, f"predict-{variant.name}", f"audit-{variant.name}")
        self.here.do("facts", *(["peaks"] if self.ledger.left > 0.1 * self.ledger.budget_s else []))
        cap = min(self.plan.measure["time_cap_s"], max(5.0, 0.6 * self.ledger.left))
        speed = self.here.interleaved(
            [one.name for one in chosen], self.folder / "speed.json", "Confirm: speed in full",
            measure=self.plan.measure | {"time_cap_s": cap},
        )  # fmt: skip
        account.settle(self.here, self.ledger, self.goal, everyone, speed, self.trial)
