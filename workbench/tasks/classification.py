"""What the single-label classifiers share: labels, answers and when they are right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from workbench.errors import RequestError
from workbench.measurement import Metric
from workbench.plugin import Answers, Batch, Point, Prepared, Task

if TYPE_CHECKING:
    import numpy as np

FEWEST_ROWS = 20
ACCURACY = Metric("accuracy", binary=True)
MACRO_F1 = Metric("macro_f1", combine="macro_f1")


class Classification(Task):
    """One of several classes an input. Statistics: accuracy [n, 1] right/wrong, macro_f1 [n, 2] (label, answer)."""

    metrics = (ACCURACY, MACRO_F1)

    def check(self, rows: list[dict[str, Any]], config: dict[str, Any]) -> list[dict[str, Any]]:
        _refuse_other_heads(config)
        if len(rows) < FEWEST_ROWS:
            raise RequestError(
                f"The evaluation data has {len(rows)} rows.",
                f"Fewer than {FEWEST_ROWS} examples can show nothing about accuracy.",
                "Give more rows; a few hundred can see a drop of some points, 3,000 one of half a point.",
            )
        if any(row.get("label") is None for row in rows):
            return self._without_labels(rows)
        ids = label_ids(config)
        checked = [{**row, "label": _label_id(row["label"], ids, row["row"])} for row in rows]
        if len({row["label"] for row in checked}) == 1:
            name = classes_of(config)[checked[0]["label"]]
            raise RequestError(
                f"All {len(rows)} rows have the label {name!r}.",
                "With one class, a model that always gives the same answer looks perfect.",
                "Give data with at least two classes.",
            )
        return checked

    @staticmethod
    def _without_labels(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        empty = [row["row"] for row in rows if row.get("label") is None]
        if len(empty) < len(rows):
            raise RequestError(
                f"Row {empty[0]} has no label.",
                f"{len(empty)} of {len(rows)} rows lack one.",
                "Fill them in, or leave the label column out to compare without labels.",
            )
        return rows

    def collate(self, prepared: Prepared, indices: Sequence[int]) -> Batch:
        return {name: _stack([examples[i] for i in indices], prepared.padding.get(name))
                for name, examples in prepared.tensors.items()}  # fmt: skip

    def read(self, outputs: Batch) -> Answers:
        """`logits` [n, classes] -> class ids and softmax probabilities."""
        import numpy as np

        logits = np.asarray(outputs["logits"], dtype=np.float32)
        shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
        return Answers(logits.argmax(axis=-1).tolist(), shifted / shifted.sum(axis=-1, keepdims=True))

    def statistics(self, answers: Answers, labels: Sequence[Any]) -> dict[str, np.ndarray]:
        import numpy as np

        label, answer = np.asarray(labels, dtype=np.float64), np.asarray(answers.predicted, dtype=np.float64)
        return {"accuracy": (label == answer)[:, None].astype(np.float64), "macro_f1": np.stack([label, answer], 1)}

    def points(
        self, prepared: Prepared, order: Sequence[int], batches: Sequence[int], sequences: Sequence[int]
    ) -> list[Point]:
        def natural(size: int) -> list[Batch]:
            return [self.collate(prepared, order[i : i + size]) for i in range(0, len(order) - size + 1, size)]

        points = [Point("natural, batch 1", "latency", "s", 1, None, natural(1))]
        points += [Point(f"natural, batch {n}", "latency", "s", n, None, natural(n)) for n in batches if n > 1]
        return [point for point in points if point.batches]


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


def _label_id(label: Any, ids: dict[str, int], row: int) -> int:
    if isinstance(label, float) and label.is_integer():
        label = int(label)
    found = ids.get(str(label).strip().lower())
    if found is None:
        names = [name for name in ids if not name.isdigit()]
        shown = ", ".join(names[:8]) + (", …" if len(names) > 8 else "")
        raise RequestError(
            f"Row {row} has the label {str(label)[:60]!r}, which the model does not know.",
            f"It knows {shown}, or the ids 0 to {len(names) - 1}.",
            "Rename the labels in the data, or name another column with --fields label=….",
        )
    return found


def _refuse_other_heads(config: dict[str, Any]) -> None:
    kind = config.get("problem_type")
    if kind in ("regression", "multi_label_classification") or len(classes_of(config)) < 2:
        said = "one number" if kind == "regression" or not kind else "several labels an input"
        raise RequestError(
            f"This classifier gives {said}.",
            "Accuracy here is that of one label of several classes.",
            "Take a model with two or more exclusive classes.",
        )


def _stack(examples: Sequence[np.ndarray], padding: float | None) -> np.ndarray:
    import numpy as np

    if padding is None or len({example.shape for example in examples}) == 1:
        return np.stack(examples)
    length = max(len(example) for example in examples)
    batch = np.full((len(examples), length), padding, dtype=examples[0].dtype)
    for row, example in zip(batch, examples, strict=True):
        row[: len(example)] = example
    return batch
