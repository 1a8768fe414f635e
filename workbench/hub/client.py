"""The Hub, asked politely: where it is, what its errors mean, and files that arrive whole or not at all."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any
from urllib.parse import quote

from workbench.errors import RequestError, WorkbenchError

Token = str | bool | None
Progress = Callable[[float, float, str], None]  # done and total in bytes, note

LIBRARY = "optimization-workbench"
ATTEMPTS = 4
PAUSE = 1.0  # seconds before the second attempt, twice that before the third, …
TIMEOUT = 30.0  # seconds without a byte
CHUNK = 1 << 20
PARTIAL = ".partial"
NOUN = {"model": "model", "dataset": "data set"}


@dataclass(frozen=True)
class RemoteFile:
    """One file of a repository. `sha256` is None where the Hub keeps the file in git and tells only its
    blob id `oid`; `bytes` is None where it is not known before the file is made."""

    path: str
    sha256: str | None
    oid: str | None
    bytes: int | None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Repository:
    """Where files come from: `kind` is "model" or "dataset", `revision` a commit."""

    kind: str
    id: str
    revision: str

    def url(self, path: str) -> str:
        prefix = "datasets/" if self.kind == "dataset" else ""
        return f"{endpoint()}/{prefix}{self.id}/resolve/{quote(self.revision, safe='')}/{quote(path)}"


def endpoint() -> str:
    """`HF_ENDPOINT` as it is now; huggingface_hub itself reads it only once, when it is imported."""
    from huggingface_hub import constants

    return (os.environ.get("HF_ENDPOINT") or constants._HF_DEFAULT_ENDPOINT).rstrip("/")


def is_offline() -> bool:
    return os.environ.get("HF_HUB_OFFLINE", "").strip().upper() in ("1", "ON", "YES", "TRUE")


def api(token: Token) -> Any:
    """A client for one question. `token` False sends none; None sends the one this person logged in with."""
    from huggingface_hub import HfApi

    return HfApi(endpoint=endpoint(), token=token, library_name=LIBRARY)


@contextmanager
def hub_errors(kind: str, name: str, revision: str | None = None) -> Iterator[None]:
    """Turn what huggingface_hub raises into a RequestError about the model or data set `name`."""
    import httpx2
    from huggingface_hub import errors

    try:
        if is_offline():
            raise errors.OfflineModeIsEnabled
        yield
    except errors.HFValidationError as error:
        raise RequestError(
            f"`{name}` is neither a folder or file here nor the id of a {NOUN[kind]}.",
            "An id looks like org/name; a path must exist.",
            "Check the spelling.",
        ) from error
    except errors.HfHubHTTPError as error:
        raise _refusal(error, kind, name, revision) from error
    except (errors.OfflineModeIsEnabled, httpx2.TransportError) as error:
        raise unreachable(name) from error


def unreachable(name: str) -> RequestError:
    why = "HF_HUB_OFFLINE is set." if is_offline() else f"{endpoint()} does not answer."
    fix = "Check the connection and HF_ENDPOINT, or name a local folder or starter:sentiment."
    return RequestError(f"The Hub cannot be reached for `{name}`.", why, fix)


def _refusal(error: Any, kind: str, name: str, revision: str | None) -> WorkbenchError:
    from huggingface_hub import errors

    noun, status = NOUN[kind], error.response.status_code
    if isinstance(error, errors.GatedRepoError):
        page = f"{endpoint()}/{'datasets/' if kind == 'dataset' else ''}{name}"
        return RequestError(
            f"The {noun} `{name}` is gated.",
            "Its owner gives it only to people who accepted the conditions.",
            f"Accept them on {page}, then log in with `hf auth login`.",
        )
    if isinstance(error, errors.RevisionNotFoundError):
        fix = "Leave the revision out for the newest one, or look at the branches on its page."
        return RequestError(f"The {noun} `{name}` has no revision `{revision}`.", "", fix)
    if isinstance(error, errors.RepositoryNotFoundError) or status == 401:
        return RequestError(
            f"There is no {noun} called `{name}` on the Hub, or it is private.",
            "Without access the Hub does not tell the two apart.",
            "Check the spelling; for a private one log in with `hf auth login`.",
        )
    if isinstance(error, errors.EntryNotFoundError):
        return RequestError(f"A file of the {noun} `{name}` is missing on the Hub.", "", "Name another revision.")
    if status == 429:
        return WorkbenchError("The Hub asks us to wait.", "Too many requests were made.", "Try again in some minutes.")
    if status >= 500:
        return WorkbenchError("The Hub has trouble.", f"It answered {status} for `{name}`.", "Try again later.")
    return RequestError(f"The Hub refuses the {noun} `{name}`.", f"It answered {status}.", "Check your access to it.")


def list_files(repository: Repository, token: Token) -> list[RemoteFile]:
    """Every file of the commit; paths that would leave a folder are left out."""
    entries = api(token).list_repo_tree(
        repository.id, recursive=True, revision=repository.revision, repo_type=repository.kind
    )
    return [
        RemoteFile(entry.path, entry.lfs.sha256 if entry.lfs else None, entry.blob_id, entry.size)
        for entry in entries
        if hasattr(entry, "blob_id") and is_safe_path(entry.path)
    ]


def _plumbing() -> Any:
    """huggingface_hub's headers, session and errors, without its own retries and its cache."""
    from huggingface_hub import utils

    return utils


def ask(path: str, params: dict[str, Any], token: Token) -> Any:
    """One question to the Hub's API, asked once: HfApi would try for 20 seconds where there is no network."""
    hf = _plumbing()

    headers = hf.build_hf_headers(token=token, library_name=LIBRARY)
    response = hf.get_session().get(f"{endpoint()}{path}", params=params, headers=headers, timeout=20)
    hf.hf_raise_for_status(response)
    return response.json()


def is_safe_path(path: str) -> bool:
    parts = PurePosixPath(path).parts
    return (
        bool(parts)
        and path.isprintable()
        and not path.startswith("/")
        and ".." not in parts
        and not set(path) & set("\\:")
    )


def read_small(repository: Repository, file: RemoteFile, token: Token, limit: int = 5_000_000) -> bytes:
    """A file of at most `limit` bytes, in memory, checked like any other."""
    import httpx2

    if (file.bytes or 0) > limit:
        why = f"It has {file.bytes} bytes; more than {limit} are refused."
        raise RequestError(f"{file.path} of `{repository.id}` is too large.", why)
    for attempt in range(ATTEMPTS):
        target = io.BytesIO()
        try:
            for seen in _stream(repository.url(file.path), target, 0, token):
                if seen > limit:
                    break
        except (httpx2.ReadError, httpx2.RemoteProtocolError):  # broke off in the middle
            if attempt == ATTEMPTS - 1:
                raise
        content = target.getvalue()
        if _agrees(file, len(content), hashlib.sha256(content), _git_hash(len(content), content)):
            return content
    raise altered(file.path, repository.id)


def fetch(repository: Repository, files: Iterable[RemoteFile], into: Path, token: Token,
          progress: Progress) -> list[dict[str, Any]]:  # fmt: skip
    """Download `files` below `into`; returns [{path, sha256, bytes}].

    What is there already and whole is kept, what is there in part (`.partial/`) is continued. Each file is
    renamed into place only after its size and hash agree with the Hub's. Raises WorkbenchError otherwise.
    """
    if is_offline():
        raise unreachable(repository.id)
    files = list(files)
    total, done, manifest = float(sum(file.bytes or 0 for file in files)), 0.0, []
    for file in files:

        def tell(seen: int, before: float = done, name: str = file.path) -> None:
            progress(before + seen, total, name)

        sha256 = _fetch_one(repository, file, into, token, tell)
        size = (into / file.path).stat().st_size
        manifest.append({"path": file.path, "sha256": sha256, "bytes": size})
        done += size
    shutil.rmtree(into / PARTIAL, ignore_errors=True)
    progress(done, total, "")
    return manifest


def _fetch_one(repository: Repository, file: RemoteFile, into: Path, token: Token, tell: Callable[[int], None]) -> str:
    target = into / file.path
    if target.is_file() and (sha256 := verified(target, file)):
        return sha256
    partial = into / PARTIAL / f"{file.oid or file.sha256}"
    partial.parent.mkdir(parents=True, exist_ok=True)
    for attempt in range(ATTEMPTS):
        time.sleep(PAUSE * attempt)
        whole = _continue(repository, file, partial, token, tell, last=attempt == ATTEMPTS - 1)
        if whole and (sha256 := verified(partial, file)):
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(partial, target)
            return sha256
        if whole:  # all bytes came and they are the wrong ones: nothing of them can be kept
            partial.unlink(missing_ok=True)
    raise altered(file.path, repository.id)


def _continue(repository: Repository, file: RemoteFile, partial: Path, token: Token, tell: Callable[[int], None],
              last: bool) -> bool:  # fmt: skip
    """Fetch the rest of `partial`; False when the connection broke and another attempt may go on."""
    import httpx2

    start = partial.stat().st_size if partial.is_file() else 0
    if file.bytes is not None and start >= file.bytes > 0:
        return True
    try:
        with partial.open("ab") as target, _lasting_errors(repository, last):
            for seen in _stream(repository.url(file.path), target, start, token):
                tell(seen)
    except (httpx2.TransportError, _Passing) as error:
        if not last:
            return False
        raise WorkbenchError(
            f"The download of {file.path} broke off.", f"The Hub stopped answering for `{repository.id}`.",
            "Try again: it goes on where it stopped.",
        ) from error  # fmt: skip
    except OSError as error:
        raise WorkbenchError(f"{file.path} cannot be written.", f"{error.strerror}.", "Free some space.") from error
    return not file.bytes or partial.stat().st_size >= file.bytes


class _Passing(Exception):
    """Trouble of the server that may be over soon."""


@contextmanager
def _lasting_errors(repository: Repository, last: bool) -> Iterator[None]:
    """`hub_errors`, but a broken connection stays what it is, and a server in trouble is asked again."""
    from huggingface_hub import errors

    try:
        yield
    except errors.HfHubHTTPError as error:
        if error.response.status_code >= 500 and not last:
            raise _Passing from error
        raise _refusal(error, repository.kind, repository.id, repository.revision) from error
    except errors.OfflineModeIsEnabled as error:
        raise unreachable(repository.id) from error


def _stream(url: str, target: IO[bytes], start: int, token: Token) -> Iterator[int]:
    """Append the bytes from `start` on, yielding how many there are now. Redirects to another host get no token."""
    hf = _plumbing()

    headers = hf.build_hf_headers(token=token, library_name=LIBRARY) | {"Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    with hf.get_session().stream("GET", url, headers=headers, timeout=TIMEOUT, follow_redirects=True) as response:
        hf.hf_raise_for_status(response)
        if start and response.status_code != 206:  # the server begins anew, so do we
            target.truncate(0)
            start = 0
        for chunk in response.iter_bytes():  # as they come: a fixed size would lose what was waiting when it breaks
            target.write(chunk)
            start += len(chunk)
            yield start


def verified(path: Path, file: RemoteFile) -> str | None:
    """The file's sha256 when its size and hash are the promised ones, else None. Reads it once."""
    size = path.stat().st_size
    if file.bytes is not None and size != file.bytes:
        return None
    sha256, git = hashlib.sha256(), _git_hash(size)
    with path.open("rb") as source:
        while chunk := source.read(CHUNK):
            sha256.update(chunk)
            if file.sha256 is None:
                git.update(chunk)
    return sha256.hexdigest() if _agrees(file, size, sha256, git) else None


def _git_hash(size: int, content: bytes = b"") -> Any:
    """git names a blob by sha1 over "blob <size>\\0" and the content."""
    return hashlib.sha1(b"blob %d\0" % size + content, usedforsecurity=False)


def _agrees(file: RemoteFile, size: int, sha256: Any, git: Any) -> bool:
    if file.bytes is not None and size != file.bytes:
        return False
    return bool(sha256.hexdigest() == file.sha256 if file.sha256 else git.hexdigest() == file.oid)


def altered(path: str, name: str) -> WorkbenchError:
    return WorkbenchError(
        f"{path} of `{name}` did not arrive as the Hub describes it.",
        f"Its size or hash was wrong {ATTEMPTS} times.",
        "Try again later, or from another network.",
    )
