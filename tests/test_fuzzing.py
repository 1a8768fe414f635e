"""Parsers of what strangers write take anything: what is wrong is told in words. The soak does it for minutes."""

from __future__ import annotations

import pytest

from tests.fuzzing import PARSERS, fuzz


@pytest.mark.parametrize("name", PARSERS)
def test_no_file_makes_a_parser_raise_anything_but_words(name: str) -> None:
    assert fuzz(name, 25) >= 25
