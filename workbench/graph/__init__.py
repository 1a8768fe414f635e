"""What operators are in a model file? Two file formats, read into one small graph.

`read_onnx` and `read_ir` give a Graph; `coverage`, `precision`, `casts` and `semantic` ask it. Nothing is run.
"""

from workbench.graph.ir import DECODER_IR, ir_files, read_ir
from workbench.graph.model import FAMILY, Constant, Graph, Node, bits_of, coverage, precision, weight_of
from workbench.graph.onnx_file import DECODER, onnx_files, read_onnx
from workbench.graph.semantic import semantic
from workbench.graph.strangers import check_ir, check_onnx

__all__ = [
    "DECODER",
    "DECODER_IR",
    "FAMILY",
    "Constant",
    "Graph",
    "Node",
    "bits_of",
    "check_ir",
    "check_onnx",
    "coverage",
    "ir_files",
    "onnx_files",
    "precision",
    "read_ir",
    "read_onnx",
    "semantic",
    "weight_of",
]
