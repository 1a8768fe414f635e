"""What this machine can do at most: matrix products and memory, measured, not looked up."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from workbench.measurement import Metric
from workbench.plugin import Probe, Progress

PASSES = 4
SIZE = 1536  # large enough to be bound by arithmetic, small enough for a few milliseconds
SMALL = 256  # where a precision is emulated: one product of SIZE took six seconds
PATIENCE = 0.5  # seconds a product may take


class Peak(Probe):
    name = "peak"
    summary = "Peak of matrix multiplication in fp32, bf16 and int8 (operations/s) and of memory (bytes/s)."
    needs = ("torch",)
    metrics = (Metric("peak", unit="1/s"),)

    def measure(self, *, threads: int, progress: Progress, **_: Any) -> dict[str, Any]:
        """{"fp32", "bf16", "int8": operations/s (2·m·n·k a product), "bandwidth": bytes/s}; absent where the
        build of PyTorch has no kernel. The best of many short trials: a peak is what can be reached."""
        import torch

        torch.set_num_threads(threads)
        trials = {"fp32": _gemm(torch.float32), "bf16": _gemm(torch.bfloat16), "int8": _gemm(torch.int8)}
        trials["bandwidth"] = _copy()
        peaks: dict[str, Any] = {}
        for turn in range(PASSES):  # several passes: a disturbance seldom lasts through all of them
            for name, (work, amount) in trials.items():
                if seconds := _best(work):
                    peaks[name] = max(peaks.get(name, 0.0), amount / seconds)
            progress(turn + 1, PASSES, "passes")
        return peaks


def _gemm(dtype: Any) -> tuple[Callable[[], Any], float]:
    """A product, and its operations: the large one, or the small one where the large one would take too long."""
    small = _product(dtype, SMALL)
    seconds = _best(small, budget=0.0)
    size = SIZE if seconds and seconds * (SIZE / SMALL) ** 3 < PATIENCE else SMALL
    return (small if size == SMALL else _product(dtype, size)), 2.0 * size**3


def _product(dtype: Any, size: int) -> Callable[[], Any]:
    import torch

    if dtype == torch.int8:
        p, q = (torch.randint(-64, 64, (size, size), dtype=torch.int8) for _ in range(2))
        return lambda: torch._int_mm(p, q)
    a, b = (torch.randn(size, size).to(dtype) for _ in range(2))
    return lambda: torch.mm(a, b)


def _copy() -> tuple[Callable[[], Any], float]:
    import torch

    source = torch.ones(64 << 20, dtype=torch.float32)  # 256 MB: beyond most caches
    return source.sum, float(source.numel() * 4)


def _best(work: Callable[[], Any], budget: float = 0.4) -> float | None:
    """Seconds of the quickest of the trials that fit into `budget` seconds, at least three."""
    try:
        work()
    except (RuntimeError, NotImplementedError):  # no such kernel in this build
        return None
    best, end, count = float("inf"), time.perf_counter() + budget, 0
    while count < 3 or time.perf_counter() < end:
        start = time.perf_counter()
        work()
        best, count = min(best, time.perf_counter() - start), count + 1
    return best
