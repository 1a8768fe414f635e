"""README.md of a pushed model: what the Hub reads of it, and what people do."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import documents
import pytest
from huggingface_hub import ModelCard

from tests.push_server import card_faults
from workbench.report.model_card import Pushed, model_card
from workbench.words import NBSP

ON_THE_HUB = {"id": "org/model", "kind": "hub", "revision": "a" * 40, "license": "apache-2.0"}
LOCAL = {"id": "local:mine", "kind": "local", "revision": "b" * 64, "license": None}
STARTER = {"id": "starter:sentiment", "kind": "starter", "revision": "c" * 64, "license": "MIT (package), and more"}
HUB_DATA = {"source": "org/reviews:plain", "kind": "hub", "revision": "d" * 40, "split": "test", "n": 1000}
LOCAL_DATA = {"source": "local:reviews.csv", "kind": "local", "revision": "e" * 64, "split": "all", "n": 1000}
QUANTIZED = {"coverage": {"MatMul": {"quantized": 0, "total": 38, "weights": 36}}}
PLAIN = {"coverage": {"MatMul": {"quantized": 0, "total": 38, "weights": 0}}}


def recipe(calibrated: bool = False) -> dict[str, Any]:
    data = {"evaluation": {}, "calibration": {"rows": {}}} if calibrated else {"evaluation": {}}
    return {
        "name": "onnx-int8-dynamic",
        "summary": "Weights in INT8.",
        "spec": {"data": {"evaluation": {"source": "x"}}},
        "lock": {
            "tool": {"name": "workbench", "version": "0.1"},
            "data": data,
            "steps": [{"use": "export-onnx", "options": {}}, {"use": "quantize-onnx-dynamic", "options": {}}],
            "environment": {"python": "3.11.7", "packages": {"onnxruntime": "1.32.0", "torch": "2.13.0"}},
            "machine": {"class": "x86_64/avx512_vnni", "cpu": "AMD EPYC", "cores": 2, "quota": 2.0, "memory_gb": 25.1},
        },
    }  # fmt: skip


def made(report: dict[str, Any] | None = None, audit: dict[str, Any] = QUANTIZED, **changes: Any) -> str:
    report = report or documents.report()
    given: dict[str, Any] = {
        "repo_id": "me/model-int8", "row": "onnx-int8-dynamic", "recipe": recipe(), "model": ON_THE_HUB,
        "evaluation": HUB_DATA, "calibration": None, "format": "onnx", "hub": "https://hub.example",
    } | changes  # fmt: skip
    for row in report["rows"]:
        row["audit"] = audit
    return model_card(report, Pushed(**given))


def read(text: str, folder: Path) -> ModelCard:
    """As the Hub's own client reads it from a file."""
    (folder / "README.md").write_text(text, encoding="utf-8")
    return ModelCard.load(folder / "README.md")


def prose(text: str) -> str:
    return text.split("\n---\n", 1)[1].replace(NBSP, " ")


# ---- what the Hub reads -------------------------------------------------------------------------


def test_a_quantized_model_of_the_hub_names_what_it_came_from(tmp_path: Path) -> None:
    card = read(made(), tmp_path)
    assert card.data.base_model == "org/model" and card.data.base_model_relation == "quantized"
    assert (card.data.library_name, card.data.pipeline_tag) == ("onnx", "text-classification")
    assert card.data.license == "apache-2.0" and "onnx" in card.data.tags
    assert not card_faults(card.content)


def test_a_plain_export_names_no_relation_for_the_hub_has_none_for_it(tmp_path: Path) -> None:
    said = read(made(audit=PLAIN), tmp_path).data.to_dict()
    assert said["base_model"] == "org/model" and "base_model_relation" not in said


@pytest.mark.parametrize(("model", "words"), [(LOCAL, "local model `mine`"), (STARTER, "starter model `sentiment`")])
def test_a_model_that_is_not_on_the_hub_has_no_base_model_and_the_card_says_so(
    model: dict[str, Any], words: str, tmp_path: Path
) -> None:
    text = made(model=model)
    said = read(text, tmp_path).data.to_dict()
    assert not {"base_model", "base_model_relation", "license"} & set(said)
    assert words in prose(text) and "no base model is named" in prose(text) and not card_faults(text)


def test_a_license_in_free_words_is_said_in_prose_only() -> None:
    assert "License of the original: MIT (package), and more." in prose(made(model=STARTER))


def test_the_result_on_a_data_set_of_the_hub_has_its_interval_in_its_name(tmp_path: Path) -> None:
    (result,) = read(made(), tmp_path).data.eval_results
    assert (result.dataset_type, result.dataset_split, result.dataset_revision) == ("org/reviews", "test", "d" * 40)
    assert (result.task_type, result.metric_type, result.metric_value) == ("text-classification", "accuracy", 0.907)
    assert result.metric_name == "accuracy, change −0.3 pp (95 % interval −1.2 to +0.6), n = 1,000"


@pytest.mark.parametrize(
    ("report", "data"),
    [(documents.report, LOCAL_DATA), (documents.label_free_report, HUB_DATA), (documents.vector_report, HUB_DATA)],
)
def test_no_result_is_claimed_for_data_that_nobody_can_look_at_or_that_has_no_labels(
    report: Any, data: dict[str, Any], tmp_path: Path
) -> None:
    assert read(made(report(), evaluation=data), tmp_path).data.eval_results is None


def test_only_data_that_the_model_was_calibrated_with_is_named_as_its_own(tmp_path: Path) -> None:
    train = HUB_DATA | {"split": "train"}
    assert read(made(calibration=train), tmp_path).data.datasets is None
    assert read(made(calibration=train, recipe=recipe(calibrated=True)), tmp_path).data.datasets == ["org/reviews"]
    assert read(made(calibration=LOCAL_DATA, recipe=recipe(calibrated=True)), tmp_path).data.datasets is None


# ---- what people read ---------------------------------------------------------------------------


def test_the_card_says_what_was_measured_and_how_surely() -> None:
    text = prose(made())
    assert "**Speed-up**: 2.80x (95 % interval 2.76–2.84) against `pytorch-fp32`" in text
    assert "The baseline against itself: 1.00x (1.00–1.00)." in text
    assert (
        "**Accuracy change**: −0.3 pp (95 % interval −1.2 to +0.6) on n = 1,000 examples of `org/reviews:plain`" in text
    )
    assert "AMD EPYC, x86\\_64/avx512\\_vnni, 2 cores (quota 2), 25 GB" in text
    assert "Python 3.11.7, onnxruntime 1.32.0, torch 2.13.0; workbench 0.1, 2026-11-21." in text


@pytest.mark.parametrize("name", ["full", "quick", "label-free", "error"])
def test_no_speed_or_accuracy_stands_without_its_interval(name: str) -> None:
    for line in prose(made(documents.DOCUMENTS[name]())).splitlines():
        for figure in re.finditer(r"\d+\.\d+x|[−+]\d[\d.]*( pp)?(?= \()", line):
            assert re.match(r" \((95 % interval )?[−+\d]", line[figure.end() :]), line
    assert "ms" not in prose(made(documents.DOCUMENTS[name]())).split()


def test_a_row_without_figures_says_that_nothing_was_measured() -> None:
    report = documents.report()
    for row in report["rows"]:
        row["speed"] = row["speed"] and row["speed"] | {"speedup": None, "ci95": None}
        row["accuracy"] = None
    text = prose(made(report))
    assert "**Speed** was not compared." in text and "**Accuracy** was not measured." in text


def test_a_quick_look_is_called_one() -> None:
    assert "quick look" in prose(made(documents.quick_report())) and "quick look" not in prose(made())


def test_a_row_that_misses_the_bar_says_so() -> None:
    text = prose(made(row="onnx-int8-static"))
    assert "slower" in text and "drop, misses the bar" in text


def test_it_is_loaded_from_the_recipe_or_by_its_runtime_alone() -> None:
    text = prose(made(opening="import runtime\n\nmodel = runtime.open(folder)\n"))
    assert 'hf_hub_download("me/model-int8", "recipe.yaml")' in text and "model = workbench.load(recipe)" in text
    assert 'folder = snapshot_download("me/model-int8")\nmodel = runtime.open(folder)\n' in text
    assert "import runtime\nfrom huggingface_hub import snapshot_download\n" in text
    assert "workbench verify recipe.yaml\n" in text
    assert "snapshot_download" not in made()


def test_in_a_folder_of_a_pull_request_every_path_has_the_folder() -> None:
    text = prose(made(opening="open(folder)", below="onnx-int8-dynamic"))
    assert (
        '"onnx-int8-dynamic/recipe.yaml"' in text
        and 'snapshot_download("me/model-int8") + "/onnx-int8-dynamic"' in text
    )


def test_what_is_local_has_to_be_given_to_build_or_verify_it() -> None:
    text = prose(made(model=LOCAL, evaluation=LOCAL_DATA))
    assert 'workbench.load(recipe, model="the folder of the original model")' in text
    assert 'verify recipe.yaml --model "the folder of the original model" --data "the file with its rows"' in text
    calibrated = prose(made(evaluation=LOCAL_DATA, recipe=recipe(calibrated=True)))
    assert 'workbench.load(recipe, data="the file with its rows")' in calibrated


def test_a_text_of_somebody_else_is_no_markup() -> None:
    hostile = "</code><script>alert('x')</script>`]("
    text = made(documents.hostile_report(), evaluation=LOCAL_DATA | {"source": hostile}, row="openvino-bf16")
    assert "<script>" not in re.sub(r"\\<", "", text)


def test_a_row_that_is_not_there_is_an_error() -> None:
    with pytest.raises(KeyError, match="nothing"):
        made(row="nothing")
