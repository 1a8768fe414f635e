"""ExecuTorch, run here on the CPU only: what it says of accuracy holds for a phone, what it says of speed does not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench import plugin
from workbench.backends.feeds import plain
from workbench.errors import RequestError, WorkbenchError
from workbench.feeding import feed
from workbench.graph.program import read_pte

if TYPE_CHECKING:
    from workbench.plugin import Batch

LABEL = "for phones and boards; run and measured here on this machine's CPU by XNNPACK"


class ExecuTorch(plugin.Backend):
    """Its Python runtime imports torch, which the memory of its rows therefore includes; on a device it does not."""

    name = "executorch"
    summary = (
        "Programs for phones and boards, run here on the CPU by XNNPACK. Faster or slower than PyTorch: that depends "
        "on the machine, so measure it."
    )
    needs = ("executorch", "torch")
    reads = ("executorch",)

    def devices(self) -> list[plugin.Device]:
        from importlib.metadata import version

        return [plugin.Device("cpu", f"ExecuTorch {version('executorch')}, {LABEL}")]

    def open(self, folder: Path, device: str, threads: int, options: Any) -> ExecuTorchSession:
        """Raises RequestError for another device, WorkbenchError for a file it cannot run."""
        if device != "cpu":
            raise RequestError(f"ExecuTorch has no device {device} here.", "Its programs for others run there only.")
        return ExecuTorchSession(model_file(folder), threads)

    def opening(self, folder: Path, auto_class: str) -> str:
        name = model_file(folder).name
        return (
            "from executorch.runtime import Runtime\n\n"
            f'model = Runtime.get().load_program(f"{{folder}}/{name}").load_method("forward")\n'
        )

    def audit(self, folder: Path) -> dict[str, Any]:
        """Operators inside XNNPACK are called XNN…; the others run by portable kernels, which are slow."""
        program = read_pte(model_file(folder))
        return {"operators": program.operators, "coverage": program.coverage(), "measured": LABEL}


class ExecuTorchSession(plugin.Session):
    def __init__(self, path: Path, threads: int) -> None:
        runtime, kernels = _runtime()
        self.path = path
        kernels._unsafe_reset_threadpool(threads)
        try:
            self.program = runtime.get().load_program(path)
            self.method: Any = self.program.load_method("forward")
        except RuntimeError as error:
            raise WorkbenchError(f"ExecuTorch cannot run {path.name}.", str(error).strip()[:300]) from error
        self.wanted, self.names = _signature(path)
        described = self.method.metadata
        self.bounds = {name: tuple(described.input_tensor_meta(at).sizes()) for at, name in enumerate(self.wanted)}

    def infer(self, batch: Batch) -> Batch:
        """Raises WorkbenchError for an input larger than the program has room for, or that it cannot run."""
        import torch

        given = feed(batch, self.wanted)
        for name, most in self.bounds.items():
            _within(name, given[name].shape, most)
        try:
            found = self.method.execute([torch.from_numpy(given[name]) for name in self.wanted])
        except RuntimeError as error:
            raise WorkbenchError(f"ExecuTorch cannot run {self.path.name} on this input.", str(error)) from error
        return plain({name: found[at].numpy().copy() for name, at in self.names.items()})

    def facts(self) -> dict[str, Any]:
        """Precision is read from the program; `bounds` are the largest inputs it has room for."""
        from importlib.metadata import version

        _, kernels = _runtime()
        return {
            "precision": read_pte(self.path).precision,
            "device": "cpu",
            "threads": kernels._threadpool_get_thread_count(),
            "bounds": {name: list(most) for name, most in self.bounds.items()},
            "measured": LABEL,
            "version": version("executorch"),
        }

    def close(self) -> None:
        del self.method, self.program


def model_file(folder: Path) -> Path:
    """Raises WorkbenchError when there is no program."""
    found = sorted(folder.glob("*.pte"))
    if not found:
        raise WorkbenchError(f"There is no ExecuTorch program in {folder.name}.", "", "Export the model first.")
    return found[0]


def _runtime() -> tuple[Any, Any]:
    """The runtime's door and its compiled part. It warns of being experimental each time it is imported."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from executorch.extension.pybindings import portable_lib
        from executorch.runtime import Runtime
    return Runtime, portable_lib


def _signature(path: Path) -> tuple[dict[str, str], dict[str, int]]:
    """({input: dtype} in the program's order, {output: place}), which the exporter noted beside the program."""
    said = json.loads((path.parent / "export.json").read_text(encoding="utf-8"))
    metadata = next(part["metadata"] for part in said["components"].values() if part["file"] == path.name)
    inputs = {name: one["dtype"] for name, one in metadata["kwargs"].items() if "dtype" in one}
    spec = json.loads(metadata["out_spec"])[1]
    places, outputs = 0, dict[str, int]()
    for name, child in zip(json.loads(spec["context"]), spec["children_spec"], strict=True):
        if not child["children_spec"]:
            outputs[name] = places
        places += _leaves(child)
    return inputs, outputs


def _leaves(spec: dict[str, Any]) -> int:
    return sum(map(_leaves, spec["children_spec"])) or 1


def _within(name: str, shape: tuple[int, ...], most: tuple[int, ...]) -> None:
    if any(length > bound for length, bound in zip(shape, most, strict=True)):
        raise WorkbenchError(
            f"The input {name} is too large for this program: {list(shape)}, and it has room for {list(most)}.",
            "An ExecuTorch program plans its memory when it is exported.",
            "Export it with a larger max_length or max_batch.",
        )
