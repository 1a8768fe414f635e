"""Keys and values of a model that writes stay where they are while it goes on: nothing copies them for each token."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from tests.tiny.writers import make_llama
from workbench import catalog
from workbench.plugin import Prepared, StepContext, Writes
from workbench.tasks.text_generation import TextGeneration

pytestmark = pytest.mark.slow
TASK = TextGeneration()
LAYERS = 2


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two heads share a key."""
    return make_llama(tmp_path_factory.mktemp("llama") / "model")


@pytest.fixture(scope="module")
def prepared(model: Path) -> Prepared:
    texts = ("the film was good and the story was bad", "a good story")
    return TASK.prepare([{"id": str(n), "row": n, "text": text} for n, text in enumerate(texts, 1)], model)


def exported(step: str, model: Path, prepared: Prepared, into: Path) -> Path:
    one = catalog.step(step)
    into.mkdir()
    one.apply(model, into, one.Options(), StepContext(TASK, model, prepared, None, lambda *_: None))
    return into


def test_openvino_holds_the_cache_inside_its_attention(model: Path, prepared: Prepared, tmp_path: Path) -> None:
    import openvino

    folder = exported("export-openvino", model, prepared, tmp_path / "openvino")
    compiled = openvino.Core().compile_model(folder / "openvino_model.xml", "CPU")
    kinds = Counter(str(node.get_rt_info()["layerType"].astype(str)) for node in compiled.get_runtime_model().get_ops())
    assert kinds["ScaledDotProductAttention"] == LAYERS and not kinds["Softmax"], kinds
    assert_same(model, folder, "openvino", prepared)


def test_onnx_runtime_repeats_no_key_for_the_heads_that_share_it(
    model: Path, prepared: Prepared, tmp_path: Path
) -> None:
    import onnx

    folder = exported("export-onnx", model, prepared, tmp_path / "onnx")
    graph = onnx.load(folder / "model.onnx", load_external_data=False).graph
    repeated = {name for node in graph.node if node.op_type == "Expand" for name in node.output}
    laid_out = [node for node in graph.node if node.op_type == "Reshape" and repeated & set(node.input)]
    assert sum(node.op_type == "Softmax" for node in graph.node) == LAYERS and not laid_out
    assert_same(model, folder, "onnxruntime", prepared)


def assert_same(model: Path, folder: Path, runtime: str, prepared: Prepared) -> None:
    """It writes what PyTorch writes."""
    said = []
    for name, place in (("pytorch", model), (runtime, folder)):
        backend = catalog.backend(name)
        asked = {"auto_class": TASK.auto_class} if name == "pytorch" else {}
        session = backend.open(place, "cpu", 1, backend.Options(**asked))
        assert isinstance(session, Writes)
        said.append(session.write(TASK.collate(prepared, [0, 1]), 24, ends=False).tokens)
        session.close()
    assert np.array_equal(*said)
