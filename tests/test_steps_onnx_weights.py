"""ONNX in fewer bits: weights in blocks of four or eight, and float16; and static quantization for old processors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from models import built, context, make, pictures, step, texts

from workbench import catalog, machine, work
from workbench.backends import BACKENDS
from workbench.errors import WorkbenchError
from workbench.graph import read_onnx
from workbench.machine import Machine
from workbench.plugin import Point

pytestmark = pytest.mark.slow

ONNX = next(found() for found in BACKENDS if found.name == "onnxruntime")


def distance(folder: Any, model: str = "bert") -> float:
    """From the plain export, in units of the spread of the logits."""
    examples = texts(8) if model == "bert" else pictures(8)
    batch = context(built(model=model), examples).task.collate(examples, range(8))
    found, wanted = (
        ONNX.open(one, "cpu", 1, ONNX.Options()).infer(batch)["logits"]
        for one in (folder, built("export-onnx", model=model))
    )
    return float(np.abs(found - wanted).max() / wanted.std())


@pytest.mark.parametrize(("bits", "near"), [(4, 0.6), (8, 0.1)])
@pytest.mark.parametrize("model", ["bert", "vit"])
def test_weights_in_blocks_answer_nearly_the_same(bits: int, near: float, model: str) -> None:
    folder, facts = make(built("export-onnx", model=model), "compress-onnx-weights", model=model, bits=bits)
    assert distance(folder, model) < near
    row = facts["coverage"]["MatMul"]
    assert row["weights"] == row["quantized"] == row["total"] > 0


def test_products_of_compressed_weights_with_floats_are_not_called_quantized() -> None:
    folder, facts = make(built("export-onnx"), "compress-onnx-weights", accuracy_level=1, symmetric=True, block_size=16)
    assert facts["coverage"]["MatMul"] == {"quantized": 0, "total": 8, "weights": 8}
    assert ONNX.open(folder, "cpu", 1, ONNX.Options()).facts()["precision"] == "fp32"
    nodes = [node for node in read_onnx(folder / "model.onnx").nodes if node.type == "MatMulNBits"]
    assert len(nodes) == 8 and {node.attributes["block_size"] for node in nodes} == {16}


def test_a_product_can_be_left_alone_and_a_name_that_nothing_has_is_said() -> None:
    first = next(node.name for node in read_onnx(built("export-onnx") / "model.onnx").nodes if node.type == "MatMul")
    facts = make(built("export-onnx"), "compress-onnx-weights", exclude=[first])[1]
    assert facts["coverage"]["MatMul"]["weights"] == 7
    with pytest.raises(WorkbenchError, match="No operator is called"):
        make(built("export-onnx"), "compress-onnx-weights", exclude=["no_such_node"])


def test_float16_halves_the_weights_and_keeps_inputs_and_outputs() -> None:
    folder, facts = make(built("export-onnx"), "cast-onnx")
    assert next(iter(facts["weights"])) == "float16" and distance(folder) < 0.05
    assert {kind.partition("[")[0] for _, _, kind in read_onnx(folder / "model.onnx").outputs} == {"float32"}
    assert ONNX.open(folder, "cpu", 1, ONNX.Options()).facts()["precision"] == "fp16"


def test_operators_can_be_kept_out_of_float16() -> None:
    plain, kept = (
        read_onnx(make(built("export-onnx"), "cast-onnx", op_block_list=ops)[0] / "model.onnx").operators.get("Cast", 0)
        for ops in ((), ("MatMul",))
    )
    assert kept > plain


@pytest.mark.parametrize("name", ["cast-onnx", "compress-onnx-weights"])
def test_the_same_options_give_the_same_model(name: str) -> None:
    once, again = (step(name).semantic(make(built("export-onnx"), name)[0]) for _ in range(2))
    assert once == again != step(name).semantic(built("export-onnx"))


def test_float16_is_not_advised_on_a_processor_without_kernels_for_it() -> None:
    found, here = step("cast-onnx"), machine.this_machine().to_dict()
    intel = Machine(**here | {"architecture": "x86_64", "flags": ("avx2",)})
    arm = Machine(**here | {"architecture": "aarch64", "flags": ("asimd", "asimdhp")})
    assert "float16" in found.unsuited("cpu", found.Options(), intel)
    assert not found.unsuited("cpu", found.Options(), arm) and not found.unsuited("cuda", found.Options(), intel)


def test_seven_bit_weights_stay_within_seven_bits() -> None:
    folder, _ = make(built("export-onnx"), "quantize-onnx-static", reduce_range=True)
    graph = read_onnx(folder / "model.onnx")
    weights = [one for one in graph.constants.values() if one.dtype == "int8" and len(one.shape) == 2]
    assert weights
    assert max(int(np.abs(np.frombuffer(one.read(), np.int8).astype(int)).max()) for one in weights) <= 64


def test_several_requests_at_once_get_the_answers_of_one_after_another() -> None:
    session = ONNX.open(built("export-onnx"), "cpu", 1, ONNX.Options(requests=3))
    examples = texts(8)
    batches = [context(built(), examples).task.collate(examples, [at]) for at in range(8)]
    assert session.requests == 3
    for found, batch in zip(session.infer_all(batches), batches, strict=True):
        assert np.array_equal(found["logits"], session.infer(batch)["logits"])


def test_a_session_for_several_requests_has_a_point_for_them_and_one_for_one_has_none() -> None:
    task, examples = catalog.task("text-classification"), texts(8)
    batches = [context(built(), examples).task.collate(examples, [at]) for at in range(8)]
    headline = Point("natural, batch 1", "latency", "s", 1, None, batches)
    one, several = (ONNX.open(built("export-onnx"), "cpu", 1, ONNX.Options(requests=many)) for many in (1, 2))
    assert not work._concurrent(task, one, headline)
    (point,) = work._concurrent(task, several, headline)
    assert (point.name, point.in_flight, point.units) == ("natural, 2 requests in flight", 2, 1)
    turn = work._turn(point.batches, {"start": 0, "calls": 2}, point.in_flight)
    said = catalog.probe("speed").measure(task=task, session=several, batches=turn, in_flight=point.in_flight)
    assert len(turn) == 8 and len(said["concurrent"]) == 1 and said["concurrent"][0] > 0 and "latency" not in said


def test_every_provider_of_the_installed_build_is_a_device_or_is_elsewhere() -> None:
    import onnxruntime

    from workbench.backends.onnxruntime import ELSEWHERE, known_providers

    listed = {provider for provider, _ in known_providers().values()}
    assert set(onnxruntime.get_available_providers()) <= {*listed, *ELSEWHERE}
    assert set(onnxruntime.get_all_providers()) <= {*listed, *ELSEWHERE}
    assert all(remedy.endswith(".") for _, remedy in known_providers().values())
