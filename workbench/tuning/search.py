"""One search from its first build to its report. Everything it decides is in the ledger; what it does is reused."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from workbench import planning
from workbench.errors import WorkbenchError
from workbench.executing import Emit
from workbench.pieces import Plan
from workbench.store import Store
from workbench.tuning import account, improving, racing, space
from workbench.tuning.ledger import Candidate
from workbench.tuning.trying import Trying

# Shares of the budget at which a phase begins nothing new.
RACING, JUDGING, IMPROVING, AGAIN = 0.3, 0.45, 0.65, 0.75
CONFIRMING_S = 150.0  # that the rest takes on two cores, however short the budget is
CONFIRMED = 4  # rows beside the baseline that are measured in full
FEWEST_TO_CONFIRM_S = 5.0


def work(plan: Plan, store: Store, folder: Path, emit: Emit) -> float:
    """Search within plan.request.budget_s wall seconds, all attempts together; the seconds that jobs took."""
    trying = Trying(plan, store, folder, emit)
    planning.keep_local_data(plan, store)
    trying.here.preload()
    inputs(trying)
    begin(trying)
    race_all(trying)
    judge_all(trying)
    latest = 1 - CONFIRMING_S / trying.ledger.budget_s
    trying.enter("improve", max(JUDGING, min(IMPROVING, latest)))
    improving.improve(trying)
    race_again(trying, max(JUDGING, min(AGAIN, latest)))
    confirm(trying)
    return trying.here.jobs_s


def inputs(trying: Trying) -> None:
    """What all candidates need. Raises WorkbenchError."""
    trying.enter("inputs", None)
    if broken := trying.here.do("model", "inputs"):
        raise WorkbenchError(broken.what, broken.why, broken.fix)
    if broken := trying.here.do(trying.plan.baseline.artifact):
        raise WorkbenchError("The baseline could not be built.", broken.what, broken.fix)
    trying.begin_baseline()


def begin(trying: Trying) -> None:
    """The candidates of the plan, and each one's form for the race."""
    ledger = trying.ledger
    for gap in trying.plan.gaps:
        ledger.add(Candidate(gap.recipe, "", "dead", lost={"why": "skipped", "reason": gap.reason}))
    for variant in space.in_order(trying.plan):
        ledger.add(Candidate(variant.name, space.racer_name(variant)))
    racers = {one.racer: space.racer(trying.plan, trying.variant(one.name)) for one in ledger.alive
              if one.racer != one.name}  # fmt: skip
    trying.extend(racers)


def race_all(trying: Trying) -> None:
    """Build and race, heat by heat; after each, the fastest answer until one meets the bar. The first heat is what is
    built when the baseline has answered enough for that; where answers take seconds, who is built gives its own before
    it, so that a best so far is known early. What takes long to build comes last."""
    trying.enter("race", RACING)
    _race(trying, last=False)
    trying.take_up()
    _race(trying, last=True)


def _race(trying: Trying, last: bool) -> None:
    built: list[Candidate] = []
    looked: set[str] = set()
    for one in [one for one in trying.ledger.alive if one.pace is None and not one.origin]:
        if trying.time_is_up and (built or trying.ledger.raced()):
            trying.ledger.bury(one.name, "budget", before="was built")
            continue
        others = bool(built) or trying.ledger.has_raced
        if trying.looks_pay and not trying.ledger.has_raced:
            one = trying.ledger.note(one.name, racer=one.name)
        if trying.build(one, one.racer, hurry=others and not last, again=not last):
            built.append(trying.ledger.note(one.name, state="alive"))
        if not trying.ledger.has_raced:
            built += _look(trying, built, looked)
        enough = len([one for one in built if not one.origin]) >= racing.FEWEST and trying.may_look
        if len(built) >= racing.HEAT or (enough and not trying.ledger.has_raced):
            _heat(trying, built)
            built = []
        elif trying.ledger.has_raced and trying.base is None and trying.baseline_has_answered:
            _ask(trying)  # who had only a first look, at once
    _heat(trying, built)


def _look(trying: Trying, built: Sequence[Candidate], looked: set[str]) -> list[Candidate]:
    """The lightest answer before anybody is raced, as far as that takes seconds: all of them, or until one meets the
    bar on the first examples while the baseline goes on. Of who meets it the likeliest change is built and asked, too;
    these are returned."""
    changed: list[Candidate] = []
    if not (trying.looks_pay and trying.may_look):
        return changed
    for one in trying.lightest(built):
        if one.name in looked or one.origin or any(trying.ledger.candidates[name].first for name in looked):
            continue
        looked.add(one.name)
        if not trying.look(one) or trying.time_is_up:
            continue
        if early := trying.early:
            trying.go_on()
        changed += [each for each in improving.likeliest(trying, one) if trying.build(each, each.racer)]
        if changed and not early:
            trying.look(changed[-1])
    return changed


def _heat(trying: Trying, built: Sequence[Candidate]) -> None:
    """Race those that still live beside the best so far, and ask who was faster: so the best is known, whenever time
    runs out."""
    if living := [one for one in built if not trying.ledger.candidates[one.name].dead]:
        trying.race(living, next(iter(trying.met()), None))
        _ask(trying)


def _ask(trying: Trying) -> None:
    """The fastest, one after another, until one meets the bar; on the first examples while the baseline goes on."""
    if not _worth_asking(trying, 1):
        return
    trying.enter("answers", RACING)
    if trying.early:
        asked = _soonest(trying, _unanswered(trying))
        next((one for one in asked if trying.look_early(one) or trying.time_is_up), None)
        trying.go_on()
    else:
        trying.answer_baseline()
        _judge(trying, 1)
    trying.enter("race", RACING)


def judge_all(trying: Trying) -> None:
    """From the best on, until the two best are known; the safest before time runs out."""
    trying.enter("answers", None)
    trying.answer_baseline()
    trying.until = JUDGING
    _judge(trying, 2)


def _judge(trying: Trying, wanted: int) -> None:
    """Until so many meet the bar as no other can beat. At least one is judged, however late it is."""
    slowest = 0.0
    while waiting := _worth_asking(trying, wanted):
        if trying.time_is_up and (trying.met() or slowest):
            break
        begin = trying.ledger.spent
        hurry = trying.left < 2 * slowest and not trying.met()
        soonest = waiting[0] if trying.met() else _soonest(trying, waiting)[0]
        trying.judge(_safest(trying, waiting) if hurry else soonest)
        slowest = max(slowest, trying.ledger.spent - begin)


def _worth_asking(trying: Trying, wanted: int) -> list[Candidate]:
    """Who has not answered, the best first; none where `wanted` others that meet the bar are as good."""
    found, met = _unanswered(trying), trying.met()[:wanted]
    enough = len(met) == wanted and found and trying.worth(found[0]) <= trying.worth(met[-1])
    return [] if enough else found


def _unanswered(trying: Trying) -> list[Candidate]:
    return [one for one in _raced(trying) if not one.accuracy]


def _raced(trying: Trying) -> list[Candidate]:
    """Who is alive, the best first."""
    return sorted(trying.ledger.raced(), key=lambda one: -trying.worth(one))


def _soonest(trying: Trying, waiting: Sequence[Candidate]) -> list[Candidate]:
    """The best first, but of those that are about as good as the best who need not be built anew to answer."""
    about = racing.about_as_good(waiting, trying.goal.optimize)
    return [*sorted(about, key=lambda one: one.racer != one.name), *waiting[len(about) :]]


def _safest(trying: Trying, waiting: Sequence[Candidate]) -> Candidate:
    """The best of those in which the fewest operators were changed to integers."""

    def changed(one: Candidate) -> float:
        artifact = trying.variant(one.racer).artifact
        trying.here.do(artifact)
        found = trying.here.facts(artifact).get("coverage", {}).values()
        return float(sum(each["quantized"] for each in found) / max(sum(each["total"] for each in found), 1))

    return min(waiting, key=changed)  # the first, so the best, of equals


def race_again(trying: Trying, until: float) -> None:
    """Those that may be the best, the likeliest first, in one heat: heats of some minutes between them, and of seconds,
    do not tell. Then from the best on, until the two best are known."""
    trying.until, optimize = until, trying.goal.optimize
    close = [] if optimize == "size" else racing.maybe_best(_raced(trying), optimize)[: racing.HEAT]
    if len(close) > 1 and not trying.time_is_up:
        trying.enter("race", until)
        anchor = next((one for one in close if one.meets), close[0])
        trying.race([one for one in close if one is not anchor], anchor, racing.LONG)
        trying.enter("answers", until)
        _judge(trying, 2)


def confirm(trying: Trying) -> None:
    """The best, its runner-up and what else is on the front: all examples, a whole block, fresh processes."""
    trying.enter("confirm", None)
    here, ledger = trying.here, trying.ledger
    chosen = [trying.variant(one.name) for one in account.finalists(ledger, trying.goal.optimize)[:CONFIRMED]]
    everyone = [trying.plan.baseline, *chosen]
    for variant in everyone:
        here.do(*variant.chain, f"predict-{variant.name}", f"audit-{variant.name}")
    here.do("facts", *(["peaks"] if ledger.left > 0.1 * ledger.budget_s else []))
    cap = min(trying.plan.measure["time_cap_s"], max(FEWEST_TO_CONFIRM_S, 0.45 * ledger.left))
    speed = here.interleaved(
        [one.name for one in chosen], trying.folder / "speed.json", "Confirm: speed in full",
        measure=trying.plan.measure | {"time_cap_s": cap},
    )  # fmt: skip
    account.settle(here, ledger, trying.goal, everyone, speed, trying.trial)
