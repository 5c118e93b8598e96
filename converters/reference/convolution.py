"""Convolution and inner product, in blocks that keep the working memory bounded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod

import numpy as np

from converters import operators as ops
from converters.reference.call import MEANINGS, Array, Blocks, Call
from converters.reference.windows import Windows

SCRATCH = 1 << 23
"""Float64 values in one block of unrolled windows, and in one of widened weights: 64 MB each."""


@MEANINGS.register(ops.Conv)
def _conv(op: ops.Conv, call: Call) -> tuple[Array, ...]:
    windows = Windows.of(op)
    weight = call.weights["weight"]
    result = convolve(call.x, weight, windows, call.spatial, op.groups)
    return (add_bias(result, call),)


def add_bias(values: Array, call: Call) -> Array:
    """values (N, C, spatial...) plus the weight bias (C) where there is one, in place."""
    bias = call.channels("bias")
    if bias is not None:
        values += bias
    return values


def convolve(
    x: Array, weight: Blocks, windows: Windows, spatial: Sequence[int], groups: int = 1
) -> Array:
    """Convolution without a bias.

    x (N, C_in, spatial in...), weight (C_out, C_in/groups, k...), result (N, C_out, spatial
    out...), `spatial` the output's sizes. Windows are unrolled (im2col) block by block and
    multiplied as matrices: y[n, o, i] = sum over c, j of x[n, c, s*i + d*j - p] * w[o, c, j].
    """
    out = np.zeros((x.shape[0], weight.shape[0], *spatial))
    if not out.size:
        return out
    grouped = x.reshape(x.shape[0], groups, -1, *x.shape[2:])
    flat = out.reshape(x.shape[0], groups, -1, *spatial)
    whole = weight[...] if prod(weight.shape) <= SCRATCH else weight
    for n, rows, channels in _blocks(grouped.shape, windows, spatial):
        columns = _unrolled(grouped[n, :, channels], windows, rows, spatial)
        _accumulate(flat[n][:, :, rows], whole, channels, columns)
    return out


def _blocks(
    shape: Sequence[int], windows: Windows, spatial: Sequence[int]
) -> Iterator[tuple[int, slice, slice]]:
    """(n, rows of the first spatial axis, channels of each group) of blocks within SCRATCH."""
    count, groups, per_group = shape[:3]
    row = groups * windows.taps * prod(spatial[1:])
    channels = min(max(SCRATCH // row, 1), per_group)
    rows = min(max(SCRATCH // (row * channels), 1), spatial[0])
    for n in range(count):
        for top in range(0, spatial[0], rows):
            for first in range(0, per_group, channels):
                yield n, slice(top, min(top + rows, spatial[0])), slice(first, first + channels)


def _unrolled(x: Array, windows: Windows, rows: slice, spatial: Sequence[int]) -> Array:
    """x (groups, C, spatial in...) as (groups, C * taps, output places of these rows)."""
    begin = (windows.begin[0] - windows.stride[0] * rows.start, *windows.begin[1:])
    block = Windows(windows.kernel, windows.stride, windows.dilation, begin)
    view = block.view(x, (rows.stop - rows.start, *spatial[1:]))
    return view.reshape(x.shape[0], x.shape[1] * windows.taps, -1)


def _accumulate(out: Array, weight: Blocks, channels: slice, columns: Array) -> None:
    """Add weight times columns to out (groups, C_out/groups, places...), a view."""
    groups, per_group = out.shape[:2]
    step = min(max(SCRATCH // columns.shape[1], 1), per_group)
    for group in range(groups):
        for first in range(0, per_group, step):
            last = min(first + step, per_group)
            matrix = weight[group * per_group + first : group * per_group + last, channels]
            values = matrix.reshape(last - first, -1) @ columns[group]
            out[group, first:last] += values.reshape(last - first, *out.shape[2:])


@MEANINGS.register(ops.Linear)
def _linear(op: ops.Linear, call: Call) -> tuple[Array, ...]:
    """y[..., o] = sum over i of x[..., i] * w[o, i] + b[o]; the weight widened in blocks."""
    lead = call.shape[:-1]
    weight = call.weights["weight"]
    features = weight.shape[0] if op.transposed else prod(weight.shape[1:])
    x = call.x.reshape(prod(lead), features)
    out = np.empty((prod(lead), op.out_features))
    step = max(SCRATCH // max(features, 1), 1)
    for first in range(0, op.out_features, step):
        block = slice(first, first + step)
        matrix = weight[:, block] if op.transposed else weight[block].reshape(-1, features).T
        out[:, block] = x @ matrix
    bias = call.weight("bias")
    if bias is not None:
        out += bias.reshape(-1)
    return (out.reshape(call.shape),)
