"""A real JupyterLab over a folder of its own, for tests."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests import browser

PANEL = ".jp-NotebookPanel:not(.lm-mod-hidden)"
QUIET = {"@jupyterlab/apputils-extension:announcements": True, "@jupyterlab/extensionmanager-extension:plugin": True}


@contextmanager
def served(folder: Path, home: Path, dark: bool = False) -> Iterator[str]:
    """The address of a JupyterLab that shows `folder`. Server and kernels end with the block."""
    own = folder.parent / f"{folder.name}-jupyter"
    _write(own / "config/labconfig/page_config.json", {"disabledExtensions": QUIET})
    theme = {"theme": f"JupyterLab {'Dark' if dark else 'Light'}"}
    _write(own / "settings/@jupyterlab/apputils-extension/themes.jupyterlab-settings", theme)
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        port = door.getsockname()[1]
    env = os.environ | {
        "WORKBENCH_HOME": str(home), "HF_HUB_OFFLINE": "1", "JUPYTER_CONFIG_DIR": str(own / "config"),
        "JUPYTER_DATA_DIR": str(own / "data"), "JUPYTER_RUNTIME_DIR": str(own / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(own / "settings"), "JUPYTERLAB_WORKSPACES_DIR": str(own / "workspaces"),
        "IPYTHONDIR": str(own / "ipython"),
    }  # fmt: skip
    words = ["--no-browser", "--allow-root", f"--ServerApp.port={port}", f"--ServerApp.root_dir={folder}",
             "--IdentityProvider.token=", "--ServerApp.password="]  # fmt: skip
    log = own / "log"
    with log.open("w") as out:
        server = subprocess.Popen([sys.executable, "-m", "jupyterlab", *words], env=env, stdout=out,
                                  stderr=subprocess.STDOUT, cwd=folder)  # fmt: skip
    try:
        yield browser.answering(f"http://127.0.0.1:{port}/lab", server, log, 180)
    finally:
        server.terminate()
        server.wait(30)


def opened(page: Any, address: str, file: str) -> None:
    """A notebook, with its kernel ready."""
    page.goto(f"{address}/tree/{file}")
    ready(page)


def ready(page: Any) -> None:
    page.locator(f"{PANEL} .jp-Notebook").wait_for(timeout=120_000)
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for(timeout=120_000)


def save(page: Any) -> None:
    """Write the notebook to its file, outputs and all."""
    page.keyboard.press("Control+s")
    page.locator(".jp-mod-current .jp-DirtyIndicator, .lm-mod-current.jp-mod-dirty").wait_for(state="detached")


def code_cell(page: Any, number: int) -> Any:
    """The code cell of that number, from 0 on."""
    return page.locator(f"{PANEL} .jp-CodeCell").nth(number)


def run(page: Any, number: int) -> Any:
    """Run one code cell, as with Shift and Enter, to its end; returns it."""
    from playwright.sync_api import expect

    cell = code_cell(page, number)
    prompt = cell.locator(".jp-InputPrompt").first
    before = prompt.inner_text()
    prompt.click()
    page.keyboard.press("Shift+Enter")
    expect(prompt).not_to_have_text(before, timeout=60_000)
    expect(prompt).to_have_text(re.compile(r"\d"), timeout=300_000)
    return cell


def _write(path: Path, said: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(said))
