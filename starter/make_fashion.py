"""Make `starter/fashion`: a tiny vision transformer for ten kinds of clothes.

    apt-get update && apt-get install dataset-fashion-mnist
    python -m starter.make_fashion

(or `apt-get download dataset-fashion-mnist`, `dpkg-deb -x` into a folder, and `--data` with
that folder's usr/share/datasets/fashion-mnist). Run it from the root of the repository.
Another machine may train slightly other weights; the rows are the same everywhere.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from PIL import Image
from torch.nn.functional import cross_entropy
from transformers import (
    AutoImageProcessor,
    AutoModelForImageClassification,
    ViTConfig,
    ViTForImageClassification,
    ViTImageProcessorPil,
)

from workbench.starter import file_sha256

CLASSES = [
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
    "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
]  # fmt: skip
EVALUATION, CALIBRATION = 1000, 200
SHIPPED = ("evaluation", "calibration")
PACKAGE, VERSION = "dataset-fashion-mnist", "0.0~git20200523.55506a9-1"


def read_part(folder: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Pictures (n, 28, 28) and labels (n,), both uint8; `part` is train or t10k."""
    pictures = gzip.decompress((folder / f"{part}-images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress((folder / f"{part}-labels-idx1-ubyte.gz").read_bytes())
    as_bytes = np.frombuffer(pictures, np.uint8, offset=16).reshape(-1, 28, 28)
    return as_bytes, np.frombuffer(labels, np.uint8, offset=8)


def pick(labels: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Rows with equally many of each class, in a mixed order."""
    random = np.random.default_rng(seed)
    each = count // len(CLASSES)
    rows = [random.choice(np.flatnonzero(labels == c), each, replace=False) for c in range(10)]
    return random.permutation(np.concatenate(rows))


def build() -> ViTForImageClassification:
    config = ViTConfig(
        image_size=28,
        patch_size=7,
        num_channels=3,
        hidden_size=128,
        num_hidden_layers=4,
        num_attention_heads=4,
        intermediate_size=256,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        id2label=dict(enumerate(CLASSES)),
        label2id={name: i for i, name in enumerate(CLASSES)},
    )
    return ViTForImageClassification(config)


def as_input(pictures: np.ndarray) -> torch.Tensor:
    """Three equal channels between -1 and 1, as the processor makes them."""
    grey = torch.from_numpy(pictures.astype(np.float32)) / 127.5 - 1
    return grey[:, None].expand(-1, 3, -1, -1)


def augment(pictures: torch.Tensor) -> torch.Tensor:
    """Shift the batch by up to two pixels; all shoes look left, so nothing is mirrored."""
    down, right = torch.randint(-2, 3, (2,)).tolist()
    padded = torch.nn.functional.pad(pictures, (2, 2, 2, 2), value=-1.0)
    return padded[..., 2 + down : 30 + down, 2 + right : 30 + right]


def train(
    model: ViTForImageClassification,
    pictures: np.ndarray,
    labels: np.ndarray,
    options: argparse.Namespace,
) -> None:
    targets = torch.from_numpy(labels.astype(np.int64))
    optimizer = torch.optim.AdamW(model.parameters(), lr=options.lr, weight_decay=0.05)
    steps = options.epochs * len(targets) // options.batch
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, options.lr, total_steps=steps, pct_start=0.1, anneal_strategy="linear"
    )
    model.train()
    for step in range(1, steps + 1):
        rows = torch.randint(len(targets), (options.batch,))
        inputs = augment(as_input(pictures[rows.numpy()]))
        loss = cross_entropy(model(pixel_values=inputs).logits, targets[rows], label_smoothing=0.05)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 200 == 0:
            print(f"step {step} of {steps}: loss {loss.item():.3f}", flush=True)


@torch.inference_mode()
def accuracy(model: ViTForImageClassification, pictures: np.ndarray, labels: np.ndarray) -> float:
    model.eval()
    right = 0
    for start in range(0, len(labels), 500):
        part = slice(start, start + 500)
        chosen = model(pixel_values=as_input(pictures[part])).logits.argmax(-1)
        right += (chosen.numpy() == labels[part]).sum().item()
    return right / len(labels)


def png(picture: np.ndarray) -> bytes:
    """An RGB picture: pipelines turn every picture into RGB anyway."""
    target = io.BytesIO()
    Image.fromarray(picture).convert("RGB").save(target, "PNG", optimize=True)
    return target.getvalue()


def save_rows(pictures: np.ndarray, labels: np.ndarray, rows: np.ndarray, path: Path) -> None:
    """A Parquet file as the Hugging Face Hub keeps pictures, PNG bytes with a name each."""
    images = [{"bytes": png(pictures[row]), "path": f"{path.stem}-{row:05d}.png"} for row in rows]
    names = [CLASSES[labels[row]] for row in rows]
    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    features = {"image": {"_type": "Image"}, "label": {"dtype": "string", "_type": "Value"}}
    notes = {"huggingface": json.dumps({"info": {"features": features}})}
    schema = pa.schema([("image", image), ("label", pa.string())], metadata=notes)
    pq.write_table(pa.table({"image": images, "label": names}, schema=schema), path)


def save_model(model: ViTForImageClassification, into: Path) -> None:
    model.save_pretrained(into)
    half = [0.5, 0.5, 0.5]
    size = {"height": 28, "width": 28}
    ViTImageProcessorPil(size=size, image_mean=half, image_std=half).save_pretrained(into)


@torch.inference_mode()
def measure(folder: Path, rows: Path) -> dict[str, float]:
    """Top-1 accuracy the way users reach it: shipped model, shipped rows, its processor."""
    model = AutoModelForImageClassification.from_pretrained(folder, dtype=torch.float32)
    processor = AutoImageProcessor.from_pretrained(folder)
    table = pq.read_table(rows).to_pylist()
    right = 0
    for start in range(0, len(table), 100):
        part = table[start : start + 100]
        pictures = [Image.open(io.BytesIO(row["image"]["bytes"])) for row in part]
        chosen = model(**processor(pictures, return_tensors="pt")).logits.argmax(-1).tolist()
        right += sum(CLASSES[i] == row["label"] for i, row in zip(chosen, part, strict=True))
    return {"accuracy": round(right / len(table), 4), "n": len(table)}


def card(into: Path, trained_on: int, whole_test: float) -> dict:
    measured = {part: measure(into, into / f"{part}.parquet") for part in SHIPPED}
    names = ["model.safetensors", "config.json", "preprocessor_config.json"]
    return {
        "task": "image-classification",
        "kind": "folder",
        "base": None,
        "files": {name: file_sha256(into / name) for name in names},
        "licence": "MIT (Fashion-MNIST and this model)",
        "data": {
            "package": PACKAGE,
            "version": VERSION,
            "evaluation": "test part",
            "calibration": "training part, not trained on",
        },
        "rows": {"evaluation.parquet": EVALUATION, "calibration.parquet": CALIBRATION},
        "trained_on_rows": trained_on,
        "measured": measured | {"whole_test_part": {"accuracy": round(whole_test, 4), "n": 10000}},
    }


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("/usr/share/datasets/fashion-mnist"))
    parser.add_argument("--into", type=Path, default=Path(__file__).parent / "fashion")
    parser.add_argument("--epochs", type=int, default=7)
    parser.add_argument("--lr", type=float, default=1.5e-3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--seed", type=int, default=20)
    return parser.parse_args()


def main() -> None:
    options = parse()
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    pictures, labels = read_part(options.data, "train")
    test_pictures, test_labels = read_part(options.data, "t10k")
    options.into.mkdir(parents=True, exist_ok=True)
    held_out = pick(labels, CALIBRATION, options.seed)
    evaluation = pick(test_labels, EVALUATION, options.seed)
    save_rows(pictures, labels, held_out, options.into / "calibration.parquet")
    save_rows(test_pictures, test_labels, evaluation, options.into / "evaluation.parquet")
    keep = np.setdiff1d(np.arange(len(labels)), held_out)
    model = build()
    print(f"{model.num_parameters()} parameters")
    train(model, pictures[keep], labels[keep], options)
    save_model(model, options.into)
    found = card(options.into, len(keep), accuracy(model, test_pictures, test_labels))
    text = json.dumps(found, indent=2) + "\n"
    (options.into / "starter.json").write_text(text, encoding="utf-8")
    print(json.dumps(found["measured"], indent=2))


if __name__ == "__main__":
    main()
