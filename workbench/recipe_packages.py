"""Recipes that other people's packages bring: entry points of the group `workbench.recipes` name folders of YAML files.

    [project.entry-points."workbench.recipes"]
    my-package = "my_package.recipes"        # the folder my_package/recipes

The folder is found, and nothing of the package is imported.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
from dataclasses import dataclass
from pathlib import Path

GROUP = "workbench.recipes"


@dataclass(frozen=True)
class Brought:
    """A folder that a package names. `place` is None where it is not there."""

    package: str
    named: str
    place: Path | None

    def files(self) -> list[Path]:
        return sorted(self.place.glob("*.yaml")) if self.place else []


def folders() -> list[Brought]:
    """What the installed packages name, by package."""
    said = {(entry.dist.name if entry.dist else entry.name, entry.value)
            for entry in importlib.metadata.entry_points(group=GROUP)}  # fmt: skip
    return [Brought(package, named, _place(named)) for package, named in sorted(said)]


def _place(named: str) -> Path | None:
    """`my_package.recipes` as a folder: my_package is looked for where Python looks for it."""
    top, *below = named.split(".")
    try:
        found = importlib.util.find_spec(top)
    except (ImportError, ValueError):  # a name that can be none, or a module that was put there by hand
        return None
    places = [Path(place).joinpath(*below) for place in (found and found.submodule_search_locations) or ()]
    return next((place for place in places if place.is_dir()), None)
