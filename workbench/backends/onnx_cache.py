"""Texts that go on token by token in ONNX Runtime, their keys and values bound from call to call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from workbench.backends.feeds import feed

if TYPE_CHECKING:
    import numpy as np

    from workbench.plugin import Batch

PAST = "past_key_values."


def is_cache(name: str) -> bool:
    """Of an input or output: whether it is kept from call to call."""
    return PAST in name


def empty_cache(inputs: Sequence[Any], rows: int) -> Batch:
    """Before the first token: every key and value with nothing along the axis that grows. Sizes that never change
    are numbers in the file, or numbers in quotes."""
    import numpy as np

    return {entry.name: np.zeros([rows, *(_size(one) for one in entry.shape[1:])],
                                 dtype=np.float16 if "float16" in entry.type else np.float32)
            for entry in inputs if is_cache(entry.name)}  # fmt: skip


def _size(said: Any) -> int:
    return int(said) if str(said).isdigit() else 0


class CachedCall:
    """One batch of texts, called with bound values: keys and values stay where the runtime has put them, and are bound
    as the next call's input, with no copy through Python."""

    def __init__(self, session: Any, wanted: Mapping[str, str], place: str, rows: int) -> None:
        import onnxruntime

        self.session, self.place = session, place
        self.wanted = {name: dtype for name, dtype in wanted.items() if not is_cache(name)}
        self.kept = [entry.name for entry in session.get_outputs() if is_cache(entry.name)]
        make = onnxruntime.OrtValue.ortvalue_from_numpy
        self.cache = {name: make(value, place) for name, value in empty_cache(session.get_inputs(), rows).items()}

    def __call__(self, batch: Batch) -> np.ndarray:
        """Logits [n, kept, vocabulary]."""
        binding = self.session.io_binding()
        given = feed(batch, self.wanted)  # named, so that it lives as long as the call
        for name, value in given.items():
            binding.bind_cpu_input(name, value)
        for name, value in self.cache.items():
            binding.bind_ortvalue_input(name, value)
        binding.bind_output("logits", "cpu")
        for name in self.kept:
            binding.bind_output(name, self.place)
        self.session.run_with_iobinding(binding)
        said, *values = binding.get_outputs()
        grown = {name.removeprefix("output."): value for name, value in zip(self.kept, values, strict=True)}
        self.cache = {name: grown[name.removeprefix("input.")] for name in self.cache}
        logits: np.ndarray = said.numpy()
        return logits
