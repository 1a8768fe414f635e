"""The word behind a mask."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from workbench.errors import RequestError
from workbench.measurement import Metric
from workbench.plugin import Answers, Batch, Prepared, Session
from workbench.reply import Reply
from workbench.tasks.one_call import enough
from workbench.tasks.tokenizer import SHOWN, Texts, Tokenizer, arrays, columns
from workbench.tasks.writing import Spelling

if TYPE_CHECKING:
    import numpy as np

LIKELIEST = 5  # tokens that are told of a person's own text
TOP_1 = Metric("top_1", binary=True)


class FillMask(Texts):
    """Labels and answers are token ids at the one masked place; `masked_at`, int64 [1], travels with the inputs.

    Texts need no labels: one token of each is masked, chosen by the row's id, so that it is the same one in every run,
    and that token is the label. Where a text holds the mask itself and the row has a label, the label is asked for.
    Statistics: top_1 [n, 1], whether the likeliest token is the right one.
    """

    name = "fill-mask"
    summary = "The word behind a mask."
    auto_class = "AutoModelForMaskedLM"
    columns = {"text": ("text", "sentence"), "label": ("label", "answer")}
    inputs = (("text",),)
    target = None
    metrics = (TOP_1,)
    default_data = "starter:sentiment"
    form: ClassVar[Mapping[str, str]] = {"text": "Text with one mask"}

    def processor(self, model: Path) -> Masked:
        return Masked(model)

    def check(self, rows: list[dict[str, Any]], config: dict[str, Any]) -> list[dict[str, Any]]:
        enough(rows)
        return rows

    def prepare(self, rows: list[dict[str, Any]], model: Path) -> Prepared:
        masked = self.processor(model)
        examples = [masked(row) for row in rows]
        labels = [int(example.pop("label")[0]) for example in examples]
        return Prepared(
            tensors=columns(examples),
            padding=masked.padding(examples[0]),
            labels=labels,
            ids=[row["id"] for row in rows],
            cards=[masked.card(example, label) for example, label in zip(examples, labels, strict=True)],
            facts={**masked.facts(), "masked": "one token a text, chosen by the row's id"},
        )

    def prepare_own(self, row: dict[str, Any], model: Path, facts: Mapping[str, Any]) -> Prepared:
        """The person says where the mask is. Raises RequestError for a text without one, or with several."""
        masked = self.processor(model)
        example = masked.own(row)
        return Prepared(
            tensors=columns([example]), padding=masked.padding(example), labels=None, ids=[row["id"]],
            cards=[{"text": row["text"][:SHOWN], "label": None}], facts=masked.facts(),
            shared=Spelling.of(model).shared(),
        )  # fmt: skip

    def reply(self, session: Session, prepared: Prepared) -> Reply:
        """The likeliest tokens with their probabilities."""
        import numpy as np

        batch = self.collate(prepared, [0])
        logits = self.answer(session, batch)["logits"][0, batch["masked_at"][0, 0]].astype(np.float64)
        odds = np.exp(logits - logits.max())
        best = np.argsort(-logits, kind="stable")[:LIKELIEST]
        words = Spelling.among(prepared.shared).texts(best[:, None], special=True)
        scores = tuple(zip(words, (odds[best] / odds.sum()).tolist(), strict=True))
        return Reply(words[0], scores, int(best[0]))

    def read(self, outputs: Batch, batch: Batch, facts: dict[str, Any]) -> Answers:
        """`logits` [n, length, vocabulary] -> token ids; no scores, they would be as many as the vocabulary."""
        import numpy as np

        place = batch["masked_at"][:, 0]
        best = outputs["logits"][np.arange(len(place)), place].argmax(axis=-1)
        return Answers(best.tolist(), np.zeros((len(best), 0), np.float32))

    def statistics(self, answers: Answers, labels: Sequence[Any]) -> dict[str, np.ndarray]:
        import numpy as np

        right = np.asarray(labels) == np.asarray(answers.predicted)
        return {"top_1": right[:, None].astype(np.float64)}


class Masked(Tokenizer):
    """A tokenizer that masks one token. Raises RequestError where the model's has no mask."""

    def __init__(self, model: Path) -> None:
        super().__init__(model)
        if self._tokenizer.mask_token_id is None:
            raise RequestError(
                "The tokenizer of this model has no mask.",
                "Nothing can be left out of a text then.",
                "Take a masked language model.",
            )

    def __call__(self, row: dict[str, Any]) -> Batch:
        """`label`, int64 [1], is what stood at `masked_at`."""
        import numpy as np

        found = arrays(self.encoded(row["text"]))
        asked = row.get("label") is not None and self._tokenizer.mask_token in row["text"]
        place, label = (self._asked if asked else self._chosen)(row, found["input_ids"])
        found["input_ids"][place] = self._tokenizer.mask_token_id
        return found | {"masked_at": np.array([place]), "label": np.array([label])}

    def own(self, row: dict[str, Any]) -> Batch:
        """A text that holds its mask, and no label."""
        found = arrays(self.encoded(row["text"]))
        places = (found["input_ids"] == self._tokenizer.mask_token_id).nonzero()[0]
        if len(places) != 1:
            raise RequestError(
                f"The text has {len(places)} masks.",
                "One is asked for, before the model's limit.",
                f"Write {self._tokenizer.mask_token} where the word is missing.",
            )
        return found | {"masked_at": places}

    def padding(self, example: Batch) -> dict[str, float]:
        return super().padding({name: value for name, value in example.items() if name != "masked_at"})

    def card(self, example: Batch, label: int) -> dict[str, Any]:
        """The text with its mask, and the label as text."""
        hidden = set(self._tokenizer.all_special_ids) - {self._tokenizer.mask_token_id}
        text = self._tokenizer.decode([token for token in example["input_ids"] if token not in hidden])
        return {"text": str(text)[:SHOWN], "label": str(self._tokenizer.decode([label])).strip()}

    def _chosen(self, row: dict[str, Any], tokens: np.ndarray) -> tuple[int, int]:
        special = set(self._tokenizer.all_special_ids)
        places = [place for place, token in enumerate(tokens.tolist()) if token not in special]
        if not places:
            raise self._refused(row, "has no token that could be masked", "The tokenizer knows nothing of its text.")
        place = random.Random(str(row["id"])).choice(places)
        return place, int(tokens[place])

    def _asked(self, row: dict[str, Any], tokens: np.ndarray) -> tuple[int, int]:
        places = (tokens == self._tokenizer.mask_token_id).nonzero()[0]
        if len(places) != 1:
            raise self._refused(row, f"has {len(places)} masks", "One is asked for, before the model's limit.")
        return int(places[0]), self._label(row)

    def _label(self, row: dict[str, Any]) -> int:
        """The one token that the label is: as a word of its own where a space stands before the mask."""
        label, before = str(row["label"]).strip(), row["text"].partition(self._tokenizer.mask_token)[0]
        for text in (f" {label}", label) if before.endswith(" ") else (label, f" {label}"):
            if len(found := self._tokenizer(text, add_special_tokens=False)["input_ids"]) == 1:
                return int(found[0])
        raise self._refused(row, f"has the label {label[:60]!r}", "It is more than one token of this model.")

    @staticmethod
    def _refused(row: dict[str, Any], what: str, why: str) -> RequestError:
        which = f"Row {row['row']}" if "row" in row else "A row"
        return RequestError(f"{which} {what}.", why, "Mend or remove the row.")
