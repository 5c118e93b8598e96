"""Unpooling: by stored indices, and by windows alone."""

from __future__ import annotations

from math import prod

import numpy as np

from upconv.converters.ir import operators as ops
from upconv.converters.reference.call import MEANINGS, Array, Operands
from upconv.converters.reference.selection import whole_places
from upconv.converters.reference.windows import Windows, at, taps_inside


@MEANINGS.register(ops.Unpool)
def _unpool(op: ops.Unpool, call: Operands) -> tuple[Array, ...]:
    """Zero everywhere but at the indices into each (N, C) plane; of equal ones the last wins.

    Raises ShapeError where an index is no place of the plane.
    """
    x, indices = call.inputs[:2]
    plane = prod(call.spatial)
    places = whole_places(indices, 0, plane, f"place of a plane of {plane} values")
    planes = prod(x.shape[:2])
    out = np.zeros((planes, plane))
    flat = places.reshape(planes, -1)
    # NumPy assigns repeated places in order, so the last value stays.
    out[np.arange(planes)[:, None], flat] = x.reshape(planes, -1)
    return (out.reshape(call.shape),)


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
