"""Classifiers whose answer is no single class: several labels an input, or a number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from workbench.errors import RequestError
from workbench.measurement import Metric
from workbench.plugin import Answers
from workbench.tasks.classification import classes_of, label_id, label_ids, one_class
from workbench.tasks.one_call import enough, labelled, listed

if TYPE_CHECKING:
    import numpy as np

SUBSET_ACCURACY = Metric("subset_accuracy", binary=True)
MICRO_F1 = Metric("micro_f1", combine="f1")
MACRO_F1 = Metric("macro_f1", combine="macro_f1")
SPEARMAN = Metric("spearman", unit="", combine="spearman")
MSE = Metric("mse", unit="", better="lower")
DIGITS = 2  # after the point, to which two numbers must be equal to be the same answer


class Head(Protocol):
    """`check`, `read` and `statistics` of a task, for one kind of answer; `in_words` is a label on a card."""

    def check(self, rows: list[dict[str, Any]], config: dict[str, Any]) -> list[dict[str, Any]]: ...

    def read(self, logits: np.ndarray) -> Answers: ...

    def statistics(self, answers: Answers, labels: Sequence[Any]) -> dict[str, np.ndarray]: ...

    def in_words(self, label: Any, classes: Sequence[str]) -> str: ...


class SeveralLabels:
    """Labels and answers are sorted class ids. An answer holds every class whose sigmoid is above one half.

    Statistics: subset_accuracy [n, 1], whether all classes are right; micro_f1 [n, 3] tp, fp, fn; macro_f1
    [n, 3 x classes] the same of each class.
    """

    def check(self, rows: list[dict[str, Any]], config: dict[str, Any]) -> list[dict[str, Any]]:
        """A label is a list of names or ids, or of a 0 or 1 for every class: that, when all rows look like it."""
        enough(rows)
        if not labelled(rows):
            return rows
        classes, ids = classes_of(config), label_ids(config)
        given = [_names(row["label"]) for row in rows]
        if all(len(one) == len(classes) and all(str(flag) in FLAGS for flag in one) for one in given):
            found = [[at for at, flag in enumerate(one) if FLAGS[str(flag)]] for one in given]
        else:
            found = [sorted({label_id(name, ids, row["row"]) for name in one})
                     for one, row in zip(given, rows, strict=True)]  # fmt: skip
        if all(one == found[0] for one in found):
            raise one_class(len(rows), self.in_words(found[0], classes))
        return [{**row, "label": one} for row, one in zip(rows, found, strict=True)]

    def read(self, logits: np.ndarray) -> Answers:
        """No scores: they are no distribution over the classes."""
        import numpy as np

        chosen = [np.flatnonzero(row > 0).tolist() for row in logits]
        return Answers(chosen, np.zeros((len(logits), 0), np.float32))

    def statistics(self, answers: Answers, labels: Sequence[Any]) -> dict[str, np.ndarray]:
        import numpy as np

        count = 1 + max((each for one in (*answers.predicted, *labels) for each in one), default=0)
        label, answer = _flags(labels, count), _flags(answers.predicted, count)
        counts = np.stack([label & answer, ~label & answer, label & ~answer], axis=2).astype(np.float64)
        right = (label == answer).all(axis=1, keepdims=True).astype(np.float64)
        return {"subset_accuracy": right, "micro_f1": counts.sum(axis=1),
                "macro_f1": counts.reshape(len(labels), -1)}  # fmt: skip

    def in_words(self, label: Any, classes: Sequence[str]) -> str:
        return ", ".join(classes[one] for one in label) or "none"


class OneNumber:
    """Labels are numbers. Two answers are the same where they are equal to two digits after the point; the scores
    [n, 1] are the whole numbers. Statistics: spearman [n, 2] label and answer, mse [n, 1] squared error."""

    def check(self, rows: list[dict[str, Any]], config: dict[str, Any]) -> list[dict[str, Any]]:
        enough(rows)
        if not labelled(rows):
            return rows
        return numbered(rows, "label")

    def read(self, logits: np.ndarray) -> Answers:
        import numpy as np

        values = np.asarray(logits, dtype=np.float32).reshape(len(logits), -1)[:, :1]
        rounded = [round(float(value), DIGITS) + 0.0 for value in values[:, 0]]  # + 0.0: no minus zero
        return Answers(rounded, values)

    def statistics(self, answers: Answers, labels: Sequence[Any]) -> dict[str, np.ndarray]:
        import numpy as np

        label, answer = np.asarray(labels, dtype=np.float64), answers.scores[:, 0].astype(np.float64)
        return {"spearman": np.stack([label, answer], axis=1), "mse": ((label - answer) ** 2)[:, None]}

    def in_words(self, label: Any, classes: Sequence[str]) -> str:
        return f"{label:g}"


FLAGS = {"0": False, "0.0": False, "False": False, "1": True, "1.0": True, "True": True}
HEADS: dict[str, Head] = {"multi_label_classification": SeveralLabels(), "regression": OneNumber()}


def problem_of(config: dict[str, Any]) -> str:
    """What a classifier's config.json says it solves: a key of HEADS, or "single_label_classification"."""
    said = str(config.get("problem_type") or "")
    return said or ("regression" if len(classes_of(config)) == 1 else "single_label_classification")


def head_of_labels(labels: Sequence[Any]) -> Head | None:
    """By what the labels are: lists, numbers, or ids (None)."""
    kinds = {list: "multi_label_classification", float: "regression"}
    return HEADS.get(kinds.get(type(labels[0]), ""))


def numbered(rows: list[dict[str, Any]], field: str) -> list[dict[str, Any]]:
    """The rows with `field` as a float. Raises RequestError naming the row of what is no number, or all are one."""
    checked = [{**row, field: _number(row[field], row["row"], field)} for row in rows]
    if len({row[field] for row in checked}) == 1:
        raise RequestError(
            f"All {len(rows)} rows have the {field} {checked[0][field]:g}.",
            "Which of two is larger can't be asked then.",
            "Give data with different ones.",
        )
    return checked


def _number(value: Any, row: int, field: str) -> float:
    import math

    try:
        found = float(value)
    except (TypeError, ValueError):
        found = math.nan
    if not math.isfinite(found):
        raise RequestError(
            f"Row {row} has the {field} {str(value)[:60]!r}.",
            "This model gives a number, so a number is wanted.",
            f"Mend the row, or name another column with --fields {field}=….",
        )
    return found


def _names(value: Any) -> list[Any]:
    """In the cell of a table names stand between commas."""
    if isinstance(value, str) and not value.lstrip().startswith("["):
        return [name for name in value.split(",") if name.strip()]
    return listed(value)


def _flags(several: Sequence[Sequence[int]], count: int) -> np.ndarray:
    import numpy as np

    found = np.zeros((len(several), count), dtype=bool)
    for row, ids in zip(found, several, strict=True):
        row[list(ids)] = True
    return found
