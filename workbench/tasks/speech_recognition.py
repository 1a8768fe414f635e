"""What was said in a sound."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.errors import RequestError
from workbench.generation import beginning
from workbench.plugin import Answers, Batch, Point, Prepared, Session, Writes
from workbench.tasks.one_call import enough, labelled
from workbench.tasks.sounds import COLUMNS, MOST, NEEDS, Heard, Sounds, check_sounds, seconds_of
from workbench.tasks.transcripts import CER, NORMALIZER, WER, errors, normalized, spelled, spelling_of
from workbench.tasks.writing import Spelling, parts, writer
from workbench.tasks.writing import seconds_of as seconds_written

if TYPE_CHECKING:
    import numpy as np

# How the model's class ends -> what loads it.
BY_CLASS = {
    "ForCTC": "AutoModelForCTC",
    "ForConditionalGeneration": "AutoModelForSpeechSeq2Seq",
    "ForSpeechSeq2Seq": "AutoModelForSpeechSeq2Seq",
}
LONGEST = 128  # tokens of an answer that are compared, where the model writes it
APART = "apart"  # marks a batch of which so many tokens are written as of any text, and the first is timed apart
FEW = 4  # such batches
PIECE = 30.0  # seconds of sound that a model which writes hears at once


class SpeechRecognition(Heard):
    """Inputs: `input_values`, float32 [samples], or `input_features` [frames, bins], with `attention_mask` where the
    model's extractor gives one; beside them `seconds` and `length` of each sound, or, where the model writes its answer
    word by word (Whisper), `decoder_input_ids`, with which it begins.

    An answer is the text, normalized as it is compared. Statistics: wer [n, 2] (word errors, words), cer [n, 2].
    """

    name = "automatic-speech-recognition"
    summary = "The words spoken in a sound."
    auto_class = "AutoModelForCTC"
    needs = (*NEEDS, "jiwer")
    columns = {"audio": COLUMNS, "text": ("text", "transcription", "sentence", "transcript", "normalized_text")}
    inputs = (("audio",),)
    default_data = "starter:speech"
    target = "text"
    metrics = (WER, CER)

    def class_for(self, config: Mapping[str, Any]) -> str:
        names = [str(name) for name in config.get("architectures") or ()]
        for name in names:
            if found := next((loads for end, loads in BY_CLASS.items() if name.endswith(end)), None):
                return found
        raise RequestError(
            f"{names[0] if names else 'A model without a class'} does not say what is spoken.",
            f"Read here are classes that end in {', '.join(BY_CLASS)}.",
            "Take a CTC model, such as a Wav2Vec2ForCTC, or one like Whisper.",
        )

    def asks_for(self, config: Mapping[str, Any]) -> tuple[type, ...]:
        return () if self.class_for(config) == self.auto_class else (Writes,)

    def check(self, rows: list[dict[str, Any]], config: dict[str, Any]) -> list[dict[str, Any]]:
        self.class_for(config)
        enough(rows)
        for row in rows if labelled(rows, "text") else ():
            if not normalized(str(row["text"])):
                raise RequestError(
                    f"The text of row {row['row']} has no words.",
                    "Nothing is left of it without punctuation, and errors are counted by the word.",
                    "Write down what is said, or remove the row.",
                )
        check_sounds(rows, self._most(config))
        return rows

    def prepare_own(self, row: dict[str, Any], model: Path, facts: Mapping[str, Any]) -> Prepared:
        check_sounds([row], self._most(_config(model)))
        return self.prepare([row], model)

    def processor(self, model: Path) -> Sounds:
        return Sounds(model)

    def _most(self, config: Mapping[str, Any]) -> float:
        """Seconds of a sound."""
        return PIECE if Writes in self.asks_for(config) else MOST

    def prepare(self, rows: list[dict[str, Any]], model: Path) -> Prepared:
        import numpy as np

        sounds = self.processor(model)
        examples = [sounds(row) for row in rows]
        facts, shared, writes = {}, {}, Writes in self.asks_for(_config(model))
        if writes:
            shared = Spelling.of(model).shared()
        else:
            facts = _ctc_facts(model)
        for example in examples:
            beside = beginning(model) if writes else [len(next(iter(example.values())))]
            example["decoder_input_ids" if writes else "length"] = np.asarray(beside, dtype=np.int64)
        labels = None if rows[0].get("text") is None else [str(row["text"]) for row in rows]
        return Prepared(
            tensors={name: [example[name] for example in examples] for name in examples[0]},
            padding=sounds.padding(examples),
            labels=labels,
            ids=[row["id"] for row in rows],
            cards=[
                {"seconds": seconds_of(example), "label": row.get("text")}
                for example, row in zip(examples, rows, strict=True)
            ],
            facts={"normalizer": NORMALIZER, **facts, **sounds.facts()},
            shared=shared,
        )

    def answer(self, session: Session, batch: Batch) -> Batch:
        if "decoder_input_ids" not in batch:
            return session.infer(batch)
        return {"tokens": writer(session).write(batch, LONGEST).tokens}

    def time(self, session: Session, batch: Batch) -> dict[str, float]:
        return seconds_written(writer(session), batch) if APART in batch else super().time(session, batch)

    def points(
        self, prepared: Prepared, order: Sequence[int], batches: Sequence[int], sequences: Sequence[int]
    ) -> list[Point]:
        """Whole transcripts; where the model writes them, the first token of each and those after it, apart."""
        import numpy as np

        heard = super().points(prepared, order, batches, sequences)
        if "decoder_input_ids" not in prepared.tensors:
            return heard
        few = [replace(one, batches=[{**batch, APART: np.ones(1)} for batch in one.batches[:FEW]]) for one in heard]
        return [
            *(replace(one, call="a whole transcript") for one in heard),
            *(each for one in few for each in parts(one)),
        ]

    def read(self, outputs: Batch, batch: Batch, facts: dict[str, Any]) -> Answers:
        """`logits` [n, frames, tokens] -> texts, frames of the silence that fills up a batch left out; or `tokens`
        [n, length] as they were written."""
        import numpy as np

        if "tokens" in outputs:
            said = Spelling.among(batch).texts(outputs["tokens"])
            return Answers([normalized(text) for text in said], np.zeros((len(said), 0), dtype=np.float32))
        best = np.asarray(outputs["logits"]).argmax(axis=-1)
        longest, given = int(batch["length"].max()), best.shape[1]
        own = [frames(int(length), longest, given, facts["convolutions"]) for (length,) in batch["length"]]
        said = [spelled(ids[:end].tolist(), facts["spelling"]) for ids, end in zip(best, own, strict=True)]
        return Answers([normalized(text) for text in said], np.zeros((len(said), 0), dtype=np.float32))

    def statistics(self, answers: Answers, labels: Sequence[Any]) -> dict[str, np.ndarray]:
        return errors(answers.predicted, labels)


def frames(length: int, longest: int, given: int, convolutions: Sequence[Sequence[int]]) -> int:
    """How many of the `given` frames belong to an example of `length`, in a batch whose longest has `longest`: by the
    model's convolutions, [[kernel, stride], …], or in proportion where it has none."""
    if length == longest:
        return given
    if not convolutions:
        return max(1, round(given * length / longest))
    for kernel, stride in convolutions:
        length = (length - kernel) // stride + 1
    return min(max(length, 1), given)


def _config(model: Path) -> dict[str, Any]:
    return dict(json.loads((model / "config.json").read_text(encoding="utf-8")))


def _ctc_facts(model: Path) -> dict[str, Any]:
    from transformers import AutoTokenizer

    config = _config(model)
    convolutions = list(zip(config.get("conv_kernel", ()), config.get("conv_stride", ()), strict=True))
    return {
        "convolutions": [] if config.get("add_adapter") else convolutions,
        "spelling": spelling_of(AutoTokenizer.from_pretrained(model)),
    }
