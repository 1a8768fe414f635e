"""recipe -> plan -> run: steps make artifacts, probes make measurements -> compare -> report.

The report contains recipes that can be run again.

    comparison = workbench.compare("org/model", recipes=["onnx-int8-dynamic"], data="data.csv")
    comparison.best().recipe.save("best.yaml")
    model = workbench.load("best.yaml")
"""

from workbench.errors import RequestError, WorkbenchError
from workbench.faces.script import compare, load, pipeline, sensitivity, tune, verify
from workbench.faces.script import open_run as open
from workbench.version import VERSION as __version__

__all__ = [
    "RequestError",
    "WorkbenchError",
    "__version__",
    "compare",
    "load",
    "open",
    "pipeline",
    "sensitivity",
    "tune",
    "verify",
]
