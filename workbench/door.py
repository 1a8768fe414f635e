"""The door: data from outside becomes a typed object once, or an error that a person can act on."""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from workbench.errors import RequestError
from workbench.recipe_file import KeyPath, Lines

T = TypeVar("T", bound=BaseModel)

SECRET = re.compile(
    r"\bhf_[A-Za-z0-9]{16,}|\bgh[pousr]_[A-Za-z0-9]{20,}|\bgithub_pat_\w{20,}|\bsk-(proj-|ant-)?\w{24,}|\bAKIA[0-9A-Z]{16}\b"
    r"|\bxox[abprs]-[\w-]{10,}|-----BEGIN [A-Z ]*PRIVATE KEY|\w+://[^/\s:@]+:[^/\s@]+@"
)
OUTSIDE = re.compile(r"^([/\\~]|[A-Za-z]:[/\\]|file:)|(^|[/\\:])\.\.([/\\]|$)", re.IGNORECASE)
# Nothing opens a file by these: sentences for people, and names of graph nodes, which may begin with a slash.
FREE_TEXT = frozenset({"summary", "pays_when", "exclude"})

EXPECTED = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "string": "text",
    "dict": "keys with values",
    "model": "keys with values",
    "tuple": "a list",
    "list": "a list",
}


def checked(kind: type[T], data: Any, lines: Lines | None = None, name: str = "", at: KeyPath = ()) -> T:
    """`data` (plain, as JSON has it) as `kind`. Types are strict: `"2"` is no number.

    `lines` gives the line of each key path, `name` says whose keys these are ("the step cast"), `at` is
    where `data` stands inside `lines`. Raises RequestError for what a person should correct first.
    """
    try:
        return kind.model_validate_json(json.dumps(data, allow_nan=False), strict=True)
    except ValidationError as error:
        wrongs = sorted(error.errors(include_url=False), key=lambda each: each["type"] != "extra_forbidden")
        raise _explained(kind, wrongs[0], lines or {}, name, at) from None


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word that was probably meant, or ""."""
    by_lower = {each.lower(): each for each in known}
    close = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.5)
    return by_lower[close[0]] if close else ""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    return f"Did you mean `{near}`?" if (near := nearest(word, list(known))) else ""


def shown(path: Iterable[str | int]) -> str:
    """`spec.steps[0].use` for ("spec", "steps", 0, "use")."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")


def field_at(kind: type[BaseModel], path: KeyPath) -> FieldInfo | None:
    """What a model declares of the key at `path`: description and default. None where the key is a free one."""
    return _keys_at(kind, path[:-1]).get(str(path[-1]))


def refuse_unsafe(data: Any, lines: Lines | None = None) -> None:
    """No secrets, paths outside the run, code of a model, or numbers that are none; RequestError names the key."""
    for path, value in _plain_values(data, ()):
        key = f"`{shown(path)}`{_line(path, lines or {})}"
        if isinstance(value, float) and not math.isfinite(value):
            raise RequestError(f"{key} is not a finite number.", fix="Write a finite number.")
        if value is True and path[-1:] == ("trust_remote_code",):
            why = "Code of a model's repository is never run."
            raise RequestError(f"{key} cannot be `true`.", why, "Use a model that transformers knows.")
        if isinstance(value, str):
            _refuse_text(key, value, may_have_slashes=not FREE_TEXT.isdisjoint(path))


def _refuse_text(key: str, value: str, may_have_slashes: bool) -> None:
    if SECRET.search(value):
        why = "A recipe is passed on, and a token must not be."
        raise RequestError(f"{key} looks like a secret.", why, "Take it out; log in with `hf auth login` instead.")
    if not may_have_slashes and OUTSIDE.search(value):
        why = "A recipe runs on other machines, so it names no path outside its own folder."
        fix = "Write `local:<name>` and give the path on the command line."
        raise RequestError(f"{key} is a path of this machine.", why, fix)
    if any("\ud800" <= char <= "\udfff" for char in value):
        raise RequestError(f"{key} is not valid text.", "It holds half a character.", "Write it again.")


def _plain_values(value: Any, path: KeyPath) -> Iterator[tuple[KeyPath, Any]]:
    """Every plain value with its path; keys are texts, too."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield (*path, key), key
            yield from _plain_values(inner, (*path, key))
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            yield from _plain_values(inner, (*path, number))
    else:
        yield path, value


# ---- saying what is wrong -----------------------------------------------------------------------


def _explained(kind: type[BaseModel], error: Any, lines: Lines, name: str, at: KeyPath) -> RequestError:
    path: KeyPath = (*at, *error["loc"])
    key = f"`{shown(path) or name}`{_line(path, lines)}"
    fields = _keys_at(kind, error["loc"][:-1])
    if error["type"] == "extra_forbidden":
        what = f"There is no key `{path[-1]}` in {_place(path, name)}{_line(path, lines)}."
        return RequestError(what, did_you_mean(str(path[-1]), fields), f"Known: {', '.join(fields) or 'none'}.")
    field = fields.get(str(error["loc"][-1])) if error["loc"] else None
    about = f"`{path[-1]}`: {field.description}" if field and field.description else ""
    if error["type"] == "missing":
        missing = f"The key `{path[-1]}`" if isinstance(path[-1], str) else f"Entry {path[-1] + 1}"
        return RequestError(f"{missing} is missing in {_place(path, name)}{_line(path, lines)}.", about, "Add it.")
    if path[-1:] == ("[key]",):
        return RequestError(f"`{shown(path[:-1])}`{_line(path, lines)} is not allowed there.", fix="Take it out.")
    if error["type"] == "recipe":
        what = (
            f"{key} does not fit together."
            if isinstance(error["input"], Mapping)
            else f"{key} cannot be {_said(error['input'])}."
        )
        return RequestError(what, error["ctx"]["why"], error["ctx"]["fix"] or about)
    return RequestError(
        f"{key} cannot be {_said(error['input'])}.", f"Expected: {_expected(error)}.", _meant(error) or about
    )


def _place(path: KeyPath, name: str) -> str:
    return f"`{shown(path[:-1])}`" if path[:-1] else name or "the recipe"


def _keys_at(kind: Any, path: KeyPath) -> dict[str, Any]:
    """The fields, by the name that a file uses, of the model that stands at `path` inside `kind`."""
    for part in path:
        kind = _inside(kind, part)
    model = _model_in(kind)
    return {field.alias or name: field for name, field in model.model_fields.items()} if model else {}


def _inside(kind: Any, part: str | int) -> Any:
    """The annotation of what stands at `part`: a field of a model, or an entry of a list or mapping."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        field = _keys_at(kind, ()).get(str(part))
        return field.annotation if field else None
    if get_origin(kind) in (dict, tuple, list):
        return next(argument for argument in reversed(get_args(kind)) if argument is not Ellipsis)
    return next((_inside(argument, part) for argument in get_args(kind) if _model_in(argument)), None)


def _model_in(kind: Any) -> type[BaseModel] | None:
    """The first model in an annotation: `tuple[Step, ...]`, `Model | None`."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return kind
    return next(filter(None, map(_model_in, get_args(kind))), None)


def _expected(error: Any) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind == "literal_error":
        return f"one of {context['expected']}".replace("'", "`")
    if (word := EXPECTED.get(kind.split("_")[0])) and kind.endswith(("_type", "_parsing", "_from_float")):
        return word
    if kind.startswith(("greater", "less")):
        sign = {
            "greater_than": "above",
            "greater_than_equal": "at least",
            "less_than": "below",
            "less_than_equal": "at most",
        }
        return f"a number {sign[kind]} {next(iter(context.values())):g}"
    return str(error["msg"])


def _meant(error: Any) -> str:
    if error["type"] != "literal_error" or not isinstance(error["input"], str):
        return ""
    return did_you_mean(error["input"], re.findall(r"'([^']*)'", error["ctx"]["expected"]))


def _said(value: Any) -> str:
    """The value as a person wrote it, cut short."""
    if isinstance(value, Mapping | list | tuple):
        return "a list" if isinstance(value, list | tuple) else "keys with values"
    text = "empty" if value is None or value == "" else json.dumps(value, ensure_ascii=False)
    return text if text == "empty" else f"`{text[:57] + '…' if len(text) > 60 else text}`"


def _line(path: KeyPath, lines: Lines) -> str:
    """ " (line 7)" of the longest known part of the path."""
    for end in range(len(path), 0, -1):
        if path[:end] in lines:
            return f" (line {lines[path[:end]]})"
    return ""
