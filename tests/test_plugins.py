"""Other people's packages: the examples add a backend and a task by entry points; the tutorial is the first of them."""

from __future__ import annotations

import importlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from models import built, context, make, texts

from tests.conftest import REPOSITORY, Small, command
from tests.small import BLINK
from workbench.backends import BACKENDS
from workbench.errors import RequestError, WorkbenchError
from workbench.tasks import TASKS

EXAMPLE = REPOSITORY / "examples" / "workbench_example_backend"
EXAMPLES = (EXAMPLE, REPOSITORY / "examples" / "workbench_example_task")
STARS = "ordered-text-classification"
TUTORIAL = REPOSITORY / "docs" / "add-a-backend.md"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The examples as pip installs them, with nothing fetched; copies keep build leftovers out of the repository."""
    folder = tmp_path_factory.mktemp("example")
    sources, site = [shutil.copytree(one, folder / one.name) for one in EXAMPLES], folder / "site"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index"]
    words = [*pip, "--no-deps", "--no-build-isolation", "--target", str(site), *map(str, sources)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return site


@pytest.fixture
def elsewhere(installed: Path) -> str:
    """PYTHONPATH of a process that has the examples."""
    return os.pathsep.join((str(REPOSITORY), str(installed)))


# ---- the tutorial -------------------------------------------------------------------------------


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TUTORIAL.read_text(encoding="utf-8"), re.DOTALL)


def lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines() if line.strip()]


@pytest.mark.parametrize(
    ("language", "file"),
    [("python", "workbench_example_backend.py"), ("toml", "pyproject.toml"), ("yaml", "onnx-reference.yaml")],
)
def test_the_tutorial_is_the_package_line_by_line(language: str, file: str) -> None:
    assert lines("\n".join(blocks(language))) == lines((EXAMPLE / file).read_text(encoding="utf-8"))


def test_the_groups_that_the_tutorial_names_are_those_that_are_read() -> None:
    from workbench import catalog

    for kind in re.findall(
        r"`workbench\.(backends|steps|tasks|probes|renderers)`", TUTORIAL.read_text(encoding="utf-8")
    ):
        assert getattr(catalog, kind)()


# ---- installed ----------------------------------------------------------------------------------


def test_an_installed_backend_is_listed_beside_ours(elsewhere: str) -> None:
    done = command("backends", "--json", PYTHONPATH=elsewhere)
    found = json.loads(done.stdout)
    assert [*found] == [*(one.name for one in BACKENDS), "onnx-reference"], done.stderr
    assert found["onnx-reference"]["devices"] == {"cpu": {"description": "numpy", "missing": ""}}


def test_an_installed_task_is_listed_beside_ours_with_what_each_backend_does_for_it(elsewhere: str) -> None:
    found = {one["name"]: one for one in json.loads(command("tasks", "--json", PYTHONPATH=elsewhere).stdout)}
    assert [name for name in found if "missing" not in found[name]] == [*(one.name for one in TASKS), STARS]
    assert found[STARS]["metric"] == "class_distance" and not found[STARS]["pipeline"]
    assert set(found[STARS]["backends"]) == {*(one.name for one in BACKENDS), "onnx-reference"}
    assert found[STARS]["backends"]["onnx-reference"] == "" and found[STARS]["columns"]["label"]
    assert STARS in command("tasks", PYTHONPATH=elsewhere).stdout


def test_the_generated_pages_have_what_is_installed(elsewhere: str) -> None:
    code = "from workbench import manual; print(manual.matrix(), manual.options_page())"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=os.environ | {"PYTHONPATH": elsewhere},
        timeout=120,
    )  # fmt: skip
    assert f"| `{STARS}` |" in done.stdout and "`onnx-reference` |" in done.stdout, done.stderr
    assert "| `check_shapes` | true or false | `false` | Compare every result" in done.stdout


def test_a_task_that_is_not_installed_is_an_error_that_names_those_there_are(small: Small) -> None:
    done = command("plan", "compare", str(small.model), "--data", str(small.rows), "--task", STARS)
    assert done.returncode == 2 and f"no task called `{STARS}`" in done.stderr


def test_a_backend_that_is_not_installed_is_an_error_that_names_those_there_are(small: Small) -> None:
    recipe = str(EXAMPLE / "onnx-reference.yaml")
    done = command("plan", "compare", str(small.model), "--data", str(small.rows), "-r", recipe)
    assert done.returncode == 2
    assert "no backend called 'onnx-reference'" in done.stderr and "pytorch" in done.stderr


def test_options_of_an_installed_backend_are_checked(small: Small, elsewhere: str, tmp_path: Path) -> None:
    said = yaml.safe_load((EXAMPLE / "onnx-reference.yaml").read_text(encoding="utf-8"))
    said["spec"]["target"]["options"] = {"check_shape": True}
    file = tmp_path / "wrong.yaml"
    file.write_text(yaml.safe_dump(said), encoding="utf-8")
    done = command(
        "plan", "compare", str(small.model), "--data", str(small.rows), "-r", str(file), PYTHONPATH=elsewhere
    )
    assert done.returncode == 2
    assert "Did you mean 'check_shapes'?" in done.stderr


LOAD = """
import json, sys
import workbench
from transformers import AutoTokenizer
model = workbench.load(sys.argv[1])
answer = model(**AutoTokenizer.from_pretrained(model.folder)("a warm film", return_tensors="pt"))
print(json.dumps({"facts": model.facts(), "shape": list(answer.logits.shape)}))
"""


@pytest.mark.slow
@pytest.mark.usefixtures("known_machine")
def test_a_comparison_with_an_installed_backend_and_task_runs_and_its_recipe_loads(
    small: Small, elsewhere: str, tmp_path: Path
) -> None:
    said = yaml.safe_load((EXAMPLE / "onnx-reference.yaml").read_text(encoding="utf-8"))
    said["spec"]["measure"] = BLINK
    file, out = tmp_path / "onnx-reference.yaml", tmp_path / "out"
    file.write_text(yaml.safe_dump(said), encoding="utf-8")
    inputs = (str(small.model), "--data", str(small.rows), "--baseline", str(small.baseline))
    named = ("--task", STARS, "-r", str(file), "--out", str(out), "--json")
    done = command("compare", *inputs, *named, PYTHONPATH=elsewhere)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["model"]["task"] == STARS
    row = report["rows"][1]
    assert (row["name"], row["status"]) == ("onnx-reference", "ok")
    assert row["accuracy"]["agreement"] == 1.0
    assert (row["accuracy"]["metric"], row["accuracy"]["better"], row["accuracy"]["delta"]) == (
        "class_distance", "lower", 0.0,
    )  # fmt: skip
    page = (out / "report.md").read_text(encoding="utf-8")
    assert "onnx-reference" in page and "class distance" in page.lower()
    assert row["speed"]["speedup"] > 0
    words = [sys.executable, "-c", LOAD, str(out / "recipes" / "onnx-reference.yaml")]
    loaded = subprocess.run(
        words, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": elsewhere}, timeout=120
    )
    assert loaded.returncode == 0, loaded.stderr
    assert json.loads(loaded.stdout)["shape"] == [1, 2]
    assert json.loads(loaded.stdout)["facts"]["precision"] == "fp32"


# ---- what every backend promises, kept by the example, too --------------------------------------


@pytest.fixture(scope="module")
def reference(installed: Path) -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(installed))
        yield importlib.import_module("workbench_example_backend").OnnxReference()


@pytest.fixture(scope="module")
def standard() -> Path:
    """A two-layer model in operators of the standard only."""
    return Path(make(built(), "export-onnx", fusions="none")[0])


def test_it_answers_as_the_runtime_does(reference: Any, standard: Path) -> None:
    examples = texts(3)
    batch = context(built(), examples).task.collate(examples, range(3)) | {"junk": np.zeros(3)}
    judge = next(one() for one in BACKENDS if one.name == "onnxruntime")
    mine = reference.open(standard, "cpu", 1, reference.Options(check_shapes=True)).infer(batch)
    theirs = judge.open(standard, "cpu", 1, judge.Options()).infer(batch)
    assert mine["logits"].dtype == np.float32
    assert np.allclose(mine["logits"], theirs["logits"], atol=1e-5)


@pytest.mark.parametrize(
    ("steps", "precision"), [((), "fp32"), (("quantize-onnx-dynamic",), "int8"), (("quantize-onnx-static",), "fp32")]
)
def test_what_really_runs_is_read_back(steps: tuple[str, ...], precision: str, reference: Any, standard: Path) -> None:
    """Q/DQ pairs around a product are no integer arithmetic where nobody fuses them."""
    folder = standard
    for step in steps:
        folder, _ = make(folder, step)
    session = reference.open(folder, "cpu", 1, reference.Options())
    facts = session.facts()
    session.close()
    assert (facts["precision"], facts["device"], facts["threads"]) == (precision, "cpu", 1)


def test_a_file_for_one_runtime_only_is_refused_by_the_operators_name(reference: Any) -> None:
    with pytest.raises(WorkbenchError, match=r"com\.microsoft:.*fusions: none"):
        reference.open(built("export-onnx"), "cpu", 1, reference.Options())


def test_another_device_and_an_empty_folder_are_short_errors(reference: Any, standard: Path, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="abacus"):
        reference.open(standard, "abacus", 1, reference.Options())
    with pytest.raises(WorkbenchError, match="Export the model first"):
        reference.open(tmp_path, "cpu", 1, reference.Options())
