"""What tasks that write have in common: how writing is timed."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from workbench.plugin import Batch, Point, Writes

WRITTEN = 16  # new tokens: of an answer that is compared, and of one that is timed


def seconds_of(session: Writes, batch: Batch) -> dict[str, float]:
    """latency: of WRITTEN tokens in all; first_token: until the first one; per_token: each of those after it."""
    start = time.perf_counter()
    written = session.write(batch, WRITTEN, ends=False)
    whole = time.perf_counter() - start
    return {"latency": whole, "first_token": written.first,
            "per_token": (written.seconds - written.first) / (WRITTEN - 1)}  # fmt: skip


def writing_points(natural: Sequence[Batch], exact: Mapping[tuple[int, int], Sequence[Batch]]) -> list[Point]:
    """`natural`: prompts of natural length, one a batch; `exact`: (length, batch) -> prompts of that length. Rates: of
    the first token those of the prompt that are read a second, else those that are written."""
    said = f"natural, batch 1, {WRITTEN} tokens written"
    points = [Point(said, "latency", "s", 1, None, natural, WRITTEN, "tokens")]
    for (length, size), prompts in exact.items():
        name = f"{length} tokens, batch {size}"
        points.append(Point(f"first token after {name}", "first_token", "s", size, length, prompts,
                            length * size, "tokens"))  # fmt: skip
        points.append(Point(f"each token after {name}", "per_token", "s", size, length, prompts, size, "tokens"))
    return points
