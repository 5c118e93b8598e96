"""Normalizations and softmax: a rounding may be divided by a small deviation."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import numpy as np

from upconv.converters.ir import operators as ops
from upconv.converters.proof.certificates.table import (
    CERTIFICATES,
    SMALLEST_NORMAL,
    Allowance,
    Array,
    Comparison,
    overall,
    positive,
    relative,
    tolerance,
)
from upconv.converters.reference.bounds import LARGEST_COUNT, UNIT_ROUNDOFF, error_bound
from upconv.converters.reference.normalization import lrn_scale

LRN_ROUNDOFFS: Final = 64

SLIDING: Final = 4
"""Roundings at each step of a sum that slides: a product, an addition, a subtraction, the scale."""

Centred: TypeAlias = ops.MeanVarianceNorm | ops.GroupNorm | ops.LayerNorm


@CERTIFICATES.register(ops.Softmax)
def _softmax(op: ops.Softmax, one: Comparison) -> Allowance:
    """exp(x - m) / sum exp(x - m), m the maximum: the rounding of x - m is u |x - m|, which exp
    makes a relative error, of the element as of each term of the sum (weighted by its share); a sum
    of n positive terms adds n u of itself."""
    x, axis = one.x, op.axis % one.x.ndim
    apart = np.abs(x - x.max(axis=axis, keepdims=True))
    share = np.exp(one.exact) if op.log else one.exact
    summed = np.where(share > 0, share * apart, 0.0).sum(axis=axis, keepdims=True) + x.shape[axis]
    plain = 64 * (overall(one) if op.log else relative(one))
    scale = 1.0 if op.log else np.abs(one.exact)
    return tolerance(1, plain + scale * np.where(share > 0, apart + summed, summed))


@CERTIFICATES.register(ops.L2Normalize)
def _l2_normalize(op: ops.L2Normalize, one: Comparison) -> Allowance:
    return tolerance(64, relative(one))


@CERTIFICATES.register(ops.BatchNorm)
def _batch_norm(op: ops.BatchNorm, one: Comparison) -> Allowance:
    """(|x| + |mean|) * |scale| / std + |bias| per element, which cancellation cannot shrink. What
    x - mean, its product and the sum lose by underflow adds up, the first times the gain, as does
    what a gain that is subnormal itself loses."""
    values = {n: np.abs(w.array()).astype(np.float64) for n, w in one.layer.weights.items()}
    gain = values.get("scale", np.float64(1)) / np.sqrt(values["variance"] + op.epsilon)
    shape = (1, -1) + (1,) * (one.x.ndim - 2)

    def per_channel(value: Any) -> Array:
        return np.broadcast_to(value, values["variance"].shape).reshape(shape)

    bias = per_channel(values.get("bias", np.float64(0)))
    gains, apart = per_channel(gain), np.abs(one.x) + per_channel(values["mean"])
    lost = (1 + gains) * SMALLEST_NORMAL + apart * np.minimum(gains, SMALLEST_NORMAL)
    return tolerance(1, 16 * (apart * gains + bias) + lost / UNIT_ROUNDOFF)


@CERTIFICATES.register(ops.Lrn)
def _lrn(op: ops.Lrn, one: Comparison) -> Allowance:
    """onnxruntime slides its sum of squares along the channels, adds the next and takes the last
    away: what a large value has cost stays behind it. What is rounded on the way comes to n times
    the squares of a pixel's channels, and k once for every channel."""
    plain = relative(one)
    if op.region == "within":
        return tolerance(LRN_ROUNDOFFS, plain)
    x = one.x
    slid = abs(op.alpha) * np.square(x).sum(axis=1, keepdims=True) + abs(op.k) * x.shape[1]
    slope = abs(op.beta) / positive(np.abs(lrn_scale(op, x)))
    behind = np.abs(one.exact) * slope * slid * (SLIDING / LRN_ROUNDOFFS)
    return tolerance(LRN_ROUNDOFFS, plain + behind)


@CERTIFICATES.register(ops.MeanVarianceNorm, ops.GroupNorm, ops.LayerNorm)
def _normalized(op: Centred, one: Comparison) -> Allowance:
    """The mean's rounding, relative to the largest value it is taken over, is divided by the same
    deviation as the values: a large offset costs digits, group by group. What the sums of n terms
    cost besides is the theorem's (`_summed`)."""
    values, axes = _normalized_over(op, one.x)
    deviation = _deviation(op, values, axes)
    peak = np.abs(values).max(axis=axes, keepdims=True)
    ratio = np.broadcast_to(peak / deviation, values.shape).reshape(one.exact.shape)
    stored = {name: float(np.abs(w.array()).max()) for name, w in one.layer.weights.items()}
    size: Array = ratio * stored.get("scale", 1.0) + np.abs(one.exact)
    plain = tolerance(256, size + stored.get("bias", 0.0))
    summed = _summed(op, values, axes, deviation).reshape(one.exact.shape)
    return Allowance(plain.kind, plain.bound + summed * stored.get("scale", 1.0))


def _summed(op: Centred, values: Array, axes: tuple[int, ...], deviation: Array) -> Array:
    """What rounding in the sums behind a mean and a variance makes of (x - mean) / deviation.

    Summed in any order, a mean of n terms is off by g(n) mean|x| at most, and one of squares by
    g(n) of itself. A variance is taken of what is left of the mean, or where LayerNorm's one pass
    subtracts the mean's square from the mean of squares, of x itself; the deviation moves by
    half of it, relative to the variance.
    """
    n = int(np.prod([values.shape[axis] for axis in axes]))
    mean = values.mean(axis=axes, keepdims=True)
    off = _mean_error(np.abs(values).mean(axis=axes, keepdims=True), n)
    centred = values - mean
    variance = np.square(centred).mean(axis=axes, keepdims=True)
    one_pass = isinstance(op, ops.LayerNorm)
    squares = variance + (2 * np.square(mean) if one_pass else np.square(off))
    varied = _mean_error(squares, n) + np.square(off)
    varied += 2 * np.abs(mean) * off if one_pass else 0.0
    slope = np.abs(centred) / deviation * (varied / (2 * np.square(deviation)))
    if isinstance(op, ops.MeanVarianceNorm) and not op.normalize_variance:
        slope = np.zeros_like(centred)
    return np.asarray(off / deviation + slope)


def _mean_error(magnitude: Array, n: int) -> Array:
    """The theorem's bound on a mean of n terms: one more rounding is the division's. More terms
    than it counts are summed in blocks by any runtime, whose sums they are then."""
    return error_bound(np.zeros_like(magnitude), magnitude, min(n + 1, LARGEST_COUNT - 1))


def _normalized_over(op: Centred, x: Array) -> tuple[Array, tuple[int, ...]]:
    """The values and the axes along which they share a mean."""
    match op:
        case ops.MeanVarianceNorm(across_channels=across):
            return x, tuple(range(1 if across else 2, x.ndim))
        case ops.GroupNorm(groups=groups):
            return x.reshape(len(x), groups, -1), (2,)
    first = op.axis % x.ndim
    return x, tuple(range(first, x.ndim if op.num_axes == -1 else first + op.num_axes))


def _deviation(op: Centred, values: Array, axes: tuple[int, ...]) -> Array:
    """What the centred values are divided by, never 0."""
    if isinstance(op, ops.MeanVarianceNorm):
        deviation = np.std(values, axis=axes, keepdims=True) + op.epsilon
        return positive(deviation if op.normalize_variance else np.ones_like(deviation))
    return positive(np.sqrt(np.var(values, axis=axes, keepdims=True) + op.epsilon))
