"""What is installed: looked up in the metadata of packages, nothing is imported."""

from __future__ import annotations

import functools
import importlib.metadata
import platform
import re
from collections.abc import Iterable


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


def missing(packages: Iterable[str]) -> list[str]:
    return [name for name in packages if version_of(name) is None]


def public(version: str) -> str:
    """A version without its local label: 2.13.0+cpu -> 2.13.0."""
    return re.split(r"[+]", version)[0]


def python_minor() -> str:
    return ".".join(platform.python_version_tuple()[:2])
