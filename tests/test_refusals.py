"""What the plan refuses before any weight is asked for: gated, huge, code-carrying, and models of another task."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests import small as make
from tests.conftest import command
from tests.hub_server import TOKEN, HubServer
from tests.test_hub import model_files, said
from workbench import bench, catalog, machine
from workbench.errors import RequestError
from workbench.hub.tasks import KNOWN

WEIGHTS = ("model.safetensors", "pytorch_model.bin", "onnx/model.onnx")
TB = 10**12


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    with HubServer() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.endpoint)
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        yield server


@pytest.fixture
def rows(tmp_path: Path) -> str:
    return str(make.make_rows(tmp_path / "rows.csv"))


@pytest.fixture
def refused(hub: HubServer, rows: str) -> Any:
    """Plan a comparison of a Hub model that must be refused: the words, once no weight was asked for."""

    def plan(model: str, **asked: Any) -> str:
        with pytest.raises(RequestError) as error:
            bench.plan(bench.request(model, data=rows, **asked))
        assert hub.requests and nothing_heavy(hub)
        return said(error)

    return plan


def nothing_heavy(hub: HubServer) -> bool:
    """No weight was asked for, neither of the Hub nor of its storage."""
    return not any(hub.downloads(path) for path in WEIGHTS) and not any(r.server == "storage" for r in hub.requests)


def test_a_gated_model_names_the_page_to_visit(hub: HubServer, refused: Any) -> None:
    hub.add("org/gated", model_files(), gated=True, readers=(TOKEN,))
    words = refused("org/gated")
    assert "gated" in words and f"{hub.endpoint}/org/gated" in words


def test_a_model_too_large_for_the_memory_is_refused_with_the_numbers(hub: HubServer, refused: Any) -> None:
    hub.add("org/huge", model_files())
    hub.claim("model.safetensors", 3 * TB)
    words = refused("org/huge")
    assert "too large for this machine's memory" in words and "3000.0 GB" in words


def test_a_model_too_large_for_the_disk_is_refused_with_the_numbers(
    hub: HubServer, refused: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    roomy = replace(machine.this_machine(), memory_bytes=1000 * TB)
    monkeypatch.setattr(machine, "this_machine", lambda: roomy)
    hub.add("org/huge", model_files())
    hub.claim("model.safetensors", 100 * TB)
    words = refused("org/huge")
    assert "not enough room" in words and "250000.0 GB are needed" in words and "workbench clean" in words


@pytest.mark.parametrize("key", ["auto_map", "custom_generate", "trust_remote_code"])
def test_a_model_that_asks_for_code_of_its_own_is_refused_by_the_key(hub: HubServer, refused: Any, key: str) -> None:
    value: Any = True if key == "trust_remote_code" else {"AutoModel": "modeling_own.Model"}
    hub.add("org/custom", model_files(**{key: value}))
    assert f"needs code of its own ({key} in config.json)" in refused("org/custom")


def test_python_files_of_a_model_that_needs_none_are_never_asked_for(hub: HubServer, rows: str) -> None:
    hub.add("org/stray", model_files(id2label={"0": "NEGATIVE", "1": "POSITIVE"}))
    plan = bench.plan(bench.request("org/stray", ["pytorch-fp32"], data=rows))
    assert not [file["path"] for file in plan.model["files"] if file["path"].endswith(".py")]
    assert not hub.downloads("modeling_own.py") and nothing_heavy(hub)


def test_a_model_of_another_task_than_the_one_asked_for_is_refused(hub: HubServer, refused: Any) -> None:
    hub.add("org/model", model_files())
    words = refused("org/model", task="token-classification")
    assert "is a text classifier, not a token classifier" in words and "--task text-classification" in words


def test_a_model_for_a_task_that_is_not_here_is_refused_with_those_that_are(hub: HubServer, refused: Any) -> None:
    assert "depth-estimation" in KNOWN and "depth-estimation" not in catalog.tasks()
    hub.add("org/depth", model_files(architectures=["DPTForDepthEstimation"], model_type="dpt"))
    words = refused("org/depth")
    assert "`org/depth` is for depth-estimation, and there is no such task here" in words
    assert all(name in words for name in catalog.tasks())


def test_a_refusal_is_exit_code_2_and_three_lines(hub: HubServer, rows: str) -> None:
    hub.add("org/custom", model_files(auto_map={"AutoModel": "modeling_own.Model"}))
    done = command("compare", "org/custom", "--data", rows)
    assert done.returncode == 2 and done.stdout == "" and len(done.stderr.strip().splitlines()) <= 3
    assert nothing_heavy(hub)
