"""Every configuration of Conv*DTranspose that TensorFlow runs, against onnxruntime."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from tests.converters.onnx_writer.support import run_onnx
from tests.converters.readers.keras.support import (
    assert_equal,
    compare,
    convert,
    import_keras,
    kinds,
    noise,
    save,
)
from upconv.converters.ir.geometry import keras_transposed_size, tensorflow_inverts

keras = import_keras()
pytestmark = pytest.mark.filterwarnings("ignore")

Padding = Literal["same", "valid"]
PADDINGS: tuple[Padding, ...] = ("same", "valid")
CHANNELS = 2
SIZES = {1: ((5,), (8,)), 2: ((5, 4), (4, 7)), 3: ((3, 2, 4), (2, 3, 3))}
"""Input sizes, odd and even, tried on each dynamic model; each has a fixed model too."""

ACCEPTED = {1: 170, 2: 302, 3: 120}
"""How many configurations TensorFlow runs, per number of spatial axes."""


@dataclass(frozen=True, slots=True)
class Config:
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    padding: Padding
    output_padding: tuple[int, ...] | None

    def layer(self, index: int) -> Any:
        made = getattr(keras.layers, f"Conv{len(self.kernel)}DTranspose")
        return made(
            2,
            self.kernel,
            strides=self.stride,
            padding=self.padding,
            dilation_rate=self.dilation,
            output_padding=self.output_padding,
            bias_initializer=keras.initializers.RandomUniform(0.5, 1.5, seed=index),
            kernel_initializer=keras.initializers.RandomUniform(-1, 1, seed=index),
            name=f"up_{index}",
        )


def rotated(value: int, axes: int, top: int) -> tuple[int, ...]:
    """Another value on every axis, so that a swap of axes shows."""
    return tuple((value - 1 + axis) % top + 1 for axis in range(axes))


def configs(axes: int) -> Iterator[Config]:
    """Kernels 1-5, strides 1-4, every output padding below the stride; dilation at stride 1."""
    kernels = (1, 2, 3, 4, 5) if axes < 3 else (1, 2, 3)
    strides = (1, 2, 3, 4) if axes < 3 else (1, 2, 3)
    ones = (1,) * axes
    for k, s, padding in product(kernels, strides, PADDINGS):
        for stride in dict.fromkeys(((s,) * axes, rotated(s, axes, strides[-1]))):
            extras = {None, *(tuple(e % n for n in stride) for e in range(max(stride)))}
            for extra in sorted(extras, key=str):
                yield Config(rotated(k, axes, kernels[-1]), stride, ones, padding, extra)
    for k, d, padding, extra in product(kernels, (2, 3), PADDINGS, (None, (0,) * axes)):
        yield Config(rotated(k, axes, kernels[-1]), ones, (d,) * axes, padding, extra)


def runs(layer: Any, x: Any) -> bool:
    """Whether TensorFlow runs the layer; what it refuses it refuses at every size."""
    try:
        layer(x)
    except Exception:
        return False
    return True


def invertible(config: Config) -> bool:
    """Whether the converter takes TensorFlow to run a configuration."""
    extras = config.output_padding or (None,) * len(config.kernel)
    return all(
        tensorflow_inverts(
            100, keras_transposed_size(100, k, s, d, config.padding, e), k, s, d, config.padding
        )
        for k, s, d, e in zip(config.kernel, config.stride, config.dilation, extras, strict=True)
    )


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_every_configuration_that_tensorflow_runs(axes: int, tmp_path: Path) -> None:
    first = noise(2, *SIZES[axes][0], CHANNELS)
    layers = {config: config.layer(index) for index, config in enumerate(configs(axes))}
    accepted = [layer for layer in layers.values() if runs(layer, first)]
    assert [c for c, layer in layers.items() if invertible(c) != (layer in accepted)] == []
    assert len(accepted) == ACCEPTED[axes]
    dynamic = _model(accepted, (None,) * axes)
    folder = tmp_path / "dynamic"
    folder.mkdir()
    read, target = convert(save(dynamic, folder, "keras")[0])
    onnx_model = _one_node_each(target, len(accepted))
    assert read.channels_last == {"x", *dynamic.output_names}
    assert onnx_model[0] == "Transpose"
    for size in SIZES[axes]:
        feeds = {"x": noise(2, *size, CHANNELS, seed=7)}
        want = [np.asarray(layer(feeds["x"])) for layer in accepted]
        fixed = tmp_path / "x".join(map(str, size))
        fixed.mkdir()
        _, fixed_target = convert(save(_model(accepted, size), fixed, "keras")[0])
        for file in (target, fixed_target):
            got = run_onnx(file, feeds)
            for layer, expected in zip(accepted, want, strict=True):
                assert_equal(got[layer.name], expected, f"{layer.name} of {layer.get_config()}")


def _model(layers: list[Any], size: tuple[int | None, ...]) -> Any:
    x = keras.Input((*size, CHANNELS), name="x")
    return keras.Model(x, [layer(x) for layer in layers])


def _one_node_each(target: Path, count: int) -> list[str]:
    """One ConvTranspose a layer, one Transpose at the input and one at each output."""
    import onnx

    found = kinds(onnx.load(target))
    assert found.count("ConvTranspose") == count
    assert found.count("Transpose") == 1 + count
    assert len(found) == 2 * count + 1
    return found


def _one(layer: Any, size: tuple[int | None, int | None], tmp_path: Path, x: Any) -> list[str]:
    entry = keras.Input((*size, x.shape[-1]), name="x")
    model = keras.Model(entry, layer(entry))
    path, options = save(model, tmp_path, "keras")
    _, written = compare(model, path, {"x": x}, options)
    return kinds(written)


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "extra"),
    [(1, 3, "same", None), (2, 4, "same", None), (3, 2, "valid", 1), (2, 3, "valid", 2)],
)
def test_no_negative_pads(
    kernel: int, stride: int, padding: str, extra: int | None, tmp_path: Path
) -> None:
    """tf2onnx writes negative pads for SAME with a kernel below the stride, and for VALID larger
    than minimal."""
    layer = keras.layers.Conv2DTranspose(
        3, kernel, stride, padding, output_padding=extra, bias_initializer="ones"
    )
    found = _one(layer, (5, 4), tmp_path, noise(2, 5, 4, 2))
    assert found == ["Transpose", "ConvTranspose", "Transpose"]


def test_trailing_rows_keep_their_bias(tmp_path: Path) -> None:
    """With dynamic sizes tf2onnx adds the bias before it pads with zeros."""
    layer = keras.layers.Conv2DTranspose(
        2, 1, 3, "same", kernel_initializer="zeros", bias_initializer="ones"
    )
    entry = keras.Input((None, None, 2), name="x")
    model = keras.Model(entry, layer(entry))
    _, target = convert(save(model, tmp_path, "keras")[0])
    (result,) = run_onnx(target, {"x": noise(1, 3, 4, 2)}).values()
    np.testing.assert_array_equal(result, np.ones((1, 9, 12, 2), np.float32))


def test_an_odd_total_is_not_shifted(tmp_path: Path) -> None:
    """An impulse through SAME, kernel 3, stride 2, at a dynamic size: tf2onnx moves it a pixel."""
    layer = keras.layers.Conv2DTranspose(1, 3, 2, "same", kernel_initializer="ones")
    x = np.zeros((1, 4, 5, 1), np.float32)
    x[0, 1, 2, 0] = 1
    found = _one(layer, (None, None), tmp_path, x)
    assert found == ["Transpose", "ConvTranspose", "Transpose"]


def test_what_fails_when_called_is_refused(tmp_path: Path) -> None:
    """SAME with an even effective kernel and output_padding 0: Keras builds it, then it fails."""
    from upconv.converters.ir.errors import UnsupportedError

    layer = keras.layers.Conv2DTranspose(1, 4, 2, "same", output_padding=0)
    entry = keras.Input((5, 5, 1), name="x")
    model = keras.Model(entry, layer(entry))
    assert not runs(layer, noise(1, 5, 5, 1))
    with pytest.raises(UnsupportedError, match="Keras builds this layer and fails"):
        convert(*save(model, tmp_path, "keras"))
