"""Single operations against TensorFlow, many in a graph, fixed and open sizes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.converters.readers.tensorflow.support import (
    assert_same_as_tensorflow,
    convert,
    graph_of,
    noise,
    placeholder,
    save_graph,
    tf,
    v1,
)
from upconv.converters.ir import operators as ops
from upconv.converters.ir.inference import infer
from upconv.converters.ir.model import Model

pytestmark = pytest.mark.filterwarnings("ignore")

Build = Callable[[Any], Any]
OPEN = (None, None, None, 4)
FIXED = (2, 9, 12, 4)


def check(
    builds: Sequence[Build],
    folder: Path,
    shape: tuple[int | None, ...] = OPEN,
    sizes: Sequence[tuple[int, ...]] = ((2, 9, 12, 4), (1, 8, 7, 4)),
    tolerance: float = 1e-5,
) -> Model:
    """Every function of the input, in one graph, for every size of the input."""

    def build() -> None:
        x = placeholder(*shape)
        for index, function in enumerate(builds):
            tf.identity(function(x), name=f"out{index}")

    fed = [{"x": noise(*size)} for size in sizes if None in shape or size == shape]
    model = assert_same_as_tensorflow(graph_of(build), folder, *fed, tolerance=tolerance)
    assert not model.notices
    return model


def words(model: Model, name: str) -> list[Any]:
    """A field of every layer's operator."""
    return [getattr(layer.operator, name) for layer in model.layers]


def on(function: Callable[..., Any], *args: Any, **named: Any) -> Build:
    """The function of an input and of these arguments; kernels are made in the graph."""

    def build(x: Any) -> Any:
        made = [arg() if callable(arg) and arg.__name__ == "made" else arg for arg in args]
        return function(x, *made, **named)

    return build


def weights(*shape: int) -> Callable[[], Any]:
    """A kernel of this shape, made where it is needed."""

    def made() -> Any:
        return kernel(*shape)

    return made


def kernel(*shape: int) -> Any:
    return tf.constant(noise(*shape, seed=len(shape) + shape[0]))


CONVOLUTIONS: list[Build] = [
    on(tf.nn.conv2d, weights(k, 6 - k, 4, 3), s, p)
    for k, s, p in product(range(1, 6), ([1, 1], [2, 3], [4, 1]), ("SAME", "VALID"))
]
CONVOLUTIONS += [
    on(tf.nn.conv2d, weights(k, 2, 4, 3), 1, p, dilations=d)
    for k, d, p in product((2, 3), (2, [3, 1]), ("SAME", "VALID"))
]
CONVOLUTIONS += [
    on(tf.nn.depthwise_conv2d, weights(3, 2, 4, 2), [1, s, s, 1], p)
    for s, p in product((1, 2), ("SAME", "VALID"))
]
CONVOLUTIONS += [
    lambda x: tf.nn.conv2d(x, kernel(3, 3, 4, 2), 2, [[0, 0], [1, 2], [0, 1], [0, 0]]),
    lambda x: tf.nn.depthwise_conv2d(x, kernel(3, 3, 4, 1), [1] * 4, "SAME", dilations=[2, 2]),
    lambda x: tf.nn.separable_conv2d(x, kernel(3, 3, 4, 2), kernel(1, 1, 8, 5), [1] * 4, "SAME"),
]


@pytest.mark.parametrize("shape", [OPEN, FIXED], ids=["open", "fixed"])
def test_convolutions(shape: tuple[int | None, ...], tmp_path: Path) -> None:
    check(CONVOLUTIONS, tmp_path, shape)


def test_convolutions_of_volumes_and_lines(tmp_path: Path) -> None:
    volumes: list[Build] = [
        on(tf.nn.conv3d, weights(2, 3, 1, 2, 3), [1, s, 1, s, 1], p)
        for s, p in product((1, 2), ("SAME", "VALID"))
    ]
    check(volumes, tmp_path, (None, None, None, None, 2), [(2, 5, 6, 4, 2), (1, 4, 3, 7, 2)])
    lines: list[Build] = [
        on(tf.nn.conv1d, weights(3, 2, 3), s, p) for s, p in product((1, 2), ("SAME", "VALID"))
    ]
    lines += [
        lambda x: tf.nn.conv1d_transpose(
            x, kernel(4, 3, 2), tf.stack([tf.shape(x)[0], tf.shape(x)[1] * 2, 3]), 2
        ),
        lambda x: tf.nn.max_pool1d(x, 2, 2, "VALID"),
    ]
    check(lines, tmp_path, (None, None, 2), [(2, 9, 2), (1, 6, 2)])


def blocks(x: Any, rate: int, inner: Build) -> Any:
    """Dilation as TF1 wrote it: amounts computed from the input's size."""
    shape = tf.shape(x)
    base = rate * 1
    sizes = [shape[1] + 2 * base, shape[2] + 2 * base]
    more = [(rate - size % rate) % rate for size in sizes]
    pads = tf.stack([tf.stack([base, base + m]) for m in more])
    crops = tf.stack([tf.stack([0, m]) for m in more])
    cut = tf.space_to_batch(x, [rate, rate], pads)
    return tf.batch_to_space(inner(cut), [rate, rate], crops)


def test_dilation_by_blocks_is_one_convolution(tmp_path: Path) -> None:
    weight = {n: noise(3, 3, 4, n) for n in (1, 3)}
    builds: list[Build] = [
        lambda x: blocks(x, 2, lambda y: tf.nn.conv2d(y, weight[3], 1, "VALID")),
        lambda x: blocks(x, 3, lambda y: tf.nn.conv2d(y, weight[3], 1, "VALID")),
        lambda x: blocks(x, 2, lambda y: tf.nn.depthwise_conv2d(y, weight[1], [1] * 4, "VALID")),
    ]
    model = check(builds, tmp_path)
    assert [type(layer.operator) for layer in model.layers] == [ops.Conv] * 3
    assert words(model, "dilation") == [(2, 2), (3, 3), (2, 2)]


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
def test_transposed_dilation_by_blocks(padding: str, tmp_path: Path) -> None:
    """tf.nn.atrous_conv2d_transpose, as Keras 2 lowers a dilated Conv2DTranspose."""

    def dilated(x: Any) -> Any:
        size = (9, 12) if padding == "SAME" else (13, 16)
        weight = tf.constant(noise(3, 3, 2, 4))
        return tf.nn.atrous_conv2d_transpose(x, weight, [2, *size, 2], 2, padding)

    model = check([dilated], tmp_path, FIXED)
    (layer,) = [la for la in model.layers if isinstance(la.operator, ops.ConvTranspose)]
    assert layer.operator.dilation == (2, 2)  # type: ignore[union-attr]


POOLINGS: list[Build] = [
    on(f, k, s, p)
    for f, k, s, p in product(
        (tf.nn.max_pool2d, tf.nn.avg_pool2d), (1, 2, [3, 5]), (1, 2, [3, 1]), ("SAME", "VALID")
    )
]


def test_poolings(tmp_path: Path) -> None:
    check(POOLINGS, tmp_path, FIXED)
    open_ones = [tf.nn.max_pool2d, lambda *args: tf.nn.avg_pool2d(*args[:3], "VALID")]
    check([on(f, 3, 2, "SAME") for f in open_ones], tmp_path)
    volumes: list[Build] = [
        lambda x: tf.nn.max_pool3d(x, 2, 2, "SAME"),
        lambda x: tf.nn.avg_pool3d(x, [1, 3, 2], 1, "SAME"),
    ]
    check(volumes, tmp_path, (2, 5, 4, 6, 3), [(2, 5, 4, 6, 3)])


def resized(op: Any, size: Any, corners: bool, halves: bool) -> Build:
    return lambda x: op(images=x, size=size(x), align_corners=corners, half_pixel_centers=halves)


FLAGS = ((False, False), (True, False), (False, True))


def doubled(x: Any) -> Any:
    return tf.shape(x)[1:3] * 2


def to(*size: int) -> Callable[[Any], Any]:
    return lambda x: tf.constant(size)


@pytest.mark.parametrize("shape", [OPEN, FIXED], ids=["open", "fixed"])
def test_resizes(shape: tuple[int | None, ...], tmp_path: Path) -> None:
    kinds = (tf.raw_ops.ResizeBilinear, tf.raw_ops.ResizeNearestNeighbor)
    sizes = (doubled, to(27, 24), to(13, 29), to(4, 5), to(1, 3))
    builds = [resized(op, size, *flags) for op, size, flags in product(kinds, sizes, FLAGS)]
    check(builds, tmp_path, shape)


def by(compute: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A size computed in float32 from the image's and cut to whole numbers."""
    return lambda x: tf.cast(compute(tf.cast(tf.shape(x)[1:3], tf.float32)), tf.int32)


def test_resizes_to_fractions_of_a_size(tmp_path: Path) -> None:
    sizes = (
        by(lambda size: size * 1.5),
        by(lambda size: tf.math.ceil(size / 2.0)),
        by(lambda size: tf.math.floor(size / 3.0 + 1.0) * 4.0),
        by(lambda size: size * [0.75, 2.0] - 0.5),
        lambda x: tf.shape(x)[1:3] * 3 // 2,
    )
    builds = [resized(tf.raw_ops.ResizeBilinear, size, False, True) for size in sizes]
    check(builds, tmp_path)


def test_bicubic_by_powers_of_two(tmp_path: Path) -> None:
    op = tf.raw_ops.ResizeBicubic
    builds = [
        resized(op, size, False, halves)
        for size, halves in product((doubled, lambda x: tf.shape(x)[1:3] * [4, 1]), (False, True))
    ]
    check(builds, tmp_path)
    check([resized(op, to(18, 48), False, True)], tmp_path, FIXED)


def test_areas_by_whole_factors(tmp_path: Path) -> None:
    op = tf.raw_ops.ResizeArea
    builds: list[Build] = [
        lambda x: op(images=x, size=[27, 24]),
        lambda x: op(images=x, size=[3, 4]),
    ]
    check(builds, tmp_path, FIXED)


@pytest.mark.parametrize("size", [(27, 36), (13, 20), (7, 9), (4, 5)])
def test_tensorflows_own_numbers_at_fixed_sizes(size: tuple[int, int], tmp_path: Path) -> None:
    """Its table of cubic coefficients, its areas and its kernels, none of which ONNX has."""
    cubic, areas, any_ = tf.raw_ops.ResizeBicubic, tf.raw_ops.ResizeArea, tf.image.resize
    builds: list[Build] = [
        resized(cubic, to(*size), corners, halves)
        for corners, halves in ((False, False), (False, True), (True, False))
    ]

    def by_area(corners: bool) -> Build:
        return lambda x: areas(images=x, size=size, align_corners=corners)

    def by_kernel(kind: str, wide: bool) -> Build:
        return lambda x: any_(x, size, kind, antialias=wide)

    kinds = ("lanczos3", "lanczos5", "mitchellcubic", "bicubic", "bilinear")
    builds += [by_area(corners) for corners in (False, True)]
    builds += [by_kernel(kind, wide) for kind in kinds for wide in (False, True)]
    check(builds, tmp_path, FIXED)


@pytest.mark.parametrize("op", ["ResizeBicubic", "ResizeArea"])
def test_of_an_open_size_they_are_refused(op: str, tmp_path: Path) -> None:
    def build() -> None:
        getattr(tf.raw_ops, op)(images=placeholder(None, None, None, 3), size=[7, 9], name="up")

    from upconv.converters.readers.formats import open_model
    from upconv.converters.readers.options import ReadOptions

    model = open_model(str(save_graph(graph_of(build), tmp_path)), ReadOptions())
    assert [notice.kind for notice in model.notices] == ["unknown-layer-type"]
    assert "open" in model.notices[0].error.message


def test_zeros_and_ones_like_what_is_computed(tmp_path: Path) -> None:
    """Unpooling with zeros: every pixel takes the upper left place of four."""

    def unpooled(x: Any) -> Any:
        rows = tf.concat([x, tf.zeros_like(x)], 3)
        both = tf.concat([rows, tf.raw_ops.ZerosLike(x=rows)], 2)
        _, h, w, c = x.shape
        return tf.reshape(both, [-1, 2 * h, 2 * w, c])

    check([unpooled, lambda x: x + tf.raw_ops.OnesLike(x=x)], tmp_path, FIXED)


def test_nearest_upsampling_written_as_tiles(tmp_path: Path) -> None:
    """tf.repeat of H and of W, as Keras 3 writes UpSampling2D, is one Resize; so is the split that
    Keras 1 wrote."""

    def elements(x: Any) -> Any:
        parts = tf.split(x, 9, axis=1)
        return tf.concat([part for part in parts for _ in range(3)], axis=1)

    builds: list[Build] = [
        lambda x: tf.repeat(tf.repeat(x, 2, axis=1), 3, axis=2),
        lambda x: tf.reshape(
            tf.tile(tf.expand_dims(x, 2), [1, 1, 2, 1, 1]),
            tf.stack([tf.shape(x)[0], tf.shape(x)[1] * 2, tf.shape(x)[2], 4]),
        ),
    ]
    model = check(builds, tmp_path)
    assert words(model, "factor") == [(2, 3), (2, 1)]
    model = check([elements], tmp_path, FIXED)
    assert words(model, "factor") == [(3, 1)]


SHAPES: list[Build] = [
    lambda x: tf.pad(x, [[0, 0], [1, 2], [0, 3], [0, 0]]),
    lambda x: tf.pad(x, [[0, 0], [1, 2], [0, 3], [0, 1]], constant_values=7.0),
    lambda x: tf.pad(x, [[0, 0], [1, 2], [0, 3], [0, 0]], "REFLECT"),
    lambda x: tf.pad(x, [[0, 0], [1, 2], [0, 3], [0, 0]], "SYMMETRIC"),
    lambda x: x[:, 1:-1, :-2, :],
    lambda x: x[:, 2:5, :, 1:],
    lambda x: x[:, ::2, 1::3],
    lambda x: x[:1, ..., 0],
    lambda x: x[:, 0],
    lambda x: x[:, :, tf.newaxis, 3],
    lambda x: tf.slice(x, [0, 1, 0, 1], [-1, 3, -1, 2]),
    lambda x: x[:, 1 : tf.shape(x)[1] - 1, : tf.shape(x)[2] // 2],
    lambda x: x[:, : tf.shape(x)[2]],
    lambda x: x[:, :20, -3:20],
    lambda x: tf.concat([x, x[..., :1]], -1),
    lambda x: tf.concat([x, x], 1),
    lambda x: tf.concat(tf.split(x, 2, axis=3)[::-1], 3),
    lambda x: tf.concat(tf.split(x, [1, -1], axis=3)[::-1], 3),
    lambda x: tf.stack([x, 2 * x], axis=2),
    lambda x: tf.stack(tf.unstack(x, axis=3), axis=0),
    lambda x: tf.transpose(x, [0, 3, 1, 2]),
    lambda x: tf.transpose(x, [2, 0, 3, 1]),
    lambda x: tf.reshape(x, [tf.shape(x)[0], -1, 4]),
    lambda x: tf.reshape(x, [tf.shape(x)[0], tf.shape(x)[1], tf.shape(x)[2], 2, 2]),
    lambda x: tf.expand_dims(tf.expand_dims(x, 1), -1),
    lambda x: tf.squeeze(x[:, :1], 1),
    lambda x: tf.tile(x, [1, 2, 1, 3]),
    lambda x: tf.nn.depth_to_space(x, 2),
    lambda x: tf.nn.space_to_depth(tf.nn.depth_to_space(x, 2), 2),
    lambda x: tf.repeat(x, 3, axis=3),
    lambda x: tf.transpose(tf.repeat(tf.transpose(x, [0, 3, 1, 2]), 2, axis=2), [0, 2, 3, 1]),
]


@pytest.mark.parametrize("shape", [OPEN, FIXED], ids=["open", "fixed"])
def test_shapes(shape: tuple[int | None, ...], tmp_path: Path) -> None:
    """Values are moved, none changes."""
    check(SHAPES, tmp_path, shape, tolerance=1e-6)


VECTOR = np.array([1.5, -2.0, 0.5, 3.0], np.float32)
ARITHMETIC: list[Build] = [
    lambda x: tf.nn.bias_add(x, VECTOR),
    lambda x: x + VECTOR,
    lambda x: VECTOR - x,
    lambda x: x * VECTOR / 3,
    lambda x: 2 / (VECTOR * (tf.abs(x) + 1)),
    lambda x: VECTOR / (tf.abs(x) + 1),
    lambda x: x / VECTOR - 1,
    lambda x: x * VECTOR.reshape(4, 1)[:, 0] + 0.5,
    lambda x: tf.maximum(x, 0.25),
    lambda x: tf.minimum(0.25, x),
    lambda x: tf.maximum(x, 0),
    lambda x: tf.maximum(x, 0.1 * x),
    lambda x: x * tf.reduce_mean(x, [1, 2], keepdims=True),
    lambda x: x + tf.reduce_max(x, 3, keepdims=True),
    lambda x: x * tf.reshape(tf.reduce_mean(x, [1, 2]), [-1, 1, 1, 4]),
    lambda x: x[:, :1] - x,
    lambda x: tf.add_n([x, 2 * x, tf.nn.relu(x)]),
    lambda x: tf.math.squared_difference(x, VECTOR),
    lambda x: tf.math.squared_difference(x, tf.reduce_mean(x, [1, 2], keepdims=True)),
    lambda x: tf.pow(tf.abs(x), 1.5),
    lambda x: tf.nn.moments(x, [1, 2])[1],
    lambda x: tf.nn.l2_normalize(x, 3),
    lambda x: tf.clip_by_value(x, -0.5, 0.75),
    lambda x: tf.nn.batch_normalization(x, VECTOR, VECTOR**2, VECTOR, VECTOR, 1e-3),
    lambda x: v1.nn.fused_batch_norm(x, VECTOR, VECTOR, VECTOR, VECTOR**2, 1e-3, is_training=False)[
        0
    ],
    lambda x: tf.nn.lrn(x, 1, 1.5, 0.3, 0.6),
]
FUNCTIONS: list[Build] = [
    on(f)
    for f in (
        tf.nn.relu,
        tf.nn.relu6,
        tf.nn.leaky_relu,
        tf.nn.elu,
        tf.nn.selu,
        tf.nn.sigmoid,
        tf.nn.tanh,
        tf.nn.softplus,
        tf.nn.softsign,
        tf.nn.silu,
        tf.abs,
        tf.exp,
        tf.square,
        tf.negative,
        tf.nn.softmax,
        tf.nn.log_softmax,
    )
]
FUNCTIONS += [
    lambda x: tf.nn.leaky_relu(x, 0.3),
    lambda x: tf.sqrt(tf.abs(x)),
    lambda x: tf.math.rsqrt(tf.abs(x) + 0.1),
    lambda x: tf.math.log(tf.abs(x) + 0.1),
    lambda x: tf.math.reciprocal(tf.abs(x) + 0.1),
    lambda x: tf.math.log1p(tf.abs(x)),
    lambda x: tf.nn.gelu(x, approximate=True),
]


@pytest.mark.parametrize("shape", [OPEN, FIXED], ids=["open", "fixed"])
def test_arithmetic(shape: tuple[int | None, ...], tmp_path: Path) -> None:
    check(ARITHMETIC, tmp_path, shape)


def test_slices_that_begin_before_the_image(tmp_path: Path) -> None:
    builds: list[Build] = [lambda x: x[:, -100:3, 2:100], lambda x: x[:, :, -12:-1]]
    model = check(builds, tmp_path, FIXED)
    shapes = infer(model).shapes
    assert [shapes[name] for name in model.outputs] == [(2, 4, 3, 10), (2, 4, 9, 11)]


def test_functions(tmp_path: Path) -> None:
    check(FUNCTIONS, tmp_path)


def test_reductions(tmp_path: Path) -> None:
    kinds = (tf.reduce_mean, tf.reduce_sum, tf.reduce_max, tf.reduce_min)
    axes = ([1, 2], 3, [1], [2, 3], [1, 2, 3], -2)
    builds: list[Build] = [on(f, a, keepdims=k) for f, a, k in product(kinds, axes, (False, True))]
    builds += [
        lambda x: tf.cast(tf.argmax(x, 3), tf.float32),
        lambda x: tf.cast(tf.argmin(x, 1, output_type=tf.int32), tf.float32),
    ]
    check(builds, tmp_path)


def test_the_first_of_equal_values_wins(tmp_path: Path) -> None:
    def build() -> None:
        tf.argmax(placeholder(None, None, None, 4), 3, name="best")

    x = np.random.default_rng(0).integers(0, 2, (2, 5, 6, 4)).astype(np.float32)
    assert_same_as_tensorflow(graph_of(build), tmp_path, {"x": x})


def test_products(tmp_path: Path) -> None:
    """Dense layers: behind a flatten, which keeps TensorFlow's order, and along the last axis."""
    flat = noise(9 * 12 * 4, 5)
    weight = noise(4, 5)
    builds: list[Build] = [
        lambda x: tf.matmul(tf.reshape(x, [-1, 9 * 12 * 4]), flat) + noise(5),
        lambda x: tf.matmul(tf.reduce_mean(x, [1, 2]), weight),
        lambda x: tf.matmul(tf.reduce_mean(x, [1, 2]), weight.T, transpose_b=True),
        lambda x: tf.tensordot(x, weight, 1) + noise(5),
        lambda x: tf.linalg.matmul(x, weight),
        lambda x: tf.reshape(
            tf.matmul(tf.reduce_mean(x, [1, 2]), tf.constant(noise(4, 24))), [-1, 2, 3, 4]
        ),
    ]
    check(builds, tmp_path, FIXED)


def test_channels_first_graphs(tmp_path: Path) -> None:
    """A graph whose inside is NCHW between two transposes needs none in ONNX but at its ends."""

    def build() -> None:
        x = placeholder(1, 6, 8, 3)
        y = tf.transpose(x, [0, 3, 1, 2])
        y = tf.nn.conv2d(y, kernel(3, 3, 3, 4), 2, "SAME", "NCHW")
        y = tf.nn.bias_add(y, VECTOR, "NCHW")
        y = tf.nn.max_pool2d(y, 2, 2, "VALID", "NCHW")
        tf.transpose(y, [0, 2, 3, 1], name="out")

    model, _ = convert(save_graph(graph_of(build), tmp_path))
    assert [type(layer.operator) for layer in model.layers] == [ops.Conv, ops.Pool]
    assert model.channels_last == {"x", "out"}
    assert model.inputs[0].shape == (1, 3, 6, 8)


def test_branches_decided_beforehand(tmp_path: Path) -> None:
    """Keras's learning phase, frozen at its default: the branch not taken is not there."""

    def build() -> None:
        x = placeholder(*OPEN)
        training = v1.placeholder_with_default(tf.constant(False), ())
        off, on = tf.raw_ops.Switch(data=x, pred=training)
        tf.raw_ops.Merge(inputs=[off * 2, tf.nn.dropout(on, 0.5)], name="merged")

    def switched() -> Any:
        with tf.Graph().as_default() as graph:
            v1.disable_control_flow_v2()
            build()
            v1.enable_control_flow_v2()
            return graph.as_graph_def()

    from upconv.converters.readers.formats import open_model
    from upconv.converters.readers.options import ReadOptions

    model = open_model(str(save_graph(switched(), tmp_path)), ReadOptions())
    assert not model.notices
    assert [layer.operator for layer in model.layers] == [ops.Power(scale=2.0)]


def test_constants_are_computed_as_tensorflow_does(tmp_path: Path) -> None:
    """Softplus does not overflow, and Select has one condition per entry of the first axis."""
    which, one, other = np.array([True, False, True, False]), noise(4, 4), noise(4, 4, seed=1)
    builds: list[Build] = [
        lambda x: x + tf.nn.softplus(tf.constant([-200.0, 0.5, 1.0, 200.0])),
        lambda x: tf.linalg.matmul(x, v1.where(which, one, other)),
    ]
    check(builds, tmp_path)


def test_whole_numbers_as_truth(tmp_path: Path) -> None:
    """What is not 0 is true."""

    def build() -> None:
        image = tf.cast(placeholder(*OPEN), tf.int32)
        tf.cast(tf.cast(image, tf.bool), tf.float32, name="y")

    feeds = {"x": 2 * noise(2, 5, 6, 4)}
    assert_same_as_tensorflow(graph_of(build), tmp_path, feeds)


def test_what_is_not_known_flows_through(tmp_path: Path) -> None:
    def build() -> None:
        x = placeholder(*OPEN)
        odd = tf.math.lgamma(tf.nn.relu(x), name="odd")
        tf.nn.conv2d(odd, kernel(3, 3, 4, 2), 1, "SAME", name="behind")

    from upconv.converters.readers.formats import open_model
    from upconv.converters.readers.options import ReadOptions

    model = open_model(str(save_graph(graph_of(build), tmp_path)), ReadOptions())
    (notice,) = model.notices
    assert (notice.kind, notice.error.layer) == ("unknown-layer-type", "odd")
    assert "Lgamma" in str(notice.error)
    kinds = [type(layer.operator) for layer in model.layers]
    assert kinds == [ops.Relu, ops.Unknown, ops.Conv]
