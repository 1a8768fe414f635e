"""How large a model is on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from workbench.artifact import files_below
from workbench.measurement import Metric
from workbench.plugin import Probe

WEIGHTS = (".safetensors", ".onnx", ".data", ".onnx_data", ".bin", ".xml", ".pte")


class Size(Probe):
    name = "size"
    summary = "Bytes of the files that hold graph and weights; tokenizer and configuration are not counted."
    metrics = (Metric("size", unit="bytes", better="lower"),)

    def measure(self, *, folder: Path, **_: Any) -> dict[str, Any]:
        """{"size": bytes}."""
        return {"size": sum(path.stat().st_size for path in files_below(folder) if path.name.endswith(WEIGHTS))}
