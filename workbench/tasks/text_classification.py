"""One label a text, or a pair of texts; several labels, or a number, where the model's head gives that."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.plugin import Answers, Batch, Prepared
from workbench.tasks.classification import ACCURACY, Classification, classes_of
from workbench.tasks.heads import (
    HEADS,
    MACRO_F1,
    MICRO_F1,
    MSE,
    SPEARMAN,
    SUBSET_ACCURACY,
    head_of_labels,
    problem_of,
)
from workbench.tasks.tokenizer import Texts, columns, shown

if TYPE_CHECKING:
    import numpy as np


class TextClassification(Texts, Classification):
    """Which head a model has is read from its config.json: `problem_type`, and a number where it has one output."""

    name = "text-classification"
    summary = "One label a text or a pair of texts; several labels or a number, where the model gives that."
    auto_class = "AutoModelForSequenceClassification"
    columns = {
        "text": ("text", "sentence"),
        "text1": ("text1", "premise", "question", "sentence1"),
        "text2": ("text2", "hypothesis", "sentence", "sentence2"),
        "label": ("label", "labels", "score"),
    }
    inputs = (("text1", "text2"), ("text",))
    metrics = (ACCURACY, SUBSET_ACCURACY, MICRO_F1, MACRO_F1, SPEARMAN, MSE)
    default_data = "starter:sentiment"

    def check(self, rows: list[dict[str, Any]], config: dict[str, Any]) -> list[dict[str, Any]]:
        head = HEADS.get(problem_of(config))
        return head.check(rows, config) if head else super().check(rows, config)

    def prepare(self, rows: list[dict[str, Any]], model: Path) -> Prepared:
        tokenizer = self.processor(model)
        examples = [tokenizer(row) for row in rows]
        config = json.loads((model / "config.json").read_text())
        problem = problem_of(config)
        return Prepared(
            tensors=columns(examples),
            padding=tokenizer.padding(examples[0]),
            labels=None if rows[0].get("label") is None else [row["label"] for row in rows],
            ids=[row["id"] for row in rows],
            cards=[{"text": shown(row), "label": _in_words(row.get("label"), problem, config)} for row in rows],
            facts={
                "problem": problem,
                "classes": [] if problem == "regression" else classes_of(config),
                **tokenizer.facts(),
            },
        )

    def read(self, outputs: Batch, batch: Batch, facts: dict[str, Any]) -> Answers:
        head = HEADS.get(facts.get("problem", ""))
        return head.read(outputs["logits"]) if head else super().read(outputs, batch, facts)

    def statistics(self, answers: Answers, labels: Sequence[Any]) -> dict[str, np.ndarray]:
        head = head_of_labels(labels)
        return head.statistics(answers, labels) if head else super().statistics(answers, labels)


def _in_words(label: Any, problem: str, config: dict[str, Any]) -> str | None:
    if label is None:
        return None
    classes, head = classes_of(config), HEADS.get(problem)
    return head.in_words(label, classes) if head else classes[label]
