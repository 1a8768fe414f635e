"""Libraries talk a lot while they convert. What they say goes to the log, not to the terminal."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout

LOG = logging.getLogger("workbench.steps")
TALKERS = ("transformers", "torch", "nncf", "onnxscript", "onnx_ir", "datasets")


class _Lines(io.TextIOBase):
    """A stream that logs every line written to it."""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        for line in text.splitlines():
            if line.strip():
                LOG.debug("%s", line.rstrip())
        return len(text)


class _Forward(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        LOG.log(min(record.levelno, logging.INFO), "%s: %s", record.name, record.getMessage())


@contextmanager
def quietly() -> Iterator[None]:
    """Warnings, log records and prints of the libraries go to the logger `workbench.steps` while this lasts."""
    root = logging.getLogger()
    silence, forward = logging.NullHandler(), _Forward()
    root.addHandler(silence)  # without any handler, logging.warning() would install one that prints
    taken = [(logger, logger.handlers[:]) for logger in map(logging.getLogger, TALKERS)]
    for logger, _ in taken:
        logger.handlers = [forward]
    logging.captureWarnings(True)
    try:
        with redirect_stdout(_Lines()), redirect_stderr(_Lines()):
            yield
    finally:
        logging.captureWarnings(False)
        for logger, handlers in taken:
            logger.handlers = handlers
        root.removeHandler(silence)
