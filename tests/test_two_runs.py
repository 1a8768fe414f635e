"""Two finished runs: whether they can be compared at all, and whether a recipe is faster or better in the second."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import small as make
from tests.conftest import Small, planned
from workbench import bench, difference, evidence
from workbench.comparison import Predictions
from workbench.difference import Finished, TwoRuns
from workbench.errors import RequestError, WorkbenchError
from workbench.faces.web.compare import first
from workbench.faces.web.parts.changes import changes
from workbench.faces.web.parts.two_runs import two_runs
from workbench.measurement import Metric
from workbench.store import Store

RIGHT = Metric("accuracy", binary=True)
STATIC = "onnx-int8-static"
HOSTILE = "<script>alert('x')</script>"


def run(id: str, change: Callable[[dict[str, Any], dict[str, str]], None] = lambda report, yaml: None,
        answers: Callable[[str], Predictions | None] = lambda _: None) -> Finished:  # fmt: skip
    """The starter's comparison that comes with the workbench, changed."""
    report, details = copy.deepcopy(first())
    change(report, details["yaml"])
    return Finished(id, report, details, answers)


def row_of(report: dict[str, Any], name: str) -> dict[str, Any]:
    return next(row for row in report["rows"] if row["name"] == name)


def in_files(old: str, new: str) -> Callable[[dict[str, Any], dict[str, str]], None]:
    def change(report: dict[str, Any], yaml: dict[str, str]) -> None:
        for name, text in yaml.items():
            yaml[name] = text.replace(old, new)

    return change


def pair_of(found: TwoRuns, name: str) -> difference.Pair:
    return next(one for one in found.pairs if one.names[0] == name)


# ---- the statistic --------------------------------------------------------------------------------


def test_the_rounds_of_a_report_give_its_own_speed_up_again() -> None:
    report, _ = first()
    base, row = (row_of(report, name)["speed"] for name in ("pytorch-fp32", STATIC))
    found = evidence.ratio_interval(base["rounds"], row["rounds"], base["rounds_again"])
    assert found is not None and [found.lo, found.hi] == pytest.approx(row["ci95"])


# ---- can they be compared? ------------------------------------------------------------------------


def test_a_run_and_its_copy_can_be_compared_and_differ_in_nothing() -> None:
    found = difference.against(run("one"), run("two"))
    assert found.comparable and not found.changes.changes and len(found.pairs) == 9
    assert all(one.same and not one.changes for one in found.pairs)
    static = pair_of(found, STATIC).speed
    assert static.verdict == "no_clear_difference" and static.ratio and static.ratio.estimate == pytest.approx(1)
    assert pair_of(found, "pytorch-fp32").speed.verdict == "baseline"
    assert "not interleaved" in found.notes[0] and "10.6" in found.notes[1]


@pytest.mark.parametrize(
    ("old", "new", "name"),
    [
        ("id: 'starter:sentiment'", "id: 'starter:other'", "model"),
        ("count: 5000", "count: 3000", "evaluation rows"),
        ("class: x86_64/avx512_vnni", "class: x86_64/avx2", "machine class"),
        ("threads: 2\n    details", "threads: 4\n    details", "threads of one call"),
        ("baseline: pytorch-fp32", "baseline: onnx-fp32", "baseline"),
    ],
)
def test_what_keeps_speed_from_being_compared_is_named(old: str, new: str, name: str) -> None:
    found = difference.against(run("one"), run("two", in_files(old, new)))
    assert [one.name for one in found.bars_speed] == [name] and not found.comparable
    assert {one.speed.verdict for one in found.pairs} == {"not_comparable"}
    assert pair_of(found, STATIC).speed.reason == f"Other {name}."
    text = two_runs(found)
    assert text.index("not comparable") < text.index(">First run<") and name in text


def test_another_package_version_explains_and_does_not_keep_from_comparing() -> None:
    found = difference.against(run("one"), run("two", in_files("onnxruntime: 1.32.0", "onnxruntime: 1.33.0")))
    static, bf16 = (pair_of(found, name) for name in (STATIC, "openvino-bf16"))
    assert found.comparable and static.same
    assert [(one.name, one.new) for one in static.changes] == [("onnxruntime", "1.33.0")] and not bf16.changes


def test_a_recipe_is_matched_by_who_it_is_before_its_name() -> None:
    def renamed(report: dict[str, Any], yaml: dict[str, str]) -> None:
        row_of(report, STATIC)["name"] = "mine"
        yaml["mine"] = yaml.pop(STATIC)

    found = difference.against(run("one"), run("two", renamed))
    assert pair_of(found, STATIC).names == (STATIC, "mine") and pair_of(found, STATIC).same
    assert not found.only_a and not found.only_b


def test_rows_that_only_one_has_are_listed_with_the_reason_of_those_that_failed() -> None:
    def without(name: str) -> Callable[[dict[str, Any], dict[str, str]], None]:
        def change(report: dict[str, Any], yaml: dict[str, str]) -> None:
            report["rows"] = [row for row in report["rows"] if row["name"] != name]
            del yaml[name]

        return change

    found = difference.against(run("one", without("pytorch-bf16")), run("two", without("openvino-fp32")))
    assert [[row["name"] for row in rows] for rows in (found.only_a, found.only_b)] == [
        ["openvino-fp32"], ["pytorch-bf16"],
    ]  # fmt: skip
    assert "Only in the first run" in two_runs(found)


def test_a_row_that_failed_in_one_run_says_so() -> None:
    def failed(report: dict[str, Any], yaml: dict[str, str]) -> None:
        row = row_of(report, STATIC)
        row.update(status="failed", reason="export: no room")
        row["speed"].update(speedup=None, ci95=None)
        row["accuracy"].update(delta=None, value=None, ci95=None)
        del yaml[STATIC]

    one = pair_of(difference.against(run("one"), run("two", failed)), STATIC)
    assert one.speed.verdict == "not_comparable" and "second run: export: no room" in one.speed.reason
    assert one.accuracy.verdict == "not_comparable"


def test_a_run_whose_baseline_did_not_finish_is_refused() -> None:
    broken = run("two", lambda report, yaml: yaml.pop("pytorch-fp32") and None)
    with pytest.raises(WorkbenchError, match="baseline pytorch-fp32 did not finish"):
        difference.against(run("one"), broken)


# ---- speed ----------------------------------------------------------------------------------------


def faster_by(factor: float, rounds: bool = True) -> Callable[[dict[str, Any], dict[str, str]], None]:
    """The static row's calls take that much less time."""

    def change(report: dict[str, Any], yaml: dict[str, str]) -> None:
        said = row_of(report, STATIC)["speed"]
        said["rounds"] = [[call / factor for call in turn] for turn in said["rounds"]] if rounds else []
        said.update(speedup=said["speedup"] * factor, ci95=[end * factor for end in said["ci95"]])

    return change


@pytest.mark.parametrize(("factor", "verdict"), [(1.3, "faster"), (1.02, "no_clear_difference"), (0.7, "slower")])
def test_a_difference_counts_when_it_is_more_than_the_intervals_of_both_runs(factor: float, verdict: str) -> None:
    said = pair_of(difference.against(run("one"), run("two", faster_by(factor))), STATIC).speed
    assert said.verdict == verdict and said.ratio is not None
    assert said.ratio.estimate == pytest.approx(factor) and said.ratio.lo < factor < said.ratio.hi


@pytest.mark.parametrize(("factor", "verdict"), [(1.3, "apart"), (1.02, "overlap")])
def test_without_raw_rounds_no_more_is_said_than_overlap_or_apart(factor: float, verdict: str) -> None:
    said = pair_of(difference.against(run("one"), run("two", faster_by(factor, rounds=False))), STATIC).speed
    assert (said.verdict, said.ratio) == (verdict, None)


# ---- accuracy -------------------------------------------------------------------------------------


def answers(n: int, wrong: int = 0, start: int = 0) -> Callable[[str], Predictions]:
    """n examples from number `start` on, all answered rightly but the first `wrong`."""
    right = np.ones(n)
    right[:wrong] = 0
    said = Predictions([f"id{i}" for i in range(start, start + n)], right.astype(int).tolist(), np.zeros((n, 0)),
                       [RIGHT], {"accuracy": right[:, None]})  # fmt: skip
    return lambda _: said


def accuracy(a: Callable[[str], Any], b: Callable[[str], Any]) -> difference.Accuracy:
    return pair_of(difference.against(run("one", answers=a), run("two", answers=b)), STATIC).accuracy


def test_answers_are_compared_in_pairs() -> None:
    same, worse = accuracy(answers(1000), answers(1000)), accuracy(answers(1000), answers(1000, wrong=40))
    assert same.verdict == "no_detectable_drop" and same.paired and same.paired["agreement"] == 1
    assert worse.verdict == "drop" and worse.paired
    assert worse.paired["flips"] == {"to_wrong": 40, "to_right": 0} and worse.paired["delta"] == pytest.approx(-0.04)


def test_examples_that_both_answered_are_paired_whatever_their_order_and_number() -> None:
    found = accuracy(answers(1000), answers(600, wrong=30, start=700))
    assert found.paired and found.paired["n"] == 300 and found.paired["flips"]["to_wrong"] == 30


def test_other_examples_or_answers_that_are_gone_are_not_paired() -> None:
    other, gone = accuracy(answers(1000), answers(500, start=5000)), accuracy(answers(1000), lambda _: None)
    assert other.paired is None and other.reason == "They answered other examples."
    assert gone.verdict == "overlap" and "not in the store any more" in gone.reason


# ---- drawn ----------------------------------------------------------------------------------------


def test_what_is_drawn_is_escaped_and_says_every_verdict_in_words() -> None:
    hostile = run("two" + HOSTILE, faster_by(1.5), answers(1000, wrong=40))
    hostile.report["model"]["id"] = HOSTILE
    hostile.details["yaml"][STATIC] = hostile.details["yaml"][STATIC].replace("os: Linux", f'os: "{HOSTILE}" #')
    found = difference.against(run("one", answers=answers(1000)), hostile)
    text = two_runs(found) + changes(bench.changed(found.a.details["yaml"][STATIC], hostile.details["yaml"][STATIC]))
    assert "<script" not in text and "&lt;script&gt;" in text
    for said in (
        "comparable",
        "higher speed-up",
        "drop",
        "40 to wrong, 0 to right",
        "1.50x (",
        "95 % interval",
    ):
        assert said in text.replace("\u00a0", " "), said
    for tag in ("div", "table", "tr", "td", "ul", "li", "svg", "span", "small"):
        assert len(re.findall(rf"<{tag}[ >]", text)) == text.count(f"</{tag}>"), tag


def test_a_list_of_changes_says_what_can_explain_what() -> None:
    yaml = first()[1]["yaml"]
    text = changes(bench.changed(yaml[STATIC], yaml[STATIC].replace("onnxruntime: 1.32.0", "onnxruntime: 1.33.0")))
    assert "the same recipe" in text and "Can explain another speed</dt><dd>onnxruntime<" in text
    assert "<h2>Nothing differs.</h2>" in changes(bench.changed(yaml[STATIC], yaml[STATIC]))


def test_two_runs_are_plain_data() -> None:
    said = json.loads(json.dumps(difference.against(run("one"), run("two", faster_by(1.5))).to_dict()))
    assert said["schema"] == "workbench/against@1" and said["comparable"] is True
    one = next(row for row in said["rows"] if row["names"] == [STATIC, STATIC])
    assert one["speed"]["verdict"] == "faster" and one["speed"]["ratio"]["lo"] > 1


# ---- real runs ------------------------------------------------------------------------------------


def finished(plan: Any) -> str:
    run = bench.submit(plan)
    for _ in bench.follow(run):
        pass
    assert bench.status(run) == "ok", (Store().run_folder(run) / "log" / "runner.log").read_text()
    return run


@pytest.mark.slow
def test_a_run_again_gives_the_same_recipes_with_the_same_answers(small: Small, warm_home: Path, warm_run: Any) -> None:
    found = bench.against(warm_run[1], finished(planned(small)))
    assert found.comparable, [str(one) for one in found.bars]
    assert [one.names[0] for one in found.pairs] and all(one.same for one in found.pairs)
    for one in found.pairs:
        assert one.accuracy.paired and one.accuracy.paired["agreement"] == 1 and one.accuracy.paired["n"] > 0
        assert one.speed.verdict == "baseline" or one.speed.ratio is not None
    assert "All answers are the same" in two_runs(found)


@pytest.mark.slow
def test_other_options_and_fewer_rows_are_named_and_answers_still_paired(
    small: Small, warm_home: Path, warm_run: Any, tmp_path: Path
) -> None:
    other = make.make_recipe(tmp_path, "onnx-int8-dynamic", options={"per_channel": False})
    found = bench.against(warm_run[1], finished(planned(small, recipes=(other,), n=60)))
    assert {one.name for one in found.bars_speed} == {"evaluation rows"} and not found.bars_accuracy
    one = pair_of(found, "onnx-int8-dynamic")
    assert not one.same and "per_channel of quantize-onnx-dynamic" in {change.name for change in one.changes}
    assert one.speed.verdict == "not_comparable" and one.accuracy.paired and one.accuracy.paired["n"] == 60
    assert [row["name"] for row in found.only_a] == ["onnx-fp32"] and not found.only_b


@pytest.mark.slow
def test_a_run_without_a_report_and_a_run_against_itself_are_refused(
    small: Small, warm_home: Path, warm_run: Any
) -> None:
    waiting, _ = Store().add_run("Waits", {}, "0" * 64, {})
    with pytest.raises(WorkbenchError, match="has no report"):
        bench.against(warm_run[1], waiting)
    with pytest.raises(RequestError, match="the same run"):
        bench.against(warm_run[1], warm_run[1])
    with pytest.raises(RequestError, match="There is no run called"):
        bench.against(warm_run[1], "nowhere")
