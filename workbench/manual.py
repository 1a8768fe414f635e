"""The table of tasks and backends in README.md, and docs/options.md: both made from the plug-ins themselves.

`python -m workbench.manual` writes them; a test compares them with what is there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from workbench import catalog
from workbench.plugin import Plugin

ROOT = Path(__file__).resolve().parent.parent  # of a checkout: an installed package has neither page
README, OPTIONS = ROOT / "README.md", ROOT / "docs" / "options.md"
BEGIN, END = "<!-- matrix -->", "<!-- /matrix -->"
HEADING = "## What runs on what"
BEFORE = "## What makes the numbers true"  # the heading that the table is put in front of


# ---- tasks and backends -------------------------------------------------------------------------


def matrix() -> str:
    """A row a task, those that nobody does yet last, a column a backend; a gap is a number, and its reason stands
    below."""
    names = list(catalog.backends())
    reasons: list[str] = []
    rows = [_cells([f"`{task}`", *(_cell(task, name, reasons) for name in names)]) for task in catalog.tasks()]
    rows += [_cells([f"`{task}`", *(_numbered("gap", reason, reasons) for _ in names)])
             for task, reason in catalog.missing_tasks().items()]  # fmt: skip
    head = [_cells(["task", *(f"`{name}`" for name in names)]), _cells(["---", *(":-:" for _ in names)])]
    notes = [f"{number}. {reason}" for number, reason in enumerate(reasons, 1)]
    below = (
        ["Made by `python -m workbench.manual`. Gaps, and why:", "", *notes, ""]
        if notes
        else ["Made by `python -m workbench.manual`. No task has a gap.", ""]
    )
    return "\n".join([BEGIN, "", *head, *rows, "", *below, END])


def _cell(task: str, backend: str, reasons: list[str]) -> str:
    """`runs`, or the number of the reason why not. What runs with some models has one, too."""
    pair = catalog.task(task), catalog.backend(backend)
    word, reason = ("gap", gap) if (gap := catalog.gap(*pair)) else ("runs", catalog.partial_gap(*pair))
    return _numbered(word, reason, reasons) if reason else word


def _numbered(word: str, reason: str, reasons: list[str]) -> str:
    """The word with the number of its reason; equal ones share it."""
    if reason not in reasons:
        reasons.append(reason)
    return f"{word} ({reasons.index(reason) + 1})"


def _cells(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def with_matrix(page: str) -> str:
    """The page with its table made anew; a page without one gets it under a heading of its own."""
    if BEGIN not in page:
        return page.replace(BEFORE, f"{HEADING}\n\n{matrix()}\n\n{BEFORE}", 1)
    before, after = page.split(BEGIN)[0], page.split(END)[-1]
    return before + matrix() + after


# ---- options ------------------------------------------------------------------------------------

OPENING = """# Options

What a recipe may say of a step (`steps: [{use: …}]`) and of a backend (`target: {backend: …, options: {…}}`).
This page is made from the plug-ins by `python -m workbench.manual`; `workbench backends` shows what is installed.
"""


def options_page() -> str:
    """Every step and backend with its options, those of other people's packages among them."""
    parts = [OPENING, "## Steps\n", *_parts(catalog.steps()), "## Backends\n", *_parts(catalog.backends())]
    return "\n".join(parts)


def _parts(plugins: Mapping[str, Plugin]) -> list[str]:
    return [_part(plugin) for plugin in plugins.values()]


def _part(plugin: Plugin) -> str:
    options = catalog.options(plugin)
    head = ["| option | type | default | meaning | worth searching |", "|---|---|---|---|---|"]
    table = [*head, *(_option(one) for one in options)] if options else ["It has no options."]
    needs = f"Needs {', '.join(f'`{name}`' for name in plugin.needs)}." if plugin.needs else "Needs no package."
    return "\n".join([f"### `{plugin.name}`", "", f"{plugin.summary} {needs}".strip(), "", *table, ""])


def _option(one: dict[str, Any]) -> str:
    search = ", ".join(_value(value) for value in one["search"])
    return _cells([f"`{one['name']}`", one["type"], _value(one["default"]), one["description"], search])


def _value(value: Any) -> str:
    """As a recipe file writes it; nothing where there is no default."""
    if value in (None, "", {}, []):
        return ""
    shown = f"[{', '.join(map(str, value))}]" if isinstance(value, list) else value
    return f"`{str(shown).lower() if isinstance(value, bool) else shown}`"


def main() -> None:
    README.write_text(with_matrix(README.read_text(encoding="utf-8")), encoding="utf-8")
    OPTIONS.write_text(options_page(), encoding="utf-8")


if __name__ == "__main__":
    main()
