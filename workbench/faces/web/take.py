"""The fourth screen: the recipe file, and the same in Python, as a command, as a notebook; report, model folder; and
whether the file's promises hold here."""

from __future__ import annotations

import secrets
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from workbench import bench
from workbench.errors import RequestError
from workbench.faces import snippets
from workbench.faces.web.parts import html, levels, stepper
from workbench.faces.web.watching import Watching
from workbench.report.markup import e
from workbench.store import RunRecord, Store, write_whole

if TYPE_CHECKING:
    import gradio as gr

SMALL = ("recipe", "report", "notebook")  # made as soon as a row is chosen
KINDS = (*SMALL, "model")


def exports(store: Store) -> Path:
    """The one folder that the server gives files out of."""
    folder = store.home / "exports"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def texts(record: RunRecord, row: str, store: Store) -> tuple[str, str, str]:
    """(recipe YAML, Python, command) of one row."""
    file = bench.recipe_file(record.id, row, store)
    request = bench.plan_of(record.id, store).request
    return file.read_text(encoding="utf-8"), snippets.use(row, f"{row}.yaml"), snippets.command(request)


def file_of(record: RunRecord, row: str, kind: str, store: Store) -> Path:
    """A file to download, in a folder that nobody can guess. Raises RequestError for a row that is not there."""
    recipe = bench.recipe_file(record.id, row, store).read_text(encoding="utf-8")
    place = exports(store) / secrets.token_urlsafe(12)
    place.mkdir()
    if kind == "recipe":
        return _written(place / f"{row}.yaml", recipe)
    if kind == "report":
        return _written(place / "report.html", bench.render(record.id, "html", store))
    if kind == "notebook":
        request = bench.plan_of(record.id, store).request
        return _written(place / f"{row}.ipynb", snippets.notebook(request, f"{row}.yaml"))
    if kind == "model":
        bench.take(record.id, place / "all", store)
        folder = place / "all" / "models" / row
        if not folder.is_dir():
            raise RequestError(f"There is no model of {row}.", "It did not finish, or was cleaned up.", "Run it again.")
        return Path(shutil.make_archive(str(place / row), "zip", folder))
    raise RequestError(f"There is nothing called {kind} to take.", f"There is {', '.join(KINDS)}.", "")


def verify(record: RunRecord, row: str, store: Store) -> str:
    """Verify one row's recipe file in a runner of its own; the id of that run, at once."""
    text = bench.recipe_file(record.id, row, store).read_text(encoding="utf-8")
    return bench.submit_verify(text, store=store)


def verified(record: RunRecord, place: int, watching: Watching) -> str:
    """Markup of a verification as far as it is known. `place`: in the queue."""
    board, _, _ = watching.of(record.id)
    board = replace(board, status=record.status)
    return (
        f'<h2>{e(levels.headline(board, place))}</h2><p class="note">It goes on without this page: '
        f'<a href="?run={e(record.id)}">{e(record.title)}</a>.</p>{stepper.failures(board)}'
        f"{levels.levels(board.levels, board.status, levels.note(board))}"
    )


def _written(path: Path, text: str) -> Path:
    write_whole(path, text)
    return path


def build() -> dict[str, gr.components.Component]:
    import gradio as gr

    row = gr.Dropdown([], label="Row", info="The rows that finished")
    with gr.Row():
        with gr.Column():
            yaml = gr.Code("", language="yaml", label="Recipe file", interactive=False, max_lines=32, wrap_lines=True)
        with gr.Column():
            python = gr.Code("", language="python", label="In Python", interactive=False, wrap_lines=True)
            command = gr.Code(
                "", language="shell", label="The comparison as a command", interactive=False, wrap_lines=True
            )
    files = gr.File([], file_count="multiple", interactive=False, label="Recipe file, report and notebook")
    pack = gr.Button("Pack the model's files as zip")
    model = gr.File(None, interactive=False, label="The optimized model", visible=False)
    verify = gr.Button("Verify here: build it again and hold it to what the file says")
    verification = gr.Textbox("", visible="hidden", label="Verification")
    return {"row": row, "yaml": yaml, "python": python, "command": command, "files": files, "pack": pack,
            "model": model, "verify": verify, "verification": verification, "levels": html(""),
            "timer": gr.Timer(1.0, active=False)}  # fmt: skip
