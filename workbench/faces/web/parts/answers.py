"""One's own input on all variants: answers, scores, and the time of a few calls, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from workbench import words
from workbench.report.markup import e, icon, image, say

if TYPE_CHECKING:
    from workbench.trying import Said, Trial

TOP = 3  # labels whose scores are shown: the baseline's highest, and a variant's own answer beside them
WIDTH = 120.0  # px of the axis of times
COLUMNS = ("Variant", "Answer", "Scores", "Time of a call, ms")
NOTE = (
    "Time: median and range of a few calls on a machine that does other things too. That is no measurement; "
    "the comparison above is one."
)


def answers(trial: Trial) -> str:
    """All rows, the baseline first, and the input above them."""
    timed = f" A call here is {trial.timed}." if trial.timed else ""
    return (
        f"{_input(trial)}{_table(trial.rows)}"
        f'<p class="note under">{e(NOTE + timed)} All of it took {e(words.duration(trial.took))}.</p>'
    )


def so_far(rows: Sequence[Said], names: Sequence[str]) -> str:
    """The rows that are there, and those of `names` that still wait: the first of them is asked now."""
    return _table(rows, [name for name in names if name not in {row.name for row in rows}])


def _input(trial: Trial) -> str:
    card: dict[str, Any] = trial.card
    text = f"<p>{e(card['text'])}</p>" if card.get("text") else ""
    if words.usable(card.get("seconds")):
        text += f"<p>{words.number(card['seconds'], 2)}{words.NBSP}s of sound</p>"
    limit = f" at {trial.max_length:,} tokens" if trial.max_length else ""
    cut = f'<p class="note">{icon("note")} Cut{e(limit)}, the model’s limit: the rest was not read.</p>'
    shown = image(str(card.get("image") or ""), "The input") + text
    return f'<div class="example asked">{shown}{cut if trial.truncated else ""}</div>'


def _table(rows: Sequence[Said], waiting: Sequence[str] = ()) -> str:
    labels = [label for row in rows[:1] if row.reply for label, _ in row.reply.scores[:TOP]]
    most = max((max(row.seconds) for row in rows if row.seconds), default=0.0)
    columns = [name for name in COLUMNS if name != "Scores" or labels or any(r.reply and r.reply.scores for r in rows)]
    head = "".join(f'<th scope="col">{e(name)}</th>' for name in columns)
    body = "".join(_row(row, labels, most, "Scores" in columns) for row in rows)
    body += "".join(_waits(name, now=not number, span=len(columns) - 1) for number, name in enumerate(waiting))
    return (
        '<div class="scroll" tabindex="0" role="region" aria-label="Answers"><table class="own">'
        f'<caption class="hidden">Answers of all variants</caption><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _row(row: Said, labels: Sequence[str], most: float, scored: bool) -> str:
    base = " class=base" if row.baseline else ""
    name = f'<th scope="row">{e(row.name)}</th>'
    if row.reply is None:
        said = row.problem or {"what": "No answer.", "why": "", "fix": ""}
        rest = " ".join(part for part in (said["why"], said["fix"]) if part)
        cell = f'<span class="v worse">{icon("no")}{e(said["what"])}</span><small>{e(rest)}</small>'
        return f'<tr{base}>{name}<td class="out" colspan="{3 if scored else 2}">{cell}</td></tr>'
    scores = f"<td>{_scores(row.reply.scores, labels)}</td>" if scored else ""
    return f"<tr{base}>{name}<td>{_answer(row)}</td>{scores}<td>{_time(row, most)}</td></tr>"


def _waits(name: str, now: bool, span: int) -> str:
    state = words.STATES["running" if now else "waits"]
    return f'<tr><th scope="row">{e(name)}</th><td colspan="{span}">{say(state, small=True)}</td></tr>'


def _answer(row: Said) -> str:
    assert row.reply is not None
    beside = say(words.VERDICTS["baseline"], small=True) if row.baseline else ""
    if row.agrees is not None and not row.baseline:
        beside = say(words.AGREEMENT[row.agrees], small=row.agrees)
    elif row.cosine is not None:
        beside = f"<small>cosine {words.cosine(row.cosine)} to the baseline’s</small>"
    return f'<p class="answer">{e(row.reply.answer) or "<i>nothing</i>"}</p>{beside}'


def _scores(scores: Sequence[tuple[str, float]], labels: Sequence[str]) -> str:
    """The same labels in every row, and the row's own first where it is none of them."""
    known, own = dict(scores), [label for label, _ in scores[:TOP]]
    shown = [*(labels or own), *(label for label in own[:1] if labels and label not in labels)]
    bars = "".join(_bar(label, known.get(label), label == own[0]) for label in shown) if own else ""
    return f'<dl class="odds">{bars}</dl>'


def _bar(label: str, score: float | None, first: bool) -> str:
    width = 100 * min(max(score or 0.0, 0.0), 1.0)
    mark = " class=first" if first else ""
    return (
        f'<dt{mark}>{e(label)}</dt><dd><span class="bar" aria-hidden="true"><i style="width:{width:.1f}%"></i></span>'
        f"<span{mark}>{words.number(score, 2)}</span></dd>"
    )


def _time(row: Said, most: float) -> str:
    """Median over range, and both drawn from 0 on: hollow, for a few calls say little."""
    if row.median is None:
        return words.NONE
    low, high = min(row.seconds), max(row.seconds)
    ends = "–".join(words.milliseconds(1000 * end) for end in (low, high))
    left, centre, right = (4 + (WIDTH - 8) * value / most if most else 4.0 for value in (low, row.median, high))
    drawing = (
        f'<path class="grid" d="M4 8H{WIDTH - 4:.0f}"/><path class="whisk" d="M{left:.1f} 8H{right:.1f}"/>'
        f'<circle cx="{centre:.1f}" cy="8" r="3.4"/>'
    )
    middle = f'<b>{words.milliseconds(1000 * row.median)}</b><span class="m"> ms</span>'
    return (
        f'<span class="few"><span>{middle}<small>{ends}, {words.plural(len(row.seconds), "call")}</small></span>'
        f'<svg viewBox="0 0 {WIDTH:.0f} 16" aria-hidden="true">{drawing}</svg></span>'
    )
