"""Every first choice of the shelf, in one whole comparison: nine rows, one export a runtime, files that hold."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests import small as make
from tests.conftest import Small, command
from workbench import bench
from workbench.event import Made
from workbench.machine import this_machine
from workbench.report.document import check
from workbench.store import Store


@pytest.mark.slow
@pytest.mark.usefixtures("known_machine")
def test_nine_recipes_give_nine_rows_from_two_exports(small: Small, home: Path, tmp_path: Path) -> None:
    names = [one.name for one in bench.first_choices("text-classification")]
    files = [make.make_recipe(tmp_path, name) for name in names if name != "pytorch-fp32"]
    calibration = make.make_rows(tmp_path / "calibration.csv", 80, seed=9)
    words = [word for file in files for word in ("-r", str(file))]
    words += ["--data", str(small.rows), "--calibration", str(calibration), "--baseline", str(small.baseline)]
    done = command("compare", str(small.model), *words, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    check(report)
    assert {row["name"]: row["status"] for row in report["rows"]} == dict.fromkeys(names, "ok") and len(names) == 9
    (run,) = bench.runs()
    plan = bench.plan_of(run.id)
    steps = [plan.piece(event.work).job.get("step") for _, event in Store().events(run.id) if isinstance(event, Made)]
    assert steps.count("export-onnx") == steps.count("export-openvino") == 1
    precisions = {row["name"]: row["precision"] for row in report["rows"]}
    bf16 = "bf16" if this_machine().computes("bf16") else "fp32"
    assert precisions["openvino-bf16"] == bf16 and precisions["openvino-fp32"] == precisions["onnx-fp32"] == "fp32"
    assert precisions["openvino-int8"] == precisions["onnx-int8-static"] == "int8"
    for name in names:
        (file,) = (tmp_path / "runs").glob(f"*/recipes/{name}.yaml")
        assert "expect:" in file.read_text()
