"""Hostile files at every door: each is refused in words within five seconds; nothing of theirs is read or run."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.hostile import SECRET, Scene, data, graphs, models, recipes
from tests.test_uploads import BROKEN
from workbench import bench, catalog, hub, recipe
from workbench.errors import WorkbenchError
from workbench.hub import Fields
from workbench.plugin import Prepared, StepContext
from workbench.store import Store

CASES = models.CASES | graphs.CASES | recipes.CASES | data.CASES
PATIENCE = 5.0  # seconds
FIELDS = Fields(
    {"text": ("text",), "image": ("image", "file_name"), "label": ("label",)}, (("text",), ("image",)), "label"
)


def model(given: Path, into: Path) -> None:
    """As a plan looks at it, and as the fetcher brings it."""
    hub.fetch_model(hub.find_model(str(given)), into, lambda *said: None)


def graph(given: Path, into: Path) -> None:
    """As the step that takes what somebody else made."""
    step = catalog.step("existing")
    nothing = Prepared({"x": [np.zeros(1)]}, {}, None, ["1"], [{}])
    context = StepContext(catalog.task("text-classification"), given, nothing, None, lambda *said: None)
    step.apply(given, into, step.Options(), context)


def table(given: Path, into: Path) -> None:
    hub.read_rows(hub.find_data(str(given)), FIELDS)


def upload(given: Path, into: Path) -> None:
    found = bench.check_data(given, task="text-classification", store=Store(into))
    if not found.usable:
        raise WorkbenchError(found.wrong[0].what, found.wrong[0].why, "Correct the row.")


DOORS: dict[str, Callable[[Any, Path], object]] = {
    "model": model, "graph": graph, "data": table, "upload": upload, "recipe": lambda text, into: recipe.load(text),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_hostile_file_is_refused_in_words_and_nothing_of_it_is_read_or_run(name: str, tmp_path: Path) -> None:
    case, scene, into = CASES[name], Scene.at(tmp_path), tmp_path / "into"
    given = case.build(scene)
    begin = time.monotonic()
    with pytest.raises(WorkbenchError) as refused:
        DOORS[case.door](given, into)
    assert time.monotonic() - begin < PATIENCE
    error = refused.value
    assert case.says in str(error), error
    assert error.what and error.what.endswith(".") and (error.why or error.fix), error
    assert len(str(error)) < 2000 and str(error).isprintable() and SECRET not in str(error)
    assert not scene.marker.exists() and not scene.was_read()
    if case.door == "graph":
        assert not list(into.glob("*.onnx")) and not list(into.glob("*.xml")), "nothing of it came in"


def test_reading_the_secret_would_be_noticed(tmp_path: Path) -> None:
    scene = Scene.at(tmp_path)
    assert not scene.was_read()
    scene.secret.read_text()
    assert scene.was_read() == ["secret.txt"]


def test_the_same_files_without_their_malice_come_in(tmp_path: Path) -> None:
    """What refuses everything would pass the test above."""
    scene = Scene.at(tmp_path)
    model(models.folder(scene), tmp_path / "model")
    assert recipe.load(recipes.GOOD).name == "mine"
    for name, build in (("onnx", graphs.graph()), ("net", graphs.ir()),
                        ("side", graphs.graph(graphs.elsewhere("w.bin", length="16"), w__bin=bytes(16)))):  # fmt: skip
        inner = tmp_path / f"scene-{name}"
        inner.mkdir()
        graph(build(Scene.at(inner)), tmp_path / name)
        assert list((tmp_path / name).glob("*model.*"))
    table(scene.write({"a.csv": "text,label\nx,a\n"}) / "a.csv", tmp_path)


def test_there_are_at_least_120_of_them_over_all_doors() -> None:
    count = Counter(case.door for case in CASES.values())
    assert set(count) == set(DOORS) and count["upload"] + len(BROKEN) >= 60 and len(CASES) >= 120, count


CARDS = {
    "anchors that explode": "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)),
    "a tag": "configs: !!python/object/apply:os.system ['touch marker']\n",
    "half a megabyte of brackets": "configs: " + "[" * 500_000,
    "paths that are no texts": "configs: [{config_name: a, data_files: [{split: test, path: [1, {a: b}, null]}]}]\n",
    "a separator that is none": "configs: [{config_name: a, data_files: a.csv, sep: [1, 2]}]\n",
    "keys that are lists": "? [a, b]\n: 1\n",
    "a date that is none": "a: 2020-99-99\n",
}  # fmt: skip


@pytest.mark.parametrize("name", CARDS)
def test_a_hostile_card_of_a_data_set_says_nothing_or_is_refused(name: str, tmp_path: Path) -> None:
    from workbench.hub.data import _front_matter
    from workbench.hub.layout import layout_of

    begin = time.monotonic()
    card = _front_matter(f"---\n{CARDS[name]}\n---\n# A card\n".encode())
    try:
        found = layout_of(["a.csv", "README.md"], "org/data", card)
    except WorkbenchError as error:
        assert error.what.endswith(".")
    else:
        assert list(found.splits.values()) == [("a.csv",)] and found.separator is None
    assert time.monotonic() - begin < PATIENCE and not Path("marker").exists()
