"""Measurements -> rows, verdicts, Pareto front and the best row: what `report.json` says.

Nothing is measured here and nothing is drawn: raw samples come in (`seen`), figures with their intervals go out.
"""

from workbench.comparison.judge import throughput
from workbench.comparison.outcome import Comparison, Row, accuracy_of, compare
from workbench.comparison.seen import Goal, Inputs, PointSamples, Predictions, VariantResult

__all__ = [
    "Comparison",
    "Goal",
    "Inputs",
    "PointSamples",
    "Predictions",
    "Row",
    "VariantResult",
    "accuracy_of",
    "compare",
    "throughput",
]
