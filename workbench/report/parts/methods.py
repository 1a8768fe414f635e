"""How the figures were made and when a word is said, for the foot of the report."""

from __future__ import annotations

from typing import Any

from workbench import sentence, words
from workbench.report.markup import e
from workbench.sentence import Report


def methods(report: Report, details: dict[str, Any]) -> str:
    said = "".join(f"<p>{e(text)}</p>" for text in (*method_lines(report), *(details.get("notes") or ())))
    made = (
        f"Made {report['created']}"
        + (f", run {details['run']}" if details.get("run") else "")
        + ". Values in files are fractions; this page rounds them."
    )
    return f'<footer class="foot small quiet"><h2 class="hidden">Methods</h2>{said}<p>{e(made)}</p>{_terms()}</footer>'


def _terms() -> str:
    said = "".join(f"<dt>{e(word)}</dt><dd>{e(meaning)}</dd>" for word, meaning in words.TERMS.items())
    return f'<details class="terms"><summary>What the words mean</summary><dl>{said}</dl></details>'


def method_lines(report: Report) -> list[str]:
    """Plain sentences, for every format."""
    return [_verdicts(report), _speed(report), _accuracy(report), *_search(report)]


def _search(report: Report) -> list[str]:
    """What a search took, and how often it may err."""
    if not (search := report.get("search")):
        return []
    done, test = search["work"], search["test"]
    said = (
        f"Search: {words.plural(done['builds'], 'build')}, {words.plural(done['calibrations'], 'calibration')}, "
        f"{words.plural(done['evaluations'], 'evaluation')} on all examples, {done['given_up']} given up early. "
    )
    if test["wrong_kill_each"]:
        said += (
            f"A candidate that would meet the bar is given up with a chance of at most "
            f"{words.percent(test['wrong_kill_each'])}, any of those tested {words.percent(test['wrong_kill_any'])}. "
        )
    return [
        f"{said}A candidate whose true drop is the bar itself meets it with a chance of at most "
        f"{words.percent(test['wrong_accept_each'], 1)}, any of those tested "
        f"{words.percent(test['wrong_accept_any'], 1)}; one that truly loses twice the bar far more rarely, in fewer "
        "than one search of twenty."
    ]


def _verdicts(report: Report) -> str:
    width, bar = sentence.resolution(report), sentence.bar(report)
    unit = sentence.measure(report).get("unit")
    above = (
        f"1 + {words.percent(width, 1)}, the resolution of this run"
        if width is not None
        else "1 + the resolution of the run"
    )
    said = f"Verdicts: faster when the 95 % interval of the speed-up lies above {above}"
    if bar is None:
        return said + "; drop when the interval of the accuracy change lies below zero."
    lost = words.amount(bar, unit)
    return said + (
        "; drop when the interval of the accuracy change lies below zero; no detectable drop "
        f"when it does not, and no more than {lost} may be lost; cannot tell otherwise."
    )


STOPS = {
    "half_width": "Measuring stopped when every interval was narrow enough",
    "time_cap": "Measuring stopped at its time cap",
    "rounds": "Measuring stopped at its number of rounds",
}


def _stopped(report: Report) -> str:
    """Why no more rounds were measured, and how wide the widest interval then was."""
    measuring = report.get("measuring") or {}
    width = measuring.get("half_width")
    if measuring.get("stopped") not in STOPS or width is None:
        return ""
    return f" {STOPS[measuring['stopped']]}: {measuring['rounds']} rounds, ±{words.percent(width, 1)} at the widest."


def _speed(report: Report) -> str:
    call = sentence.call(report) or "one model call"
    return (
        f"Speed: {call}, from prepared inputs to outputs, batch 1, natural lengths. "
        "Variants run in processes of their own, in interleaved rounds; "
        "the ratio against the baseline of the same round, with a hierarchical bootstrap over "
        "rounds. The baseline runs twice a round (A/A)."
    ) + _stopped(report)


def _accuracy(report: Report) -> str:
    if sentence.measure(report).get("metric") == "cosine":
        return (
            "Accuracy: there were no labels, so the cosine of each answer’s vector with the baseline’s "
            "stands in its place. It cannot say which of the two is right."
        )
    if sentence.unlabelled(report):
        return (
            "Accuracy: there were no labels, so agreement with the baseline’s answers stands in its "
            "place. It cannot say which of the two is right."
        )
    normalizer = ((report.get("data") or {}).get("evaluation") or {}).get("normalizer")
    return (
        "Accuracy: paired, example by example; exact McNemar test for right or wrong, paired "
        "bootstrap for other metrics."
    ) + (f" Words are compared after a simple normalizer: {normalizer}." if normalizer else "")
