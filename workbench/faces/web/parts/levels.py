"""A verification, level by level as they come in: icon, word and colour, and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from workbench import words
from workbench.faces.web.parts import stepper
from workbench.report.markup import e, icon, say, table
from workbench.words import Word

if TYPE_CHECKING:
    from workbench.event import Checked
    from workbench.faces.board import Board
    from workbench.verification import Level

ALIVE = ("waiting", "running", "cancelling")
NOW = Word("◜", "run", "checking", "accent")


def levels(known: Sequence[Level | Checked], status: str, note: str = "") -> str:
    """Six rows, V0 first. `status` is that of the run, `note` what is done for the level that is looked at now."""
    found = {one.level: one for one in known}
    coming = [name for name in words.LEVEL_NAMES if name not in found]
    rows = [
        _known(found[name]) if name in found else _coming(name, status, name == coming[0], note)
        for name in words.LEVEL_NAMES
    ]
    return table(("Level", "Result", "Why"), rows, css="levels", caption="Levels of the verification")


def _known(one: Level | Checked) -> tuple[str, str, str]:
    word = words.LEVELS.get(one.result) or words.word(one.result)
    return _name(one.level), _quiet(word) if word.tone == "quiet" else say(word), e(one.why)


def _coming(level: str, status: str, first: bool, note: str) -> tuple[str, str, str]:
    if status not in ALIVE:
        return _name(level), _quiet(words.UNCHECKED), ""
    if status == "running" and first:
        return _name(level), f'<span class="st now">{icon(NOW.icon)}{e(NOW.text)}</span>', e(note)
    return _name(level), _quiet(words.STATES["waits"]), ""


def _name(level: str) -> str:
    return f"<code>{e(level)}</code> {e(words.LEVEL_NAMES.get(level, ''))}"


def _quiet(word: Word) -> str:
    return f'<span class="st wait">{icon(word.icon)}{e(word.text)}</span>'


def headline(board: Board, place: int = 0) -> str:
    """What happens now, or what the verification came to."""
    if board.status == "ok":
        said = words.verified(next((one.level for one in board.levels if one.result == "fail"), None))
        return said[0].upper() + said[1:]
    if board.status != "running":
        return stepper.headline(board, place)
    coming = next((name for name in words.LEVEL_NAMES if name not in {one.level for one in board.levels}), None)
    return f"Checking {words.level_name(coming)}" if coming else "Checking"


def note(board: Board) -> str:
    """What is done for the level that is looked at now."""
    return stepper.headline(board) if board.status == "running" and board.current else ""
