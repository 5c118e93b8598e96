"""How far a float32 sum of products may lie from its exact value: a theorem per element.

Let y = sum of n products x_i * w_i, plus b where there is a bias, and y' its value computed in
float32, products and additions rounded to nearest, in any order and association, with or without
fused multiply-add. Then, with u = 2^-24 and g(m) = m*u / (1 - m*u),

    |y' - y| <= g(n+1) * (sum |x_i||w_i| + |b|) + (n+1) * 2^-149.

Each product carries its own rounding and at most n of the additions (n-1 among products, one of
the bias), so at most n+1 factors (1 + d), |d| <= u, whose product is within 1 +- g(n+1) (Higham,
Accuracy and Stability of Numerical Algorithms, lemma 3.1); the bias carries at most n. A product
that underflows is off by at most 2^-150 more, an addition never is. Where subnormal results are
flushed to zero, each flushed product loses less than 2^-126, and each flushed addition too, but
it uses up two terms: at most n + 1/2 losses, so 2^-126 takes the place of 2^-149.

It holds for finite values without overflow, for stored float32 inputs and weights, on kernels
that compute the sum itself: not for Winograd, FFT, TF32 or bfloat16. The factor 1 + 2^-28 covers
that `exact` and `magnitude` are themselves computed in float64, off by about n * 2^-53. A sum of
magnitudes that is computed in float32 is enlarged by all it may have lost; what its products lose
by underflow, n * 2^-150, weighs g(n+1) of that, far less than the half of the last term which the
n products' own losses leave.

Multiplying by a rounded reciprocal, or dividing once, keeps the count: an average of n values is
n-1 additions and a division, or n products with 1/n, which is rounded once, as a rounded
coefficient of a sum is (n >= 2: n-1 additions, the product and the coefficient's rounding).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from upconv.converters.ir import operators as ops
from upconv.converters.ir.model import Layer
from upconv.converters.ir.registry import OperatorTable
from upconv.converters.reference.call import FLOAT32, FLOAT64, Array, Operands
from upconv.converters.reference.run import Sizes, bind, evaluate_call
from upconv.converters.reference.unpooling import unpool_windows
from upconv.converters.reference.windows import Windows, taps_inside, writes

Counts: TypeAlias = NDArray[np.int64] | int
UNIT_ROUNDOFF = 2.0**-24
LARGEST_COUNT = 1 << 23
"""Beyond it the slack for float64 is used up, and no bound is claimed."""

ROUNDINGS_OF_MAGNITUDES = 6
"""Beside a product and an addition per term: of an input as float32, of the bias, and of the
enlargement, with room to spare."""

LARGEST_LOSS = 2.0**-8
"""The most that a bound may be wider for being computed in float32."""


@dataclass(frozen=True, slots=True)
class SumOfProducts:
    """Of the layer's first output: exact values, sums of magnitudes, and how many products touch
    each element (an int, or an array that broadcasts)."""

    exact: Array
    magnitude: Array
    count: Counts


CountFunction: TypeAlias = Callable[[Any, Operands], Counts | None]
COUNTS: OperatorTable[CountFunction] = OperatorTable("products")


def sum_of_products(
    layer: Layer, inputs: Sequence[Any], sizes: Sizes | None = None, exact: Array | None = None
) -> SumOfProducts | None:
    """The layer as sums of products, None where it is no such sum.

    `exact` spares a second evaluation where the layer's first output is at hand.
    """
    operator = layer.operator
    if type(operator) not in COUNTS:
        return None
    narrow = "weight" in layer.weights
    call = bind(layer, inputs, sizes, magnitude=True, dtype=FLOAT32 if narrow else FLOAT64)
    count = COUNTS[type(operator)](operator, call)
    if count is None:
        return None
    magnitude = enlarged(evaluate_call(layer, _of_magnitudes(operator), call)[0], count, narrow)
    if magnitude is None:
        wide = bind(layer, inputs, sizes, magnitude=True)
        magnitude = evaluate_call(layer, operator, wide)[0]
    if exact is None:
        exact = evaluate_call(layer, operator, bind(layer, inputs, sizes))[0]
    return SumOfProducts(exact, magnitude, count)


def enlarged(magnitude: Array, count: Counts, narrow: bool) -> Array | None:
    """Magnitudes that are `narrow`, computed in float32 for half the time and memory, made larger
    by all they may have lost: no less than the true ones, and more by some 2g(n) of them at most.

    None where they overflowed, or the sums are so long that the bound would suffer.
    """
    if not narrow:
        return magnitude
    lost = (int(np.max(count, initial=0)) + ROUNDINGS_OF_MAGNITUDES) * UNIT_ROUNDOFF
    if lost > LARGEST_LOSS or not np.isfinite(magnitude.sum(dtype=np.float64)):
        return None
    magnitude *= np.nextafter(np.float32(1 / (1 - lost)), np.float32(np.inf))
    return magnitude


def error_bound(exact: Array, magnitude: Array, count: Counts, *, flushed: bool = False) -> Array:
    """The theorem's bound on |computed - exact| per element; see the module.

    `flushed` where the runtime flushes subnormal results to zero. Infinite where there are more
    than LARGEST_COUNT products.

    >>> float(error_bound(np.ones(1), np.ones(1), 1)[0]) < 1.2e-7
    True
    """
    steps = np.asarray(count, np.float64) + 1
    relative = steps * UNIT_ROUNDOFF / (1 - np.minimum(steps * UNIT_ROUNDOFF, 0.5))
    relative = np.where(steps > LARGEST_COUNT, np.inf, relative) * (1 + 2.0**-28)
    smallest = 2.0**-126 if flushed else 2.0**-149
    with np.errstate(invalid="ignore"):
        bound = np.asarray(relative * magnitude)
        bound += steps * smallest
    return np.broadcast_to(bound, exact.shape)


def _of_magnitudes(operator: ops.Operator) -> ops.Operator:
    """The operator that gives the sum of magnitudes when it is run on magnitudes."""
    if isinstance(operator, ops.Eltwise):
        positive = tuple(map(abs, operator.coefficients))
        return replace(operator, kind="sum", coefficients=positive)
    return operator


@COUNTS.register(ops.Conv)
def _conv(op: ops.Conv, call: Operands) -> Counts:
    taps = taps_inside(Windows.of(op), call.x.shape[2:], call.spatial)
    return taps * int(call.x.shape[1] // op.groups)


@COUNTS.register(ops.ConvTranspose)
def _conv_transpose(op: ops.ConvTranspose, call: Operands) -> Counts:
    taps = writes(Windows.of(op), call.x.shape[2:], call.spatial)
    return taps * int(call.x.shape[1] // op.groups)


@COUNTS.register(ops.Linear)
def _linear(op: ops.Linear, call: Operands) -> Counts:
    return prod(call.x.shape[op.axis % call.x.ndim :])


@COUNTS.register(ops.MatMul)
def _matmul(op: ops.MatMul, call: Operands) -> Counts:
    return int(call.x.shape[-1])


@COUNTS.register(ops.Pool)
def _pool(op: ops.Pool, call: Operands) -> Counts | None:
    if op.kind == "max":
        return None
    return taps_inside(Windows.of(op), call.x.shape[2:], call.spatial)


@COUNTS.register(ops.GlobalPool)
def _global_pool(op: ops.GlobalPool, call: Operands) -> Counts | None:
    return None if op.kind == "max" else prod(call.x.shape[2:])


@COUNTS.register(ops.WindowUnpool)
def _window_unpool(op: ops.WindowUnpool, call: Operands) -> Counts:
    return writes(unpool_windows(op), call.x.shape[2:], call.spatial)


@COUNTS.register(ops.Eltwise)
def _eltwise(op: ops.Eltwise, call: Operands) -> Counts | None:
    return len(call.inputs) if op.kind in ("sum", "difference") else None


@COUNTS.register(ops.CumSum)
def _cum_sum(op: ops.CumSum, call: Operands) -> Counts:
    """How many entries each sum has; one too many where it is exclusive."""
    count = np.arange(1, call.x.shape[op.axis] + 1)
    behind = call.x.ndim - 1 - op.axis % call.x.ndim
    return (count[::-1] if op.reverse else count).reshape(-1, *(1,) * behind)


@COUNTS.register(ops.Scale)
def _scale(op: ops.Scale, call: Operands) -> Counts:
    return 1
