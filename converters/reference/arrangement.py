"""Operators that move values and compute nothing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from upconv.converters.ir import operators as ops
from upconv.converters.reference.call import MEANINGS, Array, Operands
from upconv.converters.reference.windows import region


@MEANINGS.register(ops.Crop)
def _crop(op: ops.Crop, call: Operands) -> tuple[Array, ...]:
    """A copy, so that the whole input can be freed."""
    axis = op.axis % call.x.ndim
    starts = map(call.size, op.offsets)
    box = (slice(a, a + n) for a, n in zip(starts, call.shape[axis:], strict=False))
    return (call.x[(slice(None),) * axis + tuple(box)].copy(),)


@MEANINGS.register(ops.Pad)
def _pad(op: ops.Pad, call: Operands) -> tuple[Array, ...]:
    """Negative amounts crop, before the other modes look at the edges."""
    pairs = list(zip(map(call.size, op.begin), map(call.size, op.end), strict=True))
    if op.mode == "constant":
        return (region(call.x, [-begin for begin, _ in pairs], call.shape, op.value),)
    crops = zip(pairs, call.x.shape, strict=True)
    kept = call.x[tuple(slice(max(-b, 0), size + min(e, 0)) for (b, e), size in crops)]
    amounts = [(max(b, 0), max(e, 0)) for b, e in pairs]
    return (np.pad(kept, amounts, mode=op.mode),)


@MEANINGS.register(ops.Concat)
def _concat(op: ops.Concat, call: Operands) -> tuple[Array, ...]:
    return (np.concatenate(call.inputs, axis=op.axis),)


@MEANINGS.register(ops.Slice)
def _slice(op: ops.Slice, call: Operands) -> tuple[Array, ...]:
    ends = np.cumsum([shape[op.axis] for shape in call.shapes])
    return tuple(np.split(call.x, ends[:-1], axis=op.axis))


@MEANINGS.register(ops.StridedSlice)
def _strided(op: ops.StridedSlice, call: Operands) -> tuple[Array, ...]:
    index = call.size(op.start) + op.step * np.arange(call.size(op.size))
    return (call.x.take(index, op.axis),)


@MEANINGS.register(ops.Expand)
def _expand(op: ops.Expand, call: Operands) -> tuple[Array, ...]:
    return (np.broadcast_to(call.x, call.shape),)


@MEANINGS.register(ops.Tile)
def _tile(op: ops.Tile, call: Operands) -> tuple[Array, ...]:
    return (np.concatenate([call.x] * call.size(op.tiles), axis=op.axis),)


@MEANINGS.register(ops.Reshape, ops.Flatten)
def _reshape(op: ops.Reshape | ops.Flatten, call: Operands) -> tuple[Array, ...]:
    return (call.x.reshape(call.shape),)


@MEANINGS.register(ops.Permute)
def _permute(op: ops.Permute, call: Operands) -> tuple[Array, ...]:
    return (call.x.transpose(op.order),)


@MEANINGS.register(ops.ChannelShuffle)
def _channel_shuffle(op: ops.ChannelShuffle, call: Operands) -> tuple[Array, ...]:
    n, c, *spatial = call.x.shape
    grouped = call.x.reshape(n, op.groups, c // op.groups, *spatial)
    return (grouped.swapaxes(1, 2).reshape(call.shape),)


@MEANINGS.register(ops.SpaceToDepth)
def _space_to_depth(op: ops.SpaceToDepth, call: Operands) -> tuple[Array, ...]:
    return (_TO_DEPTH[op.mode](call.x, op.block),)


@MEANINGS.register(ops.DepthToSpace)
def _depth_to_space(op: ops.DepthToSpace, call: Operands) -> tuple[Array, ...]:
    return (_TO_SPACE[op.mode](call.x, op.block),)


def _blocks_first(x: Array, block: int) -> Array:
    """(N, C, H, W) to (N, y, x, C, H/b, W/b), for any number of spatial axes."""
    n, c, *spatial = x.shape
    axes = len(spatial)
    split = [part for size in spatial for part in (size // block, block)]
    cells, places = range(3, 3 + 2 * axes, 2), range(2, 2 + 2 * axes, 2)
    return x.reshape(n, c, *split).transpose(0, *cells, 1, *places)


def _blocks_back(x: Array, axes: int) -> Array:
    """The inverse of `_blocks_first`, from (N, y, x, C, H, W)."""
    n, *rest = x.shape
    block, (c, *spatial) = rest[0], rest[axes:]
    pairs = [axis for i in range(axes) for axis in (axes + 2 + i, 1 + i)]
    return x.transpose(0, axes + 1, *pairs).reshape(n, c, *(size * block for size in spatial))


def _to_depth_dcr(x: Array, block: int) -> Array:
    moved = _blocks_first(x, block)
    axes = x.ndim - 2
    return moved.reshape(x.shape[0], -1, *moved.shape[axes + 2 :])


def _to_depth_crd(x: Array, block: int) -> Array:
    axes = x.ndim - 2
    moved = np.moveaxis(_blocks_first(x, block), axes + 1, 1)
    return moved.reshape(x.shape[0], -1, *moved.shape[axes + 2 :])


def _to_space_dcr(x: Array, block: int) -> Array:
    n, c, *spatial = x.shape
    axes = len(spatial)
    return _blocks_back(x.reshape(n, *(block,) * axes, c // block**axes, *spatial), axes)


def _to_space_crd(x: Array, block: int) -> Array:
    n, c, *spatial = x.shape
    axes = len(spatial)
    split = x.reshape(n, c // block**axes, *(block,) * axes, *spatial)
    return _blocks_back(np.moveaxis(split, 1, axes + 1), axes)


def _to_depth_darknet(x: Array, block: int) -> Array:
    """YOLO's reorg (darknet blas.c, reorg_cpu with forward 0): the memory of x read as
    (C/b^2, H*b, W*b), taken to depth, and its memory read as (C*b^2, H/b, W/b)."""
    n, c, *spatial = x.shape
    cells = block ** len(spatial)
    enlarged = x.reshape(n, c // cells, *(size * block for size in spatial))
    return _to_depth_dcr(enlarged, block).reshape(n, c * cells, *(s // block for s in spatial))


def _to_space_darknet(x: Array, block: int) -> Array:
    """The inverse of `_to_depth_darknet`."""
    n, c, *spatial = x.shape
    inner = c // block ** len(spatial)
    reduced = x.reshape(n, inner, *(size * block for size in spatial))
    return _to_space_dcr(reduced, block).reshape(n, inner, *(s * block for s in spatial))


_Move = Callable[[Array, int], Array]
_TO_DEPTH: dict[str, _Move] = {
    "DCR": _to_depth_dcr,
    "CRD": _to_depth_crd,
    "darknet": _to_depth_darknet,
}
_TO_SPACE: dict[str, _Move] = {
    "DCR": _to_space_dcr,
    "CRD": _to_space_crd,
    "darknet": _to_space_darknet,
}
