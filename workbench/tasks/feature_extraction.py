"""A vector for a text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from workbench.measurement import Metric
from workbench.plugin import Answers, Batch, Point, Prepared
from workbench.tasks.one_call import enough
from workbench.tasks.pooling import Pooling, pooling_of
from workbench.tasks.tokenizer import Texts, Tokenizer, columns, shown

if TYPE_CHECKING:
    import numpy as np

COSINE = Metric("cosine", unit="")


class FeatureExtraction(Texts):
    """Answers are vectors, pooled as the model's folder says; there are no right ones, so every comparison is with the
    baseline's. Points say sentences a second."""

    name = "feature-extraction"
    summary = "A vector for a text, for search and clustering."
    auto_class = "AutoModel"
    columns = {"text": ("text", "sentence")}
    inputs: ClassVar[tuple[tuple[str, ...], ...]] = (("text",),)
    target: ClassVar[str | None] = None
    metrics = (COSINE,)
    default_data = "starter:sentiment"

    def processor(self, model: Path) -> Tokenizer:
        return Tokenizer(model, pooling_of(model).limit)

    def check(self, rows: list[dict[str, Any]], config: dict[str, Any]) -> list[dict[str, Any]]:
        enough(rows)
        return rows

    def prepare(self, rows: list[dict[str, Any]], model: Path) -> Prepared:
        tokenizer = self.processor(model)
        examples = [tokenizer(row) for row in rows]
        return Prepared(
            tensors=columns(examples),
            padding=tokenizer.padding(examples[0]),
            labels=None,
            ids=[row["id"] for row in rows],
            cards=[{"text": shown(row), "label": None} for row in rows],
            facts={"pooling": pooling_of(model).facts(), **tokenizer.facts()},
        )

    def read(self, outputs: Batch, batch: Batch, facts: dict[str, Any]) -> Answers:
        """`last_hidden_state` [n, length, d] -> vectors [n, d] as scores."""
        vectors = Pooling(**facts["pooling"])(outputs["last_hidden_state"], batch["attention_mask"])
        return Answers([None] * len(vectors), vectors)

    def statistics(self, answers: Answers, labels: Sequence[Any]) -> dict[str, np.ndarray]:
        return {}

    def points(
        self, prepared: Prepared, order: Sequence[int], batches: Sequence[int], sequences: Sequence[int]
    ) -> list[Point]:
        return in_sentences(super().points(prepared, order, batches, sequences))


def in_sentences(points: Sequence[Point]) -> list[Point]:
    """The same with their rate: sentences a second."""
    return [replace(one, units=len(one.batches[0]["input_ids"]), rate_unit="sentences") for one in points]
