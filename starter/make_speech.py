"""Make `starter/speech`: 130 sentences, spoken by four synthetic voices.

    apt-get update && apt-get install flite
    python -m starter.make_speech

(or `apt-get download flite libflite1`, `dpkg-deb -x` into a folder, its usr/bin/flite as `--flite`,
and LD_LIBRARY_PATH with the folder that holds its libraries). Run it from the root of the repository.
Rows, voices and samples are the same everywhere; another build of the encoder may write other bytes.
"""

from __future__ import annotations

import argparse
import io
import json
import random
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import soundfile

from workbench.starter import file_sha256

RATE = 16_000
VOICES = ("slt", "rms", "awb", "kal16")
STRETCHES = (0.95, 1.1, 1.25)  # how long each sound is held, against the voice's own pace
EVALUATION, CALIBRATION = 100, 30
PACKAGE, VERSION = "flite", "2.2-5"
ENCODER = {"format": "OGG", "subtype": "VORBIS", "compression_level": 0.9}
SERIAL = 1
ORIGIN = "sentences written for this project, spoken by CMU Flite"
NOTE = "The voices of starter:speech are synthetic: how well they are understood says nothing about a microphone."


def split(sentences: Sequence[str], seed: int) -> dict[str, list[tuple[str, str, float]]]:
    """Part -> (text, voice, stretch): each voice and each pace equally often; no text is in two parts."""
    order = list(sentences)
    random.Random(seed).shuffle(order)
    rows = [(text, VOICES[i % len(VOICES)], STRETCHES[i % len(STRETCHES)]) for i, text in enumerate(order)]
    return {"evaluation": rows[:EVALUATION], "calibration": rows[EVALUATION : EVALUATION + CALIBRATION]}


def speak(flite: str, text: str, voice: str, stretch: float) -> np.ndarray:
    """int16 [samples] at RATE."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "said.wav"
        pace = ["--setf", f"duration_stretch={stretch}"]
        subprocess.run([flite, "-voice", voice, *pace, "-t", text, "-o", str(path)], check=True)
        samples, rate = soundfile.read(path, dtype="int16")
    if rate != RATE or samples.ndim != 1:
        raise SystemExit(f"{voice} speaks {samples.ndim} channels at {rate} a second, not one at {RATE}.")
    return samples


def encode(samples: np.ndarray) -> bytes:
    """Ogg Vorbis, the same bytes each time: the encoder draws a serial number by the clock."""
    target = io.BytesIO()
    soundfile.write(target, samples, RATE, **ENCODER)
    return numbered(target.getvalue(), SERIAL)


def numbered(ogg: bytes, serial: int) -> bytes:
    """The same stream with another serial number on each of its pages (RFC 3533, section 6)."""
    pages, start = bytearray(ogg), 0
    while start < len(pages):
        body = start + 27 + pages[start + 26]
        end = body + sum(pages[start + 27 : body])
        pages[start + 14 : start + 18] = serial.to_bytes(4, "little")
        pages[start + 22 : start + 26] = bytes(4)
        pages[start + 22 : start + 26] = checksum(pages[start:end]).to_bytes(4, "little")
        start = end
    return bytes(pages)


def checksum(page: bytes) -> int:
    """CRC-32 as Ogg has it: nothing is mirrored, it begins with zero."""
    value = 0
    for byte in page:
        value ^= byte << 24
        for _ in range(8):
            value = (value << 1 ^ (0x04C11DB7 if value & 0x80000000 else 0)) & 0xFFFFFFFF
    return value


def save_rows(rows: list[tuple[str, str, float]], sounds: list[np.ndarray], path: Path) -> None:
    """A Parquet file as the Hugging Face Hub keeps sounds, the bytes of each with a name."""
    audio = [{"bytes": encode(sound), "path": f"{path.stem}-{i:03d}.ogg"} for i, sound in enumerate(sounds)]
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    plain = {"text": pa.string(), "voice": pa.string(), "stretch": pa.float64()}
    features = {"audio": {"sampling_rate": RATE, "_type": "Audio"}}
    features |= {
        name: {"dtype": str(one).replace("double", "float64"), "_type": "Value"} for name, one in plain.items()
    }
    notes = {"huggingface": json.dumps({"info": {"features": features}})}
    schema = pa.schema([("audio", kind), *plain.items()], metadata=notes)
    columns = dict(zip(plain, zip(*rows, strict=True), strict=True))
    pq.write_table(pa.table({"audio": audio, **columns}, schema=schema), path)


def measure(rows: list[tuple[str, str, float]], sounds: list[np.ndarray]) -> dict[str, float]:
    seconds = [len(sound) / RATE for sound in sounds]
    return {
        "n": len(rows),
        "words": sum(len(text.split()) for text, _, _ in rows),
        "seconds": round(sum(seconds), 1),
        "shortest_s": round(min(seconds), 2),
        "median_s": round(float(np.median(seconds)), 2),
        "longest_s": round(max(seconds), 2),
    }


def card(into: Path, measured: dict[str, dict[str, float]]) -> dict:
    files = [f"{name}.parquet" for name in measured]
    return {
        "task": "automatic-speech-recognition",
        "kind": "data",
        "note": NOTE,
        "files": {name: file_sha256(into / name) for name in (*files, "sentences.txt")},
        "licence": "Apache-2.0 (sentences and sounds); the voices are CMU Flite's",
        "data": {"package": PACKAGE, "version": VERSION, "origin": ORIGIN, "voices": list(VOICES)},
        "rows": {name: int(found["n"]) for name, found in zip(files, measured.values(), strict=True)},
        "measured": measured,
    }


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--flite", default="flite", help="the program, where it is not on the PATH")
    parser.add_argument("--into", type=Path, default=Path(__file__).parent / "speech")
    parser.add_argument("--seed", type=int, default=20)
    return parser.parse_args()


def main() -> None:
    options = parse()
    sentences = (options.into / "sentences.txt").read_text(encoding="utf-8").splitlines()
    measured = {}
    for name, rows in split(sentences, options.seed).items():
        sounds = [speak(options.flite, *row) for row in rows]
        save_rows(rows, sounds, options.into / f"{name}.parquet")
        measured[name] = measure(rows, sounds)
    text = json.dumps(card(options.into, measured), indent=2) + "\n"
    (options.into / "starter.json").write_text(text, encoding="utf-8")
    print(json.dumps(measured, indent=2))


if __name__ == "__main__":
    main()
