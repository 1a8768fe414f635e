"""neural-compressor's own search for ONNX Runtime: static INT8, with operators given back until the bar is met. Run by
peers.py.

    python benchmarks/tune/peer_inc.py MODEL.onnx TOKENIZER EVALUATION.csv CALIBRATION.csv INTO.onnx THREADS

Says one JSON document: {"seconds", "evaluations", "versions"}; writes no file where nothing meets the bar. Needs what
requirements-inc.txt names; nothing of ours.
"""

from __future__ import annotations

import importlib.metadata
import json
import logging
import sys
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import onnxruntime
from neural_compressor import quantization
from neural_compressor.config import AccuracyCriterion, PostTrainingQuantConfig, TuningCriterion
from peer_rows import MAX_DROP, Feed, read, right, whole


def main(model_file: str, tokenizer_folder: str, evaluation: str, calibration: str, into: str, threads: str) -> None:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(threads)
    names = [one.name for one in onnxruntime.InferenceSession(model_file, options).get_inputs()]
    shown, drawn = (read(path, tokenizer_folder, names) for path in (evaluation, calibration))
    evaluations: list[int] = []

    class Calibration:
        batch_size = 1

        def __iter__(self) -> Iterator[tuple[Feed, int]]:
            yield from drawn

    def accuracy(model: Any) -> float:
        session = onnxruntime.InferenceSession(model.SerializeToString(), options)
        evaluations.append(len(shown))
        return float(np.mean(right(lambda feed: session.run(None, feed)[0], shown)))

    failed = _Failures()
    logging.getLogger("neural_compressor").addHandler(failed)
    begin = time.monotonic()
    found = quantization.fit(
        whole(model_file),
        PostTrainingQuantConfig(
            approach="static",
            accuracy_criterion=AccuracyCriterion(criterion="absolute", tolerable_loss=MAX_DROP),
            tuning_criterion=TuningCriterion(timeout=0, max_trials=100),
        ),
        calib_dataloader=Calibration(),
        eval_func=accuracy,
    )
    if found is not None:
        found.save(into)
    elif failed.said:
        sys.exit(failed.said[-1])
    versions = {name: importlib.metadata.version(name) for name in ("neural-compressor", "onnxruntime")}
    print(json.dumps({"seconds": time.monotonic() - begin, "evaluations": evaluations, "versions": versions}))


class _Failures(logging.Handler):
    """Exceptions end the search without being raised; all that tells of one is a line of the log."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if "exception" in record.getMessage():
            self.said.append(record.getMessage())


if __name__ == "__main__":
    main(*sys.argv[1:7])
