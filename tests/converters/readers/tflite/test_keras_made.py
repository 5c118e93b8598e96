"""Nets of Keras as its converter writes them: equal to Keras itself in onnxruntime.

The layers of many small nets are the outputs of three, since the converter takes seconds a model.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.converters.readers.onnx.support import assert_close
from tests.converters.readers.tflite.support import reasons
from upconv.converters.onnx_writer import write_onnx
from upconv.converters.readers.formats import open_model
from upconv.converters.readers.options import ReadOptions

Layers = list[Any]


def _maps(layers: Any) -> dict[str, Layers]:
    """Feature maps of a fixed size: dilation, groups, slopes, normalisations, products."""
    conv = layers.Conv2D
    return {
        "dilated_depthwise": [
            layers.DepthwiseConv2D(3, dilation_rate=2, padding="same", depth_multiplier=2),
            layers.ReLU(),
        ],
        "slopes": [conv(4, 3), layers.PReLU(shared_axes=[1, 2]), conv(4, 1), layers.PReLU()],
        "activations": [
            *(conv(4, 3, activation="gelu"), conv(4, 1, activation="swish")),
            *(conv(4, 1, activation="elu"), conv(4, 1, activation="hard_sigmoid")),
            conv(4, 1, activation="softplus"),
        ],
        "resized": [
            *(layers.UpSampling2D(2, interpolation="bilinear"), layers.UpSampling2D((3, 2))),
        ],
        "grouped": [conv(6, 3, groups=3, padding="same")],
        "normalised": [layers.LayerNormalization(), conv(4, 3), layers.GroupNormalization(2)],
        "flattened": [
            *(layers.MaxPooling2D(2), layers.Flatten(), layers.Dense(12, activation="relu")),
            *(layers.Reshape((2, 3, 2)), layers.Conv2DTranspose(3, 3, strides=2, padding="same")),
        ],
    }


def _open_maps(layers: Any) -> dict[str, Layers]:
    """Feature maps of any size, with a normalisation behind a convolution either way."""
    transposed = layers.Conv2DTranspose
    return {
        "cut": [layers.Cropping2D(1), layers.ZeroPadding2D((1, 2))],
        "transposed": [
            *(transposed(8, 4, strides=2, padding="same", use_bias=False),),
            *(layers.BatchNormalization(), layers.LeakyReLU(0.2)),
            transposed(3, (2, 3), strides=3, padding="valid", activation="tanh"),
        ],
        "dilated": [
            layers.Conv2D(4, 3, dilation_rate=2, padding="same", use_bias=False),
            *(layers.BatchNormalization(), layers.ReLU(6.0)),
        ],
        "pooled": [layers.GlobalAveragePooling2D(), layers.Dense(5, activation="softmax")],
        "separable": [
            layers.SeparableConv2D(6, 3, padding="same", strides=2),
            layers.AveragePooling2D(3, 2, "same"),
        ],
    }


def _volumes(layers: Any) -> dict[str, Layers]:
    return {
        "convolved": [layers.Conv3D(3, 3, strides=2, padding="same", activation="relu")],
        "transposed": [layers.Conv3DTranspose(3, 3, strides=2, padding="same")],
        "uneven": [layers.Conv3DTranspose(3, (3, 4, 2), strides=(2, 1, 2), padding="valid")],
    }


NETS: dict[str, tuple[Callable[[Any], dict[str, Layers]], tuple[int | None, ...], Any]] = {
    "maps": (_maps, (8, 9, 3), [(2, 8, 9, 3)]),
    "open maps": (_open_maps, (None, None, 3), [(1, 9, 10, 3), (2, 13, 8, 3)]),
    "volumes": (_volumes, (4, 5, 6, 2), [(1, 4, 5, 6, 2)]),
}


@pytest.mark.parametrize("name", NETS)
def test_what_keras_writes_is_equal_to_keras(name: str, tmp_path: Path) -> None:
    tensorflow = pytest.importorskip("tensorflow")
    import onnxruntime

    branches, shape, feeds = NETS[name]
    keras = tensorflow.keras
    keras.utils.set_random_seed(0)
    image = keras.Input(shape)
    ends: dict[str, Any] = {}
    for end, layers in branches(keras.layers).items():
        value = image
        for layer in layers:
            value = layer(value)
        ends[end] = value
    net = keras.Model(image, ends)
    rng = np.random.default_rng(0)
    for weight in net.weights:
        values = rng.normal(size=weight.shape) * 0.3
        weight.assign(np.abs(values) + 0.5 if "variance" in weight.path else values)
    path = tmp_path / "net.tflite"
    path.write_bytes(tensorflow.lite.TFLiteConverter.from_keras_model(net).convert())
    model = open_model(str(path), ReadOptions())
    assert not reasons(model)
    write_onnx(model, tmp_path / "net.onnx")
    session = onnxruntime.InferenceSession(
        str(tmp_path / "net.onnx"), providers=["CPUExecutionProvider"]
    )
    for size in feeds:
        x = rng.normal(size=size).astype(np.float32)
        got = session.run(None, {session.get_inputs()[0].name: x})
        want = net(x)
        assert sorted(model.outputs) == sorted(want)
        for output, values in zip(model.outputs, got, strict=True):
            assert_close(values, want[output].numpy(), 1e-5)
