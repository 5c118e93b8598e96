"""Convolution and inner product, in blocks that keep the working memory bounded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from math import prod
from typing import Any

import numpy as np

from upconv.converters.ir import operators as ops
from upconv.converters.reference.call import MEANINGS, Array, Blocks, Operands
from upconv.converters.reference.threads import each, workers
from upconv.converters.reference.windows import Windows, region

SCRATCH = 1 << 21
"""Values in one block of unrolled windows."""

LARGEST_SCRATCH = 1 << 23
"""The same where the weights are larger than that, so that they are not walked for a few windows;
and the values in one block of widened weights."""


@MEANINGS.register(ops.Conv)
def _conv(op: ops.Conv, call: Operands) -> tuple[Array, ...]:
    windows = Windows.of(op)
    weight = call.weights["weight"]
    result = convolve(call.x, weight, windows, call.spatial, op.groups)
    return (add_bias(result, call),)


def add_bias(values: Array, call: Operands) -> Array:
    """values (N, C, spatial...) plus the weight bias (C) where there is one, in place."""
    bias = call.channels("bias")
    if bias is not None:
        values += bias
    return values


def convolve(
    x: Array, weight: Blocks, windows: Windows, spatial: Sequence[int], groups: int = 1
) -> Array:
    """Convolution without a bias, in the precision of the weight.

    x (N, C_in, spatial in...), weight (C_out, C_in/groups, k...), result (N, C_out, spatial
    out...), `spatial` the output's sizes. Windows are unrolled (im2col) block by block and
    multiplied as matrices: y[n, o, i] = sum over c, j of x[n, c, s*i + d*j - p] * w[o, c, j].
    """
    out: Array = np.zeros((x.shape[0], weight.shape[0], *spatial), weight.dtype)
    if not out.size:
        return out
    grouped = x.reshape(x.shape[0], groups, -1, *x.shape[2:])
    flat = out.reshape(x.shape[0], groups, -1, prod(spatial))
    whole = weight[...] if prod(weight.shape) <= LARGEST_SCRATCH else weight
    blocks = list(_blocks(grouped.shape, prod(weight.shape), windows, spatial))
    threads = workers(len(blocks))
    shares = (blocks[first::threads] for first in range(threads))
    each(partial(_fill, grouped, whole, windows, spatial, flat), shares)
    return out


Block = tuple[int, slice, int]


def _blocks(
    shape: Sequence[int], weights: int, windows: Windows, spatial: Sequence[int]
) -> Iterator[Block]:
    """(n, rows of the first spatial axis, channels of each group at a time) of blocks that are
    no larger than the weights or SCRATCH; two at least where there are two rows."""
    count, groups, per_group = shape[:3]
    room = min(max(weights, SCRATCH), max(LARGEST_SCRATCH, SCRATCH))
    row = groups * windows.taps * prod(spatial[1:])
    channels = min(max(room // row, 1), per_group)
    rows = min(max(room // (row * channels), 1), -(-spatial[0] // 2))
    for n in range(count):
        for top in range(0, spatial[0], rows):
            yield n, slice(top, min(top + rows, spatial[0])), channels


def _fill(
    x: Array,
    weight: Blocks,
    windows: Windows,
    spatial: Sequence[int],
    out: Array,
    blocks: Sequence[Block],
) -> None:
    """The rows of these blocks of out (N, groups, C_out/groups, places), one after the other."""
    across = prod(spatial[1:])
    columns = np.empty(0, weight.dtype)  # kept, since fresh memory costs more than filling it
    for n, rows, step in blocks:
        places = out[n, :, :, rows.start * across : rows.stop * across]
        for first in range(0, x.shape[2], step):
            channels = slice(first, first + step)
            view = _windows(x[n, :, channels], windows, rows, spatial, weight.dtype)
            if columns.size < view.size:
                columns = np.empty(view.size, weight.dtype)
            unrolled = columns[: view.size].reshape(view.shape)
            np.copyto(unrolled, view)
            _accumulate(places, weight, channels, unrolled.reshape(len(view), -1, places.shape[2]))


def _windows(
    x: Array, windows: Windows, rows: slice, spatial: Sequence[int], dtype: np.dtype[Any]
) -> Array:
    """x (groups, C, spatial in...) as (groups, C, kernel..., output places of these rows...)."""
    top = windows.stride[0] * rows.start - windows.begin[0]
    height = windows.stride[0] * (rows.stop - rows.start - 1) + windows.extent[0]
    band = region(x, (top, *(0 for _ in spatial[1:])), (height, *x.shape[3:]), dtype=dtype)
    block = Windows(windows.kernel, windows.stride, windows.dilation, (0, *windows.begin[1:]))
    return block.view(band, (rows.stop - rows.start, *spatial[1:]))


def _accumulate(out: Array, weight: Blocks, channels: slice, columns: Array) -> None:
    """Add weight times columns to out (groups, C_out/groups, places), a view."""
    groups, per_group = out.shape[:2]
    step = min(max(LARGEST_SCRATCH // columns.shape[1], 1), per_group)
    for group in range(groups):
        for first in range(0, per_group, step):
            last = min(first + step, per_group)
            matrix = weight[group * per_group + first : group * per_group + last, channels]
            out[group, first:last] += matrix.reshape(last - first, -1) @ columns[group]


@MEANINGS.register(ops.Linear)
def _linear(op: ops.Linear, call: Operands) -> tuple[Array, ...]:
    """y[..., o] = sum over i of x[..., i] * w[o, i] + b[o]; the weight widened in blocks."""
    lead = call.shape[:-1]
    weight = call.weights["weight"]
    features = weight.shape[0] if op.transposed else prod(weight.shape[1:])
    x = call.x.reshape(prod(lead), features)
    out = np.empty((prod(lead), op.out_features))
    step = max(LARGEST_SCRATCH // max(features, 1), 1)

    def fill(first: int) -> None:
        block = slice(first, first + step)
        matrix = weight[:, block] if op.transposed else weight[block].reshape(-1, features).T
        out[:, block] = x @ matrix

    each(fill, range(0, op.out_features, step))
    bias = call.weight("bias")
    if bias is not None:
        out += bias.reshape(-1)
    return (out.reshape(call.shape),)


@MEANINGS.register(ops.MatMul)
def _matmul(op: ops.MatMul, call: Operands) -> tuple[Array, ...]:
    """y[..., m, n] = sum over k of x[..., m, k] * z[..., k, n]."""
    left, right = call.inputs
    return (np.matmul(left, right),)


@MEANINGS.register(ops.Constant)
def _constant(op: ops.Constant, call: Operands) -> tuple[Array, ...]:
    """The stored values."""
    return (call.weights["value"][...],)
