"""neural-compressor's own search for ONNX Runtime: static INT8, with operators given back until the bar is met. Run by
peers.py.

    python benchmarks/tune/peer_inc.py MODEL.onnx TOKENIZER EVALUATION.csv CALIBRATION.csv INTO.onnx THREADS

Says one JSON document: {"seconds", "evaluations", "versions"}. Needs neural-compressor 2.6, onnxruntime, transformers;
nothing of ours.
"""

from __future__ import annotations

import csv
import importlib.metadata
import json
import sys
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import onnxruntime
from neural_compressor import quantization
from neural_compressor.config import AccuracyCriterion, PostTrainingQuantConfig, TuningCriterion
from transformers import AutoTokenizer

MAX_DROP = 0.01
LABELS = {"negative": 0, "positive": 1}
Feed = dict[str, Any]


def main(model_file: str, tokenizer_folder: str, evaluation: str, calibration: str, into: str, threads: str) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tokenizer_folder)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(threads)
    names = [one.name for one in onnxruntime.InferenceSession(model_file, options).get_inputs()]

    def fed(row: dict[str, str]) -> Feed:
        said = tokenizer(row["text"], truncation=True, max_length=256, return_tensors="np")
        return {name: said[name].astype(np.int64) for name in names}

    class Calibration:
        batch_size = 1

        def __iter__(self) -> Iterator[tuple[Feed, int]]:
            for row in _rows(calibration):
                yield fed(row), 0

    evaluations: list[int] = []
    rows = [(fed(row), LABELS[row["label"]]) for row in _rows(evaluation)]

    def accuracy(model: Any) -> float:
        session = onnxruntime.InferenceSession(model.SerializeToString(), options)
        right = [int(np.argmax(session.run(None, feed)[0])) == label for feed, label in rows]
        evaluations.append(len(right))
        return float(np.mean(right))

    begin = time.monotonic()
    found = quantization.fit(
        model_file,
        PostTrainingQuantConfig(
            approach="static",
            accuracy_criterion=AccuracyCriterion(criterion="absolute", tolerable_loss=MAX_DROP),
            tuning_criterion=TuningCriterion(timeout=0, max_trials=100),
        ),
        calib_dataloader=Calibration(),
        eval_func=accuracy,
    )
    if found is None:
        sys.exit("The search came back with nothing.")
    found.save(into)
    versions = {name: importlib.metadata.version(name) for name in ("neural-compressor", "onnxruntime")}
    print(json.dumps({"seconds": time.monotonic() - begin, "evaluations": evaluations, "versions": versions}))


def _rows(path: str) -> list[dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


if __name__ == "__main__":
    main(*sys.argv[1:7])
