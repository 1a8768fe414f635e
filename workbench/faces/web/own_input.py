"""One's own input on all variants, under a finished comparison. Models stay open between two questions."""

from __future__ import annotations

from typing import Any

import gradio as gr

from workbench import bench
from workbench.errors import WorkbenchError
from workbench.faces.web.around import BUSY, QUIET, Desk, Shared
from workbench.faces.web.asking import Asking
from workbench.faces.web.parts import html, part
from workbench.faces.web.parts.answers import answers
from workbench.faces.web.parts.problem import problem

TEXTS = 4  # fields of text that a task asks for at most


def build() -> dict[str, Any]:
    with gr.Column(visible=False) as room:
        html("<h2>Try your own input</h2>")
        texts = [gr.Textbox("", label=f"Text {number + 1}", lines=2, visible=False) for number in range(TEXTS)]
        image = gr.Image(type="filepath", sources=["upload", "clipboard"], label="Picture", visible=False, height=240,
                         elem_id="own-image")  # fmt: skip
        audio = gr.Audio(type="filepath", sources=["upload"], label="Sound", visible=False)
        ask = gr.Button("Ask all variants")
        said = html("")
    return {"room": room, "texts": texts, "image": image, "audio": audio, "ask": ask, "said": said}


def offered(own: dict[str, Any]) -> list[Any]:
    """The components that `offer` gives the values of."""
    return [own["room"], *own["texts"], own["image"], own["audio"], own["said"]]


def offer(run: str | None, desk: Desk) -> tuple[Any, ...]:
    """The fields that the task of a run asks for; nothing for no run."""
    fields = bench.inputs_of(run, desk.store) if run else ()
    texts = [one for one in fields if one.kind == "text"][:TEXTS]
    kinds = {one.kind: one for one in fields}
    blanks = [gr.update(visible=False, value="")] * (TEXTS - len(texts))
    return (
        gr.update(visible=bool(fields)),
        *(gr.update(visible=True, label=_label(one), value=one.value) for one in texts), *blanks,
        *(gr.update(visible=kind in kinds, value=None) for kind in ("image", "audio")), part(""),
    )  # fmt: skip


def _label(field: Any) -> str:
    return f"{field.label}, if you like" if field.optional else str(field.label)


def wire(desk: Desk, shared: Shared, own: dict[str, Any]) -> None:
    asking = Asking(desk.store)

    def ask(run: str, who: str, *given: Any) -> str:
        try:
            record = desk.visitors.own(run, who)
            fields = bench.inputs_of(record.id, desk.store)
            values = iter(given[:TEXTS])
            kinds = {"image": given[TEXTS], "audio": given[TEXTS + 1]}
            example = {one.name: next(values) if one.kind == "text" else kinds[one.kind] for one in fields}
            asked = {name: value for name, value in example.items() if value}
            return part(answers(asking.ask(record.id, asked)))
        except WorkbenchError as error:
            return part(problem(error))

    inputs = [shared.current, shared.visitor, *own["texts"], own["image"], own["audio"]]
    own["ask"].click(ask, inputs, own["said"], concurrency_limit=1, concurrency_id="own-input", **BUSY)
    for text in own["texts"]:
        text.change(lambda: part(""), None, own["said"], **QUIET)
