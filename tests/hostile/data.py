# ruff: noqa: E501 - one line a case
"""Tables and folders of files as `--data` takes them, and as a page takes them in."""

from __future__ import annotations

import io
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.hostile import Case, Scene


def file(name: str, content: bytes) -> Callable[[Scene], Path]:
    return lambda scene: scene.write({name: content}) / name


def parquet(rows: dict[str, Any], **how: Any) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    out = io.BytesIO()
    pq.write_table(pa.table(rows), out, **how)
    return out.getvalue()


def damaged_parquet() -> bytes:
    whole = parquet({"text": [f"row {n}" for n in range(100)], "label": ["a", "b"] * 50}, compression="none")
    return whole[:8] + b"\xff" * 64 + whole[72:]


def listing(names: str) -> Callable[[Scene], Path]:
    """A folder whose metadata.csv names these files."""
    return lambda scene: scene.write({"metadata.csv": f"file_name,label\n{names.format(secret=scene.secret)},a\n"})


def linked(scene: Scene) -> Path:
    made = scene.write({"metadata.csv": "file_name,label\na.png,a\n"})
    (made / "a.png").symlink_to(scene.secret)
    return made


def linked_table(scene: Scene) -> Path:
    made = scene.folder / "data"
    made.mkdir()
    (made / "train.csv").symlink_to(scene.secret)
    return made


def tar(kind: str = "") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=f"w:{kind}") as archive:
        entry = tarfile.TarInfo("../../marker.csv")
        entry.size = 5
        archive.addfile(entry, io.BytesIO(b"text\n"))
        link = tarfile.TarInfo("link.csv")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    return out.getvalue()


def packed(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def overlapping() -> bytes:
    """Twenty entries that are all the bytes of one (Fifield, WOOT '19)."""
    once = bytearray(packed({"a.csv": b"text\n" + bytes(range(65, 91)) * 1000}))
    place = once.index(b"PK\x01\x02")
    end = once.index(b"PK\x05\x06")
    entry, directory = bytes(once[place:end]), b""
    for letter in b"bcdefghijklmnopqrstu":
        directory += entry.replace(b"a.csv", bytes([letter]) + b".csv")
    tail = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 20, 20, len(directory), place, 0)
    return bytes(once[:place]) + directory + tail


def png_bomb() -> bytes:
    """A picture that says it is small and whose pixels are a gigabyte."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    packer = zlib.compressobj(9)
    pixels = b"".join(packer.compress(bytes(1_000_000)) for _ in range(100)) + packer.flush()
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0))
    text = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(50_000_000)))
    return b"\x89PNG\r\n\x1a\n" + head + text + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


TABLES: dict[str, tuple[Callable[[Scene], Path], str]] = {
    "a table of no bytes": (file("a.csv", b""), "is empty"),
    "a table of zeros": (file("a.csv", bytes(10_000)), "column"),
    "a table in UTF-16": (file("a.csv", "text,label\nx,a\n".encode("utf-16")), "not UTF-8"),
    "a table with half a character": (file("a.csv", b"text,label\n\xc3,a\n"), "not UTF-8"),
    "a table that is a pickle": (lambda s: file("a.csv", s.pickle())(s), "column"),
    "a table with an open quote": (file("a.csv", b'text,label\n"x,a\n'), "broken"),
    "a table with a cell of megabytes": (file("a.csv", b"text,label\n" + b"x" * 3_000_000 + b",a\n"), "field limit"),
    "a table with ragged rows": (file("a.csv", b"text,label\nx,a,b\n"), "Line 2"),
    "a table whose columns have one name": (file("a.csv", b"text,text\nx,y\n"), "different column names"),
    "lines of lists without end": (file("a.jsonl", b'{"text": ' + b"[" * 200_000 + b"\n"), "Line 1"),
    "a line that is no object": (file("a.jsonl", b'{"text": "x"}\n[1]\n'), "Line 2"),
    "a line with a number of many digits": (file("a.jsonl", b'{"text": ' + b"7" * 50_000 + b"}\n"), "Line 1"),
    "a list that is not closed": (file("a.json", b"[" * 500_000), "not valid JSON"),
    "a list of numbers": (file("a.json", b"[1, 2]"), "Item 1"),
    "Parquet that is none": (file("a.parquet", b"PAR1" + b"\xff" * 500 + b"PAR1"), "Parquet"),
    "Parquet whose pages are damaged": (lambda s: file("a.parquet", damaged_parquet())(s), "Parquet"),
    "Parquet whose foot lies": (file("a.parquet", b"PAR1\x15\x02" + b"\xff\xff\xff\x7fPAR1"), "Parquet"),
    "a picture by its absolute name": (listing("{secret}"), "leads out"),
    "a picture that climbs": (listing("../outside/secret.txt"), "leads out"),
    "a picture behind a link": (linked, "link out of"),
    "a table behind a link": (linked_table, "link out of"),
    "a tar": (file("a.tar", tar()), "not a kind of data"),
    "a packed tar": (file("a.tar.gz", tar("gz")), "not a kind of data"),
}  # fmt: skip
UPLOADS: dict[str, tuple[Callable[[Scene], Path], str]] = {
    "a tar to the page": (file("a.tar", tar()), "not a kind of data"),
    "a tar called zip": (file("a.zip", tar()), "cannot be unpacked"),
    "a zip whose entries are one": (file("a.zip", overlapping()), "cannot be unpacked"),
    "a picture that unpacks to gigabytes": (
        lambda s: file("a.zip", packed({f"a/{n}.png": png_bomb() for n in range(1)} | {"b/2.png": b"x"}))(s), ""),
    "a zip of a program": (lambda s: file("a.zip", packed({"setup.py": s.program().encode(), "run.sh": b"x"}))(s), "no data"),
    "a zip of a pickle called a table": (lambda s: file("a.zip", packed({"a.csv": s.pickle()}))(s), ""),
}  # fmt: skip
CASES = {name: Case("data", build, says) for name, (build, says) in TABLES.items()}
CASES |= {name: Case("upload", build, says) for name, (build, says) in UPLOADS.items()}
