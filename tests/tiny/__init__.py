"""Tiny random models, one a task, with rows of theirs: what the matrix of tasks and backends is tried on.

A family file holds `TINY`, a tuple; this list is their registration.
"""

from tests.tiny.classifiers import TINY as CLASSIFIERS
from tests.tiny.kind import Tiny
from tests.tiny.media import TINY as MEDIA
from tests.tiny.texts import TINY as TEXTS
from tests.tiny.writers import TINY as WRITERS

ALL: tuple[Tiny, ...] = (*CLASSIFIERS, *TEXTS, *MEDIA, *WRITERS)
