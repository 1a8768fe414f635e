"""Made-up reports for the tests of what people read: the right shape and plausible figures, nothing measured."""

from __future__ import annotations

import math
import random
from typing import Any

DETECTABLE = 0.009
HOSTILE = "<script>alert('x')</script>"


def spread(median: float, rounds: int, calls: int, seed: str) -> list[list[float]]:
    """Log-normal milliseconds around `median`, the same for the same seed."""
    chance = random.Random(seed)
    return [[round(median * math.exp(chance.gauss(0, 0.42)), 3) for _ in range(calls)] for _ in range(rounds)]


def points(base: float, slope: float) -> list[dict[str, Any]]:
    """A grid of fixed points whose speed-up moves with the amount of work, one missing, plus end to end."""
    made = []
    for batch in (1, 8, 32):
        for sequence in (16, 64, 128, 256):
            if batch == 32 and sequence == 256:
                continue
            ratio = round(base * (batch * sequence / 16) ** slope, 3)
            made.append(
                {
                    "name": f"batch {batch}, {sequence} tokens",
                    "metric": "latency",
                    "unit": "ms",
                    "batch": batch,
                    "sequence": sequence,
                    "value": round(0.4 * batch * sequence / ratio, 2),
                    "speedup": ratio,
                    "ci95": [round(ratio * 0.98, 3), round(ratio * 1.02, 3)],
                }
            )
    made.append(
        {
            "name": "batch 8",
            "metric": "latency",
            "unit": "ms",
            "batch": 8,
            "sequence": None,
            "value": 31.0,
            "speedup": base,
            "ci95": [base * 0.97, base * 1.03],
        }
    )
    made.append(
        {
            "name": "end_to_end",
            "metric": "end_to_end",
            "unit": "ms",
            "batch": 1,
            "sequence": None,
            "value": 6.3,
            "speedup": round(base * 0.9, 3),
            "ci95": [base * 0.88, base * 0.92],
        }
    )
    return made


def speed(
    ratio: float, half: float, verdict: str, p50: float, name: str, slope: float = 0.05, rounds: int = 40
) -> dict[str, Any]:
    drawn = spread(p50, rounds, 15, name)
    calls = rounds * 15
    return {
        "speedup": ratio,
        "ci95": [round(ratio - half, 4), round(ratio + half, 4)],
        "verdict": verdict,
        "p50_ms": p50,
        "p90_ms": round(p50 * 1.71, 2) if calls >= 64 else None,
        "p99_ms": round(p50 * 2.7, 2) if calls >= 662 else None,
        "throughput": round(1000 / p50, 1),
        "limit_share": round(0.07 * ratio, 3),
        "points": points(ratio, slope),
        "rounds": drawn,
    }


def accuracy(
    delta: float, ci95: list[float], verdict: str, constraint: str | None, wrong: int, right: int, n: int = 1000
) -> dict[str, Any]:
    return {
        "metric": "accuracy",
        "better": "higher",
        "unit": "fraction",
        "value": round(0.91 + delta, 4),
        "baseline": 0.91,
        "n": n,
        "delta": delta,
        "ci95": ci95,
        "agreement": 1 - (wrong + right) / n,
        "flips": {"to_wrong": wrong, "to_right": right},
        "verdict": verdict,
        "detectable_drop": DETECTABLE,
        "constraint": constraint,
    }


def row(name: str, **given: Any) -> dict[str, Any]:
    made: dict[str, Any] = {
        "name": name,
        "status": "ok",
        "reason": None,
        "recipe": f"recipes/{name}.yaml",
        "speed": None,
        "accuracy": None,
        "size_mb": None,
        "peak_rss_mb": None,
        "load_s": None,
        "build_s": None,
        "reused": False,
        "audit": {},
        "why": [],
    }
    return made | given


NNCF_AUDIT = {
    "operators": {"MatMul": 36, "QuantizeLinear": 74, "DequantizeLinear": 74, "Reshape": 96},
    "precision": {"fp32": 206},
    "coverage": {"MatMul": {"quantized": 0, "total": 36}},
    "qdq_pairs": 74,
    "casts": 0,
}
STATIC_AUDIT = {
    "operators": {"MatMul": 38, "QuantizeLinear": 74},
    "coverage": {"MatMul": {"quantized": 36, "total": 38}},
    "qdq_pairs": 74,
    "qdq_unfused": 38,
    "casts": 0,
}


def rows() -> list[dict[str, Any]]:
    """The baseline, six that finished, one that failed, one that was skipped."""
    return [
        row(
            "onnx-int8-static",
            speed=speed(0.48, 0.01, "slower", 29.6, "static", 0.06),
            accuracy=accuracy(-0.045, [-0.062, -0.028], "drop", "missed", 61, 16),
            size_mb=24.0,
            peak_rss_mb=187.0,
            load_s=0.22,
            build_s=48.0,
            audit=STATIC_AUDIT,
            why=[
                "38 of 74 quantize/dequantize pairs did not fuse, so every layer converts to INT8 and back.",
                "LayerNorm, Softmax and Gelu were quantized too; that is where the accuracy went.",
            ],
        ),
        row(
            "pytorch-fp32",
            speed=speed(1.0, 0.004, "baseline", 14.2, "baseline", 0.0) | {"ci95": [0.996, 1.004]},
            accuracy=accuracy(0.0, [0.0, 0.0], "baseline", "met", 0, 0),
            size_mb=91.0,
            peak_rss_mb=528.0,
            load_s=1.12,
            build_s=0.0,
            reused=True,
        ),
        row(
            "openvino-bf16",
            speed=speed(2.41, 0.04, "faster", 5.9, "ov16", 0.08),
            accuracy=accuracy(0.003, [-0.006, 0.012], "no_detectable_drop", "met", 8, 11),
            size_mb=46.0,
            peak_rss_mb=241.0,
            load_s=0.46,
            build_s=21.0,
        ),
        row(
            "onnx-int8-dynamic",
            speed=speed(2.8, 0.04, "faster", 5.1, "dyn", -0.08),
            accuracy=accuracy(-0.003, [-0.012, 0.006], "cannot_tell", "cannot_tell", 13, 10),
            size_mb=23.0,
            peak_rss_mb=132.0,
            load_s=0.18,
            build_s=9.0,
        ),
        row(
            "openvino-int8",
            speed=speed(2.38, 0.04, "faster", 6.0, "ov8", 0.07),
            accuracy=accuracy(0.003, [-0.007, 0.013], "no_detectable_drop", "met", 12, 15),
            size_mb=24.0,
            peak_rss_mb=198.0,
            load_s=0.58,
            build_s=64.0,
        ),
        row(
            "onnx-fp32",
            speed=speed(1.7, 0.02, "faster", 8.3, "onnx", 0.02),
            accuracy=accuracy(0.0, [0.0, 0.0], "no_detectable_drop", "met", 0, 0),
            size_mb=91.0,
            peak_rss_mb=214.0,
            load_s=0.31,
            build_s=12.0,
            reused=True,
        ),
        row(
            "pytorch-bf16",
            speed=speed(1.01, 0.015, "no_clear_difference", 14.1, "bf16", 0.03),
            accuracy=accuracy(0.001, [-0.005, 0.007], "no_detectable_drop", "met", 4, 5),
            size_mb=91.0,
            peak_rss_mb=534.0,
            load_s=1.15,
            build_s=1.0,
            why=[
                "At batch 1 a call is bound by overhead: 212 operator starts, and casts take back what bfloat16 wins."
            ],
        ),
        row(
            "executorch-xnnpack-int8",
            status="failed",
            reason="export: One operator has no lowering for this attention mask: aten.masked_fill.Scalar. "
            "The other recipes were not affected.",
        ),
        row(
            "tensorrt-fp16",
            status="skipped",
            reason="Needs an NVIDIA GPU; this machine has none. Run the same recipe file on a machine that has one.",
        ),
    ]


def report(**changes: Any) -> dict[str, Any]:
    """Nine rows: one undecided, one slower, one failed, one skipped."""
    made: dict[str, Any] = {
        "schema": "workbench/report@1",
        "created": "2026-11-21T10:32:07Z",
        "quick": False,
        "model": {
            "id": "starter:sentiment",
            "revision": "3f8cd20",
            "task": "text-classification",
            "parameters": 22713216,
        },
        "data": {
            "evaluation": {"source": "starter:reviews", "split": "test", "n": 1000, "labels": 2},
            "calibration": {"source": "starter:reviews", "split": "train", "n": 256},
        },
        "machine": {"class": "x86_64/avx512_vnni+amx_int8+amx_bf16", "cores": 2},
        "target": "this-machine",
        "goal": {"max_drop": 0.01, "kind": "absolute"},
        "baseline": "pytorch-fp32",
        "best": "openvino-bf16",
        "rows": rows(),
        "pareto": ["openvino-bf16", "onnx-int8-dynamic"],
        "resolution": {"aa_ratio": 1.0, "aa_ci95": [0.996, 1.004]},
        "warnings": ["2 of 40 rounds had steal time; they were kept."],
    }
    return made | changes


def quick_report() -> dict[str, Any]:
    """Few calls: percentiles below their floor are null."""
    made = report(quick=True)
    for each in made["rows"]:
        if each["speed"]:
            each["speed"] = each["speed"] | {
                "rounds": each["speed"]["rounds"][:3],
                "p90_ms": None,
                "p99_ms": None,
                "points": [],
            }
    return made


def label_free_report() -> dict[str, Any]:
    """No labels: agreement with the baseline in place of accuracy."""
    made = report(warnings=["No label column: variants are compared with the baseline's answers."])
    for each in made["rows"]:
        if each["accuracy"]:
            share = round(1 - (1 - each["accuracy"]["agreement"]) / 4, 5)
            low, high = round(share - 1.004, 5), min(0.0, round(share - 0.996, 5))
            constraint = "met" if low >= -0.01 else "missed" if high < -0.01 else "cannot_tell"
            verdict = "no_detectable_drop" if constraint == "met" else "drop" if high < 0 else "cannot_tell"
            each["accuracy"] = each["accuracy"] | {
                "metric": "agreement",
                "value": share,
                "baseline": 1.0,
                "delta": share - 1,
                "ci95": [low, high],
                "agreement": share,
                "flips": {"to_wrong": None, "to_right": None},
                "verdict": "baseline" if each["name"] == "pytorch-fp32" else verdict,
                "constraint": constraint,
            }
    return made


def vector_report() -> dict[str, Any]:
    """No labels, and answers that are vectors: the cosine with those of the baseline."""
    made = label_free_report()
    for each in made["rows"]:
        if facts := each["accuracy"]:
            value = 1.0 if each["name"] == made["baseline"] else 0.99978
            each["accuracy"] = facts | {
                "metric": "cosine", "unit": "", "value": value, "delta": value - 1, "agreement": None, "flips": None,
                "ci95": [value - 1.0001, value - 0.9999],
            }  # fmt: skip
    return made


def error_report() -> dict[str, Any]:
    """A metric with its own unit, of which less is better."""
    made = report()
    for each in made["rows"]:
        if each["accuracy"]:
            delta = -each["accuracy"]["delta"] * 2
            low, high = each["accuracy"]["ci95"]
            each["accuracy"] = each["accuracy"] | {
                "metric": "mse",
                "better": "lower",
                "unit": "",
                "value": 0.412 + delta,
                "baseline": 0.412,
                "delta": delta,
                "ci95": [-2 * high, -2 * low],
                "flips": {"to_wrong": None, "to_right": None},
                "detectable_drop": 0.018,
            }
    return made


def measure(metric: str, value: float, delta: float | None, ci95: list[float] | None, **given: Any) -> dict[str, Any]:
    """One more measure of the answers."""
    said = {"metric": metric, "better": "higher", "unit": "fraction", "value": value, "n": 1000, "delta": delta}
    return said | {"baseline": None if delta is None else value - delta, "ci95": ci95} | given


def writing_report() -> dict[str, Any]:
    """Of a model that writes: perplexity, the divergence of the next token, first tokens and those after them."""
    made = error_report()
    made["model"] = made["model"] | {"task": "text-generation"}
    for each in made["rows"]:
        if facts := each["accuracy"]:
            each["accuracy"] = facts | {"metric": "perplexity", "value": 26.6 + facts["delta"], "baseline": 26.6}
            kl = measure("kl", 0.0052, None, [0.0047, 0.0057], unit="nats", better="lower", n=200)
            each["accuracy"] |= {"kl": 0.0052, "secondary": [] if each["name"] == made["baseline"] else [kl]}
        if fast := each["speed"]:
            written = {"name": "natural, batch 1, 16 tokens written", "metric": "latency", "unit": "s", "batch": 1,
                       "sequence": None, "value": 0.367, "rate": 43.5, "rate_unit": "tokens/s",
                       "call": "16 tokens written"}  # fmt: skip
            parts = [("first token", "first_token", "prefill tokens/s", 0.0583, 1098.0),
                     ("each token", "per_token", "tokens/s", 0.0156, 64.3)]  # fmt: skip
            shared = {"unit": "s", "speedup": fast["speedup"], "ci95": fast["ci95"]}
            each["speed"] = fast | {
                "throughput_ci95": [fast["throughput"] * 0.98, fast["throughput"] * 1.02],
                "throughput_at": written["name"],
                "points": [written | shared, *(
                    {"name": f"{name} after {length} tokens, batch {batch}", "metric": metric, "batch": batch,
                     "sequence": length, "value": seconds * length * batch / 64, "rate": rate, "rate_unit": unit}
                    | shared
                    for length in (64, 1024) for batch in (1, 8) for name, metric, unit, seconds, rate in parts
                )],
            }  # fmt: skip
    return made


def asked_report() -> dict[str, Any]:
    """Of a model that answers questions: exact match, with F1 beside it."""
    made = report()
    made["model"] = made["model"] | {"task": "question-answering"}
    for each in made["rows"]:
        if facts := each["accuracy"]:
            drop = facts["delta"] - 0.001 if facts["delta"] else 0.0
            ends = [drop - 0.004, drop + 0.004] if drop else [0.0, 0.0]
            each["accuracy"] = facts | {"metric": "exact_match", "secondary": [measure("f1", 0.93 + drop, drop, ends)]}
    return made


def heard_report() -> dict[str, Any]:
    """Of a model that hears: seconds of sound a second, and the real-time factor."""
    made = report()
    made["model"] = made["model"] | {"task": "automatic-speech-recognition"}
    for each in made["rows"]:
        if fast := each["speed"]:
            shared = {"metric": "latency", "sequence": None, "unit": "s", "rate_unit": "s of sound/s", "rate": 83.1}
            ratio = {"speedup": fast["speedup"], "ci95": fast["ci95"]}
            each["speed"] = fast | {"points": [
                {"name": f"natural, batch {batch}", "batch": batch, "value": 0.12 * batch} | shared | ratio
                for batch in (1, 8)
            ]}  # fmt: skip
    return made


def empty_report() -> dict[str, Any]:
    """Nothing finished but the baseline."""
    made = report(best=None, pareto=[], warnings=[])
    made["rows"] = [each for each in made["rows"] if each["status"] != "ok" or each["name"] == "pytorch-fp32"]
    return made


def lonely_report() -> dict[str, Any]:
    """Not even the baseline finished; everything that may be null is null."""
    made = report(best=None, pareto=[], warnings=[], resolution={"aa_ratio": None, "aa_ci95": None})
    made["rows"] = [
        row("pytorch-fp32", status="failed", reason="The model has no weights."),
        row("onnx-fp32", status="skipped", reason="No baseline."),
    ]
    return made


def searched_report() -> dict[str, Any]:
    """Of a search: three candidates, one with the ranking of its operators."""
    tried: list[dict[str, Any]] = [
        {"name": name, "state": state, "pace": pace, "examples": n, "reason": reason}
        for name, state, pace, n, reason in (
            ("onnx-int8-static", "dead", {"speedup": 2.61, "ci95": [2.57, 2.66]}, 640, "Drop of 4.5 pp."),
            ("openvino-bf16", "best", {"speedup": 2.41, "ci95": [2.37, 2.45]}, 1355, None),
            ("onnx-fp16", "dead", None, 0, "failed to build: no | kernel"),
        )
    ]
    ranking = [{"name": f"/layer.{i}/MatMul", "type": "MatMul", "error": 0.04 / i, "carried": 0.01}
               for i in range(1, 13)]  # fmt: skip
    search = {"budget_s": 600.0, "spent_s": 421.0, "candidates": 3, "raced": 2, "answered": 2, "tried": tried,
              "rankings": {"onnx-int8-static": ranking}, "work": {"builds": 2, "calibrations": 1, "evaluations": 2,
              "given_up": 1}, "test": {"kind": "net", "wrong_kill_each": 0.01, "wrong_kill_any": 0.02,
              "wrong_accept_each": 0.025, "wrong_accept_any": 0.05}}  # fmt: skip
    return report(search=search)


def hostile_report() -> dict[str, Any]:
    """Every text that somebody else chose tries to be markup."""
    made = report(warnings=[HOSTILE])
    made["model"] = made["model"] | {"id": f"org/{HOSTILE}"}
    made["data"]["evaluation"]["source"] = HOSTILE
    for each in made["rows"]:
        each["why"] = [*each["why"], HOSTILE]
        each["reason"] = each["reason"] and each["reason"] + HOSTILE
    made["rows"][3]["name"] = HOSTILE
    made["pareto"] = ["openvino-bf16", HOSTILE]
    return made


DOCUMENTS = {
    "full": report,
    "quick": quick_report,
    "label-free": label_free_report,
    "error": error_report,
    "writing": writing_report,
    "asked": asked_report,
    "heard": heard_report,
    "empty": empty_report,
    "lonely": lonely_report,
    "searched": searched_report,
    "hostile": hostile_report,
}


def flip(
    id_: str, text: str, label: str | None, kind: str, before: tuple[str, float | None], after: tuple[str, float | None]
) -> dict[str, Any]:
    return {
        "id": id_,
        "text": text,
        "label": label,
        "kind": kind,
        "baseline": {"answer": before[0], "score": before[1]},
        "variant": {"answer": after[0], "score": after[1]},
    }


PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAABwAAAAcCAAAAABXZoBIAAAAgUlEQVR4nGNgGLygoOE/FHxkgYlpu1QwsPkihFGAcwGCjSLJuu3//0fxzNgld/7/v5EXu1Vs9////22Jw0HcT/7//78XhyTz5v///0/CIWn7////26o4JC3e/38aKY1Dcu7//zVYpRiYGBgYdAzsGRgYjuCQ"
    "5GGQZWBguI5dVkLW/2EBAwMAgcQ5cxqQkL4AAAAASUVORK5CYII="
)

YAML = """\
schema: workbench/recipe@1
name: {name}
summary: Weights in fp16, arithmetic in bfloat16 where the CPU has it.
spec:
  steps:
    - {{use: export-openvino, dynamic: true}}   # natural lengths
    - {{use: compress-weights, to: fp16}}
expect:
  speed:
    - {{batch: 1, speedup: 2.41, ci95: [2.37, 2.45]}}
"""


def details(text: str = "") -> dict[str, Any]:
    """What only people read; `text` is appended wherever somebody else's text may stand."""
    flips = [
        flip(
            "r-101",
            "I laughed twice, and the second time I meant it." + text,
            "positive",
            "to_right",
            ("negative", 0.62),
            ("positive", 0.41),
        ),
        flip(
            "r-412",
            "It has its moments; most of them are in the first ten minutes.",
            "negative",
            "to_wrong",
            ("negative", 0.64),
            ("positive", 0.45),
        ),
        flip("r-007", "Competent, tidy, forgettable.", "negative", "to_right", ("positive", 0.56), ("negative", 0.39)),
        flip(
            "r-800",
            "Not the disaster the trailer promised, though never quite the comedy.",
            "negative",
            "to_wrong",
            ("negative", 0.59),
            ("positive", 0.43),
        ),
    ]
    picture = flip("i-3", "", "shirt" + text, "to_wrong", ("shirt", 0.81), ("coat", 0.22)) | {"image": PIXEL}
    spoken = flip(
        "s-1",
        "",
        None,
        "changed",
        ("the cat sat on the mat and looked out of the window", None),
        ("the cat sat on the map and looked out of the window", None),
    )
    return {
        "title": "Compare: starter:sentiment" + text,
        "flips": {
            "openvino-bf16": flips,
            "onnx-int8-dynamic": [picture, *flips[:1]],
            "onnx-int8-static": [spoken, *flips],
        },
        "yaml": {each["name"]: YAML.format(name=each["name"] + text) for each in rows() if each["status"] == "ok"},
        "machine": {
            "cpu": "Intel Xeon 8488C",
            "class": "x86_64/avx512_vnni+amx_int8+amx_bf16",
            "cores": 2,
            "quota": 2.0,
            "threads": 2,
            "memory_gb": 8.0,
            "os": "Linux 6.1",
            "peaks": {"fp32": 2.1e11, "bf16": 1.6e12, "int8": 3.0e12, "bandwidth": 1.82e10},
            "packages": {"torch": "2.13.0", "onnxruntime": "1.32.0", "openvino": "2026.4.1", "nncf": "3.4.0"},
        },
        "sublines": {
            "pytorch-fp32": "PyTorch, float32",
            "openvino-bf16": "OpenVINO, fp16 weights",
            "onnx-int8-dynamic": "ONNX Runtime, per channel",
            "openvino-int8": "OpenVINO, NNCF",
            "onnx-fp32": "ONNX Runtime, float32",
            "pytorch-bf16": "PyTorch, autocast",
            "onnx-int8-static": "library defaults" + text,
            "executorch-xnnpack-int8": "ExecuTorch, 8-bit dynamic",
            "tensorrt-fp16": "TensorRT, float16",
        },
        "profile": {
            "onnx-int8-static": [
                {
                    "type": "DequantizeLinear",
                    "name": "layer.0/dq" + text,
                    "precision": "fp32",
                    "seconds": 0.0085,
                    "share": 0.29,
                },
                {"type": "MatMul", "name": "layer.0/attention", "precision": "int8", "seconds": 0.0079, "share": 0.27},
                {"type": "QuantizeLinear", "name": "layer.0/q", "precision": "int8", "seconds": 0.0035, "share": 0.12},
                {"type": "Softmax", "name": "layer.0/softmax", "precision": "fp32", "seconds": 0.002, "share": 0.07},
            ],
            "openvino-bf16": [
                {"type": "FullyConnected", "name": "fc_12", "precision": "bf16", "seconds": 0.0031, "share": 0.53},
                {"type": "ScaledDotProduct", "name": "sdpa_1", "precision": "bf16", "seconds": 0.0011, "share": 0.19},
                {"type": "Embedding", "name": "emb", "precision": "fp16", "seconds": 0.0004, "share": 0.07},
            ],
        },
        "notes": ["Truncation at 128 tokens (tokenizer limit): 3 of 1,000 examples." + text],
        "classes": ["negative", "positive"],
        "run": "20261121-103207-a1b2c3",
        "command": "workbench compare starter:sentiment --max-drop 0.01",
    }
