"""Why is it slower, or no faster? Rules that turn an audit, a profile and a few measurements into sentences.

A rule sees the facts of one variant and says one sentence with its evidence, or nothing. What was not
read or not measured is never guessed at: a rule whose facts are missing is silent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from workbench import words
from workbench.machine import NATIVE

QDQ = ("QuantizeLinear", "DequantizeLinear", "FakeQuantize")
CASTS = ("Cast", "Convert", "Reorder", "to", "_to_copy", "copy_")
HEAVY = ("MatMul", "Gemm", "Conv", "FullyConnected", "Convolution", "Attention", "linear", "addmm", "mm", "bmm", "conv")
SATURATES = "x86_64"
FEW_BITS = "MatMulNBits"  # has kernels of its own, of which nothing is known that saturates

LOW_COVERAGE = 0.9  # below this share of quantized operators it is worth a sentence
NOTABLE_SHARE = 0.10  # of a call's time
OVERHEAD_LIMIT = 0.05  # a call that reaches less of the machine's peak is not bound by arithmetic
MANY_OPERATORS = 50
MUCH_MORE = 2.0  # times the speed-up of one example


@dataclass(frozen=True)
class Facts:
    """What is known of one variant.

    audit: as Backend.audit; `optimized` and `qdq_unfused` in it are read from what the runtime made of the file.
    profile: as Profiles.profile, seconds per call. placement: {provider: operators}, where there are several.
    precision: read back from the session; said: what the name of the recipe promises ("fp32", "bf16", "int8"),
    "" where it promises nothing. machine: {"architecture": str, "flags": [...]}. verdict, limit_share: as in the
    report; compute_share: the part of limit_share that is arithmetic; batch, speedup: of the headline; together:
    (batch, speed-up, its lower end) of the largest batch. Of what does not run on the CPU `machine` says nothing.
    """

    audit: Mapping[str, Any] = field(default_factory=dict)
    profile: Sequence[Mapping[str, Any]] = ()
    placement: Mapping[str, int] = field(default_factory=dict)
    precision: str = ""
    said: str = ""
    machine: Mapping[str, Any] = field(default_factory=dict)
    verdict: str = ""
    limit_share: float | None = None
    compute_share: float | None = None
    batch: int = 1
    speedup: float | None = None
    together: tuple[int, float, float] | None = None

    @property
    def has_int8(self) -> bool:
        return self.said == "int8" or self.precision == "int8" or any(o["quantized"] for o in self.coverage.values())

    @property
    def computes_int8(self) -> bool:
        """As far as is known; integers that are only stored are no products of integers."""
        return self.precision == "int8" or (
            any(o["quantized"] for o in self.coverage.values()) if self.coverage else self.has_int8
        )

    @property
    def coverage(self) -> Mapping[str, Mapping[str, int]]:
        found: Mapping[str, Mapping[str, int]] = self.audit.get("coverage") or {}
        return {kind: counts for kind, counts in found.items() if counts.get("total")}

    @property
    def seconds(self) -> float:
        return sum(float(row.get("seconds") or 0) for row in self.profile)

    def share(self, rows: Sequence[Mapping[str, Any]]) -> float:
        """Part of the profiled time that these rows took."""
        return sum(float(row.get("seconds") or 0) for row in rows) / self.seconds if self.seconds else 0.0

    def of_types(self, *types: str) -> list[Mapping[str, Any]]:
        return [row for row in self.profile if _plain(str(row.get("type", ""))) in types]


Rule = Callable[[Facts], str | None]


def why(facts: Facts) -> list[str]:
    """The sentences of all rules that have something to say, the gravest first."""
    return [sentence for rule in RULES if (sentence := rule(facts))]


def alarms(facts: Facts) -> list[str]:
    """Those of them that say that the variant is not what it is called."""
    return [sentence for rule in ALARMS if (sentence := rule(facts))]


# ---- precision ----------------------------------------------------------------------------------


def nothing_quantized(facts: Facts) -> str | None:
    empty = [f"0 of {_count(c['total'], kind)}" for kind, c in facts.coverage.items() if not c["quantized"]]
    partly = any(counts["quantized"] for counts in facts.coverage.values())
    if facts.said != "int8" or not empty or partly:
        return None
    return f"{_and(empty)} were quantized: this is not an INT8 model, whatever its name says."


def partly_quantized(facts: Facts) -> str | None:
    low = [
        f"{counts['quantized']} of {_count(counts['total'], kind)}"
        for kind, counts in facts.coverage.items()
        if counts["quantized"] / counts["total"] < LOW_COVERAGE
    ]
    if not low or not any(counts["quantized"] for counts in facts.coverage.values()):
        return None
    return f"Only {_and(low)} were quantized; the rest run at full precision."


def ran_in_another_precision(facts: Facts) -> str | None:
    if not facts.precision or not facts.said or "int8" in (facts.said, facts.precision):
        return None
    if facts.precision == facts.said:
        return None
    return f"The runtime ran in {facts.precision} though {facts.said} was asked for (read back from the loaded model)."


def measured_elsewhere(facts: Facts) -> str | None:
    """What its backend says of a model that is meant for another kind of machine."""
    said = facts.audit.get("measured")
    return f"It is {said}." if said else None


def emulated_bf16(facts: Facts) -> str | None:
    if "bf16" not in (facts.precision, facts.said) or not _knows(facts) or _has(facts, NATIVE["bf16"]):
        return None
    return "This CPU has no bfloat16 instructions (AVX512-BF16, AMX or Arm BF16), so bf16 is emulated on top of fp32."


def no_fast_int8(facts: Facts) -> str | None:
    if not facts.computes_int8 or not _knows(facts) or _has(facts, NATIVE["int8"]):
        return None
    x86 = facts.machine.get("architecture") == SATURATES
    names = "VNNI or AMX" if x86 else "dot-product or I8MM instructions"
    few_bits = FEW_BITS in (facts.audit.get("operators") or {})
    risk = " and U8S8 products can saturate" if x86 and not few_bits else ""
    return f"This CPU has no {names}: INT8 products take several instructions each{risk}."


# ---- structure ----------------------------------------------------------------------------------


def unfused_pairs(facts: Facts) -> str | None:
    left, total = _unfused(facts), int(facts.audit.get("qdq_pairs") or 0)
    if not left or not total:
        return None
    share = facts.share(facts.of_types(*QDQ))
    cost = f"; they cost {share:.0%} of the time" if share >= NOTABLE_SHARE else ""
    return f"{min(left, total)} of {total} Q/DQ pairs did not fuse, so values go to INT8 and back there{cost}."


def slow_quantize_nodes(facts: Facts) -> str | None:
    share = facts.share(facts.of_types(*QDQ))
    if share < NOTABLE_SHARE or unfused_pairs(facts):
        return None
    return f"Quantize and dequantize nodes that run on their own cost {share:.0%} of the time."


def dynamic_ranges(facts: Facts) -> str | None:
    share = facts.share(facts.of_types("DynamicQuantizeLinear"))
    if share < NOTABLE_SHARE:
        return None
    return f"Finding the range of activations at every call (DynamicQuantizeLinear) costs {share:.0%} of the time."


def casts(facts: Facts) -> str | None:
    share = facts.share(facts.of_types(*CASTS))
    if share < NOTABLE_SHARE:
        return None
    return f"Conversions between number formats or layouts cost {share:.0%} of the time."


def full_precision_fallback(facts: Facts) -> str | None:
    if not facts.has_int8 and "bf16" not in (facts.said, facts.precision):
        return None
    rows = [row for row in facts.profile if row.get("precision") == "fp32" and _plain(str(row["type"])) in HEAVY]
    if facts.share(rows) < NOTABLE_SHARE:
        return None
    top = max(rows, key=lambda row: float(row["seconds"]))
    named = f"{top['type']} {top['name']}" if len(rows) == 1 else f"{len(rows)} operators such as {top['name']}"
    return f"The fp32 fallback of {named} costs {facts.share(rows):.0%} of the time."


def other_provider(facts: Facts) -> str | None:
    main = max(facts.placement, key=lambda name: facts.placement[name], default="")
    away = sum(count for name, count in facts.placement.items() if name != main)
    rows = [row for row in facts.profile if row.get("provider") in facts.placement and row["provider"] != main]
    if not away or facts.share(rows) < NOTABLE_SHARE:
        return None
    return f"{_count(away, 'operator')} outside {main} cost {facts.share(rows):.0%} of the time."


def not_fused(facts: Facts) -> str | None:
    optimized = facts.audit.get("optimized") or {}
    blocks = (optimized.get("operators") or {}).get("Softmax", 0)
    if not blocks or any((optimized.get("fused") or {}).values()) or facts.verdict == "faster":
        return None
    return f"The runtime fused no operators: {_count(blocks, 'attention block')} run as separate operators."


# ---- the call as a whole ------------------------------------------------------------------------


def bound_by_overhead(facts: Facts) -> str | None:
    share = facts.compute_share
    if share is None or share >= OVERHEAD_LIMIT or facts.verdict == "faster" or facts.limit_share is None:
        return None
    if facts.limit_share >= 2 * OVERHEAD_LIMIT:  # reading the weights explains the time
        return None
    made = facts.audit.get("optimized") or facts.audit
    count = sum((made.get("operators") or {}).values())
    many = f": {count} operator starts a call" if count >= MANY_OPERATORS else ""
    return f"Batch {facts.batch} is bound by overhead{many}; arithmetic could be done in {share:.1%} of the time."


def bound_by_memory(facts: Facts) -> str | None:
    if facts.limit_share is None or facts.compute_share is None or facts.limit_share < 0.5:
        return None
    if facts.limit_share <= 2 * facts.compute_share:
        return None
    return f"The call is bound by reading the weights: that alone takes {facts.limit_share:.0%} of the time."


def near_the_limit(facts: Facts) -> str | None:
    if facts.compute_share is None or facts.compute_share < 0.7:
        return None
    return f"The machine's peak allows little more: {facts.compute_share:.0%} of the time is arithmetic at full speed."


def batches_pay(facts: Facts) -> str | None:
    """One example is little work for an accelerator."""
    if not facts.speedup or not facts.together:
        return None
    batch, speedup, least = facts.together
    if least < MUCH_MORE * facts.speedup:
        return None
    one, many = words.speedup(facts.speedup), words.speedup(speedup)
    return f"Batches pay here: {batch} at a time it is {many} as fast as the baseline, {facts.batch} at a time {one}."


RULES: tuple[Rule, ...] = (
    measured_elsewhere,
    nothing_quantized,
    ran_in_another_precision,
    partly_quantized,
    unfused_pairs,
    slow_quantize_nodes,
    full_precision_fallback,
    no_fast_int8,
    emulated_bf16,
    dynamic_ranges,
    casts,
    other_provider,
    not_fused,
    bound_by_overhead,
    bound_by_memory,
    batches_pay,
    near_the_limit,
)

ALARMS: tuple[Rule, ...] = (nothing_quantized, ran_in_another_precision)


# ---- words --------------------------------------------------------------------------------------


def _plain(kind: str) -> str:
    """`aten::addmm` and `com.microsoft.FusedMatMul` by their last word."""
    return kind.rsplit("::", 1)[-1].rsplit(".", 1)[-1]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _and(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _knows(facts: Facts) -> bool:
    return bool(facts.machine.get("flags"))


def _has(facts: Facts, flags: Sequence[str]) -> bool:
    return any(flag in facts.machine.get("flags", ()) for flag in flags)


def _unfused(facts: Facts) -> int:
    """Read from the optimized graph where the audit has it; else the pairs that the profile saw running."""
    said = facts.audit.get("qdq_unfused")
    return int(said) if said is not None else len(facts.of_types("QuantizeLinear"))
