"""Which files of a model are fetched, and which models are refused before anything of them is loaded."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
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
NOT_OURS = ("starter.json",)
CODE_KEYS = ("auto_map", "custom_pipelines", "custom_generate")


def choose(paths: Iterable[str], name: str, formats: Sequence[str] = ("safetensors",)) -> list[str]:
    """The paths to fetch of model `name`, sorted: configuration, tokenizer, preprocessor, and weights in `formats`.

    Raises RequestError without config.json or such weights; names the conversion where there are only pickles.
    """
    if unknown := set(formats) - set(FORMATS):
        raise RequestError(f"There is no weight format called {sorted(unknown)[0]}.", f"Known: {', '.join(FORMATS)}.")
    paths = sorted(paths)
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
    """RequestError when a parsed JSON file asks for code from a repository, at any depth."""
    for path, document in documents:
        if key := _asks_for_code(document):
            raise RequestError(
                f"`{name}` needs code of its own ({key} in {path}).",
                "Code from a repository is never run here.",
                "Take a model of an architecture that transformers has built in.",
            )


def _asks_for_code(value: Any, depth: int = 0) -> str:
    """The key that does: code by class name, remote code switched on, or attention kernels from the Hub."""
    if depth > 50:
        return "nesting"
    if isinstance(value, list):
        return next((key for item in value if (key := _asks_for_code(item, depth + 1))), "")
    if not isinstance(value, dict):
        return ""
    for key, inner in value.items():
        if (key in CODE_KEYS or key == "trust_remote_code") and inner:
            return str(key)
        if "_implementation" in str(key) and "/" in str(inner):
            return str(key)
        if found := _asks_for_code(inner, depth + 1):
            return found
    return ""


def parse_json(path: str, content: bytes, name: str) -> Any:
    """Raises RequestError for what is no JSON."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise RequestError(f"{path} of `{name}` is not valid JSON.", f"{str(error)[:200]}.") from error


def parse_config(path: str, content: bytes, name: str) -> dict[str, Any]:
    """Raises RequestError for what is no JSON object."""
    config = parse_json(path, content, name)
    if not isinstance(config, dict):
        raise RequestError(f"{path} of `{name}` is not a JSON object.", "", "Check that this is a model folder.")
    return config


def checked_config(paths: Iterable[str], read: Callable[[str], bytes], name: str) -> dict[str, Any]:
    """config.json, after every top-level `…config.json` was looked through for code. Some hold lists, such as the
    data_config.json of sentence-transformers."""
    config = parse_config("config.json", read("config.json"), name)
    others = [path for path in paths if "/" not in path and path.endswith("config.json") and path != "config.json"]
    documents = [(path, parse_json(path, read(path), name)) for path in others]
    refuse_code([("config.json", config), *documents], name)
    return config
