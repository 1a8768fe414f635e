"""The three kinds of folder that steps leave behind: where the model is in them, and its semantic hash."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from workbench.artifact import sha256_of
from workbench.errors import WorkbenchError
from workbench.graph import onnx_files, read_ir, read_onnx, semantic

VOLATILE = ("_name_or_path", "transformers_version", "torch_dtype", "dtype")


def onnx_model(folder: Path) -> Path:
    """The one ONNX file of a folder, or model.onnx. Raises WorkbenchError when it cannot be told which."""
    found = onnx_files(folder)
    if not found or (len(found) > 1 and found[0].name != "model.onnx"):
        names = ", ".join(path.name for path in found) or "no .onnx file"
        raise WorkbenchError("It is not clear which ONNX file is meant.", f"{folder.name} holds {names}.")
    return found[0]


def ir_model(folder: Path) -> Path:
    """The one .xml file of a folder that has its .bin, or openvino_model.xml."""
    found = [path for path in sorted(folder.glob("*.xml")) if path.with_suffix(".bin").is_file()]
    named = [path for path in found if path.name == "openvino_model.xml"] or found
    if len(named) != 1:
        names = ", ".join(path.name for path in found) or "no .xml with its .bin"
        raise WorkbenchError("It is not clear which OpenVINO model is meant.", f"{folder.name} holds {names}.")
    return named[0]


class OnnxResult:
    def semantic(self, folder: Path) -> str:
        return semantic(read_onnx(onnx_model(folder)))


class IrResult:
    def semantic(self, folder: Path) -> str:
        return semantic(read_ir(ir_model(folder)))


class TensorsResult:
    def semantic(self, folder: Path) -> str:
        """Every tensor by name, dtype, shape and bytes, and the configuration without what loading adds to it."""
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        kept = {name: value for name, value in config.items() if name not in VOLATILE}
        return sha256_of([kept, tensors_of(folder)])


def tensors_of(folder: Path) -> list[list[Any]]:
    """[[name, dtype, shape, sha256]] of all tensors in the safetensors files of `folder`, sorted by name."""
    rows: list[list[Any]] = []
    for path in sorted(folder.glob("*.safetensors")):
        with path.open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
            header: dict[str, Any] = json.loads(file.read(size))
            header.pop("__metadata__", None)
            for name, entry in header.items():
                start, end = entry["data_offsets"]
                file.seek(8 + size + start)
                digest = hashlib.sha256(file.read(end - start)).hexdigest()
                rows.append([name, entry["dtype"], entry["shape"], digest])
    return sorted(rows)
