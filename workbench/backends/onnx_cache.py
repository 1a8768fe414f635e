"""Texts that go on token by token in ONNX Runtime, their keys and values bound from call to call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from workbench.backends.feeds import GROWS, bare, feed, is_cache

if TYPE_CHECKING:
    import numpy as np

    from workbench.plugin import Batch
DTYPES = {"tensor(int64)": "int64", "tensor(int32)": "int32", "tensor(bool)": "bool", "tensor(float16)": "float16"}


def inputs_of(session: Any) -> dict[str, str]:
    """Names of the inputs and the numpy dtypes they take."""
    return {entry.name: DTYPES.get(entry.type, "float32") for entry in session.get_inputs()}


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
        grown = {bare(name): value for name, value in zip(self.kept, values, strict=True)}
        self.cache = {name: grown[bare(name)] for name in self.cache}
        logits: np.ndarray = said.numpy()
        return logits


class AnswerCalls:
    """One batch that an encoder reads and a decoder answers, in two files. What the first call leaves is bound as the
    others' input, where it lies; what the encoder read is bound to every call and never copied."""

    def __init__(self, whole: Any, decoder: Any, place: str) -> None:
        self.first, self.decoder, self.place = whole, decoder, place
        self.kept: dict[str, Any] = {}

    def whole(self, batch: Batch) -> np.ndarray:
        """Logits [n, length, vocabulary] of the words that the answer begins with."""
        taken = {bare(entry.name) for entry in self.decoder.get_inputs()}
        wanted = [entry.name for entry in self.first.get_outputs() if bare(entry.name) in taken]
        logits, self.kept = self._call(self.first, feed(batch, inputs_of(self.first)), wanted)
        return logits

    def __call__(self, batch: Batch) -> np.ndarray:
        """Logits [n, 1, vocabulary] after one more token of each."""
        own = {name: kind for name, kind in inputs_of(self.decoder).items() if bare(name) not in self.kept}
        grown = [entry.name for entry in self.decoder.get_outputs() if GROWS in entry.name]
        logits, more = self._call(self.decoder, feed(batch, own), grown)
        self.kept |= more
        return logits

    def _call(self, session: Any, given: Batch, wanted: list[str]) -> tuple[np.ndarray, dict[str, Any]]:
        binding = session.io_binding()
        for name, value in given.items():
            binding.bind_cpu_input(name, value)
        for entry in session.get_inputs():
            if entry.name not in given:
                binding.bind_ortvalue_input(entry.name, self.kept[bare(entry.name)])
        binding.bind_output("logits", "cpu")
        for name in wanted:
            binding.bind_output(name, self.place)
        session.run_with_iobinding(binding)
        said, *values = binding.get_outputs()
        logits: np.ndarray = said.numpy()
        return logits, {bare(name): value for name, value in zip(wanted, values, strict=True)}
