"""The three kinds of files without Keras: layouts of weights, and files that are broken or bad."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from tests.converters.readers.keras.handmade import (
    arrays,
    entry,
    layer,
    model,
    read,
    upsampler,
    write_h5,
    write_json,
    write_keras,
    write_weights,
)
from upconv.converters.ir.errors import UnreadableError, UnsupportedError, UpconvError


def expected_kernel() -> Any:
    """(in, out, k, k) of (k, k, out, in)."""
    return arrays()["kernel"].transpose(3, 2, 0, 1)


def _keras(folder: Path) -> Any:
    return read(write_keras(folder / "m.keras", upsampler(), arrays()))


def _compressed(folder: Path) -> Any:
    path = write_keras(folder / "m.keras", upsampler(), arrays(), zipfile.ZIP_DEFLATED)
    return read(path)


def _h5(folder: Path) -> Any:
    return read(write_h5(folder / "m.h5", upsampler(), arrays()))


def _json(folder: Path) -> Any:
    weights = write_weights(folder / "m.weights.h5", arrays())
    return read(write_json(folder / "m.json", upsampler()), weights=str(weights))


def _json_and_old_weights(folder: Path) -> Any:
    weights = write_h5(folder / "m.h5", upsampler(), arrays())
    return read(write_json(folder / "m.json", upsampler()), weights=str(weights))


def _json_and_archive(folder: Path) -> Any:
    weights = write_keras(folder / "m.keras", upsampler(), arrays())
    return read(write_json(folder / "m.json", upsampler()), weights=str(weights))


def _json_and_compressed_archive(folder: Path) -> Any:
    weights = write_keras(folder / "m.keras", upsampler(), arrays(), zipfile.ZIP_DEFLATED)
    return read(write_json(folder / "m.json", upsampler()), weights=str(weights))


def _stored_otherwise(folder: Path) -> Any:
    """Chunked, compressed, in half precision and in double."""
    path = write_h5(folder / "m.h5", upsampler(), {})
    with h5py.File(path, "a") as file:
        group = file["model_weights/up"]
        group.attrs["weight_names"] = [b"k/kernel:0", b"k/bias:0"]
        kernel = arrays()["kernel"].astype(np.float16)
        group.create_dataset("k/kernel:0", data=kernel, chunks=(1, 3, 3, 2), compression="gzip")
        group["k/bias:0"] = arrays()["bias"].astype(np.float64)
    return read(path)


@pytest.mark.parametrize(
    "make",
    [
        _keras,
        _compressed,
        _h5,
        _json,
        _json_and_old_weights,
        _json_and_archive,
        _json_and_compressed_archive,
        _stored_otherwise,
    ],
)
def test_weights_are_found(make: Callable[[Path], Any], tmp_path: Path) -> None:
    found = make(tmp_path)
    assert found.notices == ()
    (up,) = found.layers
    weight, bias = up.weights["weight"], up.weights["bias"]
    np.testing.assert_array_equal(weight.array(), expected_kernel())
    np.testing.assert_array_equal(bias.array(), np.ones(3))
    raw = b"".join(bytes(chunk) for chunk in weight.data.chunks(7))
    assert raw == np.ascontiguousarray(expected_kernel(), "<f4").tobytes()
    assert up.origin.written.stored_at.startswith("/")


def test_an_architecture_alone_has_missing_weights(tmp_path: Path) -> None:
    (up,) = read(write_json(tmp_path / "m.json", upsampler())).layers
    assert not up.weights["weight"].present
    assert up.weights["weight"].shape == (2, 3, 3, 3)


def test_layers_of_architecture_point_into_the_text(tmp_path: Path) -> None:
    (up,) = read(write_json(tmp_path / "m.json", upsampler(strides=[0, 2]))).layers
    assert up.origin.span.text.startswith('{\n    "class_name": "Conv2DTranspose"')
    (notice,) = read(write_json(tmp_path / "m.json", upsampler(strides=[0, 2]))).notices
    assert notice.kind == "unreadable-part"
    assert notice.error.where.text == "[\n      0,\n      2\n     ]"


def test_layers_of_archives_have_no_span(tmp_path: Path) -> None:
    found = read(write_keras(tmp_path / "m.keras", upsampler(strides=[0, 2]), arrays()))
    (notice,) = found.notices
    assert notice.error.where is None
    assert str(notice.error).startswith(f"{tmp_path / 'm.keras'}: layer 'up': strides is [0, 2]")


def _external_link(path: Path) -> None:
    with h5py.File(path, "a") as file:
        del file["model_weights/up/up/kernel:0"]
        file["model_weights/up/up/kernel:0"] = h5py.ExternalLink("/etc/passwd", "/x")


def _soft_link(path: Path) -> None:
    with h5py.File(path, "a") as file:
        del file["model_weights/up/up/kernel:0"]
        file["model_weights/up/up/kernel:0"] = h5py.SoftLink("/model_weights/up/up/bias:0")


def _external_storage(path: Path) -> None:
    with h5py.File(path, "a") as file:
        del file["model_weights/up/up/kernel:0"]
        group = file["model_weights/up/up"]
        where = [("/etc/hostname", 0, h5py.h5f.UNLIMITED)]
        group.create_dataset("kernel:0", (3, 3, 3, 2), "f4", external=where)


def _virtual(path: Path) -> None:
    with h5py.File(path, "a") as file:
        del file["model_weights/up/up/kernel:0"]
        layout = h5py.VirtualLayout((3, 3, 3, 2), "f4")
        layout[:] = h5py.VirtualSource("/etc/other.h5", "x", (3, 3, 3, 2))
        file["model_weights/up/up"].create_virtual_dataset("kernel:0", layout)


def _bomb(path: Path) -> None:
    with h5py.File(path, "a") as file:
        del file["model_weights/up/up/kernel:0"]
        group = file["model_weights/up/up"]
        group.create_dataset("kernel:0", (1 << 20, 1 << 20), "f4", chunks=(1024, 1024))
        group["kernel:0"][:1, :1] = 1


def _never_written(path: Path) -> None:
    with h5py.File(path, "a") as file:
        del file["model_weights/up/up/kernel:0"]
        file["model_weights/up/up"].create_dataset("kernel:0", (3, 3, 3, 2), "f4", chunks=True)


def _strings(path: Path) -> None:
    with h5py.File(path, "a") as file:
        del file["model_weights/up/up/kernel:0"]
        file["model_weights/up/up/kernel:0"] = [b"cos\nsystem"]


def _other_shape(path: Path) -> None:
    with h5py.File(path, "a") as file:
        del file["model_weights/up/up/kernel:0"]
        file["model_weights/up/up/kernel:0"] = np.zeros((3, 3, 2, 3), np.float32)


def _absent(path: Path) -> None:
    with h5py.File(path, "a") as file:
        del file["model_weights/up/up/kernel:0"]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_external_link, "a ExternalLink, which is never followed"),
        (_soft_link, "a SoftLink, which is never followed"),
        (_external_storage, "in another file, which is never opened"),
        (_virtual, "in another file, which is never opened"),
        (_bomb, "stored bytes cannot hold"),
        (_never_written, "says it has values, but none are stored"),
        (_strings, "not numbers"),
        (_other_shape, "its kernel has shape 3x3x2x3"),
        (_absent, "the weights file has no up/kernel:0"),
    ],
)
def test_bad_weights_are_told(spoil: Callable[[Path], None], message: str, tmp_path: Path) -> None:
    path = write_h5(tmp_path / "m.h5", upsampler(), arrays())
    spoil(path)
    (notice,) = read(path).notices
    assert notice.kind == "unreadable-part"
    assert message in str(notice.error)
    assert notice.error.layer == "up"


BROKEN: dict[str, tuple[bytes, str]] = {
    "cut.json": (b'{"class_name": "Model", "config": {"layers": [', "a value is expected"),
    "open.json": (b'{"class_name": "Model", "config" 3}', "':' is expected, not '3'"),
    "deep.json": (b'{"class_name": ' + b"[" * 3000, "nested more than 200 deep"),
    "twice.json": (b'{"class_name": "Model", "config": {}} {}', "text after the end"),
    "escape.json": (b'{"class_name": "\\q", "config": {}}', "broken escape"),
    "digits.json": (b'{"class_name": ' + b"1" * 5000 + b"}", "more than 400 digits"),
    "bits.json": (b'{"class_name": ' + b"1" * 30 + b"}", "more than 64 bits"),
    "none.json": (b'{"class_name": "Model", "config": {}}', "without a graph of layers"),
    "nameless.json": (
        b'{"class_name": "Sequential", "config": {"layers": [{}]}}',
        "a layer without a class_name",
    ),
    "empty.json": (b'{"class_name": "Sequential", "config": {"layers": []}}', "without layers"),
    "not.h5": (b"\x89HDF\r\n\x1a\n" + bytes(200), "a broken HDF5 file"),
    "not.keras": (b"PK\x03\x04 metadata.json", "not a readable ZIP archive"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files_are_one_error(name: str, tmp_path: Path) -> None:
    content, message = BROKEN[name]
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UnreadableError, match=message) as caught:
        read(path)
    assert str(caught.value).startswith(str(path))


@pytest.mark.parametrize("form", ["h5", "keras"])
def test_every_cut_fails_cleanly(form: str, tmp_path: Path) -> None:
    write = write_h5 if form == "h5" else write_keras
    whole = write(tmp_path / f"m.{form}", upsampler(), arrays()).read_bytes()
    path = tmp_path / f"cut.{form}"
    for length in range(100, len(whole), max(len(whole) // 60, 1)):
        path.write_bytes(whole[:length])
        try:
            found = read(path)
        except UpconvError:
            continue
        assert found.notices


def test_an_archive_that_would_swell_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("metadata.json", "{}")
        archive.writestr("config.json", json.dumps(upsampler()))
        archive.writestr("model.weights.h5", bytes(100 << 20))
    with pytest.raises(UnreadableError, match="would unpack from"):
        read(path)


def test_weights_alone_say_what_they_need(tmp_path: Path) -> None:
    path = write_weights(tmp_path / "m.weights.h5", arrays())
    with pytest.raises(UnsupportedError, match=r"model\.json --weights"):
        read(path)


def test_a_subclassed_model_says_why(tmp_path: Path) -> None:
    architecture = {"class_name": "MyNet", "module": "mine", "config": {"trainable": True}}
    with pytest.raises(UnreadableError, match="its graph is Python code"):
        read(write_keras(tmp_path / "m.keras", architecture, {}))


def test_a_reference_to_nothing_is_told(tmp_path: Path) -> None:
    for name, source in (("loop", "loop"), ("up", "nobody")):
        bad = model(entry("x", 4, 4, 1), layer("ReLU", name, source))
        with pytest.raises(UnreadableError, match="reads a tensor that no layer writes"):
            read(write_json(tmp_path / "m.json", bad))


def test_two_layers_of_one_name_are_told(tmp_path: Path) -> None:
    bad = model(entry("x", 4, 4, 1), layer("ReLU", "a", "x"), layer("ReLU", "a", "x"))
    with pytest.raises(UnreadableError, match="two layers have this name"):
        read(write_json(tmp_path / "m.json", bad))
