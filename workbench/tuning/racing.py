"""Speed of many candidates, as far as it decides: heats of interleaved rounds, in which who cannot win leaves early."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workbench import block, evidence, outcome
from workbench.artifact import sha256_of
from workbench.comparison import throughput
from workbench.errors import WorkbenchError
from workbench.evidence import Interval
from workbench.executing import Here
from workbench.tuning.ledger import Candidate, Ledger

HEAT = 8  # candidates a heat, as long as they fit into memory side by side
FEWEST = 3  # candidates of the first heat, if there are as many
KEEP = 3  # of a heat stay to its end, since some may fail the bar; beside one that meets it only the fastest do
ABOUT = 0.15  # of the best's worth: races of seconds tell no less apart
LOADING = 0.1  # of the budget, that loading one candidate may take


@dataclass(frozen=True)
class Length:
    """How long a race is: rounds and seconds at most, and the share of the budget; or until it is as precise."""

    rounds: int
    seconds: float
    share: float
    half_width: float


SHORT = Length(60, 30.0, 0.08, 0.03)
LONG = Length(240, 60.0, 0.1, 0.01)  # tells those apart that are close


def heats(candidates: Sequence[Candidate], sizes: Mapping[str, int]) -> Iterator[list[Candidate]]:
    """The candidates in order, as many together as fit."""
    heat: list[Candidate] = []
    for candidate in candidates:
        wanted = [sizes[one.name] for one in (*heat, candidate)]
        if heat and (len(heat) == HEAT or not block.fits(wanted)):
            yield heat
            heat = []
        heat.append(candidate)
    if heat:
        yield heat


def race(
    here: Here, ledger: Ledger, candidates: Sequence[Candidate], least: float | None, points: bool,
    anchor: Candidate | None = None, long: Length = SHORT,
) -> None:  # fmt: skip
    """Measure these; each gets its pace, or is buried. `points`: batches beside the headline,
    too. `anchor`: who has a pace already, and is the baseline of this race instead of the plan's. Its pace stays, and
    theirs is their ratio to it, on its scale: so all paces are of one scale, however the machine was loaded, and no
    round waits for a baseline that takes several times as long as they do. Raises WorkbenchError when the baseline
    cannot be measured; an anchor that cannot is left out."""
    known = anchor.pace if anchor and anchor.pace and anchor.pace["ci95"] else None
    beside = anchor.racer if anchor and known else here.plan.baseline.name
    for one in candidates:
        ledger.note(one.name, state="races")
    racers = sorted(one.racer for one in candidates)
    try:
        result = here.interleaved(
            racers, here.folder / f"race-{sha256_of([beside, *racers, long.rounds])[:12]}.json",
            f"Race {len({beside, *racers} - {here.plan.baseline.name})} candidates", rows="", baseline=beside,
            race=_leaving(anchor if known else None, least and least / (known["speedup"] if known else 1.0), points),
            measure=_measure(here.plan.measure, long, ledger.budget_s, points),
            turn_s=max(30.0, LOADING * ledger.budget_s),
        )  # fmt: skip
    except WorkbenchError:
        if known is None:
            raise
        return race(here, ledger, candidates, least, points, None, long)
    for one in candidates:
        if error := result["variants"][one.racer]["error"]:
            ledger.bury(one.name, "unmeasured", reason=" ".join(part for part in error.values() if part))
        else:
            pace = _pace(result, one.racer, beside, known)
            ledger.note(one.name, pace=pace, state="alive")


def _leaving(anchor: Candidate | None, least: float | None, points: bool) -> dict[str, Any]:
    """Who leaves a race, and when it is over: see block.run. `least`: a speed-up against its baseline."""
    met = bool(anchor and anchor.meets)
    return {
        "keep": HEAT if points else 1 if met else KEEP,
        "least": max(least or 0.0, 1.0) if met and not points else least,
        "over": 0 if anchor else 1,
    }


def _measure(settings: dict[str, Any], long: Length, budget_s: float, points: bool) -> dict[str, Any]:
    most = min(long.rounds, settings["rounds"]["max"])
    seconds = min(long.seconds, long.share * budget_s, settings["time_cap_s"])
    changes = {"rounds": {"min": min(5, most), "max": most}, "target_half_width": long.half_width,
               "time_cap_s": seconds}  # fmt: skip
    return settings | changes | ({} if points else {"batches": [1], "sequence_lengths": []})


def _pace(result: dict[str, Any], name: str, beside: str, known: dict[str, Any] | None) -> dict[str, Any]:
    """Against the plan's baseline. `known`: the pace of the race's baseline `beside`, where that is another."""
    ready, points = (result["variants"][name][key] for key in ("ready", "points"))
    base, again = result["variants"][beside]["points"][0], result["again"][0]
    speed, more = evidence.ratio_interval(base, points[0], again), _throughput(result, name)
    if known:
        speed = speed and evidence.product(Interval(known["speedup"], *known["ci95"]), speed)
        now = _throughput(result, beside)
        more = more and (more * known["throughput"] / now if known["throughput"] and now else more)
    return {
        "speedup": speed.estimate if speed else None, "ci95": [speed.lo, speed.hi] if speed else None,
        "verdict": evidence.speed_verdict(speed, evidence.aa_interval(base, again)), "rounds": len(points[0]),
        "throughput": more, "size_mb": ready["size"] / 1e6, "peak_rss_mb": ready["peak_rss"] / 1e6,
    }  # fmt: skip


def _throughput(result: dict[str, Any], name: str) -> float | None:
    one = result["variants"][name]
    return throughput(outcome.points_of(one["ready"], one["points"]))


def worth(candidate: Candidate, optimize: str) -> float:
    """More is better; by the race."""
    pace = candidate.pace or {}
    if optimize == "size":
        return -float(pace["size_mb"])
    return float((pace["throughput"] if optimize == "throughput" else pace["speedup"]) or 0.0)


def maybe_best(ranked: Sequence[Candidate], optimize: str) -> list[Candidate]:
    """Of candidates, the best first, those about as good as the best, and those whose interval reaches it: who may be
    the best by most, first."""
    close = about_as_good(ranked, optimize)
    if optimize == "latency" and ranked:
        close = [*close, *(one for one in ranked if one not in close and _at_most(one) >= worth(ranked[0], optimize))]
        close.sort(key=lambda one: -_at_most(one))
    return close


def _at_most(one: Candidate) -> float:
    pace = one.pace or {}
    return float(pace["ci95"][1] if pace.get("ci95") else pace.get("speedup") or 0.0)


def about_as_good(ranked: Sequence[Candidate], optimize: str) -> list[Candidate]:
    """Of candidates, the best first, those that a race may not have told from the best."""
    best = worth(ranked[0], optimize) if ranked else 0.0
    return [one for one in ranked if worth(one, optimize) >= best - ABOUT * abs(best)]
