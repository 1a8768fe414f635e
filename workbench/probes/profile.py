"""Where the time of a call goes, for runtimes that can say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from workbench.measurement import Metric
from workbench.plugin import Batch, Probe, Profiles, Session


class Profile(Probe):
    name = "profile"
    summary = "Seconds of each operator; profiling slows calls, so it is never taken from a timed model."
    metrics = (Metric("operator_time", unit="s", better="lower"),)

    def measure(self, *, session: Session, batches: Sequence[Batch], **_: Any) -> dict[str, Any]:
        """{"operators": [{"name", "type", "precision", "provider", "seconds"}]}, empty if the runtime can't say."""
        return {"operators": session.profile(batches) if isinstance(session, Profiles) else []}
