"""The page under load: its start, its first paint, its memory, polls while a run measures, reload and cancel.

    python -m benchmarks.web            writes docs/results/web.md; about twenty minutes

The browser is the machine's Chromium (python playwright drives it). Runs are quick ones of the starters, in an empty
home. What must hold stands beside what was seen.
"""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gradio_client import Client

from benchmarks.machine_line import machine_line
from tests import browser
from workbench import isolate
from workbench.faces.web.watching import paced

RESULTS = Path(__file__).parent.parent / "docs/results"
JSON = {"Content-Type": "application/json"}
VISITORS, RUNS, REPEATS = 20, 20, 5
MODEL_LIBRARIES = ("libtorch", "onnxruntime", "openvino", "nncf", "executorch", "transformers")
PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"
SMALL = ("starter:fashion", ["onnx-fp32"], "", "", 100, 0.01, True, "")
LONG, ALONE = (("starter:sentiment", ["onnx-fp32", "openvino-fp32"], "", "", n, 0.01, False, "") for n in (500, 400))


def main() -> None:
    rows: list[tuple[str, str, str]] = []
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        rows += _starts(home, Path(folder))
        with browser.served(home, Path(folder) / "log") as address:
            rows.append(("CPU of the server while nobody is there", "at most 2 % of a core", _idle(_server())))
            client = Client(address, verbose=False)
            rows += _polls(client, address)
            rows += _reload_and_cancel(client, address, home)
            rows.append(("memory of the server, after that", "at most 350 MB", f"{_memory(_server()):.0f} MB"))
            for _ in range(RUNS):
                _finish(client, _begin(client, SMALL))
            rows.append((f"memory of the server, after {RUNS} more runs", "at most 350 MB",
                         f"{_memory(_server()):.0f} MB"))  # fmt: skip
            rows.append(("model libraries in the server's process", "none", ", ".join(_loaded(_server())) or "none"))
    table = "\n".join(f"| {what} | {bar} | {seen} |" for what, bar, seen in rows)
    text = (
        f"# The page under load\n\n{machine_line()}\n\n| what | must hold | seen |\n|---|---|---|\n{table}\n\n"
        f"Made by `python -m benchmarks.web`. A poll is a call of `/status` there and back; visitors ask every "
        f"{paced(VISITORS):.1f} s while somebody measures, as the page does.\n"
    )
    (RESULTS / "web.md").write_text(text)
    print(text)


def _starts(home: Path, folder: Path) -> list[tuple[str, str, str]]:
    begins, paints = [], []
    for number in range(REPEATS):
        began = time.monotonic()
        with browser.served(home, folder / f"log{number}") as address:
            begins.append(time.monotonic() - began)
            with browser.opened() as page:
                page.goto(address)
                page.get_by_text("no detectable accuracy drop").first.wait_for()
                paints.append(page.evaluate(PAINT) / 1000)
    return [("start of the server", "at most 6 s", _seconds(begins)),
            ("first contentful paint, loopback", "at most 1.5 s", _seconds(paints))]  # fmt: skip


def _polls(client: Client, address: str) -> list[tuple[str, str, str]]:
    """`VISITORS` ask for the state of a run while it measures, as often as the page does. They would be elsewhere: here
    they wait for no processor, and spend little of one."""
    isolate.take_place(first=True)
    said = _begin(client, LONG)
    while "rounds" not in _status(client, said)["now"] and "Measure speed" not in _status(client, said)["now"]:
        time.sleep(0.5)
    waits: list[float] = []
    threads = [threading.Thread(target=_visit, args=(address, said, waits, number)) for number in range(VISITORS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    watched = _apart(_finish(client, said))
    alone = _apart(_finish(client, _begin(client, ALONE)))
    ordered = sorted(waits)
    p95 = ordered[int(0.95 * len(ordered))]
    what = f"poll of {VISITORS} visitors while a run measures, p95 of {len(waits):,}"
    seen = f"{1000 * p95:.0f} ms (median {1000 * statistics.median(waits):.0f} ms)"
    return [
        (what, "at most 300 ms", seen),
        ("the baseline against itself in that run", "within 3 %", watched),
        ("the same in a run that nobody watches", "", alone),
    ]


def _apart(report: dict[str, Any]) -> str:
    low, high = report["resolution"]["aa_ci95"]
    return f"{low:.3f} to {high:.3f} ({max(abs(low - 1), abs(high - 1)):.1%})"


def _visit(address: str, said: dict[str, str], waits: list[float], number: int) -> None:
    time.sleep(paced(VISITORS) * number / VISITORS)
    session = f"visitor{number:02}"
    while True:
        began = time.monotonic()
        status = _poll(address, said, session)
        waits.append(time.monotonic() - began)
        if status["status"] != "running":
            return
        time.sleep(max(0.0, paced(VISITORS) - (time.monotonic() - began)))


def _poll(address: str, said: dict[str, str], session: str) -> dict[str, Any]:
    """A call of /status through Gradio's queue, there and back."""
    asked = json.dumps({"data": [said["run"], said["owner"]], "session_hash": session}).encode()
    place = f"{address}gradio_api/call/status"
    with urllib.request.urlopen(urllib.request.Request(place, asked, JSON), timeout=60) as answer:
        there = json.load(answer)["event_id"]
    with urllib.request.urlopen(f"{place}/{there}", timeout=60) as answer:
        return dict(json.loads(answer.read().decode().partition("data: ")[2])[0])


def _reload_and_cancel(client: Client, address: str, home: Path) -> list[tuple[str, str, str]]:
    reloads, cancels, left = [], [], 0
    for _ in range(3):
        said = _begin(client, LONG)
        with browser.opened() as page:
            page.goto(f"{address}?run={said['run']}")
            page.locator(".steps").wait_for()
            began = time.monotonic()
            page.reload()
            page.locator(".steps").wait_for()
            reloads.append(time.monotonic() - began)
        began = time.monotonic()
        client.predict(said["run"], said["owner"], api_name="/cancel")
        while _status(client, said)["status"] in ("running", "cancelling", "waiting"):
            time.sleep(0.02)
        cancels.append(time.monotonic() - began)
        left += len(_workers(home))
    return [("reload during a run: its state is shown", "within 2 s", _seconds(reloads)),
            ("cancel", "within 3 s", _seconds(cancels)),
            ("processes of a run left after a cancel", "none", str(left or "none"))]  # fmt: skip


def _begin(client: Client, asked: tuple[Any, ...]) -> dict[str, str]:
    return dict(client.predict(*asked, api_name="/submit"))


def _status(client: Client, said: dict[str, str]) -> dict[str, Any]:
    return dict(client.predict(said["run"], said["owner"], api_name="/status"))


def _finish(client: Client, said: dict[str, str]) -> dict[str, Any]:
    while _status(client, said)["status"] in ("running", "waiting"):
        time.sleep(0.5)
    return dict(client.predict(said["run"], said["owner"], api_name="/result"))


def _processes(wanted: Callable[[str, str], bool]) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                line, env = (entry / "cmdline").read_text().replace("\0", " "), ""
                with contextlib.suppress(PermissionError):  # what holds a token is hidden, but not from root
                    env = (entry / "environ").read_text()
            except OSError:
                continue
            if wanted(line, env):
                found.append(int(entry.name))
    return found


def _server() -> int:
    (found,) = _processes(lambda line, _: "faces.web import launch" in line and str(os.getpid()) not in line)
    return found


def _workers(home: Path) -> list[int]:
    """Runners and workers over this home."""
    return _processes(lambda line, env: f"WORKBENCH_HOME={home}" in env and "isolate" in line)


def _idle(pid: int, seconds: float = 10.0) -> str:
    def used() -> int:
        return sum(map(int, Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]))

    time.sleep(3)
    begin = used()
    time.sleep(seconds)
    return f"{(used() - begin) / os.sysconf('SC_CLK_TCK') / seconds:.1%}"


def _memory(pid: int) -> float:
    """Resident, 10^6 bytes."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _loaded(pid: int) -> list[str]:
    maps = Path(f"/proc/{pid}/maps").read_text()
    return [name for name in MODEL_LIBRARIES if name in maps]


def _seconds(values: list[float]) -> str:
    return f"{statistics.median(values):.1f} s (worst of {len(values)}: {max(values):.1f} s)"


if __name__ == "__main__":
    if subprocess.run([sys.executable, "-c", "import playwright"], capture_output=True).returncode:
        raise SystemExit("It needs playwright: pip install -r requirements-dev.txt")
    main()
