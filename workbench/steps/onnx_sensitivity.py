"""How much does each quantized operator of an ONNX file cost? One pass over a few examples.

Beside every operator of the original stands its quantized copy, which reads what the original reads: the difference of
the two is the operator's own. What it amounts to in the quantized model, with everything before it, is read from that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.errors import WorkbenchError
from workbench.graph import FAMILY
from workbench.steps.errors_of_operators import Errors

if TYPE_CHECKING:
    import numpy as np
    import onnx
    import onnxruntime

    from workbench.plugin import Batch

Progress = Callable[[float, float, str], None]


def ranking(source: Path, made: Path, feeds: Sequence[Batch], progress: Progress) -> dict[str, Any]:
    """As `Repairs.sensitivity`; `source` and `made` are files. Raises WorkbenchError where nothing was quantized."""
    import onnx

    original, changed = onnx.load(str(source)), onnx.load(str(made))
    outputs = [one.name for one in original.graph.output]
    nodes = _quantized(original, changed)
    if not nodes:
        raise WorkbenchError("No operator of this model is quantized.", "There is nothing to rank.")
    values = [node.output[0] for node in nodes]
    beside = _session(_with_copies(original, changed, nodes))
    whole = _session(_with_outputs(changed, values))
    errors = Errors([(node.name, node.op_type) for node in nodes])
    for number, feed in enumerate(feeds):
        progress(number, len(feeds), "examples")
        real, seen = _run(beside, feed), _run(whole, feed)
        for place, value in enumerate(values):
            errors.carried[place].add(real[value], seen[value])
            errors.own[place].add(real[value], real[_copy(place, value)])
        for name in outputs:
            errors.outputs.add(real[name], seen[name])
    return errors.facts(len(feeds))


def _quantized(original: onnx.ModelProto, changed: onnx.ModelProto) -> list[onnx.NodeProto]:
    """Products of the changed model that read a rounded activation, and that the original has under the same name."""
    makers = {value: node for node in changed.graph.node for value in node.output}
    known = {(node.name, node.output[0]) for node in original.graph.node if node.name}

    def rounded(node: onnx.NodeProto) -> bool:
        maker = makers.get(node.input[0])
        return maker is not None and maker.op_type == "DequantizeLinear"

    return [node for node in changed.graph.node
            if node.op_type in FAMILY and (node.name, node.output[0]) in known and rounded(node)]  # fmt: skip


def _with_copies(
    original: onnx.ModelProto, changed: onnx.ModelProto, nodes: Sequence[onnx.NodeProto]
) -> onnx.ModelProto:
    """The original with the quantized copy of each of `nodes` beside it, and all their outputs."""
    import onnx

    model = onnx.ModelProto()
    model.CopyFrom(original)
    del model.opset_import[:]
    model.opset_import.extend(changed.opset_import)
    real = {value for node in original.graph.node for value in node.output}
    real |= {one.name for one in (*original.graph.input, *original.graph.initializer)}
    makers = {value: node for node in changed.graph.node for value in node.output}
    constants = {one.name: one for one in changed.graph.initializer}
    taken: set[str] = set()
    for place, node in enumerate(nodes):
        for piece in _behind(node, makers, real, taken):
            model.graph.node.append(_renamed(piece, real))
        copy = _renamed(node, real)
        copy.name, copy.output[0] = _copy(place, node.name), _copy(place, node.output[0])
        model.graph.node.append(copy)
    read = {value for node in model.graph.node for value in node.input}
    for name, tensor in constants.items():
        if name not in real and _aside(name) in read:
            kept = model.graph.initializer.add()
            kept.CopyFrom(tensor)
            kept.name = _aside(name)
    values = [value for place, node in enumerate(nodes) for value in (node.output[0], _copy(place, node.output[0]))]
    return _with_outputs(model, values)


def _behind(
    node: onnx.NodeProto, makers: dict[str, onnx.NodeProto], real: set[str], taken: set[str]
) -> list[onnx.NodeProto]:
    """What rounds the operator's inputs, back to values that the original has, in an order that can be run."""
    found: list[onnx.NodeProto] = []
    for value in node.input:
        maker = makers.get(value)
        if value in real or maker is None or maker.output[0] in taken:
            continue
        found += _behind(maker, makers, real, taken)
        taken.add(maker.output[0])
        found.append(maker)
    return found


def _renamed(node: onnx.NodeProto, real: set[str]) -> onnx.NodeProto:
    """A copy that reads the original's values where there are such, and else those beside them."""
    import onnx

    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    copy.name = _aside(node.name)
    copy.input[:] = [value if not value or value in real else _aside(value) for value in node.input]
    copy.output[:] = [_aside(value) for value in node.output]
    return copy


def _aside(name: str) -> str:
    return f"{name}/aside"


def _copy(place: int, name: str) -> str:
    return f"{name}/copy{place}"


def _with_outputs(model: onnx.ModelProto, values: Sequence[str]) -> onnx.ModelProto:
    import onnx

    made = onnx.ModelProto()
    made.CopyFrom(model)
    there = {one.name for one in made.graph.output}
    made.graph.output.extend(onnx.ValueInfoProto(name=value) for value in values if value not in there)
    return made


def _session(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def _run(session: onnxruntime.InferenceSession, feed: Batch) -> dict[str, np.ndarray]:
    names = [one.name for one in session.get_outputs()]
    known = {one.name for one in session.get_inputs()}
    return dict(zip(names, session.run(names, {k: v for k, v in feed.items() if k in known}), strict=True))
