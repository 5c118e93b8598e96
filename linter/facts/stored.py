"""What the stored weights of a layer are: zeros, the bilinear kernel, or something else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from upconv.converters.ir.model import Layer
from upconv.converters.ir.operators import ConvTranspose
from upconv.converters.ir.records import record
from upconv.converters.ir.tensors import Weight

if TYPE_CHECKING:
    from upconv.converters.ir.tensors import FloatArray

Bilinear: TypeAlias = Literal["", "grouped", "diagonal", "every pair"]
"""Which (input, output) pairs of channels hold the bilinear kernel; "" where it is none."""

TOLERANCE = 1e-6
"""Ten times the rounding of a float32 bilinear kernel, a thousandth of its smallest weight at
k = 64."""


@record(frozen=True, slots=True)
class Stored:
    """The verdict on one weight."""

    zero: bool = False
    bilinear: Bilinear = ""


def is_zero(weight: Weight) -> bool:
    """Whether every stored value is 0; reads no further than the first that is not.

    Looks at bytes, so it needs no numpy: a float32 is 0 where no bit but its sign is set.
    """
    if weight.data is None:
        return False
    clear = bytes(range(256)).replace(b"\x80", b"\x00")
    for chunk in weight.data.chunks(1 << 16):
        data = bytes(chunk)
        planes = (data[0::4], data[1::4], data[2::4], data[3::4].translate(clear))
        if any(plane.strip(b"\0") for plane in planes):
            return False
    return True


def bilinear_row(kernel: int) -> tuple[tuple[int, ...], int]:
    """The one-dimensional bilinear filler as integers over a common denominator.

    f = ceil(k/2), w[x] = 1 - |x/f - (k-1)/(2f)|, here times 2f (Caffe filler.hpp).

    >>> bilinear_row(4)
    ((1, 3, 3, 1), 4)
    """
    double = 2 * ((kernel + 1) // 2)
    return tuple(double - abs(2 * x - (kernel - 1)) for x in range(kernel)), double


def stored_kernel(layer: Layer) -> Stored:
    """Judge the stored weight of a transposed convolution, (C_in, C_out/groups, k...)."""
    weight = layer.weights["weight"]
    if is_zero(weight):
        return Stored(zero=True)
    assert isinstance(layer.operator, ConvTranspose)
    shape = weight.shape or ()
    if len(shape) != 4 or shape[2] != shape[3]:
        return Stored()
    return Stored(bilinear=_pattern(weight.array(), layer.operator.groups))


def _pattern(values: FloatArray, groups: int) -> Bilinear:
    """Where the bilinear kernel stands in `values`, (C_in, C_out/groups, k, k)."""
    import numpy as np

    numerators, double = bilinear_row(values.shape[2])
    row = np.array(numerators, dtype=np.float64) / double
    kernel = np.outer(row, row)
    if not np.allclose(values[0, 0], kernel, rtol=0, atol=TOLERANCE):
        return ""
    if np.allclose(values, kernel, rtol=0, atol=TOLERANCE):
        return "grouped" if values.shape[1] == 1 and groups == values.shape[0] else "every pair"
    if groups == 1 and values.shape[0] == values.shape[1]:
        channels = np.eye(values.shape[0])[:, :, None, None]
        if np.allclose(values, channels * kernel, rtol=0, atol=TOLERANCE):
            return "diagonal"
    return ""
