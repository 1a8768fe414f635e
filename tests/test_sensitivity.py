"""Which operators of a quantized model cost most, and leaving them alone without calibrating again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from models import built, context, make, step, texts

from tests.conftest import Small, command
from tests.small import make_rows
from workbench import bench
from workbench.errors import RequestError, WorkbenchError
from workbench.graph import coverage, read_onnx
from workbench.plugin import Repairs

STATIC = "quantize-onnx-static"
NNCF = "quantize-openvino"


def ranked(source: Path, made: Path, name: str = STATIC) -> dict[str, Any]:
    return dict(step(name).sensitivity(source, made, context(built(), texts(4), texts(8))))


def with_outliers(into: Path, source: Path) -> tuple[Path, str]:
    """The model with one column of one weight a thousand times larger, and the name of the operator that has it: with
    one scale a weight, all other columns of that operator are rounded to nothing."""
    import onnx
    from onnx import numpy_helper

    into.mkdir()
    for path in source.iterdir():
        (into / path.name).write_bytes(path.read_bytes())
    model = onnx.load(str(into / "model.onnx"))
    weights = {one.name: one for one in model.graph.initializer}
    node = [one for one in model.graph.node if one.op_type == "MatMul" and one.input[1] in weights][2]
    tensor = weights[node.input[1]]
    values = numpy_helper.to_array(tensor).copy()
    values[:, 0] *= 1000
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    onnx.save(model, str(into / "model.onnx"))
    return into, str(node.name)


def test_every_quantized_operator_is_ranked_and_its_own_error_is_small_where_quantization_is_good() -> None:
    source, made = built("export-onnx"), built("export-onnx", STATIC)
    found = ranked(source, made)
    total = sum(row["quantized"] for row in coverage(read_onnx(made / "model.onnx")).values())
    assert len(found["operators"]) == total and found["examples"] == 8
    errors = [row["error"] for row in found["operators"]]
    assert errors == sorted(errors, reverse=True) and 0 < errors[0] < 0.05
    assert 0 < found["outputs"] < 1
    names = {node.name for node in read_onnx(source / "model.onnx").nodes}
    assert {row["name"] for row in found["operators"]} <= names


def test_the_first_operator_has_nothing_before_it_so_its_own_error_is_all_it_carries() -> None:
    found = ranked(built("export-onnx"), built("export-onnx", STATIC))
    order = [node.name for node in read_onnx(built("export-onnx") / "model.onnx").nodes]
    first = min(found["operators"], key=lambda row: order.index(row["name"]))
    assert first["carried"] == pytest.approx(first["error"], rel=1e-3)


def test_an_operator_that_is_hurt_ranks_first_and_leaving_it_alone_heals_the_model(tmp_path: Path) -> None:
    source, hurt = with_outliers(tmp_path / "source", built("export-onnx"))
    made, _ = make(source, STATIC, per_channel=False)
    found = ranked(source, made)
    before = {
        row["name"]: row["error"] for row in ranked(built("export-onnx"), built("export-onnx", STATIC))["operators"]
    }
    assert found["operators"][0]["name"] == hurt and found["operators"][0]["error"] > 3 * before[hurt]
    options = step(STATIC).leaving({"per_channel": False}, [hurt])
    healed, _ = make(source, STATIC, **options)
    after = ranked(source, healed)
    assert hurt not in {row["name"] for row in after["operators"]} and after["outputs"] < found["outputs"]


def test_what_another_build_has_learned_gives_the_very_model_that_calibration_gives(tmp_path: Path) -> None:
    chosen, source = step(STATIC), built("export-onnx")
    worst = [row["name"] for row in ranked(source, built("export-onnx", STATIC))["operators"][:2]]
    options = chosen.Options(**chosen.leaving({}, worst))
    from_scratch, facts = make(source, STATIC, exclude=options.exclude)
    seen: list[Any] = []
    given = replace(context(built(), texts(8), texts(8), seen), like=built("export-onnx", STATIC))
    again = chosen.apply(source, tmp_path / "again", options, given)
    assert chosen.semantic(tmp_path / "again") == chosen.semantic(from_scratch) and again == facts
    assert not [one for one in seen if one[2] == "calibration"]
    assert chosen.semantic(from_scratch) != chosen.semantic(built("export-onnx", STATIC))


def test_a_model_in_which_nothing_is_quantized_has_nothing_to_rank() -> None:
    with pytest.raises(WorkbenchError, match="No operator of this model is quantized"):
        ranked(built("export-onnx"), built("export-onnx"))


def test_names_with_signs_of_patterns_are_left_alone_by_their_names_only() -> None:
    options = step(STATIC).leaving({"exclude": ["a*"]}, ["node[1]", "b"])
    assert options["exclude"] == ["a*", "b", "node[[]1]"] and isinstance(step(STATIC), Repairs)


def test_nncf_ranks_its_operators_too_and_leaves_alone_what_it_is_told_to() -> None:
    source, made = built("export-openvino"), built("export-openvino", NNCF)
    found = ranked(source, made, NNCF)
    errors = [row["error"] for row in found["operators"]]
    assert len(errors) >= 8 and errors == sorted(errors, reverse=True) and 0 < errors[0] < 0.2
    worst = [row["name"] for row in found["operators"][:2]]
    left, _ = make(source, NNCF, **step(NNCF).leaving({}, worst))
    after = ranked(source, left, NNCF)
    assert not {row["name"] for row in after["operators"]} & set(worst)
    assert len(after["operators"]) == len(errors) - 2


def test_nncf_brings_operators_back_from_what_it_has_made_as_it_does_from_scratch(
    tmp_path: Path,
) -> None:
    """Weights and biases as they were, activations unrounded; every other operator keeps what calibration gave it."""
    chosen, source, whole = step(NNCF), built("export-openvino"), built("export-openvino", NNCF)
    before = {row["name"]: row["error"] for row in ranked(source, whole, NNCF)["operators"]}
    worst = list(before)[:2]
    options = chosen.Options(**chosen.leaving({}, worst))
    from_scratch, facts = make(source, NNCF, revert=options.revert)
    seen: list[Any] = []
    given = replace(context(built(), texts(8), texts(8), seen), like=whole)
    again = chosen.apply(source, tmp_path / "again", options, given)
    assert chosen.semantic(tmp_path / "again") == chosen.semantic(from_scratch) and again == facts
    assert not [one for one in seen if one[2] == "calibration"]
    after = {row["name"]: row["error"] for row in ranked(source, from_scratch, NNCF)["operators"]}
    assert after == pytest.approx({name: error for name, error in before.items() if name not in worst}, rel=1e-3)


def test_an_operator_brought_back_reads_what_the_original_reads_with_the_very_weight(tmp_path: Path) -> None:
    import openvino

    source, whole = built("export-openvino"), built("export-openvino", NNCF)
    names = [row["name"] for row in ranked(source, whole, NNCF)["operators"]]
    given = replace(context(built(), texts(8), texts(8)), like=whole)
    step(NNCF).apply(source, tmp_path / "again", step(NNCF).Options(revert=tuple(names)), given)
    files = [folder / "openvino_model.xml" for folder in (source, tmp_path / "again")]
    before, after = ({op.get_friendly_name(): op for op in openvino.Core().read_model(file).get_ordered_ops()}
                     for file in files)  # fmt: skip
    for name in names:
        read, real = after[name].input_value(0).get_node(), before[name].input_value(0).get_node()
        assert read.get_friendly_name() == real.get_friendly_name()
        weights = [ops[name].input_value(1).get_node().data for ops in (before, after)]
        assert weights[1].dtype == np.float32 and np.array_equal(*weights)


def test_an_operator_that_is_not_there_cannot_be_brought_back(tmp_path: Path) -> None:
    given = replace(context(built(), texts(8), texts(8)), like=built("export-openvino", NNCF))
    with pytest.raises(WorkbenchError, match="no operator called nobody"):
        step(NNCF).apply(built("export-openvino"), tmp_path / "x", step(NNCF).Options(revert=("nobody",)), given)


# ---- as a person asks for it --------------------------------------------------------------------


@pytest.mark.slow
def test_the_ranking_is_shown_by_itself(small: Small, warm_home: Path) -> None:
    given = {"data": str(small.rows), "calibration": str(make_rows(warm_home / "calibration.csv", 64, seed=9))}
    flags = [word for name, value in given.items() for word in (f"--{name}", value)]
    done = command("sensitivity", str(small.model), "onnx-int8-static", *flags, "--quick")
    assert done.returncode == 0, done.stderr
    assert "operators" in done.stdout and "MatMul" in done.stdout and "Its own error" in done.stdout
    found = bench.sensitivity(str(small.model), "onnx-int8-static", **given, quick=True)
    assert found.step == STATIC and len(found.operators) >= 8
    assert np.all(np.diff([one.error for one in found.operators]) <= 0)
    assert found.to_dict()["operators"][0]["name"] == found.operators[0].name
    with pytest.raises(RequestError, match="no step that can tell"):
        bench.sensitivity(str(small.model), small.recipes[0], data=str(small.rows))
