"""Weights of interpolation: how frameworks build them, and how to recognise and factor them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from math import prod
from typing import Any, Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from upconv.converters.ir.geometry import (
    BILINEAR_TOLERANCE,
    bilinear_kernel_size,
    bilinear_pad,
    bilinear_taps,
)
from upconv.converters.ir.model import Layer
from upconv.converters.ir.operators import ConvTranspose
from upconv.converters.ir.records import record

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


def separate(kernel: AnyFloat) -> tuple[Float32, ...] | None:
    """One factor (k_a) of each axis, in float32, whose outer product is the stored kernel (k...) to
    a relative 2^-21 per element; None where it is not of rank one.

    The factors are taken from the stored values, never from a formula. They are exact where the
    kernel was made as a product of one float32 row with itself, as Caffe's filler does: the
    square root of a rounded square is the number itself. They are exact too where the kernel is
    whole numbers times a power of two: by the largest common divisors of its lines.

    >>> separate(bilinear_kernel(4))
    (array([0.25, 0.75, 0.75, 0.25], dtype=float32), array([0.25, 0.75, 0.75, 0.25], dtype=float32))
    """
    wide = np.asarray(kernel, np.float64)
    if not np.isfinite(wide).all() or not wide.any():
        return None
    close: tuple[Float32, ...] | None = None
    for attempt in (_symmetric_factors, _whole_factors, _pivot_factors):
        factors = attempt(wide)
        if factors is None:
            continue
        apart = np.abs(_outer(factors) - wide)
        if not apart.any():
            return factors
        if close is None and (apart <= RANK_ONE_TOLERANCE * np.abs(wide)).all():
            close = factors
    return close


def _outer(factors: Sequence[Float32]) -> Float64:
    """The product (k...) of one factor (k_a) of each axis; exact for two of them, or few bits."""
    return reduce(np.multiply.outer, (one.astype(np.float64) for one in factors))


def _lines(wide: Float64) -> tuple[list[Float64], tuple[int, ...]]:
    """The line along each axis through the largest element, and its place."""
    peak = tuple(map(int, np.unravel_index(int(np.abs(wide).argmax()), wide.shape)))
    axes = range(wide.ndim)
    return [np.moveaxis(wide, axis, -1)[(*peak[:axis], *peak[axis + 1 :])] for axis in axes], peak


def _symmetric_factors(wide: Float64) -> tuple[Float32, ...] | None:
    """Roots of the diagonal, with the signs of the lines through the largest element."""
    if len(set(wide.shape)) > 1:
        return None
    places = np.arange(wide.shape[0])
    diagonal = np.abs(wide[(places,) * wide.ndim])
    root = {1: np.abs, 2: np.sqrt, 3: np.cbrt}.get(wide.ndim, np.abs)(diagonal)
    lines, peak = _lines(wide)
    sign = np.sign(wide[peak])
    factors = [(root * np.sign(line) * sign).astype(np.float32) for line in lines]
    factors[0] *= np.float32(sign)
    return tuple(factors)


LARGEST_MULTIPLE: Final = 2.0**53
"""Whole numbers up to it are exact in float64."""


def _whole_factors(wide: Float64) -> tuple[Float32, ...] | None:
    """Each line by the largest common divisor of its entries, all values seen as multiples of one
    power of two; None where there is none that is near enough."""
    _, exponents = np.frexp(wide[wide != 0])
    unit = 2.0 ** (int(exponents.min()) - 24)
    if float(np.abs(wide).max()) / unit >= LARGEST_MULTIPLE:
        return None
    lines, peak = _lines(wide)
    whole = [(line / unit).astype(np.int64) for line in lines]
    parts = [line / np.gcd.reduce(line) for line in whole]
    at_peak = prod(float(part[place]) for part, place in zip(parts, peak, strict=True))
    parts[0] = parts[0] * (float(wide[peak]) / at_peak)
    return tuple(part.astype(np.float32) for part in parts)


def _pivot_factors(wide: Float64) -> tuple[Float32, ...]:
    """The lines through the largest element, sharing its size evenly."""
    lines, peak = _lines(wide)
    largest = wide[peak]
    share = np.abs(largest) ** ((wide.ndim - 1) / wide.ndim)
    factors = [line / (share * np.sign(largest)) for line in lines]
    factors[0] = factors[0] * np.sign(largest)
    return tuple(factor.astype(np.float32) for factor in factors)


@record(frozen=True, slots=True)
class Factors:
    """kernel[c, i, j, ...] = taps[0][c, i] * taps[1][c, j] * ..., each (C, k_a) in float32; `exact`
    to the last bit."""

    taps: tuple[Float32, ...]
    exact: bool


def factored(kernels: Float32) -> Factors | None:
    """The factors of kernels (C, k...); None where one is not their product.

    They come from the stored kernels, never from the formula of an interpolation: at factor 12 the
    formula is 2.4 times over the error bound of one rounding per weight, the stored kernel's own
    factors are inside it.
    """
    found: list[tuple[Float32, ...]] = []
    for kernel in kernels:
        part = separate(kernel)
        if part is None:
            return None
        found.append(part)
    if not found:
        return None
    is_exact = all(
        bool((_outer(part) == kernel).all()) for part, kernel in zip(found, kernels, strict=True)
    )
    return Factors(tuple(map(np.stack, zip(*found, strict=True))), is_exact)


@record(frozen=True, slots=True)
class Mixture:
    """weight[i, o, k...] = mixing[i, o] * kernel[k...], float32: channels are mixed, and then each
    is enlarged by the same kernel; `exact`: to the last bit."""

    mixing: Float32
    kernel: Float32
    exact: bool

    @property
    def convolution(self) -> Float32:
        """The weight (C_out, C_in, 1...) of the convolution of one pixel that mixes channels."""
        one = (1,) * self.kernel.ndim
        return pointwise(self.mixing.reshape(*self.mixing.shape, *one), 1)


def mixture(weight: Float32) -> Mixture | None:
    """A dense weight (C_in, C_out, k...) as a mixture; None where its kernels differ by more than a
    factor, as learned ones do. Caffe's filler makes such a weight where a layer has one group."""
    inputs, outputs, *kernel = weight.shape
    if inputs < 2 or prod(kernel) < 2:
        return None
    rows = weight.reshape(inputs * outputs, -1)
    if np.any(rows[0]) and np.any(rows[1]) and separate(rows[:2]) is None:
        return None  # learned: two of them say so
    found = separate(rows)
    if found is None:
        return None
    is_exact = bool((_outer(found) == rows).all())
    return Mixture(found[0].reshape(inputs, outputs), found[1].reshape(kernel), is_exact)


def is_pointwise(op: ConvTranspose) -> bool:
    """Whether each output pixel of a transposed convolution is made of the one at its place."""
    ends = (*op.pads_begin, *op.pads_end, *op.output_padding)
    return {*op.kernel, *op.stride} == {1} and not any(ends) and op.target is None


def pointwise(weight: Float32, groups: int) -> Float32:
    """The weight (C_in, C_out/groups, 1...) of such a layer as that of a convolution, (C_out,
    C_in/groups, 1...)."""
    inputs, per_group, *kernel = weight.shape
    split = weight.reshape(groups, inputs // groups, per_group).transpose(0, 2, 1)
    return split.reshape(groups * per_group, inputs // groups, *kernel)


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


def linear_kernel(factors: Sequence[int]) -> Float64:
    """The kernel (k...) of linear interpolation by these whole factors, in float64.

    >>> linear_kernel((2,))
    array([0.25, 0.75, 0.75, 0.25])
    """
    lines = (bilinear_taps(bilinear_kernel_size(factor)) for factor in factors)
    return reduce(np.multiply.outer, (np.array(taps) / whole for taps, whole in lines))


def interpolates(kernels: AnyFloat, factors: Sequence[int]) -> bool:
    """Whether each of the kernels (C, k...) is that of linear interpolation by these factors, to
    `geometry.BILINEAR_TOLERANCE`."""
    return kernels.shape[1:] == tuple(map(bilinear_kernel_size, factors)) and _close(
        kernels, linear_kernel(factors)
    )


def border_sums(factor: int) -> Float32:
    """What the weights of the first pixels of an interpolated axis sum up to, with zeros outside of
    the image: of the `bilinear_pad` ones that have one source. The last ones are their mirror.

    >>> border_sums(4)
    array([0.625, 0.875], dtype=float32)
    """
    taps, whole = bilinear_taps(bilinear_kernel_size(factor))
    pad = bilinear_pad(factor)
    return (np.array(taps[pad : 2 * pad]) / whole).astype(np.float32)


def border_line(factor: int, out: int) -> Float32:
    """What the weights of each of `out` pixels of an interpolated axis sum up to: (out,), 1 but
    near its ends. `out` is a multiple of the factor.

    >>> border_line(2, 4)
    array([0.75, 1.  , 1.  , 0.75], dtype=float32)
    """
    sums = border_sums(factor)
    inside = np.ones(out - 2 * len(sums), np.float32)
    return np.concatenate([sums, inside, sums[::-1]])


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
