"""Models in: found, judged, fetched whole. The real Hub client talks to a real server on this machine."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.hub_server import TOKEN, HubServer
from workbench import hub as rooms
from workbench.artifact import digest_of, manifest_of
from workbench.errors import RequestError, WorkbenchError
from workbench.hub import allowed, client, fetch_model, find_model, infer_task, search_models, starters, task_by_optimum

BERT = {
    "architectures": ["BertForSequenceClassification"],
    "model_type": "bert",
    "id2label": {"0": "bad", "1": "good"},
}


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    with HubServer() as server:
        monkeypatch.setattr(client, "PAUSE", 0.0)
        monkeypatch.setenv("HF_ENDPOINT", server.endpoint)
        monkeypatch.delenv("HF_TOKEN", raising=False)
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        yield server


def safetensors(size: int = 4000, seed: int = 1) -> bytes:
    header = json.dumps({"weight": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}).encode()
    body = (hashlib.sha256(bytes([seed])).digest() * (size // 32 + 1))[:size]
    return len(header).to_bytes(8, "little") + header + body


def model_files(**changed: Any) -> dict[str, bytes]:
    files = {
        "config.json": json.dumps(BERT | changed).encode(),
        "model.safetensors": safetensors(),
        "tokenizer.json": b'{"version": "1.0"}',
        "tokenizer_config.json": b"{}",
        "vocab.txt": b"[PAD]\nhello\n",
        "README.md": b"# A model\n",
        "pytorch_model.bin": b"pickle",
        "modeling_own.py": b"print('never run')",
        "onnx/model.onnx": b"onnx",
    }
    return files


def write(folder: Path, files: dict[str, bytes]) -> Path:
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return folder


def quiet(done: float, total: float, note: str) -> None:
    """Progress that nobody looks at."""


def said(error: pytest.ExceptionInfo[WorkbenchError]) -> str:
    text = str(error.value)
    sentences = [part for part in (error.value.what, error.value.why, error.value.fix) if part]
    assert len(sentences) <= 3 and "Traceback" not in text
    return text


# ---- finding ------------------------------------------------------------------------------------


def test_a_hub_model_is_found_without_its_weights(hub: HubServer) -> None:
    commit = hub.add("org/model", model_files(), pipeline_tag="text-classification", tags=["license:mit"])
    info = find_model("org/model")
    assert (info.id, info.kind, info.revision) == ("org/model", "hub", commit)
    assert [file.path for file in info.files] == [
        "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "vocab.txt",
    ]  # fmt: skip
    weights = info.files[1]
    assert weights.sha256 == hashlib.sha256(safetensors()).hexdigest() and weights.bytes == len(safetensors())
    assert info.config["model_type"] == "bert" and info.license == "mit"
    assert not hub.downloads("model.safetensors")


def test_a_list_beside_config_json_is_no_fault_of_a_model(hub: HubServer) -> None:
    hub.add("org/model", model_files() | {"data_config.json": b'[{"name": "pairs.jsonl.gz", "weight": 1}]'})
    assert find_model("org/model").config["model_type"] == "bert"


def test_onnx_files_come_along_only_when_they_are_asked_for(hub: HubServer) -> None:
    hub.add("org/model", model_files())
    paths = [file.path for file in find_model("org/model", formats=("onnx",)).files]
    assert "onnx/model.onnx" in paths and "model.safetensors" not in paths


def test_a_branch_that_moves_gives_another_commit_and_the_old_one_stays(hub: HubServer, tmp_path: Path) -> None:
    first = hub.add("org/model", model_files())
    old = find_model("org/model@main")
    second = hub.add("org/model", model_files() | {"model.safetensors": safetensors(seed=2)})
    assert old.revision == first and find_model("org/model", "main").revision == second
    fetch_model(old, tmp_path / "old", quiet)
    assert (tmp_path / "old/model.safetensors").read_bytes() == safetensors(seed=1)
    assert find_model(f"org/model@{first}").files == old.files


def test_long_listings_are_followed_page_by_page(hub: HubServer) -> None:
    hub.page_size = 3
    hub.add("org/model", model_files())
    assert len(find_model("org/model").files) == 5


def test_shards_are_taken_and_a_second_copy_of_the_weights_is_not(hub: HubServer) -> None:
    files = model_files()
    whole = files.pop("model.safetensors")
    shards = {f"model-0000{n}-of-00002.safetensors": whole for n in (1, 2)}
    index = json.dumps({"weight_map": {str(n): name for n, name in enumerate(shards)}}).encode()
    hub.add("org/big", files | shards | {"model.safetensors.index.json": index, "consolidated.safetensors": whole})
    paths = [file.path for file in find_model("org/big").files]
    assert set(shards) < set(paths) and "model.safetensors.index.json" in paths
    assert "consolidated.safetensors" not in paths


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("org/nothing", "There is no model called `org/nothing` on the Hub, or it is private."),
        ("org/private", "or it is private"),
        ("org/model@v9", "no revision `v9`"),
        ("org/pickle", "safetensors"),
        ("org/custom", "auto_map"),
        ("org/nested", "auto_map in tokenizer_config.json"),
        ("org/listed", "auto_map in data_config.json"),
        ("org/kernel", "_implementation"),
        ("org/bare", "no config.json"),
        ("org/adapter", "merge_and_unload"),
        ("org/broken", "not valid JSON"),
        ("./nowhere/model", "There is no folder"),
        ("a/b/c", "There is no folder"),
        ("starter:nothing", "There is no starter"),
        ("local:mine", "--model"),
    ],
)
def test_a_model_that_cannot_be_used_is_refused_in_three_sentences(hub: HubServer, name: str, expected: str) -> None:
    good = model_files()
    hub.add("org/model", good)
    hub.add("org/private", good, private=True)
    hub.add("org/pickle", {"config.json": good["config.json"], "pytorch_model.bin": b"pickle"})
    hub.add("org/custom", model_files(auto_map={"AutoModel": "modeling_own.Model"}))
    hub.add("org/nested", good | {"tokenizer_config.json": b'{"deep": [{"auto_map": {"AutoTokenizer": ["x", null]}}]}'})
    hub.add("org/listed", good | {"data_config.json": b'[{"auto_map": "modeling_own.Model"}]'})
    hub.add("org/kernel", model_files(_attn_implementation="somebody/kernels"))
    hub.add("org/bare", {"model.safetensors": safetensors()})
    hub.add("org/adapter", {"adapter_config.json": b"{}", "adapter_model.safetensors": safetensors()})
    hub.add("org/broken", good | {"config.json": b"{"})
    with pytest.raises(RequestError) as error:
        find_model(name)
    assert expected in said(error)


def test_two_revisions_in_one_request_are_refused(hub: HubServer) -> None:
    with pytest.raises(RequestError, match="Name one"):
        find_model("org/model@a", "b")


def test_a_gated_model_names_the_page_to_visit(hub: HubServer) -> None:
    hub.add("org/gated", model_files(), gated=True, readers=(TOKEN,))
    for token in (None, "hf_somebody_else"):
        with pytest.raises(RequestError, match="is gated") as error:
            find_model("org/gated", token=token)
        assert f"{hub.endpoint}/org/gated" in said(error)
    assert find_model("org/gated", token=TOKEN).gated


def test_a_private_model_opens_with_its_owners_token(hub: HubServer) -> None:
    hub.add("org/private", model_files(), private=True, readers=(TOKEN,))
    assert find_model("org/private", token=TOKEN).id == "org/private"


def test_without_a_network_the_error_says_so(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{free.getsockname()[1]}")
        with pytest.raises(RequestError, match="cannot be reached") as error:
            find_model("org/model")
        assert "starter:sentiment" in said(error)
        with pytest.raises(RequestError, match="cannot be reached"):
            search_models("bert")


def test_offline_mode_asks_nobody(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.add("org/model", model_files())
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(RequestError, match="HF_HUB_OFFLINE"):
        find_model("org/model")
    assert not hub.requests


# ---- fetching -----------------------------------------------------------------------------------


def test_a_model_arrives_whole_and_its_manifest_says_so(hub: HubServer, tmp_path: Path) -> None:
    hub.add("org/model", model_files())
    info, seen = find_model("org/model"), []
    manifest = fetch_model(info, tmp_path, lambda done, total, note: seen.append((done, total)))
    assert manifest == manifest_of(tmp_path)
    assert [entry["path"] for entry in manifest] == [file.path for file in info.files]
    assert seen[-1] == (info.size_bytes, info.size_bytes) and seen == sorted(seen)


def test_a_broken_download_goes_on_where_it_stopped(hub: HubServer, tmp_path: Path) -> None:
    hub.add("org/model", model_files())
    hub.break_off("model.safetensors", times=2)
    fetch_model(find_model("org/model"), tmp_path, quiet)
    assert (tmp_path / "model.safetensors").read_bytes() == safetensors()
    ranges = [one.range for one in hub.downloads("model.safetensors") if one.server == "storage"]
    half = len(safetensors()) // 2
    assert ranges[0] is None and ranges[1] == f"bytes={half}-" and len(ranges) == 3


def test_a_server_in_trouble_is_asked_again(hub: HubServer, tmp_path: Path) -> None:
    hub.add("org/model", model_files())
    info = find_model("org/model")
    hub.fail("vocab.txt", times=2)
    fetch_model(info, tmp_path, quiet)
    hub.fail("model.safetensors", times=100)
    with pytest.raises(WorkbenchError, match="trouble"):
        fetch_model(info, tmp_path / "other", quiet)


def test_a_server_without_ranges_is_begun_anew(hub: HubServer, tmp_path: Path) -> None:
    hub.add("org/model", model_files())
    hub.ranges = False
    hub.break_off("model.safetensors", times=2)
    fetch_model(find_model("org/model"), tmp_path, quiet)
    assert (tmp_path / "model.safetensors").read_bytes() == safetensors()


def test_a_download_that_keeps_breaking_fails_and_is_continued_the_next_time(hub: HubServer, tmp_path: Path) -> None:
    hub.add("org/model", model_files())
    info = find_model("org/model")
    hub.break_off("model.safetensors", times=100)
    with pytest.raises(WorkbenchError, match="broke off"):
        fetch_model(info, tmp_path, quiet)
    assert not (tmp_path / "model.safetensors").exists()
    hub.break_off("model.safetensors", times=0)
    hub.requests.clear()
    fetch_model(info, tmp_path, quiet)
    assert (tmp_path / "model.safetensors").read_bytes() == safetensors()
    assert hub.downloads("model.safetensors")[0].range and not hub.downloads("config.json")


@pytest.mark.parametrize("path", ["model.safetensors", "vocab.txt"])
def test_an_altered_file_is_fetched_again(hub: HubServer, tmp_path: Path, path: str) -> None:
    hub.add("org/model", model_files())
    hub.alter("config.json", times=1)
    hub.break_off("config.json", times=1)
    info = find_model("org/model")
    hub.alter(path, times=1)
    fetch_model(info, tmp_path, quiet)
    assert (tmp_path / path).read_bytes() == model_files()[path]


def test_a_file_that_stays_altered_is_never_taken(hub: HubServer, tmp_path: Path) -> None:
    hub.add("org/model", model_files())
    info = find_model("org/model")
    hub.alter("model.safetensors", times=100)
    with pytest.raises(WorkbenchError, match="did not arrive as the Hub describes it"):
        fetch_model(info, tmp_path, quiet)
    assert not list(tmp_path.rglob("*.safetensors"))


def test_a_damaged_file_from_an_earlier_try_is_replaced(hub: HubServer, tmp_path: Path) -> None:
    hub.add("org/model", model_files())
    info = find_model("org/model")
    (tmp_path / "model.safetensors").write_bytes(safetensors()[:-1] + b"?")
    assert fetch_model(info, tmp_path, quiet) == manifest_of(tmp_path)
    assert (tmp_path / "model.safetensors").read_bytes() == safetensors()


def test_a_folder_with_other_things_in_it_is_not_filled(hub: HubServer, tmp_path: Path) -> None:
    hub.add("org/model", model_files())
    (tmp_path / "own.txt").write_text("mine")
    with pytest.raises(WorkbenchError, match="empty folder"):
        fetch_model(find_model("org/model"), tmp_path, quiet)


def test_a_server_that_goes_away_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "PAUSE", 0.0)
    with HubServer() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.endpoint)
        server.add("org/model", model_files())
        info = find_model("org/model")
    with pytest.raises(WorkbenchError, match="broke off"):
        fetch_model(info, tmp_path, quiet)


# ---- tokens -------------------------------------------------------------------------------------


def test_a_token_goes_to_the_hub_and_nowhere_else(hub: HubServer, tmp_path: Path) -> None:
    hub.add("org/gated", model_files(), gated=True, readers=(TOKEN,))
    info = find_model("org/gated", token=TOKEN)
    fetch_model(info, tmp_path, quiet, token=TOKEN)
    assert hub.tokens_at("hub") == {TOKEN}
    assert any(one.server == "storage" for one in hub.requests) and not hub.tokens_at("storage")
    assert TOKEN not in repr(info)
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()]
    assert not any(TOKEN in value for value in os.environ.values())


def test_no_token_is_sent_when_none_is_wanted(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.add("org/model", model_files())
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    find_model("org/model", token=False)
    assert not hub.tokens_at("hub")


def test_an_error_never_shows_the_token(hub: HubServer) -> None:
    hub.add("org/gated", model_files(), gated=True)
    with pytest.raises(RequestError) as error:
        find_model("org/gated", token=TOKEN)
    assert TOKEN not in str(error.value) and TOKEN not in repr(error.value.__cause__)


# ---- folders and the starter --------------------------------------------------------------------


def test_a_local_folder_is_named_by_its_content(tmp_path: Path) -> None:
    folder = write(tmp_path / "mine", model_files())
    info = find_model(str(folder))
    assert (info.id, info.kind, len(info.revision)) == ("local:mine", "local", 64)
    manifest = fetch_model(info, tmp_path / "into", quiet)
    assert digest_of(manifest) == info.revision and not (tmp_path / "into/pytorch_model.bin").exists()
    again = find_model("local:renamed", at=folder.rename(tmp_path / "other"))
    assert again.id == "local:renamed" and again.revision == info.revision
    (tmp_path / "other/vocab.txt").write_text("changed")
    assert find_model(str(tmp_path / "other")).revision != info.revision


def test_a_local_folder_that_changes_meanwhile_is_not_taken(tmp_path: Path) -> None:
    folder = write(tmp_path / "mine", model_files())
    info = find_model(str(folder))
    (folder / "model.safetensors").write_bytes(safetensors(seed=3))
    with pytest.raises(WorkbenchError, match="not the file it was"):
        fetch_model(info, tmp_path / "into", quiet)


def test_a_link_out_of_a_local_folder_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "mine", model_files())
    (tmp_path / "secret").write_text("secret")
    (folder / "vocab.txt").unlink()
    (folder / "vocab.txt").symlink_to(tmp_path / "secret")
    with pytest.raises(RequestError, match="is a link out of"):
        find_model(str(folder))


def test_a_snapshot_of_the_hubs_own_cache_is_a_model(tmp_path: Path) -> None:
    blobs, snapshot = tmp_path / "repo/blobs", tmp_path / "repo/snapshots/abc"
    blobs.mkdir(parents=True)
    snapshot.mkdir(parents=True)
    for number, name in enumerate(("config.json", "model.safetensors")):
        (blobs / str(number)).write_bytes(model_files()[name])
        (snapshot / name).symlink_to(blobs / str(number))
    fetch_model(find_model(str(snapshot)), tmp_path / "into", quiet)
    assert not (tmp_path / "into/config.json").is_symlink()


def test_a_folder_without_config_and_a_file_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "mine", {"model.safetensors": safetensors()})
    with pytest.raises(RequestError, match=r"no config\.json"):
        find_model(str(tmp_path / "mine"))
    with pytest.raises(RequestError, match="is a file"):
        find_model(str(tmp_path / "mine/model.safetensors"))


def test_an_openvino_folder_is_taken_as_it_is(tmp_path: Path) -> None:
    files = {"model.xml": b"<net/>", "model.bin": b"1", "pytorch_model.bin": b"2"}
    files["config.json"] = json.dumps(BERT).encode()
    paths = [file.path for file in find_model(str(write(tmp_path, files)), formats=("openvino",)).files]
    assert paths == ["config.json", "model.bin", "model.xml"]


def test_a_folder_starter_is_found_and_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights, config = safetensors(), json.dumps(BERT).encode()
    files = {name: hashlib.sha256(content).hexdigest()
             for name, content in (("model.safetensors", weights), ("config.json", config))}  # fmt: skip
    card = {"kind": "folder", "task": "text-classification", "files": files, "licence": "MIT"}
    write(tmp_path / "starter/tiny", {"model.safetensors": weights, "config.json": config,
                                      "starter.json": json.dumps(card).encode(),
                                      "evaluation.csv": b"text,label\na,bad\n"})  # fmt: skip
    monkeypatch.setattr(starters, "starter_folder", lambda: tmp_path / "starter")
    info = find_model("starter:tiny")
    manifest = fetch_model(info, tmp_path / "into", quiet)
    assert digest_of(manifest) == info.revision and info.license == "MIT"
    with pytest.raises(RequestError, match="starter:tiny"):
        find_model("starter:sentimant")


@pytest.mark.parametrize("name", rooms.starter_models())
def test_every_starter_is_made_as_its_card_says(name: str, tmp_path: Path) -> None:
    info = find_model(f"starter:{name}")
    assert digest_of(fetch_model(info, tmp_path, quiet)) == info.revision
    assert infer_task(info) == info.pipeline_tag


# ---- tasks and search ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("architecture", "kind", "task"),
    [
        ("BertForSequenceClassification", "bert", "text-classification"),
        ("Wav2Vec2ForSequenceClassification", "wav2vec2", "audio-classification"),
        ("ViTForImageClassification", "vit", "image-classification"),
        ("BertForTokenClassification", "bert", "token-classification"),
        ("BertForQuestionAnswering", "bert", "question-answering"),
        ("AlbertForMaskedLM", "albert", "fill-mask"),
        ("LlamaForCausalLM", "llama", "text-generation"),
        ("GPT2LMHeadModel", "gpt2", "text-generation"),
        ("T5ForConditionalGeneration", "t5", "text2text-generation"),
        ("MarianMTModel", "marian", "text2text-generation"),
        ("WhisperForConditionalGeneration", "whisper", "automatic-speech-recognition"),
        ("LlavaForConditionalGeneration", "llava", "image-text-to-text"),
        ("Wav2Vec2ForCTC", "wav2vec2", "automatic-speech-recognition"),
        ("ASTForAudioClassification", "audio-spectrogram-transformer", "audio-classification"),
        ("DetrForObjectDetection", "detr", "object-detection"),
        ("BertModel", "bert", "feature-extraction"),
        ("CLIPModel", "clip", "zero-shot-image-classification"),
        ("SiglipModel", "siglip", "zero-shot-image-classification"),
        ("CLIPTextModel", "clip", "feature-extraction"),
        ("SegformerForSemanticSegmentation", "segformer", "image-segmentation"),
    ],
)
def test_the_task_is_read_from_the_class(architecture: str, kind: str, task: str) -> None:
    assert rooms.task_of_class({"architectures": [architecture], "model_type": kind}) == task


def make_info(pipeline_tag: str | None = None, **config: Any) -> rooms.ModelInfo:
    return rooms.ModelInfo("org/model", "hub", "0" * 40, (), config, pipeline_tag=pipeline_tag)


def test_the_hubs_tag_helps_where_the_class_does_not() -> None:
    assert infer_task(make_info("text-generation", architectures=["Unheard"])) == "text-generation"
    assert infer_task(make_info("feature-extraction", architectures=["BertModel"])) == "feature-extraction"


def test_a_sentence_model_is_known_by_its_tag_or_its_modules() -> None:
    for architecture in ("BertModel", "MPNetForMaskedLM"):
        assert infer_task(make_info("sentence-similarity", architectures=[architecture])) == "sentence-similarity"
    modules = rooms.RemoteFile("modules.json", None, None, 100)
    folder = replace(make_info(architectures=["BertModel"]), files=(modules,))
    assert infer_task(folder) == "sentence-similarity"
    assert infer_task(replace(folder, pipeline_tag="feature-extraction")) == "feature-extraction"
    assert infer_task(replace(folder, config={"architectures": ["BertForSequenceClassification"]})) == (
        "text-classification"
    )
    assert infer_task(make_info(architectures=["BertForMaskedLM"]), "sentence-similarity") == "sentence-similarity"


def test_the_pooling_files_of_a_sentence_model_are_fetched() -> None:
    files = ["config.json", "model.safetensors", "modules.json", "1_Pooling/config.json", "sentence_bert_config.json"]
    assert set(allowed.choose([*files, "1_Pooling/other.bin", "README.md"], "org/model")) == set(files)


def test_optimum_is_asked_last_and_its_silence_is_an_error() -> None:
    jobs: list[dict[str, Any]] = []

    def optimum(job: dict[str, Any]) -> str | None:
        jobs.append(job)
        return "image-segmentation" if job.get("architectures") == ["MaskThing"] else None

    assert infer_task(make_info(architectures=["MaskThing"]), optimum=optimum) == "image-segmentation"
    with pytest.raises(RequestError, match="--task"):
        infer_task(make_info(), optimum=optimum)
    infer_task(make_info(architectures=["BertForMaskedLM"]), optimum=optimum)
    assert len(jobs) == 2


def test_a_model_of_another_task_is_refused() -> None:
    info = make_info(architectures=["BertForTokenClassification"], model_type="bert")
    with pytest.raises(RequestError, match="is a token classifier, not a text classifier") as error:
        infer_task(info, "sentiment-analysis")
    assert "--task token-classification" in said(error)
    assert infer_task(info, "ner") == "token-classification"
    with pytest.raises(RequestError, match="no task called `txt`"):
        infer_task(info, "txt")


def test_optimum_knows_synonyms_and_classes() -> None:
    code = (
        "from workbench.hub import task_by_optimum as ask;"
        "print(ask({'task': 'sequence-classification'}), ask({'task': 'nonsense'}),"
        "ask({'architectures': ['Nothing', 'MaskFormerForInstanceSegmentation']}))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert out.stdout.split()[-3:] == ["text-classification", "None", "image-segmentation"]
    assert task_by_optimum.__doc__


def test_a_search_lists_models_with_safetensors_most_used_first(hub: HubServer) -> None:
    tags = ["safetensors", "license:mit"]
    hub.add("org/bert-a", model_files(), pipeline_tag="text-classification", downloads=5, tags=tags)
    hub.add("org/bert-b", model_files(), pipeline_tag="text-classification", downloads=9, tags=tags, gated=True)
    hub.add("org/bert-c", model_files(), pipeline_tag="fill-mask", downloads=7, tags=tags)
    hub.add("org/bert-old", model_files(), pipeline_tag="text-classification", downloads=99)
    found = search_models("bert", "text-classification")
    seen = [(one.id, one.gated, one.license) for one in found]
    assert seen == [("org/bert-b", True, "mit"), ("org/bert-a", False, "mit")]
    assert len(search_models("bert", limit=1)) == 1


def test_opening_the_room_imports_nothing_heavy() -> None:
    heavy = ["torch", "transformers", "pandas", "pyarrow", "huggingface_hub", "PIL", "numpy"]
    code = f"import sys, workbench.hub; print([m for m in {heavy} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
