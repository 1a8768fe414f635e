"""The examples whose prediction changed: text, picture or length of a sound, label, both answers, both scores."""

from __future__ import annotations

from typing import Any

from workbench import sentence, words
from workbench.report.markup import e, heading, icon, image, say
from workbench.sentence import Report, Row

Flip = dict[str, Any]
LONG = 22  # characters from which an answer is read as text, not drawn
LENGTH = 160.0  # px from a score of 0 to a score of 1


def flips(report: Report, details: dict[str, Any]) -> str:
    given: dict[str, list[Flip]] = details.get("flips") or {}
    rows = [row for row in sentence.ordered(report) if given.get(row["name"])]
    if not rows:
        return ""
    first = report.get("best") if any(row["name"] == report.get("best") for row in rows) else rows[0]["name"]
    groups = "".join(_group(row, given[row["name"]], row["name"] == first) for row in rows)
    note = "Widest change first. Score of the baseline’s answer: ○ by the baseline, ● by the variant."
    return f'{heading("Changed predictions", e(note))}{_controls(rows)}<div class="flipgroups">{groups}</div>'


def _controls(rows: list[Row]) -> str:
    """Shown by the script, which alone can use them."""
    options = "".join(f'<option value="{e(row["name"])}">{e(row["name"])}</option>' for row in rows)
    kinds = "".join(
        (
            f'<button type="button" data-kind="{kind}" '
            f'aria-pressed="false">{icon(words.FLIPS[kind].icon)}{words.FLIPS[kind].text.capitalize()}'
            "</button>"
        )
        for kind in ("to_wrong", "to_right")
    )
    return (
        '<div class="filter" hidden><select class="flipvariant" aria-label="Variant"><option '
        f'value="">All variants</option>{options}</select>'
        '<span class="seg" role="group" aria-label="Direction"><button type="button" '
        f'data-kind="" aria-pressed="true">All</button>{kinds}</span></div>'
    )


def _group(row: Row, shown: list[Flip], opened: bool) -> str:
    items = "".join(_flip(flip, row["name"]) for flip in shown)
    count = f'<span class="note">{e(counted(row, len(shown)))}</span>'
    return (
        f'<details data-for="{e(row["name"])}"{" open" if opened else ""}><summary>'
        f'<code>{e(row["name"])}</code> {count}</summary><ul class="flips">{items}</ul></details>'
    )


def counted(row: Row, shown: int) -> str:
    """`8 to wrong, 11 to right, 981 unchanged; 5 shown`."""
    facts = sentence.accuracy(row)
    n, found, agreement = facts.get("n"), facts.get("flips") or {}, facts.get("agreement")
    changed = round((1 - agreement) * n) if words.usable(agreement) and n else None
    said = [
        f"{words.number(found.get(key))} {words.FLIPS[key].text}"
        for key in ("to_wrong", "to_right")
        if found.get(key) is not None
    ]
    if not said and changed is not None:
        said = [f"{words.number(changed)} changed"]
    if changed is not None and n:
        said.append(f"{words.number(n - changed)} unchanged")
    total = changed if changed is not None else sum(found.get(key) or 0 for key in found)
    return ", ".join(said) + (f"; {shown} shown" if total and total > shown else "")


def _flip(flip: Flip, name: str) -> str:
    known = words.FLIPS.get(str(flip.get("kind"))) or words.FLIPS["changed"]
    label = f"<span>label <b>{e(flip['label'])}</b></span>" if flip.get("label") is not None else ""
    answers = _answers(flip, name, known.tone)
    return (
        f'<li data-kind="{e(flip.get("kind"))}">{_example(flip)}<span '
        f'class="lab">{label}{say(known)}</span>{answers}</li>'
    )


def _example(flip: Flip) -> str:
    picture = image(str(flip.get("image") or ""), f"Example {flip['id']}")
    text = f"<p>{e(flip['text'])}</p>" if flip.get("text") else ""
    if words.usable(flip.get("seconds")):
        text += f"<p>{words.number(flip['seconds'], 2)}{words.NBSP}s of sound</p>"
    return f'<div class="example">{picture}{text}<small class="faint">{e(flip["id"])}</small></div>'


def _answers(flip: Flip, name: str, tone: str) -> str:
    before, after = flip["baseline"], flip["variant"]
    scores = (before.get("score"), after.get("score"))
    short = max(len(str(before.get("answer"))), len(str(after.get("answer")))) <= LONG
    if short and all(words.usable(score) and 0 <= score <= 1 for score in scores):
        return _dumbbell(before, after, name, tone)
    lines = "".join(
        f"<dt>{who}</dt><dd>{e(said.get('answer'))}{_score(said)}</dd>"
        for who, said in (("baseline", before), ("variant", after))
    )
    return f'<dl class="answers">{lines}</dl>'


def _score(said: dict[str, Any]) -> str:
    return f' <small class="faint">{words.number(said["score"], 2)}</small>' if words.usable(said.get("score")) else ""


def _dumbbell(before: dict[str, Any], after: dict[str, Any], name: str, tone: str) -> str:
    """From the score that the baseline's answer had to the one that the variant gave it; the middle is one half."""
    colour = {"better": "var(--better)", "worse": "var(--worse)"}.get(tone, "var(--ink-3)")
    old, new = 8 + LENGTH * before["score"], 8 + LENGTH * after["score"]
    drawing = (
        '<path class="grid" d="M8 10H168"/><path class="axisline" d="M88 2v16"/>'
        f'<path d="M{old:.1f} 10H{new:.1f}" stroke="{colour}" stroke-width="1.5"/>'
        f'<circle cx="{old:.1f}" cy="10" r="4" fill="var(--sheet)" stroke="var(--ink-2)" stroke-width="1.6"/>'
        f'<circle cx="{new:.1f}" cy="10" r="4.4" fill="{colour}"/>'
    )
    scores = [words.number(one["score"], 2) for one in (before, after)]
    spoken = (
        f"Score of {before['answer']}: {scores[0]} by the baseline, {scores[1]} by {name}, which says {after['answer']}"
    )
    told = f"{e(before['answer'])} → <b>{e(after['answer'])}</b>"
    return (
        f'<div class="dumbbell"><span class="told" aria-hidden="true">{told}</span>'
        f'<svg viewBox="0 0 176 20" aria-hidden="true">{drawing}</svg>'
        f'<span class="told" aria-hidden="true">{scores[0]} → <b>{scores[1]}</b></span>'
        f'<span class="hidden">{e(spoken)}</span></div>'
    )
