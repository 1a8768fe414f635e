"""Data in: a Hub data set, a file, a folder or the starter becomes rows in the fields of a task."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from workbench.artifact import digest_of, sha256_of_file
from workbench.errors import RequestError
from workbench.hub import starters
from workbench.hub.client import (
    Progress,
    RemoteFile,
    Repository,
    Token,
    api,
    fetch,
    hub_errors,
    list_files,
    read_small,
)
from workbench.hub.columns import Fields, find_columns, make_row
from workbench.hub.layout import Layout, by_names, choose_split, layout_of
from workbench.hub.models import inside
from workbench.hub.tables import PICTURES, SOUNDS, TABLES, Table, open_table, too_large

REFERENCE = re.compile(r"(?P<id>[A-Za-z0-9][\w.-]*(/[\w.-]+)?)(:(?P<config>[^@\[\]:]+))?(@(?P<revision>[^\[\]@]+))?")
MAX_ROWS = 200_000
MAX_BYTES = 1_000_000_000
MOST_CARD = 1_000_000  # bytes of a card that are looked at
Wrong = Callable[[str, int, RequestError], None]  # table, row, what is wrong with it
TRAIN = {"starter": "calibration", "hub": "train", "local": "train"}


@dataclass(frozen=True)
class DataInfo:
    """Data that was found and not yet read. `id` is what a recipe says; `parts` split -> files, paths below
    `folder` or in the repository; `commit` only for the Hub. `note`: what whoever reads a result must know of it."""

    id: str
    kind: Literal["hub", "local", "starter"]
    split: str
    parts: Mapping[str, tuple[RemoteFile, ...]]
    commit: str | None = None
    folder: Path | None = None
    separator: str | None = None
    whole_folders: bool = False
    note: str = ""

    @property
    def files(self) -> tuple[RemoteFile, ...]:
        return self.parts[self.split]

    @property
    def revision(self) -> str:
        """The commit (40 hex); the sha256 of a local file; one digest for several files."""
        if self.commit:
            return self.commit
        if len(self.files) == 1 and not self.whole_folders:
            return str(self.files[0].sha256)
        return digest_of([{"path": file.path, "sha256": file.sha256} for file in self.files])

    @property
    def size_bytes(self) -> int:
        return sum(file.bytes or 0 for file in self.files)

    @property
    def train(self) -> DataInfo | None:
        """The part for calibration: the data set's own train split, unless that is the one in use."""
        name = TRAIN[self.kind]
        return replace(self, split=name) if name in self.parts and name != self.split else None


@dataclass(frozen=True)
class Data:
    """Rows in the fields of a task, each with its "id" and "row", its number in its table. `columns` says
    field -> column; pictures and sounds are bytes or a Path. Without the target field the data is label-free,
    and `warnings` says so."""

    source: str
    kind: str
    revision: str
    split: str
    columns: Mapping[str, str]
    rows: list[dict[str, Any]] = field(repr=False)
    labelled: bool = True
    warnings: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def ids(self) -> list[str]:
        return [row["id"] for row in self.rows]


def find_data(reference: str, *, split: str | None = None, token: Token = None, at: Path | None = None) -> DataInfo:
    """What `reference` names: `org/name:config@revision[split]`, a file, a folder, `starter:<name>`, or
    `local:<name>` with its file or folder `at`. A split in brackets wins over none, not over another.

    Nothing but a data card is downloaded. Raises RequestError for what is not there or can't be read.
    """
    path = Path(reference).expanduser()
    if not path.exists():
        reference, split = _take_split(reference, split)
        path = Path(reference).expanduser()
    if reference.startswith("starter:"):
        return _find_starter(reference, split)
    if reference.startswith("local:"):
        if at is None or not at.exists():
            raise RequestError(f"`{reference}` is local data.", "It is not known here.", "Give it with --data.")
        return _find_local(at, reference, split)
    if path.exists():
        return _find_local(path, f"local:{path.resolve().name}", split)
    if path.suffix.lower() in TABLES or reference.startswith((".", "/", "~")):
        raise RequestError(f"There is no file or folder {reference}.", "", "Check the path.")
    return _find_on_hub(reference, split, token)


def _take_split(reference: str, split: str | None) -> tuple[str, str | None]:
    match = re.fullmatch(r"(.+)\[([^\[\]]+)\]", reference)
    if match is None:
        return reference, split
    if split and split != match[2]:
        raise RequestError(f"`{reference}` names a split, and so does the request (`{split}`).", "", "Name one.")
    return match[1], match[2]


def _find_starter(reference: str, split: str | None) -> DataInfo:
    folder = starters.find(reference)
    parts = {name: (_local_file(folder, path),) for name, path in starters.data_files(folder).items()}
    split, note = choose_split(parts, split, reference), starters.card(folder).get("note", "")
    return DataInfo(reference, "starter", split, parts, folder=folder, note=note)


def _local_file(folder: Path, path: Path) -> RemoteFile:
    real = inside(folder, path)
    return RemoteFile(path.relative_to(folder).as_posix(), sha256_of_file(real), None, real.stat().st_size)


def _find_local(path: Path, name: str, split: str | None) -> DataInfo:
    if path.is_file():
        folder = path.resolve().parent
        parts = {"all": (_local_file(folder, path.resolve()),)}
        return DataInfo(name, "local", choose_split(parts, split, name), parts, folder=folder)
    whole = _media_folders(path)
    if whole:
        listed = {part: tuple(_local_file(path, file) for file in _below(folder)) for part, folder in whole.items()}
        return DataInfo(name, "local", choose_split(listed, split, name), listed, folder=path, whole_folders=True)
    tables = [file.relative_to(path).as_posix() for file in _below(path) if file.suffix.lower() in TABLES]
    if not tables:
        raise RequestError(
            f"The folder {path} holds no data that can be read.",
            "Wanted are CSV, JSONL or Parquet files, a metadata.csv with `file_name`, or one subfolder a class.",
            "Check the path.",
        )
    found = {part: tuple(_local_file(path, path / file) for file in files) for part, files in by_names(tables).items()}
    return DataInfo(name, "local", choose_split(found, split, name), found, folder=path)


def _below(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.name.startswith("."))


def _media_folders(folder: Path) -> dict[str, Path]:
    """{"all": folder} for a folder of pictures or sounds, {split: subfolder} when it is split that way."""
    if _is_media(folder):
        inner = {split: sub for sub in sorted(folder.iterdir()) if sub.is_dir() and (split := _as_split(sub.name))}
        if not inner or (folder / "metadata.csv").is_file() or (folder / "metadata.jsonl").is_file():
            return {"all": folder}
    else:
        inner = {split: sub for sub in sorted(folder.iterdir()) if sub.is_dir() and (split := _as_split(sub.name))}
    return {split: sub for split, sub in inner.items() if _is_media(sub)}


def _as_split(name: str) -> str:
    return next(iter(by_names([f"{name}.csv"])), "all").replace("all", "")


def _is_media(folder: Path) -> bool:
    listed = any((folder / name).is_file() for name in ("metadata.csv", "metadata.jsonl"))
    return listed or any(path.suffix.lower() in PICTURES + SOUNDS for path in folder.glob("*/*"))


def _find_on_hub(reference: str, split: str | None, token: Token) -> DataInfo:
    match = REFERENCE.fullmatch(reference)
    if match is None:
        raise RequestError(
            f"`{reference}` is neither a file here nor the id of a data set.",
            "An id looks like org/name:config@revision[split].", "Check the spelling.",
        )  # fmt: skip
    name, config = match["id"], match["config"]
    with hub_errors("dataset", name, match["revision"]):
        said = api(token).dataset_info(name, revision=match["revision"], timeout=20)
        repository = Repository("dataset", said.id, said.sha)
        files = {file.path: file for file in list_files(repository, token)}
        card = _front_matter(read_small(repository, files["README.md"], token)) if "README.md" in files else {}
        layout = layout_of(files, name, card, config)
    return _hub_info(said.id, said.sha, layout, files, split)


def _hub_info(name: str, commit: str, layout: Layout, files: Mapping[str, RemoteFile], split: str | None) -> DataInfo:
    parts = {part: tuple(files[path] for path in paths) for part, paths in layout.splits.items()}
    name = f"{name}:{layout.config}" if layout.config else name
    return DataInfo(name, "hub", choose_split(parts, split, name), parts, commit, separator=layout.separator)


def _front_matter(readme: bytes) -> dict[str, Any]:
    """The YAML between the two lines of dashes on top of a card, safely loaded; {} when there is none, or one that
    refers to itself: few bytes could mean many gigabytes."""
    import yaml

    text = readme[:MOST_CARD].decode("utf-8", "replace").removeprefix("\ufeff")
    match = re.match(r"---[ \t\r]*\n(.*?)\n---[ \t\r]*(\n|$)", text, re.DOTALL)
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        if match is None or _surprises(yaml.parse(match[1], Loader=loader)):
            return {}
        found = yaml.load(match[1], Loader=loader)  # a safe one
    except (yaml.YAMLError, RecursionError, ValueError, TypeError):  # it says nothing then; file names still do
        return {}
    return found if isinstance(found, dict) else {}


def _surprises(events: Iterable[Any]) -> bool:
    """Whether YAML refers to itself, or nests deeper than any card: a scanner takes ages for that."""
    import yaml

    depth = 0
    for event in events:
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if isinstance(event, yaml.AliasEvent) or depth > 50:
            return True
    return False


def fetch_data(info: DataInfo, into: Path, progress: Progress, *, token: Token = None,
               max_bytes: int = MAX_BYTES) -> list[dict[str, Any]]:  # fmt: skip
    """Download the split's files from the Hub into `into`, as many as fit into `max_bytes` and at least one.
    Every file is checked by size and hash. Local data needs no fetching: the manifest says what is there."""
    if info.kind != "hub":
        return [{"path": file.path, "sha256": file.sha256, "bytes": file.bytes} for file in info.files]
    into.mkdir(parents=True, exist_ok=True)
    repository = Repository("dataset", info.id.split(":")[0], str(info.commit))
    return fetch(repository, _that_fit(info, max_bytes), into, token, progress)


def _that_fit(info: DataInfo, max_bytes: int) -> list[RemoteFile]:
    chosen: list[RemoteFile] = []
    total = 0
    for file in info.files:
        total += file.bytes or 0
        if total > max_bytes and chosen:
            break
        if total > max_bytes:
            raise too_large(file.path, total, max_bytes)
        chosen.append(file)
    return chosen


def open_tables(info: DataInfo, *, into: Path | None = None, max_bytes: int = MAX_BYTES) -> list[Table]:
    """The tables of the split as they are. Raises RequestError for what is too large or broken."""
    return [open_table(path, max_bytes, info.separator) for path in _paths(info, into, max_bytes)]


def read_rows(info: DataInfo, fields: Fields, *, into: Path | None = None, max_rows: int = MAX_ROWS,
              max_bytes: int = MAX_BYTES, wrong: Wrong | None = None) -> Data:  # fmt: skip
    """The rows of the split in the task's fields. `into` is where `fetch_data` put a Hub data set.

    Raises RequestError for a table that is broken, has no rows, more than `max_rows` (a Hub split is cut
    there, with a warning), no input column, or a row whose input is empty (named by its number). With `wrong`,
    such a row is told to it and left out.
    """
    tables = open_tables(info, into=into, max_bytes=max_bytes)
    mapping = find_columns(tables[0].columns, fields, tables[0].name)
    alternatives = [set(names) for names in fields.inputs if set(names) <= set(mapping)]
    inputs = max(alternatives, key=len)
    rows: list[dict[str, Any]] = []
    warnings = [info.note] if info.note else []
    seen = 0
    for seen, (raw, table, number) in enumerate(_numbered(tables, mapping), 1):
        if seen > max_rows:
            if info.kind != "hub":
                raise too_many(table.name, max_rows)
            warnings.append(f"Only the first {max_rows:,} rows of {info.id} ({info.split}) are used.")
            break
        try:
            row = make_row(raw, mapping, inputs, table.folder, f"Row {number} of {table.name}")
        except RequestError as error:
            if wrong is None:
                raise
            wrong(table.name, number, error)
        else:
            rows.append(row | {"row": number})
    if not seen:
        raise RequestError(f"{info.id} has no rows.", "There is only a header.", "Give data with rows.")
    return _data(info, mapping, rows, fields, warnings, tables[0])


def too_many(name: str, max_rows: int) -> RequestError:
    return RequestError(f"{name} has more than {max_rows:,} rows.", "More are not read.", "Give a smaller part of it.")


def _paths(info: DataInfo, into: Path | None, max_bytes: int) -> list[Path]:
    folder = into if info.kind == "hub" else info.folder
    if folder is None:
        raise RequestError(f"The files of `{info.id}` are not here.", "They were not fetched.", "Fetch them first.")
    if info.kind == "hub":
        return [folder / file.path for file in _that_fit(info, max_bytes)]
    if not info.whole_folders:
        return [folder / file.path for file in info.files]
    if info.size_bytes > max_bytes:
        raise too_large(info.id, info.size_bytes, max_bytes)
    return [_media_folders(folder)[info.split]]


def _numbered(tables: list[Table], mapping: Mapping[str, str]) -> Iterator[tuple[dict[str, Any], Table, int]]:
    for table in tables:
        if missing := set(mapping.values()) - set(table.columns):
            raise RequestError(
                f"{table.name} has no column `{sorted(missing)[0]}`.", "Other files of the split have it."
            )
        for number, raw in enumerate(table.rows(sorted(set(mapping.values()))), 1):
            yield raw, table, number


def _data(info: DataInfo, mapping: dict[str, str], rows: list[dict[str, Any]], fields: Fields, warnings: list[str],
          table: Table) -> Data:  # fmt: skip
    target = fields.target
    labelled = target in mapping and any(row[target] not in (None, -1) for row in rows)
    if target and not labelled:
        why = f"column `{mapping[target]}` is empty" if target in mapping else f"no column for `{target}` was found"
        warnings.append(f"Label-free: {why} in {table.name}; only agreement with the baseline can be judged.")
        mapping = {key: column for key, column in mapping.items() if key != target}
        rows = [{key: value for key, value in row.items() if key != target} for row in rows]
    names = table.facts.get("classes", {}).get(mapping.get(str(target)))
    if target and names and fields.by_name:
        rows = [row | {target: _named(row[target], names)} for row in rows]
    facts = {"classes": names} if names else {}
    return Data(info.id, info.kind, info.revision, info.split, mapping, rows, labelled, tuple(warnings), facts)


def _named(label: Any, names: Sequence[str]) -> Any:
    return names[label] if isinstance(label, int) and 0 <= label < len(names) else label
