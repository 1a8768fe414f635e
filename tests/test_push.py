"""A model out, to the Hub: whole or not at all, over nothing, and with a token that nobody else ever sees."""

from __future__ import annotations

import hashlib
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.push_server import Person, PushServer, card_faults
from workbench.artifact import manifest_of
from workbench.errors import RequestError, WorkbenchError
from workbench.hub.pushing import FILE_LIMIT, Outgoing, push_files

TOKEN = "hf_canaryMayWrite"
READ_ONLY = "hf_canaryMayRead"
CARD = b"---\nlibrary_name: onnx\ntags:\n- onnx\n---\n\n# A model\n"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[PushServer]:
    import huggingface_hub.utils._http as client

    with PushServer() as server:
        server.people = {TOKEN: Person("me", owns=("our-team",)), READ_ONLY: Person("me", role="read")}
        monkeypatch.setattr(client, "time", SimpleNamespace(**vars(time) | {"sleep": lambda seconds: None}))
        monkeypatch.setenv("HF_ENDPOINT", server.endpoint)
        for name in ("HF_TOKEN", "HF_HUB_OFFLINE"):
            monkeypatch.delenv(name, raising=False)
        yield server


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What is pushed: a card, a small text file, and weights that go by LFS."""
    made = tmp_path / "made"
    (made / "sub").mkdir(parents=True)
    (made / "README.md").write_bytes(CARD)
    (made / "config.json").write_text('{"model_type": "bert"}')
    (made / "model.onnx").write_bytes(hashlib.sha256(b"weights").digest() * 4000)
    (made / "sub/tokenizer.json").write_text("{}")
    return made


def outgoing(folder: Path, below: str = "") -> list[Outgoing]:
    return [
        Outgoing(folder / one["path"], f"{below}{one['path']}", one["sha256"], one["bytes"])
        for one in manifest_of(folder)
    ]


def push(folder: Path, repo_id: str = "me/model", below: str = "", **changes: Any) -> dict[str, Any]:
    given: dict[str, Any] = {"token": TOKEN, "progress": lambda done, total, note: None} | changes
    return push_files(repo_id, outgoing(folder, below), "Add a model", "It adds a model.", **given)


def content(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def pushed(hub: PushServer, name: str = "me/model", revision: str = "main") -> dict[str, bytes]:
    """Without what the Hub itself puts into a new repository."""
    return {path: body for path, body in hub.files(name, revision).items() if path != ".gitattributes"}


def said(error: pytest.ExceptionInfo[WorkbenchError]) -> str:
    text = str(error.value)
    assert "Traceback" not in text and TOKEN not in text and READ_ONLY not in text
    assert error.value.what and error.value.fix
    return text


# ---- a new repository ---------------------------------------------------------------------------


def test_a_new_repository_holds_every_byte_in_one_commit(hub: PushServer, folder: Path) -> None:
    done = push(folder)
    assert pushed(hub) == content(folder)
    repo = hub.repos["model", "me/model"]
    assert list(repo.commits)[-1] == done["commit"] and len(repo.commits) == 2
    assert done["url"] == f"{hub.endpoint}/me/model" and done["pull_request"] is None and not done["private"]
    assert done["bytes"] == sum(len(body) for body in content(folder).values())


def test_weights_go_by_lfs_to_the_storage_and_the_rest_in_the_commit(hub: PushServer, folder: Path) -> None:
    push(folder)
    weights = (folder / "model.onnx").read_bytes()
    assert hub.pushes.blobs == {hashlib.sha256(weights).hexdigest(): weights}
    assert [one.server for one in hub.requests if one.method == "PUT"] == ["storage"]


def test_a_very_large_file_goes_in_parts(hub: PushServer, folder: Path) -> None:
    hub.part_size = 50_000
    push(folder)
    assert pushed(hub) == content(folder)
    assert hub.asked("?part=") == 3


def test_a_private_repository_and_one_of_an_organization_are_made_as_asked(hub: PushServer, folder: Path) -> None:
    assert push(folder, "our-team/model", private=True)["private"]
    assert hub.repos["model", "our-team/model"].private and pushed(hub, "our-team/model") == content(folder)


def test_progress_ends_with_every_byte(hub: PushServer, folder: Path) -> None:
    seen: list[tuple[float, float]] = []
    done = push(folder, progress=lambda done, total, note: seen.append((done, total)))
    assert seen[-1] == (done["bytes"], done["bytes"]) and {total for _, total in seen} == {done["bytes"]}
    assert any(0 < now < done["bytes"] for now, _ in seen)


# ---- over nothing -------------------------------------------------------------------------------


def test_a_repository_that_is_there_is_refused_and_stays_as_it_was(hub: PushServer, folder: Path) -> None:
    hub.add("me/model", {"README.md": b"mine"})
    with pytest.raises(RequestError, match="is there already") as error:
        push(folder)
    assert "pull request" in said(error)
    assert hub.files("me/model") == {"README.md": b"mine"} and not hub.pushes.blobs


def test_a_repository_that_this_token_cannot_see_is_refused_too(hub: PushServer, folder: Path) -> None:
    hub.add("me/model", {"README.md": b"mine"}, private=True)
    with pytest.raises(RequestError, match="is there already"):
        push(folder)


def test_an_empty_repository_is_filled_unless_it_is_public_and_should_not_be(hub: PushServer, folder: Path) -> None:
    hub.add("me/model", {".gitattributes": b""})
    with pytest.raises(RequestError, match="empty and public") as error:
        push(folder, private=True)
    assert said(error) and not pushed(hub)
    push(folder)
    assert pushed(hub) == content(folder)


def test_a_commit_of_somebody_else_in_the_meantime_is_not_written_over(hub: PushServer, folder: Path) -> None:
    def meanwhile(done: float, total: float, note: str) -> None:
        if note.startswith("reading") and "me/model" in {name for _, name in hub.repos} and not pushed(hub):
            hub.add("me/model", {"theirs.txt": b"theirs"})

    with pytest.raises(WorkbenchError, match="changed meanwhile") as error:
        push(folder, progress=meanwhile)
    assert said(error) and hub.files("me/model") == {"theirs.txt": b"theirs"}


# ---- a pull request -----------------------------------------------------------------------------


def test_a_pull_request_adds_to_the_current_head_and_says_what(hub: PushServer, folder: Path) -> None:
    hub.add("org/model", {"README.md": b"older"})
    head = hub.add("org/model", {"README.md": b"theirs", "model.safetensors": b"theirs"})
    done = push(folder, "org/model", below="int8/", pull_request=True)
    (pull,) = hub.pulls("org/model")
    assert (pull.parent, pull.commit, pull.title) == (head, done["commit"], "Add a model")
    assert pull.description == "It adds a model." and done["pull_request"] == f"{hub.endpoint}/org/model/discussions/1"
    assert hub.files("org/model") == {"README.md": b"theirs", "model.safetensors": b"theirs"}
    added = {f"int8/{path}": body for path, body in content(folder).items()}
    assert hub.files("org/model", "refs/pr/1") == hub.files("org/model") | added


def test_a_pull_request_that_would_replace_a_file_is_refused(hub: PushServer, folder: Path) -> None:
    hub.add("org/model", {"int8/config.json": b"theirs"})
    with pytest.raises(RequestError, match="adds files and replaces none") as error:
        push(folder, "org/model", below="int8/", pull_request=True)
    assert "int8/config.json" in said(error) and not hub.pulls("org/model")


def test_a_pull_request_needs_a_repository(hub: PushServer, folder: Path) -> None:
    with pytest.raises(RequestError, match="no repository `me/nothing`") as error:
        push(folder, "me/nothing", pull_request=True)
    assert said(error) and not hub.repos


def test_what_a_repository_ignores_is_pushed_nevertheless(hub: PushServer, folder: Path) -> None:
    hub.add("org/model", {".gitignore": b"*.onnx\n*.json\n"})
    push(folder, "org/model", below="int8/", pull_request=True)
    assert "int8/model.onnx" in hub.files("org/model", "refs/pr/1")


# ---- names and tokens ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["model", "a/b/c", "me/", "/model", "me/mo del", "me/a--b", "me/a..b", "me/x.git", "me/" + "x" * 100, "", "../x"],
)
def test_a_name_that_cannot_be_is_refused_before_anybody_is_asked(hub: PushServer, folder: Path, name: str) -> None:
    with pytest.raises(RequestError, match="cannot be the name of a repository") as error:
        push(folder, name)
    assert "owner/name" in said(error) and not hub.requests


def test_pushing_without_a_token_says_how_to_log_in(hub: PushServer, folder: Path, tmp_path: Path,
                                                    monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    with pytest.raises(RequestError, match="needs a token") as error:
        push(folder, token=None)
    assert f"{hub.endpoint}/settings/tokens" in said(error) and not hub.requests


def test_an_empty_token_never_stands_for_the_one_that_is_logged_in(
    hub: PushServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    for empty in ("", " \n"):
        with pytest.raises(RequestError, match="needs a token"):
            push(folder, token=empty)
    assert not hub.requests
    push(folder, token=None)
    assert hub.tokens_at("hub") == {TOKEN}


def test_a_token_that_the_hub_does_not_know_is_told_so(hub: PushServer, folder: Path) -> None:
    with pytest.raises(RequestError, match="does not know this token") as error:
        push(folder, token="hf_somebodyElse")
    assert "hf_somebodyElse" not in said(error) and not hub.repos


@pytest.mark.parametrize("token", [f"{TOKEN}\nX-Evil: 1", f"{TOKEN} {TOKEN}", f"{TOKEN}ü", f"{TOKEN}\0"])
def test_a_text_that_is_no_token_is_never_sent_nor_shown(hub: PushServer, folder: Path, token: str) -> None:
    with pytest.raises(RequestError, match="no token of the Hub") as error:
        push(folder, token=token)
    assert said(error) and not hub.requests


def test_space_around_a_copied_token_does_no_harm(hub: PushServer, folder: Path) -> None:
    push(folder, token=f" {TOKEN}\n")
    assert pushed(hub) == content(folder)


@pytest.mark.parametrize("pull_request", [False, True])
def test_a_token_that_may_only_read_is_refused_before_anything_is_made(
    hub: PushServer, folder: Path, pull_request: bool
) -> None:
    hub.add("org/model", {"README.md": b"theirs"})
    with pytest.raises(RequestError, match="may only read") as error:
        push(folder, "org/model" if pull_request else "me/model", token=READ_ONLY, pull_request=pull_request)
    assert "write access" in said(error)
    assert hub.asked("create") == 0 and not hub.pushes.blobs


def test_a_token_without_the_right_to_this_owner_is_refused_by_the_hub(hub: PushServer, folder: Path) -> None:
    hub.people[TOKEN] = Person("me", role="fineGrained")
    with pytest.raises(RequestError, match="may not write to `our-team/model`") as error:
        push(folder, "our-team/model")
    assert "under the namespace" in said(error) and not hub.repos


def test_the_token_goes_to_the_hub_and_never_to_its_storage(hub: PushServer, folder: Path) -> None:
    hub.part_size = 50_000
    push(folder)
    assert hub.tokens_at("hub") == {TOKEN} and any(one.server == "storage" for one in hub.requests)
    assert not hub.tokens_at("storage")
    assert not any(TOKEN.encode() in body for body in hub.bodies) and not any(TOKEN in one.path for one in hub.requests)


# ---- trouble ------------------------------------------------------------------------------------


def test_an_upload_that_breaks_off_shows_nothing_and_goes_on_the_next_time(hub: PushServer, folder: Path) -> None:
    (folder / "second.onnx").write_bytes(hashlib.sha256(b"second").digest() * 5000)
    second = hashlib.sha256((folder / "second.onnx").read_bytes()).hexdigest()
    hub.drop(f"/large/{second}", times=50)
    with pytest.raises(WorkbenchError, match="connection to the Hub broke") as error:
        push(folder)
    assert "Nothing can be seen" in said(error) and "Push again" in said(error)
    assert not pushed(hub) and len(hub.repos["model", "me/model"].commits) == 1
    hub.drop(f"/large/{second}", times=0)
    hub.requests.clear()
    push(folder)
    assert pushed(hub) == content(folder)
    assert [one.path for one in hub.requests if one.method == "PUT"] == [f"/large/{second}"]


def test_a_storage_in_passing_trouble_is_asked_again(hub: PushServer, folder: Path) -> None:
    hub.refuse("/large/", 503, times=2)
    push(folder)
    assert pushed(hub) == content(folder)


@pytest.mark.parametrize(
    ("where", "status", "expected"),
    [
        ("whoami", 503, "has trouble"),
        ("repos/create", 402, "refuses"),
        ("/preupload/", 403, "may not write"),
        ("/large/", 403, "may not write"),
        ("objects/batch", 500, "has trouble"),
        ("/commit/", 503, "has trouble"),
        ("/commit/", 429, "asks us to wait"),
        ("validate-yaml", 400, "refuses"),
    ],
)
def test_what_the_hub_answers_is_said_in_words_and_nothing_is_shown(
    hub: PushServer, folder: Path, where: str, status: int, expected: str
) -> None:
    hub.refuse(where, status, "Storage limit reached", times=50)
    with pytest.raises(WorkbenchError, match=expected) as error:
        push(folder)
    assert (said(error) and ("model", "me/model") not in hub.repos) or not pushed(hub)


def test_a_lost_answer_to_the_commit_is_not_taken_for_a_failure(hub: PushServer, folder: Path) -> None:
    hub.drop("/commit/")
    with pytest.raises(WorkbenchError, match="may have been done"):
        push(folder)


@pytest.mark.parametrize("path", ["config.json", "model.onnx"])
def test_a_file_that_is_not_what_was_made_is_not_pushed(hub: PushServer, folder: Path, path: str) -> None:
    files = outgoing(folder)
    (folder / path).write_bytes(b"X" * (folder / path).stat().st_size)
    with pytest.raises(WorkbenchError, match="not what it was when it was made") as error:
        push_files("me/model", files, "Add", "", token=TOKEN, progress=lambda *_: None)
    assert said(error) and not pushed(hub) and not hub.pushes.blobs


@pytest.mark.parametrize("path", ["config.json", "model.onnx"])
def test_a_file_that_the_hub_shows_otherwise_is_named(hub: PushServer, folder: Path, path: str) -> None:
    hub.spoil(path)
    with pytest.raises(WorkbenchError, match=f"{path} did not arrive .* as it was sent") as error:
        push(folder)
    assert "Do not use it" in said(error)


def test_a_file_too_large_for_the_hub_is_refused_with_the_numbers(hub: PushServer, tmp_path: Path) -> None:
    with (tmp_path / "model.onnx").open("wb") as file:
        file.truncate(FILE_LIMIT + 1)  # takes no room
    huge = Outgoing(tmp_path / "model.onnx", "model.onnx", "0" * 64, FILE_LIMIT + 1)
    with pytest.raises(RequestError, match="too large for the Hub") as error:
        push_files("me/model", [huge], "Add", "", token=TOKEN, progress=lambda *_: None)
    assert "50.0 GB" in said(error) and not hub.requests


def test_without_a_network_the_error_says_so(hub: PushServer, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(RequestError, match="HF_HUB_OFFLINE"):
        push(folder)
    monkeypatch.delenv("HF_HUB_OFFLINE")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{free.getsockname()[1]}")
        with pytest.raises(WorkbenchError, match="connection to the Hub broke") as error:
            push(folder)
    assert "Nothing was pushed" in said(error) and not hub.requests


def test_the_hub_of_these_tests_refuses_a_wrong_card() -> None:
    assert not card_faults(CARD.decode())
    assert card_faults("# No metadata") and card_faults("---\nbase_model_relation: export\nbase_model: a/b\n---\n")
    assert card_faults("---\nlicense: free beer\n---\n")
