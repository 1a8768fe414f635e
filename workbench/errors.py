"""What went wrong, why, and what to do: three short sentences for a person.

WorkbenchError          something failed while working (exit code 1)
└── RequestError        the request itself is wrong; nothing was started (exit code 2)
"""


class WorkbenchError(Exception):
    """An error for people. The core raises it, only faces print it."""

    def __init__(self, what: str, why: str = "", fix: str = "") -> None:
        self.what, self.why, self.fix = what, why, fix
        super().__init__(" ".join(part for part in (what, why, fix) if part))

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows instead of a traceback."""
        return [part for part in (self.what, self.why, self.fix) if part]

    def __reduce__(self) -> tuple[type, tuple[str, str, str]]:
        return type(self), (self.what, self.why, self.fix)


class RequestError(WorkbenchError):
    """The request cannot be carried out as it was said; nothing was started."""
