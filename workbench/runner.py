"""The process that does a run's work, by the run's kind. `running` begins it."""

from __future__ import annotations

import sys

from workbench import running, tuning, verification_run
from workbench.store import COMPARE, TUNE, VERIFY

KINDS: dict[str, running.Kind] = {COMPARE: running.compare, TUNE: tuning.carry_out, VERIFY: verification_run.carry_out}


def main() -> None:
    running.serve(sys.argv[1], KINDS)
