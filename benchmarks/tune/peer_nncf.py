"""NNCF's own search: quantize, and bring operators back until no more than the bar is lost. Run by peers.py.

    python benchmarks/tune/peer_nncf.py MODEL.xml TOKENIZER EVALUATION.csv CALIBRATION.csv INTO.xml THREADS

Says one JSON document: {"seconds", "evaluations", "versions"}. Needs openvino, nncf, transformers; nothing of ours.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable
from typing import Any

import nncf
import numpy as np
import openvino
from peer_rows import MAX_DROP, Row, read, right


def main(model_file: str, tokenizer_folder: str, evaluation: str, calibration: str, into: str, threads: str) -> None:
    core = openvino.Core()
    core.set_property("CPU", {"INFERENCE_NUM_THREADS": int(threads), "INFERENCE_PRECISION_HINT": "f32"})
    model = core.read_model(model_file)
    names = [port.get_any_name() for port in model.inputs]
    shown, drawn = (read(path, tokenizer_folder, names) for path in (evaluation, calibration))
    evaluations: list[int] = []

    def validate(compiled: Any, rows: Iterable[Row]) -> tuple[float, list[float]]:
        hits = right(lambda feed: compiled(feed)[0], rows)
        evaluations.append(len(hits))
        return float(np.mean(hits)), hits

    begin = time.monotonic()
    quantized = nncf.quantize_with_accuracy_control(
        model,
        nncf.Dataset(drawn, lambda row: row[0]),
        nncf.Dataset(shown),
        validate,
        max_drop=MAX_DROP,
        drop_type=nncf.DropType.ABSOLUTE,
        model_type=nncf.ModelType.TRANSFORMER,
    )
    openvino.save_model(quantized, into, compress_to_fp16=False)
    versions = {"nncf": nncf.__version__, "openvino": openvino.__version__.split("-")[0]}
    said = {"seconds": time.monotonic() - begin, "evaluations": evaluations, "versions": versions}
    print(json.dumps(said))


if __name__ == "__main__":
    main(*sys.argv[1:7])
