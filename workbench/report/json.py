"""report.json: the exact document, checked against its shape before it is written."""

from __future__ import annotations

import json
from typing import Any

from workbench.plugin import Renderer


class Json(Renderer):
    name = "json"
    summary = "The document that scripts rely on."
    extension = "json"

    def render(self, report: dict[str, Any], details: dict[str, Any]) -> str:
        """Raises WorkbenchError for a document that breaks the contract. Raw samples stand on one line a round."""
        from workbench.report.document import check

        check(report)
        return compact(report) + "\n"


def compact(value: Any, depth: int = 0) -> str:
    """JSON for people too: indented, but lists of plain figures stay on one line."""
    pad, end = "  " * (depth + 1), "  " * depth
    if isinstance(value, dict) and value:
        items = [
            f"{pad}{json.dumps(str(key), ensure_ascii=False)}: {compact(item, depth + 1)}"
            for key, item in value.items()
        ]
        return "{\n" + ",\n".join(items) + f"\n{end}}}"
    if isinstance(value, (list, tuple)) and any(isinstance(item, (dict, list, tuple)) for item in value):
        return "[\n" + ",\n".join(pad + compact(item, depth + 1) for item in value) + f"\n{end}]"
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
