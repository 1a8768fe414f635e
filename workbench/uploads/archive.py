"""A zip of pictures, sounds or tables into an empty folder. What is hostile is refused before a byte is written."""

from __future__ import annotations

import re
import stat
import unicodedata
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from workbench.errors import RequestError
from workbench.hub.tables import PICTURES, SOUNDS, TABLES
from workbench.uploads.found import shown
from workbench.uploads.limits import DEPTH, FILES, RATIO, UNPACKED_BYTES

ENTRY = b"PK\x01\x02"  # begins every entry of a zip's directory
RATIO_FROM = 1_000_000  # bytes; below, a ratio says nothing
ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".zst", ".whl", ".jar")
WANTED = TABLES + PICTURES + SOUNDS
NAME_BYTES = 200  # of one part of a path
CHUNK = 1 << 20
FIX = "Pack the folder again, with tables, pictures or sounds only."


def unpack(path: Path, into: Path) -> int:
    """Fill the empty folder `into`; how many files of other kinds were left out.

    Raises RequestError for what is broken, encrypted, too large, too many, a link, another archive, or a name that
    leads out of the folder or can be read in two ways.
    """
    name = path.name
    if path.read_bytes().count(ENTRY) > FILES:  # before their list is made
        raise _refused(name, f"It holds more than {FILES:,} files.")
    try:
        with zipfile.ZipFile(path) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            for entry in archive.infolist():
                _check_entry(entry, name)
            _check_names(entries, name)
            total = sum(entry.file_size for entry in entries)
            if total > UNPACKED_BYTES:
                raise _refused(name, f"Unpacked it has {total / 1e6:,.0f} MB; at most {UNPACKED_BYTES / 1e6:,.0f} are.")
            wanted = [entry for entry in entries if _is_wanted(entry.filename)]
            for entry in wanted:
                _write(archive, entry, into / entry.filename)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, ValueError) as error:
        raise RequestError(f"{name} cannot be unpacked.", f"{shown(error)}.", "Pack it again as a zip.") from error
    return len(entries) - len(wanted)


def _refused(name: str, why: str) -> RequestError:
    return RequestError(f"{name} is not unpacked.", why, FIX)


def _check_entry(entry: zipfile.ZipInfo, name: str) -> None:
    given, label = entry.orig_filename, shown(entry.orig_filename)
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise _refused(name, f"{label} is {'a link' if kind == stat.S_IFLNK else 'no plain file'}.")
    if any(unicodedata.category(char) in ("Cc", "Cs") for char in given):
        raise _refused(name, f"The name {label} has characters that cannot be shown.")
    parts = given.rstrip("/").split("/")
    if given.startswith("/") or "\\" in given or re.match(r"[A-Za-z]:", given) or {"..", ".", ""} & set(parts):
        raise _refused(name, f"The name {label} leads out of the folder.")
    if len(parts) > DEPTH or any(len(part.encode()) > NAME_BYTES for part in parts):
        raise _refused(name, f"The name {label} is too long or too deep.")
    if given.lower().endswith(ARCHIVES):
        raise _refused(name, f"{label} is an archive in an archive.")
    if entry.flag_bits & 1:
        raise _refused(name, f"{label} is encrypted.")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise _refused(name, f"{label} is compressed in an unusual way.")
    if entry.file_size > RATIO_FROM and entry.file_size > RATIO * max(entry.compress_size, 1):
        raise _refused(name, f"{label} would be more than {RATIO} times as large unpacked.")


def _check_names(entries: list[zipfile.ZipInfo], name: str) -> None:
    """Each once, in any case and spelling, and none a file here and a folder there."""
    plain = [unicodedata.normalize("NFC", entry.filename).casefold() for entry in entries]
    folders = {str(parent) for one in plain for parent in PurePosixPath(one).parents}
    twice = next((one for one, before in zip(sorted(plain)[1:], sorted(plain), strict=False) if one == before), None)
    if twice or (twice := next((one for one in plain if one in folders), None)):
        raise _refused(name, f"The name {shown(twice)} is there twice.")


def _is_wanted(name: str) -> bool:
    """A table, picture or sound; not what a Mac or an editor leaves beside them."""
    parts = PurePosixPath(name).parts
    return name.lower().endswith(WANTED) and not any(part.startswith((".", "__MACOSX")) for part in parts)


def _write(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path) -> None:
    """Never more than the entry says, for that is what was added up."""
    target.parent.mkdir(parents=True, exist_ok=True)
    left = entry.file_size
    with archive.open(entry) as source, target.open("xb") as out:
        while chunk := source.read(CHUNK):
            left -= len(chunk)
            if left < 0:
                raise zipfile.BadZipFile(f"{shown(entry.filename)} is larger than it says")
            out.write(chunk)


def top_of(folder: Path) -> Path:
    """The folder that holds the data: archives often wrap everything in one more. A folder of pictures without a
    list stays inside, for its name is their label."""
    here = list(folder.iterdir())
    while len(here) == 1 and here[0].is_dir() and not _is_class(here[0]):
        folder = here[0]
        here = list(folder.iterdir())
    return folder


def _is_class(folder: Path) -> bool:
    files = [path.name.lower() for path in folder.iterdir() if path.is_file()]
    return any(one.endswith(PICTURES + SOUNDS) for one in files) and not any(one.endswith(TABLES) for one in files)
