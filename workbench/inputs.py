"""Prepared inputs on disk: written once by a worker that has the tokenizer, read by workers that have numpy."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.plugin import Prepared

if TYPE_CHECKING:
    import numpy as np


def save(prepared: Prepared, folder: Path) -> None:
    """Tensors as one flat array and the shapes an input name, shared ones whole (`inputs.npz`), the rest as JSON."""
    import numpy as np

    arrays: dict[str, Any] = {}
    for name, examples in prepared.tensors.items():
        arrays[f"{name}.data"] = np.concatenate([example.reshape(-1) for example in examples])
        arrays[f"{name}.shape"] = np.asarray([example.shape for example in examples], dtype=np.int64)
    arrays |= {f"{name}.shared": array for name, array in prepared.shared.items()}
    np.savez(folder / "inputs.npz", **arrays)
    rest = {"padding": prepared.padding, "labels": prepared.labels, "ids": prepared.ids, "facts": prepared.facts}
    (folder / "inputs.json").write_text(json.dumps(rest))
    (folder / "cards.json").write_text(json.dumps(prepared.cards, ensure_ascii=False))


def load(folder: Path) -> Prepared:
    import numpy as np

    rest = json.loads((folder / "inputs.json").read_text())
    with np.load(folder / "inputs.npz") as arrays:
        names = [name.removesuffix(".data") for name in arrays.files if name.endswith(".data")]
        tensors = {name: _split(arrays[f"{name}.data"], arrays[f"{name}.shape"]) for name in names}
        shared = {name.removesuffix(".shared"): arrays[name] for name in arrays.files if name.endswith(".shared")}
    return Prepared(tensors=tensors, cards=load_cards(folder), shared=shared, **rest)


def load_facts(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "inputs.json").read_text())["facts"])


def load_cards(folder: Path) -> list[dict[str, Any]]:
    return list(json.loads((folder / "cards.json").read_text()))


def some(prepared: Prepared, count: int) -> Prepared:
    """The first `count` examples."""
    return chosen(prepared, range(min(count, len(prepared))))


def chosen(prepared: Prepared, indices: Sequence[int]) -> Prepared:
    """These examples, in this order."""
    return Prepared(
        tensors={name: [examples[i] for i in indices] for name, examples in prepared.tensors.items()},
        padding=prepared.padding,
        labels=None if prepared.labels is None else [prepared.labels[i] for i in indices],
        ids=[prepared.ids[i] for i in indices],
        cards=[prepared.cards[i] for i in indices],
        facts=prepared.facts,
        shared=prepared.shared,
    )


def spread(prepared: Prepared, order: Sequence[int], calls: int) -> list[int]:
    """`order` so arranged that each `calls` in a row hold one example out of every `calls`-th of all lengths: a round
    then has short and long ones in the shares that the data has. A remainder is left out; who is beside whom, and in
    what turn, stays random."""
    share = len(order) // calls
    if not share:
        return list(order)
    ranked = sorted(range(len(order)), key=lambda place: prepared.length(order[place]))
    strata = [sorted(ranked[start : start + share]) for start in range(0, share * calls, share)]
    turn = random.Random(len(order))
    return [order[place] for row in zip(*strata, strict=True) for place in turn.sample(row, calls)]


def _split(data: np.ndarray, shapes: np.ndarray) -> list[np.ndarray]:
    import numpy as np

    ends = np.cumsum(shapes.prod(axis=1))
    return [part.reshape(shape) for part, shape in zip(np.split(data, ends[:-1]), shapes, strict=True)]
