"""The part of a text that answers a question."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from workbench.errors import RequestError
from workbench.measurement import Metric
from workbench.plugin import Answers, Batch, Prepared, Session
from workbench.reply import Reply
from workbench.tasks.one_call import enough, labelled
from workbench.tasks.tokenizer import SHOWN, Texts, Tokenizer, arrays, columns

if TYPE_CHECKING:
    import numpy as np

EXACT_MATCH = Metric("exact_match", binary=True)
F1 = Metric("f1")
LONGEST = 30  # tokens of an answer, as in transformers' example for SQuAD
GENERAL = "What is this about?"
NORMALIZER = "SQuAD's: lower case, no punctuation, no articles, single spaces"


class QuestionAnswering(Texts):
    """Beside the model's inputs travel `offsets`, int64 [length, 2], where each token of the context begins and ends
    in it (-1: not of the context), and `context`, its UTF-8 bytes; in a batch one byte string an example.

    A context that is too long is cut at its end and counted: an answer behind that cannot be found. Labels are lists
    of right texts, empty where there is no answer in the context. Both metrics are those of SQuAD's evaluation script,
    the best of all right texts after its normalizer. Texts without a question are asked the GENERAL one, and compared
    without labels.

    Statistics: exact_match [n, 1], f1 [n, 1] of the words in common.
    """

    name = "question-answering"
    summary = "The part of a text that answers a question."
    auto_class = "AutoModelForQuestionAnswering"
    columns = {
        "question": ("question",),
        "context": ("context",),
        "text": ("text", "sentence"),
        "answers": ("answers", "answer"),
    }
    inputs = (("question", "context"), ("text",))
    target = "answers"
    metrics = (EXACT_MATCH, F1)
    default_data = "starter:sentiment"
    form: ClassVar[Mapping[str, str]] = {"question": "Question", "context": "Text that holds the answer"}

    def processor(self, model: Path) -> Questions:
        return Questions(model)

    def check(self, rows: list[dict[str, Any]], config: dict[str, Any]) -> list[dict[str, Any]]:
        """Answers are SQuAD's {"text": [...], "answer_start": [...]}, a list of texts, or one text."""
        enough(rows)
        if not labelled(rows, "answers"):
            return rows
        if "text" in rows[0]:
            raise RequestError(
                "The rows have answers and no questions.",
                "An answer is right for a question.",
                "Name the columns with --fields question=…,context=…, or leave the answers out.",
            )
        return [{**row, "answers": _texts(row["answers"], row["row"])} for row in rows]

    def prepare(self, rows: list[dict[str, Any]], model: Path) -> Prepared:
        questions = self.processor(model)
        examples = [questions(row) for row in rows]
        labels = None if rows[0].get("answers") is None else [row["answers"] for row in rows]
        unanswered = sum(not label for label in labels or ())
        return Prepared(
            tensors=columns(examples),
            padding=questions.padding(examples[0]),
            labels=labels,
            ids=[row["id"] for row in rows],
            cards=[_card(row) for row in rows],
            facts={"normalizer": NORMALIZER, "unanswered": unanswered, **questions.facts()},
        )

    def prepare_own(self, row: dict[str, Any], model: Path, facts: Mapping[str, Any]) -> Prepared:
        """That there is no answer may be said where the run's data had such questions."""
        prepared = self.prepare([row], model)
        return replace(prepared, facts=prepared.facts | {"unanswered": facts.get("unanswered", 0)})

    def reply(self, session: Session, prepared: Prepared) -> Reply:
        said = super().reply(session, prepared)
        return said if said.answer else replace(said, answer="no answer")

    def collate(self, prepared: Prepared, indices: Sequence[int]) -> Batch:
        import numpy as np

        batch = super().collate(_without_contexts(prepared), indices)
        return batch | {"context": np.array([prepared.tensors["context"][i].tobytes() for i in indices])}

    def read(self, outputs: Batch, batch: Batch, facts: dict[str, Any]) -> Answers:
        """`start_logits`, `end_logits` [n, length] -> the text between the best two ends, at most LONGEST tokens; ""
        where the data has questions without an answer and the first token wins over every span. No scores."""
        import numpy as np

        said = []
        for start, end, offsets, context in zip(
            outputs["start_logits"], outputs["end_logits"], batch["offsets"], batch["context"], strict=True
        ):
            first, last, score = _best_span(start, end, offsets[: len(start)])
            nothing = facts.get("unanswered") and start[0] + end[0] > score
            text = context.decode("utf-8")[offsets[first, 0] : offsets[last, 1]]
            said.append("" if nothing else text)
        return Answers(said, np.zeros((len(said), 0), np.float32))

    def statistics(self, answers: Answers, labels: Sequence[Any]) -> dict[str, np.ndarray]:
        import numpy as np

        pairs = [(answer, label or [""]) for answer, label in zip(answers.predicted, labels, strict=True)]
        exact = [max(normalized(answer) == normalized(one) for one in label) for answer, label in pairs]
        shared = [max(overlap(answer, one) for one in label) for answer, label in pairs]
        return {"exact_match": np.array(exact, np.float64)[:, None], "f1": np.array(shared, np.float64)[:, None]}


class Questions(Tokenizer):
    """Question and context as one input; only the context is cut."""

    def __call__(self, row: dict[str, Any]) -> Batch:
        import numpy as np

        encoded = self._encoded(row)
        mine = np.array([part == 1 for part in encoded.sequence_ids()])
        offsets = np.where(mine[:, None], np.asarray(encoded.pop("offset_mapping"), dtype=np.int64), -1)
        read = _asked(row)[1][: max(int(offsets.max()), 0)]
        kept = {"offsets": offsets, "context": np.frombuffer(read.encode("utf-8"), dtype=np.uint8)}
        return arrays(encoded) | kept

    def padding(self, example: Batch) -> dict[str, float]:
        given = {name: value for name, value in example.items() if name != "context"}
        return super().padding(given) | {"offsets": -1.0}

    def _encoded(self, row: dict[str, Any]) -> Any:
        """Raises RequestError, naming the row, where nothing of the context would be left."""
        (question, context), limit = _asked(row), self.max_length
        if limit and len(question.encode()) > limit // 2:  # few are; a token has at least one byte
            count = len(self._tokenizer(question, verbose=False)["input_ids"])
            if count + 2 > limit:
                raise _too_long(row, count, limit)
        return self.encoded(question, context, truncation="only_second", return_offsets_mapping=True)


def _too_long(row: dict[str, Any], count: int, limit: int) -> RequestError:
    which = f" of row {row['row']}" if "row" in row else ""
    return RequestError(
        f"The question{which} has {count} tokens.",
        f"The model takes {limit} for question and context together.",
        "Shorten it or remove the row." if which else "Shorten it.",
    )


def normalized(text: str) -> str:
    """normalize_answer of SQuAD's evaluation script (Rajpurkar et al. 2016)."""
    bare = "".join(char for char in text.lower() if char not in string.punctuation)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", bare).split())


def overlap(answer: str, right: str) -> float:
    """F1 of the words that two texts have in common (compute_f1 of SQuAD 2.0's script): of nothing and nothing 1."""
    said, wanted = normalized(answer).split(), normalized(right).split()
    if not said or not wanted:
        return float(said == wanted)
    common = (Counter(said) & Counter(wanted)).total()
    return 2 * common / (len(said) + len(wanted))


def _best_span(start: np.ndarray, end: np.ndarray, offsets: np.ndarray) -> tuple[int, int, float]:
    """(first token, last token, sum of their logits), both inside the context."""
    import numpy as np

    inside = offsets[:, 0] >= 0
    both = np.where(inside, start, -np.inf)[:, None] + np.where(inside, end, -np.inf)[None, :]
    places = np.arange(len(inside))
    length = places[None, :] - places[:, None]
    both[(length < 0) | (length >= LONGEST)] = -np.inf
    first, last = np.unravel_index(both.argmax(), both.shape)
    return int(first), int(last), float(both[first, last])


def _texts(value: Any, row: int) -> list[str]:
    """The right texts, each once. Raises RequestError naming the row for anything else."""
    found = value.get("text") if isinstance(value, dict) else value
    found = [found] if isinstance(found, str) else found
    if not isinstance(found, list) or not all(isinstance(text, str) for text in found):
        raise RequestError(
            f"Row {row} has the answers {str(value)[:60]!r}.",
            'Wanted is a text, a list of texts, or SQuAD\'s {"text": [...]}.',
            "Mend the row, or name another column with --fields answers=….",
        )
    return list(dict.fromkeys(found))


def _without_contexts(prepared: Prepared) -> Prepared:
    return replace(prepared, tensors={name: each for name, each in prepared.tensors.items() if name != "context"})


def _asked(row: dict[str, Any]) -> tuple[str, str]:
    """Question and context."""
    return (GENERAL, row["text"]) if "text" in row else (row["question"], row["context"])


def _card(row: dict[str, Any]) -> dict[str, Any]:
    answers = row.get("answers")
    label = None if answers is None else " | ".join(answers) or "no answer"
    return {"text": " ▸ ".join(_asked(row))[:SHOWN], "label": label}
