"""INT8 weights and activations with ranges learned from real examples.

The library's defaults quantize every operator there is and lose both speed and accuracy on an encoder. Here only
products with a weight are quantized, a scale a channel; norms, softmax and the attention mask (filled with
-3.4e38, which would ruin any range) stay in float32.
"""

from __future__ import annotations

import glob
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from workbench import plugin
from workbench.errors import WorkbenchError
from workbench.graph import FAMILY, coverage, read_onnx, weight_of
from workbench.steps.folder import copy_companions, require_empty
from workbench.steps.onnx_sensitivity import ranking
from workbench.steps.onnx_source import excluded, is_large, quantizable
from workbench.steps.quiet import quietly
from workbench.steps.results import OnnxResult, onnx_model
from workbench.steps.samples import calibration_batches, without_cache

if TYPE_CHECKING:
    from workbench.plugin import Batch

RANGES = "ranges.json"  # of every activation; who leaves other operators alone needs no other


class QuantizeOnnxStatic(OnnxResult, plugin.Step):
    name = "quantize-onnx-static"
    summary = "Weights and activations in INT8, ranges learned from calibration data."
    needs = ("onnx", "onnxruntime")
    takes = ("onnx",)
    gives = "onnx"
    executes = True
    calibrates = True

    class Options(plugin.Options):
        op_types: tuple[str, ...] = Field(
            ("MatMul", "Gemm", "Conv"), description="Operators to quantize. Each further one costs conversions."
        )
        per_channel: bool = Field(
            True,
            description="One scale a column of each weight, not one a weight.",
            json_schema_extra={"search": [True, False]},
        )
        calibration: Literal["minmax", "percentile", "entropy"] = Field(
            "minmax",
            description="How a range is chosen: all values seen, all but the rarest, or the one that loses least.",
            json_schema_extra={"search": ["minmax", "percentile", "entropy"], "changes": "values"},
        )
        percentile: float = Field(99.999, gt=50, le=100, description="Share of values inside, for `percentile`.")
        activation_type: Literal["uint8", "int8"] = Field("uint8", description="Stored type of an activation.")
        weight_type: Literal["int8", "uint8"] = Field("int8", description="Stored type of a weight.")
        symmetric_activations: bool = Field(
            False,
            description="Keep zero in the middle of each range.",
            json_schema_extra={"search": [False, True]},
        )
        constant_weights_only: bool = Field(
            True, description="Leave products of two activations (attention) in float32."
        )
        inputs_only: bool = Field(
            True,
            description="Quantize what goes into a product and nothing else: what comes out, and what other operators "
            "read, stays in float32. Closer to the original, and nothing to convert back.",
            json_schema_extra={"search": [True, False]},
        )
        reduce_range: bool = Field(
            False, description="Seven bits a weight: for x86 CPUs without VNNI, where eight can overflow."
        )
        format: Literal["qdq", "qoperator"] = Field(
            "qdq", description="Quantize and dequantize pairs that the runtime fuses, or integer operators at once."
        )
        exclude: tuple[str, ...] = Field((), description="Names of operators to leave alone; * stands for anything.")

    def unfit(self, options: Any, asks: tuple[type, ...], config: Mapping[str, Any]) -> str:
        return without_cache(self.name, asks, config, state=False)

    def apply(self, source: Path, into: Path, options: Options, context: plugin.StepContext) -> dict[str, Any]:
        """Facts: coverage, calibrated (examples used). Raises WorkbenchError without calibration data."""
        from onnxruntime.quantization import QuantFormat, quantize_static

        require_empty(into)
        ranges, feeds = into / RANGES, []
        if context.like and (context.like / RANGES).is_file():
            shutil.copyfile(context.like / RANGES, ranges)
        else:
            feeds = list(calibration_batches(context))
        with quietly(), quantizable(source) as model:
            names = [name for name, _, _ in read_onnx(model).inputs]
            quantize_static(
                model,
                into / "model.onnx",
                _Reader([{name: feed[name] for name in names if name in feed} for feed in feeds]),
                calibration_cache_path=ranges,
                quant_format=QuantFormat.QDQ if options.format == "qdq" else QuantFormat.QOperator,
                op_types_to_quantize=list(options.op_types),
                per_channel=options.per_channel,
                reduce_range=options.reduce_range,
                nodes_to_exclude=_left_alone(model, options),
                use_external_data_format=is_large(model),
                **_types(options),
            )
            if options.inputs_only:
                _reconnect(into / "model.onnx", options.op_types)
        copy_companions(context.model, into)
        calibrated = len(context.calibration) if context.calibration else 0
        return {"coverage": coverage(read_onnx(into / "model.onnx")), "calibrated": calibrated}

    def sensitivity(self, source: Path, made: Path, context: plugin.StepContext) -> dict[str, Any]:
        """On calibration examples, each alone. Raises WorkbenchError for a model that is too large to be doubled."""
        if is_large(onnx_model(source)):
            raise WorkbenchError("This model is too large to rank its operators.", "Two copies of it are run at once.")
        with quietly(), quantizable(source) as model:
            return ranking(model, onnx_model(made), list(calibration_batches(context)), context.progress)

    def leaving(self, options: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
        """Names as patterns that match nothing else."""
        return options | {"exclude": sorted({*options.get("exclude", ()), *map(glob.escape, names)})}


def _left_alone(model: Path, options: QuantizeOnnxStatic.Options) -> list[str]:
    """Operators the request excludes, and products of two activations: the library's own switch for those is
    obeyed by one of its two formats only."""
    names = excluded([model], options.exclude)
    if options.constant_weights_only:
        graph = read_onnx(model)
        names += [node.name for node in graph.nodes if node.type in FAMILY and weight_of(graph, node) is None]
    return names


def _reconnect(path: Path, op_types: tuple[str, ...]) -> None:
    """Let operators that are not quantized read the original of a tensor again.

    The library hands the rounded copy to every reader, so that each residual connection would be rounded as well
    and every such pair be computed in full, since nothing fuses it.
    """
    import onnx

    model = onnx.load(str(path), load_external_data=False)  # weights stay where they are
    quantized = {node.output[0]: node.input[0] for node in model.graph.node if node.op_type == "QuantizeLinear"}
    rounded = {
        node.output[0]: quantized[node.input[0]]
        for node in model.graph.node
        if node.op_type == "DequantizeLinear" and node.input[0] in quantized
    }
    for node in model.graph.node:
        if node.op_type not in op_types:
            for place, value in enumerate(node.input):
                node.input[place] = rounded.get(value, value)
    onnx.save(model, str(path))


def _types(options: QuantizeOnnxStatic.Options) -> dict[str, Any]:
    """The part of the request that is spelled with the library's own values."""
    from onnxruntime.quantization import CalibrationMethod, QuantType

    kinds = {"int8": QuantType.QInt8, "uint8": QuantType.QUInt8}
    methods = {
        "minmax": CalibrationMethod.MinMax,
        "percentile": CalibrationMethod.Percentile,
        "entropy": CalibrationMethod.Entropy,
    }
    extra: dict[str, Any] = {"ActivationSymmetric": options.symmetric_activations}
    if options.inputs_only:
        extra |= {"OpTypesToExcludeOutputQuantization": ["MatMul", "Gemm"]}
    if options.calibration != "minmax":
        # One example at a time: histograms of examples of different length cannot be stacked.
        extra |= {"CalibStridedMinMax": 1}
    if options.calibration == "percentile":
        extra |= {"CalibPercentile": options.percentile}
    return {
        "activation_type": kinds[options.activation_type],
        "weight_type": kinds[options.weight_type],
        "calibrate_method": methods[options.calibration],
        "extra_options": extra,
    }


class _Reader:
    """The interface that calibration reads its examples through."""

    def __init__(self, feeds: Sequence[Batch]) -> None:
        self.feeds, self.next, self.end = feeds, 0, len(feeds)

    def __len__(self) -> int:
        return len(self.feeds)

    def set_range(self, start_index: int, end_index: int) -> None:
        self.next, self.end = start_index, end_index

    def get_next(self) -> Batch | None:
        if self.next >= self.end:
            return None
        self.next += 1
        return self.feeds[self.next - 1]
