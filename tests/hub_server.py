"""A small Hub on this machine: real HTTP, the protocol that huggingface_hub speaks, and the trouble a network makes.

    with HubServer() as hub:
        hub.add("org/name", {"config.json": b"{}"})           # or a folder; returns the commit
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)

Files that end like weights are "LFS": their tree entry has a sha256, and they are served after a redirect to a second
server (`hub.storage`), as the Hub does with its storage. `hub.requests` remembers who asked for what with which token.
"""

from __future__ import annotations

import fnmatch
import hashlib
import json
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, quote, unquote, urlsplit

LFS = ("*.safetensors", "*.bin", "*.onnx", "*.onnx_data", "*.parquet", "*.png", "*.model")
TOKEN = "hf_right_token_of_this_test"
API = re.compile(
    r"/api/(?P<kind>models|datasets)/(?P<id>[^/]+/[^/]+?)(/(?P<verb>revision|tree)/(?P<revision>[^/]+)(/.*)?)?"
)
RESOLVE = re.compile(r"/(?P<kind>datasets/)?(?P<id>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<path>.+)")


@dataclass
class Repo:
    """`commits` holds every state ever published, `branches` where each name points now."""

    id: str
    kind: str
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    gated: bool = False
    private: bool = False
    readers: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Request:
    method: str
    server: str
    path: str
    token: str | None
    range: str | None
    headers: Mapping[str, str]


class HubServer:
    """Start with `with`. Every `add` to the same id is a new commit: `main` moves to it."""

    def __init__(self) -> None:
        self.repos: dict[tuple[str, str], Repo] = {}
        self.requests: list[Request] = []
        self.post_routes: dict[str, Callable[[str, bytes], tuple[int, Any]]] = {}  # path prefix -> answer
        self.page_size = 1000
        self.ranges = True
        self._breaks: dict[str, int] = {}
        self._altered: dict[str, int] = {}
        self._failing: dict[str, int] = {}
        self.claimed: dict[str, int] = {}  # path -> bytes that a listing says, whatever is there
        self._lock = threading.Lock()
        self._hub = self._serve("hub")
        self._storage = self._serve("storage")

    def _serve(self, name: str) -> ThreadingHTTPServer:
        handler = type("Handler", (self._handler(),), {"hub": self, "server_name_": name})
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return server

    def _handler(self) -> type[_Handler]:
        """What answers; a Hub that takes more than questions has its own."""
        return _Handler

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        for server in (self._hub, self._storage):
            server.shutdown()
            server.server_close()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._hub.server_address[1]}"

    @property
    def storage(self) -> str:
        """Another origin than `endpoint`: no token may arrive here."""
        return f"http://127.0.0.1:{self._storage.server_address[1]}"

    def add(
        self, name: str, files: Mapping[str, bytes] | Path, *, kind: str = "model", branch: str = "main",
        gated: bool = False, private: bool = False, readers: tuple[str, ...] = (), **facts: Any,
    ) -> str:  # fmt: skip
        """Publish a state of a repository and return its commit; `facts` are keys of the info document."""
        content = _read_folder(files) if isinstance(files, Path) else dict(files)
        with self._lock:
            repo = self.repos.setdefault((kind, name), Repo(name, kind))
            repo.gated, repo.private, repo.readers = gated, private, set(readers)
            repo.facts |= facts
            seed = f"{kind}/{name}/{len(repo.commits)}".encode()
            commit = hashlib.sha1(seed).hexdigest()
            repo.commits[commit] = content
            repo.branches[branch] = commit
        return commit

    def break_off(self, path: str, times: int) -> None:
        """The next `times` answers with this file's content end after half of what was asked for."""
        self._breaks[path] = times

    def alter(self, path: str, times: int) -> None:
        """The next `times` answers with this file's content have one byte changed."""
        self._altered[path] = times

    def fail(self, path: str, times: int) -> None:
        """The next `times` requests for this file are answered with 503."""
        self._failing[path] = times

    def claim(self, path: str, size: int) -> None:
        """Listings say that this file is so large."""
        self.claimed[path] = size

    def take(self, trouble: dict[str, int], path: str) -> bool:
        with self._lock:
            left = trouble.get(path, 0)
            trouble[path] = max(0, left - 1)
            return left > 0

    def tokens_at(self, server: str) -> set[str]:
        return {request.token for request in self.requests if request.server == server and request.token}

    def downloads(self, path: str) -> list[Request]:
        """The requests that were answered with content of this file."""
        wanted = quote(path)
        return [one for one in self.requests if one.method == "GET" and one.path.split("?")[0].endswith(f"/{wanted}")]


def _read_folder(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def is_lfs(path: str) -> bool:
    return any(fnmatch.fnmatch(path, pattern) for pattern in LFS)


def git_oid(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def tree_entry(path: str, content: bytes, claimed: int | None = None) -> dict[str, Any]:
    size = len(content) if claimed is None else claimed
    entry: dict[str, Any] = {"type": "file", "path": path, "size": size, "oid": git_oid(content)}
    if is_lfs(path):
        sha256 = hashlib.sha256(content).hexdigest()
        entry["oid"] = hashlib.sha1(f"pointer to {sha256}".encode()).hexdigest()
        entry["lfs"] = {"oid": sha256, "size": size, "pointerSize": 134}
    return entry


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: HubServer
    server_name_: str

    def log_message(self, *args: Any) -> None:
        """Tests read `hub.requests`; nothing is printed."""

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._remember()
        for prefix, route in self.hub.post_routes.items():
            if self.path.startswith(prefix):
                return self._json(*route(self.path, body))
        return self._error(404, "", "No such route")

    def _token(self) -> str | None:
        return (self.headers.get("Authorization") or "").removeprefix("Bearer ") or None

    def _remember(self) -> None:
        self.hub.requests.append(
            Request(self.command, self.server_name_, self.path, self._token(), self.headers.get("Range"),
                    dict(self.headers))
        )  # fmt: skip

    def _answer(self) -> None:
        self._remember()
        url = urlsplit(self.path)
        if self.server_name_ == "storage":
            return self._stored(url.path)
        if url.path in ("/api/models", "/api/datasets"):
            return self._list(url.path.rsplit("/", 1)[-1].rstrip("s"), parse_qs(url.query))
        if match := API.fullmatch(url.path):
            return self._api(match, parse_qs(url.query))
        if match := RESOLVE.fullmatch(url.path):
            return self._resolve(match)
        return self._error(404, "", "Not found")

    # ---- questions ------------------------------------------------------------------------------

    def _list(self, kind: str, query: dict[str, list[str]]) -> None:
        search = query.get("search", [""])[0].lower()
        task, filters = query.get("pipeline_tag", [None])[0], query.get("filter", [])
        found = [
            self._info(repo, next(reversed(repo.commits)))
            for repo in self.hub.repos.values()
            if repo.kind == kind and not repo.private and search in repo.id.lower()
            and (task is None or repo.facts.get("pipeline_tag") == task)
            and all(tag in repo.facts.get("tags", []) for tag in filters)
        ]  # fmt: skip
        found.sort(key=lambda info: -info.get("downloads", 0))
        self._json(200, found[: int(query.get("limit", ["1000"])[0])])

    def _info(self, repo: Repo, commit: str) -> dict[str, Any]:
        files = repo.commits[commit]
        return {
            "_id": git_oid(repo.id.encode())[:24], "id": repo.id, "sha": commit, "private": repo.private,
            "gated": "auto" if repo.gated else False, "disabled": False, "tags": [], "downloads": 0, "likes": 0,
            "siblings": [{"rfilename": path} for path in sorted(files)], **repo.facts,
        }  # fmt: skip

    def _api(self, match: re.Match[str], query: dict[str, list[str]]) -> None:
        repo, commit = self._find(match["kind"].rstrip("s"), match["id"], match["revision"])
        if repo is None or commit is None:
            return
        if match["verb"] != "tree":
            return self._json(200, self._info(repo, commit))
        files = repo.commits[commit]
        entries = [tree_entry(path, files[path], self.hub.claimed.get(path)) for path in sorted(files)]
        folders = sorted({path.rsplit("/", 1)[0] for path in files if "/" in path})
        entries += [{"type": "directory", "path": one, "size": 0, "oid": git_oid(one.encode())} for one in folders]
        start = int(query.get("cursor", ["0"])[0])
        page, end = entries[start : start + self.hub.page_size], start + self.hub.page_size
        more = f"{self.hub.endpoint}{urlsplit(self.path).path}?recursive=true&cursor={end}"
        return self._json(200, page, {"Link": f'<{more}>; rel="next"'} if end < len(entries) else {})

    def _find(self, kind: str, name: str, revision: str | None) -> tuple[Repo | None, str | None]:
        """The repository and commit, or (None, None) after the error was sent."""
        repo = self.hub.repos.get((kind, unquote(name)))
        allowed = repo and (not repo.private or self._token() in repo.readers)
        if not repo or not allowed:
            # without a token the Hub does not tell a missing repository from a private one
            self._error(404 if self._token() else 401, "RepoNotFound", "Repository not found")
            return None, None
        wanted = unquote(revision or "main")
        commit = repo.branches.get(wanted) or (wanted if wanted in repo.commits else None)
        if commit is None:
            self._error(404, "RevisionNotFound", f"Invalid rev id: {wanted}")
        return repo, commit

    # ---- files ----------------------------------------------------------------------------------

    def _resolve(self, match: re.Match[str]) -> None:
        repo, commit = self._find("dataset" if match["kind"] else "model", match["id"], match["revision"])
        if repo is None or commit is None:
            return
        if repo.gated and self._token() not in repo.readers:
            return self._error(403 if self._token() else 401, "GatedRepo", "Access to this repository is restricted.")
        path = unquote(match["path"])
        content = repo.commits[commit].get(path)
        if content is None:
            return self._error(404, "EntryNotFound", "Entry not found", {"X-Repo-Commit": commit})
        entry = tree_entry(path, content)
        headers = {"X-Repo-Commit": commit, "ETag": f'"{entry["oid"]}"'}
        if "lfs" not in entry:
            return self._content(path, content, headers)
        headers |= {"X-Linked-Size": str(len(content)), "X-Linked-ETag": f'"{entry["lfs"]["oid"]}"'}
        location = f"{self.hub.storage}/{repo.kind}/{repo.id}/{commit}/{quote(path)}"
        return self._send(302, b"", headers | {"Location": location})

    def _stored(self, path: str) -> None:
        _, kind, owner, name, commit, file = unquote(path).split("/", 5)
        content = self.hub.repos[(kind, f"{owner}/{name}")].commits[commit][file]
        self._content(file, content, {"ETag": f'"{hashlib.sha256(content).hexdigest()}"'})

    def _content(self, path: str, content: bytes, headers: dict[str, str]) -> None:
        status, body = 200, content
        if self.hub.take(self.hub._failing, path):
            return self._error(503, "", "Service unavailable")
        if self.command == "GET" and self.hub.take(self.hub._altered, path):
            middle = len(content) // 2
            body = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        if asked and self.hub.ranges:
            start = int(asked[1])
            if start >= len(content):
                return self._error(416, "", "Range not satisfiable", {"Content-Range": f"bytes */{len(content)}"})
            status, body = 206, body[start : int(asked[2] or len(content)) + 1]
            headers = headers | {"Content-Range": f"bytes {start}-{start + len(body) - 1}/{len(content)}"}
        if self.command == "GET" and self.hub.take(self.hub._breaks, path):
            return self._send_half(status, body, headers)
        return self._send(status, body, headers | {"Accept-Ranges": "bytes"})

    def _send_half(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(body))}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[: len(body) // 2])
        self.close_connection = True

    # ---- answers --------------------------------------------------------------------------------

    def _json(self, status: int, value: Any, headers: Mapping[str, str] | None = None) -> None:
        self._send(status, json.dumps(value).encode(), {"Content-Type": "application/json", **(headers or {})})

    def _error(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        said = {"X-Error-Code": code, "X-Error-Message": message} if code else {"X-Error-Message": message}
        self._json(status, {"error": message}, said | dict(headers or {}))

    def _send(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
