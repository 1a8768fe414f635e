"""How often pages look at a run: once a second, and more rarely the more of them there are while somebody measures."""

from __future__ import annotations

from pathlib import Path

import pytest

from workbench import turns
from workbench.faces.web.watching import MOST_LOOKS, POLL, POLL_MEASURING, Watching
from workbench.store import Store


def test_pages_look_every_second_until_somebody_measures(home: Path) -> None:
    watching = Watching(Store(home))
    assert watching.pace("one") == POLL
    with turns.measuring_turn(lambda before: None):
        assert watching.pace("one") == POLL_MEASURING
    assert watching.pace("one") == POLL


def test_all_pages_together_look_no_more_often_while_somebody_measures(home: Path) -> None:
    watching = Watching(Store(home))
    with turns.measuring_turn(lambda before: None):
        paces = [watching.pace(f"visitor {number % 20}") for number in range(40)]
    assert paces[:9] == [POLL_MEASURING] * 9 and paces[-1] == pytest.approx(20 / MOST_LOOKS)
