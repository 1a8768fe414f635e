"""Opening is light: help and `import workbench` load no model library, and measuring workers only their own runtime."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from tests.conftest import Small
from workbench import isolate, machine
from workbench.faces.terminal import app
from workbench.isolate import Limits
from workbench.store import Store

HEAVY = {"torch", "transformers", "onnx", "onnxruntime", "openvino", "nncf", "optimum", "gradio", "pandas", "scipy",
         "datasets", "pyarrow", "sklearn", "plotly", "torchao", "executorch"}  # fmt: skip

LOOK = """
import sys
try:
    {code}
except SystemExit:
    pass
print("MODULES", *sorted({{name.split(".")[0] for name in sys.modules}}), file=sys.stderr)
"""


def modules_after(code: str, *words: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", LOOK.format(code=code), *words], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0 and "MODULES" in done.stderr, done.stderr
    return set(done.stderr.rpartition("MODULES")[2].split())


def commands(group: Any, before: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Every command and group of commands, as the words that lead to it."""
    found = [before]
    for name, one in sorted(getattr(group, "commands", {}).items()):
        found += commands(one, (*before, name))
    return found


COMMANDS = commands(typer.main.get_command(app))


def test_the_commands_of_the_contract_are_there() -> None:
    words = {"try", "compare", "run", "verify", "plan", "recipes", "targets", "tasks", "backends", "models", "machine",
             "runs", "show", "follow", "resume", "cancel", "clean", "report", "app"}  # fmt: skip
    assert words <= {command[0] for command in COMMANDS if command}


@pytest.mark.parametrize("words", COMMANDS, ids=[" ".join(words) or "workbench" for words in COMMANDS])
def test_help_imports_no_model_library(words: tuple[str, ...]) -> None:
    assert not modules_after("from workbench.faces.terminal import main; main()", *words, "--help") & HEAVY


def test_importing_workbench_imports_no_model_library() -> None:
    assert not modules_after("import workbench") & HEAVY


@pytest.mark.parametrize("room", ["bench", "planning", "running", "catalog", "faces.board", "faces.live", "hub"])
def test_what_a_face_may_import_is_light(room: str) -> None:
    assert not modules_after(f"import workbench.{room}") & HEAVY


def test_listing_what_there_is_imports_no_model_library() -> None:
    for word in ("recipes", "tasks", "targets", "runs"):
        assert not modules_after("from workbench.faces.terminal import main; main()", word) & HEAVY


def test_facts_of_backends_are_light_but_for_their_devices_which_are_asked_in_a_worker() -> None:
    code = "from workbench import inventory; assert inventory.backends(lambda name: {})"
    assert not modules_after(code) & HEAVY


# ---- measuring workers --------------------------------------------------------------------------

FOREIGN = {"torch", "transformers", "tokenizers", "nncf", "optimum", "pandas", "scipy", "datasets"}


def parked(variant: str, warm_run: tuple[Path, str], log: Path) -> tuple[dict[str, Any], set[str]]:
    """What the worker of a variant says when it is ready, and the modules it has loaded by then."""
    from tests import jobs
    from workbench import running

    store = Store(warm_run[0])
    plan = running.plan_of(warm_run[1], store)
    one = next(found for found in plan.variants if found.name == variant)
    paths = {id: str(store.find(plan.piece(id).key).path) for id in ("inputs", one.artifact)}  # type: ignore[union-attr]
    job = {"backend": one.backend, "device": one.device, "options": one.options, "folder": paths[one.artifact],
           "inputs": paths["inputs"], "task": plan.task, "threads": machine.auto_threads(), "order": [0, 1, 2, 3],
           "batches": [1], "sequences": [16], "warmup_calls": 1, "calls": 2}  # fmt: skip
    with isolate.start(jobs.park_and_look, job, Limits(seconds=120), log) as worker:
        said = worker.answer()
        turn = worker.ask({"point": 0, "start": 0, "calls": 2, "warmup": 1})["ready"]
        assert len(turn["latency"]) == 2 and min(turn["latency"]) > 0
    return said["ready"], {name.split(".")[0] for name in said["modules"]}


@pytest.mark.parametrize("variant", ["onnx-fp32", "onnx-int8-dynamic"])
def test_a_measuring_worker_imports_its_own_runtime_only(
    variant: str, warm_run: tuple[Path, str], tmp_path: Path
) -> None:
    ready, modules = parked(variant, warm_run, tmp_path / "log")
    assert "onnxruntime" in modules
    assert not sorted(modules & {*FOREIGN, "openvino"})
    assert [point["name"] for point in ready["points"]] == ["natural, batch 1", "16 tokens, batch 1"]
    assert json.loads(json.dumps(ready)) == ready


def test_an_openvino_measuring_worker_imports_its_own_runtime_only(
    small: Small, warm_home: Path, warm_run: tuple[Path, str], tmp_path: Path
) -> None:
    from tests import jobs
    from workbench import running, work

    store = Store(warm_home)
    plan = running.plan_of(warm_run[1], store)
    prepared = store.find(plan.piece("inputs").key)
    assert prepared is not None
    into = tmp_path / "openvino"
    into.mkdir()
    build = {"step": "export-openvino", "options": {}, "task": plan.task, "seed": 7,
             "inputs": str(prepared.path), "calibration": None, "source": str(small.model), "into": str(into),
             "model": str(small.model)}  # fmt: skip
    isolate.call(work.build, build, Limits(seconds=300), tmp_path / "build.log")
    job = {"backend": "openvino", "device": "cpu", "options": {}, "folder": str(into), "inputs": str(prepared.path),
           "task": plan.task, "threads": 1, "order": [0, 1], "batches": [1], "sequences": [],
           "warmup_calls": 1, "calls": 2}  # fmt: skip
    with isolate.start(jobs.park_and_look, job, Limits(seconds=120), tmp_path / "log") as worker:
        modules = {name.split(".")[0] for name in worker.answer()["modules"]}
    assert "openvino" in modules and not sorted(modules & {*FOREIGN, "onnx", "onnxruntime"})
