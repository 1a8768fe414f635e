"""A token of the person who runs the workbench is in nothing that it writes, and in no process that runs model code."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests import small as make
from tests.conftest import Small, command, edit
from tests.hub_server import HubServer
from workbench import bench, isolate
from workbench.faces import snippets
from workbench.hub import jobs
from workbench.isolate import PARENT, Limits

pytestmark = pytest.mark.slow
TOKEN = "hf_canaryOfThisPersonAndNobodyElse"  # as long as a real one


class Watch:
    """Looks at every process of the machine again and again: where the token stands, and who is a worker."""

    def __init__(self) -> None:
        self.holders: set[str] = set()  # command lines of processes that have it in their environment
        self.listed: set[str] = set()  # command lines that it stands in
        self.workers: set[str] = set()

    def look(self) -> None:
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                words = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                said = (folder / "environ").read_bytes()
            except OSError:
                continue
            if int(folder.name) == os.getpid():
                continue
            if TOKEN in words:
                self.listed.add(words)
            if TOKEN.encode() in said:
                self.holders.add(words)
            if f"{PARENT}=".encode() in said:
                self.workers.add(words)

    @contextmanager
    def going_on(self) -> Iterator[None]:
        over = threading.Event()

        def look() -> None:
            while not over.is_set():
                self.look()
                time.sleep(0.05)

        thread = threading.Thread(target=look)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def holding(*folders: Path) -> list[Path]:
    """Files whose bytes hold the token, packed or not."""
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    assert files
    return [path for path in files if TOKEN.encode() in path.read_bytes()]


def test_after_a_whole_journey_a_token_of_the_environment_is_nowhere(
    small: Small, warm_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a private model of the Hub over a comparison that builds and measures to what a person takes along."""
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    watch, out = Watch(), tmp_path / "out"
    recipe = make.make_recipe(tmp_path, "onnx-int8-dynamic", "int8-by-channel", {"per_channel": False})
    with watch.going_on(), HubServer() as hub:
        hub.add("org/private", {path.name: path.read_bytes() for path in small.model.iterdir()}, private=True,
                readers=(TOKEN,))  # fmt: skip
        with monkeypatch.context() as online:
            online.setenv("HF_ENDPOINT", hub.endpoint)
            info = bench.about("org/private")
            fetched = {"info": info, "into": str(tmp_path / "fetched")}
            isolate.call(jobs.fetch, fetched, Limits(seconds=60, network=True), warm_home / "fetch.log")
        asked = ["--data", str(small.rows), "--baseline", str(small.recipes[0]), "-r", str(recipe), "--out", str(out)]
        done = command("compare", str(small.model), *asked)
    assert done.returncode == 0, done.stderr
    run = bench.runs()[0].id
    written = tmp_path / "written"
    written.mkdir()
    for format in ("html", "md", "json", "csv", "svg"):
        (written / format).write_text(bench.render(run, format))
    request = bench.plan_of(run).request
    (written / "notebook").write_text(snippets.notebook(request, "file.yaml"))
    (written / "script").write_text(snippets.use("int8-by-channel", "file.yaml") + snippets.command(request))
    (written / "card").write_text(bench.model_card(run, "int8-by-channel", "me/model"))
    (written / "said").write_text(done.stdout + done.stderr)
    assert TOKEN in hub.tokens_at("hub"), "it was really used"
    assert not holding(warm_home, out, written, Path(os.environ["TMPDIR"]), tmp_path / "fetched")
    assert not watch.listed
    of_models = {words for words in watch.workers if "workbench.hub.jobs:" not in words}
    assert any("work:build" in words for words in of_models) and any("work:predict" in words for words in of_models)
    assert not of_models & watch.holders
    assert any("workbench.hub.jobs:fetch" in words for words in watch.holders), "the fetcher has it, for its owner"


def test_a_token_that_a_stranger_wrote_into_a_recipe_is_refused_and_not_repeated(tmp_path: Path) -> None:
    file = make.make_recipe(tmp_path, "onnx-fp32")
    edit(file, lambda said: said.update(summary=f"Mine, with {TOKEN}"))
    done: Any = command("plan", "run", str(file), "--model", "starter:sentiment")
    assert done.returncode == 2 and "secret" in done.stderr and TOKEN not in done.stderr + done.stdout


def test_the_watch_would_see_a_token(tmp_path: Path) -> None:
    import subprocess

    seen = Watch()
    child = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(60)", TOKEN], env=os.environ | {"X": TOKEN}
    )
    try:
        time.sleep(0.3)
        seen.look()
    finally:
        child.kill()
        child.wait()
    assert len(seen.listed) == len(seen.holders) == 1
    (tmp_path / "a").write_text(f"x{TOKEN}")
    assert holding(tmp_path) == [tmp_path / "a"]
