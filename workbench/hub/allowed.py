"""Which files of a model are fetched, and which models are refused before anything of them is loaded."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from workbench.errors import RequestError

FORMATS = ("safetensors", "onnx", "openvino")

CONFIGURATION = re.compile(
    r"[^/]+\.json|[0-9]+_[A-Za-z]+/config\.json|tokenizer\.model|spiece\.model|sentencepiece\.bpe\.model|source\.spm|"
    r"target\.spm|[^/]*(vocab|merges|added_tokens)[^/]*\.txt|[^/]+\.tiktoken|chat_template\.jinja|LICENSE(\.txt|\.md)?|NOTICE"
)
WEIGHTS = {
    "safetensors": re.compile(r"[^/]+\.safetensors"),
    "onnx": re.compile(r"(onnx/)?[^/]+\.(onnx|onnx_data(_\d+)?|onnx\.data|data)|onnx/[^/]+\.(json|txt)"),
    "openvino": re.compile(r"(openvino/)?[^/]+\.(xml|bin)|openvino/[^/]+\.json"),
}
PICKLES = re.compile(r"[^/]+\.(bin|pt|pth|ckpt|pkl|h5|msgpack)")
NOT_WEIGHTS = re.compile(r"training_args\.bin|optimizer\.[^/]+|scheduler\.[^/]+|rng_state[^/]*|.*openvino.*")
NOT_OURS = ("starter.json", "adapter_config.json")  # an adapter beside a whole model names a base model elsewhere
CODE_KEYS = ("auto_map", "custom_pipelines", "custom_generate")
INDEX = "model.safetensors.index.json"
MOST_CONFIG = 5_000_000  # bytes
MOST_INDEX = 50_000_000
# Keys of a configuration under which a library opens the file that is named there.
OPENED = re.compile(
    r"transformers_weights|(vocab|merges|spm|entity_vocab|target_vocab|sp_model|bpe_codes|gguf)_file|vocab_path|"
    r"(source|target)_spm|(fast_tokenizer|chat_template)_files?"
)
OUTSIDE = re.compile(r"^([/\\~]|[A-Za-z]:[/\\]|\w+://|file:)|(^|[/\\])\.\.([/\\]|$)", re.IGNORECASE)
# What a config.json may count at most: beyond, only building the model would fill the memory.
MOST_LAYERS, MOST_OTHER = 10_000, 1_000_000_000
LAYERS = re.compile(r"(num|n)_(\w+_)?(layers?|blocks?|stages)|(encoder|decoder)_layers|depths?|layers")
SIZES = re.compile(r"\w*(_size|_dim|_dims|_heads|_experts|_positions|_embeddings|d_model|d_ff|n_embd|n_ctx)")


def choose(paths: Iterable[str], name: str, formats: Sequence[str] = ("safetensors",)) -> list[str]:
    """The paths to fetch of model `name`, sorted: configuration, tokenizer, preprocessor, and weights in `formats`.

    Raises RequestError without config.json or such weights; names the conversion where there are only pickles.
    """
    if unknown := set(formats) - set(FORMATS):
        raise RequestError(f"There is no weight format called {sorted(unknown)[0]}.", f"Known: {', '.join(FORMATS)}.")
    paths = sorted(path for path in paths if path.isprintable())
    if "config.json" not in paths:
        raise _no_config(paths, name)
    weights: list[str] = []
    for format in formats:
        found = [path for path in paths if WEIGHTS[format].fullmatch(path)]
        weights += NARROW.get(format, list)(found)
    if not any(not path.endswith((".json", ".txt")) for path in weights):
        raise _no_weights(paths, name, formats)
    config = [path for path in paths if CONFIGURATION.fullmatch(path) and path not in NOT_OURS]
    return sorted({*config, *weights})


def transformers_weights(paths: list[str]) -> list[str]:
    """What transformers would load: one file, else the shards, else all there are."""
    if "model.safetensors" in paths:
        return ["model.safetensors"]
    shards = [path for path in paths if re.fullmatch(r"model-\d+-of-\d+\.safetensors", path)]
    return shards or paths


def openvino_weights(paths: list[str]) -> list[str]:
    """A .bin beside its .xml; any other .bin is a pickle."""
    return [path for path in paths if not path.endswith(".bin") or path.removesuffix("bin") + "xml" in paths]


NARROW: dict[str, Callable[[list[str]], list[str]]] = {
    "safetensors": transformers_weights, "openvino": openvino_weights,
}  # fmt: skip


def _no_config(paths: list[str], name: str) -> RequestError:
    if "adapter_config.json" in paths:
        return RequestError(
            f"`{name}` is an adapter, not a whole model.", "Its base model is elsewhere.",
            "Merge it with peft's `merge_and_unload` and `save_pretrained`, then give that folder.",
        )  # fmt: skip
    return RequestError(
        f"`{name}` has no config.json.", "Without it nobody knows which architecture it is.",
        "Give a folder or a repository as `save_pretrained` writes it.",
    )  # fmt: skip


def _no_weights(paths: list[str], name: str, formats: Sequence[str]) -> RequestError:
    pickles = [path for path in paths if PICKLES.fullmatch(path) and not NOT_WEIGHTS.fullmatch(path)]
    if pickles and "safetensors" in formats:
        return RequestError(
            f"`{name}` has only pickle weights ({pickles[0]}).",
            "Loading a pickle may run any code that is in it.",
            "Convert it to safetensors, for example with the Hub's Space safetensors/convert.",
        )
    return RequestError(
        f"`{name}` has no {' or '.join(formats)} weights.", "", "Check that this is the model you meant."
    )


def refuse_code(documents: Iterable[tuple[str, Any]], name: str) -> None:
    """RequestError when a parsed JSON file asks for code from a repository, or for a file outside it, at any depth."""
    for path, document in documents:
        for key, value in _keys(document):
            if _asks_for_code(key, value):
                raise RequestError(
                    f"`{name}` needs code of its own ({key} in {path}).",
                    "Code from a repository is never run here.",
                    "Take a model of an architecture that transformers has built in.",
                )
            if OPENED.fullmatch(key) and any(OUTSIDE.search(one) for one in _texts(value)):
                raise RequestError(
                    f"`{name}` names a file outside its folder ({key} in {path}).", "Only its own files are opened.",
                    f"Take {key} out of {path}.",
                )  # fmt: skip


def _keys(value: Any, depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Every key with its value; one that nests deeper than any configuration does is called "nesting"."""
    if depth > 50:
        yield "nesting", True
    elif isinstance(value, list):
        for item in value:
            yield from _keys(item, depth + 1)
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield str(key), inner
            yield from _keys(inner, depth + 1)


def _asks_for_code(key: str, value: Any) -> bool:
    """Code by class name, remote code switched on, attention kernels from the Hub, or a nest to get lost in."""
    if key in CODE_KEYS or key in ("trust_remote_code", "use_kernels", "kernel_config"):
        return bool(value)
    return ("_implementation" in key and "/" in str(value)) or (key == "nesting" and value is True)


def _texts(value: Any) -> list[str]:
    return [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, str)]


def refuse_shape(config: dict[str, Any], name: str) -> None:
    """RequestError where what everybody reads of a config.json is of another kind than `save_pretrained` writes."""
    wrong = {
        "architectures": not _is_list_of_texts(config.get("architectures") or []),
        "model_type": not isinstance(config.get("model_type") or "", str),
        "id2label": not _is_plain(config.get("id2label") or {}),
        "label2id": not _is_plain(config.get("label2id") or {}),
    }
    for key in (key for key, is_wrong in wrong.items() if is_wrong):
        raise RequestError(
            f"`{name}` cannot be read ({key} in config.json).", "It is not as `save_pretrained` writes it.",
            "Save the model again, or take another one.",
        )  # fmt: skip


def _is_list_of_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _is_plain(value: Any) -> bool:
    """A mapping to plain values."""
    return isinstance(value, dict) and all(isinstance(one, str | int | float) for one in value.values())


def refuse_absurd(config: dict[str, Any], name: str) -> None:
    """RequestError for a config.json whose numbers describe no model that any machine could build."""
    for key, value in _keys(config):
        for number in value if isinstance(value, list) else [value]:
            if isinstance(number, bool) or not isinstance(number, int | float):
                continue
            most = MOST_LAYERS if LAYERS.fullmatch(key) else MOST_OTHER if SIZES.fullmatch(key) else None
            if most is not None and not -1 <= number <= most:  # -1 stands for "all" in some
                raise RequestError(
                    f"`{name}` cannot be built ({key} in config.json is {str(number)[:20]}).",
                    f"At most {most:,} make sense.",
                    "Check that this is the file that `save_pretrained` wrote.",
                )  # fmt: skip


def check_index(document: Any, name: str) -> None:
    """RequestError where the list of a model's shards is none, or leads out of its folder."""
    listed = document.get("weight_map") if isinstance(document, dict) else None
    if not isinstance(listed, dict) or not all(isinstance(one, str) for one in listed.values()):
        raise RequestError(
            f"{INDEX} of `{name}` lists no shards.", "It has no `weight_map` of file names.", "Save it again."
        )
    for shard in set(listed.values()):
        if not WEIGHTS["safetensors"].fullmatch(shard) or not shard.isprintable():
            raise RequestError(
                f"`{name}` names a file outside its folder ({shard[:80]!r} in {INDEX}).",
                "Shards are safetensors files beside it.", "Save it again with `save_pretrained`.",
            )  # fmt: skip


def parse_json(path: str, content: bytes, name: str) -> Any:
    """Raises RequestError for what is no JSON."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise RequestError(
            f"{path} of `{name}` is not valid JSON.",
            f"{str(error)[:200]}.",
            "Save the model again with `save_pretrained`.",
        ) from error


def check_size(path: str, size: int, name: str) -> None:
    """RequestError for a JSON file that is larger than any of its kind."""
    most = MOST_INDEX if path == INDEX else MOST_CONFIG
    if size <= most:
        return
    raise RequestError(
        f"{path} of `{name}` is too large.", f"It has {size:,} bytes; at most {most:,} are read.",
        "Check that this is a model folder.",
    )  # fmt: skip


def parse_config(path: str, content: bytes, name: str) -> dict[str, Any]:
    """Raises RequestError for what is no JSON object."""
    config = parse_json(path, content, name)
    if not isinstance(config, dict):
        raise RequestError(f"{path} of `{name}` is not a JSON object.", "", "Check that this is a model folder.")
    return config


def checked_config(paths: Iterable[str], read: Callable[[str], bytes], name: str) -> dict[str, Any]:
    """config.json, after every `…config.json` was looked through for code. Some hold lists, such as the
    data_config.json of sentence-transformers."""
    paths = list(paths)
    config = parse_config("config.json", read("config.json"), name)
    others = [path for path in paths if path.endswith("config.json") and path != "config.json"]
    documents = [(path, parse_json(path, read(path), name)) for path in others]
    refuse_code([("config.json", config), *documents], name)
    refuse_shape(config, name)
    refuse_absurd(config, name)
    return config
