"""Operators whose output elements depend on the input elements of the same index."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from math import erf, log, pi, sqrt
from typing import Any

import numpy as np

from upconv.converters.ir import operators as ops
from upconv.converters.reference.call import MEANINGS, Array, Operands


@MEANINGS.register(ops.Identity)
def _identity(op: ops.Identity, call: Operands) -> tuple[Array, ...]:
    return (call.x,) * len(call.shapes)


@MEANINGS.register(ops.Relu)
def _relu(op: ops.Relu, call: Operands) -> tuple[Array, ...]:
    positive = np.maximum(call.x, 0)
    return (positive + op.slope * np.minimum(call.x, 0) if op.slope else positive,)


@MEANINGS.register(ops.PRelu)
def _prelu(op: ops.PRelu, call: Operands) -> tuple[Array, ...]:
    slope = call.per_channel("slope") if call.x.ndim > 1 else call.weights["slope"][...]
    return (np.maximum(call.x, 0) + slope * np.minimum(call.x, 0),)


@MEANINGS.register(ops.Elu)
def _elu(op: ops.Elu, call: Operands) -> tuple[Array, ...]:
    return (np.maximum(call.x, 0) + op.alpha * np.expm1(np.minimum(call.x, 0)),)


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)), without overflow.

    >>> sigmoid(np.array([-1000.0, 0.0, 1000.0]))
    array([0. , 0.5, 1. ])
    """
    small = np.exp(-np.abs(x))
    result: Array = np.where(x >= 0, 1, small) / (1 + small)
    return result


@MEANINGS.register(ops.Sigmoid)
def _sigmoid(op: ops.Sigmoid, call: Operands) -> tuple[Array, ...]:
    return (sigmoid(call.x),)


@MEANINGS.register(ops.Tanh)
def _tanh(op: ops.Tanh, call: Operands) -> tuple[Array, ...]:
    return (np.tanh(call.x),)


@MEANINGS.register(ops.Swish)
def _swish(op: ops.Swish, call: Operands) -> tuple[Array, ...]:
    return (call.x * sigmoid(op.beta * call.x),)


@MEANINGS.register(ops.Gelu)
def _gelu(op: ops.Gelu, call: Operands) -> tuple[Array, ...]:
    x = call.x
    cubic = sqrt(2 / pi) * (x + 0.044715 * x**3)
    gate = np.tanh(cubic) if op.tanh else _erf(x / sqrt(2))
    return (0.5 * x * (1 + gate),)


def _erf(x: Array) -> Array:
    return np.asarray(np.frompyfunc(erf, 1, 1)(x), np.float64)


@MEANINGS.register(ops.Erf)
def _error_function(op: ops.Erf, call: Operands) -> tuple[Array, ...]:
    return (_erf(call.x),)


_FUNCTIONS: dict[type, Callable[[Array], Array]] = {
    ops.Sin: np.sin,
    ops.Cos: np.cos,
    ops.Round: np.rint,
    ops.Floor: np.floor,
    ops.Ceil: np.ceil,
    ops.Sign: np.sign,
}


@MEANINGS.register(*_FUNCTIONS)
def _numpy_function(op: object, call: Operands) -> tuple[Array, ...]:
    return (_FUNCTIONS[type(op)](call.x),)


@MEANINGS.register(ops.Power)
def _power(op: ops.Power, call: Operands) -> tuple[Array, ...]:
    base = op.shift + op.scale * call.x
    return (base if op.power == 1 else base**op.power,)


@MEANINGS.register(ops.Exp)
def _exp(op: ops.Exp, call: Operands) -> tuple[Array, ...]:
    exponent = op.shift + op.scale * call.x
    return (np.exp(exponent) if op.base is None else np.power(op.base, exponent),)


@MEANINGS.register(ops.Log)
def _log(op: ops.Log, call: Operands) -> tuple[Array, ...]:
    natural = np.log(op.shift + op.scale * call.x)
    return (natural if op.base is None else natural / log(op.base),)


@MEANINGS.register(ops.Abs)
def _abs(op: ops.Abs, call: Operands) -> tuple[Array, ...]:
    return (np.abs(call.x),)


@MEANINGS.register(ops.Softplus)
def _softplus(op: ops.Softplus, call: Operands) -> tuple[Array, ...]:
    return (np.maximum(call.x, 0) + np.log1p(np.exp(-np.abs(call.x))),)


def _narrow(number: float) -> Array:
    """The float32 number that this one is stored as."""
    return np.asarray(np.asarray(number, np.float32), np.float64)


_RELATIONS: dict[str, Callable[[Array, Array], Any]] = {
    "less": np.less,
    "less_equal": np.less_equal,
    "greater": np.greater,
    "greater_equal": np.greater_equal,
    "equal": np.equal,
    "not_equal": np.not_equal,
}


@MEANINGS.register(ops.Compare)
def _compare(op: ops.Compare, call: Operands) -> tuple[Array, ...]:
    other = call.inputs[1] if op.other is None else _narrow(op.other)
    return (np.asarray(_RELATIONS[op.kind](call.x, other), np.float64),)


@MEANINGS.register(ops.Where)
def _where(op: ops.Where, call: Operands) -> tuple[Array, ...]:
    values = iter(call.inputs[1:])
    then, otherwise = (
        next(values) if number is None else _narrow(number) for number in (op.then, op.otherwise)
    )
    return (np.where(call.x != 0, then, otherwise),)


@MEANINGS.register(ops.Clip)
def _clip(op: ops.Clip, call: Operands) -> tuple[Array, ...]:
    return (np.clip(call.x, op.low, op.high),)


@MEANINGS.register(ops.Scale)
def _scale(op: ops.Scale, call: Operands) -> tuple[Array, ...]:
    """x * scale + bias, either of them absent, a weight, or the second input."""
    factors = {name: call.weight(name) for name in ("scale", "bias")}
    if op.operand != "none":
        factors[op.operand] = call.inputs[1]
    result = call.x
    if (scale := factors["scale"]) is not None:
        result = result * _along(scale, op.axis, call.x.ndim)
    if (bias := factors["bias"]) is not None:
        result = result + _along(bias, op.axis, call.x.ndim)
    return (result,)


def _along(values: Array, axis: int, rank: int) -> Array:
    """values shaped to broadcast along the axes axis, axis+1, ... of a tensor of this rank."""
    first = axis % rank if values.ndim else rank
    return values.reshape((*values.shape, *(1,) * (rank - first - values.ndim)))


_ELTWISE: dict[str, Callable[[Array, Array], Array]] = {
    "sum": np.add,
    "product": np.multiply,
    "max": np.maximum,
    "min": np.minimum,
    "difference": np.subtract,
    "quotient": np.divide,
    "power": np.power,
    "floor_mod": np.mod,
    "trunc_mod": np.fmod,
}


@MEANINGS.register(ops.Eltwise)
def _eltwise(op: ops.Eltwise, call: Operands) -> tuple[Array, ...]:
    """The inputs joined from left to right; coefficients belong to sums."""
    operands = list(call.inputs)
    if op.coefficients:
        operands = [c * x for c, x in zip(op.coefficients, operands, strict=True)]
    return (reduce(_ELTWISE[op.kind], operands),)
