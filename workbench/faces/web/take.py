"""The fourth screen: the recipe file, and the same in Python, as a command, as a notebook; report, model folder; and
whether the file's promises hold here."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr

from workbench import bench
from workbench.errors import RequestError
from workbench.faces import snippets
from workbench.faces.web import pushing
from workbench.faces.web.around import ALIVE, BUSY, QUIET, Desk, Shared, told
from workbench.faces.web.parts import html, levels, part, stepper
from workbench.faces.web.watching import Watching
from workbench.report.markup import e
from workbench.store import RunRecord, Store, write_whole

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


# ---- the screen ---------------------------------------------------------------------------------


EMPTY = (
    '<h1 class="hidden">Take it with you</h1><p class="empty">Nothing to take yet. Each row of a finished run comes '
    "here as a recipe file that can be verified, as Python, a command, a notebook, a report and the model itself.</p>"
)


def build(desk: Desk) -> dict[str, Any]:
    empty = html(EMPTY)
    with gr.Column(visible=False) as room:
        html('<h1 class="hidden">Take it with you</h1>')
        row = gr.Dropdown([], label="Row", info="The rows that finished")
        with gr.Row():
            with gr.Column():
                yaml = gr.Code(
                    "", language="yaml", label="Recipe file", interactive=False, max_lines=32, wrap_lines=True
                )
            with gr.Column():
                python = gr.Code("", language="python", label="In Python", interactive=False, wrap_lines=True)
                command = gr.Code(
                    "", language="shell", label="The same as a command", interactive=False, wrap_lines=True
                )
                files = gr.File([], file_count="multiple", interactive=False, label="Recipe file, report and notebook")
                verify = gr.Button("Verify here: build it again and hold it to what the file says")
                verified = html("")
                pack = gr.Button("Pack the model's files as zip")
                model = gr.File(None, interactive=False, label="The optimized model", visible=False)
        hub = pushing.build(desk)
    return {"hub": hub, "empty": empty, "room": room, "row": row, "yaml": yaml, "python": python, "command": command,
            "files": files, "pack": pack, "model": model, "verify": verify, "verified": verified,
            "verification": gr.Textbox("", visible="hidden", label="Verification"),
            "timer": gr.Timer(1.0, active=False)}  # fmt: skip


def offered(taken: dict[str, Any]) -> list[Any]:
    """The components that `offer` gives the values of."""
    return [taken["empty"], taken["room"], taken["row"]]


def offer(names: Sequence[str]) -> tuple[Any, ...]:
    """The screen for a run with these rows."""
    return (gr.update(visible=not names), gr.update(visible=bool(names)),
            gr.update(choices=list(names), value=names[0] if names else None))  # fmt: skip


def wire(desk: Desk, shared: Shared, taken: dict[str, Any], tab: Any) -> None:
    pushing.wire(desk, shared, taken["row"], taken["hub"])

    def shown(row: str | None, run: str, who: str) -> tuple[Any, ...]:
        record = desk.finished(run, who)
        if not record or not row:
            return "", "", "", None, gr.update(value=None, visible=False)
        with told():
            files = [str(file_of(record, row, kind, desk.store)) for kind in SMALL]
            return (*texts(record, row, desk.store), files, gr.update(value=None, visible=False))

    def pack(row: str | None, run: str, who: str) -> Any:
        with told():
            record = desk.visitors.own(run, who)
            return gr.update(value=str(file_of(record, row or "", "model", desk.store)), visible=True)

    def checked(found: str, who: str) -> tuple[Any, ...]:
        record = desk.record(found, who)
        if record is None:
            return part(""), gr.Timer(active=False)
        markup = verified(record, desk.visitors.place(record.id), desk.watching)
        return part(markup), gr.Timer(active=record.status in ALIVE)

    def check(row: str | None, run: str, who: str) -> tuple[Any, ...]:
        with told():
            desk.visitors.check_room(who)
            found = verify(desk.visitors.own(run, who), row or "", desk.store)
            desk.visitors.claim(found, who)
        return (found, *checked(found, who))

    chosen = [taken["row"], shared.current, shared.visitor]
    seen = [taken["verified"], taken["timer"]]
    taken["verify"].click(check, chosen, [taken["verification"], *seen], **BUSY)
    taken["timer"].tick(checked, [taken["verification"], shared.visitor], seen, **QUIET)
    taken["row"].change(lambda: ("", part(""), gr.Timer(active=False)), None, [taken["verification"], *seen], **QUIET)
    lines = [taken[name] for name in ("yaml", "python", "command", "files", "model")]
    taken["pack"].click(pack, chosen, taken["model"], **BUSY)
    taken["row"].change(shown, chosen, lines, **QUIET)
    tab.select(shown, chosen, lines, **QUIET)  # buttons of a tab that was never open miss what came before
