"""Verification on the user's own inputs: files, names, layouts, and what does not fit."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from tests.converters.readers.keras.handmade import arrays, entry, layer, model, read, write_h5
from upconv.converters.ir.errors import UnreadableError, UpconvError, UsageError
from upconv.converters.onnx_writer import write_onnx
from upconv.converters.proof.own_inputs import own_stimuli
from upconv.converters.proof.verify import verify

UP = {"filters": 3, "kernel_size": [3, 3], "strides": [2, 2], "padding": "same"}


def upsampler(folder: Path, *, two: bool = False) -> Any:
    """x (N, H, W, 2) -> up (N, 2H, 2W, 3), to which `skip` is added where there are two inputs."""
    layers = [entry("x", None, None, 2), layer("Conv2DTranspose", "up", "x", **UP)]
    if two:
        add = layer("Add", "sum", "up")
        add["inbound_nodes"] = [[["up", 0, 0, {}], ["skip", 0, 0, {}]]]
        layers += [entry("skip", None, None, 3), add]
    return read(write_h5(folder / "m.h5", model(*layers), arrays()))


def noise(*shape: int) -> Any:
    return np.random.default_rng(1).standard_normal(shape, dtype=np.float32)


def test_an_array_reaches_the_model_in_its_own_layout(tmp_path: Path) -> None:
    found = upsampler(tmp_path)
    values = noise(2, 5, 7, 2)
    np.savez(tmp_path / "in.npz", x=values)
    (feeds,) = own_stimuli(found, str(tmp_path / "in.npz")).values()
    np.testing.assert_array_equal(feeds["x"], np.moveaxis(values, -1, 1))


@pytest.mark.parametrize("kind", ["uint8", "int64", "float16", "float64", "bool", ">f4"])
def test_numbers_of_every_kind_are_taken(kind: str, tmp_path: Path) -> None:
    values = np.arange(12).reshape(1, 3, 2, 2).astype(kind)
    np.save(tmp_path / "in.npy", np.asfortranarray(values))
    (feeds,) = own_stimuli(upsampler(tmp_path), str(tmp_path / "in.npy")).values()
    np.testing.assert_array_equal(np.moveaxis(feeds["x"], 1, -1), values.astype(np.float32))


def test_a_difference_that_only_some_inputs_show(tmp_path: Path) -> None:
    """The file is wrong for values beyond 1000 alone: no noise shows it, the user's input does."""
    found = upsampler(tmp_path)
    path = tmp_path / "m.onnx"
    write_onnx(found, path)
    proto = onnx.load(path)
    (node,) = (one for one in proto.graph.node if one.op_type == "ConvTranspose")
    limit = onnx.helper.make_tensor("limit", onnx.TensorProto.FLOAT, [], [1000.0])
    proto.graph.initializer.append(limit)
    clip = onnx.helper.make_node("Clip", [node.input[0], "", "limit"], ["cut"])
    node.input[0] = "cut"
    proto.graph.node.insert(list(proto.graph.node).index(node), clip)
    onnx.save(proto, path)
    assert verify(found, str(path)).verdict == "pass"
    for size, verdict in ((1, "pass"), (2000, "fail")):
        np.savez(tmp_path / "in.npz", x=size * noise(1, 4, 5, 2))
        assert verify(found, str(path), data=str(tmp_path / "in.npz")).verdict == verdict


def test_every_file_of_a_folder_is_a_run(tmp_path: Path) -> None:
    found, folder = upsampler(tmp_path), tmp_path / "data"
    folder.mkdir()
    np.save(folder / "a.npy", noise(1, 4, 5, 2))
    np.savez(folder / "b.npz", x=noise(2, 3, 6, 2))
    (folder / "notes.txt").write_text("not an input")
    shapes = [feeds["x"].shape for feeds in own_stimuli(found, str(folder)).values()]
    assert shapes == [(1, 2, 4, 5), (2, 2, 3, 6)]


def test_a_folder_with_a_file_per_input_is_one_run(tmp_path: Path) -> None:
    found, folder = upsampler(tmp_path, two=True), tmp_path / "data"
    folder.mkdir()
    np.save(folder / "x.npy", noise(1, 4, 5, 2))
    np.save(folder / "skip.npy", noise(1, 8, 10, 3))
    path = tmp_path / "m.onnx"
    write_onnx(found, path)
    assert verify(found, str(path), data=str(folder)).verdict == "pass"


def refused(found: Any, path: Path) -> str:
    with pytest.raises(UpconvError) as caught:
        own_stimuli(found, str(path))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_does_not_fit_is_one_line(tmp_path: Path) -> None:
    one, two = upsampler(tmp_path), upsampler(tmp_path, two=True)
    np.savez(tmp_path / "in.npz", x=noise(1, 4, 5, 2), other=noise(1))
    assert "no array 'skip'" in refused(two, tmp_path / "in.npz")
    np.save(tmp_path / "in.npy", noise(1, 2, 4, 5))
    assert "is 1x2x4x5, the input 'x' takes" in refused(one, tmp_path / "in.npy")
    np.save(tmp_path / "in.npy", noise(4, 5, 2))
    assert "takes" in refused(one, tmp_path / "in.npy")
    np.save(tmp_path / "in.npy", np.full((1, 4, 5, 2), np.nan, np.float32))
    assert "not finite" in refused(one, tmp_path / "in.npy")
    assert "one array" in refused(two, tmp_path / "in.npy")
    np.savez(tmp_path / "in.npz", x=noise(1, 4, 5, 2), skip=noise(1, 4, 5, 3))
    assert "does not take inputs of this size" in refused(two, tmp_path / "in.npz")
    assert "cannot be read" in refused(one, tmp_path / "none.npy")


def test_images_need_converting(tmp_path: Path) -> None:
    (tmp_path / "cat.png").write_bytes(b"\x89PNG")
    (tmp_path / "dog.JPG").write_bytes(b"\xff\xd8")
    found = upsampler(tmp_path)
    assert "numpy.save" in refused(found, tmp_path / "cat.png")
    folder = tmp_path / "pictures"
    folder.mkdir()
    assert "no .npy or .npz" in refused(found, folder)
    (tmp_path / "cat.png").rename(folder / "cat.png")
    assert "is an image" in refused(found, folder)


def test_hostile_files_are_refused(tmp_path: Path) -> None:
    found, path = upsampler(tmp_path), tmp_path / "in.npy"
    np.save(path, np.array([{}], object), allow_pickle=True)
    with pytest.raises(UsageError, match="object"):
        own_stimuli(found, str(path))
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 999999999, 999999999, 2), }"
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header)
    with pytest.raises(UnreadableError, match="more than is read"):
        own_stimuli(found, str(path))
    np.save(path, noise(1, 4, 5, 2))
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(UnreadableError, match="no array"):
        own_stimuli(found, str(path))
    path.write_bytes(b"hello")
    refused(found, path)
    (tmp_path / "in.npz").write_bytes(b"PK\x03\x04")
    with pytest.raises(UnreadableError, match=r"numpy\.savez"):
        own_stimuli(found, str(tmp_path / "in.npz"))
    with zipfile.ZipFile(tmp_path / "in.npz", "w") as archive:
        archive.writestr("x.npy", b"not an array")
    refused(found, tmp_path / "in.npz")
