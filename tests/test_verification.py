"""A recipe file runs again, and is held to what it promises: the level that breaks is the one that says so."""

from __future__ import annotations

import json
import re
import shutil
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests import small as make
from tests.conftest import REPOSITORY, Small, command, edit
from workbench import bench, recipe, replay, running, verification
from workbench.comparison import bounds
from workbench.errors import RequestError
from workbench.event import Event, Made
from workbench.recipe_proof import ExpectedSpeed
from workbench.store import Store

NAME = "onnx-int8-dynamic"


def results(found: verification.Verification) -> list[str]:
    return [level.result for level in found.levels]


def given(small: Small) -> dict[str, str]:
    return {"model": str(small.model), "data": str(small.rows)}


def leftovers(home: Path) -> list[Path]:
    return list((home / "aside").iterdir())


AFTER_V1 = ["not_applicable"] * 4


# ---- run ----------------------------------------------------------------------------------------


def test_an_exported_recipe_runs_again_with_inputs_found_by_their_digest(warm_home: Path, exported: Path) -> None:
    request = bench.request_of(exported)
    assert request.model_at and Path(request.model_at).is_relative_to(warm_home)
    assert request.data_at and Path(request.data_at).is_relative_to(warm_home)
    store, seen = Store(), list[Event]()
    plan = bench.plan(request, store)
    assert bench.changes(exported, plan) == []
    assert running.execute(plan, store, warm_home / "again", seen.append) == "ok"
    assert all(event.reused for event in seen if isinstance(event, Made))
    old, new = recipe.load(exported), recipe.load(warm_home / "again" / "recipes" / f"{NAME}.yaml")
    assert new.spec == old.spec and new.identity() == old.identity()
    assert new.expect and old.expect and new.expect.artifacts == old.expect.artifacts
    assert new.expect.accuracy == old.expect.accuracy


def test_a_constraint_that_is_missed_for_certain_is_code_3(warm_home: Path, small: Small, tmp_path: Path) -> None:
    file = make.make_recipe(tmp_path, NAME)
    edit(file, lambda said: said["spec"].update(goal={"constraints": [{"min_speedup": 1e6}, {"max_size_mb": 1000}]}))
    inputs = ("--model", str(small.model), "--data", str(small.rows))
    done = command("run", str(file), *inputs, "--out", str(tmp_path / "out"), "--json")
    assert done.returncode == 3, done.stderr
    assert "Missed for certain: min_speedup 1e+06." in done.stderr
    assert json.loads(done.stdout)["schema"] == "workbench/report@1"
    written = recipe.load(tmp_path / "out" / "recipes" / f"{NAME}.yaml")
    assert written.expect and written.expect.verdict and written.expect.verdict.constraints == "missed"


def test_a_shelf_recipe_needs_a_model(home: Path) -> None:
    with pytest.raises(RequestError, match="names no model"):
        bench.request_of(recipe.shelf_folder() / "onnx-fp32.yaml")


def test_unknown_local_inputs_are_asked_for(home: Path, exported: Path, small: Small) -> None:
    with pytest.raises(RequestError, match="--model"):
        bench.request_of(exported)
    with pytest.raises(RequestError, match="--data"):
        bench.request_of(exported, model=str(small.model))


def test_an_edited_spec_is_resolved_anew_and_says_so(warm_home: Path, exported: Path) -> None:
    assert bench.request_of(exported).notes == ()
    edit(exported, lambda said: said["spec"].update(seed=8))
    request = bench.request_of(exported)
    assert "resolved anew" in request.notes[0]
    assert request.notes[0] in bench.plan(request).warnings


def test_a_lock_pins_what_comes_from_the_hub(exported: Path) -> None:
    def on_the_hub(said: dict[str, Any]) -> None:
        source = {
            "source": "org/rows",
            "config": "en",
            "split": "test",
            "revision": "main",
            "select": {"n": 50, "seed": 3},
        }
        said["spec"] |= {"model": {"id": "org/model", "revision": "main"}, "data": {"evaluation": source}}
        said["lock"]["model"]["revision"] = "a" * 40
        rows = said["lock"]["data"]["evaluation"] | {"revision": "b" * 40}
        said["lock"]["data"]["evaluation"] = {key: rows[key] for key in ("revision", "rows")}

    asked = recipe.load(edit(exported, on_the_hub))
    pinned, anew = (replay.request_of(asked, Store(), pinned=pinned) for pinned in (True, False))
    assert (pinned.revision, pinned.data) == ("a" * 40, f"org/rows:en@{'b' * 40}[test]")
    assert (anew.revision, anew.data) == ("main", "org/rows:en@main[test]")
    assert (pinned.n, pinned.data_seed) == (50, 3)


def test_a_recipe_that_is_the_baseline_is_compared_with_nothing_else(warm_run: tuple[Path, str], small: Small) -> None:
    file = warm_run[0] / "runs" / warm_run[1] / "recipes" / "pytorch-fp32.yaml"
    request = bench.request_of(file, model=str(small.model), data=str(small.rows))
    assert [variant.name for variant in bench.plan(request).variants] == ["pytorch-fp32"]


def test_rows_are_kept_out_of_evaluation_only_where_the_recipe_says_so(small: Small, tmp_path: Path) -> None:
    rows = make.make_rows(tmp_path / "more.csv", 200)
    request = bench.request(str(small.model), ["onnx-fp32"], data=str(rows))
    assert bench.plan(request).data["evaluation"]["n"] == 160
    assert bench.plan(replace(request, hold_out=False)).data["evaluation"]["n"] == 200


# ---- verify -------------------------------------------------------------------------------------


def test_every_level_passes_in_an_empty_home_and_nothing_is_left(home: Path, exported: Path, small: Small) -> None:
    told: list[Any] = []
    found = bench.verify(exported, **given(small), tell=told.append)
    assert results(found) == ["pass"] * 6, str(found)
    assert found.passed
    assert [one for one in told if isinstance(one, verification.Level)] == list(found.levels)
    assert not any(event.reused for event in told if isinstance(event, Made))
    assert leftovers(home) == [] and Store().sizes() == []
    assert {"text/plain", "text/html"} <= found._repr_mimebundle_().keys()


def test_one_byte_of_the_model_breaks_v1(home: Path, exported: Path, small: Small, tmp_path: Path) -> None:
    model = Path(shutil.copytree(small.model, tmp_path / "model"))
    weights = bytearray((model / "model.safetensors").read_bytes())
    weights[-5] ^= 1
    (model / "model.safetensors").write_bytes(weights)
    found = bench.verify(exported, model=str(model), data=str(small.rows))
    assert results(found) == ["pass", "fail", *AFTER_V1] and not found.passed
    assert "model.safetensors has other bytes" in found.levels[1].why
    assert found.levels[2].why == "failed at V1"


@pytest.mark.parametrize("column", ["text", "label"])
def test_one_row_of_the_data_breaks_v1(home: Path, exported: Path, small: Small, tmp_path: Path, column: str) -> None:
    lines = small.rows.read_text().splitlines()
    text, label = lines[7].rsplit(",", 1)
    other = next(name for name in make.LABELS if name != label)
    lines[7] = f"{text} indeed,{label}" if column == "text" else f"{text},{other}"
    (tmp_path / "rows.csv").write_text("\n".join(lines) + "\n")
    found = bench.verify(exported, model=str(small.model), data=str(tmp_path / "rows.csv"))
    assert results(found) == ["pass", "fail", *AFTER_V1]


def test_a_changed_option_breaks_v3(home: Path, exported: Path, small: Small) -> None:
    edit(exported, lambda said: said["spec"]["steps"][1].update(per_channel=False))
    found = bench.verify(exported, **given(small))
    assert results(found) == ["info", "pass", "pass", "fail", "not_applicable", "not_applicable"], str(found)
    assert "per_channel: false, locked is true" in found.levels[3].why


def test_another_model_than_was_promised_breaks_v3(warm_home: Path, exported: Path) -> None:
    edit(exported, lambda said: said["expect"]["artifacts"][1].update(semantic="0" * 64))
    found = bench.verify(exported, reuse=True)
    assert results(found)[3:] == ["fail", "not_applicable", "not_applicable"]
    assert "quantize-onnx-dynamic gave another model" in found.levels[3].why


def test_another_version_of_a_needed_package_breaks_v2(warm_home: Path, exported: Path) -> None:
    edit(exported, lambda said: said["lock"]["environment"]["packages"].update(onnxruntime="1.0.0"))
    found = bench.verify(exported, reuse=True)
    assert results(found)[1:4] == ["pass", "fail", "not_applicable"]
    assert re.search("onnxruntime is .*, locked is 1.0.0", found.levels[2].why)
    assert "--isolated" in found.levels[2].why


def test_an_edited_goal_is_only_mentioned_and_reuse_builds_nothing(warm_home: Path, exported: Path) -> None:
    edit(exported, lambda said: said["spec"]["goal"].update(constraints=[{"max_drop": 0.2}]))
    told: list[Any] = []
    found = bench.verify(exported, reuse=True, tell=told.append)
    assert results(found) == ["info"] + ["pass"] * 5, str(found)
    assert all(event.reused for event in told if isinstance(event, Made))


def test_another_instruction_set_measures_answers_again_and_promises_no_speed(warm_home: Path, exported: Path) -> None:
    def elsewhere(said: dict[str, Any]) -> None:
        said["lock"]["machine"]["class"] = "aarch64/i8mm"
        said["expect"]["accuracy"]["predictions_sha256"] = "0" * 64

    found = bench.verify(edit(exported, elsewhere), reuse=True)
    assert results(found) == ["pass", "pass", "info", "pass", "pass", "not_applicable"], str(found)
    assert "inside the tolerance" in found.levels[4].why


def test_answers_outside_the_tolerance_break_v4(warm_home: Path, exported: Path) -> None:
    def better(said: dict[str, Any]) -> None:
        said["expect"]["accuracy"].update(predictions_sha256="0" * 64, delta=0.9)

    found = bench.verify(edit(exported, better), reuse=True)
    assert results(found)[4:] == ["fail", "not_applicable"]
    assert "outside the tolerance" in found.levels[4].why


def test_speed_on_a_gpu_is_promised_for_that_gpu() -> None:
    said = "Accelerators were NVIDIA H100, here: NVIDIA T4."
    assert verification.other_card("cuda", ["NVIDIA H100"], ["NVIDIA T4"]) == said
    assert verification.other_card("cuda", ["NVIDIA H100"], []) == "Accelerators were NVIDIA H100, here: none."
    assert verification.other_card("cuda", ["NVIDIA H100"], ["NVIDIA H100"]) == ""
    assert verification.other_card("cpu", ["NVIDIA H100"], ["NVIDIA T4"]) == "", "the CPU ran it"


def test_speed_fails_only_where_widened_intervals_are_apart() -> None:
    promised = ExpectedSpeed(name="p", batch=1, speedup=2.0, ci95=(1.9, 2.1), aa_ci95=(0.95, 1.05))
    said = [
        verification._as_fast(promised, {"speedup": middle, "ci95": [middle - 0.1, middle + 0.1]}, [0.9, 1.1])
        for middle in (2.0, 1.6, 1.2, 2.5, 3.0)
    ]
    assert [result for result, _ in said] == ["pass", "pass", "fail", "pass", "fail"]
    assert "slower than promised" in said[2][1] and "faster than promised" in said[4][1]


# ---- files that promise nothing -----------------------------------------------------------------


def test_a_newer_schema_asks_for_an_update(home: Path, exported: Path) -> None:
    edit(exported, lambda said: said.update(schema="workbench/recipe@2"))
    with pytest.raises(RequestError, match="newer workbench"):
        bench.verify(exported)


def test_a_file_without_promises_says_what_to_do(home: Path) -> None:
    with pytest.raises(RequestError, match=r"promises nothing yet.*workbench run"):
        bench.verify(recipe.shelf_folder() / "onnx-fp32.yaml")


# ---- the command --------------------------------------------------------------------------------


def test_the_command_prints_one_document_and_ends_with_3(
    home: Path, exported: Path, small: Small, tmp_path: Path
) -> None:
    rows = make.make_rows(tmp_path / "other.csv", seed=5)
    done = command("verify", str(exported), "--model", str(small.model), "--data", str(rows), "--json")
    assert done.returncode == 3, done.stderr
    said = json.loads(done.stdout)
    assert (said["schema"], said["passed"]) == ("workbench/verify@1", False)
    assert [level["level"] for level in said["levels"]] == ["V0", "V1", "V2", "V3", "V4", "V5"]
    assert all(level.keys() == {"level", "result", "why"} for level in said["levels"])


def test_the_command_refuses_what_is_no_recipe(home: Path, small: Small) -> None:
    assert command("verify", str(small.model / "config.json")).returncode == 2
    assert command("verify", str(recipe.shelf_folder() / "onnx-fp32.yaml")).returncode == 2


def test_ctrl_c_leaves_nothing_behind(
    home: Path, exported: Path, small: Small, in_background: Callable[..., Any]
) -> None:
    words = ("verify", str(exported), "--model", str(small.model), "--data", str(small.rows))
    process = in_background(sys.executable, "-m", "workbench", *words)
    for line in process.stderr:
        if "Build" in line:
            break
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 130
    assert leftovers(home) == []


def test_one_byte_of_a_starter_breaks_v1(home: Path, exported: Path, tmp_path: Path) -> None:
    """A checkout of its own, so that its starter can be spoiled."""
    of_a_starter(exported, "starter:fashion")
    for name in ("workbench", "starter", "recipes"):
        shutil.copytree(REPOSITORY / name, tmp_path / "checkout" / name)
    weights = tmp_path / "checkout" / "starter" / "fashion" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-3] ^= 1
    weights.write_bytes(content)
    done = command("verify", str(exported), "--json", cwd=tmp_path, PYTHONPATH=str(tmp_path / "checkout"))
    levels = json.loads(done.stdout)["levels"]
    assert [level["result"] for level in levels[1:]] == ["fail", *AFTER_V1], levels
    assert "model.safetensors" in levels[1]["why"]


def of_a_starter(file: Path, name: str) -> None:
    """The same promises of a starter's model and 40 rows of its data: enough for V1."""
    plan = bench.plan(bench.request(name, ["pytorch-fp32"], n=40))
    model, rows = plan.model, plan.data["evaluation"]
    files = [{key: one[key] for key in ("path", "sha256", "bytes")} for one in model["files"]]

    def change(said: dict[str, Any]) -> None:
        source = {"source": name, "split": rows["split"], "select": {"n": 40}}
        said["spec"] |= {"model": {"id": name}, "data": {"evaluation": source}}
        said["spec"]["steps"] = []
        locked = {"digest": rows["revision"], "rows": {"count": rows["n"], "ids_sha256": rows["ids_sha256"]}}
        said["lock"] |= {"model": {"revision": model["revision"], "files": files}, "data": {"evaluation": locked}}

    edit(file, change)


# ---- constraints --------------------------------------------------------------------------------


def test_constraints_are_judged_by_their_intervals() -> None:
    accuracy = {"metric": "accuracy", "better": "higher", "delta": -0.02, "ci95": [-0.03, -0.015], "baseline": 0.9,
                "constraint": "missed"}  # fmt: skip
    row = {"accuracy": accuracy, "speed": {"ci95": [1.8, 2.2]}, "size_mb": 20.0, "peak_rss_mb": None}
    expected = [
        ({"max_drop": 0.01}, "missed"), ({"max_drop": 0.02}, "cannot_tell"), ({"max_drop": 0.03}, "met"),
        ({"max_drop": 0.04, "kind": "relative"}, "met"), ({"max_drop": 0.01, "metric": "macro_f1"}, "cannot_tell"),
        ({"min_speedup": 1.5}, "met"), ({"min_speedup": 2.0}, "cannot_tell"), ({"min_speedup": 2.5}, "missed"),
        ({"max_size_mb": 20}, "met"), ({"max_size_mb": 19}, "missed"), ({"max_memory_mb": 100}, "cannot_tell"),
    ]  # fmt: skip
    assert [bounds.of_one(constraint, row) for constraint, _ in expected] == [verdict for _, verdict in expected]
    assert bounds.of_all([{"min_speedup": 1.5}, {"max_size_mb": 19}], row) == "missed"
    assert bounds.of_all([{"min_speedup": 1.5}, {"min_speedup": 2.0}], row) == "cannot_tell"
