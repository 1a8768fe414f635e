"""A row of a finished run on the Hub: what is there can be loaded and read, and tells nothing that it should not."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import ModelCard, snapshot_download

from tests.conftest import Small
from tests.push_server import Person, PushServer, card_faults
from workbench import bench
from workbench.artifact import files_below
from workbench.errors import RequestError, WorkbenchError
from workbench.event import Event, Progress
from workbench.store import Store

CANARY = "hf_canaryThatNobodyMayEverFind"
ROW = "onnx-int8-dynamic"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[PushServer]:
    with PushServer() as server:
        server.people = {CANARY: Person("me")}
        monkeypatch.setenv("HF_ENDPOINT", server.endpoint)
        yield server


def push(warm_run: tuple[Path, str], row: str = ROW, repo_id: str = "me/model", **changes: Any) -> dict[str, Any]:
    return bench.push(warm_run[1], row, repo_id, **{"token": CANARY} | changes)


def content(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files_below(folder)}


def fetched(hub: PushServer, into: Path, name: str = "me/model") -> Path:
    """The whole repository, by the Hub's own client."""
    return Path(snapshot_download(name, endpoint=hub.endpoint, cache_dir=into, token=CANARY))


def blocks(card: str, language: str) -> list[str]:
    return [part.split("```")[0] for part in card.split(f"```{language}\n")[1:]]


# ---- what is there ------------------------------------------------------------------------------


def test_a_row_comes_back_from_the_hub_as_it_was_built(
    hub: PushServer, warm_home: Path, warm_run: tuple[Path, str], tmp_path: Path
) -> None:
    done = push(warm_run)
    there = content(fetched(hub, tmp_path / "cache"))
    model = content(bench.take(warm_run[1], tmp_path / "out") / "models" / ROW)
    assert {path: there[path] for path in model} == model
    assert set(there) - set(model) == {"README.md", "recipe.yaml", "report.json", ".gitattributes"}
    assert there["recipe.yaml"] == bench.recipe_file(warm_run[1], ROW).read_bytes()
    assert there["report.json"].decode() == bench.render(warm_run[1], "json")
    assert set(done["files"]) == set(there) - {".gitattributes"} and done["url"] == f"{hub.endpoint}/me/model"


def test_its_card_is_one_that_the_hub_takes_and_the_one_that_was_shown_before(
    hub: PushServer, warm_home: Path, warm_run: tuple[Path, str], tmp_path: Path
) -> None:
    shown = bench.model_card(warm_run[1], ROW, "me/model")
    push(warm_run)
    card = ModelCard.load(fetched(hub, tmp_path / "cache") / "README.md")
    assert str(card) == shown and not card_faults(shown)
    assert card.data.pipeline_tag == "text-classification" and card.data.library_name == "onnx"
    assert card.data.base_model is None and "no base model is named" in card.text


def test_what_the_card_says_about_loading_works(
    hub: PushServer, warm_home: Path, warm_run: tuple[Path, str], small: Small, tmp_path: Path
) -> None:
    push(warm_run)
    ours, alone = blocks(bench.model_card(warm_run[1], ROW, "me/model"), "python")
    env = os.environ | {"HF_HOME": str(tmp_path / "hf"), "HF_TOKEN": CANARY}
    code = f"{alone}\nprint(sorted(one.name for one in model.get_inputs()))\n"
    said = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True).stdout
    assert "input_ids" in said
    code = ours.replace('"the folder of the original model"', repr(str(small.model)))
    code += "\nprint(model.facts()['precision'])\n"
    said = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True).stdout
    assert said.split()[-1] == "int8"


def test_a_plain_export_is_not_called_quantized(warm_home: Path, warm_run: tuple[Path, str]) -> None:
    from workbench.report.model_card import is_quantized

    said = {row["name"]: is_quantized(row) for row in bench.report(warm_run[1])[0]["rows"]}
    assert said == {"pytorch-fp32": False, "onnx-fp32": False, ROW: True}


def test_nobodys_rows_and_no_path_of_this_machine_are_pushed(
    hub: PushServer, warm_home: Path, warm_run: tuple[Path, str], small: Small, tmp_path: Path
) -> None:
    push(warm_run)
    everything = b"\n".join(hub.files("me/model").values())
    with small.rows.open(newline="", encoding="utf-8") as file:
        texts = [row["text"] for row in csv.DictReader(file) if len(row["text"]) > 40]
    assert texts and not [text for text in texts if text.encode() in everything]
    for place in (small.model.parent, warm_home, warm_run[0], tmp_path, Path.home() / ".cache"):
        assert str(place).encode() not in everything


# ---- a pull request -----------------------------------------------------------------------------


def test_a_pull_request_adds_one_folder_and_lists_what_is_in_it(
    hub: PushServer, warm_home: Path, warm_run: tuple[Path, str]
) -> None:
    head = hub.add("org/model", {"README.md": b"theirs", "config.json": b"theirs"})
    done = push(warm_run, repo_id="org/model", pull_request=True)
    (pull,) = hub.pulls("org/model")
    after = hub.files("org/model", "refs/pr/1")
    assert pull.parent == head and done["pull_request"].endswith("/org/model/discussions/1")
    assert (after["README.md"], after["config.json"]) == (b"theirs", b"theirs")
    assert {path for path in after if path.startswith(f"{ROW}/")} == set(after) - {"README.md", "config.json"}
    assert all(f"- `{path}`" in pull.description for path in done["files"])
    card = after[f"{ROW}/README.md"].decode()
    assert card == bench.model_card(warm_run[1], ROW, "org/model", pull_request=True) and f'"{ROW}/recipe.yaml"' in card
    with pytest.raises(RequestError, match="cannot be private"):
        push(warm_run, repo_id="org/model", pull_request=True, private=True)


# ---- what is refused ----------------------------------------------------------------------------


def test_a_repository_that_is_there_is_refused_with_the_way_out(
    hub: PushServer, warm_home: Path, warm_run: tuple[Path, str]
) -> None:
    hub.add("me/model", {"README.md": b"mine"})
    with pytest.raises(RequestError, match="is there already") as error:
        push(warm_run)
    assert "Open a pull request instead" in error.value.fix and hub.files("me/model") == {"README.md": b"mine"}


def test_a_row_without_files_of_its_own_is_refused(
    hub: PushServer, warm_home: Path, warm_run: tuple[Path, str]
) -> None:
    with pytest.raises(RequestError, match="the model as it came"):
        push(warm_run, row="pytorch-fp32")
    with pytest.raises(RequestError, match="nothing"):
        push(warm_run, row="nothing")
    with pytest.raises(RequestError, match="cannot be the name of a repository"):
        push(warm_run, repo_id="model")
    assert not hub.requests


def test_files_that_are_gone_or_damaged_are_not_pushed(
    hub: PushServer, warm_home: Path, warm_run: tuple[Path, str]
) -> None:
    plan = bench.plan_of(warm_run[1])
    key = plan.piece(plan.variants[-1].artifact).key
    found = Store().find(key)
    assert found
    weights = next(path for path in files_below(found.path) if path.suffix == ".onnx")
    weights.write_bytes(b"?" * weights.stat().st_size)
    with pytest.raises(WorkbenchError, match="not in the store any more"):
        push(warm_run)
    assert not hub.requests


# ---- the token ----------------------------------------------------------------------------------


def files_with(secret: str, folders: Iterable[Path]) -> list[Path]:
    found = []
    for folder in folders:
        for path in folder.rglob("*"):
            try:
                found += [path] if path.is_file() and secret.encode() in path.read_bytes() else []
            except FileNotFoundError:  # it came and went
                continue
    return found


def processes_with(secret: str) -> list[str]:
    """Command lines and environments that hold it, of every process."""
    found = []
    for path in [*Path("/proc").glob("[0-9]*/cmdline"), *Path("/proc").glob("[0-9]*/environ")]:
        try:
            found += [str(path)] if secret.encode() in path.read_bytes() else []
        except OSError:
            continue
    return found


@pytest.mark.parametrize("trouble", ["", "/commit/", "whoami"])
def test_the_token_is_in_no_file_no_event_and_no_process_list_while_and_after_it_is_used(
    hub: PushServer, warm_home: Path, warm_run: tuple[Path, str], tmp_path: Path, trouble: str
) -> None:
    places = (warm_home, tmp_path, Path(os.environ["TMPDIR"]))
    seen: list[Event] = []
    leaks: list[Any] = []

    def tell(event: Event) -> None:
        seen.append(event)
        leaks.extend([*processes_with(CANARY), *files_with(CANARY, (warm_home / "aside", warm_home / "runs"))])

    if trouble:
        hub.refuse(trouble, 400, "No", times=9)
        with pytest.raises(WorkbenchError) as error:
            push(warm_run, tell=tell)
        assert CANARY not in str(error.value) and CANARY not in getattr(error.value, "tail", "")
    else:
        push(warm_run, tell=tell)
        assert isinstance(seen[-1], Progress) and seen[-1].done == seen[-1].total > 0
    assert hub.tokens_at("hub") == {CANARY} and not hub.tokens_at("storage")
    assert not leaks and not processes_with(CANARY) and not files_with(CANARY, places)
    assert CANARY not in repr(seen) and CANARY not in repr(list(Store().events(warm_run[1])))


def test_nothing_is_left_of_a_push_that_failed(hub: PushServer, warm_home: Path, warm_run: tuple[Path, str]) -> None:
    before = content(warm_home / "runs")
    hub.refuse("/commit/", 400, "No")
    with pytest.raises(WorkbenchError, match="refuses"):
        push(warm_run)
    assert content(warm_home / "runs") == before and not list((warm_home / "aside").iterdir())
    assert set(hub.files("me/model")) == {".gitattributes"}
    push(warm_run)
    assert "model.onnx" in hub.files("me/model")
