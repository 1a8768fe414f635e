"""Model files that strangers wrote, looked through before anything of them is copied or a runtime opens them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from workbench.errors import WorkbenchError
from workbench.graph.ir import read_ir
from workbench.graph.model import Graph

if TYPE_CHECKING:
    import onnx

MOST_GRAPH = 2_147_483_647  # bytes: protobuf's own limit of a file
MOST_XML = 500_000_000  # bytes of a graph without its weights
MOST_VALUES = 1 << 40  # of one tensor
MOST_LENGTH = 1 << 31  # of one dimension
MOST_LEVELS = 32  # of graphs in graphs
KINDS = range(1, 15)  # of attributes (AttributeProto.AttributeType); 0 is none
FIX = "Take another file of the model, or let the workbench export it itself."


def check_onnx(path: Path) -> onnx.ModelProto:
    """The graph, without weights of side files. Raises WorkbenchError for what is no model, for tensors whose bytes do
    not fit their shape, and for weights that lie outside the file's folder, behind a link, or beyond a file's end."""
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped,unused-ignore]

    _check_file(path, MOST_GRAPH)
    try:
        model = onnx.load(str(path), load_external_data=False)
    except (DecodeError, ValueError, RecursionError) as error:
        raise _refused(path, f"{str(error)[:200]}.") from error
    if not model.HasField("graph") or not (model.graph.node or model.graph.initializer):
        raise _refused(path, "It holds no graph.")
    seen: set[str] = set()
    for tensor in model.graph.initializer:
        if tensor.name in seen:
            raise _refused(path, f"The weight {_short(tensor.name)} is there twice.")
        seen.add(tensor.name)
    sizes: dict[str, int] = {}
    for graph in _graphs(model, path):
        for tensor in _tensors(graph):
            _check_tensor(tensor, path, sizes)
        for info in [*getattr(graph, "input", ()), *getattr(graph, "output", ()), *getattr(graph, "value_info", ())]:
            _check_shape(info, path)
    return model


def check_ir(path: Path) -> None:
    """The same for OpenVINO's graph, an .xml whose weights lie in the .bin beside it."""
    weights = path.with_suffix(".bin")
    _check_file(path, MOST_XML)
    _check_file(weights, 1 << 62)
    with path.open("rb") as file:
        while chunk := file.read(1 << 24):
            if b"<!DOCTYPE" in chunk or b"<!ENTITY" in chunk or b"\0" in chunk:
                raise _refused(path, "It declares a document type, or is not UTF-8.")
            if len(chunk) == 1 << 24:  # a word that is cut in two is found in the next piece
                file.seek(-16, 1)
    size = weights.stat().st_size
    _check_places(read_ir(path), path, size)


def _check_places(graph: Graph, path: Path, size: int, level: int = 0) -> None:
    if level > MOST_LEVELS:
        raise _refused(path, f"Its graphs nest more than {MOST_LEVELS} deep.")
    for name, constant in graph.constants.items():
        offset, length = constant.place or (0, 0)
        if offset < 0 or length < 0 or offset + length > size:
            raise _refused(path, f"The weight {_short(name)} lies beyond the end of {path.with_suffix('.bin').name}.")
        if any(one < 0 or one > MOST_LENGTH for one in constant.shape) or math.prod(constant.shape) > MOST_VALUES:
            raise _refused(path, f"The weight {_short(name)} has a shape that nothing can have.")
    for node in graph.nodes:
        for body in node.bodies.values():
            _check_places(body, path, size, level + 1)


def _check_file(path: Path, most: int) -> None:
    if path.is_symlink() or not path.is_file():
        raise _refused(path, f"{path.name} is a link, or no plain file.")
    if (size := path.stat().st_size) > most:
        raise _refused(path, f"{path.name} has {size / 1e9:.1f} GB, and at most {most / 1e9:.1f} GB are one file.")


# ---- everything that holds tensors --------------------------------------------------------------


def _graphs(model: onnx.ModelProto, path: Path) -> Iterator[Any]:
    """The graph, those inside it, and the bodies of functions."""
    waiting: list[tuple[Any, int]] = [(model.graph, 0), *((one, 0) for one in model.functions)]
    while waiting:
        graph, level = waiting.pop()
        if level > MOST_LEVELS:
            raise _refused(path, f"Its graphs nest more than {MOST_LEVELS} deep.")
        yield graph
        for node in graph.node:
            for attribute in node.attribute:
                if attribute.type not in KINDS:
                    raise _refused(path, f"The attribute {_short(attribute.name)} is of no known kind.")
                if attribute.HasField("g"):
                    waiting.append((attribute.g, level + 1))
                waiting.extend((inner, level + 1) for inner in attribute.graphs)


def _tensors(graph: Any) -> Iterator[onnx.TensorProto]:
    yield from getattr(graph, "initializer", ())
    for sparse in getattr(graph, "sparse_initializer", ()):
        yield from (sparse.values, sparse.indices)
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors


def _check_tensor(tensor: onnx.TensorProto, path: Path, sizes: dict[str, int]) -> None:
    import onnx

    label = _short(tensor.name)
    shape = list(tensor.dims)
    if any(length < 0 or length > MOST_LENGTH for length in shape) or math.prod(shape) > MOST_VALUES:
        raise _refused(path, f"The weight {label} has a shape that nothing can have.")
    if tensor.data_type not in onnx.TensorProto.DataType.values() or not tensor.data_type:
        raise _refused(path, f"The weight {label} is of no known type.")
    if tensor.data_type == onnx.TensorProto.STRING:
        if tensor.external_data:
            raise _refused(path, f"The texts of {label} would lie in another file.")
        return
    wanted = -(-math.prod(shape) * _bits(tensor.data_type) // 8)
    if tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data:
        _check_side_file(tensor, path, wanted, sizes)
    elif tensor.HasField("raw_data") and len(tensor.raw_data) != wanted:
        raise _refused(path, f"The weight {label} has {len(tensor.raw_data):,} bytes, and its shape says {wanted:,}.")


def _bits(data_type: int) -> int:
    """Of one value: FLOAT8E5M2 has 8, INT4 has 4."""
    import onnx

    name = onnx.TensorProto.DataType.Name(data_type)
    digits = re.match(r"[A-Z]+(\d+)", name)
    return {"FLOAT": 32, "DOUBLE": 64, "BOOL": 8}.get(name) or int(digits[1] if digits else 8)


def _check_side_file(tensor: onnx.TensorProto, path: Path, wanted: int, sizes: dict[str, int]) -> None:
    said = {entry.key: entry.value for entry in tensor.external_data}
    label, place = _short(tensor.name), said.get("location", "")
    if place not in sizes:
        sizes[place] = _side_file(place, path).stat().st_size
    try:
        offset, length = (int(said.get(key) or default) for key, default in (("offset", 0), ("length", wanted)))
    except ValueError as error:
        raise _refused(path, f"The place of the weight {label} is no number.") from error
    if offset < 0 or length != wanted or offset + length > sizes[place]:
        raise _refused(path, f"The weight {label} lies beyond the end of {_short(place)}, or is not as long as it.")


def _side_file(place: str, path: Path) -> Path:
    """The file that lies beside the graph, or below it, and not behind a link."""
    parts = PurePosixPath(place).parts
    leads_out = (
        not parts or place.startswith("/") or ".." in parts or set(place) & set("\\:") or not place.isprintable()
    )
    if leads_out:
        raise _refused(path, f"Its weights lie outside its folder ({_short(place)}).")
    found = path.parent
    for part in parts:
        found = found / part
        if found.is_symlink():
            raise _refused(path, f"Its weights lie behind a link ({_short(place)}).")
    if not found.is_file():
        raise WorkbenchError(f"{path.name} needs {place}.", f"There is no such file beside it: {found.name}.", FIX)
    return found


def _check_shape(info: Any, path: Path) -> None:
    for size in info.type.tensor_type.shape.dim:
        if size.HasField("dim_value") and not -1 <= size.dim_value <= MOST_LENGTH:
            raise _refused(path, f"The value {_short(info.name)} has a shape that nothing can have.")


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:60] + "…")


def _refused(path: Path, why: str) -> WorkbenchError:
    return WorkbenchError(f"{path.name} is not taken.", why, FIX)
