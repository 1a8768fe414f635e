"""What to do with the rest of the budget, once it is known what meets the bar: repair what is faster and failed, and
change what is fast by one option at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import zip_longest
from typing import Any

from workbench import planning
from workbench.errors import RequestError
from workbench.tuning import racing, space
from workbench.tuning.ledger import Candidate
from workbench.tuning.trying import Trying

REPAIRED = 3  # candidates
CHANGED = 3  # candidates, whose options are changed
TOGETHER = racing.HEAT - 1  # changes that are raced in one heat, beside the best so far
LARGEST_SHARE = 0.5  # of the operators that are worth keeping in higher precision
INACCURATE = ("drop", "missed", "cannot_tell")


def improve(trying: Trying) -> None:
    """Until the budget's share is spent or nothing promises more. What was done before a kill is not done again. Who is
    far better than the best that meets the bar is repaired first; where only a little can be gained, changes of
    options, which cost one race for seven, come before that."""
    _mend(trying, racing.ABOUT)
    _change_options(trying)
    _mend(trying, 0.0)


def _mend(trying: Trying, margin: float) -> None:
    for act in (repair, _change_values, repair):
        for one in _faster_and_failed(trying, margin):
            if trying.time_is_up:
                return
            act(trying, one)


def _faster_and_failed(trying: Trying, margin: float) -> list[Candidate]:
    """Who was given up for its accuracy alone, and would be better than the best by that share of it; the best
    first."""
    best = trying.met()
    bar = trying.worth(best[0]) + margin * abs(trying.worth(best[0])) if best else float("-inf")
    found = [one for one in trying.ledger.candidates.values()
             if one.lost and one.lost["why"] in INACCURATE and one.pace and trying.worth(one) > bar
             and "kept" not in one.origin]  # fmt: skip
    return sorted(found, key=lambda one: -trying.worth(one))[:REPAIRED]


# ---- repair -------------------------------------------------------------------------------------


def repair(trying: Trying, one: Candidate) -> None:
    """Keep the operators that cost most in higher precision, as few as will do; calibration is not done again."""
    if not (names := ranked(trying, one.name)):
        return

    def passes(count: int) -> bool:
        return _kept(trying, one, names[:count]).meets

    count = fewest(passes, int(LARGEST_SHARE * len(names)), lambda: trying.time_is_up)
    if count:
        repaired = trying.ledger.candidates[_name(one, count)]
        for other in trying.ledger.alive:
            if other.origin.get("of") == one.name and other.origin.get("kept", 0) > count:
                trying.ledger.bury(other.name, "keeps_more", kept=other.origin["kept"], enough=count)
        if repaired.pace is None:
            trying.race([repaired], trying.ledger.candidates[one.name])


def ranked(trying: Trying, name: str) -> list[str]:
    """Operators of a variant, the one that costs most first; none where its steps cannot tell."""
    try:
        trying.here.plan = planning.with_ranking(trying.plan, name)
    except RequestError:
        return []
    id = f"sensitivity-{name}"
    if trying.here.do(id):
        return []
    return [row["name"] for row in trying.here.facts(id)["operators"]]


def fewest(passes: Callable[[int], bool], most: int, enough: Callable[[], bool]) -> int | None:
    """The fewest with which it passes, up to an eighth too many: doubled until it passes, then halved between. None:
    not even with `most`, or there was no time."""
    failed, passed, count = 0, None, 1
    while count <= most and not enough():
        if passes(count):
            passed = count
            break
        failed, count = count, max(count + 1, min(2 * count, most) if count < most else most + 1)
    while passed is not None and passed - failed > max(1, passed // 8) and not enough():
        middle = (failed + passed) // 2
        failed, passed = (failed, middle) if passes(middle) else (middle, passed)
    return passed


def _kept(trying: Trying, one: Candidate, names: list[str]) -> Candidate:
    """The candidate that leaves these operators alone, judged."""
    name = _name(one, len(names))
    known = trying.ledger.candidates.get(name)
    if known and (known.dead or known.accuracy):
        return known
    trying.extend({name: space.leaving(trying.variant(one.name).recipe, names)}, like={name: one.name})
    origin = {"of": one.name, "kept": len(names), "operators": names}
    return trying.judge(trying.ledger.add(Candidate(name, name, origin=origin)))


def _name(one: Candidate, count: int) -> str:
    return f"{one.name}+keep{count}"


# ---- one option at a time -----------------------------------------------------------------------


def _fast(trying: Trying) -> list[Candidate]:
    """Whose options are changed: the best by speed, whatever its accuracy, and no change of another."""
    raced = [one for one in trying.ledger.candidates.values() if one.pace and not one.origin
             and (not one.lost or one.lost["why"] in INACCURATE)]  # fmt: skip
    return sorted(raced, key=lambda one: -trying.worth(one))[:CHANGED]


def by_turns(lists: Iterable[list[Any]]) -> list[Any]:
    """The first of each, then the second of each, and so on."""
    return [one for turn in zip_longest(*lists) for one in turn if one is not None]


def _change_values(trying: Trying, one: Candidate) -> None:
    """Changes that cost no speed: other ways to find ranges, more samples. Judged until one meets the bar."""
    if one.origin:
        return
    for name, document in space.values(trying.plan, trying.variant(one.name), trying.goal.optimize).items():
        if trying.time_is_up:
            return
        trying.extend({name: document})
        if trying.is_planned(name):
            added = trying.ledger.add(Candidate(name, name, pace=one.pace, origin=_origin(one, name)))
            if (added if added.dead or added.accuracy else trying.judge(added)).meets:
                return


def _change_options(trying: Trying) -> None:
    """Changes that may cost or gain speed, of all the fast by turns: raced beside the best so far, and judged when they
    beat it."""
    changes = by_turns(
        [(one, name, document) for name, document in _speeds(trying, one).items()] for one in _fast(trying)
    )
    for start in range(0, len(changes), TOGETHER):
        if trying.time_is_up:
            return
        _race_changes(trying, changes[start : start + TOGETHER])


def _speeds(trying: Trying, one: Candidate) -> dict[str, space.Document]:
    return space.speeds(trying.plan, trying.variant(one.name), trying.goal.optimize)


def likeliest(trying: Trying, one: Candidate) -> list[Candidate]:
    """Its first change as a candidate, if there is one: a plug-in names first what promises most."""
    first = dict(list(_speeds(trying, one).items())[:1])
    trying.extend(first)
    return [trying.ledger.add(Candidate(name, name, origin=_origin(one, name)))
            for name in first if trying.is_planned(name)]  # fmt: skip


def _race_changes(trying: Trying, changes: list[tuple[Candidate, str, space.Document]]) -> None:
    trying.extend({name: document for _, name, document in changes})
    planned = {name: one for one, name, _ in changes if trying.is_planned(name)}
    racers = {name: space.racer_name(trying.variant(name)) for name in planned}
    trying.extend({racer: space.racer(trying.plan, trying.variant(name))
                   for name, racer in racers.items() if racer != name})  # fmt: skip
    added = [trying.ledger.add(Candidate(name, racers[name], origin=_origin(one, name)))
             for name, one in planned.items()]  # fmt: skip
    waiting = [each for each in added if not each.dead and each.pace is None and trying.build(each, each.racer)]
    if waiting:
        trying.race(waiting, next(iter(trying.met()), changes[0][0]))
    for name in sorted(planned, key=lambda name: -_pace(trying, name)):
        known, best = trying.ledger.candidates[name], trying.met()
        better = not best or trying.worth(known) > trying.worth(best[0]) if known.pace else False
        if not known.dead and not known.accuracy and better and not trying.time_is_up:
            trying.judge(known)


def _origin(one: Candidate, name: str) -> dict[str, Any]:
    return {"of": one.name, "changed": name.removeprefix(f"{one.name}+")}


def _pace(trying: Trying, name: str) -> float:
    known = trying.ledger.candidates[name]
    return trying.worth(known) if known.pace else float("-inf")
