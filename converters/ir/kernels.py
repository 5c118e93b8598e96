"""Weights of interpolation: how frameworks build them, and how to recognise and factor them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from upconv.converters.ir.geometry import bilinear_kernel_size

Float32: TypeAlias = NDArray[np.float32]
Float64: TypeAlias = NDArray[np.float64]
AnyFloat: TypeAlias = NDArray[np.floating[Any]]
Form = Literal["grouped", "diagonal", "every pair"]

FILLER_TOLERANCE = 4e-7
"""Bilinear weights of different makers differ by up to 1.8e-7 (float32 or float64 then rounded)."""

RANK_ONE_TOLERANCE = 2.0**-21
"""Relative, 8 units of roundoff: the two factors' own rounding, and that of the four stored values
a general factoring combines."""


def bilinear_row(k: int, dtype: type[np.float32 | np.float64] = np.float32) -> AnyFloat:
    """The triangle 1 - |x/f - c| of Caffe's bilinear filler, f = ceil(k/2), c = (k-1)/(2f).

    Each step is rounded in `dtype`; float32 gives Caffe's values bit for bit (filler.hpp).

    >>> bilinear_row(4)
    array([0.25, 0.75, 0.75, 0.25], dtype=float32)
    """
    f = -(-k // 2)
    centre = dtype((k - 1) / (2.0 * f))
    places: AnyFloat = np.arange(k, dtype=np.float64).astype(dtype)
    row: AnyFloat = dtype(1) - np.abs(places / dtype(f) - centre)
    return row


def bilinear_kernel(k: int, dtype: type[np.float32 | np.float64] = np.float32) -> AnyFloat:
    """The k x k kernel of Caffe's bilinear filler, (k, k).

    >>> bilinear_kernel(3)[1]
    array([0.5, 1. , 0.5], dtype=float32)
    """
    row = bilinear_row(k, dtype)
    return row[None, :] * row[:, None]


def caffe_bilinear_filler(
    shape: Sequence[int], dtype: type[np.float32 | np.float64] = np.float32
) -> AnyFloat:
    """A weight (C_in, C_out/groups, k, k) as Caffe's bilinear filler makes it: the kernel in every
    pair of channels, so that a layer with group 1 mixes them.

    Raises ValueError where Caffe aborts: not four axes, or a kernel that is not square.
    """
    if len(shape) != 4 or shape[2] != shape[3]:
        raise ValueError(f"a bilinear filler needs four axes and a square kernel, not {shape}")
    return np.broadcast_to(bilinear_kernel(shape[3], dtype), tuple(shape)).copy()


def nearest_kernel(factors: Sequence[int]) -> Float32:
    """The kernel of nearest-neighbour upsampling by integer factors: ones, shape `factors`.

    With stride = kernel and no pad every pixel fills its block.
    """
    return np.ones(tuple(factors), np.float32)


def interpolation_matrix(n: int, factor: int, kernel: AnyFloat, pad: int) -> AnyFloat:
    """U, ((n-1)*factor + k - 2*pad, n), so that U @ x is the transposed convolution of x (n) with
    a stored one-dimensional kernel (k): U[o, i] = kernel[o + pad - factor*i].

    A separable layer is U_h @ X @ U_w^T.

    >>> interpolation_matrix(2, 2, bilinear_row(4), 1)
    array([[0.75, 0.  ],
           [0.75, 0.25],
           [0.25, 0.75],
           [0.  , 0.75]], dtype=float32)
    """
    length = (n - 1) * factor + len(kernel) - 2 * pad
    taps = np.arange(length)[:, None] + pad - factor * np.arange(n)
    inside = (taps >= 0) & (taps < len(kernel))
    values = kernel[np.clip(taps, 0, len(kernel) - 1)]
    return np.where(inside, values, kernel.dtype.type(0))


def separate(kernel: AnyFloat) -> tuple[Float32, Float32] | None:
    """(column (k_h), row (k_w)) in float32 whose outer product is the stored kernel (k_h, k_w), to
    a relative 2^-21 per element; None where it is not of rank one.

    The factors are taken from the stored values, never from a formula, and are exact where the
    kernel was made as a product of one float32 row with itself, as Caffe's filler does: the
    square root of a rounded square is the number itself.

    >>> separate(bilinear_kernel(4))
    (array([0.25, 0.75, 0.75, 0.25], dtype=float32), array([0.25, 0.75, 0.75, 0.25], dtype=float32))
    """
    wide = np.asarray(kernel, np.float64)
    if not np.isfinite(wide).all() or not wide.any():
        return None
    for column, row in (_symmetric_factors(wide), _pivot_factors(wide)):
        product = np.multiply.outer(column.astype(np.float64), row.astype(np.float64))
        if (np.abs(product - wide) <= RANK_ONE_TOLERANCE * np.abs(wide)).all():
            return column, row
    return None


def _symmetric_factors(wide: Float64) -> tuple[Float32, Float32]:
    if wide.shape[0] != wide.shape[1]:
        return _pivot_factors(wide)
    root = np.sqrt(np.abs(np.diag(wide))).astype(np.float32)
    peak = int(np.argmax(root))
    signs = np.sign(wide[peak]).astype(np.float32)
    row = root * signs * np.float32(np.sign(wide[peak, peak]))
    return row * np.float32(np.sign(wide[peak, peak])), row


def _pivot_factors(wide: Float64) -> tuple[Float32, Float32]:
    """The column and the row through the largest element, sharing its size evenly."""
    y, x = np.unravel_index(int(np.abs(wide).argmax()), wide.shape)
    share = np.sqrt(np.abs(wide[y, x]))
    column = wide[:, x] / share
    row = wide[y] / (share * np.sign(wide[y, x]))
    return column.astype(np.float32), row.astype(np.float32)


def phase_sums(
    kernel: AnyFloat, stride: Sequence[int], dilation: Sequence[int] | None = None
) -> Float64:
    """The gain of each output phase of a transposed convolution, shape `stride`.

    kernel (k...); tap j belongs to phase dilation*j mod stride of each axis. A kernel keeps
    constants where every sum is 1; unequal sums make a checkerboard. Exact to float64 rounding.

    >>> phase_sums(bilinear_kernel(4), (2, 2))
    array([[1., 1.],
           [1., 1.]])
    """
    sums = np.zeros(tuple(stride))
    spread = dilation or (1,) * kernel.ndim
    phases = [d * np.arange(k) % s for k, s, d in zip(kernel.shape, stride, spread, strict=True)]
    np.add.at(sums, np.ix_(*phases), kernel.astype(np.float64))
    return sums


def centre_of_mass(kernel: AnyFloat) -> tuple[float, ...] | None:
    """Mean tap index per axis, weighted by the kernel (k...); None where its sum is 0.

    The layer puts the centre of input i at stride*i + dilation*centre - pad.

    >>> centre_of_mass(bilinear_kernel(4))
    (1.5, 1.5)
    """
    wide = kernel.astype(np.float64)
    total = float(wide.sum())
    if total == 0:
        return None
    moments = (np.moveaxis(wide, axis, 0) for axis in range(wide.ndim))
    return tuple(
        float(np.arange(len(m)) @ m.reshape(len(m), -1).sum(axis=1)) / total for m in moments
    )


def border_factor(size: int, factor: int) -> Float64:
    """What a bilinear transposed convolution is, over a half-pixel linear Resize, along one axis
    of `size` output pixels: min(1, (i+0.5)/f + 0.5) from either end, (size).

    >>> border_factor(4, 2)
    array([0.75, 1.  , 1.  , 0.75])
    """
    rise = np.minimum(1.0, (np.arange(size) + 0.5) / factor + 0.5)
    return rise * rise[::-1]


def bilinear_form(weights: AnyFloat, groups: int = 1) -> Form | None:
    """How stored weights (C_in, C_out/groups, k, k) are bilinear, None where they are not.

    "grouped": one kernel per channel, one output channel per group. "diagonal": dense, the kernel
    where input and output channel agree and zeros elsewhere (net surgery). "every pair": the
    kernel in all pairs, as the filler fills a dense layer. Values may differ by 4e-7 from Caffe's.
    """
    if weights.ndim != 4 or weights.shape[2] != weights.shape[3]:
        return None
    inputs, outputs = weights.shape[0] // groups, weights.shape[1]
    filled = caffe_bilinear_filler(weights.shape, np.float64)
    if _close(weights, filled):
        return "grouped" if inputs == outputs == 1 else "every pair"
    same = np.arange(weights.shape[0])[:, None] % max(inputs, 1) == np.arange(outputs)
    if inputs == outputs and _close(weights, filled * same[:, :, None, None]):
        return "diagonal"
    return None


def _close(left: AnyFloat, right: AnyFloat) -> bool:
    return bool((np.abs(left - right) <= FILLER_TOLERANCE).all())


def is_bilinear(weights: AnyFloat, groups: int = 1, stride: int | None = None) -> bool:
    """Whether every channel is interpolated by itself with Caffe's bilinear kernel.

    weights (C_in, C_out/groups, k, k). With `stride`, the kernel must also be the one of that
    factor, 2f - f%2.
    """
    if stride is not None and weights.shape[-1] != bilinear_kernel_size(stride):
        return False
    return bilinear_form(weights, groups) in ("grouped", "diagonal")
