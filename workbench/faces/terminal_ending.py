"""What every command ends with: progress until the run is over, its result, its exit code."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import typer

if TYPE_CHECKING:
    from workbench.pieces import Request
    from workbench.store import Store

OK, FAILED, WRONG, MISSED, INTERRUPTED = 0, 1, 2, 3, 130


def carry_out(request: Request, out: Path | None, json_: bool) -> NoReturn:
    """Plan, submit, follow, write and show; ends with the exit code of the contract."""
    from workbench import bench
    from workbench.store import Store

    if out is not None:
        bench.check_out(out)
    store = Store()
    plan = bench.plan(request, store)
    run = bench.submit(plan, store)
    many = len(plan.variants)
    what = f"{many - 1} candidates" if request.budget_s else f"{many} variants"
    say(f"Run {run}: {plan.model['id']}, {what}, n = {plan.data['evaluation']['n']:,}.")
    watch(run, store)
    raise typer.Exit(finish(run, out or Path("runs") / run, json_, request.named, store))


def watch(run: str, store: Store, again: bool = False, json_: bool = False) -> None:
    """Draw until the run ends; `again`: it had begun before, so only what is new is drawn."""
    from workbench import bench
    from workbench.faces import board, live, terminal_levels

    shown, number = board.board_of_run(run, store), 0
    if again:
        before = store.events(run)
        number = before[-1][0] if before else 0
        for _, event in before:
            shown = shown.after(event)
    try:
        if compares(run, store):
            live.watch(shown, bench.follow(run, number, store))
        else:
            terminal_levels.watch(bench.follow(run, number, store), shown, json_)
    except KeyboardInterrupt:
        bench.cancel(run, store)
        say(f"Stopped. `workbench resume {run}` goes on where it was.")
        raise typer.Exit(INTERRUPTED) from None


def compares(run: str, store: Store) -> bool:
    """Or it verifies."""
    from workbench import bench

    return bench.record(run, store).compares


def finish(run: str, out: Path, json_: bool, named: Sequence[str], store: Store) -> int:
    from workbench import bench

    record = store.run(run)
    if record.status != "ok":
        explain_failure(run, store)
        return INTERRUPTED if record.status == "cancelled" else FAILED
    report, details = bench.report(run, store)
    bench.take(run, out, store)
    if json_:
        print_json(report)
    else:
        show_report(report, details, out)
    return exit_code(report, named)


def exit_code(report: dict[str, Any], named: Sequence[str]) -> int:
    """0 when the baseline and another row finished; 1 when a recipe in `named` failed or nothing did. Of a search:
    3 when nothing meets the goal."""
    if report.get("search"):
        return OK if report["best"] else MISSED
    others = [row for row in report["rows"] if row["name"] != report["baseline"]]
    if any(row["status"] != "ok" and row["name"].partition("~")[0] in named for row in others):
        return FAILED
    return OK if not others or any(row["status"] == "ok" for row in others) else FAILED


def explain_failure(run: str, store: Store) -> None:
    from workbench.event import Failed

    if store.run(run).status == "cancelled":
        say(f"Run {run} was cancelled. `workbench resume {run}` goes on where it was.")
        return
    said = [event for _, event in store.events(store.run(run).id) if isinstance(event, Failed)]
    say(said[-1].reason if said else f"Run {run} ended without a result.")
    say(f"Logs: {store.run_folder(store.run(run).id) / 'log'}")


def show_report(report: dict[str, Any], details: dict[str, Any], out: Path | None) -> None:
    from rich.console import Console

    from workbench.faces import terminal_table

    terminal_table.show(Console(), report, details, out)


def show_plan(request: Request, json_: bool) -> None:
    from workbench import bench

    plan = bench.plan(request)
    if json_:
        print_json(plan.to_dict())
        return
    cost = plan.cost
    print(f"{plan.model['id']} ({plan.task}), n = {plan.data['evaluation']['n']:,}, {len(plan.variants)} variants")
    for work in plan.work:
        print(f"  {work.called}")
    print("  Measure speed, interleaved")
    _show_target(plan.target)
    for gap in plan.gaps:
        print(f"  ⊘ {gap.recipe}: {gap.reason}")
    for warning in plan.warnings:
        print(f"  ! {warning}")
    print(
        f"About {cost['seconds'] / 60:.0f} min, {cost['builds']} builds ({cost['reused']} reused), "
        f"{cost['download_bytes'] / 1e6:.0f} MB to download, {cost['disk_bytes'] / 1e6:.0f} MB of disk, "
        f"{cost['memory_bytes'] / 1e9:.1f} GB of memory."
    )
    print(
        f"If 2 % of the answers change, n = {plan.data['evaluation']['n']:,} can tell a change of accuracy of "
        f"{100 * cost['accuracy_half_width']:.1f} points."
    )


def _show_target(target: dict[str, Any]) -> None:
    """What suits the target that was asked for, best first, and whether this machine is one."""
    if not target:
        return
    if target["missing"]:
        print(f"  ! This machine is no {target['name']}; {target['missing']}. Nothing of this is measured here.")
    for name, said in target["suited"].items():
        print(f"  ✓ {name} suits {target['name']}: {said['why']} ({said['source']})")

    for lacking in target["lacking"]:
        print(f"  … {target['name']} would suit {lacking}")


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def print_json(value: Any) -> None:
    print(json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False, default=str))
