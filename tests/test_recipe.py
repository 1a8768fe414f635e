"""What a recipe file may say, what is refused and in which words, and who a recipe is."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from workbench import recipe as recipes
from workbench.door import checked
from workbench.errors import RequestError, WorkbenchError
from workbench.recipe import Recipe, differences, from_dict, load
from workbench.recipe_keys import Constraint, Measure
from workbench.recipe_manual import SCHEMA_FILE, json_schema, json_schema_text

SHA, OTHER_SHA, COMMIT = "ab" * 32, "cd" * 32, "0123456789" * 4

FULL = f"""\
schema: workbench/recipe@1
name: onnx-int8-dynamic
summary: Weights in INT8.
spec:
  model: {{id: org/name, revision: main, task: text-classification}}
  target: {{machine: this-machine, backend: onnxruntime, device: cpu, threads: auto, options: {{}}}}
  steps:
    - {{use: export-onnx, dynamic: true, opset: null}}
    - {{use: quantize-onnx-dynamic, per_channel: true}}
  data:
    evaluation: {{source: org/data, split: test, fields: {{text: review}}, select: {{n: all}}}}
    calibration: {{source: org/data, split: train, select: {{n: 256, seed: 7}}}}
  goal: {{optimize: latency, constraints: [{{metric: accuracy, max_drop: 0.01, kind: absolute, confidence: 0.95}}]}}
  measure: {{rounds: {{min: 10, max: 50}}, target_half_width: 0.02}}
  seed: 7
lock:
  spec_sha256: {SHA}
  tool: {{name: workbench, version: 0.1.0}}
  model:
    revision: '{COMMIT}'
    files: [{{path: model.safetensors, sha256: {SHA}, bytes: 7}}]
    license: mit
    trust_remote_code: false
  data:
    evaluation: {{revision: '{COMMIT}', rows: {{count: 3000, ids_sha256: {SHA}}}}}
    calibration:
      revision: '{COMMIT}'
      rows: {{count: 256, ids_sha256: {SHA}}}
      consumed: {{samples: 256, unique: 256, token_ids_sha256: {SHA}}}
    overlap: 0
  steps:
    - {{use: export-onnx, version: 1, options: {{dynamic: true, opset: null}}}}
  environment: {{python: 3.11.9, packages: {{torch: 2.13.0+cpu}}, os: Linux, env: {{OMP_NUM_THREADS: '2'}}}}
  machine: {{class: x86_64/avx512_vnni, cpu: A CPU, cores: 2, quota: 2, memory_gb: 8, accelerators: []}}
  runtime: {{device: cpu, threads: 2, details: {{precision: int8}}}}
expect:
  artifacts:
    - step: quantize-onnx-dynamic
      sha256: {SHA}
      semantic: {SHA}
      bytes: 9
      coverage: {{MatMul: {{quantized: 36, total: 38}}}}
  accuracy:
    metric: accuracy
    baseline: 0.83
    optimized: 0.828
    n: 3000
    delta: -0.002
    ci95: [-0.004, 0.001]
    flips: {{to_wrong: 9, to_right: 3}}
    agreement: 0.99
    predictions_sha256: {SHA}
    tolerance: {{agreement: 0.005, delta: 0.003}}
  speed:
    - name: headline
      batch: 1
      sequence: null
      speedup: 2.8
      ci95: [2.7, 2.9]
      baseline_p50_ms: 14.0
      p50_ms: 5.0
      rounds: 40
      aa_ci95: [0.99, 1.01]
      applies: same_machine_class
  resources: {{peak_rss_mb: 200, size_mb: 23, load_s: 0.2}}
  verdict: {{accuracy: no_detectable_drop, detectable_drop: 0.006, speed: faster, constraints: met}}
identity: {{recipe: {SHA}}}
"""

SHORT = "schema: workbench/recipe@1\nname: mine\nspec:\n  target: {backend: pytorch}\n"


def changed(path: str, value: Any, base: str = FULL) -> Recipe:
    """The base recipe with one key set, or removed for `...`."""
    data = load(base).to_dict()
    place: Any = data
    *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    for part in parents:
        place = place[part]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return from_dict(data)


def error_of(text: str) -> RequestError:
    with pytest.raises(RequestError) as caught:
        load(text)
    return caught.value


# ---- what is refused: one line a case: what is replaced in FULL, by what, words of the error ------

WRONG: list[tuple[str, str, list[str]]] = [
    ("summary:", "sumary:", ["no key `sumary`", "line 3", "Did you mean `summary`?"]),
    ("    evaluation:", "    evalution:", ["`evalution` in `spec.data`", "line 11", "`evaluation`"]),
    ("backend: onnxruntime", "backed: onnxruntime", ["`backed` in `spec.target`", "line 6", "`backend`"]),
    ("target_half_width", "target_halfwidth", ["`spec.measure`", "line 14", "`target_half_width`"]),
    ("{quantized: 36,", "{quantised: 36,", ["`quantised`", "line 42", "`quantized`"]),
    ("spec:\n", "sepc:\n", ["`sepc`", "line 4", "`spec`"]),
    ("backend: onnxruntime, ", "", ["key `backend` is missing in `spec.target` (line 6)", "runtime"]),
    ("name: onnx-int8-dynamic\n", "", ["key `name` is missing in the recipe"]),
    ("  seed: 7\nlock", "  seed: seven\nlock", ["`spec.seed` (line 15)", '"seven"', "a whole number"]),
    ("  seed: 7\nlock", "  seed: '7'\nlock", ["`spec.seed` (line 15)", "a whole number"]),
    ("  seed: 7\nlock", "  seed: 7.5\nlock", ["`spec.seed` (line 15)", "a whole number"]),
    ("  seed: 7\nlock", "  seed: -7\nlock", ["`spec.seed` (line 15)", "at least 0"]),
    ("threads: auto", "threads: many", ["`spec.target.threads` (line 6)", "a whole number from 1 on, or `auto`"]),
    ("threads: auto", "threads: 0", ["`spec.target.threads`", "from 1 on"]),
    ("select: {n: all}", "select: {n: some}", ["`spec.data.evaluation.select.n`", "`all`"]),
    ("optimize: latency", "optimize: latncy", ["`spec.goal.optimize`", "one of `latency`", "Did you mean `latency`?"]),
    (
        "steps:\n    - {use: export-onnx, dynamic",
        "steps:\n    - {run: export-onnx, dynamic",
        ["line 8", "key `use` is missing"],
    ),
    ("split: test", "split: [test]", ["`spec.data.evaluation.split`", "a list", "Expected: text"]),
    ("  measure: {", "  measure: [{", ["not valid YAML", "line 15"]),
    ("rounds: {min: 10, max: 50}", "rounds: 10", ["`spec.measure.rounds` (line 14)", "keys with values"]),
    ("{min: 10, max: 50}", "{min: 60, max: 50}", ["`min` is 60", "smaller"]),
    ("max_drop: 0.01", "max_drop: 5", ["max_drop", "line 13", "percent or a fraction?", "0.05"]),
    ("max_drop: 0.01", "max_drop: 1", ["percent or a fraction?", "0.01"]),
    ("max_drop: 0.01", "max_drop: -0.01", ["at least 0"]),
    ("max_drop: 0.01", "max_drop: .nan", ["line 13", "not a finite number"]),
    ("max_drop: 0.01", "max_drop: -.inf", ["line 13", "not a finite number"]),
    ("max_drop: 0.01", "max_drop: 1e999", ["line 13", "not a finite number"]),
    ("max_drop: 0.01, ", "", ["exactly one of max_drop"]),
    ("max_drop: 0.01,", "max_drop: 0.01, max_size_mb: 9,", ["exactly one of max_drop"]),
    ("metric: accuracy, max_drop: 0.01", "metric: accuracy, max_size_mb: 9", ["belong to `max_drop` only"]),
    ("id: org/name", "id: /home/anna/model", ["`spec.model.id` (line 5)", "a path of this machine", "local:"]),
    ("id: org/name", "id: ../model", ["a path of this machine"]),
    ("id: org/name", "id: a/b/c", ["`spec.model.id`", "org/name"]),
    ("id: org/name", "id: local:../model", ["a path of this machine"]),
    ("source: org/data, split: test", "source: reviews.csv, split: test", ["names no files", "local:reviews.csv"]),
    ("source: org/data, split: test", "source: 'C:\\data'", ["a path of this machine"]),
    ("options: {}}", "options: {cache: ~/x}}", ["`spec.target.options.cache`", "a path of this machine"]),
    ("options: {}}", "options: {cache: x/../../y}}", ["a path of this machine"]),
    ("path: model.safetensors", "path: ../model.safetensors", ["`lock.model.files[0].path` (line 21)"]),
    ("revision: main", f"revision: hf_{'a' * 30}", ["`spec.model.revision` (line 5)", "looks like a secret"]),
    ("Weights in INT8.", f"Use hf_{'B7' * 15}.", ["`summary` (line 3)", "looks like a secret"]),
    ("device: cpu", "device: CPU 0", ["`spec.target.device`"]),
    ("trust_remote_code: false", "trust_remote_code: true", ["trust_remote_code", "line 23", "never run"]),
    (
        f"    revision: '{COMMIT}'\n    files",
        "    revision: main\n    files",
        ["`lock.model.revision` (line 20)", "never a branch"],
    ),
    (f"evaluation: {{revision: '{COMMIT}'", "evaluation: {revision: latest", ["never a branch"]),
    ("OMP_NUM_THREADS: '2'", "HF_TOKEN: x", ["`lock.environment.env.HF_TOKEN`", "not allowed"]),
    ("ci95: [2.7, 2.9]", "ci95: [2.7]", ["Entry 2 is missing in `expect.speed[0].ci95`"]),
    ("constraints: met}", "constraints: mett}", ["`expect.verdict.constraints`", "Did you mean `met`?"]),
    ("identity: {recipe: " + SHA, "identity: {recipe: abc", ["`identity.recipe`"]),
    ("name: onnx-int8-dynamic", "name: ../x", ["`name` (line 2)"]),
    ("name: onnx-int8-dynamic", "name: a b", ["`name` (line 2)"]),
    ("recipe@1", "recipe@2", ["needs a newer workbench", "workbench/recipe@2", "Update"]),
    ("recipe@1", "recipe@0", ["too old"]),
    ("workbench/recipe@1", "workbench/report@1", ["not a recipe", "workbench/report@1"]),
    ("schema: workbench/recipe@1\n", "", ["does not say its `schema`"]),
    ("  seed: 7\nlock", "  seed: 7\n  seed: 8\nlock", ["`seed` occurs twice", "line 16"]),
    ("  seed: 7\nlock", "  seed: &a 7\nlock", ["anchor or alias", "line 15"]),
    ("  seed: 7\nlock", "  seed: *a\nlock", ["anchor or alias", "line 15"]),
    ("  seed: 7\nlock", "  seed: !!python/object/apply:os.system [x]\nlock", ["the tag", "line 15"]),
    ("options: {}}", "options: {a: " + "[" * 40 + "]" * 40 + "}}", ["32 levels", "line 6"]),
    ("options: {}}", "options: {1: a}}", ["a key is not text", "line 6"]),
    ("Weights in INT8.", '"\\uD800"', ["not valid text"]),
    ("Weights in INT8.", "\x07", ["not YAML text", "#x0007"]),
    ("identity:", "---\nidentity:", ["a second document"]),
]


@pytest.mark.parametrize(("old", "new", "words"), WRONG, ids=[f"{old[:24]}->{new[:24]}" for old, new, _ in WRONG])
def test_a_wrong_recipe_is_refused_in_three_sentences(old: str, new: str, words: list[str]) -> None:
    assert old in FULL
    error = error_of(FULL.replace(old, new, 1))
    assert [word for word in words if word not in str(error)] == [], str(error)
    assert all(len(part) < 250 for part in (error.what, error.why))


OTHER_FILES = [
    ("", "not a recipe"),
    ("a line of text\nand another\n", "not a recipe"),
    ("- one\n- two\n", "not a recipe"),
    ("services:\n  web: {image: nginx}\n", "not a recipe"),
    ("a: [1, 2\nb: 3\n", "not valid YAML"),
    ("a: " + "x" * 1_000_001 + "\n", "larger than 1 MB"),
    ("[" * 100_000 + "\n", "levels"),
    ("a: \n" + "".join(f"  {' ' * i}a:\n" for i in range(60)), "levels"),
]


@pytest.mark.parametrize(
    ("text", "words"), OTHER_FILES, ids=[words + str(n) for n, (_, words) in enumerate(OTHER_FILES)]
)
def test_what_is_no_recipe_is_told_so(text: str, words: str, tmp_path: Path) -> None:
    file = tmp_path / "file.yaml"
    file.write_text(text)
    with pytest.raises(RequestError, match=words) as caught:
        load(file)
    assert str(caught.value).startswith("file.yaml")


def test_a_missing_file_a_folder_and_bytes_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00\x01")
    for name, words in (("none.yaml", "no file"), ("", "is a folder"), ("bytes.yaml", "not UTF-8")):
        with pytest.raises(RequestError, match=words):
            load(tmp_path / name)
    with pytest.raises(RequestError) as told:
        load(tmp_path / "none/none.yaml")
    assert told.value.why == f"There is no folder {tmp_path / 'none'} either."


def test_python_gets_the_same_errors_as_a_file() -> None:
    for data in ({"max_drop": float("nan")}, {"max_drop": 5}, {"max_drop": 0.01, "metrik": "accuracy"}):
        with pytest.raises(RequestError):
            from_dict(
                {
                    "schema": recipes.SCHEMA,
                    "name": "x",
                    "spec": {"target": {"backend": "b"}, "goal": {"constraints": [data]}},
                }
            )
    with pytest.raises(RequestError, match="percent or a fraction"):
        checked(Constraint, {"max_drop": 5})


def test_names_of_graph_nodes_may_begin_with_a_slash() -> None:
    assert changed("spec.steps.1.exclude", ["/encoder/layer.0/MatMul", "*"]).spec.steps[1].options["exclude"]


# ---- what is read and written ----------------------------------------------------------------------


def test_every_key_of_the_manual_is_read_and_written_back() -> None:
    recipe = load(FULL)
    assert load(recipe.to_yaml()) == recipe
    assert recipe.lock and recipe.lock.machine and recipe.lock.machine.isa == "x86_64/avx512_vnni"
    assert recipe.spec.steps[0].options == {"dynamic": True, "opset": None}
    assert list(recipe.to_dict()) == ["schema", "name", "summary", "spec", "lock", "expect", "identity"]
    assert "\n# Written by the workbench" in recipe.to_yaml() and "\n# What was measured" in recipe.to_yaml()


def test_a_recipe_without_a_lock_is_written_short() -> None:
    assert load(SHORT).to_yaml() == (
        "schema: workbench/recipe@1\nname: mine\nspec:\n"
        "  target: {machine: this-machine, backend: pytorch, device: cpu, threads: auto, options: {}}\n  steps: []\n"
    )


def test_words_mean_what_yaml_1_2_says() -> None:
    values = "[no, on, 1e-2, 012, 1:30, 2020-01-01, 0x1f, 1_000, ~, True, -.5]"
    options = load(SHORT.replace("backend: pytorch", f"backend: pytorch, options: {{a: {values}}}")).spec.target.options
    assert options["a"] == ["no", "on", 0.01, 12, "1:30", "2020-01-01", "0x1f", "1_000", None, True, -0.5]


def test_digests_of_digits_only_stay_text() -> None:
    assert load(FULL.replace(f"'{COMMIT}'", "1" * 40)).lock.model.revision == "1" * 40  # type: ignore[union-attr]
    assert load(FULL.replace(f"'{COMMIT}'", "12e4" + "5" * 36)).lock.model.revision[:4] == "12e4"  # type: ignore[union-attr]


def test_saving_is_whole_or_not_at_all(tmp_path: Path) -> None:
    path = load(FULL).save(tmp_path / "deep" / "best.yaml")
    assert load(path) == load(FULL) and [each.name for each in path.parent.iterdir()] == ["best.yaml"]
    with pytest.raises(WorkbenchError, match=r"best\.yaml could not be written"):
        load(FULL).save(path / "best.yaml")
    with pytest.raises(WorkbenchError, match="deep could not be written"):
        load(FULL).save(tmp_path / "deep")
    assert [each.name for each in tmp_path.iterdir()] == ["deep"]


def test_an_older_recipe_goes_through_its_migration(monkeypatch: pytest.MonkeyPatch) -> None:
    def rename(data: dict[str, Any]) -> dict[str, Any]:
        return {("name" if key == "title" else key): value for key, value in data.items()}

    monkeypatch.setitem(recipes.MIGRATIONS, 0, rename)
    assert load(SHORT.replace("recipe@1", "recipe@0").replace("name:", "title:")) == load(SHORT)


def test_quick_measures_less_and_says_so() -> None:
    quick = Measure().as_quick()
    assert (Measure().time_cap_s, quick.time_cap_s, quick.n, quick.quick) == (60, 20, 500, True)


# ---- who a recipe is -------------------------------------------------------------------------------

ANOTHER = [
    ("spec.seed", 8),
    ("spec.target.threads", 4),
    ("spec.steps.1.per_channel", False),
    ("spec.goal.constraints.0.max_drop", 0.02),
    ("spec.data.evaluation.split", "validation"),
    ("lock.model.revision", "f" * 40),
    ("lock.model.files.0.sha256", OTHER_SHA),
    ("lock.data.evaluation.rows.ids_sha256", OTHER_SHA),
    ("lock.steps.0.version", 2),
    ("lock.steps.0.options.dynamic", False),
]
THE_SAME = [
    ("name", "another-name"),
    ("summary", "Other words."),
    ("lock.tool.version", "9.9"),
    ("lock.environment.packages.torch", "2.14.0"),
    ("lock.environment", ...),
    ("lock.machine.class", "aarch64/i8mm"),
    ("lock.runtime.threads", 8),
    ("expect.speed.0.speedup", 1.1),
    ("expect", ...),
    ("identity", ...),
]


@pytest.mark.parametrize(("path", "value"), ANOTHER)
def test_spec_model_data_and_steps_change_who_a_recipe_is(path: str, value: Any) -> None:
    assert changed(path, value).identity() != load(FULL).identity()


@pytest.mark.parametrize(("path", "value"), THE_SAME)
def test_machine_environment_and_results_never_change_who_a_recipe_is(path: str, value: Any) -> None:
    assert changed(path, value).identity() == load(FULL).identity()


def test_a_default_that_is_written_out_changes_nothing() -> None:
    written = load(SHORT + "  seed: 7\n  measure: {bootstrap: 2000}\n  goal: {optimize: latency}\n")
    assert written.identity() == load(SHORT).identity() and written.spec_sha256() == load(SHORT).spec_sha256()
    assert load(SHORT).to_yaml() == written.to_yaml()


def test_a_sealed_recipe_knows_when_it_was_edited() -> None:
    recipe = load(SHORT).sealed()
    assert not load(recipe.to_yaml()).is_edited()
    assert load(recipe.to_yaml().replace("device: cpu", "device: gpu")).is_edited()
    assert load(FULL).is_edited()  # its lock and identity belong to another spec


def test_differences_name_what_changed() -> None:
    old, new = load(FULL), changed("spec.steps.1.per_channel", False)
    assert differences(old, old) == []
    assert differences(old, new) == [("spec.steps[1].per_channel", True, False)]
    longer = changed("spec.steps", [*old.to_dict()["spec"]["steps"], {"use": "cast"}])
    assert differences(old, longer) == [("spec.steps[2].use", None, "cast")]


# ---- schema and weight -----------------------------------------------------------------------------


def test_the_shipped_json_schema_is_that_of_the_models() -> None:
    assert SCHEMA_FILE.read_text(encoding="utf-8") == json_schema_text(), "python -m workbench.recipe_manual writes it"


def test_the_json_schema_takes_what_the_reader_takes() -> None:
    validator = Draft202012Validator(json_schema())
    good = recipes.read(FULL)[0]
    good["expect"]["speed"][0].pop("sequence")
    assert [error.message for error in validator.iter_errors(good)] == []
    assert [error.message for error in validator.iter_errors({**good, "sumary": "x"})]
    assert json.loads(json_schema_text()) == json_schema()


def test_reading_a_recipe_imports_no_model_library() -> None:
    code = "import sys, workbench.recipe as r; r.shelf(); print({'torch', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
