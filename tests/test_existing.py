"""Models that somebody else converted, and pictures: whole comparisons on the command line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml

from tests.conftest import Small, command
from tests.small import BLINK
from workbench import bench
from workbench.store import Store


@pytest.fixture
def repository(small: Small, warm_run: tuple[Path, str], tmp_path: Path) -> Path:
    """A folder as on the Hub: safetensors at its root, somebody's ONNX file in onnx/."""
    home, run = warm_run
    taken = bench.take(run, tmp_path / "taken", Store(home))
    shutil.copytree(small.model, tmp_path / "repository")
    shutil.copytree(taken / "models" / "onnx-fp32", tmp_path / "repository" / "onnx")
    return tmp_path / "repository"


def _as_it_is(folder: Path, **options: str) -> Path:
    target = {"backend": "onnxruntime", "device": "cpu"}
    spec = {"target": target, "steps": [{"use": "existing", **options}], "measure": BLINK}
    recipe = {"schema": "workbench/recipe@1", "name": "as-it-is", "summary": "Somebody's file.", "spec": spec}
    path = folder / "as-it-is.yaml"
    path.write_text(yaml.safe_dump(recipe))
    return path


def asked(repository: Path, recipe: Path, small: Small) -> list[str]:
    inputs = ["compare", str(repository), "--data", str(small.rows), "--baseline", str(small.baseline)]
    return [*inputs, "-r", str(recipe), "--json"]


@pytest.mark.slow
@pytest.mark.usefixtures("known_machine")
def test_a_repositorys_onnx_folder_is_compared_as_it_is(repository: Path, small: Small, tmp_path: Path) -> None:
    recipe = _as_it_is(tmp_path)
    done = command(*asked(repository, recipe, small), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    row = json.loads(done.stdout)["rows"][1]
    assert row["name"] == "as-it-is" and row["backend"] == "onnxruntime" and row["accuracy"]["agreement"] == 1.0
    (kept,) = (tmp_path / "runs").glob("*/models/as-it-is")
    assert (kept / "model.onnx").is_file() and (kept / "tokenizer.json").is_file()


@pytest.mark.slow
@pytest.mark.usefixtures("known_machine")
def test_a_file_that_is_not_there_fails_its_row_with_what_there_is(
    repository: Path, small: Small, tmp_path: Path
) -> None:
    recipe = _as_it_is(tmp_path, file="model_int4.onnx")
    done = command(*asked(repository, recipe, small), cwd=tmp_path)
    assert done.returncode == 1
    row = json.loads(done.stdout)["rows"][1]
    assert row["status"] == "failed" and "onnx/model.onnx" in row["reason"]


@pytest.mark.slow
@pytest.mark.usefixtures("known_machine")
def test_the_image_starter_is_compared_with_calibrated_int8(tmp_path: Path) -> None:
    words = ["compare", "starter:fashion", "-r", "onnx-int8-static", "--quick", "--n", "200", "--json"]
    done = command(*words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    base, row = report["rows"]
    assert report["model"]["task"] == "image-classification" and base["accuracy"]["value"] > 0.7
    assert row["status"] == "ok" and row["accuracy"]["agreement"] > 0.9
    assert report["data"]["calibration"]["source"] == "starter:fashion"
    (page,) = (tmp_path / "runs").glob("*/report.html")
    assert "data:image/png;base64," in page.read_text() or not sum(row["accuracy"]["flips"].values())
