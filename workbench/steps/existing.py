"""A model that somebody else converted, taken as it is."""

from __future__ import annotations

import shutil
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from pydantic import Field

from workbench import plugin
from workbench.errors import WorkbenchError
from workbench.graph import DECODER, DECODER_IR, check_ir, check_onnx, onnx_files, read_ir, read_onnx
from workbench.steps.folder import copy_companions, require_empty
from workbench.steps.results import IrResult, OnnxResult, TensorsResult, covered, ir_parts, onnx_parts

PLACES = (".", "onnx", "openvino")  # a repository's own, and its usual subfolders


class Existing(plugin.Step):
    name = "existing"
    summary = "Takes an ONNX or OpenVINO file, or a repository's onnx/ folder, as it is."
    needs = ("onnx",)
    takes = ("transformers", "onnx", "openvino")
    gives = "*"  # told by `format_of` before, and by the facts after
    takes_as_is = True
    version = 2

    class Options(plugin.Options):
        file: str = Field(
            "", description="Which file, such as model_quantized.onnx or onnx/*int8*.onnx; empty: the plain one."
        )

    def format_of(self, source: Path, options: Options) -> str:
        """The format of what `apply` will leave: found by looking at the files, before anything is copied."""
        found = find(source, options.file)
        return "transformers" if found is None else "onnx" if found.suffix == ".onnx" else "openvino"

    def apply(self, source: Path, into: Path, options: Options, context: plugin.StepContext) -> dict[str, Any]:
        """Facts: format, file, coverage. Raises WorkbenchError when no file, or more than one, fits."""
        found = find(source, options.file)
        require_empty(into)
        if found is None:
            shutil.copytree(source, into, dirs_exist_ok=True)
            return {"format": "transformers", "file": ""}
        facts = {"format": self.format_of(source, options), "file": found.relative_to(source).as_posix()}
        copy_companions(context.model, into)
        copy_companions(source, into)
        if found.parent != source:
            copy_companions(found.parent, into)
        if found.suffix == ".onnx":
            _copy_onnx(found, into / "model.onnx")
            if (decoder := found.with_name(DECODER)).is_file() and decoder != found:
                _copy_onnx(decoder, into / DECODER)
            return facts | {"coverage": covered(map(read_onnx, onnx_parts(into)))}
        _copy_ir(found, into / "openvino_model.xml")
        if (decoder := found.with_name(DECODER_IR)).is_file() and decoder != found:
            _copy_ir(decoder, into / DECODER_IR)
        return facts | {"coverage": covered(map(read_ir, ir_parts(into)))}

    def semantic(self, folder: Path) -> str:
        found = find(folder, "")
        kind = TensorsResult if found is None else OnnxResult if found.suffix == ".onnx" else IrResult
        return kind().semantic(folder)


def find(source: Path, wanted: str) -> Path | None:
    """The file meant by `wanted`; None stands for plain PyTorch weights. Raises WorkbenchError naming what is there."""
    for place in PLACES:
        folder = source / place
        models = onnx_files(folder) + sorted(p for p in folder.glob("*.xml") if p.with_suffix(".bin").is_file())
        named = [path for path in models if _fits(path, source, wanted)]
        if len(named) == 1 or (named and named[0].name == "model.onnx"):
            return named[0]
        if len(named) > 1:
            raise _unclear(source, wanted, named)
    if not wanted and any(source.glob("*.safetensors")):
        return None
    raise _unclear(source, wanted, [])


def _fits(path: Path, source: Path, wanted: str) -> bool:
    if not wanted:
        return path.name in ("model.onnx", "openvino_model.xml") or len(list(path.parent.glob(f"*{path.suffix}"))) == 1
    return fnmatchcase(path.name, wanted) or fnmatchcase(path.relative_to(source).as_posix(), wanted)


def _unclear(source: Path, wanted: str, found: list[Path]) -> WorkbenchError:
    there = found or [path for end in ("onnx", "xml") for path in sorted(source.rglob(f"*.{end}"))]
    names = ", ".join(path.relative_to(source).as_posix() for path in there[:8]) or "no ONNX or OpenVINO file"
    what = f"{len(found) or 'No'} files fit {wanted}." if wanted else "It is not clear which model file is meant."
    return WorkbenchError(what, f"There is {names}.", "Name one with the option `file`.")


def _copy_ir(found: Path, to: Path) -> None:
    check_ir(found)
    for path in (found, found.with_suffix(".bin")):
        shutil.copyfile(path, to.with_suffix(path.suffix))


def _copy_onnx(found: Path, to: Path) -> None:
    """Copy the graph, and the side files its weights lie in under the names it knows them by.

    Raises WorkbenchError when the file is no model, and when a side file is missing or lies outside the folder.
    """
    import onnx

    model = check_onnx(found)
    tensors = onnx.external_data_helper._get_all_tensors(model)
    places = {entry.value for tensor in tensors for entry in tensor.external_data if entry.key == "location"}
    for place in sorted(places):
        (to.parent / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(found.parent / place, to.parent / place)
    shutil.copyfile(found, to)
