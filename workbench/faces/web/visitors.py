"""Who asks, and whose a run is. At home everything belongs to whoever sits there; on a shared server to its owner."""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import dataclass
from pathlib import Path

from workbench import bench
from workbench.errors import RequestError
from workbench.store import RunRecord, Store, write_whole

OWNER = "owner.json"  # beside a run's other files, and beside an upload
UPLOAD = "upload:"
MOST_ALIVE = 2  # runs of one person that wait or measure on a shared server
MOST_AN_HOUR = 12


@dataclass(frozen=True)
class Visitors:
    """`shared`: several people use this server and must not see each other's runs."""

    store: Store
    shared: bool = False

    def new(self) -> str:
        """A name that nobody can guess; the browser keeps it, sealed by the server."""
        return secrets.token_urlsafe(24)

    def claim(self, run: str, visitor: str) -> None:
        """The run belongs to whoever asked for it; who asks for the same shares it."""
        _claim(self.store.run_folder(run), visitor)

    def may_see(self, run: str, visitor: str) -> bool:
        return self._owns(self.store.run_folder(run), visitor)

    def _owns(self, folder: Path, visitor: str) -> bool:
        return not self.shared or (bool(visitor) and visitor in _owners(folder))

    def claim_upload(self, path: Path, visitor: str) -> str:
        """What a person writes for data that they uploaded; nobody else can."""
        _claim(bench.upload_folder(path, self.store), visitor)
        return f"{UPLOAD}{path.parent.parent.name}/{path.name}"

    def upload(self, name: str, visitor: str) -> Path:
        """The place of `upload:…`. Raises RequestError for one that is gone, or somebody else's."""
        key = name.removeprefix(UPLOAD).partition("/")[0]
        found = self.store.find(key) if key.isalnum() else None
        path = found.path / str(found.facts.get("name")) if found else Path()
        if found and bench.is_upload(path, self.store) and self._owns(bench.upload_folder(path, self.store), visitor):
            return path
        why = "It may have been cleaned up, or belong to somebody else."
        raise RequestError("There is no such upload here.", why, "Upload it again.")

    def own(self, run: str | None, visitor: str) -> RunRecord:
        """The run, whole. Raises RequestError, the same for a run that is not there and for somebody else's."""
        why = "It may have been cleaned up, or belong to somebody else."
        unknown = RequestError("There is no such run here.", why, "")
        if not run:
            raise unknown
        try:
            record = self.store.run(run)
        except RequestError:
            raise unknown from None
        if not self.may_see(record.id, visitor):
            raise unknown
        return record

    def check_room(self, visitor: str) -> None:
        """RequestError where one person asks a shared server for more than their share."""
        if not self.shared:
            return
        own = self.runs(visitor)
        if sum(one.status in ("waiting", "running", "cancelling") for one in own) >= MOST_ALIVE:
            why = f"On this shared server a person has at most {MOST_ALIVE} runs that wait or measure."
            raise RequestError("Your other runs come first.", why, "Wait for one to end, or cancel one.")
        if sum(time.time() - one.created < 3600 for one in own) >= MOST_AN_HOUR:
            why = f"On this shared server a person begins at most {MOST_AN_HOUR} runs an hour."
            fix = "Come back later, or run the workbench on a machine of your own."
            raise RequestError("That is many runs.", why, fix)

    def runs(self, visitor: str) -> list[RunRecord]:
        """Newest first, one's own only."""
        return [one for one in self.store.runs() if self.may_see(one.id, visitor)]

    def queue(self, visitor: str) -> list[tuple[str, str, bool]]:
        """[(title, "running" or "waiting", own)] in the order in which they measure."""
        alive = [one for one in self.store.runs() if one.status in ("running", "waiting")]
        ordered = sorted(alive, key=lambda one: (one.status != "running", one.created))
        return [(one.title, one.status, self.may_see(one.id, visitor)) for one in ordered]

    def place(self, run: str) -> int:
        """Of a run that waits, from 1 on; 0 for one that does not."""
        alive = [one for one in self.store.runs() if one.status in ("running", "waiting")]
        ordered = sorted(alive, key=lambda one: (one.status != "running", one.created))
        places = {one.id: number for number, one in enumerate(ordered)}
        return places.get(run, 0)


def _claim(folder: Path, visitor: str) -> None:
    owners = _owners(folder)
    if visitor not in owners:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / OWNER, json.dumps([*owners, visitor]))


def _owners(folder: Path) -> list[str]:
    path = folder / OWNER
    return list(json.loads(path.read_text())) if path.is_file() else []
