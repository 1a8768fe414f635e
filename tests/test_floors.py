"""The house: imports go down only, nobody goes round in circles, and plug-ins are named where they live."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "workbench"

# From the ground up. A room imports rooms of lower floors only; rooms of one floor do not know each other.
FLOORS = (
    "errors words card version",  # words and small drawings of them
    "measurement artifact machine reply forks turns",  # what passes between, and where jobs begin
    "event evidence sentence plugin recipe starter",  # words of the house, built from those
    # machine classes, finished work, processes, graphs, inputs, texts, a plan as plain values, further figures
    "target store isolate graph inputs generation pieces figures",
    "feeding",  # from the batch a task made to what one model takes
    "hub steps backends tasks probes comparison report environment",  # rooms that do not know each other
    "catalog",  # which plug-ins there are
    # all the work, checked; inside a worker; locked packages, installed anew; what there is; forms; data that is given
    "planning work replica inventory editing uploads",
    "block outcome replay manual",  # interleaved rounds; what a run gives out; what a recipe file asks for; pages
    "executing difference",  # a plan's work, done here; what is other in two files or two runs
    "running",  # queue, detached runner, resume
    # drive running; one's own input on what a run made; a finished run to the Hub
    "tuning verification loading trying publishing",
    "bench runner",  # the one door; the process of a run, which knows every kind
    "faces",  # draw and ask
    "__init__ __main__",
)
# Rooms with several files or another name for one of them.
ROOMS = {"door": "recipe", "recipe_file": "recipe", "recipe_keys": "recipe", "recipe_proof": "recipe",
         "recipe_packages": "recipe", "recipe_manual": "recipe", "verification_run": "verification"}  # fmt: skip
FLOOR_OF = {room: number for number, rooms in enumerate(FLOORS) for room in rooms.split()}

PLUGIN_WORDS = re.compile(r"openvino|onnx_?runtime|executorch|nncf", re.IGNORECASE)
MAY_NAME_PLUGINS = ("steps", "backends", "targets", "graph")
# A format of weights on the Hub, and how its files are called: a word of the Hub's, as "safetensors" is.
FORMAT_WORDS = ("hub/allowed.py", "hub/models.py", "artifact.py")

FILES = sorted(PACKAGE.rglob("*.py"))


def name_of(file: Path) -> str:
    """workbench.hub.rows"""
    parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


NAMES = {name_of(file): file for file in FILES}


def room_of(module: str) -> str:
    word = module.split(".")[1] if "." in module else "__init__"
    return ROOMS.get(word, word)


@cache
def imports(file: Path) -> frozenset[str]:
    """Our modules that a file imports: on top, inside functions, under TYPE_CHECKING, and by import_module("…")."""
    return frozenset(_modules(ast.parse(file.read_text(encoding="utf-8")), name_of(file)))


def _modules(tree: ast.Module, here: str) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == "workbench")
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{here}: imports say the whole name"
            if (node.module or "").split(".")[0] == "workbench":
                yield from (_module(node.module or "", alias.name) for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")):
            yield from _named(node)


def _module(module: str, name: str) -> str:
    return f"{module}.{name}" if f"{module}.{name}" in NAMES else module


def _named(call: ast.Call) -> Iterator[str]:
    for word in call.args[:1]:
        if isinstance(word, ast.Constant) and str(word.value).startswith("workbench"):
            yield str(word.value)


def test_every_file_has_a_floor() -> None:
    rooms = {room_of(module) for module in NAMES}
    assert not rooms - set(FLOOR_OF), "add the new room to FLOORS"


@pytest.mark.parametrize("file", FILES, ids=[name_of(file) for file in FILES])
def test_imports_go_down(file: Path) -> None:
    here = room_of(name_of(file))
    there = {room_of(module) for module in imports(file)} - {here}
    up = sorted(room for room in there if FLOOR_OF[room] >= FLOOR_OF[here])
    assert not up, f"{here} (floor {FLOOR_OF[here]}) imports {up}"


def test_no_file_is_in_a_circle() -> None:
    graph = {module: {one for one in imports(file) if one != module} for module, file in NAMES.items()}
    while leaves := [module for module, found in graph.items() if not found]:
        graph = {module: found - set(leaves) for module, found in graph.items() if module not in leaves}
    assert not graph, f"these files import each other: {sorted(graph)}"


@pytest.mark.parametrize("file", FILES, ids=[name_of(file) for file in FILES])
def test_a_concrete_plugin_is_named_in_its_own_rooms_only(file: Path) -> None:
    inside = file.relative_to(PACKAGE)
    if inside.parts[0] in MAY_NAME_PLUGINS or inside.as_posix() in FORMAT_WORDS:
        return
    lines = file.read_text(encoding="utf-8").splitlines()
    named = [f"{number}: {line.strip()}" for number, line in enumerate(lines, 1) if PLUGIN_WORDS.search(line)]
    assert not named, named


HEAVY = {"torch", "transformers", "onnx", "onnxruntime", "openvino", "nncf", "optimum", "datasets", "pandas", "gradio",
         "torchao", "executorch"}  # fmt: skip


@pytest.mark.parametrize("file", FILES, ids=[name_of(file) for file in FILES])
def test_no_file_imports_a_model_library_on_top(file: Path) -> None:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    names = [alias.name for node in tree.body if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in tree.body if isinstance(node, ast.ImportFrom)]
    drawn = name_of(file).startswith("workbench.faces.web.")  # imported when the page is built, by `launch` alone
    assert not {name.split(".")[0] for name in names} & (HEAVY - {"gradio"} if drawn else HEAVY)
