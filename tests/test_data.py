"""Data in: what a person names becomes rows of a task, or one clear error that says where."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.hub_server import TOKEN, HubServer
from workbench import catalog
from workbench.artifact import sha256_of
from workbench.errors import RequestError
from workbench.hub import (
    Data,
    Fields,
    client,
    fetch_data,
    find_columns,
    find_data,
    ids_sha256,
    load_rows,
    read_rows,
    row_id,
    save_rows,
    select,
    split_calibration,
    starter_names,
    starters,
)
from workbench.hub.layout import by_names, choose_split, layout_of

TEXT = Fields(
    {
        "text": ("text", "sentence"),
        "text1": ("text1", "premise", "question", "sentence1"),
        "text2": ("text2", "hypothesis", "sentence", "sentence2"),
        "label": ("label", "labels"),
    },
    (("text",), ("text1", "text2")),
)
IMAGE = Fields({"image": ("image", "file_name"), "label": ("label", "labels")}, (("image",),))


def quiet(done: float, total: float, note: str) -> None:
    """Progress that nobody looks at."""


def with_choice(fields: Fields, **chosen: str) -> Fields:
    return Fields(fields.columns, fields.inputs, fields.target, chosen)


def read(path: Path | str, fields: Fields = TEXT, **options: Any) -> Data:
    return read_rows(find_data(str(path)), fields, **options)


def csv_of(tmp_path: Path, text: str, name: str = "data.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(text.encode())
    return path


def made(rows: int | list[str], source: str = "local:a", split: str = "all", kind: str = "local") -> Data:
    texts = [f"text {number}" for number in range(rows)] if isinstance(rows, int) else rows
    content = [{"id": row_id({"text": text}), "text": text, "label": 0} for text in texts]
    return Data(source, kind, sha256_of([source, texts]), split, {"text": "text", "label": "label"}, content)


def refusal(path: Path | str, fields: Fields = TEXT, **options: Any) -> str:
    with pytest.raises(RequestError) as error:
        read(path, fields, **options)
    return str(error.value)


# ---- tables -------------------------------------------------------------------------------------


def test_a_csv_becomes_rows_with_ids_of_their_input(tmp_path: Path) -> None:
    data = read(csv_of(tmp_path, 'sentence,labels,extra\n"one, two",1,x\nthree,0,y\n'))
    assert data.rows == [
        {"id": sha256_of({"text": "one, two"}), "text": "one, two", "label": "1", "row": 1},
        {"id": sha256_of({"text": "three"}), "text": "three", "label": "0", "row": 2},
    ]
    assert data.columns == {"text": "sentence", "label": "labels"} and data.labelled
    content = (tmp_path / "data.csv").read_bytes()
    assert data.source == "local:data.csv" and data.revision == hashlib.sha256(content).hexdigest()


def test_every_table_format_gives_the_same_rows(tmp_path: Path) -> None:
    records = [{"text": "Schöne Grüße\u2028", "label": 1}, {"text": "two\nlines", "label": 0}]
    (tmp_path / "a.jsonl").write_text("\n".join(json.dumps(one, ensure_ascii=False) for one in records), "utf-8")
    (tmp_path / "b.json").write_text(json.dumps(records), "utf-8")
    pq.write_table(pa.Table.from_pylist(records), tmp_path / "c.parquet")
    tables = [read(tmp_path / name).rows for name in ("a.jsonl", "b.json", "c.parquet")]
    assert tables[0] == tables[1] == tables[2]
    csv_of(tmp_path, '\ufefftext;label\r\n"Schöne Grüße\u2028";1\r\n"two\nlines";0\r\n')
    assert [row["id"] for row in read(tmp_path / "data.csv").rows] == [row["id"] for row in tables[0]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "data.csv is empty"),
        ("text,label\n", "has no rows"),
        ("text,label\na,1\nb\n", "Line 3 of data.csv has 1 cells"),
        ('text,label\n"a,1\n', "data.csv is broken (line 2)"),
        ("text,text\na,1\n", "different column names"),
        ("words,label\na,1\n", "Its columns are words, label. Say which one it is with --fields text=COLUMN"),
        ("text,label\na,1\n  ,0\n", "Row 2 of data.csv has an empty `text`"),
        ("text,label\n,1\n", "Row 1 of data.csv has an empty `text`"),
    ],
)
def test_a_broken_csv_is_named_with_the_place(tmp_path: Path, text: str, expected: str) -> None:
    assert expected in refusal(csv_of(tmp_path, text))


def test_other_broken_files_are_named_too(tmp_path: Path) -> None:
    (tmp_path / "latin.csv").write_bytes("text,label\nok,1\nschön,1\n".encode("latin-1"))
    assert "latin.csv is not UTF-8 (line 3)" in refusal(tmp_path / "latin.csv")
    assert "Line 2 of" in refusal(csv_of(tmp_path, '{"text": "a"}\n{"text": \n', "a.jsonl"))
    assert "Line 1 of" in refusal(csv_of(tmp_path, "3\n", "b.jsonl"))
    assert "Item 2 of" in refusal(csv_of(tmp_path, '[{"text": "a"}, 3]', "c.json"))
    assert "cannot be read as Parquet" in refusal(csv_of(tmp_path, "PAR1 no", "d.parquet"))
    assert "not a kind of data" in refusal(csv_of(tmp_path, "x", "e.xlsx"))
    assert "Row 2 of f.jsonl has an empty `text`" in refusal(csv_of(tmp_path, '{"text":"a"}\n{"text":null}', "f.jsonl"))
    assert "Row 1 of g.jsonl has a number in `text`" in refusal(csv_of(tmp_path, '{"text": 5}', "g.jsonl"))
    assert "Row 1 of h.jsonl holds what is no text" in refusal(csv_of(tmp_path, '{"text": "\\ud800"}', "h.jsonl"))
    whole = tmp_path / "whole.parquet"
    pq.write_table(pa.table({"text": ["some text"] * 5000}), whole)
    (tmp_path / "cut.parquet").write_bytes(whole.read_bytes()[:-20])
    assert "cut.parquet cannot be read as Parquet" in refusal(tmp_path / "cut.parquet")


def test_reading_is_limited_in_rows_and_bytes(tmp_path: Path) -> None:
    path = csv_of(tmp_path, "text,label\n" + "a,1\n" * 10)
    assert "more than 9 rows" in refusal(path, max_rows=9)
    assert len(read(path, max_rows=10)) == 10
    assert "are read" in refusal(path, max_bytes=20)
    packed = tmp_path / "packed.parquet"
    pq.write_table(pa.table({"text": ["a" * 1000] * 3000}), packed)
    assert "(unpacked)" in refusal(packed, max_bytes=packed.stat().st_size + 1000)


@pytest.mark.parametrize("broken", ["a value", "a name"])
def test_texts_of_a_parquet_file_that_are_no_utf8_are_told_in_words(broken: str, tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    loose = pc.CastOptions(target_type=pa.utf8(), allow_invalid_utf8=True)
    texts = pc.cast(pa.array([b"fine", b"\xc4"]), options=loose) if broken == "a value" else ["fine", "too"]
    pq.write_table(pa.table({"text": texts, "label": ["a", "b"]}), path)
    if broken == "a name":
        path.write_bytes(path.read_bytes().replace(b"label", b"la\xaael"))
    assert "rows.parquet cannot be read as Parquet" in refusal(path)


@pytest.mark.parametrize("name", ["./none.csv", "none.parquet", "/nowhere/folder"])
def test_a_path_that_is_not_there_is_an_error(name: str) -> None:
    assert "There is no file or folder" in refusal(name)


# ---- columns ------------------------------------------------------------------------------------


def test_usual_columns_are_found_and_pairs_win_when_they_are_whole() -> None:
    assert find_columns(["idx", "Sentence", "label"], TEXT, "t") == {"text": "Sentence", "label": "label"}
    assert find_columns(["question", "sentence", "label"], TEXT, "t") == {
        "text1": "question", "text2": "sentence", "label": "label",
    }  # fmt: skip
    assert find_columns(["premise", "hypothesis"], TEXT, "t") == {"text1": "premise", "text2": "hypothesis"}


def test_a_person_may_name_the_columns() -> None:
    columns = ["review", "stars", "sentence1", "sentence2"]
    chosen = {"text": "review", "label": "stars"}
    assert find_columns(columns, with_choice(TEXT, **chosen), "t") == chosen


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ({"text": "reviw"}, "t has no column `reviw`. Its columns are review, stars. Did you mean `review`?"),
        ({"txt": "review"}, "no field called `txt`. This task has text, text1, text2, label. Did you mean `text`?"),
        ({"text1": "review"}, "No input column was found"),
    ],
)
def test_a_wrong_name_is_answered_with_the_right_ones(chosen: dict[str, str], expected: str) -> None:
    with pytest.raises(RequestError) as error:
        find_columns(["review", "stars"], with_choice(TEXT, **chosen), "t")
    assert expected in str(error.value)


def test_without_labels_the_data_is_label_free_and_says_so(tmp_path: Path) -> None:
    for text in ("text\na\nb\n", "text,label\na,\nb,\n"):
        data = read(csv_of(tmp_path, text))
        assert not data.labelled and "Label-free" in data.warnings[0] and "label" not in data.rows[0]
    hidden = read(csv_of(tmp_path, '{"text": "a", "label": -1}', "hidden.jsonl"))
    assert not hidden.labelled


@given(st.dictionaries(st.text(), st.text() | st.integers() | st.lists(st.text())), st.randoms())
def test_a_row_is_named_by_its_input_and_not_by_the_order_of_its_fields(fields: dict[str, Any], random: Any) -> None:
    shuffled = list(fields.items())
    random.shuffle(shuffled)
    assert row_id(dict(shuffled)) == row_id(fields)


# ---- folders ------------------------------------------------------------------------------------


def png(shade: int) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.new("RGB", (4, 4), (shade, shade, shade)).save(out, "PNG")
    return out.getvalue()


def pictures(folder: Path) -> Path:
    for shade, (name, label) in enumerate((("a", "cat"), ("b", "dog"), ("c", "cat"))):
        (folder / label).mkdir(parents=True, exist_ok=True)
        (folder / label / f"{name}.png").write_bytes(png(shade))
    return folder


def test_a_folder_of_class_folders_is_a_data_set(tmp_path: Path) -> None:
    data = read(pictures(tmp_path / "pets"), IMAGE)
    seen = [(row["image"].name, row["label"]) for row in data.rows]
    assert seen == [("a.png", "cat"), ("c.png", "cat"), ("b.png", "dog")]
    assert data.rows[0]["id"] == sha256_of({"image": hashlib.sha256(png(0)).hexdigest()})
    assert data.source == "local:pets" and len(data.revision) == 64


def test_metadata_names_the_files_of_a_folder(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "pets")
    (folder / "metadata.csv").write_text("file_name,label\ncat/a.png,tabby\ndog/b.png,pug\n")
    data = read(folder, IMAGE)
    assert [row["label"] for row in data.rows] == ["tabby", "pug"] and data.rows[1]["image"].read_bytes() == png(1)


@pytest.mark.parametrize(
    ("cell", "expected"),
    [("cat/none.png", "there is no file cat/none.png"), ("../a.png", "leads out of the folder"),
     ("/etc/hostname", "leads out of the folder"), ('""', "there is no file"), ("link.png", "is a link out of")],
)  # fmt: skip
def test_a_file_that_is_missing_or_outside_is_refused_by_row(tmp_path: Path, cell: str, expected: str) -> None:
    folder = pictures(tmp_path / "pets")
    (tmp_path / "outside.png").write_bytes(png(9))
    (folder / "link.png").symlink_to(tmp_path / "outside.png")
    (folder / "metadata.csv").write_text(f"file_name,label\ncat/a.png,cat\n{cell},dog\n")
    (folder / "link.png").unlink() if cell != "link.png" else None
    assert expected in refusal(folder, IMAGE)


def test_a_folder_with_splits_knows_its_train_part(tmp_path: Path) -> None:
    pictures(tmp_path / "set/train")
    pictures(tmp_path / "set/test")
    info = find_data(str(tmp_path / "set"))
    assert info.split == "test" and info.train is not None and info.train.split == "train"
    assert find_data(f"{tmp_path / 'set'}[train]").split == "train"
    assert read_rows(info.train, IMAGE).rows[0]["image"].parent.parent.name == "train"


def test_a_folder_of_tables_has_their_splits(tmp_path: Path) -> None:
    csv_of(tmp_path, "text,label\na,1\n", "train.csv")
    csv_of(tmp_path, "text,label\nb,1\n", "test.csv")
    info = find_data(str(tmp_path))
    assert (info.split, info.train and info.train.split) == ("test", "train")
    assert read_rows(info, TEXT).rows[0]["text"] == "b"


def test_an_empty_folder_is_no_data(tmp_path: Path) -> None:
    assert "holds no data" in refusal(tmp_path)


def test_pictures_inside_parquet_stay_bytes(tmp_path: Path) -> None:
    records = [{"image": {"bytes": png(n), "path": f"{n}.png"}, "label": n} for n in range(2)]
    pq.write_table(pa.Table.from_pylist(records), tmp_path / "a.parquet")
    data = read(tmp_path / "a.parquet", IMAGE)
    assert data.rows[1]["image"] == png(1) and data.rows[0]["id"] == row_id({"image": png(0)})


def test_rows_travel_in_a_folder_with_their_files(tmp_path: Path) -> None:
    data = read(pictures(tmp_path / "pets"), IMAGE)
    (tmp_path / "rows").mkdir()
    save_rows(data, tmp_path / "rows")
    back = load_rows(tmp_path / "rows")
    assert back.ids == data.ids and back.labelled and back.columns == data.columns
    assert [row["image"].read_bytes() for row in back.rows] == [row["image"].read_bytes() for row in data.rows]
    assert all(row["image"].is_relative_to(tmp_path / "rows") for row in back.rows)


@pytest.mark.parametrize("name", starter_names())
def test_every_starter_has_evaluation_and_calibration_rows(name: str) -> None:
    info = find_data(f"starter:{name}")
    card = starters.card(starters.find(f"starter:{name}"))
    task = catalog.task(card["task"])
    fields = Fields(task.columns, task.inputs, task.target)
    evaluation, calibration = read_rows(info, fields), read_rows(find_data(f"starter:{name}[calibration]"), fields)
    assert info.train is not None and info.train.split == "calibration"
    assert [len(evaluation), len(calibration)] == list(card["rows"].values()) and evaluation.labelled
    assert split_calibration(evaluation, train=calibration).overlap_removed == 0


# ---- the Hub ------------------------------------------------------------------------------------


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    with HubServer() as server:
        monkeypatch.setattr(client, "PAUSE", 0.0)
        monkeypatch.setenv("HF_ENDPOINT", server.endpoint)
        monkeypatch.delenv("HF_TOKEN", raising=False)
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        yield server


def parquet_bytes(texts: list[str], names: tuple[str, ...] = ()) -> bytes:
    schema = None
    if names:
        features = {"label": {"names": list(names), "_type": "ClassLabel"}}
        notes = {"huggingface": json.dumps({"info": {"features": features}})}
        schema = pa.schema([("text", pa.string()), ("label", pa.int64())], metadata=notes)
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([{"text": text, "label": n % 2} for n, text in enumerate(texts)], schema), out)
    return out.getvalue()


CARD = b"""---
license: mit
configs:
- config_name: plain
  default: true
  data_files:
  - split: train
    path: plain/train-*
  - split: test
    path: plain/test-*
- config_name: other
  data_files: other/*.csv
---
# Reviews
"""


def reviews(hub: HubServer, **options: Any) -> str:
    files = {
        "README.md": CARD,
        "plain/train-00000-of-00002.parquet": parquet_bytes(["a", "b"], ("bad", "good")),
        "plain/train-00001-of-00002.parquet": parquet_bytes(["c"], ("bad", "good")),
        "plain/test-00000-of-00001.parquet": parquet_bytes(["d", "e"], ("bad", "good")),
        "other/x.csv": b"text,label\nf,0\n",
    }
    return hub.add("org/reviews", files, kind="dataset", **options)


def test_a_hub_data_set_is_pinned_fetched_and_read(hub: HubServer, tmp_path: Path) -> None:
    commit = reviews(hub)
    info = find_data("org/reviews")
    assert (info.id, info.kind, info.revision, info.split) == ("org/reviews:plain", "hub", commit, "test")
    assert not hub.downloads("plain/test-00000-of-00001.parquet")
    fetch_data(info, tmp_path, quiet)
    data = read_rows(info, TEXT, into=tmp_path)
    assert [row["text"] for row in data.rows] == ["d", "e"] and data.facts["classes"] == ["bad", "good"]
    assert info.train is not None
    fetch_data(info.train, tmp_path / "train", quiet)
    assert [row["text"] for row in read_rows(info.train, TEXT, into=tmp_path / "train").rows] == ["a", "b", "c"]


def test_config_revision_and_split_are_read_from_the_reference(hub: HubServer, tmp_path: Path) -> None:
    first = reviews(hub)
    hub.add("org/reviews", {"train.csv": b"text,label\nnew,0\n"}, kind="dataset")
    info = find_data(f"org/reviews:other@{first}[train]")
    assert (info.id, info.revision, info.split) == ("org/reviews:other", first, "train")
    fetch_data(info, tmp_path, quiet)
    assert read_rows(info, TEXT, into=tmp_path).rows[0]["text"] == "f"
    assert find_data("org/reviews").files[0].path == "train.csv"


def test_a_download_of_data_that_is_altered_or_broken_is_mended(hub: HubServer, tmp_path: Path) -> None:
    reviews(hub)
    info = find_data("org/reviews")
    hub.alter(info.files[0].path, times=1)
    hub.break_off(info.files[0].path, times=1)
    fetch_data(info, tmp_path, quiet)
    assert len(read_rows(info, TEXT, into=tmp_path)) == 2


def test_a_large_split_is_read_in_part_with_a_warning(hub: HubServer, tmp_path: Path) -> None:
    reviews(hub)
    info = find_data("org/reviews[train]")
    fetch_data(info, tmp_path, quiet, max_bytes=info.files[0].bytes or 0)
    assert not (tmp_path / info.files[1].path).exists()
    data = read_rows(info, TEXT, into=tmp_path, max_bytes=info.files[0].bytes or 0, max_rows=1)
    assert len(data) == 1 and "first 1 rows" in data.warnings[0]
    with pytest.raises(RequestError, match="are read"):
        fetch_data(info, tmp_path, quiet, max_bytes=10)


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("org/none", "There is no data set called `org/none`"),
        ("org/reviews@v9", "no revision `v9`"),
        ("org/reviews:nothing", "no configuration `nothing`"),
        ("org/reviews[dev]", "no split `dev`"),
        ("org/gated", "is gated"),
        ("org/script", "needs code of its own"),
        ("org/folder", "refs/convert/parquet"),
        ("org/many", "several configurations"),
        ("org name", "neither a file here nor the id"),
        ("starter:none", "There is no starter"),
        ("local:rows", "--data"),
    ],
)
def test_data_that_cannot_be_used_is_refused(hub: HubServer, reference: str, expected: str) -> None:
    reviews(hub)
    hub.add("org/gated", {"README.md": b"x", "train.csv": b"text\na\n"}, kind="dataset", gated=True, readers=(TOKEN,))
    hub.add("org/script", {"script.py": b"pass"}, kind="dataset")
    hub.add("org/folder", {"cat/a.png": png(1)}, kind="dataset")
    hub.add("org/many", {"en/train.csv": b"text\na\n", "de/train.csv": b"text\na\n"}, kind="dataset")
    assert expected in refusal(reference)


def test_a_split_named_twice_is_refused() -> None:
    with pytest.raises(RequestError, match="Name one"):
        find_data("org/reviews[test]", split="train")


def test_splits_are_told_from_names() -> None:
    assert by_names(["data/train-0.parquet", "data/test-0.parquet", "notes.csv"]) == {
        "train": ("data/train-0.parquet",), "test": ("data/test-0.parquet",),
    }  # fmt: skip
    assert by_names(["default/validation/0000.parquet"]) == {"validation": ("default/validation/0000.parquet",)}
    assert by_names(["a.csv", "b.csv"]) == {"all": ("a.csv", "b.csv")}
    assert by_names(["dev.jsonl", "training.jsonl"]) == {"validation": ("dev.jsonl",), "train": ("training.jsonl",)}
    assert layout_of(["en/train.csv", "de/train.csv"], "x", {}, "de").splits == {"train": ("de/train.csv",)}
    assert choose_split(["train", "test", "validation"], None, "x") == "validation"
    assert choose_split(["train", "test_matched"], None, "x") == "test_matched"


# ---- selection and calibration ------------------------------------------------------------------


def test_a_selection_depends_on_ids_and_seed_and_not_on_order() -> None:
    data = made(200)
    chosen = select(data, 50, seed=7)
    assert len(chosen) == 50 and select(data, 50, seed=7).rows == chosen.rows
    assert chosen.ids == [one for one in data.ids if one in set(chosen.ids)]
    backwards = made([f"text {number}" for number in reversed(range(200))])
    assert set(select(backwards, 50, seed=7).ids) == set(chosen.ids)
    assert set(chosen.ids) < set(select(data, 51, seed=7).ids)
    assert set(select(data, 50, seed=8).ids) != set(chosen.ids)
    assert ids_sha256(select(backwards, 50, seed=7)) == ids_sha256(chosen)


def test_all_rows_are_all_rows_and_too_many_are_said() -> None:
    data = made(5)
    assert select(data, "all") is data and select(data, 5) is data
    assert "9 rows were asked for" in select(data, 9).warnings[0]
    with pytest.raises(RequestError, match="0 rows"):
        select(data, 0)


def test_given_calibration_goes_before_the_train_split() -> None:
    texts = [f"other {n}" for n in range(50)]
    split = split_calibration(made(100), made(texts, "local:b"), made(["x"] * 40, "local:c"))
    assert split.origin == "given" and split.calibration is not None and len(split.calibration) == 50
    assert split_calibration(made(100), train=made(texts, "local:b")).origin == "train"


def test_overlapping_rows_are_left_out_and_counted() -> None:
    texts = [f"other {n}" for n in range(95)] + [f"text {n}" for n in range(5)]
    split = split_calibration(made(100), made(texts, "local:b"))
    assert split.overlap_removed == 5 and "5 calibration rows were left out" in split.warnings[0]
    assert split.calibration is not None and not set(split.calibration.ids) & set(split.evaluation.ids)
    assert len(split.evaluation) == 100


def test_too_much_overlap_and_the_same_file_are_errors() -> None:
    texts = [f"other {n}" for n in range(89)] + [f"text {n}" for n in range(11)]
    with pytest.raises(RequestError, match="11 of 100 calibration rows occur in evaluation"):
        split_calibration(made(100), made(texts, "local:b"))
    with pytest.raises(RequestError, match="for calibration and for evaluation"):
        split_calibration(made(100), made(100))


def test_without_other_rows_a_fifth_is_held_out() -> None:
    data = made([f"text {n}" for n in range(190)] + [f"text {n}" for n in range(10)])
    split = split_calibration(data, seed=7)
    assert split.origin == "held out" and split.calibration is not None and len(split.calibration) == 38
    assert not set(split.calibration.ids) & set(split.evaluation.ids) and split.overlap_removed == 0
    assert set(split.calibration.ids) | set(split.evaluation.ids) == set(data.ids)
    assert split_calibration(data, seed=7).calibration == split.calibration
    assert split_calibration(data, seed=8).calibration != split.calibration


def test_with_few_rows_there_is_no_calibration_and_a_reason() -> None:
    split = split_calibration(made(159))
    assert split.calibration is None and split.origin == "none" and "fewer than 32" in split.reason
    assert split_calibration(made(160)).calibration is not None
