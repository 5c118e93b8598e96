"""Arrays in each encoding, and files that lie about them."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fixtures.make_mxnet import params, write_zip
from tests.converters.readers.mxnet.support import noise
from upconv.converters.ir.errors import UnreadableError
from upconv.converters.readers.files.mxnet_params import read_params

KINDS = ("f4", "f8", "f2", "u1", "i4", "i1", "i8", "b1")


@pytest.mark.parametrize("encoding", ["legacy", "v1", "v2", "v3"])
def test_every_encoding_gives_the_arrays(encoding: Any, tmp_path: Path) -> None:
    arrays = {f"arg:{kind}": (noise(2, 3) * 3).astype(kind) for kind in KINDS}
    path = tmp_path / "a.params"
    path.write_bytes(params(arrays, encoding))
    found = read_params(str(path))
    assert list(found) == list(KINDS)
    for name, array in arrays.items():
        assert np.array_equal(found[name[4:]].array(), array.astype(np.float32))


def test_a_scalar_is_one_value_in_v3_and_nothing_in_v2(tmp_path: Path) -> None:
    path = tmp_path / "a.params"
    path.write_bytes(params({"s": np.array(3.0, np.float32)}, "v3"))
    assert read_params(str(path))["s"].array() == 3.0
    nothing = struct.pack("<QQQIiiQQ", 0x112, 0, 1, 0xF993FAC9, 0, 0, 1, 1) + b"n"
    path.write_bytes(nothing)
    assert not read_params(str(path))


def test_a_zip_of_arrays_and_a_list_without_names(tmp_path: Path) -> None:
    arrays = {"arg:0.weight": noise(3, 2), "aux:1.var": noise(4).astype(np.float64)}
    found = read_params(str(write_zip(tmp_path / "a.params", arrays)))
    assert {name: data.shape for name, data in found.items()} == {"0.weight": (3, 2), "1.var": (4,)}
    assert np.array_equal(found["0.weight"].array(), arrays["arg:0.weight"])
    path = tmp_path / "b.params"
    path.write_bytes(params({"": noise(2)}))
    assert list(read_params(str(path))) == ["0"]


@pytest.mark.parametrize(
    ("offset", "value", "reason"),
    [
        (16, struct.pack("<Q", 1 << 40), "says that it holds"),
        (24, b"\x40\0\0\0", "64 axes"),
        (28, b"\x07\0\0\0", "storage type"),
        (32, b"\x7f\0\0\0", "127 axes"),
        (36, struct.pack("<q", 4 * 10**9), "truncated"),
        (36, struct.pack("<q", -5), "the shape"),
        (60, b"\x63\0\0\0", "element type 99"),
        (88, struct.pack("<Q", 1 << 62), "a name has"),
    ],
)
def test_a_lie_is_one_error(offset: int, value: bytes, reason: str, tmp_path: Path) -> None:
    data = bytearray(params({"arg:w": noise(2, 2)}))
    data[offset : offset + len(value)] = value
    path = tmp_path / "a.params"
    path.write_bytes(bytes(data))
    with pytest.raises(UnreadableError, match=reason) as caught:
        read_params(str(path))
    assert "\n" not in str(caught.value)


def test_a_file_cut_anywhere_is_one_error(tmp_path: Path) -> None:
    data, path = params({"arg:w": noise(2, 2), "b": noise(3)}), tmp_path / "a.params"
    for size in range(1, len(data)):
        path.write_bytes(data[:size])
        with pytest.raises(UnreadableError):
            read_params(str(path))


@pytest.mark.parametrize("shape", [b"(3 2)", b"(3,,2)", b"(, 2)", b"(3, 2", b"(-3,2)", b"(3_3,)"])
def test_a_shape_that_numpy_does_not_write_is_one_error(shape: bytes, tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.params", {"arg:w": np.zeros((3, 2), np.float32)})
    data = path.read_bytes()
    assert b"(3, 2)" in data
    path.write_bytes(data.replace(b"(3, 2)", shape.ljust(6)))
    with pytest.raises(UnreadableError, match="is no array of NumPy"):
        read_params(str(path))


def test_mxnets_own_files(shared: Path) -> None:
    """Each encoding as the version that has it wrote it; sparse ones made dense."""
    folder = shared / "goldens/mxnet/params-format"
    for path in sorted(folder.glob("*.npz")):
        found = read_params(str(path.with_suffix(".params")))
        for name, array in np.load(path).items():
            plain = name.removeprefix("arg|").removeprefix("aux|")
            assert np.array_equal(found[plain].array(), array.astype(np.float32), equal_nan=True), (
                path.name,
                name,
            )
    assert not read_params(str(folder / "empty_1.9.1.params"))
    assert read_params(str(folder / "bool_1.9.1.params"))["b"].shape == (3,)
