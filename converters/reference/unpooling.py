"""Unpooling: by stored indices, and by windows alone."""

from __future__ import annotations

from math import prod

import numpy as np

from upconv.converters.ir import operators as ops
from upconv.converters.ir.errors import ShapeError
from upconv.converters.reference.call import MEANINGS, Array, Operands
from upconv.converters.reference.windows import Windows, at, taps_inside


@MEANINGS.register(ops.Unpool)
def _unpool(op: ops.Unpool, call: Operands) -> tuple[Array, ...]:
    """Zero everywhere but at the indices into each (N, C) plane; of equal ones the last wins.

    Raises ShapeError where an index is no place of the plane.
    """
    x, indices = call.inputs[:2]
    plane = prod(call.spatial)
    _require_places(indices, plane)
    planes = prod(x.shape[:2])
    out = np.zeros((planes, plane))
    flat = indices.reshape(planes, -1).astype(np.int64)
    # NumPy assigns repeated places in order, so the last value stays.
    out[np.arange(planes)[:, None], flat] = x.reshape(planes, -1)
    return (out.reshape(call.shape),)


def _require_places(indices: Array, plane: int) -> None:
    wrong = (indices < 0) | (indices >= plane) | (indices != np.floor(indices))
    if wrong.any():
        value = indices[wrong][0]
        reason = f"the unpooling index {value:g} is no place of a plane of {plane} values"
        raise ShapeError(reason, "axis")


@MEANINGS.register(ops.WindowUnpool)
def _window_unpool(op: ops.WindowUnpool, call: Operands) -> tuple[Array, ...]:
    windows = unpool_windows(op)
    inner, outer = call.x.shape[2:], call.spatial
    values = call.x
    if op.kind == "average":
        cells = taps_inside(windows, outer, inner)
        values = values / np.where(cells == 0, 1, cells)
    out = np.zeros(call.shape)
    for offset in windows.offsets():
        pairs = windows.pairs(inner, outer, offset)
        if pairs is not None:
            out[at(..., *pairs[1])] += values[at(..., *pairs[0])]
    return (out,)


def unpool_windows(op: ops.WindowUnpool) -> Windows:
    """The cells each input fills: its window, or the window's first cell alone."""
    ones = (1,) * len(op.kernel)
    kernel = ones if op.kind == "corner" else op.kernel
    return Windows(kernel, op.stride, ones, op.pads_begin)
