"""The one door: plan, submit, follow, cancel, compare, tune, verify, load, push. Faces use nothing below but events."""

from __future__ import annotations

import functools
import json
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench import (
    catalog,
    difference,
    editing,
    hub,
    inventory,
    isolate,
    loading,
    machine,
    planning,
    publishing,
    replay,
    running,
    trying,
    turns,
    uploads,
    verification,
    verification_run,
)
from workbench import recipe as recipes
from workbench import target as target_room
from workbench.difference import Changes, TwoRuns
from workbench.errors import RequestError, WorkbenchError
from workbench.event import Event
from workbench.hub import jobs
from workbench.isolate import Limits
from workbench.pieces import Plan, Request
from workbench.recipe import Recipe
from workbench.store import RunRecord, Store, write_whole
from workbench.tasks.one_call import FEWEST_ROWS as FEWEST_ROWS
from workbench.verification import Tell, Verification
from workbench.verification_run import Verifying

if TYPE_CHECKING:
    from workbench.comparison import Comparison
    from workbench.tuning import Sensitivity

ALL = "all"
FEWEST_BUDGET_S = 10.0
STARTER = "starter:sentiment"
LOG_SHOWN = 4000  # characters of one log
STARTER_N = 3000  # of its 5,000 rows: they see a drop of 0.5 pp, and the first try stays within minutes


# ---- requests -----------------------------------------------------------------------------------


def request(
    model: str,
    recipes: Sequence[str | Path | Recipe] = (),
    *,
    baseline: str | Path | Recipe | None = None,
    task: str | None = None,
    data: str | None = None,
    calibration: str | None = None,
    fields: dict[str, str] | None = None,
    target: str | None = None,
    max_drop: float | None = None,
    n: int | None = None,
    fresh: bool = False,
    quick: bool = False,
) -> Request:
    """What a person asks for, checked as far as words go. No recipes: the task's first choices, chosen by `plan`."""
    _check_max_drop(max_drop)
    if n is not None and n < FEWEST_ROWS:
        raise RequestError(
            f"{n} examples can show nothing about accuracy.", "", f"Say --n with a number from {FEWEST_ROWS} on."
        )
    if target:
        target_room.find_target(target)
    name, revision = _model(model)
    chosen = [_recipe(one) for one in recipes if one != ALL]
    named = tuple(one.name for one in (*chosen, *([_recipe(baseline)] if baseline else [])))
    if ALL in recipes:
        chosen += [one for one in shelf() if one.name not in {kept.name for kept in chosen}]
    base = _recipe(baseline) if baseline else _recipe("pytorch-fp32")
    documents = [planning.as_asked(one, max_drop, target).to_dict() for one in (base, *chosen)]
    return Request(
        model=name, revision=revision or None, recipes=tuple(documents[1:]), baseline=documents[0], task=task,
        data=data,
        calibration=calibration, fields=dict(fields or {}), named=named,
        max_drop=max_drop,
        target=target, n=n, quick=quick, fresh=fresh,
    )  # fmt: skip


def tune_request(
    model: str,
    recipes: Sequence[str | Path | Recipe] = (),
    *,
    max_drop: float | None = None,
    relative: bool = False,
    min_speedup: float | None = None,
    max_size: float | None = None,
    max_memory: float | None = None,
    optimize: str = "latency",
    budget: str | float = "10m",
    **asked: Any,
) -> Request:
    """A search for the recipe that is best in `optimize` (latency, throughput or size) and keeps every bound, in
    `budget` of wall time ("10m", or seconds). `max_drop` is 0.01 unless said, `relative` to the baseline's value if
    so; `max_size` and `max_memory` are MB (10^6 bytes). `recipes`: where the search begins; none: the whole shelf.
    The other keywords as `request`. Raises RequestError."""
    drop = 0.01 if max_drop is None else max_drop
    _check_max_drop(drop)
    bounds = {"min_speedup": min_speedup, "max_size_mb": max_size, "max_memory_mb": max_memory}
    for name, value in bounds.items():
        if value is not None and value <= 0:
            flag = name.removesuffix("_mb").replace("_", "-")
            raise RequestError(f"--{flag} {value:g} can't be met.", "", "Say a number above 0.")
    if optimize not in ("latency", "throughput", "size"):
        raise RequestError(f"Nothing optimizes {optimize!r}.", "", "Say latency, throughput or size.")
    bar = {"max_drop": drop, **({"kind": "relative"} if relative else {})}
    kept = [bar, *({name: value} for name, value in bounds.items() if value is not None)]
    goal = {"optimize": optimize, "constraints": kept}
    made = request(model, recipes or [ALL], max_drop=drop, **asked)
    return replace(
        made, recipes=tuple(planning.with_goal(one, goal) for one in made.recipes),
        baseline=planning.with_goal(made.baseline, goal), verb="tune", budget_s=seconds_of(budget),
    )  # fmt: skip


def seconds_of(budget: str | float) -> float:
    """ "90s", "10m", "1h30m" or seconds. Raises RequestError for anything else, and below FEWEST_BUDGET_S."""
    if isinstance(budget, str):
        found = re.fullmatch(
            r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m(?:in)?)?(?:(\d+(?:\.\d+)?)s)?", budget.strip().lower()
        )
        if not budget.strip() or not found:
            raise RequestError(
                f"--budget {budget} is no time.", "It needs a number above zero and a unit.", "Say 90s, 10m or 1h30m."
            )
        hours, minutes, seconds = (float(part or 0) for part in found.groups())
        budget = 3600 * hours + 60 * minutes + seconds
    if budget < FEWEST_BUDGET_S:
        raise RequestError(
            f"A budget of {budget:g} s is too short.", "One export alone may take longer.", "Say a minute or more."
        )
    return float(budget)


def request_of(
    file: str | Path,
    *,
    model: str | None = None,
    data: str | None = None,
    calibration: str | None = None,
    fresh: bool = False,
    store: Store | None = None,
) -> Request:
    """What one recipe file asks for, against its baseline; `model`, `data`, `calibration` as given by hand.

    A lock pins what it was made for; under an edited spec everything is resolved anew, and `notes` says so.
    """
    recipe = recipes.load(Path(file))
    pinned = recipe.lock is not None and not recipe.is_edited()
    asked = replay.request_of(
        recipe, store or Store(), model=model, data=data, calibration=calibration, pinned=pinned
    )  # fmt: skip
    edited = (f"{Path(file).name} was edited since it was written: everything is resolved anew.",)
    return replace(asked, fresh=fresh, notes=() if pinned or recipe.lock is None else edited)


def changes(file: str | Path, plan: Plan) -> list[str]:
    """How a plan's inputs differ from those that the file's lock names."""
    return replay.changes(recipes.load(Path(file)), plan)


def changed(old: str | Path, new: str | Path) -> Changes:
    """What changed from one recipe file (a path, or YAML text) to another, ordered by what matters; iterating gives
    each Change. Raises RequestError for what is no recipe."""
    return difference.between(recipes.load(old), recipes.load(new), (_called(old), _called(new)))


def differs_here(file: str | Path, store: Store | None = None) -> Changes:
    """What differs between a recipe file and this machine: packages, instruction sets, cores, memory, backend and
    device. `old` is the file's, `new` what is here. Raises RequestError for what is no recipe."""
    return difference.from_here(recipes.load(file), lambda backend: devices(backend, store), _called(file))


def _called(source: str | Path) -> str:
    """A file by its name; a text by the name inside it."""
    return "" if isinstance(source, str) and "\n" in source else Path(source).name


def verify(
    file: str | Path,
    *,
    model: str | None = None,
    data: str | None = None,
    calibration: str | None = None,
    isolated: bool = False,
    reuse: bool = False,
    tell: Tell | None = None,
    store: Store | None = None,
) -> Verification:
    """Build again what a recipe file says and check its promises, V0 to V5, in an empty work folder.

    `isolated` first rebuilds the locked environment, `reuse` takes what the usual store has. `tell` gets every
    event, and each level as soon as it is known. Raises RequestError for a file that promises nothing.
    """
    if isolated and reuse:
        raise RequestError(
            "--isolated and --reuse exclude each other.", "What is stored was built elsewhere.", "Say one."
        )
    given = verification.Given(model, data, calibration)
    store, tell = store or Store(), tell or (lambda _: None)
    if isolated:
        return verification.isolated(Path(file), given, store, tell)
    return verification.verify(Path(file), given, store, tell, reuse=reuse)


def submit_verify(
    file: str | Path,
    *,
    model: str | None = None,
    data: str | None = None,
    calibration: str | None = None,
    reuse: bool = False,
    store: Store | None = None,
) -> str:
    """Start `verify` in a runner of its own; the run's id at once. The same request that waits or runs is joined.

    A Path is a file, a str the text of one. Raises RequestError for what is no recipe or promises nothing; what else
    is wrong ends the run, and `verification_of` says why."""
    given = verification.Given(model, data, calibration)
    return verification_run.submit(file, given, store or Store(), reuse=reuse)


def verification_of(run: str, store: Store | None = None) -> Verifying:
    """What is known of such a run so far: `levels` with result and why, `done`, `passed` (None: not known yet).

    Raises RequestError for a run of another kind."""
    store = store or Store()
    return verification_run.known(store.run(run), store)


def sensitivity(
    model: str,
    recipe: str | Path | Recipe,
    *,
    tell: Callable[[Event], None] | None = None,
    store: Store | None = None,
    **asked: Any,
) -> Sensitivity:
    """Build a recipe and rank the operators that it quantizes by what each costs. Keywords as `request`. `tell` gets
    every event. Raises RequestError for a recipe none of whose steps can tell, WorkbenchError when building fails."""
    from workbench import tuning  # statistics are heavy to import

    store = store or Store()
    made = plan(request(model, [recipe], baseline=recipe, **asked), store)
    with store.aside() as folder:
        return tuning.sensitivity(made, store, folder, tell or (lambda _: None))


def load(
    file: str | Path | Recipe,
    *,
    model: str | None = None,
    data: str | None = None,
    calibration: str | None = None,
    tell: Callable[[Event], None] | None = None,
    store: Store | None = None,
) -> loading.Model:
    """The model of a recipe file in this process, built or reused, called like the transformers model it came from.

    `model`, `data` and `calibration` as given by hand; data is read only where a step calibrates, or where the task
    has no default data, a few rows of which are enough to trace. `tell` gets every event of building. Raises
    RequestError for a file that lacks an input, WorkbenchError when building fails.
    """
    given = {"model": model, "data": data, "calibration": calibration}
    return loading.load(file, **given, store=store or Store(), tell=tell or (lambda _: None))


def pipeline(
    file: str | Path | Recipe,
    *,
    model: str | None = None,
    data: str | None = None,
    calibration: str | None = None,
    tell: Callable[[Event], None] | None = None,
    store: Store | None = None,
    **options: Any,
) -> Any:
    """A transformers pipeline over `load`: same inputs, same outputs. `options` are transformers' (top_k, …).
    What writes takes the likeliest token always, speech, too, where transformers' own pipeline follows five texts.

    Raises RequestError for a task that transformers has no pipeline for.
    """
    given = {"model": model, "data": data, "calibration": calibration}
    return loading.pipeline(file, **given, store=store or Store(), tell=tell or (lambda _: None), **options)


def missed(file: str | Path, report: dict[str, Any]) -> list[str]:
    """The constraints of the file's goal that its row misses for certain, in words."""
    from workbench.comparison import bounds

    constraints = recipes.load(Path(file)).to_dict()["spec"]["goal"]["constraints"]
    row = report["rows"][-1]
    return [bounds.in_words(one) for one in constraints if bounds.of_one(one, row) == "missed"]


def _check_max_drop(value: float | None) -> None:
    if value is not None and not 0 <= value < 1:
        hint = f"For {value:g} percentage points say --max-drop {value / 100:g}." if value >= 1 else "Say 0 or more."
        raise RequestError(
            f"--max-drop {value:g} is not a fraction.",
            "Is it a percent or a fraction? 0.01 is one percentage point.",
            hint,
        )


def _model(given: str) -> tuple[str, str]:
    """(name, revision or "")"""
    if not given.strip():
        raise RequestError("No model was named.", "", "Give a Hub id, a folder, or starter:sentiment.")
    if Path(given).exists():
        return given, ""
    name, _, revision = given.partition("@")
    if revision and name.startswith("starter:"):
        raise RequestError(f"{name} has no revisions.", "It comes with the workbench.", f"Say {name}.")
    return name, revision


def _recipe(given: str | Path | Recipe) -> Recipe:
    return given if isinstance(given, Recipe) else recipes.find_recipe(given)


def shelf() -> list[Recipe]:
    """The workbench's own recipes, then those that installed packages bring."""
    return list(recipes.shelf().values())


def origin(recipe: Recipe) -> str:
    """The package that brings a recipe of the shelf; "" for the workbench's own."""
    return recipes.origin(recipe.name)


def refused() -> tuple[recipes.Refused, ...]:
    """What packages bring that is not on the shelf, with the reason."""
    return recipes.refused()


# ---- plan and run -------------------------------------------------------------------------------


def plan(request: Request, store: Store | None = None) -> Plan:
    """All the work, checked, with gaps and cost. Raises RequestError for whatever is wrong. Builds nothing."""
    store = store or Store()
    with store.aside() as log:
        return planning.make(request, store, log)


def check_data(
    file: Path,
    *,
    task: str | None = None,
    model: str | None = None,
    fields: dict[str, str] | None = None,
    store: Store | None = None,
) -> uploads.DataCheck:
    """What is in uploaded data, and every row that `task` cannot use; read in a worker with limits.

    CSV, JSON, JSONL, Parquet, or a zip of pictures, sounds or tables; or the `path` of an earlier answer. `model` says
    the task and which labels there are; without both only the file itself is looked at. Data without a wrong row is
    kept, and the answer's `path` is what `--data` takes. Raises RequestError for what is wrong with the whole.
    """
    name, revision = _model(model) if model else (None, None)
    return uploads.check(
        Path(file), store or Store(), task=task, model=name, revision=revision or None, fields=fields
    )  # fmt: skip


def is_upload(path: str | Path, store: Store | None = None) -> bool:
    """Whether this is the whole path of data that `check_data` has kept in this store."""
    return uploads.key_of(path, store or Store()) is not None


def upload_folder(path: str | Path, store: Store | None = None) -> Path:
    """Where notes beside an upload may lie, such as whose it is. Raises RequestError for any other path."""
    if not is_upload(path, store):
        raise RequestError(f"{path} is no upload.", "It may have been cleaned up.", "Upload it again.")
    return Path(path).resolve().parent.parent


def submit(plan: Plan, store: Store | None = None) -> str:
    """Start a plan in a runner of its own; the run's id at once. The same request that waits or runs is joined.

    Raises RequestError when the plan is for another machine than this one."""
    planning.refuse_elsewhere(plan)
    return running.submit(plan, store or Store())


def follow(run: str, after: int = 0, store: Store | None = None) -> Iterator[tuple[int, Event]]:
    """(number, event) of a run until it ends, from any process."""
    return running.follow(run, store or Store(), after)


def resume(run: str, store: Store | None = None) -> str:
    return running.resume(run, store or Store())


def cancel(run: str, store: Store | None = None) -> bool:
    return running.cancel(run, store or Store())


def runs(store: Store | None = None) -> list[RunRecord]:
    return (store or Store()).runs()


def record(run: str, store: Store | None = None) -> RunRecord:
    """What the list of runs knows of one, named by its id or the beginning of it. Raises RequestError if there is
    none."""
    return (store or Store()).run(run)


def title(record: RunRecord, store: Store | None = None) -> str:
    """What a run is about; of a verification that is done also what it came to, since its status says only that."""
    came_to = "" if record.compares else verification_run.outcome(record, store or Store())
    return f"{record.title}: {came_to}" if came_to else record.title


def plan_of(run: str, store: Store | None = None) -> Plan:
    return running.plan_of(run, store or Store())


def status(run: str, store: Store | None = None) -> str:
    """waiting, running, cancelling, ok, failed, cancelled or stopped."""
    return (store or Store()).run(run).status


# ---- what a run gave ----------------------------------------------------------------------------


def report(run: str, store: Store | None = None) -> tuple[dict[str, Any], dict[str, Any]]:
    """(report.json, details) of a finished comparison. Raises WorkbenchError when there is none yet, RequestError for a
    run of another kind."""
    store = store or Store()
    record = store.run(run)
    if not record.compares:
        what = f"Run {record.id} compares nothing: it is a verification."
        raise RequestError(what, record.title, f"`workbench show {record.id}` lists its levels.")
    folder = store.run_folder(record.id)
    try:
        said = json.loads((folder / "report.json").read_text()), json.loads((folder / "details.json").read_text())
    except FileNotFoundError:
        raise WorkbenchError(
            f"Run {record.id} has no report.", f"It is {record.status}.", f"`workbench follow {record.id}` shows it."
        ) from None
    return said[0], said[1] | {"run": record.id}


def log_of(run: str, store: Store | None = None) -> str:
    """The end of what a run and its workers wrote, newest last: for somebody who looks why it failed."""
    store = store or Store()
    files = sorted((store.run_folder(store.run(run).id) / "log").glob("*.log"), key=lambda path: path.stat().st_mtime)
    parts = [f"== {path.name}\n{path.read_text(errors='replace')[-LOG_SHOWN:].strip()}" for path in files]
    return "\n\n".join(part for part in parts if not part.endswith(".log\n"))[-4 * LOG_SHOWN :]


def comparison(run: str, store: Store | None = None) -> Comparison:
    """The comparison of a finished run with its raw samples and answers."""
    from workbench import outcome

    store = store or Store()
    said, _ = report(run, store)
    record = store.run(run)
    return outcome.again(said, running.plan_of(record.id, store), store, store.run_folder(record.id))


def against(run: str, other: str, store: Store | None = None) -> TwoRuns:
    """Two finished runs side by side: what differs between them, then every recipe that both have, with the ratio of
    its speed-ups and the answers that changed. Raises WorkbenchError for a run without a report or a baseline."""
    store = store or Store()
    if record(run, store).id == record(other, store).id:
        raise RequestError("Both are the same run.", "", "Name two runs; `workbench runs` lists them.")
    return difference.against(_finished(run, store), _finished(other, store))


def _finished(run: str, store: Store) -> difference.Finished:
    from workbench import outcome

    said, details = report(run, store)
    plan = running.plan_of(details["run"], store)
    variants = {one.name: one for one in plan.variants}
    return difference.Finished(
        details["run"], said, details,
        lambda row: outcome.predictions(plan, store, variants[row]) if row in variants else None,
    )  # fmt: skip


def render(run: str, format: str, store: Store | None = None) -> str:
    """A run's report as html, md, json or csv."""
    renderer = catalog.renderer(format)
    return renderer.render(*report(run, store))


def recipe_file(run: str, row: str, store: Store | None = None) -> Path:
    """The recipe file of one row."""
    store = store or Store()
    found = {path.stem: path for path in (store.run_folder(store.run(run).id) / "recipes").glob("*.yaml")}
    if row not in found:
        raise RequestError(f"There is no recipe file for {row!r}.", "The row is not there or did not finish.", "")
    return found[row]


def check_out(out: Path) -> None:
    """Raises RequestError when results cannot be written to `out`."""
    beginning = out
    while not beginning.exists() and beginning != beginning.parent:
        beginning = beginning.parent
    if not beginning.is_dir():
        raise RequestError(
            f"{beginning} is a file.", "Results are written into a folder.", "Name another folder with --out."
        )
    try:
        with tempfile.TemporaryFile(dir=beginning):
            pass
    except OSError as error:
        raise RequestError(
            f"{beginning} cannot be written.", f"{error.strerror}.", "Name another folder with --out."
        ) from None


def take(run: str, out: Path, store: Store | None = None, models: bool = True) -> Path:
    """Write everything a run gave into `out`: reports, recipe files, loadable models, logs. Returns `out`."""
    store = store or Store()
    said, details = report(run, store)
    folder = store.run_folder(details["run"])
    try:
        for renderer in catalog.renderers().values():
            write_whole(out / f"report.{renderer.extension}", renderer.render(said, details))
        shutil.copytree(folder / "recipes", out / "recipes", dirs_exist_ok=True)
        shutil.copytree(folder / "log", out / "log", dirs_exist_ok=True)
        if models:
            _take_models(said, running.plan_of(details["run"], store), store, out / "models")
    except OSError as error:
        raise WorkbenchError(
            f"The results could not be written to {out}.", f"{error.strerror or error}.",
            f"`workbench report {details['run']}` prints them; free some room and try again.",
        ) from error  # fmt: skip
    return out


def _take_models(said: dict[str, Any], plan: Plan, store: Store, into: Path) -> None:
    finished = {row["name"] for row in said["rows"] if row["status"] == "ok"}
    for variant in plan.variants:
        found = store.find(plan.piece(variant.artifact).key)
        if found and variant.name in finished:
            _copy_whole(found.path, into / variant.name)


def _copy_whole(source: Path, target: Path) -> None:
    """Aside first, so that a folder with a model's name is a whole model."""
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_name(f".{target.name}.aside")
    shutil.rmtree(aside, ignore_errors=True)
    shutil.copytree(source, aside)
    shutil.rmtree(target, ignore_errors=True)
    aside.rename(target)


# ---- one's own input ----------------------------------------------------------------------------


def inputs_of(run: str, store: Store | None = None) -> tuple[trying.Field, ...]:
    """What a person types or uploads to ask the variants of a run: name, kind (text, image, audio), label, …"""
    return trying.fields(run, store or Store())


def panel(run: str, store: Store | None = None) -> trying.Panel:
    """The variants of a finished run, to be asked again and again; its workers are parked until `close`.

    Raises RequestError for a run that has not finished, WorkbenchError where its model was removed.
    """
    return trying.Panel(run, store or Store())


def answers(
    run: str, example: dict[str, Any], *, tell: Callable[[trying.Said], None] | None = None, store: Store | None = None
) -> trying.Trial:
    """What every variant of a finished run says to `example`: field -> text, or the path of a picture or sound.

    A few calls each are timed: no measurement. `tell` gets each answer as soon as it is there. Nothing is built.
    Raises RequestError for an input that cannot be asked.
    """
    with panel(run, store) as found:
        return found.ask(example, tell or (lambda _: None))


# ---- to the Hub ---------------------------------------------------------------------------------


def model_card(run: str, row: str, repo_id: str, *, pull_request: bool = False, store: Store | None = None) -> str:
    """The README.md that `push` would send, to look at before."""
    store = store or Store()
    return publishing.card_of(_source(run, row, store), repo_id, store, pull_request)


def push(
    run: str,
    row: str,
    repo_id: str,
    *,
    token: str | None = None,
    pull_request: bool = False,
    private: bool = False,
    tell: Callable[[Event], None] | None = None,
    store: Store | None = None,
) -> dict[str, Any]:
    """Push one row of a finished run to the Hub: its files, a model card, its recipe and the report, in one commit.

    `repo_id` (owner/name) must be new or empty; with `pull_request` it must be there, and a request is opened that
    adds a folder named after the row. `token`: that of the person who pushes, handed to the fetcher and kept nowhere;
    None takes the one that is logged in on this machine, which on a shared server is nobody's who asks. `tell` gets
    Progress in bytes. Returns {"repo_id", "url", "commit", "pull_request": its page or None, "private", "bytes",
    "files"}. Raises RequestError for a row, name, token or repository that cannot, WorkbenchError for what broke.
    """
    store = store or Store()
    how: dict[str, Any] = {"token": token, "pull_request": pull_request, "private": private}
    return publishing.push(_source(run, row, store), repo_id, store, tell or (lambda _: None), **how)


def _source(run: str, row: str, store: Store) -> publishing.Source:
    said, details = report(run, store)
    return publishing.Source(said, plan_of(details["run"], store), row, recipe_file(run, row, store))


# ---- what there is ------------------------------------------------------------------------------


def missing_for(recipe: Recipe) -> str:
    """Why a recipe cannot run here, or ""."""
    return inventory.missing_for(recipe)


def offered(task: str = "", target: str = "", store: Store | None = None) -> list[inventory.Offered]:
    """The shelf for a task and a target, each with what it lacks here. Raises RequestError with the nearest target."""
    wanted = target_room.find_target(target) if target else None
    return inventory.offered(task, wanted, lambda backend: _devices_once(backend, store or Store()))


def options(recipe: Recipe) -> tuple[editing.Part, ...]:
    """What of a recipe a form can change, with the descriptions of the plug-ins' declarations."""
    return editing.parts(recipe)


def edited(recipe: Recipe, changes: editing.Changes) -> Recipe:
    """The recipe with these options, by place and field. Raises RequestError for what cannot be."""
    return editing.edited(recipe, changes)


def wrongs(recipe: Recipe, changes: editing.Changes) -> dict[str, str]:
    """What of these options cannot be, by place and field, in words."""
    return editing.wrongs(recipe, changes)


def about(model: str, task: str | None = None, store: Store | None = None) -> dict[str, Any]:
    """What is known of a model before its weights are here: {"id", "revision", "task", "bytes", "license", "gated",
    "data": what it is judged on by default, "config", …}. Raises RequestError for a model that cannot be used."""
    name, revision = _model(model)
    store = store or Store()
    with store.aside() as log:
        return planning.about(name, revision or None, task, log)


def is_measured_on() -> bool:
    """Whether somebody measures on this machine now: what is not urgent waits then."""
    return turns.is_measured_on()


def devices(backend: str, store: Store | None = None) -> dict[str, Any]:
    """{device: {"description", "missing"}} of a backend, asked of the installed build in a worker."""
    return dict(_ask(catalog.devices, {"backend": backend}, store, network=False))


@functools.cache
def _devices_once(backend: str, store: Store) -> dict[str, Any]:
    """They do not change while a process lives."""
    return devices(backend, store)


def search(query: str, task: str | None = None, limit: int = 20, store: Store | None = None) -> list[dict[str, Any]]:
    """Models on the Hub."""
    return list(_ask(jobs.search, {"query": query, "task": task, "limit": limit}, store, network=True))


def tasks() -> list[dict[str, Any]]:
    """Every task with its metrics, columns and default data, and what each backend cannot do for it."""
    return inventory.tasks()


def backends(store: Store | None = None) -> dict[str, dict[str, Any]]:
    """Every backend with its devices, options and recipes, and what this machine lacks for it."""
    return inventory.backends(lambda name: devices(name, store))


def targets() -> list[dict[str, Any]]:
    """Machine classes with what suits them, and what this machine lacks to be one; this machine in detail first."""
    return inventory.targets()


def target(name: str) -> dict[str, Any]:
    """One machine class. Raises RequestError with the nearest name."""
    return inventory.target(target_room.find_target(name))


def machine_facts() -> dict[str, Any]:
    return machine.this_machine().to_dict() | {"threads": machine.auto_threads()}


def submit_resolution(store: Store | None = None) -> str:
    """Begin to measure the machine, about a minute: peaks, and the starter's baseline against itself. A run's id."""
    return submit(plan(request(STARTER, ["pytorch-fp32"], n=50, quick=True), store), store)


def measured_machine(run: str, store: Store | None = None) -> dict[str, Any]:
    """{"peaks": operations/s and bytes/s, "resolution"} of such a run when it has ended."""
    said, _ = report(run, store)
    return {"peaks": said["machine"]["peaks"], "resolution": said["resolution"]}


def _ask(function: Any, job: dict[str, Any], store: Store | None, network: bool) -> Any:
    with (store or Store()).aside() as log:
        return isolate.call(function, job, Limits(seconds=300, network=network), log / "worker.log")


def first_choices(task: str) -> list[Recipe]:
    """The shelf's first choices for a task."""
    return [one for one in recipes.shelf_for(task) if one.shelf and one.shelf.first_choice]


def starters() -> list[str]:
    """Those that hold a model."""
    return [f"starter:{name}" for name in hub.starter_models()]
