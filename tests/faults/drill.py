"""Kills, cancels, full memory, hangs and failing writes over a real comparison whose stages need no model library.

    python -m tests.faults.drill MODEL ROWS BASELINE '{"kills": 200, "cancels": 100, …}'

The home (WORKBENCH_HOME) holds the baseline already, and PYTHONPATH the step of `site/`. Prints what happened as JSON.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from tests.faults.injected import WRITE
from tests.faults.processes import family, lives, until, workers
from workbench import bench, isolate
from workbench.artifact import sha256_of
from workbench.errors import WorkbenchError
from workbench.event import Event, Failed, Made, Measured, Progress, Started
from workbench.executing import Here
from workbench.pieces import Plan, Work
from workbench.store import Store

STAGES = 4
PATIENCE = 60.0


def recipe_of(baseline: Path, folder: Path) -> Path:
    """The baseline's recipe, with stages that take a moment."""
    said = yaml.safe_load(baseline.read_text())
    said["name"] = "with-stages"
    said["spec"]["steps"] += [{"use": "fault", "number": number} for number in range(STAGES)]
    path = folder / "with-stages.yaml"
    path.write_text(yaml.safe_dump(said, sort_keys=False))
    return path


class Drill:
    def __init__(self, model: str, rows: str, baseline: str, seed: int = 5) -> None:
        self.store, self.chance, self.rounds = Store(), random.Random(seed), 0
        recipe = recipe_of(Path(baseline), self.store.home)
        self.plan = bench.plan(bench.request(model, [recipe], baseline=baseline, data=rows), self.store)
        self.new = {piece.key for piece in self.plan.work if self.store.find(piece.key) is None}
        self.stages = [piece.id for piece in self.plan.work if piece.job.get("step") == "fault"]

    def another(self, what: str = "") -> Plan:
        """The same comparison, of which nothing that is new has been made yet; its first stage breaks as asked."""
        self.rounds += 1

        def changed(piece: Work) -> Work:
            if piece.key not in self.new:
                return piece
            job = dict(piece.job)
            if piece.id == self.stages[0]:
                job["options"] = job["options"] | {"what": what}
            return replace(piece, key=sha256_of([piece.key, self.rounds, os.getpid()]), job=job)

        return replace(self.plan, work=tuple(map(changed, self.plan.work)))

    def events(self, run: str) -> list[Event]:
        return [event for _, event in self.store.events(run)]

    def corrupt(self) -> int:
        """Artifacts that are there and not whole."""
        places = (self.store.home / "artifacts").glob("*/*")
        return sum(self.store.find(place.name, check=True) is None for place in places)

    # ---- drills

    def kills(self, count: int) -> dict[str, Any]:
        """kill -9 of the runner, of its workers, or of all at once, at random moments."""
        said: Counter[str] = Counter(corrupt=0, lost=0, unreadable=0, made_twice=0, most_redone=0, left=0)
        run = ""
        while said["kills"] < count:
            run = self._going(run)
            seen, victim = len(self.events(run)), self.chance.choice(("runner", "worker", "all"))
            time.sleep(self.chance.uniform(0.0, 2.0))
            failed = self._kill(run, victim)
            said["kills"] += 1
            said[victim] += 1
            said["corrupt"] += self.corrupt()
            found = self.events(run)
            made = Counter(one.key for one in found if isinstance(one, Made) and not one.reused)
            said["lost"] += sum(self.store.find(key, check=True) is None for key in made)
            said["made_twice"] += sum(times > 1 for times in made.values())
            over = {one.work for one in found[seen:] if isinstance(one, Made | Measured)}
            begun = {one.work for one in found[seen:] if isinstance(one, Started) and one.work != "speed"} - over
            lost = (
                failed if victim == "worker" and failed else begun
            )  # what `cancel` ended after that is not the kill's
            said["most_redone"] = max(said["most_redone"], len(lost))
            said["left"] += len(workers(self.store.home))
        bench.resume(run, self.store)
        for _ in bench.follow(run, store=self.store):
            pass
        rows = bench.report(run, self.store)[0]["rows"]
        return dict(said) | {"rounds": self.rounds, "at_the_end": [row["status"] for row in rows]}

    def _going(self, run: str) -> str:
        """A run with something left to do."""
        if run and bench.status(run, self.store) != "ok":
            return bench.resume(run, self.store)
        return bench.submit(self.another(), self.store)

    def _kill(self, run: str, victim: str) -> set[str]:
        """Which pieces of work failed by it, where the runner lived to tell."""
        pid, seen = until(lambda: self.store.run(run).pid), len(self.events(run))
        everybody = family(pid)
        below = sorted(everybody - {pid})
        who = {"runner": [pid], "worker": below or [pid], "all": [pid, *below]}[victim]
        for one in who:
            try:
                os.kill(one, signal.SIGKILL)
            except ProcessLookupError:
                continue
        failed: set[str] = set()
        if pid not in who:  # the others of the run go on: that is for `cancel` to end
            until(lambda: not any(map(lives, who)), PATIENCE)
            time.sleep(0.3)
            failed = {one.work for one in self.events(run)[seen:] if isinstance(one, Failed)} - {"", "speed"}
            bench.cancel(run, self.store)
        until(lambda: not any(map(lives, everybody)) and not self.store.alive(run), PATIENCE)
        isolate.end_orphans()  # as whatever begins next does
        return failed

    def cancels(self, count: int) -> dict[str, Any]:
        took, left = [], 0
        for _ in range(count):
            run = bench.submit(self.another(), self.store)
            time.sleep(self.chance.uniform(0.0, 2.0))
            begin = time.monotonic()
            bench.cancel(run, self.store)
            took.append(time.monotonic() - begin)
            left += len(workers(self.store.home))
            assert bench.status(run, self.store) == "cancelled"
        return {"cancels": count, "slowest_s": round(max(took), 2), "left": left, "corrupt": self.corrupt()}

    def visitors(self, count: int) -> dict[str, Any]:
        """So many comparisons asked for at once: how many came to their end, and the most that measured together."""
        runs = [bench.submit(self.another(), self.store) for _ in range(count)]
        until(lambda: all(bench.status(run, self.store) in ("ok", "failed", "stopped") for run in runs), 120.0 * count)
        spans = []
        for run in runs:
            found = self.events(run)
            begun = next((one.at for one in found if isinstance(one, Progress) and "round" in one.note), 0.0)
            spans.append((begun, next(one.at for one in found if isinstance(one, Measured) and one.work == "speed")))
        together = max(sum(begin < at < end for begin, end in spans) for at, _ in spans)
        return {"visitors": count, "finished": sum(bench.status(run, self.store) == "ok" for run in runs),
                "measured_together": together + 1, "corrupt": self.corrupt()}  # fmt: skip

    def memory(self, count: int) -> dict[str, Any]:
        return self._named(count, ("memory", "native"), lambda one: one.what == "The worker ran out of memory.")

    def hangs(self, count: int) -> dict[str, Any]:
        """With the limit of a piece of work made short."""

        def is_named(one: Failed) -> bool:
            return "time limit" in one.what and "its log ends with: this is where it hangs" in one.why

        os.environ["WORKBENCH_STAGE_SECONDS"] = "8"
        try:
            return self._named(count, ("hang",), is_named)
        finally:
            del os.environ["WORKBENCH_STAGE_SECONDS"]

    def _named(self, count: int, faults: tuple[str, ...], is_named: Callable[[Failed], bool]) -> dict[str, Any]:
        """Break the first stage so many times: how often it was called by its name and stage, and the log told."""
        named, wrong = 0, []
        for number in range(count):
            folder = self.store.home / "runs" / "drill"
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            failed = Here(self.another(faults[number % len(faults)]), self.store, folder, lambda one: None).do(
                self.stages[0]
            )
            whole = failed is not None and failed.stage == "fault" and is_named(failed)
            named += whole and "here the step begins" in Path(failed.log).read_text()  # type: ignore[union-attr]
            wrong += [] if whole else [str(failed)]
        return {"count": count, "named": named, "wrong": wrong[:3], "left": len(workers(self.store.home)),
                "corrupt": self.corrupt()}  # fmt: skip

    def writes(self, count: int, step: int = 1) -> dict[str, Any]:
        """The n-th write of the runner fails, n = 1, 1 + step, …: told in words, and the run goes on when resumed."""
        said: Counter[str] = Counter(corrupt=0, untold=0, unreadable=0, not_resumed=0)
        untold = []
        for n in range(1, count + 1, step):
            plan = self.another()
            os.environ[WRITE] = str(n)
            try:
                run = bench.submit(plan, self.store)
            finally:
                del os.environ[WRITE]
            until(lambda run=run: self._settled(run), PATIENCE)  # type: ignore[misc]
            told = self._told(run)
            said["writes"] += 1
            said["failed"] += bool(told)
            said["corrupt"] += self.corrupt()
            if told and not any(word in told for word in ("space", "cannot be used", "ENOSPC", "Errno 28")):
                said["untold"] += 1
                untold.append((n, told[:300]))
            bench.cancel(run, self.store)
            bench.resume(run, self.store)
            try:
                until(lambda run=run: self._made(run), PATIENCE)  # type: ignore[misc]
            except (AssertionError, WorkbenchError):
                said["not_resumed"] += 1
            bench.cancel(run, self.store)
        return dict(said) | {"untold_errors": untold[:3]}

    def _made(self, run: str) -> bool:
        return {one.work for one in self.events(run) if isinstance(one, Made)} >= set(self.stages)

    def _settled(self, run: str) -> bool:
        over = bench.status(run, self.store) in ("ok", "failed", "cancelled", "stopped")
        return over or self._made(run) or any(isinstance(one, Failed) for one in self.events(run))

    def _told(self, run: str) -> str:
        """What a person is told of what went wrong: by the events, else by the log that `follow` names."""
        failed = [f"{one.what} {one.why} {one.fix}" for one in self.events(run) if isinstance(one, Failed)]
        if failed or bench.status(run, self.store) != "stopped":
            return " ".join(failed)
        log = self.store.run_folder(run) / "log" / "runner.log"
        return log.read_text()[-2000:]


def main() -> None:
    drill = Drill(*sys.argv[1:4])
    asked = json.loads(sys.argv[4])
    said = {
        name: getattr(drill, name)(*([given] if isinstance(given, int) else given)) for name, given in asked.items()
    }
    json.dump(said, sys.stdout)


if __name__ == "__main__":
    main()
