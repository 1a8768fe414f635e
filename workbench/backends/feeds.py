"""From the batch a task made to what one model takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from workbench.errors import WorkbenchError

if TYPE_CHECKING:
    import numpy as np

    from workbench.plugin import Batch


def feed(batch: Batch, wanted: Mapping[str, str]) -> Batch:
    """The inputs in `wanted` (name -> numpy dtype), others left out; token types that are absent are all zero.

    Raises WorkbenchError naming an input that the model wants and the batch lacks.
    """
    import numpy as np

    found: Batch = {}
    for name, dtype in wanted.items():
        if name in batch:
            found[name] = np.ascontiguousarray(batch[name], dtype=dtype)
        elif name == "token_type_ids" and "input_ids" in batch:
            found[name] = np.zeros(batch["input_ids"].shape, dtype=dtype)
        else:
            have = ", ".join(sorted(batch)) or "none"
            raise WorkbenchError(f"The model wants the input {name}.", f"The task gives {have}.")
    return found


def plain(outputs: Mapping[str, np.ndarray]) -> Batch:
    """Outputs as float32 or int64, whatever the model computed in."""
    import numpy as np

    return {
        name: value.astype(np.float32 if value.dtype.kind == "f" else np.int64, copy=False)
        for name, value in outputs.items()
    }


def ranked(rows: Sequence[dict[str, object]]) -> list[dict[str, object]]:
    """Profile rows with the longest first."""
    return sorted(rows, key=lambda row: -float(str(row["seconds"])))
