"""Every notebook from nothing and again with what that built: how long it takes, and what it looks like when read.

    python -m benchmarks.notebooks [NAME …]

Run it on a machine that does nothing else. Writes docs/notebooks/<name>.html, one self-contained file each, and
docs/results/notebooks.md.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.machine_line import machine_line

ROOT = Path(__file__).parent.parent


def main() -> None:
    named = sys.argv[1:]
    files = [file for file in sorted((ROOT / "notebooks").glob("*.ipynb")) if not named or file.stem in named]
    rows = [_measured(file) for file in files]
    text = "\n".join([
        "# The notebooks", "", machine_line(), "",
        "| notebook | from nothing | again, with what that built |", "|---|---|---|", *rows, "",
        "Seconds from the kernel's start to its end. Made by `python -m benchmarks.notebooks`.", "",
    ])  # fmt: skip
    print(text)
    if not named:
        (ROOT / "docs/results/notebooks.md").write_text(text)


def _measured(file: Path) -> str:
    with tempfile.TemporaryDirectory() as folder:
        env = os.environ | {"WORKBENCH_HOME": f"{folder}/home", "PYTHONPATH": str(ROOT)}
        cold, done = _executed(file, Path(folder) / "first", env)
        warm, _ = _executed(file, Path(folder) / "again", env)
        page = _page(done, file.stem).replace(folder, "~").replace(str(ROOT), "~")  # no places of this machine
    (ROOT / "docs/notebooks").mkdir(exist_ok=True)
    (ROOT / f"docs/notebooks/{file.stem}.html").write_text(page, encoding="utf-8")
    print(f"{file.stem}: {cold:.0f} s, {warm:.0f} s", file=sys.stderr, flush=True)
    return f"| [{file.stem}](../notebooks/{file.stem}.html) | {cold:.0f} s | {warm:.0f} s |"


def _executed(file: Path, folder: Path, env: dict[str, str]) -> tuple[float, Any]:
    """(wall seconds, the notebook with its outputs)"""
    import nbformat
    from nbclient import NotebookClient

    folder.mkdir()
    book = nbformat.read(file, as_version=4)
    client = NotebookClient(book, timeout=600, kernel_name="python3", store_widget_state=False,
                            resources={"metadata": {"path": str(folder)}})  # fmt: skip
    start = time.monotonic()
    client.execute(env=env)
    return time.monotonic() - start, book


def _page(book: Any, title: str) -> str:
    """One file that fetches nothing. What libraries say on stderr names places of this machine and is left out."""
    from nbconvert import HTMLExporter

    for cell in book.cells:
        if outputs := cell.get("outputs"):
            cell["outputs"] = [one for one in outputs if one.get("name") != "stderr"]
    exporter = HTMLExporter(mathjax_url="", require_js_url="", jquery_url="", mermaid_js_url="", theme="light")
    said, _ = exporter.from_notebook_node(book, resources={"metadata": {"name": title}})
    return str(said)


if __name__ == "__main__":
    main()
