"""`workbench try` twice in an empty home: the headline numbers, the time they take, and what a second run reuses.

    python -m benchmarks.starter

Run it on a machine that does nothing else. Writes docs/results/starter.{md,json}, docs/results/starter.html and
docs/images/starter.svg, and the comparison that the web page opens with.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.machine_line import machine_line

DOCS = Path(__file__).parent.parent / "docs"


# The command in a process that notes its own CPU seconds, without those of its workers, into the file of argv[1].
TRY = """
import atexit, sys, time
note = sys.argv.pop(1)
atexit.register(lambda: open(note, "w").write(str(time.process_time())))
from workbench.faces.terminal import main
main()
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.environ["WORKBENCH_HOME"] = folder + "/home"
        first = _try(Path(folder) / "first")
        again = _try(Path(folder) / "again")
        text = _text(first, again)
        print(text)
        (DOCS / "results").mkdir(exist_ok=True)
        (DOCS / "results/starter.md").write_text(text)
        shutil.copy(Path(folder) / "first/report.json", DOCS / "results/starter.json")
        shutil.copy(Path(folder) / "first/report.html", DOCS / "results/starter.html")
        _first_paint(first["run"])
        _picture(first)
        _readme(first["report"])


def _try(out: Path) -> dict[str, Any]:
    """One `workbench try`: its report, wall seconds, the CPU seconds of the command, and its events."""
    start = time.monotonic()
    with tempfile.NamedTemporaryFile("r") as said:
        done = subprocess.run([sys.executable, "-c", TRY, said.name, "try", "--json", "--out", str(out)],
                              stdout=subprocess.PIPE, text=True, check=True)  # fmt: skip
        cpu = float(said.read())
    wall = time.monotonic() - start
    run = _newest_run()
    return {"report": json.loads(done.stdout), "wall_s": wall, "events": _events(run), "run": run,
            "command_cpu_s": cpu}  # fmt: skip


def _newest_run() -> str:
    from workbench import bench

    return bench.runs()[0].id


def _events(run: str) -> list[dict[str, Any]]:
    from workbench import event
    from workbench.store import Store

    return [event.to_dict(one) for _, one in Store().events(run)]


def _text(first: dict[str, Any], again: dict[str, Any]) -> str:
    from workbench import catalog

    report = first["report"]
    made = [one for one in first["events"] if one["event"] == "made"]
    built_again = [one for one in again["events"] if one["event"] == "made" and not one["reused"]]
    titles = {one["work"]: one["title"] for one in first["events"] if one["event"] == "started"}
    steps = Counter(titles[one["work"]].removeprefix("Build: ") for one in made if one["work"].startswith("make"))
    speeds = [row["speed"] for row in report["rows"] if row["status"] == "ok"]
    widths = [(one["ci95"][1] - one["ci95"][0]) / 2 / one["speedup"] for one in speeds]
    end = first["events"][-1]["facts"]
    outside = first["wall_s"] - end["jobs_s"]
    cpu = first["command_cpu_s"] + end["own_cpu_s"]
    table = catalog.renderer("md").render(report, {})
    return "\n".join([
        "# The starter: `workbench try` in an empty home",
        "",
        machine_line(),
        "",
        f"- First: {first['wall_s']:.0f} s. Again: {again['wall_s']:.0f} s, {len(built_again)} artifacts built.",
        f"- Widest headline interval: ±{max(widths):.1%}. Built, counted in the events: "
        f"{', '.join(f'{step} {count}' for step, count in sorted(steps.items()))}.",
        f"- Outside the jobs: {outside:.1f} s of wall time ({outside / first['wall_s']:.1%}) and {cpu:.1f} s of CPU "
        f"({cpu / first['wall_s']:.1%} of the wall time).",
        "",
        table,
        "",
        "Made by `python -m benchmarks.starter`.",
        "",
    ])  # fmt: skip


def _first_paint(run: str) -> None:
    """What the web page shows before anything is chosen."""
    from workbench.store import Store

    for name in ("report.json", "details.json"):
        shutil.copy(Store().run_folder(run) / name, DOCS.parent / "workbench/faces/web/first" / name)


def _readme(report: dict[str, Any]) -> None:
    """The table between README's result marks."""
    from workbench import sentence, words

    rows = []
    for row in sentence.ordered(report):
        speed, accuracy = row["speed"], row["accuracy"]
        is_base = row["name"] == report["baseline"]
        gained = (
            "1.00x" if is_base else f"**{words.speedup(speed['speedup'])}** ({words.ratio_interval(speed['ci95'])})"
        )
        changed = words.value_of(accuracy["value"], "fraction") if is_base else (
            f"{words.change(accuracy['delta'])} ({words.change_interval(accuracy['ci95'])})")  # fmt: skip
        bar = words.CONSTRAINTS[accuracy["constraint"]].text
        said = "baseline" if is_base else f"{words.word(accuracy['verdict']).text}, {bar}"
        rows.append(f"| `{row['name']}` | {gained} | {changed} | {said} | {words.milliseconds(speed['p50_ms'])} | "
                    f"{words.megabytes(row['size_mb'])} | {words.megabytes(row['peak_rss_mb'])} |")  # fmt: skip
    n, aa = report["data"]["evaluation"]["n"], report["resolution"]["aa_ci95"]
    text = "\n".join([
        sentence.plain(sentence.verdict(report)), "",
        "| recipe | speed-up (95 %) | accuracy change (95 %) | verdict | p50 ms | size MB | memory MB |",
        "|---|---|---|---|---|---|---|", *rows, "",
        f"`workbench try`: the starter's 22 M text classifier, one example a call at natural length, n = {n:,}. "
        "The baseline "
        f"against itself: {words.ratio_interval(aa)}. {machine_line()}",
    ])  # fmt: skip
    readme = DOCS.parent / "README.md"
    before, _, rest = readme.read_text().partition("<!-- results -->")
    readme.write_text(f"{before}<!-- results -->\n{text}\n<!-- /results -->{rest.partition('<!-- /results -->')[2]}")


def _picture(first: dict[str, Any]) -> None:
    from workbench import catalog

    (DOCS / "images").mkdir(exist_ok=True)
    (DOCS / "images/starter.svg").write_text(catalog.renderer("svg").render(first["report"], {}))


if __name__ == "__main__":
    main()
