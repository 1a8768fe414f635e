"""A classifier of two layers, its rows, and recipes that measure for a blink: real ones, only small.

model = make_model(folder)      a BERT of 2 layers with a WordPiece tokenizer, as save_pretrained writes it
data = make_rows(folder / "rows.csv")
recipe = make_recipe(folder, "onnx-fp32")
"""

from __future__ import annotations

import csv
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from workbench.recipe import shelf_folder


def words_of(text: str) -> list[str]:
    return text.split()


GOOD = words_of("good great fine lovely bright warm sweet clever honest happy")
BAD = words_of("bad awful dull weak sour cold bitter clumsy false sad")
PLAIN = words_of("the a film story plot actor scene was is very and but quite not with music ending made of it")
LABELS = ("NEGATIVE", "POSITIVE")
POSITIONS = 48

# Three rounds of two calls: enough for an interval, over before it disturbs anybody.
BLINK: dict[str, Any] = {
    "rounds": {"min": 3, "max": 3}, "calls_per_round": 2, "warmup": 1, "time_cap_s": 60, "batches": [1],
    "sequence_lengths": [16], "bootstrap": 100,
}  # fmt: skip


def make_model(folder: Path) -> Path:
    """Random weights from a fixed seed; the labels are NEGATIVE and POSITIVE."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification

    torch.manual_seed(11)
    tokenizer = make_tokenizer()
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
        max_position_embeddings=POSITIONS, id2label=dict(enumerate(LABELS)),
        label2id={name: i for i, name in enumerate(LABELS)}, pad_token_id=0, initializer_range=0.5,
    )  # fmt: skip
    model = BertForSequenceClassification(config).eval()
    with torch.inference_mode():  # both answers shall occur
        given = tokenizer([text for text, _ in texts(64)], padding=True, return_tensors="pt")
        model.classifier.bias -= model(**given).logits.mean(0)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def make_tokenizer() -> Any:
    """WordPiece over the words above and single letters; it says no limit of its own."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *GOOD, *BAD, *PLAIN, *letters, *(f"##{letter}" for letter in letters)]
    vocabulary = {word: i for i, word in enumerate(dict.fromkeys(words))}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    ends = [("[CLS]", vocabulary["[CLS]"]), ("[SEP]", vocabulary["[SEP]"])]
    tokenizer.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1", ends)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]",
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )  # fmt: skip


def texts(count: int, seed: int = 3) -> list[tuple[str, str]]:
    """(text, label name): every text is different, 2 to 30 words long."""
    chance, found = random.Random(seed), {}
    while len(found) < count:
        label = chance.choice(LABELS)
        words = [*chance.choices(PLAIN, k=chance.randint(1, 29)), chance.choice(GOOD if label == "POSITIVE" else BAD)]
        chance.shuffle(words)
        found[" ".join(words)] = label
    return list(found.items())


def make_rows(path: Path, count: int = 120, seed: int = 3) -> Path:
    return write_rows(path, [{"text": text, "label": label} for text, label in texts(count, seed)])


def write_rows(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def make_recipe(
    folder: Path, shelf: str, name: str | None = None, options: Mapping[str, Any] | None = None, **measure: Any
) -> Path:
    """A recipe of the shelf that measures for a blink; `options` change its last step."""
    said = yaml.safe_load((shelf_folder() / f"{shelf}.yaml").read_text(encoding="utf-8"))
    said.pop("shelf")
    said["name"] = name or shelf
    said["spec"]["measure"] = BLINK | measure
    if options:
        said["spec"]["steps"][-1] |= options
    path = folder / f"{said['name']}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(said, sort_keys=False), encoding="utf-8")
    return path
