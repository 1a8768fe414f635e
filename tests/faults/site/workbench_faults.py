"""A step that takes a moment and needs no model library, and that breaks in the way that its options ask for."""

from __future__ import annotations

import errno
import hashlib
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from pydantic import Field

from tests.faults.injected import from_environment
from workbench import plugin
from workbench.artifact import sha256_of_file


class Fault(plugin.Step):
    name = "fault"
    summary = "Hands a model on after a moment, or breaks."
    takes = ("onnx",)
    gives = "onnx"

    class Options(plugin.Options):
        number: int = Field(0, description="Tells one from the other.")
        what: str = Field("", description="memory, native, hang, die, disk, orphan, or nothing.")
        files: int = Field(4, description="How many more files there are.")
        pause: float = Field(0.05, description="Seconds before each file.")

    def apply(self, source: Path, into: Path, options: Options, context: plugin.StepContext) -> dict[str, Any]:
        """Fill `into` file by file, so that a kill finds it half done."""
        print("here the step begins", flush=True)
        shutil.copytree(source, into, dirs_exist_ok=True)
        for number in range(options.files):
            time.sleep(options.pause)
            content = hashlib.sha256(f"{options.number}:{number}".encode()).digest() * 2000
            (into / f"piece-{options.number}-{number}.bin").write_bytes(content)
            context.progress(number + 1, options.files, "files")
        if options.what:
            BREAKS[options.what]()
        return {}

    def semantic(self, folder: Path) -> str:
        return sha256_of_file(folder / "model.onnx")


def memory() -> None:
    """As a model that is too large for a limit."""
    resource.setrlimit(resource.RLIMIT_DATA, (1 << 30, 1 << 30))
    blocks = []
    while True:
        blocks.append(bytearray(32 << 20))


def native() -> None:
    os.write(2, b"terminate called after throwing an instance of 'std::bad_alloc'\n")
    os.abort()


def hang() -> None:
    print("this is where it hangs", flush=True)
    time.sleep(600)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def disk() -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "piece.bin")


def orphan() -> None:
    """Leaves a process in a session of its own, which does not end with the group."""
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    hang()


from_environment()  # a runner loads the steps that there are before it works

BREAKS = {"memory": memory, "native": native, "hang": hang, "die": die, "disk": disk, "orphan": orphan}
