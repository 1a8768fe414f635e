"""Colours and measures of every surface, as (light, dark) pairs; style.css uses them by name.

Text is at least 4.9:1 on every surface, control edges and reference lines 3:1. Teal and orange differ in hue for
every common colour blindness. The accent marks what can be pressed or is selected; it is never data.
"""

from __future__ import annotations

COLOURS: dict[str, tuple[str, str]] = {
    "paper": ("#f5f6f7", "#0e1114"),
    "sheet": ("#ffffff", "#15191d"),
    "sunk": ("#eef0f2", "#1c2126"),
    "ink": ("#15191e", "#e7eaed"),
    "ink-2": ("#434a53", "#b8bfc6"),
    "ink-3": ("#606872", "#929aa3"),
    "rule": ("#dde1e4", "#272d33"),
    "axis": ("#aab1b8", "#505962"),
    "edge": ("#7f8790", "#737c86"),
    "accent": ("#4a3fc0", "#aaa1ff"),
    "on-accent": ("#ffffff", "#151130"),
    "accent-wash": ("#eeedfa", "#221f3c"),
    "better": ("#006e78", "#55c4c9"),
    "better-wash": ("#dcf0f0", "#10302f"),
    "worse": ("#a84000", "#f59c60"),
    "worse-wash": ("#fbe9dc", "#382214"),
}

SANS = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Liberation Sans", Arial, sans-serif'
MONO = 'ui-monospace, "SF Mono", SFMono-Regular, Menlo, Consolas, "Liberation Mono", "DejaVu Sans Mono", monospace'


def declarations(dark: bool = False) -> str:
    """`--paper: …; --sheet: …;` of one theme."""
    return " ".join(f"--{name}: {pair[dark]};" for name, pair in COLOURS.items())


def themes(scope: str = ".workbench") -> str:
    """CSS that defines the tokens for `scope`: the system's theme, overridden by `data-theme` on the root or on the
    scope itself, by a `.dark` class above it (Gradio) and by the theme that JupyterLab writes on its body."""
    dark = f"{{ color-scheme: dark; {declarations(dark=True)} }}"
    light = f"{{ color-scheme: light; {declarations()} }}"
    auto = f':where(:root:not([data-theme="light"])) {scope}:where(:not([data-theme="light"]))'
    asked = f':root[data-theme="dark"] {scope}, .dark {scope}, {scope}[data-theme="dark"]'
    lab = '[data-jp-theme-light="{}"] ' + scope
    return (
        f"{scope} {{ color-scheme: light; {declarations()} --sans: {SANS}; --mono: {MONO}; }}\n"
        f"@media (prefers-color-scheme: dark) {{ {auto} {dark} }}\n{asked}, {lab.format('false')} {dark}\n"
        f"{lab.format('true')} {light}\n"
    )
