"""Caffemodels as protobuf writes them, read without it."""

from __future__ import annotations

import gc
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from fixtures.make_caffemodel import varint
from tests.converters.readers.caffemodels import (
    field,
    floats,
    layer_bytes,
    messages,
    nets,
    read_bytes,
    same_blob,
    same_net,
    shape_bytes,
)
from upconv.converters.ir.errors import UnreadableError
from upconv.converters.ir.tensors import TensorData
from upconv.converters.readers.caffe.caffemodel import (
    V0_LAYER_TYPES,
    V1_LAYER_TYPES,
    Blob,
    looks_like_caffemodel,
)


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
