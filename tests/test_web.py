"""The page in a real browser: a finished comparison first, then one's own, from the form to a file that verifies."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from tests import browser
from tests.conftest import Small, command

pytestmark = pytest.mark.slow


def test_from_the_first_paint_to_a_recipe_file_that_verifies(small: Small, home: Path, tmp_path: Path) -> None:
    with browser.served(home, tmp_path / "log") as address, browser.opened() as page:
        page.goto(address)
        page.get_by_text("no detectable accuracy drop").first.wait_for()
        page.get_by_role("tab", name="Choose").click()
        model = page.get_by_label("Model")
        model.fill(str(small.model))
        model.press("Enter")
        page.get_by_label("Evaluation data").fill(str(small.rows))
        page.get_by_label("Quick").check()
        recipes = page.get_by_label("Recipes")
        recipes.fill("onnx-fp32")
        recipes.press("Enter")
        page.get_by_role("button", name="Show the plan").click()
        page.locator(".plan").wait_for(timeout=60_000)
        page.get_by_role("button", name="Run").click()
        page.locator(".steps").wait_for(timeout=60_000)
        page.wait_for_url("**run=**", wait_until="commit")
        page.reload()
        page.get_by_role("tab", name="Run", selected=True).wait_for(timeout=10_000)
        page.get_by_role("tab", name="Compare", selected=True).wait_for(timeout=180_000)
        page.get_by_text("Two variants against").wait_for()
        page.get_by_role("tab", name="Take it with you").click()
        with page.expect_download() as download:
            page.locator("a[download$='.yaml']:visible").first.click()
        file = tmp_path / "taken.yaml"
        download.value.save_as(file)
        page.get_by_role("button", name="Verify here").click()
        page.locator(".levels tr", has_text="V0 schema").get_by_text("pass").wait_for(timeout=60_000)
        page.locator(".levels tr", has_text="V4 behaviour").get_by_text("pass").wait_for(timeout=180_000)
        page.locator("h2", has_text=re.compile("promise that can be checked|V5 speed fails")).wait_for(timeout=60_000)
        page.get_by_role("tab", name="History").click()
        page.get_by_role("button", name="Refresh").click()
        page.get_by_role("link", name="verify onnx-fp32").wait_for(timeout=10_000)
        assert not page.said, page.said
    done = command("verify", str(file), WORKBENCH_HOME=str(home))
    assert done.returncode in (0, 3) and "V1" in done.stdout, done.stderr


def test_what_is_wrong_in_the_form_is_said_in_words_beside_it(home: Path, tmp_path: Path) -> None:
    with browser.served(home, tmp_path / "log") as address, browser.opened() as page:
        page.goto(address)
        page.get_by_role("tab", name="Choose").click()
        page.get_by_label("Evaluation data").fill("nowhere.csv")
        page.get_by_role("button", name="Show the plan").click()
        page.locator(".problem").wait_for(timeout=60_000)
        assert "nowhere.csv" in page.locator(".problem").inner_text()
        assert "Traceback" not in page.content() and not page.said


def test_a_run_is_submitted_followed_and_cancelled_through_the_api(small: Small, home: Path, tmp_path: Path) -> None:
    with browser.served(home, tmp_path / "log") as address:
        client = Client(address, verbose=False)
        asked = (str(small.model), ["onnx-fp32"], "", str(small.rows), 0, 0.01, True, "")
        said = client.predict(*asked, api_name="/submit")
        assert client.predict(*asked, api_name="/submit")["run"] == said["run"], "the same request is one run"
        status = client.predict(said["run"], said["owner"], api_name="/status")
        assert status["status"] in ("waiting", "running") and 0 <= status["share"] <= 1 and status["now"]
        assert client.predict(said["run"], said["owner"], api_name="/cancel") == {"cancelled": True}
        with pytest.raises(AppError, match="file"):
            client.predict("/etc/hostname", api_name="/validate")


def test_visitors_of_a_shared_server_see_their_own_runs_only_and_no_file_of_it(
    small: Small, home: Path, tmp_path: Path
) -> None:
    with browser.served(home, tmp_path / "log", shared=True) as address:
        client = Client(address, verbose=False)
        with pytest.raises(AppError, match="place on this server"):
            client.predict(str(small.model), [], "", "", 0, 0.01, True, "", api_name="/submit")
        asked = ("starter:fashion", ["onnx-fp32"], "", "", 0, 0.01, True)
        said = client.predict(*asked, "", api_name="/submit")
        for owner in ("", "somebody"):
            for name in ("/status", "/result", "/cancel"):
                with pytest.raises(AppError, match="no such run"):
                    client.predict(said["run"], owner, api_name=name)
        assert client.predict(said["run"], said["owner"], api_name="/cancel")["cancelled"]
