"""YAML that people write <-> plain data, with the line of every key.

The reader takes the part of YAML that a recipe needs and nothing that can surprise or attack: text,
numbers, true/false, null, lists and mappings. No tags, anchors, aliases or second documents, no key
twice, at most 1 MB, 32 levels and 10,000 values. Words are those of YAML 1.2: `no` and `on` are text, `1e-2`
is a number.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import yaml

from workbench.errors import RequestError

MAX_BYTES = 1_000_000
MAX_DEPTH = 32
MAX_VALUES = 10_000
LONG = 40  # what is this long is a digest, even when all its letters are digits
BREAKS = re.compile("[\\x85\\u2028\\u2029\\ufeff]")  # only an escape keeps these line breaks what they are
FLOW_WIDTH = 100  # a mapping or list of plain values that fits is written on one line

KeyPath = tuple[str | int, ...]
Lines = dict[KeyPath, int]

WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
INTEGER = re.compile(r"[-+]?[0-9]+")
NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


# ---- reading ------------------------------------------------------------------------------------


def read(source: Path | str, name: str = "the text") -> tuple[Any, Lines]:
    """Plain data and the line (from 1) of each key path. A Path is a file, a str is the YAML itself."""
    text, name = (read_text(source), source.name) if isinstance(source, Path) else (source, name)
    if len(text.encode("utf-8", "replace")) > MAX_BYTES:
        raise RequestError(f"{name} is larger than 1 MB.", "A recipe is a short text.", "Give a recipe file.")
    try:
        return _Builder(name, yaml.parse(text, Loader=yaml.SafeLoader)).document()
    except yaml.reader.ReaderError as error:
        raise RequestError(f"{name} is not YAML text.", f"It has the character #x{error.character:04x}.") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f" at line {mark.line + 1}" if mark else ""
        why = f"The parser says: {error.problem or error.context}."
        raise RequestError(f"{name} is not valid YAML{where}.", why, "Correct that line.") from error


def read_text(path: Path) -> str:
    """The file's UTF-8 text; RequestError when it is missing, a folder, too large or not text."""
    try:
        is_file, is_folder = path.is_file(), path.is_dir()
    except OSError:  # a text of one line is no path, however long it is
        raise RequestError(f"There is no file {str(path)[:60]}….", fix="Give the path of a recipe file.") from None
    if not is_file:
        what = f"{path} is a folder, not a file." if is_folder else f"There is no file {path}."
        raise RequestError(what, "" if is_folder else _why_absent(path), "Give the path of a recipe file.")
    if path.stat().st_size > MAX_BYTES:
        raise RequestError(f"{path.name} is larger than 1 MB.", "A recipe is a short text.", "Give a recipe file.")
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RequestError(f"{path.name} is not UTF-8 text.", fix="Give a recipe file.") from error


def _why_absent(path: Path) -> str:
    if not path.parent.is_dir():
        return f"There is no folder {path.parent} either."
    return "" if path.is_absolute() else f"It was looked for in {path.parent.resolve()}."


class _Builder:
    """Folds parser events into data. Recursion is bounded by MAX_DEPTH, work by MAX_BYTES."""

    def __init__(self, name: str, events: Iterator[Any]) -> None:
        self.name, self.events, self.lines, self.count = name, events, Lines(), 0

    def document(self) -> tuple[Any, Lines]:
        next(self.events)  # stream start
        if isinstance(next(self.events), yaml.StreamEndEvent):
            return None, self.lines
        data = self._value(next(self.events), ())
        next(self.events)  # document end
        if isinstance(after := next(self.events), yaml.DocumentStartEvent):
            self._refuse(after, "a second document begins", "Keep one recipe in a file.")
        return data, self.lines

    def _value(self, event: Any, path: KeyPath) -> Any:
        self.lines.setdefault(path, event.start_mark.line + 1)
        self.count += 1
        if self.count > MAX_VALUES:
            self._refuse(event, f"there are more than {MAX_VALUES:,} values", "Give a recipe file.")
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            self._refuse(event, "an anchor or alias is used", "Write the value out.")
        if getattr(event, "tag", None):
            self._refuse(event, f"the tag {event.tag} is used", "Write a plain value.")
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event)
        if len(path) >= MAX_DEPTH:
            self._refuse(event, f"there are more than {MAX_DEPTH} levels", "Use fewer levels.")
        return self._mapping(path) if isinstance(event, yaml.MappingStartEvent) else self._list(path)

    def _mapping(self, path: KeyPath) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            key = self._scalar(event) if isinstance(event, yaml.ScalarEvent) else None
            if not isinstance(key, str) or event.tag or event.anchor:
                self._refuse(event, "a key is not text", "Put the key in quotes.")
            if key in found:
                self._refuse(event, f"the key `{key}` occurs twice", "Keep one of them.")
            self.lines[(*path, key)] = event.start_mark.line + 1
            found[key] = None
            found[key] = self._value(next(self.events), (*path, key))
        return found

    def _list(self, path: KeyPath) -> list[Any]:
        found: list[Any] = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            found.append(self._value(event, (*path, len(found))))
        return found

    def _scalar(self, event: Any) -> Any:
        text = event.value
        if event.style is not None:
            return text
        if text in WORDS:
            return WORDS[text]
        if len(text) >= LONG or not NUMBER.fullmatch(text):
            return text
        if INTEGER.fullmatch(text):
            return int(text)
        number = math.inf if text[-1].isalpha() else float(text)
        if not math.isfinite(number):
            self._refuse(event, f"{text} is not a finite number", "Write a finite number, or put text in quotes.")
        return number

    def _refuse(self, event: Any, why: str, fix: str) -> NoReturn:
        what = f"{self.name} cannot be used."
        raise RequestError(what, f"At line {event.start_mark.line + 1} {why}.", fix)


# ---- writing ------------------------------------------------------------------------------------


class _Dumper(yaml.SafeDumper):
    """Quotes every text that this reader, or a YAML 1.1 reader, would take for something else."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


_Dumper.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(rf"(?:{NUMBER.pattern})$"), list("-+.0123456789"))


def write(data: dict[str, Any], comments: dict[str, str] | None = None) -> str:
    """YAML in the order of `data`; `comments` are one-line headings above top-level keys."""
    parts = []
    for key, value in data.items():
        heading = f"\n# {comments[key]}\n" if comments and key in comments else ""
        parts.append(heading + _dump({key: value}))
    return "".join(parts)


def _dump(data: dict[str, Any]) -> str:
    node = yaml.representer.SafeRepresenter(default_flow_style=False, sort_keys=False).represent_data(data)
    for part in _parts(node):
        _laid_out(part)
    text: str = yaml.serialize(node, Dumper=_Dumper, width=120, allow_unicode=True)
    return text


def _laid_out(node: Any) -> Any:
    """Short mappings and lists of plain values on one line, everything else one entry a line."""
    if isinstance(node, yaml.ScalarNode):
        node.style = '"' if BREAKS.search(node.value) else node.style
        return node
    parts = [_laid_out(part) for part in _parts(node)]
    plain = all(isinstance(part, yaml.ScalarNode) or part.flow_style for part in parts)
    of_mappings = isinstance(node, yaml.SequenceNode) and any(isinstance(part, yaml.CollectionNode) for part in parts)
    node.flow_style = plain and not of_mappings and _length(node) <= FLOW_WIDTH
    return node


def _length(node: Any) -> int:
    return len(node.value) + 2 if isinstance(node, yaml.ScalarNode) else 2 + sum(map(_length, _parts(node)))


def _parts(node: Any) -> list[Any]:
    """Keys and values of a mapping, or the entries of a list."""
    return [part for entry in node.value for part in (entry if isinstance(entry, tuple) else (entry,))]
