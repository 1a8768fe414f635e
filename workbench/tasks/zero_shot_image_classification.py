"""Which of some texts fits a picture: models of two towers, one that looks and one that reads."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from workbench.errors import RequestError
from workbench.plugin import Answers, Batch, Prepared
from workbench.tasks.image_classification import ImageClassification
from workbench.tasks.one_call import enough, labelled
from workbench.tasks.pictures import picture_card
from workbench.tasks.tokenizer import position_limit

if TYPE_CHECKING:
    import numpy as np

PROMPT = "a photo of a {}"
MOST_CANDIDATES = 50  # that a person may name
EVERYDAY = ("animal", "building", "garment", "landscape", "meal", "person", "plant", "tool", "toy", "vehicle")
WHOLE_LENGTH = ("siglip",)  # trained on prompts filled up to the whole length, without a mask


class ZeroShotImageClassification(ImageClassification):
    """Inputs: `pixel_values` of each picture, and once for all of them the prompts of every candidate, `input_ids` and
    `attention_mask`, int64 [candidates, length].

    The candidates are the class names that occur in the data, sorted; where there are no labels (also for
    calibration) ten everyday words stand in, on which variants can still agree or not. An answer is the candidate
    whose prompt fits best, its score the softmax over all of them. Every call reads all prompts again: its time is
    that of both towers.
    """

    name = "zero-shot-image-classification"
    summary = "Which of the class names in the data fits an image best."
    auto_class = "AutoModelForZeroShotImageClassification"
    by_name = True
    form: ClassVar[Mapping[str, str]] = {"image": "Picture", "candidates": "Candidates, between commas"}

    def check(self, rows: list[dict[str, Any]], config: dict[str, Any]) -> list[dict[str, Any]]:
        enough(rows)
        if not labelled(rows):
            return rows
        checked = [{**row, "label": _class_name(row["label"], row["row"])} for row in rows]
        if len({row["label"] for row in checked}) == 1:
            raise RequestError(
                f"All {len(rows)} rows have the label {checked[0]['label']!r}.",
                "The candidates are the class names in the data, and one is nothing to choose from.",
                "Give data with at least two classes.",
            )
        return checked

    def prepare(self, rows: list[dict[str, Any]], model: Path) -> Prepared:
        known = rows[0].get("label") is not None
        classes = sorted({row["label"] for row in rows}) if known else list(EVERYDAY)
        numbered = [{**row, "label": classes.index(row["label"])} if known else row for row in rows]
        return self._held_against(classes, numbered, model)

    def prepare_own(self, row: dict[str, Any], model: Path, facts: Mapping[str, Any]) -> Prepared:
        """Held against the candidates that the person names, else those of the run."""
        named = [name.strip() for name in re.split(r"[,\n]", row.get("candidates") or "")]
        classes = [name for name in dict.fromkeys(named) if name] or list(facts.get("classes") or ())
        if not 1 < len(classes) <= MOST_CANDIDATES:
            raise RequestError(
                f"There {'is one candidate' if len(classes) == 1 else f'are {len(classes)} candidates'}.",
                f"A picture is held against 2 to {MOST_CANDIDATES} of them.",
                "Write them between commas.",
            )
        return self._held_against(classes, [row], model)

    def _held_against(self, classes: list[str], rows: list[dict[str, Any]], model: Path) -> Prepared:
        """Labels of the rows are numbers of classes."""
        pictures = self.processor(model)
        examples = [pictures(row) for row in rows]
        return Prepared(
            tensors={name: [example[name] for example in examples] for name in examples[0]},
            padding={},
            labels=None if rows[0].get("label") is None else [row["label"] for row in rows],
            ids=[row["id"] for row in rows],
            cards=[picture_card(row, classes) for row in rows],
            facts={"classes": classes, "prompt": PROMPT, **pictures.facts()},
            shared=prompts([PROMPT.format(name) for name in classes], model),
        )

    def read(self, outputs: Batch, batch: Batch, facts: dict[str, Any]) -> Answers:
        """`logits_per_image` [n, candidates] -> numbers of candidates and softmax probabilities."""
        return super().read({"logits": outputs["logits_per_image"]}, batch, facts)


def prompts(texts: Sequence[str], model: Path) -> dict[str, np.ndarray]:
    """All prompts in one batch, as the model was trained to see them."""
    from transformers import AutoConfig, AutoTokenizer

    config, tokenizer = AutoConfig.from_pretrained(model), AutoTokenizer.from_pretrained(model)
    limit = position_limit(config.text_config, tokenizer.model_max_length)
    padding = "max_length" if config.model_type in WHOLE_LENGTH else True
    given = tokenizer(list(texts), padding=padding, truncation=True, max_length=limit, return_tensors="np")
    names = ("input_ids",) if config.model_type in WHOLE_LENGTH else ("input_ids", "attention_mask", "token_type_ids")
    return {name: given[name].astype("int64") for name in names if name in given}


def _class_name(label: Any, row: int) -> str:
    name = str(label).strip()
    if isinstance(label, int | float) or name.isdigit():
        raise RequestError(
            f"Row {row} has the label {name}, a number.",
            "The candidates that a picture is held against are the class names in the data.",
            "Write the classes as words, or name another column with --fields label=….",
        )
    return name
