"""Data that strangers hand in: what is good is kept, what is wrong is named, what is hostile does nothing."""

from __future__ import annotations

import csv
import io
import json
import os
import resource
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests import small as make
from tests.conftest import Small, command
from tests.test_light_opening import HEAVY, modules_after
from tests.tiny.classifiers import make_vit, png
from tests.tiny.media import wav
from workbench import bench
from workbench.errors import RequestError
from workbench.faces.web.parts.data_preview import data_preview
from workbench.store import Store
from workbench.uploads import Column, DataCheck, Wrong, limits
from workbench.uploads.kept import clean_name

TEXT, IMAGE, AUDIO = "text-classification", "image-classification", "audio-classification"
MOST_SECONDS = 5.0  # of processor time that one file may take, its worker's start included
Entries = dict[str, bytes | str]


def rows(count: int = 60) -> list[dict[str, Any]]:
    return [{"text": text, "label": label} for text, label in make.texts(count)]


def table(given: list[dict[str, Any]], separator: str = ",") -> bytes:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(given[0]), delimiter=separator)
    writer.writeheader()
    writer.writerows(given)
    return out.getvalue().encode()


def lines(given: list[Any]) -> bytes:
    return "\n".join(json.dumps(one) for one in given).encode()


def parquet(given: Any, **options: Any) -> bytes:
    out = io.BytesIO()
    pq.write_table(given if isinstance(given, pa.Table) else pa.table(given), out, **options)
    return out.getvalue()


def packed(entries: Entries, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in entries.items():
            archive.writestr(zipfile.ZipInfo(name) if "\\" in name else name, data, method)
    return out.getvalue()


def special(kind: int, target: str) -> bytes:
    """A zip with one entry of another kind than a plain file."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        entry = zipfile.ZipInfo("a/link.png")
        entry.create_system, entry.external_attr = 3, (kind | 0o777) << 16
        archive.writestr(entry, target)
    return out.getvalue()


def listed(files: dict[str, bytes], names: list[str] | None = None) -> Entries:
    """Pictures with a metadata.csv; every other one is of class LABEL_1."""
    names = list(files) if names is None else names
    said = [{"file_name": name, "label": f"LABEL_{n % 2}"} for n, name in enumerate(names)]
    return {"metadata.csv": table(said), **files}


def pictures(count: int = 24) -> dict[str, bytes]:
    return {f"{n:02d}.png": png(n) for n in range(count)}


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def huge_png(side: int) -> bytes:
    """A head that promises side x side pixels, and next to nothing behind it."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


@pytest.fixture
def store(home: Path) -> Store:
    return Store(home)


def given(folder: Path, name: str, content: bytes) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(content)
    return folder / name


def everything(folder: Path) -> dict[str, Any]:
    return {str(path): path.read_bytes() if path.is_file() else None for path in sorted(folder.rglob("*"))}


# ---- good ---------------------------------------------------------------------------------------

GOOD: dict[str, tuple[str, str, Callable[[], bytes]]] = {
    "csv": ("reviews.csv", "csv", lambda: table(rows())),
    "csv of a spreadsheet": ("reviews.csv", "csv", lambda: b"\xef\xbb\xbf" + table(rows(), ";")),
    "tsv": ("reviews.tsv", "tsv", lambda: table(rows(), "\t")),
    "jsonl": ("reviews.jsonl", "jsonl", lambda: lines(rows())),
    "json": ("reviews.json", "json", lambda: json.dumps(rows()).encode()),
    "parquet": ("reviews.parquet", "parquet", lambda: parquet(pa.Table.from_pylist(rows()))),
    "zipped table": ("reviews.zip", "csv", lambda: packed({"a/reviews.csv": table(rows()), "a/README.txt": "hello"})),
}


@pytest.mark.parametrize("name", GOOD)
def test_good_data_is_kept_under_its_content_and_told(name: str, store: Store, tmp_path: Path) -> None:
    file, kind, content = GOOD[name]
    found = bench.check_data(given(tmp_path / "in", file, content()), task=TEXT, store=store)
    assert (found.kind, found.rows, found.wrong_total) == (kind, 60, 0)
    assert found.fields == {"text": "text", "label": "label"}
    assert sum(count for _, count in found.labels) == 60 and {value for value, _ in found.labels} == set(make.LABELS)
    text, label = rows()[0].values()
    assert len(found.preview) == limits.ROWS_SHOWN and found.preview[0] == (f"{text[:79]}…", label)
    assert found.path is not None and found.path.is_relative_to(store.home) and bench.is_upload(found.path, store)
    assert DataCheck.from_dict(json.loads(json.dumps(found.to_dict()))) == found


@pytest.mark.slow
@pytest.mark.parametrize("name", GOOD)
def test_what_was_kept_can_be_planned(name: str, small: Small, store: Store, tmp_path: Path) -> None:
    file, _, content = GOOD[name]
    found = bench.check_data(given(tmp_path / "in", file, content()), model=str(small.model), store=store)
    words = [
        str(small.model),
        "--data",
        str(found.path),
        "--baseline",
        str(small.baseline),
        "-r",
        str(small.recipes[0]),
    ]
    done = command("plan", "compare", *words, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["data"]["evaluation"]["n"] == 60


FOLDERS: dict[str, Callable[[], Entries]] = {
    "a folder a class": lambda: {f"{'ab'[n % 2]}/{name}": data for n, (name, data) in enumerate(pictures().items())},
    "a list": lambda: listed(pictures()),
    "one more folder around it, as a Mac packs it": lambda: {
        **{f"mine/{name}": data for name, data in listed(pictures()).items()},
        "__MACOSX/mine/._00.png": b"x",
        "mine/.DS_Store": b"x",
    },
    "splits": lambda: {
        f"{split}/{'ab'[n % 2]}/{n}.png": png(n + start)
        for split, start in (("train", 0), ("test", 50)) for n in range(24)
    },
}  # fmt: skip


@pytest.mark.parametrize("name", FOLDERS)
def test_a_zip_of_pictures_is_kept_as_a_folder(name: str, store: Store, tmp_path: Path) -> None:
    found = bench.check_data(given(tmp_path / "in", "garments.zip", packed(FOLDERS[name]())), task=IMAGE, store=store)
    assert (found.kind, found.rows, found.wrong_total, found.name) == ("pictures", 24, 0, "garments")
    assert found.fields["label"] == "label" and {column.type for column in found.columns} == {"picture file", "text"}
    assert found.path is not None and found.path.is_dir() and bench.is_upload(found.path, store)
    assert not list(found.path.rglob(".*"))


@pytest.mark.slow
def test_a_zip_of_pictures_can_be_planned(store: Store, tmp_path: Path) -> None:
    model = make_vit(tmp_path / "vit")
    labels = list(json.loads((model / "config.json").read_text())["id2label"].values())
    said = [{"file_name": name, "label": labels[n % 2]} for n, name in enumerate(pictures())]
    file = given(tmp_path / "in", "garments.zip", packed({"metadata.csv": table(said), **pictures()}))
    found = bench.check_data(file, model=str(model), store=store)
    assert found.task == IMAGE and found.path is not None
    done = command("plan", "compare", str(model), "--data", str(found.path), "-r", "onnx-fp32", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["data"]["evaluation"]["n"] == 24


def test_sounds_are_heard_to_their_end(store: Store, tmp_path: Path) -> None:
    files = {f"{'ab'[n % 2]}/{n}.wav": wav(n) for n in range(24)}
    good = bench.check_data(given(tmp_path / "in", "a.zip", packed(files)), task=AUDIO, store=store)
    assert (good.kind, good.rows, good.wrong_total) == ("sounds", 24, 0)
    files |= {"a/0.wav": b"no sound", "b/1.wav": wav(1, seconds=130)}
    bad = bench.check_data(given(tmp_path / "in", "b.zip", packed(files)), task=AUDIO, store=store)
    assert bad.wrong_total == 2 and bad.path is None
    assert ["cannot be read" in one.what or "130.0 s" in one.what for one in bad.wrong] == [True, True]


def test_the_same_file_is_kept_once_and_can_be_looked_at_again(store: Store, small: Small, tmp_path: Path) -> None:
    content = table([{"review": row["text"], "stars": row["label"]} for row in rows()])
    first = bench.check_data(given(tmp_path / "a", "reviews.csv", content), store=store)
    second = bench.check_data(given(tmp_path / "b", "reviews.csv", content), store=store)
    other = bench.check_data(given(tmp_path / "b", "other.csv", content), store=store)
    assert first.path is not None and first.path == second.path and first.path != other.path
    fields = {"text": "review", "label": "stars"}
    again = bench.check_data(first.path, model=str(small.model), fields=fields, store=store)
    assert again.path == first.path and again.fields == fields and again.task == TEXT


def test_only_whole_uploads_of_this_store_are_uploads(store: Store, tmp_path: Path) -> None:
    found = bench.check_data(given(tmp_path / "in", "a.zip", packed(FOLDERS["a list"]())), task=IMAGE, store=store)
    path = found.path
    assert path is not None and bench.is_upload(str(path), store)
    (tmp_path / "link").symlink_to(path)
    others = [path.parent, path / "metadata.csv", path / "..", store.home, store.home / "runs.sqlite", "/etc/passwd",
              "", "starter:sentiment", f"{path}\0", path.with_name("b"), tmp_path / "in" / "a.zip"]  # fmt: skip
    assert not [one for one in others if bench.is_upload(one, store)]
    assert not bench.is_upload(path, Store(tmp_path / "elsewhere"))
    with store.aside() as folder:
        (folder / "a").write_text("x")
        made = store.keep("f" * 64, "data", folder, {"name": "a"})
    assert not bench.is_upload(made.path / "a", store)
    assert bench.upload_folder(path, store) == path.parent.parent
    with pytest.raises(RequestError, match="no upload"):
        bench.upload_folder("/etc/passwd", store)


# ---- wrong rows ---------------------------------------------------------------------------------


def wrong(found: DataCheck) -> list[tuple[int, str]]:
    return [(one.row, one.column) for one in found.wrong]


def test_every_wrong_row_is_named_with_its_column_and_nothing_is_kept(
    small: Small, store: Store, tmp_path: Path
) -> None:
    given_rows = rows()
    given_rows[4]["text"], given_rows[9]["label"], given_rows[20]["label"] = "  ", "", "neutral"
    file = given(tmp_path / "in", "reviews.csv", table(given_rows))
    found = bench.check_data(file, model=str(small.model), store=store)
    assert wrong(found) == [(5, "text"), (10, "label"), (21, "label")]
    assert [one.what for one in found.wrong] == [
        "Has an empty `text`.", "Has no label.", "Has the label 'neutral', which the model does not know."
    ]  # fmt: skip
    assert (found.wrong_total, found.rows, found.path) == (3, 60, None)
    assert not list((store.home / "artifacts").iterdir()) and not list((store.home / "aside").iterdir())


def test_of_many_wrong_rows_the_first_are_shown_and_all_are_counted(small: Small, store: Store, tmp_path: Path) -> None:
    given_rows = [row | {"label": "neutral" if n % 2 else row["label"]} for n, row in enumerate(rows(400))]
    file = given(tmp_path / "in", "reviews.csv", table(given_rows))
    found = bench.check_data(file, model=str(small.model), store=store)
    assert found.wrong_total == 200 and wrong(found) == [(2 * n, "label") for n in range(1, limits.WRONG_SHOWN + 1)]


def test_what_is_wrong_with_all_rows_is_said_of_the_file(small: Small, store: Store, tmp_path: Path) -> None:
    for content, said in ((rows(5), "has 5 rows"), ([row | {"label": "POSITIVE"} for row in rows()], "All 60 rows")):
        with pytest.raises(RequestError, match=said):
            bench.check_data(given(tmp_path / "in", "a.csv", table(content)), model=str(small.model), store=store)


def test_data_without_labels_is_taken_with_a_note(small: Small, store: Store, tmp_path: Path) -> None:
    file = given(tmp_path / "in", "a.csv", table([{"text": row["text"]} for row in rows()]))
    found = bench.check_data(file, model=str(small.model), store=store)
    assert found.path is not None and not found.labels and "Label-free" in found.notes[0]


def test_pictures_that_are_none_and_files_that_are_not_there_are_rows(store: Store, tmp_path: Path) -> None:
    files = pictures() | {
        "03.png": b"no picture",
        "05.png": png(5)[:900],
        "07.png": huge_png(60_000),
        "09.png": huge_png(8_000),
        "11.png": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n(/tmp/x) (w) file\n",
    }
    names = [*pictures(), "lost.png", "../canary.txt", "/etc/passwd", ""]
    file = given(tmp_path / "in", "a.zip", packed(listed(files, names)))
    found = bench.check_data(file, task=IMAGE, store=store)
    assert wrong(found) == [(n, "file_name") for n in (4, 6, 8, 10, 12, 25, 26, 27, 28)]
    said = {one.row: f"{one.what} {one.why}" for one in found.wrong}
    assert "60000 x 60000" in said[8] or "decompression" in said[8].lower() or "pixels" in said[8]
    assert "no file lost.png" in said[25] and "leads out" in said[26] and "leads out" in said[27]
    assert not [text for text in said.values() if str(tmp_path) in text]


def test_a_row_that_is_no_text_is_wrong_and_its_preview_harmless(store: Store, tmp_path: Path) -> None:
    odd: list[Any] = [
        {"text": "half \ud800 a pair", "label": "a"},
        {"text": "turned \u202e round\x00\x1b[31m", "label": "b"},
    ]
    content = lines(odd + rows()) + b"\n" + deep(900) + b"\n" + lines([{"text": 7}, {"text": {"a": "b"}}])
    found = bench.check_data(given(tmp_path / "in", "a.jsonl", content), task=TEXT, store=store)
    assert wrong(found) == [(1, ""), (63, "text"), (64, "text"), (65, "text")]
    data_preview(found).encode()
    assert not {"\ud800", "\u202e", "\x00", "\x1b"} & set("".join(cell for row in found.preview for cell in row))


# ---- hostile and broken -------------------------------------------------------------------------


def deep(levels: int) -> bytes:
    return b'{"text": ' + b"[" * levels + b"]" * levels + b"}"


def nested_parquet(levels: int) -> bytes:
    kind: Any = pa.string()
    value: Any = "x"
    for _ in range(levels):
        kind, value = pa.struct([("a", kind)]), {"a": value}
    return parquet(pa.table({"text": pa.array([value] * 30, kind)}))


def repeated(size: int, count: int) -> bytes:
    """A text of `size` bytes, stored once and meant `count` times."""
    once = pa.DictionaryArray.from_arrays(pa.array([0] * count, pa.int32()), pa.array(["x" * size]))
    return parquet(pa.table({"text": once}), compression="zstd", store_schema=False)


def lying(entry_size: int) -> bytes:
    """A zip whose entry says it has `entry_size` bytes and has 2,000,000."""
    made = packed({"data.csv": b"text\n" + b"abcdefgh" * 250_000}, zipfile.ZIP_STORED)
    return made.replace(struct.pack("<II", 2_000_005, 2_000_005), struct.pack("<II", 2_000_005, entry_size))


def flagged(bit: int) -> bytes:
    """A zip with one bit of its entry's flags set, in both of its heads."""
    made = bytearray(packed({"data.csv": table(rows())}))
    for signature, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        made[made.index(signature) + place] |= bit
    return bytes(made)


def damaged() -> bytes:
    return packed({"a/a.png": png(1)}, zipfile.ZIP_STORED).replace(b"IDAT", b"IDIT")


def with_name(old: bytes, new: bytes) -> bytes:
    return packed({old.decode(): png(1)}).replace(old, new)


BROKEN: dict[str, tuple[str, Callable[[], bytes], str]] = {
    # tables
    "no bytes": ("a.csv", lambda: b"", "is empty"),
    "only a header": ("a.csv", lambda: b"text,label\n", "no rows"),
    "only line ends": ("a.csv", lambda: b"\n\n\n", "column names"),
    "another code": ("a.csv", lambda: table(rows()).decode().encode("utf-16"), "not UTF-8"),
    "an old code": ("a.csv", lambda: "text,label\nsüß,a\n".encode("latin-1"), "line 2"),
    "a picture named as a table": ("a.csv", lambda: png(1), "not UTF-8"),
    "ragged": ("a.csv", lambda: b"text,label\ngood,a\nbad,b,c\n", "Line 3"),
    "an open quote": ("a.csv", lambda: b'text,label\n"good,a\nbad,b\n', "broken"),
    "a cell without an end": ("a.csv", lambda: b"text,label\n" + b"x" * 5_000_000 + b",a\n", "field limit"),
    "two columns of one name": ("a.csv", lambda: b"text,text\na,b\n", "different column names"),
    "a million columns": ("a.csv", lambda: b",".join(b"c%d" % n for n in range(1_000_000)) + b"\n", "columns"),
    "a million nameless columns": ("a.csv", lambda: b"," * 1_000_000 + b"\n1\n", "different column names"),
    "no input column": ("a.csv", lambda: b"review,stars\ngood,1\n", "review, stars"),
    "too many rows": ("a.csv", lambda: b"text\n" + b"x\n" * (limits.ROWS + 1), f"{limits.ROWS:,} rows"),
    "a broken line": ("a.jsonl", lambda: lines(rows()) + b'\n{"text": \n', "Line 61"),
    "a line that is no row": ("a.jsonl", lambda: lines([*rows(), 7]), "Line 61"),
    "a deep line": ("a.jsonl", lambda: deep(100_000), "Line 1"),
    "a long number": ("a.jsonl", lambda: b'{"text": ' + b"9" * 100_000 + b"}", "Line 1"),
    "a deep list": ("a.json", lambda: b"[" * 1_000_000, "not valid JSON"),
    "no list": ("a.json", lambda: b'["a", "b"]', "Item 1"),
    "no Parquet": ("a.parquet", lambda: b"PAR1" + b"x" * 100 + b"PAR1", "Parquet"),
    "half a Parquet": ("a.parquet", lambda: parquet(pa.Table.from_pylist(rows()))[:-40], "Parquet"),
    "a Parquet with damaged pages": (
        "a.parquet",
        lambda: (lambda whole: whole[:8] + b"\xff" * 200 + whole[208:])(parquet(pa.Table.from_pylist(rows()))),
        "Parquet",
    ),
    "a deep Parquet": ("a.parquet", lambda: nested_parquet(60), "too deep"),
    "a wide Parquet": ("a.parquet", lambda: parquet({f"c{n}": [1] for n in range(3000)}), "columns"),
    "a long Parquet": ("a.parquet", lambda: parquet({"text": pa.nulls(limits.ROWS + 1)}), f"{limits.ROWS:,} rows"),
    "a Parquet that unpacks": ("a.parquet", lambda: repeated(1_000_000, 400), "unpacked"),
    "an unknown kind": ("a.xlsx", lambda: packed({"a.xml": "x"}), "not a kind of data"),
    "a program": ("a.exe", lambda: b"MZ", "not a kind of data"),
    "a pickle": ("a.pkl", lambda: b"cos\nsystem\n(S'touch canary'\ntR.", "not a kind of data"),
    # archives
    "no zip": ("a.zip", lambda: b"PK\x03\x04 hello", "cannot be unpacked"),
    "half a zip": ("a.zip", lambda: packed(listed(pictures()))[:-200], "cannot be unpacked"),
    "an empty zip": ("a.zip", lambda: packed({}), "no data"),
    "a zip of letters": ("a.zip", lambda: packed({"a.txt": "x", "b.docx": "y"}), "no data"),
    "a damaged zip": ("a.zip", damaged, "cannot be unpacked"),
    "a zip that climbs": ("a.zip", lambda: packed({"../canary.txt.csv": "x"}), "leads out"),
    "a zip that climbs later": ("a.zip", lambda: packed({"a/b/../../../canary.csv": "x"}), "leads out"),
    "a zip with an absolute name": ("a.zip", lambda: packed({"/tmp/canary.csv": "x"}), "leads out"),
    "a zip with a drive": ("a.zip", lambda: packed({"C:canary.csv": "x"}), "leads out"),
    "a zip with another slash": ("a.zip", lambda: packed({"..\\canary.csv": "x"}), "leads out"),
    "a zip with a link": ("a.zip", lambda: special(stat.S_IFLNK, "/etc/passwd"), "is a link"),
    "a zip with a pipe": ("a.zip", lambda: special(stat.S_IFIFO, ""), "no plain file"),
    "a zip with a device": ("a.zip", lambda: special(stat.S_IFCHR, ""), "no plain file"),
    "a name with an escape": ("a.zip", lambda: packed({"a\x1b[2J.png": png(1)}), "cannot be shown"),
    "a name with a line end": ("a.zip", lambda: packed({"a\n.png": png(1)}), "cannot be shown"),
    "a name with an end inside": ("a.zip", lambda: with_name(b"abc.png", b"a\0c.png"), "cannot be shown"),
    "a name twice": ("a.zip", lambda: packed({"a/b.png": b"1", "A/B.PNG": b"2"}), "twice"),
    "a file that is a folder": ("a.zip", lambda: packed({"a.csv": "x", "a.csv/b.csv": "y"}), "twice"),
    "a zip in a zip": ("a.zip", lambda: packed({"b.zip": packed({"c.csv": "x"})}), "archive in an archive"),
    "a locked zip": ("a.zip", lambda: flagged(1), "encrypted"),
    "an unusual zip": ("a.zip", lambda: packed({"a.csv": b"x" * 999}, zipfile.ZIP_LZMA), "unusual"),
    "a zip bomb": ("a.zip", lambda: packed({"a.csv": bytes(20_000_000)}), "times as large"),
    "a zip bomb of many": ("a.zip", lambda: packed({f"{n}.csv": bytes(1_000_000) for n in range(201)}), "201 MB"),
    "a zip that says less": ("a.zip", lambda: lying(10), "cannot be unpacked"),
    "a zip that says more": ("a.zip", lambda: lying(3_999_999_999), "times as large"),
    "too many files": ("a.zip", lambda: packed({f"{n}.png": b"" for n in range(limits.FILES + 1)}), "more than 10,000"),
    "a deep zip": ("a.zip", lambda: packed({"a/" * 30 + "b.png": png(1)}), "too deep"),
    "a long name": ("a.zip", lambda: packed({"a" * 5000 + ".png": png(1)}), "too long"),
    "pictures of a billion pixels": (
        "a.zip",
        lambda: packed({f"a/{n}.png": huge_png(7000) for n in range(21)}),
        "million pixels",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_or_hostile_is_told_in_words_and_writes_nothing(name: str, store: Store, tmp_path: Path) -> None:
    file, content, said = BROKEN[name]
    path = given(tmp_path / "in", file, content())
    (tmp_path / "canary.txt").write_text("untouched")
    before, began = everything(tmp_path), resource.getrusage(resource.RUSAGE_CHILDREN)
    task = IMAGE if name.startswith("pictures") else TEXT
    with pytest.raises(RequestError) as told:
        bench.check_data(path, task=task, store=store)
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    error, after = told.value, everything(tmp_path)
    assert said in str(error), error
    assert error.what.endswith(".") and len(str(error)) < 1000 and str(tmp_path) not in str(error)
    assert "Traceback" not in str(error) and str(error).isprintable()
    assert {key: after[key] for key in before if "home" not in key} == {
        k: v for k, v in before.items() if "home" not in k
    }
    assert not [key for key in set(after) - set(before) if not key.endswith(("runs.lock",))], set(after) - set(before)
    assert ended.ru_utime + ended.ru_stime - began.ru_utime - began.ru_stime < MOST_SECONDS


def test_a_file_beyond_the_limit_is_not_read_to_its_end(store: Store, tmp_path: Path) -> None:
    path = given(tmp_path / "in", "a.csv", b"text\n")
    with path.open("r+b") as file:
        file.truncate(100 * limits.FILE_BYTES)  # nothing of it is on the disk
    with pytest.raises(RequestError, match="At most 50 MB"):
        bench.check_data(path, task=TEXT, store=store)


def test_what_is_no_plain_file_is_not_opened(store: Store, tmp_path: Path) -> None:
    (tmp_path / "link.csv").symlink_to("/etc/passwd")
    (tmp_path / "folder.csv").mkdir()
    os.mkfifo(tmp_path / "pipe.csv")
    for name in ("link.csv", "folder.csv", "pipe.csv", "nowhere.csv"):
        with pytest.raises(RequestError, match=name):
            bench.check_data(tmp_path / name, task=TEXT, store=store)


def test_a_file_that_fills_the_memory_ends_its_worker_only(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MEMORY_BYTES", 300_000_000)
    good = bench.check_data(given(tmp_path / "in", "a.json", json.dumps(rows()).encode()), task=TEXT, store=store)
    assert good.path is not None
    bomb = b'[{"text": [' + b"[]," * 5_000_000 + b"[]]}]"
    with pytest.raises(RequestError, match="of memory"):
        bench.check_data(given(tmp_path / "in", "b.json", bomb), task=TEXT, store=store)


def test_a_file_that_takes_too_long_is_given_up(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SECONDS", 1)
    slow = b'[{"text": [' + b'{"a":[]},' * 3_000_000 + b"[]]}]"
    with pytest.raises(RequestError, match="more than 1 s"):
        bench.check_data(given(tmp_path / "in", "a.json", slow), task=TEXT, store=store)


@pytest.mark.parametrize(
    ("name", "clean"),
    [
        ("../../etc/passwd.csv", "_.._etc_passwd.csv"), (".hidden.csv", "hidden.csv"), ("a\x00b\n.csv", "a_b_.csv"),
        ("data[train].csv", "data_train_.csv"), ("org/name@main.csv", "org_name_main.csv"), ("été.csv", "été.csv"),
        ("...", "data"), ("x" * 300 + ".csv", "x" * 120 + ".csv"), ("\u202egnp.csv", "_gnp.csv"),
    ],
)  # fmt: skip
def test_a_name_becomes_one_plain_part_of_a_path(name: str, clean: str) -> None:
    found = clean_name(name)
    assert found == clean and "/" not in found and not found.startswith(".") and found.isprintable()


def test_checking_imports_no_table_reader_into_the_page(store: Store, tmp_path: Path) -> None:
    path = given(tmp_path / "in", "a.parquet", parquet(pa.Table.from_pylist(rows())))
    code = f"from workbench import bench; assert bench.check_data({str(path)!r}, task={TEXT!r}).path"
    assert not modules_after(code) & (HEAVY | {"PIL", "soundfile", "numpy"})


# ---- the page's part ----------------------------------------------------------------------------

EVIL = "<script>alert('x')</script>\"><img src=x onerror=alert(1)>"


def test_the_preview_escapes_everything_that_came_with_the_file() -> None:
    checked = DataCheck(
        EVIL, EVIL, 10, 2, EVIL, EVIL, (Column(EVIL, EVIL, EVIL),), ((EVIL,),), ((EVIL, 1),), 1,
        (Wrong(1, EVIL, EVIL, EVIL, EVIL),), 1, (EVIL,),
    )  # fmt: skip
    said = data_preview(checked)
    assert "<script" not in said and "<img" not in said and said.count("&lt;script&gt;") >= 9


def test_the_preview_says_what_each_column_was_taken_for_and_how_many_rows_are_wrong() -> None:
    checked = DataCheck(
        "a.csv", "csv", 2_300_000, 1200, TEXT, columns=(Column("id", "whole number"), Column("review", "text", "text")),
        preview=(("1", "good"),), wrong=(Wrong(7, "review", "Has an empty `review`."),), wrong_total=25,
    )  # fmt: skip
    said = data_preview(checked)
    assert "25 rows of 1,200 cannot be used" in said and "24 more rows not shown" in said
    assert "review is the text" in said and "2.3\u00a0MB" in said
    assert said.index("<code>review</code>") < said.index("<code>id</code>")
