"""From the vectors of tokens to that of a text, as the files of a sentence-transformers folder say."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.errors import RequestError

if TYPE_CHECKING:
    import numpy as np

KNOWN = ("mean", "cls")
IGNORED = ("Transformer", "Pooling", "Normalize", "Dropout")  # what is read here, or does nothing when asked
OLD_KEYS = {"pooling_mode_cls_token": "cls", "pooling_mode_mean_tokens": "mean", "pooling_mode_max_tokens": "max",
            "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
            "pooling_mode_weightedmean_tokens": "weightedmean", "pooling_mode_lasttoken": "lasttoken"}  # fmt: skip


@dataclass(frozen=True)
class Pooling:
    """`mode`: the mean of all tokens, or the first one ("cls"). `normalize`: to length one. `limit`: tokens that the
    folder allows, beside the tokenizer's own limit."""

    mode: str = "mean"
    normalize: bool = False
    limit: int | None = None

    def __call__(self, hidden: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """[n, length, d] and [n, length] -> [n, d]."""
        import numpy as np

        weight = mask[..., None].astype(np.float32)
        vectors = hidden[:, 0] if self.mode == "cls" else (hidden * weight).sum(axis=1) / weight.sum(axis=1).clip(1)
        if self.normalize:
            vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True).clip(1e-12)
        return np.asarray(vectors, dtype=np.float32)

    def facts(self) -> dict[str, Any]:
        return asdict(self)


def pooling_of(model: Path) -> Pooling:
    """Of modules.json and what it names; the mean where there is none. Raises RequestError for modules that are more
    than pooling, and for other ways of it: the vectors would not be the model's."""
    if not (model / "modules.json").is_file():
        return Pooling()
    modules = {str(one["type"]).rpartition(".")[2]: one for one in json.loads((model / "modules.json").read_text())}
    if other := [name for name in modules if name not in IGNORED]:
        raise _refused(f"its module {other[0]}", "It changes the vectors after the model")
    mode = _mode(model / str(modules["Pooling"].get("path", "")) / "config.json") if "Pooling" in modules else "mean"
    if mode not in KNOWN:
        raise _refused(f"its pooling, {mode}", f"Known are {' and '.join(KNOWN)}")
    return Pooling(mode, "Normalize" in modules, _limit(model / "sentence_bert_config.json"))


def _mode(path: Path) -> str:
    """`pooling_mode`, or the one `pooling_mode_…` of earlier files that is true."""
    said = json.loads(path.read_text())
    mode = said.get("pooling_mode") or [name for key, name in OLD_KEYS.items() if said.get(key)]
    return mode if isinstance(mode, str) else "+".join(mode) or "mean"


def _limit(path: Path) -> int | None:
    limit = json.loads(path.read_text()).get("max_seq_length") if path.is_file() else None
    return int(limit) if limit else None


def _refused(what: str, why: str) -> RequestError:
    return RequestError(f"This sentence model cannot be compared for {what}.", f"{why}.", "Take another model.")
