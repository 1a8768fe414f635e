"""One process per job: its own group, no token, no network, an end that is certain.

    worker = isolate.start(work.build, job, limits, log)     the function is handed over by its name
    result = worker.result(on_progress)                      what the function returned, or WorkerError

A worker that stays (a parked model) is spoken to with `ask`; its function reads with `channel.receive()`.
Messages are JSON lines: the job goes in on stdin, answers come back on a pipe of their own, so that
whatever a library prints lands in the log and nowhere else. A worker is a fresh interpreter, or forked from
one that has done nothing but the costly imports (`forks`); what is timed is always fresh.
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import importlib
import json
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, Protocol

from workbench import forks
from workbench.errors import RequestError, WorkbenchError

Job = dict[str, Any]
Progress = Callable[[float, float, str], None]
PRELOADED = ("torch", "transformers.modeling_utils")  # some five seconds on a small machine
PARENT = "WORKBENCH_WORKER_OF"  # in the environment of a worker and of all it begins: its parent, as `_name_of` says

# Only these are handed to a worker: a token in any other variable stays outside.
PASSED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TEMP", "TMP", "SYSTEMROOT", "LD_LIBRARY_PATH",
          "VIRTUAL_ENV", "CUDA_VISIBLE_DEVICES", "SSL_CERT_FILE", "WORKBENCH_HOME", "PYTHONHASHSEED")  # fmt: skip
PASSED_TO_FETCHER = ("HF_ENDPOINT", "HF_TOKEN", "HF_HOME", "HF_TOKEN_PATH", "HF_HUB_OFFLINE", "HTTPS_PROXY",
                     "HTTP_PROXY", "NO_PROXY", "https_proxy", "http_proxy", "no_proxy", "REQUESTS_CA_BUNDLE",
                     "CURL_CA_BUNDLE")  # fmt: skip
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
QUIET = {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "GRADIO_ANALYTICS_ENABLED": "False",
    "TOKENIZERS_PARALLELISM": "false",
    "PYTHONWARNINGS": "default",
    "NO_COLOR": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
}


class WorkerError(WorkbenchError):
    """A worker did not return. `kind`: "memory", "timeout", "killed", "error"; `tail`: the log's end."""

    def __init__(self, what: str, why: str = "", fix: str = "", *, kind: str = "error", tail: str = "") -> None:
        super().__init__(what, why, fix)
        self.kind, self.tail = kind, tail


@dataclass(frozen=True)
class Limits:
    """seconds: wall time of one answer; memory_bytes: heap of the process; cores: ids it may run on.

    timed: threads may spin while they wait for each other, as the runtime likes it. Without, they sleep: on a
    busy machine spinning made PyTorch ten times slower. Where the system allows it, what is timed goes before other
    processes.
    preload: the function imports PyTorch and transformers anyway, so it may begin where they are imported already.
    """

    seconds: float = 3600.0
    memory_bytes: int | None = None
    threads: int = 1
    cores: tuple[int, ...] = ()
    network: bool = False
    timed: bool = False
    preload: bool = False


class Process(Protocol):
    """What is asked of a process, as `subprocess.Popen` has it."""

    @property
    def pid(self) -> int: ...

    def poll(self) -> int | None: ...

    def wait(self) -> int: ...


class Worker:
    """The parent's end. Not thread-safe; use it as a context manager so that it always ends."""

    def __init__(
        self, process: Process, asks: IO[bytes], reply: IO[bytes], limits: Limits, log: Path, log_start: int = 0
    ) -> None:
        self.process, self.limits, self.log = process, limits, log
        self._asks, self._reply, self._buffer = asks, reply, b""
        self._ended = False
        self._log_start = log_start
        self._oom_kills = oom_kills()
        self._ready = selectors.DefaultSelector()
        self._ready.register(reply, selectors.EVENT_READ)

    @property
    def pid(self) -> int:
        return self.process.pid

    def result(self, on_progress: Progress | None = None, seconds: float | None = None) -> Any:
        """The function's return value. Raises WorkerError, or what the function raised for people."""
        try:
            return self._answer("result", on_progress, seconds)
        finally:
            self.end()

    def ask(self, message: Any, on_progress: Progress | None = None, seconds: float | None = None) -> Any:
        """Send one message to a parked worker and wait for its one answer."""
        self.tell(message)
        return self._answer("answer", on_progress, seconds)

    def answer(self, seconds: float | None = None) -> Any:
        """The next answer of a parked worker that speaks first."""
        return self._answer("answer", None, seconds)

    def tell(self, message: Any) -> None:
        with contextlib.suppress(BrokenPipeError):  # the answer will say why it is gone
            self._asks.write(json.dumps(message).encode() + b"\n")
            self._asks.flush()

    def end(self) -> None:
        """End the worker and everything it started. Safe to call twice."""
        if self._ended:  # the number of a group that is gone may be somebody else's by now
            return
        self._ended = True
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._ready.close()
        for stream in (self._asks, self._reply):
            with contextlib.suppress(OSError):
                stream.close()

    def kill(self) -> None:
        """End its processes at once, from any thread: whoever waits for an answer learns that it died."""
        if self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *error: object) -> None:
        self.end()

    def _answer(self, kind: str, on_progress: Progress | None, seconds: float | None) -> Any:
        seconds = seconds or self.limits.seconds
        until = time.monotonic() + seconds
        while True:
            message = self._read_line(until, seconds)
            if "progress" in message:
                if on_progress:
                    on_progress(*message["progress"])
            elif "error" in message:
                raise _as_error(message["error"], self.tail())
            elif kind in message:
                return message[kind]

    def _read_line(self, until: float, seconds: float) -> dict[str, Any]:
        while b"\n" not in self._buffer:
            if not self._ready.select(timeout=max(0.0, until - time.monotonic())):
                self.end()
                tail = self.tail()
                last = next((line.strip() for line in reversed(tail.splitlines()) if line.strip()), "")
                ended = f"; its log ends with: {last[:200]}" if last else ""
                raise WorkerError(
                    "The worker was stopped at its time limit.",
                    f"It gave no answer for {seconds:.3g} s{ended}.",
                    "The log shows where it was.",
                    kind="timeout",
                    tail=tail,
                )
            chunk = os.read(self._reply.fileno(), 1 << 16)
            if not chunk:
                raise self._died()
            self._buffer += chunk
        line, self._buffer = self._buffer.split(b"\n", 1)
        return dict(json.loads(line))

    def _died(self) -> WorkerError:
        code = self.process.wait()
        tail = self.tail()
        killed_for_memory = code == -signal.SIGKILL and (self._oom_kills is None or self._oom_kills != oom_kills())
        if killed_for_memory or "MemoryError" in tail or "bad_alloc" in tail:
            return WorkerError(
                "The worker ran out of memory.",
                "The system ended it while it asked for more.",
                "Take a smaller model or batch, or a machine with more memory.",
                kind="memory",
                tail=tail,
            )
        name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return WorkerError(f"The worker died ({name}).", "", "The log has its last words.", kind="killed", tail=tail)

    def tail(self, lines: int = 30) -> str:
        """The last lines that this worker wrote into its log."""
        try:
            with self.log.open("rb") as file:
                file.seek(max(self._log_start, self.log.stat().st_size - 16384))
                return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])
        except OSError:
            return ""


def oom_kills() -> int | None:
    """How many processes this system has ended for want of memory since boot; None where it does not tell."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/vmstat").read_text().splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return None


def start(function: Callable[[Job, Channel], Any], job: Job, limits: Limits, log: Path) -> Worker:
    """Begin `function(job, channel)` in a process of its own. `function` must stand at a module's top."""
    log.parent.mkdir(parents=True, exist_ok=True)
    name = f"{function.__module__}:{function.__qualname__}"
    (reply, replies), (asked, asks) = os.pipe(), os.pipe()
    with log.open("ab") as output:
        log_start, theirs = output.tell(), (asked, output.fileno(), replies)
        process = (_forked(name, limits, *theirs) if _may_fork(limits) else None) or _fresh(name, limits, *theirs)
    os.close(asked)
    os.close(replies)
    pipes = os.fdopen(asks, "wb"), os.fdopen(reply, "rb", buffering=0)
    worker = Worker(process, *pipes, limits, log, log_start)
    parent = process.server if isinstance(process, forks.Forked) else os.getpid()
    worker.tell({"job": job, "cores": list(limits.cores), "memory": limits.memory_bytes, "parent": parent,
                 "timed": limits.timed, "network": limits.network, "threads": limits.threads})  # fmt: skip
    return worker


def _fresh(name: str, limits: Limits, asked: int, output: int, replies: int) -> Process:
    return subprocess.Popen(
        [sys.executable, "-P", "-c", "from workbench.isolate import serve; serve()", name, str(replies)],
        stdin=asked,
        stdout=output,
        stderr=output,
        pass_fds=(replies,),
        env=_environment(limits),
        start_new_session=True,
    )


# ---- forked -------------------------------------------------------------------------------------

SERVER = "from workbench import forks, isolate; forks.serve(isolate.serve, isolate.die_with)"
_servers: dict[tuple[tuple[str, str], ...], forks.Server] = {}  # by their environment
_unable = False  # whether nothing can be forked here
_serving = threading.Lock()
_beginning = ThreadPoolExecutor(1, "fork-server")  # a server ends with the thread that began it


def _may_fork(limits: Limits) -> bool:
    return limits.preload and not _unable and not limits.timed and not limits.network and sys.platform == "linux"


def preload(limits: Limits) -> None:
    """Begin with the imports now, for workers that will come with such limits."""
    if _may_fork(limits):
        with _serving:
            _server(limits)


def preloaded(limits: Limits) -> bool:
    """Whether the imports are done: then also a function that needs a part of them only begins sooner there."""
    known = _servers.get(_key(limits))
    return known is not None and known.has_forked and known.process.poll() is None


def _key(limits: Limits) -> tuple[tuple[str, str], ...]:
    """The environment; with more threads NumPy begins some while it is imported."""
    return tuple(sorted(_environment(replace(limits, threads=1)).items()))


def _server(limits: Limits) -> forks.Server:
    key = _key(limits)
    if key not in _servers or _servers[key].process.poll() is not None:
        if key in _servers:
            _servers.pop(key).close()
        _servers[key] = _beginning.submit(forks.Server, PRELOADED, dict(key), SERVER).result()
    return _servers[key]


def _forked(name: str, limits: Limits, asked: int, output: int, replies: int) -> Process | None:
    """None where no server can be had: a fresh process tells why."""
    global _unable
    with _serving:
        while not _unable:
            try:
                return _server(limits).fork([name], asked, output, replies)
            except forks.Gone as gone:
                _unable = not gone.idle  # else it has ended just now, for want of work
    return None


@atexit.register
def close_servers() -> None:
    """End what workers are forked from, and them."""
    while _servers:
        _servers.popitem()[1].close()


def end_orphans() -> list[int]:
    """Kill what workers of processes that are gone have left behind, and say which. Linux only: a worker ends with its
    parent there, what it began itself need not. Other containers' processes are let be: their numbers mean others."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it is somebody else's, or over
            said = [
                one for one in (folder / "environ").read_bytes().split(b"\0") if one.startswith(f"{PARENT}=".encode())
            ]
            parent = said[0].decode(errors="replace").partition("=")[2] if said else ""
            ours = os.readlink(folder / "ns/pid") == os.readlink("/proc/self/ns/pid")
            if parent and ours and _name_of(parent.partition(":")[0]) != parent:
                os.kill(int(folder.name), signal.SIGKILL)
                found.append(int(folder.name))
    return found


def _name_of(pid: int | str) -> str:
    """`<pid>:<clock tick of its start>`: a number is given again, the two together are not. "" when it is gone."""
    with contextlib.suppress(OSError, IndexError):
        rest = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return f"{pid}:{rest[19]}" if rest[0] not in "ZX" else ""
    return ""


def hide() -> None:
    """From other processes of the same user: they cannot read this one's environment, with a token in it, nor its
    memory. For what runs no model code; root sees everything."""
    with contextlib.suppress(OSError, AttributeError):  # Linux only
        import ctypes

        ctypes.CDLL(None).prctl(4, 0)  # PR_SET_DUMPABLE


def call(function: Callable[[Job, Channel], Any], job: Job, limits: Limits, log: Path,
         on_progress: Progress | None = None) -> Any:  # fmt: skip
    """`start` and wait for the result."""
    return start(function, job, limits, log).result(on_progress)


def inherited() -> dict[str, str]:
    """What a worker takes over of this process's environment; all else in a worker's is set by the workbench."""
    return _of_ours(PASSED)


def _of_ours(names: tuple[str, ...]) -> dict[str, str]:
    return {name: os.environ[name] for name in names if name in os.environ}


def _environment(limits: Limits) -> dict[str, str]:
    env = inherited() | QUIET
    if limits.network:
        env |= _of_ours(PASSED_TO_FETCHER)
    if not limits.network:
        env |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1",
                "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1"}  # fmt: skip
    env |= dict.fromkeys(THREADS, str(limits.threads))
    if not limits.timed:
        env["OMP_WAIT_POLICY"] = "PASSIVE"
    ours = str(Path(__file__).resolve().parent.parent)
    env["PYTHONPATH"] = os.pathsep.join(part for part in (ours, os.environ.get("PYTHONPATH", "")) if part)
    env["PYTHONUNBUFFERED"] = "1"
    return env | {PARENT: _name_of(os.getpid())}


def _as_error(said: dict[str, Any], tail: str) -> WorkbenchError:
    if said.get("request"):
        return RequestError(said["what"], said["why"], said["fix"])
    return WorkerError(said["what"], said["why"], said["fix"], kind=said.get("kind", "error"), tail=tail)


# ---- the worker's end ---------------------------------------------------------------------------


class Channel:
    """What a function in a worker has towards its parent."""

    def __init__(self, output: IO[bytes], source: IO[bytes]) -> None:
        self._output, self._source = output, source
        self._said = 0.0

    def progress(self, done: float, total: float = 0, note: str = "") -> None:
        """At most two a second, the last one always."""
        now = time.monotonic()
        if now - self._said > 0.5 or (total and done >= total):
            self._said = now
            self.send({"progress": [done, total, note]})

    def receive(self) -> Any:
        """The next message from the parent; ends the process when the parent is gone."""
        line = self._source.readline()
        if not line:
            os._exit(0)
        return json.loads(line)

    def answer(self, value: Any) -> None:
        self.send({"answer": value})

    def send(self, message: dict[str, Any]) -> None:
        self._output.write(json.dumps(message, allow_nan=False).encode() + b"\n")
        self._output.flush()


def serve() -> None:
    """The worker's main: take one job, run it, answer once, end. The command line says which, and where to answer."""
    output = os.fdopen(int(sys.argv[2]), "wb", buffering=0)
    source = os.fdopen(os.dup(0), "rb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    channel = Channel(output, source)
    first = channel.receive()
    _bind(first)
    try:
        module, _, name = sys.argv[1].partition(":")
        function = getattr(importlib.import_module(module), name)
        channel.send({"result": function(first["job"], channel)})
    except BaseException as error:
        traceback.print_exc()
        channel.send({"error": _said(error)})
    sys.stderr.flush()
    os._exit(0)  # native threads of some runtimes hang in their destructors


def _bind(first: dict[str, Any]) -> None:
    if first["cores"] and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, first["cores"])
    if first["memory"]:
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (first["memory"], first["memory"]))
    os.environ |= dict.fromkeys(THREADS, str(first["threads"]))
    if torch := sys.modules.get("torch"):  # it was imported before this was known
        torch.set_num_threads(first["threads"])
    take_place(first["timed"])
    die_with(first["parent"])
    if first["network"]:
        hide()


def take_place(first: bool) -> None:
    """Before other processes, or among them whatever the parent's place is. Most people may not go before."""
    with contextlib.suppress(OSError, AttributeError):
        if first or os.getpriority(os.PRIO_PROCESS, 0) < 0:
            os.setpriority(os.PRIO_PROCESS, 0, -20 if first else 0)


def die_with(parent: int) -> None:
    """End with the parent, and before others where memory ends."""
    with contextlib.suppress(OSError, AttributeError):  # Linux only; elsewhere the watch below serves
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        Path("/proc/self/oom_score_adj").write_text("1000")  # when memory ends, the worker goes first

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    if sys.platform != "linux":
        threading.Thread(target=watch, daemon=True).start()
    elif os.getppid() != parent:
        os._exit(1)


def _said(error: BaseException) -> dict[str, Any]:
    if isinstance(error, WorkbenchError):
        return {"what": error.what, "why": error.why, "fix": error.fix, "request": isinstance(error, RequestError)}
    text = (str(error).strip().splitlines() or [""])[0][:300]
    memory = isinstance(error, MemoryError) or "not enough memory" in str(error) or "bad_alloc" in str(error)
    if memory:
        return {"what": "The worker ran out of memory.", "why": text, "kind": "memory",
                "fix": "Take a smaller model or batch, or a machine with more memory."}  # fmt: skip
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return {"what": "There is no space left.", "why": text,
                "fix": "`workbench clean` frees room, or set WORKBENCH_HOME to a larger disk."}  # fmt: skip
    return {"what": f"{type(error).__name__}: {text}" if text else type(error).__name__, "why": "",
            "fix": "The log has the rest."}  # fmt: skip
