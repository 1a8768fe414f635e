"""What can be done to a model? One file a step; this tuple is the whole registration."""

from workbench.plugin import Step
from workbench.steps.cast import Cast
from workbench.steps.compress_weights import CompressWeights
from workbench.steps.existing import Existing
from workbench.steps.export_onnx import ExportOnnx
from workbench.steps.export_openvino import ExportOpenVINO
from workbench.steps.quantize_onnx_dynamic import QuantizeOnnxDynamic
from workbench.steps.quantize_onnx_static import QuantizeOnnxStatic
from workbench.steps.quantize_openvino import QuantizeOpenVINO

STEPS: tuple[type[Step], ...] = (
    Existing,
    Cast,
    ExportOnnx,
    QuantizeOnnxDynamic,
    QuantizeOnnxStatic,
    ExportOpenVINO,
    QuantizeOpenVINO,
    CompressWeights,
)
