"""The Pareto plot as an SVG file that stands alone, for a README: it follows the reader's theme by itself."""

from __future__ import annotations

from typing import Any

from workbench import sentence
from workbench.plugin import Renderer
from workbench.report.markup import e
from workbench.report.parts.board import axes_of
from workbench.report.parts.pareto import WIDE, draw
from workbench.report.tokens import MONO, SANS, declarations

MARGIN = 20
RULES = (
    "text {{ font: 12px {sans}; fill: var(--ink-2); font-variant-numeric: tabular-nums; }} "
    "text.mono {{ font-family: {mono}; letter-spacing: -.02em; }} "
    ".halo {{ paint-order: stroke; stroke: var(--sheet); stroke-width: 3px; stroke-linejoin: round; }} "
    ".grid, .hatch {{ stroke: var(--rule); fill: none; }} .axisline {{ stroke: var(--edge); fill: none; }} "
    ".barline {{ stroke: var(--worse); stroke-width: 1.2; stroke-dasharray: 5 3; }} .lead {{ "
    "stroke: var(--axis); fill: none; }} "
    ".frontier {{ stroke: var(--ink-2); stroke-dasharray: 2 3; fill: none; }} .whisk {{ "
    "stroke-width: 1.4; fill: none; }} "
)


class Chart(Renderer):
    name = "svg"
    summary = "Speed against accuracy, as a picture."
    extension = "svg"

    def render(self, report: dict[str, Any], details: dict[str, Any]) -> str:
        """A picture with an empty frame where nothing finished."""
        width, height = WIDE.width + 2 * MARGIN, WIDE.height + 2 * MARGIN
        said = e(sentence.plain(sentence.verdict(report), quote=""))
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
            f'height="{height}" role="img">'
            f"<title>Speed against accuracy</title><desc>{said}</desc><style>{_style()}</style>"
            f'<rect width="{width}" height="{height}" fill="var(--sheet)"/>'
            f'<g transform="translate({MARGIN} {MARGIN})">{draw(report, axes_of(report), WIDE)}</g></svg>\n'
        )


def _style() -> str:
    dark = f"@media (prefers-color-scheme: dark) {{ svg {{ {declarations(dark=True)} }} }}"
    return f"svg {{ {declarations()} }} {dark} {RULES.format(sans=SANS, mono=MONO)}"
