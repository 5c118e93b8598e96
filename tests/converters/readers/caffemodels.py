"""Caffe's own messages, built with protobuf, and models of them drawn at random."""

from __future__ import annotations

import importlib
from functools import cache
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from fixtures.make_caffemodel import length_tag, varint
from upconv.converters.ir.errors import UnreadableError
from upconv.converters.readers.caffe.caffemodel import Blob, Caffemodel, read_caffemodel

# message: {field: (number, type, repeated)}; the type is a scalar's or a message's name
SCHEMA: dict[str, dict[str, tuple[int, str, bool]]] = {
    "Shape": {"dim": (1, "int64", True)},
    "Blob": {
        "num": (1, "int64", False),
        "channels": (2, "int64", False),
        "height": (3, "int64", False),
        "width": (4, "int64", False),
        "data": (5, "float", True),
        "diff": (6, "float", True),
        "shape": (7, "Shape", False),
        "double_data": (8, "double", True),
        "double_diff": (9, "double", True),
    },
    "V0": {
        "name": (1, "string", False),
        "type": (2, "string", False),
        "stride": (10, "uint32", False),
        "blobs": (50, "Blob", True),
    },
    "V1": {
        "layer": (1, "V0", False),
        "bottom": (2, "string", True),
        "top": (3, "string", True),
        "name": (4, "string", False),
        "type": (5, "int32", False),
        "blobs": (6, "Blob", True),
        "blobs_lr": (7, "float", True),
    },
    "V2": {
        "name": (1, "string", False),
        "type": (2, "string", False),
        "bottom": (3, "string", True),
        "top": (4, "string", True),
        "loss_weight": (5, "float", True),
        "blobs": (7, "Blob", True),
        "phase": (10, "int32", False),
    },
    "Net": {
        "name": (1, "string", False),
        "layers": (2, "V1", True),
        "input": (3, "string", True),
        "input_dim": (4, "int32", True),
        "layer": (100, "V2", True),
    },
}

# Imported by name: whether protobuf's stubs are installed makes no difference to the types here.
descriptor_pb2: Any = importlib.import_module("google.protobuf.descriptor_pb2")
descriptor_pool: Any = importlib.import_module("google.protobuf.descriptor_pool")
message_factory: Any = importlib.import_module("google.protobuf.message_factory")

LEGACY = ("num", "channels", "height", "width")


@cache
def messages(packed: bool) -> dict[str, Any]:
    """Caffe's messages in protobuf's own runtime, repeated numbers packed or not."""
    file = descriptor_pb2.FileDescriptorProto(name="net.proto", package="net", syntax="proto2")
    kinds = descriptor_pb2.FieldDescriptorProto
    for message_name, fields in SCHEMA.items():
        message = file.message_type.add(name=message_name)
        for name, (number, kind, repeated) in fields.items():
            label = kinds.LABEL_REPEATED if repeated else kinds.LABEL_OPTIONAL
            entry = message.field.add(name=name, number=number, label=label)
            if kind in SCHEMA:
                entry.type, entry.type_name = kinds.TYPE_MESSAGE, f".net.{kind}"
                continue
            entry.type = getattr(kinds, f"TYPE_{kind.upper()}")
            entry.options.packed = packed and repeated and kind != "string"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    find = pool.FindMessageTypeByName
    return {name: message_factory.GetMessageClass(find(f"net.{name}")) for name in SCHEMA}


def read_bytes(folder: Path, data: bytes) -> Caffemodel:
    path = folder / "net.caffemodel"
    path.unlink(missing_ok=True)  # a new file: the old one may still be mapped
    path.write_bytes(data)
    return read_caffemodel(path)


def outcome(folder: Path, data: bytes) -> Caffemodel | UnreadableError:
    try:
        return read_bytes(folder, data)
    except UnreadableError as error:
        return error


def field(number: int, payload: bytes) -> bytes:
    return length_tag(number, len(payload)) + payload


def layer_bytes(blob: bytes, name: bytes = b"up") -> bytes:
    return field(100, field(1, name) + field(2, b"Deconvolution") + field(7, blob))


def shape_bytes(*dims: int) -> bytes:
    return field(7, field(1, b"".join(map(varint, dims))))


def floats(count: int) -> bytes:
    return field(5, np.arange(count, dtype="<f4").tobytes())


def same_blob(blob: Blob, message: Any) -> None:
    """Compare with what protobuf's own runtime read from the same bytes."""
    legacy = [getattr(message, axis) for axis in LEGACY]
    assert blob.legacy == any(message.HasField(axis) for axis in LEGACY)
    assert blob.shape == tuple(legacy if blob.legacy else message.shape.dim)
    wide = len(message.double_data) > 0
    assert blob.dtype == ("float64" if wide else "float32")
    with np.errstate(over="ignore"):
        values = np.array(message.double_data if wide else message.data).astype("<f4")
    assert blob.present == (len(values) == prod(blob.shape))
    if not blob.present:
        assert (len(values), blob.nbytes) == (0, 0)
        return
    assert blob.nbytes == values.nbytes
    np.testing.assert_array_equal(blob.array(), values.reshape(blob.shape))
    assert blob.array().dtype == np.float32
    assert not blob.array().flags.writeable
    for size in (1, 7, 12, 1 << 20) if blob.size < 1000 else (4099, 1 << 20):
        chunks = [bytes(chunk) for chunk in blob.chunks(size)]
        assert b"".join(chunks) == values.tobytes()
        assert all(0 < len(chunk) <= max(size, 4) for chunk in chunks)


def same_net(found: Caffemodel, net: Any) -> None:
    assert found.name == net.name
    if net.layers:
        inner = [one.layer if one.HasField("layer") else one for one in net.layers]
        outer = list(net.layers)
    else:
        inner = outer = list(net.layer)
    assert [layer.name for layer in found.layers] == [one.name for one in inner]
    for layer, one, around in zip(found.layers, inner, outer, strict=True):
        assert (layer.bottoms, layer.tops) == (tuple(around.bottom), tuple(around.top))
        assert layer.version < 2 or layer.type == one.type
        assert len(layer.blobs) == len(one.blobs)
        for index, (blob, message) in enumerate(zip(layer.blobs, one.blobs, strict=True)):
            assert (blob.layer, blob.index) == (layer.name, index)
            same_blob(blob, message)


DIMS = st.lists(st.integers(0, 4), max_size=5)
SINGLES = st.floats(width=32, allow_nan=False)
NAMES = st.text(st.characters(codec="utf-8"), max_size=8)


@st.composite
def blobs(draw: st.DrawFn, kinds: dict[str, Any]) -> Any:
    blob = kinds["Blob"]()
    dims = draw(DIMS)
    if draw(st.booleans()):
        dims = draw(st.lists(st.integers(0, 4), min_size=4, max_size=4))
        for axis, size in zip(LEGACY, dims, strict=True):
            setattr(blob, axis, size)
    else:
        blob.shape.dim.extend(dims)
    values = draw(st.sampled_from(["data", "double_data", "none", "both"]))
    count = prod(dims)
    if values in ("data", "both"):
        seed = draw(st.integers(0, 99))
        noise = np.random.default_rng(seed).standard_normal(count, np.float32)
        blob.data.extend(noise.tolist())
        blob.diff.extend(noise.tolist())
    if values in ("double_data", "both"):
        edge = draw(st.sampled_from([0.1, -1e300, 1e-300, 3.5e38]))
        blob.double_data.extend([edge] * count)
        blob.double_diff.extend([0.5] * count)
    return blob


@st.composite
def nets(draw: st.DrawFn) -> tuple[int, Any]:
    """(generation, net message)."""
    kinds = messages(draw(st.booleans()))
    version = draw(st.sampled_from([0, 1, 2]))
    net = kinds["Net"](name=draw(NAMES), input=["data"], input_dim=[1, 3, 8, 8])
    for _ in range(draw(st.integers(1, 4))):
        layer = net.layer.add() if version == 2 else net.layers.add()
        layer.bottom.extend(draw(st.lists(NAMES, max_size=3)))
        layer.top.extend(draw(st.lists(NAMES, max_size=3)))
        inner = layer.layer if version == 0 else layer
        inner.name = draw(NAMES)
        inner.type = 39 if version == 1 else "conv"
        inner.blobs.extend(draw(st.lists(blobs(kinds), min_size=1, max_size=3)))
    return version, net
