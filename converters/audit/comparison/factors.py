"""A transposed convolution that is written as two, one an axis, or as products with matrices."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from upconv.converters.ir import operators as ops
from upconv.converters.ir.geometry import full_size
from upconv.converters.ir.model import Layer
from upconv.converters.ir.records import record
from upconv.converters.ir.shapes import Shape
from upconv.converters.ir.tensors import ArrayData, Weight, weight_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_ELEMENTS: Final = 1 << 22
"""Of a matrix that is looked at."""


def joined_axes(first: Layer, second: Layer) -> Layer | None:
    """Two transposed convolutions, of each channel by itself and along different axes, as one;
    None where they are not that. The kernel is the product of both."""
    a, b = first.operator, second.operator
    if not isinstance(a, ops.ConvTranspose) or not isinstance(b, ops.ConvTranspose):
        return None
    weights = [layer.weights.get("weight") for layer in (first, second)]
    if not all(map(_depthwise, (a, b), weights)) or set(first.weights) != {"weight"}:
        return None
    axes = range(len(a.kernel))
    if any(_acts(a, axis) and _acts(b, axis) for axis in axes):
        return None

    def of(field: str) -> Any:
        """The setting of whichever acts on an axis."""
        return tuple(getattr(a if _acts(a, axis) else b, field)[axis] for axis in axes)

    names = ("kernel", "stride", "dilation", "pads_begin", "pads_end", "output_padding")
    whole = replace(b, **{name: of(name) for name in names})
    one, other = weights
    assert one is not None and other is not None
    kernel = ArrayData((b.groups, 1, *whole.kernel), lambda: one.array() * other.array())
    made = {**second.weights, "weight": Weight(kernel.shape, kernel)}
    return replace(second, operator=whole, inputs=first.inputs, weights=made)


def _depthwise(op: ops.ConvTranspose, weight: Weight | None) -> bool:
    stored = weight is not None and weight.present and weight.shape is not None
    return stored and op.target is None and op.groups == op.out_channels == weight.shape[0]  # type: ignore[index, union-attr]


def _acts(op: ops.ConvTranspose, axis: int) -> bool:
    """Whether it does more along an axis than scale."""
    still = op.kernel[axis], op.stride[axis], op.pads_begin[axis], op.pads_end[axis]
    return (*still, op.output_padding[axis]) != (1, 1, 0, 0, 0)


@record(frozen=True, slots=True)
class _Banded:
    """A matrix whose column i is `taps` from row stride*i - pad on."""

    taps: NDArray[Any]
    stride: int
    pad: int


def as_transposed(
    layer: Layer, shapes: tuple[Shape, Shape], matrix: Weight, left: bool
) -> Layer | None:
    """A product of an image (N, C, H, W) with a stored matrix, on the `left` along its height and
    else along its width, as a transposed convolution; None where it is none."""
    x = shapes[1] if left else shapes[0]
    if len(x) != 4 or not isinstance(x[1], int) or matrix.size > MOST_ELEMENTS:
        return None
    values = matrix.array()
    rows, columns = values.shape[-2:]
    if matrix.size != rows * columns:
        return None
    table = values.reshape(rows, columns)
    if not left:
        table, rows, columns = table.T, columns, rows
    banded = _banded(table)
    if banded is None:
        return None
    axis = 0 if left else 1
    kernel = len(banded.taps)
    end = full_size(columns, kernel, banded.stride, 1) - banded.pad - rows
    if end < 0:
        return None

    def along(value: int, rest: int) -> tuple[int, int]:
        return (value, rest) if axis == 0 else (rest, value)

    op = ops.ConvTranspose(
        x[1],
        along(kernel, 1),
        along(banded.stride, 1),
        (1, 1),
        along(banded.pad, 0),
        along(end, 0),
        (0, 0),
        groups=x[1],
    )
    taps = banded.taps.reshape(1, 1, *op.kernel).repeat(x[1], 0)
    value = layer.inputs[1 if left else 0]
    return replace(layer, operator=op, inputs=(value,), weights={"weight": weight_of(taps)})


def _banded(table: NDArray[Any]) -> _Banded | None:
    """The taps in a matrix, read from the column in its middle and held against all others."""
    import numpy as np

    rows, columns = table.shape
    if columns < 2 or rows < columns:
        return None
    middle = columns // 2
    first, second = (np.flatnonzero(table[:, at]) for at in (middle - 1, middle))
    if not len(first) or not len(second):
        return None
    stride, pad = int(second[0] - first[0]), 0
    taps = table[second[0] : second[-1] + 1, middle]
    pad = stride * middle - int(second[0])
    if stride < 1 or pad < 0:
        return None
    made = np.zeros((full_size(columns, len(taps), stride, 1) + rows, columns), table.dtype)
    for at in range(columns):
        made[stride * at : stride * at + len(taps), at] = taps
    found = _Banded(taps, stride, pad)
    return found if np.array_equal(made[pad : pad + rows], table) else None
