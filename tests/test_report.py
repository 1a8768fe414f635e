"""The report in every format: the contract of report.json, a page that stands alone, and texts that stay texts."""

from __future__ import annotations

import csv
import html.parser
import io
import json
import re
import subprocess
import sys
from importlib import resources
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree

import documents
import jsonschema
import pytest
from rich.console import Console

from workbench import words
from workbench.card import Card
from workbench.errors import WorkbenchError
from workbench.faces import terminal_table
from workbench.report import RENDERERS
from workbench.report.chart import Chart
from workbench.report.csv import HEADER, Csv
from workbench.report.document import check, json_schema
from workbench.report.html import Html
from workbench.report.json import Json
from workbench.report.labels import Box, place
from workbench.report.markdown import Markdown
from workbench.report.parts.board import axes_of, board
from workbench.report.parts.latency import outline
from workbench.report.parts.recipes import coloured
from workbench.report.scale import Scale, change_scale

VOID = {"meta", "link", "br", "img", "input", "hr"}
EVERY = [(name, renderer) for name in documents.DOCUMENTS for renderer in RENDERERS]


class Page(html.parser.HTMLParser):
    """The elements of a page, and whether they close as they opened."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def page(name: str = "full", text: str = "") -> str:
    return Html().render(documents.DOCUMENTS[name](), documents.details(text))


# ---- every format -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "renderer"), EVERY)
def test_every_renderer_draws_every_document(name: str, renderer: Any) -> None:
    text = renderer().render(documents.DOCUMENTS[name](), documents.details())
    assert text.endswith("\n")
    if renderer is not Json:
        assert "None" not in text and "nan" not in re.sub(r"[a-z]+nan|nan[a-z]+", "", text)


@pytest.mark.parametrize("renderer", RENDERERS)
def test_every_renderer_manages_without_details(renderer: Any) -> None:
    assert "openvino-bf16" in renderer().render(documents.report(), {})


def test_opening_the_reports_is_light() -> None:
    code = (
        "import sys, workbench.report, workbench.faces.terminal_table, workbench.card;"
        "heavy = {'torch', 'numpy', 'pandas', 'scipy', 'plotly', 'rich', 'transformers'} & set(sys.modules);"
        "sys.exit(str(sorted(heavy)) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


# ---- report.json ------------------------------------------------------------------------------------


def test_the_shipped_schema_is_the_one_that_documents_are_checked_by() -> None:
    shipped = json.loads(resources.files("workbench.report").joinpath("report.schema.json").read_text())
    assert shipped == json.loads(json.dumps(json_schema()))
    jsonschema.Draft202012Validator.check_schema(shipped)


@pytest.mark.parametrize("name", sorted(documents.DOCUMENTS))
def test_every_document_is_valid_by_the_schema_and_comes_back_as_it_was(name: str) -> None:
    report = documents.DOCUMENTS[name]()
    text = Json().render(report, {})
    assert json.loads(text) == report
    jsonschema.validate(json.loads(text), json_schema())


def test_a_document_that_lacks_a_key_is_refused_with_its_place() -> None:
    report = documents.report()
    del report["rows"][0]["speed"]["p50_ms"]
    with pytest.raises(WorkbenchError, match=r"rows\.0\.speed\.p50_ms"):
        check(report)


def test_a_figure_that_is_no_number_is_refused() -> None:
    report = documents.report()
    report["rows"][0]["size_mb"] = float("nan")
    with pytest.raises(WorkbenchError, match="size_mb"):
        Json().render(report, {})


# ---- report.html: stands alone ----------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(documents.DOCUMENTS))
def test_the_page_asks_for_nothing_outside(name: str) -> None:
    text = page(name)
    seen = Page(text)
    for tag, attributes in seen.elements:
        for key in ("src", "href", "action", "data", "poster", "srcset"):
            value = attributes.get(key)
            assert value is None or value.startswith(("data:", "#")), (tag, key, value)
    assert not re.search(r"https?://|url\(|@import|//cdn", text)
    assert not seen.all("link") and not seen.all("iframe")
    assert "default-src 'none'" in (seen.all("meta")[1]["content"] or "")


@pytest.mark.parametrize("name", sorted(documents.DOCUMENTS))
def test_the_page_is_well_formed(name: str) -> None:
    assert Page(page(name)).open == []


def test_everything_is_readable_without_scripts() -> None:
    text = re.sub(r"<script>.*?</script>", "", page(), flags=re.S)
    for said in (
        "I laughed twice",
        "the cat sat on the map",
        "compress-weights",
        "38 of 74",
        "Measure it again",
        "VmHWM",
    ):
        assert said in text
    for tag, attributes in Page(text).elements:
        if "hidden" in attributes:
            assert tag == "button" or attributes["class"] == "filter"


def test_a_recipe_can_be_saved_without_scripts() -> None:
    links = [link for link in Page(page()).all("a") if link.get("download") == "openvino-bf16.yaml"]
    assert links and all((link["href"] or "").startswith("data:application/yaml;base64,") for link in links)


# ---- report.html: texts stay texts ------------------------------------------------------------------


@pytest.mark.parametrize("renderer", [Html, Chart])
def test_texts_names_and_recipe_files_stay_text(renderer: Any) -> None:
    text = renderer().render(documents.hostile_report(), documents.details(documents.HOSTILE))
    assert documents.HOSTILE not in text
    assert "&lt;script&gt;alert" in text
    assert text.count("<script") == (1 if renderer is Html else 0)


def test_a_text_cannot_leave_its_attribute() -> None:
    report = documents.report()
    report["rows"][3]["name"] = 'x" onmouseover="alert(1)'
    seen = Page(Html().render(report, documents.details()))
    assert all("onmouseover" not in attributes for _, attributes in seen.elements)


def test_markdown_keeps_markup_of_others_as_text() -> None:
    text = Markdown().render(documents.hostile_report(), documents.details(documents.HOSTILE))
    outside = re.sub(r"`[^`]*`", "", text)
    assert "<script" not in outside.replace("\\<script", "")
    report = documents.report()
    report["rows"][3]["name"] = "a|b\n# c"
    tables = [block for block in Markdown().render(report, {}).split("\n\n") if block.startswith("| ")]
    for table in tables:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1


def test_a_picture_from_outside_is_not_shown() -> None:
    details = documents.details()
    details["flips"]["openvino-bf16"][0]["image"] = "https://example.org/track.png"
    details["flips"]["openvino-bf16"][1]["image"] = 'data:image/svg+xml;base64,AAAA" onload="x'
    seen = Page(Html().render(documents.report(), details))
    assert [image["src"] for image in seen.all("img")] == [documents.PIXEL]


def test_a_spreadsheet_finds_no_formula_in_a_text() -> None:
    report = documents.report()
    report["rows"][0]["why"] = ["=HYPERLINK(1)"]
    lines = list(csv.DictReader(io.StringIO(Csv().render(report, {}))))
    assert lines[6]["why"] == "'=HYPERLINK(1)"


def test_yaml_is_coloured_without_changing_its_text() -> None:
    text = 'name: "a: b"  # note <b>\nsteps:\n  - use: x#y\n'
    made = coloured(text)
    assert Page(f"<pre>{made}</pre>").text == text.rstrip("\n")
    assert '<span class="k">steps</span>:' in made and '<span class="c"> # note &lt;b&gt;</span>' in made


# ---- report.html: for everybody ---------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(documents.DOCUMENTS))
def test_headings_come_in_order_and_there_is_one_first(name: str) -> None:
    levels = [int(tag[1]) for tag, _ in Page(page(name)).elements if tag in ("h1", "h2", "h3", "h4")]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(below - above <= 1 for above, below in pairwise(levels))


def test_every_drawing_is_described_or_beside_its_text() -> None:
    seen = Page(page())
    for attributes in seen.all("svg"):
        assert attributes.get("aria-hidden") == "true" or attributes.get("aria-label")
    assert all(image.get("alt") for image in seen.all("img"))


def test_a_verdict_is_icon_and_word_and_colour() -> None:
    text = board(documents.report(), documents.details())
    for css, said in (
        ("v better", "faster"),
        ("v worse", "slower"),
        ("v", "cannot tell"),
        ("v worse", "failed at export"),
    ):
        assert re.search(rf'<span class="{css}"><svg class="ic"[^>]*>.*?</svg>{said}</span>', text)


def test_rows_that_did_not_finish_stand_last_with_reason_and_stage() -> None:
    names = re.findall(r'<tr[^>]*data-row="([^"]+)"', board(documents.report(), documents.details()))
    assert names[0] == "pytorch-fp32"
    assert names[-2:] == ["executorch-xnnpack-int8", "tensorrt-fp16"]
    assert "Needs an NVIDIA GPU; this machine has none." in page()


def test_a_percentile_below_its_floor_is_a_dash_with_the_reason() -> None:
    text = page("quick")
    assert f"<small>{words.NONE}</small>" in text
    assert "p90 needs 64 calls, p99 662" in text
    assert "p99 needs 662 calls" in page()


def test_a_quick_run_says_so_everywhere() -> None:
    assert page("quick").count("quick") > page().count("quick")
    report = documents.quick_report()
    assert "Quick look:" in Markdown().render(report, {})
    assert any("Quick run" in line.plain for line in terminal_table.closing_lines(report))


def test_one_broken_variant_does_not_press_the_others_into_a_line() -> None:
    report = documents.report()
    report["rows"][0]["accuracy"] |= {"delta": -0.5, "ci95": [-0.53, -0.47]}
    scale = change_scale(report, 0.01)
    assert -0.12 < scale.low < -0.1
    assert not scale.holds(-0.5)
    assert "(off the scale)" in Html().render(report, {})


def test_where_less_is_better_the_axis_is_turned() -> None:
    axes = axes_of(documents.error_report())
    assert axes.bar == 0.01
    assert axes.change.at(0.05) < axes.change.at(0.01) < axes.change.at(0.0) < axes.change.at(-0.01)


# ---- drawing ----------------------------------------------------------------------------------------


def test_names_of_points_do_not_cover_each_other() -> None:
    points = [(f"variant-{index}", 300.0 + 9 * index, 200.0 + 4 * (index % 3)) for index in range(8)]
    boxes = [label.box for label in place(points, [], Box(0, 0, 680, 420))]
    assert all(one.shares(other) == 0 for index, one in enumerate(boxes) for other in boxes[:index])


def test_a_log_scale_puts_equal_ratios_at_equal_distances() -> None:
    scale = Scale(0.5, 8.0, 0, 400, log=True)
    assert scale.at(1) - scale.at(0.5) == pytest.approx(scale.at(4) - scale.at(2))
    assert scale.at(100) == 400 and scale.at(0.0) == 0


def test_a_hill_has_its_top_where_the_calls_are() -> None:
    path = outline([9.0, 10.0, 10.0, 10.0, 11.0, 30.0], Scale(5, 50, 0, 100, log=True), 20, 20)
    points = [tuple(map(float, pair.split())) for pair in path.strip("MZ").split("L")]
    top = min(points, key=lambda point: point[1])
    assert top[0] == pytest.approx(30.1, abs=2.5)


def test_the_picture_for_a_readme_is_valid_xml_with_both_themes() -> None:
    text = Chart().render(documents.report(), documents.details())
    root = ElementTree.fromstring(text)
    assert root.tag.endswith("svg") and "prefers-color-scheme: dark" in text


# ---- table, text, terminal --------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(documents.DOCUMENTS))
def test_the_spreadsheet_has_one_line_a_variant_and_always_the_same_header(name: str) -> None:
    report = documents.DOCUMENTS[name]()
    lines = list(csv.reader(io.StringIO(Csv().render(report, {}))))
    assert lines[0] == list(HEADER)
    assert len(lines) == 1 + len(report["rows"])


def test_the_spreadsheet_has_tokens_and_plain_numbers() -> None:
    lines = {line["name"]: line for line in csv.DictReader(io.StringIO(Csv().render(documents.report(), {})))}
    row = lines["onnx-int8-static"]
    assert (row["speed_speedup"], row["speed_verdict"]) == ("0.48", "slower")
    assert (row["accuracy_delta"], row["accuracy_to_wrong"], row["speed_p99_ms"]) == ("-0.045", "61", "")


def test_markdown_says_verdict_table_machine_and_how_to_repeat() -> None:
    text = Markdown().render(documents.report(), documents.details())
    assert "`openvino-bf16` is 2.41x faster (2.37–2.45), no detectable accuracy drop" in text
    assert "| `onnx-int8-static` | 0.48x (0.47–0.49) | ▼ slower |" in text
    assert "Intel Xeon 8488C" in text and "workbench compare starter:sentiment" in text


def test_page_and_markdown_name_the_accelerators_beside_the_processor() -> None:
    details = documents.details()
    details["machine"] = details["machine"] | {"accelerators": ["NVIDIA H100 80GB HBM3"]}
    for text in (Markdown().render(documents.report(), details), Html().render(documents.report(), details)):
        assert "Accelerators" in text and "NVIDIA H100 80GB HBM3" in text
    assert "Accelerators" not in Markdown().render(documents.report(), documents.details()), "there are none"


def test_page_and_markdown_say_how_every_candidate_of_a_search_ended_and_what_costs_most() -> None:
    made = documents.searched_report()
    text, page = Markdown().render(made, {}), Html().render(made, {})
    for said in (
        "3 candidates, 2 raced, 2 tested for accuracy, in 7 min 1 s of 10 min.",
        "2.61x (2.57–2.66)",
        "Drop of 4.5 pp.",
        "What costs most in ",
        "10 of 12 quantized operators, the worst first.",
        "20.00 %",
    ):
        assert said in text.replace(words.NBSP, " ") and said in page.replace(words.NBSP, " ")  # fmt: skip
    assert "| `openvino-bf16` | 2.41x (2.37–2.45) | 1,355 | The best of those that meet every bar. |" in text
    assert "no \\| kernel" in text, "a bar ends no cell"
    assert 'class="out"' not in page and "skipped" not in text, "how a candidate ended is said once"


@pytest.mark.parametrize("width", [80, 100, 140])
@pytest.mark.parametrize("name", sorted(documents.DOCUMENTS))
def test_the_terminal_table_fits(name: str, width: int) -> None:
    out = io.StringIO()
    console = Console(file=out, width=width)
    terminal_table.show(console, documents.DOCUMENTS[name](), documents.details(), "runs/1")
    assert max(len(line) for line in out.getvalue().splitlines()) <= width


def test_the_terminal_says_verdict_resolution_warnings_and_where_the_files_are() -> None:
    out = io.StringIO()
    terminal_table.show(Console(file=out, width=100), documents.report(), documents.details(), "runs/1")
    text = out.getvalue()
    for said in (
        "▲ faster",
        "✓ no detectable drop",
        "◌ cannot tell",
        "✕ failed at export",
        "Resolution (A/A) ±0.4",
        "runs/1",
    ):
        assert said in text
    assert "! 2 of 40 rounds had steal time; they were kept." in text
    assert text.index("pytorch-fp32") < text.index("0.48x (0.47–0.49)")


def test_a_terminal_reads_no_markup_in_a_name() -> None:
    report = documents.report()
    report["rows"][3]["name"] = "[red]x[/red]"
    out = io.StringIO()
    terminal_table.show(Console(file=out, width=100), report)
    assert "[red]x[/red]" in out.getvalue()


# ---- figures beside the headline ---------------------------------------------------------------------


def spoken(renderer: Any, report: dict[str, Any]) -> str:
    """The report as a person reads it: no markup, one kind of space."""
    text = renderer.render(report, {})
    text = Page(text).text if renderer.name == "html" else text.replace("\\", "")
    return re.sub(r"\s+", " ", text)


TEXTS = [renderer for renderer in RENDERERS if renderer.name in ("html", "md")]


@pytest.mark.parametrize("renderer", TEXTS, ids=lambda one: one.name)
def test_of_a_model_that_writes_first_and_later_tokens_are_told_by_length_and_batch(renderer: Any) -> None:
    said = spoken(renderer(), documents.writing_report())
    for part in ("Time to first token", "Time per output token", "1,024 tokens", "batch 8", "prefill tokens/s",
                 "58.3 ms", "1,098", "15.6 ms", "64.3", "43.5", "Throughput", "2.41x (2.37–2.45)"):  # fmt: skip
        assert part in said, part
    assert "Speed: 16 tokens written, from prepared inputs" in said and "one model call" not in said
    assert "KL to the baseline" in said and re.search(r"0\.0052 ?\(0\.0047–0\.0057\)", said) and "n = 200" in said


@pytest.mark.parametrize("renderer", TEXTS, ids=lambda one: one.name)
def test_a_second_metric_stands_with_its_change_and_interval(renderer: Any) -> None:
    said = spoken(renderer(), documents.asked_report())
    assert "Other measures of the answers" in said and "F1" in said
    assert re.search(r"88\.4 % ?(· ▼ )?−4\.6 pp \(−5\.0 to −4\.2\)", said)
    assert "Speed: one model call, from prepared inputs" in said


@pytest.mark.parametrize("renderer", TEXTS, ids=lambda one: one.name)
def test_speed_of_hearing_is_told_by_its_usual_name_too(renderer: Any) -> None:
    said = spoken(renderer(), documents.heard_report())
    assert "83.1" in said and "s of sound/s" in said and "RTF 0.0120" in said
    assert "Real-time factor: seconds of computing for a second of sound" in said


def test_a_measure_without_an_interval_is_not_shown() -> None:
    report = documents.asked_report()
    for each in report["rows"]:
        if each["accuracy"]:
            each["accuracy"]["secondary"][0]["ci95"] = None
    assert "Other measures" not in Html().render(report, {}) + Markdown().render(report, {})


def test_a_cell_of_the_grid_says_its_rate_or_its_time() -> None:
    report = documents.report()
    assert "milliseconds a call" in Html().render(report, {})
    for each in report["rows"]:
        for point in (each["speed"] or {"points": ()})["points"]:
            point |= {"rate": 258.0, "rate_unit": "sentences/s"}
    page = Html().render(report, {})
    assert "2.41x<small>258</small>" in page and "Under it: sentences/s" in page


def test_the_card_of_a_row_has_its_points_and_measures() -> None:
    from workbench.comparison import drawn

    found = next(row for row in documents.writing_report()["rows"] if row["name"] == "openvino-bf16")
    text = re.sub(r"\s+", " ", drawn.row(found).text())
    assert "first token after 64 tokens, batch 1 58.3 ms 1,098 prefill tokens/s 2.41x (2.37–2.45)" in text
    assert "KL to the baseline 0.0052 (0.0047–0.0057)" in text and "throughput 170/s (166–173)" in text


# ---- cards ------------------------------------------------------------------------------------------


def test_a_card_draws_itself_as_text_and_as_markup() -> None:
    card = Card(
        "Run 1", "Done.", {"Model": "m", "Examples": "1,000"}, ("Recipe", "Speed"), [("a-b", "2.41x")], ("A note.",)
    )
    assert card.text().splitlines() == [
        "Run 1", "Done.", "  Model     m", "  Examples  1,000", "  Recipe  Speed", "  a-b     2.41x", "A note.",
    ]  # fmt: skip
    bundle = card.bundle()
    assert set(bundle) == {"text/plain", "text/html"}
    assert Page(bundle["text/html"]).open == []


def test_a_card_keeps_texts_as_texts() -> None:
    card = Card(documents.HOSTILE, documents.HOSTILE, {"a": documents.HOSTILE}, ("h",), [(documents.HOSTILE,)])
    assert "<script" not in card.html()
