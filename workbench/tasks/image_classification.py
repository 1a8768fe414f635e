"""One label an image."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.measurement import Metric
from workbench.plugin import Answers, Prepared
from workbench.tasks.classification import Classification, classes_of
from workbench.tasks.pictures import Pictures, picture_card

if TYPE_CHECKING:
    import numpy as np

TOP_5 = Metric("top_5", binary=True)


class ImageClassification(Classification):
    """Inputs: `pixel_values`, float32 [3, height, width], as the model's own image processor makes them.

    Statistics besides those of every classifier: top_5 [n, 1], whether the label is among the five best answers. With
    fewer than six classes it always is, and the metric is left out.
    """

    name = "image-classification"
    summary = "One label an image."
    auto_class = "AutoModelForImageClassification"
    needs = ("transformers", "torch", "pillow")
    metrics = (*Classification.metrics, TOP_5)
    columns = {"image": ("image", "file_name", "img"), "label": ("label", "labels")}
    inputs = (("image",),)
    default_data = "starter:fashion"
    rate_unit = "images"

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
            cards=[picture_card(row, classes) for row in rows],
            facts={"classes": classes, **pictures.facts()},
        )

    def statistics(self, answers: Answers, labels: Sequence[Any]) -> dict[str, np.ndarray]:
        import numpy as np

        found = super().statistics(answers, labels)
        if answers.scores.shape[1] > 5:
            best = np.argsort(-answers.scores, axis=1, kind="stable")[:, :5]
            among = (best == np.asarray(labels)[:, None]).any(axis=1)
            found["top_5"] = among[:, None].astype(np.float64)
        return found
