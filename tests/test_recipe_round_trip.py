"""page -> YAML -> page gives an equal recipe, whatever is written on it."""

from __future__ import annotations

import contextlib
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.errors import RequestError
from workbench.recipe import SCHEMA, differences, from_dict, load, shelf_folder
from workbench.recipe_file import read, write

WORDS = st.from_regex(r"[a-z][a-z0-9_-]{0,12}", fullmatch=True)
HEX = st.text("0123456789abcdef", min_size=64, max_size=64)
COMMIT = st.text("0123456789abcdef", min_size=40, max_size=40)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
TRICKY = st.sampled_from(
    ["no", "on", "~", "null", "1e5", "007", "0x1f", "1:30", "- a", "a: b", "# c", "=", "<<", "\x85", ""]
)
NUMBER = st.floats(allow_nan=False, allow_infinity=False)
INTEGER = st.integers(-(2**53), 2**53)
SAFE = TEXT.filter(
    lambda text: not text.startswith(("/", "\\", "~", "file:", "FILE:")) and ".." not in text and ":" not in text
)
VALUE = st.recursive(
    st.none() | st.booleans() | INTEGER | NUMBER | SAFE | TRICKY.filter(lambda text: text != "~"),  # a home folder
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(SAFE, inner, max_size=3),
    max_leaves=6,
)
OPTIONS = st.dictionaries(WORDS, VALUE, max_size=3)
SHARE = st.floats(0.001, 0.99)
POSITIVE = st.floats(0.001, 1e6)


def keys(required: dict[str, Any], **optional: Any) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(required, optional=optional)


SOURCE = st.sampled_from(["org/name", "starter:sentiment", "local:my model", "name"])
MODEL = keys({"id": SOURCE}, revision=WORDS, digest=HEX, task=WORDS)
TARGET = keys(
    {"backend": WORDS},
    machine=WORDS,
    device=st.sampled_from(["cpu", "cuda:0"]),
    threads=st.just("auto") | st.integers(1, 99),
    options=OPTIONS,
)
STEP = st.builds(lambda use, options: {"use": use, **{k: v for k, v in options.items() if k != "use"}}, WORDS, OPTIONS)
SELECT = keys({}, n=st.integers(1, 999), seed=st.integers(0, 99))
DATA = keys(
    {"source": SOURCE},
    config=SAFE,
    split=SAFE,
    digest=HEX,
    fields=st.dictionaries(SAFE, SAFE, max_size=2),
    select=SELECT,
)
CONSTRAINT = (
    keys(
        {"max_drop": st.floats(0, 0.99)}, metric=WORDS, kind=st.sampled_from(["absolute", "relative"]), confidence=SHARE
    )
    | keys({"min_speedup": POSITIVE})
    | keys({"max_size_mb": POSITIVE})
    | keys({"max_memory_mb": POSITIVE}, confidence=SHARE)
)
GOAL = keys(
    {},
    optimize=st.sampled_from(["latency", "throughput", "size"]),
    constraints=st.lists(CONSTRAINT, max_size=3),
    baseline=WORDS,
)
MEASURE = keys(
    {},
    batches=st.lists(st.integers(1, 64), min_size=1, max_size=3),
    time_cap_s=POSITIVE,
    quick=st.booleans(),
    n=st.just("all"),
)
SPEC = keys(
    {"target": TARGET},
    model=MODEL,
    steps=st.lists(STEP, max_size=3),
    data=keys({}, evaluation=DATA, calibration=DATA),
    goal=GOAL,
    measure=MEASURE,
    seed=st.integers(0, 2**31),
)
LOCK = keys(
    {"spec_sha256": HEX, "tool": keys({"version": WORDS}), "model": keys({"revision": COMMIT | HEX}, license=SAFE)},
    steps=st.lists(keys({"use": WORDS, "version": st.integers(0, 9)}, options=OPTIONS), max_size=2),
    data=keys(
        {}, evaluation=keys({"rows": keys({"count": st.integers(0, 9), "ids_sha256": HEX})}), overlap=st.integers(0, 9)
    ),
    machine=keys({"class": SAFE}, quota=POSITIVE),
    runtime=keys({}, details=OPTIONS),
)
EXPECT = keys(
    {},
    accuracy=keys(
        {"metric": SAFE, "n": st.integers(0, 9)}, delta=NUMBER, ci95=st.lists(NUMBER, min_size=2, max_size=2)
    ),
    speed=st.lists(
        keys({"name": SAFE, "batch": st.integers(1, 8), "speedup": POSITIVE}, sequence=st.integers(1, 512)), max_size=2
    ),
)
RECIPE = keys(
    {
        "schema": st.just(SCHEMA),
        "name": st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._+~-]{0,20}", fullmatch=True),
        "spec": SPEC,
    },
    summary=TEXT,
    shelf=keys(
        {"pays_when": st.text("abc :,\n'\"-", min_size=1)},
        first_choice=st.booleans(),
        tasks=st.lists(WORDS, max_size=2),
    ),
    lock=LOCK,
    expect=EXPECT,
)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(RECIPE)
def test_a_recipe_that_is_written_and_read_is_equal(data: dict[str, Any]) -> None:
    recipe = from_dict(data)
    again = load(recipe.to_yaml())
    assert again == recipe and again.identity() == recipe.identity() and differences(recipe, again) == []
    assert from_dict(recipe.to_dict()) == recipe and again.to_yaml() == recipe.to_yaml()


@settings(max_examples=80, deadline=None, derandomize=True)
@given(
    st.dictionaries(
        TEXT | TRICKY,
        st.recursive(
            TEXT | TRICKY | NUMBER | INTEGER | st.none(),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
        ),
    )
)
def test_any_plain_data_is_read_as_it_was_written(data: dict[str, Any]) -> None:
    again = read(write(data))[0] if data else data
    assert again == data and repr(again) == repr(data)


@settings(max_examples=80, deadline=None, derandomize=True)
@given(st.integers(0, 400), st.text("{}[]:,\"'!&*-#|>%@~?\t\n 9x", min_size=1, max_size=4), st.integers(0, 6))
def test_a_damaged_file_is_an_error_for_people_or_still_a_recipe(place: int, damage: str, lost: int) -> None:
    text = (shelf_folder() / "onnx-int8-dynamic.yaml").read_text(encoding="utf-8")
    with contextlib.suppress(RequestError):
        load(text[:place] + damage + text[place + lost :])
