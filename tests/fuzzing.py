"""Random files for the parsers that see what strangers wrote: nothing but an error for people may come out.

fuzz("recipe", examples=50)            how many were tried; raises what a parser should not have raised
python -m tests.fuzzing recipe 10      for ten minutes; says {"tried", "broken": [each exception with its line]}
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

sys.path.insert(0, str(Path(__file__).parent))  # as pytest has it

import documents

from tests.hostile import models, recipes
from workbench import recipe
from workbench.errors import WorkbenchError
from workbench.hub import Fields, allowed, find_data, read_rows
from workbench.hub.headers import check_safetensors
from workbench.hub.models import ModelInfo
from workbench.hub.tasks import infer_task
from workbench.recipe_file import read
from workbench.report import RENDERERS, document

TEXTS = some.text(max_size=30) | some.sampled_from(
    ["auto_map", "../x", "/etc/passwd", "\0", "é" * 9, "<script>", "NaN"]
)
PLAIN = some.none() | some.booleans() | some.integers() | some.floats() | TEXTS
JSON = some.recursive(PLAIN, lambda one: some.lists(one, max_size=4) | some.dictionaries(TEXTS, one, max_size=4))
FIELDS = Fields({"text": ("text",), "label": ("label",)}, (("text",),), "label")


def places(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of everything in a document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [here, *(place for key, one in inner for place in places(one, (*here, key)))]


def changed(value: Any, place: tuple[Any, ...], to: Any) -> Any:
    """The document with another value at one place."""
    if not place:
        return to
    first, *rest = place
    copy: Any = dict(value) if isinstance(value, dict) else list(value)
    copy[first] = changed(value[first], tuple(rest), to)
    return copy


def mutated(document: Any) -> some.SearchStrategy[Any]:
    """It, with one or two parts replaced by anything."""
    where = some.sampled_from(places(document))
    once = some.builds(changed, some.just(document), where, JSON)
    return once | once.flatmap(lambda one: some.builds(changed, some.just(one), some.sampled_from(places(one)), JSON))


def spoiled(content: bytes) -> some.SearchStrategy[bytes]:
    """It, with some bytes replaced, taken out or put in."""
    edit = some.tuples(some.integers(0, len(content)), some.integers(0, 9), some.binary(max_size=9))

    def apply(edits: list[tuple[int, int, bytes]]) -> bytes:
        made = content
        for begin, length, put in edits:
            made = made[:begin] + put + made[begin + length :]
        return made

    return some.lists(edit, min_size=1, max_size=4).map(apply)


def parse_recipe(text: str) -> None:
    recipe.load(f"{text}\n")


def parse_config(document: Any) -> None:
    content = json.dumps(document).encode()
    config = allowed.checked_config(["config.json"], lambda path: content, "a model")
    infer_task(ModelInfo("a", "local", "0" * 64, (), config))


def parse_data(given: tuple[str, bytes]) -> None:
    suffix, content = given
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"a.{suffix}"
        path.write_bytes(content)
        read_rows(find_data(str(path)), FIELDS)


def parse_head(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        path.write_bytes(content)
        check_safetensors(path, "model.safetensors")


def parse_report(given: Any) -> None:
    """What is a report is drawn, too."""
    document.check(given)
    for renderer in RENDERERS:
        renderer().render(given, {})


def _parquet() -> bytes:
    import io

    import pyarrow as pa
    import pyarrow.parquet as pq

    out = io.BytesIO()
    pq.write_table(pa.table({"text": [f"row {n}" for n in range(30)], "label": ["a", "b"] * 15}), out)
    return out.getvalue()


ROWS = b"text,label\n" + b"".join(b'"row, %d",a\n' % n for n in range(20))
LINES = b"".join(b'{"text": "row %d", "label": 1}\n' % n for n in range(20))
PARSERS: dict[str, tuple[some.SearchStrategy[Any], Callable[[Any], None]]] = {
    "recipe": (
        some.text(max_size=200) | spoiled(recipes.GOOD.encode()).map(lambda one: one.decode(errors="replace"))
        | mutated(read(recipes.GOOD)[0]).map(json.dumps), parse_recipe,
    ),
    "config": (mutated(models.BERT | {"label2id": {"bad": 0}, "vision_config": {"hidden_size": 3}}), parse_config),
    "data": (
        some.tuples(some.sampled_from(["csv", "tsv"]), some.binary(max_size=200) | spoiled(ROWS))
        | some.tuples(some.sampled_from(["json", "jsonl"]), some.binary(max_size=200) | spoiled(LINES))
        | some.tuples(some.just("parquet"), spoiled(_parquet())), parse_data,
    ),
    "report": (mutated(documents.report()) | mutated(documents.searched_report()), parse_report),
    "head": (some.binary(max_size=200) | spoiled(models.GOOD), parse_head),
}  # fmt: skip


def fuzz(name: str, examples: int) -> int:
    """How many were tried. Raises what a parser should not have raised, all of it, with one example each."""
    strategy, parse = PARSERS[name]
    count = 0

    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(strategy)
    def tried(value: Any) -> None:
        nonlocal count
        count += 1
        try:
            parse(value)
        except WorkbenchError as error:
            assert error.what.endswith((".", "?")) and str(error).encode("utf-8", "replace"), error

    tried()
    return count


def main(name: str, minutes: str) -> None:
    tried, broken, until = 0, dict[str, None](), time.monotonic() + 60 * float(minutes)
    while time.monotonic() < until and not broken:
        try:
            tried += fuzz(name, 200)
        except Exception as error:
            for one in getattr(error, "exceptions", (error,)):
                last = traceback.extract_tb(one.__traceback__)[-1]
                broken[f"{type(one).__name__}: {str(one)[:200]} ({Path(last.filename).name}:{last.lineno})"] = None
    print(json.dumps({"tried": tried, "broken": list(broken)}))


if __name__ == "__main__":
    main(*sys.argv[1:3])
