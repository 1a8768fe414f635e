"""ONNX Runtime."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from workbench import plugin
from workbench.backends.feeds import is_cache, plain, ranked
from workbench.backends.onnx_cache import AnswerCalls, CachedCall, empty_cache, inputs_of
from workbench.errors import RequestError, WorkbenchError
from workbench.feeding import feed
from workbench.generation import answered, continued, habits
from workbench.graph import DECODER, Graph, coverage, onnx_files, precision, read_onnx
from workbench.machine import Machine

if TYPE_CHECKING:
    from workbench.plugin import Batch

PAGES = "onnxruntime.ai/docs/execution-providers"
# device -> (provider, what adds it)
PROVIDERS = {
    "cpu": ("CPUExecutionProvider", "Run `pip install onnxruntime`."),
    "cuda": ("CUDAExecutionProvider", "Run `pip install onnxruntime-gpu`."),
    "tensorrt": ("TensorrtExecutionProvider", "Run `pip install onnxruntime-gpu` and install TensorRT."),
    "tensorrt-rtx": ("NvTensorRTRTXExecutionProvider", f"See {PAGES}/TensorRTRTX-ExecutionProvider.html."),
    "openvino": ("OpenVINOExecutionProvider", "Run `pip install onnxruntime-openvino`."),
    "directml": ("DmlExecutionProvider", "Run `pip install onnxruntime-directml` on Windows."),
    "coreml": ("CoreMLExecutionProvider", "Run `pip install onnxruntime` on macOS."),
    "qnn": ("QNNExecutionProvider", "Run `pip install 'onnxruntime-qnn<2'` on Windows for Arm."),
    "rocm": ("MIGraphXExecutionProvider", "Run `pip install onnxruntime-migraphx` beside ROCm."),
    "xnnpack": ("XnnpackExecutionProvider", f"Build it in: {PAGES}/Xnnpack-ExecutionProvider.html."),
    "acl": ("ACLExecutionProvider", f"Build it in: {PAGES}/community-maintained/ACL-ExecutionProvider.html."),
    "dnnl": ("DnnlExecutionProvider", f"Build it in: {PAGES}/oneDNN-ExecutionProvider.html."),
    "vitisai": ("VitisAIExecutionProvider", f"See {PAGES}/Vitis-AI-ExecutionProvider.html."),
    "cann": ("CANNExecutionProvider", "Run `pip install onnxruntime-cann`."),
    "webgpu": ("WebGpuExecutionProvider", "Run `pip install onnxruntime-webgpu`."),
    "rknpu": ("RknpuExecutionProvider", f"Build it in: {PAGES}/community-maintained/RKNPU-ExecutionProvider.html."),
    "nnapi": ("NnapiExecutionProvider", f"Build it in for Android: {PAGES}/NNAPI-ExecutionProvider.html."),
    "vsinpu": ("VSINPUExecutionProvider", "Build ONNX Runtime with --use_vsinpu: onnxruntime.ai/docs/build."),
}
# Not on this machine: a service on the network, and what only a browser has.
ELSEWHERE = ("AzureExecutionProvider", "JsExecutionProvider", "WebNNExecutionProvider")
ENDING = "ExecutionProvider"
ARM = ("aarch64", "arm64")
PRECISIONS = {"float32": "fp32", "float16": "fp16", "bfloat16": "bf16"}
LEVELS = {"none": "ORT_DISABLE_ALL", "basic": "ORT_ENABLE_BASIC", "extended": "ORT_ENABLE_EXTENDED"} | {
    "all": "ORT_ENABLE_ALL"
}


class OnnxRuntime(plugin.Backend):
    name = "onnxruntime"
    summary = "ONNX graphs on CPU and, with another build of the package, on GPU and NPU."
    needs = ("onnxruntime", "onnx")
    reads = ("onnx",)
    promises = (plugin.Profiles, plugin.Concurrent, plugin.Writes)

    class Options(plugin.Options):
        optimization: Literal["all", "extended", "basic", "none"] = Field(
            "all", description="How far the runtime rewrites the graph when it loads it."
        )
        allow_spinning: bool = Field(
            True, description="Threads wait busily for work: quicker answers, more power; needs cores of its own."
        )
        arm64_bfloat16: bool = Field(
            False, description="On an Arm CPU with bfloat16 instructions: products of float32 matrices in bfloat16."
        )
        requests: int = Field(
            1,
            ge=1,
            description="Answers worked on at once, each on a thread of its own.",
            json_schema_extra={"search": [1, 2, 4], "pays_for": "throughput"},
        )
        provider_options: dict[str, str] = Field(
            default_factory=dict,
            description="Options handed to the execution provider as they are, such as trt_fp16_enable for tensorrt "
            f"or device_type for openvino; {PAGES} lists those of each.",
        )

    def devices(self) -> list[plugin.Device]:
        import onnxruntime

        installed = onnxruntime.get_available_providers()
        return [
            plugin.Device(device, f"{provider}, ONNX Runtime {onnxruntime.__version__}")
            if provider in installed
            else plugin.Device(device, missing=f"This build has no {provider}. {remedy}")
            for device, (provider, remedy) in known_providers().items()
        ]

    def unsuited(self, device: str, options: Any, machine: Machine) -> str:
        if not options.arm64_bfloat16 or (machine.architecture in ARM and machine.computes("bf16")):
            return ""
        return "This is no Arm CPU with bfloat16 instructions: ONNX Runtime would compute in float32."

    def open(self, folder: Path, device: str, threads: int, options: Any) -> OnnxSession:
        """Raises RequestError for a device this build lacks, WorkbenchError for a file it cannot run."""
        import onnxruntime

        known = known_providers()
        if device not in known:
            raise RequestError(f"ONNX Runtime knows no device {device}.", f"Known: {', '.join(known)}.")
        provider, remedy = known[device]
        if provider not in onnxruntime.get_available_providers():
            why = f"The installed build has no {provider}."
            raise RequestError(f"ONNX Runtime has no device {device} here.", why, remedy)
        return OnnxSession(folder, device, threads, options)

    def opening(self, folder: Path, auto_class: str) -> str:
        name = model_file(folder).name
        return (
            "import onnxruntime\n\n"
            f'model = onnxruntime.InferenceSession(f"{{folder}}/{name}", providers=["CPUExecutionProvider"])\n'
        )

    def audit(self, folder: Path) -> dict[str, Any]:
        """What is in the file, and in what the runtime makes of it on a CPU (`optimized`, where Q/DQ pairs that are
        still there stayed unfused)."""
        graph = read_onnx(model_file(folder))
        found = _count(graph)
        optimized = _count(_optimized(model_file(folder)))
        return found | {
            "optimized": {name: optimized[name] for name in ("operators", "qdq_pairs", "casts", "fused")},
            "qdq_unfused": optimized["qdq_pairs"],
            "fused": optimized["fused"],
        }


class OnnxSession(plugin.Session):
    def __init__(self, folder: Path, device: str, threads: int, options: OnnxRuntime.Options) -> None:
        self.path, self.device, self.threads, self.options = model_file(folder), device, threads, options
        self.habits = habits(folder)
        self.session = self._load(self.path, self._settings())
        goes_on = self.path.with_name(DECODER)
        self.decoder = self._load(goes_on, self._settings()) if goes_on.is_file() else None
        self.wanted = inputs_of(self.session)
        self.names = [entry.name for entry in self.session.get_outputs() if not is_cache(entry.name)]

    def infer(self, batch: Batch) -> Batch:
        return plain(dict(zip(self.names, self.session.run(self.names, self._feed(batch)), strict=True)))

    def write(self, batch: Batch, new_tokens: int, ends: bool = True) -> plugin.Written:
        """Keys and values stay with the runtime, bound from one call to the next."""
        place = "cuda" if self.device in ("cuda", "tensorrt") else "cpu"
        if self.decoder is not None:
            calls = AnswerCalls(self.session, self.decoder, place)
            return answered(calls.whole, calls, batch, new_tokens, self.habits, ends)
        call = CachedCall(self.session, self.wanted, place, len(batch["input_ids"]))
        if not call.cache:
            why = "It takes no cache of keys and values."
            raise WorkbenchError(f"{self.path.name} cannot write.", why, "Export the model again.")
        return continued(call, batch, new_tokens, self.habits, ends)

    @property
    def requests(self) -> int:
        return self.options.requests

    def infer_all(self, batches: Sequence[Batch]) -> list[Batch]:
        with ThreadPoolExecutor(self.requests) as pool:
            return list(pool.map(self.infer, batches))

    def facts(self) -> dict[str, Any]:
        """Precision is that of the graph's products; `placement` counts operators by execution provider."""
        import onnxruntime

        return {
            "precision": graph_precision(read_onnx(self.path)),
            "device": self.device,
            "threads": self.threads,
            "providers": self.session.get_providers(),
            "placement": self._placement(),
            "version": onnxruntime.__version__,
        }

    def profile(self, batches: Sequence[Batch]) -> list[dict[str, Any]]:
        """Seconds a call of each node, from a second session with profiling switched on."""
        with tempfile.TemporaryDirectory() as folder:
            settings = self._settings()
            settings.enable_profiling = True
            settings.profile_file_prefix = str(Path(folder) / "profile")
            session = self._load(self.path, settings)
            for batch in batches:
                session.run(self.names, self._feed(batch))
            events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
        return ranked(_rows(events, len(batches)))

    def close(self) -> None:
        del self.session, self.decoder

    def _feed(self, batch: Batch) -> Batch:
        """The batch as this file takes it: nothing was said before."""
        told = feed(batch, {name: kind for name, kind in self.wanted.items() if not is_cache(name)})
        return told | empty_cache(self.session.get_inputs(), len(next(iter(told.values()))))

    def _settings(self) -> Any:
        import onnxruntime

        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads, settings.inter_op_num_threads = self.threads, 1
        level = LEVELS[self.options.optimization]
        settings.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
        settings.log_severity_level = 3
        spinning = "1" if self.options.allow_spinning else "0"
        settings.add_session_config_entry("session.intra_op.allow_spinning", spinning)
        settings.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
        if self.options.arm64_bfloat16:
            settings.add_session_config_entry("mlas.enable_gemm_fastmath_arm64_bfloat16", "1")
        return settings

    def _load(self, path: Path, settings: Any) -> Any:
        import onnxruntime
        from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidArgument, InvalidGraph, NotImplemented

        provider = (known_providers()[self.device][0], self.options.provider_options)
        providers = [provider] if self.device == "cpu" else [provider, ("CPUExecutionProvider", {})]
        try:
            return onnxruntime.InferenceSession(str(path), settings, providers=providers)
        except (Fail, InvalidArgument, InvalidGraph, NotImplemented) as error:
            first = str(error).strip().splitlines()[0][:300]
            raise WorkbenchError(f"ONNX Runtime cannot run {path.name}.", first) from error

    def _placement(self) -> dict[str, int]:
        counts: Counter[str] = Counter()
        for part in self.session.get_provider_graph_assignment_info():
            counts[part.ep_name] += len(part.get_nodes())
        return dict(counts.most_common())


def known_providers() -> dict[str, tuple[str, str]]:
    """{device: (provider, what adds it)}: ours, and whatever else the installed build has, by its own name."""
    import onnxruntime

    listed = {*ELSEWHERE, *(provider for provider, _ in PROVIDERS.values())}
    others = [provider for provider in onnxruntime.get_available_providers() if provider not in listed]
    return PROVIDERS | {provider.removesuffix(ENDING).lower(): (provider, f"See {PAGES}.") for provider in others}


def model_file(folder: Path) -> Path:
    """Raises WorkbenchError when there is no ONNX file."""
    found = onnx_files(folder)
    if not found:
        raise WorkbenchError(f"There is no ONNX file in {folder.name}.", "", "Export the model first.")
    return found[0]


def graph_precision(graph: Graph) -> str:
    """ "int8" where any product computes in integers; else the precision in which most of the weights are stored."""
    if any(row["quantized"] for row in coverage(graph).values()):
        return "int8"
    floats = [dtype for dtype in precision(graph) if dtype in PRECISIONS]
    return PRECISIONS[floats[0]] if floats else "fp32"


def _count(graph: Graph) -> dict[str, Any]:
    operators = graph.operators
    return {
        "operators": operators,
        "precision": precision(graph),
        "coverage": coverage(graph),
        "qdq_pairs": sum(_is_pair(graph, node.inputs[0]) for node in graph.nodes if node.type == "DequantizeLinear"),
        "casts": operators.get("Cast", 0),
        "fused": dict(sorted(Counter(node.type for node in graph.nodes if node.domain == "com.microsoft").items())),
    }


def _is_pair(graph: Graph, value: str) -> bool:
    source = graph.producers.get(value)
    return source is not None and source.type == "QuantizeLinear"


def _optimized(path: Path) -> Graph:
    """The graph as the runtime rewrites it for a CPU. Layout changes that depend on the processor are included."""
    import onnxruntime

    with tempfile.TemporaryDirectory() as folder:
        settings = onnxruntime.SessionOptions()
        settings.optimized_model_filepath = str(Path(folder) / "optimized.onnx")
        settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        settings.intra_op_num_threads = 1
        settings.log_severity_level = 4  # it warns that such a file is for this processor only; nobody keeps it
        settings.add_session_config_entry("session.optimized_model_external_initializers_file_name", "weights.bin")
        onnxruntime.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])
        return read_onnx(Path(folder) / "optimized.onnx")


def _rows(events: list[dict[str, Any]], calls: int) -> list[dict[str, Any]]:
    rows: dict[str, dict[str, Any]] = {}
    for event in events:
        name, suffix, _ = event.get("name", "").partition("_kernel_time")
        if event.get("cat") != "Node" or not suffix:
            continue
        facts = event["args"]
        row = rows.setdefault(
            name,
            {
                "name": name,
                "type": facts.get("op_name", ""),
                "precision": _kernel_precision(facts),
                "provider": facts.get("provider", ""),
                "seconds": 0.0,
            },
        )
        row["seconds"] += event["dur"] / 1e6 / calls
    return list(rows.values())


def _kernel_precision(facts: dict[str, Any]) -> str:
    """From the types a kernel was called with: integers in, or the float it computes in."""
    kinds = [kind for entry in facts.get("input_type_shape", []) for kind in entry]
    if any(kind in ("int8", "uint8") for kind in kinds) or "Integer" in facts.get("op_name", ""):
        return "int8"
    found = next((kind for kind in kinds if kind in ("float", "float16", "bfloat16")), kinds[0] if kinds else "")
    return {"float": "fp32", "float16": "fp16", "bfloat16": "bf16"}.get(found, found)
