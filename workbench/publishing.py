"""One row of a finished run -> the Hub: its files, its recipe, its report and a model card, in one commit.

What is pushed holds no row of anybody's data: report.html shows examples, so report.json goes along instead.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench import catalog, hub, isolate
from workbench import recipe as recipes
from workbench.artifact import Artifact, manifest_of
from workbench.errors import RequestError, WorkbenchError
from workbench.event import Event, Progress
from workbench.hub import jobs
from workbench.hub.pushing import check_name
from workbench.isolate import Limits
from workbench.pieces import Make, Plan, Variant
from workbench.report.model_card import Pushed, model_card
from workbench.store import Store, write_whole

Tell = Callable[[Event], None]
WORK = "push"  # what its events are about
SLOWEST = 50_000  # bytes a second that any connection makes
PATIENCE = 900  # seconds beside those


@dataclass(frozen=True)
class Source:
    """A finished run: report.json, its plan, and the recipe file of the row."""

    report: dict[str, Any]
    plan: Plan
    row: str
    recipe: Path


def card_of(source: Source, repo_id: str, store: Store, pull_request: bool = False) -> str:
    """README.md as `push` sends it."""
    check_name(repo_id)
    artifact, variant = _artifact(source, store, check=False)
    return _card(source, repo_id, artifact, variant, source.row if pull_request else "")


def push(
    source: Source, repo_id: str, store: Store, tell: Tell, *, token: str | None = None, pull_request: bool = False,
    private: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """What `hub.push_files` gives. Into a new repository the files go as they are; a pull request adds one folder with
    the row's name, so that it replaces nothing. Raises RequestError and WorkbenchError as it does."""
    if private and pull_request:
        raise RequestError(
            "A pull request cannot be private.", "Who sees it, sees the repository.", "Say one of the two."
        )
    check_name(repo_id)
    artifact, variant = _artifact(source, store, check=True)
    below = source.row if pull_request else ""
    with store.aside() as aside:
        texts = {"README.md": _card(source, repo_id, artifact, variant, below),
                 "recipe.yaml": source.recipe.read_text(encoding="utf-8"),
                 "report.json": catalog.renderer("json").render(source.report, {})}  # fmt: skip
        for name, text in texts.items():
            write_whole(aside / "own" / name, text)
        own = _outgoing(aside / "own", manifest_of(aside / "own"))
        files = {one["path"]: one for one in _outgoing(artifact.path, store.files_of(artifact.key)) + own}
        job = {
            "repo_id": repo_id, "token": token, "private": private, "pull_request": pull_request,
            "files": [one | {"path": f"{below}/{one['path']}" if below else one["path"]} for one in files.values()],
            "title": f"Add {source.row}, made by the Optimization Workbench",
            "description": _description(source, below, list(files)) if pull_request else "",
        }  # fmt: skip
        seconds = PATIENCE + sum(one["bytes"] for one in files.values()) / SLOWEST

        def progress(done: float, total: float, note: str) -> None:
            tell(Progress(work=WORK, done=done, total=total, note=note))

        limits = Limits(seconds=seconds, network=True)
        return dict(isolate.call(jobs.push, job, limits, aside / "log" / "worker.log", progress))


def _artifact(source: Source, store: Store, check: bool) -> tuple[Artifact, Variant]:
    """The files of the row, with `check` every hash of them. Raises RequestError for a row that has none of its own."""
    plan = source.plan
    variant = next((one for one in plan.variants if one.name == source.row), None)
    row = next((one for one in source.report["rows"] if one["name"] == source.row), None)
    if variant is None or row is None or row["status"] != "ok":
        finished = ", ".join(one["name"] for one in source.report["rows"] if one["status"] == "ok")
        raise RequestError(
            f"There is no row {source.row!r} to push.", "It is not there or did not finish.", f"There is {finished}."
        )
    if not any(isinstance(plan.piece(id), Make) for id in variant.chain):
        raise RequestError(
            f"{source.row} is the model as it came.", "Its recipe changes how it runs and no file.",
            "Push another row, or share the recipe file.",
        )  # fmt: skip
    found = store.find(plan.piece(variant.artifact).key, check)
    if found is None:
        raise WorkbenchError(
            f"The files of {source.row} are not in the store any more.", "They were removed, or are damaged.",
            "Ask for the same comparison again: it builds them anew.",
        )  # fmt: skip
    return found, variant


def _outgoing(folder: Path, manifest: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one | {"at": str(folder / one["path"])} for one in manifest]


def _card(source: Source, repo_id: str, artifact: Artifact, variant: Variant, below: str) -> str:
    plan = source.plan
    auto_class = catalog.task(plan.task).class_for(plan.model["config"])
    pushed = Pushed(
        repo_id=repo_id,
        row=source.row,
        recipe=recipes.load(source.recipe).to_dict(),
        model=plan.model,
        evaluation=plan.data["evaluation"],
        calibration=plan.data["calibration"],
        format=artifact.format,
        hub=hub.endpoint(),
        opening=catalog.backend(variant.backend).opening(artifact.path, auto_class),
        below=below,
    )
    return model_card(source.report, pushed)


def _description(source: Source, below: str, paths: list[str]) -> str:
    """What a pull request adds, for whoever merges it."""
    listed = "\n".join(f"- `{below}/{path}`" for path in sorted(paths))
    return (
        f"This adds the folder `{below}` and changes nothing else: the model optimized with the recipe "
        f"`{source.recipe.stem}`, a card with what was measured and how surely, and the files that make it again.\n\n"
        f"{listed}\n"
    )
