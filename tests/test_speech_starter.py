"""The starter of speech: what lies in it is what its card says, and it stands in where nobody names data."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile

from starter import make_speech
from tests.tiny import media
from workbench import bench
from workbench.artifact import sha256_of_file
from workbench.errors import RequestError
from workbench.hub import find_data, find_model, starters
from workbench.planning import Plan
from workbench.tasks.transcripts import normalized

FOLDER = starters.find("starter:speech")
CARD = starters.card(FOLDER)
SENTENCES = (FOLDER / "sentences.txt").read_text(encoding="utf-8").splitlines()


def rows(part: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.read_table(FOLDER / f"{part}.parquet").to_pylist()
    return found


def test_its_files_have_the_hashes_of_its_card_and_are_small() -> None:
    assert CARD["files"] == {name: sha256_of_file(FOLDER / name) for name in CARD["files"]}
    assert find_data("starter:speech").revision == CARD["files"]["evaluation.parquet"]
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 2.5e6


def test_each_sentence_is_spoken_once_and_has_words_to_count() -> None:
    spoken = [row["text"] for part in CARD["rows"] for row in rows(part.removesuffix(".parquet"))]
    assert sorted(spoken) == sorted(set(SENTENCES)) and len(spoken) == sum(CARD["rows"].values())
    assert min(len(normalized(text).split()) for text in spoken) >= 4


@pytest.mark.parametrize("part", ["evaluation", "calibration"])
def test_its_sounds_can_be_heard_and_are_as_long_as_the_card_says(part: str) -> None:
    found = rows(part)
    heads = [soundfile.info(io.BytesIO(row["audio"]["bytes"])) for row in found]
    assert {(head.samplerate, head.channels, head.format) for head in heads} == {(16_000, 1, "OGG")}
    seconds, said = [head.duration for head in heads], CARD["measured"][part]
    assert (len(found), round(sum(seconds), 1)) == (said["n"], said["seconds"])
    assert (round(min(seconds), 2), round(max(seconds), 2)) == (said["shortest_s"], said["longest_s"])
    assert all(np.abs(soundfile.read(io.BytesIO(row["audio"]["bytes"]))[0]).max() > 0.1 for row in found)
    spread = Counter(row["voice"] for row in found)
    assert set(spread) == set(CARD["data"]["voices"]) and max(spread.values()) - min(spread.values()) <= 1


def test_a_sound_is_written_with_the_same_bytes_each_time() -> None:
    tone = (8000 * np.sin(np.arange(16_000) / 9)).astype(np.int16)
    once = make_speech.encode(tone)
    assert once == make_speech.encode(tone) == make_speech.numbered(make_speech.numbered(once, 7), make_speech.SERIAL)
    assert once != make_speech.numbered(once, 7)
    assert len(soundfile.read(io.BytesIO(once))[0]) == len(tone)


def test_it_is_made_of_the_rows_that_its_script_would_choose() -> None:
    for part, chosen in make_speech.split(SENTENCES, seed=20).items():
        assert chosen == [(row["text"], row["voice"], row["stretch"]) for row in rows(part)]


def test_it_is_data_and_no_model() -> None:
    with pytest.raises(RequestError) as caught:
        find_model("starter:speech")
    assert "--data" in caught.value.why and "starter:sentiment" in caught.value.fix
    assert "starter:speech" not in bench.starters() and "starter:fashion" in bench.starters()


def plan_of(make: Callable[[Path], Path], folder: Path, recipe: str, **asked: Any) -> Plan:
    return bench.plan(bench.request(str(make(folder / "model")), [recipe], **asked))


@pytest.mark.parametrize("make", [media.make_whisper, media.make_ctc, media.make_ast])
def test_sounds_without_data_are_planned_with_it_and_without_its_labels(
    make: Callable[[Path], Path], tmp_path: Path
) -> None:
    plan = plan_of(make, tmp_path, "onnx-fp32")
    said = plan.data["evaluation"]
    assert (said["source"], said["split"], said["n"]) == ("starter:speech", "evaluation", 100)
    assert not said["labelled"] and any("without their labels" in warning for warning in plan.warnings)
    assert CARD["note"] in plan.warnings


def test_named_as_data_it_has_its_texts_and_sounds_of_its_own_to_calibrate_with(tmp_path: Path) -> None:
    plan = plan_of(media.make_ctc, tmp_path, "onnx-int8-static", data="starter:speech")
    assert plan.data["evaluation"]["labelled"] and plan.data["evaluation"]["n"] == 100
    assert plan.data["calibration"]["split"] == "calibration" and plan.data["calibration"]["n"] == 30
    assert plan.warnings == (CARD["note"],)
