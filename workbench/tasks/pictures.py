"""Pictures as the model's own image processor gives them, and as a report shows them."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.errors import RequestError
from workbench.plugin import Batch

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM", "AVIF", "JPEG2000")  # none that starts a program
LARGEST = 50_000_000  # pixels; larger pictures are refused before they are unpacked


class Pictures:
    """The model's image processor. transformers' PIL processors need no torchvision."""

    def __init__(self, model: Path) -> None:
        from transformers import AutoImageProcessor

        self._processor = AutoImageProcessor.from_pretrained(model)

    def __call__(self, row: dict[str, Any]) -> Batch:
        import numpy as np

        out = self._processor(images=open_image(row), return_tensors="np")
        return {"pixel_values": np.asarray(out["pixel_values"][0], dtype=np.float32)}

    def facts(self) -> dict[str, Any]:
        return {"truncated": 0, "max_length": None}

    @property
    def reduces_labels(self) -> bool:
        """Whether class 0 of a mask means nothing, and the others count from 1."""
        return bool(getattr(self._processor, "do_reduce_labels", False))


def open_image(row: dict[str, Any]) -> Image:
    """The row's picture in RGB, from bytes or a path. Raises RequestError naming the row."""
    with readable(row, "picture"):
        return opened(row, "image").convert("RGB")


def opened(row: dict[str, Any], field: str) -> Image:
    """The picture in `field`; only its head is read yet. Raises OSError or ValueError for what is none."""
    from PIL import Image

    source = row[field]
    try:
        image = Image.open(io.BytesIO(source) if isinstance(source, bytes) else source, formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise ValueError(str(error).split(",")[0]) from error
    if image.width * image.height > LARGEST:
        raise ValueError(f"it has {image.width} x {image.height} pixels")
    return image


@contextmanager
def readable(row: dict[str, Any], noun: str) -> Iterator[None]:
    """What goes wrong with a file in here becomes a RequestError that names the row."""
    from PIL import Image, UnidentifiedImageError

    try:
        yield
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        which = f" of row {row['row']}" if "row" in row else ""
        unknown = isinstance(error, UnidentifiedImageError)
        raise RequestError(
            f"The {noun}{which} cannot be read.",
            "It is no picture, or none of a known format." if unknown and not which else f"{error}.",
            "Remove the row or mend the file." if which else "Give a PNG, JPEG or WebP file.",
        ) from error


def picture_card(row: dict[str, Any], classes: Sequence[str]) -> dict[str, Any]:
    """A thumbnail, and the label in words; `label` of the row is an id."""
    image = open_image(row)
    image.thumbnail((96, 96))
    out = io.BytesIO()
    image.save(out, "PNG")
    return {
        "image": "data:image/png;base64," + base64.b64encode(out.getvalue()).decode(),
        "label": None if row.get("label") is None else classes[row["label"]],
    }
