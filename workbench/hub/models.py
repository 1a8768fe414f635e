"""Models in: a Hub id, a local folder or the starter becomes a ModelInfo, and a ModelInfo becomes a folder."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from workbench.artifact import digest_of, manifest_of, sha256_of_file
from workbench.errors import RequestError, WorkbenchError
from workbench.hub import allowed, starters
from workbench.hub.client import (
    PARTIAL,
    Progress,
    RemoteFile,
    Repository,
    Token,
    api,
    ask,
    fetch,
    hub_errors,
    list_files,
    read_small,
    verified,
)
from workbench.hub.headers import check_safetensors

HUB_ID = re.compile(r"(?P<id>[A-Za-z0-9][\w.-]*(/[\w.-]+)?)(@(?P<revision>[^@\s]+))?")


@dataclass(frozen=True)
class ModelInfo:
    """A model before any of its weights are here.

    `id` is what a recipe says, `revision` a commit (40 hex) or, for local folders and the starter, the digest
    of the content (64 hex). `files` are those that `fetch_model` will bring, `config` is config.json.
    """

    id: str
    kind: Literal["hub", "local", "starter"]
    revision: str
    files: tuple[RemoteFile, ...]
    config: dict[str, Any]
    license: str | None = None
    gated: bool = False
    pipeline_tag: str | None = None
    folder: Path | None = None

    @property
    def size_bytes(self) -> int:
        return sum(file.bytes or 0 for file in self.files)


@dataclass(frozen=True)
class ModelSummary:
    """One hit of a search on the Hub."""

    id: str
    task: str | None
    downloads: int
    likes: int
    license: str | None
    gated: bool


def find_model(
    reference: str, revision: str | None = None, *, token: Token = None,
    formats: Sequence[str] = ("safetensors",), at: Path | None = None,
) -> ModelInfo:  # fmt: skip
    """What `reference` names, with nothing downloaded but its small JSON files.

    `reference` is `org/name[@revision]`, a folder, `starter:<name>`, or `local:<name>` with its folder `at`.
    `formats` adds "onnx" and "openvino" weights for models that are used as they are. `token` False sends no
    token. Raises RequestError for anything that is not a usable model.
    """
    if reference.startswith("starter:"):
        return _find_starter(reference)
    if reference.startswith("local:"):
        return _find_local(_given(reference, at), formats, reference)
    path = Path(reference).expanduser()
    if path.is_dir():
        return _find_local(path, formats, f"local:{path.resolve().name}")
    if path.is_file():
        raise RequestError(f"`{reference}` is a file.", "A model is a folder.", f"Give the folder {path.parent}.")
    return _find_on_hub(*parse_hub_id(reference, revision), token=token, formats=formats)


def _given(reference: str, at: Path | None) -> Path:
    if at is None or not at.is_dir():
        missing = "Its folder is not known here." if at is None else f"There is no folder {at}."
        raise RequestError(f"`{reference}` is a local model.", missing, "Give its folder with --model.")
    return at


def parse_hub_id(reference: str, revision: str | None = None) -> tuple[str, str | None]:
    """`org/name@revision` -> ("org/name", revision)."""
    match = HUB_ID.fullmatch(reference)
    if match is None or reference.startswith((".", "/", "~")) or reference.count("/") > 1:
        raise RequestError(
            f"There is no folder `{reference}`.", "It can't be the id of a model on the Hub either (org/name).",
            "Check the path.",
        )  # fmt: skip
    if revision and match["revision"] and match["revision"] != revision:
        raise RequestError(f"`{reference}` names a revision, and so does the request (`{revision}`).", "", "Name one.")
    return match["id"], match["revision"] or revision


def _find_on_hub(name: str, revision: str | None, token: Token, formats: Sequence[str]) -> ModelInfo:
    with hub_errors("model", name, revision):
        said = api(token).model_info(name, revision=revision, timeout=20)
        repository = Repository("model", said.id, said.sha)
        files = {file.path: file for file in list_files(repository, token)}
        paths = allowed.choose(files, name, formats)

        def read(path: str) -> bytes:
            return read_small(repository, files[path], token)

        config = allowed.checked_config(paths, read, name)
    return ModelInfo(
        said.id, "hub", said.sha, tuple(files[path] for path in paths), config, license=_license(said),
        gated=bool(said.gated), pipeline_tag=said.pipeline_tag,
    )  # fmt: skip


def _license(said: Any) -> str | None:
    if said.card_data and said.card_data.get("license"):
        return str(said.card_data.get("license"))
    return _license_of(said.tags or [])


def _license_of(tags: Sequence[str]) -> str | None:
    return next((tag.removeprefix("license:") for tag in tags if tag.startswith("license:")), None)


def _find_local(folder: Path, formats: Sequence[str], name: str) -> ModelInfo:
    present = dict(_walk(folder))
    if not present:
        raise RequestError(f"The folder {folder} is empty.", "", "Give the folder that `save_pretrained` wrote.")
    paths = allowed.choose(present, str(folder), formats)
    sources = {path: inside(folder, present[path]) for path in paths}
    config = allowed.checked_config(paths, lambda path: _small(sources[path], path, str(folder)), str(folder))
    _check_weights(sources, str(folder))
    files = tuple(
        RemoteFile(path, sha256_of_file(source), None, source.stat().st_size) for path, source in sources.items()
    )
    return ModelInfo(name, "local", _digest(files), files, config, folder=folder.resolve())


def _small(source: Path, path: str, name: str) -> bytes:
    """The bytes of a configuration."""
    allowed.check_size(path, source.stat().st_size, name)
    return source.read_bytes()


def _check_weights(files: Mapping[str, Path], name: str) -> None:
    """The list of shards and the heads of safetensors, of files that are here."""
    if allowed.INDEX in files:
        content = _small(files[allowed.INDEX], allowed.INDEX, name)
        allowed.check_index(allowed.parse_json(allowed.INDEX, content, name), name)
    for path, source in files.items():
        if path.endswith(".safetensors"):
            check_safetensors(source, f"{path} of `{name}`")


def _walk(folder: Path) -> Iterator[tuple[str, Path]]:
    """Files by their path with forward slashes, two folders deep; folders that are links are not entered."""
    for root, folders, names in os.walk(folder):
        depth = len(Path(root).relative_to(folder).parts)
        folders[:] = [name for name in folders if depth < 2 and not name.startswith(".")]
        for name in names:
            path = Path(root) / name
            if path.is_file():
                yield path.relative_to(folder).as_posix(), path


def inside(folder: Path, path: Path) -> Path:
    """The real file behind `path`. RequestError when a link leads out of the folder, except into the
    `blobs` of the Hub's own cache, where snapshots are folders of links."""
    real, home = path.resolve(), folder.resolve()
    blobs = home.parent.parent / "blobs" if home.parent.name == "snapshots" else home
    if not real.is_relative_to(home) and not real.is_relative_to(blobs):
        raise RequestError(
            f"{path.name} is a link out of {folder}.", "What it points to is no part of the folder.",
            "Replace the link with a copy of the file.",
        )  # fmt: skip
    return real


def _digest(files: Sequence[RemoteFile]) -> str:
    """What `digest_of(manifest_of(folder))` will say of the folder that these files make."""
    return digest_of([{"path": file.path, "sha256": file.sha256} for file in sorted(files, key=lambda f: f.path)])


def _find_starter(reference: str) -> ModelInfo:
    folder = starters.find(reference)
    if not starters.holds_model(folder):
        there = ", ".join(f"starter:{name}" for name in starters.starter_models())
        raise RequestError(
            f"{reference} holds no model.", "It is data, to be given with --data.", f"Starters with a model: {there}."
        )
    card = starters.card(folder)
    files = tuple(starters.model_files(folder))
    config = allowed.parse_config("config.json", (folder / "config.json").read_bytes(), reference)
    return ModelInfo(
        reference, "starter", _digest(files), files, config, license=card.get("licence"),
        pipeline_tag=card.get("task"), folder=folder,
    )  # fmt: skip


def fetch_model(info: ModelInfo, into: Path, progress: Progress, *, token: Token = None) -> list[dict[str, Any]]:
    """Fill `into` (empty, or left by an earlier try) with the model's files; returns [{path, sha256, bytes}].

    Every file is checked by size and hash before it gets its name; links are never kept. Raises
    WorkbenchError when a file is not what `info` says, also when a local folder changed in the meantime.
    """
    into.mkdir(parents=True, exist_ok=True)
    _refuse_strangers(info, into)
    if info.kind == "hub":
        repository = Repository("model", info.id, info.revision)
        manifest = fetch(repository, info.files, into, token, progress)
    elif info.kind == "starter":
        starters.make(_folder(info), into)
        manifest = _checked(info, into)
    else:
        _copy(info, into, progress)
        manifest = _checked(info, into)
    paths = [str(entry["path"]) for entry in manifest]
    allowed.checked_config(paths, lambda path: _small(into / path, path, info.id), info.id)
    _check_weights({path: into / path for path in paths}, info.id)
    return sorted(manifest, key=lambda entry: str(entry["path"]))


def _refuse_strangers(info: ModelInfo, into: Path) -> None:
    expected = {file.path for file in info.files}
    for path, _ in _walk(into):
        if path not in expected and not path.startswith(PARTIAL):
            raise WorkbenchError(f"{into} holds {path} already.", "A model is fetched into an empty folder.")


def _folder(info: ModelInfo) -> Path:
    if info.folder is None:
        raise WorkbenchError(f"The folder of `{info.id}` is not known.")
    return info.folder


def _copy(info: ModelInfo, into: Path, progress: Progress) -> None:
    folder, done = _folder(info), 0
    for file in info.files:
        target = into / file.path
        if not (target.is_file() and verified(target, file)):
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                shutil.copyfile(inside(folder, folder / file.path), target)
            except OSError as error:
                raise WorkbenchError(f"{file.path} cannot be copied.", f"{error.strerror}.") from error
        done += file.bytes or 0
        progress(done, info.size_bytes, file.path)


def _checked(info: ModelInfo, into: Path) -> list[dict[str, Any]]:
    manifest = manifest_of(into)
    found = {entry["path"]: entry["sha256"] for entry in manifest}
    for file in info.files:
        if found.get(file.path) != file.sha256:
            (into / file.path).unlink(missing_ok=True)
            raise WorkbenchError(
                f"{file.path} of `{info.id}` is not the file it was.", "It changed while it was read.", "Try again."
            )
    return manifest


def search_models(query: str, task: str | None = None, limit: int = 20, *, token: Token = None) -> list[ModelSummary]:
    """The most downloaded models on the Hub that have safetensors weights and match `query`."""
    params = {"search": query, "filter": "safetensors", "sort": "downloads", "limit": limit,
              "expand": ["downloads", "likes", "pipeline_tag", "tags", "gated"]}  # fmt: skip
    with hub_errors("model", query):
        found = ask("/api/models", params | ({"pipeline_tag": task} if task else {}), token)
    return [_summary(said) for said in found[:limit]]


def _summary(said: dict[str, Any]) -> ModelSummary:
    tags = [str(tag) for tag in said.get("tags") or []]
    return ModelSummary(
        str(said["id"]), said.get("pipeline_tag"), int(said.get("downloads") or 0), int(said.get("likes") or 0),
        _license_of(tags), bool(said.get("gated")),
    )  # fmt: skip
