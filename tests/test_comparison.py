"""From raw samples to report.json: rows, verdicts, the front, the best row, and what changed."""

import dataclasses
import json
import math

import numpy as np
import pytest

from workbench.comparison import Goal, Inputs, PointSamples, Predictions, VariantResult, accuracy_of, compare
from workbench.errors import RequestError
from workbench.measurement import Metric

METRICS = (Metric("accuracy", binary=True), Metric("macro_f1", combine="macro_f1"))
MACHINE = {"class": "x86_64/avx512_vnni", "architecture": "x86_64", "flags": ["avx512f", "avx512_vnni"]}
PEAKS = {"fp32": 1e11, "int8": 4e11, "bandwidth": 1e10}
N = 1000


def rounds(speedup=1.0, count=12, calls=8, seed=0):
    """A quiet machine: calls of 10 ms, 1 % noise."""
    return (0.01 / speedup * np.random.default_rng(seed).lognormal(0, 0.01, (count, calls))).tolist()


def answers(wrong=range(100), n=N, labels=True):
    """Two classes; every example is of class 0, and those in `wrong` are answered with 1."""
    predicted = [int(i in wrong) for i in range(n)]
    sure = 0.6 + 0.3 * np.arange(n) / n
    scores = np.where(np.array(predicted)[:, None] == np.array([0, 1]), sure[:, None], 1 - sure[:, None])
    statistics = {"accuracy": 1.0 - np.array(predicted, float)[:, None],
                  "macro_f1": np.stack([np.zeros(n), np.array(predicted, float)], 1)}  # fmt: skip
    known = {"metrics": METRICS, "statistics": statistics} if labels else {}
    return Predictions([f"row-{i}" for i in range(n)], predicted, scores.astype(np.float32), **known)


def variant(name, speedup=1.0, wrong=range(100), seed=1, **facts):
    points = [PointSamples("batch 1", rounds(speedup, seed=seed)),
              PointSamples("batch 8", rounds(speedup / 6, count=5, seed=seed), batch=8)]  # fmt: skip
    defaults = {
        "points": points,
        "predictions": answers(wrong),
        "size_bytes": 9e7,
        "peak_rss_bytes": 3e8,
        "load_s": 0.5,
    }
    return VariantResult(name, **(defaults | facts))


def baseline(**facts):
    base = variant("pytorch-fp32", seed=2, **facts)
    again = [PointSamples("batch 1", rounds(seed=3)), PointSamples("batch 8", rounds(1 / 6, count=5, seed=3), batch=8)]
    return dataclasses.replace(base, again=again)


def inputs(*variants, **facts):
    return Inputs("2026-01-01T00:00:00Z", "pytorch-fp32", variants or (baseline(),), machine=MACHINE, **facts)


def row(comparison, name):
    return comparison.row(name).data


# ---- rows


def test_a_faster_row_is_called_faster_with_its_interval():
    speed = row(compare(inputs(baseline(), variant("onnx-fp32", 1.8))), "onnx-fp32")["speed"]
    assert speed["verdict"] == "faster"
    assert speed["ci95"][0] < 1.8 < speed["ci95"][1]
    assert speed["speedup"] == pytest.approx(1.8, rel=0.01)
    assert speed["p50_ms"] == pytest.approx(10 / 1.8, rel=0.01)
    assert speed["p90_ms"] > speed["p50_ms"]
    assert speed["p99_ms"] is None, "96 calls are too few"


def test_slower_and_equal_rows_are_told_apart():
    found = compare(inputs(baseline(), variant("slow", 0.5), variant("same", 1.0)))
    assert row(found, "slow")["speed"]["verdict"] == "slower"
    assert row(found, "same")["speed"]["verdict"] == "no_clear_difference"


def test_the_baseline_is_a_row_whose_interval_is_the_resolution():
    found = compare(inputs(baseline(), variant("onnx-fp32", 1.8)))
    base = row(found, "pytorch-fp32")
    assert (base["speed"]["speedup"], base["speed"]["verdict"]) == (1.0, "baseline")
    assert base["speed"]["ci95"] == found.report["resolution"]["aa_ci95"]
    assert found.report["resolution"]["aa_ratio"] == pytest.approx(1, abs=0.01)
    assert base["accuracy"]["verdict"] == "baseline"
    assert base["accuracy"]["flips"] == {"to_wrong": 0, "to_right": 0}
    assert len(base["speed"]["rounds"]) == len(base["speed"]["rounds_again"]) == 12


def test_every_point_has_a_ratio_of_its_own():
    points = row(compare(inputs(baseline(), variant("a", 2.0))), "a")["speed"]["points"]
    assert [(p["name"], p["batch"], p["sequence"]) for p in points] == [("batch 1", 1, None), ("batch 8", 8, None)]
    assert all(p["ci95"][0] < 2 < p["ci95"][1] for p in points)
    assert points[1]["value"] == pytest.approx(0.03, rel=0.02), "seconds, as the unit says"


def test_points_are_matched_by_name_and_a_point_of_its_own_has_no_ratio():
    own = variant("a", 2.0, points=[PointSamples("batch 1", rounds(2.0)), PointSamples("streams 4", rounds(3.0))])
    points = row(compare(inputs(baseline(), own)), "a")["speed"]["points"]
    assert points[0]["speedup"] == pytest.approx(2, rel=0.01)
    assert points[1]["speedup"] is None and points[1]["value"] is not None


def test_several_requests_in_flight_count_as_throughput_where_they_get_more_done():
    many = PointSamples("natural, 4 requests in flight", rounds(9.0), metric="concurrent")
    own = variant("a", 2.0, points=[PointSamples("batch 1", rounds(2.0)), many])
    speed = row(compare(inputs(baseline(), own)), "a")["speed"]
    assert speed["throughput"] == pytest.approx(900, rel=0.02) and speed["throughput_at"] == many.name
    assert speed["throughput_ci95"][0] < speed["throughput"] < speed["throughput_ci95"][1]
    few = variant(
        "a", 2.0, points=[PointSamples("batch 1", rounds(2.0)), dataclasses.replace(many, rounds=rounds(0.5))]
    )
    assert row(compare(inputs(baseline(), few)), "a")["speed"]["throughput"] == pytest.approx(200, rel=0.02)


def test_throughput_is_that_of_the_largest_batch():
    speed = row(compare(inputs(baseline(), variant("a", 2.0))), "a")["speed"]
    assert speed["throughput"] == pytest.approx(8 / 0.03, rel=0.02)


def test_sizes_are_megabytes_and_unknown_figures_are_null():
    data = row(compare(inputs(baseline(), variant("a", load_s=math.nan))), "a")
    assert (data["size_mb"], data["peak_rss_mb"], data["load_s"], data["build_s"]) == (90, 300, None, None)


def test_a_failed_row_keeps_every_key_and_says_why():
    failed = VariantResult("openvino-int8", "failed", "The export stopped. One operator is unknown.")
    found = compare(inputs(baseline(), failed, variant("a", 2.0)))
    data, whole = row(found, "openvino-int8"), row(found, "a")
    assert data.keys() == whole.keys() and whole["speed"].keys() == data["speed"].keys()
    assert data["speed"]["verdict"] == "not_comparable" and "export stopped" in data["speed"]["reason"]
    assert data["accuracy"]["constraint"] == data["accuracy"]["verdict"] == "cannot_tell"
    assert found.best.name == "a"


def test_what_cannot_be_compared_says_its_reason():
    few = variant("few", points=[PointSamples("batch 1", rounds(2.0, count=2))])
    other = variant("other", 2.0, not_comparable="It ran with 4 threads, the baseline with 2.")
    found = compare(inputs(baseline(), few, other, variant("unmeasured", points=())))
    said = {name: row(found, name)["speed"] for name in ("few", "other", "unmeasured")}
    assert {speed["verdict"] for speed in said.values()} == {"not_comparable"}
    assert said["few"]["reason"] == "It shares fewer than 3 rounds with the baseline."
    assert "4 threads" in said["other"]["reason"] and said["other"]["speedup"] is None
    assert said["other"]["p50_ms"] is not None
    assert said["unmeasured"]["reason"] == "The speed of this variant was not measured."


def test_without_a_second_visit_nothing_is_called_faster():
    alone = dataclasses.replace(baseline(), again=())
    assert row(compare(inputs(alone, variant("a", 2.0))), "a")["speed"]["verdict"] == "not_comparable"


# ---- accuracy


def test_accuracy_is_judged_on_the_same_examples():
    accuracy = row(compare(inputs(baseline(), variant("a", wrong=range(5, 102)))), "a")["accuracy"]
    assert accuracy["flips"] == {"to_wrong": 2, "to_right": 5}
    assert (accuracy["value"], accuracy["baseline"], accuracy["n"]) == (0.903, 0.9, N)
    assert accuracy["delta"] == pytest.approx(0.003)
    assert accuracy["ci95"][0] < 0.003 < accuracy["ci95"][1]
    assert accuracy["agreement"] == 0.993
    assert (accuracy["verdict"], accuracy["constraint"]) == ("no_detectable_drop", "met")
    assert 0.004 < accuracy["detectable_drop"] < 0.007
    assert accuracy["p_value"] == pytest.approx(0.453125)
    second, apart = accuracy["secondary"]
    assert second["metric"] == "macro_f1" and second["delta"] == pytest.approx(second["value"] - second["baseline"])
    assert second["ci95"][0] < second["delta"] < second["ci95"][1]
    assert (apart["metric"], apart["value"], apart["delta"]) == ("kl", accuracy["kl"], None)
    assert apart["ci95"][0] < apart["value"] < apart["ci95"][1]


def test_a_loss_is_a_drop_and_a_large_one_misses_the_bar():
    found = compare(inputs(baseline(), variant("small", wrong=range(108)), variant("large", wrong=range(150))))
    small, large = (row(found, name)["accuracy"] for name in ("small", "large"))
    assert (small["verdict"], small["constraint"]) == ("drop", "cannot_tell")
    assert (large["verdict"], large["constraint"]) == ("drop", "missed")


def test_a_relative_bar_is_a_share_of_the_baselines_value():
    def constraint(goal):
        return row(compare(inputs(baseline(), variant("a", wrong=range(104)), goal=goal)), "a")["accuracy"][
            "constraint"
        ]

    assert constraint(Goal(max_drop=0.0095, kind="absolute")) == "met"
    assert constraint(Goal(max_drop=0.0095, kind="relative")) == "cannot_tell"


def test_more_confidence_asks_for_more():
    loose, strict = (
        row(compare(inputs(baseline(), variant("a", wrong=range(104)), goal=Goal(0.0095, confidence=c))), "a")[
            "accuracy"
        ]
        for c in (0.95, 0.999)
    )
    assert (loose["constraint"], strict["constraint"]) == ("met", "cannot_tell")
    assert loose["ci95"] == strict["ci95"]


def test_another_metric_can_be_asked_for():
    found = compare(inputs(baseline(), variant("a", wrong=range(102)), goal=Goal(metric="macro_f1")))
    accuracy = row(found, "a")["accuracy"]
    assert accuracy["metric"] == "macro_f1" and accuracy["ci95"][0] < accuracy["delta"]
    assert accuracy["flips"] == {"to_wrong": 2, "to_right": 0}
    with pytest.raises(RequestError, match="Known: accuracy, macro_f1"):
        compare(inputs(baseline(), goal=Goal(metric="bleu")))


def test_an_implausible_gain_is_a_warning():
    found = compare(inputs(baseline(), variant("a", wrong=range(60))))
    assert any(line.startswith("a answers better than chance allows") for line in found.report["warnings"])
    assert not compare(inputs(baseline(), variant("a", wrong=range(99)))).report["warnings"]


def test_answers_to_other_examples_are_not_compared():
    accuracy = row(compare(inputs(baseline(), variant("a", predictions=answers(n=900)))), "a")["accuracy"]
    assert accuracy["delta"] is None and "other examples" in accuracy["reason"]


def test_without_labels_agreement_stands_for_accuracy_and_a_drop_is_never_certain():
    base = baseline(predictions=answers(labels=False))
    close = variant("close", 2.0, predictions=answers(range(101), labels=False))
    far = variant("far", 3.0, predictions=answers(range(300), labels=False))
    found = compare(inputs(base, close, far))
    near, away = row(found, "close")["accuracy"], row(found, "far")["accuracy"]
    assert (near["metric"], near["value"], near["verdict"], near["constraint"]) == (
        "agreement", 0.999, "no_detectable_drop", "met")  # fmt: skip
    assert (away["verdict"], away["constraint"]) == ("cannot_tell", "cannot_tell")
    assert away["kl"] > near["kl"] > 0 and away["cosine"] < near["cosine"] < 1
    for said in away["secondary"]:
        assert said["value"] == away[said["metric"]] and said["ci95"][0] < said["value"] < said["ci95"][1]
    assert any("no labels" in line for line in found.report["warnings"])
    assert found.best.name == "close"
    assert {flip["kind"] for flip in found.flips("far")} == {"changed"}


# ---- choosing


def test_best_is_the_fastest_row_that_meets_the_bar():
    found = compare(inputs(baseline(), variant("careless", 4.0, range(150)), variant("good", 2.0), variant("ok", 1.5)))
    assert found.best.name == found.report["best"] == "good"


def test_nothing_is_best_when_only_the_baseline_is_left():
    assert compare(inputs(baseline(), variant("slow", 0.5), variant("careless", 4.0, range(150)))).best is None


def test_another_goal_chooses_by_another_figure():
    small = variant("small", 1.5, size_bytes=2e7)
    found = [
        compare(inputs(baseline(), small, variant("fast", 2.0), goal=Goal(optimize=o))) for o in ("size", "throughput")
    ]
    assert [each.best.name for each in found] == ["small", "fast"]


def test_the_front_has_only_rows_that_nothing_beats():
    front = compare(
        inputs(
            baseline(),
            variant("fast", 3.0, range(110)),
            variant("beaten", 2.0, range(120)),
            variant("good", 1.5, range(90)),
        )
    ).pareto
    assert [row.name for row in front] == ["fast", "good"]


def test_two_rows_of_one_name_are_told_apart():
    found = compare(inputs(baseline(), variant("a", 2.0), variant("a", 3.0)))
    assert [row.name for row in found.rows] == ["pytorch-fp32", "a", "a~2"]
    assert found.report["rows"][2]["recipe"] == "recipes/a~2.yaml"


def test_a_baseline_that_is_not_there_is_refused():
    with pytest.raises(RequestError, match="not among the variants"):
        compare(inputs(variant("a")))
    with pytest.raises(RequestError, match="Known: pytorch-fp32"):
        compare(inputs()).row("b")


# ---- what does not run on the CPU


def test_nothing_of_the_cpu_is_said_of_what_runs_on_a_gpu():
    def why(**facts):
        return row(compare(inputs(baseline(), variant("pytorch-bf16", precision="bf16", **facts))), "pytorch-bf16")[
            "why"
        ]

    assert "This CPU has no bfloat16 instructions" in why()[0]
    assert why(device="cuda") == []


def test_a_row_whose_batches_are_much_faster_says_so():
    points = [
        PointSamples("batch 1", rounds(1.3, seed=4)),
        PointSamples("batch 8", rounds(2, count=5, seed=4), batch=8),
    ]
    (said,) = row(compare(inputs(baseline(), variant("a", device="cuda", points=points))), "a")["why"]
    assert said.startswith("Batches pay here: 8 at a time it is 12.") and said.endswith("1 at a time 1.30x.")


# ---- the limit of the machine


def test_the_share_of_the_limit_is_the_larger_of_arithmetic_and_memory():
    def share(**facts):
        fp32 = variant("a", precision="fp32", **facts)
        return row(compare(dataclasses.replace(inputs(baseline(), fp32), machine=MACHINE | {"peaks": PEAKS})), "a")[
            "speed"
        ]["limit_share"]

    assert share(flops=2e8) == pytest.approx(0.2, rel=0.02)
    assert share(flops=2e8, weight_bytes=5e7) == pytest.approx(0.5, rel=0.02)
    assert share(flops=2e8, weight_bytes=5e9) == pytest.approx(0.2, rel=0.02), (
        "weights that stay in a cache are no limit"
    )
    assert share(flops=2e8, device="cuda") is None, "the measured peaks are those of the CPU"
    assert share() is None


# ---- the document


def test_the_report_is_plain_json_with_the_keys_of_the_contract():
    found = compare(inputs(baseline(), variant("a", 2.0, audit={"casts": np.int64(3)}, load_s=np.float32(1.5))))
    report = json.loads(json.dumps(found.report, allow_nan=False))
    keys = "schema created quick model data machine target baseline best rows pareto resolution warnings"
    assert set(report) >= set(keys.split())
    assert report["schema"] == "workbench/report@1" and "search" not in report
    assert report["rows"][1]["audit"] == {"casts": 3} and report["rows"][1]["load_s"] == 1.5
    assert compare(inputs(baseline(), search={"tried": 3})).report["search"] == {"tried": 3}


def test_disturbed_rounds_and_an_uneven_baseline_are_said_aloud():
    uneven = dataclasses.replace(baseline(), again=[PointSamples("batch 1", rounds(1.1, seed=3))])
    warnings = compare(
        inputs(uneven, measuring={"flagged": 3}, warnings=("2 calibration rows were left out.",))
    ).report["warnings"]
    assert warnings[0] == "2 calibration rows were left out."
    assert warnings[1].startswith("3 of 12 rounds were disturbed")
    assert "differed from itself by +10" in warnings[2]


def test_a_row_that_is_not_what_it_is_called_is_a_warning():
    audit = {"coverage": {"MatMul": {"quantized": 0, "total": 36}}}
    found = compare(inputs(baseline(), variant("onnx-int8-static", 0.5, audit=audit)))
    assert row(found, "onnx-int8-static")["why"][0].startswith("0 of 36 MatMuls were quantized")
    assert found.report["warnings"][0].startswith("onnx-int8-static: 0 of 36 MatMuls")


# ---- questions


def test_flips_come_with_both_answers_the_widest_change_first():
    cards = [{"text": f"text {i}", "label": "bad"} for i in range(N)]
    found = compare(inputs(baseline(), variant("a", wrong=range(2, 105)), cards=cards, classes=["bad", "good"]))
    flips = found.flips("a")
    assert [flip["index"] for flip in flips] == [104, 103, 102, 101, 100, 1, 0]
    first = flips[0]
    assert (first["kind"], first["id"], first["card"]["text"]) == ("to_wrong", "row-104", "text 104")
    assert first["baseline"] == {"answer": "bad", "score": pytest.approx(0.6 + 0.3 * 0.104)}
    assert first["variant"] == {"answer": "good", "score": pytest.approx(0.6 + 0.3 * 0.104)}
    assert first["score_change"] == pytest.approx(1 - 2 * first["baseline"]["score"])
    assert flips[-1]["kind"] == "to_right"
    assert found.flips("pytorch-fp32") == []


def test_answers_that_are_texts_flip_without_scores():
    def texts(words):
        return Predictions(["x", "y"], words, np.zeros((2, 0), np.float32))

    found = compare(
        inputs(baseline(predictions=texts(["one", "two"])), variant("a", predictions=texts(["one", "too"])))
    )
    assert [(f["baseline"]["answer"], f["variant"]["answer"], f["score_change"]) for f in found.flips("a")] == [
        ("two", "too", None)
    ]


def test_frames_hold_rows_samples_and_flips():
    found = compare(inputs(baseline(), variant("a", 2.0, wrong=range(104))))
    frame, samples, flips = found.to_frame(), found.samples_frame(), found.flips_frame()
    assert list(frame["name"]) == ["pytorch-fp32", "a"]
    assert frame.loc[1, "speed.verdict"] == "faster" and "speed.rounds" not in frame
    assert len(samples[samples.variant == "pytorch-fp32"]) == 2 * (12 + 5) * 8
    assert samples.groupby("variant").seconds.median()["a"] > 0
    assert list(flips["name"]) == ["a"] * 4 and "baseline.answer" in flips


def test_an_answer_of_several_classes_is_told_by_their_names():
    from workbench.comparison import flips

    ids, nothing = ["a", "b"], np.zeros((2, 0), np.float32)
    base, mine = (Predictions(ids, predicted, nothing) for predicted in ([[0, 2], [1]], [[0, 2], []]))
    asked = Inputs("now", "base", (), classes=("calm", "glad", "sad"))
    (flip,) = flips.between(base, mine, asked)
    assert flip["id"] == "b" and (flip["baseline"]["answer"], flip["variant"]["answer"]) == ("glad", "none")


def test_vectors_have_no_agreement_even_where_there_are_labels():
    chance = np.random.default_rng(3)
    vectors, told = chance.normal(size=(40, 4)).astype(np.float32), chance.normal(size=(40, 2))
    metric = Metric("spearman", unit="", combine="spearman")
    said = Predictions([str(i) for i in range(40)], [None] * 40, vectors, [metric], {"spearman": told})
    found = accuracy_of(said, said, Goal())
    assert found["metric"] == "spearman" and found["agreement"] is None and found["delta"] == 0
