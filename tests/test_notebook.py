"""The notebook: shown at once, never in the kernel's way, and readable when kernel and scripts are gone."""

from __future__ import annotations

import html
import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.manager import KernelManager

import workbench
from tests import notebooks
from tests import small as make
from tests.conftest import Small
from workbench import bench
from workbench.errors import RequestError
from workbench.faces.notebook import markup
from workbench.faces.notebook.widget import RunWidget
from workbench.recipe import find_recipe
from workbench.store import Store


def asking(small: Small, baseline: Path | None = None) -> str:
    """A cell that compares two recipes; nothing is built in a warm home."""
    said = {"recipes": [str(small.recipes[1])], "baseline": str(baseline or small.recipes[0]), "data": str(small.rows)}
    return f"import workbench\ncomparison = workbench.compare({str(small.model)!r}, **{said!r})"


@pytest.fixture
def long(tmp_path: Path) -> Path:
    """A baseline that is measured until somebody cancels."""
    return make.make_recipe(tmp_path, "onnx-fp32", rounds={"min": 10**6, "max": 10**6}, time_cap_s=600)


# ---- in a kernel --------------------------------------------------------------------------------


def test_a_cell_shows_the_run_at_once_and_keeps_the_report_when_a_later_one_has_waited(
    small: Small, warm_home: Path, tmp_path: Path
) -> None:
    done = notebooks.executed(
        notebooks.of_cells(asking(small), "comparison.status", "comparison.best()", "comparison"), tmp_path / "cwd"
    )
    first, status, _, again = done["cells"]
    assert notebooks.outputs(status, "text/plain")[0] in ("'waiting'", "'running'"), "the kernel was in use meanwhile"
    [page], [text] = notebooks.outputs(first, "text/html"), notebooks.outputs(first, "text/plain")
    assert 'class="board"' in page and "onnx-int8-dynamic" in page and "<script" not in page
    assert "onnx-int8-dynamic" in text and notebooks.outputs(again, "text/html") == [page]
    assert not any("widget-view" in mime for cell in done["cells"] for one in cell["outputs"] for mime in one["data"])


def test_a_comparison_as_the_last_word_of_its_cell_is_shown_once(small: Small, warm_home: Path, tmp_path: Path) -> None:
    source = asking(small).replace("comparison = ", "")
    done = notebooks.executed(notebooks.of_cells(source), tmp_path / "cwd")
    assert len(done["cells"][0]["outputs"]) == 1


def test_a_cell_can_await_it_and_a_wrong_request_is_three_sentences_without_a_traceback(
    small: Small, warm_home: Path, tmp_path: Path
) -> None:
    wrong = f"workbench.compare({str(small.model)!r}, max_drop=5)"
    book = notebooks.of_cells(asking(small), "(await comparison).status", wrong)
    book["cells"][2]["metadata"]["tags"] = ["raises-exception"]
    done = notebooks.executed(book, tmp_path / "cwd")
    assert notebooks.outputs(done["cells"][1], "text/plain") == ["'ok'"]
    [error] = done["cells"][2]["outputs"]
    assert error["traceback"][0] == "--max-drop 5 is not a fraction." and len(error["traceback"]) == 3


def test_a_restarted_kernel_loses_nothing(small: Small, warm_home: Path, long: Path) -> None:
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel()
    try:
        ask = asking(small, long)
        run = said_in(manager, f"{ask}\nprint(comparison.run)")
        until_running(run)
        manager.restart_kernel(now=True)
        assert bench.status(run) == "running", "the run is in other processes"
        assert said_in(manager, f"{ask}\nprint(comparison.run)") == run, "the same request is joined"
        assert said_in(manager, "print(comparison.cancel(), comparison.status)") == "True cancelled"
    finally:
        manager.shutdown_kernel(now=True)


def said_in(manager: KernelManager, source: str) -> str:
    """What a cell prints."""
    client = manager.blocking_client()
    client.start_channels()
    client.wait_for_ready(timeout=60)
    said: list[str] = []

    def hear(message: Any) -> None:
        content = message["content"]
        assert message["msg_type"] != "error", content
        if message["msg_type"] == "stream" and content["name"] == "stdout":
            said.append(content["text"])

    client.execute_interactive(source, output_hook=hear, timeout=120)
    client.stop_channels()
    return "".join(said).strip()


def until_running(run: str) -> None:
    until = time.monotonic() + 60
    while bench.status(run) != "running":
        assert time.monotonic() < until, bench.status(run)
        time.sleep(0.05)


# ---- the widget ---------------------------------------------------------------------------------


def test_the_widget_of_a_finished_run_holds_its_report_and_how_to_open_it_again(
    warm_run: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKBENCH_HOME", str(warm_run[0]))
    widget = RunWidget(warm_run[1])
    assert widget.status == "ok" and 'class="board"' in widget.html and widget.stamp.startswith("ok ")
    assert f"workbench.open('{warm_run[1]}')" in html.unescape(widget.html)
    stamp = widget.stamp
    assert widget.refresh() and widget.stamp == stamp, "nothing new, nothing sent"
    state = json.loads(json.dumps(widget.get_state()))
    assert {"run", "status", "html", "stamp", "selected", "cell"} <= set(state)
    assert widget.cell in markup.still(widget.cell, widget.stamp, widget.html)


def test_the_page_cancels_and_resumes_by_messages(small: Small, warm_home: Path, long: Path) -> None:
    handle = workbench.compare(str(small.model), [small.recipes[1]], baseline=long, data=str(small.rows))
    until_running(handle.run)
    widget = RunWidget(handle.run)
    ended: list[str] = []
    widget.follow(lambda: ended.append(widget.status))
    assert widget.status == "running" and 'class="steps"' in widget.html
    send(widget, {"do": "cancel"})
    widget.wait()
    assert ended == ["cancelled"] and widget.status == "cancelled" and "Cancelled" in widget.html
    send(widget, {"do": "resume"})
    until_running(handle.run)
    assert handle.cancel()
    widget.wait()
    assert ended == ["cancelled", "cancelled"] and Store().run(handle.run).status == "cancelled"


def send(widget: RunWidget, content: dict[str, str]) -> None:
    """As the page does."""
    widget._handle_msg({"content": {"data": {"method": "custom", "content": content}}, "buffers": []})


def test_what_was_selected_is_the_row_and_a_name_that_is_none_is_refused(
    warm_run: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKBENCH_HOME", str(warm_run[0]))
    handle = workbench.open(warm_run[1])
    best = handle.best()
    assert (handle.selected.name if handle.selected else None) == (best.name if best else None)
    handle.selected = "onnx-int8-dynamic"
    assert handle.selected and handle.selected.name == "onnx-int8-dynamic"
    with pytest.raises(RequestError, match="no row called"):
        handle.selected = "nobody"


# ---- what draws itself --------------------------------------------------------------------------


def test_every_public_object_draws_itself_as_html_and_as_text(
    small: Small, warm_run: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from workbench.machine import this_machine

    monkeypatch.setenv("WORKBENCH_HOME", str(warm_run[0]))
    handle = workbench.open(warm_run[1])
    drawn = [find_recipe("onnx-int8-static"), bench.plan_of(warm_run[1]), handle, handle.comparison, handle.rows[1],
             handle.comparison.rows[1], this_machine()]  # fmt: skip
    for one in drawn:
        bundle = one._repr_mimebundle_()
        assert set(bundle) == {"text/plain", "text/html"}
        assert "<div" in bundle["text/html"] and bundle["text/plain"] and "object at" not in repr(one)
        assert len(repr(one)) < 2500 and "<script" not in bundle["text/html"]


def test_widths_are_those_of_the_cell_and_the_theme_is_that_of_the_notebook() -> None:
    css = markup.css()
    assert "@media (max-width" not in css and "@container (max-width: 760px)" in css
    assert '[data-jp-theme-light="false"] .workbench' in css and '[data-jp-theme-light="true"] .workbench' in css
    assert css.count("{") == css.count("}") and not re.search(r"(?<!h)\.workbench [^-]", css), (
        "each class weighs three times"
    )


# ---- the picker ---------------------------------------------------------------------------------


def test_a_picker_holds_a_request_and_starts_it(small: Small, warm_home: Path) -> None:
    picker = workbench.Picker(str(small.model), ["onnx-int8-dynamic"], data=str(small.rows), quick=True)
    plain = bench.request(str(small.model), ["onnx-int8-dynamic"], data=str(small.rows), max_drop=0.01, quick=True)
    assert picker.request == plain
    picker.n.value, picker.recipes.value = 50, ["onnx-fp32"]
    assert picker.request.n == 50 and [one["name"] for one in picker.request.recipes] == ["onnx-fp32"]
    assert picker.plan().data["evaluation"]["n"] == 50
    assert set(picker._repr_mimebundle_()) >= {"text/plain", "text/html"} and "compare" in repr(picker)
    handle = picker.compare()
    assert handle.cancel() and picker.comparison is handle


def test_options_in_the_form_are_those_of_the_plugin_and_reach_the_recipe(home: Path) -> None:
    picker = workbench.Picker(recipes=["onnx-int8-static"])
    form = picker.form("onnx-int8-static", "quantize-onnx-static")
    form.inputs["calibration"].value = "percentile"
    form.inputs["exclude"].value = "*attention*, /pooler/*"
    step = picker.request.recipes[0]["spec"]["steps"][1]
    assert step["calibration"] == "percentile" and step["exclude"] == ["*attention*", "/pooler/*"]
    assert step["per_channel"] is True and "format" not in step, "what was not touched stays as the recipe says it"
    form.inputs["percentile"].value = "12"
    assert "greater than 50" in form.wrong["percentile"].value and form.wrong["exclude"].value == ""
    with pytest.raises(RequestError, match="percentile"):
        picker.plan()
    form.inputs["percentile"].value = "99.9"
    assert form.wrong["percentile"].value == "" and picker.request.recipes[0]["spec"]["steps"][1]["percentile"] == 99.9


# ---- the notebooks that are shipped -------------------------------------------------------------


@pytest.mark.parametrize("file", notebooks.FILES, ids=lambda file: file.stem)
def test_a_notebook_and_its_text_are_the_same_and_hold_no_outputs(file: Path) -> None:
    import jupytext

    book, text = jupytext.read(file), jupytext.read(file.with_suffix(".py"))
    assert [(one.cell_type, one.source) for one in book.cells] == [(one.cell_type, one.source) for one in text.cells]
    assert not any(one.get("outputs") or one.get("execution_count") for one in book.cells)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One home for all notebooks: what one has built, the next one finds."""
    return tmp_path_factory.mktemp("notebooks")


@pytest.mark.slow
@pytest.mark.parametrize("file", notebooks.FILES, ids=lambda file: file.stem)
def test_a_notebook_runs_to_its_end(file: Path, shared: Path) -> None:
    import nbformat

    book = nbformat.read(file, as_version=4)
    done = notebooks.executed(book, shared / file.stem, WORKBENCH_HOME=str(shared / "home"))
    code = [cell for cell in done["cells"] if cell["cell_type"] == "code"]
    text = "\n".join(page for cell in code for page in notebooks.outputs(cell, "text/html"))
    assert re.search(r'class="board"', text), "a report is what stays in the file"
