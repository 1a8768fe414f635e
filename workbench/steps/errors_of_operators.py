"""Errors of quantized operators, summed over examples: what every ranking of operators is made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

TINY = 1e-20


class Errors:
    """`operators`: (name, type) of each. Squared differences are divided by the original's squared size at the end."""

    def __init__(self, operators: Sequence[tuple[str, str]]) -> None:
        self.operators = operators
        self.own = [Sum() for _ in operators]
        self.carried = [Sum() for _ in operators]
        self.outputs = Sum()

    def facts(self, examples: int) -> dict[str, Any]:
        """As `Repairs.sensitivity`."""
        sums = zip(self.operators, self.own, self.carried, strict=True)
        rows: list[dict[str, Any]] = [{"name": name, "type": kind, "error": own.share, "carried": carried.share}
                for (name, kind), own, carried in sums]  # fmt: skip
        rows.sort(key=lambda row: (-row["error"], row["name"]))
        return {"operators": rows, "outputs": self.outputs.share, "examples": examples}


class Sum:
    def __init__(self) -> None:
        self.difference = self.size = 0.0

    def add(self, real: np.ndarray, other: np.ndarray) -> None:
        import numpy as np

        before, after = np.asarray(real, np.float64), np.asarray(other, np.float64)
        self.difference += float(((before - after) ** 2).sum())
        self.size += float((before**2).sum())

    @property
    def share(self) -> float:
        return self.difference / max(self.size, TINY)
