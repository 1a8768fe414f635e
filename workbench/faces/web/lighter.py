"""Gradio imported in a third of the time: what it does beside being imported is left out.

`python -m benchmarks.web` says what the start of the server comes to.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def without_extras() -> Iterator[None]:
    """While Gradio is imported: it writes no type stubs of its components into its own folder (component_meta takes an
    OSError of `inspect.getfile` as "no file"), and jsonschema, which MCP brings along, builds no grammar of IRIs (where
    Jupyter has installed one; it does without where there is none)."""
    getfile, grammar = inspect.getfile, "rfc3987_syntax"

    def of_others(thing: Any) -> str:
        if isinstance(thing, type) and thing.__module__.startswith("gradio."):
            raise OSError
        return getfile(thing)

    spared = grammar not in sys.modules
    inspect.getfile = of_others  # type: ignore[assignment]
    if spared:
        sys.modules[grammar] = None  # type: ignore[assignment]  # as the import system says "there is none"
    try:
        yield
    finally:
        inspect.getfile = getfile
        if spared:
            del sys.modules[grammar]
