"""Entities in a row of tags, by seqeval's definition."""

from __future__ import annotations

import re
from collections.abc import Sequence

SCHEME = re.compile(r"O|[BIES]-.+")

Entity = tuple[str, int, int]  # type, first and last word


def is_scheme(tags: set[str]) -> bool:
    """Whether tags say where an entity begins and what is inside: IOB1, IOB2, IOE, IOBES; not parts of speech."""
    return tags != {"O"} and all(SCHEME.fullmatch(tag) for tag in tags)


def entities(tags: Sequence[str]) -> set[Entity]:
    """As seqeval 1.2.2 finds them in its default mode, which takes every scheme and mends what is broken: an `I-` after
    `O` or after another type begins an entity (seqeval/metrics/sequence_labeling.py: get_entities; after conlleval)."""
    found, begin, before, type_before = set(), 0, "O", ""
    for at, tag in enumerate([*tags, "O"]):
        place, type_ = tag[0], tag[1:].split("-", maxsplit=1)[-1] or "_"
        if _ends(before, place, type_before != type_):
            found.add((type_before, begin, at - 1))
        if _begins(before, place, type_before != type_):
            begin = at
        before, type_before = place, type_
    return found


def counted(right: Sequence[str], said: Sequence[str]) -> tuple[int, int, int]:
    """True positives, false positives, false negatives: an entity is right with its type and both ends."""
    wanted, found = entities(right), entities(said)
    return len(wanted & found), len(found - wanted), len(wanted - found)


def _ends(before: str, place: str, other: bool) -> bool:
    return before in "ES" or (before in "BI" and place in "BSO") or (before not in "O." and other)


def _begins(before: str, place: str, other: bool) -> bool:
    return place in "BS" or (before in "ESO" and place in "EI") or (place not in "O." and other)
