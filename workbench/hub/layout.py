"""Which files of a data set are which split, as the Hub's own viewer would say."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from workbench.errors import RequestError
from workbench.hub.tables import PICTURES, SOUNDS, TABLES

WORDS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing", "eval", "evaluation"),
}
PREFERRED = ("evaluation", "validation", "test")
NOT_DATA = re.compile(
    r"(.*/)?(dataset_infos|dataset_dict|dataset_info|state|config|package|croissant)\.json|\..*|.*/\..*"
)
PARQUET_FIX = "Try its Parquet conversion: the same id with @refs/convert/parquet."


@dataclass(frozen=True)
class Layout:
    """Split -> paths, in order; `config` is None when the data set has only one; `separator` of its CSV files."""

    splits: Mapping[str, tuple[str, ...]]
    config: str | None = None
    separator: str | None = None


def layout_of(paths: Iterable[str], name: str, card: Mapping[str, Any], config: str | None = None) -> Layout:
    """From the README's `configs` where it has them, else from file and folder names.

    Raises RequestError for an unknown or missing configuration and when there is nothing that can be read.
    """
    tables = [path for path in sorted(paths) if path.lower().endswith(TABLES) and not NOT_DATA.fullmatch(path)]
    if not tables or all(path.rsplit("/", 1)[-1].startswith("metadata.") for path in tables):
        raise _nothing(list(paths), name)
    written = [entry for entry in card.get("configs") or [] if isinstance(entry, dict) and entry.get("data_files")]
    if written:
        return _from_card(tables, name, written, config)
    folders = sorted({path.split("/")[0] for path in tables if "/" in path and not _split_of(path.split("/")[0])})
    if config:
        _check_config(config, folders, name)
        tables = [path for path in tables if path.startswith(f"{config}/")]
    elif len(folders) > 1 and all("/" in path for path in tables):
        raise _which(folders, name)
    return Layout(by_names(tables), config)


def _nothing(paths: list[str], name: str) -> RequestError:
    if any(path.endswith(".py") for path in paths):
        return RequestError(f"`{name}` needs code of its own to be read.", "Such code is never run here.", PARQUET_FIX)
    if any(path.lower().endswith(PICTURES + SOUNDS) for path in paths):
        return RequestError(
            f"`{name}` is a folder of files on the Hub.", "They are not fetched one by one.", PARQUET_FIX
        )
    return RequestError(f"`{name}` has no CSV, JSON or Parquet file.", "No other format is read.", PARQUET_FIX)


def _check_config(config: str, known: list[str], name: str) -> None:
    if config not in known:
        there = f"It has {', '.join(known[:20])}." if known else "It has only one."
        raise RequestError(f"`{name}` has no configuration `{config}`.", there, f"Write {name}:NAME, or {name} alone.")


def _which(known: list[str], name: str) -> RequestError:
    shown = ", ".join(known[:20]) + (", …" if len(known) > 20 else "")
    return RequestError(f"`{name}` has several configurations.", f"They are {shown}.", f"Name one: {name}:{known[0]}.")


def _from_card(tables: list[str], name: str, written: list[dict[str, Any]], config: str | None) -> Layout:
    named = {str(entry.get("config_name") or "default"): entry for entry in written}
    if config:
        _check_config(config, list(named), name)
    elif len(named) > 1:
        config = next((key for key, entry in named.items() if entry.get("default") or key == "default"), None)
        if config is None:
            raise _which(list(named), name)
    entry = named[config] if config else next(iter(named.values()))
    splits = {}
    for split, patterns in _patterns(entry["data_files"]).items():
        if found := [path for path in tables if any(fnmatch.fnmatch(path, pattern) for pattern in patterns)]:
            splits[split] = tuple(found)
    if not splits:
        raise _nothing(tables, name)
    separator = entry.get("sep") or entry.get("delimiter")
    return Layout(splits, config, separator if isinstance(separator, str) and len(separator) == 1 else None)


def _patterns(written: Any) -> dict[str, list[str]]:
    """The spellings the Hub allows: a path, a list of paths, {split: path or list}, [{split, path}]."""
    if isinstance(written, dict):
        written = [{"split": split, "path": paths} for split, paths in written.items()]
    found: dict[str, list[str]] = {}
    for item in _as_list(written):
        split, path = (item.get("split", "train"), item.get("path")) if isinstance(item, dict) else ("train", item)
        found.setdefault(str(split), []).extend(_as_list(path))
    return {split: [one for one in paths if isinstance(one, str)] for split, paths in found.items()}


def _as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list) else [value]


def by_names(tables: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Split -> files: the last word in each path that means a split; files without one are "train",
    or "all" when no file has one. Only the most frequent kind of file is taken, Parquet before others."""
    tables = list(tables)
    suffixes = [path.rsplit(".", 1)[-1] for path in tables]
    best = max(suffixes, key=lambda suffix: (suffix == "parquet", suffixes.count(suffix)))
    splits: dict[str, list[str]] = {}
    for path in tables:
        if path.endswith(f".{best}"):
            splits.setdefault(_split_of(path) or "", []).append(path)
    if "" in splits:
        splits["train" if len(splits) > 1 else "all"] = splits.pop("") + splits.get("train", [])
    return {split: tuple(sorted(found)) for split, found in splits.items()}


def _split_of(path: str) -> str:
    words = re.split(r"[^a-z]+", path.lower())
    return next((split for word in reversed(words) for split, known in WORDS.items() if word in known), "")


def choose_split(splits: Iterable[str], asked: str | None, name: str) -> str:
    """`asked`, or the one meant for evaluation, else the first."""
    known = list(splits)
    if asked:
        if asked not in known:
            raise RequestError(f"`{name}` has no split `{asked}`.", f"It has {', '.join(known)}.", "Name one of them.")
        return asked
    wanted = [split for word in PREFERRED for split in known if split == word]
    return (wanted or [split for word in PREFERRED for split in known if split.startswith(word)] or known)[0]
