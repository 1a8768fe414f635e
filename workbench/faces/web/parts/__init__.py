"""What the page's screens are drawn with: markup in the report's classes, made from plain data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import gradio as gr


def part(markup: str) -> str:
    """In the report's classes, as a value of `html`."""
    return f'<div class="workbench part">{markup}</div>'


def html(markup: str, **more: Any) -> gr.HTML:
    """A component that shows `markup`, without Gradio's own ideas about tables and headings."""
    import gradio as gr

    return gr.HTML(part(markup), apply_default_css=False, padding=False, **more)
