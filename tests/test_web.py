"""The page in a real browser: a finished comparison first, then one's own, from the form to a file that verifies."""

from __future__ import annotations

import asyncio
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from tests import browser
from tests.conftest import Small, command
from tests.push_server import Person, PushServer
from workbench import words

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parent.parent
API = {"submit", "status", "cancel", "result", "search", "validate"}
TOKEN = "hf_canaryMayWrite"


def choose(page: Any, small: Small, data: str = "") -> None:
    """The small model, data of one's own, and one recipe beside the baseline, measured for a blink."""
    browser.open_tab(page, "Choose")
    model = page.get_by_label("Model", exact=True)
    model.fill(str(small.model))
    model.press("Enter")
    page.get_by_text("Tells apart").wait_for()
    if data:
        page.get_by_label("Evaluation data").fill(data)
    page.get_by_label("Quick: fewer").check()
    only(page, "onnx-fp32")
    page.get_by_role("button", name="Run 2 variants").wait_for()


def only(page: Any, recipe: str) -> None:
    """Untick every recipe but this one."""
    page.locator(f"#rc-{recipe}").check()
    ticked = page.locator(".rc[data-recipe] > input:checked:not(:disabled)")
    for name in ticked.evaluate_all("all => all.map(one => one.id)"):
        if name != f"rc-{recipe}":
            page.locator(f"#{name}").uncheck()


@pytest.mark.usefixtures("known_machine")
def test_from_the_first_paint_to_a_recipe_file_that_verifies(small: Small, home: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_text("text,label\nfine,0\n,1\nodd,seven\n")
    with browser.served(home, tmp_path / "log") as address, browser.opened() as page:
        page.goto(address)
        page.get_by_text("no detectable accuracy drop").first.wait_for()
        choose(page, small)
        page.get_by_role("button", name="Upload data of your own").click()
        page.locator("#data-file input[type=file]").set_input_files(bad)
        page.get_by_text("2 rows of 3 cannot be used").wait_for()
        browser.replace_file(page, "#data-file", small.rows)
        page.get_by_text("Every row can be used").wait_for()
        assert page.get_by_label("Evaluation data").input_value().startswith("upload:")
        page.locator(".aside .cm-content").get_by_text("rows.csv").first.wait_for()
        page.get_by_role("button", name="Run 2 variants").click()
        page.locator(".steps").wait_for()
        page.wait_for_url("**run=**", wait_until="commit")
        page.reload()
        page.get_by_role("tab", name="Run", selected=True).wait_for()
        page.get_by_role("tab", name="Compare", selected=True).wait_for(timeout=180_000)
        browser.open_tab(page, "Take it with you")
        with page.expect_download() as download:
            page.locator("a[download$='.yaml']:visible").first.click()
        file = tmp_path / "taken.yaml"
        download.value.save_as(file)
        assert not page.said, page.said
    done = command("verify", str(file), "--reuse", WORKBENCH_HOME=str(home))
    assert done.returncode in (0, 3) and "V1" in done.stdout, done.stderr


@pytest.fixture
def finished(warm_home: Path, warm_run: tuple[Path, str], tmp_path: Path) -> Iterator[tuple[str, str, PushServer]]:
    """(address, run) of a server over a home with a finished run, and the Hub that it pushes to."""
    with PushServer() as hub:
        hub.people = {TOKEN: Person("me")}
        env = {"HF_ENDPOINT": hub.endpoint, "HF_TOKEN": TOKEN, "HF_HUB_OFFLINE": "0"}
        with browser.served(warm_home, tmp_path / "log", **env) as address:
            yield address, warm_run[1], hub


def test_what_a_finished_run_offers(finished: Any, tmp_path: Path) -> None:
    address, run, hub = finished
    with browser.opened() as page:
        page.goto(f"{address}?run={run}")
        page.get_by_role("tab", name="Compare", selected=True).wait_for()
        page.get_by_role("heading", name="Try your own input").wait_for()
        page.get_by_label("Text", exact=True).fill("a warm and clever film")
        page.get_by_role("button", name="Ask all variants").click()
        page.locator("table.own tbody tr").nth(2).wait_for()
        row = page.locator(".board tr[data-row]").nth(1)
        row.locator("button").first.click()
        assert row.get_attribute("aria-current") == "true", "a row is selected with its point"

        browser.open_tab(page, "Take it with you")
        page.get_by_label("Row", exact=True).fill("onnx-fp32")
        page.get_by_label("Row", exact=True).press("Enter")
        page.get_by_role("button", name="Pack the model").click()
        with page.expect_download() as download:
            page.locator("a[download$='.zip']:visible").first.click()
        download.value.save_as(tmp_path / "model.zip")
        assert "model.onnx" in zipfile.ZipFile(tmp_path / "model.zip").namelist()

        page.get_by_role("button", name="Push to the Hub").click()
        page.get_by_label("Repository", exact=True).fill("me/small")
        page.get_by_role("button", name="Show the model card").click()
        page.get_by_text("base_model", exact=False).or_(page.get_by_text("library_name")).first.wait_for()
        page.get_by_role("button", name="Push", exact=True).click()
        page.get_by_text("It is there").wait_for()
        assert {"README.md", "recipe.yaml", "model.onnx"} <= set(hub.files("me/small"))
        page.get_by_role("button", name="Push", exact=True).click()
        page.locator(".problem").get_by_text("pull request").wait_for()

        page.get_by_role("button", name="Verify here").click()
        checked = page.locator("table.levels tr").filter(has_text="V1")
        checked.get_by_text(words.LEVELS["pass"].text).wait_for()
        page.locator("a[href^='?run=']:visible").get_by_text("onnx-fp32").click()
        page.get_by_role("button", name="Cancel").click()
        page.get_by_role("heading", name="Cancelled").wait_for()
        assert not page.said, page.said
    assert TOKEN not in (tmp_path / "log").read_text()


def test_a_recipe_file_fills_the_form_and_two_files_and_two_runs_are_told_apart(finished: Any, tmp_path: Path) -> None:
    address, run, _ = finished
    shelf = (ROOT / "recipes/onnx-int8-dynamic.yaml").read_text()
    own, other = tmp_path / "own.yaml", tmp_path / "other.yaml"
    own.write_text(shelf.replace("name: onnx-int8-dynamic", "name: my-recipe"))
    other.write_text(own.read_text().replace("threads: auto", "threads: 1"))
    broken = tmp_path / "broken.yaml"
    broken.write_text("name: nothing\n")
    with browser.opened() as page:
        page.goto(f"{address}?run={run}")
        page.get_by_role("tab", name="Compare", exact=True, selected=True).wait_for()  # where a finished run opens
        browser.open_tab(page, "Choose")
        page.get_by_role("button", name="Open a recipe file").click()
        page.locator("#recipe-file input[type=file]").set_input_files(broken)
        page.get_by_text("is not a recipe").first.wait_for()
        browser.replace_file(page, "#recipe-file", own)
        page.locator('.rc.on[data-recipe="my-recipe"]').wait_for()
        browser.open_tab(page, "History")
        page.locator("#old-file input[type=file]").set_input_files(own)
        page.locator("#new-file input[type=file]").set_input_files(other)
        page.get_by_role("button", name="Show what changed").click()
        page.locator(".diff").get_by_text("target.threads").wait_for()
        page.get_by_role("button", name="Compare the two").click()
        page.locator(".problem").get_by_text("run").first.wait_for()
        assert not page.said, page.said


@pytest.mark.usefixtures("known_machine")
def test_a_run_is_cancelled_from_another_page_and_can_be_resumed(small: Small, home: Path, tmp_path: Path) -> None:
    with browser.served(home, tmp_path / "log") as address, browser.opened() as page:
        asked = (str(small.model), ["onnx-fp32"], "", str(small.rows), 0, 0.01, False, "")
        said = Client(address, verbose=False).predict(*asked, api_name="/submit")
        page.goto(f"{address}?run={said['run']}")
        page.get_by_role("button", name="Cancel").click()
        page.get_by_role("heading", name="Cancelled").wait_for()
        page.get_by_role("button", name="Resume").wait_for()
        page.wait_for_function("document.title.startsWith('Cancelled')")
        page.goto(f"{address}?recipe=onnx-int8-weights")
        page.locator('.rc.on[data-recipe="onnx-int8-weights"]').wait_for()
        assert not page.said, page.said


@pytest.mark.usefixtures("known_machine")
def test_two_visitors_at_once_see_their_own_runs_only(home: Path, tmp_path: Path) -> None:
    """Both choose the same; the second is joined to no run of the first."""
    with browser.served(home, tmp_path / "log", shared=True) as address, browser.opened() as one:
        other = browser.another(one)
        runs = []
        for page, recipe in ((one, "onnx-fp32"), (other, "onnx-int8-dynamic")):
            page.goto(address)
            browser.open_tab(page, "Choose")
            page.get_by_label("Quick: fewer").check()
            only(page, recipe)
            page.get_by_role("button", name="Run 2 variants").click()
            page.wait_for_url("**run=**", wait_until="commit")
            runs.append(page.url.rsplit("=", 1)[-1])
        for page, own, foreign in ((one, *runs), (other, *reversed(runs))):
            browser.open_tab(page, "History")
            page.locator(f"a[href='?run={own}']").wait_for()
            assert page.locator(f"a[href='?run={foreign}']").count() == 0
            strange = browser.another(page, same_visitor=True)
            strange.goto(f"{address}?run={foreign}")
            strange.get_by_text("no such run").first.wait_for()
            strange.close()
            browser.open_tab(page, "Run")
            page.get_by_role("button", name="Cancel").click()
            page.get_by_role("heading", name="Cancelled").wait_for()
            assert not page.said, page.said


def test_what_is_wrong_in_the_form_is_said_in_words_beside_it(home: Path, tmp_path: Path) -> None:
    with browser.served(home, tmp_path / "log") as address, browser.opened() as page:
        page.goto(address)
        browser.open_tab(page, "Choose")
        page.get_by_label("Evaluation data").fill("nowhere.csv")
        page.get_by_role("button", name="Show the plan").click()
        page.locator(".problem").wait_for()
        assert "nowhere.csv" in page.locator(".problem").inner_text()
        assert "Traceback" not in page.content() and not page.said


@pytest.mark.usefixtures("known_machine")
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


def test_the_functions_of_the_api_are_tools_for_agents_too_and_nothing_else_is(home: Path, tmp_path: Path) -> None:
    with browser.served(home, tmp_path / "log") as address:
        tools = asyncio.run(_tools(f"{address}gradio_api/mcp/"))
        told = Client(address, verbose=False).view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert tools == {name.removeprefix("/") for name in told} == API
    page = (ROOT / "docs/api.md").read_text()
    assert all(f"| `{name}` |" in page for name in API)


async def _tools(address: str) -> set[str]:
    from mcp import ClientSession
    from mcp.client.streamable_http import streamablehttp_client

    async with streamablehttp_client(address) as (read, write, _), ClientSession(read, write) as session:
        await session.initialize()
        return {tool.name for tool in (await session.list_tools()).tools}
