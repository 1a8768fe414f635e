"""Two finished runs side by side: whether they can be compared, then every recipe that both have, drawn together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from workbench import sentence, words
from workbench.difference import Change, Finished, Pair, TwoRuns
from workbench.faces.web.parts.changes import listed
from workbench.report.markup import e, heading, icon, say
from workbench.report.parts.board import (
    WIDTH,
    Axes,
    axes_of,
    axis_marks,
    bar_labels,
    change_labels,
    narrow_marks,
    speed_labels,
    whisker,
)
from workbench.words import NBSP, Word

LINE = 36  # px from the first run's whisker down to the second's
WHICH = ("1st", "2nd")
AGAINST = "2nd against 1st"
COMPARABLE = Word("✓", "ok", "comparable", "better")
NOT_COMPARABLE = Word("⊘", "skip", "not comparable", "worse")
SAME = "Model, rows, machine class, threads and baseline are the same."
ACCURACY_ONLY = "Their speed-ups cannot be compared; their answers can, on the examples that both answered."
NEITHER = "Neither their speed-ups nor their answers can be compared."


def two_runs(found: TwoRuns) -> str:
    """Markup of the whole comparison."""
    notes = "".join(f"<li>{icon('note')}<span>{e(note)}</span></li>" for note in found.notes)
    return (
        f'<div class="against">{_comparable(found)}{_facts(found)}'
        f'<ul class="warnings">{notes}</ul>{_table(found)}{_only(found)}{_rest(found)}</div>'
    )


# ---- head -----------------------------------------------------------------------------------------


def _comparable(found: TwoRuns) -> str:
    """What makes them not comparable stands before anything else."""
    if found.comparable:
        return f'<div class="bars"><p>{say(COMPARABLE)} {e(SAME)}</p></div>'
    said = NEITHER if found.bars_accuracy else ACCURACY_ONLY
    return f'<div class="bars not diff"><p>{say(NOT_COMPARABLE)} {e(said)}</p>{listed(found.bars)}</div>'


def _facts(found: TwoRuns) -> str:
    runs = (("First run", found.a), ("Second run", found.b))
    cells = [(title, _when(run), f"{run.id}. {_what(run)}") for title, run in runs]
    cells += [(f"Best of the {title.lower()}", *_best(run)) for title, run in runs]
    boxes = "".join(
        f"<div><dl><dt>{e(title)}</dt><dd>{e(main)}</dd><dd>{e(more)}</dd></dl></div>" for title, main, more in cells
    )
    return f'<div class="facts">{boxes}</div>'


def _when(run: Finished) -> str:
    return str(run.report["created"]).replace("T", " ")[:16] + " UTC"


def _what(run: Finished) -> str:
    n = words.number(run.report["data"]["evaluation"].get("n"))
    quick = ", a quick run" if run.report.get("quick") else ""
    return f"{run.report['model']['id']}, n{NBSP}={NBSP}{n}, {run.report['machine'].get('class', '')}{quick}"


def _best(run: Finished) -> tuple[str, str]:
    row = sentence.named(dict(run.report), run.report["best"])
    if row is None:
        return "none", "No row is faster and meets the bar."
    facts = sentence.speed(row)
    return row["name"], f"{words.speedup(facts['speedup'])} ({words.ratio_interval(facts['ci95'])})"


# ---- table ----------------------------------------------------------------------------------------


def _table(found: TwoRuns) -> str:
    if not found.pairs:
        return f'<p class="empty">{e("No recipe is in both runs.")}</p>'
    axes = _axes(found)
    body = "".join(_row(found, one, axes) for one in found.pairs)
    title = heading(
        f"{words.plural(len(found.pairs), 'recipe')} in both runs",
        e("Upper whisker: first run. Lower: second. Each against the baseline of its own run, 95 % interval."),
    )
    caption = "Every recipe of both runs: speed-up, accuracy change, size and memory, first and second"
    return (
        f'{title}<div class="scroll" tabindex="0" role="region" aria-label="{e(caption)}"><table class="ab">'
        f'<caption class="hidden">{e(caption)}</caption>{_head(found, axes)}<tbody>{body}</tbody></table></div>'
    )


def _axes(found: TwoRuns) -> Axes:
    """One pair of axes for the rows of both."""
    return axes_of(dict(found.b.report) | {"rows": [row for one in found.pairs for row in (one.a, one.b)]})


def _head(found: TwoRuns, axes: Axes) -> str:
    report = dict(found.b.report)
    name = sentence.change_name(report)
    speed = axis_marks(speed_labels(axes.speed), 22, 14)
    change = axis_marks(change_labels(axes), 22, 14)
    return (
        '<thead><tr><th scope="col">Recipe</th><th scope="col" colspan="2">Speed-up</th>'
        f'<th scope="col">{AGAINST}</th>'
        f'<th scope="col" colspan="2">{e(name[0].upper() + name[1:])}</th><th scope="col">{AGAINST}</th>'
        '<th scope="col">Size, memory MB</th></tr>'
        f'<tr class="axis" aria-hidden="true"><td></td><td></td><td>{speed}</td><td></td><td></td><td>{change}</td>'
        "<td></td><td></td></tr></thead>"
    )


def _row(found: TwoRuns, one: Pair, axes: Axes) -> str:
    rows = (dict(one.a), dict(one.b))
    speeds = [sentence.speed(row) for row in rows]
    changes = [sentence.accuracy(row) for row in rows]
    speed = [(words.speedup(facts.get("speedup")), words.ratio_interval(facts.get("ci95"))) for facts in speeds]
    change = [_accuracy(facts) for facts in changes]
    marks = _marks(axes.speed.at(1.0), [
        whisker(axes.speed, facts.get("speedup"), facts.get("ci95"), 1.0, *_look(facts.get("verdict")), small=True)
        for facts in speeds
    ]) + narrow_marks(speed_labels(axes.speed), 84)  # fmt: skip
    drops = _marks(axes.change.at(0.0), [
        whisker(axes.change, facts.get("delta"), facts.get("ci95"), 0.0, *_look(facts.get("verdict")))
        if facts.get("verdict") != "baseline" else ""
        for facts in changes
    ], None if axes.bar is None else axes.change.at(axes.bar)) + narrow_marks(bar_labels(axes), 84)  # fmt: skip
    return (
        f'<tr{" class=base" if one.speed.verdict == "baseline" else ""}><th scope="row">{_name(one)}</th>'
        f"{_numbers('Speed-up', speed)}{_drawing(marks)}{_verdict(_speed_verdict(one))}"
        f"{_numbers('Accuracy', change)}{_drawing(drops)}{_verdict(_accuracy_verdict(one))}"
        f"{_numbers('Size, memory MB', [_size(row) for row in rows])}</tr>"
    )


def _look(verdict: str | None) -> tuple[str, bool]:
    """(tone, whether undecided) of a row's own verdict."""
    return words.word(verdict).tone, verdict in ("no_clear_difference", "not_comparable", "cannot_tell")


def _marks(reference: float, drawn: Sequence[str], bar: float | None = None) -> str:
    line = f'<path class="axisline" d="M{reference:.1f} 0V{2 * LINE}"/>'
    line += "" if bar is None else f'<path class="barline" d="M{bar:.1f} 0V{2 * LINE}"/>'
    return line + "".join(f'<g transform="translate(0 {LINE * number})">{one}</g>' for number, one in enumerate(drawn))


def _drawing(marks: str) -> str:
    return f'<td class="fp"><svg viewBox="0 0 {WIDTH:.0f} 72" aria-hidden="true">{marks}</svg></td>'


def _numbers(label: str, lines: Sequence[tuple[str, str]]) -> str:
    items = "".join(
        f'<div><span class="w">{which}</span><span><b>{e(main)}</b><i>{e(below)}</i></span></div>'
        for which, (main, below) in zip(WHICH, lines, strict=True)
    )
    return f'<td class="num" data-l="{e(label)}">{items}</td>'


def _name(one: Pair) -> str:
    first, second = one.names
    other = f" / {e(second)}" if second != first else ""
    said = "The same recipe" if one.same else "Differs only as the runs do"
    if one.changes:
        said = f"{'The same recipe; other' if one.same else 'Other'}: {'; '.join(map(_short, one.changes))}"
    return f'<span class="name">{e(first)}{other}</span><span class="sub">{e(said)}</span>'


def _short(change: Change) -> str:
    return f"{change.name} {change.old} → {change.new}"


def _accuracy(facts: dict[str, Any]) -> tuple[str, str]:
    if not facts:
        return words.NONE, ""
    value = words.value_of(facts.get("value"), facts.get("unit"))
    if facts.get("verdict") == "baseline":
        return value, f"n{NBSP}={NBSP}{words.number(facts.get('n'))}"
    change = words.change(facts.get("delta"), facts.get("unit"))
    return f"{value}, {change}", words.change_interval(facts.get("ci95"), facts.get("unit"))


def _size(row: dict[str, Any]) -> tuple[str, str]:
    return words.megabytes(row.get("size_mb")), words.megabytes(row.get("peak_rss_mb"))


# ---- verdicts -------------------------------------------------------------------------------------


def _verdict(said: str) -> str:
    return f'<td class="say" data-l="{AGAINST}">{said}</td>'


def _speed_verdict(one: Pair) -> str:
    ratio = one.speed.ratio
    if ratio is None:
        return say(words.between(one.speed.verdict), one.speed.reason)
    interval = words.ratio_interval([ratio.lo, ratio.hi])
    return say(words.between(one.speed.verdict), f"{words.speedup(ratio.estimate)} ({interval})")


def _accuracy_verdict(one: Pair) -> str:
    return say(words.between(one.accuracy.verdict), _pairs_in_words(one) or one.accuracy.reason)


def _pairs_in_words(one: Pair) -> str:
    """The paired change of the second run against the first, and the answers that changed sides."""
    paired = one.accuracy.paired
    if not paired or not words.is_interval(paired["ci95"]):
        return ""
    n = f"n{NBSP}={NBSP}{words.number(paired['n'])}"
    if paired.get("agreement") == 1 and paired["delta"] == 0:
        return f"All answers are the same, {n}"
    change, flips = words.change(paired["delta"], paired["unit"]), paired.get("flips")
    said = f"{change} ({words.change_interval(paired['ci95'], paired['unit'])}), {n}"
    return said + (f"; {flips['to_wrong']} to wrong, {flips['to_right']} to right" if flips else "")


# ---- what only one has ----------------------------------------------------------------------------


def _only(found: TwoRuns) -> str:
    return _alone("Only in the first run", found.only_a) + _alone("Only in the second run", found.only_b)


def _alone(title: str, rows: Sequence[Any]) -> str:
    items = "".join(
        f"<li>{icon('none')}<span><code>{e(row['name'])}</code> {e(_state(row))}</span></li>" for row in rows
    )
    return f'<h3>{e(title)}</h3><ul class="gaps">{items}</ul>' if rows else ""


def _state(row: dict[str, Any]) -> str:
    if row["status"] != "ok":
        return f"{row['status']}: {sentence.failure(row)[1]}"
    facts = sentence.speed(row)
    return f"{words.speedup(facts.get('speedup'))} ({words.ratio_interval(facts.get('ci95'))})"


def _rest(found: TwoRuns) -> str:
    """What differs between the runs and does not keep them from being compared."""
    rest = [change for change in found.changes if change not in found.bars]
    if not rest:
        return f'<p class="note under">{e("Nothing else differs between the two runs as a whole.")}</p>'
    count = words.plural(len(rest), "thing differs", "things differ")
    return f'<section class="diff">{heading(f"{count} besides")}{listed(rest)}</section>'
