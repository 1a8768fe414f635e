"""report.csv: one flat row a variant, for spreadsheets. The header is the same for every report."""

from __future__ import annotations

import csv
import io
from typing import Any

from workbench import sentence, words
from workbench.plugin import Renderer
from workbench.sentence import Row

SPEED = ("speedup", "ci95_low", "ci95_high", "verdict", "p50_ms", "p90_ms", "p99_ms", "throughput",
         "throughput_ci95_low", "throughput_ci95_high", "limit_share")  # fmt: skip
ACCURACY = (
    "metric", "better", "unit", "value", "baseline", "n", "delta", "ci95_low", "ci95_high", "agreement",
    "to_wrong", "to_right", "verdict", "detectable_drop", "constraint",
)  # fmt: skip
PLAIN = ("size_mb", "peak_rss_mb", "load_s", "build_s", "reused")
HEADER = (
    "name", "status", "reason", "recipe", "is_baseline", "is_best", "on_frontier",
    *(f"speed_{key}" for key in SPEED), *(f"accuracy_{key}" for key in ACCURACY), *PLAIN, "why",
)  # fmt: skip


class Csv(Renderer):
    name = "csv"
    summary = "One row a variant, for spreadsheets."
    extension = "csv"

    def render(self, report: dict[str, Any], details: dict[str, Any]) -> str:
        out = io.StringIO()
        writer = csv.DictWriter(out, HEADER, lineterminator="\n")
        writer.writeheader()
        writer.writerows(flat(report, row) for row in sentence.ordered(report))
        return out.getvalue()


def flat(report: dict[str, Any], row: Row) -> dict[str, Any]:
    """Tokens and numbers as they are in report.json; a figure that is not given is empty."""
    name = row["name"]
    made = {key: row.get(key) for key in ("name", "status", "reason", "recipe", *PLAIN)}
    made |= {
        "is_baseline": name == report["baseline"],
        "is_best": name == report.get("best"),
        "on_frontier": name in (report.get("pareto") or []),
    }
    made |= {f"speed_{key}": value for key, value in _spread(sentence.speed(row)).items() if key in SPEED}
    made |= {f"accuracy_{key}": value for key, value in _spread(sentence.accuracy(row)).items() if key in ACCURACY}
    return {key: _safe(value) for key, value in (made | {"why": " ".join(row.get("why") or ())}).items()}


def _spread(facts: dict[str, Any]) -> dict[str, Any]:
    low, high = facts["ci95"] if words.is_interval(facts.get("ci95")) else (None, None)
    ends = facts["throughput_ci95"] if words.is_interval(facts.get("throughput_ci95")) else (None, None)
    between = {"throughput_ci95_low": ends[0], "throughput_ci95_high": ends[1]}
    return facts | {"ci95_low": low, "ci95_high": high} | between | (facts.get("flips") or {})


def _safe(value: Any) -> Any:
    """A text that a spreadsheet would run as a formula gets a quote before it."""
    return "'" + value if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value
