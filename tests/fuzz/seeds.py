"""Small sound files of every format to begin from: the fixtures, and what is made here."""

from __future__ import annotations

import io
import json
import pickle
import struct
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np

from fixtures.make_caffemodel import write_caffemodel
from fixtures.make_mxnet import Form, Net, params, write_zip
from fixtures.make_safetensors import write_safetensors
from fixtures.make_tflite import Net as LiteNet
from tests.support import ROOT

FIXTURES: Final = ROOT / "fixtures"
MOST: Final = 40
LARGEST: Final = 60_000

CODE: Final = """\
import torch.nn as nn

class Net(nn.Module):
    def __init__(self, k=3, scale=(2, 2)):
        super().__init__()
        sizes = [k, k + 1]
        self.up = nn.ConvTranspose2d(4, 2, kernel_size=sizes[0], stride=2, padding=k // 2)
        self.big = nn.Upsample(scale_factor=scale, mode="bilinear", align_corners=True)

    def forward(self, x):
        return nn.functional.interpolate(self.big(self.up(x)), size=(2 * 7, 9), mode="nearest")
"""

NET: Final = """\
name: "n"
layer { name: "data" type: "Input" top: "data"
  input_param { shape { dim: 1 dim: 2 dim: 5 dim: 6 } } }
layer { name: "up" type: "Deconvolution" bottom: "data" top: "up"
  convolution_param { num_output: 2 group: 2 bias_term: false kernel_size: 4 stride: 2 pad: 1
    weight_filler { type: "bilinear" } } }
layer { name: "crop" type: "Crop" bottom: "up" bottom: "data" top: "crop"
  crop_param { axis: 2 offset: 1 } }
layer { name: "sum" type: "Eltwise" bottom: "crop" bottom: "data" top: "sum" }
"""


def _files(pattern: str) -> list[bytes]:
    paths = sorted(FIXTURES.glob(pattern))
    small = [path.read_bytes() for path in paths if path.stat().st_size <= LARGEST]
    return small[:: max(len(small) // MOST, 1)]


def _written(name: str, write: Callable[[Path], object]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        write(path)
        return path.read_bytes()


def _caffemodel() -> list[bytes]:
    values = np.ones((2, 1, 4, 4), np.float32)
    layers = [("up", "Deconvolution", [((2, 1, 4, 4), values), ((2,), None)])]
    return [_written("a.caffemodel", lambda path: write_caffemodel(path, "n", layers))]


def _safetensors() -> list[bytes]:
    tensors = {"up.weight": np.ones((4, 2, 3, 3), np.float32), "up.bias": np.ones(2, np.float32)}
    return [_written("a.safetensors", lambda path: write_safetensors(path, tensors))]


def zipped(members: Mapping[str, bytes]) -> bytes:
    """An archive of these members."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def _torch() -> Any:
    import warnings

    warnings.simplefilter("ignore")
    import torch

    nn = torch.nn
    net = nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1),
        nn.ReLU(),
        nn.ConvTranspose2d(4, 2, 4, stride=2, padding=1),
        nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True),
    )
    return torch, net.eval(), torch.ones(1, 2, 5, 6)


def _pt2() -> list[bytes]:
    torch, net, x = _torch()
    sizes = {2: torch.export.Dim.AUTO, 3: torch.export.Dim.AUTO}
    program = torch.export.export(net, (x,), dynamic_shapes=[sizes])
    return [_written("a.pt2", lambda path: torch.export.save(program, path))]


def _torchscript() -> list[bytes]:
    torch, net, x = _torch()
    return [_written("a.pt", torch.jit.trace(net, x).save)]


def _checkpoints() -> list[bytes]:
    torch, net, _ = _torch()
    state = {"state_dict": net.state_dict(), "epoch": 3, "names": ["a", ("b", 1.5)]}
    return [
        _written("a.pth", lambda path: torch.save(state, path)),
        _written("a.pth", lambda path: torch.save(net, path)),
    ]


def _pickles() -> list[bytes]:
    torch, net, _ = _torch()
    state = net.state_dict()
    plain = {"a": [1, 2.5, None, (True, "é")], 3: b"x"}

    def write(path: Path) -> None:
        torch.save(state, path, _use_new_zipfile_serialization=False)

    return [_written("a.pth", write), *(pickle.dumps(plain, protocol) for protocol in (2, 4))]


def field(number: int, value: bytes | int) -> bytes:
    """One protobuf field: a varint, or bytes with their length."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def _attribute(name: str, value: bytes) -> bytes:
    return field(5, field(1, name.encode()) + field(2, value))


def _node(name: str, op: str, *inputs: str, **attributes: bytes) -> bytes:
    head = field(1, name.encode()) + field(2, op.encode())
    reads = b"".join(field(3, source.encode()) for source in inputs)
    return field(1, head + reads + b"".join(_attribute(k, v) for k, v in attributes.items()))


def _tensor(values: list[int], dtype: int = 3) -> bytes:
    data = struct.pack(f"<{len(values)}i", *values)
    shape = field(2, field(2, field(1, len(values))))
    return field(8, field(1, dtype) + shape + field(4, data))


def _graphdef() -> list[bytes]:
    """A resize to a size that is computed, behind a transposed convolution."""
    shape = field(7, b"".join(field(2, field(1, size)) for size in (1, 4, 4, 2)))
    kind, whole = field(6, 1), field(6, 3)
    stride = field(1, b"".join(field(3, size) for size in (1, 2, 2, 1)))
    window = struct.pack("<72f", *range(72))
    weights = b"".join(field(2, field(1, size)) for size in (3, 3, 4, 2))
    same = field(2, b"SAME")
    kernel = field(8, field(1, 1) + field(2, weights) + field(4, window))
    nodes = [
        _node("x", "Placeholder", dtype=kind, shape=shape),
        _node("w", "Const", dtype=kind, value=kernel),
        _node("s", "Const", dtype=whole, value=_tensor([1, 8, 8, 4])),
        _node("up", "Conv2DBackpropInput", "s", "w", "x", T=kind, strides=stride, padding=same),
        _node("n", "Const", dtype=whole, value=_tensor([3, 2])),
        _node("m", "Const", dtype=whole, value=_tensor([2, 5])),
        _node("k", "Mul", "n", "m", T=whole),
        _node("y", "ResizeBilinear", "up", "k", T=kind, align_corners=field(5, 1)),
    ]  # fmt: skip
    return [b"".join(nodes)]


PBTXT: Final = b"""\
node { name: "x" op: "Placeholder" attr { key: "dtype" value { type: DT_FLOAT } }
  attr { key: "shape" value { shape {
    dim { size: 1 } dim { size: 4 } dim { size: 4 } dim { size: 2 } } } } }
node { name: "s" op: "Const" attr { key: "dtype" value { type: DT_INT32 } }
  attr { key: "value" value { tensor {
    dtype: DT_INT32 tensor_shape { dim { size: 2 } } int_val: 8 int_val: 9 } } } }
node { name: "y" op: "ResizeNearestNeighbor" input: "x" input: "s"
  attr { key: "T" value { type: DT_FLOAT } } }
"""


def _notebook() -> list[bytes]:
    cells = [{"cell_type": "code", "source": CODE.splitlines(keepends=True), "outputs": []}]
    return [json.dumps({"cells": cells, "metadata": {}, "nbformat": 4}).encode()]


def _tables() -> list[bytes]:
    """The index of a checkpoint: one block of entries, and the block that names it."""
    from upconv.converters.readers.files.crc32c import crc32c

    def masked(data: bytes) -> bytes:
        crc = crc32c(data)
        return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)

    def block(pairs: list[tuple[bytes, bytes]]) -> bytes:
        body = b"".join(varint(0) + varint(len(k)) + varint(len(v)) + k + v for k, v in pairs)
        content = body + struct.pack("<II", 0, 1) + b"\0"
        return content + masked(content)

    header = field(1, 1) + field(3, field(1, 1))
    entry = (
        field(1, 1) + field(2, field(2, field(1, 4))) + field(5, 16) + struct.pack("<BI", 0x35, 0)
    )
    data = block([(b"", header), (b"w", entry)])
    index = block([(b"x", varint(0) + varint(len(data) - 5))])
    footer = varint(0) + varint(0) + varint(len(data)) + varint(len(index) - 5)
    return [data + index + footer.ljust(40, b"\0") + struct.pack("<Q", 0xDB4775248B80FB57)]


def _baseline() -> list[bytes]:
    row = {"fingerprint": "0" * 32, "code": "UP201", "path": "a.prototxt", "layer": "up"}
    return [json.dumps({"version": 1, "findings": [row]}).encode()]


def _cache() -> list[bytes]:
    place = {"line": 1, "column": 1, "end_line": 1, "end_column": 5}
    edits = [{"start_line": 1, "start_column": 1, "end_line": 1, "end_column": 2, "text": "x"}]
    finding = {
        "code": "UP201", "name": "n", "severity": "error", "path": "a", "place": place,
        "layer": "l", "message": "m", "help": "h", "fix": {"safety": "safe", "edits": edits}, "fingerprint": "f",
    }  # fmt: skip
    report = {
        "path": "a", "format": "caffe", "status": "ok", "reason": "", "findings": [finding],
        "silenced": [{"finding": finding, "by": "comment", "reason": ""}], "used": ["x"],
    }  # fmt: skip
    return [json.dumps({"key": "k", "report": report}).encode()]


def _onnx() -> list[bytes]:
    from onnx import TensorProto, helper

    sides = [helper.make_tensor_value_info(n, TensorProto.FLOAT, (1, 2, 4, "W")) for n in "xy"]
    node = helper.make_node("Relu", ["x"], ["y"], name="r")
    graph = helper.make_graph([node], "g", sides[:1], sides[1:])
    return [helper.make_model(graph).SerializeToString()]


def mxnet_net(form: Form = "attrs") -> str:
    """A bit of everything that reads a size or an attribute."""
    net = Net()
    x = net.variable("data", __shape__="(0, 2, 0, 9)")
    up = net.add(
        *("Deconvolution", "up", x, net.variable("up_weight")),
        kernel="(4, 4)", stride="(2, 2)", num_filter=4, target_shape="(11, 17)",
    )  # fmt: skip
    names = ("gamma", "beta", "moving_mean", "moving_var")
    normal = net.add("BatchNorm", "bn", up, *(net.variable(f"bn_{name}") for name in names))
    pool = net.add("Pooling", "pool", normal, kernel="(3, 2)", pooling_convention="full")
    resized = net.add("_contrib_BilinearResize2D", "rs", pool, scale_height=1.5, scale_width=2)
    crop = net.add("Crop", "crop", resized, x, num_args=2, offset="(1, 0)")
    part = net.add("slice", "part", crop, begin="(None, 1)", end="(None, -1)", step="(1, 1)")
    parts = net.add("SliceChannel", "split", part, num_outputs=2)
    both = net.add("UpSampling", "big", parts, [*parts[:1], 1, 0], scale=2, num_args=2)
    flat = net.add("Reshape", "flat", both, shape="(0, -4, 2, -1, -3)")
    mean = net.add("mean", "mean", flat, axis="(2,)", keepdims="True")
    return net.text(net.add("_plus_scalar", "end", mean, scalar="2.5"), mean, form=form)


def _mxnet() -> list[bytes]:
    return [mxnet_net(form).encode() for form in ("attrs", "attr", "param")]


def _mxnet_params() -> list[bytes]:
    arrays: dict[str, Any] = {"arg:up_weight": np.ones((2, 4, 4, 4), np.float32)}
    arrays |= {f"aux:bn_{name}": np.ones(4, np.float16) for name in ("gamma", "moving_var")}
    packed = _written("a.params", lambda path: write_zip(path, arrays))
    return [packed, *(params(arrays, one) for one in ("v2", "v1", "legacy", "v3"))]


def _tflite() -> list[bytes]:
    """A transposed convolution to a size that shapes compute, a resize, pads, weights with scales."""
    net = LiteNet()
    x, shape = net.tensor("x", (None, None, None, 2)), net.tensor("shape", (4,), kind="i4")
    twice, up = net.tensor("twice", (4,), kind="i4"), net.tensor("up", (1, 2, 2, 3))
    net.op(77, [x], [shape], {0: ("B", 2)})
    net.op(18, [shape, net.constant("by", np.array([1, 2, 2, 1]), "i4")], [twice], {})
    net.op(2, [twice, net.constant("end", np.array([3]), "i4")], [net.tensor("all", (5,))], {})
    kernel = net.constant("k", np.ones((3, 2, 2, 2)), "i1", scales=(0.5, 0.25, 1.0))
    reads = [twice, kernel, x, net.constant("b", np.ones(3))]
    net.op(67, reads, [up], {0: ("b", 0), 1: ("i", 2), 2: ("i", 2), 3: ("b", 1)})
    pads = net.constant("pads", np.array([[0, 0], [1, 0], [0, 1], [0, 0]]), "i4")
    wide, y = net.tensor("wide", (1, 3, 3, 3)), net.tensor("y", (1, 7, 9, 3))
    net.op(34, [up, pads], [wide])
    net.op(23, [wide, net.constant("size", np.array([7, 9]), "i4")], [y], {3: ("b", 1)})
    places, pooled = net.tensor("places", (1, 3, 4, 3)), net.tensor("pooled", (1, 3, 4, 3))
    net.op(
        "MaxPoolingWithArgmax2D", [y], [pooled, places], custom=struct.pack("<5i", 2, 2, 2, 2, 2)
    )
    return [net.model([x], [y, pooled], ({"image": x}, {"big": y}))]


def _onnx_models() -> list[bytes]:
    """A transposed convolution, a resize by scales, and one to a size that is computed."""
    from onnx import TensorProto, helper

    def constant(name: str, kind: int, *values: float, dims: tuple[int, ...]) -> Any:
        return helper.make_tensor(name, kind, dims, values)

    stored = [
        constant("w", TensorProto.FLOAT, *[0.25] * 32, dims=(2, 1, 4, 4)),
        constant("s", TensorProto.FLOAT, 1, 1, 2, 2, dims=(4,)),
        constant("two", TensorProto.INT64, 2, dims=(1,)),
        constant("four", TensorProto.INT64, 4, dims=(1,)),
        constant("zero", TensorProto.INT64, 0, dims=(1,)),
    ]
    nodes = [
        helper.make_node(
            "ConvTranspose", ["x", "w"], ["u"], strides=[2, 2], pads=[1, 1, 1, 1], group=2
        ),
        helper.make_node("Resize", ["u", "", "s"], ["v"], mode="linear"),
        helper.make_node("Shape", ["v"], ["size"]),
        helper.make_node("Slice", ["size", "zero", "two", "zero"], ["first"]),
        helper.make_node("Slice", ["size", "two", "four", "zero"], ["last"]),
        helper.make_node("Mul", ["last", "two"], ["twice"]),
        helper.make_node("Concat", ["first", "twice"], ["sizes"], axis=0),
        helper.make_node("Resize", ["v", "", "", "sizes"], ["y"], mode="nearest"),
    ]
    sides = [helper.make_tensor_value_info(n, TensorProto.FLOAT, (1, 2, 4, "W")) for n in "xy"]
    graph = helper.make_graph(nodes, "g", sides[:1], sides[1:], stored)
    opset = helper.make_opsetid("", 17)
    return [*_onnx(), helper.make_model(graph, opset_imports=[opset]).SerializeToString()]


TOML: Final = b"""\
select = ["UP1", "UP201"]
exclude = ["old/", "*.[ch]", "!a"]
fail-on = "warning"
jobs = 2
cache-dir = "c"
[severity]
UP201 = "info"
[per-file-ignores]
"a/**/b*" = ["UP2"]
[[overrides]]
files = ["x?"]
layers = ["up*"]
ignore = ["UP1"]
"""

_MAKERS: Final[dict[str, Callable[[], list[bytes]]]] = {
    "prototxt": lambda: [NET.encode(), *_files("rules/*/bad*.prototxt")],
    "caffemodel": _caffemodel,
    "python": lambda: [CODE.encode(), *_files("rules/*/bad*.py")],
    "notebook": _notebook,
    "keras_json": lambda: _files("keras2/*.json"),
    "hdf5": lambda: _files("keras2/*.h5"),
    "keras": lambda: _files("keras2/*.keras"),
    "graphdef": _graphdef,
    "pbtxt": lambda: [PBTXT],
    "bundle": _tables,
    "pt2": _pt2,
    "torchscript": _torchscript,
    "checkpoint": _checkpoints,
    "pickle": _pickles,
    "safetensors": _safetensors,
    "onnx": _onnx,
    "mxnet": _mxnet,
    "mxnet_params": _mxnet_params,
    "tflite": _tflite,
    "onnx_model": _onnx_models,
    "config": lambda: [TOML],
    "baseline": _baseline,
    "cache": _cache,
    "gitignore": lambda: [b"*.pt\n!a/**/[!b]?\n/x/\n\\#y \n**/z/**\n"],
}


@cache
def seeds(target: str) -> tuple[bytes, ...]:
    """Sound files of a target's format."""
    found = tuple(_MAKERS[target]())
    assert found, target
    return found
