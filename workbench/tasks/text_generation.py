"""Text that goes on: how well a model expects real text, and how it writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from workbench.generation import left_padded
from workbench.measurement import Metric
from workbench.plugin import Answers, Batch, Point, Prepared, Session, Writes
from workbench.reply import Reply
from workbench.tasks.one_call import OneCall, enough
from workbench.tasks.tokenizer import UNLIMITED, Tokenizer
from workbench.tasks.writing import SPELLING, WRITTEN, Spelling, seconds_of, writer, writing_points

if TYPE_CHECKING:
    import numpy as np

PERPLEXITY = Metric("perplexity", unit="", better="lower", combine="exp_ratio")
WINDOW = 512  # tokens of a text that are read; what lies behind is cut off and counted
PROMPT = 32  # the text goes on from at most so many of its first tokens, and at most half of it
PROMPTS = 16  # natural prompts that are timed, in turn
DISTRIBUTIONS = 200  # at most so many probabilities of a next token are kept, each a row as wide as the vocabulary
PLACES = 8  # in one text, at most


class TextGeneration(OneCall):
    """Inputs: `input_ids`, `attention_mask`, int64 [length]. Judged on the text itself, which needs no labels.

    kept["nats"]: [n, 2] negative log-likelihood in nats of every token but the first, and how many those are.
    predicted: the tokens that follow the beginning of each text, greedily.
    scores: probabilities [m, vocabulary] of the next token, at the same number of places in each of the first
    DISTRIBUTIONS texts, spread evenly over its tokens, the last of them its end. Their mean divergence from the
    baseline's stands in the report: an estimate of that over all tokens, whose probabilities would fill a disk.
    """

    name = "text-generation"
    summary = "Text that goes on from a prompt."
    auto_class = "AutoModelForCausalLM"
    columns = {"text": ("text", "prompt", "content", "sentence")}
    inputs = (("text",),)
    target = None
    metrics = (PERPLEXITY,)
    asks = (Writes,)
    rows = DISTRIBUTIONS
    default_data = "starter:sentiment"
    form: ClassVar[Mapping[str, str]] = {"text": "Prompt"}

    def check(self, rows: list[dict[str, Any]], config: dict[str, Any]) -> list[dict[str, Any]]:
        enough(rows)
        return rows

    def processor(self, model: Path) -> Tokenizer:
        return Tokenizer(model, WINDOW)

    def prepare(self, rows: list[dict[str, Any]], model: Path) -> Prepared:
        import numpy as np

        tokenizer = self.processor(model)
        ids = [tokenizer(row)["input_ids"] for row in rows]
        return Prepared(
            tensors={
                "input_ids": ids,
                "attention_mask": [np.ones_like(text) for text in ids],
                "keeps_scores": [np.asarray([places], dtype=np.int64) for places in _places(len(ids))],
            },
            padding={"input_ids": tokenizer.pad, "attention_mask": 0.0},
            labels=[len(text) - 1 for text in ids],
            ids=[row["id"] for row in rows],
            cards=[{"text": row["text"][:1000], "label": None} for row in rows],
            facts=tokenizer.facts(),
        )

    def prepare_own(self, row: dict[str, Any], model: Path, facts: Mapping[str, Any]) -> Prepared:
        return replace(self.prepare([row], model), shared=Spelling.of(model).shared())

    def reply(self, session: Session, prepared: Prepared) -> Reply:
        """How the whole prompt goes on."""
        batch = self.collate(prepared, [0])
        prompt = {name: batch[name] for name in ("input_ids", "attention_mask")}
        tokens = writer(session).write(prompt, WRITTEN).tokens
        said = Spelling(prepared.shared[SPELLING].tobytes()).texts(tokens)[0]
        return Reply(said, same=tokens[0].tolist())

    def collate(self, prepared: Prepared, indices: Sequence[int]) -> Batch:
        """Padded on the left: a text must end where the next token begins."""
        import numpy as np

        texts = [prepared.tensors["input_ids"][i] for i in indices]
        keeps = np.stack([prepared.tensors["keeps_scores"][i] for i in indices])
        return {**left_padded(texts, int(prepared.padding["input_ids"])), "keeps_scores": keeps}

    def answer(self, session: Session, batch: Batch) -> Batch:
        """`logits` of every real token from one call, and `tokens` that follow the beginnings."""
        logits = session.infer(batch)["logits"]
        if (nobody := batch["attention_mask"] == 0).any():
            logits[nobody] = 0  # what a model says to padding is no answer
        return {"logits": logits, "tokens": writer(session).write(_beginnings(batch), WRITTEN).tokens}

    def read(self, outputs: Batch, batch: Batch, facts: dict[str, Any]) -> Answers:
        import numpy as np

        logits = outputs["logits"]
        mask, keeps = batch["attention_mask"], batch.get("keeps_scores", np.zeros((len(logits), 1), dtype=np.int64))
        counted = [_expected(*row) for row in zip(logits, batch["input_ids"], mask, strict=True)]
        kept = [row[_spread(real, int(count))] for row, real, (count,) in zip(logits, mask, keeps, strict=True)]
        said = np.concatenate(kept).astype(np.float32)
        odds = np.exp(said - said.max(axis=-1, keepdims=True, initial=-np.inf))
        return Answers(
            outputs["tokens"].tolist(), odds / odds.sum(axis=-1, keepdims=True), {"nats": np.asarray(counted)}
        )

    def statistics(self, answers: Answers, labels: Sequence[Any]) -> dict[str, np.ndarray]:
        return {"perplexity": answers.kept["nats"]}

    def time(self, session: Session, batch: Batch) -> dict[str, float]:
        return seconds_of(writer(session), batch)

    def points(
        self, prepared: Prepared, order: Sequence[int], batches: Sequence[int], sequences: Sequence[int]
    ) -> list[Point]:
        """Prompts of natural length; then for each length and batch the first token and those after it, apart."""
        pad, texts = int(prepared.padding["input_ids"]), prepared.tensors["input_ids"]
        natural = [left_padded([_beginning(texts[i])], pad) for i in order[:PROMPTS]]
        limit = (prepared.facts.get("position_limit") or UNLIMITED) - WRITTEN
        exact = {
            (length, size): [left_padded(_of_length(texts, order, length, size, start), pad) for start in range(2)]
            for length in sequences if length <= limit for size in batches
        }  # fmt: skip
        return writing_points(natural, exact)


def _places(texts: int) -> list[int]:
    """In how many places of each of so many texts probabilities are kept."""
    each = min(PLACES, max(1, DISTRIBUTIONS // max(1, texts)))
    return [each if number < DISTRIBUTIONS else 0 for number in range(texts)]


def _spread(mask: np.ndarray, count: int) -> np.ndarray:
    """So many places among the real tokens, evenly, the last one among them; some twice in a shorter text."""
    import numpy as np

    real = np.flatnonzero(mask > 0)
    found: np.ndarray = real[np.ceil(np.arange(1, count + 1) * len(real) / max(count, 1)).astype(int) - 1]
    return found


def _beginning(text: np.ndarray) -> np.ndarray:
    return text[: max(1, min(PROMPT, len(text) // 2))]


def _beginnings(batch: Batch) -> Batch:
    ids, mask = batch["input_ids"], batch["attention_mask"] > 0
    texts = [row[real] for row, real in zip(ids, mask, strict=True)]
    return left_padded([_beginning(text) for text in texts], int(ids[~mask][0]) if (~mask).any() else 0)


def _expected(logits: np.ndarray, ids: np.ndarray, mask: np.ndarray) -> tuple[float, int]:
    """Nats and tokens: -log p of every real token but the first, given those before it."""
    import numpy as np

    text, said = ids[mask > 0][1:], logits[mask > 0][:-1]
    top = said.max(axis=-1, initial=-np.inf)
    whole = np.log(np.exp(said - top[:, None]).sum(axis=-1, dtype=np.float64)) + top
    return float((whole - said[np.arange(len(text)), text]).sum()), len(text)


def _of_length(
    texts: Sequence[np.ndarray], order: Sequence[int], length: int, size: int, start: int
) -> list[np.ndarray]:
    """`size` prompts of exactly `length` real tokens, made of texts joined in `order`."""
    import numpy as np

    found, at = [], start * 7
    for _ in range(size):
        joined: list[np.ndarray] = []
        while sum(map(len, joined)) < length:
            joined.append(texts[order[at % len(order)]])
            at += 1
        found.append(np.concatenate(joined)[:length])
    return found
