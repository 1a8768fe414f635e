"""Every example once, and what the model said to each."""

from __future__ import annotations

from typing import Any

from workbench.measurement import Metric
from workbench.plugin import Answers, Prepared, Probe, Progress, Session, Task


class Accuracy(Probe):
    name = "accuracy"
    summary = "Predictions of every example, kept one by one so that variants can be compared in pairs."
    metrics = (Metric("accuracy"),)

    def measure(self, *, task: Task, session: Session, prepared: Prepared, progress: Progress, batch: int = 1,
                **_: Any) -> dict[str, Any]:  # fmt: skip
        """{"answers": Answers of all examples in order}. One example a call unless asked otherwise: ranges of
        dynamic quantization depend on what else is in the batch."""
        parts: list[Answers] = []
        for start in range(0, len(prepared), batch):
            indices = range(start, min(start + batch, len(prepared)))
            asked = task.collate(prepared, indices)
            parts.append(task.read(task.answer(session, asked), asked, prepared.facts))
            progress(indices.stop, len(prepared), "examples")
        return {"answers": Answers.joined(parts)}
