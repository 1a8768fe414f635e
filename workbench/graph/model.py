"""A graph of operators as plain values, and what can be counted in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

INTEGERS = ("int8", "uint8", "int4", "uint4", "int2", "uint2")
# Operators that hand a weight on without computing with it.
CARRIERS = ("Transpose", "Reshape", "Cast", "Convert", "Identity", "Unsqueeze", "Squeeze", "Multiply", "Subtract")
INT8_ACTIVATIONS = 4  # a value of MatMulNBits' accuracy_level
DEQUANTIZERS = ("DequantizeLinear", "FakeQuantize")
INTEGER_PRODUCTS = {
    "MatMulInteger": "MatMul", "QLinearMatMul": "MatMul", "MatMulIntegerToFloat": "MatMul",
    "DynamicQuantizeMatMul": "MatMul", "QGemm": "Gemm", "ConvInteger": "Conv", "QLinearConv": "Conv",
}  # fmt: skip
# Operator -> the family it is counted in.
FAMILY = INTEGER_PRODUCTS | {
    "MatMul": "MatMul", "FusedMatMul": "MatMul", "MatMulNBits": "MatMul", "Gemm": "Gemm", "FusedGemm": "Gemm",
    "Conv": "Conv", "FusedConv": "Conv", "Convolution": "Conv", "GroupConvolution": "Conv",
}  # fmt: skip


@dataclass(frozen=True)
class Constant:
    """`read` gives the bytes in row-major, little-endian order; nothing is loaded before."""

    dtype: str
    shape: tuple[int, ...]
    read: Callable[[], bytes] = field(repr=False, compare=False)
    place: tuple[int, int] | None = field(default=None, repr=False, compare=False)  # offset and length in a side file


@dataclass(frozen=True)
class Node:
    """`inputs` and `outputs` are names of values ("" is an input left out). `attributes` are JSON-ready,
    inner graphs are in `bodies`. `dtype` is that of the first output where the file tells it."""

    type: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    domain: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    bodies: Mapping[str, Graph] = field(default_factory=dict)
    dtype: str = ""


@dataclass(frozen=True)
class Graph:
    """`inputs` and `outputs`: (name the caller uses, value, type). Nodes are in an order that can be run."""

    inputs: tuple[tuple[str, str, str], ...]
    outputs: tuple[tuple[str, str, str], ...]
    nodes: tuple[Node, ...]
    constants: Mapping[str, Constant]
    facts: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def producers(self) -> dict[str, Node]:
        return {value: node for node in self.nodes for value in node.outputs if value}

    @cached_property
    def operators(self) -> dict[str, int]:
        """{operator: count}, the commonest first; inner graphs are counted in."""
        counts: Counter[str] = Counter(node.type for node in self.nodes)
        for node in self.nodes:
            for body in node.bodies.values():
                counts.update(body.operators)
        return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def coverage(graph: Graph) -> dict[str, dict[str, int]]:
    """{"MatMul": {"quantized": 36, "total": 38}}: operators with a constant weight, by family.

    One is quantized when it computes in integers: its weight is stored as integers and its activation is
    quantized as well. `weights` counts those whose weight alone is stored as integers.
    """
    found: dict[str, dict[str, int]] = {}
    for node in graph.nodes:
        if (weight := weight_of(graph, node)) is None:
            continue
        row = found.setdefault(FAMILY[node.type], {"quantized": 0, "total": 0, "weights": 0})
        row["total"] += 1
        integer_weight = weight.dtype in INTEGERS or _is_fake(graph, node, (1,))
        row["weights"] += integer_weight
        row["quantized"] += integer_weight and _computes_in_integers(graph, node)
    return found


def precision(graph: Graph) -> dict[str, int]:
    """{dtype: bytes} of the constants, the largest first: in what precision the weights are stored."""
    sizes: Counter[str] = Counter()
    for constant in graph.constants.values():
        count = 1
        for length in constant.shape:
            count *= length
        sizes[constant.dtype] += count * bits_of(constant.dtype) // 8
    return {dtype: size for dtype, size in sizes.most_common() if size}


def bits_of(dtype: str) -> int:
    digits = "".join(letter for letter in dtype.removeprefix("float8e4m3fn") if letter.isdigit())
    return int(digits or 8)


def weight_of(graph: Graph, node: Node) -> Constant | None:
    """The constant an operator multiplies with, or None where both sides are activations."""
    if node.type not in FAMILY or len(node.inputs) < 2:
        return None
    place = 3 if node.type in ("QLinearMatMul", "QLinearConv", "QGemm") else 1
    for value in (node.inputs[place], node.inputs[0]):
        if (constant := _constant_behind(graph, value)) is not None and len(constant.shape) > 1:
            return constant
    return None


def _constant_behind(graph: Graph, value: str) -> Constant | None:
    for _ in range(12):
        if value in graph.constants:
            return graph.constants[value]
        node = graph.producers.get(value)
        if node is None or node.type not in CARRIERS + DEQUANTIZERS or not node.inputs:
            return None
        value = node.inputs[0]
    return None


def _computes_in_integers(graph: Graph, node: Node) -> bool:
    """A product of few-bit weights does where its attribute has it turn its activation into INT8, too."""
    if node.type == "MatMulNBits":
        return node.attributes.get("accuracy_level") == INT8_ACTIVATIONS
    return node.type in INTEGER_PRODUCTS or _is_fake(graph, node, (0,))


def _is_fake(graph: Graph, node: Node, places: tuple[int, ...]) -> bool:
    """Whether these inputs come from an operator that stands for "quantized here"."""
    return all(_quantized_behind(graph, node.inputs[place]) for place in places)


def _quantized_behind(graph: Graph, value: str) -> bool:
    for _ in range(6):
        node = graph.producers.get(value)
        if node is None:
            return False
        if node.type in DEQUANTIZERS:
            return True
        if node.type not in ("Reshape", "Transpose", "Unsqueeze", "Squeeze", "Split", "VariadicSplit", "Concat"):
            return False
        value = node.inputs[0]
    return False
