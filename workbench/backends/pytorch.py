"""PyTorch as transformers runs it: the honest baseline."""

from __future__ import annotations

import importlib.util
import runpy
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from workbench import plugin
from workbench.backends import torch_weights
from workbench.backends.feeds import ranked
from workbench.errors import RequestError, WorkbenchError
from workbench.generation import Habits, habits
from workbench.graph import bits_of
from workbench.machine import Machine

if TYPE_CHECKING:
    from workbench.plugin import Batch

PRECISIONS = {"float32": "fp32", "bfloat16": "bf16", "float16": "fp16", "int8": "int8"}
SAFETENSORS = {"F32": "float32", "BF16": "bfloat16", "F16": "float16", "I8": "int8", "I64": "int64"}
COMPILED = "CompiledFxGraph"  # in the profiler's name for a call of compiled code
NO_MPS = "PyTorch finds no GPU of a Mac here. On a Mac with an M chip run `pip install torch`."
COMPILATIONS = 32  # kinds of call that torch.compile may tell apart: one text or several, prompt or next token, ...
COMPILERS = ("g++", "clang++", "c++", "cl")


class PyTorch(plugin.Backend):
    name = "pytorch"
    summary = "The model as transformers loads it: eval and inference mode, transformers' default attention."
    needs = ("torch", "transformers")
    reads = ("transformers",)
    promises = (plugin.Profiles, plugin.Writes)

    class Options(plugin.Options):
        auto_class: str = Field(
            "AutoModelForSequenceClassification",
            pattern=r"^AutoModel[A-Za-z0-9]*$",
            description="The class of transformers that loads the model; the task names it.",
        )
        dtype: Literal["float32", "bfloat16", "float16"] = Field(
            "float32",
            description="Precision of weights and arithmetic, whatever the checkpoint has.",
            json_schema_extra={"search": ["float32", "bfloat16"]},
        )
        compile: bool = Field(
            False,
            description="torch.compile: operators are fused into machine code at the first call, which takes a minute "
            "or more; lengths may change from call to call afterwards. Of a model that writes, the calls that read a "
            "prompt and those that add a token are compiled apart.",
            json_schema_extra={"search": [False, True]},
        )

    def devices(self) -> list[plugin.Device]:
        """PyTorch itself, which takes seconds to import, is asked only where its build may find a GPU."""
        build = _build()
        cuda, mps = plugin.Device("cuda", missing=_no_cuda(build)), plugin.Device("mps", missing=NO_MPS)
        if build["cuda"] or build["hip"] or sys.platform == "darwin":
            import torch

            if torch.cuda.is_available():
                cuda = plugin.Device("cuda", torch.cuda.get_device_name())
            if torch.backends.mps.is_available():
                mps = plugin.Device("mps", "Apple GPU")
        return [plugin.Device("cpu", f"PyTorch {build['__version__']}"), cuda, mps]

    def unsuited(self, device: str, options: Any, machine: Machine) -> str:
        if options.compile and device == "cpu" and not any(map(shutil.which, COMPILERS)):
            return "torch.compile needs a C++ compiler, and there is none here: install g++ or clang."
        if device != "cpu" or options.dtype != "bfloat16" or machine.computes("bf16"):
            return ""
        return "This CPU has no bfloat16 instructions: PyTorch would emulate them, some hundred times slower."

    def open(self, folder: Path, device: str, threads: int, options: Any) -> PyTorchSession:
        """Raises RequestError for a device this build lacks, WorkbenchError where the model cannot be loaded."""
        known = {found.name: found for found in self.devices()}
        if device not in known or known[device].missing:
            why = known[device].missing if device in known else f"Known: {', '.join(known)}."
            raise RequestError(f"PyTorch has no device {device} here.", why)
        return PyTorchSession(folder, device, threads, options)

    def opening(self, folder: Path, auto_class: str) -> str:
        """Weights in 4 bits lie in an order that this processor's kernel cannot read: see `pack_for_cpu`."""
        if torch_weights.is_four_bits(folder):
            return ""
        return f"from transformers import {auto_class}\n\nmodel = {auto_class}.from_pretrained(folder)\n"

    def audit(self, folder: Path) -> dict[str, Any]:
        """Modules by type, from an empty model built after config.json, and {dtype: bytes} of the file."""
        sizes: Counter[str] = Counter()
        names = []
        for name, dtype, count in _headers(folder):
            sizes[dtype] += count * bits_of(dtype) // 8
            names.append(name)
        operators = _modules(folder)
        found = {"operators": operators, "precision": dict(sizes.most_common()), "tensors": len(names)}
        return found | torch_weights.coverage_of_file(folder, names, operators.get("Linear", 0))


class PyTorchSession(plugin.Session):
    def __init__(self, folder: Path, device: str, threads: int, options: PyTorch.Options) -> None:
        import torch
        import transformers

        torch.set_num_threads(threads)
        auto_class = getattr(transformers, options.auto_class, None)
        if auto_class is None:
            raise RequestError(f"transformers has no class {options.auto_class}.", "", "Name the class of the task.")
        quiet: Any = transformers.utils.logging
        quiet.disable_progress_bar()
        try:
            model = auto_class.from_pretrained(folder, dtype=getattr(torch, options.dtype))
        except (OSError, ValueError) as error:
            first = str(error).strip().splitlines()[0]
            raise WorkbenchError(f"{folder.name} cannot be loaded as {options.auto_class}.", first) from error
        self.model = model.to(device).eval()
        if device == "cpu":
            torch_weights.pack_for_cpu(self.model)
        self.device = device
        self.habits = habits(folder)
        self.known = _parameters(self.model)
        if options.compile:
            _compile(self.model)

    def infer(self, batch: Batch) -> Batch:
        """One call in inference mode. Pictures are cast to the model's precision, ids are not."""
        import torch

        with torch.inference_mode():
            return self._plain(self.model(**self._tensors(batch)))

    def write(self, batch: Batch, new_tokens: int, ends: bool = True) -> plugin.Written:
        """By transformers' own `generate`, with its usual cache; nothing but the likeliest token counts."""
        import torch
        from transformers import GenerationMixin

        given = self._tensors({name: value for name, value in batch.items() if name != "position_ids"})
        begun = given["decoder_input_ids"] if "decoder_input_ids" in given else given["input_ids"]
        self.model.generation_config = _greedy(new_tokens, self.habits, ends, int(begun[0, 0]))
        clock = _FirstToken(self.wait)
        general: Any = GenerationMixin  # not a model's own `generate`, which may listen in pieces or guess a language
        with torch.inference_mode():
            said = general.generate(self.model, **given, stopping_criteria=[clock])
        self.wait()
        return plugin.Written(said[:, begun.shape[1] :].cpu().numpy(), clock.first, time.perf_counter() - clock.begin)

    def wait(self) -> None:
        if self.device == "cuda":
            import torch

            torch.cuda.synchronize()

    def facts(self) -> dict[str, Any]:
        """Read back from the loaded modules: precision is that in which most of the weights are computed with,
        `stored` in what they lie in memory. `graphs`: how many pieces of compiled code there are."""
        import torch

        sizes: Counter[str] = Counter()
        stored: Counter[str] = Counter()
        for weight in self.model.parameters():
            sizes[torch_weights.computes_in(weight)] += weight.numel()
            stored[torch_weights.stored_in(weight)] += weight.numel()
        dtype = sizes.most_common(1)[0][0]
        return {
            "precision": PRECISIONS.get(dtype, dtype),
            "dtypes": dict(sizes),
            "stored": dict(stored),
            "graphs": _compiled_graphs(),
            "device": self.device,
            "threads": torch.get_num_threads(),
            "attention": getattr(self.model.config, "_attn_implementation", ""),
            "modules": _leaves(self.model),
            "parameters": sum(sizes.values()),
            "version": torch.__version__,
        }

    def profile(self, batches: Sequence[Batch]) -> list[dict[str, Any]]:
        """Seconds a call of each operator itself, without what it calls, by torch.profiler. What torch.compile fused
        is one row, called compiled."""
        import torch
        from torch.profiler import ProfilerActivity

        activities = [ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if self.device == "cuda" else [])
        self.infer(batches[0])
        with torch.profiler.profile(activities=activities) as profiler:
            for batch in batches:
                self.infer(batch)
            self.wait()
        precision = self.facts()["precision"]
        return ranked(
            [
                {
                    "name": event.key,
                    "type": _kind(event.key),
                    "precision": precision,
                    "provider": self.device,
                    "seconds": max(event.self_cpu_time_total, event.self_device_time_total) / 1e6 / len(batches),
                }
                for event in profiler.key_averages()
                if _kind(event.key)
            ]
        )

    def close(self) -> None:
        del self.model

    def _tensors(self, batch: Batch) -> dict[str, Any]:
        import torch

        dtype = next(self.model.parameters()).dtype
        tensors = {}
        for name in self.known & batch.keys():
            tensor = torch.from_numpy(batch[name]).to(self.device)
            tensors[name] = tensor.to(dtype) if tensor.is_floating_point() else tensor
        return tensors

    def _plain(self, outputs: Any) -> Batch:
        import torch

        return {
            name: (value.float() if value.is_floating_point() else value.long()).cpu().numpy()
            for name, value in outputs.items()
            if isinstance(value, torch.Tensor)
        }


class _FirstToken:
    """Asked by `generate` after every token whether it shall stop: it notes when the first one was there."""

    def __init__(self, wait: Callable[[], None]) -> None:
        self.wait, self.first, self.begin = wait, 0.0, time.perf_counter()

    def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:
        import torch

        if not self.first:
            self.wait()
            self.first = time.perf_counter() - self.begin
        return torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)


def _compile(model: Any) -> None:
    """In place, so that what `generate` calls is compiled as well; an encoder it calls apart. A kind of call beyond
    COMPILATIONS is an error, not a call that runs uncompiled under a compiled name."""
    import torch

    torch._dynamo.config.recompile_limit = COMPILATIONS
    torch._dynamo.config.fail_on_recompile_limit_hit = True
    for part in (model, *([model.get_encoder()] if model.config.is_encoder_decoder else [])):
        part.compile(dynamic=True)


def _greedy(new_tokens: int, habits: Habits, ends: bool, start: int) -> Any:
    from transformers import GenerationConfig

    return GenerationConfig(
        do_sample=False, num_beams=1, max_new_tokens=new_tokens, pad_token_id=habits.padding,
        eos_token_id=list(habits.ends) or None if ends else None, decoder_start_token_id=start,
        suppress_tokens=list(habits.never) or None, begin_suppress_tokens=list(habits.not_first) or None,
    )  # fmt: skip


def _modules(folder: Path) -> dict[str, int]:
    """No weight is read or made: the model is built on the meta device. Empty where config.json names no class."""
    import torch
    import transformers

    config = transformers.AutoConfig.from_pretrained(folder)
    name = (config.architectures or [""])[0]
    if (model_class := getattr(transformers, name, None)) is None:
        return {}
    with torch.device("meta"):
        return _leaves(model_class(config))


def _leaves(model: Any) -> dict[str, int]:
    """{type of module: count} of the modules that hold no others."""
    return dict(Counter(type(leaf).__name__ for leaf in model.modules() if not list(leaf.children())).most_common())


def _parameters(model: Any) -> set[str]:
    """Names that the model's forward takes."""
    import inspect

    return set(inspect.signature(model.forward).parameters)


def _build() -> dict[str, Any]:
    """{"__version__", "cuda", "hip"} of the installed PyTorch, from its own file."""
    spec = importlib.util.find_spec("torch")
    assert spec and spec.origin, "devices of what is not installed"
    return runpy.run_path(str(Path(spec.origin).with_name("version.py")))


def _no_cuda(build: dict[str, Any]) -> str:
    if not (build["cuda"] or build["hip"]):
        return (
            "This PyTorch was built without CUDA. Where there is an NVIDIA GPU, run "
            "`pip install --force-reinstall torch`; for ROCm see pytorch.org/get-started."
        )
    return "PyTorch sees no CUDA device. Check the driver with `nvidia-smi`."


def _kind(event: str) -> str:
    """The operator that an event of the profiler stands for; "" where it stands for none."""
    if COMPILED in event:
        return "compiled"
    return event.removeprefix("aten::") if event.startswith("aten::") else ""


def _compiled_graphs() -> int:
    from torch._dynamo.utils import counters

    return int(counters["stats"]["unique_graphs"])


def _headers(folder: Path) -> list[tuple[str, str, int]]:
    """(name, dtype, elements) of every tensor in the safetensors files."""
    import json
    from math import prod

    found = []
    for path in sorted(folder.glob("*.safetensors")):
        with path.open("rb") as file:
            header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        header.pop("__metadata__", None)
        for name, entry in header.items():
            found.append((name, SAFETENSORS.get(entry["dtype"], entry["dtype"].lower()), prod(entry["shape"])))
    return found
