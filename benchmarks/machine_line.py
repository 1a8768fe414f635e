"""What every result must say: where and with what it was measured."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

from workbench import environment, machine

PACKAGES = ("torch", "transformers", "onnxruntime", "openvino", "nncf")


def machine_line() -> str:
    here = machine.this_machine()
    packages = ", ".join(f"{name} {version}" for name, version in environment.versions_of(PACKAGES).items())
    return (
        f"{here.cpu}, {here.isa}, {here.cores} cores (quota {here.quota:g}), {here.memory_bytes / 1e9:.0f} GB; "
        f"Python {here.python}, {packages}; {time.strftime('%Y-%m-%d')}."
    )


def percentile(values: Sequence[float], q: float) -> float:
    """The nearest-rank percentile."""
    ranked = sorted(values)
    return ranked[max(0, math.ceil(q / 100 * len(ranked)) - 1)]
