"""A shared server is asked over HTTP by somebody else than the owner of a run: nothing of theirs comes back."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.probing import CANARY, leaks, probed

pytestmark = pytest.mark.slow
PROBES = 300


def test_300_probes_of_another_session_get_nothing_and_the_owner_gets_everything(
    warm_home: Path, warm_run: tuple[Path, str], tmp_path: Path
) -> None:
    before = sorted(path for path in warm_home.rglob("*") if "exports" not in path.parts and path.is_file())
    with probed(warm_home, warm_run[1], tmp_path / "log") as target:
        assert CANARY in target.call("result", target.run, target.owner), "the probes look for what is really there"
        assert len(target.functions) > 25
        found = leaks(target, PROBES)
        assert CANARY in target.call("result", target.run, target.owner), "the run is still there"
    assert not found, found
    gone = [path for path in before if not path.exists()]
    assert not gone and not list(Path("/tmp").glob("evil*")) and not list(tmp_path.rglob("evil*"))
    said = (tmp_path / "log").read_text()
    assert CANARY not in said and target.owner not in said
