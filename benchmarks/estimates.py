"""How far the plan's estimates of memory and disk are from what is then used, on models of several kinds and sizes.

    python -m benchmarks.estimates      writes docs/results/estimates.md; about ten minutes, no network

Weights are random where no starter is named: memory does not depend on them. Memory is the most that one worker had
resident (VmHWM) while it fetched, prepared, exported, quantized or answered; disk is what the store then holds of it.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.machine_line import machine_line

RESULTS = Path(__file__).parent.parent / "docs/results"
SHELF = ("pytorch-fp32", "onnx-fp32", "onnx-int8-dynamic")
N = 40


def main() -> None:
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name, model, data in models(Path(folder)):
            os.environ["WORKBENCH_HOME"] = str(Path(folder) / "homes" / name)
            rows.append((name, *compared(Path(folder), model, data)))
            print(rows[-1], flush=True)
    lines = [
        f"| {name} | {size / 1e6:,.0f} MB | {expected / 1e6:,.0f} MB | {real / 1e6:,.0f} MB | {expected / real:.2f} | "
        f"{disk / 1e6:,.0f} MB | {used / 1e6:,.0f} MB | {disk / used:.2f} |"
        for name, size, expected, real, disk, used in rows
    ]
    memory, disk = ([row[at] / row[at + 1] for row in rows] for at in (2, 4))
    text = "\n".join([
        "# The plan's estimates against what was used", "", machine_line(), "",
        "| model | weights | memory, estimated | used | ratio | disk, estimated | used | ratio |",
        "|---|---|---|---|---|---|---|---|", *lines, "",
        f"One that is too low lets a run begin that then fails. Over {len(rows)} models, memory is estimated as "
        f"{_spread(memory)} of what was used, disk as {_spread(disk)}.", "",
        "Made by `python -m benchmarks.estimates`.", "",
    ])  # fmt: skip
    (RESULTS / "estimates.md").write_text(text)
    print(text)


def _spread(ratios: list[float]) -> str:
    return f"{min(ratios):.2f} to {max(ratios):.2f} (median {statistics.median(ratios):.2f})"


def models(folder: Path) -> Iterator[tuple[str, str, str | None]]:
    """(name, model, data): the starters, and encoders with random weights from 1 to 440 MB."""
    from tests import small

    rows = str(small.make_rows(folder / "rows.csv"))
    yield "starter-sentiment", "starter:sentiment", None
    yield "starter-fashion", "starter:fashion", None
    yield "bert-2-layers", str(small.make_model(folder / "small")), rows
    mini = {"hidden_size": 256, "num_hidden_layers": 4, "num_attention_heads": 4, "intermediate_size": 1024}
    medium = {"hidden_size": 512, "num_hidden_layers": 8, "num_attention_heads": 8, "intermediate_size": 2048}
    for name, kind, sizes in (("bert-mini", "Bert", mini), ("bert-medium", "Bert", medium), ("bert-base", "Bert", {}),
                              ("roberta-base", "Roberta", {})):  # fmt: skip
        yield name, str(encoder(folder / name, kind, sizes)), rows


def encoder(folder: Path, kind: str, sizes: dict[str, Any]) -> Path:
    """A text classifier of this size, with the tokenizer of the tests' small one."""
    import transformers

    from tests import small

    tokenizer = small.make_tokenizer()
    config = getattr(transformers, f"{kind}Config")(
        vocab_size=30_000, id2label=dict(enumerate(small.LABELS)), pad_token_id=0,
        label2id={name: number for number, name in enumerate(small.LABELS)}, **sizes,
    )  # fmt: skip
    getattr(transformers, f"{kind}ForSequenceClassification")(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def compared(folder: Path, model: str, data: str | None) -> tuple[int, int, int, int, int]:
    """(weights, memory estimated, used, disk estimated, used) in bytes."""
    from tests import small
    from workbench import bench
    from workbench.executing import Here
    from workbench.pieces import Make
    from workbench.store import Store

    recipes = [small.make_recipe(folder / "recipes", name) for name in SHELF]
    plan = bench.plan(bench.request(model, recipes[1:], baseline=recipes[0], data=data, n=N))
    store = Store()
    place = store.home / "runs" / "estimates"
    place.mkdir()
    with most_memory(store.home) as peak:
        failed = Here(plan, store, place, lambda one: None).do(
            *(piece.id for piece in plan.work if piece.id != "peaks")
        )
    assert failed is None, failed
    kept = {piece.key for piece in plan.work if isinstance(piece, Make) or piece.id == "model"}
    used = sum(size for key, _, size, _ in store.sizes() if key in kept)
    return plan.model["bytes"], plan.cost["memory_bytes"], peak[0], plan.cost["disk_bytes"], used


@contextmanager
def most_memory(home: Path) -> Iterator[list[int]]:
    """[the most bytes that one worker of this home had resident]"""
    from tests.faults.processes import workers

    peak, over = [0], threading.Event()

    def look() -> None:
        while not over.is_set():
            for pid in workers(home):
                try:
                    said = Path(f"/proc/{pid}/status").read_text()
                except OSError:
                    continue
                line = next((line for line in said.splitlines() if line.startswith("VmHWM:")), "")
                peak[0] = max(peak[0], 1024 * int(line.split()[1])) if line else peak[0]
            time.sleep(0.05)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield peak
    finally:
        over.set()
        thread.join()


if __name__ == "__main__":
    main()
