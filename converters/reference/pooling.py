"""Max and average pooling, windows that lie outside of the input included."""

from __future__ import annotations

from math import prod

import numpy as np
from numpy.typing import NDArray

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import ceil_div
from upconv.converters.reference.call import MEANINGS, Array, Operands
from upconv.converters.reference.windows import Windows, at, taps_inside

LOWEST = float(np.finfo(np.float32).min)
"""What the maximum of an empty window is: -FLT_MAX, Caffe's start value."""


@MEANINGS.register(ops.Pool)
def _pool(op: ops.Pool, call: Operands) -> tuple[Array, ...]:
    if op.kind == "average":
        return (_average(op, call),)
    windows = Windows.of(op)
    if len(call.shapes) == 1:
        return (_maximum(windows, call),)
    return _maximum_with_indices(windows, call)


def _maximum(windows: Windows, call: Operands) -> Array:
    view = windows.view(call.x, call.spatial, -np.inf)
    best = np.full(call.shape, -np.inf)
    for offset in windows.offsets():
        np.maximum(best, view[at(slice(None), slice(None), *offset)], out=best)
    return _with_empty(best, windows, call)


def _with_empty(best: Array, windows: Windows, call: Operands) -> Array:
    empty = taps_inside(windows, call.x.shape[2:], call.spatial) == 0
    best[..., empty] = LOWEST
    return best


def _maximum_with_indices(windows: Windows, call: Operands) -> tuple[Array, ...]:
    """The maxima, and where each lies in its (N, C) plane, the first of equals, -1 for none."""
    view = windows.view(call.x, call.spatial, -np.inf)
    best = np.full(call.shape, -np.inf)
    index = np.full(call.shape, -1.0)
    for offset in windows.offsets():
        place, inside = _places(windows, call, offset)
        values = view[at(slice(None), slice(None), *offset)]
        wins = inside & ((values > best) | np.isnan(values) | (index < 0))
        best = np.where(wins, values, best)
        index = np.where(wins, place, index)
    return _with_empty(best, windows, call), index


def _places(
    windows: Windows, call: Operands, offset: ops.Ints
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The flat index in the plane of one tap of every window, and whether it is inside."""
    place = np.zeros((), np.int64)
    inside = np.ones((), np.bool_)
    positions = windows.positions(call.spatial, offset)
    for where, size in zip(positions, call.x.shape[2:], strict=True):
        place = place[..., None] * size + where
        inside = inside[..., None] & (where >= 0) & (where < size)
    return place, inside


def _average(op: ops.Pool, call: Operands) -> Array:
    windows = Windows.of(op)
    view = windows.view(call.x, call.spatial)
    total = np.zeros(call.shape)
    for offset in windows.offsets():
        total += view[at(slice(None), slice(None), *offset)]
    return total / divisors(op, call.x.shape[2:], call.spatial)


def divisors(op: ops.Pool, sizes: ops.Ints, spatial: ops.Ints) -> Array:
    """What each window of an average pooling is divided by; shape `spatial`.

    With count_padding, the window clipped at the end of the padding (Caffe pooling_layer.cpp),
    which is 0 where a window starts exactly there, so that 0/0 is NaN, and infinity here where
    it starts beyond, so that the result is 0. Without, the taps inside of the input, a window
    with none giving 0.
    """
    if not op.count_padding:
        inside = taps_inside(Windows.of(op), sizes, spatial)
        return np.where(inside == 0, np.inf, inside)
    result = np.ones(())
    settings = zip(op.kernel, op.stride, op.dilation, op.pads_begin, op.pads_end, strict=True)
    for (kernel, stride, dilation, begin, end), size, count in zip(
        settings, sizes, spatial, strict=True
    ):
        room = size + end + begin - stride * np.arange(count)
        taps = ceil_div(room, max(dilation, 1))
        clipped = np.minimum(taps, kernel).astype(np.float64)
        result = result[..., None] * np.where(clipped < 0, np.inf, clipped)
    return np.where(np.isnan(result), 0.0, result)


@MEANINGS.register(ops.GlobalPool)
def _global_pool(op: ops.GlobalPool, call: Operands) -> tuple[Array, ...]:
    flat = call.x.reshape(*call.x.shape[:2], prod(call.x.shape[2:]))
    if op.kind == "average":
        return (flat.mean(axis=2).reshape(call.shape),)
    results = (flat.max(axis=2), flat.argmax(axis=2).astype(np.float64))
    return tuple(values.reshape(call.shape) for values in results[: len(call.shapes)])
