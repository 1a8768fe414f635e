"""A candidate is given up early only when it is certain; how often that is wrong is simulated, and is as stated."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pytest

from workbench import evidence
from workbench.comparison import Goal, Predictions
from workbench.measurement import Metric
from workbench.tuning import sequential
from workbench.tuning.sequential import WRONG_KILL, GivenUp, Seen, Trial

ACCURACY = Metric("accuracy", binary=True)
N, RIGHT = 1000, 830


@dataclass(frozen=True)
class World:
    """A baseline's answers: `doubt` is the rank of an example by its margin, `right` whether it answers it rightly."""

    base: Predictions
    right: np.ndarray
    doubt: np.ndarray


@cache
def world(seed: int = 5) -> World:
    """1,000 examples, 830 answered rightly; wrong answers are mostly doubtful ones."""
    chance = np.random.default_rng(seed)
    margin = chance.beta(2.0, 0.8, N)
    weight = np.exp(-4 * margin)
    right = np.ones(N, bool)
    right[chance.choice(N, N - RIGHT, replace=False, p=weight / weight.sum())] = False
    scores = np.stack([(1 - margin) / 2, (1 + margin) / 2], axis=1).astype(np.float32)
    base = Predictions([str(i) for i in range(N)], [1] * N, scores, [ACCURACY],
                       {"accuracy": right[:, None].astype(float)})  # fmt: skip
    return World(base, right, np.argsort(margin))


def candidate(world: World, lost: int, turned: int, chance: np.random.Generator, border: float = 8.0) -> np.ndarray:
    """Whether it answers each example rightly: `lost` that were right turn wrong, near the border most often, and
    `turned` that were wrong turn right, anywhere."""
    now = world.right.copy()
    place = np.empty(N)
    place[world.doubt] = np.arange(N) / N
    weight = np.where(world.right, np.exp(-border * place), 0.0)
    now[chance.choice(N, lost, replace=False, p=weight / weight.sum())] = False
    now[chance.choice(np.flatnonzero(~world.right), turned, replace=False)] = True
    return now


def run(trial: Trial, base: Predictions, now: np.ndarray) -> GivenUp | None:
    """The trial of a candidate, look by look."""
    for look in trial.looks:
        chosen = list(trial.order[:look])
        seen = Seen([None] * look, {"accuracy": now[chosen][:, None].astype(float).tolist()})
        if over := sequential.given_up(trial, base, seen):
            return over
    return None


def meets(world: World, now: np.ndarray, bar: float) -> bool:
    """What the report will say of it, over all examples."""
    change = evidence.difference_interval(ACCURACY, world.right[:, None] * 1.0, now[:, None] * 1.0)
    return evidence.constraint_verdict(change, "higher", bar) == "met"


# ---- what is stated -----------------------------------------------------------------------------


def test_no_candidate_that_would_meet_the_bar_loses_more_than_is_allowed_to_it() -> None:
    for n, bar in ((200, 0.02), (1000, 0.01), (3000, 0.005), (1000, 0.1)):
        most = sequential.most_lost(n, bar, 0.95)
        for turned in (0, 1, 5, 40):
            for lost in range(n // 4):
                change = evidence.paired_proportion_interval(lost, turned, n)
                assert evidence.constraint_verdict(change, "higher", bar) != "met" or lost - turned <= most


def test_the_upper_bound_covers_as_often_as_it_says() -> None:
    chance = np.random.default_rng(1)
    for total, having, drawn, error in ((170, 20, 40, 0.05), (400, 3, 100, 0.02), (50, 25, 10, 0.1)):
        below = [
            sequential.upper_bound(int((chance.permutation(total)[:drawn] < having).sum()), drawn, total, error)
            < having
            for _ in range(1500)
        ]
        assert np.mean(below) <= error + 3 * np.sqrt(error / 1500)


@pytest.mark.parametrize(("lost", "turned", "border"), [(24, 20, 40.0), (44, 40, 40.0), (4, 0, 8.0), (84, 80, 8.0)])
def test_who_loses_no_more_than_is_allowed_is_given_up_at_most_as_often_as_stated(
    lost: int, turned: int, border: float
) -> None:
    """The worst that can be: all losses come at the very beginning, and what makes up for them comes by chance. The
    chance is that of the order, which is drawn anew each time; the candidate stays."""
    here = world()
    now = candidate(here, lost, turned, np.random.default_rng(lost), border)
    orders = 200
    killed = 0
    for seed in range(orders):
        trial = sequential.trial(here.base, Goal(max_drop=0.01), seed)
        assert trial.kind == "net" and lost - turned == trial.most_lost
        killed += run(trial, here.base, now) is not None
    assert killed / orders <= WRONG_KILL + 3 * np.sqrt(WRONG_KILL / orders)


@pytest.mark.parametrize(("lost", "turned", "share"), [(90, 5, 0.25), (55, 5, 0.45), (30, 6, 0.8)])
def test_a_bad_candidate_dies_early_and_the_worse_the_earlier(lost: int, turned: int, share: float) -> None:
    here, examples = world(), []
    for seed in range(20):
        now = candidate(here, lost, turned, np.random.default_rng(seed))
        over = run(sequential.trial(here.base, Goal(max_drop=0.01), seed), here.base, now)
        examples.append(over.examples if over else N)
        if over:
            assert over.lost is not None and over.made_up is not None and over.n == N
            assert over.lost - over.made_up > sequential.most_lost(N, 0.01, 0.95)
    assert np.mean(examples) <= share * N


def test_the_errors_of_the_whole_procedure_are_as_stated() -> None:
    """Eight candidates of a search, in a population of which the examples are drawn: how often is one given up that
    would meet the bar, and how often does one meet it that is really worse than the bar?"""
    searches, bar = 40, 0.01
    wrongly_killed = wrongly_met = tested = truly_bad = 0
    for seed in range(searches):
        chance = np.random.default_rng(1000 + seed)
        here = world()
        trial = sequential.trial(here.base, Goal(max_drop=bar), seed)
        for drop in (0.0, 0.0, 0.002, 0.01, 0.01, 0.015, 0.03, 0.06):  # what each really loses, on balance
            noise = chance.binomial(N, 0.005)
            now = candidate(here, int(chance.binomial(N, drop)) + noise, min(chance.binomial(N, 0.005), 100), chance)
            over, met = run(trial, here.base, now), meets(here, now, bar)
            tested += 1
            truly_bad += drop >= bar
            wrongly_killed += met and over is not None
            wrongly_met += met and over is None and drop >= bar
    assert wrongly_killed / tested <= WRONG_KILL
    assert wrongly_met / truly_bad <= 0.025 + 3 * np.sqrt(0.025 / truly_bad)
    assert sequential.chance_of_any(8) == pytest.approx(8 * WRONG_KILL)


@pytest.mark.parametrize(("bar", "turning"), [(0.01, 0.002), (0.01, 0.02), (0.02, 0.005)])
def test_a_search_among_many_takes_one_that_really_loses_twice_the_bar_at_most_once_in_twenty(
    bar: float, turning: float
) -> None:
    """The whole procedure, at the point where it is asked for: of sixteen candidates each really loses twice the bar on
    balance, `turning` of all answers turn right beside that, and a search errs when it takes any of them."""
    searches, candidates, wrong = 60, 16, 0
    for seed in range(searches):
        chance = np.random.default_rng(7000 + seed)
        here = world(seed % 6)
        trial = sequential.trial(here.base, Goal(max_drop=bar), seed)
        taken = False
        for _ in range(candidates):
            lost, turned = chance.binomial(N, 2 * bar + turning), min(chance.binomial(N, turning), N - RIGHT)
            now = candidate(here, int(lost), int(turned), chance)
            taken |= meets(here, now, bar) and run(trial, here.base, now) is None
        wrong += taken
    assert wrong / searches <= 0.05


def test_what_meets_the_bar_by_luck_at_the_bar_itself_is_as_rare_as_is_said() -> None:
    here, bar, tried, wrong = world(), 0.01, 800, 0
    chance = np.random.default_rng(2)
    for _ in range(tried):
        lost, turned = chance.binomial(N, bar + 0.01), min(chance.binomial(N, 0.01), N - RIGHT)
        wrong += meets(here, candidate(here, int(lost), int(turned), chance), bar)
    each = sequential.wrong_accept(0.95)
    assert wrong / tried <= each + 3 * np.sqrt(each / tried)
    assert sequential.chance_of_any(8, each) == pytest.approx(0.2)


# ---- other kinds of answers ---------------------------------------------------------------------


def test_without_labels_a_change_too_many_is_certain_at_once_and_never_wrong() -> None:
    here = world()
    base = Predictions(here.base.ids, list(here.right.astype(int)), here.base.scores)
    trial = sequential.trial(base, Goal(max_drop=0.02), 7)
    assert trial.kind == "changes" and sorted(trial.order) == list(range(N))
    assert evidence.agreement_interval(N - trial.most_lost, N).lo >= 0.98
    assert evidence.agreement_interval(N - trial.most_lost - 1, N).lo < 0.98
    same = [base.predicted[i] for i in trial.order[:100]]
    assert sequential.given_up(trial, base, Seen(same, {})) is None
    changed = [1 - answer for answer in same[: trial.most_lost + 1]]
    over = sequential.given_up(trial, base, Seen(changed, {}))
    assert over is not None and (over.examples, over.lost) == (trial.most_lost + 1, trial.most_lost + 1)


def test_another_metric_is_told_by_its_interval_at_a_few_looks() -> None:
    chance = np.random.default_rng(3)
    errors = np.stack([chance.poisson(1.0, N), np.full(N, 10.0)], axis=1).astype(float)
    metric = Metric("wer", better="lower", combine="ratio")
    base = Predictions([str(i) for i in range(N)], [str(i) for i in range(N)], np.zeros((N, 0)), [metric],
                       {"wer": errors})  # fmt: skip
    trial = sequential.trial(base, Goal(max_drop=0.01), 7)
    assert trial.kind == "interval" and trial.looks == (125, 250, 500)

    def over(more: float) -> list[GivenUp | None]:
        worse = errors + np.stack([chance.poisson(more, N), np.zeros(N)], axis=1)
        return [sequential.given_up(trial, base, Seen([""] * look, {"wer": worse[list(trial.order[:look])].tolist()}))
                for look in trial.looks]  # fmt: skip

    assert over(0.0) == [None, None, None]
    assert over(0.6)[0] is not None and over(0.6)[0].change > 0.03  # type: ignore[union-attr]


def test_the_order_and_the_looks_are_fixed_before_any_candidate_is_seen() -> None:
    here = world()
    first, again, other = (sequential.trial(here.base, Goal(), seed) for seed in (7, 7, 8))
    assert first.order == again.order and first.looks == again.looks and first.order != other.order
    assert sorted(first.order) == list(range(N)) and list(first.looks) == sorted(set(first.looks))
    right_ones = [i for i in first.order if here.right[i]]
    doubt: Any = {int(i): place for place, i in enumerate(here.doubt)}
    assert [doubt[i] for i in right_ones] == sorted(doubt[i] for i in right_ones)  # the most doubtful first


def test_vectors_and_texts_without_scores_are_never_cut_short() -> None:
    vectors = Predictions([str(i) for i in range(9)], [None] * 9, np.ones((9, 4), np.float32))
    assert sequential.trial(vectors, Goal(), 7).kind == "none"
    few = Predictions([str(i) for i in range(9)], list("abcdefghi"), np.ones((3, 4), np.float32), [ACCURACY],
                      {"accuracy": np.ones((9, 1))})  # fmt: skip
    assert sequential.trial(few, Goal(), 7).kind == "none"


@pytest.mark.parametrize(("lost", "met"), [(0, True), (4, True), (9, False), (30, False)])
def test_a_first_look_has_the_verdict_of_a_report_on_the_same_examples(lost: int, met: bool) -> None:
    base = Seen([1] * N, {"accuracy": [[1.0]] * N})
    mine = Seen([0] * lost + [1] * (N - lost), {"accuracy": [[0.0]] * lost + [[1.0]] * (N - lost)})
    assert sequential.meets(base, mine, [ACCURACY], Goal(max_drop=0.01)) is met
