"""Every screen, narrow and wide, light and dark: nothing that axe finds, nothing sideways, no word in the console."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests import browser

pytestmark = pytest.mark.slow
TABS = ("Choose", "Run", "Compare", "Take it with you", "History")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    place = tmp_path_factory.mktemp("screens")
    with browser.served(place / "home", place / "log") as found:
        yield found


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_every_screen_can_be_used_by_everybody(address: str, tmp_path: Path, width: int, dark: bool) -> None:
    with browser.opened(width, dark) as page:
        page.goto(address)
        page.get_by_text("no detectable accuracy drop").first.wait_for()
        found = {}
        for tab in TABS:
            browser.open_tab(page, tab)
            page.screenshot(path=tmp_path / f"{tab}.png", full_page=True)
            wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert wide <= 0, f"{tab} is {wide} px too wide"
            result = Axe().run(page)
            if result.violations_count:
                found[tab] = result.generate_report()
        assert not found, "\n".join(f"{tab}: {said}" for tab, said in found.items())
        assert not page.said, page.said


def test_the_form_is_used_with_the_keyboard_alone(address: str) -> None:
    with browser.opened() as page:
        page.goto(address)
        browser.open_tab(page, "Choose")
        card = page.locator("#rc-onnx-int8-weights")
        page.locator(".group", has_text="onnxruntime").locator(".more > summary").first.focus()
        page.keyboard.press("Enter")
        card.focus()
        page.keyboard.press("Space")
        assert card.is_checked() and card.evaluate("one => one === document.activeElement"), "the focus stays"
        page.get_by_role("button", name="Show the plan").focus()
        page.keyboard.press("Enter")
        page.locator(".plan").wait_for()
        page.get_by_role("button", name=re.compile(r"Run \d+ variants")).wait_for()


def test_a_wrong_value_is_marked_at_its_field(address: str) -> None:
    with browser.opened() as page:
        page.goto(address)
        browser.open_tab(page, "Choose")
        page.locator('.rc[data-recipe="onnx-int8-static"] .form > summary').click()
        field = page.locator('[id="onnx-int8-static.steps.1.percentile"]')
        field.fill("101")
        field.press("Tab")
        page.locator('[id="onnx-int8-static.steps.1.percentile-wrong"]').get_by_text("100").wait_for()
        assert field.get_attribute("aria-invalid") == "true"
        field.fill("99.9")
        field.press("Tab")
        page.locator('[id="onnx-int8-static.steps.1.percentile"]:not([aria-invalid])').wait_for()
        page.locator(".aside .cm-content").get_by_text("onnx-int8-static-edited").first.wait_for()
        n = page.get_by_label("Examples (n)")
        n.fill("3")
        n.press("Tab")
        page.get_by_text("from 20 on").first.wait_for()


def test_a_chosen_theme_stays_over_a_reload_and_auto_follows_the_system(address: str) -> None:
    paper = "getComputedStyle(document.querySelector('.gradio-container')).getPropertyValue('--paper').trim()"
    with browser.opened(dark=True) as page:
        page.goto(address)
        button = page.locator("button.theme")
        button.get_by_text("Auto").wait_for()
        dark = page.evaluate(paper)
        button.click()
        button.get_by_text("Light").wait_for()
        light = page.evaluate(paper)
        page.reload()
        button.get_by_text("Light").wait_for()
        assert page.evaluate(paper) == light != dark
        assert not page.evaluate("document.body.classList.contains('dark')"), "Gradio's own parts, too"
        button.click()
        button.get_by_text("Dark").wait_for()
        page.emulate_media(color_scheme="light")
        assert page.evaluate(paper) == dark
        button.click()
        button.get_by_text("Auto").wait_for()
        assert page.evaluate(paper) == light
