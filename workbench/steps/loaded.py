"""The PyTorch model that steps begin with, in a state that can be traced."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

from workbench.errors import WorkbenchError
from workbench.plugin import StepContext


def load_model(source: Path, context: StepContext, dtype: str = "float32") -> Any:
    """The task's class for this folder, in eval mode, weights in `dtype` whatever the checkpoint has."""
    import torch
    import transformers

    torch.manual_seed(context.seed)
    name = context.task.class_for(json.loads((source / "config.json").read_text()))
    auto_class = getattr(transformers, name)
    try:
        return auto_class.from_pretrained(source, dtype=getattr(torch, dtype)).eval()
    except (OSError, ValueError) as error:
        first = str(error).strip().splitlines()[0]
        raise WorkbenchError(f"{source.name} cannot be loaded as {name}.", first) from error


def traced(context: StepContext, model: Any) -> dict[str, Any]:
    """The inputs to trace with, as tensors: those that the model's forward takes."""
    import torch

    from workbench.steps.samples import traced_inputs

    known = inspect.signature(model.forward).parameters
    return {name: torch.from_numpy(values) for name, values in traced_inputs(context).items() if name in known}
