"""ONNX files as a Graph. Weights in side files are read only when somebody asks for their bytes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.errors import WorkbenchError
from workbench.graph.model import Constant, Graph, Node

if TYPE_CHECKING:
    import onnx


DECODER = "decode.onnx"  # beside model.onnx, where a model goes on in another graph


def onnx_files(folder: Path) -> list[Path]:
    """The models in `folder`, `model.onnx` first."""
    return sorted(folder.glob("*.onnx"), key=lambda path: (path.name != "model.onnx", path.name))


def read_onnx(path: Path) -> Graph:
    """Raises WorkbenchError when the file is no ONNX model."""
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped,unused-ignore]

    try:
        model = onnx.load(str(path), load_external_data=False)
    except DecodeError as error:
        raise WorkbenchError(f"{path.name} is not an ONNX model.", f"{error}.", "Export the model again.") from error
    opsets = {opset.domain or "ai.onnx": opset.version for opset in model.opset_import}
    facts: dict[str, Any] = {"opsets": opsets, "functions": {}}
    for function in model.functions:
        facts["functions"][f"{function.domain}:{function.name}"] = _nodes(function.node, {}, path.parent)
    return _graph(model.graph, path.parent, facts)


def _graph(graph: onnx.GraphProto, folder: Path, facts: dict[str, Any] | None = None) -> Graph:
    constants = {tensor.name: _constant(tensor, folder) for tensor in graph.initializer}
    types = {info.name: _type(info) for info in [*graph.value_info, *graph.input, *graph.output]}
    return Graph(
        inputs=tuple((info.name, info.name, types[info.name]) for info in graph.input if info.name not in constants),
        outputs=tuple((info.name, info.name, types[info.name]) for info in graph.output),
        nodes=_nodes(graph.node, types, folder, constants),
        constants=constants,
        facts=facts or {},
    )


def _nodes(
    nodes: Any, types: dict[str, str], folder: Path, constants: dict[str, Constant] | None = None
) -> tuple[Node, ...]:
    kept = []
    for node in nodes:
        if node.op_type == "Constant" and constants is not None and (tensor := _value_of(node)) is not None:
            constants[node.output[0]] = _constant(tensor, folder)
        else:
            kept.append(_node(node, types, folder))
    return tuple(kept)


def _node(node: onnx.NodeProto, types: dict[str, str], folder: Path) -> Node:
    import onnx

    attributes, bodies = {}, {}
    for attribute in node.attribute:
        if attribute.type == onnx.AttributeProto.GRAPH:
            bodies[attribute.name] = _graph(attribute.g, folder)
        else:
            attributes[attribute.name] = _plain(attribute, folder)
    first = node.output[0] if node.output else ""
    return Node(
        type=node.op_type,
        name=node.name,
        inputs=tuple(node.input),
        outputs=tuple(node.output),
        domain="" if node.domain == "ai.onnx" else node.domain,
        attributes=attributes,
        bodies=bodies,
        dtype=types.get(first, "").partition("[")[0],
    )


def _plain(attribute: onnx.AttributeProto, folder: Path) -> Any:
    """An attribute as JSON-ready values; tensors by their dtype, shape and bytes, floats exactly."""
    import onnx

    value = onnx.helper.get_attribute_value(attribute)
    if isinstance(value, onnx.TensorProto):
        constant = _constant(value, folder)
        return [constant.dtype, list(constant.shape), constant.read().hex()]
    return _exact(value)


def _exact(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, float):
        return value.hex()
    if isinstance(value, int | str):
        return value
    if hasattr(value, "SerializeToString"):
        return value.SerializeToString(deterministic=True).hex()
    return [_exact(part) for part in value]


def _value_of(node: onnx.NodeProto) -> onnx.TensorProto | None:
    """The tensor of a Constant node, however it is written; None for strings."""
    import numpy as np
    import onnx

    attribute = node.attribute[0]
    if attribute.name == "value":
        tensor: onnx.TensorProto = attribute.t
        return tensor
    kinds = {"value_float": np.float32, "value_floats": np.float32, "value_int": np.int64, "value_ints": np.int64}
    if attribute.name not in kinds:
        return None
    value = onnx.helper.get_attribute_value(attribute)
    return onnx.numpy_helper.from_array(np.array(value, dtype=kinds[attribute.name]))


def _constant(tensor: onnx.TensorProto, folder: Path) -> Constant:
    import onnx

    dtype = onnx.TensorProto.DataType.Name(tensor.data_type).lower()

    def read() -> bytes:
        whole = tensor
        if onnx.external_data_helper.uses_external_data(tensor):
            whole = onnx.TensorProto()
            whole.CopyFrom(tensor)
            onnx.external_data_helper.load_external_data_for_tensor(whole, str(folder))
        if whole.raw_data:
            return bytes(whole.raw_data)
        return bytes(onnx.numpy_helper.to_array(whole).tobytes())

    return Constant({"float": "float32", "double": "float64"}.get(dtype, dtype), tuple(tensor.dims), read)


def _type(info: onnx.ValueInfoProto) -> str:
    """ "float32[?,384]": sizes that may change are all written "?", their generated names say nothing."""
    import onnx

    tensor = info.type.tensor_type
    dtype = onnx.TensorProto.DataType.Name(tensor.elem_type).lower()
    sizes = [str(size.dim_value) if size.HasField("dim_value") else "?" for size in tensor.shape.dim]
    return f"{ {'float': 'float32', 'double': 'float64'}.get(dtype, dtype) }[{','.join(sizes)}]".replace(" ", "")
