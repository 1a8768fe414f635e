"""What SECURITY.md promises, over and over: each part prints what came out, and docs/reliability.md keeps it.

    python -m benchmarks.soak                    every part with the count that is promised
    python -m benchmarks.soak kills=20 fuzz=1    these parts only, so often; fuzz is in minutes for each parser

The parts are those of the tests (tests/faults, tests/probing.py, tests/fuzzing.py, tests/test_hostile.py).
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.machine_line import machine_line
from workbench import machine, words

ROOT = Path(__file__).parent.parent
PAGE, KEPT = ROOT / "docs" / "reliability.md", ROOT / "docs" / "results" / "reliability.json"
LONG = {"kills": 200, "cancels": 100, "memory": 100, "hangs": 50, "writes": 50, "visitors": 20, "store": 50,
        "hostile": 1, "probes": 10_000, "fuzz": 10}  # fmt: skip
WHAT = {
    "kills": "kill -9 of the runner, its workers, or all, at random moments",
    "cancels": "cancel at random moments",
    "memory": "a stage that runs out of memory, in Python and natively",
    "hangs": "a stage that hangs",
    "writes": "the n-th write of a runner fails, n = 1, 2, …",
    "visitors": "comparisons asked for at once",
    "store": "the n-th write of a store fails, n = 1, 2, …, once and from then on",
    "hostile": "hostile files at every door",
    "probes": "probes of another session at a shared server",
    "fuzz": "minutes of random files for each parser",
}
PROMISED = {
    "kills": "0 corrupt artifacts, 0 finished stages lost, at most 1 stage redone",
    "cancels": "within 3 s, no process left",
    "memory": "named, with its stage",
    "hangs": "ended, named, with the end of its log",
    "writes": "told in words, store readable, goes on when resumed",
    "visitors": "all finish, one measures at a time",
    "store": "told in words, store readable",
    "hostile": "all refused within 5 s, nothing read or run",
    "probes": "0 leaks",
    "fuzz": "0 exceptions that are no words for people",
}


def main() -> None:
    asked = dict(word.split("=") for word in sys.argv[1:]) or LONG
    if unknown := set(asked) - set(LONG):
        raise SystemExit(f"There is no part called {', '.join(unknown)}. Known: {', '.join(LONG)}.")
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        os.environ |= {"TMPDIR": folder, "HF_ENDPOINT": "http://127.0.0.1:9", "NO_PROXY": "*", "PYTHONPATH": str(ROOT)}
        small, home, run = _warm(place)
        for name, count in asked.items():
            begin = time.monotonic()
            seen, holds = PARTS[name](place, small, home, run, int(count))
            minutes = round((time.monotonic() - begin) / 60, 1)
            said = {"count": int(count), "seen": seen, "holds": holds, "minutes": minutes, "where": machine_line()}
            _keep(name, said)
            print(name, json.dumps(said), flush=True)


def _warm(place: Path) -> tuple[Any, Path, str]:
    """(the small model with rows and recipes, a home in which they were compared once, that run)"""
    from tests import small as make
    from tests.conftest import Small, planned
    from workbench import bench
    from workbench.store import Store

    given = place / "small"
    recipes = [make.make_recipe(given, name) for name in ("pytorch-fp32", "onnx-fp32", "onnx-int8-dynamic")]
    small = Small(
        make.make_model(given / "model"), make.make_rows(given / "rows.csv"), recipes[0], (recipes[1], recipes[2])
    )
    os.environ["WORKBENCH_HOME"] = str(place / "warm")
    run = bench.submit(planned(small))
    for _ in bench.follow(run):
        pass
    assert bench.status(run) == "ok", Store().run_folder(run)
    return small, place / "warm", run


Part = Callable[[Path, Any, Path, str, int], tuple[str, bool]]


def _drilled(name: str, said: Callable[[dict[str, Any]], tuple[str, bool]]) -> Part:
    """A part of tests/faults/drill.py, in a home of its own."""

    def part(place: Path, small: Any, home: Path, run: str, count: int) -> tuple[str, bool]:
        own = place / f"home-{name}"
        shutil.copytree(home, own)
        path = os.pathsep.join((str(ROOT), str(ROOT / "tests" / "faults" / "site")))
        words = [str(small.model), str(small.rows), str(small.recipes[0]), json.dumps({name: count})]
        done = subprocess.run([sys.executable, "-m", "tests.faults.drill", *words], capture_output=True, text=True,
                              env=os.environ | {"WORKBENCH_HOME": str(own), "PYTHONPATH": path})  # fmt: skip
        if done.returncode:
            return f"broke off: {(done.stderr.strip().splitlines() or [''])[-1][:300]}", False
        return said(json.loads(done.stdout)[name])

    return part


def _kills(said: dict[str, Any]) -> tuple[str, bool]:
    who = ", ".join(f"{said.get(one, 0)} {one}" for one in ("runner", "worker", "all"))
    text = (f"{said['kills']} kills in {words.plural(said['rounds'], 'comparison')} ({who}): "
            f"{said['corrupt']} corrupt, {said['lost']} lost, {said['made_twice']} made twice, "
            f"at most {said['most_redone']} redone, {said['left']} processes left; the last one ended "
            f"{', '.join(said['at_the_end'])}")  # fmt: skip
    bad = said["corrupt"] + said["lost"] + said["made_twice"] + said["left"]
    return text, not bad and said["most_redone"] <= 1


def _cancels(said: dict[str, Any]) -> tuple[str, bool]:
    text = f"{said['cancels']} cancels, the slowest took {said['slowest_s']} s; {said['left']} processes left"
    return text, said["slowest_s"] <= 3 and not said["left"]


def _named(said: dict[str, Any]) -> tuple[str, bool]:
    text = f"{said['named']} of {said['count']} named with stage and log; {said['left']} processes left"
    return text + (f"; {said['wrong']}" if said["wrong"] else ""), said["named"] == said["count"] and not said["left"]


def _writes(said: dict[str, Any]) -> tuple[str, bool]:
    text = (f"{said['writes']} runs, {said['failed']} met the fault: {said['untold']} not in words, "
            f"{said['corrupt']} corrupt, {said['not_resumed']} could not go on")  # fmt: skip
    return text, not said["untold"] + said["corrupt"] + said["not_resumed"]


def _visitors(said: dict[str, Any]) -> tuple[str, bool]:
    text = f"{said['finished']} of {said['visitors']} finished, {said['measured_together']} measured at a time"
    return text, said["finished"] == said["visitors"] and said["measured_together"] == 1


def _store(place: Path, small: Any, home: Path, run: str, count: int) -> tuple[str, bool]:
    from tests.test_faults import failed_at, told_in_words

    said = [failed_at(n, stays, place / f"store-{stays}-{n}") for stays in (False, True) for n in range(1, count + 1)]
    told, mended = sum(map(told_in_words, said)), said.count("")
    text = f"{told} told in words, {mended} came to their end all the same; {len(said)} stores readable"
    return text, told + mended == 2 * count


def _hostile(place: Path, small: Any, home: Path, run: str, count: int) -> tuple[str, bool]:
    from tests.test_hostile import CARDS, CASES
    from tests.test_uploads import BROKEN

    files = ["tests/test_hostile.py", "tests/test_uploads.py"]
    line = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *files, "-k", "hostile"]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True)
    failed = re.findall(r"^FAILED .*$", done.stdout, re.MULTILINE)
    text = f"{len(CASES) + len(BROKEN)} files and {len(CARDS)} cards; {len(failed)} came in, were slow, or were read"
    return text + (f": {failed[:3]}" if failed else ""), done.returncode == 0


def _probes(place: Path, small: Any, home: Path, run: str, count: int) -> tuple[str, bool]:
    from tests.probing import CANARY, leaks, probed

    own = place / "home-probes"
    shutil.copytree(home, own)
    with probed(own, run, place / "probes.log") as target:
        found = leaks(target, count, seed=int(time.time()))
        there = CANARY in target.call("result", run, target.owner)
    return f"{count:,} probes, {len(found)} leaks{f': {found[:3]}' if found else ''}", not found and there


def _fuzz(place: Path, small: Any, home: Path, run: str, minutes: int) -> tuple[str, bool]:
    """Each parser in a process of its own, as many at once as there are processors."""
    from tests.fuzzing import PARSERS

    def one(name: str) -> dict[str, Any]:
        words = [sys.executable, "-m", "tests.fuzzing", name, str(minutes)]
        done = subprocess.run(words, capture_output=True, text=True)
        if done.returncode:
            return {"tried": 0, "broken": [(done.stderr.strip().splitlines() or ["ended"])[-1][:300]]}
        said: dict[str, Any] = json.loads(done.stdout)
        return said

    with ThreadPoolExecutor(machine.auto_threads()) as pool:
        found = dict(zip(PARSERS, pool.map(one, PARSERS), strict=True))
    broken = {name: said["broken"] for name, said in found.items() if said["broken"]}
    text = ", ".join(f"{name} {said['tried']:,}" for name, said in found.items())
    count = sum(len(one) for one in broken.values())
    return f"files tried: {text}; {count} exceptions{f': {broken}' if broken else ''}", not broken


PARTS: dict[str, Part] = {
    "kills": _drilled("kills", _kills), "cancels": _drilled("cancels", _cancels), "memory": _drilled("memory", _named),
    "hangs": _drilled("hangs", _named), "writes": _drilled("writes", _writes),
    "visitors": _drilled("visitors", _visitors), "store": _store, "hostile": _hostile, "probes": _probes, "fuzz": _fuzz,
}  # fmt: skip


def _keep(name: str, said: dict[str, Any]) -> None:
    kept = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    kept[name] = said
    KEPT.write_text(json.dumps(kept, indent=1) + "\n")
    rows = "\n".join(
        f"| {WHAT[part]} | {PROMISED[part]} | {kept[part]['count']:,} of {LONG[part]:,} | "
        f"{'yes' if kept[part]['holds'] else '**no**'} | {_cell(kept[part]['seen'])} | {kept[part]['minutes']} |"
        for part in LONG if part in kept
    )  # fmt: skip
    missing = [part for part in LONG if part not in kept]
    lines = sorted({one["where"] for one in kept.values()})
    text = (
        "# What breaks, and what then happened\n\n"
        f"{' '.join(lines)}\n\n"
        "| what | promised | how often, of the long form | holds | seen | minutes |\n|---|---|---|---|---|---|\n"
        f"{rows}\n\n"
        + (f"Not run yet: {', '.join(missing)}.\n\n" if missing else "")
        + "Made by `benchmarks/soak.sh`; each line is the last output of its part. The tests that are the short form\n"
        "of each are named in [SECURITY.md](../SECURITY.md).\n"
    )
    PAGE.write_text(text)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    main()
