"""The end of a search: who is measured in full, what is written down, and why each of the others lost."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from workbench.comparison import Goal
from workbench.event import Event, Made, Measured
from workbench.executing import Here
from workbench.pieces import Gap, Variant
from workbench.tuning import racing, reasons, sequential
from workbench.tuning.ledger import Candidate, Ledger

BOUNDS = ("min_speedup", "max_size_mb", "max_memory_mb")


def bounds_of(goal: Goal) -> dict[str, float]:
    """The bars beside that of accuracy."""
    return {name: one[name] for one in goal.constraints for name in BOUNDS if one.get(name) is not None}


def finalists(ledger: Ledger, optimize: str) -> list[Candidate]:
    """Who meets the bar, the best first: two, and a third that is about as good by the race; then who answered all
    examples and is on the front. Where nobody answered them all, the best by the race: so there is always somebody."""
    answered = [one for one in ledger.candidates.values() if _is_placed(one)]
    ranked = sorted(answered, key=lambda one: -racing.worth(one, optimize))
    meeting = [one for one in ranked if one.meets]
    meeting = [*meeting[:2], *racing.about_as_good(meeting, optimize)[2:3]]
    found = [*meeting, *(one for one in pareto(ranked, optimize) if one not in meeting)]
    raced = [one for one in ledger.candidates.values() if one.pace]
    return found or sorted(raced, key=lambda one: -racing.worth(one, optimize))[:1]


def pareto(candidates: Sequence[Candidate], optimize: str) -> list[Candidate]:
    """Those that no other beats in what is optimized and in accuracy at once, by the race and all examples."""
    placed = [(one, racing.worth(one, optimize), _gain(one)) for one in candidates if _is_placed(one)]
    return [one for one, worth, gain in placed
            if not any(w >= worth and g >= gain and (w > worth or g > gain) for _, w, g in placed)]  # fmt: skip


def _is_placed(one: Candidate) -> bool:
    return bool(one.pace and one.accuracy and one.accuracy["delta"] is not None)


def _gain(one: Candidate) -> float:
    assert one.accuracy is not None
    delta = float(one.accuracy["delta"])
    return delta if one.accuracy["better"] == "higher" else -delta


# ---- the documents ------------------------------------------------------------------------------


def settle(
    here: Here, ledger: Ledger, goal: Goal, everyone: Sequence[Variant], speed: dict[str, Any],
    trial: sequential.Trial | None,
) -> None:  # fmt: skip
    """Write report and recipes: the rows of `everyone`, measured in full; the others as skipped, with their reasons."""
    measured = replace(here.plan, variants=tuple(everyone), gaps=())
    report = here.compared(measured, speed)
    rows, best = {row["name"]: row for row in report["rows"]}, report["best"]
    if best:
        ledger.note(best, state="best", lost=None)
    for one in ledger.alive:
        if one.name != best:
            _last_word(ledger, one, rows, best, goal.optimize)
    plan = replace(measured, gaps=_gaps(ledger, everyone))
    seed = here.plan.request.data_seed
    done = work_done(event for _, event in here.store.events(here.folder.name))
    so_far = next((one.name for one in everyone[1:] if rows[one.name]["status"] == "ok"), None)
    told = document(ledger, goal, best, trial, seed) | {"best_so_far": best or so_far, "work": done}
    here.write(plan, speed, told | {"rankings": rankings(here, ledger)})
    here.store.set_plan(here.folder.name, plan.to_dict())  # its work is whole, its rows are the report's


def _last_word(ledger: Ledger, one: Candidate, rows: dict[str, Any], best: str | None, optimize: str) -> None:
    """Why a candidate lost of which nothing bad is known."""
    row, pace = rows.get(one.name), one.pace
    met = [other for other in ledger.candidates.values() if other.pace and _is_met(other)]
    fastest = max(met, key=lambda other: racing.worth(other, optimize), default=None)
    if pace is None or (best is None and row is None):
        ledger.bury(one.name, "budget", before="was raced" if pace is None else "answered every example")
    elif best is None or best not in rows:
        ledger.bury(one.name, "unconfirmed")
    else:
        winner = ledger.candidates[best].pace or {}
        both = (row, rows[best]) if row else (None, None)  # measured in one block, or else in heats
        mine, theirs = (_measures(*each) for each in ((pace, both[0]), (winner, both[1])))
        if one.accuracy is None and racing.worth(one, optimize) > racing.worth(ledger.candidates[best], optimize):
            _unanswered(ledger, one, fastest, optimize)
            return
        ledger.bury(one.name, *BEATEN[optimize], mine=mine[optimize], best=theirs[optimize], than=best)


def _unanswered(ledger: Ledger, one: Candidate, fastest: Candidate | None, optimize: str) -> None:
    """Better than the winner in the race, and never asked: another that met the bar was better, or time was up."""
    if fastest and fastest.pace and one.pace and racing.worth(one, optimize) <= racing.worth(fastest, optimize):
        mine, theirs = (_measures(each, None)[optimize] for each in (one.pace, fastest.pace))
        ledger.bury(one.name, *BEATEN[optimize], mine=mine, best=theirs, than=fastest.name)
    else:
        ledger.bury(one.name, "budget", before="answered every example")


def _is_met(one: Candidate) -> bool:
    return one.accuracy is not None and one.accuracy["constraint"] == "met"


BEATEN = {"latency": ("too_slow",), "throughput": ("less_throughput",), "size": ("larger",)}


def _measures(pace: dict[str, Any], row: dict[str, Any] | None) -> dict[str, Any]:
    if row is None:
        return {"latency": pace["speedup"], "throughput": pace["throughput"], "size": pace["size_mb"]}
    return {"latency": row["speed"]["speedup"], "throughput": row["speed"]["throughput"], "size": row["size_mb"]}


def _gaps(ledger: Ledger, everyone: Sequence[Variant]) -> tuple[Gap, ...]:
    shown = {variant.name for variant in everyone}
    return tuple(_gap(one.name, one.lost) for one in ledger.candidates.values() if one.lost and one.name not in shown)


def _gap(name: str, lost: dict[str, Any]) -> Gap:
    stage = {"failed": lost.get("stage"), "unmeasured": "measure"}.get(lost["why"])
    return Gap(name, f"{stage}: {lost['reason']}", "failed") if stage else Gap(name, reasons.in_words(lost))


def rankings(here: Here, ledger: Ledger) -> dict[str, list[dict[str, Any]]]:
    """{candidate: its operators, the one that costs most first} of those that were to be repaired."""
    ids = {piece.id for piece in here.plan.work}
    asked = {name: f"sensitivity-{name}" for name in ledger.candidates if f"sensitivity-{name}" in ids}
    return {name: here.facts(id)["operators"] for name, id in asked.items() if not here.do(id)}


def work_done(events: Iterable[Event]) -> dict[str, int]:
    """What all attempts together took, without what was in the store before: models built, calibrations among them,
    evaluations on every example, and those that were given up."""
    made, answered = [], []
    for event in events:
        if isinstance(event, Made) and event.work.startswith("make-") and not event.reused:
            made.append(event)
        elif isinstance(event, Measured) and event.work.startswith("predict-") and not event.reused:
            if "first" in event.facts:
                continue
            answered.append(event)
    cut = sum("given_up_after" in event.facts for event in answered)
    return {"builds": len(made), "calibrations": sum(bool(event.facts.get("calibrated_anew")) for event in made),
            "evaluations": len(answered) - cut, "given_up": cut}  # fmt: skip


def document(ledger: Ledger, goal: Goal, best: str | None, trial: sequential.Trial | None, seed: int) -> dict[str, Any]:
    """`search` of report.json."""
    raced = [one for one in ledger.candidates.values() if one.pace]
    answered = [one for one in ledger.candidates.values() if one.examples]
    meeting = [one for one in answered if one.pace and one.accuracy and one.accuracy["constraint"] == "met"]
    meeting.sort(key=lambda one: -racing.worth(one, goal.optimize))
    kill = 0.0 if trial is None or trial.kind in ("changes", "none") else sequential.WRONG_KILL
    accept = sequential.wrong_accept(goal.confidence)
    counts = {
        "budget_s": ledger.budget_s, "spent_s": ledger.spent, "candidates": len(ledger.candidates), "raced": len(raced),
        "answered": len(answered), "wrong_kill": kill, "seed": seed,
    }  # fmt: skip
    return {
        **counts,
        "optimize": goal.optimize,
        "constraints": [dict(one) for one in goal.constraints],
        "winner": best,
        "test": {"kind": trial.kind if trial else "none", "looks": list(trial.looks) if trial else [],
                 "most_lost": trial.most_lost if trial else None, "wrong_kill_each": kill,
                 "wrong_kill_any": sequential.chance_of_any(len(answered), kill),
                 "wrong_accept_each": accept, "wrong_accept_any": sequential.chance_of_any(len(answered), accept)},
        "runner_up": next((one.name for one in meeting if one.name != best), None),
        "pareto": [one.name for one in pareto(answered, goal.optimize)],
        "tried": [_told(one) for one in ledger.candidates.values()],
    }  # fmt: skip


def _told(one: Candidate) -> dict[str, Any]:
    accuracy, facts = one.accuracy, ("metric", "delta", "ci95", "n", "constraint")
    return {
        "name": one.name, "state": one.state, "lost": one.lost,
        "reason": reasons.in_words(one.lost) if one.lost else None,
        "pace": one.pace, "examples": one.examples, "origin": one.origin or None,
        "accuracy": {key: accuracy[key] for key in facts} if accuracy else None,
    }  # fmt: skip
