"""The words and figures that people read, in one place: every face and every report takes them from here.

Files carry tokens (`no_clear_difference`); this module turns them into icon, word and tone, and numbers into
text: true minus, no-break space before a unit, `2.41x`, `+0.3 pp`, `2.37–2.45`, "–" for a figure that is not given.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

NBSP = "\u00a0"
MINUS = "\u2212"
NONE = "–"
P90_FLOOR, P99_FLOOR = 64, 662  # calls below which a percentile is not shown


@dataclass(frozen=True)
class Word:
    """`glyph` for text, `icon` for drawings (a name in report/markup.py), `tone`: better, worse,
    plain, quiet or accent."""

    glyph: str
    icon: str
    text: str
    tone: str = "plain"

    def __str__(self) -> str:
        return f"{self.glyph} {self.text}"


UNKNOWN = Word("–", "none", "not measured", "quiet")

# What the words of a report mean, for people who meet them for the first time.
TERMS = {
    "speed-up": "The baseline's time for one call divided by the variant's: 2x takes half the time.",
    "95 % interval": "Made so that it holds the true value in 95 of 100 such measurements.",
    "pp": "Percentage points: from 90 % to 89 % is a change of −1 pp.",
    "p50": "Half of all calls took no longer.",
    "p90": "Nine of ten calls took no longer.",
    "size": "All files of the variant, in 10⁶ bytes.",
    "memory": "The most that the variant's process held: interpreter, runtime, model and one call, in 10⁶ bytes.",
    "load": "From files on disk to a model that can be called, in seconds.",
    "throughput": "Examples a second at the largest batch, or with several requests in flight where that is more.",
    "RTF": "Real-time factor: seconds of computing for a second of sound.",
    "KL": "How far the probabilities are from the baseline's, in nats: 0 where both expect the same.",
    "of limit": "How near the variant comes to what this machine can compute or read at most, as it was measured.",
    "A/A": "The baseline measured against itself: no smaller difference can be told from noise.",
    "flip": "An example that the variant answers otherwise than the baseline.",
    "bar": "The most accuracy that may be lost.",
    "cannot tell": "So few examples show neither a drop nor that there is none: more of them would.",
    "baseline": "The variant that all others are compared with.",
}

VERDICTS = {
    "faster": Word("▲", "up", "faster", "better"),
    "slower": Word("▼", "down", "slower", "worse"),
    "no_clear_difference": Word("◇", "same", "no clear difference"),
    "not_comparable": Word("⊘", "skip", "not comparable"),
    "no_detectable_drop": Word("✓", "ok", "no detectable drop", "better"),
    "drop": Word("▼", "down", "drop", "worse"),
    "cannot_tell": Word("◌", "open", "cannot tell"),
    "baseline": Word("+", "base", "baseline"),
    "failed": Word("✕", "no", "failed", "worse"),
    "skipped": Word("⊘", "skip", "skipped"),
}

STATUSES = {  # of a run
    "waiting": "Waiting",
    "running": "Running",
    "ok": "Done",
    "failed": "Failed",
    "cancelled": "Cancelled",
    "cancelling": "Cancelling",
    "stopped": "Stopped: its process is gone",
}

CONSTRAINTS = {
    "met": Word("✓", "ok", "meets the bar", "quiet"),
    "missed": Word("✕", "no", "misses the bar", "quiet"),
    "cannot_tell": Word("◌", "open", "crosses the bar", "quiet"),
}

FLIPS = {
    "to_wrong": Word("▼", "down", "to wrong", "worse"),
    "to_right": Word("▲", "up", "to right", "better"),
    "changed": Word("◇", "same", "changed"),
}

AGREEMENT = {
    True: Word("✓", "ok", "same answer", "quiet"),
    False: Word("◇", "same", "other answer"),
}

STATES = {
    "done": Word("✓", "ok", "done", "better"),
    "reused": Word("↻", "again", "reused"),
    "measuring": Word("◜", "run", "measuring", "accent"),
    "running": Word("◜", "run", "running", "accent"),
    "parked": Word("‖", "park", "parked"),
    "waits": Word("◌", "open", "waits", "quiet"),
    "not_needed": Word("–", "none", "not needed", "quiet"),
    "failed": Word("✕", "no", "failed", "worse"),
    "skipped": Word("⊘", "skip", "skipped"),
}

LEVELS = {
    "pass": Word("✓", "ok", "pass", "better"),
    "fail": Word("✕", "no", "fail", "worse"),
    "info": Word("◇", "same", "for information"),
    "not_applicable": Word("–", "none", "not applicable", "quiet"),
}

UNCHECKED = Word("–", "none", "not checked", "quiet")  # a level that its run did not come to
LEVEL_NAMES = {"V0": "schema", "V1": "inputs", "V2": "environment", "V3": "artifact", "V4": "behaviour", "V5": "speed"}
BETWEEN = {  # of two runs: the second against the first
    "faster": Word("▲", "up", "higher speed-up", "better"),
    "slower": Word("▼", "down", "lower speed-up", "worse"),
    "overlap": Word("◇", "same", "intervals overlap"),
    "apart": Word("≠", "note", "intervals apart"),
}

CHANGES = {
    "changed": Word("→", "go", "changed"),
    "added": Word("+", "base", "added"),
    "removed": Word("–", "none", "removed"),
    "reordered": Word("↻", "again", "reordered"),
}

METRICS = {"f1": "F1", "macro_f1": "macro F1", "wer": "WER", "cer": "CER", "mse": "MSE", "mae": "MAE", "rmse": "RMSE",
           "top_5": "top-5 accuracy", "mean_iou": "mean IoU", "spearman": "Spearman", "rouge_l": "ROUGE-L",
           "chrf": "chrF", "entity_f1": "entity F1", "micro_f1": "micro F1", "top_1": "top-1 accuracy",
           "kl": "KL to the baseline", "cosine": "cosine"}  # fmt: skip

# What was timed -> (its name, one sentence about it).
TIMED = {
    "latency": ("One call at fixed lengths", ""),
    "first_token": (
        "Time to first token",
        "Prefill: tokens of the prompts, read a second until the first token is there.",
    ),
    "per_token": (
        "Time per output token",
        "Of each token after the first. A batch writes all its texts at once, and its tokens count together.",
    ),
}
RECIPROCALS = {"s of sound/s": "RTF"}  # a rate -> what its reciprocal is called


def word(token: str | None) -> Word:
    """The word for a verdict or status token; a token that is not known is shown as it is."""
    if token is None:
        return UNKNOWN
    return VERDICTS.get(token) or Word("◇", "same", token.replace("_", " "))


def level_name(level: str) -> str:
    """`V3 artifact`"""
    return f"{level} {LEVEL_NAMES.get(level, '')}".rstrip()


def verified(failed: str | None) -> str:
    """What a verification came to; `failed`: the level that failed first."""
    return f"not reproduced, {level_name(failed)} fails" if failed else "every promise that can be checked here holds"


def between(token: str) -> Word:
    """The word for what two runs say of one recipe."""
    return BETWEEN.get(token) or word(token)


def failed_at(stage: str | None) -> Word:
    """`✕ failed at export`; without a stage just `✕ failed`."""
    known = VERDICTS["failed"]
    return Word(known.glyph, known.icon, f"failed at {stage}" if stage else known.text, known.tone)


def metric_name(metric: str | None) -> str:
    """`macro_f1` -> "macro F1"."""
    name = metric or "accuracy"
    return METRICS.get(name.lower(), name.replace("_", " "))


# ---- figures ------------------------------------------------------------------------------------


def usable(value: Any) -> TypeGuard[float]:
    """A finite number (a bool is none)."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def number(value: float | None, digits: int = 0, signed: bool = False) -> str:
    """`1,000`, `−0.3`, `+0.3`; what rounds to zero has no sign; None is "–"."""
    if not usable(value):
        return NONE
    text = f"{abs(value):,.{digits}f}"
    if not any(char in "123456789" for char in text):
        return text
    return (MINUS if value < 0 else "+" if signed else "") + text


def figure(value: float | None, signed: bool = False, significant: int = 3) -> str:
    """About three significant digits for a quantity of unknown size: `0.0123`, `4.56`, `29.6`, `1,240`."""
    if not usable(value):
        return NONE
    if value == 0:
        return "0"
    digits = significant - 1 - math.floor(math.log10(abs(value)))
    return number(value, min(max(digits, 0), 8), signed)


def speedup(value: float | None) -> str:
    """`2.41x`, `12.4x`, `0.048x`."""
    if not usable(value):
        return NONE
    return number(value, _ratio_digits(value)) + "x"


def _ratio_digits(value: float) -> int:
    return 0 if value >= 100 else 1 if value >= 10 else 2 if value >= 0.1 else 3


def ratio_interval(ci95: Any) -> str:
    """`2.37–2.45`, without a unit."""
    if not is_interval(ci95):
        return NONE
    digits = _ratio_digits(ci95[1])
    return f"{number(ci95[0], digits)}–{number(ci95[1], digits)}"


def is_interval(ci95: Any) -> TypeGuard[Sequence[float]]:
    return isinstance(ci95, (list, tuple)) and len(ci95) == 2 and all(usable(end) for end in ci95)


def percent(value: float | None, digits: int = 0) -> str:
    """A fraction as `41 %`."""
    return NONE if not usable(value) else number(100 * value, digits) + NBSP + "%"


def value_of(value: float | None, unit: str | None) -> str:
    """The value of a metric: `91.0 %` for a fraction, else about three digits and the unit."""
    if unit in (None, "fraction"):
        return percent(value, 1)
    return figure(value) + (NBSP + str(unit) if usable(value) and unit not in ("", "1") else "")


def cosine(value: float | None) -> str:
    """`0.9873`; near one as many digits as it takes to see that it is not: `0.999983`."""
    if not usable(value):
        return NONE
    missing = 1 - value
    return number(value, 1 - math.floor(math.log10(missing)) if 1e-8 < missing < 1e-3 else 4)


def change(delta: float | None, unit: str | None = "fraction") -> str:
    """`+0.3 pp` for a fraction, else `+0.0123` and the unit."""
    if not usable(delta):
        return NONE
    if unit in (None, "fraction"):
        return number(100 * delta, 1, signed=True) + NBSP + "pp"
    return _shift(delta) + (NBSP + str(unit) if unit not in ("", "1") else "")


def _shift(value: float) -> str:
    """Two significant digits: `+0.012`; of what is smaller than 0.00005 as `+6.0e-7`, which stays short."""
    if not 0 < abs(value) < 0.00005:
        return figure(value, signed=True, significant=2)
    digits, _, power = f"{abs(value):.1e}".partition("e")
    return f"{MINUS if value < 0 else '+'}{digits}e{MINUS}{abs(int(power))}"


def change_interval(ci95: Any, unit: str | None = "fraction") -> str:
    """`−0.6 to +1.2`, in pp for a fraction, without the unit."""
    if not is_interval(ci95):
        return NONE
    low, high = ci95
    if unit in (None, "fraction"):
        return f"{number(100 * low, 1, signed=True)} to {number(100 * high, 1, signed=True)}"
    return f"{_shift(low)} to {_shift(high)}"


def amount(value: float | None, unit: str | None = "fraction") -> str:
    """A size of change without a sign: `1.0 pp`, `0.25 pp`."""
    if not usable(value):
        return NONE
    if unit in (None, "fraction"):
        points = abs(100 * value)
        digits = 1 if math.isclose(points, round(points, 1), abs_tol=0.004) or points >= 1 else 2
        return number(points, digits) + NBSP + "pp"
    return f"{abs(value):.3g}" + (NBSP + str(unit) if unit not in ("", "1") else "")


def milliseconds(value: float | None) -> str:
    """Milliseconds without the unit: `0.412`, `5.1`, `14.2`, `1,240`."""
    if not usable(value):
        return NONE
    return number(value, 0 if value >= 100 else 1 if value >= 1 else 3)


def megabytes(value: float | None) -> str:
    """Megabytes without the unit: `4.2`, `91`, `1,240`."""
    return number(value, 1 if usable(value) and value < 10 else 0)


def load_seconds(value: float | None) -> str:
    """Seconds without the unit: `0.46`, `12.1`, `140`."""
    return number(value, 0 if (value or 0) >= 100 else 2 if (value or 0) < 10 else 1)


def build_seconds(value: float | None) -> str:
    """Seconds without the unit: `0.4`, `9.0`, `48`."""
    return number(value, 0 if (value or 0) >= 10 else 1)


def duration(seconds: float | None) -> str:
    """For people who wait: `0.4 s`, `12 s`, `2 min 5 s`, `1 h 20 min`."""
    if not usable(seconds):
        return NONE
    if seconds < 10:
        return number(seconds, 1) + NBSP + "s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}{NBSP}s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes}{NBSP}min" + (f" {rest}{NBSP}s" if rest else "")
    hours, minutes = divmod(minutes, 60)
    return f"{hours}{NBSP}h" + (f" {minutes}{NBSP}min" if minutes else "")


def count(value: float | None) -> str:
    """`940`, `22.7 M`, `1.2 G`: for parameters and the like."""
    if not usable(value):
        return NONE
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return number(value / size, 1) + NBSP + letter
    return number(value)


def rate(value: float | None, unit: str) -> str:
    """Operations or bytes a second with a prefix: `0.21 TFLOP/s`, `18.2 GB/s`."""
    if not usable(value):
        return NONE
    prefix, size = ("T", 1e12) if unit == "FLOP/s" and value >= 1e11 else ("G", 1e9)
    scaled = value / size
    return number(scaled, 2 if scaled < 1 else 1) + NBSP + prefix + unit


def plural(n: int, one: str, many: str = "") -> str:
    """`1 round`, `40 rounds`."""
    return f"{number(n)} {one if n == 1 else many or one + 's'}"


NUMERALS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


def numeral(n: int) -> str:
    """`nine`; digits above twelve."""
    return NUMERALS[n] if 0 <= n < len(NUMERALS) else number(n)
