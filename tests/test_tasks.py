"""Tasks: rows become inputs without loss, padding changes nothing, and what is wrong with a row names the row."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import small as make
from tests.conftest import Small
from workbench import catalog, inputs
from workbench.errors import RequestError
from workbench.plugin import Prepared, Task
from workbench.probes.accuracy import Accuracy
from workbench.tasks.tokenizer import position_limit

CONFIG = {"id2label": {"0": "NEGATIVE", "1": "POSITIVE"}, "architectures": ["BertForSequenceClassification"]}
TEXT, IMAGE = catalog.task("text-classification"), catalog.task("image-classification")


def rows(labels: list[Any]) -> list[dict[str, Any]]:
    return [{"id": f"{number:064d}", "text": f"text {number}", "label": label, "row": number}
            for number, label in enumerate(labels, 1)]  # fmt: skip


def refused(labels: list[Any], config: dict[str, Any] = CONFIG) -> RequestError:
    with pytest.raises(RequestError) as caught:
        TEXT.check(rows(labels), config)
    return caught.value


@pytest.fixture(scope="module")
def prepared(small: Small) -> Prepared:
    found = [{"id": text, "text": text, "label": make.LABELS.index(label)} for text, label in make.texts(60)]
    return TEXT.prepare(found, small.model)


# ---- labels -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "labels", [["NEGATIVE", "POSITIVE"], ["negative", " Positive "], [0, 1], ["0", "1"], [0.0, 1.0]], ids=str
)
def test_a_label_is_a_name_in_any_case_or_an_id(labels: list[Any]) -> None:
    assert [row["label"] for row in TEXT.check(rows(labels * 10), CONFIG)] == [0, 1] * 10


def test_rows_without_any_label_are_compared_without_labels() -> None:
    assert TEXT.check(rows([None] * 20), CONFIG) == rows([None] * 20)


def test_a_wrong_label_names_its_row_and_the_labels_there_are() -> None:
    error = refused([0, 1] * 10 + ["neutral"])
    assert error.what.startswith("Row 21 ") and "'neutral'" in error.what
    assert "negative, positive" in error.why and "--fields" in error.fix
    assert "Row 3 " in refused([0, 1, 2] * 7).what
    assert "Row 2 " in refused([0, True] * 10).what


def test_a_missing_label_names_its_row() -> None:
    error = refused([0, 1] * 10 + [None, None])
    assert error.what == "Row 21 has no label." and "2 of 22" in error.why


def test_one_class_and_too_few_rows_are_refused() -> None:
    assert "NEGATIVE" in refused([0] * 30).what and "at least two classes" in refused([0] * 30).fix
    assert refused([0, 1, 0]).what == "The evaluation data has 3 rows."


def test_heads_that_give_no_single_label_are_refused() -> None:
    for config in ({"problem_type": "regression"}, {"problem_type": "multi_label_classification"}, {"num_labels": 1}):
        with pytest.raises(RequestError, match="This classifier gives"):
            IMAGE.check(rows([0, 1] * 10), config)


# ---- text ---------------------------------------------------------------------------------------


def test_a_batch_of_eight_answers_as_eight_batches_of_one(small: Small, prepared: Prepared) -> None:
    backend = catalog.backend("pytorch")
    options = catalog.options_of(backend, {"auto_class": TEXT.auto_class}, "")
    session = backend.open(small.model, "cpu", 1, options)
    alone, together = [_answers(session, prepared, size) for size in (1, 8)]
    assert np.abs(alone.scores - together.scores).max() < 1e-5
    assert alone.predicted == together.predicted and len(set(alone.predicted)) == 2
    assert np.ptp(alone.scores) > 0.1  # answers differ: padding could have changed them


def _answers(session: Any, prepared: Prepared, size: int) -> Any:
    found = Accuracy().measure(task=TEXT, session=session, prepared=prepared, progress=lambda *_: None, batch=size)
    return found["answers"]


def test_inputs_come_back_from_disk_as_they_were(prepared: Prepared, tmp_path: Path) -> None:
    inputs.save(prepared, tmp_path)
    again = inputs.load(tmp_path)
    assert again.ids == prepared.ids and again.labels == prepared.labels and again.facts == prepared.facts
    assert again.padding == prepared.padding and again.cards == prepared.cards
    for name, examples in prepared.tensors.items():
        assert all(
            np.array_equal(a, b) and a.dtype == b.dtype for a, b in zip(examples, again.tensors[name], strict=True)
        )
    assert len(inputs.some(again, 5)) == 5


def test_each_round_takes_one_example_out_of_every_eighth_of_all_lengths(prepared: Prepared) -> None:
    order = list(range(len(prepared)))[::-1]
    found = inputs.spread(prepared, order, 8)
    share = len(order) // 8
    assert len(found) == len(set(found)) == 8 * share and set(found) <= set(order)
    ranked = sorted(map(prepared.length, order))
    for start in range(0, len(found), 8):
        lengths = sorted(map(prepared.length, found[start : start + 8]))
        assert all(ranked[share * i] <= one <= ranked[share * (i + 1) - 1] for i, one in enumerate(lengths))
    assert inputs.spread(prepared, order[:5], 8) == order[:5]


def test_text_is_cut_at_the_position_limit_and_counted(small: Small) -> None:
    long = " ".join(["film"] * 200)
    exact = " ".join(["film"] * (make.POSITIONS - 2))
    found = TEXT.prepare([{"id": "1", "text": text, "label": 0} for text in (long, exact, "film")], small.model)
    assert [len(example) for example in found.tensors["input_ids"]] == [make.POSITIONS, make.POSITIONS, 3]
    assert found.facts["truncated"] == 1 and found.facts["max_length"] == make.POSITIONS
    last = {int(example[-1]) for example in found.tensors["input_ids"]}
    assert len(last) == 1  # the closing token stays


def test_the_smaller_of_tokenizer_and_position_limit_counts() -> None:
    class Config:
        max_position_embeddings, model_type, pad_token_id = 514, "bert", 1

    assert position_limit(Config(), 10**30) == 514 and position_limit(Config(), 128) == 128
    Config.model_type = "roberta"
    assert position_limit(Config(), 10**30) == 512  # two positions are not for tokens
    Config.max_position_embeddings = 0
    assert position_limit(Config(), 10**30) is None


def test_pairs_of_texts_are_one_input_each(small: Small) -> None:
    found = TEXT.prepare([{"id": "1", "text1": "the film", "text2": "a good story", "label": 0}], small.model)
    assert len(found.tensors["input_ids"][0]) == 2 + 3 + 3 and found.tensors["token_type_ids"][0].tolist()[-1] == 1
    assert found.cards[0]["text"] == "the film ▸ a good story"


def test_fixed_points_hold_real_tokens_in_the_exact_shape(prepared: Prepared) -> None:
    order = list(range(len(prepared)))
    points = {point.name: point for point in TEXT.points(prepared, order, [1, 8], [16, 40, make.POSITIONS + 1])}
    assert set(points) == {"natural, batch 1", "natural, batch 8", "16 tokens, batch 1", "16 tokens, batch 8",
                           "40 tokens, batch 1", "40 tokens, batch 8"}  # fmt: skip
    real = {int(token) for example in prepared.tensors["input_ids"] for token in example}
    first, last = prepared.tensors["input_ids"][0][[0, -1]]
    for name, point in points.items():
        for batch in point.batches if name.endswith("8") and "tokens" in name else ():
            assert {value.shape for value in batch.values()} == {(8, point.sequence)}
            assert set(batch["input_ids"].flatten().tolist()) <= real and batch["attention_mask"].all()
            assert (batch["input_ids"][:, 0] == first).all() and (batch["input_ids"][:, -1] == last).all()
            assert not (batch["input_ids"][:, 1:-1] == last).any()


def test_natural_points_visit_the_examples_in_the_order_that_is_asked(prepared: Prepared) -> None:
    order = [5, 3, 9, 1]
    point, pairs = TEXT.points(prepared, order, [1, 2], [])
    for index, batch in zip(order, point.batches, strict=True):
        assert batch["input_ids"].tolist() == [prepared.tensors["input_ids"][index].tolist()]
    assert [len(batch["input_ids"]) for batch in pairs.batches] == [2, 2]


def test_statistics_say_right_or_wrong_an_example(prepared: Prepared) -> None:
    answers = TEXT.read({"logits": np.array([[2.0, 1.0], [0.0, 3.0], [5.0, 0.0]], np.float32)}, {}, {})
    assert answers.predicted == [0, 1, 0]
    found = TEXT.statistics(answers, [0, 1, 1])
    assert found["accuracy"].tolist() == [[1.0], [1.0], [0.0]] and found["accuracy"].dtype == np.float64
    assert list(found) == ["accuracy", "macro_f1"] and set(found) <= {metric.name for metric in TEXT.metrics}


# ---- images -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image processor's folder: 16 x 16 pixels, three channels."""
    folder = tmp_path_factory.mktemp("pictures")
    processor = {"image_processor_type": "ViTImageProcessor", "do_resize": True, "size": {"height": 16, "width": 16},
                 "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True, "resample": 2,
                 "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}  # fmt: skip
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    (folder / "config.json").write_text(json.dumps({"model_type": "vit", "id2label": {"0": "dark", "1": "bright"}}))
    return folder


def picture(shade: int, size: tuple[int, int] = (20, 30), mode: str = "RGB") -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.new(mode, size, shade if mode == "L" else (shade, shade, shade)).save(out, "PNG")
    return out.getvalue()


def test_pictures_of_any_size_and_mode_become_one_shape(pictures: Path) -> None:
    found = [{"id": "1", "image": picture(255), "label": 1}, {"id": "2", "image": picture(0, (64, 8), "L"), "label": 0}]
    prepared = IMAGE.prepare(found, pictures)
    assert {(value.shape, value.dtype.name) for value in prepared.tensors["pixel_values"]} == {((3, 16, 16), "float32")}
    assert prepared.tensors["pixel_values"][0].max() == pytest.approx(1.0)
    assert prepared.tensors["pixel_values"][1].min() == pytest.approx(-1.0)
    assert prepared.cards[0]["image"].startswith("data:image/png;base64,") and prepared.cards[0]["label"] == "bright"
    assert IMAGE.collate(prepared, [0, 1])["pixel_values"].shape == (2, 3, 16, 16)


def test_a_picture_that_is_none_names_its_row(pictures: Path) -> None:
    with pytest.raises(RequestError) as caught:
        IMAGE.prepare([{"id": "a", "row": 7, "image": b"no picture", "label": 0}], pictures)
    assert "row 7 " in caught.value.what and "mend the file" in caught.value.fix


@pytest.mark.parametrize("task", catalog.tasks().values(), ids=lambda task: task.name)
def test_every_task_keeps_its_promises(task: Task) -> None:
    assert task.summary.endswith(".") and task.metrics
    assert not task.default_data or task.default_data.startswith("starter:")
    assert all(set(names) <= set(task.columns) for names in task.inputs) and task.target in (None, *task.columns)
    assert task.auto_class.startswith("AutoModel")
