"""Machine classes are data files with sources; choosing one orders the shelf, and nothing is measured elsewhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.conftest import command
from workbench import bench, catalog, inventory, machine, target
from workbench.errors import RequestError
from workbench.machine import Machine, this_machine
from workbench.recipe import shelf
from workbench.recipe_keys import TargetKeys
from workbench.target import MachineClass, find_target, lacks, resolved, targets

CATALOGUE = [one for one in targets() if one.name != target.THIS_MACHINE]
WANTED = {"x86-avx2", "x86-vnni", "x86-amx", "arm-dotprod", "arm-i8mm", "arm-sve", "apple-silicon", "nvidia-t4",
          "nvidia-l4", "nvidia-a10g", "nvidia-a100", "nvidia-h100", "intel-gpu", "intel-npu", "amd-gpu", "amd-npu",
          "qualcomm-npu", "aws-inferentia", "aws-trainium", "intel-gaudi", "graphcore-ipu", "phone",
          "browser"}  # fmt: skip


# ---- the files ----------------------------------------------------------------------------------


def test_this_machine_is_the_first_target_and_the_others_are_there() -> None:
    names = [each.name for each in targets()]
    assert names[0] == "this-machine" and len(names) == len(set(names)) and set(names) >= WANTED
    assert all(each.summary.endswith(".") for each in targets())


@pytest.mark.parametrize("one", CATALOGUE, ids=lambda one: str(one.name))
def test_a_target_says_what_suits_it_and_who_says_so(one: MachineClass) -> None:
    assert one.suits and one.build_here and one.measure_there and one.devices
    for said in (*one.suits, *one.unsuited):
        assert said.why.endswith(".") and said.source.title and said.source.url.startswith("https://")
    for suits in one.suits:
        assert suits.backend is None or suits.backend in catalog.backends()
        assert suits.recipes or suits.lacking.endswith(".")


@pytest.mark.parametrize("one", CATALOGUE, ids=lambda one: str(one.name))
def test_every_recipe_that_a_target_names_is_on_the_shelf_for_that_backend_and_device(one: MachineClass) -> None:
    suited, unsuited = one.suited(), [name for said in one.unsuited for name in said.recipes]
    assert not {*suited, *unsuited} - set(shelf()) and not {*suited} & {*unsuited}
    for name, said in suited.items():
        runs_on = shelf()[name].spec.target
        assert (runs_on.backend, runs_on.device) == (said.backend, said.device) and runs_on.device in one.devices


@pytest.mark.parametrize("one", CATALOGUE, ids=lambda one: str(one.name))
def test_every_device_that_a_target_names_is_one_of_the_backends(one: MachineClass) -> None:
    known = {device.name for backend in catalog.backends().values() for device in backend.devices()}
    assert set(one.devices) <= known or one.never
    for suits in one.suits:
        if suits.backend:
            assert suits.device in {device.name for device in catalog.backend(suits.backend).devices()}


def test_a_target_without_a_recipe_is_one_that_no_backend_or_step_here_can_serve() -> None:
    none = {one.name for one in CATALOGUE if not one.suited()}
    assert none == {"amd-npu", "aws-inferentia", "aws-trainium", "graphcore-ipu", "intel-gaudi"}


def test_every_recipe_for_another_device_is_named_by_a_target() -> None:
    elsewhere = {name for name, one in shelf().items() if one.spec.target.device != "cpu"}
    assert elsewhere and elsewhere <= {name for one in CATALOGUE for name in one.suited()}


def test_a_file_without_a_source_or_with_neither_recipe_nor_what_is_lacking_is_refused() -> None:
    said = find_target("x86-amx").model_dump(mode="json")
    for key, value in (("source", {"title": "Rumour", "url": "http://example.org"}), ("recipes", [])):
        with pytest.raises(ValueError, match="url" if key == "source" else "lacking"):
            MachineClass(**said | {"suits": [said["suits"][0] | {key: value}]})


def test_what_upstream_gave_up_is_called_so() -> None:
    assert "no longer maintained" in find_target("graphcore-ipu").summary


def test_a_misspelt_target_gets_the_nearest() -> None:
    with pytest.raises(RequestError, match="Did you mean `x86-vnni`"):
        find_target("x86-vnn")


def test_auto_threads_become_a_number_and_a_number_stays() -> None:
    assert resolved(TargetKeys(backend="pytorch"), 2).threads == 2
    assert resolved(TargetKeys(backend="pytorch", threads=3), 2).threads == 3


# ---- a machine, and a class ---------------------------------------------------------------------

XEON = replace(this_machine(), architecture="x86_64", flags=("avx2", "avx512_vnni", "amx_int8", "amx_bf16"),
               os="Linux 6.8", cpu="Intel(R) Xeon(R)", accelerators=(), cores=8, memory_bytes=64 << 30)  # fmt: skip
MAC = replace(XEON, architecture="arm64", flags=(), os="Darwin 25.1.0", cpu="Apple M4")
SNAPDRAGON = replace(XEON, architecture="ARM64", flags=(), os="Windows 11", cpu="Qualcomm Technologies Inc")


@pytest.mark.parametrize(
    ("name", "here", "reason"),
    [
        ("x86-amx", XEON, ""),
        ("x86-amx", replace(XEON, flags=("avx2",)), "this CPU has no avx512_vnni, amx_int8, amx_bf16"),
        ("arm-sve", XEON, "this machine is x86_64, not aarch64"),
        ("apple-silicon", MAC, ""),
        ("apple-silicon", replace(MAC, os="Linux 6.8"), "this machine runs Linux, not Darwin"),
        ("nvidia-l4", replace(XEON, accelerators=("NVIDIA L4",)), ""),
        ("nvidia-l4", replace(XEON, accelerators=("NVIDIA L40S",)), "no accelerator called NVIDIA L4 was found here"),
        ("nvidia-t4", replace(XEON, accelerators=("NVIDIA Tesla T4",)), ""),
        ("nvidia-a100", replace(XEON, accelerators=("NVIDIA A100-SXM4-80GB",)), ""),
        ("intel-gpu", replace(XEON, accelerators=("Intel GPU (xe)",)), ""),
        ("intel-npu", replace(XEON, accelerators=("Intel GPU (xe)",)), "no accelerator called Intel NPU was found"),
        ("qualcomm-npu", SNAPDRAGON, ""),
        ("qualcomm-npu", MAC, "its CPU is no Qualcomm"),
        ("x86-amx", replace(XEON, memory_bytes=1 << 30), "it wants 1 cores and 2 GB"),
        ("phone", XEON, "does not run on a phone"),
        ("browser", XEON, "does not run in a browser"),
        ("aws-trainium", XEON, "no backend for AWS Neuron"),
    ],
)
def test_a_machine_is_of_a_class_or_lacks_something_by_name(name: str, here: Machine, reason: str) -> None:
    said = lacks(find_target(name), here)
    assert reason in said if reason else not said


# ---- choosing one -------------------------------------------------------------------------------


@pytest.fixture
def on(monkeypatch: pytest.MonkeyPatch) -> Callable[[Machine], None]:
    """Plan as on another machine."""
    return lambda here: monkeypatch.setattr(machine, "this_machine", lambda: here)


def names(plan: bench.Plan) -> list[str]:
    return [variant.name for variant in plan.variants]


def test_suited_recipes_come_first_and_unsuited_ones_are_gaps_with_their_source(on: Callable[[Machine], None]) -> None:
    on(replace(XEON, flags=("avx2",)))
    plan = bench.plan(bench.request(bench.STARTER, target="x86-avx2"))
    assert names(plan) == ["pytorch-fp32", *find_target("x86-avx2").suited()] and not plan.target["missing"]
    reasons = {gap.recipe: gap.reason for gap in plan.gaps}
    assert set(reasons) == {"pytorch-bf16", "openvino-bf16"}
    assert all("does not suit x86-avx2" in said and "https://" in said and "-r " in said for said in reasons.values())
    assert {variant.recipe["spec"]["target"]["machine"] for variant in plan.variants} == {"x86-avx2"}


def test_a_recipe_that_is_named_is_planned_however_unsuited(on: Callable[[Machine], None]) -> None:
    on(replace(MAC, flags=()))
    plan = bench.plan(bench.request(bench.STARTER, ["openvino-int8"], target="apple-silicon"))
    assert names(plan) == ["pytorch-fp32", "openvino-int8"] and not plan.gaps


def test_a_plan_for_another_machine_lists_what_suits_it_and_is_not_measured_here(on: Callable[[Machine], None]) -> None:
    on(replace(XEON, flags=("avx2",)))
    plan = bench.plan(bench.request(bench.STARTER, target="x86-amx"))
    assert names(plan)[1] == "openvino-bf16" and "amx_int8" in plan.target["missing"] and not plan.gaps
    assert plan.target["suited"]["openvino-bf16"]["source"].endswith("cpu-device.html")
    with pytest.raises(RequestError) as caught:
        bench.submit(plan)
    assert "no x86-amx" in caught.value.what and "never shown" in caught.value.why
    assert "workbench run openvino-bf16.yaml --model starter:sentiment" in caught.value.fix
    assert not bench.runs()


def test_a_gpu_is_planned_with_its_own_recipe_and_with_none_for_the_cpu_and_says_what_is_lacking() -> None:
    plan = bench.plan(bench.request(bench.STARTER, target="nvidia-h100"))
    assert names(plan) == ["pytorch-fp32", *find_target("nvidia-h100").suited()]
    assert {"onnx-fp16-tensorrt", "pytorch-bf16-cuda", "onnx-fp16-cuda"} < set(names(plan))
    assert any("TensorRT's INT8" in one for one in plan.target["lacking"])
    assert all("runs on cpu" in gap.reason for gap in plan.gaps) and len(plan.gaps) >= 8
    with pytest.raises(RequestError, match="NVIDIA H100"):
        bench.submit(plan)


def test_a_plan_keeps_its_target_on_disk(on: Callable[[Machine], None]) -> None:
    plan = bench.plan(bench.request(bench.STARTER, target="x86-amx"))
    assert bench.Plan.from_dict(json.loads(json.dumps(plan.to_dict()))).target == plan.target


# ---- listing ------------------------------------------------------------------------------------


def test_this_machine_is_described_in_detail() -> None:
    here = inventory.here()
    assert here["cores"] >= here["threads"] >= 1 and here["memory_bytes"] > 1 << 28
    assert set(here["native"]) == set(machine.NATIVE) and here["runtimes"]["torch"].startswith("2.")
    assert sorted(here["is"]) == [one["name"] for one in bench.targets()[1:] if not one["missing"]]


def test_the_narrowest_class_of_a_machine_comes_first() -> None:
    assert [one.name for one in target.classes_of(XEON)] == ["x86-amx", "x86-vnni", "x86-avx2"]


def test_one_target_is_shown_in_full_and_as_json() -> None:
    plain, told = command("targets", "nvidia-t4"), command("targets", "nvidia-t4", "--json")
    assert "TensorRT" in plain.stdout and "https://docs.nvidia.com" in plain.stdout and "lacking:" in plain.stdout
    said = json.loads(told.stdout)
    assert said["name"] == "nvidia-t4" and said["suits"][1]["precisions"] == ["fp16"] and said["lacking"]
    assert command("targets", "nvidia-t5").returncode == 2


def test_comparing_for_another_machine_is_a_wrong_request_that_says_where_to_run_it() -> None:
    done = command("compare", bench.STARTER, "--target", "browser")
    assert done.returncode == 2 and "does not run in a browser" in done.stderr and done.stdout == ""
    plan = command("plan", "compare", bench.STARTER, "--target", "browser")
    assert plan.returncode == 0 and "onnx-int8-dynamic suits browser" in plan.stdout
    assert "Nothing of this is measured here" in plan.stdout
