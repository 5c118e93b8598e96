"""Cut, damaged and other files in place of a caffemodel: an error in one line, or a model."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.converters.readers.caffemodels import (
    field,
    floats,
    layer_bytes,
    messages,
    outcome,
    read_bytes,
    shape_bytes,
)
from upconv.converters.ir.errors import UnreadableError
from upconv.converters.readers.caffe.caffemodel import (
    Caffemodel,
    looks_like_caffemodel,
    read_caffemodel,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("caffemodels")


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
    with pytest.raises(UnreadableError, match="cannot be opened as a caffemodel: a folder"):
        read_caffemodel(tmp_path)
    with pytest.raises(UnreadableError, match="cannot be opened: No such file"):
        read_caffemodel(tmp_path / "absent.caffemodel")
