"""One label a word, such as names in a text or parts of speech."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from workbench.errors import RequestError
from workbench.measurement import Metric
from workbench.plugin import Answers, Batch, Prepared, Session
from workbench.reply import Reply
from workbench.tasks.classification import classes_of, label_id, label_ids, one_class
from workbench.tasks.entities import counted, entities, is_scheme
from workbench.tasks.one_call import enough, labelled, listed
from workbench.tasks.tokenizer import SHOWN, Texts, Tokenizer, arrays, columns

if TYPE_CHECKING:
    import numpy as np

ENTITY_F1 = Metric("entity_f1", combine="f1")
TOKEN_ACCURACY = Metric("token_accuracy", combine="ratio")


class TokenClassification(Texts):
    """Labels and answers are lists of class names, one a word: what the model says to a word's first token. `starts`,
    int64 [length], travels with the inputs: the number of the word that a token begins, from 1; 0 elsewhere.

    Statistics: entity_f1 [n, 3] tp, fp, fn; token_accuracy [n, 2] right, words. Entities come first where the tags
    have a scheme of entities. Words that were cut off at the model's limit are not counted.
    """

    name = "token-classification"
    summary = "One label a word, such as names in a text or parts of speech."
    auto_class = "AutoModelForTokenClassification"
    columns = {
        "tokens": ("tokens", "words", "text", "sentence"),
        "tags": ("tags", "ner_tags", "pos_tags", "labels"),
    }
    inputs = (("tokens",),)
    target = "tags"
    metrics = (ENTITY_F1, TOKEN_ACCURACY)
    default_data = "starter:sentiment"
    form: ClassVar[Mapping[str, str]] = {"tokens": "Text"}

    def processor(self, model: Path) -> Words:
        return Words(model)

    def check(self, rows: list[dict[str, Any]], config: dict[str, Any]) -> list[dict[str, Any]]:
        """`tokens` and `tags` are lists, or texts with white space between their words."""
        enough(rows)
        rows = [{**row, "tokens": words_of(row)} for row in rows]
        if not labelled(rows, "tags"):
            return rows
        classes, ids = classes_of(config), label_ids(config)
        checked = [{**row, "tags": [classes[one] for one in _tag_ids(row, ids)]} for row in rows]
        if len(seen := {tag for row in checked for tag in row["tags"]}) == 1:
            raise one_class(len(rows), seen.pop())
        return checked

    def prepare(self, rows: list[dict[str, Any]], model: Path) -> Prepared:
        words = self.processor(model)
        examples = [words(row) for row in rows]
        classes = classes_of(json.loads((model / "config.json").read_text()))
        scheme = is_scheme(set(classes))
        several = zip(rows, examples, strict=True)
        return Prepared(
            tensors=columns(examples),
            padding=words.padding(examples[0]),
            labels=None if rows[0].get("tags") is None else [_kept(row["tags"], example) for row, example in several],
            ids=[row["id"] for row in rows],
            cards=[{"text": " ".join(words_of(row))[:SHOWN], "label": _in_words(row, scheme)} for row in rows],
            facts={"classes": classes, **words.facts()},
        )

    def prepare_own(self, row: dict[str, Any], model: Path, facts: Mapping[str, Any]) -> Prepared:
        prepared = self.prepare([row], model)
        return replace(prepared, facts=prepared.facts | {"words": words_of(row)})

    def reply(self, session: Session, prepared: Prepared) -> Reply:
        """The entities; where the tags have no scheme of these, every word with its tag."""
        said, facts = super().reply(session, prepared), prepared.facts
        words, tags = facts["words"][: len(said.same)], said.same
        if is_scheme(set(facts["classes"])):
            return replace(said, answer=_in_words({"tokens": words, "tags": tags}, scheme=True) or "none")
        return replace(said, answer=", ".join(f"{word} ({tag})" for word, tag in zip(words, tags, strict=True)))

    def read(self, outputs: Batch, batch: Batch, facts: dict[str, Any]) -> Answers:
        """`logits` [n, length, classes] -> class names at the tokens that begin a word; no scores."""
        import numpy as np

        best, classes = outputs["logits"].argmax(axis=-1), facts["classes"]
        said = [[classes[one] for one in row[starts > 0]] for row, starts in zip(best, batch["starts"], strict=True)]
        return Answers(said, np.zeros((len(said), 0), np.float32))

    def statistics(self, answers: Answers, labels: Sequence[Any]) -> dict[str, np.ndarray]:
        import numpy as np

        pairs = list(zip(labels, answers.predicted, strict=True))
        right = [(sum(map(str.__eq__, label, answer)), len(label)) for label, answer in pairs]
        found = {
            "entity_f1": np.array([counted(label, answer) for label, answer in pairs], dtype=np.float64),
            "token_accuracy": np.array(right, dtype=np.float64),
        }
        scheme = is_scheme({tag for label in labels for tag in label})
        return found if scheme else dict(reversed(found.items()))


class Words(Tokenizer):
    """A tokenizer that is given words and says which of its tokens begins which."""

    def __init__(self, model: Path) -> None:
        super().__init__(model)
        if getattr(self._tokenizer, "add_prefix_space", None) is False:  # such tokenizers take no words otherwise
            super().__init__(model, add_prefix_space=True)
        if not self._tokenizer.is_fast:
            raise RequestError(
                "The tokenizer of this model cannot say which word a token belongs to.",
                f"{type(self._tokenizer).__name__} is none of the fast ones.",
                "Take a model that has a tokenizer.json.",
            )

    def __call__(self, row: dict[str, Any]) -> Batch:
        import numpy as np

        encoded = self.encoded(words_of(row), is_split_into_words=True)
        words = [-1 if word is None else word for word in encoded.word_ids()]
        begins = [word >= 0 and word != before for before, word in zip([-1, *words], words, strict=False)]
        starts = [word + 1 if begin else 0 for word, begin in zip(words, begins, strict=True)]
        return {**arrays(encoded), "starts": np.asarray(starts, dtype=np.int64)}


def words_of(row: dict[str, Any]) -> list[str]:
    return [str(word) for word in listed(row["tokens"])]


def _tag_ids(row: dict[str, Any], ids: dict[str, int]) -> list[int]:
    """Raises RequestError, naming the row, for a tag that the model does not know, and for too few or too many."""
    tags, words = listed(row["tags"]), row["tokens"]
    if len(tags) != len(words):
        raise RequestError(
            f"Row {row['row']} has {len(words)} words and {len(tags)} tags.",
            "Every word has a tag.",
            "Mend the row, or name other columns with --fields tokens=…,tags=….",
        )
    return [label_id(tag, ids, row["row"], "tags") for tag in tags]


def _kept(tags: list[str], example: Batch) -> list[str]:
    """The tags of the words that are in the example."""
    return [tags[number - 1] for number in example["starts"] if number]


def _in_words(row: dict[str, Any], scheme: bool) -> str | None:
    """`Jane Doe (PER), Rome (LOC)`; all tags where their scheme is none of entities."""
    if (tags := row.get("tags")) is None:
        return None
    if not scheme:
        return " ".join(tags)[:SHOWN]
    found = sorted(entities(tags), key=lambda one: one[1])
    return ", ".join(f"{' '.join(row['tokens'][begin : end + 1])} ({kind})" for kind, begin, end in found) or "none"
