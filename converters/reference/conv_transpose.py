"""Transposed convolution, the fast way: one matrix product per kernel tap, then a strided sum."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from upconv.converters.ir import operators as ops
from upconv.converters.reference.call import MEANINGS, Array, Blocks, Operands
from upconv.converters.reference.convolution import add_bias
from upconv.converters.reference.threads import each
from upconv.converters.reference.windows import Windows, at

PART = 1 << 18
"""Output values of one thread at a time: the taps add to them again and again."""


@MEANINGS.register(ops.ConvTranspose)
def _conv_transpose(op: ops.ConvTranspose, call: Operands) -> tuple[Array, ...]:
    """pads_end, output_padding and a target only decide the output's size, which is known here."""
    windows = Windows.of(op)
    result = transposed_convolve(call.x, call.weights["weight"], windows, call.spatial, op.groups)
    return (add_bias(result, call),)


def transposed_convolve(
    x: Array, weight: Blocks, windows: Windows, spatial: Sequence[int], groups: int = 1
) -> Array:
    """Transposed convolution without a bias.

    x (N, C_in, spatial in...), weight (C_in, C_out/groups, k...), result (N, C_out, spatial
    out...), `spatial` the output's sizes: y[n, o, s*i + d*j - p] += x[n, c, i] * w[c, o, j],
    where that place is inside.
    """
    count, channels = x.shape[:2]
    per_group = weight.shape[1]
    out = np.zeros((count, groups, per_group, *spatial))
    columns = x.reshape(count, groups, channels // groups, prod(x.shape[2:]))

    def fill(part: slice) -> None:
        for offset in windows.offsets():
            pairs = windows.pairs(x.shape[2:], spatial, offset)
            if pairs is not None:
                tap = weight[at(slice(None), part, *offset)]
                tap = tap.reshape(groups, channels // groups, -1).transpose(0, 2, 1)
                values = np.matmul(tap, columns).reshape(count, groups, -1, *x.shape[2:])
                out[at(slice(None), slice(None), part, *pairs[1])] += values[at(..., *pairs[0])]

    step = max(PART // max(prod(spatial), 1), 1)
    each(fill, (slice(first, first + step) for first in range(0, per_group, step)))
    return out.reshape(count, groups * per_group, *spatial)
