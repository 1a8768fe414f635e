"""One's own input on all variants of a finished run: real workers, real models, and every wrong input in words."""

from __future__ import annotations

import io
import json
import struct
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests import browser
from tests import small as make
from tests.conftest import Small, know_machine
from tests.faults.processes import lives
from tests.test_light_opening import HEAVY, modules_after
from tests.tiny import ALL, Tiny
from workbench import bench, catalog, inputs, running, trying, work
from workbench.errors import RequestError, WorkbenchError
from workbench.faces.web.asking import Asking
from workbench.faces.web.parts.answers import answers, so_far
from workbench.hub.starters import starter_folder
from workbench.plugin import Task
from workbench.reply import Reply
from workbench.store import Store
from workbench.trying import Panel, Said, Trial

NAMES = ("pytorch-fp32", "onnx-fp32", "onnx-int8-dynamic")
TEXT = "a warm and clever film"


@pytest.fixture(scope="module")
def panel(warm_run: tuple[Path, str]) -> Iterator[Panel]:
    with bench.panel(warm_run[1], Store(warm_run[0])) as found:
        yield found


def finished(plan: Any) -> str:
    run = bench.submit(plan)
    for _ in bench.follow(run):
        pass
    assert bench.status(run) == "ok", (Store().home / "runs" / run / "log" / "runner.log").read_text()
    return run


# ---- answers ------------------------------------------------------------------------------------


def test_every_variant_answers_in_the_order_of_the_run_with_scores_and_the_time_of_a_few_calls(panel: Panel) -> None:
    told: list[Said] = []
    trial = panel.ask({"text": TEXT}, told.append)
    assert [row.name for row in trial.rows] == [*NAMES] and tuple(told) == trial.rows
    assert trial.card["text"] == TEXT and not trial.truncated and trial.timed == ""
    for row in trial.rows:
        assert row.problem is None and row.reply is not None, row.problem
        assert row.reply.answer in make.LABELS and row.reply.answer == row.reply.scores[0][0]
        assert sum(score for _, score in row.reply.scores) == pytest.approx(1, abs=1e-5)
        assert work.FEWEST_CALLS <= len(row.seconds) <= work.MOST_CALLS and min(row.seconds) > 0
        assert row.median is not None and min(row.seconds) <= row.median <= max(row.seconds)
    base, exported, _ = trial.rows
    assert base.baseline and base.agrees is None and not exported.baseline and exported.agrees is True


def test_an_example_of_the_run_gets_the_answer_that_the_run_has_kept(panel: Panel, warm_run: tuple[Path, str]) -> None:
    store, plan = panel.store, panel.plan
    kept = {name: store.find(plan.piece(f"predict-{name}").key) for name in NAMES}
    prepared = store.find(plan.piece("inputs").key)
    assert prepared is not None
    cards = inputs.load_cards(prepared.path)
    for index in (3, 40):
        trial = panel.ask({"text": cards[index]["text"]})
        for row in trial.rows:
            found, reply = kept[row.name], row.reply
            assert found is not None and reply is not None
            said, _ = work.load_answers(found.path)
            assert reply.same == said.predicted[index]
            assert dict(reply.scores)[make.LABELS[0]] == pytest.approx(said.scores[index][0], abs=1e-4)


def test_workers_are_one_a_backend_and_stay_for_the_next_input(panel: Panel) -> None:
    panel.ask({"text": TEXT})
    before = {group: worker.pid for group, worker in panel._workers.items()}
    assert sorted(group[0] for group in before) == ["", "onnxruntime", "pytorch"]
    panel.ask({"text": "a sad and dull story"})
    assert {group: worker.pid for group, worker in panel._workers.items()} == before


def test_a_text_beyond_the_limit_of_the_model_is_cut_and_says_so(panel: Panel) -> None:
    trial = panel.ask({"text": "a very good film " * 100})
    assert trial.truncated and trial.max_length == make.POSITIONS
    assert "Cut at 48 tokens" in answers(trial)


def test_whoever_asks_imports_no_model_library(warm_home: Path, warm_run: tuple[Path, str]) -> None:
    code = f"from workbench import bench; print(bench.answers({warm_run[1]!r}, {{'text': {TEXT!r}}}).rows)"
    assert not modules_after(code) & HEAVY


# ---- wrong inputs -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("example", "what", "fix"),
    [
        ({}, "Text is empty", "Write one"),
        ({"text": "  \n"}, "Text is empty", "Write one"),
        ({"text": None}, "Text is empty", "Write one"),
        ({"txt": TEXT}, "no field called 'txt'", "Name one of these"),
        ({"text": 3}, "Text is no text", "Write a text"),
        ({"text": "x" * 20_001}, "Text has 20,001 characters", "part of it"),
        ({"text": "half a pair \ud800"}, "Text holds what is no text", "Write it anew"),
    ],
)
def test_a_wrong_text_is_refused_in_words_before_anything_starts(
    warm_run: tuple[Path, str], example: dict[str, Any], what: str, fix: str
) -> None:
    with bench.panel(warm_run[1], Store(warm_run[0])) as panel:
        with pytest.raises(RequestError) as caught:
            panel.ask(example)
        assert what in caught.value.what and fix in caught.value.fix and not panel._workers


def test_a_run_that_does_not_exist_or_has_not_finished_is_refused(small: Small, warm_home: Path) -> None:
    from tests.conftest import planned

    with pytest.raises(RequestError, match="no run called 'nothing'"):
        bench.answers("nothing", {"text": TEXT})
    plan = planned(small, max_drop=0.5)
    run, _ = Store().add_run("unfinished", {}, plan.fingerprint, plan.to_dict())
    with pytest.raises(RequestError, match="nothing to ask yet"):
        bench.answers(run, {"text": TEXT})


# ---- what is gone or broken ---------------------------------------------------------------------


def artifact_of(run: str, name: str) -> str:
    plan = running.plan_of(run, Store())
    return plan.piece(next(one for one in plan.variants if one.name == name).artifact).key


def test_a_model_that_was_cleaned_up_is_told_and_never_built_again(warm_home: Path, warm_run: tuple[Path, str]) -> None:
    run, store = warm_run[1], Store()
    key = artifact_of(run, "onnx-fp32")
    store.forget(key)
    trial = bench.answers(run, {"text": TEXT})
    gone = next(row for row in trial.rows if row.name == "onnx-fp32")
    assert gone.problem is not None and gone.reply is None
    assert gone.problem["what"] == "Its model is gone." and "Run the comparison again" in gone.problem["fix"]
    assert [row.name for row in trial.rows if row.reply] == ["pytorch-fp32", "onnx-int8-dynamic"]
    assert store.find(key) is None


def test_without_the_model_that_the_run_began_with_nothing_can_be_asked(
    warm_home: Path, warm_run: tuple[Path, str]
) -> None:
    store = Store()
    store.forget(running.plan_of(warm_run[1], store).piece("model").key)
    with pytest.raises(WorkbenchError, match=r"model of run .* is gone.*Run the comparison again"):
        bench.answers(warm_run[1], {"text": TEXT})


def test_a_variant_that_breaks_is_told_in_its_row_and_the_others_answer(
    warm_home: Path, warm_run: tuple[Path, str]
) -> None:
    found = Store().find(artifact_of(warm_run[1], "onnx-fp32"))
    assert found is not None
    for file in found.path.glob("*.onnx*"):
        file.write_bytes(bytes(file.stat().st_size))  # as long as before, and nothing in it
    trial = bench.answers(warm_run[1], {"text": TEXT})
    broken = {row.name: row.problem for row in trial.rows if row.problem}
    assert [*broken] == ["onnx-fp32"] and broken["onnx-fp32"] and broken["onnx-fp32"]["what"]
    assert sum(row.reply is not None for row in trial.rows) == 2


def test_a_row_that_failed_in_the_run_is_told_so(warm_home: Path, warm_run: tuple[Path, str]) -> None:
    file = warm_home / "runs" / warm_run[1] / "report.json"
    said = json.loads(file.read_text())
    said["rows"][1] |= {"status": "failed", "reason": "It is too large."}
    file.write_text(json.dumps(said))
    row = bench.answers(warm_run[1], {"text": TEXT}).rows[1]
    assert row.problem == {"what": "It failed in the run itself.", "why": "It is too large.", "fix": ""}


def test_closing_ends_a_question_and_every_process_within_three_seconds(warm_run: tuple[Path, str]) -> None:
    panel, ended = bench.panel(warm_run[1], Store(warm_run[0])), []

    def ask() -> None:
        try:
            ended.append(panel.ask({"text": TEXT}))
        except WorkbenchError as error:
            ended.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    while len(panel._workers) < 3:
        time.sleep(0.01)
    pids = [worker.pid for worker in panel._workers.values()]
    begin = time.monotonic()
    panel.close()
    asking.join(3)
    assert time.monotonic() - begin < 3 and not asking.is_alive()
    assert isinstance(ended[0], WorkbenchError) and "stopped" in ended[0].what
    assert not [pid for pid in pids if lives(pid)]
    assert not panel._folder.exists()
    with pytest.raises(WorkbenchError, match="stopped"):
        panel.ask({"text": TEXT})


# ---- other tasks --------------------------------------------------------------------------------


def test_each_task_says_which_fields_a_person_fills_in() -> None:
    found = {name: fields_of(task) for name, task in catalog.tasks().items()}
    assert [(one.name, one.kind, one.label) for one in found["text-classification"]] == [
        ("text1", "text", "Text 1"), ("text2", "text", "Text 2")]  # fmt: skip
    assert [(one.name, one.kind, one.label) for one in found["image-classification"]] == [
        ("image", "image", "Picture")]  # fmt: skip
    assert [one.kind for one in found["automatic-speech-recognition"]] == ["audio"]
    assert [one.name for one in found["question-answering"]] == ["question", "context"]
    picture, candidates = found["zero-shot-image-classification"]
    assert not picture.optional and candidates.optional and candidates.value == "bag, boot"
    for task, several in found.items():
        assert several and all(one.label and one.kind in trying.NOUNS for one in several), task
        assert any(set(one) <= {field.name for field in several} for one in catalog.task(task).inputs), task


def fields_of(task: Task) -> tuple[trying.Field, ...]:
    """Of a run whose data had every column that the task knows."""
    plan: Any = SimpleNamespace(data={"evaluation": {"columns": dict.fromkeys(task.columns, "")}})
    return trying.fields_of(task, plan, ["bag", "boot"])


OWN: dict[str, Any] = {"text": TEXT, "text1": TEXT, "text2": "a sad story", "tokens": TEXT, "question": "what is good",
                       "context": "the film was very good", "candidates": "bag, boot"}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("tiny", ALL, ids=str)
def test_every_task_replies_to_one_input(tiny: Tiny, tmp_path: Path) -> None:
    """In this process: what the workers do for it."""
    task, model = catalog.task(tiny.task), tiny.make(tmp_path / "model")
    row = tiny.rows(tmp_path / "rows")[0]
    given = {field.name: row[field.name] if field.kind != "text" else OWN[field.name] for field in fields_of(task)}
    if "mask" in tiny.task:
        given = {"text": "a warm [MASK] film"}
    prepared = task.prepare_own({"id": "own", **given}, model, {})
    assert len(prepared) == 1 and prepared.cards[0]["label"] is None
    backend = catalog.backend("pytorch")
    config = json.loads((model / "config.json").read_text())
    session = backend.open(model, "cpu", 1, backend.Options(auto_class=task.class_for(config)))  # type: ignore[call-arg]
    reply, again = task.reply(session, prepared), task.reply(session, prepared)
    assert reply == again and reply.answer and (reply.same is None) == bool(reply.vector)
    assert all(0 <= score <= 1 for _, score in reply.scores)
    assert json.loads(json.dumps(reply.same)) == reply.same
    assert task.points(prepared, [0], [1], [])[0].metric == "latency"


@pytest.mark.slow
def test_a_text_without_a_mask_and_a_lone_candidate_are_refused_in_words(tmp_path: Path) -> None:
    from tests.tiny import media, texts
    from tests.tiny.classifiers import png

    masked, clip = texts.make_masked(tmp_path / "masked"), media.make_clip(tmp_path / "clip")
    with pytest.raises(RequestError, match=r"0 masks.*Write \[MASK\]"):
        catalog.task("fill-mask").prepare_own({"id": "own", "text": TEXT}, masked, {})
    zero_shot, row = catalog.task("zero-shot-image-classification"), {"id": "own", "image": png(1)}
    with pytest.raises(RequestError, match=r"one candidate.*between commas"):
        zero_shot.prepare_own(row | {"candidates": "bag"}, clip, {})
    prepared = zero_shot.prepare_own(row, clip, {"classes": ["bag", "boot", "coat"]})
    assert prepared.facts["classes"] == ["bag", "boot", "coat"]


@pytest.mark.slow
@pytest.mark.usefixtures("known_machine")
def test_a_pair_of_texts_is_asked_as_a_pair(small: Small, tmp_path: Path) -> None:
    rows = [{"text1": text, "text2": other, "label": label}
            for (text, label), (other, _) in zip(make.texts(40), make.texts(40, seed=9), strict=True)]  # fmt: skip
    data = make.write_rows(tmp_path / "pairs.csv", rows)
    plan = bench.plan(
        bench.request(str(small.model), [small.recipes[0]], baseline=small.baseline, data=str(data), n=40)
    )
    run = finished(plan)
    assert [(one.name, one.label) for one in bench.inputs_of(run)] == [("text1", "Text 1"), ("text2", "Text 2")]
    with bench.panel(run) as panel:
        with pytest.raises(RequestError, match="Text 2 is empty"):
            panel.ask({"text1": TEXT})
        one, other = (panel.ask({"text1": TEXT, "text2": text}) for text in ("a sad story", "good good good music"))
    assert one.card["text"] == f"{TEXT} ▸ a sad story" and all(row.reply for row in (*one.rows, *other.rows))
    first, second = one.rows[0].reply, other.rows[0].reply
    assert first and second and first.scores != second.scores, "the second text is read"


# ---- pictures -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def fashion(warm_run: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Panel]:
    """The starter of pictures, on two backends."""
    folder = tmp_path_factory.mktemp("fashion")
    know_machine(folder / "home", warm_run)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORKBENCH_HOME", str(folder / "home"))
        base, other = (make.make_recipe(folder, name) for name in ("pytorch-fp32", "onnx-fp32"))
        run = finished(bench.plan(bench.request("starter:fashion", [other], baseline=base, n=60)))
        with bench.panel(run) as panel:
            yield panel


def picture(index: int) -> tuple[bytes, str]:
    import pandas

    row = pandas.read_parquet(starter_folder() / "fashion" / "evaluation.parquet").iloc[index]
    return row["image"]["bytes"], row["label"]


@pytest.mark.slow
def test_an_uploaded_picture_is_answered_by_all_variants(fashion: Panel, tmp_path: Path) -> None:
    assert [(one.name, one.kind) for one in fashion.fields] == [("image", "image")]
    content, label = picture(0)
    file = tmp_path / "own.png"
    file.write_bytes(content)
    trial = fashion.ask({"image": str(file)})
    assert trial.card["image"].startswith("data:image/png;base64,")
    for row in trial.rows:
        assert row.reply is not None and row.reply.answer == label and len(row.seconds) >= work.FEWEST_CALLS
        assert len(row.reply.scores) == 10 and row.agrees in (None, True)
    assert trial.card["image"] in answers(trial)


@pytest.mark.slow
def test_a_picture_is_asked_about_on_the_page(fashion: Panel, tmp_path: Path) -> None:
    content, label = picture(0)
    file = tmp_path / "own.png"
    file.write_bytes(content)
    home = fashion.store.home
    with browser.served(home, tmp_path / "log") as address, browser.opened() as page:
        page.goto(f"{address}?run={fashion.run}")
        page.get_by_role("heading", name="Try your own input").wait_for()
        page.locator("#own-image input[type=file]").set_input_files(file)
        page.get_by_role("button", name="Ask all variants").click()
        page.locator("table.own tbody tr").nth(1).wait_for()
        assert page.locator("table.own").get_by_text(label).count() >= 2
        assert not page.said, page.said


def bomb() -> bytes:
    """A PNG of a few bytes that says it has 40,000 x 40,000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 40_000, 40_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def half() -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(np.random.default_rng(3).integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(out, "PNG")
    return out.getvalue()[: out.tell() // 2]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("content", "what", "why"),
    [
        (b"", "The picture has 0.0 MB", "Nothing is in it"),
        (b"hello, no picture", "The picture cannot be read", "It is no picture"),
        (bytes(21 << 20), "The picture has 22.0 MB", "Up to 21 MB"),
        (bomb(), "The picture cannot be read", "pixels"),
        (half(), "The picture cannot be read", ""),
        (None, "no file for Picture", ""),
    ],
    ids=["empty", "text", "large", "bomb", "half", "none"],
)
def test_what_is_no_picture_is_refused_in_words_and_the_next_one_is_answered(
    fashion: Panel, tmp_path: Path, content: bytes | None, what: str, why: str
) -> None:
    file = tmp_path / "own.png"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(RequestError) as caught:
        fashion.ask({"image": str(file)})
    assert what in caught.value.what and why in caught.value.why and caught.value.fix
    assert str(tmp_path) not in str(caught.value) and "Remove the row" not in caught.value.fix
    file.write_bytes(picture(1)[0])
    assert all(row.reply for row in fashion.ask({"image": file}).rows)


# ---- as the page shows it -----------------------------------------------------------------------


def trial_of(*rows: Said, **card: Any) -> Trial:
    return Trial({"label": None, **card}, False, 512, "", rows, 2.0)


HOSTILE = '<script>alert("x")</script>'
GONE = Said("gone", False, problem=trying.GONE)
BASE = Said("base", True, Reply("good", (("good", 0.9), ("bad", 0.1)), 0), (0.002, 0.003, 0.0025))
OTHER = Said("other", False, Reply("bad", (("bad", 0.6), ("good", 0.4)), 1), (0.001, 0.001, 0.001), agrees=False)


def test_a_row_has_answer_scores_agreement_by_icon_and_word_and_time_with_its_range() -> None:
    shown = answers(trial_of(BASE, OTHER, GONE, text=TEXT))
    assert "other answer" in shown and "baseline" in shown and shown.count('<svg class="ic"') >= 3
    assert "2.5" in shown and "2.0–3.0, 3 calls" in shown and "no measurement" in shown
    assert "0.90" in shown and "0.40" in shown and "Its model is gone." in shown and "Run the comparison again" in shown
    assert "same answer" in answers(trial_of(BASE, Said("x", False, BASE.reply, (1.0, 1.0, 1.0), agrees=True)))
    vector = Said("v", False, Reply("a vector of 2 numbers", vector=(1.0, 0.0)), (1.0,) * 3, cosine=0.99912)
    assert "cosine 0.99912" in answers(trial_of(BASE, vector))


def test_rows_that_are_not_there_yet_wait_and_one_runs() -> None:
    shown = so_far([BASE], ["base", "other", "gone"])
    assert shown.count("running") == 1 and shown.count("waits") == 1 and shown.index("running") < shown.index("waits")


def test_nothing_of_a_model_or_a_person_becomes_markup() -> None:
    reply = Reply(HOSTILE, ((HOSTILE, 0.9), ("bad", 0.1)), 0)
    broken = Said(HOSTILE, False, problem={"what": HOSTILE, "why": HOSTILE, "fix": HOSTILE})
    hostile = trial_of(Said(HOSTILE, True, reply, (0.1, 0.1, 0.1)), broken, text=HOSTILE, image=HOSTILE)
    for shown in (answers(hostile), so_far(hostile.rows, [HOSTILE, HOSTILE + "2"])):
        assert "<script" not in shown and "&lt;script" in shown


# ---- as the page asks ---------------------------------------------------------------------------


def pids(asking: Asking) -> list[int]:
    return [worker.pid for worker in asking._panel._workers.values()] if asking._panel else []


def test_models_stay_for_the_next_question_whichever_thread_asks_and_go_after_a_while(
    warm_run: tuple[Path, str],
) -> None:
    asking, found = Asking(Store(warm_run[0]), idle=3600), []

    def ask() -> None:
        found.append((asking.ask(warm_run[1], {"text": TEXT}), pids(asking)))

    for _ in range(2):
        thread = threading.Thread(target=ask)  # it is over before the next one asks
        thread.start()
        thread.join()
    (one, before), (other, after) = found
    assert before == after and all(map(lives, after))
    assert [row.reply for row in one.rows] == [row.reply for row in other.rows]
    asking.idle = 0.1
    with pytest.raises(RequestError, match="Text is empty"):
        asking.ask(warm_run[1], {"text": ""})
    until = time.monotonic() + 10
    while asking._panel and time.monotonic() < until:
        time.sleep(0.02)
    assert asking._panel is None and not any(map(lives, after))


def test_a_question_that_is_stopped_ends_and_the_next_one_is_answered(warm_run: tuple[Path, str]) -> None:
    asking, stopped = Asking(Store(warm_run[0])), []

    def ask() -> None:
        try:
            asking.ask(warm_run[1], {"text": TEXT})
        except WorkbenchError as error:
            stopped.append(error.what)

    thread = threading.Thread(target=ask)
    thread.start()
    while len(pids(asking)) < 3:
        time.sleep(0.01)
    asking.stop("another run")
    asking.stop(warm_run[1])
    thread.join(3)
    assert stopped == ["The question was stopped."]
    assert all(row.reply for row in asking.ask(warm_run[1], {"text": TEXT}).rows)
    asking.close()


def test_who_waits_too_long_for_somebody_elses_question_is_told(warm_run: tuple[Path, str]) -> None:
    asking = Asking(Store(warm_run[0]), patience=0.01)
    with asking._turn, pytest.raises(WorkbenchError, match="Somebody else asks just now"):
        asking.ask(warm_run[1], {"text": TEXT})
