"""What every backend promises, on a two-layer model: plain arrays, facts read back, a profile, an audit."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from models import built, context, make, pictures, texts
from pydantic import ValidationError

from workbench.backends import BACKENDS
from workbench.errors import RequestError, WorkbenchError
from workbench.plugin import Profiles

BY_NAME: dict[str, Any] = {found.name: found() for found in BACKENDS}
FOLDERS = {"pytorch": (), "onnxruntime": ("export-onnx",), "openvino": ("export-openvino",),
           "executorch": ("export-executorch",)}  # fmt: skip
PROFILING = [name for name, backend in BY_NAME.items() if Profiles in backend.promises]


def opened(name: str, *chain: str, threads: int = 1, **options: Any) -> Any:
    backend = BY_NAME[name]
    return backend.open(built(*(chain or FOLDERS[name])), "cpu", threads, backend.Options(**options))


def batch_of(count: int) -> dict[str, np.ndarray]:
    examples = texts(count)
    return context(built(), examples).task.collate(examples, range(count))


@pytest.mark.parametrize("name", BY_NAME)
def test_inputs_nobody_knows_are_ignored_and_token_types_are_filled_in(name: str) -> None:
    batch = batch_of(2)
    session = opened(name)
    plain = session.infer(batch)
    more = session.infer(batch | {"junk": np.zeros(3), "token_type_ids": np.zeros_like(batch["input_ids"])})
    assert list(plain) == ["logits"]
    assert plain["logits"].dtype == np.float32
    assert np.array_equal(plain["logits"], more["logits"])


@pytest.mark.parametrize("name", BY_NAME)
def test_answers_stay_when_the_next_call_comes(name: str) -> None:
    session = opened(name)
    first = session.infer(batch_of(1))["logits"]
    kept = first.copy()
    session.infer({key: value[:, ::-1].copy() for key, value in batch_of(1).items()})
    session.wait()
    assert np.array_equal(first, kept)
    session.close()


@pytest.mark.parametrize(
    ("name", "chain", "options", "precision"),
    [
        ("pytorch", (), {}, "fp32"),
        ("pytorch", ("cast",), {}, "fp32"),
        ("pytorch", (), {"dtype": "bfloat16"}, "bf16"),
        ("pytorch", (), {"dtype": "float16"}, "fp16"),
        ("onnxruntime", ("export-onnx",), {}, "fp32"),
        ("onnxruntime", ("export-onnx", "quantize-onnx-dynamic"), {}, "int8"),
        ("onnxruntime", ("export-onnx", "quantize-onnx-static"), {}, "int8"),
        ("openvino", ("export-openvino",), {}, "fp32"),
        ("openvino", ("export-openvino", "quantize-openvino"), {}, "int8"),
        ("openvino", ("export-openvino", "compress-weights"), {}, "fp32"),
        ("executorch", ("export-executorch",), {}, "fp32"),
    ],
)
def test_precision_is_read_back(name: str, chain: tuple[str, ...], options: dict[str, Any], precision: str) -> None:
    backend = BY_NAME[name]
    session = backend.open(built(*chain), "cpu", 1, backend.Options(**options))
    session.infer(batch_of(1))
    facts = session.facts()
    assert facts["precision"] == precision
    assert facts["device"] == "cpu"


def test_bfloat16_is_asked_for_and_what_runs_is_said() -> None:
    """A processor without such units runs float32 whatever is asked for, and the facts say so."""
    import openvino

    facts = opened("openvino", precision="bf16").facts()
    able = "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    assert facts["precision"] == ("bf16" if able else "fp32")


@pytest.mark.parametrize("name", BY_NAME)
def test_threads_are_what_was_asked_for(name: str) -> None:
    assert opened(name, threads=1).facts()["threads"] == 1


def test_operators_are_counted_by_where_they_run() -> None:
    placement = opened("onnxruntime").facts()["placement"]
    assert list(placement) == ["CPUExecutionProvider"]
    assert placement["CPUExecutionProvider"] > 20


@pytest.mark.parametrize("name", PROFILING)
def test_a_profile_names_the_longest_operator_first(name: str) -> None:
    session = opened(name)
    assert isinstance(session, Profiles)
    rows = session.profile([batch_of(2)] * 2)
    assert {"name", "type", "precision", "provider", "seconds"} <= rows[0].keys()
    seconds = [row["seconds"] for row in rows]
    assert seconds == sorted(seconds, reverse=True)
    assert 0 < sum(seconds) < 1


@pytest.mark.parametrize("name", BY_NAME)
def test_devices_that_are_missing_say_what_would_add_them(name: str) -> None:
    devices = {device.name: device for device in BY_NAME[name].devices()}
    assert not devices["cpu"].missing
    for device in devices.values():
        assert device.missing or device.description
        if device.missing:
            with pytest.raises(RequestError):
                BY_NAME[name].open(built(*FOLDERS[name]), device.name, 1, BY_NAME[name].Options())


@pytest.mark.parametrize("name", BY_NAME)
def test_a_device_nobody_knows_is_refused(name: str) -> None:
    with pytest.raises(RequestError, match="abacus"):
        BY_NAME[name].open(built(*FOLDERS[name]), "abacus", 1, BY_NAME[name].Options())


@pytest.mark.parametrize("name", BY_NAME)
def test_every_option_is_explained_and_no_other_is_taken(name: str) -> None:
    options = BY_NAME[name].Options
    assert all(field.description for field in options.model_fields.values())
    with pytest.raises(ValidationError):
        options(thread=2)


@pytest.mark.parametrize("name", BY_NAME)
def test_a_folder_without_a_model_is_a_short_error(name: str, tmp_path: Path) -> None:
    with pytest.raises(WorkbenchError):
        BY_NAME[name].open(tmp_path, "cpu", 1, BY_NAME[name].Options())


def test_an_input_the_task_does_not_give_is_named() -> None:
    batch = context(built(), pictures(1)).task.collate(pictures(1), [0])
    with pytest.raises(WorkbenchError, match="wants the input input_ids"):
        opened("onnxruntime").infer(batch)


# ---- audits ---------------------------------------------------------------------------------------


def test_a_good_static_model_has_no_pair_left() -> None:
    audit = BY_NAME["onnxruntime"].audit(built("export-onnx", "quantize-onnx-static"))
    assert audit["qdq_pairs"] == 10
    assert audit["qdq_unfused"] == 0
    assert all(row["quantized"] == row["total"] for row in audit["coverage"].values())
    assert audit["optimized"]["operators"]["MatMulIntegerToFloat"] == 8


def test_pairs_that_no_kernel_takes_are_counted() -> None:
    folder, _ = make(built("export-onnx"), "quantize-onnx-static", inputs_only=False)
    audit = BY_NAME["onnxruntime"].audit(folder)
    assert 0 < audit["qdq_unfused"] < audit["qdq_pairs"]


def test_a_model_nobody_quantized_covers_nothing() -> None:
    audit = BY_NAME["onnxruntime"].audit(built("export-onnx"))
    assert audit["coverage"]["MatMul"] == {"quantized": 0, "total": 8, "weights": 0}
    assert audit["fused"]["SkipLayerNormalization"] == 4
    assert next(iter(audit["precision"])) == "float32"


def test_weights_and_quantizers_of_an_openvino_file_are_counted() -> None:
    audit = BY_NAME["openvino"].audit(built("export-openvino", "quantize-openvino"))
    assert audit["coverage"]["MatMul"]["quantized"] == audit["coverage"]["MatMul"]["total"] == 14
    assert audit["qdq_pairs"] > 0
    assert next(iter(audit["precision"])) == "int8"


def test_modules_are_counted_without_loading_a_weight() -> None:
    audit = BY_NAME["pytorch"].audit(built())
    assert audit["operators"]["Linear"] == 14
    assert list(audit["precision"]) == ["float32"]


# ---- light sessions -------------------------------------------------------------------------------

LIGHT = """
import sys
from pathlib import Path
import numpy as np
from workbench.backends import BACKENDS
assert not {"torch", "transformers", "onnxruntime", "openvino"} & set(sys.modules), "importing the room is light"
backend = next(found() for found in BACKENDS if found.name == sys.argv[1])
folder = Path(sys.argv[2])
session = backend.open(folder, "cpu", 1, backend.Options())
ids = np.array([[2, 5, 7, 3]])
session.infer({"input_ids": ids, "attention_mask": np.ones_like(ids)})
session.facts(), session.profile([{"input_ids": ids, "attention_mask": np.ones_like(ids)}]), backend.audit(folder)
print(sorted({"torch", "transformers"} & set(sys.modules)))
"""


@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
def test_measuring_imports_neither_torch_nor_transformers(name: str, tmp_path: Path) -> None:
    script = tmp_path / "light.py"
    script.write_text(LIGHT, encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent.parent)}
    asked = [sys.executable, str(script), name, str(built(*FOLDERS[name]))]
    assert subprocess.run(asked, env=environment, capture_output=True, text=True, check=True).stdout.strip() == "[]"


# ---- without the workbench ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "chain"), [*FOLDERS.items(), ("pytorch", ("quantize-torchao",)), ("pytorch", ("cast",))]
)
def test_the_lines_for_somebody_without_the_workbench_open_the_files(name: str, chain: tuple[str, ...]) -> None:
    known = {"folder": str(built(*chain))}
    exec(BY_NAME[name].opening(built(*chain), "AutoModelForSequenceClassification"), known)
    assert callable(known["model"]) or hasattr(known["model"], "run") or hasattr(known["model"], "execute")


def test_where_only_the_workbench_can_open_a_file_no_lines_are_given() -> None:
    folder, _ = make(built(), "quantize-torchao", scheme="int4_weights")
    assert BY_NAME["pytorch"].opening(folder, "AutoModelForSequenceClassification") == ""
