"""Text token by token: the greedy loop that runtimes share, and where a text begins and ends."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.plugin import Written

if TYPE_CHECKING:
    import numpy as np

    from workbench.plugin import Batch


@dataclass(frozen=True)
class Habits:
    """`ends`: tokens that end a text; `padding`: what stands after its end; `start`: what the answer of a model with
    an encoder begins with, empty for others."""

    ends: tuple[int, ...] = ()
    padding: int = 0
    start: tuple[int, ...] = ()


def habits(folder: Path) -> Habits:
    """From generation_config.json, or config.json where there is none, as transformers reads them."""
    config = _json(folder / "config.json")
    said = _json(folder / "generation_config.json") or config
    ends = tuple(_listed(said.get("eos_token_id")))
    padding = next((one for one in (said.get("pad_token_id"), *ends) if one is not None), 0)
    return Habits(ends, padding, tuple(_start(said)) if config.get("is_encoder_decoder") else ())


def _start(said: dict[str, Any]) -> list[int]:
    """The decoder's first tokens: its start, and what is forced to follow it (a language, a task)."""
    first = next((said[name] for name in ("decoder_start_token_id", "bos_token_id") if said.get(name) is not None), 0)
    forced = sorted(pair for pair in said.get("forced_decoder_ids") or [] if pair[1] is not None)
    return [*_listed(first), *_listed(said.get("forced_bos_token_id")), *(token for _, token in forced)]


def greedy(
    begin: Callable[[], np.ndarray], step: Callable[[np.ndarray], np.ndarray], new_tokens: int, habits: Habits,
    ends: bool,
) -> Written:  # fmt: skip
    """Always the likeliest token. `begin` gives the logits [n, vocabulary] after the prompts, `step` those after one
    more token [n] of each."""
    import numpy as np

    clock = time.perf_counter()
    token = begin().argmax(axis=-1)
    first = time.perf_counter() - clock
    going = np.ones(len(token), dtype=bool)
    written = []
    while True:
        if ends:
            token = np.where(going, token, habits.padding)
            going &= ~np.isin(token, habits.ends)
        written.append(token)
        if len(written) == new_tokens or not going.any():
            break
        token = step(token).argmax(axis=-1)
    return Written(np.stack(written, axis=1).astype(np.int64), first, time.perf_counter() - clock)


def continued(
    call: Callable[[Batch], np.ndarray], batch: Batch, new_tokens: int, habits: Habits, ends: bool
) -> Written:
    """Go on with the prompts in `batch`. `call` remembers what it was given before: first it gets whole prompts, then
    one token of each text with its position, and a mask over all so far; it gives logits [n, …, vocabulary], the last
    ones last."""
    import numpy as np

    rows, length = batch["input_ids"].shape
    mask = np.concatenate([batch["attention_mask"], np.ones((rows, new_tokens), dtype=np.int64)], axis=1)
    place = mask[:, :length].sum(axis=1, keepdims=True)
    done = 0

    def begin() -> np.ndarray:
        prompt = {**batch, "position_ids": positions(mask[:, :length]), "logits_to_keep": np.array([length - 1])}
        return call(prompt)[:, -1]

    def step(token: np.ndarray) -> np.ndarray:
        nonlocal done
        done += 1
        one = {"input_ids": token[:, None], "attention_mask": mask[:, : length + done],
               "position_ids": place + done - 1, "logits_to_keep": np.array([0])}  # fmt: skip
        return call(one)[:, -1]

    return greedy(begin, step, new_tokens, habits, ends)


def answered(
    first: Callable[[Batch], np.ndarray], more: Callable[[Batch], np.ndarray], batch: Batch, new_tokens: int,
    habits: Habits, ends: bool,
) -> Written:  # fmt: skip
    """What a model with an encoder answers to `batch`. `first` is called once, with all of it and what the answer
    begins with; `more` with one token of each answer at a time. Both as `call` of `continued`."""
    mask = {name: value for name, value in batch.items() if name == "attention_mask"}

    def begin() -> np.ndarray:
        return first({**batch, "decoder_input_ids": decoder_prompt(batch, habits)})[:, -1]

    def step(token: np.ndarray) -> np.ndarray:
        return more({**mask, "decoder_input_ids": token[:, None]})[:, -1]

    return greedy(begin, step, new_tokens, habits, ends)


def decoder_prompt(batch: Batch, habits: Habits) -> np.ndarray:
    """What the answers of a model with an encoder begin with, int64 [n, tokens]."""
    import numpy as np

    if "decoder_input_ids" in batch:
        return batch["decoder_input_ids"]
    rows = len(next(iter(batch.values())))
    return np.tile(np.asarray(habits.start, dtype=np.int64), (rows, 1))


def positions(mask: np.ndarray) -> np.ndarray:
    """The place of each token in its own text, int64 [n, length]; padding before it counts for nothing."""
    import numpy as np

    return np.maximum(np.cumsum(mask, axis=-1, dtype=np.int64) - 1, 0)


def left_padded(texts: Sequence[np.ndarray], padding: int) -> Batch:
    """Token ids of different length as `input_ids`, `attention_mask` and `position_ids`, int64 [n, longest]."""
    import numpy as np

    longest = max(len(text) for text in texts)
    ids = np.full((len(texts), longest), padding, dtype=np.int64)
    mask = np.zeros((len(texts), longest), dtype=np.int64)
    for row, text in enumerate(texts):
        ids[row, longest - len(text) :], mask[row, longest - len(text) :] = text, 1
    return {"input_ids": ids, "attention_mask": mask, "position_ids": positions(mask)}


def _json(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


def _listed(value: Any) -> list[int]:
    return [] if value is None else [int(one) for one in (value if isinstance(value, list) else [value])]
