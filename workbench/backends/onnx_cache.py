"""Texts that go on token by token in ONNX Runtime, their keys and values bound from call to call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from workbench.backends.feeds import feed

if TYPE_CHECKING:
    import numpy as np

    from workbench.plugin import Batch

PAST = "past_key_values."
CROSS = ".cross_attention_cache."


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


class BoundCall:
    """A session that is called with bound values: what it keeps stays where the runtime has put it, and is bound as
    the next call's input under the same name, with no copy through Python."""

    def __init__(self, session: Any, wanted: Mapping[str, str], place: str) -> None:
        self.session, self.place = session, place
        self.wanted = {name: dtype for name, dtype in wanted.items() if not is_cache(name)}
        self.cached = {name.removeprefix("input."): name for name in wanted if is_cache(name)}
        self.gives = [entry.name for entry in session.get_outputs()]

    def empty(self, rows: int) -> dict[str, Any]:
        """The cache before the first token, by plain name."""
        import onnxruntime

        found = empty_cache(self.session.get_inputs(), rows)
        return {name: onnxruntime.OrtValue.ortvalue_from_numpy(found[known], self.place)
                for name, known in self.cached.items()}  # fmt: skip

    def __call__(self, batch: Batch, cache: Mapping[str, Any]) -> tuple[np.ndarray, dict[str, Any]]:
        """Logits [n, kept, vocabulary], and what of the cache this call has changed. Keys and values of what an encoder
        heard never change after the first call: asking for them again would copy them."""
        binding = self.session.io_binding()
        given = feed(batch, self.wanted)
        for name, value in given.items():
            binding.bind_cpu_input(name, value)
        for name, known in self.cached.items():
            binding.bind_ortvalue_input(known, cache[name])
        kept = [name for name in self.gives if is_cache(name) and not (self.cached and CROSS in name)]
        binding.bind_output("logits", "cpu")
        for name in kept:
            binding.bind_output(name, self.place)
        self.session.run_with_iobinding(binding)
        logits, *values = binding.get_outputs()
        return logits.numpy(), {name.removeprefix("output."): value for name, value in zip(kept, values, strict=True)}


class Remembering:
    """A bound call with the cache of one batch of texts, an empty one at first."""

    def __init__(self, call: BoundCall, cache: dict[str, Any]) -> None:
        self.call, self.cache = call, cache

    def __call__(self, batch: Batch) -> np.ndarray:
        logits, cache = self.call(batch, self.cache)
        self.cache.update(cache)
        return logits
