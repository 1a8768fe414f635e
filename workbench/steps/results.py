"""The three kinds of folder that steps leave behind: where the model is in them, and its semantic hash.

A model is one file, model.onnx or openvino_model.xml: a whole call from inputs to outputs. One that writes text takes
and gives its cache in that file (ONNX by inputs and outputs, OpenVINO as state), so that one file begins and goes on.
A model that goes on in another graph than it began in has a second file, decode.onnx or openvino_decode.xml. A step
that changes a model changes every file in `onnx_parts` or `ir_parts`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from workbench.artifact import sha256_of
from workbench.errors import WorkbenchError
from workbench.graph import DECODER, DECODER_IR, Graph, coverage, ir_files, onnx_files, read_ir, read_onnx, semantic

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
    found = ir_files(folder)
    named = [path for path in found if path.name == "openvino_model.xml"] or found
    if len(named) != 1:
        names = ", ".join(path.name for path in found) or "no .xml with its .bin"
        raise WorkbenchError("It is not clear which OpenVINO model is meant.", f"{folder.name} holds {names}.")
    return named[0]


def onnx_parts(folder: Path) -> list[Path]:
    """Every ONNX file of the model in `folder`, the whole call first."""
    first, decoder = onnx_model(folder), folder / DECODER
    return [first, *([decoder] if decoder.is_file() and decoder != first else [])]


def onnx_results(folder: Path) -> dict[str, Path]:
    """`onnx_parts` by the names that what is made of them goes by."""
    first, *others = onnx_parts(folder)
    return {"model.onnx": first, **{part.name: part for part in others}}


def ir_parts(folder: Path) -> list[Path]:
    """Every .xml file of the model in `folder`, the whole call first."""
    first, decoder = ir_model(folder), folder / DECODER_IR
    return [first, *([decoder] if decoder.is_file() and decoder != first else [])]


def covered(graphs: Iterable[Graph]) -> dict[str, dict[str, int]]:
    """`coverage` of all the files of a model together."""
    total: dict[str, dict[str, int]] = {}
    for graph in graphs:
        for kind, counts in coverage(graph).items():
            row = total.setdefault(kind, dict.fromkeys(counts, 0))
            row.update({name: row[name] + count for name, count in counts.items()})
    return total


class OnnxResult:
    def semantic(self, folder: Path) -> str:
        return _semantic([read_onnx(path) for path in onnx_parts(folder)])


class IrResult:
    def semantic(self, folder: Path) -> str:
        return _semantic([read_ir(path) for path in ir_parts(folder)])


def _semantic(graphs: list[Graph]) -> str:
    hashes = [semantic(graph) for graph in graphs]
    return hashes[0] if len(hashes) == 1 else sha256_of(hashes)


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
