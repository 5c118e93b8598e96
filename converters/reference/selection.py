"""Operators that pick values."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from upconv.converters.ir import operators as ops
from upconv.converters.ir.errors import ShapeError
from upconv.converters.reference.call import MEANINGS, Array, Operands


def whole_places(values: Array, first: int, end: int, what: str) -> NDArray[np.int64]:
    """Values that say places, as integers.

    Raises ShapeError where one is no whole number from `first` to `end` - 1.
    """
    right = (values == np.floor(values)) & (values >= first) & (values < end)
    if not right.all():
        raise ShapeError(f"the index {values[~right][0]:g} is no {what}", "axis")
    return values.astype(np.int64)


@MEANINGS.register(ops.Gather)
def _gather(op: ops.Gather, call: Operands) -> tuple[Array, ...]:
    size = call.x.shape[op.axis]
    if op.indices is None:
        index = whole_places(call.inputs[1], -size, size, f"entry of an axis of {size}")
    else:
        index = np.array(op.indices, np.int64)
    return (call.x.take(index, op.axis),)


@MEANINGS.register(ops.Embedding)
def _embedding(op: ops.Embedding, call: Operands) -> tuple[Array, ...]:
    """Only the rows that are asked for are widened."""
    index = whole_places(call.x, 0, op.entries, f"row of a table of {op.entries}")
    rows, back = np.unique(index, return_inverse=True)
    return (call.weights["table"][rows][back.reshape(index.shape)],)


@MEANINGS.register(ops.Arange)
def _arange(op: ops.Arange, call: Operands) -> tuple[Array, ...]:
    return (op.start + op.step * np.arange(*call.shape, dtype=np.float64),)


@MEANINGS.register(ops.SizeOf)
def _size_of(op: ops.SizeOf, call: Operands) -> tuple[Array, ...]:
    return (np.asarray(call.size(op.size), np.float64),)
