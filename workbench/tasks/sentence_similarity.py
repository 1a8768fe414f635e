"""How alike two texts are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from workbench.errors import RequestError
from workbench.plugin import Answers, Batch, Point, Prepared, Session
from workbench.reply import Reply
from workbench.tasks.feature_extraction import FeatureExtraction, in_sentences
from workbench.tasks.heads import SPEARMAN, numbered
from workbench.tasks.one_call import enough, labelled
from workbench.tasks.pooling import pooling_of
from workbench.tasks.tokenizer import Tokenizer, columns, fixed_points, shown

if TYPE_CHECKING:
    import numpy as np


class SentenceSimilarity(FeatureExtraction):
    """The cosine of two vectors, against what people say. An example is two texts, asked in one call; its answer is
    both vectors, one after the other. Texts without a partner are taken as well, and compared with the baseline's
    vectors. Inputs hold the tokens of both texts in a row; `lengths`, int64 [texts], says where to cut.

    Statistics: spearman [n, 2] label and cosine.
    """

    name = "sentence-similarity"
    summary = "How alike two texts are, by the cosine of their vectors."
    columns = {
        "text": ("text", "sentence"),
        "text1": ("text1", "sentence1", "premise", "question", "anchor"),
        "text2": ("text2", "sentence2", "hypothesis", "answer", "positive"),
        "score": ("score", "similarity_score", "similarity", "label", "labels"),
    }
    inputs = (("text1", "text2"), ("text",))
    target = "score"
    metrics = (SPEARMAN,)
    form: ClassVar[Mapping[str, str]] = {"text1": "First text", "text2": "Second text"}

    def check(self, rows: list[dict[str, Any]], config: dict[str, Any]) -> list[dict[str, Any]]:
        enough(rows)
        if not labelled(rows, "score"):
            return rows
        if "text" in rows[0]:
            raise RequestError(
                "The rows have a score and only one text.",
                "A score says how alike two texts are.",
                "Name the columns with --fields text1=…,text2=…, or leave the score out.",
            )
        return numbered(rows, "score")

    def processor(self, model: Path) -> Pairs:
        return Pairs(model, pooling_of(model).limit)

    def prepare(self, rows: list[dict[str, Any]], model: Path) -> Prepared:
        pairs = self.processor(model)
        examples = [pairs(row) for row in rows]
        return Prepared(
            tensors=columns(examples),
            padding=pairs.padding(examples[0]),
            labels=None if rows[0].get("score") is None else [row["score"] for row in rows],
            ids=[row["id"] for row in rows],
            cards=[{"text": shown(row), "label": _in_words(row.get("score"))} for row in rows],
            facts={"pooling": pooling_of(model).facts(), **pairs.facts()},
        )

    def collate(self, prepared: Prepared, indices: Sequence[int]) -> Batch:
        """Rows of the batch are texts: both of the first example, then both of the next."""
        texts = _texts(prepared, indices)
        return super().collate(texts, range(len(texts.tensors["input_ids"])))

    def read(self, outputs: Batch, batch: Batch, facts: dict[str, Any]) -> Answers:
        vectors = super().read(outputs, batch, facts).scores
        both = vectors.reshape(len(vectors) // facts["texts"], -1)
        return Answers([None] * len(both), both)

    def statistics(self, answers: Answers, labels: Sequence[Any]) -> dict[str, np.ndarray]:
        import numpy as np

        first, second = np.split(answers.scores.astype(np.float64), 2, axis=1)
        norms = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
        cosine = (first * second).sum(axis=1) / norms.clip(1e-12)
        return {"spearman": np.stack([np.asarray(labels, dtype=np.float64), cosine], axis=1)}

    def reply(self, session: Session, prepared: Prepared) -> Reply:
        """The cosine of the two vectors."""
        import numpy as np

        said = super().reply(session, prepared)
        first, second = np.split(np.asarray(said.vector), 2)
        norms = np.linalg.norm(first) * np.linalg.norm(second)
        return replace(said, answer=f"cosine {float(first @ second / norms.clip(1e-12)):.3f}")

    def points(
        self, prepared: Prepared, order: Sequence[int], batches: Sequence[int], sequences: Sequence[int]
    ) -> list[Point]:
        """A batch of natural length counts examples, one of a fixed length counts texts."""
        texts = _texts(prepared, order)
        fixed = fixed_points(texts, range(len(texts.tensors["input_ids"])), batches, sequences)
        return super().points(prepared, order, batches, ()) + in_sentences(fixed)


class Pairs(Tokenizer):
    """The tokens of all texts of a row, one text after the other."""

    count = 1

    def __call__(self, row: dict[str, Any]) -> Batch:
        import numpy as np

        names = ("text",) if "text" in row else ("text1", "text2")
        texts = [super(Pairs, self).__call__({"text": row[name]}) for name in names]
        self.count = len(texts)
        joined = {name: np.concatenate([text[name] for text in texts]) for name in texts[0]}
        return joined | {"lengths": np.array([len(text["input_ids"]) for text in texts])}

    def padding(self, example: Batch) -> dict[str, float]:
        return super().padding({name: value for name, value in example.items() if name != "lengths"})

    def facts(self) -> dict[str, Any]:
        return {"texts": self.count, **super().facts()}


def _texts(prepared: Prepared, indices: Sequence[int]) -> Prepared:
    """The texts of these examples, each for itself."""
    tensors = {name: [text for i in indices for text in _cut(prepared, name, i)] for name in prepared.padding}
    return replace(prepared, tensors=tensors)


def _cut(prepared: Prepared, name: str, index: int) -> Iterator[np.ndarray]:
    import numpy as np

    ends = np.cumsum(prepared.tensors["lengths"][index])
    return iter(np.split(prepared.tensors[name][index], ends[:-1]))


def _in_words(score: float | None) -> str | None:
    return None if score is None else f"{score:g}"
