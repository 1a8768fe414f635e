"""What is installed: looked up in the metadata of packages and in their source, nothing is imported."""

from __future__ import annotations

import ast
import functools
import importlib.metadata
import importlib.util
import platform
import re
from collections.abc import Iterable
from pathlib import Path

from workbench import isolate
from workbench.recipe_keys import ALLOWED_VARIABLES


@functools.lru_cache(maxsize=256)
def version_of(package: str) -> str | None:
    """The installed version of a PyPI package, or None."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def versions_of(packages: Iterable[str]) -> dict[str, str]:
    """Installed versions of those packages that are there, sorted by name."""
    return {name: version for name in sorted(set(packages)) if (version := version_of(name))}


def variables() -> dict[str, str]:
    """Environment variables that reach the workers of a run and may be written into a lock. What the workbench sets
    itself is given by its version and by the threads."""
    return {name: value for name, value in isolate.inherited().items() if name in ALLOWED_VARIABLES}


def missing(packages: Iterable[str]) -> list[str]:
    return [name for name in packages if version_of(name) is None]


def public(version: str) -> str:
    """A version without its local label: 2.13.0+cpu -> 2.13.0."""
    return re.split(r"[+]", version)[0]


def python_minor() -> str:
    return ".".join(platform.python_version_tuple()[:2])


@functools.cache
def pipeline_tasks() -> frozenset[str]:
    """Tasks that the installed transformers has a pipeline for, read from its source: importing it takes a second."""
    found = importlib.util.find_spec("transformers")
    files = [
        Path(folder) / "pipelines" / "__init__.py" for folder in (found and found.submodule_search_locations) or ()
    ]
    trees = [ast.parse(file.read_text(encoding="utf-8")) for file in files if file.is_file()]
    return frozenset(name for tree in trees for node in tree.body for name in _keys(node, "SUPPORTED_TASKS"))


def _keys(node: ast.stmt, variable: str) -> list[str]:
    """Keys of the dictionary that a statement gives to a variable."""
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    value = getattr(node, "value", None)
    if not isinstance(value, ast.Dict) or variable not in {getattr(target, "id", "") for target in targets}:
        return []
    return [key.value for key in value.keys if isinstance(key, ast.Constant) and isinstance(key.value, str)]
