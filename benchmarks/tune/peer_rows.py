"""What the peers' scripts share: rows of a CSV file as inputs of a model, and a model that libraries take. Needs numpy
and transformers, and onnx for an ONNX model; nothing of ours."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from transformers import AutoTokenizer

MAX_DROP = 0.01
Feed = dict[str, Any]
Row = tuple[Feed, int]


def labels(model: str) -> dict[str, int]:
    numbers: dict[str, int] = _config(model)["label2id"]
    return numbers


def read(path: str, model: str, names: Sequence[str]) -> list[Row]:
    """Each row's inputs of those names, one text a batch, and the number its label has in the model's config.json."""
    tokenizer = AutoTokenizer.from_pretrained(model)
    numbers = labels(model)
    limit = min(tokenizer.model_max_length, _config(model).get("max_position_embeddings", tokenizer.model_max_length))

    def fed(text: str) -> Feed:
        said = tokenizer(text, truncation=True, max_length=limit, return_tensors="np")
        return {name: said[name].astype(np.int64) for name in names}

    with open(path, encoding="utf-8", newline="") as file:
        return [(fed(row["text"]), numbers[row["label"]]) for row in csv.DictReader(file)]


def right(answer: Callable[[Feed], Any], rows: Iterable[Row]) -> list[float]:
    """1 for each row whose highest logit is at its label, else 0."""
    return [float(int(np.argmax(answer(feed))) == label) for feed, label in rows]


def whole(path: str) -> Any:
    """The ONNX model with its weights inside, and without the shapes that torch's exporter notes for weights: checks
    of the graph fail on some of them. Our own steps leave them out too."""
    import onnx

    model = onnx.load(path)
    weights = {one.name for one in model.graph.initializer}
    kept = [one for one in model.graph.value_info if one.name not in weights]
    del model.graph.value_info[:]
    model.graph.value_info.extend(kept)
    return model


def _config(model: str) -> dict[str, Any]:
    said: dict[str, Any] = json.loads((Path(model) / "config.json").read_text(encoding="utf-8"))
    return said
