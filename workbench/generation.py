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
    """`ends`: tokens that end a text; `padding`: what stands after its end; `never`: tokens that are not written, and
    `not_first`: those that no text begins with."""

    ends: tuple[int, ...] = ()
    padding: int = 0
    never: tuple[int, ...] = ()
    not_first: tuple[int, ...] = ()

    def likeliest(self, logits: np.ndarray, first: bool) -> np.ndarray:
        """Token ids, int64 [n], of logits [n, vocabulary]."""
        barred = [*self.never, *(self.not_first if first else ())]
        if barred:
            logits = logits.copy()
            logits[:, barred] = -float("inf")
        found: np.ndarray = logits.argmax(axis=-1)
        return found


def habits(folder: Path) -> Habits:
    """From generation_config.json, or config.json where there is none, as transformers reads them."""
    said = _said(folder)
    ends = tuple(_listed(said.get("eos_token_id")))
    padding = next((one for one in (said.get("pad_token_id"), *ends) if one is not None), 0)
    never, not_first = (tuple(_listed(said.get(name))) for name in ("suppress_tokens", "begin_suppress_tokens"))
    return Habits(ends, padding, never, not_first)


def beginning(folder: Path) -> list[int]:
    """What a model with an encoder begins its answer with: the token that starts it; of one that hears several
    languages the language its configuration names, else English, that it shall write down what is said, and without
    times; of a translator the language it translates into, where its configuration says one."""
    said = _said(folder)
    config = _json(folder / "config.json")
    starts = [one.get(name) for name in ("decoder_start_token_id", "bos_token_id") for one in (said, config)]
    ids = [next((one for one in starts if one is not None), 0)]
    if languages := said.get("lang_to_id"):
        named = str(said.get("language") or "en").strip("<|>")
        ids.append(languages.get(f"<|{named}|>", next(iter(languages.values()))))
        ids += [number for task, number in (said.get("task_to_id") or {}).items() if task == "transcribe"]
    ids += [said[name] for name in ("no_timestamps_token_id", "forced_bos_token_id") if said.get(name) is not None]
    return [int(one) for one in ids]


def greedy(
    begin: Callable[[], np.ndarray], step: Callable[[np.ndarray], np.ndarray], new_tokens: int, habits: Habits,
    ends: bool,
) -> Written:  # fmt: skip
    """Always the likeliest token. `begin` gives the logits [n, vocabulary] after the prompts, `step` those after one
    more token [n] of each."""
    import numpy as np

    clock = time.perf_counter()
    token = habits.likeliest(begin(), first=True)
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
        token = habits.likeliest(step(token), first=False)
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
    whole: Callable[[Batch], np.ndarray], call: Callable[[Batch], np.ndarray], batch: Batch, new_tokens: int,
    habits: Habits, ends: bool,
) -> Written:  # fmt: skip
    """Answer what an encoder has read. `whole` takes the batch, `decoder_input_ids` [n, k] among it, and remembers;
    `call` takes one more token of each text. Both give logits [n, …, vocabulary], the last ones last."""
    mask = {name: batch[name] for name in ("attention_mask",) if name in batch}
    return greedy(lambda: whole(batch)[:, -1], lambda token: call({"decoder_input_ids": token[:, None], **mask})[:, -1],
                  new_tokens, habits, ends)  # fmt: skip


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


def _said(folder: Path) -> dict[str, Any]:
    return _json(folder / "generation_config.json") or _json(folder / "config.json")


def _json(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


def _listed(value: Any) -> list[int]:
    return [] if value is None else [int(one) for one in (value if isinstance(value, list) else [value])]
