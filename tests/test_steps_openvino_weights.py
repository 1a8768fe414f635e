"""OpenVINO in INT4 with scales learned from examples, and several requests at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from models import built, context, make, step, texts

from workbench.backends import BACKENDS
from workbench.errors import WorkbenchError

pytestmark = pytest.mark.slow

OPENVINO = next(found() for found in BACKENDS if found.name == "openvino")


@pytest.mark.parametrize(
    "learned", [{"scale_estimation": True}, {"awq": True}], ids=lambda learned: next(iter(learned))
)
def test_int4_weights_learn_from_calibration_data(learned: dict[str, Any]) -> None:
    folder, facts = make(built("export-openvino"), "compress-weights", mode="int4_sym", group_size=16, **learned)
    assert facts["calibrated"] == 8
    assert facts["coverage"]["MatMul"]["weights"] > 0
    batch = context(built(), texts(8)).task.collate(texts(8), range(8))
    found, wanted = (
        OPENVINO.open(one, "cpu", 1, OPENVINO.Options()).infer(batch)["logits"]
        for one in (folder, built("export-openvino"))
    )
    assert np.abs(found - wanted).max() / wanted.std() < 0.8


def test_layers_narrower_than_a_group_get_a_smaller_one() -> None:
    _, facts = make(built("export-openvino"), "compress-weights", mode="int4_sym", group_size=64)
    counts = facts["coverage"]["MatMul"]
    assert 0 < counts["weights"] <= counts["total"]


def test_calibration_is_asked_for_only_where_something_is_learned() -> None:
    found = step("compress-weights")
    plain, learned = found.Options(mode="int4_sym"), found.Options(mode="int4_sym", awq=True)
    assert found.wants_calibration(learned) and not found.wants_calibration(plain)
    assert not found.wants_calibration(found.Options(mode="int8_asym", awq=True))
    with pytest.raises(WorkbenchError, match="needs calibration"):
        found.apply(built("export-openvino"), built().parent / "none", learned, context(built(), texts(4)))


def test_several_requests_at_once_get_the_answers_of_one_after_another() -> None:
    session = OPENVINO.open(built("export-openvino"), "cpu", 2, OPENVINO.Options(streams=2))
    examples = texts(8)
    batches = [context(built(), examples).task.collate(examples, [at]) for at in range(8)]
    assert session.requests >= 2 and session.facts()["requests"] == session.requests
    for found, batch in zip(session.infer_all(batches), batches, strict=True):
        assert np.allclose(found["logits"], session.infer(batch)["logits"], atol=1e-5)


def test_a_session_opened_for_one_quick_answer_takes_one_request() -> None:
    assert OPENVINO.open(built("export-openvino"), "cpu", 1, OPENVINO.Options()).requests == 1
