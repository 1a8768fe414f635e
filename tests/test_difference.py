"""What changed between two recipe files, and between a file and this machine: facts, in the order of what matters."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from test_recipe import FULL, SHORT
from test_recipe import changed as edited

from workbench import bench, difference, machine
from workbench.catalog import options, step
from workbench.difference import Change, Changes
from workbench.difference.topics import SILENT
from workbench.door import shown
from workbench.errors import RequestError
from workbench.faces.web.compare import first
from workbench.recipe import Recipe, different_keys, from_dict, load, shelf, shelf_folder

STATIC, DYNAMIC = (shelf_folder() / f"onnx-int8-{name}.yaml" for name in ("static", "dynamic"))
OTHER = "cd" * 32


def between(old: Recipe, new: Recipe) -> Changes:
    return difference.between(old, new)


def only(changes: Changes) -> Change:
    assert len(changes) == 1, [str(one) for one in changes]
    return changes.changes[0]


def with_steps(*steps: dict[str, Any], base: str = SHORT) -> Recipe:
    return edited("spec.steps", list(steps), base)


def locked(**keys: Any) -> Recipe:
    """A whole recipe with other values at dotted keys: `lock__machine__cores=4`."""
    made = load(FULL)
    for key, value in keys.items():
        made = edited(key.replace("__", "."), value, made.to_yaml())
    return made


# ---- spec -----------------------------------------------------------------------------------------


def test_a_file_against_itself_is_the_same_recipe() -> None:
    found = bench.changed(STATIC, STATIC)
    assert found.same and not list(found) and found.title == "Nothing differs."


def test_an_option_of_a_shelf_file_is_told_with_its_default_and_its_own_description(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    said = yaml.safe_load(STATIC.read_text())
    said["spec"]["steps"][-1]["calibration"] = "entropy"
    file.write_text(yaml.safe_dump(said))
    found = bench.changed(STATIC, file)
    change = only(found)
    known = {one["name"]: one["description"] for one in options(step("quantize-onnx-static"))}
    assert (change.kind, change.where, change.how) == ("spec", "spec.steps[1].calibration", "changed")
    assert (change.name, change.old, change.new) == (
        "calibration of quantize-onnx-static", "minmax (the default, not written)", "entropy",
    )  # fmt: skip
    assert change.why == known["calibration"] and change.explains == ("speed", "accuracy")
    assert not found.same and (found.old, found.new) == ("onnx-int8-static.yaml", "mine.yaml")


def test_a_default_that_is_written_out_changes_who_it_is_and_nothing_else() -> None:
    short = with_steps({"use": "quantize-onnx-static"})
    change = only(between(short, with_steps({"use": "quantize-onnx-static", "per_channel": True})))
    assert (change.kind, change.old, change.new) == ("about", "true (the default, not written)", "true (the default)")
    assert change.explains == ()


def test_an_option_that_the_step_does_not_know_is_said_as_it_is() -> None:
    a, b = (with_steps({"use": "cast", "colour": colour}) for colour in ("red", "blue"))
    change = only(between(a, b))
    assert (change.old, change.new) == ("red", "blue") and "does not know" in change.why


def test_steps_come_go_and_change_places() -> None:
    export, quantize = {"use": "export-onnx", "dynamic": True}, {"use": "quantize-onnx-dynamic"}
    added = only(between(with_steps(export), with_steps(export, quantize)))
    assert (added.how, added.old, added.new) == ("added", "none", "quantize-onnx-dynamic")
    assert added.why == step("quantize-onnx-dynamic").summary
    removed = only(between(with_steps(export, quantize), with_steps(quantize)))
    assert (removed.how, removed.old, removed.new) == ("removed", "export-onnx (dynamic: true)", "none")
    moved = only(between(with_steps(export, quantize), with_steps(quantize, export)))
    assert (moved.how, moved.old) == ("reordered", "export-onnx, quantize-onnx-dynamic")
    assert moved.new == "quantize-onnx-dynamic, export-onnx"


def test_two_steps_of_one_name_are_told_apart_by_their_places() -> None:
    a = with_steps({"use": "cast", "dtype": "bfloat16"}, {"use": "cast", "dtype": "float16"})
    b = with_steps({"use": "cast", "dtype": "bfloat16"}, {"use": "cast", "dtype": "bfloat16"})
    assert [one.where for one in between(a, b)] == ["spec.steps[1].dtype"]


def test_an_option_of_the_backend_has_its_default_too() -> None:
    change = only(between(load(SHORT), edited("spec.target.options", {"dtype": "bfloat16"}, SHORT)))
    assert (change.name, change.old, change.new) == (
        "dtype of pytorch", "float32 (the default, not written)", "bfloat16",
    )  # fmt: skip
    assert change.where == "spec.target.options.dtype" and change.why.startswith("Precision of weights")


def test_what_is_done_comes_first_and_what_is_for_people_last() -> None:
    new = locked(name="other", spec__target__threads=4, lock__machine__cores=8, spec__goal__optimize="size")
    kinds = [one.kind for one in between(load(FULL), new)]
    assert kinds == ["spec", "environment", "goal", "about"]
    threads = between(load(FULL), new).changes[0]
    assert (threads.old, threads.new, threads.explains) == ("auto (the default)", "4", ("speed",))


def test_an_option_that_an_older_lock_does_not_name_had_its_default() -> None:
    older, newer = (locked(lock__steps__0__options={"dynamic": True, **more}) for more in ({}, {"optimize": True}))
    change = only(between(older, newer))
    assert (change.kind, change.old, change.new) == ("about", "true (the default, not written)", "true")
    off = only(between(older, locked(lock__steps__0__options={"dynamic": True, "optimize": False})))
    assert (off.kind, off.old, off.new) == ("spec", "true", "false")


# ---- inputs, environment, goal --------------------------------------------------------------------


def test_other_package_versions_are_the_same_recipe_in_another_environment() -> None:
    found = between(load(FULL), locked(lock__environment__packages={"torch": "2.14.0", "onnx": "1.23.2"}))
    assert found.same and found.title.startswith("The same recipe; around it, two things differ")
    assert [(one.name, one.old, one.new) for one in found] == [
        ("torch", "2.13.0+cpu", "2.14.0"), ("onnx", "not there", "1.23.2"),
    ]  # fmt: skip
    assert found.explaining("speed") == found.explaining("accuracy") == found.changes


def test_other_rows_are_named_by_count_and_hash() -> None:
    change = only(between(load(FULL), locked(lock__data__evaluation__rows={"count": 500, "ids_sha256": OTHER})))
    assert (change.old, change.new) == ("3,000 rows (abababababab…)", "500 rows (cdcdcdcdcdcd…)")
    assert change.explains == ("speed", "accuracy") and "Other rows" in change.why


def test_equal_inputs_with_other_labels_can_explain_accuracy_only() -> None:
    change = only(between(load(FULL), locked(lock__data__evaluation__revision="f" * 40)))
    assert change.explains == ("accuracy",) and "labels" in change.why and "ffffffffffff…" in change.new


def test_another_model_names_the_files_that_differ() -> None:
    files = [{"path": "model.safetensors", "sha256": OTHER, "bytes": 7}]
    found = between(load(FULL), locked(lock__model__files=files, lock__model__revision="f" * 40))
    assert "model.safetensors has other bytes" in only(found).why


def test_calibration_that_only_one_has_is_one_change_a_section() -> None:
    without = edited("lock.data.calibration", ..., edited("spec.data.calibration", ..., FULL).to_yaml())
    found = between(load(FULL), without)
    assert {(one.where, one.how, one.new) for one in found} == {
        ("spec.data.calibration", "removed", "none"), ("lock.data.calibration", "removed", "none"),
    }  # fmt: skip
    assert all(one.explains == ("accuracy",) for one in found)


def test_a_goal_is_told_as_its_bounds() -> None:
    change = only(between(load(FULL), locked(spec__goal__constraints=[{"min_speedup": 2.0}])))
    assert (change.kind, change.old, change.new) == ("goal", "max_drop 0.01 (accuracy)", "min_speedup 2")


def test_another_baseline_can_explain_both() -> None:
    change = only(between(load(FULL), locked(spec__goal__baseline="onnx-fp32")))
    assert change.explains == ("speed", "accuracy") and change.old == "pytorch-fp32 (the default)"


def test_a_shelf_file_against_a_run_file_says_what_only_one_has() -> None:
    wheres = {one.where for one in between(shelf()["onnx-int8-dynamic"], load(FULL))}
    assert {"lock", "expect", "spec.model", "spec.data"} <= wheres


def test_an_edited_file_is_called_so() -> None:
    assert "was edited" in between(load(SHORT), load(FULL)).notes[0]


# ---- what was measured ----------------------------------------------------------------------------


def speed_of(lo: float, hi: float, **more: Any) -> Recipe:
    one = load(FULL).to_dict()["expect"]["speed"][0]
    return locked(expect__speed=[one | {"speedup": (lo + hi) / 2, "ci95": [lo, hi]}], **more)


def test_intervals_that_overlap_tell_nothing_apart_and_others_do() -> None:
    near, far = (only(between(load(FULL), speed_of(*ends))) for ends in ((2.85, 3.0), (3.5, 3.7)))
    assert (near.old, near.new) == ("2.80x (2.70–2.90)", "2.92x (2.85–3.00)") and "overlap: they do not" in near.why
    assert "do not overlap" in far.why and "not interleaved" in far.why and far.explains == ()


def test_intervals_are_widened_by_what_their_run_could_not_tell_apart() -> None:
    assert "overlap: they do not" in only(between(load(FULL), speed_of(2.93, 3.0))).why  # 2.9 * 1.01 >= 2.93 * 0.99


def test_speed_of_other_machine_classes_is_not_compared() -> None:
    found = between(load(FULL), speed_of(9.0, 9.1, lock__machine__class="x86_64/avx2"))
    assert any("other machine classes" in one.why for one in found.of_kind("expectations"))


def test_accuracy_says_whether_the_answers_are_the_same() -> None:
    said = load(FULL).to_dict()["expect"]["accuracy"]
    same = between(load(FULL), locked(expect__accuracy=said | {"agreement": 0.9}))
    other = between(load(FULL), locked(expect__accuracy=said | {"predictions_sha256": OTHER, "ci95": [-0.1, -0.05]}))
    assert "All answers are the same." in only(same).why
    assert "Not all answers are the same. The intervals do not overlap" in only(other).why


def test_a_file_that_was_built_otherwise_says_so() -> None:
    coverage = {"MatMul": {"quantized": 0, "total": 38}}
    found = locked(expect__artifacts__0__semantic=OTHER, expect__artifacts__0__coverage=coverage)
    change = only(between(load(FULL), found))
    assert "36 of 38 MatMul quantized" in change.old and "0 of 38" in change.new and "Graph and tensors" in change.why


# ---- nothing goes unsaid --------------------------------------------------------------------------

CHANGED: list[tuple[str, Any]] = [
    ("spec.target.machine", "x86-vnni"), ("spec.target.backend", "pytorch"), ("spec.target.device", "gpu"),
    ("spec.target.options", {"anything": 1}), ("spec.seed", 8), ("spec.model.id", "org/other"),
    ("spec.model.revision", "dev"), ("spec.model.task", "fill-mask"), ("spec.data.evaluation.split", "train"),
    ("spec.data.evaluation.fields", {"text": "body"}), ("spec.data.calibration.select.n", 64),
    ("spec.measure.rounds.max", 60), ("spec.measure.batches", [1, 16]), ("spec.measure.quick", True),
    ("spec.goal.optimize", "size"), ("lock.tool.version", "9.9"), ("lock.model.license", "apache-2.0"),
    ("lock.data.overlap", 3), ("lock.data.calibration.consumed.samples", 12), ("lock.steps.0.version", 9),
    ("lock.steps.0.options", {"dynamic": False, "opset": None}), ("lock.environment.python", "3.12.1"),
    ("lock.environment.os", "Darwin"), ("lock.environment.env", {}), ("lock.machine.cpu", "Another"),
    ("lock.machine.quota", 1.5), ("lock.machine.memory_gb", 16), ("lock.machine.accelerators", ["A card"]),
    ("lock.runtime.device", "gpu"), ("lock.runtime.threads", 7), ("lock.runtime.details", {"precision": "bf16"}),
    ("lock.machine", ...), ("lock.environment", ...), ("lock.runtime", ...), ("lock.data", ...), ("expect.speed", []),
    ("expect.accuracy", ...), ("expect.resources", ...), ("expect.verdict.speed", "slower"), ("expect", ...),
    ("name", "else"), ("summary", "Else."), ("spec.steps.0.dynamic", False),
]  # fmt: skip


def top(where: str) -> tuple[str, ...]:
    """The first two parts of a key."""
    return tuple(re.split(r"[.\[]", where)[:2])


@pytest.mark.parametrize(("path", "value"), CHANGED, ids=[path for path, _ in CHANGED])
def test_every_key_that_differs_is_said_in_both_directions(path: str, value: Any) -> None:
    old, new = load(FULL), edited(path, value)
    assert [one for one in different_keys(old, new) if one[:2] not in SILENT], "the case changes something"
    for found in (between(old, new), between(new, old)):
        assert found.changes
        tops = {top(one.where) for one in found}
        assert all(top(shown(key)) in tops or top(shown(key))[:1] in tops for key in different_keys(old, new)), tops
        assert all(one.name and one.old and one.new and one.old != one.new for one in found), list(map(str, found))


def test_every_pair_of_the_shelf_can_be_told_apart() -> None:
    first, *others = shelf().values()
    for one in others:
        found = between(first, one)
        assert found.changes and not found.same and all(change.name for change in found)


def test_changes_are_plain_data_and_draw_themselves() -> None:
    found = bench.changed(STATIC, DYNAMIC)
    assert found.to_dict()["changes"][0]["where"] == "spec.steps[1]"
    assert found.title in str(found) and "quantize-onnx-dynamic" in found._repr_mimebundle_()["text/html"]


def test_what_is_no_recipe_is_refused_in_words(tmp_path: Path) -> None:
    file = tmp_path / "notes.yaml"
    file.write_text("just: notes\nand: more\n")
    for call in (lambda: bench.changed(STATIC, file), lambda: bench.differs_here(file)):
        with pytest.raises(RequestError, match=r"notes\.yaml is not a recipe"):
            call()
    with pytest.raises(RequestError, match="There is no file"):
        bench.changed(tmp_path / "nowhere.yaml", STATIC)


# ---- here -----------------------------------------------------------------------------------------


def made_here() -> dict[str, Any]:
    """FULL as if it had been made on this machine, with what is installed now."""
    said = load(FULL).to_dict()
    here = machine.this_machine()
    said["lock"]["machine"] |= {"class": here.isa, "cpu": here.cpu, "cores": here.cores, "quota": here.quota,
                                "memory_gb": round(here.memory_bytes / 1e9, 1),
                                "accelerators": list(here.accelerators)}  # fmt: skip
    said["lock"]["runtime"]["threads"] = machine.auto_threads()
    return said


def here(said: dict[str, Any]) -> dict[str, Change]:
    found = bench.differs_here(from_dict(said).to_yaml())
    assert found.same is None and all(one.kind == "environment" for one in found)
    return {one.name: one for one in found}


def test_what_the_machine_has_otherwise_is_said_and_what_it_has_alike_is_not() -> None:
    said = made_here()
    quiet = here(said)
    assert not {"machine class", "CPU", "cores", "threads of one call", "memory, GB"} & set(quiet)
    said["lock"]["machine"] |= {"class": "x86_64/amx_int8", "cores": 1000, "memory_gb": 1.5}
    said["lock"]["runtime"]["threads"] = 1000
    found = here(said)
    assert found["machine class"].new == machine.this_machine().isa and "accuracy" in found["machine class"].explains
    assert found["cores"].old == "1000" and found["threads of one call"].new == str(machine.auto_threads())
    assert found["memory, GB"].old == "1.5"


def test_a_machine_is_never_called_edited() -> None:
    yaml = first()[1]["yaml"]["onnx-int8-static"].replace("version: 1\n", "version: 7\n")
    assert len(bench.differs_here(yaml).notes) == 1, "the file was, and it says so itself"
    assert not bench.differs_here(first()[1]["yaml"]["onnx-int8-static"]).notes


def test_packages_that_are_missing_come_first_then_those_of_other_versions() -> None:
    said = made_here()
    said["lock"]["environment"]["packages"] = {"torch": "1.0.0", "no-such-package": "3.1"}
    found = list(here(said).values())
    assert (found[0].name, found[0].old, found[0].new) == ("no-such-package", "3.1", "not installed")
    assert next(one for one in found if one.name == "torch").old == "1.0.0"


def test_a_backend_a_step_or_a_machine_class_that_is_not_there_is_said() -> None:
    said = load(SHORT).to_dict()
    said["spec"]["target"] |= {"backend": "tensor-magic", "machine": "graphcore-ipu"}
    said["spec"]["steps"] = [{"use": "enchant"}]
    found = here(said)
    assert found["backend tensor-magic"].new == found["step enchant"].new == "not known"
    assert found["machine class asked for"].old == "graphcore-ipu" and found["machine class asked for"].why


def test_a_device_is_asked_for_in_a_worker(home: Path) -> None:
    said = load(SHORT).to_dict()
    said["spec"]["target"]["device"] = "cuda:77"
    assert here(said)["device of pytorch"].new == "not present"


def test_a_recipe_for_the_cpu_without_a_lock_differs_in_nothing() -> None:
    assert not here(load(SHORT).to_dict())
