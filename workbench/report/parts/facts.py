"""What was compared: model, data, machine, and the smallest difference that this run can see."""

from __future__ import annotations

from typing import Any

from workbench import sentence, words
from workbench.report.markup import e
from workbench.words import NBSP


def facts(report: dict[str, Any], details: dict[str, Any]) -> str:
    cells = (_model(report), _data(report, details), _machine(report, details), _resolution(report))
    boxes = "".join(
        f"<div><dl><dt>{e(title)}</dt><dd>{e(main)}</dd><dd>{e(more)}</dd></dl></div>" for title, main, more in cells
    )
    return f'<div class="facts">{boxes}</div>'


def _model(report: dict[str, Any]) -> tuple[str, str, str]:
    model = report["model"]
    size = model.get("parameters")
    said = [f"{words.count(size)} parameters" if size else "", str(model.get("task") or "").replace("-", " ")]
    revision = str(model.get("revision") or "")
    said.append(f"revision {revision[:12]}" if revision else "")
    return "Model", str(model["id"]), ", ".join(part for part in said if part)


def _data(report: dict[str, Any], details: dict[str, Any]) -> tuple[str, str, str]:
    data = report.get("data") or {}
    used, tuned = data.get("evaluation") or {}, data.get("calibration") or {}
    main = f"{used.get('source', 'none')}, n{NBSP}={NBSP}{words.number(used.get('n'))}"
    said = [f"Split {used['split']}" if used.get("split") else ""]
    classes = details.get("classes") or []
    said.append(f"{len(classes)} classes" if classes and not sentence.unlabelled(report) else "")
    said.append("no labels: compared with the baseline’s answers" if sentence.unlabelled(report) else "")
    text = ", ".join(part for part in said if part)
    if tuned.get("source"):
        part = f" of {tuned['split']}" if tuned.get("split") else ""
        text += (
            f"{'. ' if text else ''}Calibration: {words.number(tuned.get('n'))} examples{part} from {tuned['source']}"
        )
    return "Data", main, text


def _machine(report: dict[str, Any], details: dict[str, Any]) -> tuple[str, str, str]:
    machine = details.get("machine") or {}
    main = machine.get("cpu") or (report.get("machine") or {}).get("class") or "unknown"
    threads = machine.get("threads")
    said = [
        words.plural(machine["cores"], "core") if words.usable(machine.get("cores")) else "",
        f"{words.plural(int(threads), 'thread')} for all" if words.usable(threads) else "",
        f"{words.number(machine['memory_gb'])}{NBSP}GB" if words.usable(machine.get("memory_gb")) else "",
        *(machine.get("accelerators") or ()),
    ]
    text, peaks = ", ".join(part for part in said if part), peak_words(machine.get("peaks") or {})
    return "Machine", str(main), f"{text}. Measured peak of the CPU: {peaks}" if peaks else text


def peak_words(peaks: dict[str, Any]) -> str:
    """`fp32 0.21, bf16 1.6, int8 3.0 TFLOP/s`, without the memory bandwidth."""
    said = [
        f"{name} {words.number(value / 1e12, 2 if value < 1e12 else 1) if value >= 5e9 else 'below 0.01'}"
        for name, value in peaks.items()
        if name != "bandwidth" and words.usable(value)
    ]
    return ", ".join(said) + f"{NBSP}TFLOP/s" if said else ""


def _resolution(report: dict[str, Any]) -> tuple[str, str, str]:
    width, ratio = sentence.resolution(report), (report.get("resolution") or {}).get("aa_ratio")
    if width is None:
        return (
            "Resolution (A/A)",
            "not measured",
            "The baseline was not timed against itself, so no verdict on speed is certain.",
        )
    ends = report["resolution"]["aa_ci95"]
    main = (
        f"±{words.percent(width, 1)}, {words.number(ratio, 3)}x ({words.number(ends[0], 3)}–{words.number(ends[1], 3)})"
    )
    return "Resolution (A/A)", main, sampled(report)


def sampled(report: dict[str, Any]) -> str:
    """Rounds and calls of the baseline, and which percentile they are too few for."""
    row = sentence.named(report, report["baseline"])
    rounds = sentence.speed(row).get("rounds") or [] if row else []
    calls = sum(len(each) for each in rounds)
    if not calls:
        return ""
    text = (
        f"{words.number(len(rounds))} "
        f"interleaved {'round' if len(rounds) == 1 else 'rounds'}, {words.number(calls)} calls"
    )
    if calls < words.P90_FLOOR:
        return f"{text}. p90 needs {words.P90_FLOOR} calls, p99 {words.P99_FLOOR}"
    return f"{text}. p99 needs {words.P99_FLOOR} calls" if calls < words.P99_FLOOR else text
