"""What people read: words, figures, and the conclusion as a sentence."""

from __future__ import annotations

import copy
from typing import Any

import documents
import pytest

from workbench import sentence, words
from workbench.words import MINUS, NBSP


def changed(name: str, **changes: Any) -> dict[str, Any]:
    """The full report with other figures in one row: `accuracy__delta=…`."""
    made = copy.deepcopy(documents.report())
    row = sentence.named(made, name)
    assert row is not None
    for key, value in changes.items():
        *way, last = key.split("__")
        target = row
        for step in way:
            target = target[step]
        target[last] = value
    return made


def only(*names: str, best: str | None = None, **changes: Any) -> dict[str, Any]:
    made = documents.report(best=best, **changes)
    made["rows"] = [row for row in made["rows"] if row["name"] in names]
    return made


def said(report: dict[str, Any]) -> str:
    return sentence.plain(sentence.verdict(report)).replace(NBSP, " ")


# ---- figures ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (words.speedup(2.4149), "2.41x"),
        (words.speedup(12.44), "12.4x"),
        (words.speedup(130.2), "130x"),
        (words.speedup(0.048), "0.048x"),
        (words.ratio_interval([2.37, 2.45]), "2.37–2.45"),
        (words.change(-0.003), f"{MINUS}0.3{NBSP}pp"),
        (words.change(0.0031), f"+0.3{NBSP}pp"),
        (words.change(-0.0004), f"0.0{NBSP}pp"),
        (words.change(0.0123, "bits"), f"+0.012{NBSP}bits"),
        (words.change(-6e-7, "bits"), f"{MINUS}6.0e{MINUS}7{NBSP}bits"),
        (words.change_interval([-0.006, 0.012]), f"{MINUS}0.6 to +1.2"),
        (words.value_of(0.91, "fraction"), f"91.0{NBSP}%"),
        (words.value_of(12.344, "perplexity"), f"12.3{NBSP}perplexity"),
        (words.amount(0.01), f"1.0{NBSP}pp"),
        (words.amount(0.0025), f"0.25{NBSP}pp"),
        (words.milliseconds(0.4123), "0.412"),
        (words.milliseconds(14.23), "14.2"),
        (words.milliseconds(1240.4), "1,240"),
        (words.megabytes(4.23), "4.2"),
        (words.megabytes(1240.0), "1,240"),
        (words.load_seconds(0.456), "0.46"),
        (words.build_seconds(9.04), "9.0"),
        (words.duration(0.44), f"0.4{NBSP}s"),
        (words.duration(125), f"2{NBSP}min 5{NBSP}s"),
        (words.duration(4800), f"1{NBSP}h 20{NBSP}min"),
        (words.count(22713216), f"22.7{NBSP}M"),
        (words.rate(2.1e11, "FLOP/s"), f"0.21{NBSP}TFLOP/s"),
        (words.rate(1.82e10, "B/s"), f"18.2{NBSP}GB/s"),
        (words.percent(0.412), f"41{NBSP}%"),
        (words.number(-1000.0), f"{MINUS}1,000"),
        (words.plural(1, "round"), "1 round"),
        (words.numeral(9), "nine"),
    ],
)
def test_a_figure_is_written_in_one_way(made: str, expected: str) -> None:
    assert made == expected


@pytest.mark.parametrize(
    "write",
    [
        words.speedup, words.change, words.milliseconds, words.megabytes, words.load_seconds,
        words.build_seconds, words.duration, words.count, words.percent, words.number, words.figure, words.amount,
        words.ratio_interval, words.change_interval,
    ],
)  # fmt: skip
def test_a_figure_that_is_not_given_is_a_dash(write: Any) -> None:
    assert write(None) == "–"
    assert write(float("nan")) == "–"


def test_a_number_is_written_with_a_true_minus_and_never_with_a_hyphen() -> None:
    for text in (words.number(-3.2, 1), words.change(-0.02), words.figure(-0.5), words.change_interval([-0.02, -0.01])):
        assert "-" not in text
        assert MINUS in text


# ---- words ------------------------------------------------------------------------------------------


def test_every_token_of_a_report_has_icon_word_and_tone() -> None:
    tokens = ("faster", "slower", "no_clear_difference", "not_comparable", "baseline")
    tokens += ("no_detectable_drop", "drop", "cannot_tell", "failed", "skipped")
    for token in tokens:
        known = words.word(token)
        assert known.glyph and known.icon and known.text
        assert "_" not in known.text


def test_only_better_and_worse_have_a_colour_of_data() -> None:
    tones = {token: words.word(token).tone for token in words.VERDICTS}
    assert {token for token, tone in tones.items() if tone == "better"} == {"faster", "no_detectable_drop"}
    assert {token for token, tone in tones.items() if tone == "worse"} == {"slower", "drop", "failed"}


def test_a_token_that_is_not_known_is_shown_as_it_is() -> None:
    assert words.word("much_too_new").text == "much too new"


# ---- the verdict ------------------------------------------------------------------------------------

SENTENCES = [
    (
        documents.report(),
        "`openvino-bf16` is 2.41x faster (2.37–2.45), no detectable accuracy drop (n = 1,000 could have seen 0.9 pp).",
    ),
    (
        documents.report(quick=True),
        "Quick look: `openvino-bf16` is 2.41x faster (2.37–2.45), no detectable accuracy drop "
        "(n = 1,000 could have seen 0.9 pp).",
    ),
    (
        documents.label_free_report() | {"best": "openvino-bf16"},
        "`openvino-bf16` is 2.41x faster (2.37–2.45), the same answer as the baseline for 99.5 % "
        "(n = 1,000, no labels).",
    ),
    (
        documents.vector_report() | {"best": "openvino-bf16"},
        "`openvino-bf16` is 2.41x faster (2.37–2.45), its vectors at a mean cosine of 0.99978 to the baseline’s "
        "(n = 1,000, no labels).",
    ),
    (
        documents.error_report(),
        "`openvino-bf16` is 2.41x faster (2.37–2.45), no detectable MSE rise (n = 1,000 could have seen 0.018).",
    ),
    (
        changed(
            "openvino-bf16",
            accuracy__verdict="drop",
            accuracy__delta=-0.004,
            accuracy__ci95=[-0.007, -0.001],
        ),
        "`openvino-bf16` is 2.41x faster (2.37–2.45), at an accuracy drop of 0.4 pp (−0.7 to −0.1), inside the bar.",
    ),
    (
        only("pytorch-fp32", "pytorch-bf16", best="pytorch-bf16"),
        "`pytorch-bf16` is not clearly faster, 1.01x (0.99–1.02), no detectable accuracy drop "
        "(n = 1,000 could have seen 0.9 pp).",
    ),
    (
        only("pytorch-fp32", "onnx-int8-dynamic"),
        "`onnx-int8-dynamic` is 2.80x faster (2.76–2.84), but 1,000 examples cannot tell if it stays within "
        "the 1.0 pp bar.",
    ),
    (
        only("pytorch-fp32", "onnx-int8-static"),
        "Nothing here is faster than `pytorch-fp32`; `onnx-int8-static` comes closest, 0.48x (0.47–0.49).",
    ),
    (
        only("pytorch-fp32", "pytorch-bf16", "onnx-int8-static", best="pytorch-fp32"),
        "Nothing here is faster than `pytorch-fp32`; `pytorch-bf16` comes closest, 1.01x (0.99–1.02), "
        "no clear difference.",
    ),
    (documents.empty_report(), "No variant finished: 1 failed, 1 skipped."),
    (documents.lonely_report(), "No variant finished: 1 failed, 1 skipped."),
]


@pytest.mark.parametrize(("report", "expected"), SENTENCES)
def test_the_verdict_is_one_plain_sentence(report: dict[str, Any], expected: str) -> None:
    assert said(report) == expected


def test_a_faster_variant_that_misses_the_bar_is_no_success() -> None:
    report = changed(
        "onnx-int8-dynamic", accuracy__delta=-0.04, accuracy__ci95=[-0.05, -0.03],
        accuracy__verdict="drop", accuracy__constraint="missed",
    )  # fmt: skip
    report["best"] = None
    report["rows"] = [row for row in report["rows"] if row["name"] in ("pytorch-fp32", "onnx-int8-dynamic")]
    assert said(report) == (
        "`onnx-int8-dynamic` is 2.80x faster (2.76–2.84), but its accuracy drop of 4.0 pp (−5.0 to −3.0) "
        "misses the 1.0 pp bar; nothing faster meets it."
    )


@pytest.mark.parametrize("name", sorted(documents.DOCUMENTS))
def test_no_sentence_promises_too_much(name: str) -> None:
    report = documents.DOCUMENTS[name]()
    text = said(report) + " ".join(sentence.plain(remark.sentence) for remark in sentence.remarks(report))
    for word in ("OK", "safe", "significant", "None", "nan", "_detectable"):
        assert word not in text


# ---- remarks ----------------------------------------------------------------------------------------


def test_at_most_three_remarks_tell_of_the_undecided_the_tie_and_the_surprise() -> None:
    found = [sentence.plain(remark.sentence).replace(NBSP, " ") for remark in sentence.remarks(documents.report())]
    assert found == [
        "`onnx-int8-dynamic` is faster still, 2.80x, but 1,000 examples cannot tell if it stays within the 1.0 pp bar. "
        "If the change stays near −0.3 pp, about 700 more would.",
        "`openvino-int8` is a tie with the best (2.34–2.42) at half the size, 24 MB.",
        "`onnx-int8-static` is slower than the baseline, 0.48x, and misses the bar with −4.5 pp: 38 of 74 "
        "quantize/dequantize pairs did not fuse, so every layer converts to INT8 and back.",
    ]


def test_more_examples_shrink_the_interval_with_the_root_of_n() -> None:
    facts = {"n": 1000, "delta": 0.0, "ci95": [-0.02, 0.02], "better": "higher"}
    assert sentence.examples_to_decide(facts, 0.01) == 3000
    assert sentence.examples_to_decide(facts | {"ci95": [-0.005, 0.005]}, 0.01) is None
    assert sentence.examples_to_decide(facts | {"delta": -0.0099}, 0.01) is None
    assert sentence.examples_to_decide(facts, None) is None


def test_less_is_better_turns_the_sign() -> None:
    facts = {"n": 100, "delta": 0.0, "ci95": [-0.02, 0.02], "better": "lower"}
    assert sentence.examples_to_decide(facts, 0.01) == 300


# ---- reading ----------------------------------------------------------------------------------------


def test_the_baseline_comes_first_and_what_did_not_finish_last() -> None:
    names = [row["name"] for row in sentence.ordered(documents.report())]
    assert names[:3] == ["pytorch-fp32", "onnx-int8-dynamic", "openvino-bf16"]
    assert names[-3:] == ["onnx-int8-static", "executorch-xnnpack-int8", "tensorrt-fp16"]


def test_a_reason_may_begin_with_its_stage() -> None:
    assert sentence.failure({"reason": "export: It broke."}) == ("export", "It broke.")
    assert sentence.failure({"reason": "Needs a GPU: none here."}) == ("", "Needs a GPU: none here.")
    assert sentence.failure({"reason": None}) == ("", "No reason was given.")


def test_a_relative_bar_is_a_share_of_the_baseline() -> None:
    report = documents.report(goal={"max_drop": 0.1, "kind": "relative"})
    assert sentence.bar(report) == pytest.approx(0.091)
    assert sentence.bar(documents.report(goal={})) is None


def test_the_resolution_is_half_the_width_of_the_a_a_interval() -> None:
    assert sentence.resolution(documents.report()) == pytest.approx(0.004)
    assert sentence.resolution(documents.lonely_report()) is None
