"""Models with an encoder: how an answer begins, what is never written, how texts are compared."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.tiny.writers import make_t5
from workbench import catalog, generation
from workbench.errors import RequestError
from workbench.generation import Habits
from workbench.plugin import Answers, Writes
from workbench.tasks.speech_recognition import SpeechRecognition
from workbench.tasks.text2text_generation import LONGEST, Text2TextGeneration, chrf, rouge_l, words_of
from workbench.tasks.writing import SPELLING, Spelling

TASK = Text2TextGeneration()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_t5(tmp_path_factory.mktemp("t5") / "model")


def rows(count: int = 24, answer: Any = "the film was good") -> list[dict[str, Any]]:
    return [{"id": str(n), "row": n, "text": "the film was good " * (1 + n % 3), "answer": answer}
            for n in range(1, count + 1)]  # fmt: skip


# ---- how an answer begins -----------------------------------------------------------------------

WHISPER = {"decoder_start_token_id": 50258, "lang_to_id": {"<|de|>": 50261, "<|en|>": 50259},
           "task_to_id": {"transcribe": 50360, "translate": 50359}, "no_timestamps_token_id": 50364}  # fmt: skip


@pytest.mark.parametrize(
    ("said", "begins"),
    [
        ({"decoder_start_token_id": 0}, [0]),
        ({"bos_token_id": 7}, [7]),
        ({"decoder_start_token_id": 2, "forced_bos_token_id": 250004}, [2, 250004]),
        (WHISPER, [50258, 50259, 50360, 50364]),
        (WHISPER | {"language": "<|de|>"}, [50258, 50261, 50360, 50364]),
        ({"decoder_start_token_id": 50257, "no_timestamps_token_id": 50362}, [50257, 50362]),
    ],
    ids=["T5", "no start token", "a translator", "Whisper", "Whisper in German", "Whisper for English only"],
)
def test_an_answer_begins_as_the_models_configuration_says(
    said: dict[str, Any], begins: list[int], tmp_path: Path
) -> None:
    (tmp_path / "generation_config.json").write_text(json.dumps(said))
    assert generation.beginning(tmp_path) == begins


def test_without_a_generation_config_the_models_own_says_it(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"decoder_start_token_id": 3, "eos_token_id": 1}))
    assert generation.beginning(tmp_path) == [3] and generation.habits(tmp_path).ends == (1,)


def test_tokens_that_are_never_written_are_passed_over_and_some_at_the_beginning_only() -> None:
    habits = Habits(never=(3,), not_first=(2,))
    logits = np.array([[0.0, 1.0, 5.0, 9.0], [4.0, 1.0, 2.0, 3.0]])
    assert habits.likeliest(logits, first=True).tolist() == [1, 0]
    assert habits.likeliest(logits, first=False).tolist() == [2, 0]
    assert logits.max() == 9, "what the runtime said is left as it is"


# ---- how texts are compared ---------------------------------------------------------------------


def test_rouge_l_is_the_f1_of_the_longest_common_subsequence_of_words() -> None:
    """The example of Lin (2004), section 3.1: three of four words in order on each side."""
    assert rouge_l("police kill the gunman", "Police killed the gunman.") == pytest.approx(3 / 4)
    assert rouge_l("the gunman kill police", "police killed the gunman") == pytest.approx(2 / 4)
    assert rouge_l("", "police") == 0 and rouge_l("Ärzte, hier!", "ärzte hier") == 1
    assert words_of("It's 3-fold.") == ["it", "s", "3", "fold"]


def test_chrf_is_one_for_the_same_text_and_nought_without_a_letter_in_common() -> None:
    assert chrf("the cat sat", "the cat sat") == pytest.approx(1)
    assert chrf("xyz", "abc") == 0 < chrf("the cat", "the cat sat") < 1


def test_statistics_are_those_of_each_pair() -> None:
    found = TASK.statistics(Answers(["a b", "c"], np.zeros((2, 0), np.float32)), ["a b", "d"])
    assert {name: values[:, 0].round(6).tolist() for name, values in found.items()} == {
        "rouge_l": [1, 0], "chrf": [1, 0]}  # fmt: skip
    assert list(found) == [metric.name for metric in TASK.metrics]


# ---- rows and inputs ----------------------------------------------------------------------------


def test_an_answer_without_words_is_named(model: Path) -> None:
    bad = rows()
    bad[4]["answer"] = "…"
    with pytest.raises(RequestError, match="row 5 has no words"):
        TASK.check(bad, {})


def test_inputs_hold_the_beginning_and_the_tokenizer_that_reads_answers(model: Path) -> None:
    prepared = TASK.prepare(rows(), model)
    batch = TASK.collate(prepared, [0, 1])
    assert batch["decoder_input_ids"].tolist() == [[0], [0]] and batch["input_ids"].shape == (2, 13)
    assert batch["attention_mask"].sum(axis=1).tolist() == [9, 13]
    words = Spelling.among(batch).texts(batch["input_ids"])
    assert [text.split()[:2] for text in words] == [["the", "film"], ["the", "film"]]
    assert prepared.labels == ["the film was good"] * 24 and SPELLING not in prepared.tensors


def test_an_answer_stops_at_its_end_or_at_the_longest(model: Path) -> None:
    backend = catalog.backend("pytorch")
    session: Any = backend.open(model, "cpu", 1, backend.Options(auto_class=TASK.auto_class))
    batch = TASK.collate(TASK.prepare(rows(), model), range(4))
    tokens = TASK.answer(session, batch)["tokens"]
    assert tokens.shape[0] == 4 and 1 <= tokens.shape[1] <= LONGEST
    whole = session.write(batch, 5, ends=False)
    assert whole.tokens.shape == (4, 5) and 0 < whole.first < whole.seconds


def test_only_models_that_write_ask_for_a_session_that_does() -> None:
    speech = SpeechRecognition()
    assert speech.asks_for({"architectures": ["Wav2Vec2ForCTC"]}) == ()
    assert speech.asks_for({"architectures": ["WhisperForConditionalGeneration"]}) == (Writes,)
    executorch = catalog.backend("executorch")
    assert (
        catalog.gap(speech, catalog.backend("openvino"), {"architectures": ["WhisperForConditionalGeneration"]}) == ""
    )
    assert "another length" in catalog.gap(speech, executorch, {"architectures": ["Wav2Vec2ForCTC"]})
    assert "writes" in catalog.gap(speech, executorch, {"architectures": ["WhisperForConditionalGeneration"]})
