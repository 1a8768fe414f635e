"""The statistics keep what they promise: coverage, few false alarms, real differences found. Seeded, no clock."""

import math

import numpy as np
import pytest
from scipy import stats

from workbench import evidence
from workbench.evidence import Interval
from workbench.measurement import Metric

ACCURACY = Metric("accuracy", binary=True)
WER = Metric("wer", better="lower", combine="ratio")
MACRO_F1 = Metric("macro_f1", combine="macro_f1")
SPEARMAN = Metric("spearman", unit="", combine="spearman")


def rounds_of(rng, speedup=1.0, rounds=30, calls=8, disturbed=0.02, drift=0.01, noise=0.04):
    """Seconds [round, call] of base, its second visit and a variant: examples of different length, drift from
    visit to visit, spikes, and visits that something else slowed down."""
    lengths = rng.normal(-5, 0.3, (rounds, 1, calls))
    place = np.argsort(rng.random((rounds, 3)), axis=1) + 3 * np.arange(rounds)[:, None]
    walk = np.cumsum(rng.normal(0, drift, 3 * rounds)) + 0.1 * np.sin(np.arange(3 * rounds) / 17)
    slowed = (rng.random((rounds, 3)) < disturbed) * rng.exponential(0.3, (rounds, 3)) + rng.normal(
        0, 0.015, (rounds, 3)
    )
    spikes = (rng.random((rounds, 3, calls)) < 0.05) * rng.exponential(0.8, (rounds, 3, calls))
    logs = lengths + (walk[place] + slowed)[:, :, None] + spikes + rng.normal(0, noise, (rounds, 3, calls))
    logs[:, 2] -= math.log(speedup)
    base, again, variant = np.exp(logs).transpose(1, 0, 2).tolist()
    return base, again, variant


# ---- speed


@pytest.mark.parametrize("disturbed", [0.02, 0.25])
def test_the_interval_covers_the_true_ratio_under_drift_and_load(disturbed):
    rng, covered, ratios = np.random.default_rng(3), 0, []
    for _ in range(200):
        base, again, variant = rounds_of(rng, speedup=2.0, rounds=20, disturbed=disturbed, drift=0.03)
        interval = evidence.ratio_interval(base, variant, again, draws=500)
        covered += interval.lo <= 2.0 <= interval.hi
        ratios.append(interval.estimate)
    assert 180 <= covered <= 199
    assert abs(np.mean(ratios) / 2.0 - 1) < 0.01, "two visits of the baseline must not bias the ratio"


def test_a_run_against_itself_is_seldom_called_faster_or_slower():
    rng, wrong = np.random.default_rng(4), 0
    for _ in range(100):
        base, again, variant = rounds_of(rng)
        wrong += verdict(base, again, variant) != "no_clear_difference"
    assert wrong <= 5


def test_a_slowdown_of_five_percent_is_found_at_the_default_stopping_rule():
    rng, found = np.random.default_rng(5), 0
    for _ in range(60):
        base, again, variant = rounds_of(rng, speedup=1 / 1.05, rounds=80)
        looks = (n for n in range(10, 81, 5) if width(base[:n], again[:n], variant[:n]) <= 0.015)
        rounds = next(looks, 80)
        found += verdict(base[:rounds], again[:rounds], variant[:rounds]) == "slower"
    assert found >= 57


def verdict(base, again, variant):
    return evidence.speed_verdict(evidence.ratio_interval(base, variant, again), evidence.aa_interval(base, again))


def width(base, again, variant):
    return evidence.widest_half_width(base, again, {"variant": variant})


def test_more_rounds_give_a_narrower_interval():
    base, again, variant = rounds_of(np.random.default_rng(6), rounds=80)
    widths = [width(base[:n], again[:n], variant[:n]) for n in (5, 20, 80)]
    assert widths == sorted(widths, reverse=True)


def test_the_widest_interval_decides_and_too_few_rounds_never_stop():
    base, again, variant = rounds_of(np.random.default_rng(7))
    noisy = rounds_of(np.random.default_rng(8), noise=0.5)[2]
    both = evidence.widest_half_width(base, again, {"a": variant, "b": noisy})
    assert both == evidence.widest_half_width(base, again, {"b": noisy}) > width(base, again, variant)
    assert width(base[:2], again[:2], variant[:2]) == math.inf
    assert evidence.widest_half_width(base, again, {"late": []}) == math.inf


def test_the_same_samples_give_the_same_interval():
    base, again, variant = rounds_of(np.random.default_rng(9))
    assert evidence.ratio_interval(base, variant, again) == evidence.ratio_interval(base, variant, again)


@pytest.mark.parametrize("truth", [1.0, 1.25])
def test_the_ratio_of_two_runs_covers_the_true_one_and_is_wider_than_either(truth):
    rng, covered = np.random.default_rng(8), 0
    for _ in range(200):
        (base, again, variant), (later, later_again, faster) = (rounds_of(rng, speedup=2.0, rounds=20) for _ in "ab")
        faster = [[call / truth for call in turn] for turn in faster]
        old, new = evidence.Timed(base, variant, again), evidence.Timed(later, faster, later_again)
        interval = evidence.ratio_between(old, new, draws=500)
        covered += interval.lo <= truth <= interval.hi
    assert 180 <= covered <= 199
    alone = evidence.ratio_interval(base, variant, again)
    assert interval.hi / interval.lo > alone.hi / alone.lo
    assert evidence.ratio_between(old, evidence.Timed(later[:2], faster[:2])) is None


def test_the_product_of_two_ratios_measured_apart_covers_the_true_one():
    rng, covered, truth = np.random.default_rng(9), 0, 2.0 * 1.25
    for _ in range(200):
        first, then = (evidence.ratio_interval(base, variant, again, draws=500) for base, again, variant in
                       (rounds_of(rng, speedup=speedup, rounds=20) for speedup in (2.0, 1.25)))  # fmt: skip
        both = evidence.product(first, then)
        covered += both.lo <= truth <= both.hi
    assert 180 <= covered <= 199
    assert both.hi / both.lo > max(first.hi / first.lo, then.hi / then.lo) and both == evidence.product(then, first)


def test_intervals_are_widened_by_their_resolution_and_overlap_when_they_share_a_value():
    assert evidence.widened([2.0, 3.0], [0.9, 1.1]) == pytest.approx((1.8, 3.3))
    assert evidence.widened([2.0, 3.0], [1.01, 1.02]) == pytest.approx((2.0, 3.06))
    assert evidence.widened([2.0, 3.0], None) == (2.0, 3.0)
    assert evidence.overlap([1, 2], [2, 3]) and not evidence.overlap([1, 2], [2.1, 3])


def test_a_spike_does_not_move_the_ratio():
    base = [[0.010] * 8 for _ in range(10)]
    variant = [[0.005] * 7 + [5.0] for _ in range(9)] + [[3.0] * 8]
    assert evidence.ratio_interval(base, variant, base).estimate == pytest.approx(2.0)


def test_rounds_that_one_side_lacks_are_left_out():
    base = [[0.01] * 4 for _ in range(6)]
    assert evidence.ratio_interval(base, [[0.01] * 2, [], *base[2:5]]).estimate == pytest.approx(1.0)
    assert evidence.ratio_interval(base, [[0.01], [], [0.01]]) is None
    assert evidence.ratio_interval(base, []) is None


@pytest.mark.parametrize(
    ("ratio", "said"),
    [
        ((1.031, 1.2), "faster"),
        ((1.03, 1.2), "no_clear_difference"),
        ((0.8, 0.969), "slower"),
        ((0.8, 0.97), "no_clear_difference"),
        ((0.9, 1.1), "no_clear_difference"),
    ],
)
def test_faster_and_slower_need_more_than_the_resolution_of_the_run(ratio, said):
    aa = Interval(1.0, 0.97, 1.03)
    assert evidence.speed_verdict(Interval(1.0, *ratio), aa) == said
    assert evidence.speed_verdict(None, aa) == evidence.speed_verdict(aa, None) == "not_comparable"


@pytest.mark.parametrize(("q", "floor"), [(0.5, 1), (0.9, 64), (0.99, 662)])
def test_a_percentile_is_not_shown_below_its_floor(q, floor):
    assert evidence.percentile([1.0] * (floor - 1), q) is None
    assert evidence.percentile([1.0] * floor, q) == 1.0


# ---- accuracy


@pytest.mark.parametrize(("to_wrong", "to_right"), [(12, 3), (0, 7), (1, 1), (40, 60)])
def test_mcnemar_is_the_exact_test(to_wrong, to_right):
    expected = stats.binomtest(to_wrong, to_wrong + to_right, 0.5).pvalue
    assert evidence.mcnemar(to_wrong, to_right) == pytest.approx(expected, rel=1e-9)
    assert evidence.mcnemar(0, 0) == 1.0


@pytest.mark.parametrize(("n", "rate", "change"), [(200, 0.03, -0.01), (1000, 0.01, -0.004), (1000, 0.06, 0.0)])
def test_the_paired_interval_covers_the_true_change(n, rate, change):
    shares = [(rate - change) / 2, (rate + change) / 2, 1 - rate]
    draws = np.random.default_rng(1).multinomial(n, shares, size=2000)
    intervals = [evidence.paired_proportion_interval(wrong, right, n) for wrong, right, _ in draws.tolist()]
    assert sum(i.lo <= change <= i.hi for i in intervals) >= 0.94 * 2000


def test_no_discordant_pair_is_not_certainty():
    small, large = (evidence.paired_proportion_interval(0, 0, n) for n in (100, 3000))
    assert small.lo < -0.02 < -0.001 < large.lo < 0 < large.hi < small.hi


def test_every_example_flipped_stays_in_range():
    interval = evidence.paired_proportion_interval(50, 0, 50)
    assert interval.estimate == interval.lo == -1.0
    assert interval.hi < -0.8


def test_the_planner_says_what_the_design_says():
    assert round(evidence.detectable_drop(1000, 0.02), 3) == 0.009
    assert round(evidence.detectable_drop(3000, 0.02), 3) == 0.005
    assert evidence.half_width(1000, 20) == evidence.detectable_drop(1000, 0.02)


def test_more_examples_see_less_and_more_flips_hide_more():
    by_n = [evidence.detectable_drop(n) for n in (50, 200, 1000, 3000)]
    by_rate = [evidence.detectable_drop(1000, rate) for rate in (0, 0.01, 0.02, 0.1)]
    assert by_n == sorted(by_n, reverse=True)
    assert by_rate == sorted(by_rate)


@pytest.mark.parametrize("max_drop", [0.005, 0.01, 0.05])
def test_the_examples_needed_are_just_enough(max_drop):
    n = evidence.examples_needed(max_drop)
    assert evidence.detectable_drop(n) <= max_drop < evidence.detectable_drop(n - 1)


@pytest.mark.parametrize(
    ("ends", "verdict", "constraint"),
    [
        ((-0.004, 0.004), "no_detectable_drop", "met"),
        ((-0.010, 0.004), "no_detectable_drop", "met"),
        ((-0.011, 0.004), "cannot_tell", "cannot_tell"),
        ((-0.008, -0.001), "drop", "met"),
        ((-0.020, -0.001), "drop", "cannot_tell"),
        ((-0.030, -0.011), "drop", "missed"),
        ((-0.030, -0.010), "drop", "cannot_tell"),
    ],
)
def test_accuracy_verdicts_follow_the_interval_in_either_direction(ends, verdict, constraint):
    change = Interval(sum(ends) / 2, *ends)
    for better, seen in (("higher", change), ("lower", change.mirrored())):
        assert evidence.accuracy_verdict(seen, better, 0.01) == verdict
        assert evidence.constraint_verdict(seen, better, 0.01) == constraint


def test_a_gain_beyond_chance_is_questioned():
    gain = Interval(0.02, 0.005, 0.035)
    assert evidence.is_implausible_gain(gain, "higher")
    assert not evidence.is_implausible_gain(gain, "lower")
    assert not evidence.is_implausible_gain(Interval(0.002, -0.002, 0.006), "higher")


def test_right_and_wrong_are_compared_in_pairs():
    base, variant = np.ones((100, 1)), np.ones((100, 1))
    base[:4], variant[2:10] = 0, 0
    assert evidence.count_flips(base[:, 0], variant[:, 0]) == (6, 2)
    assert evidence.difference_interval(ACCURACY, base, variant).estimate == pytest.approx(-0.04)


@pytest.mark.parametrize("metric", [WER, Metric("f", combine="f1"), Metric("ppl", combine="exp_ratio"), Metric("m")])
def test_resampled_sums_are_resampled_rows(metric):
    rng = np.random.default_rng(2)
    base, variant = (rng.integers(1, 9, (40, 3 if metric.combine == "f1" else 2)).astype(float) for _ in range(2))
    chosen = rng.integers(40, size=(5, 40))
    quick = evidence._changes_by_sums(metric, base, variant, chosen)
    assert quick == pytest.approx([metric.value(variant[rows]) - metric.value(base[rows]) for rows in chosen])


def test_the_bootstrap_agrees_with_theory_for_a_mean():
    rng = np.random.default_rng(3)
    base, noise = rng.normal(size=(400, 1)), rng.normal(0.1, 1, (400, 1))
    interval = evidence.bootstrap_difference(Metric("score"), base, base + noise)
    exact = stats.sem(noise[:, 0]) * 1.96
    assert interval.half_width == pytest.approx(exact, rel=0.1)
    assert interval.estimate == pytest.approx(noise.mean())
    assert interval.lo < interval.estimate < interval.hi


def test_spearman_is_that_of_scipy_with_ties_and_without():
    chance = np.random.default_rng(3)
    for values in (chance.normal(size=(50, 2)), chance.integers(0, 4, (50, 2)).astype(float)):
        assert SPEARMAN.value(values) == pytest.approx(stats.spearmanr(values).statistic)
    assert SPEARMAN.value(np.array([[1.0, 5.0], [2.0, 5.0]])) == 0


def test_spearman_has_an_interval_which_holds_the_loss_of_a_noisy_variant():
    chance = np.random.default_rng(3)
    label = chance.normal(size=400)
    base = np.stack([label, label + chance.normal(size=400)], axis=1)
    noisy = np.stack([label, base[:, 1] + chance.normal(size=400)], axis=1)
    found = evidence.difference_interval(SPEARMAN, base, noisy)
    assert found.lo < found.estimate < found.hi < 0
    assert found.estimate == pytest.approx(SPEARMAN.value(noisy) - SPEARMAN.value(base))
    for same in (base, base * [1, 1 + 1e-9]):  # other values of the same rank show no more than equal ones
        found = evidence.difference_interval(SPEARMAN, base, same)
        assert found.estimate == 0 and -0.02 < found.lo < 0 < found.hi < 0.02


def test_macro_f1_of_several_labels_is_the_mean_over_those_that_occur():
    counts = np.array([[1, 0, 0, 0, 1, 0, 0, 0, 0], [0, 1, 0, 1, 0, 0, 0, 0, 0]], float)
    assert MACRO_F1.value(counts) == pytest.approx((2 / 3 + 2 / 3) / 2)


def test_macro_f1_has_an_interval_too():
    rng = np.random.default_rng(4)
    label = rng.integers(3, size=300).astype(float)
    answers = [np.where(rng.random(300) < share, label, (label + 1) % 3) for share in (0.9, 0.7)]
    base, variant = (np.stack([label, answer], 1) for answer in answers)
    interval = evidence.difference_interval(MACRO_F1, base, variant)
    assert interval.lo < interval.estimate < interval.hi < 0


def test_equal_answers_of_few_examples_are_not_certainty_for_any_metric():
    counts = np.ones((50, 2))
    interval = evidence.difference_interval(WER, counts, counts.copy())
    assert interval.estimate == 0
    assert interval.lo < -0.02 < 0.02 < interval.hi


# ---- without labels


def test_agreement_has_an_interval_that_stays_below_one():
    assert evidence.agreement(["a", "b", "c"], ["a", "x", "c"]) == pytest.approx(2 / 3)
    all_same = evidence.agreement_interval(100, 100)
    assert all_same.estimate == all_same.hi == 1.0
    wilson = stats.binomtest(97, 100).proportion_ci(0.9, method="wilson")
    some = evidence.agreement_interval(97, 100, confidence=0.9)
    assert (some.lo, some.hi) == pytest.approx((wilson.low, wilson.high))
    assert 0.95 < all_same.lo < 0.97


def test_divergence_is_that_of_scipy_for_logits_and_for_probabilities():
    logits = np.random.default_rng(5).normal(size=(2, 20, 4)).astype(np.float32)
    p, q = evidence.probabilities(logits[0]), evidence.probabilities(logits[1])
    expected = np.mean([stats.entropy(a, b) for a, b in zip(p, q, strict=True)])
    assert evidence.kl_divergence(logits[0], logits[1]).mean() == pytest.approx(expected, rel=1e-5)
    assert evidence.kl_divergence(p, q).mean() == pytest.approx(expected, rel=1e-5)
    assert evidence.kl_divergence(p, p).mean() == 0


def test_cosine_is_taken_for_each_example():
    assert evidence.cosine(np.array([[1, 0], [1, 1]]), np.array([[0, 2], [3, 3]])) == pytest.approx([0, 1])
