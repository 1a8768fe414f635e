"""What the measuring block can tell apart while another process keeps one core busy.

    python -m benchmarks.resolution [--runs 100] [--slowed 100] [--copies 1] [--model starter:sentiment]

`equal`: short runs of a recipe against a copy of itself, of 20 s at most as with `--quick`. `slowed`: runs against a
copy made 5 % slower, at the default stopping rule. With more `copies` a block holds so many, which share its baseline.
Writes docs/results/resolution.{md,json} after every run; nothing but the script's own output is in them.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.machine_line import machine_line, percentile

RESULTS = Path(__file__).parent.parent / "docs/results"
SHORT = 20.0  # seconds of rounds
SLOWED = """
import time
from pydantic import Field
from workbench.backends.onnxruntime import OnnxRuntime
from workbench.plugin import Options

class Slowed(OnnxRuntime):
    name = "slowed"
    def open(self, folder, device, threads, options):
        session = super().open(folder, device, threads, options)
        infer = session.infer
        def slower(batch):
            start = time.perf_counter()
            said = infer(batch)
            until = start + (time.perf_counter() - start) * 1.05
            while time.perf_counter() < until:
                pass
            return said
        session.infer = slower
        return session
"""


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory() as folder:
        _install_slowed(Path(folder))
        request = _built_request(options.model)
        busy = multiprocessing.Process(target=_burn, daemon=True)
        busy.start()
        try:
            done: list[dict[str, Any]] = []
            for seed in range(max(options.runs, options.slowed)):
                for kind, count in (("equal", options.runs), ("slowed", options.slowed)):
                    if seed < count:
                        done += _run(request, kind, options.copies, seed, Path(folder))
                        _write(done, options.model, options.copies)
        finally:
            busy.terminate()
    print((RESULTS / "resolution.md").read_text())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--runs", type=int, default=100, help="short runs against equal copies")
    parser.add_argument("--slowed", type=int, default=100, help="runs against slowed copies")
    parser.add_argument("--copies", type=int, default=1, help="copies in one block")
    parser.add_argument("--model", default="starter:sentiment", help="whose onnx-fp32 is timed")
    return parser.parse_args()


def _install_slowed(folder: Path) -> None:
    """A package that registers a backend, as other people's do: module and metadata on PYTHONPATH."""
    (folder / "slowed.py").write_text(SLOWED)
    info = folder / "slowed-0.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: slowed\nVersion: 0.1\n")
    (info / "entry_points.txt").write_text("[workbench.backends]\nslowed = slowed:Slowed\n")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
    sys.path.insert(0, str(folder))


def _built_request(model: str) -> dict[str, Any]:
    """The model's onnx-fp32, built once; a block request without its variants."""
    from workbench import bench, machine
    from workbench.store import Store

    store = Store()
    plan = bench.plan(bench.request(model, ["onnx-fp32"], quick=True), store)
    for _ in bench.follow(bench.submit(plan, store), store=store):
        pass
    variant = plan.variants[1]
    found = {id: store.find(plan.piece(id).key) for id in ("inputs", "model", variant.artifact)}
    paths = {id: str(one.path) for id, one in found.items() if one}
    return {
        "task": plan.task, "inputs": paths["inputs"], "model": paths["model"], "rows": None, "examples": 500,
        "threads": machine.auto_threads(), "cores": machine.usable_cores(), "folder": paths[variant.artifact],
        "options": variant.options,
    }  # fmt: skip


def _run(request: dict[str, Any], kind: str, copies: int, seed: int, log: Path) -> list[dict[str, Any]]:
    """One block; for each copy its ratio, interval and verdict against the baseline."""
    from workbench import block, evidence
    from workbench.recipe_keys import Measure

    one = {"folder": request["folder"], "device": "cpu", "options": request["options"], "bytes": 90 << 20}
    backend = "slowed" if kind == "slowed" else "onnxruntime"
    variants = [one | {"name": "baseline", "backend": "onnxruntime"}]
    variants += [one | {"name": f"copy {i}", "backend": backend} for i in range(copies)]
    cap = SHORT if kind == "equal" else Measure().time_cap_s
    measure = Measure(batches=(1,), sequence_lengths=(), time_cap_s=cap).model_dump(mode="json")
    asked = request | {"variants": variants, "baseline": "baseline", "seed": seed, "measure": measure}
    start = time.monotonic()
    said = block.run(asked, log / "log", lambda *_: None)
    base, again = said["variants"]["baseline"]["points"][0], said["again"][0]
    aa = evidence.aa_interval(base, again)
    done = []
    for kept in list(said["variants"].values())[1:]:
        ratio = evidence.ratio_interval(base, kept["points"][0], again)
        assert ratio is not None and aa is not None
        done.append({
            "run": seed, "kind": kind, "ratio": ratio.estimate, "lo": ratio.lo, "hi": ratio.hi,
            "verdict": evidence.speed_verdict(ratio, aa), "aa": [aa.lo, aa.hi], "rounds": len(base),
            "seconds": time.monotonic() - start, "stopped": said["stopped"],
        })  # fmt: skip
    print(f"{kind} {seed + 1}: {done[0]['ratio']:.4f} {done[0]['verdict']}, {len(base)} rounds", file=sys.stderr)
    return done


def _burn() -> None:
    while True:
        pass


def _write(done: list[dict[str, Any]], model: str, copies: int) -> None:
    (RESULTS / "resolution.md").write_text(_report(done, model, copies))
    (RESULTS / "resolution.json").write_text(json.dumps(done, indent=1))


def _report(done: list[dict[str, Any]], model: str, copies: int) -> str:
    return "\n".join([
        "# Resolution of the measuring block, with one core kept busy by another process",
        "",
        machine_line(),
        "",
        f"{model} on ONNX Runtime fp32, batch 1, natural lengths, {copies} beside the baseline in each run. "
        f"Equal copies: {SHORT:.0f} s of rounds at most; slowed ones: the default stopping rule. What is timed "
        + ("goes before other processes, as root may have it." if os.geteuid() == 0 else "has the usual priority."),
        "",
        *[_line(kind, [one for one in done if one["kind"] == kind]) for kind in ("equal", "slowed")],
        "",
        "Made by `python -m benchmarks.resolution`; every comparison is in resolution.json.",
        "",
    ])  # fmt: skip


def _line(kind: str, runs: list[dict[str, Any]]) -> str:
    if not runs:
        return f"- {kind}: not run."
    said = [one["verdict"] for one in runs]
    errors = [abs(one["ratio"] - 1) for one in runs]
    what = f"|ratio − 1|: median {percentile(errors, 50):.2%}, 95th percentile {percentile(errors, 95):.2%}"
    what += f", largest {max(errors):.2%}"
    if kind == "slowed":
        what = f"made 5 % slower; median ratio {percentile([one['ratio'] for one in runs], 50):.3f}"
    return (
        f"- {len(runs)} {kind} copies: {what}. Called slower {said.count('slower')}, faster {said.count('faster')}. "
        f"{percentile([one['rounds'] for one in runs], 50):.0f} rounds, "
        f"{percentile([one['seconds'] for one in runs], 50):.0f} s a run (median)."
    )


if __name__ == "__main__":
    main()
