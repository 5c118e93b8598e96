"""Matrix products, reductions, constants and indices."""

from __future__ import annotations

from math import prod

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

CERTIFICATES.register(ops.Linear, ops.MatMul)(products)


@CERTIFICATES.register(ops.Constant, ops.ArgMax)
def _exact(op: object, one: Comparison) -> Allowance:
    return EXACT


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
