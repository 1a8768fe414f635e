"""The command line. stdout is for results, stderr for progress; what goes wrong is three short sentences.

Nothing heavy is imported before a command runs: `workbench --help` opens at once.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workbench.faces import terminal_lists, terminal_runs, terminal_search
from workbench.faces.terminal_ending import (
    FAILED,
    INTERRUPTED,
    MISSED,
    OK,
    WRONG,
    carry_out,
    finish,
    print_json,
    say,
    show_plan,
    watch,
)
from workbench.faces.terminal_flags import (
    Baseline,
    Calibration,
    CalibrationAt,
    Count,
    Data,
    DataAt,
    Fields,
    File,
    Fresh,
    Isolated,
    Json,
    MaxDrop,
    Model,
    ModelAt,
    Out,
    Quick,
    Recipes,
    Reuse,
    TargetName,
    TaskName,
    fields_of,
)

if TYPE_CHECKING:
    from workbench.pieces import Request

app = typer.Typer(
    name="workbench", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
    help="How fast can this model run here, what does it cost in accuracy, and which file gives exactly this again?",
)  # fmt: skip
plans = typer.Typer(no_args_is_help=True, help="Show the work, the gaps and the cost of a command. Builds nothing.")
app.add_typer(plans, name="plan")


# ---- compare ------------------------------------------------------------------------------------


def try_(out: Out = None, quick: Quick = False, fresh: Fresh = False, json_: Json = False) -> None:
    """Compare the first-choice recipes on the starter model and its data. Needs no network."""
    from workbench import bench

    carry_out(bench.request(bench.STARTER, n=bench.STARTER_N, fresh=fresh, quick=quick), out, json_)


def compare(
    model: Model, recipe: Recipes = [], baseline: Baseline = None, task: TaskName = None, data: Data = None,  # noqa: B006
    calibration: Calibration = None, fields: Fields = "", target: TargetName = None, max_drop: MaxDrop = None,
    n: Count = None, out: Out = None, fresh: Fresh = False, quick: Quick = False, json_: Json = False,
) -> None:  # fmt: skip
    """Measure several recipes of one model against its baseline: speed and accuracy, side by side."""
    request = _request(model, recipe, baseline, task, data, calibration, fields, target, max_drop, n, fresh, quick)
    carry_out(request, out, json_)


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
        say(note)
    id = bench.submit(plan, store)
    say(f"Run {id}: {plan.model['id']}, {file.name}, n = {plan.data['evaluation']['n']:,}.")
    watch(id, store)
    code = finish(id, out or Path("runs") / id, json_, request.named, store)
    if code == OK and (missed := bench.missed(file, bench.report(id, store)[0])):
        say(f"Missed for certain: {', '.join(missed)}.")
        code = MISSED
    raise typer.Exit(code)


def verify(
    file: File, model: ModelAt = None, data: DataAt = None, calibration: CalibrationAt = None,
    isolated: Isolated = False, reuse: Reuse = False, json_: Json = False,
) -> None:  # fmt: skip
    """Build again what a recipe file says, in an empty folder, and check its promises level by level. 3 on any FAIL."""
    from workbench import bench
    from workbench.faces import live
    from workbench.pieces import Plan
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
        say("What the store has is reused: this does not show that it can be built again.")
    try:
        found = bench.verify(
            file, model=model, data=data, calibration=calibration, isolated=isolated, reuse=reuse, tell=tell
        )  # fmt: skip
    finally:
        screen.pause()
    if json_:
        print_json(found.to_dict())
    raise typer.Exit(OK if found.passed else MISSED)


def plan_run(
    file: File, model: ModelAt = None, data: DataAt = None, calibration: CalibrationAt = None, fresh: Fresh = False,
    json_: Json = False,
) -> None:  # fmt: skip
    """What `workbench run` with the same arguments would do."""
    from workbench import bench

    show_plan(bench.request_of(file, model=model, data=data, calibration=calibration, fresh=fresh), json_)


def plan_compare(
    model: Model, recipe: Recipes = [], baseline: Baseline = None, task: TaskName = None, data: Data = None,  # noqa: B006
    calibration: Calibration = None, fields: Fields = "", target: TargetName = None, max_drop: MaxDrop = None,
    n: Count = None, fresh: Fresh = False, quick: Quick = False, json_: Json = False,
) -> None:  # fmt: skip
    """What `workbench compare` with the same arguments would do."""
    show_plan(
        _request(model, recipe, baseline, task, data, calibration, fields, target, max_drop, n, fresh, quick), json_
    )


def _request(model: str, recipe: list[str], baseline: str | None, task: str | None, data: str | None,
             calibration: str | None, fields: str, target: str | None, max_drop: float | None, n: int | None,
             fresh: bool, quick: bool) -> Request:  # fmt: skip
    from workbench import bench

    return bench.request(
        model, recipe, baseline=baseline, task=task, data=data, calibration=calibration, fields=fields_of(fields),
        target=target, max_drop=max_drop, n=n, fresh=fresh, quick=quick,
    )  # fmt: skip


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


COMMANDS: tuple[tuple[str, Callable[..., None]], ...] = (
    ("try", try_),
    ("compare", compare),
    ("run", run),
    ("verify", verify),
    ("tune", terminal_search.tune),
    ("sensitivity", terminal_search.sensitivity),
    ("recipes", terminal_lists.recipes),
    ("targets", terminal_lists.targets),
    ("tasks", terminal_lists.tasks),
    ("backends", terminal_lists.backends),
    ("models", terminal_lists.models),
    ("machine", terminal_lists.machine),
    ("runs", terminal_runs.runs),
    ("show", terminal_runs.show),
    ("follow", terminal_runs.follow),
    ("resume", terminal_runs.resume),
    ("cancel", terminal_runs.cancel),
    ("report", terminal_runs.report),
    ("clean", terminal_runs.clean),
    ("app", app_),
)
PLANS = (("compare", plan_compare), ("run", plan_run), ("tune", terminal_search.plan_tune))
for _name, _function in COMMANDS:
    app.command(_name)(_function)
for _name, _function in PLANS:
    plans.command(_name)(_function)


# ---- the way out --------------------------------------------------------------------------------


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
        show_usage() if show_usage else say(str(error))
        code = WRONG
    except typer.Exit as error:
        code = error.exit_code
    except WorkbenchError as error:
        say("\n".join(part for part in (error.what, error.why, error.fix) if part))
        code = WRONG if isinstance(error, RequestError) else FAILED
    except KeyboardInterrupt:
        code = INTERRUPTED
    except BrokenPipeError:
        code = OK
    except Exception as error:  # a fault of ours: a person gets words and the place of the log
        say(f"Something went wrong inside the workbench: {type(error).__name__}.\n{_logged()}")
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
