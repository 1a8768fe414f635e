"""Goal + budget -> the fastest recipe that meets the bar, and why the others lost.

    space -> race -> answers -> repair -> confirm

Speed first, since it is cheap: candidates are built with few calibration samples and raced in interleaved rounds.
Then accuracy, from the fastest on, given up as soon as it is certain. What failed narrowly is repaired. At last the
winner and its runner-up are measured anew, in full. What is known stands in the run's `search.json` at any moment.
"""

from workbench import running
from workbench.tuning.search import work

__all__ = ["main", "work"]


def main() -> None:
    """The runner of a search."""
    running.main(work)
