"""Facts of the machine that a measurement was made on: read from the system, never from a runtime."""

from __future__ import annotations

import contextlib
import mmap
import os
import platform
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from workbench import words
from workbench.card import Card

# The instruction sets that change which kernels a runtime takes, in the order they are written.
ISA_FLAGS = {
    "x86_64": ("avx2", "avx512f", "avx_vnni", "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_int8", "amx_bf16"),
    "aarch64": ("asimd", "asimdhp", "asimddp", "i8mm", "bf16", "sve", "sve2"),
}
NAMED_IN_CLASS = {
    "x86_64": ("avx512_vnni", "avx_vnni", "amx_int8", "amx_bf16"),
    "aarch64": ("asimddp", "i8mm", "bf16", "sve2"),
}

# Instructions that compute in a precision. Without one of them it is emulated, and many times slower.
NATIVE = {
    "bf16": ("avx512_bf16", "amx_bf16", "bf16"),
    "fp16": ("avx512_fp16", "asimdhp"),
    "int8": ("avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm", "sve2"),
}

IDLE_SHARE = 0.05  # of the busiest thread's work: who did less is not one of those that compute


# Kernel drivers of accelerators, and what people call these. NVIDIA's driver tells the name of each card itself.
DRIVERS = {
    "i915": "Intel GPU",
    "xe": "Intel GPU",
    "amdgpu": "AMD GPU",
    "intel_vpu": "Intel NPU",
    "amdxdna": "AMD NPU",
}


@dataclass(frozen=True)
class Machine:
    """`isa` is the class that a promise on speed belongs to: architecture/instruction sets.

    memory_bytes: what this process may use (cgroup limit or physical). quota: cores' worth of CPU time.
    """

    isa: str
    cpu: str
    architecture: str
    flags: tuple[str, ...]
    cores: int
    quota: float
    memory_bytes: int
    os: str
    python: str
    accelerators: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def __repr__(self) -> str:
        return f"<machine {self.cpu}, {self.isa}, {words.plural(self.cores, 'core')}>"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        sets = ", ".join(name for name, here in self.instruction_sets.items() if here) or words.NONE
        said = {"class": self.isa, "instruction sets": sets,
                "cores": f"{self.cores}, quota {words.number(self.quota, 1)}",
                "memory": f"{words.number(self.memory_bytes / 1e9, 1)}{words.NBSP}GB",
                "system": f"{self.os}, Python {self.python}"}  # fmt: skip
        if self.accelerators:
            said["accelerators"] = ", ".join(self.accelerators)
        return Card(self.cpu, facts=said).bundle()

    @property
    def instruction_sets(self) -> dict[str, bool]:
        """Those that change which kernels a runtime takes, and whether they are here."""
        return {flag: self.has(flag) for flag in ISA_FLAGS.get(self.architecture, ())}

    def has(self, flag: str) -> bool:
        return flag in self.flags

    def computes(self, precision: str) -> bool:
        """Whether the CPU has instructions for it; True where the system does not tell its instruction sets."""
        return not self.flags or any(flag in self.flags for flag in NATIVE.get(precision, self.flags))


def this_machine() -> Machine:
    architecture = platform.machine() or "unknown"
    flags = _flags(architecture)
    return Machine(
        isa=_isa_class(architecture, flags),
        cpu=_cpu_name(),
        architecture=architecture,
        flags=flags,
        cores=len(usable_cores()),
        quota=cpu_quota(),
        memory_bytes=memory_limit(),
        os=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        accelerators=_accelerators(),
    )


def usable_cores() -> list[int]:
    """Ids of the cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def cpu_quota() -> float:
    """Cores' worth of CPU time: the cgroup's quota (v2 `cpu.max`, v1 `cpu.cfs_quota_us`), at most the cores."""
    cores = float(len(usable_cores()))
    for folder in _cgroup_folders("cpu"):
        text = _read(folder / "cpu.max").split()
        if len(text) == 2 and text[0].isdigit():
            cores = min(cores, int(text[0]) / int(text[1]))
        quota, period = _read(folder / "cpu.cfs_quota_us"), _read(folder / "cpu.cfs_period_us")
        if quota.isdigit() and period.isdigit() and int(period) > 0:
            cores = min(cores, int(quota) / int(period))
    return cores


def auto_threads() -> int:
    """Threads for `auto`: the whole cores of the quota, at least one."""
    return max(1, int(cpu_quota()))


def memory_limit() -> int:
    """Bytes: the smaller of physical memory and the cgroup's limit."""
    limit = _physical_memory()
    for folder in _cgroup_folders("memory"):
        for name in ("memory.max", "memory.limit_in_bytes"):
            text = _read(folder / name)
            if text.isdigit():
                limit = min(limit, int(text))
    return limit


def load_of_others(before: tuple[float, float], own_seconds: float) -> float:
    """Share of all cores' time since `before` (from `cpu_clock`) that others used, 0 to 1."""
    busy, total = cpu_clock()
    spent = max(total - before[1], 1e-9)
    return min(1.0, max(0.0, (busy - before[0] - own_seconds) / spent))


def cpu_clock() -> tuple[float, float]:
    """(busy seconds, all seconds) of all cores since boot; zeros where the system does not tell."""
    fields = _read(Path("/proc/stat")).split("\n", 1)[0].split()[1:]
    if not fields:
        return 0.0, 0.0
    ticks = [int(field) / os.sysconf("SC_CLK_TCK") for field in fields[:8]]
    return sum(ticks) - ticks[3] - ticks[4], sum(ticks)


def steal_seconds() -> float:
    """CPU seconds that the host took from this virtual machine since boot."""
    fields = _read(Path("/proc/stat")).split("\n", 1)[0].split()[1:]
    return int(fields[7]) / os.sysconf("SC_CLK_TCK") if len(fields) > 7 else 0.0


def peak_memory() -> int:
    """Bytes: the highest resident memory of this process so far (VmHWM)."""
    for line in _read(Path("/proc/self/status")).splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def silence(limit: float = 0.5, look: float = 0.003) -> float:
    """Wait until this process uses no CPU any more: OpenMP, TBB and ONNX Runtime threads spin for some
    milliseconds after a call and would disturb the next worker. Returns the seconds it took."""
    start = time.perf_counter()
    while time.perf_counter() - start < limit:
        used = time.process_time()
        time.sleep(look)
        if time.process_time() - used < look / 10:
            break
    return time.perf_counter() - start


def thread_seconds() -> dict[int, float]:
    """CPU seconds of each thread of this process, by its id; empty where the system does not tell."""
    found = {}
    for folder in Path("/proc/self/task").glob("*"):
        if said := _read(folder / "schedstat").split():  # a thread may end meanwhile
            found[int(folder.name)] = int(said[0]) / 1e9
    return found


def places(before: dict[int, float], threads: int) -> dict[int, int]:
    """A core for each of the `threads` that have worked most since `before` (from `thread_seconds`), the oldest thread
    on the first core: the same places in every process. Threads that did next to nothing get none."""
    worked = {thread: seconds - before.get(thread, 0.0) for thread, seconds in thread_seconds().items()}
    most = max(worked.values(), default=0.0)
    busy = sorted(worked, key=lambda thread: -worked[thread])[:threads]
    return dict(zip(sorted(one for one in busy if worked[one] > IDLE_SHARE * most), usable_cores(), strict=False))


@contextlib.contextmanager
def held(places: dict[int, int]) -> Iterator[None]:
    """Meanwhile each of these threads stays on its core. Threads begun meanwhile stay where the one that began them
    is."""
    cores = usable_cores() if places else []
    _move({thread: [core] for thread, core in places.items()})
    try:
        yield
    finally:
        _move(dict.fromkeys(places, cores))


def _move(threads: dict[int, list[int]]) -> None:
    for thread, cores in threads.items():
        with contextlib.suppress(OSError):  # it has ended
            os.sched_setaffinity(thread, cores)


@contextlib.contextmanager
def fragments_taken(most: int = 1 << 30) -> Iterator[None]:
    """Hold up to `most` bytes meanwhile, an eighth at most of what is free and of what this process may use. The
    scattered pages that earlier processes gave back are what a system hands out first, and who is loaded into them is
    some percent slower for good."""
    size = min(most, _free_memory() // 8, memory_limit() // 8)
    if size < mmap.PAGESIZE:
        yield
        return
    with mmap.mmap(-1, size) as taken:
        for start in range(0, size, mmap.PAGESIZE):
            taken[start] = 1
        yield


def _free_memory() -> int:
    """Bytes that nobody uses, not even as a cache; 0 where the system does not tell."""
    for line in _read(Path("/proc/meminfo")).splitlines():
        if line.startswith("MemFree:"):
            return int(line.split()[1]) * 1024
    return 0


def _isa_class(architecture: str, flags: tuple[str, ...]) -> str:
    named: list[str] = [flag for flag in NAMED_IN_CLASS.get(architecture, ()) if flag in flags]
    if architecture == "x86_64" and not named:
        named = [flag for flag in flags if flag in ("avx2", "avx512f")][-1:]
    return f"{architecture}/{'+'.join(named) or 'base'}"


def _flags(architecture: str) -> tuple[str, ...]:
    known = ISA_FLAGS.get(architecture, ())
    for line in _read(Path("/proc/cpuinfo")).splitlines():
        if line.startswith(("flags", "Features")):
            have = set(line.split(":", 1)[1].split())
            return tuple(flag for flag in known if flag in have)
    return ()


def _cpu_name() -> str:
    for line in _read(Path("/proc/cpuinfo")).splitlines():
        if line.startswith("model name"):
            return " ".join(line.split(":", 1)[1].split())
    return platform.processor() or platform.machine()


def _accelerators() -> tuple[str, ...]:
    return tuple(sorted([*nvidia_cards(), *driven_devices()]))


def nvidia_cards(root: Path = Path("/proc/driver/nvidia/gpus")) -> list[str]:
    """Names of the cards, as their driver tells them; some it calls Tesla only."""
    told = [_read(path) for path in root.glob("*/information")]
    names = [text.split("Model:")[1].split("\n")[0].strip() for text in told if "Model:" in text]
    return [name if name.startswith("NVIDIA") else f"NVIDIA {name}" for name in names]


def driven_devices(root: Path = Path("/sys/class")) -> list[str]:
    """Graphics cards and NPUs with a driver of DRIVERS: "Intel GPU (xe)"."""
    found = [*root.glob("drm/card*/device/driver"), *root.glob("accel/accel*/device/driver")]
    drivers = {path.resolve() for path in found}  # a card has a `device` for each of its outputs
    return [f"{DRIVERS[path.name]} ({path.name})" for path in sorted(drivers) if path.name in DRIVERS]


def _physical_memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return 0


def _cgroup_folders(controller: str) -> list[Path]:
    root = Path("/sys/fs/cgroup")
    folders = [root, root / controller]
    for line in _read(Path("/proc/self/cgroup")).splitlines():
        _, names, path = line.split(":", 2)
        if names == "" or controller in names.split(","):
            folders.append(root / (controller if names else "") / path.lstrip("/"))
    return folders


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError):
        return ""
