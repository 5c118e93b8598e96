"""Operators on single elements, and merges: exact, or as many roundoffs as are stated here."""

from __future__ import annotations

import numpy as np

from upconv.converters.ir import operators as ops
from upconv.converters.proof.certificates.table import (
    CERTIFICATES,
    EXACT,
    Allowance,
    Array,
    Comparison,
    overall,
    positive,
    products,
    relative,
    tolerance,
)
from upconv.converters.reference.bounds import UNIT_ROUNDOFF

CERTIFICATES.register(ops.Scale)(products)


@CERTIFICATES.register(
    ops.Identity,
    ops.Abs,
    ops.Compare,
    ops.Where,
    ops.Round,
    ops.Floor,
    ops.Ceil,
    ops.Sign,
)
def _exact(op: object, one: Comparison) -> Allowance:
    return EXACT


@CERTIFICATES.register(ops.Eltwise)
def _eltwise(op: ops.Eltwise, one: Comparison) -> Allowance:
    match op.kind:
        case "max" | "min":
            return EXACT
        case "sum" | "difference":
            return products(op, one)
        case "trunc_mod":
            return EXACT
        case "power":
            return tolerance(16, np.abs(one.exact))
    return tolerance(4, np.abs(one.exact) * len(one.inputs))


@CERTIFICATES.register(ops.Relu)
def _relu(op: ops.Relu, one: Comparison) -> Allowance:
    return EXACT if op.slope == 0 else tolerance(2, relative(one))


@CERTIFICATES.register(ops.PRelu, ops.Clip)
def _one_product(op: object, one: Comparison) -> Allowance:
    return tolerance(2, relative(one))


@CERTIFICATES.register(ops.Sigmoid, ops.Tanh, ops.Erf)
def _saturating(op: object, one: Comparison) -> Allowance:
    """onnxruntime approximates the logistic function and tanh to within roundoffs of 1."""
    return tolerance(16, np.ones(one.exact.shape))


@CERTIFICATES.register(ops.Sin, ops.Cos)
def _periodic(op: object, one: Comparison) -> Allowance:
    """onnxruntime reduces arguments of any size without loss."""
    return tolerance(4, np.ones(one.exact.shape))


@CERTIFICATES.register(ops.Elu)
def _elu(op: ops.Elu, one: Comparison) -> Allowance:
    """alpha * (exp(x) - 1) cancels near zero: exp(x) itself is rounded."""
    return tolerance(16, np.abs(one.exact) + np.where(one.x < 0, abs(op.alpha), 0.0))


@CERTIFICATES.register(ops.Softplus)
def _softplus(op: ops.Softplus, one: Comparison) -> Allowance:
    return tolerance(16, overall(one))


@CERTIFICATES.register(ops.Gelu)
def _gelu(op: ops.Gelu, one: Comparison) -> Allowance:
    return tolerance(32, overall(one))


@CERTIFICATES.register(ops.Swish)
def _swish(op: ops.Swish, one: Comparison) -> Allowance:
    """x times a logistic function that is right to within roundoffs of 1."""
    return tolerance(32, np.abs(one.x))


# f(shift + scale*x): the argument's own rounding passes through f's slope.


@CERTIFICATES.register(ops.Exp)
def _exp(op: ops.Exp, one: Comparison) -> Allowance:
    slope = 1 + _argument(op, one.x) * abs(np.log(op.base or np.e))
    return tolerance(64, np.abs(one.exact) * slope)


@CERTIFICATES.register(ops.Log)
def _log(op: ops.Log, one: Comparison) -> Allowance:
    inner = positive(np.abs(op.scale * one.x + op.shift))
    return tolerance(64, np.abs(one.exact) + _argument(op, one.x) / inner)


@CERTIFICATES.register(ops.Power)
def _power(op: ops.Power, one: Comparison) -> Allowance:
    """A root is steep without end at 0, but |a**p - b**p| <= |a - b|**p where 0 < p < 1."""
    base = np.abs(op.scale * one.x + op.shift)
    size = _argument(op, one.x)
    slope = abs(op.power) * np.where(op.power == 1, 1.0, base ** (op.power - 1))
    if not 0 < op.power < 1:
        return tolerance(64, np.abs(one.exact) + slope * size)
    moved = 64 * UNIT_ROUNDOFF * size
    steep = np.fmin(slope * moved, moved**op.power)
    return Allowance("tolerance", tolerance(64, np.abs(one.exact)).bound + steep)


def _argument(op: ops.Exp | ops.Log | ops.Power, x: Array) -> Array:
    """The size of shift + scale*x, which cancellation cannot shrink."""
    size: Array = np.abs(op.scale * x) + abs(op.shift)
    return size
