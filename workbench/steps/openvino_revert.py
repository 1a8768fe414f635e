"""Bring single operators of a quantized OpenVINO model back to what they were, without calibrating again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from workbench.errors import WorkbenchError

ADDED_BIAS = "/nncf_null_bias_"  # what bias correction puts after an operator that has no bias


def revert(model: Any, source: Path, names: Sequence[str]) -> None:
    """Let these operators of `model` read what they read in the file `source`: activations not rounded, weights
    and biases as they were. What nobody reads any more is not saved. Raises WorkbenchError for an unknown name."""
    import openvino

    original = openvino.Core().read_model(source)
    known, real = _by_name(model), _by_name(original)
    for name in names:
        if name not in known or name not in real:
            raise WorkbenchError(
                f"There is no operator called {name}.", "It was to be brought back to floats.",
                "`workbench sensitivity` lists the names.",
            )  # fmt: skip
        _reconnect(known[name], real[name], known)
        _restore_bias(known[name], real[name], known)


def _by_name(model: Any) -> dict[str, Any]:
    return {op.get_friendly_name(): op for op in model.get_ordered_ops()}


def _reconnect(op: Any, real: Any, known: dict[str, Any]) -> None:
    for place in range(real.get_input_size()):
        wanted = real.input_value(place)
        if not _is_constant(wanted.get_node()):  # a constant is taken from the original as it is
            wanted = known[wanted.get_node().get_friendly_name()].output(wanted.get_index())
        op.input(place).replace_source_output(wanted)


def _restore_bias(op: Any, real: Any, known: dict[str, Any]) -> None:
    """Bias correction has moved the bias of an operator, or has added one."""
    for reader in _readers(op):
        if reader.get_node().get_friendly_name() == op.get_friendly_name() + ADDED_BIAS:
            for one in reader.get_node().output(0).get_target_inputs():
                one.replace_source_output(op.output(0))
    for reader in _readers(real):
        node = reader.get_node()
        if node.get_type_name() == "Add" and node.get_friendly_name() in known:
            for place in range(2):
                if _is_constant(node.input_value(place).get_node()):
                    known[node.get_friendly_name()].input(place).replace_source_output(node.input_value(place))


def _readers(op: Any) -> list[Any]:
    return list(op.output(0).get_target_inputs())


def _is_constant(node: Any) -> bool:
    """It depends on nothing that is handed in."""
    if node.get_input_size() == 0:
        return bool(node.get_type_name() == "Constant")
    return all(_is_constant(node.input_value(place).get_node()) for place in range(node.get_input_size()))
