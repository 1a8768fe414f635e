"""One measuring block: the variants of a comparison and their baseline, interleaved on one machine.

A block is a closed job: a JSON request and folders in, progress and one JSON result out. It asks nothing
of the store, so it can run in an empty home, or elsewhere.

Every variant lives in a process of its own, loaded, warmed and parked. A round visits all of them in random
order, and the baseline twice: the second visit against the first is the A/A check. All visits of a round
take the same examples. One worker runs at a time, and it answers only when its threads sleep again.
"""

from __future__ import annotations

import contextlib
import os
import random
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from workbench import evidence, isolate, machine, work
from workbench.errors import WorkbenchError
from workbench.isolate import Limits, Progress, Worker

AGAIN = "baseline again"
PROCESSOR = "pre-processing"
HEADLINE = 0  # the first point of every participant
POINT_ROUNDS, POINT_CALLS = 6, 2  # of the points that are not the headline
LONG_CALL = 0.3  # seconds: a point with such a one has one call a turn from its second round on
TURN_LIMIT = 900.0  # seconds that loading, or one turn, may take
LOOK_EVERY = 5  # rounds between two looks at the stopping rule
FULL_TABLE = 9  # variants that the time cap is meant for; more share no smaller one
PARKED_SHARE = 0.7  # of memory that parked models may take together
OVERHEAD = 400 << 20  # bytes of interpreter and runtime a parked worker
FOREIGN_FLAG, STEAL_FLAG = 0.10, 0.02  # shares of all cores' time in a round

Turn = dict[str, Any]


def run(request: dict[str, Any], log: Path, on_progress: Progress) -> dict[str, Any]:
    """Measure. `request`: {task, variants: [{name, folder, backend, device, options, bytes}], baseline, inputs, rows,
    model, examples, threads, cores, seed, measure}. A `race` {"keep": n, "least": ratio | None, "over": n} sends
    variants away that are surely slower than n others, or surely below the least speed-up, and ends when that leaves
    no more than `over` beside the baseline; `turn_s`: seconds that loading may take.

    Returns {"variants": {name: {"ready": {…}, "points": [[[seconds]]] by point and round, "error"}},
    "again": the baseline's second visits by point and round, "processing": [[seconds]] of the headline's rounds,
    "rounds": [{"order", "foreign", "steal", "seconds"}], "stopped", "parked", "half_width"}.
    Raises WorkbenchError when the baseline cannot be measured.
    """
    with contextlib.closing(_Block(request, log, on_progress)) as block:
        block.open()
        block.headline()
        block.others()
        return block.result()


class _Block:
    def __init__(self, request: dict[str, Any], log: Path, on_progress: Progress) -> None:
        self.request, self.log, self.say = request, log, on_progress
        self.settings = request["measure"]
        self.random = random.Random(request["seed"])
        self.order = self.random.sample(range(request["examples"]), min(request["examples"], 640))
        self.parked = fits([variant["bytes"] for variant in request["variants"]])
        self.seats: dict[str, _Seat] = {}
        self.variants: dict[str, dict[str, Any]] = {}
        self.again: list[list[list[float]]] = []
        self.processing: list[list[float]] = []
        self.rounds: list[dict[str, Any]] = []
        self.cap = self.settings["time_cap_s"] * max(1.0, len(request["variants"]) / FULL_TABLE)
        self.watch, self.last = _LoadWatch(), ""
        self.stopped, self.half_width = "rounds", float("inf")

    # ---- participants

    def open(self) -> None:
        """Load every variant, one after another; a variant that can't be loaded is out, the baseline must. In a race,
        which does not ask how long that takes, the baseline begins first and loads beside the others."""
        variants = self.request["variants"]
        with machine.fragments_taken():
            if self.request.get("race") and self.parked:
                variants = sorted(variants, key=lambda one: one["name"] == self.baseline)
                self._take_seat(variants[-1]).begin()
            for done, variant in enumerate(variants):
                self.say(done, len(variants), f"loading {variant['name']}")
                self._load(variant)
        self.again = [[] for _ in self.variants[self.baseline]["points"]]
        if self.request.get("rows"):
            self.seats[PROCESSOR] = seat = self._seat(work.park_processor, {"folder": ""}, PROCESSOR)
            with self._out_on_error(PROCESSOR):
                seat.open()

    def _load(self, variant: dict[str, Any]) -> None:
        kept: dict[str, Any] = {"ready": {}, "points": [], "error": None}
        self.variants[variant["name"]] = kept
        with self._out_on_error(variant["name"]):
            seat = self.seats.get(variant["name"]) or self._take_seat(variant)
            kept["ready"] = seat.open()
            kept["points"] = [[] for _ in kept["ready"]["points"]]

    def _take_seat(self, variant: dict[str, Any]) -> _Seat:
        self.seats[variant["name"]] = seat = self._seat(work.park, variant, variant["name"])
        return seat

    @property
    def baseline(self) -> str:
        return str(self.request["baseline"])

    def close(self) -> None:
        for seat in self.seats.values():
            seat.close()

    def _seat(self, function: Callable[..., Any], variant: dict[str, Any], name: str) -> _Seat:
        request, settings = self.request, self.settings
        job = {**variant, "order": self.order, "batches": settings["batches"],
               "sequences": settings["sequence_lengths"],
               "warmup_calls": settings["warmup"], "calls": settings["calls_per_round"]}  # fmt: skip
        job |= {key: request[key] for key in ("task", "inputs", "rows", "model", "threads")}
        patience = request.get("turn_s", TURN_LIMIT)
        limits = Limits(timed=True, seconds=patience, memory_bytes=request.get("memory"), threads=request["threads"],
                        cores=tuple(request["cores"]))  # fmt: skip
        return _Seat(function, job, limits, self.log / f"measure-{name}.log", self.parked)

    @contextlib.contextmanager
    def _out_on_error(self, name: str) -> Iterator[None]:
        """One broken variant must not hide the others; without the baseline there is nothing to compare."""
        try:
            yield
        except WorkbenchError as error:
            if name == self.baseline:
                raise
            if name == PROCESSOR:
                self.processing = []  # end to end is then not given
            else:
                self.variants[name]["error"] = {"what": error.what, "why": error.why, "fix": error.fix}
            if seat := self.seats.pop(name, None):
                seat.close()

    # ---- rounds

    def headline(self) -> None:
        """Rounds until every interval is narrow enough, or time or rounds are spent."""
        self.watch = _LoadWatch()
        settings, begin = self.settings, time.monotonic()
        for number in range(settings["rounds"]["max"]):
            self._round(HEADLINE, number, settings["calls_per_round"])
            spent = time.monotonic() - begin
            if number + 1 >= settings["rounds"]["min"] and (number + 1) % LOOK_EVERY == 0:
                over = self._send_away()
                self.half_width = self._widest()
                if over or self.half_width <= settings["target_half_width"]:
                    self.stopped = "race" if over else "half_width"
                    break
            if spent > self.cap and number + 1 >= evidence.MIN_ROUNDS:
                self.stopped = "time_cap"
                break
            shown = f"round {number + 1}" + (f", ±{self.half_width:.1%}" if self.half_width < 1 else "")
            self.say(spent, self.cap, shown)
        self.watch.close()
        self.half_width = self._widest()

    def _send_away(self) -> bool:
        """Who cannot win a race any more costs the others no time; what was seen of them stays. Whether that leaves
        so few that there is nothing more to tell."""
        if not (race := self.request.get("race")):
            return False
        base = self.variants[self.baseline]["points"][HEADLINE]
        ratios = {name: evidence.ratio_interval(base, self.variants[name]["points"][HEADLINE], self.again[HEADLINE])
                  for name in self.seats if name in self.variants and name != self.baseline}  # fmt: skip
        gone = evidence.hopeless(ratios, race["keep"], race["least"])
        for name in gone:
            self.variants[name]["left"] = len(self.rounds)
            self.seats.pop(name).close()
        return bool(gone) and len(ratios) - len(gone) <= race["over"]

    def others(self) -> None:
        """The other points: few rounds each, within a third of the headline's time in all, but three at least."""
        points = self._other_points()
        until = time.monotonic() + self.cap / 3
        for done, name in enumerate(points, 1):
            calls = POINT_CALLS
            for number in range(POINT_ROUNDS):
                if time.monotonic() > until and number >= evidence.MIN_ROUNDS:
                    break
                self.say(done, len(points) + 1, name)
                self._round(name, number, calls)
                calls = 1 if self._longest_call(name) > LONG_CALL else calls

    def _longest_call(self, name: str) -> float:
        """Seconds, in the last round of that point."""
        last = [self.variants[owner]["points"][index][-1:] for owner in self.seats
                if owner != PROCESSOR and (index := self._index(owner, name)) is not None]  # fmt: skip
        return max((seconds for rounds in last for calls in rounds for seconds in calls), default=0.0)

    def _other_points(self) -> list[str]:
        """Names of the points that any variant has beside the headline, the baseline's first."""
        order = sorted(self.variants, key=lambda name: name != self.baseline)
        found = [point["name"] for name in order for point in self.variants[name]["ready"].get("points", ())[1:]]
        return list(dict.fromkeys(found))

    def _index(self, owner: str, point: int | str) -> int | None:
        """Where a participant has this point; None where it has none of that name."""
        if isinstance(point, int):
            return point
        known = [one["name"] for one in self.variants[owner]["ready"]["points"]]
        return known.index(point) if point in known else None

    def _round(self, point: int | str, number: int, calls: int) -> None:
        names = [*self.seats, AGAIN]
        if point != HEADLINE:
            names = [name for name in names if name != PROCESSOR]
        self.random.shuffle(names)
        turn = {"start": number * calls, "calls": calls, "warmup": min(2, calls)}
        begin, own = time.perf_counter(), _cpu_seconds()
        used = sum(self._visit(name, point, turn) for name in names)
        if point == HEADLINE:
            used = _cpu_seconds() - own + (used if self.parked else 0.0)
            self.rounds.append({"order": names, "seconds": time.perf_counter() - begin})
            self.watch.note(self.rounds[-1], used)

    def _visit(self, name: str, point: int | str, turn: Turn) -> float:
        """One turn of one participant; CPU seconds it used."""
        owner = self.baseline if name == AGAIN else name
        if owner not in self.seats:
            return 0.0
        with self._out_on_error(owner):
            if name == PROCESSOR:
                self.processing.append(self.seats[name].take(turn)["latency"])
                return 0.0
            if (index := self._index(owner, point)) is None:
                return 0.0
            spent = self._between(owner, turn) if owner == self.last and self.parked else 0.0
            said = self.seats[owner].take(turn | {"point": index})
            self.last = owner
            metric = self.variants[owner]["ready"]["points"][index]["metric"]
            (self.again if name == AGAIN else self.variants[owner]["points"])[index].append(said[metric])
            return spent + float(said["cpu"])
        return 0.0

    def _between(self, owner: str, turn: Turn) -> float:
        """Who comes twice in a row would find the caches full of his own: somebody else is let in between, and not
        counted. CPU seconds."""
        if not (others := [name for name in self.seats if name not in (owner, PROCESSOR)]):
            return 0.0
        other = self.random.choice(others)
        with self._out_on_error(other):
            return float(self.seats[other].take(turn | {"point": HEADLINE, "calls": 1, "warmup": 0})["cpu"])
        return 0.0

    def _widest(self) -> float:
        """The largest relative half-width of any headline interval so far."""
        base = self.variants[self.baseline]["points"][HEADLINE]
        others = {name: kept["points"][HEADLINE] for name, kept in self.variants.items()
                  if name in self.seats and name != self.baseline}  # fmt: skip
        return evidence.widest_half_width(base, self.again[HEADLINE], others)

    def result(self) -> dict[str, Any]:
        return {
            "variants": self.variants, "again": self.again, "processing": self.processing, "rounds": self.rounds,
            "stopped": self.stopped, "parked": self.parked, "half_width": self.half_width,
            "flagged": sum(r["foreign"] > FOREIGN_FLAG or r["steal"] > STEAL_FLAG for r in self.rounds),
        }  # fmt: skip


class _LoadWatch:
    """Adds to each round the shares of all cores that others ("foreign") and the host ("steal") took. They are
    taken over half a second at least: the system counts in ticks of 10 ms, which a short round is made of."""

    WINDOW = 0.5

    def __init__(self) -> None:
        self._rounds: list[dict[str, Any]] = []
        self._used, self._clock, self._steal = 0.0, machine.cpu_clock(), machine.steal_seconds()

    def note(self, one: dict[str, Any], used: float) -> None:
        """`used`: CPU seconds that we and our workers took in this round."""
        self._rounds.append(one)
        self._used += used
        if sum(each["seconds"] for each in self._rounds) >= self.WINDOW:
            self.close()

    def close(self) -> None:
        """Give the shares to the rounds since the last time."""
        passed = max(machine.cpu_clock()[1] - self._clock[1], 1e-9)
        shares = {
            "foreign": machine.load_of_others(self._clock, self._used),
            "steal": (machine.steal_seconds() - self._steal) / passed,
        }
        for one in self._rounds:
            one.update(shares)
        self._rounds, self._used = [], 0.0
        self._clock, self._steal = machine.cpu_clock(), machine.steal_seconds()


class _Seat:
    """A participant: parked all the time, or, when the models do not fit side by side, fresh for each turn."""

    def __init__(self, function: Callable[..., Any], job: dict[str, Any], limits: Limits, log: Path, parked: bool):
        self.function, self.job, self.limits, self.log, self.parked = function, job, limits, log, parked
        self.worker: Worker | None = None

    def begin(self) -> Worker:
        """Start, and do not wait."""
        self.worker = isolate.start(self.function, self.job, self.limits, self.log)
        return self.worker

    def open(self) -> dict[str, Any]:
        """Start; what the worker said when it was ready."""
        ready = dict((self.worker or self.begin()).answer())
        if not self.parked:
            self.close()
        return ready

    def take(self, turn: Turn) -> dict[str, Any]:
        if self.worker is None:
            self.begin().answer()
        assert self.worker
        said = dict(self.worker.ask(turn))
        if not self.parked:
            self.close()
        return said

    def close(self) -> None:
        if self.worker is not None:
            self.worker.end()
            self.worker = None


def _cpu_seconds() -> float:
    """Of this process and of its workers that have ended: those of turns that were not parked."""
    return sum(os.times()[:4])


def fits(sizes: Iterable[int]) -> bool:
    """Whether models of so many bytes can be loaded at once; a loaded model takes about twice its file."""
    needed = sum(2 * size + OVERHEAD for size in sizes)
    return bool(needed < PARKED_SHARE * machine.memory_limit())
