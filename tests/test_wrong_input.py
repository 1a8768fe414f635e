# ruff: noqa: E501 - one line a case
"""What wrong input gets: what, why, what to do; the right exit code; nothing half-written. One line a case."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests import small as make
from tests.conftest import Small, command
from tests.hub_server import HubServer

RECIPE = """\
schema: workbench/recipe@1
name: mine
spec:
  target: {backend: onnxruntime}
  steps: [{use: export-onnx}]
"""


@dataclass(frozen=True)
class Place:
    """Where a case puts its files; `model` and `rows` are right."""

    folder: Path
    model: Path
    rows: Path

    def recipe(self, old: str = "", new: str = "") -> str:
        path = self.folder / "mine.yaml"
        assert old in RECIPE
        path.write_text(RECIPE.replace(old, new) if old else RECIPE)
        return str(path)

    def data(self, change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]], name: str = "data.csv") -> str:
        rows = [{"text": text, "label": label} for text, label in make.texts(120)]
        return str(make.write_rows(self.folder / name, change(rows)))

    def model_with(self, **config: Any) -> str:
        """A copy of the model's small files with another config; its file of weights holds none."""
        folder = self.folder / "changed"
        folder.mkdir()
        for path in self.model.iterdir():
            if path.suffix == ".json":
                (folder / path.name).write_bytes(path.read_bytes())
        (folder / "model.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}")
        said = json.loads((self.model / "config.json").read_text()) | config
        (folder / "config.json").write_text(json.dumps(said))
        return str(folder)

    def file(self, name: str = "a-file", text: str = "x") -> str:
        (self.folder / name).write_text(text)
        return str(self.folder / name)

    def empty(self, name: str = "empty") -> str:
        (self.folder / name).mkdir()
        return str(self.folder / name)


@pytest.fixture
def place(small: Small, tmp_path: Path) -> Place:
    folder = tmp_path / "given"
    folder.mkdir()
    return Place(folder, small.model, small.rows)


def compare(p: Place, *words: str, model: str = "", data: str = "") -> list[str]:
    return ["compare", model or str(p.model), "--data", data or str(p.rows), *words]


def changed(row: int, **cells: Any) -> Callable[[list[dict[str, Any]]], list[dict[str, Any]]]:
    """Row `row`, counted from 1, with other cells."""
    return lambda rows: [one | (cells if number == row else {}) for number, one in enumerate(rows, 1)]


def every(**cells: Any) -> Callable[[list[dict[str, Any]]], list[dict[str, Any]]]:
    return lambda rows: [one | cells for one in rows]


def renamed(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"review": row["text"], "stars": row["label"]} for row in rows]


Case = tuple[Callable[[Place], list[str]], int, tuple[str, ...]]

# what is asked -> exit code, words of the answer
CASES: dict[str, Case] = {
    "a misspelt key": (lambda p: compare(p, "-r", p.recipe("target:", "tagret:")), 2, ("tagret", "target")),
    "a misspelt option": (lambda p: compare(p, "-r", p.recipe("export-onnx}", "export-onnx, dynamc: true}")), 2, ("dynamc", "dynamic")),
    "an impossible option": (lambda p: compare(p, "-r", p.recipe("export-onnx}", "export-onnx, opset: many}")), 2, ("opset", "many")),
    "a misspelt recipe": (lambda p: compare(p, "-r", "onnx-int8-dinamic"), 2, ("onnx-int8-dinamic", "Did you mean", "onnx-int8-dynamic")),
    "a recipe file that is not there": (lambda p: compare(p, "-r", str(p.folder / "no.yaml")), 2, ("no.yaml",)),
    "a recipe that is no YAML": (lambda p: compare(p, "-r", p.file("bad.yaml", "a: [1\nb: }")), 2, ("bad.yaml",)),
    "a misspelt step": (lambda p: compare(p, "-r", p.recipe("export-onnx", "export-onx")), 2, ("export-onx", "Did you mean 'export-onnx'?")),
    "a misspelt backend": (lambda p: compare(p, "-r", p.recipe("onnxruntime", "onnxrt")), 2, ("onnxrt", "onnxruntime, openvino, pytorch")),
    "a misspelt target": (lambda p: compare(p, "--target", "this-machin"), 2, ("this-machin", "this-machine")),
    "a misspelt task": (lambda p: compare(p, "--task", "text-clasification"), 2, ("text-clasification", "Known:")),
    "a task that is not built": (lambda p: compare(p, model=p.model_with(architectures=["BertForMultipleChoice"])), 2, ("multiple-choice", "image-classification", "text-classification")),
    "a model of another task": (lambda p: compare(p, "--task", "image-classification"), 2, ("text classifier", "image classifier", "BertForSequenceClassification")),
    "a class for a regression head": (lambda p: compare(p, model=p.model_with(id2label={"0": "LABEL_0"})), 2, ("Row 1", "NEGATIVE", "a number is wanted")),
    "a model id that does not exist": (lambda p: compare(p, model="org/nobody-made-it"), 2, ("org/nobody-made-it",)),
    "a model folder that does not exist": (lambda p: compare(p, model="./no/such/folder"), 2, ("./no/such/folder", "Check the path.")),
    "a model that is a file": (lambda p: compare(p, model=p.file()), 2, ("is a file", "A model is a folder.")),
    "a folder without config": (lambda p: compare(p, model=p.empty()), 2, ("empty",)),
    "a starter that does not exist": (lambda p: compare(p, model="starter:sentimnt"), 2, ("sentimnt", "starter:sentiment")),
    "code in the model's repository": (lambda p: compare(p, model=p.model_with(auto_map={"AutoModel": "m.M"})), 2, ("auto_map", "never run here")),
    "data that is not there": (lambda p: compare(p, data=str(p.folder / "no.csv")), 2, ("no.csv", "Check the path.")),
    "no input column": (lambda p: compare(p, data=p.data(renamed)), 2, ("review, stars", "--fields text=")),
    "a misspelt column": (lambda p: compare(p, "--fields", "text=revew,label=stars", data=p.data(renamed)), 2, ("revew", "Did you mean `review`?")),
    "a misspelt field": (lambda p: compare(p, "--fields", "txt=review", data=p.data(renamed)), 2, ("txt", "text")),
    "fields without a column": (lambda p: compare(p, "--fields", "text"), 2, ("--fields text", "text=review")),
    "data with one class": (lambda p: compare(p, data=p.data(every(label="POSITIVE"))), 2, ("All 120 rows", "POSITIVE", "two classes")),
    "an unknown label": (lambda p: compare(p, data=p.data(changed(77, label="neutral"))), 2, ("Row 77", "neutral", "negative, positive")),
    "an unknown label in held-out data": (lambda p: compare(p, data=p.data(lambda rows: changed(199, label="neutral")(rows + [{"text": f"{one['text']} {n}", "label": one["label"]} for n, one in enumerate(rows)]))), 2, ("Row 199", "neutral")),
    "an empty row": (lambda p: compare(p, data=p.data(changed(5, text="  "))), 2, ("Row 5", "empty `text`")),
    "a null label": (lambda p: compare(p, data=p.data(changed(9, label=""))), 2, ("Row 9", "label")),
    "three rows": (lambda p: compare(p, data=p.data(lambda rows: rows[:3])), 2, ("has 3 rows", "Give more rows")),
    "no rows": (lambda p: compare(p, data=p.file("data.csv", "text,label\n")), 2, ("no rows",)),
    "calibration that is the evaluation": (lambda p: compare(p, "--calibration", str(p.rows)), 2, ("calibration and for evaluation", "--calibration")),
    "calibration that overlaps": (lambda p: compare(p, "--calibration", p.data(lambda rows: rows[:60], "c.csv")), 2, ("calibration", "evaluation")),
    "a percentage as a fraction": (lambda p: compare(p, "--max-drop", "5"), 2, ("percent or a fraction?", "--max-drop 0.05")),
    "a drop with a percent sign": (lambda p: compare(p, "--max-drop", "1%"), 2, ("is no number", "--max-drop 0.01")),
    "a negative drop": (lambda p: compare(p, "--max-drop", "-0.1"), 2, ("--max-drop -0.1",)),
    "no examples": (lambda p: compare(p, "--n", "0"), 2, ("0 examples",)),
    "a number that is none": (lambda p: compare(p, "--n", "many"), 2, ("--n", "integer")),
    "an option that does not exist": (lambda p: compare(p, "--quik"), 2, ("--quik",)),
    "a command that does not exist": (lambda p: ["compar"], 2, ("compar",)),
    "an output folder that is a file": (lambda p: compare(p, "--out", p.file()), 2, ("a-file is a file", "--out")),
    "an output folder below a file": (lambda p: compare(p, "--out", p.file() + "/deep/er"), 2, ("a-file is a file", "--out")),
    "a recipe with a newer schema": (lambda p: compare(p, "-r", p.recipe("recipe@1", "recipe@9")), 2, ("newer", "workbench")),
    "a recipe with a secret": (lambda p: compare(p, "-r", p.recipe("name: mine", "name: mine\nsummary: hf_abcdefghijklmnopqrstuvwx")), 2, ("secret",)),
    "a run that does not exist": (lambda p: ["show", "991231-0"], 2, ("991231-0", "workbench runs")),
    "a report format that does not exist": (lambda p: ["report", "991231-0", "--as", "docx"], 2, ("docx", "Known: csv, html")),
    "one example": (lambda p: compare(p, "--n", "1"), 2, ("1 examples", "--n")),
    "no model's name": (lambda p: ["compare", ""], 2, ("No model was named", "starter:sentiment")),
    "a revision of the starter": (lambda p: ["compare", "starter:sentiment@main"], 2, ("no revisions", "Say starter:sentiment")),
    "an output folder that cannot be written": (lambda p: compare(p, "--out", "/proc/there"), 2, ("/proc cannot be written", "--out")),
    "a negative budget": (lambda p: ["clean", "--keep-gb", "-1"], 2, ("--keep-gb",)),
}  # fmt: skip


def sentences(text: str) -> int:
    """Ends of sentences, with `code` and 'names' taken as one word."""
    plain = re.sub(r"`[^`]*`|'[^']*'|\"[^\"]*\"", "word", " ".join(text.split()))
    return len(re.findall(r"[.?!](?= [A-Z`'\"]|$)", plain))


def runs_in(home: Path) -> int:
    if not (home / "runs.sqlite").exists():
        return 0
    with sqlite3.connect(home / "runs.sqlite") as database:
        return int(database.execute("SELECT COUNT(*) FROM runs").fetchone()[0])


def is_told(done: Any, code: int, words: tuple[str, ...]) -> None:
    said = done.stderr.strip()
    assert done.returncode == code, said
    assert not [word for word in words if word not in said], said
    assert "Traceback" not in said and not done.stdout.strip()


@pytest.mark.parametrize("name", CASES)
def test_wrong_input_gets_what_why_and_what_to_do(name: str, place: Place, home: Path, tmp_path: Path) -> None:
    asked, code, words = CASES[name]
    out = tmp_path / "out"
    line = asked(place)
    if line[0] == "compare" and "--out" not in line:
        line += ["--out", str(out)]
    before = sorted(place.folder.rglob("*"))
    done = command(*line, cwd=place.folder)
    is_told(done, code, words)
    if "Usage:" not in done.stderr:  # the command line's own answers have a frame
        assert 1 <= sentences(done.stderr) <= 3, done.stderr
    assert not out.exists() and sorted(place.folder.rglob("*")) == before
    assert runs_in(home) == 0
    assert not home.exists() or not list((home / "aside").iterdir())


def test_a_model_that_the_hub_does_not_have_is_told_from_a_hub_that_is_away(place: Place, home: Path) -> None:
    with HubServer() as hub:
        there = command(*compare(place, model="org/nobody-made-it"), HF_ENDPOINT=hub.endpoint)
    is_told(there, 2, ("org/nobody-made-it",))
    away = command(*compare(place, model="org/nobody-made-it"))
    is_told(away, 2, ("org/nobody-made-it",))
    assert away.stderr != there.stderr and runs_in(home) == 0


@pytest.mark.parametrize("words", [("compare", "starter:sentiment"), ("runs",), ("recipes",)], ids=" ".join)
def test_a_home_that_cannot_be_written_is_told(words: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = command(*words, cwd=tmp_path, WORKBENCH_HOME=str(tmp_path / "file" / "home"))
    if words == ("recipes",):  # it needs no home
        assert done.returncode == 0 and "onnx-fp32" in done.stdout
    else:
        is_told(done, 1, ("cannot be used", "WORKBENCH_HOME"))
        assert sentences(done.stderr) <= 3


def test_a_store_of_a_newer_workbench_is_told(home: Path, tmp_path: Path) -> None:
    command("runs")
    with sqlite3.connect(home / "runs.sqlite") as database:
        database.execute("PRAGMA user_version=99")
    is_told(command("runs"), 1, ("newer workbench", "Update"))


def test_a_lock_whose_model_changed_by_one_byte_fails_at_v1(
    place: Place, warm_run: tuple[Path, str], home: Path, tmp_path: Path
) -> None:
    """The file is right and its answer is FAIL: exit code 3, on stdout, level by level."""
    store, run = warm_run
    model = Path(shutil.copytree(place.model, tmp_path / "changed"))
    weights = bytearray((model / "model.safetensors").read_bytes())
    weights[-5] ^= 1
    (model / "model.safetensors").write_bytes(weights)
    file = str(store / "runs" / run / "recipes" / "onnx-fp32.yaml")
    done = command("verify", file, "--model", str(model), "--data", str(place.rows))
    assert done.returncode == 3 and "Traceback" not in done.stderr, done.stderr
    assert "V1 inputs" in done.stdout and "model.safetensors has other bytes" in done.stdout
    assert done.stdout.count("failed at V1") == 4 and not list((home / "aside").iterdir())


NO_ROOM = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
from workbench.faces.terminal import main
main()
"""


def test_no_space_is_told_and_nothing_is_started(place: Place, home: Path, tmp_path: Path) -> None:
    import os
    import subprocess
    import sys

    command("runs")  # the store is there already
    line = [sys.executable, "-c", NO_ROOM, *compare(place, "--out", str(tmp_path / "out"))]
    done = subprocess.run(line, capture_output=True, text=True, timeout=120, env=os.environ)
    is_told(done, 1, ())
    assert 1 <= sentences(done.stderr) <= 3 and ("space" in done.stderr or "cannot be used" in done.stderr), done.stderr
    assert runs_in(home) == 0 and not (tmp_path / "out").exists() and not list((home / "aside").iterdir())
