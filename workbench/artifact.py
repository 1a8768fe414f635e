"""A finished thing on disk, named by what it was made from; and the hashes that names are built on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Artifact:
    """A folder in the store. `format` is the word plug-ins use for what is inside: "transformers",
    "onnx", "openvino", "rows", "inputs", "predictions", … `facts` is what its maker said of it."""

    key: str
    format: str
    path: Path
    facts: dict[str, Any]


def canonical_json(value: Any) -> str:
    """One spelling for one value: sorted keys, no spaces, UTF-8; raises ValueError on NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def sha256_of(value: Any) -> str:
    """Hex sha256 over the canonical JSON of `value`."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def sha256_of_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def files_below(folder: Path) -> list[Path]:
    """Every file below `folder`, sorted by its path; links are followed to their files."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def manifest_of(folder: Path, paths: Iterable[Path] | None = None) -> list[dict[str, Any]]:
    """[{path, sha256, bytes}] of the files, paths relative to `folder` with forward slashes."""
    return [
        {"path": path.relative_to(folder).as_posix(), "sha256": sha256_of_file(path), "bytes": path.stat().st_size}
        for path in (files_below(folder) if paths is None else paths)
    ]


def digest_of(manifest: list[dict[str, Any]]) -> str:
    """One sha256 for a folder's content, from `manifest_of`."""
    return sha256_of([[entry["path"], entry["sha256"]] for entry in manifest])
