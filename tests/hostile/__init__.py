"""Files that want to be read wrongly, built when they are needed: none of them lies in the repository.

Each case is a `Case`: the door that it comes to, how it is built into a folder, and a word of the refusal. What a file
is after stands in a `Scene`: a secret that nobody may read, and a marker that appears when code of the file runs.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SECRET = "CANARY-d2f1-do-not-read"


@dataclass(frozen=True)
class Scene:
    """`folder` is where the hostile file is built; `secret` lies outside it; `marker` is what its code would make."""

    folder: Path
    secret: Path
    marker: Path

    @classmethod
    def at(cls, place: Path) -> Scene:
        for name in ("given", "outside"):
            (place / name).mkdir()
        secret = place / "outside" / "secret.txt"
        secret.write_text(SECRET)
        for name in ("model.safetensors", "weights.bin"):
            (place / "outside" / name).write_bytes(SECRET.encode() * 8)
        for file in (place / "outside").iterdir():
            os.utime(file, (0, file.stat().st_mtime))  # who reads it changes the first of the two times
        return cls(place / "given", secret, place / "marker")

    def was_read(self) -> list[str]:
        return [file.name for file in sorted(self.secret.parent.iterdir()) if file.stat().st_atime > 0]

    def write(self, files: dict[str, bytes | str | dict[str, Any] | list[Any]]) -> Path:
        for name, content in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, dict | list):
                content = json.dumps(content)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return self.folder

    def pickle(self) -> bytes:
        """Whoever loads it makes the marker."""
        return b"cos\nsystem\n(S'touch %s'\ntR." % str(self.marker).encode()

    def program(self) -> str:
        """Whoever imports it makes the marker."""
        return f"open({str(self.marker)!r}, 'w').close()\n"


@dataclass(frozen=True)
class Case:
    door: str
    build: Callable[[Scene], Any]
    says: str
