"""The small Hub of `hub_server`, which also takes what is pushed: the protocol that huggingface_hub's client speaks.

    with PushServer() as hub:
        hub.people[TOKEN] = Person("me", role="write")
        …                                                       # create_repo, create_commit, pull requests
        hub.files("me/model")                                   # {path: bytes} of a branch, as they were pushed

Large files are put to the second server (`hub.storage`), whole or in parts, under their sha256; a commit may name only
those that are there, and is done whole or not at all. `refuse` and `drop` make trouble.
"""

from __future__ import annotations

import base64
import fnmatch
import hashlib
import json
import math
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import yaml

from tests.hub_server import HubServer, Repo, _Handler, git_oid, is_lfs

RELATIONS = ("adapter", "finetune", "merge", "quantized")
LICENSES = ("apache-2.0", "mit", "other", "cc-by-4.0")
FIRST = {".gitattributes": b"*.safetensors filter=lfs diff=lfs merge=lfs -text\n"}
REPO = r"/api/models/(?P<id>[^/]+/[^/]+)"
ROUTES = {
    "_create": re.compile(r"/api/repos/create"),
    "_validate": re.compile(r"/api/validate-yaml"),
    "_preupload": re.compile(REPO + r"/preupload/(?P<revision>[^/]+)"),
    "_batch": re.compile(r"/(?P<id>[^/]+/[^/]+)\.git/info/lfs/objects/batch"),
    "_verify": re.compile(r"/(?P<id>[^/]+/[^/]+)\.git/info/lfs/objects/verify"),
    "_complete": re.compile(r"/api/complete/(?P<oid>[0-9a-f]{64})"),
    "_commit": re.compile(REPO + r"/commit/(?P<revision>[^/]+)"),
}


@dataclass(frozen=True)
class Person:
    name: str
    role: str = "write"  # or "read", "fineGrained"
    owns: tuple[str, ...] = ()  # names of organizations where this token may write

    def may_write(self, owner: str) -> bool:
        return self.role != "read" and owner in (self.name, *self.owns)


@dataclass
class PullRequest:
    number: int
    title: str
    description: str
    parent: str
    commit: str
    author: str


@dataclass
class Pushes:
    blobs: dict[str, bytes] = field(default_factory=dict)  # sha256 -> content
    parts: dict[str, dict[int, bytes]] = field(default_factory=dict)
    pulls: dict[str, list[PullRequest]] = field(default_factory=dict)


class PushServer(HubServer):
    def __init__(self) -> None:
        self.people: dict[str, Person] = {}
        self.pushes = Pushes()
        self.part_size: int | None = None  # bytes; larger files are asked for in parts
        self.bodies: list[bytes] = []  # everything that was sent
        self.spoilt: set[str] = set()
        self._refused: dict[str, list[tuple[int, str]]] = {}
        self._dropped: dict[str, int] = {}
        super().__init__()

    def _handler(self) -> type[_Handler]:
        return _PushHandler

    def refuse(self, where: str, status: int, message: str = "", times: int = 1) -> None:
        """The next requests whose path has `where` in it are answered with this status."""
        self._refused[where] = [(status, message)] * times

    def drop(self, where: str, times: int = 1) -> None:
        """The connection of the next requests whose path has `where` in it breaks in the middle of what is sent."""
        self._dropped[where] = times

    def spoil(self, path: str) -> None:
        """The next commit keeps other bytes of this file than were sent."""
        self.spoilt.add(path)

    def files(self, name: str, revision: str = "main") -> dict[str, bytes]:
        repo = self.repos["model", name]
        return repo.commits[repo.branches.get(revision, revision)]

    def pulls(self, name: str) -> list[PullRequest]:
        return self.pushes.pulls.get(name, [])

    def asked(self, where: str) -> int:
        """How many requests had this in their path."""
        return sum(where in request.path for request in self.requests)


class _PushHandler(_Handler):
    hub: PushServer

    def do_GET(self) -> None:
        if urlsplit(self.path).path != "/api/whoami-v2":
            return super().do_GET()
        self._remember()
        if self._troubled():
            return None
        person = self._person()
        if person is None:
            return self._error(401, "", "Invalid username or password.")
        access = {"displayName": "a token", "role": person.role}
        orgs = [{"name": name} for name in person.owns]
        said = {"type": "user", "name": person.name, "orgs": orgs,
                "auth": {"type": "access_token", "accessToken": access}}  # fmt: skip
        return self._json(200, said)

    def do_POST(self) -> None:
        self._remember()
        if self._troubled():
            return None
        body = self._body()
        path = urlsplit(self.path).path
        for name, route in ROUTES.items():
            if match := route.fullmatch(path):
                return getattr(self, name)(match, body)
        return self._error(404, "", "No such route")

    def do_PUT(self) -> None:
        """The storage: knows no token, takes what has the hash that its address says."""
        self._remember()
        if self._troubled():
            return None
        content, url = self._body(), urlsplit(self.path)
        oid, query = url.path.rsplit("/", 1)[-1], parse_qs(url.query)
        if self.server_name_ != "storage":
            return self._error(404, "", "No such route")
        if "part" in query:
            self.hub.pushes.parts.setdefault(oid, {})[int(query["part"][0])] = content
            return self._send(200, b"", {"ETag": f'"{hashlib.md5(content).hexdigest()}"'})
        if hashlib.sha256(content).hexdigest() != oid:
            return self._error(400, "", "The content has another hash")
        self.hub.pushes.blobs[oid] = content
        return self._send(200, b"", {})

    def _body(self) -> bytes:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.hub.bodies.append(body)
        return body

    def _troubled(self) -> bool:
        for where in [one for one in self.hub._dropped if one in self.path]:
            if self.hub.take(self.hub._dropped, where):
                self.rfile.read(min(1000, int(self.headers.get("Content-Length") or 0)))
                self.close_connection = True
                self.connection.close()
                return True
        for where, answers in self.hub._refused.items():
            if where in self.path and answers:
                self._body()
                status, message = answers.pop()
                self._error(status, "", message)
                return True
        return False

    def _person(self) -> Person | None:
        return self.hub.people.get(self._token() or "")

    # ---- repositories ---------------------------------------------------------------------------

    def _create(self, match: re.Match[str], body: bytes) -> None:
        said, person = json.loads(body), self._person()
        if person is None:
            return self._error(401, "", "Invalid username or password.")
        owner = said.get("organization") or person.name
        name = f"{owner}/{said['name']}"
        if not person.may_write(owner):
            return self._error(403, "", f'You don\'t have the rights to create a model under the namespace "{owner}"')
        if ("model", name) in self.hub.repos:
            return self._error(409, "", "You already created this model repo")
        private = said.get("visibility") == "private"
        self.hub.add(name, FIRST, private=private, readers=self._tokens_of(owner))
        return self._json(200, {"url": f"{self.hub.endpoint}/{name}", "name": name, "id": git_oid(name.encode())})

    def _tokens_of(self, owner: str) -> tuple[str, ...]:
        return tuple(token for token, one in self.hub.people.items() if owner in (one.name, *one.owns))

    def _writable(self, name: str, pull_request: bool) -> Repo | None:
        """The repository, or None after the error was sent. Whoever may read and write at all may open a request."""
        repo, _ = self._find("model", name, None)
        person = self._person()
        if repo is None:
            return None
        if person is None:
            self._error(401, "", "Invalid username or password.")
        elif person.role == "read" or not (pull_request or person.may_write(name.partition("/")[0])):
            self._error(403, "", "Forbidden: you must have write access")
        else:
            return repo
        return None

    # ---- a model card ---------------------------------------------------------------------------

    def _validate(self, match: re.Match[str], body: bytes) -> None:
        content = json.loads(body)["content"]
        faults = card_faults(content)
        self._json(400 if faults else 200, {"errors": [{"message": one} for one in faults], "warnings": []})

    # ---- large files ----------------------------------------------------------------------------

    def _preupload(self, match: re.Match[str], body: bytes) -> None:
        said, pull_request = json.loads(body), "create_pr" in parse_qs(urlsplit(self.path).query)
        repo = self._writable(match["id"], pull_request)
        if repo is None:
            return
        here = repo.commits[repo.branches[unquote(match["revision"])]]
        rules = said.get("gitIgnore") or here.get(".gitignore", b"").decode()
        ignored = [line for line in rules.splitlines() if line and not line.startswith("#")]
        files = []
        for one in said["files"]:
            path, sample = one["path"], base64.b64decode(one["sample"])
            large = is_lfs(path) or b"\0" in sample or one["size"] > 10_000_000
            left_out = any(fnmatch.fnmatch(path.rsplit("/", 1)[-1], rule) for rule in ignored)
            files.append({"path": path, "uploadMode": "lfs" if large else "regular", "shouldIgnore": left_out})
        self._json(200, {"files": files})

    def _batch(self, match: re.Match[str], body: bytes) -> None:
        if self._writable(match["id"], pull_request=True) is None:
            return
        git = f"{self.hub.endpoint}/{match['id']}.git/info/lfs/objects"
        objects = []
        for one in json.loads(body)["objects"]:
            entry = {"oid": one["oid"], "size": one["size"]}
            if one["oid"] not in self.hub.pushes.blobs:
                entry["actions"] = {"upload": self._upload(**entry), "verify": {"href": f"{git}/verify"}}
            objects.append(entry)
        self._json(200, {"transfer": "basic", "objects": objects})

    def _upload(self, oid: str, size: int) -> dict[str, Any]:
        at, most = f"{self.hub.storage}/large/{oid}", self.hub.part_size
        if not most or size <= most:
            return {"href": at}
        parts = {str(number): f"{at}?part={number}" for number in range(1, math.ceil(size / most) + 1)}
        return {"href": f"{self.hub.endpoint}/api/complete/{oid}", "header": {"chunk_size": str(most), **parts}}

    def _complete(self, match: re.Match[str], body: bytes) -> None:
        sent, wanted = self.hub.pushes.parts.get(match["oid"], {}), json.loads(body)["parts"]
        content = b"".join(sent[number] for number in sorted(sent))
        if len(wanted) != len(sent) or hashlib.sha256(content).hexdigest() != match["oid"]:
            return self._error(400, "", "The parts are not the file")
        self.hub.pushes.blobs[match["oid"]] = content
        return self._json(200, {})

    def _verify(self, match: re.Match[str], body: bytes) -> None:
        said = json.loads(body)
        content = self.hub.pushes.blobs.get(said["oid"])
        if content is None or len(content) != said["size"]:
            return self._error(404, "", "There is no such object")
        return self._json(200, {})

    # ---- one commit -----------------------------------------------------------------------------

    def _commit(self, match: re.Match[str], body: bytes) -> None:
        pull_request = "create_pr" in parse_qs(urlsplit(self.path).query)
        repo = self._writable(match["id"], pull_request)
        if repo is None:
            return
        lines = [json.loads(line) for line in body.splitlines()]
        header, branch = lines[0]["value"], unquote(match["revision"])
        head = repo.branches[branch]
        parent = header.get("parentCommit", head)
        if parent != head and not pull_request:
            return self._error(412, "", "A commit has happened since. Please refresh and try again.")
        content = dict(repo.commits[parent])
        for line in lines[1:]:
            value = line["value"]
            if line["key"] == "file":
                content[value["path"]] = base64.b64decode(value["content"])
            elif value["oid"] not in self.hub.pushes.blobs:
                return self._error(400, "", f"The object of {value['path']} was not uploaded")
            else:
                content[value["path"]] = self.hub.pushes.blobs[value["oid"]]
        content |= {path: content[path][:-1] + b"?" for path in self.hub.spoilt & set(content)}
        commit = hashlib.sha1(f"{repo.id} {len(repo.commits)} pushed".encode()).hexdigest()
        pulls = self.hub.pushes.pulls.setdefault(repo.id, [])
        number = len(pulls) + 1
        repo.commits[commit] = content
        repo.branches[f"refs/pr/{number}" if pull_request else branch] = commit
        page = f"{self.hub.endpoint}/{repo.id}"
        person = self._person()
        if pull_request and person:
            said = header["summary"], header["description"]
            pulls.append(PullRequest(number, *said, parent, commit, person.name))
        return self._json(200, {
            "success": True, "commitOid": commit, "commitUrl": f"{page}/commit/{commit}",
            "pullRequestUrl": f"{page}/discussions/{number}" if pull_request else None,
        })  # fmt: skip


def card_faults(content: str) -> list[str]:
    """What the Hub would not take in a model card, of what this project writes."""
    match = re.match(r"---\n(.*?)\n---\n", content, re.DOTALL)
    said = yaml.safe_load(match[1]) if match else None
    if not isinstance(said, dict):
        return ["There is no metadata."]
    faults = []
    if said.get("base_model_relation", "quantized") not in RELATIONS:
        faults.append('"base_model_relation" must be one of ' + ", ".join(RELATIONS))
    if "base_model" in said and not re.fullmatch(r"[\w.-]+/[\w.-]+", str(said["base_model"])):
        faults.append('"base_model" must be an id on the Hub')
    if "base_model_relation" in said and "base_model" not in said:
        faults.append('"base_model_relation" needs a "base_model"')
    if said.get("license", "mit") not in LICENSES:
        faults.append('"license" must be one of ' + ", ".join(LICENSES))
    for result in [one for model in said.get("model-index", ()) for one in model["results"]]:
        faults += [f'"{key}.type" is required' for key in ("task", "dataset") if not result[key].get("type")]
        faults += ['"value" is required' for one in result["metrics"] if not isinstance(one.get("value"), int | float)]
    return faults
