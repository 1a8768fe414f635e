"""Texts as the model's own tokenizer gives them, and inputs of an exact length made from real ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.plugin import Batch, Point, Prepared
from workbench.tasks.one_call import OneCall

if TYPE_CHECKING:
    import numpy as np

UNLIMITED = 100_000  # tokenizers without a limit say 1e30
SHOWN = 1000  # characters of a text on a card


class Texts(OneCall):
    """Inputs: `input_ids`, `attention_mask` and what else the tokenizer gives, int64 [length]."""

    def processor(self, model: Path) -> Tokenizer:
        return Tokenizer(model)

    def points(
        self, prepared: Prepared, order: Sequence[int], batches: Sequence[int], sequences: Sequence[int]
    ) -> list[Point]:
        points = super().points(prepared, order, batches, sequences)
        return points + fixed_points(prepared, order, batches, sequences)


class Tokenizer:
    """The model's tokenizer, cutting at min(tokenizer's limit, position limit, `window`)."""

    def __init__(self, model: Path, window: int | None = None, **options: Any) -> None:
        from transformers import AutoConfig, AutoTokenizer

        self._tokenizer = AutoTokenizer.from_pretrained(model, **options)
        self.limit = position_limit(AutoConfig.from_pretrained(model), self._tokenizer.model_max_length)
        self.max_length = min((one for one in (self.limit, window) if one), default=None)
        self.truncated = 0

    def __call__(self, row: dict[str, Any]) -> Batch:
        return arrays(self.encoded(*texts_of(row)))

    def encoded(self, *texts: Any, truncation: str | bool = True, **options: Any) -> Any:
        """What the tokenizer says to one input, cut where it is too long, and counted then."""
        cut = truncation if self.max_length is not None else False
        encoded = self._tokenizer(*texts, truncation=cut, max_length=self.max_length, return_overflowing_tokens=False,
                                  **options)  # fmt: skip
        if self.max_length and len(encoded["input_ids"]) >= self.max_length:
            whole = self._tokenizer(*texts, verbose=False, **options)
            self.truncated += len(whole["input_ids"]) > self.max_length
        return encoded

    @property
    def pad(self) -> int:
        """What fills a shorter text; nothing looks at it."""
        return int(self._tokenizer.pad_token_id or 0)

    def padding(self, example: Batch) -> dict[str, float]:
        fill = {"input_ids": self.pad, "token_type_ids": self._tokenizer.pad_token_type_id}
        return {name: float(fill.get(name, 0)) for name in example}

    def facts(self) -> dict[str, Any]:
        return {"truncated": self.truncated, "max_length": self.max_length, "position_limit": self.limit}


def texts_of(row: dict[str, Any]) -> tuple[str, ...]:
    """The text of a row, or its two."""
    return (row["text"],) if "text" in row else (row["text1"], row["text2"])


def shown(row: dict[str, Any]) -> str:
    """The text or the two as a card has them."""
    return " ▸ ".join(texts_of(row))[:SHOWN]


def arrays(encoded: Any) -> Batch:
    import numpy as np

    return {name: np.asarray(value, dtype=np.int64) for name, value in encoded.items()}


def columns(examples: Sequence[Batch]) -> dict[str, list[np.ndarray]]:
    """Examples as `Prepared.tensors` holds them."""
    return {name: [example[name] for example in examples] for name in examples[0]}


def position_limit(config: Any, tokenizer_limit: int) -> int | None:
    """Tokens that fit: the smaller of tokenizer limit and positions; None where neither is bounded.
    RoBERTa-like models count positions from the padding id on, so two are not for tokens."""
    positions = getattr(config, "max_position_embeddings", None)
    if positions and config.model_type in ("roberta", "xlm-roberta", "camembert", "mpnet", "longformer"):
        positions -= (config.pad_token_id or 0) + 1
    limits = [limit for limit in (positions, tokenizer_limit) if limit and limit < UNLIMITED]
    return int(min(limits)) if limits else None


def filled(prepared: Prepared, order: Sequence[int], batch: int, sequence: int, start: int) -> Batch:
    """`batch` rows of exactly `sequence` real tokens: examples joined between the first and last special token.
    Only of what has one value a token."""
    import numpy as np

    rows, at = [], start * 7
    for _ in range(batch):
        row, at = _joined(prepared, order, sequence, at)
        rows.append(row)
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}


def _joined(prepared: Prepared, order: Sequence[int], sequence: int, at: int) -> tuple[dict[str, np.ndarray], int]:
    import numpy as np

    first, tokens = order[at % len(order)], {name: prepared.tensors[name] for name in prepared.padding}
    parts: dict[str, list[np.ndarray]] = {name: [examples[first][:1]] for name, examples in tokens.items()}
    length = 1
    while length < sequence - 1:
        index, at = order[at % len(order)], at + 1
        for name, examples in tokens.items():
            parts[name].append(examples[index][1:-1] if len(examples[index]) > 2 else examples[index])
        length += len(parts["input_ids"][-1])
    end = {name: examples[first][-1:] for name, examples in tokens.items()}
    return {name: np.concatenate([np.concatenate(part)[: sequence - 1], end[name]]) for name, part in parts.items()}, at


def fixed_points(
    prepared: Prepared, order: Sequence[int], batches: Sequence[int], sequences: Sequence[int]
) -> list[Point]:
    """batch x sequence, filled with real tokens; a length that the model can't take is left out."""
    limit = prepared.facts.get("max_length") or UNLIMITED
    return [
        Point(f"{sequence} tokens, batch {n}", "latency", "s", n, sequence,
              [filled(prepared, order, n, sequence, start) for start in range(4)])
        for sequence in sequences if sequence <= limit for n in batches
    ]  # fmt: skip
