"""One variant against the baseline: the row of the report that says what was found, and how sure that is."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from workbench import evidence
from workbench.comparison import accuracy, explain
from workbench.comparison.seen import Inputs, PointSamples, VariantResult
from workbench.evidence import Interval, Rounds

MB = 1e6
SUSPICIOUS_AA = 0.03


class Judge:
    """Compares each variant with one baseline; keeps what a reader must be warned of."""

    def __init__(self, inputs: Inputs, base: VariantResult) -> None:
        self.inputs, self.base = inputs, base
        self.points = {point.name: point.rounds for point in base.points}
        self.again = {point.name: point.rounds for point in base.again}
        self.aa = self._aa(base.points[0].name) if base.points else None
        self.found: list[str] = []

    def row(self, variant: VariantResult) -> dict[str, Any]:
        """One object of the report's `rows`; all keys are there, what is not known is None."""
        speed, accuracy_ = self._speed(variant), self._accuracy(variant)
        return {
            "name": variant.name,
            "status": variant.status,
            "reason": variant.reason or None,
            "recipe": variant.recipe_path or (f"recipes/{variant.name}.yaml" if variant.status == "ok" else None),
            "backend": variant.backend or None,
            "precision": variant.precision or None,
            "speed": speed,
            "accuracy": accuracy_,
            "size_mb": _scaled(variant.size_bytes, 1 / MB),
            "peak_rss_mb": _scaled(variant.peak_rss_bytes, 1 / MB),
            "load_s": variant.load_s,
            "first_call_s": variant.first_call_s,
            "build_s": variant.build_s,
            "reused": variant.reused,
            "audit": dict(variant.audit),
            "why": self._why(variant, speed) if variant.status == "ok" else [],
        }

    def resolution(self) -> dict[str, Any]:
        return {"aa_ratio": self.aa.estimate if self.aa else None, "aa_ci95": _ends(self.aa)}

    def warnings(self) -> list[str]:
        """Of the whole run, then of single rows; complete once every row was made."""
        measuring, said = self.inputs.measuring, []
        if measuring.get("flagged"):
            share = f"{measuring['flagged']} of {len(self.base.headline)} rounds"
            said.append(f"{share} were disturbed by other load, steal time or throttling; they are kept.")
        if self.aa and abs(self.aa.estimate - 1) > SUSPICIOUS_AA:
            off = f"{self.aa.estimate - 1:+.1%}".replace("-", "−")
            said.append(f"The baseline differed from itself by {off}: trust no small difference.")
        if self.base.predictions is not None and self.base.predictions.metric is None:
            said.append("The data has no labels: answers were compared with the baseline's, not with the truth.")
        return said + self.found

    # ---- speed

    def _speed(self, variant: VariantResult) -> dict[str, Any]:
        ratios = [self._against(variant, samples) for samples in variant.points]
        headline = ratios[0] if ratios else None
        reason = self._not_comparable(variant, headline)
        calls = _calls([*variant.points[:1], *variant.again[:1]])
        p50 = evidence.percentile(calls, 0.5)
        speed = {
            **self._speedup(variant, headline),
            "verdict": "baseline" if variant is self.base else evidence.speed_verdict(headline, self.aa),
            "reason": reason or None,
            "p50_ms": _scaled(p50, 1e3),
            "p90_ms": _scaled(evidence.percentile(calls, 0.9), 1e3),
            "p99_ms": _scaled(evidence.percentile(calls, 0.99), 1e3),
            **_throughput(variant.points),
            "limit_share": self._limits(variant, p50)[0],
            "points": [
                _point(samples) | self._speedup(variant, ratio)
                for samples, ratio in zip(variant.points, ratios, strict=True)
            ],
            "rounds": _milliseconds(variant.headline),
        }
        return speed | ({"rounds_again": _milliseconds(variant.again[0].rounds)} if variant.again else {})

    def _speedup(self, variant: VariantResult, ratio: Interval | None) -> dict[str, Any]:
        known = 1.0 if variant is self.base and variant.points else ratio.estimate if ratio else None
        return {"speedup": known, "ci95": _ends(ratio)}

    def _not_comparable(self, variant: VariantResult, headline: Interval | None) -> str:
        """Why the headline can't be compared; empty when it can."""
        if variant.status != "ok":
            return variant.reason or f"It was {variant.status}."
        if variant.not_comparable or variant is self.base:
            return variant.not_comparable
        if not variant.headline or not self.base.headline:
            return f"The speed of {self.base.name if variant.headline else 'this variant'} was not measured."
        if self.aa is None:
            return f"Fewer than {evidence.MIN_ROUNDS} rounds have both visits of the baseline."
        return "" if headline else f"It shares fewer than {evidence.MIN_ROUNDS} rounds with the baseline."

    def _against(self, variant: VariantResult, samples: PointSamples) -> Interval | None:
        """The variant's ratio at this point; the baseline's is that of its second visit to its first."""
        if variant is self.base:
            return self._aa(samples.name)
        comparable = variant.status == "ok" and not variant.not_comparable
        return self._ratio(samples) if comparable else None

    def _ratio(self, samples: PointSamples) -> Interval | None:
        """Against both visits of the baseline at the point of the same name."""
        base, again = self.points.get(samples.name, ()), self.again.get(samples.name)
        return evidence.ratio_interval(base, samples.rounds, again or None, seed=self.inputs.seed)

    def _aa(self, point: str) -> Interval | None:
        return evidence.aa_interval(self.points[point], self.again.get(point, ()), seed=self.inputs.seed)

    def _limits(self, variant: VariantResult, p50: float | None) -> tuple[float | None, float | None]:
        """(share of the call that the machine's peaks make necessary, share that arithmetic alone makes).
        Weights that would take longer than the call evidently stayed in a cache, and set no limit. A call that was
        quicker than the measured peak allows shows that the peak was measured too low: nothing is said then, nor of
        what ran elsewhere than on the CPU, whose peaks they are."""
        peaks = self._processor(variant).get("peaks") or {}
        peak, bandwidth = peaks.get(variant.precision), peaks.get("bandwidth")
        if not p50 or not peak or not variant.flops:
            return None, None
        compute = variant.flops / peak / p50
        if compute > 1:
            return None, None
        memory = (variant.weight_bytes or 0) / bandwidth / p50 if bandwidth else 0.0
        return max(compute, memory if memory <= 1 else 0.0), compute

    def _processor(self, variant: VariantResult) -> Mapping[str, Any]:
        """The machine's facts, which are its CPU's, for a variant that runs on it."""
        return self.inputs.machine if variant.device == "cpu" else {}

    # ---- accuracy

    def _accuracy(self, variant: VariantResult) -> dict[str, Any]:
        base, mine = self.base.predictions, variant.predictions
        if base is None or mine is None or variant.status != "ok":
            return accuracy.none(base, "It was not measured.")
        if variant is self.base:
            return accuracy.baseline(base)
        found = accuracy.judge(base, mine, self.inputs.goal, self.inputs.seed)
        if base.metric is not None and found["delta"] is not None and _is_implausible(found):
            self.found.append(_gain_warning(variant.name, found))
        return found

    # ---- why

    def _why(self, variant: VariantResult, speed: Mapping[str, Any]) -> list[str]:
        facts = explain.Facts(
            audit=variant.audit,
            profile=variant.profile,
            placement=variant.placement,
            precision=variant.precision,
            said=_named_precision(variant.name),
            machine=self._processor(variant),
            verdict=speed["verdict"],
            limit_share=speed["limit_share"],
            compute_share=self._limits(variant, evidence.percentile(_calls(variant.points[:1]), 0.5))[1],
            batch=variant.points[0].batch if variant.points else 1,
            speedup=speed["speedup"],
            together=_most_at_once(speed["points"]),
        )
        self.found += [f"{variant.name}: {sentence}" for sentence in explain.alarms(facts)]
        return explain.why(facts)


# ---- parts


def _is_implausible(found: Mapping[str, Any]) -> bool:
    return evidence.is_implausible_gain(Interval(found["delta"], *found["ci95"]), found["better"])


def _gain_warning(name: str, found: Mapping[str, Any]) -> str:
    lo, hi = found["ci95"]
    change = f"{found['metric']} changed by {found['delta']:+.4f}, 95 % interval {lo:+.4f} to {hi:+.4f}"
    return f"{name} answers better than chance allows ({change}): optimizing should not do that, look at its flips."


def _point(samples: PointSamples) -> dict[str, Any]:
    value = evidence.percentile(_calls([samples]), 0.5)
    rate = {"rate": samples.units / value, "rate_unit": f"{samples.rate_unit}/s"} if samples.units and value else {}
    call = {"call": samples.call} if samples.call else {}
    return {
        "name": samples.name,
        "metric": samples.metric,
        "unit": samples.unit,
        "batch": samples.batch,
        "sequence": samples.sequence,
        "value": _scaled(value, 1e3 if samples.unit == "ms" else 1),
        **rate,
        **call,
    }


def _most_at_once(points: Sequence[Mapping[str, Any]]) -> tuple[int, float, float] | None:
    """(batch, speed-up, its lower end) of the largest batch of natural examples."""
    known = [one for one in points if one["batch"] > 1 and one["sequence"] is None and one["ci95"]]
    most = max(known, key=lambda one: one["batch"], default=None)
    return (most["batch"], most["speedup"], most["ci95"][0]) if most else None


def _calls(points: Sequence[PointSamples]) -> list[float]:
    """Every call's seconds."""
    return [call for samples in points for turn in samples.rounds for call in turn]


def throughput(points: Sequence[PointSamples]) -> float | None:
    """Examples a second, the median over rounds: at the largest batch, or with several requests in flight where that
    gets more done."""
    found: float | None = _throughput(points)["throughput"]
    return found


def _throughput(points: Sequence[PointSamples]) -> dict[str, Any]:
    """The same with its interval, and the name of the point that it was seen at."""
    measured = [point for point in points if point.metric == "latency" and any(len(turn) for turn in point.rounds)]
    chosen = (
        [max(measured, key=lambda point: point.batch), *(one for one in points if one.metric == "concurrent")]
        if measured
        else []
    )
    rates = [(rate, point) for point in chosen if (rate := evidence.percentile(_rates(point), 0.5))]
    if not rates:
        return {"throughput": None, "throughput_ci95": None, "throughput_at": None}
    rate, point = max(rates, key=lambda one: one[0])
    ends = _ends(evidence.median_interval(_rates(point)))
    return {"throughput": rate, "throughput_ci95": ends, "throughput_at": point.name}


def _rates(point: PointSamples) -> list[float]:
    """Examples a second of each round."""
    return [point.batch * len(turn) / sum(turn) for turn in point.rounds if len(turn) and sum(turn) > 0]


def _named_precision(name: str) -> str:
    """The number format that a recipe's name promises; weight-only compression promises none for arithmetic."""
    found = re.search(r"(?<![a-z0-9])(fp32|fp16|bf16|int8)(?![a-z0-9])", name)
    return found.group(1) if found and "weights" not in name else ""


def _milliseconds(rounds: Rounds) -> list[list[float]]:
    return [[seconds * 1e3 for seconds in turn] for turn in rounds]


def _ends(interval: Interval | None) -> list[float] | None:
    return [interval.lo, interval.hi] if interval else None


def _scaled(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor
