"""Kinds of models as `workbench.pipeline` and `workbench.load` open them, in PyTorch and in other runtimes: they answer
as transformers has it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import small
from tests.tiny import media, texts, writers
from tests.tiny.classifiers import png
from workbench import bench
from workbench.errors import RequestError
from workbench.store import Store

pytestmark = pytest.mark.slow
TEXTS = [text for text, _ in small.texts(3, seed=5)]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """One home for all of them: a model is looked at once."""
    return Store(tmp_path_factory.mktemp("pipelines") / "home")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Callable[[Path], Path]], Path]:
    """A tiny model's folder, made once."""
    found: dict[str, Path] = {}

    def make(maker: Callable[[Path], Path]) -> Path:
        name = maker.__name__
        if name not in found:
            found[name] = maker(tmp_path_factory.mktemp(name) / "model")
        return found[name]

    return make


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return media.speech(tmp_path_factory.mktemp("sounds") / "speech")


def runtimes(*others: str) -> pytest.MarkDecorator:
    """PyTorch and these, each by its recipe of the shelf."""
    return pytest.mark.parametrize("recipe", [f"{name}-fp32" for name in ("pytorch", *others)])


def pipes(task: str, recipe: str, model: Path, store: Store, data: Path | None = None) -> tuple[Any, Any]:
    """(ours, transformers' own). `data` is what the model is traced with where its task brings none."""
    import transformers

    make: Any = transformers.pipeline
    given = {"model": str(model), "data": str(data) if data else None}
    return bench.pipeline(recipe, **given, store=store), make(task, model=str(model), device="cpu")


@pytest.fixture
def loaded(recipe: str, store: Store) -> Iterator[Callable[[Path], Any]]:
    opened = []

    def load(model: Path, data: Path | None = None) -> Any:
        opened.append(bench.load(recipe, model=str(model), data=str(data) if data else None, store=store))
        return opened[-1]

    yield load
    for one in opened:
        one.close()


# ---- pipelines ----------------------------------------------------------------------------------


def picture(seed: int) -> Any:
    import io

    from PIL import Image

    return Image.open(io.BytesIO(png(seed)))


@runtimes("openvino")
def test_pictures_are_segmented(recipe: str, made: Any, store: Store) -> None:
    mine, own = pipes("image-segmentation", recipe, made(media.make_segformer), store)
    assert type(mine) is type(own)
    for seed in range(3):
        ours, theirs = mine(picture(seed)), own(picture(seed))
        assert [one["label"] for one in ours] == [one["label"] for one in theirs] and ours
        for one, other in zip(ours, theirs, strict=True):
            assert np.mean(np.asarray(one["mask"]) == np.asarray(other["mask"])) > 0.99
    mine.model.close()


@runtimes("onnx")
def test_pictures_are_held_against_words(recipe: str, made: Any, store: Store) -> None:
    mine, own = pipes("zero-shot-image-classification", recipe, made(media.make_clip), store)
    asked = {"candidate_labels": list(media.GARMENTS), "hypothesis_template": "a photo of a {}"}
    for seed in range(3):
        same(mine(picture(seed), **asked), own(picture(seed), **asked))
    mine.model.close()


def heard(seed: int) -> dict[str, Any]:
    """As the pipelines take a sound; they empty what they are given."""
    import io

    import soundfile

    return {"raw": soundfile.read(io.BytesIO(media.wav(seed)), dtype="float32")[0], "sampling_rate": media.RATE}


@runtimes("openvino")
def test_sounds_are_classified(recipe: str, made: Any, store: Store, sounds: Path) -> None:
    mine, own = pipes("audio-classification", recipe, made(media.make_ast), store, sounds)
    for seed in range(3):
        same(mine(heard(seed)), own(heard(seed)))
    mine.model.close()


@runtimes("onnx", "openvino")
@pytest.mark.parametrize("maker", [media.make_whisper, media.make_ctc], ids=["whisper", "ctc"])
def test_speech_is_written_down(maker: Any, recipe: str, made: Any, store: Store, sounds: Path) -> None:
    mine, own = pipes("automatic-speech-recognition", recipe, made(maker), store, sounds)
    assert type(mine) is type(own)
    greedy: dict[str, Any] = {"generate_kwargs": {"num_beams": 1}} if own.model.can_generate() else {}
    said = [mine(heard(seed))["text"] for seed in range(3)]
    assert said == [own(heard(seed), **greedy)["text"] for seed in range(3)] and len(set(said)) == 3
    mine.model.close()


@runtimes("onnx")
def test_more_words_than_a_model_has_places_for_are_refused(made: Any, loaded: Any, sounds: Path) -> None:
    opened = loaded(made(media.make_whisper), sounds)
    with pytest.raises(RequestError, match=r"no room for 300 new tokens.*300 positions, and the prompt takes 2"):
        opened.generate(np.zeros((1, 16, 100), np.float32), max_new_tokens=300)


def same(mine: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> None:
    assert [one["label"] for one in mine] == [one["label"] for one in theirs]
    assert [one["score"] for one in mine] == pytest.approx([one["score"] for one in theirs], abs=1e-4)


# ---- what transformers has no pipeline for ------------------------------------------------------


@runtimes("onnx")
def test_a_model_that_answers_questions_is_called_like_the_original(made: Any, loaded: Any) -> None:
    import torch
    from transformers import AutoModelForQuestionAnswering, AutoTokenizer

    folder = made(texts.make_answerer)
    inputs = AutoTokenizer.from_pretrained(folder)(["what was it"] * 3, TEXTS, padding=True, return_tensors="pt")
    with torch.inference_mode():
        expected = AutoModelForQuestionAnswering.from_pretrained(folder).eval()(**inputs)
    answer = loaded(folder)(**inputs)
    assert type(answer) is type(expected)
    for name in ("start_logits", "end_logits"):
        assert torch.allclose(answer[name], expected[name], atol=1e-3), name


@runtimes("openvino")
def test_a_model_of_sentences_is_called_like_the_original(made: Any, loaded: Any) -> None:
    import torch
    from transformers import AutoModel, AutoTokenizer

    folder = made(texts.make_sentences)
    inputs = AutoTokenizer.from_pretrained(folder)(TEXTS, padding=True, return_tensors="pt")
    with torch.inference_mode():
        expected = AutoModel.from_pretrained(folder).eval()(**inputs).last_hidden_state
    opened = loaded(folder)
    answer = opened(**inputs).last_hidden_state
    mask = inputs["attention_mask"].bool()
    assert opened.task == "sentence-similarity"
    assert torch.allclose(answer[mask], expected[mask], atol=1e-3)


@runtimes("onnx", "openvino")
def test_a_model_with_an_encoder_writes_what_the_original_writes(made: Any, loaded: Any) -> None:
    """One call, and generate: with the end tokens of the model, padding of its own, and a prompt for the decoder."""
    import torch
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    folder = made(writers.make_t5)
    inputs = AutoTokenizer.from_pretrained(folder)(TEXTS, padding=True, return_tensors="pt")
    original, opened = AutoModelForSeq2SeqLM.from_pretrained(folder).eval(), loaded(folder)
    begun = torch.zeros((3, 1), dtype=torch.long)
    with torch.inference_mode():
        logits = original(**inputs, decoder_input_ids=begun).logits
        plain = original.generate(**inputs, do_sample=False, max_new_tokens=8)
        short = original.generate(**inputs, do_sample=False, max_length=4)
        usual = original.generate(inputs["input_ids"][:1])
        prompted = original.generate(**inputs, decoder_input_ids=plain[:, :3], do_sample=False, max_new_tokens=4)
    assert opened.can_generate() and opened.task == "text2text-generation"
    assert torch.allclose(opened(**inputs, decoder_input_ids=begun).logits, logits, atol=1e-3)
    assert opened.generate(**inputs, max_new_tokens=8).tolist() == plain.tolist()
    assert opened.generate(**inputs, max_length=4).tolist() == short.tolist()
    assert opened.generate(inputs["input_ids"][:1]).tolist() == usual.tolist()
    assert opened.generate(**inputs, decoder_input_ids=plain[:, :3], max_new_tokens=4).tolist() == prompted.tolist()
    with pytest.raises(RequestError, match="takes no num_beams=4"):
        opened.generate(**inputs, num_beams=4)
