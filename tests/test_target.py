"""Machine classes are data files; a target is a number of threads and no more questions."""

from __future__ import annotations

import pytest

from workbench.errors import RequestError
from workbench.recipe_keys import TargetKeys
from workbench.target import find_target, resolved, targets


def test_this_machine_is_the_first_target_and_every_one_says_what_it_is() -> None:
    names = [each.name for each in targets()]
    assert names[0] == "this-machine" and len(names) == len(set(names)) >= 5
    assert all(each.summary.endswith(".") and each.devices for each in targets())


def test_a_misspelt_target_gets_the_nearest() -> None:
    with pytest.raises(RequestError, match="Did you mean `x86-vnni`"):
        find_target("x86-vnn")


def test_auto_threads_become_a_number_and_a_number_stays() -> None:
    assert resolved(TargetKeys(backend="pytorch"), 2).threads == 2
    assert resolved(TargetKeys(backend="pytorch", threads=3), 2).threads == 3
