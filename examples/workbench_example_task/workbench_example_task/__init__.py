"""A task for the Optimization Workbench: classes in an order, such as one to five stars.

Right or wrong says too little there: four stars for five is a smaller mistake than one star for five.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from workbench.measurement import Metric
from workbench.plugin import Answers
from workbench.tasks.classification import Classification
from workbench.tasks.text_classification import TextClassification

if TYPE_CHECKING:
    import numpy as np


class OrderedTextClassification(TextClassification):
    name = "ordered-text-classification"
    summary = "One class a text, of classes in an order: how far off is an answer?"
    metrics = (Metric("class_distance", unit="classes", better="lower"), Metric("accuracy", binary=True))

    def check(self, rows: list[dict[str, Any]], config: dict[str, Any]) -> list[dict[str, Any]]:
        """Every text has one class: several labels a text have no order, and a number needs no classes."""
        return Classification.check(self, rows, config)

    def statistics(self, answers: Answers, labels: Sequence[Any]) -> dict[str, np.ndarray]:
        import numpy as np

        label, answer = np.asarray(labels, dtype=np.float64), np.asarray(answers.predicted, dtype=np.float64)
        distance = np.abs(label - answer)[:, None]
        return {"class_distance": distance, "accuracy": (distance == 0).astype(np.float64)}
