# ruff: noqa: E501 - one line a case
"""ONNX files and OpenVINO's, as `existing` would take them: weights elsewhere, absurd shapes, endless nests, entities."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.hostile import Case, Scene

Change = Callable[[Any], None]


def onnx_model(change: Change = lambda model: None) -> bytes:
    """y = x + w, changed."""
    import onnx
    from onnx import TensorProto, helper

    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [4]) for name in "xy")
    w = helper.make_tensor("w", TensorProto.FLOAT, [4], bytes(16), raw=True)
    graph = helper.make_graph([helper.make_node("Add", ["x", "w"], ["y"])], "g", [x], [y], [w])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)])
    change(model)
    return bytes(onnx.ModelProto.SerializeToString(model))


def graph(change: Change = lambda model: None, **files: bytes) -> Callable[[Scene], Path]:
    """The folder of a model whose one file is that one; `__` in a name stands for a dot."""
    named = {name.replace("__", "."): content for name, content in files.items()}
    return lambda scene: scene.write({"config.json": "{}", "model.onnx": onnx_model(change)} | named)


def elsewhere(location: str, **said: str) -> Change:
    """The weight lies in another file."""

    def change(model: Any) -> None:
        tensor = model.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = 1
        for key, value in ({"location": location} | said).items():
            tensor.external_data.add(key=key, value=value)

    return change


def secret(location: str) -> Callable[[Scene], Path]:
    return lambda scene: graph(elsewhere(location.format(secret=scene.secret)))(scene)


def behind_a_link(inside_a_folder: bool) -> Callable[[Scene], Path]:
    def build(scene: Scene) -> Path:
        made = graph(elsewhere("side/weights.bin" if inside_a_folder else "weights.bin"))(scene)
        if inside_a_folder:
            (made / "side").symlink_to(scene.secret.parent)
        else:
            (made / "weights.bin").symlink_to(scene.secret.parent / "weights.bin")
        return made

    return build


def dims(*lengths: int) -> Change:
    def change(model: Any) -> None:
        del model.graph.initializer[0].dims[:]
        model.graph.initializer[0].dims.extend(lengths)

    return change


def field(name: str, value: Any) -> Change:
    return lambda model: setattr(model.graph.initializer[0], name, value)


def twice(model: Any) -> None:
    model.graph.initializer.add().CopyFrom(model.graph.initializer[0])


def wide_input(model: Any) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1 << 60


def in_a_branch(model: Any) -> None:
    """The weight that lies elsewhere is that of an inner graph."""
    from onnx import TensorProto, helper

    tensor = helper.make_tensor("v", TensorProto.FLOAT, [4], bytes(16), raw=True)
    inner = helper.make_graph([helper.make_node("Identity", ["v"], ["z"])], "inner", [], [], [tensor])
    model.graph.node.append(helper.make_node("If", ["x"], ["q"], then_branch=inner, else_branch=inner))
    weight = model.graph.node[-1].attribute[0].g.initializer[0]
    weight.ClearField("raw_data")
    weight.data_location = 1
    weight.external_data.add(key="location", value="../outside/secret.txt")


def in_a_constant(model: Any) -> None:
    from onnx import TensorProto, helper

    tensor = helper.make_tensor("v", TensorProto.FLOAT, [4], bytes(16), raw=True)
    model.graph.node.insert(0, helper.make_node("Constant", [], ["c"], value=tensor))
    weight = model.graph.node[0].attribute[0].t
    weight.ClearField("raw_data")
    weight.data_location = 1
    weight.external_data.add(key="location", value="../outside/secret.txt")


def deep(levels: int) -> bytes:
    """Graphs in graphs, written byte by byte: no library would."""

    def field_of(number: int, content: bytes) -> bytes:
        size, length = len(content), b""
        while size > 127:
            length, size = length + bytes([size & 127 | 128]), size >> 7
        return bytes([number << 3 | 2]) + length + bytes([size]) + content

    inside = field_of(2, b"g")  # the name of the innermost graph
    for _ in range(levels):
        inside = field_of(1, field_of(5, field_of(6, inside)))  # graph.node.attribute.g
    return field_of(7, inside)


def onnx_bytes(content: bytes, name: str = "model.onnx") -> Callable[[Scene], Path]:
    return lambda scene: scene.write({"config.json": "{}", name: content})


def onnx_link(scene: Scene) -> Path:
    made = scene.write({"config.json": "{}"})
    (made / "model.onnx").symlink_to(scene.secret)
    return made


NET = """<?xml version="1.0"?>{before}<net name="n" version="11"><layers>
<layer id="0" name="w" type="Const" version="opset1"><data element_type="f32" shape="{shape}" offset="{offset}"
 size="{size}"/><output><port id="0" precision="FP32"><dim>4</dim></port></output></layer>
<layer id="1" name="r" type="Result" version="opset1"><input><port id="0"/></input></layer></layers>
<edges><edge from-layer="0" from-port="0" to-layer="{to}" to-port="0"/></edges></net>"""
LAUGH = '<!DOCTYPE net [<!ENTITY a "ha"><!ENTITY b "{}"><!ENTITY c "{}"><!ENTITY d "{}">]>'.format(
    "&a;" * 100, "&b;" * 100, "&c;" * 100
)


def ir(change: Callable[[str], str] = lambda text: text, weights: bytes = bytes(16), code: str = "utf-8", **said: Any) -> Callable[[Scene], Path]:  # fmt: skip
    values = {"before": "", "shape": "4", "offset": 0, "size": 16, "to": 1} | said
    text = change(NET.format(**values)).encode(code)
    return lambda scene: scene.write({"config.json": "{}", "openvino_model.xml": text, "openvino_model.bin": weights})


def ir_link(scene: Scene) -> Path:
    made = ir()(scene)
    (made / "openvino_model.bin").unlink()
    (made / "openvino_model.bin").symlink_to(scene.secret.parent / "weights.bin")
    return made


OUT, END, SHAPE, NONE = "outside its folder", "beyond the end", "shape", "not taken"
BUILDS: dict[str, tuple[Callable[[Scene], Path], str]] = {
    "a graph whose weights climb": (secret("../outside/secret.txt"), OUT),
    "a graph whose weights climb later": (secret("side/../../outside/secret.txt"), OUT),
    "a graph whose weights have an absolute name": (secret("{secret}"), OUT),
    "a graph whose weights have another slash": (secret("..\\outside\\secret.txt"), OUT),
    "a graph whose weights are on a drive": (secret("C:secret.txt"), OUT),
    "a graph whose weights are nowhere": (secret(""), OUT),
    "a graph whose weights have an end inside": (secret("weights.bin\0.txt"), OUT),
    "a graph whose weights are not there": (secret("weights.bin"), "no such file"),
    "a graph whose weights are a folder": (lambda s: (s.folder / "side").mkdir() or secret("side")(s), "no such file"),
    "a graph whose weights are behind a link": (behind_a_link(False), "behind a link"),
    "a graph whose weights are in a linked folder": (behind_a_link(True), "behind a link"),
    "a branch whose weights climb": (graph(in_a_branch), OUT),
    "a constant whose weights climb": (graph(in_a_constant), OUT),
    "weights that begin beyond their file": (graph(elsewhere("weights.bin", offset="99"), weights__bin=bytes(16)), END),
    "weights that begin before their file": (graph(elsewhere("weights.bin", offset="-16"), weights__bin=bytes(16)), END),
    "weights longer than their file": (graph(elsewhere("weights.bin", length="1000000000000"), weights__bin=bytes(16)), END),
    "weights shorter than their shape": (graph(elsewhere("weights.bin", length="4"), weights__bin=bytes(16)), END),
    "weights whose place is no number": (graph(elsewhere("weights.bin", offset="ten"), weights__bin=bytes(16)), "no number"),
    "a shape beyond any memory": (graph(dims(1 << 31, 1 << 31)), SHAPE),
    "a dimension of an exabyte": (graph(dims(1 << 60)), SHAPE),
    "a dimension below zero": (graph(dims(-4)), SHAPE),
    "a shape of more than its bytes": (graph(dims(1 << 20)), SHAPE),
    "an input of an exabyte": (graph(wide_input), SHAPE),
    "a type that nobody knows": (graph(field("data_type", 99)), "no known type"),
    "no type at all": (graph(field("data_type", 0)), "no known type"),
    "a weight that is there twice": (graph(twice), "twice"),
    "graphs in two hundred graphs": (onnx_bytes(deep(200)), NONE),
    "graphs in thirty graphs": (onnx_bytes(deep(30)), NONE),
    "graphs in ten thousand graphs": (onnx_bytes(deep(3000)), NONE),
    "a graph that is a pickle": (lambda s: onnx_bytes(s.pickle())(s), NONE),
    "a graph of no bytes": (onnx_bytes(b""), NONE),
    "a graph of zeros": (onnx_bytes(bytes(1000)), NONE),
    "half a graph": (lambda s: onnx_bytes(onnx_model()[:-9])(s), NONE),
    "a graph that says it is longer": (onnx_bytes(b"\x3a\xff\xff\xff\xff\x07"), NONE),
    "a graph behind a link": (onnx_link, NONE),
    "a net whose entities laugh": (ir(before=LAUGH, change=lambda text: text.replace('name="n"', 'name="&d;"')), "document type"),
    "a net with a file as entity": (lambda s: ir(before=f'<!DOCTYPE net [<!ENTITY a SYSTEM "file://{s.secret}">]>', change=lambda t: t.replace("<layers>", "<layers>&a;"))(s), "document type"),
    "a net in another code": (ir(code="utf-16"), "UTF-8"),
    "a net that is none": (ir(change=lambda text: "<html/>"), "not a model"),
    "a net that is not closed": (ir(change=lambda text: text[:-20]), "not a model"),
    "a net with an edge to nowhere": (ir(to=7), "not a model"),
    "a net whose places are words": (ir(offset="ten"), "not a model"),
    "a net whose weights lie beyond the file": (ir(offset=10**9), END),
    "a net whose weights lie before the file": (ir(offset=-4), END),
    "a net whose weights have a shape that nothing has": (ir(shape="99999999999,99999999999"), SHAPE),
    "a net whose weights are behind a link": (ir_link, "is a link"),
    "a net of a hundred thousand levels": (ir(change=lambda text: "<net>" * 100_000), "not a model"),
}  # fmt: skip
CASES = {name: Case("graph", build, says) for name, (build, says) in BUILDS.items()}
