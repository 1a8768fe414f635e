"""The IR of XML and binary files as a Graph, read with the standard library alone."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

from workbench.errors import WorkbenchError
from workbench.graph.model import Constant, Graph, Node

DTYPES = {
    "f32": "float32", "f16": "float16", "bf16": "bfloat16", "f64": "float64", "boolean": "bool", "u1": "uint1",
    "f8e4m3": "float8e4m3", "f8e5m2": "float8e5m2", "nf4": "nf4",
}  # fmt: skip
DTYPES |= {f"i{bits}": f"int{bits}" for bits in (2, 4, 8, 16, 32, 64)}
DTYPES |= {f"u{bits}": f"uint{bits}" for bits in (2, 4, 8, 16, 32, 64)}
PRECISIONS = {"fp32": "float32", "fp16": "float16", "bf16": "bfloat16", "fp64": "float64", "bool": "bool"}


DECODER_IR = "openvino_decode.xml"  # beside openvino_model.xml, where a model goes on in another graph


def ir_files(folder: Path) -> list[Path]:
    """The models in `folder` that have their weights beside them, `openvino_model.xml` first."""
    found = [path for path in folder.glob("*.xml") if path.with_suffix(".bin").is_file()]
    return sorted(found, key=lambda path: (path.name != "openvino_model.xml", path.name))


def read_ir(path: Path) -> Graph:
    """`path` is the .xml; weights lie in the .bin beside it. Raises WorkbenchError when it is no such file."""
    try:
        root = ElementTree.parse(path).getroot()
    except (ElementTree.ParseError, ValueError) as error:
        raise WorkbenchError(f"{path.name} is not a model.", f"{error}.", "Export the model again.") from error
    if root.tag != "net":
        why = f"It begins with <{root.tag[:60]}>, not <net>."
        raise WorkbenchError(f"{path.name} is not a model.", why, "Export the model again.")
    options = {child.tag: child.get("value", "") for child in root.findall("rt_info/runtime_options/*")}
    try:
        return _graph(root, path.with_suffix(".bin"), {"runtime_options": options})
    except (LookupError, ValueError, RecursionError) as error:
        why = f"A part of it is missing or nothing ({type(error).__name__})."
        raise WorkbenchError(f"{path.name} is not a model.", why, "Export the model again.") from error


def _graph(net: Element, weights: Path, facts: dict[str, Any] | None = None) -> Graph:
    layers = {layer.get("id", ""): layer for layer in net.findall("layers/layer")}
    sources = {
        (edge.get("to-layer", ""), edge.get("to-port", "")): f"{edge.get('from-layer')}:{edge.get('from-port')}"
        for edge in net.findall("edges/edge")
    }
    inputs: list[tuple[str, str, str]] = []
    outputs: list[tuple[str, str, str]] = []
    nodes: list[Node] = []
    constants: dict[str, Constant] = {}
    for number, layer in layers.items():
        kind = layer.get("type", "")
        if kind == "Parameter":
            value = f"{number}:{_ports(layer, 'output')[0].get('id')}"
            inputs.append((_tensor_names(layer, "output") or layer.get("name", ""), value, _data(layer, "shape")))
        elif kind == "Result":
            value = sources[number, _ports(layer, "input")[0].get("id", "")]
            source = layers[value.partition(":")[0]]
            outputs.append((_tensor_names(source, "output", value) or str(len(outputs)), value, ""))
        elif kind == "Const":
            constants[f"{number}:{_ports(layer, 'output')[0].get('id')}"] = _constant(layer, weights)
        else:
            nodes.append(_node(number, layer, sources, weights))
    return Graph(tuple(inputs), tuple(outputs), tuple(_in_order(nodes)), constants, facts or {})


def _node(number: str, layer: Element, sources: dict[tuple[str, str], str], weights: Path) -> Node:
    data = layer.find("data")
    attributes: dict[str, Any] = dict(data.attrib) if data is not None else {}
    # What marks a weight to be kept compressed; names of what was fused are made up anew each time.
    marks = [mark.get("name", "") for mark in layer.findall("rt_info/attribute")]
    attributes["marks"] = sorted(mark for mark in marks if not mark.startswith("fused_names"))
    for maps in layer.findall("port_map") + layer.findall("then_port_map") + layer.findall("else_port_map"):
        attributes[maps.tag] = [[entry.tag, *sorted(entry.attrib.items())] for entry in maps]
    bodies = {tag: _graph(body, weights) for tag in ("body", "then_body", "else_body") for body in layer.findall(tag)}
    out = _ports(layer, "output")
    precision = out[0].get("precision", "").lower() if out else ""
    return Node(
        type=layer.get("type", ""),
        name=layer.get("name", ""),
        inputs=tuple(sources.get((number, port.get("id", "")), "") for port in _ports(layer, "input")),
        outputs=tuple(f"{number}:{port.get('id')}" for port in out),
        domain=layer.get("version", ""),
        attributes=attributes,
        bodies=bodies,
        dtype=PRECISIONS.get(precision, DTYPES.get(precision, precision)),
    )


def _in_order(nodes: list[Node]) -> list[Node]:
    """Layers in an order that can be run; the file need not have one. Sources come first, then by number."""
    waiting = {value: node for node in nodes for value in node.outputs}
    done: set[int] = set()
    order: list[Node] = []
    for start in nodes:
        stack = [(start, False)]
        while stack:
            node, ready = stack.pop()
            if ready:
                order.append(node)
            elif id(node) not in done:
                done.add(id(node))
                stack.append((node, True))
                stack.extend((waiting[value], False) for value in reversed(node.inputs) if value in waiting)
    return order


def _constant(layer: Element, weights: Path) -> Constant:
    data = layer.find("data")
    found = {} if data is None else data.attrib
    offset, size = int(found.get("offset", 0)), int(found.get("size", 0))
    shape = tuple(int(length) for length in found.get("shape", "").split(",") if length.strip())

    def read() -> bytes:
        with weights.open("rb") as file:
            file.seek(offset)
            return file.read(size)

    kind = found.get("element_type", "")
    return Constant(DTYPES.get(kind, kind), shape, read, (offset, size))


def _ports(layer: Element, side: str) -> list[Element]:
    return layer.findall(f"{side}/port")


def _data(layer: Element, *names: str) -> str:
    data = layer.find("data")
    found = {} if data is None else data.attrib
    return f"{found.get('element_type', '')}[{','.join(found.get(name, '') for name in names)}]"


def _tensor_names(layer: Element, side: str, value: str = "") -> str:
    """The names a caller may use for a tensor. Numbers are generated, and so are names with ":"."""
    wanted = value.partition(":")[2]
    port = next((port for port in _ports(layer, side) if not wanted or port.get("id") == wanted), None)
    names = (port.get("names") or "").split(",") if port is not None else []
    return ",".join(sorted(name for name in names if name and ":" not in name and not name.isdigit()))
