"""ExecuTorch programs: the same answers, INT8 read back from the file, and a length they were planned for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from models import built, context, make, step, texts

from workbench.backends import BACKENDS
from workbench.errors import RequestError, WorkbenchError

pytestmark = pytest.mark.slow

EXECUTORCH = next(found() for found in BACKENDS if found.name == "executorch")


def answers(session: Any, size: int = 8) -> np.ndarray:
    examples = texts(8)
    return session.infer(context(built(), examples).task.collate(examples, range(8 - size, 8)))["logits"]


def plain(size: int = 8) -> np.ndarray:
    backend = next(found() for found in BACKENDS if found.name == "pytorch")
    return answers(backend.open(built(), "cpu", 1, backend.Options()), size)


def test_a_program_answers_as_pytorch_to_any_length_it_has_room_for() -> None:
    session = EXECUTORCH.open(built("export-executorch"), "cpu", 1, EXECUTORCH.Options())
    for size in (1, 3, 8):
        assert np.allclose(answers(session, size), plain(size), atol=1e-4)
    facts = session.facts()
    assert facts["precision"] == "fp32" and facts["threads"] == 1 and "phones" in facts["measured"]
    audit = EXECUTORCH.audit(built("export-executorch"))
    assert audit["coverage"]["Linear"] == {"quantized": 0, "total": 14, "weights": 0}


def test_an_input_it_has_no_room_for_is_refused_in_words() -> None:
    session = EXECUTORCH.open(built("export-executorch"), "cpu", 1, EXECUTORCH.Options())
    assert session.bounds["input_ids"] == (8, 64)
    long = {name: np.ones((1, 65), np.int64) for name in ("input_ids", "attention_mask")}
    with pytest.raises(WorkbenchError, match=r"room for \[8, 64\]"):
        session.infer(long)
    with pytest.raises(RequestError, match="no device gpu"):
        EXECUTORCH.open(built("export-executorch"), "gpu", 1, EXECUTORCH.Options())


def test_int8_is_read_back_from_the_program() -> None:
    folder, facts = make(built(), "export-executorch", precision="int8")
    assert facts["coverage"]["Linear"]["quantized"] >= 12 and facts["bounds"] == {"batch": 8, "length": 64}
    session = EXECUTORCH.open(folder, "cpu", 1, EXECUTORCH.Options())
    assert session.facts()["precision"] == "int8"
    assert np.abs(answers(session) - plain()).max() / plain().std() < 0.25
    assert (folder / "model.pte").stat().st_size < (built("export-executorch") / "model.pte").stat().st_size
    assert step("export-executorch").semantic(folder) != step("export-executorch").semantic(built("export-executorch"))
