"""The starters: small real models, and data, that come with the package, so that all runs offline."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from workbench import starter
from workbench.artifact import sha256_of_file
from workbench.errors import RequestError, WorkbenchError
from workbench.hub.client import RemoteFile

DATA = (".csv", ".jsonl", ".parquet")


def starter_folder() -> Path:
    """Where the starters are: inside the installed package, else in the checkout beside it."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "_starter"
    return installed if installed.is_dir() else package.parent / "starter"


def starter_names() -> list[str]:
    """Those that hold data, a model or both."""
    return sorted(path.parent.name for path in starter_folder().glob("*/starter.json"))


def starter_models() -> list[str]:
    return [name for name in starter_names() if holds_model(starter_folder() / name)]


def holds_model(folder: Path) -> bool:
    return (folder / "config.json").is_file()


def find(reference: str) -> Path:
    """The folder of `starter:<name>`; RequestError naming those there are."""
    name, known = reference.removeprefix("starter:"), starter_names()
    if name not in known:
        there = f"There are {', '.join(f'starter:{one}' for one in known)}." if known else "None is installed."
        raise RequestError(f"There is no starter called `{name}`.", there, "Check the spelling.")
    return starter_folder() / name


def card(folder: Path) -> dict[str, Any]:
    """starter.json: task, kind (delta, folder or data), hashes, licence, rows, and a note where results need one."""
    content: dict[str, Any] = json.loads((folder / "starter.json").read_text(encoding="utf-8"))
    return content


def model_files(folder: Path) -> Iterator[RemoteFile]:
    """The files that `make` will write, with their hashes, without making them. `bytes` is None for the
    tokenizer's: only their hashes are written down."""
    facts = card(folder)
    if facts["kind"] == "folder":
        for name, sha256 in facts["files"].items():
            yield RemoteFile(name, sha256, None, (folder / name).stat().st_size)
        return
    config = folder / "config.json"
    yield RemoteFile("config.json", sha256_of_file(config), None, config.stat().st_size)
    yield RemoteFile("model.safetensors", facts["assembled_sha256"], None, facts["assembled_bytes"])
    for name in facts["base"]["tokenizer"]:
        yield RemoteFile(name, facts["base"]["files"][name], None, None)


def make(folder: Path, into: Path) -> None:
    """Write the whole model into `into`. Raises WorkbenchError when a part has other bytes than it should."""
    facts = card(folder)
    if facts["kind"] == "delta":
        starter.assemble(folder, starter.locate_base(facts["base"]["module"]), into)
        return
    for name in facts["files"]:
        shutil.copyfile(folder / name, into / name)


def data_files(folder: Path) -> dict[str, Path]:
    """Split -> file: evaluation and calibration."""
    found = {path.stem: path for path in sorted(folder.iterdir()) if path.suffix in DATA}
    if "evaluation" not in found:
        raise WorkbenchError(f"The starter in {folder} has no evaluation rows.", "", "Install the package again.")
    return found
