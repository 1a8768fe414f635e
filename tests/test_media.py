"""Tasks that look and listen: rows become inputs, outputs become answers, and a wrong row is named."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from tests.tiny import media
from tests.tiny.classifiers import png
from workbench import catalog, inputs
from workbench.errors import RequestError
from workbench.measurement import Metric
from workbench.plugin import Answers, Prepared, StepContext, Task
from workbench.probes.accuracy import Accuracy
from workbench.tasks.image_segmentation import overlaps, resized
from workbench.tasks.sounds import read_sound
from workbench.tasks.speech_recognition import frames
from workbench.tasks.transcripts import errors, normalized, spelled, spelling_of
from workbench.tasks.writing import WRITTEN

IMAGE, ZERO_SHOT, SEGMENTS, AUDIO, SPEECH = (
    catalog.task(name)
    for name in ("image-classification", "zero-shot-image-classification", "image-segmentation",
                 "audio-classification", "automatic-speech-recognition")
)  # fmt: skip
ANSWERS = [
    one for one in media.TINY if str(one) not in ("zero-shot-siglip", "sounds-wave", "speech-whisper")
]  # one a task
CTC = {"architectures": ["Wav2Vec2ForCTC"]}
SEGMENTER = {"architectures": ["SegformerForSemanticSegmentation"], "num_labels": media.CLASSES}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, list[dict[str, Any]]]]:
    """Task name -> a tiny model that answers in one call, and its checked rows."""
    made = {}
    for one in ANSWERS:
        folder = tmp_path_factory.mktemp("tiny")
        model = one.make(folder / "model")
        config = json.loads((model / "config.json").read_text())
        made[one.task] = model, catalog.task(one.task).check(one.rows(folder), config)
    return made


@pytest.fixture(scope="module")
def prepared(tiny: dict[str, tuple[Path, list[dict[str, Any]]]]) -> dict[str, Prepared]:
    return {name: catalog.task(name).prepare(rows, model) for name, (model, rows) in tiny.items()}


def answers(task: Task, model: Path, prepared: Prepared, size: int) -> Answers:
    """What PyTorch says to all examples, `size` a call."""
    backend = catalog.backend("pytorch")
    auto_class = task.class_for(json.loads((model / "config.json").read_text()))
    session = backend.open(model, "cpu", 1, catalog.options_of(backend, {"auto_class": auto_class}, ""))
    found: Answers = Accuracy().measure(
        task=task, session=session, prepared=prepared, progress=lambda *_: None, batch=size
    )["answers"]
    return found


def refused(task: Task, rows: list[dict[str, Any]], config: dict[str, Any]) -> RequestError:
    with pytest.raises(RequestError) as caught:
        task.check(rows, config)
    return caught.value


@pytest.mark.parametrize("name", [one.task for one in ANSWERS if one.task != "audio-classification"])
def test_a_batch_of_eight_answers_as_eight_batches_of_one(name: str, tiny: Any, prepared: dict[str, Prepared]) -> None:
    task, (model, _) = catalog.task(name), tiny[name]
    alone, together = (answers(task, model, prepared[name], size) for size in (1, 8))
    assert alone.predicted == together.predicted
    assert len(set(alone.predicted)) > 1 or np.ptp(alone.scores[:, 0]) > 0.005  # they differ: padding could matter
    assert np.allclose(alone.scores, together.scores, atol=1e-4)
    assert prepared[name].labels is not None
    for metric in task.metrics:
        one, other = (task.statistics(each, prepared[name].labels or []).get(metric.name) for each in (alone, together))
        assert one is None or (
            one.shape == other.shape and metric.value(one) == pytest.approx(metric.value(other), 0.01)
        )


@pytest.mark.parametrize("name", [one.task for one in ANSWERS])
def test_inputs_come_back_from_disk_as_they_were(name: str, prepared: dict[str, Prepared], tmp_path: Path) -> None:
    inputs.save(prepared[name], tmp_path)
    again, task = inputs.load(tmp_path), catalog.task(name)
    assert again.facts == json.loads(json.dumps(prepared[name].facts)) and again.labels == prepared[name].labels
    for kept, was in ((again, prepared[name]), (inputs.some(again, 4), inputs.some(prepared[name], 4))):
        one, other = (task.collate(each, [0, len(each) - 1]) for each in (kept, was))
        assert all(np.array_equal(one[key], other[key]) and one[key].dtype == other[key].dtype for key in other)
        assert one.keys() == other.keys()


# ---- pictures -----------------------------------------------------------------------------------


def test_five_best_answers_are_counted_where_there_are_more_than_five_classes() -> None:
    scores = np.array([[0.3, 0.25, 0.2, 0.1, 0.09, 0.06], [0.3, 0.25, 0.2, 0.1, 0.09, 0.06]], np.float32)
    found = IMAGE.statistics(Answers([0, 0], scores), [4, 5])
    assert found["top_5"].tolist() == [[1.0], [0.0]] and found["accuracy"].tolist() == [[0.0], [0.0]]
    assert "top_5" not in IMAGE.statistics(Answers([0, 0], scores[:, :5]), [4, 1])
    assert next(metric for metric in IMAGE.metrics if metric.name == "top_5").value(found["top_5"]) == 0.5


def test_candidates_are_the_class_names_in_the_data_once_for_all_pictures(prepared: dict[str, Prepared]) -> None:
    found = prepared["zero-shot-image-classification"]
    assert found.facts["classes"] == sorted(media.GARMENTS) and found.facts["prompt"] == "a photo of a {}"
    assert found.shared["input_ids"].shape == (3, 7) and set(found.tensors) == {"pixel_values"}
    batch = ZERO_SHOT.collate(found, [0, 1, 2, 3])
    assert batch["pixel_values"].shape == (4, 3, 32, 32) and batch["input_ids"].shape == (3, 7)
    assert [found.facts["classes"][label] for label in found.labels or []][:3] == ["boot", "coat", "bag"]
    assert found.cards[0]["label"] == "boot"
    point = ZERO_SHOT.points(found, list(range(24)), [1, 8], [128])[1]
    assert (point.units, point.rate_unit, len(point.batches)) == (8, "images", 3)


def test_pictures_without_class_names_are_held_against_everyday_words(tiny: Any) -> None:
    model, rows = tiny["zero-shot-image-classification"]
    plain = [{key: value for key, value in row.items() if key != "label"} for row in rows]
    found = ZERO_SHOT.prepare(ZERO_SHOT.check(plain, {}), model)
    assert found.labels is None and "vehicle" in found.facts["classes"] and len(found.shared["input_ids"]) == 10


def test_numbers_are_no_candidates(tiny: Any) -> None:
    rows = tiny["zero-shot-image-classification"][1]
    for label in (3, "3"):
        error = refused(ZERO_SHOT, [*rows[:20], rows[20] | {"label": label}], {})
        assert error.what == "Row 21 has the label 3, a number."
    assert "nothing to choose from" in refused(ZERO_SHOT, [row | {"label": "bag"} for row in rows], {}).why


# ---- segmentation -------------------------------------------------------------------------------


def test_maps_grow_to_the_masks_size_as_torch_does_it() -> None:
    import torch

    logits = np.random.default_rng(0).normal(size=(3, 5, 7)).astype(np.float32)
    for size in ((20, 28), (13, 9), (4, 3), (5, 7)):
        given = torch.from_numpy(logits)[None]
        expected = torch.nn.functional.interpolate(given, size, mode="bilinear", align_corners=False)[0]
        assert np.allclose(resized(logits, *size), expected.numpy(), atol=1e-5)


def test_intersections_and_unions_are_those_of_a_case_worked_by_hand() -> None:
    logits = np.zeros((2, 3, 2, 2), np.float32)
    for example, ids in enumerate(([[0, 1], [1, 1]], [[0, 0], [0, 0]])):
        for y, x in np.ndindex(2, 2):
            logits[example, ids[y][x], y, x] = 5
    masks = np.array([[[0, 1], [0, 255]], [[0, 0], [1, 0]]], np.int16)
    batch = {"mask": masks, "mask_size": np.full((2, 2), 2)}
    said = SEGMENTS.read({"logits": logits}, batch, {})
    assert said.predicted == [1, 0]  # covers most
    assert said.scores.tolist() == [[0.25, 0.75, 0.0], [1.0, 0.0, 0.0]] and said.scores.dtype == np.float32
    found = SEGMENTS.statistics(said, [0, 0])
    # first: of three pixels 0|0, 1|1 and 1|0 (answer|mask); second: 0|0 three times and 0|1
    assert found["mean_iou"].tolist() == [[1, 1, 0, 2, 2, 0], [3, 0, 0, 4, 1, 0]]
    assert found["pixel_accuracy"].tolist() == [[2, 3], [3, 4]]
    iou, pixels = SEGMENTS.metrics
    assert iou.value(found["mean_iou"]) == pytest.approx((4 / 6 + 1 / 3) / 2)  # class 2 occurs nowhere
    assert pixels.value(found["pixel_accuracy"]) == pytest.approx(5 / 7)
    assert iou.value(found["mean_iou"].mean(axis=0)[None]) == pytest.approx(iou.value(found["mean_iou"]))


def test_a_mask_without_pixels_that_count_counts_for_nothing() -> None:
    assert overlaps(np.zeros((2, 2), int), np.full((2, 2), 255), 3).tolist() == [[0, 0, 0]] * 3
    assert Metric("mean_iou", combine="mean_iou").value(np.zeros((4, 6))) == 0.0


def test_masks_of_several_sizes_share_a_batch(prepared: dict[str, Prepared]) -> None:
    found = prepared["image-segmentation"]
    batch = SEGMENTS.collate(found, [0, 23])
    assert batch["mask"].shape == (2, 56, 56) and batch["mask_size"].tolist() == [[40, 40], [56, 56]]
    assert (batch["mask"][0, 40:] == 255).all() and (batch["mask"][0, :40, :40] == found.tensors["mask"][0]).all()


def test_pictures_without_masks_are_compared_by_their_largest_class(tiny: Any) -> None:
    model, rows = tiny["image-segmentation"]
    plain = [{key: value for key, value in row.items() if key != "mask"} for row in rows]
    found = SEGMENTS.prepare(SEGMENTS.check(plain, SEGMENTER), model)
    said = answers(SEGMENTS, model, found, 1)
    assert found.labels is None and found.cards[0]["label"] is None and not said.kept
    assert np.allclose(said.scores.sum(axis=1), 1) and {type(answer) for answer in said.predicted} == {int}


def test_a_wrong_mask_names_its_row(tiny: Any) -> None:
    model, rows = tiny["image-segmentation"]
    cases = [
        (media.mask(1, (20, 30)), "The mask of row 2 has another size than its picture."),
        (png(1), "The mask of row 2 is a picture in colours (RGB)."),
        (b"no picture", "The mask of row 2 cannot be read."),
        (None, "Row 2 has no mask."),
    ]
    for mask, what in cases:
        assert refused(SEGMENTS, [rows[0], rows[1] | {"mask": mask}, *rows[2:]], SEGMENTER).what == what
    with pytest.raises(RequestError, match="The mask of row 2 has the class 9, which the model does not know"):
        SEGMENTS.prepare([rows[0], rows[1] | {"mask": flat_mask(9)}, *rows[2:]], model)


def flat_mask(value: int) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.new("L", (40, 40), value).save(out, "PNG")
    return out.getvalue()


def test_masks_that_count_from_one_are_moved_where_the_processor_says_so(tiny: Any, tmp_path: Path) -> None:
    import shutil

    model, rows = tiny["image-segmentation"]
    shutil.copytree(model, tmp_path / "model")
    settings = tmp_path / "model" / "preprocessor_config.json"
    settings.write_text(json.dumps(json.loads(settings.read_text()) | {"do_reduce_labels": True}))
    found = SEGMENTS.prepare(
        [row | {"mask": flat_mask(number)} for number, row in zip((0, 4, 255), rows[:3], strict=True)],
        tmp_path / "model",
    )
    assert [set(mask.ravel().tolist()) for mask in found.tensors["mask"]] == [{255}, {3}, {255}]
    assert found.labels == [None, 3, None]


def test_models_that_segment_otherwise_are_refused(tiny: Any) -> None:
    error = refused(SEGMENTS, tiny["image-segmentation"][1], {"architectures": ["DetrForSegmentation"]})
    assert error.what == "DetrForSegmentation does not give one class a pixel."


# ---- sounds -------------------------------------------------------------------------------------


def test_a_sound_is_mixed_down_and_brought_to_the_models_rate(tmp_path: Path) -> None:
    file = tmp_path / "sound.wav"
    file.write_bytes(media.wav(1, 0.5, 44_100, channels=2))
    for source in (file, file.read_bytes()):
        found = read_sound({"audio": source}, 8000)
        assert found.shape == (4000,) and found.dtype == np.float32
    own = read_sound({"audio": media.wav(1, 0.5, 8000)}, 8000)
    assert np.abs(own).max() > 0.1 and own.shape == (4000,)


def test_a_wrong_sound_names_its_row() -> None:
    rows = media.rows(audio=media.sounds(), text=["a cat"] * 24)
    for sound, what in (
        (b"no sound", "The sound of row 2 cannot be read."),
        (media.wav(1, 0.0), "The sound of row 2 has 0.0 s."),
        (media.wav(1, 130.0, 100), "The sound of row 2 has 130.0 s."),
    ):
        assert refused(SPEECH, [rows[0], rows[1] | {"audio": sound}, *rows[2:]], CTC).what == what
    labels = media.rows(audio=media.sounds(), label=[0, 1] * 12)
    config = {"num_labels": 2}
    assert (
        refused(AUDIO, [labels[0] | {"audio": b""}, *labels[1:]], config).what == "The sound of row 1 cannot be read."
    )
    assert "Row 1 has the label 'bark'" in refused(AUDIO, [labels[0] | {"label": "bark"}, *labels[1:]], config).what


def test_speed_is_said_in_seconds_of_sound(prepared: dict[str, Prepared]) -> None:
    for task in (AUDIO, SPEECH):
        found = prepared[task.name]
        one, eight = task.points(found, list(range(24)), [1, 8], [])
        seconds = [float(each[0]) for each in found.tensors["seconds"]]
        assert one.units == pytest.approx(sum(seconds) / 24) and eight.units == pytest.approx(sum(seconds) / 3)
        assert {one.rate_unit, eight.rate_unit} == {"s of sound"}
        assert found.cards[0]["seconds"] == 0.2 and found.facts["rate"] == media.RATE


def test_a_model_that_writes_what_it_hears_has_its_tokens_timed_apart(tmp_path: Path) -> None:
    one = next(one for one in media.TINY if str(one) == "speech-whisper")
    model = one.make(tmp_path / "model")
    config = json.loads((model / "config.json").read_text())
    found = SPEECH.prepare(SPEECH.check(one.rows(tmp_path), config), model)
    points = SPEECH.points(found, list(range(24)), [1, 8], [])
    assert [(one.metric, one.batch, one.rate_unit, one.call) for one in points] == [
        ("latency", 1, "s of sound", "a whole transcript"), ("latency", 8, "s of sound", "a whole transcript"),
        ("first_token", 1, "", ""), ("per_token", 1, "tokens", ""),
        ("first_token", 8, "", ""), ("per_token", 8, "tokens", ""),
    ]  # fmt: skip
    backend = catalog.backend("pytorch")
    session = backend.open(model, "cpu", 1, catalog.options_of(backend, {"auto_class": SPEECH.class_for(config)}, ""))
    assert set(SPEECH.time(session, points[0].batches[0])) == {"latency"}
    taken = SPEECH.time(session, points[-1].batches[0])
    assert taken["latency"] >= taken["first_token"] + taken["per_token"] * (WRITTEN - 1) * 0.99 > 0


def test_short_sounds_are_filled_up_and_the_mask_says_so(prepared: dict[str, Prepared]) -> None:
    batch = SPEECH.collate(prepared["automatic-speech-recognition"], [0, 8])
    lengths = batch["length"].ravel().tolist()
    assert lengths == [1600, 4800] and batch["input_values"].shape == (2, 4800)
    assert batch["attention_mask"].sum(axis=1).tolist() == lengths and not batch["input_values"][0, 1600:].any()
    assert AUDIO.collate(prepared["audio-classification"], [0, 8])["input_values"].shape == (2, 32, 16)


def test_sounds_without_labels_are_compared_without_labels(tiny: Any) -> None:
    for task, config in ((AUDIO, {"num_labels": 3}), (SPEECH, CTC)):
        model, rows = tiny[task.name]
        plain = [{key: value for key, value in row.items() if key not in ("label", "text")} for row in rows]
        found = task.prepare(task.check(plain, config), model)
        assert found.labels is None and found.cards[1] == {"seconds": 0.25, "label": None}


# ---- speech -------------------------------------------------------------------------------------


def test_letters_are_decoded_as_the_tokenizer_does_it(tiny: Any) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny["automatic-speech-recognition"][0])
    spelling, chance = spelling_of(tokenizer), np.random.default_rng(2)
    for _ in range(50):
        ids = np.repeat(chance.integers(0, len(tokenizer), 40), chance.integers(1, 4, 40)).tolist()
        assert spelled(ids, spelling) == tokenizer.decode(ids)
    by_hand = [
        media.LETTERS.index(letter) for letter in ("A", "A", "<pad>", "A", "|", "|", "D", "D", "O", "G", "<pad>")
    ]
    assert spelled(by_hand, spelling) == "AA DOG"


def test_words_are_compared_in_lower_case_without_punctuation() -> None:
    assert normalized("  Don’t STOP -- it's\tthe well-known Café!  ") == "dont stop its the well known café"
    assert normalized("…?!") == ""


def test_word_and_letter_errors_are_those_of_cases_worked_by_hand() -> None:
    said, meant = ["the cat", "", "a b c", "Yes!"], ["The cat sat.", "one two", "a x c", "yes"]
    found = errors(said, meant)
    assert found["wer"].tolist() == [[1, 3], [2, 2], [1, 3], [0, 1]]
    assert found["cer"].tolist() == [[4, 11], [7, 7], [1, 5], [0, 3]]
    wer = SPEECH.metrics[0]
    assert wer.better == "lower" and wer.value(found["wer"]) == pytest.approx(4 / 9)


def test_frames_of_silence_are_left_out_by_the_models_convolutions() -> None:
    import torch

    convolutions = [[20, 10], [12, 8]]
    layers = [torch.nn.Conv1d(1, 1, kernel, stride) for kernel, stride in convolutions]
    for length in (1600, 1999, 4800):
        sound = torch.zeros(1, 1, length)
        for layer in layers:
            sound = layer(sound)
        assert frames(length, 5000, 60, convolutions) == sound.shape[-1]
    assert frames(5000, 5000, 61, convolutions) == 61
    assert frames(1000, 4000, 60, []) == 15


def test_a_model_that_recognizes_no_speech_is_refused_and_so_are_texts_without_words(tiny: Any) -> None:
    rows = tiny["automatic-speech-recognition"][1]
    error = refused(SPEECH, [rows[0], rows[1] | {"text": "?!"}, *rows[2:]], CTC)
    assert error.what == "The text of row 2 has no words."
    error = refused(SPEECH, rows, {"architectures": ["WavLMForXVector"]})
    assert error.what.startswith("WavLMForXVector does not") and "ForCTC" in error.why


# ---- fusions -----------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_product_that_onnx_runtime_refuses_is_not_left_in_a_fused_file(tmp_path: Path) -> None:
    """SigLIP's; that the file answers as PyTorch does is shown in test_matrix.py."""
    model, rows = media.make_siglip(tmp_path / "model"), media._garments(tmp_path)
    prepared = ZERO_SHOT.prepare(ZERO_SHOT.check(rows, json.loads((model / "config.json").read_text())), model)
    export = catalog.step("export-onnx")
    export.apply(
        model, tmp_path / "onnx", export.Options(), StepContext(ZERO_SHOT, model, prepared, None, lambda *_: None)
    )
    graph = onnx.load(str(tmp_path / "onnx/model.onnx"), load_external_data=False).graph
    fused = [node for node in graph.node if node.op_type == "FusedMatMul"]
    assert fused and not any(one.name.startswith("transBatch") and one.i for node in fused for one in node.attribute)


# ---- what is not there --------------------------------------------------------------------------


def test_a_task_that_is_not_there_yet_says_why() -> None:
    assert "object-detection" in catalog.missing_tasks()
    with pytest.raises(RequestError, match=r"object-detection is not there yet\. Its answers are boxes") as caught:
        catalog.task("object-detection")
    assert "image-segmentation" in caught.value.fix


def test_a_report_shows_how_long_a_sound_is() -> None:
    from workbench.report.parts.flips import _example

    assert "<p>1.50\u00a0s of sound</p>" in _example({"id": "a", "seconds": 1.5, "label": "the cat sat"})
    assert "of sound" not in _example({"id": "a", "text": "the cat"})
