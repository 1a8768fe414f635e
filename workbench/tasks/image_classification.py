"""One label an image."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.errors import RequestError
from workbench.plugin import Batch, Prepared
from workbench.tasks.classification import Classification, classes_of

if TYPE_CHECKING:
    from PIL.Image import Image

LARGEST = 50_000_000  # pixels; larger pictures are refused before they are unpacked


class ImageClassification(Classification):
    """Inputs: `pixel_values`, float32 [3, height, width], as the model's own image processor makes them."""

    name = "image-classification"
    summary = "One label an image."
    auto_class = "AutoModelForImageClassification"
    needs = ("transformers", "torch", "pillow")
    columns = {"image": ("image", "file_name", "img"), "label": ("label", "labels")}
    inputs = (("image",),)
    default_data = "starter:fashion"

    def processor(self, model: Path) -> Pictures:
        return Pictures(model)

    def prepare(self, rows: list[dict[str, Any]], model: Path) -> Prepared:
        import json

        pictures = self.processor(model)
        examples = [pictures(row) for row in rows]
        classes = classes_of(json.loads((model / "config.json").read_text()))
        return Prepared(
            tensors={name: [example[name] for example in examples] for name in examples[0]},
            padding={},
            labels=None if rows[0].get("label") is None else [row["label"] for row in rows],
            ids=[row["id"] for row in rows],
            cards=[_card(row, classes) for row in rows],
            facts={"classes": classes, **pictures.facts()},
        )


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


def open_image(row: dict[str, Any]) -> Image:
    """The row's picture in RGB, from bytes or a path. Raises RequestError naming the row."""
    from PIL import Image

    source = row["image"]
    try:
        image = Image.open(io.BytesIO(source) if isinstance(source, bytes) else source)
        if image.width * image.height > LARGEST:
            raise ValueError(f"it has {image.width} x {image.height} pixels")
        return image.convert("RGB")
    except (OSError, ValueError, SyntaxError) as error:
        which = f" of row {row['row']}" if "row" in row else ""
        raise RequestError(
            f"The picture{which} cannot be read.", f"{error}.", "Remove the row or mend the file."
        ) from error


def _card(row: dict[str, Any], classes: list[str]) -> dict[str, Any]:
    image = open_image(row)
    image.thumbnail((96, 96))
    out = io.BytesIO()
    image.save(out, "PNG")
    return {
        "image": "data:image/png;base64," + base64.b64encode(out.getvalue()).decode(),
        "label": None if row.get("label") is None else classes[row["label"]],
    }
