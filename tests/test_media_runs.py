"""Speech and segmentation from a folder to a report, and on to a pipeline; what a plan says to models it can't take."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import small
from tests.tiny import media
from tests.tiny.classifiers import make_vit, png
from workbench import bench, hub
from workbench.errors import RequestError
from workbench.hub.columns import Fields
from workbench.store import Store
from workbench.tasks.speech_recognition import SpeechRecognition


def scenes(folder: Path) -> Path:
    files = {f"{n}.png": png(n) for n in range(24)} | {f"masks/{n}.png": media.mask(n) for n in range(24)}
    return media.folder_of(folder, files, [{"file_name": f"{n}.png", "mask": f"masks/{n}.png"} for n in range(24)])


def compared(model: Path, data: Path, folder: Path, faster: str) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """(run, report, details) of one recipe against PyTorch, measured for a blink."""
    baseline, other = (small.make_recipe(folder, name) for name in ("pytorch-fp32", faster))
    plan = bench.plan(bench.request(str(model), [other], baseline=baseline, data=str(data)))
    run = bench.submit(plan)
    for _ in bench.follow(run):
        pass
    assert bench.status(run) == "ok", (Store().home / "runs" / run / "log" / "runner.log").read_text()
    return run, *bench.report(run)


@pytest.mark.slow
@pytest.mark.usefixtures("known_machine")
def test_speech_goes_from_a_folder_of_sounds_to_a_report_and_a_pipeline(tmp_path: Path) -> None:
    model = media.make_ctc(tmp_path / "model")
    run, report, _ = compared(model, media.speech(tmp_path / "speech"), tmp_path, "onnx-fp32")
    assert report["model"]["task"] == "automatic-speech-recognition" and report["data"]["evaluation"]["n"] == 24
    assert report["data"]["evaluation"]["normalizer"].startswith("lower case")
    for row in report["rows"]:
        assert row["status"] == "ok", row["reason"]
        assert row["accuracy"]["metric"] == "wer" and row["accuracy"]["better"] == "lower"
        assert row["accuracy"]["agreement"] >= 0.9 and row["accuracy"]["secondary"][0]["metric"] == "cer"
        assert {point["rate_unit"] for point in row["speed"]["points"] if "rate_unit" in point} == {"s of sound/s"}
    files = Store().home / "runs" / run / "recipes"
    with bench.load(files / "onnx-fp32.yaml") as opened:
        assert opened(input_values=np.zeros((1, 1600), np.float32)).logits.shape[-1] == len(media.LETTERS)
    pipe = bench.pipeline(files / "onnx-fp32.yaml")
    said = pipe({"raw": np.zeros(1600, np.float32), "sampling_rate": media.RATE})
    assert set(said["text"]) <= {*"".join(media.LETTERS), " "}


@pytest.mark.slow
@pytest.mark.usefixtures("known_machine")
def test_segmentation_goes_from_pictures_and_masks_to_a_report(tmp_path: Path) -> None:
    model = media.make_segformer(tmp_path / "model")
    _, report, _ = compared(model, scenes(tmp_path / "scenes"), tmp_path, "openvino-fp32")
    assert report["model"]["task"] == "image-segmentation"
    for row in report["rows"]:
        assert row["status"] == "ok", row["reason"]
        accuracy = row["accuracy"]
        assert accuracy["metric"] == "mean_iou" and 0 < accuracy["value"] < 1 and abs(accuracy["delta"]) < 0.01
        assert accuracy["secondary"][0]["metric"] == "pixel_accuracy" and accuracy["agreement"] >= 0.9
        assert {point["rate_unit"] for point in row["speed"]["points"] if "rate_unit" in point} == {"images/s"}


@pytest.mark.slow
def test_a_task_that_brings_no_data_is_refused_by_the_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SpeechRecognition, "default_data", "")
    model = media.make_ctc(tmp_path / "model")
    with pytest.raises(RequestError) as caught:
        bench.plan(bench.request(str(model), ["onnx-fp32"]))
    assert caught.value.what == "No data was given."
    assert "automatic-speech-recognition" in caught.value.why and "(columns audio, text)" in caught.value.fix


@pytest.mark.slow
def test_a_detector_is_refused_with_the_reason(tmp_path: Path) -> None:
    model = make_vit(tmp_path / "model")
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps(config | {"architectures": ["DetrForObjectDetection"]}))
    with pytest.raises(RequestError, match="for object-detection, and there is no such task here"):
        bench.plan(bench.request(str(model), ["onnx-fp32"]))


@pytest.mark.slow
@pytest.mark.usefixtures("known_machine")
def test_default_data_of_other_classes_is_compared_without_labels(tmp_path: Path) -> None:
    plan = bench.plan(bench.request(str(make_vit(tmp_path / "model")), ["onnx-fp32"], n=30))
    assert plan.data["evaluation"]["source"] == "starter:fashion" and not plan.data["evaluation"]["labelled"]
    assert any("without their labels" in warning for warning in plan.warnings)


# ---- tables -------------------------------------------------------------------------------------


def test_sounds_and_names_of_classes_come_out_of_parquet_as_the_hub_keeps_them(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    audio = [{"bytes": media.wav(n), "path": f"{n}.wav"} for n in range(3)]
    features = {"audio": {"_type": "Audio"}, "label": {"_type": "ClassLabel", "names": ["bark", "meow"]}}
    schema = {"huggingface": json.dumps({"info": {"features": features}})}
    table = pa.table({"audio": audio, "label": [0, 1, 1]}).replace_schema_metadata(schema)
    pq.write_table(table, tmp_path / "sounds.parquet")
    found = hub.find_data(str(tmp_path / "sounds.parquet"))
    columns, inputs = {"audio": ("audio",), "label": ("label",)}, (("audio",),)
    ids = hub.read_rows(found, Fields(columns, inputs))
    names = hub.read_rows(found, Fields(columns, inputs, by_name=True))
    assert [row["audio"] for row in ids.rows] == [one["bytes"] for one in audio]
    assert [row["label"] for row in ids.rows] == [0, 1, 1]
    assert [row["label"] for row in names.rows] == ["bark", "meow", "meow"] and names.ids == ids.ids


def test_masks_travel_with_their_rows_and_must_be_there(tmp_path: Path) -> None:
    data = scenes(tmp_path / "scenes")
    columns = {"image": ("file_name",), "mask": ("mask",)}
    fields = Fields(columns, (("image",),), target="mask")
    found = hub.read_rows(hub.find_data(str(data)), fields)
    assert found.labelled and found.rows[3]["mask"] == (data / "masks/3.png").resolve()
    hub.save_rows(found, tmp_path)
    again = hub.load_rows(tmp_path)
    assert again.rows[3]["mask"].read_bytes() == media.mask(3) and again.ids == found.ids
    shutil.rmtree(data / "masks")
    with pytest.raises(RequestError, match=r"Row 1 of metadata.csv, column `mask`: there is no file masks/0\.png"):
        hub.read_rows(hub.find_data(str(data)), fields)
