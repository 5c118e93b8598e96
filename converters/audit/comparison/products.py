"""A transposed convolution that is written as a product of an image with a matrix."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from upconv.converters.audit.comparison.factors import acts
from upconv.converters.audit.comparison.values import Values
from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import multiply
from upconv.converters.ir.geometry import full_size
from upconv.converters.ir.model import Layer
from upconv.converters.ir.records import record
from upconv.converters.ir.shapes import Shape
from upconv.converters.ir.tensors import Weight, weight_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_ELEMENTS: Final = 1 << 22
"""Of a matrix that is looked at."""


FEW_COLUMNS: Final = 4
MOST_STRIDES: Final = 64
"""That are tried where few columns do not tell it."""


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
    """A product of an image (N, C, ...) with a matrix, on its right along the last axis and on its
    left along the one before, as a transposed convolution; None where it is none. The matrix is
    stored, or made as the file runs, as the response to an impulse at each pixel."""
    for index, value in enumerate(layer.inputs):
        image, left = layer.inputs[1 - index], index == 0
        x = values.shapes.get(image)
        if x is None or len(x) < 3 + left or not isinstance(x[1], int):
            continue
        axis = len(x) - 1 - left
        stored = values.operator(value, ops.Constant)
        if stored is not None:
            found = _of_matrix(stored.weights["value"], left, len(x))
        else:
            found = _of_impulses(value, values, left, x[axis])
        if found is not None and len(found.taps) in (1, x[1]):
            return _along(layer, image, x[1], found, (axis - 2, len(x) - 2))
    return None


def _along(layer: Layer, image: str, channels: int, found: _Axis, at: tuple[int, int]) -> Layer:
    """The layer as a transposed convolution of each channel along one of the axes of an image;
    `at`: which of how many."""
    axis, axes = at

    def along(value: int, rest: int) -> tuple[int, ...]:
        return tuple(value if each == axis else rest for each in range(axes))

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


def unfolded(layer: Layer, values: Values) -> Layer | None:
    """A transposed convolution along one axis between two reshapes, which see the axes beside it
    as one or put in axes of one pixel, as what it does to the image itself; None for others."""
    inner = values.producers.get(layer.inputs[0]) if layer.inputs else None
    if not isinstance(layer.operator, ops.Reshape) or inner is None:
        return None
    op, weight = inner.operator, inner.weights.get("weight")
    before = values.operator(inner.inputs[0], ops.Reshape) if inner.inputs else None
    if not isinstance(op, ops.ConvTranspose) or before is None or weight is None:
        return None
    acting = [axis for axis in range(len(op.kernel)) if acts(op, axis)] or [0]
    shapes = [values.shapes.get(one) for one in (before.inputs[0], inner.inputs[0])]
    x, seen, y = (*shapes, values.shapes.get(layer.outputs[0]))
    if len(acting) != 1 or op.target is not None or x is None or seen is None or y is None:
        return None
    axis = _same_axis(x, seen, 2 + acting[0])
    if axis is None or len(y) != len(x) or x[:axis] != y[:axis] or x[axis + 1 :] != y[axis + 1 :]:
        return None

    def along(name: str, rest: int) -> tuple[int, ...]:
        value = getattr(op, name)[acting[0]]
        return tuple(value if 2 + each == axis else rest for each in range(len(x) - 2))

    ones = {name: along(name, 1) for name in ("kernel", "stride", "dilation")}
    zeros = {name: along(name, 0) for name in ("pads_begin", "pads_end", "output_padding")}
    whole = replace(op, **ones, **zeros)  # type: ignore[arg-type]
    stored = weight.array()
    kernel = weight_of(stored.reshape(*stored.shape[:2], *whole.kernel))
    weights = {**inner.weights, "weight": kernel}
    return replace(layer, operator=whole, inputs=before.inputs[:1], weights=weights)


def _same_axis(x: Shape, seen: Shape, axis: int) -> int | None:
    """Which axis of x is that one of what a reshape makes of it, None where none is."""
    if x[:2] != seen[:2]:
        return None
    sides = multiply(seen[:axis]), seen[axis], multiply(seen[axis + 1 :])
    fits = (
        each
        for each in range(2, len(x))
        if (multiply(x[:each]), x[each], multiply(x[each + 1 :])) == sides
    )
    return next(fits, None)


def _of_matrix(matrix: Weight, left: bool, rank: int) -> _Axis | None:
    """A stored matrix, (out, in) or one for each channel, on the left of an image of this rank;
    (in, out) on its right."""
    shape = matrix.shape
    if not matrix.present or shape is None or not 2 <= len(shape) <= rank:
        return None
    beside = (*(1,) * (rank - len(shape)), *shape[:-2])
    if matrix.size > MOST_ELEMENTS or any(n != 1 for at, n in enumerate(beside) if at != 1):
        return None
    tables = matrix.array().reshape(-1, *shape[-2:])
    return _banded(tables if left else tables.swapaxes(1, 2))


def _banded(tables: NDArray[Any]) -> _Axis | None:
    """The taps in matrices (C, out, in), read from their columns and held against all of them.
    Neighbours tell the stride, unless both are cut where they begin or end; of few columns, the
    least stride that explains them."""
    import numpy as np

    _, rows, columns = tables.shape
    if columns < 2 or rows < columns:
        return None
    strides = set(range(1, min(rows, MOST_STRIDES) + 1)) if columns <= FEW_COLUMNS else set()
    for at in {1, columns // 2, columns - 1}:
        first, second = (np.flatnonzero(tables[:, :, one].any(0)) for one in (at - 1, at))
        if not len(first) or not len(second):
            return None
        strides |= {int(second[end] - first[end]) for end in (0, -1)}
    found = (_of_stride(tables, stride) for stride in sorted(strides) if stride > 0)
    return next((one for one in found if one is not None), None)


def _of_stride(tables: NDArray[Any], stride: int) -> _Axis | None:
    """The taps in matrices (C, out, in), if each column is the one before moved by a stride."""
    import numpy as np

    channels, rows, columns = tables.shape
    middle = columns // 2
    taps = np.zeros((channels, 2 * rows + 1), tables.dtype)  # the first is for row -rows
    for at in {0, middle, columns - 1}:
        begin = rows - stride * at
        seen = taps[:, max(begin, 0) : max(begin + rows, 0)]
        column = tables[:, max(-begin, 0) : max(-begin, 0) + seen.shape[1], at]
        np.copyto(seen, column, where=column != 0)
    places = np.flatnonzero(taps.any(0))
    pad = rows - int(places[0])
    if pad < 0:
        return None
    taps = taps[:, places[0] : places[-1] + 1]
    dilation = int(np.gcd.reduce(np.diff(places))) or 1
    kernel = taps.shape[1]
    full = full_size(columns, kernel, stride, 1)
    if full > rows + 2 * (kernel + stride):
        return None  # more is cut off than windows reach: no layer, and too much to hold it against
    made = np.zeros((channels, full + rows, columns), taps.dtype)
    for at in range(columns):
        made[:, stride * at : stride * at + kernel, at] = taps
    end = full - pad - rows
    if not np.array_equal(made[:, pad : pad + rows], tables):
        return None
    return _Axis(taps[:, ::dilation], stride, pad, max(end, 0), dilation, max(-end, 0))


def _of_impulses(value: str, values: Values, left: bool, size: object) -> _Axis | None:
    """A matrix that a transposed convolution makes of as many impulses as the image has pixels:
    (in, C, out), turned to (C, out, in) on the left of the image and (C, in, out) on its right;
    the axes between the channels and the last two have one entry."""
    shape = values.shapes.get(value)
    order: list[int | None] = list(range(len(shape or ())))
    while (layer := values.producers.get(value)) is not None:
        op = layer.operator
        if isinstance(op, ops.Permute):
            order = [None if at is None else op.order[at] for at in order]
        elif isinstance(op, ops.Reshape) and (op.dims, op.num_axes) == ((1,), 0) and op.axis >= 0:
            order = [_before_axis(at, op.axis) for at in order]
        else:
            break
        value = layer.inputs[0]
    whole = [1, *(None,) * (len(order) - 3), *((2, 0) if left else (0, 2))]
    if order != whole:
        return None
    made = values.operator(value, ops.ConvTranspose)
    if made is None:
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


def _before_axis(at: int | None, axis: int) -> int | None:
    """The place of an axis before one of one entry was put in; None for that one itself."""
    return None if at is None or at == axis else at - (at > axis)


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
