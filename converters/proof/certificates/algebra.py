"""Matrix products, reductions, constants and indices."""

from __future__ import annotations

from math import prod
from typing import Final

import numpy as np

from upconv.converters.ir import operators as ops
from upconv.converters.proof.certificates.table import (
    CERTIFICATES,
    EXACT,
    Allowance,
    Array,
    Comparison,
    products,
    relative,
    tolerance,
)
from upconv.converters.reference.bounds import error_bound

CERTIFICATES.register(ops.Linear, ops.MatMul, ops.CumSum)(products)


@CERTIFICATES.register(ops.Constant, ops.ArgMax)
def _exact(op: object, one: Comparison) -> Allowance:
    return EXACT


LARGEST_WHOLE: Final = 1 << 24
"""Up to it float32 has every whole number."""


@CERTIFICATES.register(ops.Arange)
def _arange(op: ops.Arange, one: Comparison) -> Allowance:
    """Whole numbers are counted; else the step, its product and the sum are rounded."""
    if op.start % 1 == op.step % 1 == 0 and np.abs(one.exact).max(initial=0.0) <= LARGEST_WHOLE:
        return EXACT
    return tolerance(4, abs(op.start) + np.abs(one.exact - op.start))


@CERTIFICATES.register(ops.SizeOf)
def _size_of(op: ops.SizeOf, one: Comparison) -> Allowance:
    return EXACT if one.exact <= LARGEST_WHOLE else tolerance(1, one.exact)


@CERTIFICATES.register(ops.Reduce)
def _reduce(op: ops.Reduce, one: Comparison) -> Allowance:
    if op.kind not in ("max", "min"):
        return Allowance("bound", _reduction_bound(op, one.x, one.exact))
    return EXACT if op.coefficient == 1 else tolerance(4, relative(one))


def _reduction_bound(op: ops.Reduce, x: Array, exact: Array) -> Array:
    """The theorem for n terms (squares are products), with three more roundings: of a mean's
    division, of the coefficient as float32, and of the product with it."""
    axes = tuple(range(op.axis % x.ndim, x.ndim))
    count = prod(x.shape[axis] for axis in axes)
    terms = np.square(x) if op.kind == "square_sum" else np.abs(x)
    gain = abs(op.coefficient) / (count if op.kind == "mean" else 1)
    return error_bound(exact, np.sum(terms, axis=axes) * gain, count + 3)
