"""A real browser and a real server of the page, for tests."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--no-first-run")  # fmt: skip
LAUNCH = """
import sys
from workbench.faces.web import launch
launch(port=int(sys.argv[1]), shared=sys.argv[2] == "shared")
"""


PATIENCE = 120  # seconds: another test may be measuring on all cores


def executable() -> str:
    """Raises AssertionError where no Chromium is installed: a missing browser is no reason to skip."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    assert found, f"none of {', '.join(NAMES)} is installed"
    return found


def free_port() -> int:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        return int(door.getsockname()[1])


@contextmanager
def served(home: Path, log: Path, shared: bool = False, **env: str) -> Iterator[str]:
    """The page's address. The server ends with the block."""
    port = free_port()
    command = [sys.executable, "-c", LAUNCH, str(port), "shared" if shared else "own"]
    said = os.environ | {"WORKBENCH_HOME": str(home), "HF_HUB_OFFLINE": "1"} | env
    with serving(command, log, port, env=said) as address:
        yield address


@contextmanager
def serving(command: list[str], log: Path, port: int, **more: Any) -> Iterator[str]:
    with log.open("w") as out:
        server = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, **more)
    try:
        yield answering(f"http://127.0.0.1:{port}/", server, log)
    finally:
        server.terminate()
        server.wait(20)


def answering(address: str, server: subprocess.Popen[Any], log: Path, seconds: float = PATIENCE) -> str:
    """The address, when the server there answers. Raises AssertionError with its log if it ends or stays silent."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        assert server.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(address, timeout=5):
                return address
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"the server does not answer: {log.read_text()}")


@contextmanager
def opened(width: int = 1280, dark: bool = False) -> Iterator[Any]:
    """A page of a fresh browser, with what its console said against us in `page.said`."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=executable(), args=list(FLAGS))
        context = browser.new_context(viewport={"width": width, "height": 900},
                                      color_scheme="dark" if dark else "light", accept_downloads=True)  # fmt: skip
        context.set_default_timeout(PATIENCE * 1000)
        page = _listened(context.new_page())
        try:
            yield page
        except BaseException:
            seen = Path(tempfile.mkdtemp(prefix="seen-")) / "page.png"
            page.screenshot(path=seen)
            print(f"what the page showed: {seen}\nwhat its console said: {page.said}")
            raise
        finally:
            browser.close()


def another(page: Any, same_visitor: bool = False) -> Any:
    """One more page of the same browser, of somebody else or of the same visitor; `said` as in `opened`."""
    context = page.context if same_visitor else page.context.browser.new_context(viewport=page.viewport_size)
    context.set_default_timeout(PATIENCE * 1000)
    return _listened(context.new_page())


def _listened(page: Any) -> Any:
    """`page.said`: errors of its console and scripts. What a page says while it is left is nobody's to read: calls that
    were on their way end then, and Gradio's client reports each."""
    page.said, leaving, mark = [], "this page is being left", None

    def hear(text: str, error: bool) -> None:
        nonlocal mark
        if text == leaving:
            mark = len(page.said)
        elif error:
            page.said.append(text)

    def arrive(frame: Any) -> None:
        nonlocal mark
        if mark is not None and frame == page.main_frame:
            del page.said[mark:]
            mark = None

    page.add_init_script(f"if (self === top) addEventListener('beforeunload', () => console.info('{leaving}'), true)")
    page.on("console", lambda one: hear(one.text, one.type == "error"))
    page.on("pageerror", lambda error: hear(str(error), True))
    page.on("framenavigated", arrive)
    return page


def open_tab(page: Any, name: str) -> None:
    """By name; on a narrow screen a tab may stand behind the button of those that have no room."""
    page.get_by_role("tab").first.wait_for()
    tab = page.get_by_role("tab", name=name, exact=True)
    if not tab.first.is_visible():
        page.locator(".overflow-menu > button").click()
        page.locator(".overflow-dropdown button").get_by_text(name, exact=True).click()
        return
    tab.first.click()
    page.get_by_role("tab", name=name, exact=True, selected=True).wait_for()


def replace_file(page: Any, where: str, file: Path) -> None:
    """Take away the file that was chosen and choose another."""
    page.locator(where).get_by_role("button", name="Clear").or_(
        page.locator(where).get_by_label("Remove")
    ).first.click()
    page.locator(f"{where} input[type=file]").set_input_files(file)
