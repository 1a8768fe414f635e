"""What the head of a safetensors file says of the rest, checked before any library believes it.

The format (github.com/huggingface/safetensors): 8 bytes, little endian: how long the head is; the head, a JSON object
of {name: {"dtype", "shape", "data_offsets": [begin, end]}} and "__metadata__" with texts; then the bytes of the
tensors, one after the other without a gap.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from workbench.errors import RequestError

MOST_HEAD = 25_000_000  # bytes; the format allows four times that, and 100,000 tensors have 10 MB
MOST_NAME = 512  # characters of a tensor's name
MOST_DIMENSIONS = 64
# Bits of one value.
BITS = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8,
    "I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32, "U32": 32, "F32": 32, "C64": 64, "I64": 64, "U64": 64,
    "F64": 64, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6,
}  # fmt: skip
FIX = "Take the file from its first source again, or write it again with `save_pretrained`."


def check_safetensors(path: Path, name: str) -> None:
    """Raises RequestError, which names `name`, for a file whose head is no head: too long, no JSON, a name twice,
    shapes and places that do not fit together, overlap, leave a gap, or lead out of the file."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > min(MOST_HEAD, size - 8):
            raise _broken(name, f"Its head would have {length:,} bytes, the file has {size:,}.")
        head = file.read(length)
    try:
        said = json.loads(head.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise _broken(name, f"Its head is no JSON: {str(error)[:200]}.") from error
    if not isinstance(said, dict):
        raise _broken(name, "Its head is no JSON object.")
    metadata = said.pop("__metadata__", {})
    if not isinstance(metadata, dict) or any(not isinstance(value, str) for value in metadata.values()):
        raise _broken(name, "Its metadata are no texts.")
    places = sorted(_place(tensor, entry, name) for tensor, entry in said.items())
    end = 0
    for begin, stop, tensor in places:
        if begin != end:
            what = "overlaps the one before it" if begin < end else "leaves a gap before it"
            raise _broken(name, f"The tensor {_short(tensor)} {what}.")
        end = stop
    if end != size - 8 - length:
        raise _broken(name, f"Its tensors have {end:,} bytes, and {size - 8 - length:,} are there.")


def _place(tensor: str, entry: Any, name: str) -> tuple[int, int, str]:
    """(begin, end, tensor's name)."""
    label = _short(tensor)
    if len(tensor) > MOST_NAME or not tensor.isprintable():
        raise _broken(name, f"The name {label} is none.")
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise _broken(name, f"The tensor {label} is not described by dtype, shape and data_offsets.")
    shape, offsets, bits = entry["shape"], entry["data_offsets"], BITS.get(str(entry["dtype"]))
    if bits is None:
        raise _broken(name, f"The tensor {label} is of no known type.")
    if not _counts(shape) or len(shape) > MOST_DIMENSIONS or not _counts(offsets) or len(offsets) != 2:
        raise _broken(name, f"Shape or place of the tensor {label} are no whole numbers.")
    begin, end = offsets
    if end < begin or (end - begin) * 8 != math.prod(shape) * bits:
        raise _broken(name, f"The tensor {label} has not as many bytes as its shape says.")
    return begin, end, tensor


def _counts(value: Any) -> bool:
    """A list of whole numbers from 0 on, none beyond what a file can have."""
    return isinstance(value, list) and all(type(one) is int and 0 <= one < 1 << 63 for one in value)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {_short(key)} is there twice")
        found[key] = value
    return found


def _no_number(word: str) -> Any:
    raise ValueError(f"{word} is no number")


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:60] + "…")


def _broken(name: str, why: str) -> RequestError:
    return RequestError(f"{name} is not a safetensors file.", why, FIX)
