"""`workbench compare` as a person runs it, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Sequence
from typing import Any


def compared(words: Sequence[str], recipes: Iterable[str] = ()) -> dict[str, Any]:
    """The report of `workbench compare WORDS -r RECIPE … --json`. Ends the script where there is none; a recipe that
    failed is a row that says so."""
    named = [word for name in recipes for word in ("-r", name)]
    command = [sys.executable, "-m", "workbench", "compare", *words, *named, "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode not in (0, 1):  # 1: a recipe failed
        raise SystemExit(done.returncode)
    said: dict[str, Any] = json.loads(done.stdout)
    return said
