"""A plug-in's options as fields of a form: what to ask, between which limits, and what it means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from workbench.plugin import Options


@dataclass(frozen=True)
class Field:
    """`kind`: flag, choice, whole, number, text, list (of texts) or plain (anything that YAML can say). `empty` says
    that it may stay empty; a limit that is None is none."""

    name: str
    kind: str
    default: Any
    description: str = ""
    choices: tuple[Any, ...] = ()
    low: float | None = None
    high: float | None = None
    empty: bool = False


def fields_of(options: type[Options]) -> list[Field]:
    """One field an option, in the order of its class."""
    schema = options.model_json_schema()
    defaults = options.model_construct().model_dump(mode="json", warnings=False)
    return [_field(name, said, defaults.get(name)) for name, said in schema.get("properties", {}).items()]


def _field(name: str, said: dict[str, Any], default: Any) -> Field:
    forms = said.get("anyOf") or [said]
    kinds = [one for one in forms if one.get("type") != "null"]
    first = kinds[0] if len(kinds) == 1 else {}
    return Field(
        name, _kind(first), default, said.get("description", ""), _choices(first),
        first.get("minimum", first.get("exclusiveMinimum")), first.get("maximum", first.get("exclusiveMaximum")),
        len(kinds) < len(forms),
    )  # fmt: skip


def _choices(said: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(said.get("enum") or [said[key] for key in ("const",) if key in said])


def _kind(said: dict[str, Any]) -> str:
    if _choices(said):
        return "choice"
    if said.get("type") == "array" and said.get("items", {}).get("type") == "string":
        return "list"
    kinds = {"boolean": "flag", "integer": "whole", "number": "number", "string": "text"}
    return kinds.get(str(said.get("type")), "plain")
