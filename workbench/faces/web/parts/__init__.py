"""What the page's screens are drawn with: markup in the report's classes, made from plain data."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import gradio as gr


def part(markup: str) -> str:
    """In the report's classes, as a value of `html`."""
    return f'<div class="workbench part">{markup}</div>'


def html(markup: str | Callable[[], str], **more: Any) -> gr.HTML:
    """A component that shows `markup`, without Gradio's own ideas about tables and headings. A function is asked
    whenever somebody opens the page."""
    import gradio as gr

    value = part(markup) if isinstance(markup, str) else lambda: part(markup())
    return gr.HTML(value, apply_default_css=False, padding=False, **more)
