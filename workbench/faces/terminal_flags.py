"""Arguments and flags of the command line, each said once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Model = Annotated[str, typer.Argument(help="Hub id (org/name, optionally @revision), a folder, or starter:<name>.")]
File = Annotated[Path, typer.Argument(help="A recipe file.")]
Run = Annotated[str, typer.Argument(help="A run's id, or its beginning; `workbench runs` lists them.")]
Recipes = Annotated[
    list[str],
    typer.Option("-r", "--recipe", help="A recipe's name or file; repeat it, or say `all`. Default: first choices."),
]
Starts = Annotated[
    list[str],
    typer.Option("-r", "--recipe", help="Where the search begins: a recipe's name or file; repeat it. Default: all."),
]
Baseline = Annotated[str | None, typer.Option(help="Recipe that all are compared with. Default: pytorch-fp32.")]
TaskName = Annotated[str | None, typer.Option("--task", help="What the model is for, when it can't be told.")]
Data = Annotated[
    str | None, typer.Option(help="Hub data set, CSV, JSONL, Parquet, a folder of images, or starter:<name>.")
]
Calibration = Annotated[str | None, typer.Option(help="Data that quantization looks at; never evaluated.")]
Fields = Annotated[str, typer.Option(help="Columns, where they are not found: text=review,label=stars.")]
TargetName = Annotated[str | None, typer.Option("--target", help="Machine class; `workbench targets` lists them.")]


def _fraction(text: str) -> float:
    from workbench.errors import RequestError

    try:
        return float(text)
    except ValueError:
        raise RequestError(
            f"--max-drop {text} is no number.",
            "It is a fraction: 0.01 is one percentage point.",
            "Say --max-drop 0.01.",
        ) from None


MaxDrop = Annotated[
    float | None,
    typer.Option(
        parser=_fraction, metavar="<float>", help="Accuracy that may be lost, as a fraction. Default: 0.01, one point."
    ),
]
Count = Annotated[int | None, typer.Option("--n", help="Evaluate on so many examples. Default: all.")]
Out = Annotated[Path | None, typer.Option(help="Folder for the results. Default: runs/<run id>.")]
Fresh = Annotated[bool, typer.Option("--fresh", help="Build anew what is in the store already.")]
Quick = Annotated[bool, typer.Option("--quick", help="Fewer examples and rounds; marked as quick everywhere.")]
Json = Annotated[bool, typer.Option("--json", help="Print exactly one JSON document.")]
ModelAt = Annotated[str | None, typer.Option("--model", help="Another model, or the folder of a local: one.")]
DataAt = Annotated[str | None, typer.Option("--data", help="Other data, or the place of local: data.")]
Isolated = Annotated[
    bool, typer.Option("--isolated", help="Rebuild the locked environment first, and verify inside it.")
]
Reuse = Annotated[bool, typer.Option("--reuse", help="Take what the store has instead of building everything again.")]
Budget = Annotated[str, typer.Option(help="Wall time of the whole search: 90s, 10m, 1h30m.")]
Relative = Annotated[bool, typer.Option("--relative", help="--max-drop is a share of the baseline's own value.")]
MinSpeedup = Annotated[float | None, typer.Option(help="Least speed-up against the baseline: 2 is twice as fast.")]
MaxSize = Annotated[float | None, typer.Option(help="Largest size of the model's files, in MB.")]
MaxMemory = Annotated[float | None, typer.Option(help="Largest peak memory of the process, in MB.")]
Optimize = Annotated[str, typer.Option(help="What shall be best: latency, throughput or size.")]
CalibrationAt = Annotated[str | None, typer.Option("--calibration", help="The same for calibration.")]


def fields_of(text: str) -> dict[str, str]:
    from workbench.errors import RequestError

    pairs = [part.partition("=") for part in text.split(",") if part.strip()]
    if bad := next((name for name, sign, column in pairs if not (sign and name.strip() and column.strip())), None):
        raise RequestError(
            f"--fields {bad} names no column.", "It is a list of field=column.", "Say text=review,label=stars."
        )
    return {name.strip(): column.strip() for name, _, column in pairs}
