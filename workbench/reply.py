"""What a model says to one input, for a person, and how it is told whether two models say the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

SHOWN = 20  # scores of an answer


@dataclass(frozen=True)
class Reply:
    """`answer` in words. `scores`: (label, 0 to 1), the highest first, where an answer has them. `same`: equal where
    two models say the same; None where the answer is a `vector`, which can only be nearer or farther."""

    answer: str
    scores: tuple[tuple[str, float], ...] = ()
    same: Any = None
    vector: tuple[float, ...] = ()


def reply_of(said: Any, scores: Sequence[float], classes: Sequence[str]) -> Reply:
    """An answer as `Answers` holds it: a class id, several, a number, a text, or None where the scores are it."""
    if said is None:
        return Reply(f"a vector of {len(scores):,} numbers", vector=tuple(scores))
    ranked = sorted(zip(classes, scores, strict=True), key=lambda one: -one[1]) if len(scores) == len(classes) else ()
    return Reply(_in_words(said, classes), tuple(ranked[:SHOWN]), said)


def _in_words(said: Any, classes: Sequence[str]) -> str:
    if isinstance(said, list):
        return ", ".join(_in_words(one, classes) for one in said) or "none"
    if isinstance(said, float):
        return f"{said:g}"
    return classes[said] if isinstance(said, int) and said < len(classes) else str(said)
