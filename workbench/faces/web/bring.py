"""What a person brings along to the first screen: data of their own, and a recipe file that fills the form."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import gradio as gr

from workbench import bench
from workbench import recipe as recipes
from workbench.errors import RequestError, WorkbenchError
from workbench.faces.web import choose
from workbench.faces.web.around import BUSY, Desk, Shared
from workbench.faces.web.parts import html, part
from workbench.faces.web.parts.changes import changes
from workbench.faces.web.parts.data_preview import data_preview
from workbench.faces.web.parts.problem import problem
from workbench.pieces import Request

DATA = [".csv", ".tsv", ".json", ".jsonl", ".parquet", ".zip"]
MOST_RECIPE = 1 << 20  # bytes


def build_data() -> dict[str, Any]:
    with gr.Accordion("Upload data of your own", open=False):
        file = gr.File(label="CSV, JSON, JSONL, Parquet, or a zip of pictures or sounds with metadata.csv, up to 50 MB",
                       file_types=DATA, height=120, elem_id="data-file")  # fmt: skip
        preview = html("")
    return {"data_file": file, "preview": preview}


def build_recipe() -> dict[str, Any]:
    with gr.Accordion("Open a recipe file", open=False):
        file = gr.File(
            label="A recipe file: the form is filled in with it",
            file_types=[".yaml", ".yml"],
            height=120,
            elem_id="recipe-file",
        )
        differs = html("")
    return {"recipe_file": file, "differs": differs}


def wire(desk: Desk, shared: Shared, form: dict[str, Any]) -> None:
    def data(file: str | None, model: str, task: str, columns: str, who: str) -> tuple[Any, ...]:
        if not file:
            return part(""), gr.skip()
        try:
            choose.refuse_places((model or "",), desk)
            found = bench.check_data(Path(file), task=task or None, model=model or None,
                                     fields=choose.columns_of(columns or ""), store=desk.store)  # fmt: skip
            named = desk.visitors.claim_upload(found.path, who) if found.path else None
        except WorkbenchError as error:
            return part(problem(error)), gr.skip()
        return part(data_preview(found)), named or gr.skip()

    def recipe(file: str | None) -> tuple[Any, ...]:
        if not file:
            return part(""), *(gr.skip() for _ in filled), ""
        try:
            text = text_of(Path(file))
            said = part(changes(bench.differs_here(text, desk.store)))
        except WorkbenchError as error:
            return part(problem(error)), *(gr.skip() for _ in filled), ""
        try:
            asked = _request_of(text, desk)
        except WorkbenchError as error:  # it was made for a model or data that must be named
            return said + part(problem(error)), *(gr.skip() for _ in filled[:-1]), _ticked(text), text
        return said, *_values(asked), _ticked(text), text

    filled = [form[name] for name in ("model", "task", "data", "columns", "n", "bar", "shelf")]
    form["data_file"].upload(
        data, [form["data_file"], form["model"], form["task"], form["columns"], shared.visitor],
        [form["preview"], form["data"]], **BUSY,
    )  # fmt: skip
    form["recipe_file"].upload(
        recipe, form["recipe_file"], [form["differs"], *filled, form["opened"]], **BUSY
    ).then(
        lambda task, target, text: gr.HTML(cards=part(choose.cards(task or "", target or "", desk.store, text))),
        [form["task"], form["target"], form["opened"]], form["shelf"], **BUSY,
    )  # fmt: skip


def text_of(file: Path) -> str:
    """The text of an uploaded recipe file. Raises RequestError for what is none."""
    if file.stat().st_size > MOST_RECIPE:
        raise RequestError("That is no recipe file.", "It has more than a megabyte.", "Choose a recipe's YAML file.")
    return recipes.load(file).to_yaml()


def _request_of(text: str, desk: Desk) -> Request:
    with tempfile.TemporaryDirectory() as folder:
        asked = bench.request_of(recipes.load(text).save(Path(folder) / "recipe.yaml"), store=desk.store)
    choose.refuse_places((asked.model, asked.data or ""), desk)
    return asked


def _values(asked: Request) -> tuple[Any, ...]:
    model = asked.model + (f"@{asked.revision}" if asked.revision else "")
    columns = ", ".join(f"{field}={column}" for field, column in asked.fields.items())
    bar = 100 * asked.max_drop if asked.max_drop is not None else gr.skip()
    return model, asked.task or gr.skip(), asked.data or "", columns, asked.n or 0, bar


def _ticked(text: str) -> str:
    return json.dumps({"recipes": [recipes.load(text).name]})
