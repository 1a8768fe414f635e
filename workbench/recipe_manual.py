"""The JSON Schema of a recipe file and the table of its keys, both made from the models.

`python -m workbench.recipe_manual` writes them; a test compares them with what is shipped.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from workbench.recipe import Recipe, shelf_folder

SCHEMA_FILE = Path(__file__).with_name("recipe.schema.json")
BEGIN, END = "<!-- keys: made by workbench.recipe_manual -->", "<!-- end of keys -->"


def json_schema() -> dict[str, Any]:
    """Draft 2020-12. `schema` has a default in Python, but a file must say it."""
    schema = Recipe.model_json_schema(by_alias=True, mode="validation")
    schema["required"] = ["schema", *schema["required"]]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def json_schema_text() -> str:
    return json.dumps(json_schema(), indent=1, ensure_ascii=False) + "\n"


def table() -> str:
    """Every key as a row of a Markdown table: key, default, meaning."""
    schema = json_schema()
    rows = [f"| `{key}` | {default} | {meaning} |" for key, default, meaning in _rows(schema, schema, "")]
    return "\n".join([BEGIN, "", "| key | default | meaning |", "|---|---|---|", *rows, "", END])


def _rows(part: dict[str, Any], schema: dict[str, Any], prefix: str) -> Iterator[tuple[str, str, str]]:
    for name, field in part.get("properties", {}).items():
        inner, many = _model_of(field, schema)
        key = f"{prefix}{name}{many}"
        required = name in part.get("required", ())
        yield (
            key,
            "required" if required else _default(field, bool(inner)),
            field.get("description", "").replace("|", "/").replace("<", "&lt;"),
        )
        yield from _rows(inner, schema, f"{key}.")


def _model_of(field: dict[str, Any], schema: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """The object that a field holds, and "[]" when it holds a list of them."""
    for choice in (field, *field.get("anyOf", ()), *field.get("allOf", ())):
        if "$ref" in choice:
            return schema["$defs"][choice["$ref"].rsplit("/", 1)[-1]], ""
        for where, many in (("items", "[]"), ("additionalProperties", ".<name>")):
            if isinstance(choice.get(where), dict) and "$ref" in choice[where]:
                return schema["$defs"][choice[where]["$ref"].rsplit("/", 1)[-1]], many
    return {}, ""


def _default(field: dict[str, Any], is_object: bool) -> str:
    value = field.get("default")
    return "" if value is None or value in ({}, []) or is_object else f"`{json.dumps(value, ensure_ascii=False)}`"


def with_table(page: str) -> str:
    """The page with its table of keys made anew."""
    before, after = page.split(BEGIN)[0], page.split(END)[-1]
    return before + table() + after


def main() -> None:
    page = shelf_folder() / "README.md"
    SCHEMA_FILE.write_text(json_schema_text(), encoding="utf-8")
    page.write_text(with_table(page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
