"""The locked environment is built again, and the file is verified inside it. Needs pip and its packages."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import Small
from workbench import bench, recipe, replica
from workbench.errors import RequestError, WorkbenchError
from workbench.event import Made


def written(warm_run: tuple[Path, str], tmp_path: Path, name: str) -> Path:
    """The recipe file of a row; its promise on speed is made a wide one, because tests disturb each other."""
    home, run = warm_run
    file = Path(shutil.copy(home / "runs" / run / "recipes" / f"{name}.yaml", tmp_path))
    said = yaml.safe_load(file.read_text())
    said["expect"]["speed"][0]["ci95"] = [1e-4, 1e6]
    file.write_text(yaml.safe_dump(said, sort_keys=False))
    return file


def test_a_recipe_is_reproduced_inside_the_environment_that_it_locks(
    home: Path, warm_run: tuple[Path, str], small: Small, tmp_path: Path
) -> None:
    file = written(warm_run, tmp_path, "onnx-int8-dynamic")
    told: list[Any] = []
    found = bench.verify(file, model=str(small.model), data=str(small.rows), isolated=True, tell=told.append)
    assert found.passed, str(found)
    assert [level.result for level in found.levels] == ["pass"] * 6
    assert [event.work for event in told if isinstance(event, Made)] == ["venv", "install", "replay"]
    assert list((home / "aside").iterdir()) == []


def test_only_what_the_recipe_needs_is_installed(warm_run: tuple[Path, str], tmp_path: Path) -> None:
    exact, alone = replica.requirements(recipe.load(written(warm_run, tmp_path, "onnx-fp32")))
    names = {word.partition("==")[0] for word in exact}
    assert {"torch", "transformers", "onnx", "onnxscript", "onnxruntime", "pydantic", "scipy"} <= names
    assert names.isdisjoint({"openvino", "nncf", "pandas", "gradio", "pyarrow", "optimum"})
    assert alone == [] and not any("+" in word for word in exact)


def test_a_starter_in_parquet_files_needs_what_reads_them(warm_run: tuple[Path, str], tmp_path: Path) -> None:
    file = written(warm_run, tmp_path, "onnx-fp32")
    for source, wanted in {"starter:sentiment": False, "starter:speech": True, "org/name": True}.items():
        said = yaml.safe_load(file.read_text())
        said["spec"]["data"]["evaluation"]["source"] = source
        file.write_text(yaml.safe_dump(said, sort_keys=False))
        exact, _ = replica.requirements(recipe.load(file))
        assert any(word.startswith("pyarrow==") for word in exact) is wanted


def test_a_package_that_is_not_to_be_had_is_said_in_words(
    home: Path, warm_run: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    file = written(warm_run, tmp_path, "pytorch-fp32")
    said = yaml.safe_load(file.read_text())
    said["lock"]["environment"]["packages"] = {"torch": "0.0.1"}
    file.write_text(yaml.safe_dump(said, sort_keys=False))
    with pytest.raises(WorkbenchError, match=r"could not be installed.*No matching distribution.*isolated.log"):
        bench.verify(file, isolated=True)
    assert (home / "isolated.log").is_file()


def test_a_python_that_is_not_here_is_named(home: Path, warm_run: tuple[Path, str], tmp_path: Path) -> None:
    file = written(warm_run, tmp_path, "pytorch-fp32")
    file.write_text(file.read_text().replace("python: ", "python: 3.99.", 1))
    with pytest.raises(WorkbenchError, match=r"Python 3\.99 is not here"):
        bench.verify(file, isolated=True)


def test_isolated_and_reuse_exclude_each_other(home: Path) -> None:
    with pytest.raises(RequestError, match="exclude"):
        bench.verify("any.yaml", isolated=True, reuse=True)
