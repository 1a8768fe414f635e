"""A text that answers a text: a summary, a translation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.errors import RequestError
from workbench.generation import beginning
from workbench.measurement import Metric
from workbench.plugin import Answers, Batch, Point, Prepared, Session, Writes
from workbench.tasks.one_call import enough, labelled
from workbench.tasks.tokenizer import SHOWN, Texts, columns, fixed_points
from workbench.tasks.writing import Spelling, seconds_of, writer, writing_points

if TYPE_CHECKING:
    import numpy as np

ROUGE_L, CHRF = Metric("rouge_l"), Metric("chrf")
LONGEST = 64  # tokens of an answer that are compared
ROWS = 500  # answered when nobody says how many: each takes many calls
PROMPTS = 16  # natural texts that are timed, in turn


class Text2TextGeneration(Texts):
    """Inputs: what the tokenizer gives, int64 [length], and `decoder_input_ids`, with which the answer begins.

    An answer is the text, LONGEST tokens at most. Statistics: rouge_l [n, 1], chrf [n, 1], each from 0 to 1 and
    averaged over examples.
    """

    name = "text2text-generation"
    summary = "A text that answers a text: a summary, a translation."
    auto_class = "AutoModelForSeq2SeqLM"
    needs = ("transformers", "torch", "rapidfuzz", "sacrebleu")
    columns = {
        "text": ("text", "document", "article", "source", "input", "dialogue"),
        "answer": ("answer", "summary", "highlights", "target", "translation", "output"),
    }
    inputs = (("text",),)
    target = "answer"
    metrics = (ROUGE_L, CHRF)
    asks = (Writes,)
    rows = ROWS
    default_data = "starter:sentiment"

    def check(self, rows: list[dict[str, Any]], config: dict[str, Any]) -> list[dict[str, Any]]:
        enough(rows)
        for row in rows if labelled(rows, "answer") else ():
            if not words_of(str(row["answer"])):
                raise RequestError(
                    f"The answer of row {row['row']} has no words.",
                    "Answers are compared word by word.",
                    "Write one, or remove the row.",
                )
        return rows

    def prepare(self, rows: list[dict[str, Any]], model: Path) -> Prepared:
        import numpy as np

        tokenizer = self.processor(model)
        begun = np.asarray(beginning(model), dtype=np.int64)
        examples = [{**tokenizer(row), "decoder_input_ids": begun} for row in rows]
        return Prepared(
            tensors=columns(examples),
            padding=tokenizer.padding({name: one for name, one in examples[0].items() if name != "decoder_input_ids"}),
            labels=None if rows[0].get("answer") is None else [str(row["answer"]) for row in rows],
            ids=[row["id"] for row in rows],
            cards=[{"text": row["text"][:SHOWN], "label": row.get("answer")} for row in rows],
            facts=tokenizer.facts(),
            shared=Spelling.of(model).shared(),
        )

    def answer(self, session: Session, batch: Batch) -> Batch:
        return {"tokens": writer(session).write(batch, LONGEST).tokens}

    def read(self, outputs: Batch, batch: Batch, facts: dict[str, Any]) -> Answers:
        import numpy as np

        said = Spelling.among(batch).texts(outputs["tokens"])
        return Answers(list(said), np.zeros((len(said), 0), dtype=np.float32))

    def statistics(self, answers: Answers, labels: Sequence[Any]) -> dict[str, np.ndarray]:
        import numpy as np

        pairs = list(zip(answers.predicted, labels, strict=True))
        found = {"rouge_l": [rouge_l(said, meant) for said, meant in pairs],
                 "chrf": [chrf(said, meant) for said, meant in pairs]}  # fmt: skip
        return {name: np.asarray(values, dtype=np.float64)[:, None] for name, values in found.items()}

    def time(self, session: Session, batch: Batch) -> dict[str, float]:
        return seconds_of(writer(session), batch)

    def points(
        self, prepared: Prepared, order: Sequence[int], batches: Sequence[int], sequences: Sequence[int]
    ) -> list[Point]:
        """Texts of natural length; then for each length and batch the first word of an answer and those after it."""
        natural = [self.collate(prepared, [i]) for i in order[:PROMPTS]]
        begun = natural[0]["decoder_input_ids"]
        exact = {
            (point.sequence or 0, point.batch): [
                {**one, "decoder_input_ids": begun.repeat(point.batch, axis=0), **prepared.shared}
                for one in point.batches[:2]
            ]
            for point in fixed_points(prepared, order, batches, sequences)
        }  # fmt: skip
        return writing_points(natural, exact)


def words_of(text: str) -> list[str]:
    """Lower case, what is neither letter nor digit separates: as ROUGE's first implementation counts, in any script."""
    return "".join(char if char.isalnum() else " " for char in text.lower()).split()


def rouge_l(said: str, meant: str) -> float:
    """F1 of the longest common subsequence of words (Lin 2004, ROUGE: A Package for Automatic Evaluation of
    Summaries, section 3.1)."""
    from rapidfuzz.distance import LCSseq

    one, other = words_of(said), words_of(meant)
    return 2 * LCSseq.similarity(one, other) / max(len(one) + len(other), 1)


def chrf(said: str, meant: str) -> float:
    """chrF2 of one sentence, 0 to 1, by sacreBLEU (Popović 2015, chrF: character n-gram F-score)."""
    from sacrebleu.metrics.chrf import CHRF as Scorer

    return float(Scorer().sentence_score(said, [meant]).score) / 100
