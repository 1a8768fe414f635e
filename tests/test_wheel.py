"""The wheel carries what a person needs without a checkout: the shelf, the starter, schemas and styles."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, unpacked as an installer would."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*command, "--wheel-dir", str(folder), str(ROOT)], check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def _workbench(installed: Path, home: Path, *arguments: str) -> str:
    env = {**os.environ, "PYTHONPATH": str(installed), "WORKBENCH_HOME": str(home)}
    code = "import sys; from workbench.faces.terminal import main; main()"
    command = [sys.executable, "-P", "-c", code, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, env=env, cwd=home).stdout


def test_the_shelf_is_in_the_wheel(installed: Path, tmp_path: Path) -> None:
    found = {one["name"] for one in json.loads(_workbench(installed, tmp_path, "recipes", "--json"))}
    assert found == {path.stem for path in (ROOT / "recipes").glob("*.yaml")}


def test_the_starter_is_in_the_wheel_and_can_be_planned(installed: Path, tmp_path: Path) -> None:
    plan = json.loads(_workbench(installed, tmp_path, "plan", "compare", "starter:sentiment", "--json"))
    assert plan["data"]["evaluation"]["n"] == 5000 and len(plan["variants"]) + len(plan["gaps"]) == 9


def test_schemas_styles_and_targets_are_in_the_wheel(installed: Path) -> None:
    inside = installed / "workbench"
    wanted = ["recipe.schema.json", "report/report.schema.json", "report/style.css", "report/script.js"]
    assert not [name for name in wanted if not (inside / name).is_file()]
    assert list((inside / "targets").glob("*.yaml")) and (inside / "_starter" / "NOTICE.md").is_file()
    made = {str(path.relative_to(ROOT / "starter")) for path in (ROOT / "starter").glob("*/*")}
    assert made and not [name for name in made if not (inside / "_starter" / name).is_file()]
