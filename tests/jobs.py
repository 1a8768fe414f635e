"""Jobs for the tests of `isolate`: a worker imports them by their names."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import Any

from workbench.errors import RequestError, WorkbenchError
from workbench.isolate import Channel

Job = dict[str, Any]


def echo(job: Job, channel: Channel) -> Any:
    return {"got": job, "pid": os.getpid()}


def count(job: Job, channel: Channel) -> int:
    for number in range(1, 4):
        channel.progress(number, 3, f"step {number}")
        time.sleep(0.6)
    return 3


def talk(job: Job, channel: Channel) -> None:
    """Parked: answers every message with its double, until the parent ends it."""
    channel.answer("ready")
    while True:
        channel.answer(channel.receive() * 2)


def chatter(job: Job, channel: Channel) -> str:
    """A library that prints, from Python and from below, and reads stdin."""
    print("a progress bar")
    print('{"result": "forged"}')
    os.write(1, b'{"result": "forged below"}\n')
    subprocess.run([sys.executable, "-c", "print('a child speaks')"], check=True)
    return repr(sys.stdin.read())


def fail(job: Job, channel: Channel) -> None:
    raise ValueError("the shapes do not fit\nand more lines")


def refuse(job: Job, channel: Channel) -> None:
    raise RequestError("Row 3 is empty.", "Nothing is there.", "Fill it in.")


def give_up(job: Job, channel: Channel) -> None:
    raise WorkbenchError("It cannot be exported.", "An operator is unknown.", "Take another recipe.")


def give_nan(job: Job, channel: Channel) -> float:
    return float("nan")


def leave(job: Job, channel: Channel) -> None:
    sys.exit(3)


def die(job: Job, channel: Channel) -> None:
    os.kill(os.getpid(), job.get("signal", signal.SIGKILL))
    time.sleep(60)


def say_memory(job: Job, channel: Channel) -> None:
    print("MemoryError of an earlier worker", flush=True)


def allocate(job: Job, channel: Channel) -> int:
    blocks = []
    while True:
        blocks.append(bytearray(64 << 20))


def abort_for_memory(job: Job, channel: Channel) -> None:
    os.write(2, b"terminate called after throwing an instance of 'std::bad_alloc'\n")
    os.abort()


def fill_disk(job: Job, channel: Channel) -> None:
    with open(job["file"], "wb", buffering=0) as file:
        while True:
            file.write(bytes(1 << 16))


def hang(job: Job, channel: Channel) -> None:
    """With a child of its own; tells both ids first."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    channel.answer([os.getpid(), child.pid])
    print("this is where it hangs", flush=True)
    time.sleep(600)


def surroundings(job: Job, channel: Channel) -> dict[str, Any]:
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    return {"env": dict(os.environ), "cores": cores, "group": os.getpgid(0), "pid": os.getpid(),
            "parent": os.getppid(), "niceness": os.nice(0)}  # fmt: skip


def park_and_look(job: Job, channel: Channel) -> None:
    """`work.park` with one more answer: after the model is loaded and warm, the names of all modules."""
    from workbench import work

    class Looking(Channel):
        def answer(self, value: Any) -> None:
            super().answer({"ready": value, "modules": sorted(sys.modules)})

    work.park(job, Looking(channel._output, channel._source))


def leave_orphan(job: Job, channel: Channel) -> None:
    """Begins a process in a session of its own; tells both ids."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    channel.answer([os.getpid(), child.pid])
    time.sleep(600)


def is_hidden(job: Job, channel: Channel) -> bool:
    import ctypes

    return ctypes.CDLL(None).prctl(3) == 0  # PR_GET_DUMPABLE
