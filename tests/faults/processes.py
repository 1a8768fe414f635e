"""Who descends from whom, who still lives, what workers have left behind; and a disk that is soon full."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from workbench.isolate import PARENT

PATIENCE = 180.0  # seconds that something may take on a busy machine


def until(reached: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    """What `reached` gives, once that is something. Raises AssertionError when it does not happen in time."""
    end = time.monotonic() + seconds
    while not (found := reached()):
        assert time.monotonic() < end, f"it did not happen in {seconds:g} s"
        time.sleep(0.02)
    return found


def lives(pid: int) -> bool:
    """Whether it still works: a dead one that nobody has waited for counts as gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def family(pid: int) -> set[int]:
    """A process and all that descend from it."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def workers(home: Path) -> set[int]:
    """Every living worker of this home, and whatever a worker began."""
    wanted = (f"{PARENT}=".encode(), f"WORKBENCH_HOME={home}".encode())
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and lives(int(entry.name)):
            try:
                said = (entry / "environ").read_bytes().split(b"\0")
            except OSError:
                continue
            if all(any(one.startswith(word) for one in said) for word in wanted):
                found.add(int(entry.name))
    return found


@contextmanager
def small_disk(place: Path, size: int) -> Iterator[Path]:
    """An empty folder with room for so many bytes: a disk of its own for root, else a limit on every file."""
    place.mkdir()
    mounted = os.geteuid() == 0 and not subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(place)], capture_output=True
    ).returncode  # fmt: skip
    try:
        if mounted:
            yield place
        else:
            import resource

            usual = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (size // 4, usual[1]))
            try:
                yield place
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, usual)
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(place)], check=True, capture_output=True)
