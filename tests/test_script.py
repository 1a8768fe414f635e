"""The Python face: as short as transformers, returns at once, waits only where a result is needed."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import workbench
from tests import small as make
from tests.conftest import Small
from workbench.errors import RequestError


def asked(small: Small) -> dict[str, Any]:
    """Two recipes that share an export; nothing is built in a warm home."""
    return {"recipes": [small.recipes[1]], "baseline": small.recipes[0], "data": str(small.rows)}


@pytest.fixture
def compared(small: Small, warm_home: Path) -> Any:
    return workbench.compare(str(small.model), **asked(small))


def test_a_comparison_returns_at_once_and_its_accessors_wait(compared: Any) -> None:
    assert compared.status in ("waiting", "running") and compared.run in repr(compared)
    assert set(compared._repr_mimebundle_()) == {"text/plain", "text/html"}
    assert list(compared.to_frame()["name"]) == ["onnx-fp32", "onnx-int8-dynamic"]
    assert compared.status == "ok" and compared.wait() is compared
    bundle = compared._repr_mimebundle_()
    assert "onnx-int8-dynamic" in bundle["text/plain"] and "<table" in bundle["text/html"]


def test_raw_samples_and_flips_are_frames(compared: Any) -> None:
    samples = compared.samples_frame()
    assert set(samples["variant"]) == {"onnx-fp32", "onnx-int8-dynamic"} and (samples["seconds"] > 0).all()
    flips = compared.flips_frame()
    told = compared.row("onnx-int8-dynamic")["accuracy"]["flips"]
    assert len(flips) == sum(told.values()) and compared.report["rows"][0]["name"] == "onnx-fp32"


def test_a_row_gives_the_recipe_file_that_loads(compared: Any, small: Small, tmp_path: Path) -> None:
    best = compared.best() or compared.rows[1]
    assert best.name in repr(best)
    best.recipe.save(tmp_path / "best.yaml")
    with workbench.load(tmp_path / "best.yaml", model=str(small.model)) as model:
        assert "precision" in model.facts() and best.name in repr(model)
    out = compared.save(tmp_path / "out")
    assert (out / "report.html").is_file() and (out / "models" / best.name / "model.onnx").is_file()


def test_a_run_can_be_awaited_opened_again_and_cancelled(small: Small, warm_home: Path, tmp_path: Path) -> None:
    long = make.make_recipe(tmp_path, "onnx-fp32", rounds={"min": 400, "max": 400})
    handle = workbench.compare(str(small.model), **asked(small) | {"baseline": long})
    again = workbench.open(handle.run[:12])
    assert again.run == handle.run and again.cancel() and handle.status == "cancelled"
    short = workbench.compare(str(small.model), **asked(small))

    async def waited() -> Any:
        return await short

    assert asyncio.run(waited()) is short and short.best() is not False


def test_a_wrong_request_starts_nothing(small: Small, home: Path) -> None:
    with pytest.raises(RequestError, match="percent or a fraction"):
        workbench.compare(str(small.model), max_drop=5)
    with pytest.raises(RequestError, match="There is no run called"):
        workbench.open("991231-0")


TWICE = """
import inspect, json, sys
import workbench
from workbench.errors import RequestError

def call(name):
    try:
        verb = getattr(workbench, name)
        needed = [one for one in inspect.signature(verb).parameters.values() if one.default is one.empty]
        verb(*[sys.argv[1] for one in needed if one.kind is one.POSITIONAL_OR_KEYWORD])
    except RequestError as error:
        return error.what

verbs = [name for name in workbench.__all__ if name[0].islower() and name != "__version__"]
print(json.dumps({name: [call(name), call(name)] for name in verbs if not name.startswith("_")}))
"""


def test_each_public_verb_answers_the_same_twice(home: Path) -> None:
    """A module of a verb's name would take its place on the second access."""
    done = subprocess.run([sys.executable, "-c", TWICE, "no-such/thing.yaml"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert set(said) == {"compare", "load", "open", "pipeline", "sensitivity", "tune", "verify"}
    assert all(first == second and first for first, second in said.values()), said
