"""JupyterLab in a real browser: the first notebook as somebody uses it who reloads, returns and clicks."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests import browser, lab, notebooks

pytestmark = pytest.mark.slow
RUN = 480_000  # ms that a run may take on a busy machine
ASKS, SELECTED = 0, 1  # numbers of the code cells


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "lab"
    place.mkdir()
    shutil.copy(notebooks.FOLDER / "01_first_comparison.ipynb", place / "first.ipynb")
    return place


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_run_is_watched_left_found_again_and_chosen_from(
    dark: bool, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = tmp_path_factory.getbasetemp() / "lab-home"  # what one of the two builds, the other one finds
    with lab.served(folder, home, dark) as address, browser.opened(dark=dark) as page:
        lab.opened(page, address, "first.ipynb")
        asks = lab.run(page, ASKS)
        asks.locator(".steps").wait_for(timeout=RUN)
        first = run_of(asks)
        picture(page, "running", dark)

        lab.save(page)
        page.reload()
        lab.ready(page)
        asks = lab.code_cell(page, ASKS)
        asks.locator(".steps").wait_for(timeout=60_000)
        asks.get_by_role("button", name="Cancel").wait_for()
        assert lab.run(page, ASKS) and run_of(asks) == first, "the same request is joined"

        asks.locator(".board").wait_for(timeout=RUN)
        point = asks.locator("[data-point='onnx-fp32'] circle:visible")
        point.click()
        assert asks.locator("tr[data-row='onnx-fp32']").get_attribute("aria-current") == "true"
        asks.locator("figure.plot").first.scroll_into_view_if_needed()
        picture(page, "selected", dark)
        chosen = lab.run(page, SELECTED)
        chosen.locator(".jp-OutputArea-output", has_text="onnx-fp32").wait_for(timeout=60_000)

        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        last = page.locator(".jp-Notebook .jp-CodeCell").last
        last.locator(".jp-OutputArea-output", has_text="runs on").wait_for(timeout=RUN)
        assert run_of(asks) != first, "asked again when it had ended, it is measured again"
        lab.save(page)
        ours = [text for text in page.said if "workbench" in text.lower() or "anywidget" in text.lower()]
        assert not ours, ours
    kept = notebooks.read(folder / "first.ipynb")
    code = [cell for cell in kept["cells"] if cell["cell_type"] == "code"]
    assert 'class="board"' in notebooks.outputs(code[ASKS], "text/html")[0], "the file holds the report"


def run_of(cell: Any) -> str:
    """The id that the cell shows."""
    return str(cell.locator("[data-run]").first.get_attribute("data-run"))


def picture(page: Any, name: str, dark: bool) -> None:
    page.screenshot(path=Path(os.environ["TMPDIR"]) / f"lab-{name}-{'dark' if dark else 'light'}.png")
