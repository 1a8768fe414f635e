"""How the page looks: Gradio's own parts take the report's tokens, and the report's parts come as they are."""

from __future__ import annotations

import inspect
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.report.html import script, stylesheet
from workbench.report.tokens import COLOURS, MONO, SANS, themes

if TYPE_CHECKING:
    from gradio.themes import Base

# Gradio's variable -> token. Each gets its dark twin.
VARIABLES = {
    "body_background_fill": "paper", "background_fill_primary": "sheet", "background_fill_secondary": "sunk",
    "block_background_fill": "paper", "input_background_fill": "sheet", "panel_background_fill": "paper",
    "block_border_color": "rule", "border_color_primary": "rule", "input_border_color": "edge",
    "input_border_color_focus": "accent", "body_text_color": "ink", "block_label_text_color": "ink-2",
    "block_title_text_color": "ink", "body_text_color_subdued": "ink-3", "block_info_text_color": "ink-3",
    "color_accent": "accent", "color_accent_soft": "accent-wash", "link_text_color": "accent",
    "button_primary_background_fill": "accent", "button_primary_background_fill_hover": "accent",
    "button_primary_text_color": "on-accent", "button_secondary_background_fill": "sheet",
    "button_secondary_background_fill_hover": "sunk", "button_secondary_text_color": "ink",
    "button_secondary_border_color": "edge", "checkbox_background_color_selected": "accent",
    "checkbox_border_color": "edge", "error_text_color": "worse", "table_even_background_fill": "sheet",
    "table_odd_background_fill": "paper",
}  # fmt: skip
PLAIN = {
    "block_radius": "4px", "input_radius": "4px", "button_large_radius": "4px", "button_medium_radius": "4px",
    "button_small_radius": "4px", "checkbox_border_radius": "3px", "block_shadow": "none", "input_shadow": "none",
    "button_primary_shadow": "none", "button_secondary_shadow": "none", "block_border_width": "0px",
    "input_border_width": "1px", "block_padding": "0px", "form_gap_width": "16px", "button_large_text_size": "14px",
    "layout_gap": "16px", "block_title_text_weight": "400", "block_label_text_weight": "400",
}  # fmt: skip


def theme() -> Base:
    """Gradio's base theme in the tokens of report/tokens.py; system fonts, so that nothing is fetched."""
    import gradio as gr

    fonts: dict[str, Any] = {"font": [SANS], "font_mono": [MONO]}
    base = gr.themes.Base(text_size=gr.themes.sizes.text_md, radius_size=gr.themes.sizes.radius_sm, **fonts)
    known = inspect.signature(base.set).parameters
    said: dict[str, Any] = dict(PLAIN)
    for name, token in VARIABLES.items():
        pair = zip((name, f"{name}_dark"), COLOURS[token], strict=True)
        said |= {variable: colour for variable, colour in pair if variable in known}
    return base.set(**said)


@cache
def css() -> str:
    """Tokens and parts of the report, then what only this page has."""
    return themes(".gradio-container") + stylesheet() + (Path(__file__).parent / "page.css").read_text(encoding="utf-8")


@cache
def head() -> str:
    """Scripts of the page: those of the report, and those that keep the address and the title true."""
    own = (Path(__file__).parent / "page.js").read_text(encoding="utf-8")
    return f'<link rel="icon" href="{FAVICON}"><script>{script()}</script><script>{own}</script>'


FAVICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 26 26' fill='none' stroke='%234a3fc0' "
    "stroke-width='2.4'%3E%3Cpath d='M2 8v10M24 8v10M2 13h22'/%3E%3Ccircle cx='16' cy='13' r='4' fill='%234a3fc0' "
    "stroke='none'/%3E%3C/svg%3E"
)
