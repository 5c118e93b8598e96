"""Pooling of regions that another input names."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

from upconv.converters.ir import operators as ops
from upconv.converters.reference.call import MEANINGS, Array, Operands
from upconv.converters.reference.selection import whole_places

Edges = list[tuple[int, int]]


@MEANINGS.register(ops.RoiMaxPool)
def _roi_max_pool(op: ops.RoiMaxPool, call: Operands) -> tuple[Array, ...]:
    """Raises ShapeError where a region is of no image of x."""
    x, regions = call.inputs[:2]
    images = whole_places(regions[:, 0], 0, len(x), f"image of {len(x)}")
    out = np.zeros(call.shape)
    corners = _rounded(np.float32(op.scale) * regions[:, 1:].astype(np.float32))
    for at, (image, (left, top, right, bottom)) in enumerate(zip(images, corners, strict=True)):
        rows = _edges(top, bottom, op.size[0], x.shape[2])
        columns = _edges(left, right, op.size[1], x.shape[3])
        for (i, (up, down)), (j, (begin, end)) in product(enumerate(rows), enumerate(columns)):
            if up < down and begin < end:
                out[at, :, i, j] = x[image, :, up:down, begin:end].max(axis=(1, 2))
    return (out,)


def _rounded(values: NDArray[np.float32]) -> NDArray[np.int64]:
    """Half away from zero, of float32 values, in float64, where adding a half is exact."""
    wide = values.astype(np.float64)
    return (np.sign(wide) * np.floor(np.abs(wide) + 0.5)).astype(np.int64)


def _edges(first: int, last: int, cells: int, size: int) -> Edges:
    """Where each cell of a side begins and ends, inside an axis of `size`."""
    step = np.float32(max(last - first + 1, 1)) / np.float32(cells)
    counts = np.arange(cells + 1).astype(np.float32)
    begins = np.floor(counts[:-1] * step).astype(np.int64) + first
    ends = np.ceil(counts[1:] * step).astype(np.int64) + first
    pairs = zip(begins.clip(0, size).tolist(), ends.clip(0, size).tolist(), strict=True)
    return list(pairs)
