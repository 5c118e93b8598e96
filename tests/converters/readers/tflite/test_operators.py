"""Operators against TensorFlow's interpreter on models of our own making."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fixtures.make_tflite import Net
from tests.converters.readers.tflite.support import interpreted, meant, noise, read, reasons
from upconv.converters.ir import operators as ops
from upconv.converters.readers.tflite.codes import CUSTOM, name_of


def agree(data: bytes, folder: Path, *feeds: Any) -> None:
    model = read(data, folder)
    got, want = meant(model, *feeds), interpreted(data, *feeds)
    assert len(got) == len(want)
    for one, other in zip(got, want, strict=True):
        assert one.shape == other.shape
        limit = 1e-5 * max(float(np.abs(other).max(initial=0)), 1e-9)
        np.testing.assert_allclose(one, other, rtol=0, atol=limit)


def one_op(
    code: int, shape: tuple[int, ...], out: tuple[int, ...], options: Any, *more: Any
) -> bytes:
    """An operator on the input x and stored tensors."""
    net = Net()
    x = net.tensor("x", shape)
    reads = [
        net.constant(f"c{at}", one, np.asarray(one).dtype.str[1:]) for at, one in enumerate(more)
    ]
    y = net.tensor("y", out)
    net.op(code, [x, *reads], [y], options)
    return net.model([x], [y])


SAME, VALID = ("b", 0), ("b", 1)
I32 = np.int32
AROUND = [[0, 0], [1, 2], [0, 1], [0, 0]]


@pytest.mark.parametrize(
    ("size", "out", "kernel", "strides", "padding", "activation"),
    [
        ((5, 7), (10, 21), (3, 4), (2, 3), SAME, 0),
        ((5, 7), (9, 20), (4, 5), (2, 3), SAME, 1),
        ((5, 4), (5, 4), (2, 3), (1, 1), SAME, 3),
        ((5, 4), (11, 12), (3, 2), (2, 3), VALID, 0),
        ((5, 4), (12, 13), (3, 2), (2, 3), VALID, 2),
        ((3, 4), (9, 8), (1, 1), (3, 2), SAME, 0),
    ],
)
def test_transposed_convolutions(
    size: Any, out: Any, kernel: Any, strides: Any, padding: Any, activation: int, tmp_path: Path
) -> None:
    """Rows beyond what the kernel reaches hold the bias alone."""
    net = Net()
    shape = net.constant("shape", [2, *out, 5], "i4")
    weight, bias = net.constant("w", noise(5, *kernel, 3)), net.constant("b", noise(5, seed=1))
    x, y = net.tensor("x", (2, *size, 3)), net.tensor("y", (2, *out, 5))
    options = {0: padding, 1: ("i", strides[1]), 2: ("i", strides[0]), 3: ("b", activation)}
    net.op(67, [shape, weight, x, bias], [y], options)
    agree(net.model([x], [y]), tmp_path, noise(2, *size, 3, seed=2))


def _window(*fields: int) -> dict[int, Any]:
    return {0: SAME, **{at: ("i", one) for at, one in enumerate(fields, start=1)}}


def ints(*numbers: int) -> Any:
    return np.array(numbers, I32)


IMAGE, SMALL = (1, 5, 8, 3), (1, 3, 4, 2)
OPERATORS: dict[str, tuple[Any, ...]] = {
    "CONV_2D in groups": (
        *(3, (1, 6, 7, 4), (1, 3, 7, 6), {**_window(1, 2), 3: ("b", 1)}),
        *(noise(6, 3, 2, 2), noise(6)),
    ),
    "CONV_2D dilated": (
        *(3, (1, 9, 8, 2), (1, 9, 8, 3), {**_window(1, 1), 4: ("i", 2), 5: ("i", 3)}),
        *(noise(3, 3, 2, 2), noise(3)),
    ),
    "DEPTHWISE_CONV_2D": (
        *(4, (1, 6, 7, 3), (1, 3, 4, 6), _window(2, 2, 2)),
        *(noise(1, 3, 3, 6), noise(6)),
    ),
    "FULLY_CONNECTED": (9, (2, 3, 4, 5), (24, 3), {0: ("b", 1)}, noise(3, 5), noise(3, seed=1)),
    "FULLY_CONNECTED kept": (9, (2, 3, 5), (2, 3, 4), {2: ("b", 1)}, noise(4, 5)),
    "AVERAGE_POOL_2D": (1, IMAGE, (1, 3, 3, 3), _window(3, 2, 2, 3)),
    "MAX_POOL_2D": (17, IMAGE, (1, 3, 3, 3), _window(3, 2, 2, 3)),
    "RESIZE_NEAREST_NEIGHBOR": (97, IMAGE, (1, 9, 10, 3), {1: ("b", 1)}, ints(9, 10)),
    "RESIZE_NEAREST aligned": (97, IMAGE, (1, 9, 10, 3), {0: ("b", 1)}, ints(9, 10)),
    "PRELU per channel": (54, IMAGE, IMAGE, None, noise(1, 1, 3)),
    "PRELU per pixel": (54, IMAGE, IMAGE, None, noise(5, 8, 3)),
    "SOFTMAX": (25, (2, 3, 4, 5), (2, 3, 4, 5), {0: ("f", 0.5)}),
    "GELU": (150, (2, 3, 4), (2, 3, 4), None),
    "RELU_N1_TO_1": (20, SMALL, SMALL, None),
    "HARD_SWISH": (117, SMALL, SMALL, None),
    "LEAKY_RELU": (98, SMALL, SMALL, {0: ("f", 0.3)}),
    "LRN": (13, IMAGE, IMAGE, {0: ("i", 2), 1: ("f", 1.5), 2: ("f", 0.3), 3: ("f", 0.7)}),
    "MEAN": (40, (2, 3, 4, 5), (2, 1, 1, 5), {0: ("b", 1)}, ints(1, 2)),
    "REDUCE_MAX": (82, (2, 3, 4, 5), (2, 3, 4), None, ints(3)),
    "STRIDED_SLICE": (
        *(45, (2, 7, 6, 3), (2, 3, 3), {0: ("i", 1), 1: ("i", 9), 4: ("i", 4)}),
        *(ints(0, 1, 2, 0), ints(0, 7, 3, 0), ints(1, 2, 1, 1)),
    ),
    "TRANSPOSE": (39, (2, 3, 4, 5), (2, 5, 3, 4), None, ints(0, 3, 1, 2)),
    "RESHAPE": (22, (2, 3, 4, 5), (2, 12, 5), None, ints(2, -1, 5)),
    "PADV2": (60, SMALL, (1, 6, 5, 2), None, np.array(AROUND), np.array(7, np.float32)),
    "MIRROR_PAD": (100, SMALL, (1, 6, 5, 2), {0: ("b", 1)}, np.array(AROUND, I32)),
    "TILE": (69, SMALL, (1, 6, 4, 2), None, ints(1, 2, 1, 1)),
    "GATHER": (36, SMALL, (1, 3, 2, 2), {0: ("i", 2)}, ints(3, 1)),
    "SUB": (41, SMALL, SMALL, {0: ("b", 2)}, noise(4, 1)),
    "ADD of fewer rows": (0, (2, 3, 4, 2), (2, 3, 4, 2), {0: ("b", 3)}, noise(1, 3, 1, 2)),
    "EXPAND_DIMS": (70, (2, 3, 4), (2, 3, 1, 4), None, np.array(2, I32)),
    "ARG_MAX": (56, (2, 3, 4, 5), (2, 3, 4), {0: ("b", 2)}, np.array(3, I32)),
}


@pytest.mark.parametrize("name", OPERATORS)
def test_operators_equal_the_interpreter(name: str, tmp_path: Path) -> None:
    code, shape, out, options, *more = OPERATORS[name]
    if name == "ARG_MAX":
        net = Net()
        x, y = net.tensor("x", shape), net.tensor("y", out, kind="i4")
        net.op(code, [x, net.constant("axis", more[0], "i4")], [y], options)
        data = net.model([x], [y])
    else:
        data = one_op(code, shape, out, options, *more)
    agree(data, tmp_path, noise(*shape, seed=5))


def test_sizes_that_shapes_compute_stay_formulas(tmp_path: Path) -> None:
    """A resize to twice the input's size, at an open size."""
    net = Net()
    x, shape = net.tensor("x", (None, None, None, 3)), net.tensor("shape", (4,), kind="i4")
    ends = [net.constant(name, one, "i4") for name, one in (("b", [1]), ("e", [3]), ("s", [1]))]
    part, twice = net.tensor("part", (2,), kind="i4"), net.tensor("twice", (2,), kind="i4")
    y = net.tensor("y", (None, None, None, 3))
    net.op(77, [x], [shape], {0: ("B", 2)})
    net.op(45, [shape, *ends], [part], {})
    net.op(18, [part, net.constant("two", 2, "i4")], [twice], {})
    net.op(23, [x, twice], [y], {3: ("b", 1)})
    data = net.model([x], [y], ({"image": x}, {"big": y}))
    model = read(data, tmp_path)
    assert [entry.name for entry in model.inputs] == ["image"]
    assert model.outputs == ("big",)
    (layer,) = model.layers
    assert layer.operator == ops.Resize("linear", "half_pixel", factor=(2, 2))
    for size in ((5, 4), (3, 8)):
        agree(data, tmp_path, noise(2, *size, 3))


def test_float16_weights_and_those_of_a_scale_per_channel(tmp_path: Path) -> None:
    net = Net()
    x, half = net.tensor("x", (1, 5, 6, 4)), net.constant("half", noise(3, 3, 3, 4), "f2")
    full, mid, y = (net.tensor(name, (1, 5, 6, 3)) for name in ("full", "mid", "y"))
    net.op(6, [half], [full])
    net.op(3, [x, full, net.constant("b", noise(3))], [mid], _window(1, 1))
    stored = np.random.default_rng(1).integers(-127, 128, (3, 2, 2, 3)).astype(np.int8)
    scales = (0.01, 0.02, 0.005)
    weight = net.constant("w", stored, "i1", scales=scales)
    net.op(3, [mid, weight, net.constant("c", noise(3, seed=2))], [y], _window(1, 1))
    model = read(net.model([x], [y]), tmp_path)
    assert not model.notices
    found = model.layers[-1].weights["weight"].array()
    want = stored.transpose(0, 3, 1, 2) * np.reshape(scales, (3, 1, 1, 1))
    np.testing.assert_allclose(found, want, rtol=1e-6)
    halves = model.layers[0].weights["weight"].array()
    assert np.array_equal(halves.transpose(0, 2, 3, 1), noise(3, 3, 3, 4).astype(np.float16))


def _mediapipe(size: int, padding: int) -> bytes:
    """A max pooling with places, and the unpooling by them; behind it a transposed convolution."""
    net = Net()
    x, out = net.tensor("x", (1, size, size, 2)), -(-size // 2)
    pooled, places = (net.tensor(name, (1, out, out, 2)) for name in ("pooled", "places"))
    big, y = net.tensor("big", (1, 2 * out, 2 * out, 2)), net.tensor("y", (1, 4, 4, 3))
    options = struct.pack("<6i", padding, 2, 2, 2, 2, 0)
    net.op("MaxPoolingWithArgmax2D", [x], [pooled, places], custom=options)
    net.op("MaxUnpooling2D", [pooled, places], [big], custom=options)
    reads = [big, net.constant("w", noise(3, 3, 2, 2)), net.constant("b", noise(3, seed=1))]
    net.op("Convolution2DTransposeBias", reads, [y], custom=struct.pack("<3i", padding, 3, 2))
    return net.model([x], [y, big])


@pytest.mark.parametrize("padding", [1, 2])
def test_mediapipes_operators(padding: int, tmp_path: Path) -> None:
    """As transpose_conv_bias.cc and max_unpooling.cc have them, loop by loop."""
    x = noise(1, 6, 6, 2)
    y, big = meant(read(_mediapipe(6, padding), tmp_path), x)
    want = np.where(x == x.reshape(1, 3, 2, 3, 2, 2).max((2, 4)).repeat(2, 1).repeat(2, 2), x, 0)
    assert np.array_equal(big, want)
    weight, bias = noise(3, 3, 2, 2), noise(3, seed=1)
    kernel, stride = (3, 2), (2, 3)
    cut = [
        max(0, k - 5 % s - 1) if padding == 1 else 0 for k, s in zip(kernel, stride, strict=True)
    ]
    full = np.zeros((1, 2 * 5 + 3, 3 * 5 + 2, 3))
    for i in range(6):
        for j in range(6):
            part = np.einsum("c,oklc->klo", want[0, i, j], weight)
            full[0, 2 * i : 2 * i + 3, 3 * j : 3 * j + 2] += part
    ends = [n - c + c // 2 for n, c in zip(full.shape[1:3], cut, strict=True)]
    expected = full[:, cut[0] // 2 : ends[0], cut[1] // 2 : ends[1]] + bias
    np.testing.assert_allclose(y, expected, rtol=0, atol=1e-5)


def test_an_unpooling_to_another_size_is_refused(tmp_path: Path) -> None:
    model = read(_mediapipe(5, 1), tmp_path)
    assert any("another size" in reason for reason in reasons(model).values())


def test_a_dilation_written_as_blocks_of_the_batch(tmp_path: Path) -> None:
    """SPACE_TO_BATCH_ND, a depthwise convolution with bias and activation, BATCH_TO_SPACE_ND."""
    net = Net()
    x, y = net.tensor("x", (1, 9, 8, 2)), net.tensor("y", (1, 9, 8, 4))
    blocks, mid = net.tensor("blocks", (4, 7, 6, 2)), net.tensor("mid", (4, 5, 4, 4))
    size, pads = (
        net.constant("size", ints(2, 2), "i4"),
        net.constant("pads", [[2, 3], [2, 2]], "i4"),
    )
    crops = net.constant("crops", [[0, 1], [0, 0]], "i4")
    net.op(38, [x, size, pads], [blocks])
    options = {0: VALID, 1: ("i", 1), 2: ("i", 1), 3: ("i", 2), 4: ("b", 1)}
    net.op(
        4,
        [blocks, net.constant("w", noise(1, 3, 3, 4)), net.constant("b", noise(4))],
        [mid],
        options,
    )
    net.op(37, [mid, size, crops], [y])
    data = net.model([x], [y])
    agree(data, tmp_path, noise(1, 9, 8, 2, seed=4))
    (layer, *_) = read(data, tmp_path).layers
    assert isinstance(layer.operator, ops.Conv)
    assert layer.operator.dilation == (2, 2)


def test_every_operator_of_the_schema_has_its_name() -> None:
    from tensorflow.lite.python.schema_py_generated import BuiltinOperator

    schema = {code: name for name, code in vars(BuiltinOperator).items() if name.isupper()}
    rest = {CUSTOM, BuiltinOperator.PLACEHOLDER_FOR_GREATER_OP_CODES}
    assert {code: name_of(code) for code in schema if code not in rest} == {
        code: name for code, name in schema.items() if code not in rest
    }
