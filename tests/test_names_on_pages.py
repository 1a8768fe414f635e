"""Names that strangers chose are text on every screen of the page, never markup."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from workbench import bench
from workbench.errors import RequestError
from workbench.event import Checked, Failed, Finished, Progress, Started
from workbench.faces.web import choose, compare, history, run, take
from workbench.faces.web.around import Desk
from workbench.faces.web.parts.about import about_line
from workbench.faces.web.parts.changes import changes
from workbench.faces.web.parts.plan_card import plan_card
from workbench.faces.web.parts.problem import problem
from workbench.faces.web.pushing import _Push, drawn
from workbench.faces.web.visitors import Visitors
from workbench.faces.web.watching import Watching
from workbench.pieces import Gap
from workbench.store import Store

EVIL = "<script>alert('x')</script>\"><img src=x onerror=alert(1)>"
OURS = {"svg", "path", "circle", "text"}


@pytest.fixture
def desk(warm_home: Path, warm_run: tuple[Path, str]) -> Desk:
    """A store with a run in which every word that can come from outside is hostile."""
    store, (_, run_id) = Store(warm_home), warm_run
    folder = store.run_folder(run_id)
    for name in ("plan.json", "report.json", "details.json"):
        if (folder / name).exists():
            said = json.loads((folder / name).read_text())
            (folder / name).write_text(json.dumps(hostile(said)))
    with store._writing() as database:
        database.execute("UPDATE runs SET title=?", (EVIL,))
    for event in (Started(work="x", title=EVIL), Progress(work="x", note=EVIL),
                  Failed(work="x", stage=EVIL, what=EVIL, why=EVIL, fix=EVIL), Failed(stage="run", what=EVIL, why=EVIL),
                  Finished(status="ok")):  # fmt: skip
        store.append(run_id, event)
    return Desk(store, Visitors(store), Watching(store))


def hostile(value: Any, key: str = "") -> Any:
    """Names, ids, titles and reasons become markup; what the code looks up by stays."""
    if isinstance(value, dict):
        return {name: hostile(inner, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [hostile(inner, key) for inner in value]
    free = key in ("title", "reason", "warnings", "notes", "license", "source", "summary", "what", "text", "label")
    return EVIL if isinstance(value, str) and value and free else value


def harmless(markup: str) -> bool:
    """The hostile words are there, as text."""
    outside = re.sub(r"<script>(?!alert).*?</script>", "", markup, flags=re.S)
    return "<script>alert" not in outside and "<img src=x" not in outside and "&lt;img src=x" in outside


def test_every_screen_shows_hostile_names_as_text(desk: Desk, warm_run: tuple[Path, str]) -> None:
    record = bench.record(warm_run[1], desk.store)
    found = {"bytes": 1.0, "license": EVIL, "config": {"id2label": {"0": EVIL}}, "revision": EVIL}
    plan = bench.plan_of(record.id, desk.store)
    plan = replace(plan, gaps=(Gap(EVIL, EVIL),), warnings=(EVIL,), request=replace(plan.request, notes=(EVIL,)))
    screens = {
        "run": run.shown(record, "", desk.visitors, desk.watching),
        "failed run": run.shown(replace(record, status="failed"), "", desk.visitors, desk.watching),
        "history": history.shown("", desk.visitors),
        "about": about_line(found),
        "plan": plan_card(plan),
        "problem": problem(RequestError(EVIL, EVIL, EVIL), EVIL),
        "push": drawn(_Push("", said={"pull_request": "", "url": EVIL, "bytes": 1, "files": [], "commit": EVIL})),
        "pull request": drawn(_Push("", said={"pull_request": EVIL, "url": "", "bytes": 1, "files": [], "commit": ""})),
        "verification": take.verified(replace(record, kind="verify"), 0, desk.watching),
    }
    assert not [name for name, markup in screens.items() if not harmless(markup)]
    assert "<script>alert" not in compare.shown(record, desk.store)


def test_levels_and_changes_show_hostile_names_as_text(tmp_path: Path) -> None:
    from workbench.faces.web.parts import levels

    checked = Checked(level="V1", result="failed", why=EVIL)
    assert harmless(levels.levels((checked,), "failed", EVIL))
    one = Path(__file__).parent.parent / "recipes" / "onnx-fp32.yaml"
    other = tmp_path / "other.yaml"
    other.write_text(yaml.safe_dump(yaml.safe_load(one.read_text()) | {"summary": EVIL}))
    assert harmless(changes(bench.changed(one, other)))


def test_a_name_that_is_a_place_of_the_server_is_refused_however_it_is_written(
    tmp_path: Path, monkeypatch: Any
) -> None:
    """A page that is served from a folder with other folders in it."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "rows.csv").write_text("text\n")
    monkeypatch.chdir(tmp_path)
    store = Store()
    desk = Desk(store, Visitors(store, shared=True), Watching(store))
    places = ["/etc/passwd", "~/x", "./rows.csv", "rows.csv", "rows.csv[all]", "docs", "docs/../rows.csv[all]",
              "docs@main", "docs/../../x@main", "nowhere/../../etc/passwd", "local:rows.csv",
              "file:///etc/passwd", " /etc/passwd ", "docs\\..\\x", "a\0b", "a\nb"]  # fmt: skip
    for name in places:
        with pytest.raises(RequestError, match="place on this server"):
            choose.refuse_places((name,), desk)
    choose.refuse_places(
        ("starter:sentiment", "org/model", "org/model@main", "org/data:config[test]", "", "x" * 5000), desk
    )
    for shelf in ('{"recipes": ["/etc/passwd"]}', '{"recipes": ["../x.yaml"]}'):
        with pytest.raises(RequestError, match="There is no recipe called"):
            choose.Choice("starter:sentiment", shelf=shelf).recipes()
    for shelf in ("[1]", "{", '{"recipes": 7}', '{"recipes": ["a"], "options": [1]}',
                  '{"recipes": ["a"], "options": {"a": [1]}}', json.dumps({"recipes": ["a"] * 1000}),
                  "[" * 100_000):  # fmt: skip
        with pytest.raises(RequestError, match="no chosen recipes"):
            choose.Choice("starter:sentiment", shelf=shelf).recipes()


def test_a_shared_server_runs_no_graph_that_a_stranger_wrote(warm_run: tuple[Path, str]) -> None:
    store = Store(warm_run[0])
    plan = bench.plan_of(warm_run[1], store)
    one = plan.variants[1]
    recipe = one.recipe | {"spec": one.recipe["spec"] | {"steps": [{"use": "existing"}]}}
    given = replace(plan, variants=(plan.variants[0], replace(one, recipe=recipe)))
    for shared in (True, False):
        desk = Desk(store, Visitors(store, shared), Watching(store))
        choose.refuse_files(plan, desk)
        if not shared:
            choose.refuse_files(given, desk)
            continue
        with pytest.raises(RequestError, match="use: existing"):
            choose.refuse_files(given, desk)
