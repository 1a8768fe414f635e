"""What runtimes have in common: what goes in, what comes out, and the names of a cache."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from workbench.feeding import feed as feed

if TYPE_CHECKING:
    import numpy as np

    from workbench.plugin import Batch

GROWS = "self_attention_cache"  # the part of a cache that a word more makes longer
TAKEN = {"encoder_last_hidden_state": "encoder_outputs.last_hidden_state"}  # an output's name -> the next one's input


def is_cache(name: str) -> bool:
    """Of an input or output: whether it is kept from call to call."""
    return "past_key_values." in name


def bare(name: str) -> str:
    """What an exporter calls an input and an output of one meaning, without saying which it is."""
    plain_name = name.removeprefix("input.").removeprefix("output.")
    return TAKEN.get(plain_name, plain_name)


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
