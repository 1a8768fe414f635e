"""BERTs of two layers with the heads that texts are asked with, and rows for each."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests import small
from tests.tiny.kind import Tiny

MOODS = ("calm", "glad", "sad")
TAGS = ("O", "B-GOOD", "I-GOOD", "B-BAD", "I-BAD")
COUNT = 24


def bert(folder: Path, head: str, **config: Any) -> Path:
    """Random weights from a fixed seed under the head that is called BertFor…; its tokenizer knows [MASK]."""
    import torch
    import transformers

    torch.manual_seed(11)
    tokenizer = small.make_tokenizer()
    tokenizer.add_special_tokens({"mask_token": "[MASK]"})
    given: dict[str, Any] = {
        "vocab_size": len(tokenizer), "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
        "intermediate_size": 64, "max_position_embeddings": small.POSITIONS, "pad_token_id": 0,
        "initializer_range": 0.5,
    }  # fmt: skip
    model: Any = getattr(transformers, head)(transformers.BertConfig(**given | config))
    model.eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def named(*names: str) -> dict[str, Any]:
    return {"id2label": dict(enumerate(names)), "label2id": {name: i for i, name in enumerate(names)}}


def make_tagger(folder: Path) -> Path:
    return bert(folder, "BertForTokenClassification", **named(*TAGS))


def make_answerer(folder: Path) -> Path:
    return bert(folder, "BertForQuestionAnswering")


def make_masked(folder: Path) -> Path:
    return bert(folder, "BertForMaskedLM")


def make_encoder(folder: Path) -> Path:
    return bert(folder, "BertModel")


def make_several(folder: Path) -> Path:
    """Any of three labels a text."""
    several = {**named(*MOODS), "problem_type": "multi_label_classification"}
    return bert(folder, "BertForSequenceClassification", **several)


def make_number(folder: Path) -> Path:
    return bert(folder, "BertForSequenceClassification", num_labels=1)


def make_pairs(folder: Path) -> Path:
    """One label for two texts."""
    return bert(folder, "BertForSequenceClassification", **named("other", "same"))


def make_sentences(folder: Path, pooling: str = "mean_tokens") -> Path:
    """With the files that sentence-transformers writes beside a model."""
    make_encoder(folder)
    kinds = {"": "Transformer", "1_Pooling": "Pooling", "2_Normalize": "Normalize"}
    modules = [{"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
               for i, (path, kind) in enumerate(kinds.items())]  # fmt: skip
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 40}))
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({f"pooling_mode_{pooling}": True}))
    return folder


def tagged() -> list[dict[str, Any]]:
    return [{"tokens": text.split(), "tags": [_tag(word) for word in text.split()]} for text, _ in small.texts(COUNT)]


def _tag(word: str) -> str:
    return "B-GOOD" if word in small.GOOD else "B-BAD" if word in small.BAD else "O"


def moods() -> list[dict[str, Any]]:
    """Sad texts, glad ones, and calm ones that are one of both, too."""
    return [{"text": text, "labels": ["glad" if label == "POSITIVE" else "sad", *(["calm"] if n % 3 else [])]}
            for n, (text, label) in enumerate(small.texts(COUNT))]  # fmt: skip


def lengths() -> list[dict[str, Any]]:
    """A number a text: how many words it has, of thirty."""
    return [{"text": text, "label": len(text.split()) / 30} for text, _ in small.texts(COUNT)]


def questions() -> list[dict[str, Any]]:
    """SQuAD's columns: what comes last in a text."""
    rows = []
    for text, _ in small.texts(COUNT):
        last = text.split()[-1]
        answers = {"text": [last], "answer_start": [text.rindex(last)]}
        rows.append({"question": "what was the ending", "context": text, "answers": answers})
    return rows


def plain() -> list[dict[str, Any]]:
    return [{"text": text} for text, _ in small.texts(COUNT)]


def pairs() -> list[dict[str, Any]]:
    """Each text with the next one; the score is the share of words that both have."""
    texts = [text for text, _ in small.texts(COUNT + 1)]
    return [{"sentence1": one, "sentence2": other, "score": _share(one, other)}
            for one, other in itertools.pairwise(texts)]  # fmt: skip


def judged() -> list[dict[str, Any]]:
    """Two texts and whether they have a good part of their words in common."""
    return [{"sentence1": row["sentence1"], "sentence2": row["sentence2"],
             "label": "same" if row["score"] > 0.1 else "other"} for row in pairs()]  # fmt: skip


def _share(one: str, other: str) -> float:
    first, second = set(one.split()), set(other.split())
    return round(len(first & second) / len(first | second), 3)


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    """As JSON lines."""
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return path


def checked(rows: list[dict[str, Any]], **fields: str) -> list[dict[str, Any]]:
    """As they come out of a file: in the task's fields, with "id" and "row"."""
    said = [{fields.get(name, name): value for name, value in row.items()} for row in rows]
    return [{"id": f"{n:064d}", "row": n, **row} for n, row in enumerate(said, 1)]


def _rows(make: Callable[[], list[dict[str, Any]]], **fields: str) -> Callable[[Path], list[dict[str, Any]]]:
    return lambda folder: checked(make(), **fields)


TINY = (
    Tiny("token-classification", make_tagger, _rows(tagged)),
    Tiny("question-answering", make_answerer, _rows(questions)),
    Tiny("fill-mask", make_masked, _rows(plain)),
    Tiny("feature-extraction", make_encoder, _rows(plain)),
    Tiny("sentence-similarity", make_sentences, _rows(pairs, sentence1="text1", sentence2="text2")),
)
