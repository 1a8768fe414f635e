"""An ONNX file made ready for ONNX Runtime's quantizers."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path

from workbench.errors import WorkbenchError
from workbench.graph import read_onnx
from workbench.steps.results import onnx_model

LARGE = 1_500_000_000  # bytes; a protobuf file may not pass 2 GB


@contextmanager
def quantizable(folder: Path, name: str = "") -> Iterator[Path]:
    """A copy of the model, or of its part called `name`, in a temporary folder, without stale shapes. A true copy: onnx
    refuses linked weights.

    The dynamic quantizer transposes weights in place and then stumbles over shapes noted for them before.
    """
    import onnx

    source = folder / name if name else onnx_model(folder)
    with tempfile.TemporaryDirectory() as place:
        copy = Path(place) / source.name
        for side in folder.glob(f"{source.name}*"):
            if side != source:
                shutil.copyfile(side, copy.parent / side.name)
        model = onnx.load(str(source), load_external_data=False)
        weights = {tensor.name for tensor in model.graph.initializer}
        kept = [info for info in model.graph.value_info if info.name not in weights]
        del model.graph.value_info[:]
        model.graph.value_info.extend(kept)
        onnx.save(model, str(copy))
        yield copy


def is_large(model: Path) -> bool:
    return sum(path.stat().st_size for path in model.parent.glob(f"{model.name}*")) > LARGE


def excluded(models: Sequence[Path], patterns: tuple[str, ...]) -> list[str]:
    """Names of the nodes in these files that the patterns match. Raises WorkbenchError for a pattern that matches
    none."""
    names = [node.name for model in models for node in read_onnx(model).nodes] if patterns else []
    chosen: list[str] = []
    for pattern in patterns:
        found = [name for name in names if fnmatchcase(name, pattern)]
        if not found:
            some = ", ".join(names[:3])
            raise WorkbenchError(f"No operator is called {pattern}.", f"The first ones are {some}.", "Check `exclude`.")
        chosen.extend(found)
    return chosen
