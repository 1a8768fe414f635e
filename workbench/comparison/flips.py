"""The examples that a variant answered differently than the baseline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from workbench import evidence
from workbench.comparison.seen import Inputs, Predictions

if TYPE_CHECKING:
    import numpy as np


def between(base: Predictions, mine: Predictions, inputs: Inputs) -> list[dict[str, Any]]:
    """The widest change of score first; see Comparison.flips for the keys."""
    before, after = _class_scores(base), _class_scores(mine)
    flips = []
    for index, (old, new) in enumerate(zip(base.predicted, mine.predicted, strict=True)):
        if old != new:
            flips.append({
                "index": index,
                "id": str(base.ids[index]),
                "card": dict(inputs.cards[index]) if inputs.cards else {},
                "kind": _kind(base.right, mine.right, index),
                "baseline": {"answer": _answer(old, inputs.classes), "score": _score(before, index, old)},
                "variant": {"answer": _answer(new, inputs.classes), "score": _score(after, index, new)},
                "score_change": _change(before, after, index, old),
            })  # fmt: skip
    return sorted(flips, key=lambda flip: -abs(flip["score_change"] or 0.0))


def _score(scores: np.ndarray | None, index: int, answer: Any) -> float | None:
    return None if scores is None else float(scores[index, answer])


def _change(before: np.ndarray | None, after: np.ndarray | None, index: int, answer: Any) -> float | None:
    """How much less sure of the baseline's answer the variant is; negative where it is."""
    old, new = _score(before, index, answer), _score(after, index, answer)
    return None if old is None or new is None else new - old


def _kind(base_right: np.ndarray | None, variant_right: np.ndarray | None, index: int) -> str:
    if base_right is None or variant_right is None or base_right[index] == variant_right[index]:
        return "changed"
    return "to_wrong" if base_right[index] > variant_right[index] else "to_right"


def _class_scores(predictions: Predictions) -> np.ndarray | None:
    """Probabilities [n, classes], where the answers are class ids."""
    whole = all(isinstance(answer, int) for answer in predictions.predicted)
    return evidence.probabilities(predictions.scores) if whole and has_scores(predictions) else None


def has_scores(predictions: Predictions) -> bool:
    return predictions.scores.ndim == 2 and predictions.scores.shape[1] > 1


def _answer(answer: Any, classes: Sequence[str]) -> Any:
    """A class by its name; several in one line."""
    if isinstance(answer, list):
        return ", ".join(str(_answer(one, classes)) for one in answer) or "none"
    return classes[answer] if isinstance(answer, int) and 0 <= answer < len(classes) else answer
