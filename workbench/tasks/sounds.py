"""Sounds as the model's own feature extractor gives them, and what their length says of speed."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.errors import RequestError
from workbench.plugin import Batch, Point, Prepared
from workbench.tasks.one_call import OneCall

if TYPE_CHECKING:
    import numpy as np

COLUMNS = ("audio", "file_name", "file", "path")
NEEDS = ("transformers", "torch", "soundfile", "scipy")
MOST = 120.0  # seconds that one call takes; attention over more of them fills the memory


class Sounds:
    """The model's feature extractor, fed one channel at its own rate."""

    def __init__(self, model: Path) -> None:
        from transformers import AutoFeatureExtractor

        self._extractor = AutoFeatureExtractor.from_pretrained(model)
        self.rate = int(self._extractor.sampling_rate)

    def __call__(self, row: dict[str, Any]) -> Batch:
        """Its inputs as the extractor names them, float32 and int64, and `seconds`, float32 [1]."""
        import numpy as np

        sound = read_sound(row, self.rate)
        out = self._extractor(sound, sampling_rate=self.rate, return_tensors="np")
        given = {name: values[0] for name, values in out.items()}
        kinds = {name: np.float32 if values.dtype.kind == "f" else np.int64 for name, values in given.items()}
        seconds = np.asarray([len(sound) / self.rate], dtype=np.float32)
        return {name: np.asarray(values, dtype=kinds[name]) for name, values in given.items()} | {"seconds": seconds}

    def padding(self, examples: Sequence[Batch]) -> dict[str, float]:
        """What fills up shorter examples, of the inputs that have examples of several lengths."""
        fill = float(getattr(self._extractor, "padding_value", 0.0))
        several = [name for name in examples[0] if len({len(example[name]) for example in examples}) > 1]
        return {name: 0.0 if name.endswith("mask") else fill for name in several}

    def facts(self) -> dict[str, Any]:
        return {"truncated": 0, "max_length": None, "rate": self.rate}


class Heard(OneCall):
    """Speed is told in seconds of sound a second as well: the real-time factor turned round."""

    def points(
        self, prepared: Prepared, order: Sequence[int], batches: Sequence[int], sequences: Sequence[int]
    ) -> list[Point]:
        return [_with_seconds(point) for point in super().points(prepared, order, batches, sequences)]


def read_sound(row: dict[str, Any], rate: int) -> np.ndarray:
    """float32 [samples] at `rate`: channels averaged, resampled by a polyphase filter. Raises RequestError naming
    the row."""
    import math

    import soundfile
    from scipy.signal import resample_poly

    try:
        sound, own = soundfile.read(_file(row["audio"]), dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, OSError) as error:
        raise _unreadable(row, error) from error
    mono: np.ndarray = sound.mean(axis=1)
    if own == rate:
        return mono
    common = math.gcd(own, rate)
    return resample_poly(mono, rate // common, own // common).astype("float32")  # type: ignore[no-any-return]


def check_sounds(rows: Iterable[dict[str, Any]], most: float = MOST) -> None:
    """Look at each file's head. Raises RequestError, naming the row, for what is no sound, empty or too long."""
    import soundfile

    for row in rows:
        try:
            info = soundfile.info(_file(row["audio"]))
        except (soundfile.SoundFileError, OSError) as error:
            raise _unreadable(row, error) from error
        if not 0 < info.duration <= most:
            raise RequestError(
                f"The sound{_which(row)} has {info.duration:,.1f} s.",
                f"A model hears all of it in one call, which takes up to {most:.0f} s.",
                "Cut it into pieces, or remove the row." if _which(row) else "Give a shorter one.",
            )


def seconds_of(example: Batch) -> float:
    """Of one example, to a hundredth, as a report shows it."""
    return round(float(example["seconds"][0]), 2)


def _with_seconds(point: Point) -> Point:
    taken = [float(batch["seconds"].sum()) for batch in point.batches]
    return replace(point, units=sum(taken) / len(taken), rate_unit="s of sound")


def _file(source: Any) -> Any:
    return io.BytesIO(source) if isinstance(source, bytes) else source


def _unreadable(row: dict[str, Any], error: Exception) -> RequestError:
    which = _which(row)
    said = str(getattr(error, "error_string", "") or error).rstrip(".")
    instead = "Give WAV, FLAC, OGG or MP3" + (", or remove the row." if which else ".")
    return RequestError(f"The sound{which} cannot be read.", f"{said}.", instead)


def _which(row: dict[str, Any]) -> str:
    return f" of row {row['row']}" if "row" in row else ""
