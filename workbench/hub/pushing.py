"""A model out, to the Hub: as a new repository, or as a pull request. Nothing that is there is ever overwritten.

What is large goes to the Hub's storage first (LFS), where nobody sees it; then one commit shows everything at once.
Whatever breaks before that commit leaves a repository without a model, and pushing again goes on from there.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.errors import RequestError, WorkbenchError
from workbench.hub.client import (
    Progress,
    Repository,
    api,
    endpoint,
    is_offline,
    is_safe_path,
    list_files,
    verified,
)

FILE_LIMIT = 50 * 10**9  # bytes that the Hub takes in one file
MADE_BY_THE_HUB = {".gitattributes"}  # all that a new repository holds
NOTHING_IGNORED = "# nothing\n"  # a .gitignore in the repository must not leave out parts of a model
TIMEOUT = 20  # seconds for a question


@dataclass(frozen=True)
class Outgoing:
    """One file: where it lies, where it goes, and what it must be there. `bytes` and `sha256` as its maker wrote."""

    at: Path
    path: str
    sha256: str
    bytes: int


@dataclass(frozen=True)
class Found:
    """The repository before anything was pushed: its head, who may see it, what is in it."""

    head: str
    private: bool
    paths: frozenset[str]


def push_files(
    repo_id: str, files: list[Outgoing], title: str, description: str, *, token: str | None, progress: Progress,
    private: bool = False, pull_request: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """One commit with these files; {"repo_id", "url", "commit", "pull_request": its page or None, "private", "bytes",
    "files": [paths]}. `token` None takes the one this person logged in with.

    A new repository is made; one that is there must be empty, or `pull_request` makes a request on top of its head.
    Raises RequestError for a name, token or repository that cannot take it, WorkbenchError for what breaks.
    """
    check_name(repo_id)
    _check_files(files)
    token = _token(token)
    hub = api(token)
    with _errors(repo_id, "Nothing was pushed."):
        _check_may_write(hub, repo_id)
        found = _found(hub, repo_id)
        _refuse_overwriting(repo_id, found, files, private, pull_request)
        if found is None:
            hub.create_repo(repo_id, private=private or None, repo_type="model")
            found = _found(hub, repo_id)
    if found is None:
        raise WorkbenchError(f"`{repo_id}` was made and is not there.", "The Hub does not show it.", "Try again later.")
    info = _commit(hub, repo_id, found, files, title, description, progress, pull_request)
    _check_arrived(repo_id, info.pr_revision or info.oid, files, token)
    return {
        "repo_id": repo_id, "url": f"{endpoint()}/{repo_id}", "commit": info.oid, "pull_request": info.pr_url,
        "private": found.private, "bytes": sum(file.bytes for file in files), "files": [file.path for file in files],
    }  # fmt: skip


# ---- before anything is sent --------------------------------------------------------------------


def check_name(repo_id: str) -> None:
    """Raises RequestError for what cannot be the name of a repository."""
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils._validators import validate_repo_id

    try:
        validate_repo_id(repo_id)
        if repo_id.count("/") != 1:
            raise HFValidationError
    except HFValidationError as error:
        raise RequestError(
            f"`{repo_id[:120]}` cannot be the name of a repository.",
            "A name is owner/name: letters, digits, `-`, `_` and `.`, at most 96, without `--` and `..`.",
            "Choose another name; the owner is you or your organization.",
        ) from error


def _check_files(files: list[Outgoing]) -> None:
    for file in files:
        if not is_safe_path(file.path):
            raise RequestError(f"`{file.path}` cannot be a path on the Hub.", "", "Choose another row.")
        if file.bytes > FILE_LIMIT:
            raise RequestError(
                f"{file.path} is too large for the Hub.",
                f"It has {file.bytes / 1e9:,.1f} GB; the Hub takes {FILE_LIMIT / 1e9:,.0f} GB in one file.",
                "Choose a row that stores its weights in fewer bits.",
            )
        if not file.at.is_file() or file.at.stat().st_size != file.bytes:
            raise _changed(file)


def _changed(file: Outgoing) -> WorkbenchError:
    return WorkbenchError(
        f"{file.path} is not what it was when it was made.", "Its size or hash is another.",
        "Run the comparison again: it is built anew.",
    )  # fmt: skip


def _token(given: str | None) -> str:
    """Raises RequestError without ever showing it. An empty one is none: it never stands for somebody else's."""
    from huggingface_hub import get_token

    token = ((get_token() or "") if given is None else given).strip()
    if not token:
        raise RequestError(
            "Pushing needs a token.", "Nobody is logged in to the Hub here." if given is None else "None was given.",
            f"Log in with `hf auth login`; a token with write access is made on {_tokens_page()}.",
        )  # fmt: skip
    if not (token.isascii() and token.isprintable() and " " not in token):
        raise RequestError(
            "This is no token of the Hub.", "A token is one word of letters and digits.", "Copy it again."
        )
    return token


def _tokens_page() -> str:
    return f"{endpoint()}/settings/tokens"


def _check_may_write(hub: Any, repo_id: str) -> None:
    """A token that only reads is told so before anything is made. What a fine-grained one may, the Hub decides."""
    from huggingface_hub.errors import HfHubHTTPError

    try:
        said = hub.whoami()
    except HfHubHTTPError as error:
        if error.response.status_code != 401:
            raise
        raise RequestError(
            "The Hub does not know this token.", "It is misspelt, or was withdrawn.", f"Make one on {_tokens_page()}."
        ) from error
    if ((said.get("auth") or {}).get("accessToken") or {}).get("role") == "read":
        raise RequestError(
            f"This token may only read, so nothing can be pushed to `{repo_id}`.", "Its role is `read`.",
            f"Make one with write access on {_tokens_page()}.",
        )  # fmt: skip


def _found(hub: Any, repo_id: str) -> Found | None:
    from huggingface_hub.errors import RepositoryNotFoundError

    try:
        said = hub.model_info(repo_id, timeout=TIMEOUT)
    except RepositoryNotFoundError:
        return None
    return Found(said.sha, bool(said.private), frozenset(one.rfilename for one in said.siblings or ()))


def _refuse_overwriting(
    repo_id: str, found: Found | None, files: list[Outgoing], private: bool, pull_request: bool
) -> None:
    if found is None:
        if pull_request:
            raise RequestError(
                f"There is no repository `{repo_id}` to open a pull request on.",
                "The Hub does not show one to this token.",
                "Check the spelling, or push it as a new repository.",
            )
        return
    if not pull_request:
        if found.paths - MADE_BY_THE_HUB:
            raise RequestError(
                f"The repository `{repo_id}` is there already.", "Nothing on the Hub is overwritten.",
                "Open a pull request instead, or choose another name.",
            )  # fmt: skip
        if private and not found.private:
            raise RequestError(
                f"The repository `{repo_id}` is there already, empty and public.", "It was to be private.",
                "Make it private on its page, or choose another name.",
            )  # fmt: skip
    taken = sorted(found.paths & {file.path for file in files})
    if pull_request and taken:
        raise RequestError(
            f"`{repo_id}` has {taken[0]} already.", "A pull request adds files and replaces none.",
            "Push it to a repository of its own.",
        )  # fmt: skip


# ---- sending ------------------------------------------------------------------------------------


class _Watched(io.BufferedReader):
    """A file that says how far it was read. The Hub's client sends what it is given as a file by LFS."""

    def __init__(self, path: Path) -> None:
        super().__init__(io.FileIO(path))
        self.tell_position: Any = None

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        if self.tell_position:
            self.tell_position(self.tell())
        return data


def _commit(
    hub: Any, repo_id: str, found: Found, files: list[Outgoing], title: str, description: str, progress: Progress,
    pull_request: bool,
) -> Any:  # fmt: skip
    from huggingface_hub import CommitOperationAdd

    done, total = dict.fromkeys((file.path for file in files), 0), float(sum(file.bytes for file in files))
    with ExitStack() as opened:
        additions = []
        for file in files:
            progress(0, total, f"reading {file.path}")
            source = opened.enter_context(_Watched(file.at))
            additions.append(CommitOperationAdd(file.path, source))  # reads it once, for its hash
            if additions[-1].upload_info.sha256.hex() != file.sha256:
                raise _changed(file)

            def seen(position: int, path: str = file.path) -> None:
                done[path] = position
                progress(min(float(sum(done.values())), total), total, path)

            source.tell_position = seen
        with _errors(repo_id, f"Nothing can be seen of it on {endpoint()}/{repo_id}."):
            hub.preupload_lfs_files(
                repo_id, additions, create_pr=pull_request, free_memory=False, gitignore_content=NOTHING_IGNORED
            )
        with _errors(repo_id, f"The last step may have been done: look at {endpoint()}/{repo_id} first."):
            info = hub.create_commit(
                repo_id, additions, commit_message=title, commit_description=description, create_pr=pull_request,
                parent_commit=found.head,
            )  # fmt: skip
    progress(total, total, "")
    return info


def _check_arrived(repo_id: str, revision: str, files: list[Outgoing], token: str) -> None:
    """Every file is on the Hub with the size and hash that its maker wrote."""
    with _errors(repo_id, f"It was pushed, but could not be looked at: see {endpoint()}/{repo_id}."):
        there = {file.path: file for file in list_files(Repository("model", repo_id, revision), token)}
    for file in files:
        remote = there.get(file.path)
        whole = remote is not None and (
            remote.sha256 == file.sha256 if remote.sha256 else verified(file.at, remote) == file.sha256
        )
        if not whole:
            raise WorkbenchError(
                f"{file.path} did not arrive in `{repo_id}` as it was sent.",
                "Its size or hash on the Hub is another.",
                f"Do not use it: remove it on {endpoint()}/{repo_id} and push again.",
            )


# ---- what goes wrong ----------------------------------------------------------------------------


@contextmanager
def _errors(repo_id: str, left: str) -> Iterator[None]:
    """What the Hub's client raises, for people. `left` says what is on the Hub now."""
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    try:
        if is_offline():
            raise OfflineModeIsEnabled
        yield
    except HfHubHTTPError as error:
        raise _refusal(error, repo_id, left) from error
    except (OfflineModeIsEnabled, httpx2.TransportError) as error:
        raise _unreachable(repo_id, left) from error
    except RuntimeError as error:  # around whatever stopped the upload of one file
        cause = error.__cause__
        if isinstance(cause, HfHubHTTPError):
            raise _refusal(cause, repo_id, left) from error
        if isinstance(cause, httpx2.TransportError):
            raise _unreachable(repo_id, left) from error
        raise
    except ValueError as error:  # the client's word for a model card or a large file that the Hub refuses
        why = " ".join(str(error).split())[:200]
        raise WorkbenchError(f"The Hub refuses what is pushed to `{repo_id}`.", why, left) from error


def _unreachable(repo_id: str, left: str) -> WorkbenchError:
    if is_offline():
        return RequestError(f"The Hub cannot be reached for `{repo_id}`.", "HF_HUB_OFFLINE is set.", "Unset it.")
    return WorkbenchError(
        f"The connection to the Hub broke while pushing to `{repo_id}`.", f"{endpoint()} stopped answering. {left}",
        "Push again: what arrived is not sent twice.",
    )  # fmt: skip


def _refusal(error: Any, repo_id: str, left: str) -> WorkbenchError:
    status = error.response.status_code
    said = " ".join(str(error.server_message or "").split())[:200].rstrip(".")
    said = f"It answered {status}{f': {said}' if said else ''}. {left}"
    if status in (401, 403):
        owner = repo_id.partition("/")[0]
        return RequestError(
            f"This token may not write to `{repo_id}`.", said,
            f"Take a token with write access for {owner} ({_tokens_page()}), or push under your own name.",
        )  # fmt: skip
    if status == 409:
        return RequestError(
            f"The repository `{repo_id}` is there already.", said, "Open a pull request, or choose another name."
        )
    if status == 412:
        return WorkbenchError(f"`{repo_id}` was changed meanwhile.", said, "Push again, on top of the change.")
    if status == 429:
        return WorkbenchError("The Hub asks us to wait.", said, "Push again in some minutes.")
    if status >= 500:
        return WorkbenchError("The Hub has trouble.", said, "Push again later: what arrived is not sent twice.")
    return WorkbenchError(f"The Hub refuses what is pushed to `{repo_id}`.", said, "Its page may say more.")
