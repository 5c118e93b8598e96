"""The backend that computes a model of Keras: what is recorded, what is said, what is open."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from tests.converters.onnx_writer.support import run_onnx
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
)
from tests.support import shared_file
from upconv.converters.ir import operators as ops
from upconv.converters.ir.errors import AmbiguousError, UnsupportedError
from upconv.converters.onnx_writer import write_onnx
from upconv.converters.readers.keras.version import KerasVersion

ON_TORCH = """\
import json, os, sys, warnings
os.environ["KERAS_BACKEND"] = "torch"
warnings.simplefilter("ignore")
import numpy as np, keras
from keras import layers as L
folder, cases = sys.argv[1], json.loads(sys.argv[2])
for number, (kind, shape, settings) in enumerate(cases):
    keras.utils.set_random_seed(number)
    x = keras.Input(tuple(shape), name="x")
    net = keras.Model(x, getattr(L, kind)(name="y", **settings)(x))
    noise = np.random.standard_normal
    net.set_weights([noise(one.shape).astype("float32") for one in net.get_weights()])
    values = np.random.standard_normal((2, *shape)).astype("float32")
    net.save(f"{folder}/{number}.h5")
    np.savez(f"{folder}/{number}.npz", x=values, y=keras.ops.convert_to_numpy(net(values)))
"""

CASES: list[tuple[str, tuple[int, ...], dict[str, Any]]] = [
    ("Conv1DTranspose", (7, 2), {"filters": 3, "kernel_size": 3, "strides": 2, "padding": "same"}),
    ("Conv2DTranspose", (5, 6, 2), {"filters": 3, "kernel_size": [3, 4], "strides": 2,
                                    "padding": "same"}),
    ("Conv2DTranspose", (5, 6, 2), {"filters": 3, "kernel_size": 4, "strides": 2,
                                    "padding": "same", "output_padding": 0}),
    ("Conv2DTranspose", (5, 6, 2), {"filters": 2, "kernel_size": 2, "strides": 3,
                                    "padding": "same"}),
    ("Conv2DTranspose", (5, 6, 2), {"filters": 2, "kernel_size": 3, "dilation_rate": 2,
                                    "padding": "same"}),
    ("Conv3DTranspose", (3, 4, 5, 2), {"filters": 2, "kernel_size": 3, "strides": [2, 1, 3],
                                       "padding": "same"}),
    ("Conv2D", (7, 8, 2), {"filters": 3, "kernel_size": [2, 3], "strides": 2, "padding": "same"}),
    ("AveragePooling1D", (8, 2), {"pool_size": 2, "strides": 1, "padding": "same"}),
    ("AveragePooling2D", (7, 8, 2), {"pool_size": 2, "padding": "same"}),
    ("AveragePooling2D", (7, 7, 2), {"pool_size": 3, "padding": "same", "strides": 2}),
    ("AveragePooling3D", (4, 5, 6, 2), {"pool_size": [2, 3, 2], "padding": "same"}),
    ("MaxPooling2D", (7, 8, 2), {"pool_size": 2, "padding": "same", "strides": 3}),
    ("UpSampling2D", (5, 6, 2), {"size": 2, "interpolation": "bicubic"}),
    ("UpSampling2D", (5, 6, 2), {"size": 3, "interpolation": "bicubic"}),
    ("UpSampling2D", (5, 6, 2), {"size": 3, "interpolation": "bilinear"}),
    ("Resizing", (5, 6, 2), {"height": 7, "width": 13, "interpolation": "bicubic"}),
    ("Resizing", (5, 6, 2), {"height": 7, "width": 13, "interpolation": "nearest"}),
    ("Resizing", (15, 16, 2), {"height": 7, "width": 6, "interpolation": "bilinear",
                               "antialias": True}),
    ("Resizing", (15, 16, 2), {"height": 7, "width": 6, "interpolation": "bicubic",
                               "antialias": True}),
]  # fmt: skip


@pytest.fixture(scope="module")
def on_torch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what Keras on torch saved and computed of every case."""
    pytest.importorskip("torch")
    pytest.importorskip("keras")
    folder = tmp_path_factory.mktemp("torch")
    arguments = [str(folder), json.dumps(CASES)]
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "-c", ON_TORCH, *arguments]
    subprocess.run(command, check=True, capture_output=True, env=environment)
    return folder


def shared(name: str) -> Path:
    return shared_file(f"cases/keras-backend/{name}")


def computed(path: Path, values: Any, target: Path, **options: Any) -> Any:
    """What the ONNX file of a model of one input computes of these values."""
    found = read(path, **options)
    write_onnx(found, target)
    (name,) = (one.name for one in found.inputs)
    return next(iter(run_onnx(target, {name: values}).values()))


@pytest.mark.parametrize("number", range(len(CASES)))
def test_layers_on_torch_are_what_torch_computes(
    number: int, on_torch: Path, tmp_path: Path
) -> None:
    run = np.load(on_torch / f"{number}.npz")
    got = computed(on_torch / f"{number}.h5", run["x"], tmp_path / "m.onnx")
    assert got.shape == run["y"].shape
    np.testing.assert_allclose(got, run["y"], atol=2e-5 * np.abs(run["y"]).max())


def test_a_model_that_keras_3_12_computed_on_torch(tmp_path: Path) -> None:
    run = np.load(shared("torch_3.12_io.npz"))
    got = computed(shared("torch_3.12.h5"), run["x"], tmp_path / "m.onnx")
    np.testing.assert_allclose(got, run["y"], atol=1e-5)


def recorded(path: Path, version: str, backend: str) -> Path:
    with h5py.File(path, "a") as file:
        file.attrs["backend"] = backend
        file.attrs["keras_version"] = version
    return path


def correlated(values: Any, kernel: Any, stride: int, begin: int, out: int) -> Any:
    """A transposed convolution along one axis, from its definition: x (n, in), kernel (k, out,
    in); pixel i spreads over stride * i - begin and on."""
    y = np.zeros((out, kernel.shape[1]))
    for i, pixel in enumerate(values):
        for tap in range(len(kernel)):
            if 0 <= (at := stride * i + tap - begin) < out:
                y[at] += kernel[tap] @ pixel
    return y


@pytest.mark.parametrize(("padding", "begin", "out"), [("valid", 0, 13), ("same", 1, 12)])
def test_theanos_transposed_convolutions_are_true_ones(
    padding: str, begin: int, out: int, tmp_path: Path
) -> None:
    rng = np.random.default_rng(3)
    kernel = rng.standard_normal((3, 1, 2, 4)).astype(np.float32)
    settings = {"filters": 2, "kernel_size": [3, 1], "strides": [2, 1], "padding": padding}
    net = model(
        entry("x", 6, 1, 4), layer("Conv2DTranspose", "up", "x", use_bias=False, **settings)
    )
    path = write_h5(tmp_path / "m.h5", net, {"kernel": kernel})
    values = rng.standard_normal((1, 6, 1, 4)).astype(np.float32)
    got = computed(recorded(path, "2.1.6", "theano"), values, tmp_path / "m.onnx")
    want = correlated(values[0, :, 0], kernel[::-1, 0], 2, begin, out)
    np.testing.assert_allclose(got[0, :, 0], want, atol=1e-5)


@pytest.mark.parametrize(
    ("kind", "axes", "turned"),
    [
        ("Conv1D", 1, True),
        ("Conv2D", 2, True),
        ("Conv3D", 3, True),
        ("Conv2DTranspose", 2, True),
        ("Conv3DTranspose", 3, True),
        ("DepthwiseConv2D", 2, False),
    ],
)
def test_kernels_of_theano(kind: str, axes: int, turned: bool, tmp_path: Path) -> None:
    size = [3, 2, 4][:axes]
    name = "depthwise_kernel" if kind.startswith("Depthwise") else "kernel"
    kernel = np.arange(np.prod(size) * 4, dtype=np.float32).reshape(*size, 2, 2)
    settings = {"filters": 2, "kernel_size": size, "use_bias": False, "depth_multiplier": 2}
    net = model(entry("x", *[9] * axes, 2), layer(kind, "up", "x", **settings))
    path = write_h5(tmp_path / "m.h5", net, {name: kernel}, "2.1.6")
    (plain,) = read(path).layers
    (own,) = read(recorded(path, "2.1.6", "theano")).layers
    along = tuple(range(2, axes + 2))
    want = plain.weights["weight"].array()
    np.testing.assert_array_equal(
        own.weights["weight"].array(), np.flip(want, along) if turned else want
    )


def test_weights_may_be_of_another_backend_than_the_architecture(tmp_path: Path) -> None:
    """The file that holds the kernel says who trained it."""
    stored = recorded(write_h5(tmp_path / "w.h5", upsampler(), arrays()), "2.1.6", "theano")
    net = write_json(tmp_path / "m.json", {**upsampler(), "backend": "tensorflow"})
    plain = write_h5(tmp_path / "p.h5", upsampler(), arrays())
    own, other = (read(net, weights=str(path)).layer("up") for path in (stored, plain))
    assert own.operator == other.operator
    kernel = other.weights["weight"].array()
    np.testing.assert_array_equal(own.weights["weight"].array(), kernel[:, :, ::-1, ::-1])


@pytest.mark.parametrize(
    ("kernel", "stride", "size", "begin", "end"),
    [(3, 2, 8, 1, 1), (2, 1, 8, 1, 0), (4, 2, 9, 2, 1), (5, 3, 7, 2, 2)],
)
def test_same_of_theano_does_not_look_at_the_stride(
    kernel: int, stride: int, size: int, begin: int, end: int, tmp_path: Path
) -> None:
    settings = {"filters": 1, "kernel_size": kernel, "strides": stride, "padding": "same"}
    net = model(entry("x", size, 1), layer("Conv1D", "c", "x", **settings))
    path = write_json(tmp_path / "m.json", {**net, "backend": "theano", "keras_version": "2.1.6"})
    operator = read(path).layer("c").operator
    assert (operator.pads_begin, operator.pads_end) == ((begin,), (end,))


def test_a_pooling_of_theano_pads_both_sides_alike(tmp_path: Path) -> None:
    """2x2 with stride 2: the first window holds the first pixel alone, and a third one is cut."""
    net = model(entry("x", 4, 1), layer("MaxPooling1D", "p", "x", pool_size=2, padding="same"))
    path = write_json(tmp_path / "m.json", {**net, "backend": "theano", "keras_version": "2.1.6"})
    values = np.array([[[1], [5], [3], [7]]], np.float32)
    got = computed(path, values, tmp_path / "m.onnx")
    assert got[0, :, 0].tolist() == [1, 5]


@pytest.mark.parametrize(
    ("version", "axes", "ignored"),
    [
        ("2.1.6-tf", 2, True),
        ("2.1.6-tf", 3, True),
        ("2.1.6-tf", 1, False),
        ("2.2.4-tf", 2, False),
        ("2.2.4-tf", 3, True),
        ("2.15.0", 3, True),
        ("2.15.0", 2, False),
        ("3.12.0", 3, False),
        ("", 3, False),
    ],
)
def test_versions_that_ignore_a_stored_dilation(version: str, axes: int, ignored: bool) -> None:
    assert KerasVersion(version, 2).ignores_dilation(axes) == ignored


def test_dilation_of_tensorflow_1_12(tmp_path: Path) -> None:
    found = read(shared("conv2dt-d2-same-tf1.12.h5"))
    operator = found.layer("up").operator
    assert isinstance(operator, ops.ConvTranspose)
    assert (operator.dilation, operator.pads_begin, operator.pads_end) == ((1, 1),) * 3


def messages(found: Any, kind: str = "assumed-backend") -> list[str]:
    return [one.error.message for one in found.notices if one.kind == kind]


def archived(folder: Path, net: Any, stored: Any, version: str) -> Path:
    """A .keras file of a version, without a CRC to mend: the metadata is written anew."""
    path = write_keras(folder / "m.keras", net, stored)
    with zipfile.ZipFile(path) as old:
        members = {name: old.read(name) for name in old.namelist()}
    members["metadata.json"] = json.dumps({"keras_version": version}).encode()
    with zipfile.ZipFile(path, "w") as new:
        for name, data in members.items():
            new.writestr(name, data)
    return path


@pytest.mark.parametrize(
    ("version", "settings", "open_"),
    [
        ("3.12.0", {}, True),
        ("3.15.1", {}, False),
        ("3.12.0", {"padding": "valid"}, False),
        ("3.12.0", {"strides": [1, 1]}, False),
    ],
)
def test_an_open_backend_is_told_where_it_matters(
    version: str, settings: dict[str, Any], open_: bool, tmp_path: Path
) -> None:
    path = archived(tmp_path, upsampler(**settings), arrays(), version)
    assert bool(messages(read(path))) == open_
    write_onnx(read(path), tmp_path / "m.onnx")  # as TensorFlow's
    for backend in ("tensorflow", "torch", "jax"):
        assert not messages(read(path, keras_backend=backend))


def test_what_the_user_says_counts_where_nothing_is_recorded(tmp_path: Path) -> None:
    path = archived(tmp_path, upsampler(), arrays(), "3.12.0")
    pads = {
        backend: read(path, keras_backend=backend).layer("up").operator.pads_begin
        for backend in ("", "tensorflow", "jax", "torch")
    }
    assert pads == {"": (0, 0), "tensorflow": (0, 0), "jax": (0, 0), "torch": (1, 1)}
    stored = recorded(write_h5(tmp_path / "m.h5", upsampler(), arrays()), "3.12.0", "torch")
    assert read(stored, keras_backend="jax").layer("up").operator.pads_begin == (1, 1)


def test_what_tensorflow_refuses_runs_elsewhere(tmp_path: Path) -> None:
    """An even kernel without output_padding: JAX and torch agree, so nothing is open."""
    net = upsampler(kernel_size=[4, 4], output_padding=[0, 0])
    kernel = {"kernel": np.ones((4, 4, 3, 2), np.float32), "bias": np.ones(3, np.float32)}
    path = archived(tmp_path, net, kernel, "3.12.0")
    assert read(path).notices == ()
    assert read(path).layer("up").operator.pads_begin == (2, 2)
    own = read(path, keras_backend="tensorflow").layer("up").operator
    assert isinstance(own, ops.Unknown)


@pytest.mark.parametrize(("version", "runs"), [("3.12.0", False), ("3.13.0", True)])
def test_an_output_padding_that_torch_refuses(version: str, runs: bool, tmp_path: Path) -> None:
    net = upsampler(kernel_size=[1, 1], strides=[1, 1], output_padding=[1, 1], padding="valid")
    kernel = {"kernel": np.ones((1, 1, 3, 2), np.float32), "bias": np.ones(3, np.float32)}
    path = recorded(write_h5(tmp_path / "m.h5", net, kernel), version, "torch")
    assert isinstance(read(path).layer("up").operator, ops.ConvTranspose) == runs


def test_a_backend_that_is_not_known_is_asked_for(tmp_path: Path) -> None:
    path = recorded(write_h5(tmp_path / "m.h5", upsampler(), arrays()), "2.1.6", "cntk")
    (notice,) = read(path).notices
    assert isinstance(notice.error, AmbiguousError)
    with pytest.raises(UnsupportedError, match="its backend is 'cntk'"):
        write_onnx(read(path), tmp_path / "m.onnx")
    assert read(path, keras_backend="tensorflow").notices == ()
