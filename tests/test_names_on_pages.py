"""Names that strangers write into the page."""

from __future__ import annotations

from pathlib import Path

import pytest

from workbench.errors import RequestError
from workbench.faces.web import choose
from workbench.faces.web.around import Desk
from workbench.faces.web.visitors import Visitors
from workbench.faces.web.watching import Watching
from workbench.store import Store


def test_a_name_that_is_a_place_of_the_server_is_refused_however_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page that is served from a folder with other folders in it."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "rows.csv").write_text("text\n")
    monkeypatch.chdir(tmp_path)
    store = Store()
    desk = Desk(store, Visitors(store, shared=True), Watching(store))
    places = ["/etc/passwd", "~/x", "./rows.csv", "rows.csv", "rows.csv[all]", "docs", "docs/../rows.csv[all]",
              "docs@main", "docs/../../x@main", "nowhere/../../etc/passwd", "local:rows.csv",
              "file:///etc/passwd", " /etc/passwd ", "docs\\..\\x", "a\0b", "a\nb"]  # fmt: skip
    for name in places:
        with pytest.raises(RequestError, match="place on this server"):
            choose.refuse_places((name,), desk)
    choose.refuse_places(
        ("starter:sentiment", "org/model", "org/model@main", "org/data:config[test]", "", "x" * 5000), desk
    )
    for shelf in ('{"recipes": ["/etc/passwd"]}', '{"recipes": ["../x.yaml"]}'):
        with pytest.raises(RequestError, match="There is no recipe called"):
            choose.Choice("starter:sentiment", shelf=shelf).recipes()
