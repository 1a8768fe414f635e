"""One row to the Hub, from the page: on a Space with the visitor's login, at home with the one of this machine."""

from __future__ import annotations

import os
import secrets
import threading
from dataclasses import dataclass, field
from typing import Any

import gradio as gr

from workbench import bench, words
from workbench.errors import RequestError, WorkbenchError
from workbench.event import Event, Progress
from workbench.faces.web.around import BUSY, QUIET, Desk, Shared
from workbench.faces.web.parts import html, part
from workbench.faces.web.parts.problem import problem
from workbench.report.markup import e, icon
from workbench.store import Store

KEPT = 50  # pushes whose end can still be asked for


@dataclass
class _Push:
    visitor: str
    done: float = 0
    total: float = 0
    said: dict[str, Any] = field(default_factory=dict)
    error: Exception | None = None

    @property
    def over(self) -> bool:
        return bool(self.said) or self.error is not None


class Pushing:
    """Pushes that go on while the page only looks: a dropped connection ends none of them. Tokens are kept nowhere."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._all: dict[str, _Push] = {}

    def begin(self, visitor: str, run: str, row: str, repository: str, **how: Any) -> str:
        """An id to ask with."""
        id, push = secrets.token_urlsafe(12), _Push(visitor)
        while len(self._all) >= KEPT:
            self._all.pop(next(iter(self._all)))
        self._all[id] = push
        threading.Thread(target=self._push, args=(push, run, row, repository, how), daemon=True).start()
        return id

    def of(self, id: str, visitor: str) -> _Push | None:
        found = self._all.get(id)
        return found if found and found.visitor == visitor else None

    def _push(self, push: _Push, run: str, row: str, repository: str, how: dict[str, Any]) -> None:
        def tell(event: Event) -> None:
            if isinstance(event, Progress):
                push.done, push.total = event.done, event.total

        try:
            push.said = bench.push(run, row, repository, tell=tell, store=self._store, **how)
        except Exception as error:  # shown to whoever asks; what is not for people is named by its type
            push.error = error


def drawn(push: _Push | None) -> str:
    """Markup of a push: how far it is, where it went, or what went wrong."""
    if push is None:
        return ""
    if push.error:
        return problem(push.error)
    if not push.said:
        share = f" {words.percent(push.done / push.total)}" if push.total else ""
        return f'<p class="st now">{icon("run")}pushing{share}</p>'
    where = push.said["pull_request"] or push.said["url"]
    what = "A pull request was opened" if push.said["pull_request"] else "It is there"
    size = f"{words.megabytes(push.said['bytes'] / 1e6)}{words.NBSP}MB"
    return (
        f'<p class="v better">{icon("ok")}{what}</p><p class="note"><a href="{e(where)}" target="_blank" '
        f'rel="noreferrer">{e(where)}</a>, {words.plural(len(push.said["files"]), "file")}, '
        f"{size}, commit <code>{e(push.said['commit'][:12])}</code></p>"
    )


def build(desk: Desk) -> dict[str, Any]:
    on_a_space = bool(os.environ.get("SPACE_ID")) and os.environ.get("SYSTEM") == "spaces"  # as Gradio asks
    with gr.Accordion("Push to the Hub", open=False, visible=on_a_space or not desk.visitors.shared):
        if on_a_space:
            gr.LoginButton()
        else:
            html('<p class="note">With the login of this machine (<code>hf auth login</code>, or HF_TOKEN).</p>')
        with gr.Row():
            name = gr.Textbox(label="Repository", placeholder="you/model-onnx-int8")
            private = gr.Checkbox(False, label="Private")
            request = gr.Checkbox(False, label="As a pull request to a repository that is there")
        with gr.Row():
            preview = gr.Button("Show the model card")
            push = gr.Button("Push", variant="primary")
        card = gr.Code("", language="markdown", label="README.md", interactive=False, wrap_lines=True, visible=False)
        said = html("")
    return {"name": name, "private": private, "request": request, "preview": preview, "push": push, "card": card,
            "said": said, "id": gr.Textbox("", visible="hidden", label="Push"),
            "timer": gr.Timer(1.0, active=False)}  # fmt: skip


def wire(desk: Desk, shared: Shared, row: Any, parts: dict[str, Any]) -> None:
    pushing = Pushing(desk.store)

    def look(id: str, who: str) -> tuple[Any, ...]:
        push = pushing.of(id, who)
        return part(drawn(push)), gr.Timer(active=push is not None and not push.over)

    def preview(chosen: str | None, run: str, who: str, name: str, request: bool) -> tuple[Any, ...]:
        try:
            record = desk.visitors.own(run, who)
            text = bench.model_card(record.id, chosen or "", name.strip(), pull_request=request, store=desk.store)
        except WorkbenchError as error:
            return gr.update(visible=False), part(problem(error))
        return gr.update(value=text, visible=True), part("")

    def begin(
        chosen: str | None, run: str, who: str, name: str, private: bool, request: bool,
        token: gr.OAuthToken | None = None,
    ) -> tuple[Any, ...]:  # fmt: skip
        try:
            record = desk.visitors.own(run, who)
            if desk.visitors.shared and token is None:  # that of the machine is not for its visitors
                raise RequestError("Pushing needs your login.", "", "Sign in to Hugging Face first.")
        except WorkbenchError as error:
            return "", part(problem(error)), gr.Timer(active=False)
        login = token.token if token else None
        id = pushing.begin(who, record.id, chosen or "", name.strip(), token=login, private=private,
                           pull_request=request)  # fmt: skip
        return id, *look(id, who)

    asked = [row, shared.current, shared.visitor, parts["name"]]
    parts["preview"].click(preview, [*asked, parts["request"]], [parts["card"], parts["said"]], **BUSY)
    parts["push"].click(begin, [*asked, parts["private"], parts["request"]],
                        [parts["id"], parts["said"], parts["timer"]], **BUSY)  # fmt: skip
    parts["timer"].tick(look, [parts["id"], shared.visitor], [parts["said"], parts["timer"]], **QUIET)
