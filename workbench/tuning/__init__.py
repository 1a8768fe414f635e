"""Goal + budget -> the fastest recipe that meets the bar, and why the others lost.

    space -> race -> answers -> repair -> confirm

Speed first, since it is cheap: candidates are built with few calibration samples and raced in interleaved rounds.
Then accuracy, from the fastest on, given up as soon as it is certain. What failed narrowly is repaired. At last the
winner and its runner-up are measured anew, in full. What is known stands in the run's `search.json` at any moment.
"""

from workbench import running
from workbench.executing import Emit
from workbench.store import RunRecord, Store
from workbench.tuning.search import work
from workbench.tuning.sensitivity import Sensitivity, sensitivity

__all__ = ["Sensitivity", "carry_out", "sensitivity", "work"]


def carry_out(run: RunRecord, store: Store, emit: Emit) -> str:
    """The kind of run that searches; returns the final status and has said it, too."""
    plan, folder = running.plan_of(run.id, store), store.run_folder(run.id)
    return running.to_its_end(lambda: {"jobs_s": work(plan, store, folder, emit)}, folder, emit)
