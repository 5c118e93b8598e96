"""Every supported layer of Keras in small models, against Keras itself and the certificates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.converters.onnx_writer.support import run_onnx
from tests.converters.readers.keras.support import (
    assert_equal,
    convert,
    import_keras,
    noise,
    outputs_of,
    save,
)
from upconv.converters.proof.verify import verify
from upconv.converters.readers.formats import open_model
from upconv.converters.readers.options import ReadOptions

keras = import_keras()
pytestmark = pytest.mark.filterwarnings("ignore")
L = keras.layers

Build = Callable[[Any], Any]
"""From an input tensor to an output tensor."""


def relu(**settings: Any) -> Build:
    made: Build = L.ReLU(**settings)
    return made


def _both(x: Any) -> tuple[Any, Any]:
    return L.Conv2D(4, 1)(x), L.Conv2D(4, 3, padding="same")(x)


LINES: Mapping[str, Build] = {
    "conv": L.Conv1D(3, 3, strides=2, padding="same", activation="relu"),
    "causal": L.Conv1D(3, 3, dilation_rate=2, padding="causal"),
    "groups": L.Conv1D(4, 3, groups=2, use_bias=False),
    "separable": L.SeparableConv1D(3, 3, depth_multiplier=2, padding="same"),
    "depthwise": L.DepthwiseConv1D(3, strides=2, padding="same", depth_multiplier=2),
    "up": L.UpSampling1D(3),
    "pad": L.ZeroPadding1D((1, 2)),
    "crop": L.Cropping1D((2, 1)),
    "max": L.MaxPooling1D(3, 2, padding="same"),
    "average": L.AveragePooling1D(2),
    "global": L.GlobalMaxPooling1D(),
    "dense": L.Dense(5, activation="tanh"),
    "norm": L.LayerNormalization(),
    "batch": L.BatchNormalization(),
    "softmax": L.Softmax(),
    "reshape": L.Reshape((3, 3, 4)),
    "permute": L.Permute((2, 1)),
    "flatten": lambda x: L.Dense(3)(L.Flatten()(x)),
    "spatial_dropout": L.SpatialDropout1D(0.4),
}

IMAGES: Mapping[str, Build] = {
    "conv": L.Conv2D(3, (3, 2), strides=(2, 3), padding="same", activation="elu"),
    "dilated": L.Conv2D(3, 3, dilation_rate=(2, 3), padding="same", activation="softplus"),
    "valid": L.Conv2D(3, (2, 3), use_bias=False, activation="sigmoid"),
    "grouped": L.Conv2D(4, 3, groups=2, activation="swish"),
    "strided": L.Conv2D(3, 2, strides=4, padding="same"),
    "separable": L.SeparableConv2D(5, 3, padding="same", activation="gelu"),
    "depthwise": L.DepthwiseConv2D(3, padding="same", depth_multiplier=3, activation="relu6"),
    "nearest": L.UpSampling2D((2, 3)),
    "bilinear": L.UpSampling2D((3, 2), interpolation="bilinear"),
    "bicubic": L.UpSampling2D((2, 4), interpolation="bicubic"),
    "pad": L.ZeroPadding2D(((1, 2), (0, 3))),
    "pad_one": L.ZeroPadding2D(2),
    "crop": L.Cropping2D(((1, 0), (2, 1))),
    "max": L.MaxPooling2D((3, 2), padding="same"),
    "average": L.AveragePooling2D((3, 2), (2, 1), padding="same"),
    "global_average": L.GlobalAveragePooling2D(),
    "global_max": L.GlobalMaxPooling2D(keepdims=True),
    "dense": L.Dense(6, activation="softmax"),
    "batch": L.BatchNormalization(scale=False),
    "norm": L.LayerNormalization(center=False),
    "norm_all": L.LayerNormalization(axis=[1, 2, 3]),
    "group_norm": L.GroupNormalization(2),
    "instance_norm": L.GroupNormalization(-1),
    "leaky": L.LeakyReLU(0.1),
    "prelu": L.PReLU(shared_axes=[1, 2], alpha_initializer="random_normal"),
    "prelu_by_place": L.PReLU(alpha_initializer="random_normal"),
    "prelu_row": L.PReLU(shared_axes=[2], alpha_initializer="random_normal"),
    "elu": L.ELU(0.7),
    "relu_capped": relu(max_value=0.5),
    "relu_leaky_capped": relu(max_value=0.5, negative_slope=0.2),
    "relu_threshold": relu(threshold=0.3),
    "relu_all": relu(threshold=0.3, negative_slope=0.2, max_value=1.0),
    "softmax_rows": L.Softmax(axis=1),
    "resize_bilinear": L.Resizing(13, 5),
    "resize_nearest": L.Resizing(11, 17, interpolation="nearest"),
    "resize_smooth": L.Resizing(4, 5, antialias=True),
    "bicubic_by_three": L.UpSampling2D(3, interpolation="bicubic"),
    "lanczos": L.UpSampling2D((2, 3), interpolation="lanczos3"),
    "resize_lanczos": L.Resizing(5, 9, interpolation="lanczos5", antialias=True),
    "resize_bicubic_odd": L.Resizing(5, 9, interpolation="bicubic"),
    "resize_bicubic": L.Resizing(14, 12, interpolation="bicubic"),
    "rescale": L.Rescaling(1 / 127.5, -1.0),
    "rescale_each": L.Rescaling([0.5, 2.0, 1.0, 3.0], offset=[0.0, 1.0, 2.0, 3.0]),
    "normalize": L.Normalization(mean=[0.5, 1.0, 0.0, 2.0], variance=[1.0, 2.0, 3.0, 4.0]),
    "noise": L.GaussianNoise(0.3),
    "dropout": L.Dropout(0.3),
    "trained_dropout": lambda x: L.Dropout(0.3)(x, training=True),
    "flatten": lambda x: L.Dense(3)(L.Flatten()(x)),
    "flatten_pixel": lambda x: L.Flatten()(L.GlobalAveragePooling2D(keepdims=True)(x)),
    "rows": lambda x: L.Softmax()(L.Reshape((42, 4))(x)),
    "reshape": lambda x: L.Conv2D(2, 3)(L.Reshape((6, 7, 4))(x)),
    "reshape_channels": lambda x: L.Conv2D(2, 1)(L.Reshape((7, 12, 2))(x)),
    "permute": lambda x: L.Conv2D(2, 3, padding="same")(L.Permute((2, 1, 3))(x)),
    "add": lambda x: L.Add()([*_both(x)]),
    "subtract": lambda x: L.Subtract()([*_both(x)]),
    "multiply": lambda x: L.Multiply()([*_both(x), x]),
    "average_of": lambda x: L.Average()([*_both(x), x]),
    "maximum": lambda x: L.Maximum()([*_both(x)]),
    "minimum": lambda x: L.Minimum()([*_both(x)]),
    "concatenate": lambda x: L.Concatenate()([*_both(x), x]),
    "concatenate_rows": lambda x: L.Concatenate(axis=1)([*_both(x)]),
    "squeeze_excite": lambda x: L.Multiply()(
        [x, L.Dense(4, "sigmoid")(L.GlobalAveragePooling2D(keepdims=True)(x))]
    ),
    "add_channel": lambda x: L.Add()([L.GlobalMaxPooling2D(keepdims=True)(x), x]),
    "attention": lambda x: L.Multiply()([x, L.Conv2D(1, 1, activation="sigmoid")(x)]),
    "operators": lambda x: (x * 2.0 + x) / 3.0 - 1.0,
    "operators_swapped": lambda x: 1.0 - 2.0 * x,
    "ops": lambda x: keras.ops.relu(keras.ops.concatenate([x, -x], axis=-1)),
}

VOLUMES: Mapping[str, Build] = {
    "conv": L.Conv3D(3, (3, 2, 1), strides=(1, 2, 2), padding="same"),
    "up": L.UpSampling3D((2, 1, 3)),
    "pad": L.ZeroPadding3D(((1, 0), (0, 2), (1, 1))),
    "crop": L.Cropping3D(((1, 0), (0, 2), (1, 1))),
    "max": L.MaxPooling3D(2, padding="same"),
    "average": L.AveragePooling3D((2, 3, 1), padding="same"),
    "global": L.GlobalAveragePooling3D(),
    "batch": L.BatchNormalization(),
    "dense": L.Dense(3),
    "flatten": lambda x: L.Dense(2)(L.Flatten()(x)),
}

ROWS: Mapping[str, Build] = {
    "dense": L.Dense(4, activation="selu"),
    "batch": L.BatchNormalization(),
    "image": lambda x: L.Conv2DTranspose(2, 3, 2, "same")(L.Reshape((2, 3, 2))(x)),
    "repeat": L.RepeatVector(3),
    "norm": L.LayerNormalization(),
    **{
        f"activation_{name}": L.Activation(name)
        for name in (
            "softsign",
            "mish",
            "hard_sigmoid",
            "hard_silu",
            "log_softmax",
            "leaky_relu",
            "linear",
            "softmax",
            "tanh",
        )
    },
}

OVERFLOWS: Mapping[str, Build] = {"activation_exponential": L.Activation("exponential")}
"""What leaves float32 on the values that certificates are tried on, in Keras as in ONNX."""

GROUPS: Mapping[str, tuple[tuple[int, ...], Mapping[str, Build]]] = {
    "rows": ((12,), ROWS),
    "overflows": ((12,), OVERFLOWS),
    "lines": ((9, 4), LINES),
    "images": ((7, 6, 4), IMAGES),
    "volumes": ((4, 5, 6, 2), VOLUMES),
}

FIXED_SIZES = {"flatten", "reshape", "rows", "reshape_channels", "prelu_by_place", "prelu_row"}
FIXED_SIZES |= {"norm_all", "resize_bicubic", "resize_bicubic_odd", "resize_lanczos"}
FIXED_SIZES |= {"bicubic_by_three", "lanczos"}
"""Builds that need to know the input's size."""


def randomized(model: Any) -> Any:
    """All weights as noise, so that no gamma is 1 and no bias 0; variances stay positive."""
    model.set_weights([np.abs(noise(*w.shape, seed=i)) + 0.1 for i, w in enumerate(model.weights)])
    return model


def model_of(builds: Mapping[str, Build], shape: tuple[int | None, ...]) -> Any:
    x = keras.Input(shape, name="x")
    ends = [L.Activation("linear", name=f"is_{name}")(make(x)) for name, make in builds.items()]
    return randomized(keras.Model(x, ends))


@pytest.mark.parametrize("form", ["keras", "h5"])
@pytest.mark.parametrize("group", GROUPS)
def test_layers_are_equal_to_keras(group: str, form: str, tmp_path: Path) -> None:
    shape, builds = GROUPS[group]
    model = model_of(builds, shape)
    path, options = save(model, tmp_path, form)
    read, target = convert(path, options)
    assert [str(notice.error) for notice in read.notices] == []
    feeds = {"x": noise(3, *shape, seed=5)}
    got = run_onnx(target, feeds)
    for name, want in zip(read.outputs, outputs_of(model, list(feeds.values())), strict=True):
        assert_equal(got[name], want, name)
    assert group == "overflows" or verify(read, str(target)).verdict == "pass"


@pytest.mark.parametrize("group", ["lines", "images", "volumes"])
def test_dynamic_sizes(group: str, tmp_path: Path) -> None:
    """One model for all sizes: SAME with a stride pads by what each size asks for."""
    shape, builds = GROUPS[group]
    builds = {name: make for name, make in builds.items() if name not in FIXED_SIZES}
    builds = {name: make for name, make in builds.items() if name != "average"}
    model = model_of(builds, (*(None for _ in shape[:-1]), shape[-1]))
    path, options = save(model, tmp_path, "keras")
    read, target = convert(path, options)
    assert [str(notice.error) for notice in read.notices] == []
    for grown in (0, 1):
        feeds = {"x": noise(2, *(size + grown for size in shape[:-1]), shape[-1])}
        got = run_onnx(target, feeds)
        for name, want in zip(read.outputs, outputs_of(model, list(feeds.values())), strict=True):
            assert_equal(got[name], want, f"{name} grown by {grown}")


def test_channels_first_needs_no_transpose(tmp_path: Path) -> None:
    import onnx

    x = keras.Input((3, 8, 6), name="x")
    y = L.Conv2D(4, 3, padding="same", data_format="channels_first", activation="relu")(x)
    y = L.BatchNormalization(axis=1)(y)
    y = L.UpSampling2D(2, data_format="channels_first")(y)
    y = L.Conv2DTranspose(2, 3, 2, "same", data_format="channels_first")(y)
    path, options = save(keras.Model(x, y), tmp_path, "keras")
    read, target = convert(path, options)
    assert read.channels_last == frozenset()
    assert "Transpose" not in [node.op_type for node in onnx.load(target).graph.node]
    assert verify(read, str(target)).verdict == "pass"


@pytest.mark.parametrize(
    ("build", "code", "message"),
    [
        (L.Lambda(lambda t: t * 2), "executable-code", "never run"),
        (keras.ops.tan, "unknown-layer-type", "'tan' is not supported"),
        (L.Conv2D(2, 1, activation=lambda t: t * 2), "executable-code", "never run"),
    ],
)
def test_what_cannot_be_said_is_told(build: Build, code: str, message: str, tmp_path: Path) -> None:
    x = keras.Input((8, 8, 3), name="x")
    path, _ = save(keras.Model(x, L.Conv2D(2, 3)(build(x))), tmp_path, "keras")
    model = open_model(str(path), ReadOptions())
    assert [notice.kind for notice in model.notices] == [code]
    assert message in str(model.notices[0].error)


def test_a_layer_of_the_users_own_is_unknown(tmp_path: Path) -> None:
    @keras.saving.register_keras_serializable(package="mine")
    class Conv2D(L.Layer):  # type: ignore[misc, name-defined]
        def call(self, x: Any) -> Any:
            return x * 2

    x = keras.Input((8, 8, 3), name="x")
    path, _ = save(keras.Model(x, Conv2D()(x)), tmp_path, "keras")
    (notice,) = open_model(str(path), ReadOptions()).notices
    assert notice.kind == "unknown-layer-type"
    assert "a layer of the user's own" in notice.error.message
