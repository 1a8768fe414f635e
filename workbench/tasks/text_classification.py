"""One label a text, or a pair of texts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from workbench.plugin import Point, Prepared
from workbench.tasks.classification import Classification, classes_of
from workbench.tasks.tokenizer import Tokenizer, fixed_points


class TextClassification(Classification):
    """Inputs: `input_ids`, `attention_mask` and what else the tokenizer gives, int64 [length]."""

    name = "text-classification"
    summary = "One label a text, or a pair of texts."
    auto_class = "AutoModelForSequenceClassification"
    columns = {
        "text": ("text", "sentence"),
        "text1": ("text1", "premise", "question", "sentence1"),
        "text2": ("text2", "hypothesis", "sentence", "sentence2"),
        "label": ("label", "labels"),
    }
    inputs = (("text1", "text2"), ("text",))
    default_data = "starter:sentiment"

    def processor(self, model: Path) -> Tokenizer:
        return Tokenizer(model)

    def prepare(self, rows: list[dict[str, Any]], model: Path) -> Prepared:
        import json

        tokenizer = self.processor(model)
        examples = [tokenizer(row) for row in rows]
        classes = classes_of(json.loads((model / "config.json").read_text()))
        labels = None if rows[0].get("label") is None else [row["label"] for row in rows]
        return Prepared(
            tensors={name: [example[name] for example in examples] for name in examples[0]},
            padding=tokenizer.padding(examples[0]),
            labels=labels,
            ids=[row["id"] for row in rows],
            cards=[_card(row, classes) for row in rows],
            facts={"classes": classes, **tokenizer.facts()},
        )

    def points(
        self, prepared: Prepared, order: Sequence[int], batches: Sequence[int], sequences: Sequence[int]
    ) -> list[Point]:
        points = super().points(prepared, order, batches, sequences)
        return points + fixed_points(prepared, order, batches, sequences)


def _card(row: dict[str, Any], classes: list[str]) -> dict[str, Any]:
    text = row["text"] if "text" in row else f"{row['text1']} ▸ {row['text2']}"
    return {"text": text[:1000], "label": None if row.get("label") is None else classes[row["label"]]}
