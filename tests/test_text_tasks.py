"""Texts that are asked with one call: what becomes of rows, how answers are read, and when they are right."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from tests import small
from tests.tiny import texts as tiny
from workbench import catalog, inputs
from workbench.errors import RequestError
from workbench.plugin import Answers, Point, Prepared
from workbench.probes.accuracy import Accuracy
from workbench.tasks.entities import counted, entities, is_scheme
from workbench.tasks.pooling import Pooling, pooling_of
from workbench.tasks.question_answering import normalized, overlap

TEXT, TOKENS = catalog.task("text-classification"), catalog.task("token-classification")
ANSWER, MASK = catalog.task("question-answering"), catalog.task("fill-mask")
FEATURES, ALIKE = catalog.task("feature-extraction"), catalog.task("sentence-similarity")
MOODS = {**tiny.named("calm", "glad", "sad"), "problem_type": "multi_label_classification"}
STARS = {"id2label": {"0": "LABEL_0"}}
TAGS = tiny.named(*tiny.TAGS)


def rows(field: str, values: list[Any], **more: Any) -> list[dict[str, Any]]:
    return [{"id": f"{n:064d}", "row": n, "text": f"text {n}", field: value, **more}
            for n, value in enumerate(values, 1)]  # fmt: skip


def refusal(task: Any, given: list[dict[str, Any]], config: dict[str, Any]) -> RequestError:
    with pytest.raises(RequestError) as caught:
        task.check(given, config)
    return caught.value


def values(task: Any, answers: Answers, labels: list[Any]) -> dict[str, float]:
    """What the metrics say, the headline first."""
    known = {metric.name: metric for metric in task.metrics}
    return {name: known[name].value(kept) for name, kept in task.statistics(answers, labels).items()}


def no_scores(*predicted: Any) -> Answers:
    return Answers(list(predicted), np.zeros((len(predicted), 0), np.float32))


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The tiny model of each task."""
    return {one.task: one.make(tmp_path_factory.mktemp(one.task) / "model") for one in tiny.TINY}


def prepared(folders: dict[str, Path], name: str) -> Prepared:
    """The rows of the tiny model, through a disk and back."""
    task, kind = catalog.task(name), next(one for one in tiny.TINY if one.task == name)
    model = folders[name]
    checked = task.check(kind.rows(model), json.loads((model / "config.json").read_text()))
    return task.prepare(checked, model)


# ---- several labels -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "labels", [[["calm"], ["sad", "Glad"]], [[0], [2, 1]], [[1, 0, 0], [0, 1, 1]], ["calm", "sad,glad"],
               ['["calm"]', "[1, 2]"], [[True, False, False], [0.0, 1.0, 1.0]]], ids=str
)  # fmt: skip
def test_several_labels_are_names_ids_or_a_flag_for_every_class(labels: list[Any]) -> None:
    assert [row["label"] for row in TEXT.check(rows("label", labels * 10), MOODS)] == [[0], [1, 2]] * 10


def test_a_wrong_label_among_several_names_its_row() -> None:
    assert "Row 21 has the label 'angry'" in refusal(TEXT, rows("label", [[0], [1]] * 10 + [["angry"]]), MOODS).what
    assert "'calm, sad'" in refusal(TEXT, rows("label", [[0, 2]] * 20), MOODS).what


def test_several_labels_are_right_together_and_one_by_one() -> None:
    logits = np.array([[3, -1, 2], [-1, -2, -3], [-1, 4, -1]], np.float32)
    answers = TEXT.read({"logits": logits}, {}, {"problem": "multi_label_classification"})
    assert answers.predicted == [[0, 2], [], [1]] and answers.scores.shape == (3, 0)
    found = values(TEXT, answers, [[0, 2], [2], [0, 1]])
    assert list(found) == ["subset_accuracy", "micro_f1", "macro_f1"]
    assert found["subset_accuracy"] == pytest.approx(1 / 3)
    assert found["micro_f1"] == pytest.approx(2 * 3 / (2 * 3 + 0 + 2))
    assert found["macro_f1"] == pytest.approx((2 / 3 + 1 + 2 / 3) / 3)


# ---- a number -----------------------------------------------------------------------------------


def test_one_output_is_asked_for_a_number() -> None:
    assert [row["label"] for row in TEXT.check(rows("label", ["1", 2.5] * 10), STARS)] == [1.0, 2.5] * 10
    assert refusal(TEXT, rows("label", [1, "many"] * 10), STARS).what == "Row 2 has the label 'many'."
    assert "All 20 rows have the label 3." in refusal(TEXT, rows("label", [3] * 20), STARS).what


def test_numbers_are_ranked_and_their_errors_squared() -> None:
    answers = TEXT.read({"logits": np.array([[1.004], [2.0], [2.996]], np.float32)}, {}, {"problem": "regression"})
    assert answers.predicted == [1.0, 2.0, 3.0] and answers.scores.shape == (3, 1)
    found = values(TEXT, answers, [10.0, 20.0, 5.0])
    assert list(found) == ["spearman", "mse"] and found["spearman"] == pytest.approx(-0.5)
    assert found["mse"] == pytest.approx((8.996**2 + 18**2 + 2.004**2) / 3, rel=1e-5)


@pytest.mark.parametrize(("config", "label", "said"), [(MOODS, [1, 2], "glad, sad"), (STARS, 2.5, "2.5")], ids=str)
def test_a_card_says_every_kind_of_label_in_words(
    folders: dict[str, Path], tmp_path: Path, config: dict[str, Any], label: Any, said: str
) -> None:
    for file in folders["fill-mask"].glob("token*"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "config.json").write_text(json.dumps(config | {"model_type": "bert", "max_position_embeddings": 48}))
    found = TEXT.prepare(rows("label", [label] * 2), tmp_path)
    assert found.cards[0] == {"text": "text 1", "label": said} and found.labels == [label] * 2


# ---- tags ---------------------------------------------------------------------------------------

TAG = some.sampled_from(["O", "B-A", "I-A", "B-B", "I-B", "E-A", "S-A", "S-B", "I-B-C", "NOUN", "VERB", "."])


@settings(max_examples=300, deadline=None)
@given(some.lists(some.tuples(TAG, TAG), min_size=1, max_size=12))
@pytest.mark.filterwarnings("ignore:.*seems not to be NE tag")
def test_entities_are_counted_as_seqeval_counts_them(pairs: list[tuple[str, str]]) -> None:
    from seqeval.metrics.sequence_labeling import get_entities

    right, said = ([pair[side] for pair in pairs] for side in (0, 1))
    assert sorted(entities(right)) == sorted(get_entities(right))
    both = set(get_entities(right)) & set(get_entities(said))
    hits, extra, missed = counted(right, said)
    assert (hits, hits + extra, hits + missed) == (len(both), len(entities(said)), len(entities(right)))


def test_entities_lead_where_tags_have_a_scheme_and_accuracy_elsewhere() -> None:
    right, said = ["B-A", "I-A", "O", "B-B"], ["B-A", "O", "O", "B-B"]
    found = values(TOKENS, no_scores(said), [right])
    assert list(found) == ["entity_f1", "token_accuracy"] and found == {"entity_f1": 0.5, "token_accuracy": 0.75}
    assert list(values(TOKENS, no_scores(["NOUN", "VERB"]), [["NOUN", "NOUN"]])) == ["token_accuracy", "entity_f1"]
    assert is_scheme({"O", "S-A", "E-A"}) and not is_scheme({"O"}) and not is_scheme({"O", "NOUN"})


def test_tags_are_names_or_ids_in_lists_or_texts() -> None:
    for tags in (["B-GOOD", "o"], [1, 0], '["B-GOOD", "O"]', "B-GOOD O"):
        given = rows("tags", [tags] * 20, tokens="fine day")
        assert TOKENS.check(given, TAGS)[0]["tags"] == ["B-GOOD", "O"]
        assert TOKENS.check(given, TAGS)[0]["tokens"] == ["fine", "day"]
    fewer = refusal(TOKENS, rows("tags", [["O"]] * 20, tokens="fine day"), TAGS)
    assert fewer.what == "Row 1 has 2 words and 1 tags."
    assert "'LOC'" in refusal(TOKENS, rows("tags", [["LOC", "O"]] * 20, tokens="fine day"), TAGS).what
    assert "'O'" in refusal(TOKENS, rows("tags", [["O", "O"]] * 20, tokens="fine day"), TAGS).what
    assert "tags" not in TOKENS.check([{"row": 1, "tokens": "fine day"}] * 20, TAGS)[0]


def test_a_word_is_labelled_by_its_first_token_and_cut_words_are_not_counted(folders: dict[str, Path]) -> None:
    words = ["good", "unheard", "film"] + ["the"] * 60
    row = {"id": "1", "tokens": words, "tags": ["B-GOOD", "I-GOOD", *["O"] * 61]}
    found = TOKENS.prepare([row], folders["token-classification"])
    starts = found.tensors["starts"][0]
    assert starts[:11].tolist() == [0, 1, 2, 0, 0, 0, 0, 0, 0, 3, 4]  # [CLS] good u ##n ##h ##e ##a ##r ##d film the
    assert found.labels is not None and len(found.labels[0]) == starts.max() < len(words)
    assert found.facts["truncated"] == 1 and found.cards[0]["label"] == "good unheard (GOOD)"
    logits = np.zeros((1, len(starts), 5), np.float32)
    logits[0, 1, 1] = logits[0, 2, 2] = logits[0, 3, 3] = 9
    batch = TOKENS.collate(found, [0])
    answers = TOKENS.read({"logits": logits}, batch, found.facts)
    assert answers.predicted == found.labels


# ---- questions ----------------------------------------------------------------------------------


def test_answers_are_compared_as_squad_does() -> None:
    assert normalized("The  Eiffel-Tower, a tower!") == "eiffeltower tower"
    assert overlap("the big cat", "a cat") == pytest.approx(2 / 3) and overlap("", "the") == 1 and overlap("", "x") == 0
    found = values(ANSWER, no_scores("the Cat", "dog", ""), [["a dog", "cat"], ["dog house"], []])
    assert list(found) == ["exact_match", "f1"]
    assert found["exact_match"] == pytest.approx(2 / 3) and found["f1"] == pytest.approx((1 + 2 / 3 + 1) / 3)


def test_right_answers_are_squads_a_list_or_one_text() -> None:
    for answers in ({"text": ["a", "a", "b"], "answer_start": [0, 1, 2]}, ["a", "b"]):
        assert ANSWER.check(_without_text(rows("answers", [answers] * 20)), {})[0]["answers"] == ["a", "b"]
    assert ANSWER.check(_without_text(rows("answers", ["a"] * 20)), {})[0]["answers"] == ["a"]
    assert "Row 2 has the answers" in refusal(ANSWER, _without_text(rows("answers", ["a", 7] * 10)), {}).what
    assert "no questions" in refusal(ANSWER, rows("answers", ["a"] * 20), {}).what


def test_texts_without_a_question_are_asked_a_general_one(folders: dict[str, Path]) -> None:
    found = ANSWER.prepare(ANSWER.check(tiny.checked(tiny.plain()), {}), folders["question-answering"])
    assert found.labels is None and found.cards[0]["text"].startswith("What is this about? ▸ ")
    said = _answers(ANSWER, found, folders["question-answering"]).predicted
    assert all(answer and answer in text for answer, (text, _) in zip(said, small.texts(24), strict=True))


def test_an_answer_is_a_part_of_the_context_in_its_own_letters(folders: dict[str, Path], tmp_path: Path) -> None:
    context = "Thé Fílm was  GOOD, " + "and the plot " * 30
    asked = [{"id": "1", "question": "what was", "context": context, "answers": ["Fílm"]},
             {"id": "2", "question": "what", "context": "the end", "answers": []}]  # fmt: skip
    inputs.save(ANSWER.prepare(asked, folders["question-answering"]), tmp_path)
    found = inputs.load(tmp_path)
    assert found.facts["truncated"] == 1 and found.facts["unanswered"] == 1 and found.cards[1]["label"] == "no answer"
    batch = ANSWER.collate(found, [0, 1])
    assert batch["offsets"].shape == (*batch["input_ids"].shape, 2) and batch["context"].shape == (2,)
    start, end = np.zeros((2, *batch["input_ids"].shape), np.float32)
    first = int((batch["offsets"][0, :, 0] == context.index("Fílm")).argmax())
    last = int((batch["offsets"][0, :, 1] == context.index("GOOD") + 4).argmax())
    start[0, first] = end[0, last] = 5
    start[0, last] = end[0, first] = 9  # an end before its start is no answer, nor is one in the question
    start[0, 1] = end[0, 1] = 99
    start[1, 0] = 1
    answers = ANSWER.read({"start_logits": start, "end_logits": end}, batch, found.facts)
    assert answers.predicted[1] == ""
    end[0, first] = 0
    start[0, last] = 0
    answers = ANSWER.read({"start_logits": start, "end_logits": end}, batch, found.facts | {"unanswered": 0})
    assert answers.predicted[0] == "Fílm was  GOOD" and answers.predicted[1]


def test_a_question_that_leaves_no_room_names_its_row(folders: dict[str, Path]) -> None:
    with pytest.raises(RequestError, match="question of row 7 has 62 tokens"):
        asked = {"id": "1", "row": 7, "question": "good " * 60, "context": "a film", "answers": ["film"]}
        ANSWER.prepare([asked], folders["question-answering"])


# ---- masks --------------------------------------------------------------------------------------


def test_a_text_masks_one_token_of_its_own_the_same_one_every_time(folders: dict[str, Path]) -> None:
    model = folders["fill-mask"]
    found, again = prepared(folders, "fill-mask"), prepared(folders, "fill-mask")
    tokenizer = MASK.processor(model)._tokenizer  # type: ignore[attr-defined]
    whole = [tokenizer(text)["input_ids"] for text, _ in small.texts(24)]
    for ids, place, label, original in zip(found.tensors["input_ids"], found.tensors["masked_at"], found.labels or [],
                                           whole, strict=True):  # fmt: skip
        assert ids[place[0]] == tokenizer.mask_token_id and original[place[0]] == label
        assert 0 < place[0] < len(ids) - 1 and (ids != original).sum() == 1
    assert found.labels == again.labels and found.labels is not None and len(set(found.labels)) > 8
    assert found.cards[0]["text"].count("[MASK]") == 1 and found.cards[0]["label"] in small.texts(24)[0][0]


def test_a_given_mask_is_asked_for_its_label(folders: dict[str, Path]) -> None:
    model = folders["fill-mask"]
    asked = {"id": "1", "row": 3, "text": "the film was [MASK]", "label": "good"}
    found = MASK.prepare([asked], model)
    assert found.cards[0] == {"text": "the film was [MASK]", "label": "good"}
    without = MASK.prepare([{**asked, "label": None}], model)
    assert without.cards[0]["text"].count("[MASK]") == 2  # its own, and the one that was there
    for change, said in (({"label": "unheard"}, "'unheard'"), ({"text": "[MASK] was [MASK]"}, "2 masks"),
                         ({"text": "[UNK]", "label": None}, "no token that could be masked")):  # fmt: skip
        with pytest.raises(RequestError, match="Row 3 has") as caught:
            MASK.prepare([asked | change], model)
        assert said in caught.value.what


def test_the_likeliest_token_at_the_mask_is_the_answer(folders: dict[str, Path]) -> None:
    found = prepared(folders, "fill-mask")
    batch = MASK.collate(found, [0, 1])
    logits = np.zeros((*batch["input_ids"].shape, 99), np.float32)
    for row, place in enumerate(batch["masked_at"][:, 0]):
        logits[row, place, (found.labels or [])[row]] = 1 - row
    answers = MASK.read({"logits": logits}, batch, found.facts)
    assert answers.predicted == [(found.labels or [])[0], 0] and answers.scores.shape == (2, 0)
    assert values(MASK, answers, (found.labels or [])[:2]) == {"top_1": 0.5}


# ---- vectors ------------------------------------------------------------------------------------


def test_padding_does_not_change_a_vector() -> None:
    hidden = np.array([[[1.0, 0], [3, 0], [50, 50]]], np.float32)
    mask = np.array([[1, 1, 0]])
    assert Pooling()(hidden, mask).tolist() == [[2.0, 0.0]]
    assert Pooling("cls")(hidden, mask).tolist() == [[1.0, 0.0]]
    assert Pooling("mean", normalize=True)(hidden, mask).tolist() == [[1.0, 0.0]]


def test_pooling_is_read_from_the_folder(folders: dict[str, Path], tmp_path: Path) -> None:
    assert pooling_of(folders["feature-extraction"]) == Pooling()
    assert pooling_of(folders["sentence-similarity"]) == Pooling("mean", True, 40)
    (tmp_path / "1_Pooling").mkdir()
    modules = [{"path": "", "type": "a.Transformer"}, {"path": "1_Pooling", "type": "a.b.Pooling"}]
    (tmp_path / "modules.json").write_text(json.dumps(modules))
    for said, mode in (({"pooling_mode": "cls"}, "cls"), ({"pooling_mode_cls_token": True}, "cls"), ({}, "mean")):
        (tmp_path / "1_Pooling" / "config.json").write_text(json.dumps(said))
        assert pooling_of(tmp_path) == Pooling(mode)
    (tmp_path / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode": "lasttoken"}))
    with pytest.raises(RequestError, match="its pooling, lasttoken"):
        pooling_of(tmp_path)
    (tmp_path / "modules.json").write_text(json.dumps([*modules, {"path": "2_Dense", "type": "a.Dense"}]))
    with pytest.raises(RequestError, match="its module Dense"):
        pooling_of(tmp_path)


def test_vectors_are_those_of_sentence_transformers_own_arithmetic(folders: dict[str, Path]) -> None:
    """Mean over tokens and length one, from transformers' own output for one text."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    model = folders["sentence-similarity"]
    text = small.texts(24)[0][0]
    found = _answers(ALIKE, prepared(folders, "sentence-similarity"), model).scores[0]
    with torch.inference_mode():
        asked = AutoTokenizer.from_pretrained(model)(text, return_tensors="pt")
        mean = AutoModel.from_pretrained(model).eval()(**asked).last_hidden_state[0].mean(0)
    assert np.allclose(found[:32], torch.nn.functional.normalize(mean, dim=0).numpy(), atol=1e-5)


def test_a_pair_is_two_texts_of_one_call_and_its_place_in_a_batch_changes_nothing(folders: dict[str, Path]) -> None:
    model, found = folders["sentence-similarity"], prepared(folders, "sentence-similarity")
    batch = ALIKE.collate(found, [3, 5])
    assert len(batch["input_ids"]) == 4 and set(batch) == {"input_ids", "token_type_ids", "attention_mask"}
    alone, together = _answers(ALIKE, found, model), _answers(ALIKE, found, model, 8)
    assert np.abs(alone.scores - together.scores).max() < 1e-5 and alone.scores.shape == (24, 64)
    assert alone.predicted == [None] * 24 and np.ptp(alone.scores) > 0.1
    told = ALIKE.statistics(alone, found.labels or [])["spearman"]
    first, second = alone.scores[0, :32], alone.scores[0, 32:]
    assert told[0].tolist() == pytest.approx([(found.labels or [])[0], float(first @ second)], abs=1e-5)


def test_texts_without_a_partner_are_compared_without_labels(folders: dict[str, Path]) -> None:
    given = tiny.checked(tiny.plain())
    found = ALIKE.prepare(ALIKE.check(given, {}), folders["sentence-similarity"])
    assert found.labels is None and len(ALIKE.collate(found, [0, 1])["input_ids"]) == 2
    assert _answers(ALIKE, found, folders["sentence-similarity"]).scores.shape == (24, 32)
    assert "only one text" in refusal(ALIKE, rows("score", [1.0, 2.0] * 10), {}).what
    scores = rows("score", [1, "x"] * 10, text1="a", text2="b")
    assert "Row 2 " in refusal(ALIKE, _without_text(scores), {}).what


def test_points_say_sentences_a_second(folders: dict[str, Path]) -> None:
    for name, texts in (("feature-extraction", 1), ("sentence-similarity", 2)):
        found = prepared(folders, name)
        points = catalog.task(name).points(found, range(24), [1, 8], [16])
        rates = {point.name: point.units for point in points}
        assert rates == {"natural, batch 1": texts, "natural, batch 8": 8 * texts, "16 tokens, batch 1": 1,
                         "16 tokens, batch 8": 8}  # fmt: skip
        assert {point.rate_unit for point in points} == {"sentences"}


@pytest.mark.parametrize("name", [one.task for one in tiny.TINY])
def test_fixed_points_have_the_exact_shape(folders: dict[str, Path], name: str) -> None:
    found = prepared(folders, name)
    points: list[Point] = catalog.task(name).points(found, range(24), [1, 8], [16, 32])
    assert [point.name for point in points] == ["natural, batch 1", "natural, batch 8", "16 tokens, batch 1",
                                                "16 tokens, batch 8", "32 tokens, batch 1",
                                                "32 tokens, batch 8"]  # fmt: skip
    for point in points[2:]:
        assert {batch["input_ids"].shape for batch in point.batches} == {(point.batch, point.sequence)}


@pytest.mark.parametrize("name", [one.task for one in tiny.TINY])
def test_inputs_come_back_from_disk_as_they_were(folders: dict[str, Path], name: str, tmp_path: Path) -> None:
    found = prepared(folders, name)
    inputs.save(found, tmp_path)
    again = inputs.load(tmp_path)
    assert (again.labels, again.facts, again.padding, again.cards) == (
        found.labels, found.facts, found.padding, found.cards
    )  # fmt: skip
    one, other = (catalog.task(name).collate(each, range(4)) for each in (found, again))
    assert all(np.array_equal(one[key], other[key]) and one[key].dtype == other[key].dtype for key in one)


def _without_text(given: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name != "text"} for row in given]


def _answers(task: Any, found: Prepared, model: Path, size: int = 1) -> Answers:
    backend = catalog.backend("pytorch")
    session = backend.open(model, "cpu", 1, catalog.options_of(backend, {"auto_class": task.auto_class}, ""))
    said = Accuracy().measure(task=task, session=session, prepared=found, progress=lambda *_: None, batch=size)
    answers: Answers = said["answers"]
    return answers
