"""A recipe file opens as a model: called like the original, built once, and at home in transformers' pipelines."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from tests import small as make
from tests.conftest import Small
from workbench import bench, loading, planning, recipe
from workbench.errors import RequestError, WorkbenchError
from workbench.event import Event, Made
from workbench.store import Store

TEXTS = ["good", "the film was bad and the plot was awful and weak", "a warm and clever story with a bright ending"]
WEAK = "bad dull film"


@pytest.fixture(scope="module")
def warm(warm_run: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, Path]:
    """(store in which `small` was compared, folder of the recipe files that the run wrote)."""
    home = tmp_path_factory.mktemp("loading") / "home"
    shutil.copytree(warm_run[0], home)
    return Store(home), home / "runs" / warm_run[1] / "recipes"


@pytest.fixture(scope="module")
def opened(warm: tuple[Store, Path]) -> Iterator[loading.Model]:
    with bench.load(warm[1] / "onnx-fp32.yaml", store=warm[0]) as model:
        yield model


@pytest.fixture(scope="module")
def original(small: Small) -> Any:
    from transformers import AutoModelForSequenceClassification

    return AutoModelForSequenceClassification.from_pretrained(small.model).eval()


@pytest.fixture(scope="module")
def tokenizer(small: Small) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(small.model)


def edited(file: Path, into: Path, **spec: Any) -> Path:
    """A recipe file with other keys in its spec and no lock."""
    said = yaml.safe_load(file.read_text())
    said = {key: value for key, value in said.items() if key in ("schema", "name", "summary", "spec")}
    said["spec"] |= spec
    into.write_text(yaml.safe_dump(said, sort_keys=False))
    return into


# ---- called like the original -------------------------------------------------------------------


def test_a_padded_batch_is_answered_as_the_original_does(opened: loading.Model, original: Any, tokenizer: Any) -> None:
    import torch

    inputs = tokenizer(TEXTS, padding=True, return_tensors="pt")
    with torch.inference_mode():
        expected = original(**inputs)
    answer = opened(**inputs)
    assert type(answer) is type(expected)
    assert answer.logits.dtype == torch.float32 and answer.logits.shape == (3, 2)
    assert torch.allclose(answer.logits, expected.logits, atol=1e-4)
    alone = [opened(**tokenizer(text, return_tensors="pt")).logits[0] for text in TEXTS]
    assert torch.allclose(answer.logits, torch.stack(alone), atol=1e-4)


def test_arrays_positions_and_absent_masks_are_taken_as_well(opened: loading.Model, tokenizer: Any) -> None:
    import torch

    inputs = tokenizer(TEXTS[:1], return_tensors="pt")
    expected = opened(**inputs).logits
    arrays = {name: tensor.numpy() for name, tensor in inputs.items()}
    for answer in (opened(**arrays), opened(inputs["input_ids"]), opened(input_ids=inputs["input_ids"], labels=None)):
        assert torch.equal(answer.logits, expected)
    (logits,) = opened(**inputs, return_dict=False, output_attentions=False)
    assert torch.equal(logits, expected)


def test_half_precision_inputs_are_taken(opened: loading.Model, tokenizer: Any) -> None:
    inputs = tokenizer(TEXTS[:1], return_tensors="pt")
    half = {name: tensor.bfloat16() for name, tensor in inputs.items() if name == "attention_mask"}
    assert opened(**inputs | half).logits.shape == (1, 2)


def test_it_says_what_it_is(opened: loading.Model, original: Any) -> None:
    import torch

    assert type(opened).__name__ == type(original).__name__
    assert opened.config.id2label == original.config.id2label
    assert (opened.device, opened.dtype) == (torch.device("cpu"), torch.float32)
    assert opened.main_input_name == "input_ids" and not opened.can_generate()
    assert opened.to("cpu") is opened and opened.eval() is opened
    assert opened.recipe.name == "onnx-fp32"
    assert "precision  fp32" in repr(opened)
    assert {"text/plain", "text/html"} <= opened._repr_mimebundle_().keys()


@pytest.mark.parametrize(
    ("name", "precision"), [("pytorch-fp32", "fp32"), ("onnx-fp32", "fp32"), ("onnx-int8-dynamic", "int8")]
)
def test_precision_is_read_back_and_threads_are_the_recipes(
    name: str, precision: str, warm: tuple[Store, Path], tmp_path: Path
) -> None:
    written = warm[1] / f"{name}.yaml"
    target = yaml.safe_load(written.read_text())["spec"]["target"]
    file = edited(written, tmp_path / "one.yaml", target=target | {"threads": 1})
    for path, threads in ((written, bench.machine_facts()["threads"]), (file, 1)):
        with bench.load(path, store=warm[0]) as model:
            facts = model.facts()
        assert (facts["precision"], facts["threads"]) == (precision, threads)


# ---- what it does not take ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "asked", [{"output_attentions": True}, {"output_hidden_states": True}, {"labels": np.zeros(1)}]
)
def test_what_only_the_original_gives_is_refused(asked: dict[str, Any], opened: loading.Model, tokenizer: Any) -> None:
    with pytest.raises(RequestError, match=f"takes no {next(iter(asked))}"):
        opened(**tokenizer(TEXTS[:1], return_tensors="pt"), **asked)


def test_lists_are_refused_with_a_hint(opened: loading.Model, tokenizer: Any) -> None:
    with pytest.raises(RequestError, match=r'input_ids is a list.*return_tensors="pt"'):
        opened(**tokenizer(TEXTS[:1]))


def test_a_closed_model_says_so(warm: tuple[Store, Path], tokenizer: Any) -> None:
    model = bench.load(warm[1] / "onnx-fp32.yaml", store=warm[0])
    model.close()
    model.close()
    for ask in (lambda: model(**tokenizer(TEXTS[:1], return_tensors="pt")), model.facts):
        with pytest.raises(WorkbenchError, match="closed"):
            ask()
    assert "Closed." in repr(model)


# ---- built once ---------------------------------------------------------------------------------

TWICE = """
import json, sys
from workbench import bench
from workbench.event import Made
seen = []
with bench.load(sys.argv[1], model=sys.argv[2], tell=seen.append) as model:
    facts = model.facts()
print(json.dumps({"made": [one.work for one in seen if isinstance(one, Made)], "precision": facts["precision"]}))
"""


@pytest.mark.slow
def test_a_fresh_process_builds_once_and_the_next_one_nothing(home: Path, small: Small) -> None:
    """Neither data nor a baseline is needed, and nothing is measured."""
    said = []
    for _ in range(2):
        words = [sys.executable, "-c", TWICE, str(small.recipes[0]), str(small.model)]
        done = subprocess.run(words, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        said.append(json.loads(done.stdout))
    first, second = (one["made"] for one in said)
    assert first[:2] == ["model", "inputs"] and len(first) == 3 and first[2].startswith("make-")
    assert second == []
    assert {one["precision"] for one in said} == {"fp32"}
    assert {format for _, format, _, _ in Store(home).sizes()} == {"transformers", "rows", "inputs", "onnx"}


def test_what_a_run_has_built_is_not_built_again(warm_home: Path, warm: tuple[Store, Path]) -> None:
    seen: list[Event] = []
    with bench.load(warm[1] / "onnx-int8-dynamic.yaml", tell=seen.append):
        assert seen == []


def test_a_locked_recipe_that_was_opened_once_is_not_even_planned_again(
    warm_home: Path, warm: tuple[Store, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """So it opens with no network, whatever the model came from."""
    file = warm[1] / "onnx-int8-dynamic.yaml"
    bench.load(file).close()
    monkeypatch.setattr(planning, "make", lambda *_: pytest.fail("it was planned"))
    with bench.load(file) as model:
        assert model.facts()["precision"] == "int8"


def test_an_edited_recipe_is_planned_again(warm_home: Path, warm: tuple[Store, Path], tmp_path: Path) -> None:
    file = Path(shutil.copy(warm[1] / "onnx-int8-dynamic.yaml", tmp_path))
    said = yaml.safe_load(file.read_text())
    said["spec"]["steps"] = said["spec"]["steps"][:1]
    file.write_text(yaml.safe_dump(said, sort_keys=False))
    with bench.load(file) as model:
        assert model.facts()["precision"] == "fp32"


@pytest.mark.slow
def test_a_step_that_calibrates_takes_the_same_rows_as_a_run(warm_home: Path, small: Small, tmp_path: Path) -> None:
    name, seen = "onnx-int8-static", list[Event]()
    rows = str(make.make_rows(tmp_path / "rows.csv", 200))
    with bench.load(name, model=str(small.model), data=rows, tell=seen.append) as model:
        assert model.facts()["precision"] == "int8"
    assert any(isinstance(one, Made) and not one.reused and one.work.startswith("make-") for one in seen)
    plan = bench.plan(bench.request(str(small.model), [name], data=rows))
    assert plan.cost["builds"] == 0


@pytest.mark.slow
def test_a_damaged_model_is_built_again(warm_home: Path, warm: tuple[Store, Path]) -> None:
    file, seen = warm[1] / "onnx-fp32.yaml", list[Event]()
    bench.load(file).close()
    for weights in warm_home.glob("artifacts/*/*/files/model.onnx"):
        with weights.open("r+b") as there:
            there.seek(-9, 2)
            there.write(b"\xff")
    with bench.load(file, tell=seen.append) as model:
        assert model.facts()["precision"] == "fp32"
    assert [one.work[:5] for one in seen if isinstance(one, Made) and not one.reused][-1] == "make-"


# ---- pipelines ----------------------------------------------------------------------------------


def same(mine: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> None:
    assert [one["label"] for one in mine] == [one["label"] for one in theirs]
    assert np.allclose([one["score"] for one in mine], [one["score"] for one in theirs], atol=1e-3)


def test_a_text_pipeline_answers_as_that_of_the_original(warm: tuple[Store, Path], small: Small, capfd: Any) -> None:
    import transformers

    theirs = transformers.pipeline("text-classification", model=str(small.model), device="cpu")
    capfd.readouterr()
    mine = bench.pipeline(warm[1] / "onnx-fp32.yaml", store=warm[0])
    assert type(mine) is type(theirs)
    assert "not supported" not in capfd.readouterr().err
    texts = [text for text, _ in make.texts(30, seed=5)]
    same(mine(texts), theirs(texts))
    same(mine(texts, batch_size=4), theirs(texts))
    same(mine(WEAK, top_k=None), theirs(WEAK, top_k=None))
    same([mine({"text": WEAK, "text_pair": "good"})], [theirs({"text": WEAK, "text_pair": "good"})])
    mine.model.close()


def test_transformers_takes_the_model_as_it_is(opened: loading.Model, tokenizer: Any, capfd: Any) -> None:
    import transformers

    pipe: Any = transformers.pipeline("text-classification", model=opened, tokenizer=tokenizer)  # type: ignore[call-overload]
    assert [one["label"] in make.LABELS for one in pipe([WEAK])] == [True]
    assert "not supported" not in capfd.readouterr().err
    assert "text" in repr(pipe)


def test_options_are_handed_to_transformers(warm: tuple[Store, Path]) -> None:
    pipe = bench.pipeline(warm[1] / "onnx-fp32.yaml", store=warm[0], top_k=None)
    assert [len(answers) for answers in pipe([WEAK, "good"])] == [2, 2]
    pipe.model.close()


@pytest.mark.slow
def test_a_picture_pipeline_answers_as_that_of_the_original(home: Path) -> None:
    """The starter's image classifier, with its own processor, by a recipe of the shelf."""
    import transformers
    from PIL import Image

    pipe = bench.pipeline("onnx-fp32", model="starter:fashion")
    theirs: Any = transformers.pipeline("image-classification", model=str(pipe.model.folder), device="cpu")
    chance = np.random.default_rng(3)
    pictures = [Image.fromarray(chance.integers(0, 255, (40, 30, 3), dtype=np.uint8)) for _ in range(5)]
    for mine, other in zip(pipe(pictures), theirs(pictures), strict=True):
        same(mine, other)
    pipe.model.close()


# ---- what is wrong ------------------------------------------------------------------------------


def test_a_recipe_without_a_model_asks_for_one(home: Path) -> None:
    with pytest.raises(RequestError, match=r'names no model.*model="org/name"'):
        bench.load(recipe.shelf_folder() / "onnx-fp32.yaml")


def test_a_local_model_that_is_not_here_is_asked_for_in_python(home: Path, warm: tuple[Store, Path]) -> None:
    with pytest.raises(RequestError, match="Give it with model=…"):
        bench.load(warm[1] / "onnx-fp32.yaml")


def test_a_step_that_calibrates_asks_for_data(home: Path, small: Small) -> None:
    with pytest.raises(RequestError, match=r"names no data.*data=… or calibration=…"):
        bench.load("onnx-int8-static", model=str(small.model))


def test_a_model_folder_names_the_recipe_beside_it(tmp_path: Path) -> None:
    out = tmp_path / "out"
    folder = out / "models" / "onnx-fp32"
    folder.mkdir(parents=True)
    with pytest.raises(RequestError, match="the recipe file of a run"):
        bench.load(folder)
    (out / "recipes").mkdir()
    (out / "recipes" / "onnx-fp32.yaml").touch()
    for given in (folder, f"{folder}/", out):
        with pytest.raises(RequestError, match=r"is a folder.*recipes/onnx-fp32\.yaml"):
            bench.load(given)


def test_a_file_that_is_not_there_and_a_name_nobody_knows_are_short_errors(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="There is no file"):
        bench.load(tmp_path / "best.yaml")
    with pytest.raises(RequestError, match="no recipe called `onnx-fp31`"):
        bench.load("onnx-fp31")


def test_a_task_without_a_pipeline_says_so_before_anything_is_built(
    home: Path, warm: tuple[Store, Path], tmp_path: Path
) -> None:
    model = yaml.safe_load((warm[1] / "onnx-fp32.yaml").read_text())["spec"]["model"]
    file = edited(warm[1] / "onnx-fp32.yaml", tmp_path / "qa.yaml", model=model | {"task": "question-answering"})
    with pytest.raises(RequestError, match="no pipeline for question-answering"):
        bench.pipeline(file)


def test_a_device_that_is_not_here_is_told_of_the_recipe(small: Small, tmp_path: Path) -> None:
    target = {"backend": "onnxruntime", "device": "abacus"}
    file = edited(small.recipes[0], tmp_path / "gpu.yaml", target=target)
    with pytest.raises(RequestError, match=r"onnx-fp32 cannot run here.*abacus"):
        bench.load(file, model=str(small.model))


def test_a_step_that_fails_is_told_with_its_log(warm_home: Path, small: Small, tmp_path: Path) -> None:
    steps = [{"use": "existing", "file": "nothing.onnx"}]
    file = edited(small.recipes[0], tmp_path / "gone.yaml", steps=steps)
    with pytest.raises(WorkbenchError, match=r"could not be built.*nothing\.onnx.*load\.log"):
        bench.load(file, model=str(small.model))
    assert (warm_home / "load.log").is_file()
