"""What stands at a key of a recipe, as text for people."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from workbench import catalog, words
from workbench.difference.change import NOTHING, in_words, short
from workbench.recipe import Recipe
from workbench.recipe_file import KeyPath
from workbench.words import NBSP

Said = Mapping[str, Any]


def text(path: KeyPath, value: Any) -> str:
    """`value` of the document at `path`, "none" where there is none."""
    if value is None:
        return NOTHING
    write = WRITERS.get(path)
    return write(value) if write else in_words(value)


def _model(said: Said) -> str:
    return str(said["id"]) + (f"@{short(said['revision'])}" if said.get("revision") else "")


def _data(said: Said) -> str:
    split = f"[{said['split']}]" if said.get("split") else ""
    return f"{said['source']}{split}, {in_words(said['select']['n'])} rows"


def _rows(said: Said) -> str:
    rows = said["rows"]
    return f"{words.plural(rows['count'], 'row')} ({short(rows['ids_sha256'])})"


def _consumed(said: Said) -> str:
    tensors = f" ({short(said['token_ids_sha256'])})" if said.get("token_ids_sha256") else ""
    return f"{words.plural(said['samples'], 'sample')}, {words.number(said['unique'])} different{tensors}"


def content(said: Said) -> str:
    """The revision or the digest of locked data."""
    return in_words(said.get("revision") or said.get("digest"))


def _bounds(said: list[Said]) -> str:
    return ", ".join(_bound(one) for one in said) or NOTHING


def _bound(said: Said) -> str:
    from workbench.comparison import bounds

    more = [str(said["metric"])] if said.get("metric") else []
    more += ["relative"] if said.get("kind") == "relative" else []
    more += [f"confidence {said['confidence']:g}"] if said.get("confidence", 0.95) != 0.95 else []
    return bounds.in_words(said) + (f" ({', '.join(more)})" if more else "")


def _resources(said: Said) -> str:
    parts = (("size_mb", words.megabytes, "MB on disk"), ("peak_rss_mb", words.megabytes, "MB of memory"),
             ("load_s", words.load_seconds, "s to load"))  # fmt: skip
    return ", ".join(f"{write(said[key])}{NBSP}{unit}" for key, write, unit in parts if said.get(key) is not None)


def _verdict(said: Said) -> str:
    found = [words.word(said[key]).text for key in ("speed", "accuracy") if said.get(key)]
    bar = words.CONSTRAINTS.get(said.get("constraints") or "")
    return ", ".join([*found, *([bar.text] if bar else [])]) or NOTHING


WRITERS: dict[KeyPath, Callable[[Any], str]] = {
    ("lock",): lambda _: "there",
    ("expect",): lambda _: "there",
    ("shelf",): lambda _: "there",
    ("spec", "model"): _model,
    ("spec", "data"): lambda said: _data(said.get("evaluation") or said["calibration"]),
    ("spec", "data", "evaluation"): _data,
    ("spec", "data", "calibration"): _data,
    ("lock", "data", "evaluation"): _rows,
    ("lock", "data", "calibration"): _rows,
    ("lock", "data", "calibration", "consumed"): _consumed,
    ("lock", "data"): lambda said: _rows(said.get("evaluation") or said["calibration"]),
    ("lock", "model"): lambda said: short(said["revision"]),
    ("lock", "tool"): lambda said: str(said["version"]),
    ("lock", "machine"): lambda said: str(said["class"]),
    ("spec", "goal", "constraints"): _bounds,
    ("expect", "resources"): _resources,
    ("expect", "verdict"): _verdict,
}


# ---- what was measured --------------------------------------------------------------------------


def speed(said: Said) -> str:
    """`2.41x (2.37–2.45)`"""
    interval = f" ({words.ratio_interval(said['ci95'])})" if said.get("ci95") else ""
    return words.speedup(said["speedup"]) + interval


def accuracy(said: Said, unit: str) -> str:
    """`85.4 % (change −0.1 pp, −0.6 to +0.4; n = 3,000)`"""
    parts = [f"change {words.change(said.get('delta'), unit)}"] if said.get("delta") is not None else []
    parts += [words.change_interval(said["ci95"], unit)] if said.get("ci95") else []
    inside = ", ".join(parts) + ("; " if parts else "") + f"n{NBSP}={NBSP}{words.number(said['n'])}"
    return f"{words.value_of(said.get('optimized'), unit)} ({inside})"


def artifact(said: Said) -> str:
    """`2910377fb21f…, 24 of 24 MatMul quantized, 60 MB`"""
    counts = [f"{one['quantized']} of {one['total']} {kind}" for kind, one in said["coverage"].items()]
    covered = [f"{', '.join(counts)} quantized"] if counts else []
    return ", ".join([short(said["semantic"]), *covered, f"{words.megabytes(said['bytes'] / 1e6)}{NBSP}MB"])


def unit_of(recipe: Recipe, metric: str) -> str:
    """The unit of a metric of the recipe's task; a fraction where nothing else is known."""
    task = recipe.spec.model.task if recipe.spec.model else None
    known = catalog.tasks()[task].metrics if task in catalog.tasks() else ()
    return next((one.unit for one in known if one.name == metric), "" if metric == "cosine" else "fraction")
