"""Operators that choose among values or sum them up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from upconv.converters.ir import operators as ops
from upconv.converters.reference.call import MEANINGS, Array, Operands


@MEANINGS.register(ops.ArgMax)
def _arg_max(op: ops.ArgMax, call: Operands) -> tuple[Array, ...]:
    """The top_k entries, largest first."""
    if op.axis is not None:
        index, value = _top(call.x, op.axis, op)
        return (value if op.output == "values" else index,)
    flat = call.x.reshape(call.x.shape[0], -1)
    index, value = _top(flat, 1, op)
    chosen = {"indices": [index], "values": [value], "both": [index, value]}[op.output]
    return (np.stack(chosen, axis=1).reshape(call.shape),)


def _top(x: Array, axis: int, op: ops.ArgMax) -> tuple[Array, Array]:
    """(indices, values) of the largest along the axis. The last of equals comes first in Caffe,
    since it sorts (value, index) pairs in descending order (argmax_layer.cpp)."""
    count = np.arange(min(op.top_k, x.shape[axis]))
    if op.ties == "first":
        index = np.argsort(-x, axis=axis, kind="stable").take(count, axis)
    else:
        index = np.flip(np.argsort(x, axis=axis, kind="stable"), axis).take(count, axis)
    return index.astype(np.float64), np.take_along_axis(x, index, axis)


_REDUCTIONS: dict[str, Callable[..., Any]] = {
    "sum": np.sum,
    "mean": np.mean,
    "abs_sum": lambda x, axis: np.abs(x).sum(axis=axis),
    "square_sum": lambda x, axis: np.square(x).sum(axis=axis),
    "max": np.max,
    "min": np.min,
}


@MEANINGS.register(ops.Reduce)
def _reduce(op: ops.Reduce, call: Operands) -> tuple[Array, ...]:
    axes = tuple(range(op.axis % call.x.ndim, call.x.ndim))
    total = _REDUCTIONS[op.kind](call.x, axis=axes)
    return (np.asarray(op.coefficient * total, np.float64),)


@MEANINGS.register(ops.CumSum)
def _cum_sum(op: ops.CumSum, call: Operands) -> tuple[Array, ...]:
    x = np.flip(call.x, op.axis) if op.reverse else call.x
    total = np.cumsum(x, op.axis)
    if op.exclusive:
        total = np.roll(total, 1, op.axis)
        total[(slice(None),) * (op.axis % x.ndim) + (slice(0, 1),)] = 0.0
    return (np.flip(total, op.axis) if op.reverse else total,)
