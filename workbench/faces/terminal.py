"""The command line. stdout is for results, stderr for progress; what goes wrong is three short sentences.

Nothing heavy is imported before a command runs: `workbench --help` opens at once.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workbench.planning import Request
    from workbench.store import Store

app = typer.Typer(
    name="workbench", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
    help="How fast can this model run here, what does it cost in accuracy, and which file gives exactly this again?",
)  # fmt: skip
plans = typer.Typer(no_args_is_help=True, help="Show the work, the gaps and the cost of a command. Builds nothing.")
app.add_typer(plans, name="plan")

OK, FAILED, WRONG, MISSED, INTERRUPTED = 0, 1, 2, 3, 130

Model = Annotated[str, typer.Argument(help="Hub id (org/name, optionally @revision), a folder, or starter:<name>.")]
File = Annotated[Path, typer.Argument(help="A recipe file.")]
Run = Annotated[str, typer.Argument(help="A run's id, or its beginning; `workbench runs` lists them.")]
Recipes = Annotated[
    list[str],
    typer.Option("-r", "--recipe", help="A recipe's name or file; repeat it, or say `all`. Default: first choices."),
]
Starts = Annotated[
    list[str],
    typer.Option("-r", "--recipe", help="Where the search begins: a recipe's name or file; repeat it. Default: all."),
]
Baseline = Annotated[str | None, typer.Option(help="Recipe that all are compared with. Default: pytorch-fp32.")]
TaskName = Annotated[str | None, typer.Option("--task", help="What the model is for, when it can't be told.")]
Data = Annotated[
    str | None, typer.Option(help="Hub data set, CSV, JSONL, Parquet, a folder of images, or starter:<name>.")
]
Calibration = Annotated[str | None, typer.Option(help="Data that quantization looks at; never evaluated.")]
Fields = Annotated[str, typer.Option(help="Columns, where they are not found: text=review,label=stars.")]
TargetName = Annotated[str | None, typer.Option("--target", help="Machine class; `workbench targets` lists them.")]
MaxDrop = Annotated[
    float | None, typer.Option(help="Accuracy that may be lost, as a fraction. Default: 0.01, one point.")
]
Count = Annotated[int | None, typer.Option("--n", help="Evaluate on so many examples. Default: all.")]
Out = Annotated[Path | None, typer.Option(help="Folder for the results. Default: runs/<run id>.")]
Fresh = Annotated[bool, typer.Option("--fresh", help="Build anew what is in the store already.")]
Quick = Annotated[bool, typer.Option("--quick", help="Fewer examples and rounds; marked as quick everywhere.")]
Json = Annotated[bool, typer.Option("--json", help="Print exactly one JSON document.")]
ModelAt = Annotated[str | None, typer.Option("--model", help="Another model, or the folder of a local: one.")]
DataAt = Annotated[str | None, typer.Option("--data", help="Other data, or the place of local: data.")]
Isolated = Annotated[
    bool, typer.Option("--isolated", help="Rebuild the locked environment first, and verify inside it.")
]
Reuse = Annotated[bool, typer.Option("--reuse", help="Take what the store has instead of building everything again.")]
Budget = Annotated[str, typer.Option(help="Wall time of the whole search: 90s, 10m, 1h30m.")]
Relative = Annotated[bool, typer.Option("--relative", help="--max-drop is a share of the baseline's own value.")]
MinSpeedup = Annotated[float | None, typer.Option(help="Least speed-up against the baseline: 2 is twice as fast.")]
MaxSize = Annotated[float | None, typer.Option(help="Largest size of the model's files, in MB.")]
MaxMemory = Annotated[float | None, typer.Option(help="Largest peak memory of the process, in MB.")]
Optimize = Annotated[str, typer.Option(help="What shall be best: latency, throughput or size.")]
CalibrationAt = Annotated[str | None, typer.Option("--calibration", help="The same for calibration.")]


# ---- compare ------------------------------------------------------------------------------------


@app.command("try")
def try_(out: Out = None, quick: Quick = False, fresh: Fresh = False, json_: Json = False) -> None:
    """Compare the first-choice recipes on the starter model and its data. Needs no network."""
    from workbench import bench

    _compare(bench.request(bench.STARTER, n=bench.STARTER_N, fresh=fresh, quick=quick), out, json_)


@app.command()
def compare(
    model: Model, recipe: Recipes = [], baseline: Baseline = None, task: TaskName = None, data: Data = None,  # noqa: B006
    calibration: Calibration = None, fields: Fields = "", target: TargetName = None, max_drop: MaxDrop = None,
    n: Count = None, out: Out = None, fresh: Fresh = False, quick: Quick = False, json_: Json = False,
) -> None:  # fmt: skip
    """Measure several recipes of one model against its baseline: speed and accuracy, side by side."""
    request = _request(model, recipe, baseline, task, data, calibration, fields, target, max_drop, n, fresh, quick)
    _compare(request, out, json_)


@app.command()
def run(
    file: File, model: ModelAt = None, data: DataAt = None, calibration: CalibrationAt = None, out: Out = None,
    fresh: Fresh = False, json_: Json = False,
) -> None:  # fmt: skip
    """Build and measure what one recipe file says, against its baseline. 3 when a constraint is missed for certain."""
    from workbench import bench
    from workbench.store import Store

    store = Store()
    request = bench.request_of(file, model=model, data=data, calibration=calibration, fresh=fresh, store=store)
    if out is not None:
        bench.check_out(out)
    plan = bench.plan(request, store)
    for note in (*request.notes, *(f"Not as locked: {one}" for one in bench.changes(file, plan) if not request.notes)):
        _say(note)
    id = bench.submit(plan, store)
    _say(f"Run {id}: {plan.model['id']}, {file.name}, n = {plan.data['evaluation']['n']:,}.")
    _watch(id, store)
    code = _finish(id, out or Path("runs") / id, json_, request.named, store)
    if code == OK and (missed := bench.missed(file, bench.report(id, store)[0])):
        _say(f"Missed for certain: {', '.join(missed)}.")
        code = MISSED
    raise typer.Exit(code)


@app.command()
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
    from workbench import bench
    from workbench.store import Store

    if out is not None:
        bench.check_out(out)
    store = Store()
    plan = bench.plan(request, store)
    id = bench.submit(plan, store)
    candidates = len(plan.variants) - 1
    _say(f"Run {id}: {plan.model['id']}, {candidates} candidates, n = {plan.data['evaluation']['n']:,}, {budget}.")
    _watch(id, store)
    raise typer.Exit(_finish(id, out or Path("runs") / id, json_, (), store))


@app.command()
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
            model, recipe, tell=screen.after, task=task, data=data, calibration=calibration, fields=_fields(fields),
            target=target, n=n, quick=quick,
        )  # fmt: skip
    finally:
        screen.pause()
    _print_json(found.to_dict()) if json_ else terminal_table.show_ranking(Console(), found)


@plans.command("tune")
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
    _show_plan(request, json_)


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
        fields=_fields(fields), target=target, n=n, fresh=fresh, quick=quick,
    )  # fmt: skip


@app.command()
def verify(
    file: File, model: ModelAt = None, data: DataAt = None, calibration: CalibrationAt = None,
    isolated: Isolated = False, reuse: Reuse = False, json_: Json = False,
) -> None:  # fmt: skip
    """Build again what a recipe file says, in an empty folder, and check its promises level by level. 3 on any FAIL."""
    from workbench import bench
    from workbench.faces import live
    from workbench.planning import Plan
    from workbench.verification import Level

    screen = live.Screen()

    def tell(said: Any) -> None:
        if isinstance(said, Level):
            screen.pause()
            if not json_:
                print(said, flush=True)
        elif isinstance(said, Plan):
            screen.plan(said)
        else:
            screen.after(said)

    if reuse and not isolated:  # both at once are refused
        _say("What the store has is reused: this does not show that it can be built again.")
    try:
        found = bench.verify(
            file, model=model, data=data, calibration=calibration, isolated=isolated, reuse=reuse, tell=tell
        )  # fmt: skip
    finally:
        screen.pause()
    if json_:
        _print_json(found.to_dict())
    raise typer.Exit(OK if found.passed else MISSED)


@plans.command("run")
def plan_run(
    file: File, model: ModelAt = None, data: DataAt = None, calibration: CalibrationAt = None, fresh: Fresh = False,
    json_: Json = False,
) -> None:  # fmt: skip
    """What `workbench run` with the same arguments would do."""
    from workbench import bench

    _show_plan(bench.request_of(file, model=model, data=data, calibration=calibration, fresh=fresh), json_)


@plans.command("compare")
def plan_compare(
    model: Model, recipe: Recipes = [], baseline: Baseline = None, task: TaskName = None, data: Data = None,  # noqa: B006
    calibration: Calibration = None, fields: Fields = "", target: TargetName = None, max_drop: MaxDrop = None,
    n: Count = None, fresh: Fresh = False, quick: Quick = False, json_: Json = False,
) -> None:  # fmt: skip
    """What `workbench compare` with the same arguments would do."""
    _show_plan(
        _request(model, recipe, baseline, task, data, calibration, fields, target, max_drop, n, fresh, quick), json_
    )


def _request(model: str, recipe: list[str], baseline: str | None, task: str | None, data: str | None,
             calibration: str | None, fields: str, target: str | None, max_drop: float | None, n: int | None,
             fresh: bool, quick: bool) -> Request:  # fmt: skip
    from workbench import bench

    return bench.request(
        model, recipe, baseline=baseline, task=task, data=data, calibration=calibration, fields=_fields(fields),
        target=target, max_drop=max_drop, n=n, fresh=fresh, quick=quick,
    )  # fmt: skip


def _fields(text: str) -> dict[str, str]:
    from workbench.errors import RequestError

    pairs = [part.partition("=") for part in text.split(",") if part.strip()]
    if bad := next((name for name, sign, column in pairs if not (sign and name.strip() and column.strip())), None):
        raise RequestError(
            f"--fields {bad} names no column.", "It is a list of field=column.", "Say text=review,label=stars."
        )
    return {name.strip(): column.strip() for name, _, column in pairs}


def _compare(request: Request, out: Path | None, json_: bool) -> NoReturn:
    """Plan, submit, follow, write and show; ends with the exit code of the contract."""
    from workbench import bench
    from workbench.store import Store

    if out is not None:
        bench.check_out(out)
    store = Store()
    plan = bench.plan(request, store)
    run = bench.submit(plan, store)
    _say(f"Run {run}: {plan.model['id']}, {len(plan.variants)} variants, n = {plan.data['evaluation']['n']:,}.")
    _watch(run, store)
    raise typer.Exit(_finish(run, out or Path("runs") / run, json_, request.named, store))


def _watch(run: str, store: Store, again: bool = False, json_: bool = False) -> None:
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
        if _compares(run, store):
            live.watch(shown, bench.follow(run, number, store))
        else:
            terminal_levels.watch(bench.follow(run, number, store), shown, json_)
    except KeyboardInterrupt:
        bench.cancel(run, store)
        _say(f"Stopped. `workbench resume {run}` goes on where it was.")
        raise typer.Exit(INTERRUPTED) from None


def _compares(run: str, store: Store) -> bool:
    """Or it verifies."""
    from workbench import bench

    return bench.record(run, store).compares


def _finish(run: str, out: Path, json_: bool, named: Sequence[str], store: Store) -> int:
    from workbench import bench

    record = store.run(run)
    if record.status != "ok":
        _explain_failure(run, store)
        return INTERRUPTED if record.status == "cancelled" else FAILED
    report, details = bench.report(run, store)
    bench.take(run, out, store)
    if json_:
        _print_json(report)
    else:
        _show(report, details, out)
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


def _explain_failure(run: str, store: Store) -> None:
    from workbench.event import Failed

    if store.run(run).status == "cancelled":
        _say(f"Run {run} was cancelled. `workbench resume {run}` goes on where it was.")
        return
    said = [event for _, event in store.events(store.run(run).id) if isinstance(event, Failed)]
    _say(said[-1].reason if said else f"Run {run} ended without a result.")
    _say(f"Logs: {store.run_folder(store.run(run).id) / 'log'}")


def _show(report: dict[str, Any], details: dict[str, Any], out: Path | None) -> None:
    from rich.console import Console

    from workbench.faces import terminal_table

    terminal_table.show(Console(), report, details, out)


def _show_plan(request: Request, json_: bool) -> None:
    from workbench import bench

    plan = bench.plan(request)
    if json_:
        _print_json(plan.to_dict())
        return
    cost = plan.cost
    print(f"{plan.model['id']} ({plan.task}), n = {plan.data['evaluation']['n']:,}, {len(plan.variants)} variants")
    for work in plan.work:
        print(f"  {work.title}" + (f": {work.job['variant']}" if "variant" in work.job else ""))
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


# ---- runs ---------------------------------------------------------------------------------------


@app.command()
def runs(json_: Json = False) -> None:
    """Earlier runs, the newest first."""
    from workbench import bench

    found = bench.runs()
    if json_:
        facts = ("id", "created", "title", "status", "kind")
        _print_json([{name: getattr(one, name) for name in facts} for one in found])
        return
    import time

    for one in found:
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(one.created))
        print(f"{one.id}  {when}  {one.status:10}  {bench.title(one)}")
    if not found:
        print("No runs yet. `workbench try` makes the first one.")


@app.command()
def show(run: Run, json_: Json = False) -> None:
    """The comparison that a run gave, or the levels of a verification as far as they are known."""
    from workbench import bench
    from workbench.store import Store

    if not _compares(run, Store()):
        from workbench.faces import terminal_levels

        terminal_levels.show(bench.verification_of(run), json_)
        return
    report, details = bench.report(run)
    _print_json(report) if json_ else _show(report, details, None)


@app.command()
def follow(run: Run, json_: Json = False) -> None:
    """Watch a run until it ends; with --json its events, one document."""
    from workbench import bench, event
    from workbench.store import Store

    store = Store()
    if json_:
        _print_json([event.to_dict(one) for _, one in bench.follow(run, store=store)])
        return
    if _compares(run, store):
        from workbench.faces import board, live

        live.watch(board.board_of_run(run, store), bench.follow(run, store=store))
    else:
        from workbench.faces import terminal_levels

        terminal_levels.watch(bench.follow(run, store=store))
    print(f"{store.run(run).id} {store.run(run).status}")


@app.command()
def resume(run: Run, out: Out = None, json_: Json = False) -> None:
    """Go on with a run that stopped; finished work is not done again. A verification begins again at V0."""
    from workbench import bench
    from workbench.store import Store

    store = Store()
    record = store.run(run)
    bench.resume(record.id, store)
    _watch(record.id, store, again=True, json_=json_)
    if not _compares(record.id, store):
        raise typer.Exit(_finish_verifying(record.id, json_, store))
    named = bench.plan_of(record.id, store).request.named
    raise typer.Exit(_finish(record.id, out or Path("runs") / record.id, json_, named, store))


def _finish_verifying(run: str, json_: bool, store: Store) -> int:
    from workbench import bench
    from workbench.faces import terminal_levels

    found = bench.verification_of(run, store)
    if json_:
        _print_json(found.to_dict())
    if found.done:
        return OK if found.passed else MISSED
    terminal_levels.say_ended(found)
    return INTERRUPTED if found.status == "cancelled" else FAILED


@app.command()
def cancel(run: Run) -> None:
    """End a run and all its processes."""
    from workbench import bench

    print("Cancelled." if bench.cancel(run) else "It was not running.")


@app.command()
def report(run: Run, as_: Annotated[str, typer.Option("--as", help="html, md, json or csv")] = "md") -> None:
    """A run's report on stdout."""
    from workbench import bench

    sys.stdout.write(bench.render(run, as_))


@app.command()
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
        _print_json({"freed_bytes": freed, "kept_bytes": kept})
    else:
        print(f"{freed / 1e6:.0f} MB freed, {kept / 1e6:.0f} MB kept.")


# ---- what there is ------------------------------------------------------------------------------


@app.command("recipes")
def recipes_(json_: Json = False) -> None:
    """The shelf: what can be done to a model, when it pays, and what cannot run here."""
    from workbench import bench

    found = [(one, bench.missing_for(one)) for one in bench.shelf()]
    if json_:
        _print_json([
            {"name": one.name, "summary": one.summary, "pays_when": one.shelf.pays_when if one.shelf else "",
             "tasks": list(one.shelf.tasks) if one.shelf else [], "missing": missing} for one, missing in found
        ])  # fmt: skip
        return
    for one, missing in found:
        print(f"{one.name}\n    {one.summary}\n    Pays when: {one.shelf.pays_when if one.shelf else '-'}")
        if missing:
            print(f"    ⊘ {missing}")


@app.command("targets")
def targets_(
    name: Annotated[str | None, typer.Argument(help="One of them, in full.")] = None, json_: Json = False
) -> None:
    """Machine classes: this machine in detail, and what suits the others, with sources."""
    from workbench import bench

    _list("target" if name else "targets", bench.target(name) if name else bench.targets(), json_)


@app.command("tasks")
def tasks_(json_: Json = False) -> None:
    """What models are for: metrics, columns looked for in data, and which backends do it."""
    from workbench import bench

    _list("tasks", bench.tasks(), json_)


@app.command("backends")
def backends_(json_: Json = False) -> None:
    """Runtimes with their devices, options and recipes, and what is missing to use them."""
    from workbench import bench

    _list("backends", bench.backends(), json_)


@app.command("app")
def app_(
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 lets others in.")] = "127.0.0.1",
    port: Annotated[int | None, typer.Option(help="Default: the first free one from 7860 on.")] = None,
) -> None:
    """Open the web page: choose, run, compare, take it with you."""
    from workbench import environment
    from workbench.errors import RequestError

    if environment.missing(("gradio",)):
        what = "The web page needs gradio, which is not installed."
        raise RequestError(what, "", "Run `pip install optimization-workbench[web]`.")
    from workbench.faces import web

    web.launch(host, port, shared=host not in ("127.0.0.1", "localhost", "::1") or None)


def _list(kind: str, found: Any, json_: bool) -> None:
    if json_:
        _print_json(found)
        return
    from rich.console import Console

    from workbench.faces import listing

    getattr(listing, kind)(Console(), found)


@app.command()
def models(
    query: Annotated[str, typer.Argument(help="Words to look for.")], task: TaskName = None, json_: Json = False
) -> None:
    """Search the Hub."""
    from workbench import bench

    found = bench.search(query, task)
    if json_:
        _print_json(found)
        return
    for one in found:
        print(
            f"{one['id']}  {one['task'] or '?'}  {one['downloads']:,} downloads" + ("  gated" if one["gated"] else "")
        )
    if not found:
        print("Nothing was found.")


@app.command("machine")
def machine_(
    measure: Annotated[bool, typer.Option("--measure", help="Also measure peaks and timing resolution (A/A).")] = False,
    json_: Json = False,
) -> None:
    """Facts of this machine."""
    from workbench import bench

    facts = bench.machine_facts()
    if measure:
        facts |= _measured_machine()
    if json_:
        _print_json(facts)
        return
    for name, value in (facts | _measured_words(facts)).items():
        print(f"{name}: {', '.join(map(str, value)) if isinstance(value, list | tuple) else value}")


def _measured_machine() -> dict[str, Any]:
    from workbench import bench
    from workbench.store import Store

    store = Store()
    run = bench.submit_resolution(store)
    _watch(run, store)
    if store.run(run).status != "ok":
        _explain_failure(run, store)
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


# ---- the way out --------------------------------------------------------------------------------


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _print_json(value: Any) -> None:
    print(json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False, default=str))


def main() -> None:
    """Run one command; every error ends as words for a person and an exit code."""
    from typer.exceptions import TyperException

    from workbench.errors import RequestError, WorkbenchError

    try:
        code = app(standalone_mode=False)
    except typer.Abort:
        code = INTERRUPTED
    except TyperException as error:  # an option or command that there is not; `show` knows the usage line
        show_usage = getattr(error, "show", None)
        show_usage() if show_usage else _say(str(error))
        code = WRONG
    except typer.Exit as error:
        code = error.exit_code
    except WorkbenchError as error:
        _say("\n".join(part for part in (error.what, error.why, error.fix) if part))
        code = WRONG if isinstance(error, RequestError) else FAILED
    except KeyboardInterrupt:
        code = INTERRUPTED
    except BrokenPipeError:
        code = OK
    except Exception as error:  # a fault of ours: a person gets words and the place of the log
        _say(f"Something went wrong inside the workbench: {type(error).__name__}.\n{_logged()}")
        code = FAILED
    sys.exit(code if isinstance(code, int) else OK)


def _logged() -> str:
    """Write the traceback where it can be found; says where."""
    import traceback

    from workbench.store import default_home

    path = default_home() / "error.log"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(traceback.format_exc())
    except OSError:
        return "Its log could not be written."
    return f"{path} has the rest; please report it."
