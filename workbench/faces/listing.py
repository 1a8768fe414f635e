"""What there is, in a terminal: tasks, backends, targets and this machine, with what cannot run here and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

Facts = dict[str, Any]
YES, NO = "✓", "⊘"


def _table(*titles: str) -> Table:
    """The first column is never broken."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    for number, title in enumerate(titles):
        table.add_column(title, overflow="fold", style="" if number else "bold", no_wrap=not number)
    return table


def _row(table: Table, *cells: str) -> None:
    """Cells as they are: square brackets are no markup."""
    from rich.text import Text

    table.add_row(*map(Text, cells))


def _say(console: Console, text: str, style: str | None = None) -> None:
    console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)


def _notes(console: Console, notes: dict[str, str]) -> None:
    """`⊘ name: reason`, for those that have one."""
    for name, reason in notes.items():
        if reason:
            _say(console, f"{NO} {name}: {reason}", "dim")


# ---- tasks --------------------------------------------------------------------------------------


def tasks(console: Console, found: list[Facts]) -> None:
    """A row a task; below, its columns, and every gap with its reason."""
    table = _table("Task", "Metrics", "Takes", "Backends", "Pipeline")
    absent, found = [one for one in found if "missing" in one], [one for one in found if "missing" not in one]
    for said in found:
        runs = sum(not reason for reason in said["backends"].values())
        takes = " or ".join(" + ".join(fields) for fields in said["inputs"])
        _row(table, said["name"], ", ".join(one["name"] for one in said["metrics"]), takes,
             f"{runs} of {len(said['backends'])}", "yes" if said["pipeline"] else "no")  # fmt: skip
    console.print(table)
    _say(
        console,
        "Pipeline: whether transformers has one. Below: usual names of columns; `--fields` names others.",
        "dim",
    )
    for said in found:
        data = f"; without data: {said['default_data']}" if said["default_data"] else "; data must be given"
        _say(console, f"{said['name']}: {_columns(said)}{data}; {len(said['recipes'])} recipes")
        _notes(console, {f"{said['name']} on {name}": reason for name, reason in said["backends"].items()})
        _notes(console, {f"{said['name']} on {name}, in part": reason for name, reason in said["partly"].items()})
    _notes(console, {f"{said['name']}, not there yet": said["missing"] for said in absent})


def _columns(said: Facts) -> str:
    return "; ".join(f"{field} = {' | '.join(names)}" for field, names in said["columns"].items())


# ---- backends -----------------------------------------------------------------------------------


def backends(console: Console, found: dict[str, Facts]) -> None:
    """A part a backend: devices, options, recipes; what is lacking stands with what would add it."""
    for name, said in found.items():
        _say(console, f"{name}: {said['summary']}", "bold")
        _say(console, f"  reads {', '.join(said['reads'])}; {_packages(said)}")
        if said["missing"]:
            _say(console, f"  {NO} not installed here: {said['missing']}")
        for device, facts in said["devices"].items():
            _say(console, f"  {NO} {device}: {facts['missing']}" if facts["missing"]
                 else f"  {YES} {device}: {facts['description']}")  # fmt: skip
        if said["options"]:
            console.print(_options(said["options"]))
        _recipes(console, said["recipes"])
        _notes(console, said["tasks"])
        console.print()


def _packages(said: Facts) -> str:
    return ", ".join(f"{name} {version}" for name, version in said["packages"].items()) or "nothing is installed for it"


def _options(options: list[Facts]) -> Table:
    table = _table("  Option", "Type", "Default", "Meaning")
    for one in options:
        meaning = one["description"] + (f" Worth searching: {_words(one['search'])}." if one["search"] else "")
        _row(table, f"  {one['name']}", one["type"].replace("`", ""), _word(one["default"]), meaning)
    return table


def _words(values: list[Any]) -> str:
    return ", ".join(_word(value) for value in values)


def _word(value: Any) -> str:
    """As a recipe file writes it; nothing where there is no value."""
    if isinstance(value, list):
        return f"[{_words(value)}]" if value else ""
    return "" if value in (None, {}) else str(value).lower() if isinstance(value, bool) else str(value)


def _recipes(console: Console, recipes: dict[str, str]) -> None:
    if recipes:
        _say(console, f"  recipes: {', '.join(recipes)}")
    _notes(console, {f"{name} is no default here": reason for name, reason in recipes.items()})


# ---- targets ------------------------------------------------------------------------------------


def targets(console: Console, found: list[Facts]) -> None:
    """This machine in detail, then a row a machine class."""
    machine(console, found[0]["machine"])
    table = _table("Target", "What it is", "First to try", "Here")
    for said in found[1:]:
        _row(
            table, said["name"], said["summary"], *(said["recipes"] or ["none yet"])[:1], "" if said["missing"] else YES
        )
    console.print(table)
    _say(console, "`workbench targets NAME` tells what suits it and why, with sources, and what this machine lacks.")
    _say(console, "Nothing that was not measured on such a machine is shown for it.", "dim")


def machine(console: Console, facts: Facts) -> None:
    """This machine: what it computes with, and the runtimes that are installed."""
    memory = facts["memory_bytes"] / 1e9
    has = [flag for flag, here in facts["instruction_sets"].items() if here]
    lacks = [flag for flag, here in facts["instruction_sets"].items() if not here]
    _say(console, f"This machine: {facts['cpu']} ({facts['isa']})", "bold")
    _say(console, f"  cores {facts['cores']}, of which the quota gives {facts['quota']:g}; {facts['threads']} threads; "
                  f"{memory:.1f} GB of memory; {facts['os']}")  # fmt: skip
    _say(console, f"  instruction sets {', '.join(has) or 'not told'}" + (f"; not {', '.join(lacks)}" if lacks else ""))
    slow = [precision for precision, native in facts["native"].items() if not native]
    if slow:
        _say(console, f"  {NO} no instructions for {' and '.join(slow)}: it runs, but gains little or is emulated")
    _say(console, f"  accelerators: {', '.join(facts['accelerators']) or 'none was found'}")
    _say(console, "  runtimes: " + ", ".join(f"{name} {version}" for name, version in facts["runtimes"].items()))
    _say(console, f"  it is one of: {', '.join(facts['is']) or 'none of the classes below'}")


def target(console: Console, said: Facts) -> None:
    """One machine class in full, with its sources."""
    _say(console, f"{said['name']}: {said['summary']}", "bold")
    _say(
        console,
        f"  {NO} This machine is none; {said['missing']}." if said["missing"] else f"  {YES} This machine is one.",
    )
    if "machine" in said:
        machine(console, said["machine"])
    for one in said["suits"]:
        _suited(console, one)
    for one in said["unsuited"]:
        _say(console, f"  {NO} {', '.join(one['recipes'])}: {one['why']}")
        _source(console, one)
    for title, key in (
        ("Build here", "build_here"),
        ("Measure there", "measure_there"),
        ("Good to know", "good_to_know"),
    ):
        if said[key]:
            _say(console, f"  {title}: {said[key]}")
    if said["recipes"] and not said["never"]:
        _say(console, f"  Run there: `workbench compare MODEL --target {said['name']}`, or one file: "
                      f"`workbench run {said['recipes'][0]}.yaml --model MODEL --data DATA`")  # fmt: skip


def _suited(console: Console, one: Facts) -> None:
    where = f"backend {one['backend']}, device {one['device']}" if one["backend"] else "no backend here"
    _say(console, f"  {YES} {one['runtime']} ({where}): {', '.join(one['precisions'])}. {one['why']}")
    _source(console, one)
    if one["recipes"]:
        _say(console, f"      recipes: {', '.join(one['recipes'])}")
    if one["lacking"]:
        _say(console, f"      lacking: {one['lacking']}")


def _source(console: Console, one: Facts) -> None:
    _say(console, f"      {one['source']['title']}, {one['source']['url']}", "dim")
