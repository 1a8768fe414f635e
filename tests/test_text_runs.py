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


def compared(folder: Path, model: Path, data: Path, *recipes: str, quick: bool = False) -> tuple[str, dict[str, Any]]:
    """(run, report) of these recipes against PyTorch, measured for a blink."""
    baseline, *others = [small.make_recipe(folder, name) for name in ("pytorch-fp32", *recipes)]
    others = others or [small.make_recipe(folder, "pytorch-fp32", "the-same-again", warmup=2)]
    run = bench.submit(bench.plan(bench.request(str(model), others, baseline=baseline, data=str(data), quick=quick)))
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


@pytest.mark.slow
@pytest.mark.usefixtures("known_machine")
@pytest.mark.parametrize(
    ("make", "rows", "metric", "others"),
    [
        (tiny.make_several, tiny.moods, "subset_accuracy", {"micro_f1", "macro_f1"}),
        (tiny.make_number, tiny.lengths, "spearman", {"mse"}),
        (tiny.make_pairs, tiny.judged, "accuracy", {"macro_f1"}),
    ],
    ids=["several labels", "a number", "pairs of texts"],
)
def test_each_kind_of_classifier_is_compared_by_its_own_metric(
    make: Any, rows: Any, metric: str, others: set[str], home: Path, tmp_path: Path
) -> None:
    data = tiny.write(tmp_path / "rows.jsonl", rows())
    _, report = compared(tmp_path, make(tmp_path / "model"), data, "onnx-fp32", quick=True)
    assert report["model"]["task"] == "text-classification" and report["data"]["evaluation"]["n"] == tiny.COUNT
    for row in report["rows"]:
        accuracy = row["accuracy"]
        secondary = {one["metric"] for one in accuracy["secondary"]} - {"kl"}  # what rows beside the baseline have more
        assert accuracy["metric"] == metric and secondary == others
        assert abs(accuracy["delta"]) < 1e-3 and accuracy["agreement"] >= 0.9


@pytest.mark.slow
@pytest.mark.usefixtures("known_machine")
def test_the_first_token_stands_for_a_text_where_the_folder_says_so(home: Path, tmp_path: Path) -> None:
    """The value is that of the vectors by hand, and not that of the mean."""
    model = tiny.make_sentences(tmp_path / "sentences", "cls_token")
    data = tiny.write(tmp_path / "pairs.jsonl", tiny.pairs())
    _, report = compared(tmp_path, model, data, "onnx-fp32", quick=True)
    base, other = (row["accuracy"] for row in report["rows"])
    first, mean = by_hand(model)
    assert base["metric"] == "spearman" and abs(other["delta"]) < 1e-3
    assert base["value"] == pytest.approx(first, abs=1e-3) and abs(first - mean) > 1e-2


def by_hand(model: Path) -> tuple[float, float]:
    """Spearman between the scores of the pairs and the cosines of their vectors: of first tokens, of means."""
    import torch
    from scipy.stats import spearmanr
    from transformers import AutoModel, AutoTokenizer

    tokenizer, encoder = AutoTokenizer.from_pretrained(model), AutoModel.from_pretrained(model).eval()
    found: list[list[float]] = [[], []]
    with torch.inference_mode():
        for row in tiny.pairs():
            one, two = (encoder(**tokenizer(row[side], truncation=True, max_length=40, return_tensors="pt"))
                        .last_hidden_state[0] for side in ("sentence1", "sentence2"))  # fmt: skip
            for cosines, (a, b) in zip(found, ((one[0], two[0]), (one.mean(0), two.mean(0))), strict=True):
                cosines.append(float(torch.cosine_similarity(a, b, dim=0)))
    scores = [row["score"] for row in tiny.pairs()]
    return tuple(float(spearmanr(cosines, scores).statistic) for cosines in found)  # type: ignore[return-value]


def test_what_transformers_has_no_pipeline_for_is_loaded_instead(tmp_path: Path) -> None:
    import yaml

    for task in ("question-answering", "sentence-similarity", "text2text-generation"):
        said = yaml.safe_load(small.make_recipe(tmp_path, "pytorch-fp32").read_text())
        said["spec"]["model"] = {"id": "org/model", "task": task}
        (tmp_path / f"{task}.yaml").write_text(yaml.safe_dump(said))
        with pytest.raises(RequestError, match=f"no pipeline for {task}.*workbench.load"):
            bench.pipeline(tmp_path / f"{task}.yaml")
