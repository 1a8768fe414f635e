"""What runs a model? One file a runtime; this tuple is the whole registration."""

from workbench.backends.executorch import ExecuTorch
from workbench.backends.onnxruntime import OnnxRuntime
from workbench.backends.openvino import OpenVINO
from workbench.backends.pytorch import PyTorch
from workbench.plugin import Backend

BACKENDS: tuple[type[Backend], ...] = (PyTorch, OnnxRuntime, OpenVINO, ExecuTorch)
