"""What went wrong, as what / why / what to do."""

from __future__ import annotations

from workbench.errors import WorkbenchError
from workbench.report.markup import e, icon


def problem(error: BaseException, log: str = "") -> str:
    """Markup of an alert. What is not for people is named by its type only; its text stays in the log."""
    if isinstance(error, WorkbenchError):
        what, rest = error.what, " ".join(part for part in (error.why, error.fix) if part)
    else:
        what = "Something went wrong on the server."
        rest = f"It is a {type(error).__name__}; the server's log has the rest."
    more = f"<details><summary>Show log</summary><pre class=log>{e(log)}</pre></details>" if log else ""
    return (
        f'<div class="problem" role="alert"><span class="v worse">{icon("no")}{e(what)}</span>'
        f"<p>{e(rest)}</p>{more}</div>"
    )
