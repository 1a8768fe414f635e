"""Every variant's recipe file, to read, to copy and to save."""

from __future__ import annotations

import re
from typing import Any

from workbench import sentence
from workbench.report.markup import e, heading, icon
from workbench.report.parts.verdict import saving
from workbench.sentence import Report

KEY = re.compile(r"^(\s*(?:- )?)([A-Za-z_][\w.-]*)(:)(?=\s|$)")
COMMENT = re.compile(r"(?:^|\s)#.*$")


def recipes(report: Report, details: dict[str, Any]) -> str:
    texts: dict[str, str] = details.get("yaml") or {}
    names = [row["name"] for row in sentence.ordered(report) if texts.get(row["name"])]
    if not names:
        return ""
    files = "".join(_file(name, texts[name], name == report.get("best")) for name in names)
    note = "A recipe file rebuilds its model; <code>workbench verify FILE.yaml</code> says which promises still hold."
    return f'{heading("Take it with you", note)}<div class="files">{files}</div>'


def _file(name: str, text: str, opened: bool) -> str:
    actions = (
        '<div class="bar-actions"><button type="button" class="copy" '
        f"hidden>{icon('copy')}Copy</button>{saving(name, text, 'button', 'Save')}</div>"
    )
    return (
        f'<details class="code"{" open" if opened else ""}><summary><code>{e(name)}.yaml</code></summary>{actions}'
        f'<pre class="yaml" tabindex="0" role="region" aria-label="Recipe {e(name)}">{coloured(text)}</pre></details>'
    )


def coloured(text: str) -> str:
    """YAML with its keys and comments marked. Lines are cut first and escaped after, so no text becomes markup."""
    return "\n".join(_line(line) for line in text.splitlines())


def _line(line: str) -> str:
    comment = COMMENT.search(line)
    code, rest = (line[: comment.start()], line[comment.start() :]) if comment else (line, "")
    key = KEY.match(code)
    body = f'{e(key[1])}<span class="k">{e(key[2])}</span>:{e(code[key.end() :])}' if key else e(code)
    return body + (f'<span class="c">{e(rest)}</span>' if rest else "")
