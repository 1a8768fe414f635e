"""Data that strangers hand in: looked at in a worker with limits, said row by row, and kept by content."""

from workbench.uploads.found import Column, DataCheck, Wrong
from workbench.uploads.kept import check, key_of

__all__ = ["Column", "DataCheck", "Wrong", "check", "key_of"]
