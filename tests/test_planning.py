"""A plan says everything before anything is started: what is shared, what cannot be done here, and what it costs."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests import small as make
from tests.conftest import Small, planned
from tests.tiny.writers import make_llama
from workbench import bench, catalog, machine, planning, recipe
from workbench.errors import RequestError
from workbench.pieces import Make
from workbench.recipe import load


def steps(plan: Any) -> list[str]:
    return [work.job["step"] for work in plan.work if isinstance(work, Make)]


@pytest.fixture
def on(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Plan as on an x86 machine with these instruction sets."""

    def machine_with(*flags: str) -> None:
        here = machine.this_machine()
        there = replace(here, architecture="x86_64", isa=f"x86_64/{'+'.join(flags)}", flags=flags)
        monkeypatch.setattr(machine, "this_machine", lambda: there)

    return machine_with


def test_the_starter_is_planned_with_nine_rows_and_one_export_each(on: Callable[..., None]) -> None:
    on("avx2", "avx512_vnni", "amx_int8", "amx_bf16")
    plan = bench.plan(bench.request(bench.STARTER))
    assert len(plan.variants) == 9 and plan.baseline.name == "pytorch-fp32" and not plan.gaps
    assert plan.data["evaluation"]["n"] >= 3000 and plan.data["calibration"]["n"] >= 500
    assert steps(plan).count("export-onnx") == steps(plan).count("export-openvino") == 1
    assert plan.cost["builds"] == len(steps(plan)) and plan.cost["download_bytes"] == 0


def test_what_this_processor_would_emulate_is_no_default_but_runs_when_it_is_named(on: Callable[..., None]) -> None:
    on("avx2")
    plan = bench.plan(bench.request(bench.STARTER))
    reasons = {gap.recipe: gap.reason for gap in plan.gaps}
    assert set(reasons) == {"pytorch-bf16", "openvino-bf16"} and len(plan.variants) == 7
    for name, reason in reasons.items():
        assert "no bfloat16 instructions" in reason and f"-r {name} runs it" in reason.replace("`", "")
    assert not bench.plan(bench.request(bench.STARTER, ["pytorch-bf16"])).gaps


def test_every_recipe_of_the_shelf_is_planned_or_names_the_device_that_is_missing() -> None:
    shelf = recipe.shelf()
    plan = bench.plan(bench.request(bench.STARTER, list(shelf)))
    gaps = {gap.recipe: gap.reason for gap in plan.gaps}
    assert {variant.name for variant in plan.variants} | set(gaps) == set(shelf)
    assert set(gaps) == {name for name, one in shelf.items() if one.spec.target.device != "cpu"}
    for reason in gaps.values():
        assert re.search(r"[Rr]un `(pip install|apt install|dpkg -i)", reason), reason


def test_all_of_the_shelf_leaves_out_what_does_not_work_for_the_task_unless_it_is_named(tmp_path: Path) -> None:
    model = make_llama(tmp_path / "llama")
    rows = make.write_rows(tmp_path / "rows.csv", [{"text": text} for text, _ in make.texts(40)])
    asked: dict[str, Any] = {"task": "text-generation", "data": str(rows)}
    plan = bench.plan(bench.request(str(model), ["all", "openvino-int8"], **asked))
    offered = {one.name for one in recipe.shelf_for("text-generation")}
    gaps = {gap.recipe: gap.reason for gap in plan.gaps}
    assert {variant.name for variant in plan.variants} <= offered | {"openvino-int8"}
    assert "does not offer it for text-generation" in gaps["onnx-int8-static"]
    assert "openvino-int8" not in gaps or "does not offer" not in gaps["openvino-int8"]


def test_what_a_step_says_of_this_processor_counts_like_what_a_backend_says(on: Callable[..., None]) -> None:
    on("avx2")
    dynamic = recipe.find_recipe("pytorch-int8-dynamic")
    chosen = catalog.step(dynamic.spec.steps[0].use)
    options = catalog.options_of(chosen, dynamic.spec.steps[0].options, "the test")
    assert "emulate" in chosen.unsuited("cpu", options, machine.this_machine())


def test_quick_takes_at_most_500_rows_and_20_seconds() -> None:
    plan = bench.plan(bench.request(bench.STARTER, ["onnx-fp32"], quick=True))
    assert plan.data["evaluation"]["n"] == 500 and plan.measure["time_cap_s"] <= 20 and plan.measure["quick"]
    assert bench.plan(bench.request(bench.STARTER, ["onnx-fp32"], n=100)).data["evaluation"]["n"] == 100


def test_two_recipes_of_one_name_get_two_rows_and_the_baseline_is_not_compared_with_itself(
    small: Small, tmp_path: Path
) -> None:
    other = make.make_recipe(tmp_path, "onnx-int8-dynamic", "onnx-fp32")
    plan = planned(small, recipes=[small.baseline, small.recipes[0], other])
    assert [one.name for one in plan.variants] == ["pytorch-fp32", "onnx-fp32", "onnx-fp32~2"]


def test_what_cannot_be_done_here_is_a_gap_with_its_reason(small: Small, tmp_path: Path) -> None:
    misfit = make.make_recipe(tmp_path, "onnx-fp32", "misfit")
    said = yaml.safe_load(misfit.read_text())
    said["spec"]["target"] |= {"backend": "pytorch"}
    misfit.write_text(yaml.safe_dump(said))
    nowhere = make.make_recipe(tmp_path, "onnx-fp32", "nowhere")
    said = yaml.safe_load(nowhere.read_text())
    said["spec"]["target"] |= {"device": "npu"}
    nowhere.write_text(yaml.safe_dump(said))
    plan = planned(small, recipes=[small.recipes[0], misfit, nowhere, "onnx-int8-static"])
    reasons = {gap.recipe: gap.reason for gap in plan.gaps}
    assert "pytorch reads" in reasons["misfit"] and "npu" in reasons["nowhere"]
    assert "calibration" in reasons["onnx-int8-static"] and "32" in reasons["onnx-int8-static"]
    assert [one.name for one in plan.variants] == ["pytorch-fp32", "onnx-fp32"]


def test_a_baseline_that_cannot_run_is_refused(small: Small, tmp_path: Path) -> None:
    with pytest.raises(RequestError) as caught:
        planned(small, baseline="onnx-int8-static")
    assert "baseline" in caught.value.what and "--baseline" in caught.value.fix


def test_a_key_changes_with_what_a_thing_is_made_from_and_with_nothing_else(small: Small, tmp_path: Path) -> None:
    plan, again = planned(small), planned(small)
    assert [work.key for work in plan.work] == [work.key for work in again.work]
    assert plan.fingerprint == again.fingerprint != planned(small, n=100).fingerprint
    made = {work.job["step"]: work.key for work in plan.work if isinstance(work, Make)}
    other = make.make_recipe(tmp_path, "onnx-int8-dynamic", options={"per_channel": False})
    changed = {work.job["step"]: work.key for work in planned(small, recipes=[other]).work if isinstance(work, Make)}
    assert changed["export-onnx"] == made["export-onnx"]
    assert changed["quantize-onnx-dynamic"] != made["quantize-onnx-dynamic"]
    moved = shutil.copytree(small.model, tmp_path / "elsewhere" / "model")
    assert [work.key for work in planned(small).work] == [
        work.key for work in bench.plan(bench.request(
            str(moved), small.recipes, baseline=small.baseline, data=str(small.rows))).work
    ]  # fmt: skip
    weights = bytearray((moved / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (moved / "model.safetensors").write_bytes(weights)
    one_byte = bench.plan(bench.request(str(moved), small.recipes, baseline=small.baseline, data=str(small.rows)))
    assert not {work.key for work in one_byte.work if work.id != "peaks"} & {work.key for work in plan.work}


def test_planning_builds_nothing_and_leaves_nothing_aside(small: Small, home: Path) -> None:
    planned(small)
    assert not [path for path in home.rglob("*") if path.suffix in (".onnx", ".xml", ".bin", ".safetensors")]
    assert not os.listdir(home / "aside") and not os.listdir(home / "runs")


def test_a_recipe_is_taken_as_it_is_asked_for_without_results_of_an_earlier_run(warm_run: tuple[Path, str]) -> None:
    measured = load(warm_run[0] / "runs" / warm_run[1] / "recipes" / "onnx-fp32.yaml")
    asked = planning.as_asked(measured, 0.05, None)
    assert measured.lock and not asked.lock and not asked.expect
    assert asked.spec.goal.constraints[0].max_drop == 0.05
