"""The folder of a Space: what is pushed starts by itself, with nothing of this checkout or of its caller."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
import yaml

from tests import browser

ROOT = Path(__file__).resolve().parent.parent
WHERE = (
    "import workbench, workbench.recipe, workbench.starter; print(workbench.__file__, workbench.recipe.shelf_folder())"
)
# What a Space's container says of itself; nothing is asked of these addresses before somebody logs in.
A_SPACE = {"SYSTEM": "spaces", "SPACE_ID": "somebody/workbench", "SPACE_HOST": "127.0.0.1", "OAUTH_CLIENT_ID": "id",
           "OAUTH_CLIENT_SECRET": "secret", "OAUTH_SCOPES": "openid",
           "OPENID_PROVIDER_URL": "http://127.0.0.1:9"}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    into = tmp_path_factory.mktemp("space") / "space"
    subprocess.run([sys.executable, str(ROOT / "Space/build.py"), str(into)], check=True, capture_output=True)
    return into


def test_the_readme_at_its_root_has_the_header_that_the_hub_reads(folder: Path) -> None:
    header = yaml.safe_load((folder / "README.md").read_text().split("---")[1])
    assert (folder / header["app_file"]).is_file() and header["sdk"] == "gradio" and header["hf_oauth"] is True
    pinned = dict(line.split("==") for line in (folder / "requirements.txt").read_text().split() if "==" in line)
    assert header["sdk_version"] == pinned["gradio"] and header["python_version"] == "3.11"
    assert set(header["hf_oauth_scopes"]) == {"write-repos"} and header["suggested_hardware"] == "cpu-upgrade"


def test_it_holds_the_app_the_package_the_shelf_and_the_starter_and_no_caches(folder: Path) -> None:
    assert {"app.py", "workbench", "recipes", "starter", "requirements.txt", "LICENSE"} <= set(os.listdir(folder))
    assert {"sentiment", "fashion", "speech"} <= set(os.listdir(folder / "starter"))
    assert not [path for path in folder.rglob("*") if path.name == "__pycache__" or path.suffix == ".pyc"]
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < 100e6


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("mine")
    done = subprocess.run([sys.executable, str(ROOT / "Space/build.py"), str(tmp_path)], capture_output=True, text=True)
    assert done.returncode and (tmp_path / "letter.txt").read_text() == "mine"


@pytest.mark.slow
def test_it_starts_with_an_empty_environment_and_shows_the_finished_comparison(folder: Path, tmp_path: Path) -> None:
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "WORKBENCH_HOME": str(tmp_path / "home"), **A_SPACE}
    said = subprocess.run([sys.executable, "-c", WHERE], cwd=folder, env=env, capture_output=True, text=True).stdout
    assert all(place.startswith(str(folder)) for place in said.split()), said
    port = browser.free_port()
    command = [sys.executable, "app.py"]
    with browser.serving(
        command, tmp_path / "log", port, cwd=folder, env=env | {"GRADIO_SERVER_PORT": str(port)}
    ) as at:
        with urllib.request.urlopen(f"{at}config", timeout=30) as answer:
            assert "Optimization Workbench" in json.dumps(json.load(answer))
        with browser.opened() as page:
            page.goto(at)
            page.get_by_text("no detectable accuracy drop").first.wait_for()
            page.get_by_role("tab", name="Choose").click()
            page.get_by_text("Others use these").wait_for()
            theirs = ("ERR_NAME_NOT_RESOLVED", "Space not found")  # Gradio asks the Hub about the Space it is on
            assert not [one for one in page.said if not any(word in one for word in theirs)], page.said
