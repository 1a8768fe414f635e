"""Real examples as model inputs: what an export traces, and what calibration feeds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from workbench.errors import WorkbenchError
from workbench.feeding import feed
from workbench.plugin import StepContext, Writes

if TYPE_CHECKING:
    import openvino

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


def fed(model: openvino.Model, batches: Iterable[Batch]) -> list[Batch]:
    """What this OpenVINO model takes, of each batch. A text goes in whole: of a model that writes, the state is empty
    before each, and NNCF empties it again."""
    wanted = {port.get_any_name(): port.element_type.to_dtype().name for port in model.inputs}
    return [feed(batch, wanted) for batch in batches]


def without_cache(step: str, asks: tuple[type, ...], config: Mapping[str, Any], state: bool) -> str:
    """Why a step cannot calibrate a model, or "": the graph of one that writes takes a cache of keys and values, which
    examples hold none of. `state`: the runtime keeps it by itself, unless an encoder begins it in another graph."""
    if Writes not in asks or (state and not config.get("is_encoder_decoder")):
        return ""
    return (
        f"{step} cannot calibrate this model: it writes, and its graph takes a cache of keys and values besides the "
        "text, which calibration examples do not hold. Take a recipe that quantizes weights only without calibration, "
        "or activations on the fly."
    )
