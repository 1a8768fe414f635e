"""Speed of many candidates, as far as it decides: heats of interleaved rounds, in which who cannot win leaves early."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from workbench import block, evidence, outcome
from workbench.artifact import sha256_of
from workbench.comparison import throughput
from workbench.evidence import Interval
from workbench.executing import Here
from workbench.tuning.ledger import Candidate, Ledger

HEAT = 8  # candidates a heat, as long as they fit into memory side by side
FEWEST = 3  # candidates of the first heat, if there are as many
KEEP = 3  # of a heat stay to its end, since some may fail the bar; beside one that meets it only the fastest do
ABOUT = 0.15  # of the best's worth: races of seconds tell no less apart
ROUNDS = 60
HALF_WIDTH = 0.03
SHARE = 0.08  # of the budget, that one heat may be measured for
LONGEST = 30.0  # seconds
LOADING = 0.1  # of the budget, that loading one candidate may take


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
    anchor: Candidate | None = None,
) -> None:  # fmt: skip
    """Measure these against the baseline; each gets its pace, or is buried. `points`: batches beside the headline,
    too. `anchor`: who has a pace already and is measured beside them once more. Its own pace stays, and theirs is that
    ratio to it which this race has seen: so all paces are of one scale, however the machine was loaded. Raises
    WorkbenchError when the baseline cannot be measured."""
    for one in candidates:
        ledger.note(one.name, state="races")
    racers = [one.racer for one in (*candidates, *([anchor] if anchor else []))]
    kept = here.folder / f"race-{sha256_of(sorted(racers))[:12]}.json"
    longest = min(LONGEST, SHARE * ledger.budget_s)
    result = here.interleaved(
        racers, kept, f"Race {len(racers)} candidates", rows="",
        race={"keep": 1 if anchor and anchor.meets else KEEP, "least": least},
        measure=_measure(here.plan.measure, longest, points),
        turn_s=max(30.0, LOADING * ledger.budget_s),
    )  # fmt: skip
    base = result["variants"][here.plan.baseline.name]["points"][0]
    noise = evidence.aa_interval(base, result["again"][0])
    paces = {one.name: _pace(result["variants"][one.racer], base, result["again"][0], noise)
             for one in (*candidates, *([anchor] if anchor else []))}  # fmt: skip
    for one in candidates:
        if error := result["variants"][one.racer]["error"]:
            ledger.bury(one.name, "unmeasured", reason=" ".join(part for part in error.values() if part))
        else:
            known = _anchored(paces[one.name], anchor.pace, paces[anchor.name]) if anchor else paces[one.name]
            ledger.note(one.name, pace=known, state="alive")


def _measure(settings: dict[str, Any], seconds: float, points: bool) -> dict[str, Any]:
    most = min(ROUNDS, settings["rounds"]["max"])
    changes = {"rounds": {"min": min(5, most), "max": most}, "target_half_width": HALF_WIDTH,
               "time_cap_s": min(seconds, settings["time_cap_s"])}  # fmt: skip
    return settings | changes | ({} if points else {"batches": [1], "sequence_lengths": []})


def _pace(seen: dict[str, Any], base: Any, again: Any, noise: Interval | None) -> dict[str, Any]:
    if seen["error"]:
        return {}
    ready = seen["ready"]
    ratio = evidence.ratio_interval(base, seen["points"][0], again)
    return {
        "speedup": ratio.estimate if ratio else None, "ci95": [ratio.lo, ratio.hi] if ratio else None,
        "verdict": evidence.speed_verdict(ratio, noise), "rounds": len(seen["points"][0]),
        "throughput": throughput(outcome.points_of(ready, seen["points"])),
        "size_mb": ready["size"] / 1e6, "peak_rss_mb": ready["peak_rss"] / 1e6,
    }  # fmt: skip


def _anchored(pace: dict[str, Any], known: dict[str, Any] | None, now: dict[str, Any]) -> dict[str, Any]:
    """A pace on the scale of the anchor's `known` one, which is `now` in the same race."""

    def factor(name: str) -> float:
        before, here = (known or {}).get(name), now.get(name)
        return before / here if before and here else 1.0

    faster, more = factor("speedup"), factor("throughput")
    return pace | {
        "speedup": pace["speedup"] and faster * pace["speedup"],
        "ci95": pace["ci95"] and [faster * side for side in pace["ci95"]],
        "throughput": pace["throughput"] and more * pace["throughput"],
    }


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
