"""README.md of a model on the Hub: what it is, what was measured, how to load it, how to verify it.

Pure: strings and plain documents in, Markdown out. A figure stands only beside its interval.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from workbench import sentence, words
from workbench.report.markdown import accuracy_words, code, text
from workbench.sentence import Report, Row
from workbench.words import NBSP

LICENSE = re.compile(r"[a-z0-9][a-z0-9.+-]*")  # one of the Hub's own words; free text is said in prose
TAG = "optimization-workbench"
REPLACEMENTS = ("agreement", "cosine")  # what stands in for a metric where there are no labels


@dataclass(frozen=True)
class Pushed:
    """What is described. `model`, `evaluation` and `calibration` are those of the plan: where they come from is told by
    `kind` ("hub", "local" or "starter"). `format` is that of the files; `opening` Python that opens them in `folder`
    without the workbench, or ""; `below` the folder they have in the repository, "" for its root; `hub` its address."""

    repo_id: str
    row: str
    recipe: Mapping[str, Any]
    model: Mapping[str, Any]
    evaluation: Mapping[str, Any]
    calibration: Mapping[str, Any] | None
    format: str
    hub: str
    opening: str = ""
    below: str = ""


def model_card(report: Report, pushed: Pushed) -> str:
    """The whole file. Raises KeyError for a row that the report does not have."""
    row = sentence.named(report, pushed.row)
    if row is None:
        raise KeyError(pushed.row)
    blocks = [
        f"---\n{_metadata(report, row, pushed)}\n---",
        f"# {text(pushed.repo_id.partition('/')[2] + (f'/{pushed.below}' if pushed.below else ''))}",
        _introduction(report, pushed),
        "## What was measured",
        _measured(report, row, pushed),
        _machine(report, pushed.recipe),
        "## How to load it",
        _loading(pushed),
        "## How it was made, and how to verify it",
        _verifying(pushed),
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


# ---- metadata -----------------------------------------------------------------------------------


def _metadata(report: Report, row: Row, pushed: Pushed) -> str:
    """YAML that the Hub reads. What is not known is left out."""
    from huggingface_hub import ModelCardData

    known = str(pushed.model.get("license") or "")
    results = _results(report, row, pushed)
    more: dict[str, Any] = {}
    if _on_the_hub(pushed.model) and is_quantized(row):
        more["base_model_relation"] = "quantized"
    return ModelCardData(
        base_model=pushed.model["id"] if _on_the_hub(pushed.model) else None,
        library_name=pushed.format,
        pipeline_tag=report["model"]["task"],
        license=known if LICENSE.fullmatch(known) else None,
        tags=[pushed.format, TAG],
        datasets=_tuned_on(pushed),
        model_name=pushed.repo_id.partition("/")[2] if results else None,
        eval_results=results or None,
        **more,
    ).to_yaml()


def is_quantized(row: Row) -> bool:
    """Whether any product of the file stores its weight in integers, as its audit read it."""
    found = ((row.get("audit") or {}).get("coverage") or {}).values()
    return any(one.get("weights") or one.get("quantized") for one in found)


def _steps(pushed: Pushed) -> list[Mapping[str, Any]]:
    return list((pushed.recipe.get("lock") or {}).get("steps") or ())


def _on_the_hub(source: Mapping[str, Any]) -> bool:
    return source.get("kind") == "hub"


def _data_set(source: Mapping[str, Any] | None) -> str:
    """`org/name` of `org/name:config@revision[split]`; "" for data that is not on the Hub."""
    return re.split(r"[:@\[]", str(source["source"]))[0] if source and _on_the_hub(source) else ""


def _tuned_on(pushed: Pushed) -> list[str] | None:
    """The Hub takes `datasets` for what a model learned from: of ours, rows for calibration, where they were used."""
    used = ((pushed.recipe.get("lock") or {}).get("data") or {}).get("calibration")
    name = _data_set(pushed.calibration) if used else ""
    return [name] if name else None


def _results(report: Report, row: Row, pushed: Pushed) -> list[Any]:
    """The headline metric on a data set of the Hub; its change and interval stand in its name, for the Hub has no field
    for them. Nothing without labels, or for data that nobody else can look at."""
    from huggingface_hub import EvalResult

    facts, name = sentence.accuracy(row), _data_set(pushed.evaluation)
    if not (name and facts and words.is_interval(facts.get("ci95"))) or facts["metric"] in REPLACEMENTS:
        return []
    said = f"{words.metric_name(facts['metric'])}, change {_change(facts)}, n = {words.number(facts['n'])}"
    return [
        EvalResult(
            task_type=report["model"]["task"], dataset_type=name, dataset_name=name,
            dataset_split=pushed.evaluation.get("split"), dataset_revision=pushed.evaluation.get("revision"),
            metric_type=facts["metric"], metric_name=said.replace(NBSP, " "), metric_value=facts["value"],
        )
    ]  # fmt: skip


# ---- prose --------------------------------------------------------------------------------------


def _introduction(report: Report, pushed: Pushed) -> str:
    said = f"{_original(pushed)}, optimized with the recipe {code(pushed.recipe['name'])}."
    summary = str(pushed.recipe.get("summary") or "")
    quick = " This was a quick look: fewer examples and rounds than usual." if report.get("quick") else ""
    known = str(pushed.model.get("license") or "")
    terms = f" License of the original: {text(known)}." if known and not LICENSE.fullmatch(known) else ""
    return f"{said} {text(summary)}{terms}{quick}".strip()


def _original(pushed: Pushed) -> str:
    model = pushed.model
    if _on_the_hub(model):
        page = f"[{text(model['id'])}]({pushed.hub}/{model['id']})"
        return f"{page} at revision {code(str(model['revision'])[:12])}"
    name = code(str(model["id"]).partition(":")[2])
    if model.get("kind") == "starter":
        return (
            f"The starter model {name} that comes with the workbench (it is not on the Hub, so no base model is named)"
        )
    return f"The local model {name} (it is not on the Hub, so no base model is named)"


def _measured(report: Report, row: Row, pushed: Pushed) -> str:
    lines = [_speed(report, row), _accuracy(report, row, pushed)]
    size = row.get("size_mb")
    lines.append(f"**Size** of the files: {words.megabytes(size)}{NBSP}MB." if words.usable(size) else "")
    return "\n".join(f"- {line}" for line in lines if line)


def _speed(report: Report, row: Row) -> str:
    facts = sentence.speed(row)
    if not (words.usable(facts.get("speedup")) and words.is_interval(facts.get("ci95"))):
        return "**Speed** was not compared."
    ratio, ends = words.speedup(facts["speedup"]), words.ratio_interval(facts["ci95"])
    said = (
        f"**Speed-up**: {ratio} (95 % interval {ends}) against {code(report['baseline'])} on the same machine, "
        f"batch 1, natural lengths, in interleaved rounds: {text(words.word(facts['verdict']).text)}."
    )
    width = report.get("resolution") or {}
    if words.is_interval(width.get("aa_ci95")):
        again, between = words.speedup(width["aa_ratio"]), words.ratio_interval(width["aa_ci95"])
        said += f" The baseline against itself: {again} ({between})."
    return said


def _accuracy(report: Report, row: Row, pushed: Pushed) -> str:
    facts, where = sentence.accuracy(row), pushed.evaluation
    if not facts or not words.is_interval(facts.get("ci95")):
        return "**Accuracy** was not measured."
    name, split = sentence.change_name(report), f", split {code(where['split'])}" if where.get("split") else ""
    said = (
        f"**{text(name[0].upper() + name[1:])}**: {text(_change(facts))} on n{NBSP}={NBSP}{words.number(facts['n'])} "
        f"examples of {code(where['source'])}{split}: {text(accuracy_words(facts).partition(' ')[2])}."
    )
    seen = facts.get("detectable_drop")
    if words.usable(seen) and facts["metric"] not in REPLACEMENTS:
        said += f" So many examples could have seen {text(words.amount(seen, facts.get('unit')))}."
    return said


def _change(facts: Mapping[str, Any]) -> str:
    ends = words.change_interval(facts["ci95"], facts.get("unit"))
    return f"{words.change(facts['delta'], facts.get('unit'))} (95 % interval {ends})"


def _machine(report: Report, recipe: Mapping[str, Any]) -> str:
    """Where and with what, on one line: figures of speed belong to it."""
    lock = recipe.get("lock") or {}
    here, there = lock.get("machine") or {}, lock.get("environment") or {}
    quota, memory = here.get("quota"), here.get("memory_gb")
    facts = [
        str(here.get("cpu") or ""),
        str(here.get("class") or ""),
        words.plural(here["cores"], "core") + (f" (quota {quota:g})" if quota else "") if here.get("cores") else "",
        f"{words.number(memory)}{NBSP}GB" if memory else "",
        *(str(one) for one in here.get("accelerators") or ()),
    ]
    packages = [f"{name} {version}" for name, version in sorted((there.get("packages") or {}).items())]
    versions = ", ".join([*([f"Python {there['python']}"] if there.get("python") else []), *packages])
    tool = lock.get("tool") or {}
    made = f"workbench {tool['version']}, " if tool.get("version") else ""
    line = "; ".join(part for part in (", ".join(fact for fact in facts if fact), versions) if part)
    return f"Measured on {text(line)}; {text(made)}{text(str(report['created'])[:10])}." if line else ""


def _loading(pushed: Pushed) -> str:
    given = "".join(f', {name}="{what}"' for name, what in _to_give(pushed, evaluation=False).items())
    said = [
        "From the recipe, which builds the file again out of the original model and is called like it:",
        _block(
            "python",
            "import workbench\nfrom huggingface_hub import hf_hub_download\n\n"
            f'recipe = hf_hub_download("{pushed.repo_id}", "{_path(pushed, "recipe.yaml")}")\n'
            f"model = workbench.load(recipe{given})",
        ),
    ]
    if pushed.opening:
        imports, _, rest = pushed.opening.strip().rpartition("\n\n")
        inside = f' + "/{pushed.below}"' if pushed.below else ""
        said += [
            "Or the files of this repository, with their runtime alone:",
            _block(
                "python",
                f"{imports}\nfrom huggingface_hub import snapshot_download\n\n".lstrip()
                + f'folder = snapshot_download("{pushed.repo_id}"){inside}\n{rest}',
            ),
        ]
    return "\n\n".join(said)


def _to_give(pushed: Pushed, evaluation: bool) -> dict[str, str]:
    """What cannot be fetched by its name, so that whoever builds has to give it: {option: what}."""
    data = (pushed.recipe.get("spec") or {}).get("data") or {}
    tuned = ((pushed.recipe.get("lock") or {}).get("data") or {}).get("calibration")
    apart = bool((data.get("calibration") or {}).get("source"))
    wanted = {
        "model": (pushed.model, True, "the folder of the original model"),
        "data": (pushed.evaluation, evaluation or bool(tuned and not apart), "the file with its rows"),
        "calibration": (pushed.calibration, apart, "the file with its rows for calibration"),
    }
    return {name: what for name, (source, used, what) in wanted.items() if used and source and _is_local(source)}


def _is_local(source: Mapping[str, Any]) -> bool:
    return source.get("kind") == "local"


def _verifying(pushed: Pushed) -> str:
    steps = ", ".join(code(step["use"]) for step in _steps(pushed)) or "none"
    given = "".join(f' --{name} "{what}"' for name, what in _to_give(pushed, evaluation=True).items())
    recipe, report = _path(pushed, "recipe.yaml"), _path(pushed, "report.json")
    said = (
        f"{code(recipe)} pins the model, the rows, every option of the steps ({steps}) and the packages, and holds "
        f"what was measured; {code(report)} has every row of the comparison with its raw samples. Which of its "
        "promises hold on another machine is told by"
    )
    return f"{said}\n\n{_block('sh', f'workbench verify {recipe}{given}')}"


def _path(pushed: Pushed, name: str) -> str:
    return f"{pushed.below}/{name}" if pushed.below else name


def _block(language: str, lines: str) -> str:
    return f"```{language}\n{lines}\n```"
