"""How much does each quantized operator of an OpenVINO model cost? One pass over a few examples.

The quantized model is cut before every rounding of an activation and fed there with what the original has at that
place: each operator then shows its own error. Uncut, it shows what that amounts to with everything before it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.errors import WorkbenchError
from workbench.graph import FAMILY
from workbench.steps.errors_of_operators import Errors
from workbench.steps.samples import fed

if TYPE_CHECKING:
    import numpy as np
    import openvino

    from workbench.plugin import Batch

Progress = Callable[[float, float, str], None]
ROUNDING = "FakeQuantize"
CONSTANTS = ("Constant", "Convert")
CARRIERS = ("Reshape", "Transpose", "Unsqueeze", "Squeeze")


def ranking(source: Path, made: Path, feeds: Sequence[Batch], progress: Progress) -> dict[str, Any]:
    """As `Repairs.sensitivity`; `source` and `made` are .xml files. Raises WorkbenchError where nothing was
    quantized."""
    import openvino

    core = openvino.Core()
    original, changed, cut = (core.read_model(path) for path in (source, made, made))
    known = {op.get_friendly_name(): op for op in original.get_ordered_ops()}
    operators = [op for op in changed.get_ordered_ops() if _is_quantized(op, known)]
    if not operators:
        raise WorkbenchError("No operator of this model is quantized.", "There is nothing to rank.")
    names = [op.get_friendly_name() for op in operators]
    places, own = _cut(core, cut, names, known)
    ends = [result.input_value(0) for result in original.get_results()]
    real = _Runs(core, original, [*ends, *(known[name].output(0) for name in names), *places])
    said = [result.input_value(0) for result in changed.get_results()]
    whole = _Runs(core, changed, [*said, *(op.output(0) for op in operators)])
    errors = Errors([(op.get_friendly_name(), op.get_type_name()) for op in operators])
    for number, feed in enumerate(fed(original, feeds)):
        progress(number, len(feeds), "examples")
        wanted, seen = real(feed), whole(feed)
        alone = own(feed, wanted[len(ends) + len(names) :])
        for place in range(len(ends)):
            errors.outputs.add(wanted[place], seen[place])
        for place in range(len(names)):
            errors.own[place].add(wanted[len(ends) + place], alone[place])
            errors.carried[place].add(wanted[len(ends) + place], seen[len(ends) + place])
    return errors.facts(len(feeds))


class _Runs:
    """A model with these outputs, in this order; called with an example, and with what goes in where it was cut."""

    def __init__(self, core: openvino.Core, model: Any, outputs: Sequence[Any], cuts: Sequence[Any] = ()) -> None:
        import openvino
        from openvino import opset13

        parameters = [*model.get_parameters(), *cuts]
        self.names = [parameter.output(0).get_names() for parameter in model.get_parameters()]
        results = [opset13.result(output) for output in outputs]
        whole = openvino.Model(results, model.get_sinks(), parameters, "ranked")  # sinks: where a state is kept
        compiled = core.compile_model(whole, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        self.request = compiled.create_infer_request()
        self.count = len(outputs)

    def __call__(self, feed: Batch, cuts: Sequence[np.ndarray] = ()) -> list[np.ndarray]:
        given = [next(value for name, value in feed.items() if name in names) for names in self.names]
        self.request.reset_state()
        found = self.request.infer([*given, *cuts])
        return [found[place].copy() for place in range(self.count)]


def _cut(core: openvino.Core, model: Any, names: Sequence[str], known: dict[str, Any]) -> tuple[list[Any], _Runs]:
    """Cut before the rounding of every activation: the original's outputs that belong there, and the cut model."""
    from openvino import opset13

    found = {op.get_friendly_name(): op for op in model.get_ordered_ops()}
    parameters, places, done = [], [], set()
    for name in names:
        for rounding in _roundings(found[name]):
            if rounding.get_friendly_name() in done:
                continue
            done.add(rounding.get_friendly_name())
            if (target := _shared(rounding.input(0), known)) is None:
                continue
            port = target.get_source_output()
            parameter = opset13.parameter(port.get_partial_shape(), port.get_element_type())
            places.append(known[port.get_node().get_friendly_name()].output(port.get_index()))
            target.replace_source_output(parameter.output(0))
            parameters.append(parameter)
    return places, _Runs(core, model, [found[name].output(0) for name in names], parameters)


def _shared(target: Any, known: dict[str, Any]) -> Any:
    """The input, at or before this one, that reads a value of the original's: between them stands what smooths
    outliers, which the original has not."""
    for _ in range(4):
        node = target.get_source_output().get_node()
        if node.get_friendly_name() in known:
            return target
        inputs = [one for one in node.inputs() if one.get_source_output().get_node().get_type_name() != "Constant"]
        if len(inputs) != 1:
            return None
        target = inputs[0]
    return None


def _is_quantized(op: Any, known: dict[str, Any]) -> bool:
    return op.get_type_name() in FAMILY and op.get_friendly_name() in known and bool(_roundings(op))


def _roundings(op: Any) -> list[Any]:
    """What rounds the operator's activations; a rounded constant is a weight."""
    found = []
    for place in range(min(2, op.get_input_size())):
        node = op.input_value(place).get_node()
        while node.get_type_name() in CARRIERS:
            node = node.input_value(0).get_node()
        if node.get_type_name() == ROUNDING and node.input_value(0).get_node().get_type_name() not in (
            "Constant",
            "Convert",
        ):
            found.append(node)
    return found
