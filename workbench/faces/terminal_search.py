"""The best recipe within bounds and a budget, and which operators cost most."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from workbench.faces.terminal_ending import carry_out, print_json, show_plan
from workbench.faces.terminal_flags import (
    Baseline,
    Budget,
    Calibration,
    Count,
    Data,
    Fields,
    Fresh,
    Json,
    MaxDrop,
    MaxMemory,
    MaxSize,
    MinSpeedup,
    Model,
    Optimize,
    Out,
    Quick,
    Relative,
    Starts,
    TargetName,
    TaskName,
    fields_of,
)

if TYPE_CHECKING:
    from workbench.pieces import Request


def tune(
    model: Model, recipe: Starts = [], max_drop: MaxDrop = None, relative: Relative = False, budget: Budget = "10m",  # noqa: B006
    min_speedup: MinSpeedup = None, max_size: MaxSize = None, max_memory: MaxMemory = None,
    optimize: Optimize = "latency", baseline: Baseline = None, task: TaskName = None, data: Data = None,
    calibration: Calibration = None, fields: Fields = "", target: TargetName = None, n: Count = None,
    out: Out = None, fresh: Fresh = False, quick: Quick = False, json_: Json = False,
) -> None:  # fmt: skip
    """Find the best recipe that keeps every bound, within a budget of time. 3 when nothing does."""
    request = _tune_request(
        model, recipe, max_drop, relative, budget, min_speedup, max_size, max_memory, optimize, baseline, task, data,
        calibration, fields, target, n, fresh, quick,
    )  # fmt: skip
    carry_out(request, out, json_)


def sensitivity(
    model: Model, recipe: Annotated[str, typer.Argument(help="A recipe's name or file.")], task: TaskName = None,
    data: Data = None, calibration: Calibration = None, fields: Fields = "", target: TargetName = None,
    n: Count = None, quick: Quick = False, json_: Json = False,
) -> None:  # fmt: skip
    """Which operators that a recipe quantizes cost most, ranked."""
    from rich.console import Console

    from workbench import bench
    from workbench.faces import live, terminal_table

    screen = live.Screen()
    try:
        found = bench.sensitivity(
            model, recipe, tell=screen.after, task=task, data=data, calibration=calibration, fields=fields_of(fields),
            target=target, n=n, quick=quick,
        )  # fmt: skip
    finally:
        screen.pause()
    print_json(found.to_dict()) if json_ else terminal_table.show_ranking(Console(), found)


def plan_tune(
    model: Model, recipe: Starts = [], max_drop: MaxDrop = None, relative: Relative = False, budget: Budget = "10m",  # noqa: B006
    min_speedup: MinSpeedup = None, max_size: MaxSize = None, max_memory: MaxMemory = None,
    optimize: Optimize = "latency", baseline: Baseline = None, task: TaskName = None, data: Data = None,
    calibration: Calibration = None, fields: Fields = "", target: TargetName = None, n: Count = None,
    fresh: Fresh = False, quick: Quick = False, json_: Json = False,
) -> None:  # fmt: skip
    """What `workbench tune` with the same arguments would begin with."""
    request = _tune_request(
        model, recipe, max_drop, relative, budget, min_speedup, max_size, max_memory, optimize, baseline, task, data,
        calibration, fields, target, n, fresh, quick,
    )  # fmt: skip
    show_plan(request, json_)


def _tune_request(
    model: str, recipe: list[str], max_drop: float | None, relative: bool, budget: str, min_speedup: float | None,
    max_size: float | None, max_memory: float | None, optimize: str, baseline: str | None, task: str | None,
    data: str | None, calibration: str | None, fields: str, target: str | None, n: int | None, fresh: bool,
    quick: bool,
) -> Request:  # fmt: skip
    from workbench import bench

    return bench.tune_request(
        model, recipe, max_drop=max_drop, relative=relative, budget=budget, min_speedup=min_speedup, max_size=max_size,
        max_memory=max_memory, optimize=optimize, baseline=baseline, task=task, data=data, calibration=calibration,
        fields=fields_of(fields), target=target, n=n, fresh=fresh, quick=quick,
    )  # fmt: skip
