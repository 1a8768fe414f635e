"""What was said, as text: how it is compared, and how a CTC model spells it."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from workbench.measurement import Metric

if TYPE_CHECKING:
    import numpy as np

WER = Metric("wer", better="lower", combine="ratio")
CER = Metric("cer", better="lower", combine="ratio")
NORMALIZER = "lower case, punctuation removed, spaces collapsed"
APOSTROPHES = "'`\u2019\u02bc"


def normalized(text: str) -> str:
    """NORMALIZER: what is left of a text when words are compared. Apostrophes vanish (don't is dont), other
    punctuation and symbols separate words."""
    plain = unicodedata.normalize("NFKC", text).lower()
    kept = (_kept(char) for char in plain if char not in APOSTROPHES)
    return " ".join("".join(kept).split())


def _kept(char: str) -> str:
    return " " if unicodedata.category(char)[0] in "PSZC" else char


def errors(said: Sequence[str], meant: Sequence[str]) -> dict[str, np.ndarray]:
    """wer [n, 2]: words substituted, left out or put in, and words meant; cer the same in characters. Texts are
    compared after `normalized`."""
    import jiwer
    import numpy as np

    pairs = [(normalized(one), normalized(other)) for one, other in zip(said, meant, strict=True)]
    words = [_distance(jiwer.process_words(other, one), len(other.split())) for one, other in pairs]
    letters = [_distance(jiwer.process_characters(other, one), len(other)) for one, other in pairs]
    return {"wer": np.asarray(words, dtype=np.float64), "cer": np.asarray(letters, dtype=np.float64)}


def _distance(found: Any, meant: int) -> tuple[int, int]:
    return found.substitutions + found.deletions + found.insertions, meant


def spelled(ids: Sequence[int], spelling: dict[str, Any]) -> str:
    """Greedy CTC: repeated tokens count once, blanks separate, the delimiter is a space.

    `spelling`: {"tokens": by id, "blank": token, "delimiter": token that stands for a space, "lower": bool}.
    """
    tokens = spelling["tokens"]
    letters = [token for token, _ in groupby(tokens[i] for i in ids) if token != spelling["blank"]]
    text = "".join(letters).replace(spelling["delimiter"], " ").strip()
    return text.lower() if spelling["lower"] else text


def spelling_of(tokenizer: Any) -> dict[str, Any]:
    """What `spelled` needs, from the model's tokenizer. A tokenizer of word pieces marks the beginning of a word."""
    tokens = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
    return {
        "tokens": [str(token) for token in tokens],
        "blank": str(tokenizer.pad_token),
        "delimiter": str(getattr(tokenizer, "word_delimiter_token", None) or "▁"),
        "lower": bool(getattr(tokenizer, "do_lower_case", False)),
    }
