from __future__ import annotations

import pytest

from tests.converters.readers.python_source.support import read, reasons
from upconv.converters.ir import operators as ops
from upconv.converters.ir.inference import infer

HEAD = "import tensorflow as tf\n"
FILTER = "w = tf.get_variable('w', [5, 3, 64, c], initializer=init)\n"


@pytest.mark.parametrize(
    ("sizes", "padding", "begin", "end", "extra", "inputs"),
    [
        ("[n, 14, 14, 64]", "SAME", (1, 0), (2, 1), (0, 0), (7, 7)),
        ("[n, 13, 14, 64]", "SAME", (2, 0), (2, 1), (0, 0), (7, 7)),
        ("[n, 15, 16, 64]", "VALID", (0, 0), (0, 0), (0, 1), (6, 7)),
        ("tf.stack([tf.shape(x)[0], 14, 14, 64])", "SAME", (1, 0), (2, 1), (0, 0), (7, 7)),
    ],
)
def test_the_declared_shape_decides(
    sizes: str,
    padding: str,
    begin: tuple[int, ...],
    end: tuple[int, ...],
    extra: tuple[int, ...],
    inputs: tuple[int, ...],
) -> None:
    call = f"y = tf.nn.conv2d_transpose(x, w, {sizes}, [1, 2, 2, 1], padding='{padding}')"
    model = read(HEAD + FILTER + call)
    (layer,) = model.layers
    assert isinstance(layer.operator, ops.ConvTranspose)
    op = layer.operator
    assert (op.kernel, op.stride) == ((5, 3), (2, 2))
    assert (op.pads_begin, op.pads_end, op.output_padding) == (begin, end, extra)
    shapes = infer(model).shapes
    assert shapes[layer.inputs[0]][2:] == inputs  # type: ignore[index]
    output = shapes[layer.outputs[0]]
    assert output is not None
    declared = [
        int(n) for n in sizes.replace("]", ",").replace(")", ",").split(",") if n.strip().isdigit()
    ]
    assert output[2:] == tuple(declared[:2])


def test_channels_first() -> None:
    call = "tf.nn.conv2d_transpose(x, w, [n, 64, 14, 28], [1, 1, 2, 4], data_format='NCHW')"
    (layer,) = read(HEAD + FILTER + call).layers
    assert isinstance(layer.operator, ops.ConvTranspose)
    assert layer.operator.stride == (2, 4)


@pytest.mark.parametrize(
    ("call", "why"),
    [
        ("tf.nn.conv2d_transpose(x, v, [n, 4, 4, 8], 2)", "the filter's size is not constant"),
        ("tf.nn.conv2d_transpose(x, w, [n, 4, 4, 8], s)", "strides: 's' is not bound"),
        ("tf.image.resize_bilinear(x, tf.shape(y)[1:3], a)", "align_corners: 'a' is not bound"),
    ],
)
def test_what_is_computed_is_not_read(call: str, why: str) -> None:
    (reason,) = reasons(HEAD + FILTER + call)
    assert why in reason


def test_a_computed_output_shape_leaves_the_size_open() -> None:
    (layer,) = read(HEAD + FILTER + "tf.nn.conv2d_transpose(x, w, tf.shape(y), 2)").layers
    assert isinstance(layer.operator, ops.ConvTranspose)
    assert (layer.operator.kernel, layer.operator.stride) == ((5, 3), (2, 2))
    assert [str(size) for size in layer.operator.target or ()] == ["target_H", "target_W"]


def test_a_resize_to_a_computed_size_is_read() -> None:
    model = read(HEAD + "tf.image.resize_bilinear(x, tf.shape(y)[1:3])")
    (layer,) = model.layers
    assert layer.operator == ops.Unknown(
        "resize_bilinear", "its size is decided where the model runs"
    )
    assert model.notices == ()


def test_resize_of_the_first_version() -> None:
    code = HEAD + (
        "a = tf.image.resize_bilinear(x, [64, 32])\n"
        "b = tf.compat.v1.image.resize_nearest_neighbor(x, (64, 32), align_corners=True)\n"
        "c = tf.image.resize_images(x, [64, 32], method=2)\n"
    )
    assert [layer.operator for layer in read(code).layers] == [
        ops.Resize("linear", "asymmetric", size=(64, 32)),
        ops.Resize("nearest", "align_corners", size=(64, 32), nearest_mode="round_prefer_ceil"),
        ops.Resize("cubic", "asymmetric", size=(64, 32)),
    ]
