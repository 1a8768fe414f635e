"""What there is: recipes, targets, tasks, backends, models, this machine."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from workbench.faces.terminal_ending import FAILED, explain_failure, print_json, watch
from workbench.faces.terminal_flags import Json, TaskName


def recipes(json_: Json = False) -> None:
    """The shelf: what can be done to a model, when it pays, and what cannot run here."""
    from workbench import bench

    found = [(one.recipe, one.origin, one.missing) for one in bench.offered()]
    if json_:
        print_json([
            {"name": one.name, "summary": one.summary, "pays_when": one.shelf.pays_when if one.shelf else "",
             "tasks": list(one.shelf.tasks) if one.shelf else [], "origin": origin, "missing": missing}
            for one, origin, missing in found
        ])  # fmt: skip
    else:
        for one, origin, missing in found:
            print(f"{one.name}\n    {one.summary}\n    Pays when: {one.shelf.pays_when if one.shelf else '-'}")
            if origin:
                print(f"    From: {origin}")
            if missing:
                print(f"    ⊘ {missing}")
    for wrong in bench.refused():
        print(f"⊘ {wrong.name} of {wrong.origin} is not on the shelf. {wrong.why}", file=sys.stderr)


def targets(
    name: Annotated[str | None, typer.Argument(help="One of them, in full.")] = None, json_: Json = False
) -> None:
    """Machine classes: this machine in detail, and what suits the others, with sources."""
    from workbench import bench

    _list("target" if name else "targets", bench.target(name) if name else bench.targets(), json_)


def tasks(json_: Json = False) -> None:
    """What models are for: metrics, columns looked for in data, and which backends do it."""
    from workbench import bench

    _list("tasks", bench.tasks(), json_)


def backends(json_: Json = False) -> None:
    """Runtimes with their devices, options and recipes, and what is missing to use them."""
    from workbench import bench

    _list("backends", bench.backends(), json_)


def _list(kind: str, found: Any, json_: bool) -> None:
    if json_:
        print_json(found)
        return
    from rich.console import Console

    from workbench.faces import listing

    getattr(listing, kind)(Console(), found)


def models(
    query: Annotated[str, typer.Argument(help="Words to look for.")], task: TaskName = None, json_: Json = False
) -> None:
    """Search the Hub."""
    from workbench import bench

    found = bench.search(query, task)
    if json_:
        print_json(found)
        return
    for one in found:
        print(
            f"{one['id']}  {one['task'] or '?'}  {one['downloads']:,} downloads" + ("  gated" if one["gated"] else "")
        )
    if not found:
        print("Nothing was found.")


def machine(
    measure: Annotated[bool, typer.Option("--measure", help="Also measure peaks and timing resolution (A/A).")] = False,
    json_: Json = False,
) -> None:
    """Facts of this machine."""
    from workbench import bench

    facts = bench.machine_facts()
    if measure:
        facts |= _measured_machine()
    if json_:
        print_json(facts)
        return
    for name, value in (facts | _measured_words(facts)).items():
        print(f"{name}: {', '.join(map(str, value)) if isinstance(value, list | tuple) else value}")


def _measured_machine() -> dict[str, Any]:
    from workbench import bench
    from workbench.store import Store

    store = Store()
    run = bench.submit_resolution(store)
    watch(run, store)
    if store.run(run).status != "ok":
        explain_failure(run, store)
        raise typer.Exit(FAILED)
    return bench.measured_machine(run, store)


def _measured_words(facts: dict[str, Any]) -> dict[str, str]:
    """Peaks and resolution as a person reads them."""
    from workbench import words

    if "peaks" not in facts:
        return {}
    units = {"bandwidth": "GB/s"}
    peaks = [f"{name} {value / 1e9:,.0f} {units.get(name, 'GFLOP/s')}" for name, value in facts["peaks"].items()]
    lo, hi = facts["resolution"]["aa_ci95"]
    return {"peaks": ", ".join(peaks), "memory_bytes": f"{facts['memory_bytes'] / 1e9:.1f} GB",
            "resolution": f"±{words.percent((hi - lo) / 2, 1)}: the starter's baseline against itself"}  # fmt: skip
