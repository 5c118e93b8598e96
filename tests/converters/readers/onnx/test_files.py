"""The file: data beside it, what is broken or hostile, text forms, and what is not read."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.converters.readers.onnx.support import (
    FLOAT,
    external,
    meant,
    node,
    noise,
    proto,
    read,
    unknown,
)
from upconv.converters.ir.errors import UnreadableError, UnsupportedError, UpconvError, UsageError
from upconv.converters.readers.formats import companions, identify, open_model
from upconv.converters.readers.options import ReadOptions

VALUES = np.array([1.0, 2.0, 3.0], np.float32)
X = np.zeros((1, 3), np.float32)


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, Path]:
    """(the model's folder, a file outside of it that nobody may read)."""
    folder = tmp_path / "model"
    (folder / "data").mkdir(parents=True)
    secret = tmp_path / "secret.bin"
    secret.write_bytes(VALUES.tobytes())
    return folder, secret


def reason(folder: Path, location: str, **entries: str) -> str:
    """Why data are not read; "" where they are."""
    model = read(external(folder, location, VALUES, **entries), folder)
    if unknown(model):
        return unknown(model)["w"]
    assert np.array_equal(meant(model, {"x": X})[0], VALUES[None])
    return ""


@pytest.mark.parametrize("location", ["w.bin", "./w.bin", "data/w.bin", "..w.bin", "data//w.bin"])
def test_data_in_the_models_folder_are_read(places: tuple[Path, Path], location: str) -> None:
    folder, _ = places
    (folder / location).write_bytes(VALUES.tobytes())
    assert reason(folder, location) == ""


@pytest.mark.parametrize(
    "location",
    ["../secret.bin", "data/../../secret.bin", "{secret}", "..\\secret.bin", "C:secret.bin", ""],
)
def test_no_path_leads_out_of_it(places: tuple[Path, Path], location: str) -> None:
    """CVE-2022-25882 and CVE-2024-27318."""
    folder, secret = places
    assert "no path inside" in reason(folder, location.format(secret=secret))


def test_no_symbolic_link_is_followed(places: tuple[Path, Path]) -> None:
    folder, secret = places
    (folder / "w.bin").symlink_to(secret)
    assert "symbolic link" in reason(folder, "w.bin")
    (folder / "linked").symlink_to(secret.parent, target_is_directory=True)
    assert "symbolic link" in reason(folder, "linked/secret.bin")


def test_no_hard_link_is_read(places: tuple[Path, Path]) -> None:
    """CVE-2026-34447."""
    folder, secret = places
    os.link(secret, folder / "w.bin")
    assert "hard link" in reason(folder, "w.bin")
    secret.unlink()
    assert reason(folder, "w.bin") == ""


def test_a_pipe_or_a_folder_is_no_data(places: tuple[Path, Path]) -> None:
    folder, _ = places
    os.mkfifo(folder / "pipe")
    assert "no regular file" in reason(folder, "pipe")
    assert "no regular file" in reason(folder, "data")
    assert "No such file" in reason(folder, "absent.bin")


@pytest.mark.parametrize(
    ("entries", "part"),
    [
        ({"offset": "4"}, "bytes 4 to 16 of a file of 12"),
        ({"length": "8"}, "8 bytes of data for a tensor of 12"),
        ({"offset": "-4"}, "the offset '-4'"),
        ({"offset": "99999999999999999999"}, "the offset"),
        ({"length": "12", "offset": "0"}, ""),
    ],
)
def test_ranges_are_checked(places: tuple[Path, Path], entries: dict[str, str], part: str) -> None:
    folder, _ = places
    (folder / "w.bin").write_bytes(VALUES.tobytes())
    assert part in reason(folder, "w.bin", **entries)


def test_data_beside_a_model_are_its_companions(places: tuple[Path, Path]) -> None:
    folder, _ = places
    path = folder / "net.onnx"
    path.write_bytes(external(folder, "data/w.bin", VALUES).SerializeToString())
    assert str(folder / "data/w.bin") in companions(str(path))


TYPES = [
    (TensorProto.FLOAT, np.float32),
    (TensorProto.DOUBLE, np.float64),
    (TensorProto.FLOAT16, np.float16),
    (TensorProto.INT32, np.int32),
    (TensorProto.INT64, np.int64),
    (TensorProto.UINT8, np.uint8),
    (TensorProto.INT8, np.int8),
    (TensorProto.UINT16, np.uint16),
    (TensorProto.INT16, np.int16),
    (TensorProto.UINT32, np.uint32),
    (TensorProto.UINT64, np.uint64),
    (TensorProto.BOOL, np.bool_),
    (TensorProto.BFLOAT16, None),
]


@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize(("kind", "dtype"), TYPES)
def test_values_of_every_type_raw_and_listed(
    tmp_path: Path, kind: int, dtype: type | None, raw: bool
) -> None:
    values = np.array([0, 1, 1, 0], np.float32) if dtype == np.bool_ else np.arange(4.0)
    if raw and dtype is None:
        bits = (values.astype(np.float32).view(np.uint32) >> 16).astype("<u2")
        tensor = helper.make_tensor("w", kind, [4], bits.tobytes(), raw=True)
    elif raw:
        assert dtype is not None
        tensor = helper.make_tensor("w", kind, [4], values.astype(dtype).tobytes(), raw=True)
    else:
        tensor = helper.make_tensor("w", kind, [4], values.tolist())
    model = proto([node("Cast", ["w"], "c", to=FLOAT), node("Add", ["x", "c"])], {"x": [1, 4]})
    model.graph.initializer.append(tensor)
    got = meant(read(model, tmp_path), {"x": np.zeros((1, 4))})[0]
    assert np.array_equal(got, values[None])


def test_a_file_cut_anywhere_is_refused_or_read(tmp_path: Path) -> None:
    model = proto(
        [node("Conv", ["x", "w"], "c"), node("Relu", ["c"])],
        {"x": [1, 3, 8, 9]},
        {"w": noise(4, 3, 3, 3)},
    )
    data = model.SerializeToString()
    path = tmp_path / "net.onnx"
    for end in range(1, len(data), 7):
        path.write_bytes(data[:end])
        try:
            open_model(str(path), ReadOptions())
        except UpconvError as error:
            assert str(error).startswith(str(path))


def test_flipped_bytes_are_refused_or_read(tmp_path: Path) -> None:
    model = proto(
        [node("Shape", ["x"], "s"), node("Reshape", ["x", "s"], "r"), node("Relu", ["r"])],
        {"x": [1, "C", 8, 9]},
    )
    data = bytearray(model.SerializeToString())
    path = tmp_path / "net.onnx"
    for at in range(len(data)):
        for bit in (1, 0x10, 0x80):
            data[at] ^= bit
            path.write_bytes(bytes(data))
            try:
                open_model(str(path), ReadOptions())
            except UpconvError as error:
                assert "\n" not in str(error)
            data[at] ^= bit


@pytest.mark.parametrize(
    ("name", "text", "form"),
    [
        ("net.onnx", "ir_version: 8\ngraph {\n  node { op_type: 'Relu' }\n}\n", "protobuf text"),
        ("net.onnx", '{"irVersion": "8", "graph": {}}', "JSON"),
        ("net.onnx", '<ir_version: 8, opset_import: ["" : 18]> g (float x) => (y) {}', "syntax"),
    ],
)
def test_text_forms_are_refused_by_name(tmp_path: Path, name: str, text: str, form: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    assert identify(str(path)) == "ONNX"
    with pytest.raises(UnsupportedError, match=form):
        open_model(str(path), ReadOptions())


def test_a_newer_opset_and_given_weights_are_refused(tmp_path: Path) -> None:
    model = proto([node("Relu", ["x"])], {"x": [1, 3]}, opset=99)
    with pytest.raises(UnsupportedError, match="opset 99"):
        read(model, tmp_path)
    model = proto([node("Relu", ["x"])], {"x": [1, 3]})
    with pytest.raises(UsageError, match="names its weights itself"):
        read(model, tmp_path, weights="w.bin")
    path = tmp_path / "empty.onnx"
    path.write_bytes(b"\x08\x08")
    with pytest.raises(UnreadableError, match="no graph"):
        open_model(str(path), ReadOptions())


def test_a_value_written_twice_is_refused(tmp_path: Path) -> None:
    model = proto([node("Relu", ["x"]), node("Tanh", ["x"])], {"x": [1, 3]})
    with pytest.raises(UnreadableError, match="'y' is written twice"):
        read(model, tmp_path)


def test_weights_stay_views(tmp_path: Path) -> None:
    """Nothing is read before it is used: a weight of 4 GB of zeros that are not there."""
    model = proto([node("Conv", ["x", "w"])], {"x": [1, 3, 8, 8]})
    tensor = numpy_helper.from_array(noise(1, 3, 3, 3), "w")
    tensor.ClearField("raw_data")
    del tensor.dims[:]
    tensor.dims.extend([1 << 20, 3, 16, 16])
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="w.bin")
    model.graph.initializer.append(tensor)
    with open(tmp_path / "w.bin", "wb") as file:
        file.truncate((1 << 20) * 3 * 256 * 4)
    made = read(model, tmp_path)
    assert made.layers[-1].weights["weight"].shape == (1 << 20, 3, 16, 16)
