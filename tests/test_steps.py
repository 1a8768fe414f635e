"""What every step promises, on two-layer models: one empty folder filled, the same answers, a hash that stays."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from models import built, context, make, pictures, step, texts
from pydantic import ValidationError

from workbench.backends import BACKENDS
from workbench.errors import WorkbenchError
from workbench.graph import read_ir, read_onnx, semantic
from workbench.machine import this_machine
from workbench.steps import STEPS

CHAINS = {
    "export-onnx": ("export-onnx",),
    "quantize-onnx-dynamic": ("export-onnx", "quantize-onnx-dynamic"),
    "quantize-onnx-static": ("export-onnx", "quantize-onnx-static"),
    "export-openvino": ("export-openvino",),
    "quantize-openvino": ("export-openvino", "quantize-openvino"),
    "compress-weights": ("export-openvino", "compress-weights"),
    "cast": ("cast",),
    "quantize-torchao": ("quantize-torchao",),
    "cast-onnx": ("export-onnx", "cast-onnx"),
    "compress-onnx-weights": ("export-onnx", "compress-onnx-weights"),
}
# How far a logit may be from PyTorch's, in units of the spread of the logits.
NEAR = {"export-onnx": 1e-4, "export-openvino": 1e-4, "cast": 0.1, "compress-onnx-weights": 0.6}
FEW_BITS = 0.25 if this_machine().computes("int8") else 1.0  # where U8S8 products saturate, few bits are fewer


def run(folder: Path, format: str, batch: dict[str, np.ndarray], auto_class: str = "") -> np.ndarray:
    backend = next(found() for found in BACKENDS if format in found.reads)
    options = {"auto_class": auto_class} if auto_class and format == "transformers" else {}
    return backend.open(folder, "cpu", 1, backend.Options(**options)).infer(batch)["logits"]


def distance(found: np.ndarray, wanted: np.ndarray) -> float:
    return float(np.abs(found - wanted).max() / wanted.std())


@pytest.mark.parametrize("name", CHAINS)
def test_every_step_gives_the_answers_of_the_model_it_began_with(name: str) -> None:
    examples = texts(8)
    task = context(built(), examples).task
    folder = built(*CHAINS[name])
    for size in (1, 8):
        batch = task.collate(examples, range(8 - size, 8))
        found = run(folder, step(name).gives, batch)
        assert found.shape == (size, 3)
        assert distance(found, run(built(), "transformers", batch)) < NEAR.get(name, FEW_BITS)


@pytest.mark.parametrize("name", ["export-onnx", "export-openvino", "quantize-onnx-static", "quantize-openvino"])
def test_masked_padding_changes_no_answer(name: str) -> None:
    examples = texts(4)
    task = context(built(), examples).task
    folder, format = built(*CHAINS[name]), step(name).gives
    together = run(folder, format, task.collate(examples, range(4)))
    alone = [run(folder, format, task.collate(examples, [index]))[0] for index in range(4)]
    assert distance(together, np.stack(alone)) < 1e-3


@pytest.mark.parametrize("name", ["export-onnx", "quantize-onnx-static", "export-openvino", "quantize-openvino"])
def test_pictures_work_as_well(name: str) -> None:
    examples = pictures(8)
    batch = context(built(model="vit"), examples).task.collate(examples, range(8))
    found = run(built(*CHAINS[name], model="vit"), step(name).gives, batch)
    wanted = run(built(model="vit"), "transformers", batch, "AutoModelForImageClassification")
    assert distance(found, wanted) < NEAR.get(name, FEW_BITS)


@pytest.mark.parametrize("name", CHAINS)
def test_a_result_is_a_whole_folder(name: str) -> None:
    there = {path.name for path in built(*CHAINS[name]).iterdir()}
    assert {"config.json", "vocab.txt"} <= there


@pytest.mark.parametrize("found", STEPS, ids=lambda found: found.name)
def test_a_folder_with_something_in_it_is_refused(found: Any, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    source = built("export-onnx" if "onnx" in found.takes else "export-openvino")
    source = built() if "transformers" in found.takes else source
    with pytest.raises(WorkbenchError, match="not empty"):
        found().apply(source, tmp_path, found.Options(), context(built(), texts(4), texts(4)))
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("found", STEPS, ids=lambda found: found.name)
def test_every_option_is_explained_and_no_other_is_taken(found: Any) -> None:
    assert all(field.description for field in found.Options.model_fields.values())
    with pytest.raises(ValidationError):
        found.Options(per_chanel=True)


def test_no_step_prints_and_calibration_reports_progress(capfd: pytest.CaptureFixture[str]) -> None:
    seen: list[Any] = []
    make(built("export-onnx"), "quantize-onnx-static", seen=seen)
    make(built("export-openvino"), "quantize-openvino", seen=seen)
    assert (0, 8, "calibration") in seen
    out, error = capfd.readouterr()
    assert not out
    assert not error


def test_calibration_that_is_missing_is_said() -> None:
    chosen = step("quantize-onnx-static")
    into = built().parent / "nothing"
    with pytest.raises(WorkbenchError, match="needs calibration"):
        chosen.apply(built("export-onnx"), into, chosen.Options(), context(built(), texts(4)))


# ---- what was quantized ---------------------------------------------------------------------------


def test_every_product_with_a_weight_is_quantized() -> None:
    for source, name in (("export-onnx", "quantize-onnx-dynamic"), ("export-onnx", "quantize-onnx-static")):
        rows = make(built(source), name)[1]["coverage"].values()
        assert rows
        assert all(row["quantized"] == row["total"] for row in rows)
    rows = make(built("export-openvino"), "quantize-openvino")[1]["coverage"]
    assert rows["MatMul"]["quantized"] == rows["MatMul"]["total"] == 14


def test_an_empty_coverage_can_be_seen() -> None:
    facts = make(built("export-onnx"), "quantize-onnx-dynamic", exclude=["*"])[1]
    assert facts["coverage"]["MatMul"]["quantized"] == 0
    assert facts["coverage"]["MatMul"]["total"] == 10


def test_compressed_weights_are_not_called_quantized_products() -> None:
    row = make(built("export-openvino"), "compress-weights")[1]["coverage"]["MatMul"]
    assert (row["quantized"], row["weights"], row["total"]) == (0, 14, 14)


def test_a_name_to_exclude_that_nothing_has_is_said() -> None:
    with pytest.raises(WorkbenchError, match="No operator is called"):
        make(built("export-onnx"), "quantize-onnx-dynamic", exclude=["no_such_node"])


@pytest.mark.parametrize("calibration", ["percentile", "entropy"])
def test_histogram_calibration_takes_examples_of_any_length(calibration: str) -> None:
    folder, facts = make(built("export-onnx"), "quantize-onnx-static", calibration=calibration)
    assert facts["calibrated"] == 8
    batch = context(built(), texts(8)).task.collate(texts(8), range(8))
    assert distance(run(folder, "onnx", batch), run(built(), "transformers", batch)) < 2 * FEW_BITS


@pytest.mark.parametrize(
    "options",
    [{"format": "qoperator"}, {"inputs_only": False}, {"symmetric_activations": True, "activation_type": "int8"}],
    ids=lambda options: next(iter(options)),
)
def test_other_ways_of_static_quantization_run(options: dict[str, Any]) -> None:
    folder, _ = make(built("export-onnx"), "quantize-onnx-static", **options)
    batch = context(built(), texts(8)).task.collate(texts(8), range(8))
    assert distance(run(folder, "onnx", batch), run(built(), "transformers", batch)) < 2 * FEW_BITS


def test_only_what_goes_into_products_is_rounded() -> None:
    graph = read_onnx(built("export-onnx", "quantize-onnx-static") / "model.onnx")
    rounded = {
        value for node in graph.nodes if node.type == "DequantizeLinear" and node.inputs[0] not in graph.constants
        for value in node.outputs
    }  # fmt: skip
    assert {node.type for node in graph.nodes if rounded & set(node.inputs)} == {"MatMul", "Gemm"}


def test_a_cast_halves_the_weights() -> None:
    folder, facts = make(built(), "cast", dtype="float16")
    assert facts["dtypes"] == {"F16": 41}
    assert facts["overflows"] == 0
    assert (folder / "model.safetensors").stat().st_size < 0.6 * (built() / "model.safetensors").stat().st_size


# ---- the semantic hash ----------------------------------------------------------------------------

AGAIN = """
import sys
from pathlib import Path
from models import context, step, texts
model, into = Path(sys.argv[1]), Path(sys.argv[2])
given = context(model, texts(8), texts(8))
for names in sys.argv[3:]:
    folder = model
    for name in names.split("+"):
        chosen, source, folder = step(name), folder, into / name
        if not folder.exists():
            chosen.apply(source, folder, chosen.Options(), given)
    print(chosen.semantic(folder))
"""


def test_two_processes_build_the_same_models(tmp_path: Path) -> None:
    last = [chain for name, chain in CHAINS.items() if not name.startswith("export")] + [("prune",)]
    script = tmp_path / "again.py"
    script.write_text(AGAIN, encoding="utf-8")
    here = Path(__file__).parent
    environment = os.environ | {"PYTHONPATH": f"{here}{os.pathsep}{here.parent}", "PYTHONHASHSEED": "77"}
    asked = [sys.executable, str(script), str(built()), str(tmp_path), *map("+".join, last)]
    found = subprocess.run(asked, env=environment, capture_output=True, text=True, check=True)
    assert found.stdout.split() == [step(chain[-1]).semantic(built(*chain)) for chain in last]


def test_names_order_and_producer_do_not_count_but_one_weight_does(tmp_path: Path) -> None:
    import onnx

    source = built("export-onnx", "quantize-onnx-dynamic")
    before = step("export-onnx").semantic(source)
    model = onnx.load(str(source / "model.onnx"))
    model.producer_name = "somebody else"
    names = {value for node in model.graph.node for value in node.output} - {out.name for out in model.graph.output}
    for node in model.graph.node:
        node.name = ""
        for values in (node.input, node.output):
            for place, value in enumerate(values):
                values[place] = f"{value}_renamed" if value in names else value
    onnx.save(model, str(tmp_path / "model.onnx"))
    assert step("export-onnx").semantic(tmp_path) == before
    weight = next(tensor for tensor in model.graph.initializer if len(tensor.raw_data) > 1000)
    weight.raw_data = bytes([weight.raw_data[0] ^ 1]) + weight.raw_data[1:]
    onnx.save(model, str(tmp_path / "model.onnx"))
    assert step("export-onnx").semantic(tmp_path) != before


def test_the_ir_reader_agrees_with_itself_about_order() -> None:
    graph = read_ir(built("export-openvino") / "openvino_model.xml")
    known = set(graph.constants) | {value for _, value, _ in graph.inputs} | {""}
    for node in graph.nodes:
        assert set(node.inputs) <= known
        known |= set(node.outputs)
    assert {name for name, _, _ in graph.inputs} >= {"input_ids", "attention_mask"}
    assert [name for name, _, _ in graph.outputs] == ["logits"]
    assert len(semantic(graph)) == 64


# ---- existing -------------------------------------------------------------------------------------


def existing(source: Path, file: str = "") -> tuple[Path, dict[str, Any]]:
    folder, facts = make(source, "existing", file=file)
    chosen = step("existing")
    assert chosen.format_of(source, chosen.Options(file=file)) == facts["format"]
    return folder, facts


@pytest.mark.parametrize("name", ["export-onnx", "export-openvino"])
def test_a_plain_folder_is_taken_as_it_is(name: str) -> None:
    folder, facts = existing(built(name))
    assert facts["format"] == step(name).gives
    assert step("existing").semantic(folder) == step(name).semantic(built(name))


def test_a_repository_with_an_onnx_folder_gives_the_variant_asked_for(tmp_path: Path) -> None:
    shutil.copytree(built(), tmp_path, dirs_exist_ok=True)
    shutil.copytree(built("export-onnx"), tmp_path / "onnx")
    quantized = built("export-onnx", "quantize-onnx-dynamic")
    shutil.copyfile(quantized / "model.onnx", tmp_path / "onnx" / "model_quantized.onnx")
    folder, facts = existing(tmp_path)
    assert (facts["format"], facts["file"]) == ("onnx", "onnx/model.onnx")
    assert (folder / "model.onnx.data").is_file()
    folder, facts = existing(tmp_path, "model_quantized.onnx")
    assert facts["coverage"]["MatMul"]["quantized"] == 10
    assert step("existing").semantic(folder) == step("export-onnx").semantic(quantized)
    assert existing(tmp_path, "onnx/*quant*")[1]["file"] == "onnx/model_quantized.onnx"


def test_pytorch_weights_are_taken_where_nothing_else_is() -> None:
    folder, facts = existing(built())
    assert facts["format"] == "transformers"
    assert step("existing").semantic(folder) == step("cast").semantic(built())


def test_a_file_that_is_not_there_is_said_with_what_is(tmp_path: Path) -> None:
    shutil.copytree(built("export-onnx"), tmp_path / "onnx")
    with pytest.raises(WorkbenchError, match=r"onnx/model\.onnx"):
        existing(tmp_path, "model_int4.onnx")
    (tmp_path / "onnx" / "model.onnx.data").unlink()
    with pytest.raises(WorkbenchError, match=r"needs model\.onnx\.data"):
        existing(tmp_path)


@pytest.mark.slow
def test_every_file_of_a_model_in_two_is_quantized(tmp_path: Path) -> None:
    """One that goes on in another graph than it began in: here the same one twice."""
    import onnx

    source, into = tmp_path / "two", tmp_path / "quantized"
    shutil.copytree(built("export-onnx"), source)
    onnx.save(onnx.load(str(source / "model.onnx")), str(source / "decode.onnx"))
    quantize = step("quantize-onnx-dynamic")
    facts = quantize.apply(source, into, quantize.Options(), context(source, texts(8)))
    once = make(built("export-onnx"), "quantize-onnx-dynamic")[1]["coverage"]["MatMul"]
    assert facts["coverage"]["MatMul"] == {name: 2 * count for name, count in once.items()}
    assert sorted(path.name for path in into.glob("*.onnx")) == ["decode.onnx", "model.onnx"]
    assert quantize.semantic(source) != quantize.semantic(built("export-onnx"))
