from __future__ import annotations

import gc
import importlib
import random
import shutil
import struct
import subprocess
import sys
from functools import cache
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from converters.errors import UnreadableError
from converters.readers.caffemodel import (
    V0_LAYER_TYPES,
    V1_LAYER_TYPES,
    Blob,
    Caffemodel,
    looks_like_caffemodel,
    read_caffemodel,
)
from converters.tensors import TensorData
from fixtures.make_caffemodel import length_tag, random_layers, varint, write_caffemodel

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


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("caffemodels")


@given(nets())
def test_reads_what_protobuf_wrote(folder: Path, drawn: tuple[int, Any]) -> None:
    version, net = drawn
    found = read_bytes(folder, net.SerializeToString())
    same_net(found, net)
    types = {0: "Convolution", 1: "Deconvolution", 2: "conv"}
    for layer in found.layers:
        assert (layer.version, layer.type) == (version, types[version])


@given(nets(), nets())
def test_reads_messages_in_pieces(
    folder: Path, first: tuple[int, Any], second: tuple[int, Any]
) -> None:
    """Joined encodings are one message: packed pieces, singular fields given twice."""
    if first[0] == second[0]:
        net = messages(True)["Net"]
        joined = first[1].SerializeToString() + second[1].SerializeToString()
        same_net(read_bytes(folder, joined), net.FromString(joined))
    blob = field(5, b"\0\0\x80\x3f") + b"\x2d\0\0\0\x40" + field(5, b"") + shape_bytes(2)
    whole = field(7, field(1, varint(3))) + blob + b"\x2d\0\0\x40\x40" * 4
    found = read_bytes(folder, layer_bytes(whole)).layers[0].blobs[0]
    same_blob(found, messages(True)["Blob"].FromString(whole))
    assert found.shape == (3, 2)
    assert found.array().ravel().tolist() == [1, 2, 3, 3, 3, 3]


def test_v1_types(folder: Path) -> None:
    net = messages(True)["Net"]()
    for number in [*V1_LAYER_TYPES, 40, -1]:
        net.layers.add(name=str(number), type=number, blobs=[{"num": 1}])
    found = read_bytes(folder, net.SerializeToString())
    assert {layer.name: layer.type for layer in found.layers} == {
        **{str(number): name for number, name in V1_LAYER_TYPES.items()},
        "40": "V1LayerType(40)",
        "-1": "V1LayerType(-1)",
    }
    assert sorted(V1_LAYER_TYPES) == list(range(40))
    assert (V1_LAYER_TYPES[4], V1_LAYER_TYPES[39]) == ("Convolution", "Deconvolution")
    assert set(V0_LAYER_TYPES.values()) < set(V1_LAYER_TYPES.values())


def test_one_layer_in_two_generations_is_refused(folder: Path) -> None:
    net = messages(True)["Net"]()
    net.layer.add(name="new")
    net.layers.add(name="old", blobs=[{"num": 1}])
    with pytest.raises(UnreadableError, match="mixes 1 'layer' with 1 'layers' entries"):
        read_bytes(folder, net.SerializeToString())


def test_names_find_layers_and_duplicates_stay(folder: Path) -> None:
    net = messages(True)["Net"]()
    for name, size in (("a", 1), ("b", 2), ("", 3), ("a", 4), ("", 5)):
        net.layer.add(name=name, blobs=[{"shape": {"dim": [size]}}])
    found = read_bytes(folder, net.SerializeToString())
    last = found.find("a")
    assert last is found.layers[3]
    assert [layer.blobs[0].shape for layer in found.all_named("a")] == [(1,), (4,)]
    assert found.duplicates == ("a",)
    assert found.find("c") is None
    assert found.all_named("c") == ()


@pytest.mark.parametrize(
    ("blob", "problem"),
    [
        (shape_bytes(2, 3) + floats(5), "holds 5 values, but its shape 2x3 asks for 6"),
        (floats(2), "holds 2 values, but its shape scalar asks for 1"),
        (shape_bytes(0, 3) + floats(3), "holds 3 values, but its shape 0x3 asks for 0"),
        (b"\x08\x02\x18\x03" + floats(6), "holds 6 values, but its shape 2x0x3x0 asks for 0"),
        (shape_bytes(2, -3) + floats(6), "has the negative shape 2x-3"),
        (b"\x08" + varint(-1) + floats(6), "has the negative shape -1x0x0x0"),
        (shape_bytes(1 << 32, 1 << 32), "has the impossible shape 4294967296x4294967296"),
        (
            shape_bytes(0, 1 << 32, 1 << 32),
            "has the impossible shape 0x4294967296x4294967296",
        ),
    ],
)
def test_shape_and_values_must_agree(folder: Path, blob: bytes, problem: str) -> None:
    good = layer_bytes(shape_bytes(2) + floats(2), b"good")
    with pytest.raises(UnreadableError) as caught:
        read_bytes(folder, good + layer_bytes(blob))
    assert str(caught.value) == f"{folder}/net.caffemodel: layer 'up': blob 0 {problem}"


def test_axes_and_value_bytes_are_bounded(folder: Path) -> None:
    blob = shape_bytes(*[1] * 32) + floats(1)
    assert read_bytes(folder, layer_bytes(blob)).layers[0].blobs[0].array().ndim == 32
    with pytest.raises(UnreadableError, match="more than 32 axes"):
        read_bytes(folder, layer_bytes(shape_bytes(*[1] * 33) + floats(1)))
    with pytest.raises(UnreadableError, match="more than 32 axes"):
        read_bytes(folder, layer_bytes(shape_bytes(*[1] * 32) + shape_bytes(1) + floats(1)))
    with pytest.raises(UnreadableError, match="6 bytes are not a whole number of values"):
        read_bytes(folder, layer_bytes(shape_bytes(1) + field(5, b"\0" * 6)))


def test_scalars_empty_and_absent_blobs(folder: Path) -> None:
    def blob(data: bytes) -> Blob:
        return read_bytes(folder, layer_bytes(data)).layers[0].blobs[0]

    scalar = blob(floats(1))
    assert (scalar.shape, scalar.present, scalar.array().shape) == ((), True, ())
    empty = blob(shape_bytes(3, 0))
    assert (empty.present, empty.nbytes, empty.array().shape) == (True, 0, (3, 0))
    assert list(empty.chunks()) == []
    absent = blob(shape_bytes(3, 2))
    assert (absent.shape, absent.present, absent.nbytes) == ((3, 2), False, 0)
    with pytest.raises(UnreadableError, match="layer 'up': blob 0 has no values in the file"):
        absent.array()
    with pytest.raises(UnreadableError, match="has no values in the file"):
        list(absent.chunks())


def test_legacy_sizes_win_over_a_shape(folder: Path) -> None:
    """As in Caffe's Blob::FromProto, which looks at the shape only where they are absent."""
    sizes = b"\x08\x01\x10\x01\x18\x02\x20\x03"
    blob = read_bytes(folder, layer_bytes(shape_bytes(6) + sizes + floats(6))).layers[0].blobs[0]
    assert (blob.shape, blob.legacy) == ((1, 1, 2, 3), True)


def test_values_are_views_that_outlive_the_model(folder: Path) -> None:
    data = layer_bytes(floats(6) + shape_bytes(2, 3))
    model = read_bytes(folder, data)
    blob = model.layers[0].blobs[0]
    assert data[blob.offset :].startswith(struct.pack("<3f", 0, 1, 2))
    tensor: TensorData = blob
    first, second = tensor.array(), blob.array()
    assert np.shares_memory(first, second)
    chunks = list(blob.chunks(8))
    blob.release()
    del model, blob, second
    (folder / "net.caffemodel").unlink()
    gc.collect()
    assert first.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert b"".join(chunks) == np.arange(6, dtype="<f4").tobytes()


def touch_everything(model: Caffemodel) -> None:
    for layer in model.layers:
        for blob in layer.blobs:
            if blob.present:
                assert blob.array().shape == blob.shape
                assert sum(map(len, blob.chunks(16))) == blob.nbytes


@pytest.fixture(scope="module")
def small() -> bytes:
    """A net with every form of blob in it."""
    kinds = messages(False)
    net = kinds["Net"](name="small", input=["data"])
    conv = net.layer.add(name="conv", type="Convolution", bottom=["data"], top=["conv"])
    conv.blobs.add(num=1, channels=2, height=1, width=3, data=range(6))
    conv.blobs.add(shape={"dim": [3]}, double_data=[0.5, 1.5, 2.5])
    deconv = net.layer.add(name="up", type="Deconvolution", bottom=["conv"], top=["up"])
    deconv.blobs.add(shape={"dim": [2, 2]}, data=range(4), diff=range(4))
    packed = layer_bytes(floats(6) + shape_bytes(3, 2), b"packed")
    group = b"\xab\x06\x08\x01\xac\x06"
    return bytes(net.SerializeToString() + group + packed)


def test_every_truncation_is_an_error_or_a_shorter_model(folder: Path, small: bytes) -> None:
    whole = read_bytes(folder, small)
    touch_everything(whole)
    names = [layer.name for layer in whole.layers]
    shorter = []
    for size in range(len(small)):
        model = outcome(folder, small[:size])
        if isinstance(model, UnreadableError):
            assert model.path.endswith("net.caffemodel")
            continue
        touch_everything(model)
        shorter.append([layer.name for layer in model.layers])
    # A cut between two top-level fields leaves a model, no other cut does: after each of the
    # first two layers, and nowhere inside the group between the second and the third.
    assert names == ["conv", "up", "packed"]
    assert shorter == [["conv"], ["conv", "up"], ["conv", "up"]]


def test_damaged_bytes_are_an_error_or_a_model(folder: Path, small: bytes) -> None:
    source = random.Random(20)
    outcomes = {"read": 0, "refused": 0}
    for _ in range(4000):
        damaged = bytearray(small)
        for _ in range(source.randint(1, 3)):
            damaged[source.randrange(len(damaged))] = source.randrange(256)
        model = outcome(folder, bytes(damaged))
        if isinstance(model, UnreadableError):
            outcomes["refused"] += 1
            continue
        touch_everything(model)
        outcomes["read"] += 1
    assert min(outcomes.values()) > 500


@settings(max_examples=300)
@given(st.binary(min_size=1, max_size=400))
def test_any_bytes_are_an_error_or_a_model(folder: Path, data: bytes) -> None:
    looks_like_caffemodel(data)
    model = outcome(folder, data)
    if isinstance(model, UnreadableError):
        assert model.path == f"{folder}/net.caffemodel"
    else:
        touch_everything(model)


def test_hostile_numbers_of_fields_end_quickly(folder: Path) -> None:
    with pytest.raises(UnreadableError, match="more fields than any real file has"):
        read_bytes(folder, field(100, b"") * 500_001)
    deep = layer_bytes(b"\x0b" * 200_000)
    with pytest.raises(UnreadableError, match="nested more than 100 deep"):
        read_bytes(folder, deep)


GRAPH_DEF = field(1, field(1, b"x") + field(2, b"Placeholder")) + field(4, b"\x08\x15")
FUNCTION = field(1, field(1, b"body") + field(2, field(1, b"x")))
CAFFE2 = field(1, b"net") + field(2, field(2, b"w") + field(4, b"GivenTensorFill") + field(5, b""))
OTHER_PROTOBUFS = {
    "onnx": b"\x08\x08"
    + field(2, b"pytorch")
    + field(7, field(2, b"main"))
    + field(8, b"\x10\x11"),
    "graphdef": GRAPH_DEF,
    "graphdef with functions": GRAPH_DEF + field(2, field(1, FUNCTION)),
    "savedmodel": b"\x08\x01" + field(2, field(1, field(4, b"serve")) + field(2, GRAPH_DEF)),
    "caffe2": CAFFE2,
    "caffe mean file": b"\x08\x01\x10\x01\x18\x01\x20\x02" + floats(2),
    "caffe solver state": b"\x08\x64" + field(2, b"net.caffemodel") + field(3, floats(2)),
    "a net without layers": field(1, b"net"),
}


@pytest.mark.parametrize("kind", OTHER_PROTOBUFS)
def test_other_protobuf_files(folder: Path, kind: str) -> None:
    data = OTHER_PROTOBUFS[kind]
    assert not looks_like_caffemodel(data)
    with pytest.raises(UnreadableError):
        read_bytes(folder, data)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            b"\x89HDF\r\n\x1a\n\0\0",
            "this is an HDF5 file, not a binary caffemodel (a .caffemodel.h5",
        ),
        (
            b"version https://git-lfs.github.com/spec/v1\n",
            "this is a Git LFS pointer, not a binary",
        ),
        (b"<!DOCTYPE html>\n<html>", "this is a web page, not a binary caffemodel (download"),
        (b'name: "net"\nlayer {\n}\n', "this is a text file, not a binary caffemodel (a .prototxt"),
        (b"PK\x03\x04", "this is a ZIP archive, not a binary caffemodel (unpack it first)"),
        (b"", "the file is empty, so not a caffemodel"),
        (GRAPH_DEF, "this is not a caffemodel: it holds no layer of Caffe's (ONNX, TensorFlow"),
    ],
)
def test_files_given_by_mistake(folder: Path, data: bytes, message: str) -> None:
    assert not looks_like_caffemodel(data)
    with pytest.raises(UnreadableError) as caught:
        read_bytes(folder, data)
    assert str(caught.value).startswith(f"{folder}/net.caffemodel: {message}")


def test_paths_that_are_no_file(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match="this is a folder, not a caffemodel"):
        read_caffemodel(tmp_path)
    with pytest.raises(UnreadableError, match="cannot be opened: No such file"):
        read_caffemodel(tmp_path / "absent.caffemodel")


@given(nets())
def test_sniffs_caffemodels(drawn: tuple[int, Any]) -> None:
    _, net = drawn
    net.name = "net"
    for layer in [*net.layers, *net.layer]:
        del layer.bottom[:], layer.top[:]
        inner = layer.layer if layer.DESCRIPTOR.name == "V1" and layer.HasField("layer") else layer
        inner.name = "up"
    data = net.SerializeToString()
    assert looks_like_caffemodel(data)
    assert looks_like_caffemodel(data[:64])


def test_files_beyond_two_gibibytes(tmp_path: Path) -> None:
    shape = (3, 7, 100_000_019)
    nbytes = 4 * prod(shape)
    path = tmp_path / "large.caffemodel"
    if shutil.disk_usage(tmp_path).free < 2 * nbytes:
        pytest.skip(f"less than {2 * nbytes} bytes free, should the holes take room")
    start = length_tag(5, nbytes)
    blob_size = len(start) + nbytes + len(shape_bytes(*shape))
    head = length_tag(7, blob_size) + start
    with path.open("wb") as file:
        file.write(length_tag(100, len(field(1, b"big")) + len(head) - len(start) + blob_size))
        file.write(field(1, b"big") + head)
        file.seek(nbytes - 4, 1)
        file.write(struct.pack("<f", 2.5) + shape_bytes(*shape))
        file.write(layer_bytes(floats(2) + shape_bytes(2), b"after"))
    assert path.stat().st_size > 1 << 31
    model = read_caffemodel(path)
    (big,), (after,) = (layer.blobs for layer in model.layers)
    assert (big.shape, big.nbytes) == (shape, nbytes)
    values = big.array()
    assert (values[0, 0, 0], values[-1, -1, -1]) == (0, 2.5)
    assert len(next(big.chunks())) == 1 << 20
    assert after.offset > 1 << 31
    assert after.array().tolist() == [0, 1]


def test_streaming_keeps_little_in_memory(tmp_path: Path) -> None:
    status = Path("/proc/self/status")
    if not status.exists():
        pytest.skip("the memory of a process is read from /proc here")
    path = tmp_path / "net.caffemodel"
    write_caffemodel(path, "net", random_layers(60_000_000))
    code = (
        "import sys; from converters.readers.caffemodel import read_caffemodel\n"
        "peak = lambda: int(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])\n"
        "before = peak()\n"
        "model = read_caffemodel(sys.argv[1])\n"
        "blobs = [blob for layer in model.layers for blob in layer.blobs]\n"
        "total = sum(len(c) for b in blobs for c in b.chunks() if max(c))\n"
        "print(total, peak() - before, 'numpy' in sys.modules)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, path], capture_output=True, text=True, check=True
    )
    total, kilobytes, heavy = result.stdout.split()
    assert int(total) > 60_000_000
    assert int(kilobytes) < 20_000
    assert heavy == "False"


def test_the_writer_writes_what_caffe_writes(tmp_path: Path) -> None:
    path = tmp_path / "net.caffemodel"
    weight = np.arange(24).reshape(2, 3, 4)
    pieces = [b"\0\0\x80\x3f\0", b"\0\0\x40"]
    specs: list[Any] = [("up", "Deconvolution", [(weight.shape, weight.T.T), ((2,), iter(pieces))])]
    write_caffemodel(path, "net", iter([*specs, ("shapes", "Scale", [((3, 0), None), ((), None)])]))
    net = messages(True)["Net"](name="net")
    up = net.layer.add(name="up", type="Deconvolution")
    up.blobs.add(shape={"dim": weight.shape}, data=weight.ravel())
    up.blobs.add(shape={"dim": [2]}, data=[1, 2])
    shapes = net.layer.add(name="shapes", type="Scale")
    shapes.blobs.add(shape={"dim": [3, 0]})
    shapes.blobs.add(shape={})
    assert path.read_bytes() == net.SerializeToString()
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("values", [None, np.zeros(5), np.zeros(7), [b"\0" * 20]])
def test_the_writer_leaves_no_file_behind_a_mistake(tmp_path: Path, values: Any) -> None:
    path = tmp_path / "net.caffemodel"
    blobs = [((2, 3), values)]
    if values is None:
        write_caffemodel(path, "net", [("up", "Deconvolution", blobs)])
        assert not read_caffemodel(path).layers[0].blobs[0].present
        return
    with pytest.raises(ValueError, match=r"layer 'up'.*for a shape of 24"):
        write_caffemodel(path, "net", [("up", "Deconvolution", blobs)])
    assert list(tmp_path.iterdir()) == []


def test_files_that_caffe_wrote(shared: Path) -> None:
    paths = sorted((shared / "goldens" / "caffe").glob("*/net.caffemodel"))
    if not paths:
        pytest.skip("no caffemodel among the goldens")
    net = messages(True)["Net"]
    for path in paths:
        data = path.read_bytes()
        assert looks_like_caffemodel(data[:512]), path
        model = read_caffemodel(path)
        same_net(model, net.FromString(data))
        assert all(blob.present for layer in model.layers for blob in layer.blobs), path
    assert len(paths) > 40


@pytest.mark.parametrize(
    ("name", "layers", "types"),
    [
        (
            "wzj5133329__retinaface_caffe/mnet.caffemodel",
            223,
            {"Convolution": 56, "BatchNorm": 47, "Deconvolution": 2},
        ),
        (
            "iKrishneel__fcn_object_detector/train/snapshots/snapshot_iter_1.caffemodel",
            5,
            {"Python": 2, "Deconvolution": 1, "Split": 1},
        ),
    ],
)
def test_published_weights(shared: Path, name: str, layers: int, types: dict[str, int]) -> None:
    path = shared / "corpus" / "caffe" / name
    if not path.exists():
        pytest.skip(f"no {name} in the corpus")
    model = read_caffemodel(path)
    assert len(model.layers) == layers
    found = [layer.type for layer in model.layers]
    assert {kind: found.count(kind) for kind in types} == types
    same_net(model, messages(True)["Net"].FromString(path.read_bytes()))
