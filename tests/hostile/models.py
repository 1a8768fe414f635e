# ruff: noqa: E501 - one line a case
"""Model folders: code by configuration, pickles, links, absurd numbers, and safetensors that lie."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.hostile import Case, Scene

BERT: dict[str, Any] = {
    "architectures": ["BertForSequenceClassification"], "model_type": "bert", "id2label": {"0": "bad", "1": "good"},
    "num_hidden_layers": 2, "hidden_size": 32,
}  # fmt: skip
OWN = {"AutoModel": "modeling_own.Model"}


def tensors(head: Any, body: bytes = b"", length: int | None = None) -> bytes:
    """A safetensors file with this head, said to be `length` bytes long."""
    said = head if isinstance(head, bytes) else json.dumps(head).encode()
    return (len(said) if length is None else length).to_bytes(8, "little") + said + body


def entry(begin: int, end: int, shape: Any = None, dtype: Any = "U8", **more: Any) -> dict[str, Any]:
    return {"dtype": dtype, "shape": [end - begin] if shape is None else shape, "data_offsets": [begin, end]} | more


GOOD = tensors({"weight": entry(0, 8)}, bytes(8))


def folder(scene: Scene, config: Any = None, **files: Any) -> Path:
    """A whole model with one thing changed; `__` in a name stands for a dot."""
    named = {name.replace("__", "."): content for name, content in files.items()}
    said = BERT | (config or {}) if config is None or isinstance(config, dict) else config
    return scene.write({"config.json": said, "model.safetensors": GOOD, "modeling_own.py": scene.program()} | named)


def config(**changed: Any) -> Callable[[Scene], Path]:
    return lambda scene: folder(scene, changed)


def beside(**files: Any) -> Callable[[Scene], Path]:
    return lambda scene: folder(scene, **files)


def raw_config(content: bytes) -> Callable[[Scene], Path]:
    return lambda scene: folder(scene, config__json=content)


def weights(content: bytes) -> Callable[[Scene], Path]:
    return lambda scene: folder(scene, model__safetensors=content)


def shards(index: Any) -> Callable[[Scene], Path]:
    return beside(model__safetensors__index__json=index)


def pickled(name: str) -> Callable[[Scene], Path]:
    return lambda scene: scene.write({"config.json": BERT, name: scene.pickle()})


def linked(name: str, target: Callable[[Scene], Path]) -> Callable[[Scene], Path]:
    def build(scene: Scene) -> Path:
        made = folder(scene)
        (made / name).unlink(missing_ok=True)
        (made / name).symlink_to(target(scene))
        return made

    return build


def sparse(name: str, size: int) -> Callable[[Scene], Path]:
    def build(scene: Scene) -> Path:
        made = folder(scene)
        with (made / name).open("wb") as file:
            file.truncate(size)
        return made

    return build


def piped(scene: Scene) -> Path:
    made = folder(scene)
    (made / "config.json").unlink()
    os.mkfifo(made / "config.json")
    return made


def nested(levels: int, inside: Any) -> Any:
    for _ in range(levels):
        inside = {"text_config": inside}
    return inside


def climbing(key: str, value: str) -> Callable[[Scene], Path]:
    return lambda scene: folder(scene, tokenizer_config__json={key: value.format(secret=scene.secret)})


CODE, FILE, HEAD = "needs code of its own", "outside its folder", "not a safetensors file"
BUILDS: dict[str, tuple[Callable[[Scene], Path], str]] = {
    # code
    "auto_map in the configuration": (config(auto_map=OWN), CODE),
    "auto_map in an inner configuration": (config(text_config={"auto_map": OWN}), CODE),
    "auto_map in a list": (config(layers=[{"a": 1}, {"auto_map": OWN}]), CODE),
    "auto_map of the tokenizer": (beside(tokenizer_config__json={"auto_map": {"AutoTokenizer": ["own.T", None]}}), CODE),
    "auto_map of the processor": (beside(processor_config__json={"auto_map": {"AutoProcessor": "own.P"}}), CODE),
    "auto_map of the preprocessor": (beside(preprocessor_config__json={"auto_map": {"AutoImageProcessor": "o.P"}}), CODE),
    "auto_map of the generation": (beside(generation_config__json={"auto_map": OWN}), CODE),
    "auto_map of a video processor": (beside(video_preprocessor_config__json={"auto_map": OWN}), CODE),
    "auto_map of a pooling": (lambda s: folder(s, **{"1_Pooling/config__json": {"auto_map": OWN}}), CODE),
    "auto_map of somebody else's repository": (config(auto_map={"AutoModel": "evil/repo--modeling.Model"}), CODE),
    "custom generation": (config(custom_generate="own"), CODE),
    "custom pipelines": (config(custom_pipelines={"own": {"impl": "own.Pipeline"}}), CODE),
    "remote code switched on": (config(trust_remote_code=True), CODE),
    "remote code switched on further inside": (config(vision_config={"trust_remote_code": "yes"}), CODE),
    "attention from the Hub": (config(attn_implementation="evil/kernel"), CODE),
    "attention from the Hub under its inner name": (config(_attn_implementation_internal="evil/kernel@main"), CODE),
    "attention of one part from the Hub": (config(attn_implementation={"text_config": "evil/kernel"}), CODE),
    "experts from the Hub": (config(experts_implementation="evil/experts"), CODE),
    "kernels switched on": (config(use_kernels=True), CODE),
    "kernels by configuration": (config(kernel_config={"kernel_mapping": {"RMSNorm": "evil/k:N"}}), CODE),
    "code under a hundred levels": (config(**nested(100, {"auto_map": OWN})), CODE),
    # files of others
    "a vocabulary by its absolute name": (climbing("vocab_file", "{secret}"), FILE),
    "a vocabulary that climbs": (climbing("vocab_file", "../outside/secret.txt"), FILE),
    "merges that climb": (climbing("merges_file", "a/../../outside/secret.txt"), FILE),
    "pieces by a home folder": (climbing("spm_file", "~/secret.model"), FILE),
    "pieces by an address": (climbing("sp_model_file", "file:///etc/passwd"), FILE),
    "a chat template by its absolute name": (climbing("chat_template_file", "{secret}"), FILE),
    "weights that climb": (config(transformers_weights="../outside/model.safetensors"), FILE),
    "weights in another format by name": (config(gguf_file="/etc/passwd"), FILE),
    # pickles and links
    "pickled weights": (pickled("pytorch_model.bin"), "pickle"),
    "pickled weights of another name": (pickled("model.pt"), "pickle"),
    "a pickled checkpoint": (pickled("last.ckpt"), "pickle"),
    "a pickle called pkl": (pickled("weights.pkl"), "pickle"),
    "no weights but a program": (lambda s: s.write({"config.json": BERT, "model.py": s.program()}), "no safetensors"),
    "an adapter of a model elsewhere": (
        lambda s: s.write({"adapter_config.json": {"base_model_name_or_path": str(s.secret.parent)},
                           "adapter_model.safetensors": GOOD}), "is an adapter"),
    "weights behind a link": (linked("model.safetensors", lambda s: s.secret.parent / "model.safetensors"), "link out of"),
    "a configuration behind a link": (linked("config.json", lambda s: s.secret), "link out of"),
    "a tokenizer behind a link": (linked("tokenizer.json", lambda s: s.secret), "link out of"),
    "a licence behind a link": (linked("LICENSE", lambda s: s.secret), "link out of"),
    "a configuration that is a pipe": (piped, "no config.json"),
    # configurations that are none
    "a configuration of nothing": (raw_config(b""), "not valid JSON"),
    "a configuration of zeros": (raw_config(bytes(100)), "not valid JSON"),
    "a configuration in another code": (raw_config(json.dumps(BERT | {"a": "ü"}, ensure_ascii=False).encode("latin-1")), "not valid JSON"),
    "a configuration that is a list": (raw_config(b"[1, 2]"), "not a JSON object"),
    "a configuration that is a number": (raw_config(b"7"), "not a JSON object"),
    "a configuration of a hundred thousand levels": (raw_config(b'{"a":' * 100_000 + b"1" + b"}" * 100_000), "not valid JSON"),
    "a configuration with a number of many digits": (raw_config(b'{"a": ' + b"9" * 100_000 + b"}"), "not valid JSON"),
    "a configuration of six megabytes": (raw_config(b'{"a": "' + b"x" * 6_000_000 + b'"}'), "too large"),
    "a configuration of a hundred gigabytes": (sparse("config.json", 10**11), "too large"),
    "a tokenizer's configuration of a hundred gigabytes": (sparse("tokenizer_config.json", 10**11), "too large"),
    "a pickle called config.json": (lambda s: folder(s, config__json=s.pickle()), "not valid JSON"),
    "labels in a list": (config(id2label=["bad", "good"]), "id2label"),
    "labels in labels": (config(id2label={"0": {"1": "bad"}}), "id2label"),
    "an architecture that is a number": (config(architectures=7), "architectures"),
    "architectures that are lists": (config(architectures=[["BertModel"]]), "architectures"),
    "a model type that is a list": (config(model_type=["bert"]), "model_type"),
    # numbers
    "a thousand million layers": (config(num_hidden_layers=10**9), "cannot be built"),
    "layers in a list": (config(depths=[2, 2, 10**8]), "cannot be built"),
    "fewer than no layers": (config(num_hidden_layers=-5), "cannot be built"),
    "a width beyond any memory": (config(hidden_size=10**13), "cannot be built"),
    "a vocabulary beyond any memory": (config(text_config={"vocab_size": 10**15}), "cannot be built"),
    "a number of layers that is none": (raw_config(json.dumps(BERT).replace("2,", "NaN,", 1).encode()), "cannot be built"),
    "experts without end": (raw_config(json.dumps(BERT)[:-1].encode() + b', "num_experts": Infinity}'), "cannot be built"),
    # shards
    "shards that climb": (shards({"weight_map": {"a": "../outside/model.safetensors"}}), FILE),
    "shards by absolute names": (shards({"weight_map": {"a": "/etc/passwd.safetensors"}}), FILE),
    "pickled shards": (shards({"weight_map": {"a": "model-00001-of-00002.bin"}}), FILE),
    "shards in a list": (shards({"weight_map": ["a.safetensors"]}), "lists no shards"),
    "shards that are numbers": (shards({"weight_map": {"a": 7}}), "lists no shards"),
    "no list of shards": (shards([1]), "lists no shards"),
    # safetensors
    "weights of no bytes": (weights(b""), HEAD),
    "weights of seven bytes": (weights(bytes(7)), HEAD),
    "a head beyond the file": (weights(tensors({}, length=10**6)), HEAD),
    "a head of 16 exabytes": (weights(b"\xff" * 8 + b"{}"), HEAD),
    "a head that wraps around": (weights(tensors({}, length=(1 << 64) - 8)), HEAD),
    "a head that is no JSON": (weights(tensors(b"{'weight'")), HEAD),
    "a head that is a list": (weights(tensors([])), HEAD),
    "a head in another code": (weights(tensors(b'{"\xff": 1}')), HEAD),
    "a head of a hundred thousand levels": (weights(tensors(b'{"a":' * 100_000)), HEAD),
    "a head with one name twice": (weights(tensors(b'{"a": %b, "a": %b}' % ((json.dumps(entry(0, 4)).encode(),) * 2), bytes(4))), HEAD),
    "a head with one key twice": (weights(tensors(b'{"a": {"dtype": "U8", "dtype": "F32", "shape": [4], "data_offsets": [0, 4]}}', bytes(4))), HEAD),
    "tensors that overlap": (weights(tensors({"a": entry(0, 8), "b": entry(4, 12)}, bytes(12))), HEAD),
    "tensors in one place": (weights(tensors({"a": entry(0, 8), "b": entry(0, 8)}, bytes(8))), HEAD),
    "a gap between tensors": (weights(tensors({"a": entry(0, 4), "b": entry(8, 12)}, bytes(12))), HEAD),
    "bytes that nobody speaks of": (weights(tensors({"a": entry(0, 4)}, bytes(400))), HEAD),
    "a tensor beyond the file": (weights(tensors({"a": entry(0, 10**9)}, bytes(4))), HEAD),
    "a tensor that ends before it begins": (weights(tensors({"a": entry(8, 0, [8])}, bytes(8))), HEAD),
    "a place below zero": (weights(tensors({"a": entry(-8, 0, [8])}, bytes(8))), HEAD),
    "a shape larger than its bytes": (weights(tensors({"a": entry(0, 8, [1 << 40])}, bytes(8))), HEAD),
    "a shape that wraps around": (weights(tensors({"a": entry(0, 0, [1 << 32, 1 << 32])})), HEAD),
    "a shape below zero": (weights(tensors({"a": entry(0, 8, [-2, -4])}, bytes(8))), HEAD),
    "a shape of halves": (weights(tensors({"a": entry(0, 8, [2.5, 3.2])}, bytes(8))), HEAD),
    "a shape of true": (weights(tensors({"a": entry(0, 1, [True])}, bytes(1))), HEAD),
    "a shape of a thousand dimensions": (weights(tensors({"a": entry(0, 1, [1] * 1000)}, bytes(1))), HEAD),
    "a type that is none": (weights(tensors({"a": entry(0, 8, dtype="PICKLE")}, bytes(8))), HEAD),
    "a type that is a list": (weights(tensors({"a": entry(0, 8, dtype=["U8"])}, bytes(8))), HEAD),
    "a tensor with one key more": (weights(tensors({"a": entry(0, 8, location="../x")}, bytes(8))), HEAD),
    "a tensor that is a number": (weights(tensors({"a": 1})), HEAD),
    "metadata that are no texts": (weights(tensors({"__metadata__": {"a": [1]}, "a": entry(0, 1)}, bytes(1))), HEAD),
    "a name that moves the cursor": (weights(tensors({"a\x1b[2J": entry(0, 1)}, bytes(1))), HEAD),
    "a name of a megabyte": (weights(tensors({"a" * 10**6: entry(0, 1)}, bytes(1))), HEAD),
    "a pickle called safetensors": (lambda s: folder(s, model__safetensors=s.pickle()), HEAD),
    "weights of a terabyte of nothing": (sparse("model.safetensors", 10**12), HEAD),
}  # fmt: skip
CASES = {name: Case("model", build, says) for name, (build, says) in BUILDS.items()}
