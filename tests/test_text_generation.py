"""Text that goes on: what is counted, how it is written, and one comparison of it."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from tests import small
from tests.conftest import know_machine
from tests.tiny.writers import make_llama
from workbench import catalog, generation
from workbench.comparison import accuracy_of
from workbench.comparison.seen import Goal, Predictions
from workbench.generation import Habits
from workbench.plugin import Batch, Prepared, Writes
from workbench.tasks.text_generation import DISTRIBUTIONS, PROMPT, WINDOW, TextGeneration
from workbench.tasks.writing import WRITTEN

TASK = TextGeneration()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_llama(tmp_path_factory.mktemp("llama") / "model")


@pytest.fixture(scope="module")
def prepared(model: Path) -> Prepared:
    return TASK.prepare(rows(30), model)


@pytest.fixture(scope="module")
def session(model: Path) -> Any:
    backend = catalog.backend("pytorch")
    return backend.open(model, "cpu", 1, backend.Options(auto_class=TASK.auto_class))


def rows(count: int) -> list[dict[str, Any]]:
    return [{"id": str(number), "row": number, "text": text} for number, (text, _) in enumerate(small.texts(count), 1)]


# ---- what is counted ----------------------------------------------------------------------------


def test_perplexity_is_that_of_every_token_but_the_first() -> None:
    """Two texts: "1 2" after one of padding, "0 2 1"; every token has a probability of a quarter or a half."""
    ids = np.array([[0, 1, 2], [0, 2, 1]])
    mask = np.array([[0, 1, 1], [1, 1, 1]])
    quarter, half = np.log([0.25, 0.5, 0.25]), np.log([0.25, 0.25, 0.5])
    logits = np.stack([[half + 7, quarter, half], [half, quarter + 3, half]])
    answers = TASK.read({"logits": logits, "tokens": np.array([[1], [2]])}, batch(ids, mask, [1, 1]), {})
    found = TASK.statistics(answers, [1, 2])["perplexity"]
    assert found[:, 1].tolist() == [1, 2]
    assert found[:, 0] == pytest.approx([math.log(4), math.log(2) + math.log(2)])
    assert TASK.metrics[0].value(found) == pytest.approx(16 ** (1 / 3))


@pytest.mark.parametrize(("texts", "places"), [(5, [8] * 5), (50, [4] * 50), (205, [1] * 200 + [0] * 5)])
def test_the_odds_of_what_follows_are_kept_at_as_many_places_of_each_text(
    model: Path, texts: int, places: list[int]
) -> None:
    kept = [int(one[0]) for one in TASK.prepare(rows(texts), model).tensors["keeps_scores"]]
    assert kept == places and sum(kept) <= DISTRIBUTIONS


def test_the_places_are_spread_over_the_text_and_its_end_is_among_them() -> None:
    """Probabilities that say where they stand: padding, then five tokens, at three of which they are kept."""
    odds = np.arange(1, 8) / 10
    logits = np.log(np.stack([odds, 1 - odds], axis=-1))[None]
    mask = np.array([[0, 0, 1, 1, 1, 1, 1]])
    said = {"logits": logits, "tokens": np.array([[1]])}
    answers = TASK.read(said, batch(np.zeros((1, 7), dtype=np.int64), mask, [3]), {})
    assert answers.scores[:, 0] == pytest.approx([0.4, 0.6, 0.7])
    short = TASK.read(said, batch(np.zeros((1, 7), dtype=np.int64), mask, [8]), {})
    assert len(short.scores) == 8 and short.scores[-1, 0] == pytest.approx(0.7)


def test_texts_that_keep_no_odds_have_none() -> None:
    logits = np.log(np.array([[[0.5, 0.5]], [[0.1, 0.9]]]))
    one = batch(np.zeros((2, 1), dtype=np.int64), np.ones((2, 1), dtype=np.int64), [0, 1])
    answers = TASK.read({"logits": logits, "tokens": np.array([[1], [1]])}, one, {})
    assert answers.scores == pytest.approx(np.array([[0.1, 0.9]])) and len(answers.predicted) == 2


def test_a_long_text_is_cut_at_the_window_and_counted(model: Path, prepared: Prepared) -> None:
    long = [{"id": "0", "row": 1, "text": "the film " * WINDOW}]
    found = TASK.prepare(long, model)
    assert found.facts["truncated"] == 1 and len(found.tensors["input_ids"][0]) == found.facts["max_length"] <= WINDOW
    assert prepared.facts["truncated"] == 0


def batch(ids: np.ndarray, mask: np.ndarray, keeps: list[int]) -> Batch:
    return {"input_ids": ids, "attention_mask": mask, "keeps_scores": np.array(keeps)[:, None]}


# ---- the bar ------------------------------------------------------------------------------------


def test_a_relative_bar_is_a_share_of_the_baselines_perplexity() -> None:
    """Every text costs 2 % more nats of perplexity: within 3 % of 20, far beyond 0.03 of it."""
    tokens = np.full(100, 10.0)
    base = perplexities(np.full(100, 10 * math.log(20.0)), tokens)
    mine = perplexities(np.full(100, 10 * math.log(20.4)), tokens)
    assert accuracy_of(base, mine, Goal(max_drop=0.03, kind="relative"))["constraint"] == "met"
    assert accuracy_of(base, mine, Goal(max_drop=0.03))["constraint"] == "missed"
    assert accuracy_of(base, mine, Goal(max_drop=0.03, kind="relative"))["delta"] == pytest.approx(0.4)


def test_a_bar_that_is_asked_for_stays_relative_where_the_recipe_says_so() -> None:
    from workbench import planning, recipe

    said = recipe.shelf()["pytorch-fp32"].to_dict()
    said["spec"]["goal"] = {"constraints": [{"max_drop": 0.1, "kind": "relative"}]}
    asked = planning.as_asked(recipe.from_dict(said), 0.03, None)
    assert [(one.max_drop, one.kind) for one in asked.spec.goal.constraints] == [(0.03, "relative")]


def perplexities(nats: np.ndarray, tokens: np.ndarray) -> Predictions:
    ids = [str(number) for number in range(len(nats))]
    counted = {"perplexity": np.stack([nats, tokens], axis=1)}
    return Predictions(ids, [[1]] * len(ids), np.zeros((len(ids), 0), np.float32), TASK.metrics, counted)


# ---- how it is written --------------------------------------------------------------------------


def counting(vocabulary: int = 9) -> Any:
    """A model that always says the number after the last one, and remembers what it was given."""
    seen: list[Batch] = []

    def call(given: Batch) -> np.ndarray:
        seen.append({name: value.copy() for name, value in given.items()})
        return np.eye(vocabulary)[(given["input_ids"][:, -1:] + 1) % vocabulary]

    return call, seen


def test_a_text_that_has_ended_is_padded_and_the_others_go_on() -> None:
    call, _ = counting()
    prompts = generation.left_padded([np.array([1, 2]), np.array([4])], 0)
    written = generation.continued(call, prompts, 5, Habits(ends=(5,), padding=0), ends=True)
    assert written.tokens.tolist() == [[3, 4, 5], [5, 0, 0]]
    assert 0 < written.first <= written.seconds


def test_timing_writes_on_past_the_end() -> None:
    call, _ = counting()
    prompts = generation.left_padded([np.array([4])], 0)
    assert generation.continued(call, prompts, 3, Habits(ends=(5,)), ends=False).tokens.tolist() == [[5, 6, 7]]


def test_after_the_prompt_one_token_goes_in_with_its_place_and_a_mask_over_all() -> None:
    call, seen = counting()
    prompts = generation.left_padded([np.array([1, 2, 3]), np.array([4])], 0)
    generation.continued(call, prompts, 3, Habits(), ends=False)
    assert [one["input_ids"].shape[1] for one in seen] == [3, 1, 1]
    assert seen[0]["position_ids"].tolist() == [[0, 1, 2], [0, 0, 0]]
    assert seen[2]["position_ids"].tolist() == [[4], [2]]
    assert seen[2]["attention_mask"].tolist() == [[1, 1, 1, 1, 1], [0, 0, 1, 1, 1]]


def test_where_a_text_begins_and_ends_is_read_from_the_folder(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"eos_token_id": 2, "pad_token_id": 7}))
    assert generation.habits(tmp_path) == Habits((2,), 7)
    (tmp_path / "generation_config.json").write_text(json.dumps({"eos_token_id": [3, 4]}))
    assert generation.habits(tmp_path) == Habits((3, 4), 3)


def test_padding_on_the_left_changes_no_word(session: Any, prepared: Prepared) -> None:
    together = TASK.answer(session, TASK.collate(prepared, range(3)))["tokens"]
    alone = [TASK.answer(session, TASK.collate(prepared, [row]))["tokens"][0].tolist() for row in range(3)]
    assert together.tolist() == alone


def test_speed_has_a_whole_text_and_the_first_token_and_those_after_it_apart(session: Any, prepared: Prepared) -> None:
    points = TASK.points(prepared, range(30), [1, 4], [8, 4096])
    assert [(point.metric, point.batch, point.sequence, point.units) for point in points] == [
        ("latency", 1, None, WRITTEN), ("first_token", 1, 8, 8), ("per_token", 1, 8, 1),
        ("first_token", 4, 8, 32), ("per_token", 4, 8, 4),
    ]  # fmt: skip
    assert max(one["input_ids"].shape[1] for one in points[0].batches) <= PROMPT
    assert points[-1].batches[0]["input_ids"].shape == (4, 8)
    taken = TASK.time(session, points[0].batches[0])
    assert {point.metric for point in points} == set(taken)
    assert isinstance(session, Writes) and all(seconds > 0 for seconds in taken.values())


# ---- one comparison, and what it built ----------------------------------------------------------


@pytest.fixture(scope="module")
def compared(model: Path, warm_run: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(home, folder of the run): PyTorch, ONNX Runtime, both its precisions, and OpenVINO with small weights."""
    from workbench import bench

    folder = tmp_path_factory.mktemp("writing")
    data = small.write_rows(folder / "texts.csv", [{"text": row["text"]} for row in rows(30)])
    names = ("pytorch-fp32", "onnx-fp32", "onnx-int8-dynamic", "openvino-int8-weights")
    baseline, *others = [relative(small.make_recipe(folder, name, batches=[1, 2])) for name in names]
    know_machine(folder / "home", warm_run)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORKBENCH_HOME", str(folder / "home"))
        asked = {"recipes": others, "baseline": baseline, "data": str(data)}
        run = bench.submit(bench.plan(bench.request(str(model), **asked)))
        for _ in bench.follow(run):
            pass
        place = folder / "home" / "runs" / run
        assert bench.status(run) == "ok", (place / "log" / "runner.log").read_text()
    return folder / "home", place


def relative(path: Path) -> Path:
    said = yaml.safe_load(path.read_text(encoding="utf-8"))
    said["spec"]["goal"] = {"constraints": [{"max_drop": 0.03, "kind": "relative"}]}
    path.write_text(yaml.safe_dump(said, sort_keys=False), encoding="utf-8")
    return path


@pytest.mark.slow
def test_writers_are_compared_by_perplexity_and_by_their_words(compared: tuple[Path, Path]) -> None:
    report = json.loads((compared[1] / "report.json").read_text())
    found = {row["name"]: row for row in report["rows"]}
    assert [row["status"] for row in found.values()] == ["ok"] * 4
    same = found["onnx-fp32"]["accuracy"]
    assert (same["metric"], same["better"], same["n"]) == ("perplexity", "lower", 30)
    assert same["value"] == pytest.approx(same["baseline"], rel=1e-5) and same["agreement"] == 1
    assert same["kl"] == pytest.approx(0, abs=1e-6) and same["constraint"] == "met"
    few = found["onnx-int8-dynamic"]["accuracy"]
    assert few["kl"] > same["kl"] and few["value"] != same["value"]
    points = found["openvino-int8-weights"]["speed"]["points"]
    assert {point["metric"] for point in points} >= {"latency", "first_token", "per_token"}
    assert found["onnx-int8-dynamic"]["audit"]["coverage"]["MatMul"]["quantized"] > 0


@pytest.mark.slow
def test_a_built_model_generates_as_its_original_does(
    model: Path, compared: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch
    import transformers

    import workbench
    from workbench.errors import RequestError

    monkeypatch.setenv("WORKBENCH_HOME", str(compared[0]))
    original = transformers.AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
    tokenizer = transformers.AutoTokenizer.from_pretrained(model)
    given = tokenizer(["the film was good", "a bad story"], padding=True, return_tensors="pt")
    file = compared[1] / "recipes" / "onnx-fp32.yaml"
    with workbench.load(file, model=str(model)) as built:
        mine = built.generate(**given, max_new_tokens=8)
        assert mine.tolist() == original.generate(**given, max_new_tokens=8, do_sample=False).tolist()
        with pytest.raises(RequestError, match="num_beams=4"):
            built.generate(**given, num_beams=4)
    pipe = workbench.pipeline(file, model=str(model), max_new_tokens=8)
    theirs = transformers.pipeline(
        "text-generation", model=original, tokenizer=tokenizer, do_sample=False, max_new_tokens=8
    )
    assert pipe("the film was good") == theirs("the film was good")
