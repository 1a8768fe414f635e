"""What the single-label classifiers share: labels, answers and when they are right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from workbench.errors import RequestError
from workbench.measurement import Metric
from workbench.plugin import Answers, Batch
from workbench.tasks.one_call import OneCall, enough, labelled

if TYPE_CHECKING:
    import numpy as np

ACCURACY = Metric("accuracy", binary=True)
MACRO_F1 = Metric("macro_f1", combine="macro_f1")


class Classification(OneCall):
    """One of several classes an input. Statistics: accuracy [n, 1] right/wrong, macro_f1 [n, 2] (label, answer)."""

    metrics: ClassVar[tuple[Metric, ...]] = (ACCURACY, MACRO_F1)

    def check(self, rows: list[dict[str, Any]], config: dict[str, Any]) -> list[dict[str, Any]]:
        _refuse_other_heads(config)
        enough(rows)
        if not labelled(rows):
            return rows
        ids = label_ids(config)
        checked = [{**row, "label": label_id(row["label"], ids, row["row"])} for row in rows]
        if len({row["label"] for row in checked}) == 1:
            raise one_class(len(rows), classes_of(config)[checked[0]["label"]])
        return checked

    def read(self, outputs: Batch, batch: Batch, facts: dict[str, Any]) -> Answers:
        """`logits` [n, classes] -> class ids and softmax probabilities."""
        import numpy as np

        logits = np.asarray(outputs["logits"], dtype=np.float32)
        shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
        return Answers(logits.argmax(axis=-1).tolist(), shifted / shifted.sum(axis=-1, keepdims=True))

    def statistics(self, answers: Answers, labels: Sequence[Any]) -> dict[str, np.ndarray]:
        import numpy as np

        label, answer = np.asarray(labels, dtype=np.float64), np.asarray(answers.predicted, dtype=np.float64)
        return {"accuracy": (label == answer)[:, None].astype(np.float64), "macro_f1": np.stack([label, answer], 1)}


def classes_of(config: dict[str, Any]) -> list[str]:
    """Class names in the order of their ids, from `id2label`, else LABEL_0, LABEL_1, …"""
    names = {int(key): str(name) for key, name in (config.get("id2label") or {}).items()}
    count = len(names) or int(config.get("num_labels") or 2)
    return [names.get(i, f"LABEL_{i}") for i in range(count)]


def label_ids(config: dict[str, Any]) -> dict[str, int]:
    """What a data set may call a class: its name in any case, or its id."""
    classes = classes_of(config)
    known = {str(i): i for i in range(len(classes))}
    return known | {name.strip().lower(): i for i, name in enumerate(classes)}


def label_id(label: Any, ids: dict[str, int], row: int, field: str = "label") -> int:
    """Raises RequestError, naming the row, for what the model does not know."""
    if isinstance(label, float) and label.is_integer():
        label = int(label)
    found = ids.get(str(label).strip().lower())
    if found is None:
        names = [name for name in ids if not name.isdigit()]
        shown = ", ".join(names[:8]) + (", …" if len(names) > 8 else "")
        raise RequestError(
            f"Row {row} has the label {str(label)[:60]!r}, which the model does not know.",
            f"It knows {shown}, or the ids 0 to {len(names) - 1}.",
            f"Rename the labels in the data, or name another column with --fields {field}=….",
        )
    return found


def one_class(count: int, name: str) -> RequestError:
    return RequestError(
        f"All {count} rows have the label {name!r}.",
        "With one class, a model that always gives the same answer looks perfect.",
        "Give data with at least two classes.",
    )


def _refuse_other_heads(config: dict[str, Any]) -> None:
    kind = config.get("problem_type")
    if kind in ("regression", "multi_label_classification") or len(classes_of(config)) < 2:
        said = "one number" if kind == "regression" or not kind else "several labels an input"
        raise RequestError(
            f"This classifier gives {said}.",
            "Accuracy here is that of one label of several classes.",
            "Take a model with two or more exclusive classes.",
        )
