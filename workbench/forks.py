"""Processes that begin where costly imports are done: a server that has done them forks one for each job.

    server = Server(["torch"], env, "from … import …; serve(…)")     a process that imports and waits
    process = server.fork(words, stdin, output, reply)               with `pid`, `poll` and `wait` as Popen has them

Importing PyTorch and transformers takes seconds, and half the jobs of a run begin with it. The server has one thread,
touches no device and computes nothing, so that nothing is held when it forks; it ends with its parent, and by itself
when nobody has asked for a while. Linux only.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

IDLE = 30.0  # seconds after which a server without children ends
PATIENCE = 120.0  # seconds that the imports may take
MESSAGE = 1 << 16  # bytes of one request at most
CODE = struct.Struct("i")


class Gone(Exception):
    """The server has ended: `idle` by itself, so that another one would do, or because it cannot serve."""

    def __init__(self, idle: bool) -> None:
        self.idle = idle


class Forked:
    """A forked process. Its parent is the server, which says how it ended and buries it when `wait` has heard that."""

    def __init__(self, pid: int, server: int, status: socket.socket) -> None:
        self.pid, self.server = pid, server
        self._status = status
        self._code: int | None = None

    def poll(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        return self._heard(0)

    def wait(self) -> int:
        code = self._heard(None)
        assert code is not None
        return code

    def _heard(self, seconds: float | None) -> int | None:
        if self._code is None:
            self._status.settimeout(seconds)
            with contextlib.suppress(TimeoutError, BlockingIOError):
                said = self._status.recv(CODE.size)
                # A server that was killed takes its children with it and says nothing.
                self._code = CODE.unpack(said)[0] if len(said) == CODE.size else -signal.SIGKILL
                self._status.close()
        return self._code


class Server:
    """`env` is that of the server and of all that it forks. `main`: Python source that calls `serve` with what a child
    does. Not thread-safe. It ends with the thread that makes it."""

    def __init__(self, imports: Sequence[str], env: dict[str, str], main: str) -> None:
        self.has_forked = False  # so its imports are done
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control.settimeout(PATIENCE)
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-c", main, str(os.getpid()), str(theirs.fileno()), *imports],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,  # a fresh process says the same again where an import fails
                stderr=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                env=env,
                start_new_session=True,
            )

    def fork(self, words: Sequence[str], stdin: int, output: int, reply: int) -> Forked:
        """A child with these as its standard input and output, and the number of `reply` as its last word. Raises Gone;
        waits until the imports are done."""
        status, theirs = socket.socketpair()
        try:
            with theirs:
                socket.send_fds(self._control, [json.dumps(list(words)).encode()],
                                [stdin, output, reply, theirs.fileno()])  # fmt: skip
            said = self._control.recv(CODE.size)
        except TimeoutError:
            status.close()
            self.close()
            raise Gone(idle=False) from None
        except OSError:
            said = b""
        if len(said) < CODE.size:
            status.close()
            raise Gone(idle=self.process.wait() in (0, -signal.SIGKILL))
        self.has_forked = True
        return Forked(CODE.unpack(said)[0], self.process.pid, status)

    def close(self) -> None:
        """End it, and all that it has forked. Safe to call twice."""
        self._control.close()
        self.process.kill()
        self.process.wait()


# ---- the server's end ---------------------------------------------------------------------------


def serve(child: Callable[[], Any], die_with: Callable[[int], None]) -> None:
    """The server's main: import what the command line names, then fork until the parent is gone or nobody asks."""
    die_with(int(sys.argv[1]))
    control = socket.socket(fileno=int(sys.argv[2]))
    for name in sys.argv[3:]:
        importlib.import_module(name)
    if len(os.listdir("/proc/self/task")) > 1:  # a lock that another thread holds would be held for ever in a child
        sys.exit("The imports have begun threads.")
    gc.collect()
    gc.freeze()  # children share these pages as long as nobody writes to them
    given = _Serving(control).children()
    if given is not None:
        sys.argv[1:] = given
        child()


class _Serving:
    def __init__(self, control: socket.socket) -> None:
        self.control = control
        self.running: dict[int, socket.socket] = {}  # pid -> where to say how it ended
        self.woken, self.wakes = socket.socketpair()
        self.woken.setblocking(False)
        self.wakes.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self.wakes.fileno(), warn_on_full_buffer=False)
        self.ready = selectors.DefaultSelector()
        self.ready.register(control, selectors.EVENT_READ, self._asked)
        self.ready.register(self.woken, selectors.EVENT_READ, self._ended)

    def children(self) -> list[str] | None:
        """The words of its job in each child; None in the server, at its end."""
        while found := self.ready.select(None if self.running else IDLE):
            for key, _ in found:
                said = key.data()
                if said is not True:
                    return list(said) if said else None
        return None

    def _asked(self) -> Any:
        said, fds, _, _ = socket.recv_fds(self.control, MESSAGE, 4)
        if not said:
            return None
        *streams, status = fds
        pid = os.fork()
        if not pid:
            os.close(status)
            return [*json.loads(said), str(self._become(*streams))]
        for fd in streams:
            os.close(fd)
        self.running[pid] = socket.socket(fileno=status)
        self.ready.register(self.running[pid], selectors.EVENT_READ, lambda: self._bury(pid))
        self.control.send(CODE.pack(pid))
        return True

    def _become(self, stdin: int, output: int, reply: int) -> int:
        """In the child: nothing of the server's stays open."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self.ready.close()
        for one in (self.control, self.woken, self.wakes, *self.running.values()):
            one.close()
        os.setsid()
        os.dup2(stdin, 0)
        for number in (1, 2):
            os.dup2(output, number)
        os.close(stdin)
        os.close(output)
        return reply

    def _ended(self) -> bool:
        with contextlib.suppress(BlockingIOError):
            while self.woken.recv(MESSAGE):
                pass
        for pid, status in self.running.items():
            found = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)  # it keeps its number until buried
            if found:
                code = found.si_status if found.si_code == os.CLD_EXITED else -found.si_status
                with contextlib.suppress(OSError):
                    status.send(CODE.pack(code))
        return True

    def _bury(self, pid: int) -> bool:
        """The parent has heard how it ended, or is not interested."""
        status = self.running.pop(pid)
        self.ready.unregister(status)
        status.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        return True
