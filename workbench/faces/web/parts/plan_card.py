"""A plan before it runs: the work, what it costs, what n examples can show, and what is left out and why."""

from __future__ import annotations

import math

from workbench import words
from workbench.pieces import Plan
from workbench.report.markup import e, facts, icon

WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 338, 174, 34, 8, 144
MOST_DROP = 4.0  # percentage points at the top of the plot
CHANGED = (0.01, 0.02, 0.04)  # share of answers that change: band and line of the curve


def plan_card(plan: Plan) -> str:
    """Markup of the whole card."""
    cost, n = plan.cost, int(plan.data["evaluation"]["n"])
    left_out = _list(
        "Left out, and why", "skip", [f"<code>{e(gap.recipe)}</code> {e(_reason(gap.reason))}" for gap in plan.gaps]
    )
    known = _list("Good to know", "note", [e(text) for text in (*plan.request.notes, *plan.warnings)])
    return (
        f'<div class="plan"><p class="sum"><b>{e(words.plural(len(plan.variants), "variant"))}, about '
        f"{e(words.duration(cost['seconds']))}.</b> {e(_work(plan))}</p>{_costs(plan)}"
        f"<h3>What n can show</h3>{can_show(n, _bar(plan))}{known}{left_out}</div>"
    )


def _reason(text: str) -> str:
    """Without the flag that a terminal would insist with: here a tick does."""
    return text.partition(" `-r ")[0]


def _list(title: str, sign: str, items: list[str]) -> str:
    inside = "".join(f"<li>{icon(sign)}<span>{item}</span></li>" for item in items)
    return f'<h3>{title}</h3><ul class="gaps">{inside}</ul>' if items else ""


def _work(plan: Plan) -> str:
    cost, n = plan.cost, plan.data["evaluation"]["n"]
    reused = f" ({words.number(cost['reused'])} more reused)" if cost["reused"] else ""
    builds = words.plural(cost["builds"], "build")
    return f"{builds}{reused}, {len(plan.variants)} × {words.number(n)} answers, then interleaved rounds of timing."


def _costs(plan: Plan) -> str:
    cost = plan.cost
    download, disk, memory = (
        f"{words.megabytes(cost[f'{name}_bytes'] / 1e6)}{words.NBSP}MB" for name in ("download", "disk", "memory")
    )
    said = [("Download", download if cost["download_bytes"] else "none, all here"), ("Disk", disk)]
    return facts([*said, ("Memory of one model", memory)])


def _bar(plan: Plan) -> float:
    """The most accuracy that may be lost, as a fraction, of the baseline's goal; 0.01 where none is said."""
    constraints = plan.variants[0].recipe["spec"].get("goal", {}).get("constraints", [])
    said = [one["max_drop"] for one in constraints if one.get("max_drop") is not None]
    return float(said[0]) if said else 0.01


def can_show(n: int, bar: float) -> str:
    """A sentence and a plot: the smallest drop that n examples can show, if 2 % of the answers change."""
    from workbench import evidence

    drop = 100 * evidence.detectable_drop(n, CHANGED[1])
    judged = "inside" if drop <= 100 * bar else "outside"
    text = (
        f"{words.number(n)} examples can show a drop of <b>{drop:.1f}{words.NBSP}pp</b> if 2{words.NBSP}% of the "
        f"answers change (band: 1 to 4{words.NBSP}%). That is {judged} the bar of {100 * bar:.1f}{words.NBSP}pp."
    )
    return f'<p class="sum">{text}</p>{_plot(n, bar)}'


def _plot(n: int, bar: float) -> str:
    from workbench import evidence

    most = max(5000, 2 * n)
    ns = [round(10 ** (2 + (math.log10(most) - 2) * i / 40)) for i in range(41)]
    curves = [[(_x(k, most), _y(100 * evidence.detectable_drop(k, share))) for k in ns] for share in CHANGED]
    band = "L".join(f"{x:.1f} {y:.1f}" for x, y in [*curves[0], *reversed(curves[2])])
    line = "L".join(f"{x:.1f} {y:.1f}" for x, y in curves[1])
    grid = "".join(
        f'<path class="g" d="M{LEFT} {_y(v):.1f}H{WIDTH - 6}"/>'
        f'<text x="{LEFT - 6}" y="{_y(v) + 4:.1f}" text-anchor="end">{v:g}</text>'
        for v in (0, 1, 2, 3, 4)
    )
    ticks = "".join(
        f'<text x="{_x(k, most):.1f}" y="160" text-anchor="{"end" if k == most else "middle"}">{words.number(k)}</text>'
        for k in (100, 1000, most)
    )
    x, y = _x(n, most), _y(100 * evidence.detectable_drop(n, CHANGED[1]))
    here = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.6" fill="var(--accent)"/>'
    limit = f'<path d="M{LEFT} {_y(100 * bar):.1f}H{WIDTH - 6}" stroke="var(--worse)" stroke-dasharray="5 3"/>'
    return (
        f'<svg class="pl" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="Smallest drop in points that n '
        f'examples can show">{grid}{ticks}<path d="M{band}Z" fill="var(--ink-3)" opacity=".16"/>'
        f'<path d="M{line}" fill="none" stroke="var(--ink-2)" stroke-width="1.6"/>{limit}{here}</svg>'
    )


def _x(n: float, most: float) -> float:
    return LEFT + (WIDTH - 6 - LEFT) * (math.log10(max(n, 100)) - 2) / (math.log10(most) - 2)


def _y(points: float) -> float:
    return BOTTOM - (BOTTOM - TOP) * min(max(points, 0), MOST_DROP) / MOST_DROP
