"""Why a candidate lost, in a sentence: `lost` holds the token and the figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from workbench import words
from workbench.words import NBSP

Lost = Mapping[str, Any]


def in_words(lost: Lost) -> str:
    """`Too slow by 23 %: 1.50x, onnx-int8-dynamic has 1.95x.`"""
    return SAID[lost["why"]](lost)


def _slow(lost: Lost) -> str:
    mine, other = words.speedup(lost["mine"]), words.speedup(lost["best"])
    if lost["mine"] >= lost["best"]:
        return f"A tie: {mine}, {lost['than']} has {other}."
    by = words.percent(1 - lost["mine"] / lost["best"])
    return f"Too slow by {by}: {mine}, {lost['than']} has {other}."


def _less(lost: Lost) -> str:
    mine, other = words.number(lost["mine"], 1), words.number(lost["best"], 1)
    return f"Gets less done: {mine} examples a second, {lost['than']} {other}."


def _larger(lost: Lost) -> str:
    mine, other = words.megabytes(lost["mine"]), words.megabytes(lost["best"])
    return f"Larger: {mine}{NBSP}MB, {lost['than']} has {other}{NBSP}MB."


def _unconfirmed(lost: Lost) -> str:
    return "Measured in full it does not meet every bar for certain."


def _not_faster(lost: Lost) -> str:
    return f"Slower than the baseline: {words.speedup(lost['speedup'])} ({words.ratio_interval(lost['ci95'])})."


def _below(lost: Lost) -> str:
    mine = f"{words.speedup(lost['speedup'])} ({words.ratio_interval(lost['ci95'])})"
    return f"Too slow: {mine}, at least {words.speedup(lost['bar'])} is asked for."


def _large(lost: Lost) -> str:
    return f"Too large: {words.megabytes(lost['mb'])}{NBSP}MB, {words.megabytes(lost['bar'])}{NBSP}MB are allowed."


def _hungry(lost: Lost) -> str:
    said = f"{words.megabytes(lost['mb'])}{NBSP}MB of memory, {words.megabytes(lost['bar'])}{NBSP}MB are allowed"
    return f"Takes too much: {said}."


def _dropped(lost: Lost) -> str:
    """Given up before it had answered every example."""
    seen = f"seen after {words.number(lost['examples'])} of {words.number(lost['n'])} examples"
    if lost.get("change") is not None:
        return f"Drop of {words.amount(lost['change'], lost['unit'])}, {seen}."
    least = lost["lost"] - (lost["made_up"] or 0)
    if lost["made_up"] is None:
        return f"At least {words.number(least)} answers change, {seen}; {words.number(lost['allowed'])} may."
    allowed = words.amount(max(lost["allowed"], 0) / lost["n"], "fraction")
    drop = words.amount(least / lost["n"], "fraction")
    return f"Drop of {drop} at least, {seen}; with more than {allowed} it cannot meet the bar."


def _missed(lost: Lost) -> str:
    change = words.change(lost["delta"], lost["unit"])
    said = (
        f"{change} ({words.change_interval(lost['ci95'], lost['unit'])}) after all {words.number(lost['n'])} examples"
    )
    return f"Misses the bar: {said}."


def _open(lost: Lost) -> str:
    change = words.change(lost["delta"], lost["unit"])
    said = f"{change} ({words.change_interval(lost['ci95'], lost['unit'])})"
    return f"All {words.number(lost['n'])} examples cannot tell if it meets the bar: {said}."


def _failed(lost: Lost) -> str:
    return f"Failed to build, {lost['stage']}: {lost['reason']}"


def _long(lost: Lost) -> str:
    return f"Not built: {lost['stage']} took longer than the {words.duration(lost['seconds'])} that were left for it."


def _unmeasured(lost: Lost) -> str:
    return f"Could not be measured: {lost['reason']}"


def _no_time(lost: Lost) -> str:
    return f"Not tried to the end: the budget was spent before it {lost['before']}."


def _skipped(lost: Lost) -> str:
    return str(lost["reason"])


def _more(lost: Lost) -> str:
    return f"Meets the bar with {lost['kept']} operators in higher precision; {lost['enough']} are enough."


SAID: dict[str, Callable[[Lost], str]] = {
    "too_slow": _slow,
    "less_throughput": _less,
    "larger": _larger,
    "unconfirmed": _unconfirmed,
    "keeps_more": _more,
    "not_faster": _not_faster,
    "below_speedup": _below,
    "too_large": _large,
    "too_much_memory": _hungry,
    "drop": _dropped,
    "missed": _missed,
    "cannot_tell": _open,
    "failed": _failed,
    "built_too_long": _long,
    "unmeasured": _unmeasured,
    "budget": _no_time,
    "skipped": _skipped,
}
