"""Tiny models for texts from a folder and a file to a report, to recipes, and to transformers' own pipelines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import small
from tests.tiny import texts as tiny
from workbench import bench, sentence
from workbench.errors import RequestError

TEXTS = [text for text, _ in small.texts(3, seed=5)]


def compared(folder: Path, model: Path, data: Path, *recipes: str) -> tuple[str, dict[str, Any]]:
    """(run, report) of these recipes against PyTorch, measured for a blink."""
    baseline, *others = [small.make_recipe(folder, name) for name in ("pytorch-fp32", *recipes)]
    others = others or [small.make_recipe(folder, "pytorch-fp32", "the-same-again", warmup=2)]
    run = bench.submit(bench.plan(bench.request(str(model), others, baseline=baseline, data=str(data))))
    for _ in bench.follow(run):
        pass
    report: dict[str, Any] = bench.comparison(run).report
    assert [row["status"] for row in report["rows"]] == ["ok"] * (1 + len(others)), report["rows"]
    return run, report


def original(task: str, model: Path, **options: Any) -> Any:
    import transformers

    make: Any = transformers.pipeline
    return make(task, model=str(model), device="cpu", **options)


@pytest.mark.slow
@pytest.mark.usefixtures("known_machine")
def test_tags_are_compared_by_their_entities_and_a_recipe_of_the_run_is_a_pipeline(home: Path, tmp_path: Path) -> None:
    model = tiny.make_tagger(tmp_path / "tagger")
    data = tiny.write(tmp_path / "tagged.jsonl", tiny.tagged())
    run, report = compared(tmp_path, model, data, "onnx-fp32", "openvino-fp32")
    assert report["model"]["task"] == "token-classification" and report["data"]["evaluation"]["n"] == 24
    for row in report["rows"]:
        accuracy = row["accuracy"]
        assert accuracy["metric"] == "entity_f1" and accuracy["secondary"][0]["metric"] == "token_accuracy"
        assert accuracy["agreement"] == 1.0 and accuracy["delta"] == 0
    mine = bench.pipeline(bench.recipe_file(run, "onnx-fp32"), aggregation_strategy="simple")
    theirs = original("token-classification", model, aggregation_strategy="simple")
    for one, other in zip(mine(TEXTS), theirs(TEXTS), strict=True):
        assert [(e["entity_group"], e["start"], e["end"]) for e in one] == [
            (e["entity_group"], e["start"], e["end"]) for e in other
        ]
    mine.model.close()


@pytest.mark.slow
@pytest.mark.usefixtures("known_machine")
def test_pairs_are_compared_by_spearman_and_say_sentences_a_second(home: Path, tmp_path: Path) -> None:
    model = tiny.make_sentences(tmp_path / "sentences")
    data = tiny.write(tmp_path / "pairs.jsonl", tiny.pairs())
    _, report = compared(tmp_path, model, data, "onnx-fp32", "openvino-fp32")
    assert report["model"]["task"] == "sentence-similarity"
    base, *others = report["rows"]
    assert base["accuracy"]["metric"] == "spearman" and -1 < base["accuracy"]["value"] < 1
    for row in others:
        accuracy = row["accuracy"]
        assert abs(accuracy["delta"]) < 1e-3 and accuracy["ci95"][0] < accuracy["ci95"][1]
        assert accuracy["agreement"] is None and accuracy["flips"] is None
    point = base["speed"]["points"][0]
    assert point["rate_unit"] == "sentences/s" and point["rate"] == pytest.approx(2 / point["value"])
    assert sentence.change_name(report) == "Spearman change"


@pytest.mark.slow
@pytest.mark.usefixtures("known_machine")
def test_texts_are_compared_by_their_vectors_without_any_label(home: Path, tmp_path: Path) -> None:
    """And the same model is a feature-extraction pipeline."""
    model = tiny.make_encoder(tmp_path / "encoder")
    data = tiny.write(tmp_path / "texts.jsonl", tiny.plain())
    run, report = compared(tmp_path, model, data)
    accuracy = report["rows"][1]["accuracy"]
    assert report["model"]["task"] == "feature-extraction" and accuracy["metric"] == "cosine"
    assert accuracy["value"] == pytest.approx(1) and accuracy["agreement"] is None and sentence.unlabelled(report)
    assert "with the baseline" in bench.render(run, "html")
    mine = bench.pipeline(bench.recipe_file(run, "pytorch-fp32"))
    theirs = original("feature-extraction", model)
    for one, other in zip(mine(TEXTS), theirs(TEXTS), strict=True):
        assert np.allclose(one, other, atol=1e-4)
    mine.model.close()


@pytest.mark.slow
@pytest.mark.usefixtures("known_machine")
def test_a_mask_is_filled_as_by_the_original(home: Path, tmp_path: Path) -> None:
    model = tiny.make_masked(tmp_path / "masked")
    mine, theirs = bench.pipeline("pytorch-fp32", model=str(model)), original("fill-mask", model)
    asked = "the film was [MASK] and bright"
    assert [one["token"] for one in mine(asked)] == [one["token"] for one in theirs(asked)]
    mine.model.close()


def test_what_transformers_has_no_pipeline_for_is_loaded_instead(tmp_path: Path) -> None:
    import yaml

    for task in ("question-answering", "sentence-similarity", "text2text-generation"):
        said = yaml.safe_load(small.make_recipe(tmp_path, "pytorch-fp32").read_text())
        said["spec"]["model"] = {"id": "org/model", "task": task}
        (tmp_path / f"{task}.yaml").write_text(yaml.safe_dump(said))
        with pytest.raises(RequestError, match=f"no pipeline for {task}.*workbench.load"):
            bench.pipeline(tmp_path / f"{task}.yaml")
