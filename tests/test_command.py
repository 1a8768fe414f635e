"""The command line: one document on stdout, plain lines on stderr, the exit codes of the contract."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests import small as make
from tests.conftest import Small, command
from tests.hub_server import HubServer
from workbench.faces.terminal_ending import exit_code
from workbench.recipe import load
from workbench.report.document import check


def documents(text: str) -> list[Any]:
    """Every JSON document in a text; fails on anything else."""
    found, decoder, rest = [], json.JSONDecoder(), text.strip()
    while rest:
        one, end = decoder.raw_decode(rest)
        found.append(one)
        rest = rest[end:].strip()
    return found


# ---- compare ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def compared(small: Small, warm_run: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """`workbench compare … --quick --json` in a home in which everything is built: (what it said, folder)."""
    import shutil

    folder = tmp_path_factory.mktemp("compared")
    shutil.copytree(warm_run[0], folder / "home")
    done = command("compare", *small.words(), "--quick", "--json", cwd=folder, WORKBENCH_HOME=str(folder / "home"))
    assert done.returncode == 0, done.stderr
    return done, folder


def test_compare_prints_exactly_one_valid_report_with_the_baseline_as_a_row(compared: Any) -> None:
    (report,) = documents(compared[0].stdout)
    check(report)
    assert report["schema"] == "workbench/report@1" and report["quick"] is True and report["baseline"] == "pytorch-fp32"
    assert [row["name"] for row in report["rows"]] == ["pytorch-fp32", "onnx-fp32", "onnx-int8-dynamic"]
    assert all(row["status"] == "ok" and row["accuracy"]["n"] == 120 for row in report["rows"])
    base = report["rows"][0]
    assert base["speed"]["verdict"] == base["accuracy"]["verdict"] == "baseline" and base["speed"]["speedup"] == 1.0
    assert [point["name"] for point in base["speed"]["points"]][:2] == ["natural, batch 1", "16 tokens, batch 1"]
    assert report["model"]["task"] == "text-classification" and report["model"]["parameters"] > 1000
    assert report["machine"]["class"] and report["rows"][1]["reused"]


def test_progress_goes_to_stderr_as_plain_lines(compared: Any) -> None:
    lines = compared[0].stderr.strip().splitlines()
    assert lines[0].startswith("Run ") and "3 variants, n = 120" in lines[0]
    assert all(line.startswith("[") for line in lines[1:]) and "\x1b" not in compared[0].stderr
    assert any("reused" in line for line in lines) and any("Measure speed" in line for line in lines)


def test_the_folder_of_a_run_holds_everything_that_was_promised(compared: Any) -> None:
    (report,) = documents(compared[0].stdout)
    (out,) = (compared[1] / "runs").iterdir()
    assert json.loads((out / "report.json").read_text()) == report
    assert {"report.json", "report.html", "report.md", "report.csv", "recipes", "models", "log"} <= {
        path.name for path in out.iterdir()
    }
    assert (out / "report.html").read_text().startswith("<!doctype html>")
    for row in report["rows"]:
        recipe = load(out / row["recipe"])
        assert recipe.lock and recipe.expect and not recipe.is_edited()
        assert any((out / "models" / row["name"]).iterdir())
        assert str(compared[1]) not in (out / row["recipe"]).read_text()
    said = yaml.safe_load((out / "recipes" / "onnx-int8-dynamic.yaml").read_text())
    assert said["spec"]["model"]["id"] == "local:model" and said["expect"]["accuracy"]["n"] == 120


@pytest.fixture
def after(compared: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    """The home after that comparison; the run's id."""
    monkeypatch.setenv("WORKBENCH_HOME", str(compared[1] / "home"))
    (out,) = (compared[1] / "runs").iterdir()
    return out.name


def test_facts_of_runs_are_json(compared: Any, after: str) -> None:
    (found,) = documents(command("runs", "--json").stdout)
    assert found[0]["id"] == after and found[0]["status"] == "ok" and len(found) == 2
    (report,) = documents(compared[0].stdout)
    assert documents(command("show", after[:12], "--json").stdout) == [report]
    assert documents(command("report", after, "--as", "json").stdout) == [report]
    (events,) = documents(command("follow", after, "--json").stdout)
    assert events[0]["event"] == "made" and events[-1]["event"] == "finished"


def test_a_run_is_shown_to_people(after: str) -> None:
    done = command("show", after)
    assert done.returncode == 0 and "onnx-int8-dynamic" in done.stdout and "Traceback" not in done.stderr
    assert after in command("runs").stdout
    one = command("show", after, "onnx-int8-dynamic")
    assert one.returncode == 0 and "natural, batch 1" in one.stdout and "macro F1" in one.stdout
    other = command("show", after, "nothing-like-it")
    assert other.returncode == 2 and "onnx-int8-dynamic" in other.stderr
    assert command("report", after, "--as", "md").stdout.startswith("#")
    assert command("report", after, "--as", "csv").stdout.count("\n") >= 4
    wrong = command("report", after, "--as", "docx")
    assert wrong.returncode == 2 and "docx" in wrong.stderr and "html" in wrong.stderr


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("recipes",), "onnx-int8-static"), (("targets",), "this-machine"), (("tasks",), "image-classification"),
        (("backends",), "onnxruntime"), (("machine",), "cores"), (("runs",), "[]"), (("clean",), "freed_bytes"),
    ],
    ids=lambda word: " ".join(word) if isinstance(word, tuple) else "",
)  # fmt: skip
def test_facts_are_one_json_document_with_json_and_words_without(words: tuple[str, ...], expected: str) -> None:
    told = command(*words, "--json")
    assert told.returncode == 0 and len(documents(told.stdout)) == 1 and expected in told.stdout, told.stderr
    plain = command(*words)
    assert plain.returncode == 0 and plain.stdout.strip() and "Traceback" not in plain.stderr


def test_a_plan_says_the_work_and_builds_nothing(small: Small, home: Path) -> None:
    (plan,) = documents(command("plan", "compare", *small.words(), "--json").stdout)
    assert plan["cost"]["builds"] == 2 and plan["cost"]["reused"] == 0 and plan["cost"]["seconds"] > 0
    plain = command("plan", "compare", *small.words())
    assert "Build: export-onnx" in plain.stdout and "2 builds" in plain.stdout
    assert documents(command("runs", "--json").stdout) == [[]]
    assert not [path for path in (home / "artifacts").rglob("*.onnx")]


# ---- exit codes ---------------------------------------------------------------------------------


def rows(*status: str) -> dict[str, Any]:
    return {"baseline": "b", "rows": [{"name": "b", "status": "ok"}] + [{"name": str(n), "status": one}
            for n, one in enumerate(status)]}  # fmt: skip


def test_a_failed_default_only_marks_its_row_and_a_failed_named_recipe_is_1() -> None:
    assert exit_code(rows("ok", "failed"), named=()) == 0 and exit_code(rows("ok", "failed"), named=["0", "1"]) == 1
    assert exit_code(rows("failed", "skipped"), named=()) == 1 and exit_code(rows("ok", "ok"), named=["0", "1"]) == 0
    assert exit_code(rows("ok", "failed"), named=["0"]) == 0  # `-r all -r 0`: the one that failed was not named
    assert exit_code(rows(), named=["b"]) == 0  # the baseline alone was asked for


def test_measuring_the_machine_tells_peaks_and_resolution_with_progress(home: Path) -> None:
    done = command("machine", "--measure")
    assert done.returncode == 0, done.stderr
    assert re.search(r"^peaks: fp32 [\d,]+ GFLOP/s, .*bandwidth [\d,]+ GB/s$", done.stdout, re.MULTILINE), done.stdout
    assert re.search(r"^resolution: ±[\d.]+\s%: the starter's baseline", done.stdout, re.MULTILINE), done.stdout
    assert "Measure speed" in done.stderr


def test_models_of_the_hub_are_searched(tmp_path: Path) -> None:
    with HubServer() as hub:
        hub.add("org/small-bert", {"model.safetensors": b""}, pipeline_tag="text-classification", tags=["safetensors"])
        done = command("models", "bert", "--json", HF_ENDPOINT=hub.endpoint)
        none = command("models", "nothing-like-it", HF_ENDPOINT=hub.endpoint)
    assert [one["id"] for one in json.loads(done.stdout)] == ["org/small-bert"], done.stderr
    assert none.stdout == "Nothing was found.\n"


def test_ctrl_c_is_130_and_the_run_can_be_resumed(small: Small, warm_home: Path, tmp_path: Path) -> None:
    words = [
        str(small.model),
        "--data",
        str(small.rows),
        "--baseline",
        str(small.recipes[0]),
        "-r",
        str(small.recipes[1]),
    ]
    process = subprocess.Popen(
        [sys.executable, "-m", "workbench", "compare", *words, "--fresh", "--json"], cwd=tmp_path,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True, env=os.environ,
    )  # fmt: skip
    assert process.stderr is not None
    lines = [process.stderr.readline()]
    while "Build: export-onnx" not in lines[-1]:
        assert lines[-1], lines
        lines.append(process.stderr.readline())
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: the whole group in front
    out, rest = process.communicate(timeout=60)
    assert process.returncode == 130 and out == "" and "Traceback" not in rest, rest
    run = lines[0].split()[1].rstrip(":")
    assert f"workbench resume {run}" in rest
    (found,) = [one for one in documents(command("runs", "--json").stdout)[0] if one["id"] == run]
    assert found["status"] == "cancelled"
    resumed = command("resume", run, "--out", str(tmp_path / "out"), "--json", cwd=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    (report,) = documents(resumed.stdout)
    check(report)
    assert [row["status"] for row in report["rows"]] == ["ok", "ok"] and not report["rows"][1]["reused"]
    assert (tmp_path / "out" / "report.html").is_file()


def test_cancel_from_another_process_says_what_it_did(small: Small, warm_home: Path, tmp_path: Path) -> None:
    slow = make.make_recipe(tmp_path, "onnx-fp32", rounds={"min": 400, "max": 400})
    words = [str(small.model), "--data", str(small.rows), "--baseline", str(slow), "-r", str(small.recipes[1])]
    process = subprocess.Popen(
        [sys.executable, "-m", "workbench", "compare", *words, "--json"], cwd=tmp_path, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, start_new_session=True, env=os.environ,
    )  # fmt: skip
    assert process.stderr is not None
    run = process.stderr.readline().split()[1].rstrip(":")
    time.sleep(0.5)
    assert command("cancel", run).stdout == "Cancelled.\n"
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130 and out == ""
    assert command("cancel", run).stdout == "It was not running.\n"
