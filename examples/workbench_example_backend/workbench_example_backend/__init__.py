"""A backend for the Optimization Workbench: ONNX's own reference evaluator.

It runs one operator after another in numpy, as the standard words them: slow, and the judge when two runtimes differ.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from workbench import plugin
from workbench.backends.feeds import feed, plain
from workbench.errors import RequestError, WorkbenchError

if TYPE_CHECKING:
    from workbench.plugin import Batch

INTEGER_PRODUCTS = ("MatMulInteger", "ConvInteger", "QLinearMatMul", "QLinearConv")
PRECISIONS = {"float32": "fp32", "float16": "fp16", "bfloat16": "bf16"}


class OnnxReference(plugin.Backend):
    name = "onnx-reference"
    summary = "ONNX graphs in numpy, operator by operator, as the standard defines them."
    needs = ("onnx", "threadpoolctl")
    reads = ("onnx",)

    class Options(plugin.Options):
        check_shapes: bool = Field(
            False, description="Compare every result with the shape that the file declares; a difference is an error."
        )

    def devices(self) -> list[plugin.Device]:
        return [plugin.Device("cpu", "numpy")]

    def open(self, folder: Path, device: str, threads: int, options: Any) -> ReferenceSession:
        """Raises RequestError for another device than cpu, WorkbenchError for a file it cannot run."""
        if device != "cpu":
            raise RequestError(f"onnx-reference has no device {device}.", "It runs in numpy.", "Say device: cpu.")
        return ReferenceSession(folder / "model.onnx", threads, options)


class ReferenceSession(plugin.Session):
    def __init__(self, path: Path, threads: int, options: OnnxReference.Options) -> None:
        import onnx
        from onnx.reference import ReferenceEvaluator
        from threadpoolctl import threadpool_limits

        if not path.is_file():
            raise WorkbenchError(f"There is no {path.name} in {path.parent.name}.", "", "Export the model first.")
        self.model = onnx.load(str(path))
        foreign = sorted({f"{node.domain}:{node.op_type}" for node in self.model.graph.node if node.domain})
        if foreign:
            why = f"It has operators that are not of the standard: {', '.join(foreign)}."
            raise WorkbenchError(f"onnx-reference cannot run {path.name}.", why, "Export it with fusions: none.")
        own: Any = [_gather_elements()]
        self.evaluator = ReferenceEvaluator(self.model, new_ops=own, check_shape_annotations=options.check_shapes)
        self.limits = threadpool_limits(threads, user_api="blas")
        self.wanted = {entry.name: _dtype(entry) for entry in self.model.graph.input}

    def infer(self, batch: Batch) -> Batch:
        outputs = self.evaluator.run(None, feed(batch, self.wanted))
        return plain(dict(zip(self.evaluator.output_names, outputs, strict=True)))

    def facts(self) -> dict[str, Any]:
        """Threads are those of numpy's matrix library; a Q/DQ pair is run as written, so its product is in floats."""
        import onnx
        from threadpoolctl import threadpool_info

        pools = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
        integers = any(node.op_type in INTEGER_PRODUCTS for node in self.model.graph.node)
        precision = "int8" if integers else self._stored()
        return {"precision": precision, "device": "cpu", "threads": max(pools, default=1), "version": onnx.__version__}

    def close(self) -> None:
        self.limits.restore_original_limits()

    def _stored(self) -> str:
        """The precision that most of the float weights are stored in."""
        import onnx

        sizes: dict[str, int] = {}
        for weight in self.model.graph.initializer:
            dtype = onnx.helper.tensor_dtype_to_np_dtype(weight.data_type).name
            sizes[dtype] = sizes.get(dtype, 0) + len(weight.raw_data)
        floats = {PRECISIONS[dtype]: size for dtype, size in sizes.items() if dtype in PRECISIONS}
        return max(floats, key=floats.__getitem__, default="fp32")


def _dtype(entry: Any) -> str:
    import onnx

    return str(onnx.helper.tensor_dtype_to_np_dtype(entry.type.tensor_type.elem_type).name)


def _gather_elements() -> type:
    """The evaluator's own one stops at 64 columns, which is less than most models have positions."""
    import numpy as np
    from onnx.reference.op_run import OpRun

    class GatherElements(OpRun):
        op_domain = ""

        def _run(self, data: Any, indices: Any, axis: int = 0) -> tuple[Any]:
            return (np.take_along_axis(data, indices, axis=axis),)

    return GatherElements
