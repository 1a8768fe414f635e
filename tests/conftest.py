"""Every test has a home, a folder for temporary files and a measuring lock of its own, and no network.

What is costly is made once: a small model with its rows and recipes (`small`), and a home in which one
comparison of them has run (`warm_run`); a test that changes a home takes a copy (`warm_home`).
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from filelock import FileLock

# Before anything imports torch: threads of this process that spin beside its workers made a fixture of seconds take
# minutes. Workers set their own.
os.environ |= {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}

REPOSITORY = Path(__file__).resolve().parent.parent
CLOSED = "http://127.0.0.1:9"  # nobody listens there
SECRETS = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH", "HF_HOME")
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests first, and those of few tests, which are long ones: of two workers none then waits for the
    other's last file."""
    slow, many = {item.path for item in items if item.get_closest_marker("slow")}, Counter(item.path for item in items)
    items.sort(key=lambda item: (item.path not in slow, many[item.path], item.path))


@pytest.fixture(scope="session", autouse=True)
def _apart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The measuring lock lies in TMPDIR: tests wait for no run of anybody else."""
    folder = tmp_path_factory.mktemp("tmp")
    signal.signal(signal.SIGINT, signal.default_int_handler)  # begun in the background, it would be ignored below us
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(folder))
        patch.setattr(tempfile, "tempdir", None)
        patch.setenv("HF_ENDPOINT", CLOSED)
        patch.setenv("NO_PROXY", "*")
        patch.setenv("PYTHONPATH", str(REPOSITORY))
        for name in (*SECRETS, *PROXIES):
            patch.delenv(name, raising=False)
        yield
    tempfile.tempdir = None


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home of this test; nothing is in it."""
    folder = tmp_path / "home"
    monkeypatch.setenv("WORKBENCH_HOME", str(folder))
    return folder


# ---- what is made once --------------------------------------------------------------------------


@dataclass(frozen=True)
class Small:
    """A text classifier of two layers, 120 labelled rows, and recipes that measure for a blink."""

    model: Path
    rows: Path
    baseline: Path
    recipes: tuple[Path, Path]  # two that share an export

    def words(self) -> list[str]:
        """As the command line takes them."""
        named = [word for recipe in self.recipes for word in ("-r", str(recipe))]
        return [str(self.model), "--data", str(self.rows), "--baseline", str(self.baseline), *named]


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], Any]) -> tuple[Path, Any]:
    """(folder, what `make` said of it, as JSON holds it): made by the first of pytest's processes that needs it, while
    the others wait."""
    own = factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    folder, said = shared / name, shared / f"{name}.json"
    with FileLock(shared / f"{name}.lock"):
        if not said.exists():
            folder.mkdir()
            said.write_text(json.dumps(make(folder)))
    return folder, json.loads(said.read_text())


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    def build(folder: Path) -> None:
        from tests import small as make

        for name in ("pytorch-fp32", "onnx-fp32", "onnx-int8-dynamic"):
            make.make_recipe(folder, name)
        make.make_model(folder / "model")
        make.make_rows(folder / "rows.csv")

    folder, _ = once(tmp_path_factory, "small", build)
    baseline, *others = [folder / f"{name}.yaml" for name in ("pytorch-fp32", "onnx-fp32", "onnx-int8-dynamic")]
    return Small(folder / "model", folder / "rows.csv", baseline, (others[0], others[1]))


def planned(small: Small, **changes: Any) -> Any:
    """The plan of comparing `small`, in the home of this moment."""
    from workbench import bench

    asked: dict[str, Any] = {"recipes": small.recipes, "baseline": small.baseline, "data": str(small.rows)}
    return bench.plan(bench.request(str(small.model), **asked | changes))


@pytest.fixture(scope="session")
def warm_run(small: Small, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """(home, run id) of a comparison that has run to its end. Only to be read."""

    def compare(folder: Path) -> str:
        from workbench import bench

        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("WORKBENCH_HOME", str(folder))
            run = bench.submit(planned(small))
            for _ in bench.follow(run):
                pass
            assert bench.status(run) == "ok", (folder / "runs" / run / "log" / "runner.log").read_text()
        return run

    return once(tmp_path_factory, "warm", compare)


@pytest.fixture
def warm_home(home: Path, warm_run: tuple[Path, str]) -> Path:
    """The home of this test, in which everything of `small` is built already."""
    shutil.copytree(warm_run[0], home)
    return home


def know_machine(home: Path, warm_run: tuple[Path, str]) -> None:
    """Put the peaks of this machine into a new home: measuring them takes ten seconds, one test after the other."""
    from workbench import bench
    from workbench.store import Store

    warm, run = warm_run
    peaks = Store(warm).find(bench.plan_of(run, Store(warm)).piece("peaks").key)
    assert peaks is not None
    place = peaks.path.parent
    shutil.copytree(place, home / place.relative_to(warm))


@pytest.fixture
def known_machine(home: Path, warm_run: tuple[Path, str]) -> None:
    """The home of this test knows the peaks of this machine."""
    know_machine(home, warm_run)


@pytest.fixture
def exported(warm_run: tuple[Path, str], tmp_path: Path) -> Path:
    """The recipe file that a run wrote; may be edited. How fast a tiny model is depends on what else the machine
    does, so its promise on speed is made a wide one."""
    home, run = warm_run
    file = Path(shutil.copy(home / "runs" / run / "recipes" / "onnx-int8-dynamic.yaml", tmp_path))
    return edit(file, lambda said: said["expect"]["speed"][0].update(ci95=[1e-4, 1e6]))


def edit(file: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    said = yaml.safe_load(file.read_text())
    change(said)
    file.write_text(yaml.safe_dump(said, sort_keys=False))
    return file


# ---- other processes ----------------------------------------------------------------------------


def command(*words: str, cwd: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
    """`python -m workbench …` to its end."""
    return subprocess.run(
        [sys.executable, "-m", "workbench", *words], cwd=cwd, env=os.environ | env, capture_output=True, text=True,
        timeout=400,
    )  # fmt: skip


@pytest.fixture
def in_background() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a program that is ended with the test."""
    begun: list[subprocess.Popen[str]] = []

    def begin(*words: str, **more: Any) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True, **more
        )
        begun.append(process)
        return process

    yield begin
    for process in begun:
        process.kill()
        process.communicate()
