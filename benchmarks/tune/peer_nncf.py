"""NNCF's own search: quantize, and bring operators back until no more than the bar is lost. Run by peers.py.

    python benchmarks/tune/peer_nncf.py MODEL.xml TOKENIZER EVALUATION.csv CALIBRATION.csv INTO.xml THREADS

Says one JSON document: {"seconds", "evaluations", "versions"}. Needs openvino, nncf, transformers; nothing of ours.
"""

from __future__ import annotations

import csv
import json
import sys
import time
from collections.abc import Iterable
from typing import Any

import nncf
import numpy as np
import openvino
from transformers import AutoTokenizer

MAX_DROP = 0.01
LABELS = {"negative": 0, "positive": 1}


def main(model_file: str, tokenizer_folder: str, evaluation: str, calibration: str, into: str, threads: str) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tokenizer_folder)
    core = openvino.Core()
    core.set_property("CPU", {"INFERENCE_NUM_THREADS": int(threads), "INFERENCE_PRECISION_HINT": "f32"})
    model = core.read_model(model_file)
    names = [port.get_any_name() for port in model.inputs]

    def fed(row: dict[str, str]) -> dict[str, Any]:
        said = tokenizer(row["text"], truncation=True, max_length=256, return_tensors="np")
        return {name: said[name].astype(np.int64) for name in names}

    evaluations = []

    def validate(compiled: Any, items: Iterable[dict[str, str]]) -> tuple[float, list[float]]:
        right = [float(int(np.argmax(compiled(fed(row))[0])) == LABELS[row["label"]]) for row in items]
        evaluations.append(len(right))
        return float(np.mean(right)), right

    begin = time.monotonic()
    quantized = nncf.quantize_with_accuracy_control(
        model,
        nncf.Dataset(_rows(calibration), fed),
        nncf.Dataset(_rows(evaluation)),
        validate,
        max_drop=MAX_DROP,
        drop_type=nncf.DropType.ABSOLUTE,
        model_type=nncf.ModelType.TRANSFORMER,
    )
    openvino.save_model(quantized, into, compress_to_fp16=False)
    versions = {"nncf": nncf.__version__, "openvino": openvino.__version__.split("-")[0]}
    said = {"seconds": time.monotonic() - begin, "evaluations": evaluations, "versions": versions}
    print(json.dumps(said))


def _rows(path: str) -> list[dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


if __name__ == "__main__":
    main(*sys.argv[1:7])
