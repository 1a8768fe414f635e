"""The notebook: a comparison draws itself while it runs, and leaves HTML behind that needs nothing.

comparison = workbench.compare(...)      shown at once; the kernel stays free
comparison.selected                      the row that was clicked
workbench.Picker()                       the choice of model, data and recipes as a form
"""

from __future__ import annotations

import importlib.util
import sys
from typing import Any


def shell() -> Any:
    """The running kernel's shell, or None where this process is no notebook's kernel."""
    ipython = sys.modules.get("IPython")
    found = ipython.get_ipython() if ipython else None
    return found if getattr(found, "kernel", None) is not None else None


def has_widgets() -> bool:
    """Whether what a live cell needs is installed; without it a cell shows text and tables."""
    return importlib.util.find_spec("anywidget") is not None
