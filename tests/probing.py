"""A second person at a shared server, who wants what is the first one's: every function, every route, over HTTP.

with probed(home, run, log) as target:     a shared server, on which `run` belongs to somebody
    leaks(target, 300)                     what came back of theirs, or of the server's own
"""

from __future__ import annotations

import http.client
import itertools
import json
import random
import secrets
import sqlite3
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests import browser

CANARY = "CANARY-7b1e-somebody-elses"
TOKEN = "hf_canaryOfTheServer0123456789"
PASSWD = "root:x:0:0"
API = "/gradio_api"
FIRST = "starter:sentiment"
ROUTES = ("file=", "file/", "proxy=", "static/", "assets/", "svelte/", "custom_component/1/client/component/",
          "stream/", "run-history/records/", "upload_progress?upload_id=", "theme.css?v=")  # fmt: skip
PAGES = ("/config", f"{API}/info", f"{API}/openapi.json", "/monitoring", "/monitoring/summary", f"{API}/runs",
         f"{API}/run-history/buckets", f"{API}/user", f"{API}/token", f"{API}/vibe-code", "/?run=RUN",
         f"{API}/deep_link?session_hash=RUN")  # fmt: skip
NAMES = ("../../evil.csv", "/tmp/evil.csv", "a\0.csv", "..\\evil.csv", "%2e%2e%2fevil.csv", "a/b/c.csv")
ENCODINGS: tuple[Callable[[str], str], ...] = (
    lambda path: path,
    lambda path: urllib.parse.quote(path, safe=""),
    lambda path: path.replace("..", "%2e%2e").replace("/", "%2f"),
    lambda path: path.replace("..", "%252e%252e"),
    lambda path: path.replace("/", "//"),
    lambda path: path.replace("/", "\\"),
    lambda path: f"{path}%00.png",
    lambda path: f"{path}?download=true",
    lambda path: path.swapcase(),
    lambda path: f"file://{path}",
    lambda path: f"{path}/.",
)


@dataclass
class Target:
    """A shared server with somebody's run on it. `owner` is what only that person knows."""

    host: str
    port: int
    home: Path
    run: str
    owner: str
    functions: list[dict[str, Any]] = field(default_factory=list)
    parts: dict[int, dict[str, Any]] = field(default_factory=dict)

    def ask(self, method: str, path: str, body: Any = None, kind: str = "application/json") -> str:
        """Status and body; what the server gives, whatever it is. A stream is read to its end."""
        line = http.client.HTTPConnection(self.host, self.port, timeout=browser.PATIENCE)
        with closing(line):
            sent = json.dumps(body).encode() if kind == "application/json" and body is not None else body
            line.putrequest(method, path.replace(" ", "%20"), skip_accept_encoding=True)
            if sent is not None:
                line.putheader("Content-Type", kind)
                line.putheader("Content-Length", str(len(sent)))
            line.endheaders(sent)
            answer = line.getresponse()
            return f"{answer.status} {_read(answer)}"

    def call(self, name: str, *given: Any) -> str:
        """A function of the API, by its name."""
        said = self.ask("POST", f"{API}/call/{name}", {"data": list(given)})
        try:
            event = json.loads(said.partition(" ")[2])["event_id"]
        except (ValueError, KeyError, TypeError):
            return said
        return self.ask("GET", f"{API}/call/{name}/{event}")

    def join(self, number: int, given: list[Any]) -> str:
        """A function of the page, by its number: none of them is only for buttons."""
        session = secrets.token_hex(6)
        said = self.ask("POST", f"{API}/queue/join", {"data": given, "fn_index": number, "session_hash": session})
        return f"{said} {self.ask('GET', f'{API}/queue/data?session_hash={session}')}"

    def leaks(self, text: str) -> list[str]:
        """The first person's words, their key, the server's token, a file of the machine."""
        return [one for one in (CANARY, self.owner, TOKEN, PASSWD, "SQLite format 3") if one in text]


def _read(answer: http.client.HTTPResponse) -> str:
    """The body; of a stream of events everything until the one that ends it."""
    if "text/event-stream" not in (answer.getheader("Content-Type") or ""):
        return answer.read(5_000_000).decode(errors="replace")
    said = b""
    while line := answer.readline():
        said += line
        if b"close_stream" in line or b"process_completed" in line or said.endswith((b"data: null\n",)):
            break
        if said.startswith((b"event: complete", b"event: error")) and line == b"\n":
            break
    return said.decode(errors="replace")


@contextmanager
def probed(home: Path, run: str, log: Path) -> Iterator[Target]:
    """The server. The run is given an owner, and words that nobody else may see, in all that it left."""
    owner = secrets.token_urlsafe(24)
    folder = home / "runs" / run
    (folder / "owner.json").write_text(json.dumps([owner]))
    for path in (folder / "report.json", folder / "details.json"):
        if path.exists():
            path.write_text(path.read_text().replace("local:model", f"local:{CANARY}"))
    (folder / "log" / "runner.log").write_text(f"{CANARY}\n")
    with closing(sqlite3.connect(home / "runs.sqlite")) as database, database:
        database.execute("UPDATE runs SET title=?", (CANARY,))
    (home / "exports" / "somebody").mkdir(parents=True, exist_ok=True)
    (home / "exports" / "somebody" / "report.html").write_text(CANARY)
    with browser.served(home, log, shared=True, HF_TOKEN=TOKEN) as address:
        parts = urllib.parse.urlsplit(address)
        target = Target(str(parts.hostname), int(parts.port or 0), home, run, owner)
        said = json.loads(target.ask("GET", "/config").partition(" ")[2])
        target.parts = {one["id"]: one for one in said["components"]}
        target.functions = [one for one in said["dependencies"] if one["backend_fn"]]
        yield target


# ---- what is tried ------------------------------------------------------------------------------

Probe = tuple[Any, ...]  # what a Target does, and with what


def probes(target: Target, seed: int = 0) -> Iterator[Probe]:
    """Without end: first every function, then everything again with other values."""
    chance = random.Random(seed)
    yield from every_function(target, chance, thorough=True)
    while True:
        yield from every_route(target, chance)
        yield from every_call(target, chance)
        yield from every_function(target, chance, thorough=False)


def leaks(target: Target, count: int, seed: int = 0) -> list[tuple[Probe, list[str]]]:
    """The first `count` probes that brought back what they should not, and what that was."""
    tried = itertools.islice(probes(target, seed), count)
    return [(one, found) for one in tried if (found := target.leaks(getattr(target, one[0])(*one[1:])))]


def guess(target: Target, chance: random.Random) -> str:
    """Who a stranger may say they are."""
    half = target.owner[: len(target.owner) // 2]
    known = ["", "null", "admin", target.run, "*", "%", "owner.json", half, target.owner.swapcase(), "' OR 1=1 --"]
    return chance.choice([*known, secrets.token_urlsafe(24), '["a"]', "../owner.json", "\0"])


def named(target: Target, chance: random.Random) -> str:
    """Ways to name the run, and things that are beside it."""
    run = target.run
    other = [f" {run}", f"{run}/../{run}", f"../runs/{run}", f"{run}%00", f"{run}' OR '1'='1", f"{run}\n", run.upper()]
    return chance.choice([run, run[:8], run[:1], *other, "%", "_" * len(run), "", str(target.home / "runs" / run)])


def every_call(target: Target, chance: random.Random) -> Iterator[Probe]:
    for name in ("status", "result", "cancel"):
        for _ in range(4):
            yield "call", name, named(target, chance), guess(target, chance)
    path = chance.choice(["/etc/passwd", str(target.home / "runs" / target.run / "report.json"), "../../../etc/passwd"])
    yield "call", "validate", path
    for asked in ((f"{path}@main", [], "", ""), (FIRST, [path], "", ""), (FIRST, [], "", f"{path}[all]")):
        yield "call", "submit", *asked, 0, 0.01, True, ""


def every_route(target: Target, chance: random.Random) -> Iterator[Probe]:
    home, own = target.home, target.home / "runs" / target.run
    up = home / "exports" / "somebody" / ".." / ".."
    files = [
        *(own / name for name in ("report.json", "owner.json", "log/runner.log")), home / "runs.sqlite",
        home / "runs.sqlite-wal", home / "exports", home / "exports" / "somebody", up / "runs.sqlite",
        up / "runs" / target.run / "owner.json", Path("/etc/passwd"), Path("/proc/self/environ"),
        Path("/proc/self/cwd/app.py"),
    ]  # fmt: skip
    for route in ROUTES:
        file = chance.choice(ENCODINGS)(str(chance.choice(files)))
        yield "ask", "GET", f"{API}/{route}{file}"
        yield "ask", "GET", f"/{route}{file}"
    for page in PAGES:
        yield "ask", "GET", page.replace("RUN", target.run)
    head = f'--x\r\nContent-Disposition: form-data; name="files"; filename="{chance.choice(NAMES)}"'
    yield "ask", "POST", f"{API}/upload", f"{head}\r\n\r\ntext\r\n--x--\r\n".encode(), "multipart/form-data; boundary=x"
    for name in ("status", "result", "look", "predict"):
        yield "ask", "POST", f"{API}/run/{name}", {"data": [target.run, ""]}


def every_function(target: Target, chance: random.Random, thorough: bool) -> Iterator[Probe]:
    """Each function of the page, with the run where a run is asked for and a guess where a person is."""
    for function in target.functions:
        labels = [target.parts[id]["props"].get("label") for id in function["inputs"]]
        slow = "Model" in labels or "Old" in labels  # it asks a worker
        if slow and not thorough:
            continue
        for _ in range(1 if slow else 2):
            yield "join", function["id"], [_value(target, target.parts[id], chance) for id in function["inputs"]]


def _value(target: Target, part: dict[str, Any], chance: random.Random) -> Any:
    label, kind = part["props"].get("label"), part["type"]
    if kind == "browserstate":
        return guess(target, chance)
    if label in ("Run", "Against", "Verification", "Push"):
        return target.run if chance.random() < 0.7 else named(target, chance)
    if label in ("Row", "Model"):
        return {"Row": "onnx-fp32", "Model": "nobody/has-made-it"}[label]
    if kind in ("file", "image", "audio"):
        places = [
            "/etc/passwd",
            str(target.home / "runs.sqlite"),
            str(target.home / "runs" / target.run / "report.json"),
        ]
        place, meta = chance.choice(places), {"meta": {"_type": "gradio.FileData"}}
        return chance.choice([None, {"path": place} | meta, {"path": "", "url": f"file://{place}"} | meta])
    return part["props"].get("value")
