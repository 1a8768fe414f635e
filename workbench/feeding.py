"""From the batch a task made to what one model takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from workbench.errors import WorkbenchError
from workbench.generation import positions

if TYPE_CHECKING:
    import numpy as np

    from workbench.plugin import Batch


def feed(batch: Batch, wanted: Mapping[str, str]) -> Batch:
    """The inputs in `wanted` (name -> numpy dtype), others left out. What can be told from the others may be absent:
    token types are all zero, positions are counted, logits of every place are kept, texts continue themselves.

    Raises WorkbenchError naming an input that the model wants and the batch lacks.
    """
    import numpy as np

    found: Batch = {}
    for name, dtype in wanted.items():
        if name in batch:
            found[name] = np.ascontiguousarray(batch[name], dtype=dtype)
        elif name in TOLD and "input_ids" in batch:
            found[name] = np.asarray(TOLD[name](batch), dtype=dtype)
        else:
            have = ", ".join(sorted(batch)) or "none"
            raise WorkbenchError(f"The model wants the input {name}.", f"The task gives {have}.")
    return found


def _mask(batch: Batch) -> np.ndarray:
    import numpy as np

    return batch["attention_mask"] if "attention_mask" in batch else np.ones_like(batch["input_ids"])


TOLD: dict[str, Callable[[Batch], Any]] = {
    "token_type_ids": lambda batch: batch["input_ids"] * 0,
    "position_ids": lambda batch: positions(_mask(batch)),
    "logits_to_keep": lambda batch: range(batch["input_ids"].shape[1]),
    "beam_idx": lambda batch: range(len(batch["input_ids"])),
}
