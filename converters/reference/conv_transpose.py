"""Transposed convolution, the fast way: one matrix product per kernel tap, then a strided sum.

`transposed_views` holds three slower, independent derivations of the same numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from converters import operators as ops
from converters.reference.call import MEANINGS, Array, Blocks, Call
from converters.reference.convolution import add_bias
from converters.reference.windows import Windows, at


@MEANINGS.register(ops.ConvTranspose)
def _conv_transpose(op: ops.ConvTranspose, call: Call) -> tuple[Array, ...]:
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
    for offset in windows.offsets():
        pairs = windows.pairs(x.shape[2:], spatial, offset)
        if pairs is None:
            continue
        tap = weight[at(slice(None), slice(None), *offset)].reshape(groups, -1, per_group)
        values = np.matmul(tap.transpose(0, 2, 1), columns)
        values = values.reshape(count, groups, per_group, *x.shape[2:])
        out[at(..., *pairs[1])] += values[at(..., *pairs[0])]
    return out.reshape(count, groups * per_group, *spatial)
