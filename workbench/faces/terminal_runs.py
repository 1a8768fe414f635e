"""Earlier runs: list, show, follow, resume, cancel, report, clean."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workbench.faces.terminal_ending import (
    FAILED,
    INTERRUPTED,
    MISSED,
    OK,
    compares,
    finish,
    print_json,
    show_report,
    watch,
)
from workbench.faces.terminal_flags import Json, Out, Run

if TYPE_CHECKING:
    from workbench.store import Store


def runs(json_: Json = False) -> None:
    """Earlier runs, the newest first."""
    from workbench import bench

    found = bench.runs()
    if json_:
        facts = ("id", "created", "title", "status", "kind")
        print_json([{name: getattr(one, name) for name in facts} for one in found])
        return
    import time

    for one in found:
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(one.created))
        print(f"{one.id}  {when}  {one.status:10}  {bench.title(one)}")
    if not found:
        print("No runs yet. `workbench try` makes the first one.")


def show(
    run: Run,
    recipe: Annotated[str | None, typer.Argument(help="One of its rows, with every point of speed.")] = None,
    json_: Json = False,
) -> None:
    """The comparison that a run gave, or one recipe of it in detail, or the levels of a verification as far as they are
    known."""
    from workbench import bench
    from workbench.store import Store

    if not compares(run, Store()):
        from workbench.faces import terminal_levels

        terminal_levels.show(bench.verification_of(run), json_)
        return
    report, details = bench.report(run)
    if recipe is not None:
        _show_row(report, recipe, json_)
    else:
        print_json(report) if json_ else show_report(report, details, None)


def _show_row(report: dict[str, Any], recipe: str, json_: bool) -> None:
    """Raises RequestError naming the rows there are."""
    from workbench import sentence
    from workbench.comparison import drawn
    from workbench.errors import RequestError

    found = sentence.named(report, recipe)
    if found is None:
        known = ", ".join(row["name"] for row in report["rows"])
        raise RequestError(f"There is no row called `{recipe}`.", "", f"Known: {known}.")
    print_json(found) if json_ else print(drawn.row(found).text())


def follow(run: Run, json_: Json = False) -> None:
    """Watch a run until it ends; with --json its events, one document."""
    from workbench import bench, event
    from workbench.store import Store

    store = Store()
    if json_:
        print_json([event.to_dict(one) for _, one in bench.follow(run, store=store)])
        return
    if compares(run, store):
        from workbench.faces import board, live

        live.watch(board.board_of_run(run, store), bench.follow(run, store=store))
    else:
        from workbench.faces import terminal_levels

        terminal_levels.watch(bench.follow(run, store=store))
    print(f"{store.run(run).id} {store.run(run).status}")


def resume(run: Run, out: Out = None, json_: Json = False) -> None:
    """Go on with a run that stopped; finished work is not done again. A verification begins again at V0."""
    from workbench import bench
    from workbench.store import Store

    store = Store()
    record = store.run(run)
    bench.resume(record.id, store)
    watch(record.id, store, again=True, json_=json_)
    if not compares(record.id, store):
        raise typer.Exit(_finish_verifying(record.id, json_, store))
    named = bench.plan_of(record.id, store).request.named
    raise typer.Exit(finish(record.id, out or Path("runs") / record.id, json_, named, store))


def _finish_verifying(run: str, json_: bool, store: Store) -> int:
    from workbench import bench
    from workbench.faces import terminal_levels

    found = bench.verification_of(run, store)
    if json_:
        print_json(found.to_dict())
    if found.done:
        return OK if found.passed else MISSED
    terminal_levels.say_ended(found)
    return INTERRUPTED if found.status == "cancelled" else FAILED


def cancel(run: Run) -> None:
    """End a run and all its processes."""
    from workbench import bench

    print("Cancelled." if bench.cancel(run) else "It was not running.")


def report(run: Run, as_: Annotated[str, typer.Option("--as", help="html, md, json or csv")] = "md") -> None:
    """A run's report on stdout."""
    from workbench import bench

    sys.stdout.write(bench.render(run, as_))


def clean(
    keep_gb: Annotated[float, typer.Option(min=0, help="Keep so many GB of the newest artifacts.")] = 0.0,
    json_: Json = False,
) -> None:
    """Free room: remove built artifacts from the store, the oldest first. Runs and reports stay, and so does what a
    run that goes on stands on."""
    from workbench.store import Store

    store = Store()
    freed = store.clean(int(keep_gb * 1e9))
    kept = sum(size for _, _, size, _ in store.sizes())
    if json_:
        print_json({"freed_bytes": freed, "kept_bytes": kept})
    else:
        print(f"{freed / 1e6:.0f} MB freed, {kept / 1e6:.0f} MB kept.")
