"""A BERT and a ViT of two layers that classify."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np

from tests import models, small
from tests.tiny.kind import Tiny


def _texts(folder: Path) -> list[dict[str, Any]]:
    return [{"id": f"{n:064d}", "row": n, "text": text, "label": label}
            for n, (text, label) in enumerate(small.texts(24), 1)]  # fmt: skip


def make_vit(folder: Path) -> Path:
    from transformers import ViTImageProcessorPil

    models.tiny_vit(folder)
    side = {"height": models.SIDE, "width": models.SIDE}
    ViTImageProcessorPil(size=side).save_pretrained(folder)
    return folder


def pictures(folder: Path, classes: int = models.CLASSES) -> list[dict[str, Any]]:
    return [{"id": f"{n:064d}", "row": n, "image": png(n), "label": n % classes} for n in range(1, 25)]


def png(seed: int, side: int = 40) -> bytes:
    """A picture of random pixels."""
    from PIL import Image

    out = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 255, (side, side, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


TINY = (
    Tiny("text-classification", small.make_model, _texts),
    Tiny("image-classification", make_vit, pictures),
)
