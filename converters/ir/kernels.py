"""Weights of interpolation: how frameworks build them, and how to recognise and factor them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from upconv.converters.ir.geometry import BILINEAR_TOLERANCE, bilinear_taps
from upconv.converters.ir.model import Layer
from upconv.converters.ir.operators import ConvTranspose

Float32: TypeAlias = NDArray[np.float32]
Float64: TypeAlias = NDArray[np.float64]
AnyFloat: TypeAlias = NDArray[np.floating[Any]]

Bilinear: TypeAlias = Literal["", "grouped", "diagonal", "every pair"]
"""Which (input, output) pairs of channels hold the bilinear kernel; "" where it is none."""

RANK_ONE_TOLERANCE = 2.0**-21
"""Relative, 8 units of roundoff: the two factors' own rounding, and that of the four stored values
a general factoring combines."""


def bilinear_row(k: int) -> Float32:
    """The triangle 1 - |x/f - c| of Caffe's bilinear filler, f = ceil(k/2), c = (k-1)/(2f).

    Each step is rounded to float32, which gives Caffe's values bit for bit (filler.hpp).

    >>> bilinear_row(4)
    array([0.25, 0.75, 0.75, 0.25], dtype=float32)
    """
    f = -(-k // 2)
    centre = np.float32((k - 1) / (2.0 * f))
    row: Float32 = np.float32(1) - np.abs(np.arange(k, dtype=np.float32) / np.float32(f) - centre)
    return row


def bilinear_kernel(k: int) -> Float32:
    """The k x k kernel of Caffe's bilinear filler, (k, k).

    >>> bilinear_kernel(3)[1]
    array([0.5, 1. , 0.5], dtype=float32)
    """
    row = bilinear_row(k)
    return row[None, :] * row[:, None]


def caffe_bilinear_filler(shape: Sequence[int]) -> Float32:
    """A weight (C_in, C_out/groups, k, k) as Caffe's bilinear filler makes it: the kernel in every
    pair of channels, so that a layer with group 1 mixes them.

    Raises ValueError where Caffe aborts: not four axes, or a kernel that is not square.
    """
    if len(shape) != 4 or shape[2] != shape[3]:
        raise ValueError(f"a bilinear filler needs four axes and a square kernel, not {shape}")
    return np.broadcast_to(bilinear_kernel(shape[3]), tuple(shape)).copy()


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


@dataclass(frozen=True, slots=True)
class Factors:
    """kernel[c, y, x] = column[c, y] * row[c, x], float32; `exact`: to the last bit."""

    column: Float32
    row: Float32
    exact: bool


def factored(kernels: Float32) -> Factors | None:
    """Columns and rows of kernels (C, k_h, k_w); None where one is not their product.

    They come from the stored kernels, never from the formula of an interpolation: at factor 12 the
    formula is 2.4 times over the error bound of one rounding per weight, the stored kernel's own
    factors are inside it.
    """
    parts = [separate(kernel) for kernel in kernels]
    found = [part for part in parts if part is not None]
    if len(found) < len(parts) or not found:
        return None
    column, row = (np.stack([part[side] for part in found]) for side in (0, 1))
    product = column[:, :, None].astype(np.float64) * row[:, None, :]
    return Factors(column, row, bool((product == kernels).all()))


def depthwise_kernels(op: ConvTranspose, layer: Layer) -> Float32 | None:
    """The kernels (C, k...) of a layer that keeps channels apart, else None: grouped by channel, or
    a dense weight (C, C, k...) that is zero off its diagonal, as FCN stores it."""
    shape = layer.weights["weight"].shape or ()
    if not shape or shape[0] != op.out_channels:
        return None
    if op.groups == op.out_channels:
        return layer.weights["weight"].array()[:, 0]
    if op.groups != 1:
        return None
    dense = layer.weights["weight"].array()
    if np.any(dense[0, 1:]):
        return None  # learned, and need not be walked
    channels = np.arange(op.out_channels)
    diagonal = dense[channels, channels]
    return diagonal if np.count_nonzero(dense) == np.count_nonzero(diagonal) else None


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


def bilinear_form(weights: AnyFloat, groups: int = 1) -> Bilinear:
    """How stored weights (C_in, C_out/groups, k, k) are bilinear, "" where they are not.

    "grouped": one kernel per channel, one output channel per group. "diagonal": dense, the kernel
    where input and output channel agree and zeros elsewhere (net surgery). "every pair": the
    kernel in all pairs, as the filler fills a dense layer. Values may be off by
    `geometry.BILINEAR_TOLERANCE`.

    >>> bilinear_form(caffe_bilinear_filler((3, 1, 4, 4)), groups=3)
    'grouped'
    """
    if weights.ndim != 4 or weights.shape[2] != weights.shape[3] or not weights.size:
        return ""
    taps, denominator = bilinear_taps(weights.shape[2])
    row = np.array(taps, np.float64) / denominator
    kernel = np.outer(row, row)
    if not _close(weights[0, 0], kernel):
        return ""
    inputs, outputs = weights.shape[:2]
    if _close(weights, kernel):
        return "grouped" if outputs == 1 and groups == inputs else "every pair"
    if groups == 1 and inputs == outputs:
        channels = np.eye(inputs)[:, :, None, None]
        if _close(weights, channels * kernel):
            return "diagonal"
    return ""


def _close(left: AnyFloat, right: AnyFloat) -> bool:
    return bool((np.abs(left - right) <= BILINEAR_TOLERANCE).all())
