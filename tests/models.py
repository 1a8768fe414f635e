"""Tiny random models in transformers' layout, a task for them, and examples: real parts, small sizes."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from workbench.plugin import Prepared, StepContext
from workbench.steps import STEPS

WORDS, CLASSES, SIDE = 99, 3, 16


def tiny_bert(folder: Path, seed: int = 0) -> Path:
    """A two-layer BERT classifier of three classes, 32 wide, in float32, with weights large enough to tell apart."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification

    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=WORDS,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
        num_labels=CLASSES,
        initializer_range=0.2,
    )
    BertForSequenceClassification(config).eval().save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]"]), encoding="utf-8")
    return folder


def tiny_vit(folder: Path, seed: int = 0) -> Path:
    """A two-layer ViT classifier of three classes for pictures of 3 x 16 x 16."""
    import torch
    from transformers import ViTConfig, ViTForImageClassification

    torch.manual_seed(seed)
    config = ViTConfig(
        image_size=SIDE,
        patch_size=8,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        num_labels=CLASSES,
        initializer_range=0.2,
    )
    ViTForImageClassification(config).eval().save_pretrained(folder)
    return folder


class TextTask:
    """What steps and sessions need of a task."""

    auto_class = "AutoModelForSequenceClassification"
    asks = ()

    def class_for(self, config: dict[str, Any]) -> str:
        return self.auto_class

    def asks_for(self, config: dict[str, Any]) -> tuple[type, ...]:
        return self.asks

    def collate(self, prepared: Prepared, indices: Any) -> dict[str, np.ndarray]:
        longest = {name: max(len(values[index]) for index in indices) for name, values in prepared.tensors.items()}
        return {
            name: np.stack([_padded(values[index], longest[name], prepared.padding.get(name)) for index in indices])
            for name, values in prepared.tensors.items()
        }


class ImageTask(TextTask):
    auto_class = "AutoModelForImageClassification"


def texts(count: int, seed: int = 1) -> Prepared:
    """Random ids of 3 to 20 words; no token types, as many tokenizers give none."""
    random = np.random.default_rng(seed)
    ids = [random.integers(4, WORDS, random.integers(3, 21)) for _ in range(count)]
    tensors = {"input_ids": ids, "attention_mask": [np.ones(len(row), np.int64) for row in ids]}
    return _prepared(tensors, {"input_ids": 0, "attention_mask": 0}, count)


def pictures(count: int, seed: int = 1) -> Prepared:
    random = np.random.default_rng(seed)
    values = [random.normal(size=(3, SIDE, SIDE)).astype(np.float32) for _ in range(count)]
    return _prepared({"pixel_values": values}, {}, count)


def context(model: Path, examples: Prepared, calibration: Prepared | None = None, seen: list[Any] | None = None) -> Any:
    """A StepContext; what a step reports is appended to `seen`."""
    heard = [] if seen is None else seen
    task: Any = ImageTask() if "pixel_values" in examples.tensors else TextTask()
    return StepContext(task, model, examples, calibration, lambda done, total, note: heard.append((done, total, note)))


@cache
def home() -> Path:
    """A folder for everything built here, shared by all test files, gone when the tests end."""
    folder = Path(tempfile.mkdtemp(prefix="models-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@cache
def built(*names: str, model: str = "bert") -> Path:
    """The tiny model after these steps with their defaults, each built once: built("export-onnx", "cast")."""
    return make(built(*names[:-1], model=model), names[-1], model)[0] if names else _model(model)


def make(source: Path, name: str, model: str = "bert", seen: list[Any] | None = None, **options: Any) -> Any:
    """(folder, facts) of one step on `source`; eight calibration examples."""
    examples = (texts if model == "bert" else pictures)(8)
    given = context(_model(model), examples, examples, seen)
    into = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=home()))
    chosen = step(name)
    return into, chosen.apply(source, into, chosen.Options(**options), given)


def step(name: str) -> Any:
    return next(found() for found in STEPS if found.name == name)


@cache
def _model(name: str) -> Path:
    return (tiny_bert if name == "bert" else tiny_vit)(home() / name)


def _padded(values: np.ndarray, length: int, fill: float | None) -> np.ndarray:
    if fill is None:
        return values
    return np.pad(values, (0, length - len(values)), constant_values=fill)


def _prepared(tensors: dict[str, list[np.ndarray]], padding: dict[str, float], count: int) -> Prepared:
    return Prepared(tensors, padding, None, [str(index) for index in range(count)], [{} for _ in range(count)])
