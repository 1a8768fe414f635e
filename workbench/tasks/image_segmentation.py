"""A class for every pixel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.errors import RequestError
from workbench.measurement import Metric
from workbench.plugin import Answers, Batch, Prepared
from workbench.tasks.classification import classes_of
from workbench.tasks.one_call import OneCall, enough, labelled
from workbench.tasks.pictures import Pictures, opened, picture_card, readable

if TYPE_CHECKING:
    import numpy as np

IGNORED = 255


class ImageSegmentation(OneCall):
    """Inputs: `pixel_values`, float32 [3, height, width]; beside them, for reading, `mask`, int16 [its height, its
    width], and `mask_size`. A mask is a PNG of class ids; pixels of 255 do not count.

    Two maps of a whole picture are hardly ever equal, so an answer is told by the class that covers most of it, and
    its scores are the shares that the classes cover: agreement is that of the largest class, the divergence that of
    the shares. Statistics are of the maps themselves: mean_iou [n, 2 classes], the pixels of each class's
    intersection, then of its union, summed up over all pictures before they are divided; pixel_accuracy [n, 2], right
    pixels and those that count.
    """

    name = "image-segmentation"
    summary = "One class a pixel (semantic segmentation)."
    auto_class = "AutoModelForSemanticSegmentation"
    needs = ("transformers", "torch", "pillow")
    columns = {
        "image": ("image", "file_name", "img"),
        "mask": ("mask", "annotation", "segmentation_mask", "segmentation", "label"),
    }
    inputs = (("image",),)
    target = "mask"
    metrics = (Metric("mean_iou", combine="mean_iou"), Metric("pixel_accuracy", combine="ratio"))
    default_data = "starter:fashion"
    rate_unit = "images"

    def class_for(self, config: Mapping[str, Any]) -> str:
        """Raises RequestError for a model that finds objects one by one, or none of these."""
        names = [str(name) for name in config.get("architectures") or ()]
        if names and not any(name.endswith("ForSemanticSegmentation") for name in names):
            raise RequestError(
                f"{names[0]} does not give one class a pixel.",
                "Only models of transformers' …ForSemanticSegmentation are read here.",
                "Take one of these, such as a SegFormer.",
            )
        return self.auto_class

    def check(self, rows: list[dict[str, Any]], config: dict[str, Any]) -> list[dict[str, Any]]:
        self.class_for(config)
        enough(rows)
        for row in rows if labelled(rows, "mask") else ():
            picture, mask = (_size(row, field, noun) for field, noun in (("image", "picture"), ("mask", "mask")))
            if picture != mask:
                raise RequestError(
                    f"The mask of row {row['row']} has another size than its picture.",
                    f"It has {mask[0]} x {mask[1]} pixels, the picture {picture[0]} x {picture[1]}.",
                    "Give a mask with one pixel for each of the picture's.",
                )
        return rows

    def processor(self, model: Path) -> Pictures:
        return Pictures(model)

    def prepare(self, rows: list[dict[str, Any]], model: Path) -> Prepared:
        import json

        pictures = self.processor(model)
        classes = classes_of(json.loads((model / "config.json").read_text()))
        examples = [pictures(row) for row in rows]
        masks = [] if rows[0].get("mask") is None else [_mask(row, len(classes), pictures) for row in rows]
        mostly = [_most(mask, len(classes)) for mask in masks] or [None] * len(rows)
        return Prepared(
            tensors={name: [example[name] for example in examples] for name in examples[0]} | _beside(masks),
            padding={},
            labels=mostly if masks else None,
            ids=[row["id"] for row in rows],
            cards=[picture_card(row | {"label": label}, classes) for row, label in zip(rows, mostly, strict=True)],
            facts={"classes": classes, **pictures.facts()},
        )

    def collate(self, prepared: Prepared, indices: Sequence[int]) -> Batch:
        """Masks of different sizes are filled up with pixels that do not count."""
        import numpy as np

        rest = {name: values for name, values in prepared.tensors.items() if name != "mask"}
        batch = super().collate(replace(prepared, tensors=rest), indices)
        if masks := [prepared.tensors["mask"][i] for i in indices] if "mask" in prepared.tensors else []:
            height, width = (max(mask.shape[axis] for mask in masks) for axis in (0, 1))
            batch["mask"] = np.stack([
                np.pad(mask, ((0, height - mask.shape[0]), (0, width - mask.shape[1])), constant_values=IGNORED)
                for mask in masks
            ])  # fmt: skip
        return batch

    def read(self, outputs: Batch, batch: Batch, facts: dict[str, Any]) -> Answers:
        """`logits` [n, classes, h, w], brought to the mask's size where there is one, by bilinear interpolation."""
        import numpy as np

        logits = np.asarray(outputs["logits"], dtype=np.float32)
        classes = logits.shape[1]
        if "mask" not in batch:
            return _told([one.argmax(axis=0) for one in logits], classes)
        sizes = [(int(height), int(width)) for height, width in batch["mask_size"]]
        maps = [resized(one, *size).argmax(axis=0) for one, size in zip(logits, sizes, strict=True)]
        masks = [mask[:height, :width] for mask, (height, width) in zip(batch["mask"], sizes, strict=True)]
        met = [overlaps(found, mask, classes) for found, mask in zip(maps, masks, strict=True)]
        return _told(maps, classes, {"overlaps": np.stack(met)})

    def statistics(self, answers: Answers, labels: Sequence[Any]) -> dict[str, np.ndarray]:
        import numpy as np

        answered, labelled, both = np.moveaxis(answers.kept["overlaps"].astype(np.float64), 1, 0)
        return {
            "mean_iou": np.concatenate([both, answered + labelled - both], axis=1),
            "pixel_accuracy": np.stack([both.sum(axis=1), labelled.sum(axis=1)], axis=1),
        }


def resized(logits: np.ndarray, height: int, width: int) -> np.ndarray:
    """[classes, h, w] -> [classes, height, width]: bilinear, corners not aligned, as torch's `interpolate` does it."""
    import numpy as np

    for axis, size in ((1, height), (2, width)):
        old = logits.shape[axis]
        place = np.clip((np.arange(size) + 0.5) * old / size - 0.5, 0, old - 1)
        low = place.astype(np.int64)
        share = (place - low).astype(np.float32).reshape((-1, 1) if axis == 1 else (-1,))
        before, after = (logits.take(index, axis=axis) for index in (low, np.minimum(low + 1, old - 1)))
        logits = before + (after - before) * share
    return logits


def overlaps(found: np.ndarray, mask: np.ndarray, classes: int) -> np.ndarray:
    """[3, classes]: pixels that were answered so, that are labelled so, and both; those of 255 do not count."""
    import numpy as np

    counts = mask != IGNORED
    answered, labelled = found[counts], mask[counts]
    return np.stack([_counts(each, classes) for each in (answered, labelled, answered[answered == labelled])])


def _told(maps: Sequence[np.ndarray], classes: int, kept: Batch | None = None) -> Answers:
    import numpy as np

    counts = np.stack([_counts(found, classes) for found in maps])
    shares = (counts / counts.sum(axis=1, keepdims=True)).astype(np.float32)
    return Answers(counts.argmax(axis=1).tolist(), shares, kept or {})


def _counts(ids: np.ndarray, classes: int) -> np.ndarray:
    import numpy as np

    return np.bincount(ids.ravel(), minlength=classes)


def _beside(masks: Sequence[np.ndarray]) -> dict[str, list[np.ndarray]]:
    import numpy as np

    if not masks:
        return {}
    return {"mask": list(masks), "mask_size": [np.asarray(mask.shape, dtype=np.int64) for mask in masks]}


def _most(mask: np.ndarray, classes: int) -> int | None:
    """The class that covers most; None where no pixel counts."""
    counted = mask[mask != IGNORED]
    return int(_counts(counted, classes).argmax()) if counted.size else None


def _mask(row: dict[str, Any], classes: int, pictures: Pictures) -> np.ndarray:
    """Class ids, int16 [height, width]. Raises RequestError, naming the row, for an id that the model does not have."""
    import numpy as np

    with readable(row, "mask"):
        ids = np.asarray(opened(row, "mask"), dtype=np.int64)
    if pictures.reduces_labels:
        ids = np.where((ids == 0) | (ids == IGNORED), IGNORED, ids - 1)
    unknown = ids[(ids >= classes) & (ids != IGNORED)]
    if unknown.size:
        raise RequestError(
            f"The mask of row {row['row']} has the class {unknown[0]}, which the model does not know.",
            f"It knows the ids 0 to {classes - 1}; {IGNORED} stands for no class.",
            "Renumber the classes in the masks.",
        )
    return ids.astype(np.int16)


def _size(row: dict[str, Any], field: str, noun: str) -> tuple[int, int]:
    """(width, height), read from the file's head."""
    with readable(row, noun), opened(row, field) as image:
        size, mode = (image.width, image.height), image.mode
    if field == "mask" and mode not in ("L", "P", "I", "I;16"):
        raise RequestError(
            f"The mask of row {row['row']} is a picture in colours ({mode}).",
            "A pixel's class is its one number: a PNG of mode L or P.",
            "Save the class ids, not their colours.",
        )
    return size
