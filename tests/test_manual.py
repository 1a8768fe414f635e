"""Pages that are made from the plug-ins are as the plug-ins are."""

from __future__ import annotations

import pytest

from workbench import catalog, manual
from workbench.plugin import Backend, Plugin


def test_the_readme_has_the_matrix_of_this_moment() -> None:
    page = manual.README.read_text(encoding="utf-8")
    assert page == manual.with_matrix(page), "python -m workbench.manual writes it"
    assert page.count(manual.BEGIN) == page.count(manual.END) == page.count(manual.HEADING) == 1


def test_a_page_without_a_matrix_gets_one_under_its_own_heading() -> None:
    page = f"# A page\n\n{manual.BEFORE}\n"
    made = manual.with_matrix(page)
    assert manual.HEADING in made and made.endswith(f"{manual.END}\n\n{manual.BEFORE}\n")
    assert manual.with_matrix(made) == made


def test_every_task_is_a_row_and_every_backend_a_column_and_every_gap_has_its_reason_below() -> None:
    table = manual.matrix()
    assert all(f"`{name}`" in table for name in (*catalog.tasks(), *catalog.backends()))
    gaps = {catalog.gap(task, backend) for task in catalog.tasks().values() for backend in catalog.backends().values()}
    assert all(reason in table for reason in gaps)
    rows = [*catalog.tasks(), *catalog.missing_tasks()]
    assert table.count("runs") + table.count("| gap (") == len(rows) * len(catalog.backends())


def test_a_task_that_nobody_does_yet_is_a_row_of_gaps_with_its_reason() -> None:
    table = manual.matrix()
    for task, reason in catalog.missing_tasks().items():
        (line,) = (line for line in table.splitlines() if line.startswith(f"| `{task}` |"))
        assert line.count("gap (") == len(catalog.backends()) and "runs" not in line and reason in table


def test_equal_reasons_share_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog, "gap", lambda task, backend: "" if backend.name == "pytorch" else "Nobody wrote it.")
    monkeypatch.setattr(catalog, "missing_tasks", dict)
    table = manual.matrix()
    assert "gap (1)" in table and "gap (2)" not in table and table.count("1. Nobody wrote it.") == 1


def test_the_page_of_options_is_as_the_plugins_are() -> None:
    page = manual.OPTIONS.read_text(encoding="utf-8")
    assert page == manual.options_page(), "python -m workbench.manual writes it"


def test_an_option_is_told_with_type_default_meaning_and_what_is_worth_searching() -> None:
    for plugin in (*catalog.steps().values(), *catalog.backends().values()):
        for one in catalog.options(plugin):
            assert one["description"] and one["type"] != "any value", (plugin.name, one["name"])
    told = {one["name"]: one for one in catalog.options(catalog.step("quantize-onnx-static"))}
    assert told["percentile"]["type"] == "number above 50 to 100" and told["percentile"]["default"] == 99.999
    assert told["calibration"]["search"] == ["minmax", "percentile", "entropy"]
    assert told["op_types"]["type"] == "list of text" and told["op_types"]["default"] == ["MatMul", "Gemm", "Conv"]


def test_a_plugin_without_options_says_so() -> None:
    class Plain(Plugin):
        name = "plain"
        summary = "It does nothing."

    assert catalog.options(Plain()) == [] and "It has no options." in manual._part(Plain())
    assert Backend.Options.model_fields == {}
