"""Models that write, made smaller: every file of theirs is changed, what calibrates reads whole texts, and what cannot
is refused before anything is built. And what torch.compile compiles of them."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import models, small
from tests.test_matrix import written_without_cache
from tests.tiny import ALL
from tests.tiny.writers import make_llama, make_t5
from workbench import bench, catalog
from workbench.backends.pytorch import COMPILED
from workbench.graph import DECODER, precision, read_onnx
from workbench.plugin import Batch, Prepared, StepContext, Task

LLAMA, T5, WHISPER = "text-generation", "text2text-generation", "speech-whisper"
RUNS = {"export-onnx": "onnxruntime", "export-openvino": "openvino"}


@dataclass(frozen=True)
class Known:
    task: Task
    model: Path
    prepared: Prepared

    @property
    def batch(self) -> Batch:
        return self.task.collate(self.prepared, range(4))

    @property
    def context(self) -> StepContext:
        return StepContext(self.task, self.model, self.prepared, self.prepared, lambda *_: None)


@cache
def known(name: str) -> Known:
    tiny = next(one for one in ALL if str(one) == name)
    folder = Path(tempfile.mkdtemp(prefix="writer-", dir=models.home()))
    model, task = tiny.make(folder / "model"), catalog.task(tiny.task)
    rows = task.check(tiny.rows(folder), json.loads((model / "config.json").read_text()))
    return Known(task, model, task.prepare(rows, model))


def made(name: str, source: Path, step: str, **options: Any) -> Any:
    """(folder, facts) of one step."""
    chosen = catalog.step(step)
    into = Path(tempfile.mkdtemp(prefix=f"{step}-", dir=models.home()))
    return into, chosen.apply(source, into, chosen.Options(**options), known(name).context)


@cache
def exported(name: str, step: str) -> Path:
    return Path(made(name, known(name).model, step)[0])


def opened(folder: Path, backend: str, **options: Any) -> Any:
    runs = catalog.backend(backend)
    return runs.open(folder, "cpu", 1, runs.Options(**options))


def perplexity(name: str, session: Any) -> float:
    task, batch = known(name).task, known(name).batch
    answers = task.read(task.answer(session, batch), batch, known(name).prepared.facts)
    return float(task.metrics[0].value(task.statistics(answers, [1])["perplexity"]))


# ---- every file ---------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", [T5, WHISPER])
@pytest.mark.parametrize(("bits", "near"), [(8, 0.6), (4, 0.0)])
def test_weights_in_blocks_are_so_in_the_decoder_as_well_and_the_model_writes(
    name: str, bits: int, near: float
) -> None:
    source = exported(name, "export-onnx")
    folder, facts = made(name, source, "compress-onnx-weights", bits=bits, block_size=16, accuracy_level=1)
    assert read_onnx(folder / DECODER).operators["MatMulNBits"] > 0
    assert facts["coverage"]["MatMul"]["weights"] > read_onnx(folder / "model.onnx").operators["MatMulNBits"]
    session, batch = opened(folder, "onnxruntime"), known(name).batch
    said = session.write(batch, 8, ends=False).tokens
    assert (said == opened(source, "onnxruntime").write(batch, 8, ends=False).tokens).mean() >= near
    alone = known(name).task.collate(known(name).prepared, [0])
    begun = session.write(alone, 6, ends=False).tokens[0].tolist()
    assert begun == written_without_cache(session, alone, 6), "both files are the same model"


@pytest.mark.slow
@pytest.mark.parametrize("name", [T5, WHISPER])
def test_float16_is_in_the_decoder_as_well_and_the_text_stays_the_same(name: str) -> None:
    source = exported(name, "export-onnx")
    folder, facts = made(name, source, "cast-onnx")
    assert next(iter(precision(read_onnx(folder / DECODER)))) == next(iter(facts["weights"])) == "float16"
    batch = known(name).batch
    said, real = (opened(one, "onnxruntime").write(batch, 8, ends=False).tokens for one in (folder, source))
    assert (said == real).mean() > 0.9


@pytest.mark.slow
def test_a_model_taken_as_it_is_brings_its_decoder_along() -> None:
    source = exported(T5, "export-onnx")
    folder, facts = made(T5, source, "existing")
    batch = known(T5).batch
    said, real = (opened(one, "onnxruntime").write(batch, 8, ends=False).tokens for one in (folder, source))
    assert said.tolist() == real.tolist()
    assert catalog.step("existing").semantic(folder) == catalog.step("export-onnx").semantic(source)
    both = [read_onnx(folder / part).operators["MatMul"] for part in ("model.onnx", DECODER)]
    assert facts["coverage"]["MatMul"]["total"] > max(both) / 2


@pytest.mark.slow
def test_an_operator_is_left_alone_in_whichever_file_it_is() -> None:
    source = exported(T5, "export-onnx")
    whole, decoder = ([node.name for node in read_onnx(source / part).nodes if node.type == "MatMul"]
                      for part in ("model.onnx", DECODER))  # fmt: skip
    own = next(name for name in decoder if name not in whole and "linear" in name)
    before, after = (made(T5, source, "compress-onnx-weights", exclude=left)[1]["coverage"]["MatMul"]["weights"]
                     for left in ([], [own]))  # fmt: skip
    assert after == before - 1


# ---- what calibrates ----------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("learned", [{"scale_estimation": True}, {"awq": True}], ids=lambda one: next(iter(one)))
def test_int4_weights_of_a_model_that_writes_learn_from_whole_texts(learned: dict[str, Any]) -> None:
    source = exported(LLAMA, "export-openvino")
    folder, facts = made(LLAMA, source, "compress-weights", mode="int4_sym", group_size=16, **learned)
    plain, _ = made(LLAMA, source, "compress-weights", mode="int4_sym", group_size=16)
    assert facts["calibrated"] == len(known(LLAMA).prepared) and facts["coverage"]["MatMul"]["weights"] > 0
    assert len({catalog.step("compress-weights").semantic(one) for one in (folder, plain)}) == 2
    session, real = opened(folder, "openvino"), opened(source, "openvino")
    assert perplexity(LLAMA, session) == pytest.approx(perplexity(LLAMA, real), rel=0.2)
    batch = known(LLAMA).task.collate(known(LLAMA).prepared, [0])
    tokens = session.write(batch, 6, ends=False).tokens[0].tolist()
    assert tokens == written_without_cache(session, batch, 6), "no state is left of what it was calibrated with"


@pytest.mark.slow
def test_activations_of_a_model_that_writes_are_quantized_and_its_operators_ranked() -> None:
    source = exported(LLAMA, "export-openvino")
    folder, facts = made(LLAMA, source, "quantize-openvino")
    assert facts["coverage"]["MatMul"]["quantized"] > 0
    assert perplexity(LLAMA, opened(folder, "openvino")) == pytest.approx(
        perplexity(LLAMA, opened(source, "openvino")), rel=0.3
    )
    step: Any = catalog.step("quantize-openvino")
    ranked = step.sensitivity(source, folder, known(LLAMA).context)
    assert len(ranked["operators"]) == facts["coverage"]["MatMul"]["quantized"] and 0 < ranked["outputs"] < 1
    worst = ranked["operators"][0]["name"]
    options = step.Options(**step.leaving({}, [worst]))
    into = Path(tempfile.mkdtemp(dir=models.home()))
    again = step.apply(source, into, options, replace(known(LLAMA).context, like=folder))
    assert again["coverage"]["MatMul"]["quantized"] == facts["coverage"]["MatMul"]["quantized"] - 1


def test_a_plan_refuses_what_cannot_calibrate_a_model_that_writes(tmp_path: Path) -> None:
    rows = [{"text": text, "answer": text} for text, _ in small.texts(200)]
    data = str(small.write_rows(tmp_path / "texts.csv", rows))
    asked = ["onnx-int8-static", "openvino-int4-weights", "openvino-int8", "openvino-int8-weights", "onnx-int4-weights"]

    def planned(model: Path, task: str) -> tuple[set[str], dict[str, str]]:
        plan = bench.plan(bench.request(str(model), asked, task=task, data=data))
        return {one.name for one in plan.variants}, {gap.recipe: gap.reason for gap in plan.gaps}

    found, gaps = planned(make_llama(tmp_path / "llama"), LLAMA)
    assert set(gaps) == {"onnx-int8-static"} and "takes a cache of keys and values" in gaps["onnx-int8-static"]
    assert found >= {"openvino-int4-weights", "openvino-int8"}
    found, gaps = planned(make_t5(tmp_path / "t5"), T5)
    assert set(gaps) == {"onnx-int8-static", "openvino-int4-weights", "openvino-int8"}
    assert all("calibrat" in reason for reason in gaps.values())
    assert found >= {"openvino-int8-weights", "onnx-int4-weights"}


# ---- compiled -----------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", [LLAMA])
def test_a_compiled_model_writes_by_compiled_code_whatever_the_length(name: str) -> None:
    from torch.profiler import ProfilerActivity, profile

    own, new = known(name), 6
    auto_class = own.task.class_for({})
    plain, session = (opened(own.model, "pytorch", auto_class=auto_class, compile=one) for one in (False, True))
    several = [own.task.collate(own.prepared, [row]) for row in range(4)]
    assert len({batch["input_ids"].shape for batch in several}) > 1
    before, after = session.facts()["graphs"], []
    for batch in several:
        assert np.array_equal(session.write(batch, new, ends=False).tokens, plain.write(batch, new, ends=False).tokens)
        after.append(session.facts()["graphs"])
    assert before < after[0] and after[1:] == [after[1]] * 3, "no length is compiled anew"
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        session.write(several[0], new, ends=False)
    assert sum(event.count for event in profiler.key_averages() if COMPILED in event.key) >= new
