"""Equal models, equal hash: what a graph computes, whatever its values are called."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from workbench.artifact import sha256_of
from workbench.graph.model import Constant, Graph, Node


def semantic(graph: Graph) -> str:
    """Hex sha256 over structure and tensors (a Merkle tree: Merkle, CRYPTO '87).

    A value's hash is made from its operator, attributes and the hashes of its inputs; so the order of nodes,
    generated names, producers and timestamps don't count. Names and types of inputs and outputs do, and so does
    how often each operator stands in the file: a subgraph computed twice is another model.
    """
    return _hash(graph, {})


def _hash(graph: Graph, outer: Mapping[str, str]) -> str:
    known = dict(outer)
    known.update({value: sha256_of(["input", name, kind]) for name, value, kind in graph.inputs})
    known.update({value: _constant(constant) for value, constant in graph.constants.items()})
    for node in graph.nodes:
        digest = _node(node, known)
        known.update({value: sha256_of([digest, index]) for index, value in enumerate(node.outputs)})
    outputs = sorted([name, known.get(value, ""), kind] for name, value, kind in graph.outputs)
    inputs = sorted([name, kind] for name, _, kind in graph.inputs)
    return sha256_of([inputs, outputs, dict(graph.operators), _facts(graph)])


def _node(node: Node, known: Mapping[str, str]) -> str:
    bodies = {name: _hash(body, known) for name, body in node.bodies.items()}
    sources = [known.get(value, "") for value in node.inputs]
    return sha256_of([node.domain, node.type, dict(node.attributes), bodies, sources])


def _constant(constant: Constant) -> str:
    return sha256_of([constant.dtype, list(constant.shape), hashlib.sha256(constant.read()).hexdigest()])


def _facts(graph: Graph) -> dict[str, object]:
    facts = dict(graph.facts)
    functions = facts.pop("functions", {})
    return facts | {"functions": {name: [_bare(node) for node in nodes] for name, nodes in functions.items()}}


def _bare(node: Node) -> list[object]:
    """A node of a function in the file: its names belong to the function and are kept."""
    return [node.domain, node.type, dict(node.attributes), list(node.inputs), list(node.outputs)]
