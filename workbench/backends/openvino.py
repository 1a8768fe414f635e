"""OpenVINO."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from workbench import plugin
from workbench.backends.feeds import GROWS, bare, feed, is_cache, plain, ranked
from workbench.errors import RequestError, WorkbenchError
from workbench.generation import answered, continued, habits
from workbench.graph import DECODER_IR, coverage, ir_files, precision, read_ir
from workbench.machine import Machine

if TYPE_CHECKING:
    import numpy as np

    from workbench.plugin import Batch

PRODUCTS = ("FullyConnected", "MatMul", "Convolution", "GroupConvolution")
PRECISIONS = {"f32": "fp32", "bf16": "bf16", "f16": "fp16", "i8": "int8", "u8": "int8"}
WORDS = {"bf16": "bfloat16", "f16": "float16"}
NOTES = ("layerType", "primitiveType", "runtimePrecision")
WANTED = {
    "GPU": "No Intel GPU was found. Where there is one, run `apt install intel-opencl-icd`, its compute runtime.",
    "NPU": "No Intel NPU was found. Where there is one, run `dpkg -i` on the driver's packages: "
    "github.com/intel/linux-npu-driver/releases.",
}


class OpenVINO(plugin.Backend):
    name = "openvino"
    summary = "OpenVINO IR on Intel and other x86 or Arm processors, Intel GPUs and NPUs."
    needs = ("openvino",)
    reads = ("openvino",)
    promises = (plugin.Profiles, plugin.Concurrent, plugin.Writes)

    class Options(plugin.Options):
        precision: Literal["f32", "bf16", "f16"] | None = Field(
            "f32",
            description="Arithmetic outside quantized operators. Empty: the runtime chooses, which is bf16 on a CPU "
            "with AMX.",
            json_schema_extra={"search": ["f32", "bf16", "f16"]},
        )
        performance_hint: Literal["LATENCY", "THROUGHPUT"] = Field(
            "LATENCY",
            description="One quick answer, or many at once.",
            json_schema_extra={"search": ["LATENCY", "THROUGHPUT"], "pays_for": "throughput"},
        )
        streams: int | None = Field(None, ge=1, description="Answers worked on at once; empty: the hint decides.")
        cache_precision: Literal["f32", "bf16", "f16", "u8"] | None = Field(
            None,
            description="How keys and values are kept while a text goes on. Empty: as `precision` says on a "
            "CPU, else the runtime chooses; u8 takes a quarter of the memory and rounds them.",
        )

    def devices(self) -> list[plugin.Device]:
        import openvino

        core = openvino.Core()
        found = {name.partition(".")[0]: core.get_property(name, "FULL_DEVICE_NAME") for name in core.available_devices}
        devices = [plugin.Device(name.lower(), title) for name, title in sorted(found.items())]
        return devices + [plugin.Device(name.lower(), missing=why) for name, why in WANTED.items() if name not in found]

    def unsuited(self, device: str, options: Any, machine: Machine) -> str:
        asked = WORDS.get(options.precision or "", "")
        if device != "cpu" or not asked or machine.computes(PRECISIONS[options.precision]):
            return ""
        return f"This CPU has no {asked} instructions: OpenVINO would run it in f32."

    def open(self, folder: Path, device: str, threads: int, options: Any) -> OpenVINOSession:
        """Raises RequestError for a device that is not here, WorkbenchError for a file it cannot run."""
        known = {found.name: found for found in self.devices()}
        if device not in known or known[device].missing:
            why = known[device].missing if device in known else f"Known: {', '.join(known)}."
            raise RequestError(f"OpenVINO has no device {device} here.", why)
        return OpenVINOSession(folder, device, threads, options)

    def opening(self, folder: Path, auto_class: str) -> str:
        name = model_file(folder).name
        return f'import openvino\n\nmodel = openvino.Core().compile_model(f"{{folder}}/{name}", "CPU")\n'

    def audit(self, folder: Path) -> dict[str, Any]:
        """What is in the file. A FakeQuantize stands for a pair of quantize and dequantize."""
        graph = read_ir(model_file(folder))
        operators = graph.operators
        return {
            "operators": operators,
            "precision": precision(graph),
            "coverage": coverage(graph),
            "qdq_pairs": operators.get("FakeQuantize", 0),
            "casts": operators.get("Convert", 0),
            "fused": {},
        }


class OpenVINOSession(plugin.Session):
    def __init__(self, folder: Path, device: str, threads: int, options: OpenVINO.Options) -> None:
        self.path, self.device, self.threads, self.options = model_file(folder), device, threads, options
        self.habits = habits(folder)
        self.compiled = self._compile(self.path, {})
        self.request = self.compiled.create_infer_request()
        goes_on = self.path.with_name(DECODER_IR)
        decoder = self._compile(goes_on, {}) if goes_on.is_file() else None
        self.decoders = [decoder.create_infer_request() for _ in range(2)] if decoder else []
        self.queue: Any = None
        self.left: Batch = {}  # by an encoder and the words so far, while an answer is written
        self.wanted = {port.get_any_name(): port.element_type.to_dtype().name for port in self.compiled.inputs}
        self.names = [next(iter(sorted(port.names)), str(at)) for at, port in enumerate(self.compiled.outputs)]

    def infer(self, batch: Batch) -> Batch:
        """Outputs are copies: the runtime writes the next answer over its own."""
        import numpy as np

        self.request.reset_state()
        found = self.request.infer(feed(batch, self.wanted), share_inputs=True)
        return plain({name: np.array(found[at]) for at, name in enumerate(self.names) if not is_cache(name)})

    @property
    def requests(self) -> int:
        """What the runtime calls best for its streams."""
        return int(_said(self.compiled, "OPTIMAL_NUMBER_OF_INFER_REQUESTS") or 1)

    def infer_all(self, batches: Sequence[Batch]) -> list[Batch]:
        import numpy as np
        import openvino

        found: dict[int, Batch] = {}

        def keep(request: Any, place: int) -> None:
            outputs = [np.array(request.get_output_tensor(at).data) for at in range(len(self.names))]
            found[place] = plain(dict(zip(self.names, outputs, strict=True)))

        self.queue = self.queue or openvino.AsyncInferQueue(self.compiled, self.requests)
        self.queue.set_callback(keep)
        for place, batch in enumerate(batches):
            self.queue.start_async(feed(batch, self.wanted), place)
        self.queue.wait_all()
        return [found[place] for place in range(len(batches))]

    def write(self, batch: Batch, new_tokens: int, ends: bool = True) -> plugin.Written:
        """Keys and values are the runtime's own state, or, beside an encoder, what one call leaves for the next."""
        if self.decoders:
            return answered(self._whole, self._one_more, batch, new_tokens, self.habits, ends)
        self.request.reset_state()
        if not self.request.query_state():
            why = "It keeps no keys and values."
            raise WorkbenchError(f"{self.path.name} cannot write.", why, "Export the model again.")
        return continued(self._logits, batch, new_tokens, self.habits, ends)

    def facts(self) -> dict[str, Any]:
        """Precision is that in which most products really run; `executed` counts operators by it."""
        import openvino

        executed: Counter[str] = Counter()
        products: Counter[str] = Counter()
        for kind, name in executed_precisions(self.compiled):
            executed[name] += 1
            if kind in PRODUCTS:
                products[name] += 1
        hint = _said(self.compiled, "INFERENCE_PRECISION_HINT")
        return {
            "precision": _headline(products) or PRECISIONS.get(hint, hint),
            "precision_hint": hint,
            "products": dict(products.most_common()),
            "executed": dict(executed.most_common()),
            "device": self.device,
            "threads": int(_said(self.compiled, "INFERENCE_NUM_THREADS") or self.threads),
            "streams": int(_said(self.compiled, "NUM_STREAMS") or 1),
            "requests": self.requests,
            "version": openvino.__version__,
        }

    def profile(self, batches: Sequence[Batch]) -> list[dict[str, Any]]:
        """Seconds a call of each operator, from a second compilation with counters switched on."""
        request = self._compile(self.path, {"PERF_COUNT": True}).create_infer_request()
        rows: dict[str, dict[str, Any]] = {}
        for batch in batches:
            request.reset_state()
            request.infer(feed(batch, self.wanted))
            for node in request.profiling_info:
                kernel, _, kind = node.exec_type.rpartition("_")
                row: dict[str, Any] = {"name": node.node_name, "type": node.node_type}
                row["precision"] = PRECISIONS.get(kind.lower(), kind)
                row |= {"provider": self.device, "kernel": kernel, "seconds": 0.0}
                row = rows.setdefault(node.node_name, row)
                row["seconds"] += node.real_time.total_seconds() / len(batches)
        return ranked([row for row in rows.values() if row["seconds"]])

    def close(self) -> None:
        del self.request, self.queue, self.decoders, self.left, self.compiled

    def _logits(self, batch: Batch) -> np.ndarray:
        """Of the next tokens of texts that the state knows."""
        found: np.ndarray = self.request.infer(feed(batch, self.wanted), share_inputs=True)["logits"]
        return found

    def _whole(self, batch: Batch) -> np.ndarray:
        """What the call leaves, its own memory, is what the decoder goes on from."""
        found = self.request.infer(feed(batch, self.wanted), share_inputs=True, share_outputs=True)
        self.left = {bare(name): found[at] for at, name in enumerate(self.names)}
        logits: np.ndarray = self.left["logits"]
        return logits

    def _one_more(self, batch: Batch) -> np.ndarray:
        """Two requests take turns: each reads what the other has written, and nothing is copied."""
        self.decoders.reverse()
        request = self.decoders[0]
        ports = request.get_compiled_model().inputs
        wanted = {port.get_any_name(): port.element_type.to_dtype().name for port in ports}
        own = {name: kind for name, kind in wanted.items() if bare(name) not in self.left}
        given = feed(batch, own) | {name: self.left[bare(name)] for name in wanted if name not in own}
        found = request.infer(given, share_inputs=True, share_outputs=True)
        for port in request.get_compiled_model().outputs:
            if GROWS in (name := port.get_any_name()):
                self.left[bare(name)] = found[port]
        logits: np.ndarray = found["logits"]
        return logits

    def _compile(self, path: Path, more: dict[str, Any]) -> Any:
        import openvino

        settings: dict[str, Any] = {"PERFORMANCE_HINT": self.options.performance_hint, **more}
        if self.device == "cpu":
            settings["INFERENCE_NUM_THREADS"] = self.threads
        if self.options.precision:
            settings["INFERENCE_PRECISION_HINT"] = self.options.precision
        if cache := self.options.cache_precision or (self.device == "cpu" and self.options.precision):
            settings["KV_CACHE_PRECISION"] = cache  # else a CPU rounds them to u8, beside float32 too
        if self.options.streams:
            settings["NUM_STREAMS"] = self.options.streams
        try:
            return openvino.Core().compile_model(str(path), self.device.upper(), settings)
        except RuntimeError as error:
            last = str(error).strip().splitlines()[-1][:300]
            raise WorkbenchError(f"OpenVINO cannot run {path.name}.", last) from error


def model_file(folder: Path) -> Path:
    """Raises WorkbenchError when there is no IR file with its weights."""
    found = ir_files(folder)
    if not found:
        why = "It takes an .xml and its .bin."
        raise WorkbenchError(f"There is no OpenVINO model in {folder.name}.", why, "Export the model first.")
    return found[0]


def executed_precisions(compiled: Any) -> list[tuple[str, str]]:
    """(operator, precision) of everything the device runs, read back from its own graph.

    The end of the kernel's name says what it computes in ("brgemm_avx512_amx_bf16"); the precision noted beside it
    is that of the stored weight where weights are compressed.
    """
    found = []
    for operator in compiled.get_runtime_model().get_ordered_ops():
        facts = operator.get_rt_info()
        notes = {name: str(facts[name].astype(str)) for name in NOTES if name in facts}
        kernel = notes.get("primitiveType", "").rpartition("_")[2].lower()
        noted = notes.get("runtimePrecision", "").lower()
        if kind := kernel if kernel in PRECISIONS else noted:
            found.append((notes.get("layerType", ""), PRECISIONS.get(kind, kind)))
    return found


def _headline(products: Counter[str]) -> str:
    """The precision that most products run in."""
    return products.most_common(1)[0][0] if products else ""


def _said(compiled: Any, name: str) -> str:
    """A property as the runtime states it; "" where the device does not know it."""
    try:
        value = compiled.get_property(name)
    except RuntimeError:
        return ""
    return value.get_type_name() if hasattr(value, "get_type_name") else str(value)
