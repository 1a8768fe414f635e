"""What can be done to a model? One file a step; this tuple is the whole registration."""

from workbench.plugin import Step
from workbench.steps.cast import Cast
from workbench.steps.cast_onnx import CastOnnx
from workbench.steps.compress_onnx_weights import CompressOnnxWeights
from workbench.steps.compress_weights import CompressWeights
from workbench.steps.existing import Existing
from workbench.steps.export_executorch import ExportExecutorch
from workbench.steps.export_onnx import ExportOnnx
from workbench.steps.export_openvino import ExportOpenVINO
from workbench.steps.prune import Prune
from workbench.steps.quantize_onnx_dynamic import QuantizeOnnxDynamic
from workbench.steps.quantize_onnx_static import QuantizeOnnxStatic
from workbench.steps.quantize_openvino import QuantizeOpenVINO
from workbench.steps.quantize_torchao import QuantizeTorchao

STEPS: tuple[type[Step], ...] = (
    Existing,
    Cast,
    QuantizeTorchao,
    Prune,
    ExportOnnx,
    CastOnnx,
    CompressOnnxWeights,
    QuantizeOnnxDynamic,
    QuantizeOnnxStatic,
    ExportExecutorch,
    ExportOpenVINO,
    QuantizeOpenVINO,
    CompressWeights,
)
