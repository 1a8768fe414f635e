"""How much memory the process of a variant needed."""

from __future__ import annotations

from typing import Any

from workbench import machine
from workbench.measurement import Metric
from workbench.plugin import Probe


class Memory(Probe):
    name = "memory"
    summary = "The highest resident memory of the worker (VmHWM): interpreter, runtime, model and one call."
    metrics = (Metric("peak_rss", unit="bytes", better="lower"),)

    def measure(self, **_: Any) -> dict[str, Any]:
        """{"peak_rss": bytes of this process so far}."""
        return {"peak_rss": machine.peak_memory()}
