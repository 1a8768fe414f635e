"""One thing that differs, and all of them in the order of what matters."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from workbench import words
from workbench.card import Card

Kind = Literal["spec", "inputs", "environment", "measuring", "expectations", "goal", "about"]
How = Literal["changed", "added", "removed", "reordered"]
Effect = Literal["speed", "accuracy"]

KINDS: dict[Kind, str] = {
    "spec": "What is done to the model",
    "inputs": "Model and data",
    "environment": "Packages and machine",
    "measuring": "How it is measured",
    "expectations": "What was measured",
    "goal": "What is wanted",
    "about": "For people only",
}
NOTHING = "none"
LONG_HEX, SHOWN_HEX = 32, 12


@dataclass(frozen=True)
class Change:
    """`where`: the key as the file has it. `name`, `old`, `new`, `why`: plain texts for people; `old` or `new` is
    "none" where there is nothing. `explains`: what another value of it can change, as far as is known for certain."""

    kind: Kind
    where: str
    how: How
    name: str
    old: str
    new: str
    why: str = ""
    explains: tuple[Effect, ...] = ()

    def __str__(self) -> str:
        return f"{self.name}: {self.old} -> {self.new}"


@dataclass(frozen=True)
class Changes:
    """What differs between `old` and `new`, ordered by what matters. `same`: both are one recipe by their identity,
    whatever was measured with it and where; None where `new` is no recipe. `notes`: what a reader should know before
    anything else."""

    old: str
    new: str
    same: bool | None
    changes: tuple[Change, ...]
    notes: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Change]:
        return iter(self.changes)

    def __len__(self) -> int:
        return len(self.changes)

    def of_kind(self, *kinds: Kind) -> tuple[Change, ...]:
        return tuple(change for change in self.changes if change.kind in kinds)

    def explaining(self, effect: Effect) -> tuple[Change, ...]:
        """Those that can explain another speed, or another accuracy."""
        return tuple(change for change in self.changes if effect in change.explains)

    @property
    def title(self) -> str:
        if not self.changes:
            return "Nothing differs."
        if self.same:
            return "The same recipe; around it, " + _things(self.changes, "differs", "differ")
        return _things(self.changes, "differs", "differ").capitalize()

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"title": self.title}

    def __str__(self) -> str:
        return "\n".join([self.title, *self.notes, *(f"  {change}" for change in self.changes)])

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        rows = [(one.name, one.old, one.new, one.why) for one in self.changes]
        return Card(self.title, header=("what", self.old, self.new, "why"), rows=rows, notes=self.notes).bundle()


def _things(changes: tuple[Change, ...], one: str, many: str) -> str:
    count = len(changes)
    return f"{words.numeral(count)} {'thing' if count == 1 else 'things'} {one if count == 1 else many}."


def in_words(value: Any) -> str:
    """A plain value as text: digests cut short, lists in one line."""
    if value is None or value in ("", [], {}):
        return NOTHING
    if isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | tuple):
        return ", ".join(map(in_words, value))
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {in_words(inner)}" for key, inner in value.items())
    return short(str(value))


def short(text: str) -> str:
    """A digest by its beginning, other text as it is."""
    is_hex = len(text) >= LONG_HEX and all(char in "0123456789abcdef" for char in text)
    return f"{text[:SHOWN_HEX]}…" if is_hex else text
