"""A transposed convolution that is written as a product of an image with a matrix."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from upconv.converters.audit.comparison.values import Values
from upconv.converters.ir import operators as ops
from upconv.converters.ir.geometry import full_size
from upconv.converters.ir.model import Layer
from upconv.converters.ir.records import record
from upconv.converters.ir.tensors import Weight, weight_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_ELEMENTS: Final = 1 << 22
"""Of a matrix that is looked at."""


@record(frozen=True, slots=True)
class _Axis:
    """What a matrix does along one axis: pixel j adds taps[c, t] at stride*j + dilation*t - pad.
    Shape of taps: (C, k), or (1, k) where all channels have the same."""

    taps: NDArray[Any]
    stride: int
    pad: int
    end: int
    dilation: int = 1
    extra: int = 0


def as_transposed(layer: Layer, values: Values) -> Layer | None:
    """A product of an image (N, C, H, W) with a matrix, on its left along the height and on its
    right along the width, as a transposed convolution; None where it is none. The matrix is
    stored, or made as the file runs, as the response to an impulse at each pixel."""
    for index, value in enumerate(layer.inputs):
        image, axis = layer.inputs[1 - index], index
        x = values.shapes.get(image)
        if x is None or len(x) != 4 or not isinstance(x[1], int):
            continue
        stored = values.operator(value, ops.Constant)
        left = index == 0
        if stored is not None:
            found = _of_matrix(stored.weights["value"], left)
        else:
            found = _of_impulses(value, values, left, x[2 + axis])
        if found is not None and len(found.taps) in (1, x[1]):
            return _along(layer, image, x[1], found, axis)
    return None


def _along(layer: Layer, image: str, channels: int, found: _Axis, axis: int) -> Layer:
    """The layer as a transposed convolution of each channel along one axis."""

    def along(value: int, rest: int) -> tuple[int, int]:
        return (value, rest) if axis == 0 else (rest, value)

    op = ops.ConvTranspose(
        channels,
        along(found.taps.shape[1], 1),
        along(found.stride, 1),
        along(found.dilation, 1),
        along(found.pad, 0),
        along(found.end, 0),
        along(found.extra, 0),
        groups=channels,
    )
    taps = found.taps.reshape(len(found.taps), 1, *op.kernel)
    weight = weight_of(taps.repeat(channels // len(taps), 0))
    return replace(layer, operator=op, inputs=(image,), weights={"weight": weight})


def _of_matrix(matrix: Weight, left: bool) -> _Axis | None:
    """A stored matrix, (out, in) or one for each channel, on the left of the image; (in, out) on
    its right."""
    shape = matrix.shape
    if not matrix.present or shape is None or len(shape) < 2 or matrix.size > MOST_ELEMENTS:
        return None
    if any(size != 1 for size in shape[:-3]):
        return None
    tables = matrix.array().reshape(-1, *shape[-2:])
    return _banded(tables if left else tables.swapaxes(1, 2))


def _banded(tables: NDArray[Any]) -> _Axis | None:
    """The taps in matrices (C, out, in), read from the column in the middle and held against all
    others."""
    import numpy as np

    channels, rows, columns = tables.shape
    if columns < 2 or rows < columns:
        return None
    middle = columns // 2
    first, second = (np.flatnonzero(tables[:, :, at].any(0)) for at in (middle - 1, middle))
    if not len(first) or not len(second):
        return None
    stride = int(second[0] - first[0])
    pad = stride * middle - int(second[0])
    if stride < 1 or pad < 0:
        return None
    taps = tables[:, second[0] : second[-1] + 1, middle]
    kernel = taps.shape[1]
    full = full_size(columns, kernel, stride, 1)
    if full > rows + 2 * (kernel + stride):
        return None  # more is cut off than windows reach: no layer, and too much to hold it against
    made = np.zeros((channels, full + rows, columns), taps.dtype)
    for at in range(columns):
        made[:, stride * at : stride * at + kernel, at] = taps
    end = full - pad - rows
    if end < 0 or not np.array_equal(made[:, pad : pad + rows], tables):
        return None
    return _Axis(taps, stride, pad, end)


def _of_impulses(value: str, values: Values, left: bool, size: object) -> _Axis | None:
    """A matrix that a transposed convolution makes of as many impulses as the image has pixels:
    (in, C, out), turned to (C, out, in) on the left of the image and (C, in, out) on its right."""
    order: tuple[int, ...] = (0, 1, 2)
    while (turned := values.operator(value, ops.Permute)) is not None:
        op = turned.operator
        assert isinstance(op, ops.Permute)
        if len(op.order) != 3:
            return None
        order, value = tuple(op.order[at] for at in order), turned.inputs[0]
    made = values.operator(value, ops.ConvTranspose)
    if made is None or order != ((1, 2, 0) if left else (1, 0, 2)):
        return None
    op, weight = made.operator, made.weights["weight"]
    assert isinstance(op, ops.ConvTranspose)
    plain = op.groups == 1 and op.target is None and set(made.weights) == {"weight"}
    if not plain or not weight.present or not _is_identity(made.inputs[0], values, size):
        return None
    return _Axis(
        weight.array().reshape(op.out_channels, -1),
        op.stride[0],
        op.pads_begin[0],
        op.pads_end[0],
        op.dilation[0],
        op.output_padding[0],
    )


def _is_identity(value: str, values: Values, size: object) -> bool:
    """Whether a value (in, 1, in) has a 1 at its diagonal, and is of this size."""
    shape = values.shapes.get(value)
    if shape is None or shape != (size, 1, size):
        return False
    equal = values.operator(values.behind(value, ops.Reshape), ops.Compare)
    if equal is None or equal.operator != ops.Compare("equal") or len(equal.inputs) != 2:
        return False
    shapes = [values.shapes.get(one) for one in equal.inputs]
    across = shapes in ([(size, 1), (size,)], [(size,), (size, 1)])
    return across and all(_counts(one, values) for one in equal.inputs)


def _counts(value: str, values: Values) -> bool:
    """Whether a value, whatever its axes, counts from 0."""
    found = values.operator(values.behind(value, ops.Reshape), ops.Arange)
    op = found.operator if found is not None else None
    return isinstance(op, ops.Arange) and (op.start, op.step) == (0, 1)
