"""Olive's own search for ONNX Runtime: a quantization pass whose options a sampler draws, the fastest model within the
bar. Run by peers.py.

    python benchmarks/tune/peer_olive.py MODEL.onnx TOKENIZER EVALUATION.csv CALIBRATION.csv INTO.onnx THREADS

Says one JSON document: {"seconds", "evaluations", "versions", "note"}; writes no file where nothing meets the bar.
Needs what requirements-olive.txt names; nothing of ours.
"""

from __future__ import annotations

import importlib.metadata
import json
import logging
import os
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("OLIVE_DISABLE_TELEMETRY", "1")  # read as it is imported

import onnx
import onnxruntime
from olive.data.registry import Registry
from olive.workflows import run
from peer_rows import MAX_DROP, Row, labels, read, whole

MAX_ITERATIONS = 30  # of 88 different settings; the sampler draws the first ten at random
MAX_SECONDS = 600  # after which no further setting is begun: as long as our search may take
CALIBRATED = 100


def main(model_file: str, tokenizer_folder: str, evaluation: str, calibration: str, into: str, threads: str) -> None:
    folder = Path(into).parent / "olive"
    folder.mkdir()
    onnx.save(whole(model_file), folder / "model.onnx")
    names = [one.name for one in onnxruntime.InferenceSession(model_file).get_inputs()]
    shown, drawn = (read(path, tokenizer_folder, names) for path in (evaluation, calibration))
    data = {"shown": shown, "drawn": drawn[:CALIBRATED], "median": [_median(shown, names[0])]}
    for name, rows in data.items():
        Registry.register_dataset(name)(partial(_unbatched, rows))
    failed = _Failures()
    logging.getLogger("olive").addHandler(failed)
    begin = time.time()  # as Olive's record has it
    done = run(_workflow(folder, len(labels(tokenizer_folder)), int(threads)))
    found, nodes = done.get_best_candidate(), done.footprint.nodes
    evaluations = [len(shown) for node in nodes.values() if node.metrics is not None]
    note = f"{len(nodes) - len(evaluations)} of {len(nodes) - 1} settings failed"
    if found is not None:
        onnx.save(onnx.load(found.model_path), into)
        note += f"; the final model was there after {nodes[found.model_id].end_time - begin:.0f} s of the search"
    elif len(evaluations) < 2 and failed.said:
        sys.exit(failed.said[-1])
    versions = {name: importlib.metadata.version(name) for name in ("olive-ai", "onnxruntime")}
    said = {"seconds": time.time() - begin, "evaluations": evaluations, "versions": versions, "note": note}
    print(json.dumps(said))


def _workflow(folder: Path, classes: int, threads: int) -> dict[str, Any]:
    """What Olive is asked for. It keeps the models that meet every goal, and of them takes the best by priority. Its
    `custom` metrics cannot be used: version 0.13 fails to write them into its record."""
    settings = {"inference_settings": {"onnx": {"session_options": {"intra_op_num_threads": threads}}}}
    average = {"name": "avg", "priority": 1}
    score = {
        "name": "accuracy_score",
        "priority": 2,
        "metric_config": {"task": "multiclass", "num_classes": classes},
        "goal": {"type": "max-degradation", "value": MAX_DROP},
    }
    metrics = [
        {"name": name, "type": name, "data_config": data, "user_config": settings, "sub_types": [sub]}
        for name, data, sub in (("latency", "median", average), ("accuracy", "shown", score))
    ]
    data = [
        {
            "name": name,
            "load_dataset_config": {"type": name},
            "post_process_data_config": {"type": "text_classification_post_process"},
        }
        for name in ("shown", "drawn", "median")
    ]
    here = {"device": "cpu", "execution_providers": ["CPUExecutionProvider"]}
    # One text at a time, as their lengths differ: the calibration methods that keep all values fail on such otherwise.
    quantization = {"data_config": "drawn", "extra_options": {"CalibStridedMinMax": 1}}
    return {
        "input_model": {"type": "ONNXModel", "config": {"model_path": str(folder / "model.onnx")}},
        "systems": {"here": {"type": "LocalSystem", "config": {"accelerators": [here]}}},
        "data_configs": data,
        "evaluators": {"both": {"metrics": metrics}},
        "passes": {"quantization": {"type": "OnnxQuantization", "config": quantization}},
        "engine": {
            "search_strategy": {
                "execution_order": "joint",
                "sampler": "tpe",
                "max_iter": MAX_ITERATIONS,
                "max_time": MAX_SECONDS,
            },
            "target": "here",
            "evaluator": "both",
            "cache_dir": str(folder / "cache"),
            "output_dir": str(folder / "out"),
        },
    }


def _unbatched(rows: list[Row]) -> list[Row]:
    """Without the batch's dimension, which the loader of the data adds."""
    return [({name: value[0] for name, value in feed.items()}, label) for feed, label in rows]


def _median(rows: list[Row], name: str) -> Row:
    """A row of the median length."""
    return sorted(rows, key=lambda row: int(row[0][name].size))[len(rows) // 2]


class _Failures(logging.Handler):
    """Exceptions end a trial, or the search, without being raised; all that tells of one is a line of the log."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[1]:
            self.said.append(f"{record.getMessage()} {record.exc_info[1]!r}")


if __name__ == "__main__":
    main(*sys.argv[1:7])
