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

from tests import browser
from tests.conftest import REPOSITORY, Small, command
from tests.small import BLINK
from workbench import catalog, recipe, recipe_packages
from workbench.backends import BACKENDS
from workbench.errors import RequestError, WorkbenchError
from workbench.tasks import TASKS

EXAMPLE = REPOSITORY / "examples" / "workbench_example_backend"
EXAMPLES = (EXAMPLE, REPOSITORY / "examples" / "workbench_example_task")
RECIPE = EXAMPLE / "workbench_example_backend" / "recipes" / "onnx-reference.yaml"
BROUGHT = {"onnx-reference": "workbench-example-backend", "ordered-onnx-int8": "workbench-example-task"}
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


def python(code: str, path: str, *words: str) -> str:
    """What a fresh process with this PYTHONPATH prints."""
    env = os.environ | {"PYTHONPATH": path}
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, env=env, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


# ---- the tutorial -------------------------------------------------------------------------------


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TUTORIAL.read_text(encoding="utf-8"), re.DOTALL)


def lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines() if line.strip()]


@pytest.mark.parametrize(
    ("language", "file"),
    [("python", RECIPE.parent.parent / "__init__.py"), ("toml", EXAMPLE / "pyproject.toml"), ("yaml", RECIPE)],
)
def test_the_tutorial_is_the_package_line_by_line(language: str, file: Path) -> None:
    assert lines("\n".join(blocks(language))) == lines(file.read_text(encoding="utf-8"))


def test_the_groups_that_the_tutorial_names_are_those_that_are_read() -> None:
    for kind in re.findall(
        r"`workbench\.(backends|steps|tasks|probes|renderers)`", TUTORIAL.read_text(encoding="utf-8")
    ):
        assert getattr(catalog, kind)()
    assert f"`{recipe_packages.GROUP}`" in TUTORIAL.read_text(encoding="utf-8")


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
    said = python(code, elsewhere)
    assert f"| `{STARS}` |" in said and "`onnx-reference` |" in said
    assert "| `check_shapes` | true or false | `false` | Compare every result" in said


# ---- recipes ------------------------------------------------------------------------------------


def test_recipes_of_packages_stand_on_the_shelf_behind_ours_with_the_packages_name(elsewhere: str) -> None:
    found = json.loads(command("recipes", "--json", PYTHONPATH=elsewhere).stdout)
    assert [one["name"] for one in found] == [*recipe.shelf(), *BROUGHT]
    assert {one["name"]: one["origin"] for one in found if one["origin"]} == BROUGHT
    assert not any(one["missing"] for one in found if one["origin"])
    done = command("recipes", PYTHONPATH=elsewhere)
    assert done.stdout.count("From: workbench-example-") == 2 and not done.stderr


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda one: one.name)
def test_the_commands_of_an_examples_page_work_as_written(
    example: Path, small: Small, elsewhere: str, tmp_path: Path
) -> None:
    """Only the names that stand for one's own model and data are other ones."""
    own = {"org/model": str(small.model), "org/stars": str(small.model), "reviews.csv": str(small.rows)}
    page = (example / "README.md").read_text(encoding="utf-8")
    said = re.findall(r"^    workbench (.+)$", page, re.MULTILINE)
    assert len(said) == 1
    words = [own.get(word, word) for word in said[0].split()]
    given = [] if "--data" in words else ["--data", str(small.rows)]
    done = command("plan", *words, *given, "--json", cwd=tmp_path, PYTHONPATH=elsewhere)
    assert done.returncode == 0, done.stderr
    plan = json.loads(done.stdout)
    assert not plan["gaps"] and BROUGHT.keys() & {one["name"] for one in plan["variants"]}


@pytest.fixture
def broken(tmp_path: Path) -> str:
    """PYTHONPATH of a process with a package of six recipes, two of them readable, and a folder that is missing."""
    site, good = tmp_path / "site", RECIPE.read_text(encoding="utf-8").replace("name: onnx-reference", "name: mine")
    files = {
        "a-list.yaml": "- a\n- list\n", "no-yaml.yaml": "schema: [workbench/recipe@1\n", "mine.yaml": good,
        "unknown-key.yaml": good.replace("pays_when:", "pays_whenever:"),
        "taken.yaml": good.replace("name: mine", "name: onnx-fp32"),
        "elsewhere.yaml": good.replace("name: mine", "name: elsewhere").replace("device: cpu", "device: gpu"),
    }  # fmt: skip
    metadata = {
        "METADATA": "Metadata-Version: 2.1\nName: fruit-recipes\nVersion: 1\n",
        "entry_points.txt": "[workbench.recipes]\nfruit = fruit.shelf\ngone = fruit.nowhere\n",
    }
    for folder, content in (("fruit/shelf", files), ("fruit_recipes-1.dist-info", metadata)):
        (site / folder).mkdir(parents=True)
        for name, text in content.items():
            (site / folder / name).write_text(text)
    (site / "fruit" / "__init__.py").write_text("raise RuntimeError('nobody imports this')\n")
    return os.pathsep.join((str(REPOSITORY), str(site)))


def test_a_broken_recipe_is_told_as_its_packages_fault_and_breaks_nothing(broken: str) -> None:
    done = command("recipes", "--json", PYTHONPATH=broken)
    found = {one["name"]: one for one in json.loads(done.stdout)}
    assert [*found] == [*recipe.shelf(), "elsewhere", "mine"] and found["onnx-fp32"]["origin"] == ""
    assert "no backend called 'onnx-reference'" in found["mine"]["missing"], "the recipe can be read, and cannot run"
    said = {line.split()[1]: line for line in done.stderr.splitlines()}
    assert set(said) == {"a-list.yaml", "no-yaml.yaml", "unknown-key.yaml", "taken.yaml", "fruit.nowhere"}
    assert all("of fruit-recipes is not on the shelf" in line for line in said.values())
    assert "not valid YAML at line" in said["no-yaml.yaml"] and "pays_whenever" in said["unknown-key.yaml"]
    assert "called `onnx-fp32` already" in said["taken.yaml"] and "no such folder" in said["fruit.nowhere"]


def test_a_broken_recipe_that_is_named_says_what_is_wrong_with_it(broken: str, small: Small) -> None:
    done = command("plan", "compare", str(small.model), "-r", "unknown-key", PYTHONPATH=broken)
    assert done.returncode == 2
    assert "fruit-recipes brings unknown-key.yaml" in done.stderr and "pays_whenever" in done.stderr


def test_the_form_lists_a_broken_recipe_apart(broken: str) -> None:
    said = python(FORM, broken, "text-classification")
    page = json.loads(said)
    assert "Not on the shelf" in page["cards"] and "unknown-key.yaml" in page["cards"]
    assert "unknown-key.yaml of fruit-recipes" in page["note"] and "mine" not in page["picked"]


# ---- the form -----------------------------------------------------------------------------------

FORM = """
import json, sys
import workbench
from workbench import bench
from workbench.faces.web import choose
from workbench.store import Store
picker = workbench.Picker(task=sys.argv[1])
offered = bench.offered(sys.argv[1])
picker.recipes.value = sys.argv[2:]
print(json.dumps({
    "tasks": choose._tasks(), "cards": choose.cards(sys.argv[1], "", Store()),
    "offered": {one.recipe.name: [one.origin, one.missing, one.default] for one in offered},
    "options": {one.recipe.name: {part.title: [field.name for field in part.fields]
                                  for part in bench.options(one.recipe)} for one in offered},
    "picker tasks": [value for _, value in picker.task.options], "picked": list(picker.recipes.options),
    "titles": list(picker._options.titles), "note": picker.widget.children[1].children[0].children[9].value,
    "forms": {name: list(picker.form(name, picker._forms[name].recipe().spec.target.backend).inputs)
              for name in sys.argv[2:]},
}))
"""


def test_the_forms_of_page_and_notebook_have_an_installed_task_with_its_recipe(elsewhere: str) -> None:
    said = json.loads(python(FORM, elsewhere, STARS, "ordered-onnx-int8"))
    assert STARS in said["tasks"] and STARS in said["picker tasks"]
    base, *others = said["offered"]
    assert base == "pytorch-fp32" and "ordered-onnx-int8" in others, "the baseline stands first, for any task"
    assert said["offered"]["ordered-onnx-int8"] == ["workbench-example-task", "", True]
    assert 'data-recipe="ordered-onnx-int8"' in said["cards"] and "workbench-example-task" in said["cards"]
    assert "per_channel" in said["options"]["ordered-onnx-int8"]["quantize-onnx-dynamic"]
    assert 'data-place="steps.1"' in said["cards"]
    assert "ordered-onnx-int8" in said["picked"]
    assert said["titles"] == ["Options of ordered-onnx-int8, from workbench-example-task"]


def test_the_forms_of_page_and_notebook_have_an_installed_backend_with_its_options(elsewhere: str) -> None:
    said = json.loads(python(FORM, elsewhere, "text-classification", "onnx-reference"))
    assert said["offered"]["onnx-reference"] == ["workbench-example-backend", "", False]
    assert "<h3>onnx-reference</h3>" in said["cards"] and 'data-recipe="onnx-reference"' in said["cards"]
    assert said["options"]["onnx-reference"]["onnx-reference"] == ["check_shapes"]
    assert 'data-field="check_shapes"' in said["cards"] and "Compare every result with the shape" in said["cards"]
    assert "onnx-reference" in said["picked"] and said["forms"]["onnx-reference"] == ["check_shapes"]


@pytest.mark.slow
def test_the_recipe_of_an_installed_task_is_ticked_in_a_browser_changed_and_planned(
    small: Small, elsewhere: str, home: Path, tmp_path: Path
) -> None:
    with (
        browser.served(home, tmp_path / "log", PYTHONPATH=elsewhere) as address,
        browser.opened() as page,
    ):
        page.goto(address)
        browser.open_tab(page, "Choose")
        model = page.get_by_label("Model", exact=True)
        model.fill(str(small.model))
        model.press("Enter")
        page.get_by_text("Tells apart").wait_for()
        page.get_by_label("Evaluation data").fill(str(small.rows))
        page.locator("#rc-onnx-reference").wait_for(state="attached")
        page.get_by_label("Task", exact=True).click()
        page.get_by_role("option", name=STARS).click()
        card = page.locator('.rc[data-recipe="ordered-onnx-int8"]')
        card.get_by_text("workbench-example-task").wait_for()
        assert card.locator("> input").is_checked(), "a first choice of the task"
        assert page.locator("#rc-pytorch-fp32").is_disabled(), "the baseline"
        page.get_by_role("button", name="Run 2 variants").wait_for()
        card.locator(".form > summary").click()
        page.locator('[id="ordered-onnx-int8.steps.1.per_channel"]').uncheck()
        command_line = page.locator(".aside .cm-content")
        command_line.get_by_text("ordered-onnx-int8-edited").first.wait_for()
        assert f"--task {STARS}" in command_line.inner_text()
        page.get_by_role("button", name="Run 2 variants").wait_for()
        assert not page.said, page.said


# ---- what is not there --------------------------------------------------------------------------


def test_a_task_that_is_not_installed_is_an_error_that_names_those_there_are(small: Small) -> None:
    done = command("plan", "compare", str(small.model), "--data", str(small.rows), "--task", STARS)
    assert done.returncode == 2 and f"no task called `{STARS}`" in done.stderr


def test_a_backend_that_is_not_installed_is_an_error_that_names_those_there_are(small: Small) -> None:
    done = command("plan", "compare", str(small.model), "--data", str(small.rows), "-r", str(RECIPE))
    assert done.returncode == 2
    assert "no backend called 'onnx-reference'" in done.stderr and "pytorch" in done.stderr


def test_options_of_an_installed_backend_are_checked(small: Small, elsewhere: str, tmp_path: Path) -> None:
    said = yaml.safe_load(RECIPE.read_text(encoding="utf-8"))
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
    said = yaml.safe_load(RECIPE.read_text(encoding="utf-8"))
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
    loaded = json.loads(python(LOAD, elsewhere, str(out / "recipes" / "onnx-reference.yaml")))
    assert loaded["shape"] == [1, 2] and loaded["facts"]["precision"] == "fp32"


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
