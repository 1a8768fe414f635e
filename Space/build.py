"""The folder that a Hugging Face Space is made of, ready to be pushed.

    python Space/build.py [FOLDER]        build/space without FOLDER

A Space reads its settings from the README at its root, so Space/README.md comes to lie there.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TAKEN = ("app.py", "requirements.txt", "pyproject.toml", "LICENSE", "workbench", "recipes", "starter")
WITHOUT = shutil.ignore_patterns("__pycache__", "*.pyc", ".*")


def build(into: Path) -> Path:
    """Raises FileExistsError where `into` holds something else."""
    if into.exists() and not (into / "app.py").is_file():
        raise FileExistsError(f"{into} is no folder of a Space; name another.")
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir(parents=True)
    for name in TAKEN:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, into / name, ignore=WITHOUT)
        else:
            shutil.copyfile(source, into / name)
    shutil.copyfile(ROOT / "Space/README.md", into / "README.md")
    return into


if __name__ == "__main__":
    sys.stdout.write(f"{build(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / 'build/space')}\n")
