"""What tasks that write have in common: how writing is timed, and how tokens become text."""

from __future__ import annotations

import functools
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.plugin import Batch, Point, Session, Writes

if TYPE_CHECKING:
    import numpy as np

SPELLING = "spelling"  # the shared input that holds the tokenizer
WRITTEN = 16  # new tokens: of an answer that is compared, and of one that is timed


def seconds_of(session: Writes, batch: Batch) -> dict[str, float]:
    """latency: of WRITTEN tokens in all; first_token: until the first one; per_token: each of those after it."""
    start = time.perf_counter()
    written = session.write(batch, WRITTEN, ends=False)
    whole = time.perf_counter() - start
    return {"latency": whole, "first_token": written.first,
            "per_token": (written.seconds - written.first) / (WRITTEN - 1)}  # fmt: skip


def parts(natural: Point) -> list[Point]:
    """Of a point at natural lengths the first token and those after it, apart."""
    where = f"natural, batch {natural.batch}"
    first = replace(natural, name=f"first token, {where}", metric="first_token", units=0, rate_unit="", call="")
    each = replace(first, name=f"each token, {where}", metric="per_token", units=natural.batch, rate_unit="tokens")
    return [first, each]


def writer(session: Session) -> Writes:
    """The session as one that writes."""
    assert isinstance(session, Writes), "planning lets only such sessions through"
    return session


class Spelling:
    """The model's tokenizer as its own file, which travels with the inputs: answers become text in a process that has
    no transformers."""

    def __init__(self, file: bytes) -> None:
        self.file = file

    @classmethod
    def of(cls, model: Path) -> Spelling:
        from transformers import AutoTokenizer

        tokenizer: Any = AutoTokenizer.from_pretrained(model)
        return cls(tokenizer.backend_tokenizer.to_str().encode())

    @classmethod
    def among(cls, batch: Batch) -> Spelling:
        return cls(batch[SPELLING].tobytes())

    def shared(self) -> Batch:
        """As `Prepared.shared` holds it: uint8 [bytes]."""
        import numpy as np

        return {SPELLING: np.frombuffer(self.file, dtype=np.uint8)}

    def texts(self, tokens: np.ndarray, special: bool = False) -> list[str]:
        """Token ids [n, length] as texts; the tokens that stand for none by their names, or left out."""
        said = _tokenizer(self.file).decode_batch(tokens.tolist(), skip_special_tokens=not special)
        return [str(text).strip() for text in said]


@functools.lru_cache(maxsize=1)
def _tokenizer(file: bytes) -> Any:
    from tokenizers import Tokenizer

    return Tokenizer.from_str(file.decode())


def writing_points(natural: Sequence[Batch], exact: Mapping[tuple[int, int], Sequence[Batch]]) -> list[Point]:
    """`natural`: prompts of natural length, one a batch; `exact`: (length, batch) -> prompts of that length. Rates: of
    the first token those of the prompt that are read a second, else those that are written."""
    said = f"{WRITTEN} tokens written"
    points = [Point(f"natural, batch 1, {said}", "latency", "s", 1, None, natural, WRITTEN, "tokens", call=said)]
    for (length, size), prompts in exact.items():
        name = f"{length} tokens, batch {size}"
        points.append(Point(f"first token after {name}", "first_token", "s", size, length, prompts,
                            length * size, "prefill tokens"))  # fmt: skip
        points.append(Point(f"each token after {name}", "per_token", "s", size, length, prompts, size, "tokens"))
    return points
