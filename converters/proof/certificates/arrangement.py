"""Operators that move values, and Resize, which mixes them."""

from __future__ import annotations

import numpy as np

from upconv.converters.ir import operators as ops
from upconv.converters.proof.certificates.table import (
    CERTIFICATES,
    EXACT,
    Allowance,
    Array,
    Comparison,
)
from upconv.converters.reference.bounds import UNIT_ROUNDOFF


@CERTIFICATES.register(
    ops.Crop,
    ops.Pad,
    ops.Concat,
    ops.Slice,
    ops.Gather,
    ops.Embedding,
    ops.RoiMaxPool,
    ops.Reshape,
    ops.Flatten,
    ops.Permute,
    ops.ChannelShuffle,
    ops.SpaceToDepth,
    ops.DepthToSpace,
    ops.Tile,
    ops.StridedSlice,
    ops.Expand,
)
def _moves(op: object, one: Comparison) -> Allowance:
    return EXACT


@CERTIFICATES.register(ops.Resize)
def _resize(op: ops.Resize, one: Comparison) -> Allowance:
    taps = 4.0 if op.mode == "cubic" else 1.0
    return EXACT if op.mode == "nearest" else Allowance("tolerance", resize_bound(one.x, taps))


def resize_bound(x: Array, taps: float = 1.0) -> Array:
    """onnxruntime computes coordinates in float32: 4u(|c|+1) times the largest neighbouring
    difference per axis, c the source coordinate (measured on 897,405 values), plus the rounding
    of the weighted sum."""
    steep = max(
        (float(np.abs(np.diff(x, axis=a)).max()) for a in range(2, x.ndim) if x.shape[a] > 1),
        default=0.0,
    )
    reach = sum(size + 1 for size in x.shape[2:])
    spread = 4 * UNIT_ROUNDOFF * reach * steep * taps
    return np.asarray(spread + 16 * taps * UNIT_ROUNDOFF * float(np.abs(x).max(initial=0.0)))
