"""Tasks whose answer is one call of the model: padding, natural batches, and enough rows with a label each."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from workbench.errors import RequestError
from workbench.plugin import Batch, Point, Prepared, Task

if TYPE_CHECKING:
    import numpy as np

FEWEST_ROWS = 20


class OneCall(Task):
    """Shorter examples are filled up along their first axis; the others have one shape. `rate_unit`: what an example
    is called where a rate is said of it ("images")."""

    rate_unit: ClassVar[str] = ""

    def collate(self, prepared: Prepared, indices: Sequence[int]) -> Batch:
        return prepared.shared | {name: stack([examples[i] for i in indices], prepared.padding.get(name))
                                  for name, examples in prepared.tensors.items()}  # fmt: skip

    def points(
        self, prepared: Prepared, order: Sequence[int], batches: Sequence[int], sequences: Sequence[int]
    ) -> list[Point]:
        def natural(size: int) -> list[Batch]:
            return [self.collate(prepared, order[i : i + size]) for i in range(0, len(order) - size + 1, size)]

        unit = self.rate_unit
        points = [
            Point(f"natural, batch {n}", "latency", "s", n, None, natural(n), n if unit else 0, unit)
            for n in (1, *(n for n in batches if n > 1))
        ]
        return [point for point in points if point.batches]


def enough(rows: Sequence[dict[str, Any]]) -> None:
    """Raises RequestError below FEWEST_ROWS."""
    if len(rows) < FEWEST_ROWS:
        raise RequestError(
            f"The evaluation data has {len(rows)} rows.",
            f"Fewer than {FEWEST_ROWS} examples can show nothing about accuracy.",
            "Give more rows; a few hundred can see a drop of some points, 3,000 one of half a point.",
        )


def labelled(rows: Sequence[dict[str, Any]], field: str = "label") -> bool:
    """Whether the rows have a `field`. Raises RequestError, naming the first without, when only some have."""
    empty = [row["row"] for row in rows if row.get(field) is None]
    if empty and len(empty) < len(rows):
        raise RequestError(
            f"Row {empty[0]} has no {field}.",
            f"{len(empty)} of {len(rows)} rows lack one.",
            f"Fill them in, or leave the {field} column out to compare without labels.",
        )
    return not empty


def listed(value: Any) -> list[Any]:
    """A list as it is; text, as the cell of a table has it, as a JSON list or as words between white space."""
    if isinstance(value, str):
        return _from_json(value) or value.split()
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _from_json(text: str) -> list[Any] | None:
    try:
        found = json.loads(text) if text.lstrip().startswith("[") else None
    except ValueError:  # a text that begins with a bracket
        return None
    return found if isinstance(found, list) else None


def stack(examples: Sequence[np.ndarray], padding: float | None) -> np.ndarray:
    """One array with a batch axis: filled up along the first axis with `padding`, or of one shape (None)."""
    import numpy as np

    if padding is None or len({example.shape for example in examples}) == 1:
        return np.stack(examples)
    length = max(len(example) for example in examples)
    batch = np.full((len(examples), length, *examples[0].shape[1:]), padding, dtype=examples[0].dtype)
    for row, example in zip(batch, examples, strict=True):
        row[: len(example)] = example
    return batch
