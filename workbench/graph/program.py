"""ExecuTorch programs: which operators a .pte holds, and in what number formats, read from the file itself.

Parts of the program are handed to XNNPACK as a graph of its own, in a second file format inside the first.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.errors import WorkbenchError

FORMATS = {"fp32": "fp32", "fp16": "fp16", "qcint4": "int4", "qbint4": "int4"}
PRODUCTS = {"XNNFullyConnected": "Linear", "XNNConv2d": "Conv", "XNNDepthwiseConv2d": "Conv"}
HEADER = 30  # bytes, as XNNPACK's delegate writes it


@dataclass(frozen=True)
class Product:
    """A matrix product with a stored weight: its family, and the formats of activation and weight."""

    family: str
    activation: str
    weight: str

    @property
    def in_integers(self) -> bool:
        return self.weight.startswith("int") and self.activation.startswith("int")


@dataclass(frozen=True)
class Program:
    """`operators` counts those that run outside of XNNPACK by their own name, those inside as XNN…."""

    operators: dict[str, int]
    products: tuple[Product, ...]

    @property
    def precision(self) -> str:
        """That of most products; fp32 where there are none."""
        kinds = Counter("int8" if one.in_integers else one.activation for one in self.products)
        return kinds.most_common(1)[0][0] if kinds else "fp32"

    def coverage(self) -> dict[str, dict[str, int]]:
        found: dict[str, dict[str, int]] = {}
        for one in self.products:
            row = found.setdefault(one.family, {"quantized": 0, "total": 0, "weights": 0})
            row["total"] += 1
            row["quantized"] += one.in_integers
            row["weights"] += one.weight.startswith("int")
        return found


def read_pte(path: Path) -> Program:
    """Raises WorkbenchError when the file is no program."""
    from executorch.exir._serialize._program import deserialize_pte_binary

    data = path.read_bytes()
    if data[4:6] != b"ET":
        raise WorkbenchError(f"{path.name} is not an ExecuTorch program.", "", "Export the model again.")
    program: Any = deserialize_pte_binary(data).program
    operators: Counter[str] = Counter()
    products: list[Product] = []
    for plan in program.execution_plan:
        operators.update(_outside(plan))
        for delegate in plan.delegates:
            graph = _xnnpack(bytes(program.backend_delegate_data[delegate.processed.index].data))
            operators.update(node["xnode_union_type"] for node in graph["xnodes"])
            products += _products(graph)
    return Program(dict(operators.most_common()), tuple(products))


def _outside(plan: Any) -> Iterator[str]:
    for chain in plan.chains:
        for instruction in chain.instructions:
            if hasattr(instruction.instr_args, "op_index"):
                yield plan.operators[instruction.instr_args.op_index].name


def _xnnpack(payload: bytes) -> dict[str, Any]:
    """The delegate's graph as plain values, by the schema and the compiler that come with the package."""
    import importlib.resources

    from executorch.backends.xnnpack import serialization
    from executorch.backends.xnnpack.serialization.xnnpack_graph_serialize import XNNHeader
    from executorch.exir._serialize._flatbuffer import _flatc_decompile

    header = XNNHeader.from_bytes(payload[:HEADER])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "schema.fbs").write_bytes(
            importlib.resources.files(serialization).joinpath("schema.fbs").read_bytes()
        )
        graph = payload[header.flatbuffer_offset : header.flatbuffer_offset + header.flatbuffer_size]
        (folder / "graph.bin").write_bytes(graph)
        _flatc_decompile(name, str(folder / "schema.fbs"), str(folder / "graph.bin"), ["--raw-binary"])
        said = (folder / "graph.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(re.sub(r"(?<=: )(-?)inf\b", r"\1Infinity", said))  # as Python writes it
    return found


def _products(graph: dict[str, Any]) -> Iterator[Product]:
    formats = dict(_format(value["xvalue_union"]) for value in graph["xvalues"])
    for node in graph["xnodes"]:
        if (family := PRODUCTS.get(node["xnode_union_type"])) is not None:
            inner = node["xnode_union"]
            yield Product(family, formats[inner["input1_id"]], formats[inner["filter_id"]])


def _format(value: dict[str, Any]) -> tuple[int, str]:
    """(id, number format) of one value."""
    tensor = value.get("tensor_value", value)
    kind = tensor["datatype"].removeprefix("xnn_datatype_")
    return tensor["id_out"], FORMATS.get(kind, "int8" if "int8" in kind else kind)
