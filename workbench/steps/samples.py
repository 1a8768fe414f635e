"""Real examples as model inputs: what an export traces, and what calibration feeds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from workbench.errors import WorkbenchError
from workbench.plugin import StepContext, Writes

if TYPE_CHECKING:
    from workbench.plugin import Batch

LONGEST = 64


def traced_inputs(context: StepContext) -> Batch:
    """A batch of two examples that differ in length where the task has lengths.

    Two, since a size of one is taken for a constant by torch.export; not the longest text there is, since
    tracing runs the model.
    """
    prepared = context.samples
    if len(prepared) < 2:
        raise WorkbenchError("There are too few examples to trace the model.", "Two are needed.", "Give more rows.")
    order = sorted(range(len(prepared)), key=prepared.length)
    short = [index for index in order if prepared.length(index) <= LONGEST] or order[:2]
    return context.task.collate(prepared, [short[0], short[-1] if len(short) > 1 else order[1]])


def calibration_batches(context: StepContext) -> Iterator[Batch]:
    """Every calibration example as a batch of one: no padding, which would bend the ranges. Reports progress.

    Raises WorkbenchError when there is no calibration data.
    """
    if Writes in context.asks:
        raise WorkbenchError(
            "This step cannot calibrate a model that writes.",
            "Its graph takes a cache of keys and values besides the text, of which examples hold none.",
            "Take a recipe that quantizes weights only, or activations on the fly.",
        )
    prepared = context.calibration
    if prepared is None or not len(prepared):
        raise WorkbenchError(
            "This step needs calibration data, and there is none.",
            "It learns the range of every activation from real examples.",
            "Name a calibration file or split.",
        )
    for index in range(len(prepared)):
        context.progress(index, len(prepared), "calibration")
        yield context.task.collate(prepared, [index])
