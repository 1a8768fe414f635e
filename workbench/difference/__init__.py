"""What differs: between two recipe files, between a file and this machine, between two finished runs.

Facts only: what is other, and which of it can explain another speed or another accuracy. Nothing is measured here.
"""

from workbench.difference.change import KINDS, NOTHING, Change, Changes
from workbench.difference.files import between
from workbench.difference.here import from_here
from workbench.difference.pair import Accuracy, Pair, Speed
from workbench.difference.runs import Finished, TwoRuns, against

__all__ = [
    "KINDS",
    "NOTHING",
    "Accuracy",
    "Change",
    "Changes",
    "Finished",
    "Pair",
    "Speed",
    "TwoRuns",
    "against",
    "between",
    "from_here",
]
