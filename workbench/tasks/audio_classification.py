"""One label a sound."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workbench.plugin import Prepared
from workbench.tasks.classification import Classification, classes_of
from workbench.tasks.sounds import COLUMNS, NEEDS, Heard, Sounds, check_sounds, seconds_of


class AudioClassification(Heard, Classification):
    """Inputs: what the model's own feature extractor gives: `input_values`, float32 [samples] or [frames, bins], or
    `input_features`; beside them `seconds` of each sound.

    Models whose extractor gives no mask hear the silence that fills up a batch: their answers depend a little on what
    else is in it.
    """

    name = "audio-classification"
    summary = "One label a sound."
    auto_class = "AutoModelForAudioClassification"
    needs = NEEDS
    columns = {"audio": COLUMNS, "label": ("label", "labels")}
    inputs = (("audio",),)
    default_data = "starter:speech"

    def check(self, rows: list[dict[str, Any]], config: dict[str, Any]) -> list[dict[str, Any]]:
        checked = super().check(rows, config)
        check_sounds(checked)
        return checked

    def prepare_own(self, row: dict[str, Any], model: Path, facts: Mapping[str, Any]) -> Prepared:
        check_sounds([row])
        return self.prepare([row], model)

    def processor(self, model: Path) -> Sounds:
        return Sounds(model)

    def prepare(self, rows: list[dict[str, Any]], model: Path) -> Prepared:
        import json

        sounds = self.processor(model)
        examples = [sounds(row) for row in rows]
        classes = classes_of(json.loads((model / "config.json").read_text()))
        labels = None if rows[0].get("label") is None else [row["label"] for row in rows]
        return Prepared(
            tensors={name: [example[name] for example in examples] for name in examples[0]},
            padding=sounds.padding(examples),
            labels=labels,
            ids=[row["id"] for row in rows],
            cards=[
                {"seconds": seconds_of(example), "label": None if labels is None else classes[row["label"]]}
                for example, row in zip(examples, rows, strict=True)
            ],
            facts={"classes": classes, **sounds.facts()},
        )
