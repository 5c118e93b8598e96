"""Shapes of operators that move values and choose sizes."""

from __future__ import annotations

from collections.abc import Sequence

from upconv.converters.ir import geometry
from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Size, multiply
from upconv.converters.ir.errors import ShapeError
from upconv.converters.ir.shapes.call import (
    SHAPES,
    InputShapes,
    Shape,
    normalized_axis,
    provably_differ,
    require_axes,
    require_groups,
    require_spatial,
    text_of,
    with_spatial,
)


@SHAPES.register(ops.Resize)
def _resize(op: ops.Resize, call: InputShapes) -> tuple[Shape, ...]:
    if op.size is not None:
        spatial = tuple(call.resolve(size) for size in op.size)
    else:
        assert op.factor is not None, "a Resize has a size or a factor"
        require_spatial(call.x, len(op.factor))
        spatial = tuple(size * f for size, f in zip(call.x[2:], op.factor, strict=True))
    require_spatial(call.x, len(spatial))
    return (with_spatial(call.x[0], call.x[1], spatial, "the resize"),)


@SHAPES.register(ops.Crop)
def _crop(op: ops.Crop, call: InputShapes) -> tuple[Shape, ...]:
    axis = normalized_axis(op.axis, len(call.x))
    sizes = tuple(call.resolve(size) for size in op.sizes)
    require_axes(call.x, axis + len(sizes))
    shape = call.x[:axis] + sizes + call.x[axis + len(sizes) :]
    for index, (offset, size) in enumerate(zip(op.offsets, sizes, strict=True), start=axis):
        slack = call.x[index] - call.resolve(offset) - size
        if isinstance(slack, int) and slack < 0:
            message = (
                f"axis {index} holds {call.x[index]}, which is less than "
                f"offset {offset} + size {size}"
            )
            raise ShapeError(message, "crop", (shape,))
    return (shape,)


@SHAPES.register(ops.Pad)
def _pad(op: ops.Pad, call: InputShapes) -> tuple[Shape, ...]:
    if len(op.begin) != len(call.x):
        message = f"pads {len(op.begin)} axes, its input has {text_of(call.x)}"
        raise ShapeError(message, "rank")
    begin, end = tuple(map(call.resolve, op.begin)), tuple(map(call.resolve, op.end))
    padded = tuple(a + size + b for a, size, b in zip(begin, call.x, end, strict=True))
    for size, *amounts in zip(call.x, begin, end, strict=True):
        _require_mirrored(op.mode, size, amounts)
    if any(isinstance(size, int) and size <= 0 for size in padded[:2]):
        raise ShapeError(f"the padding gives {text_of(padded)}", "axis", (padded,))
    if len(padded) < 3:
        return (padded,)
    return (with_spatial(padded[0], padded[1], padded[2:], "the padding"),)


def _require_mirrored(mode: str, size: Size, amounts: Sequence[Size]) -> None:
    """Raise ShapeError where an axis, after what is cropped, is too short to be repeated."""
    known = [amount for amount in amounts if isinstance(amount, int)]
    if mode == "constant" or not isinstance(size, int) or len(known) < 2 or max(known) <= 0:
        return
    left = size + sum(min(amount, 0) for amount in known)
    needed = max(known) + 1 if mode == "reflect" else 1
    if left < needed:
        raise ShapeError(
            f"{mode} padding by {max(known)} needs {needed} values, not {left}", "axis"
        )


@SHAPES.register(ops.Concat)
def _concat(op: ops.Concat, call: InputShapes) -> tuple[Shape, ...]:
    first = call.x
    axis = normalized_axis(op.axis, len(first))
    total = sum((shape[axis] for shape in call.inputs if len(shape) > axis), start=0)
    result = (*first[:axis], total, *first[axis + 1 :])
    for index, shape in enumerate(call.inputs[1:], start=1):
        others = [i for i in range(len(first)) if i != axis]
        if len(shape) != len(first) or any(provably_differ(first[i], shape[i]) for i in others):
            message = (
                f"input 0 has {text_of(first)}, input {index} has {text_of(shape)}: "
                f"only axis {axis} may differ"
            )
            raise ShapeError(message, "merge", (result,))
    return (result,)


@SHAPES.register(ops.Slice)
def _slice(op: ops.Slice, call: InputShapes) -> tuple[Shape, ...]:
    axis = normalized_axis(op.axis, len(call.x))
    size = call.x[axis]
    _require_slices(op.points, size, call.outputs)
    parts = geometry.segments(size, op.points, call.outputs)
    return tuple((*call.x[:axis], part, *call.x[axis + 1 :]) for part in parts)


def _require_slices(points: tuple[int, ...], size: Size, outputs: int) -> None:
    if points and len(points) != outputs - 1:
        raise ShapeError(f"{len(points)} slice points make {len(points) + 1} parts", "axis")
    if list(points) != sorted(set(points)):
        raise ShapeError(f"slice points {list(points)} do not rise", "axis")
    if not isinstance(size, int):
        return
    if points and points[-1] >= size:
        raise ShapeError(f"slice point {points[-1]} is outside of {size}", "axis")
    if not points and size % outputs:
        raise ShapeError(f"{size} does not divide into {outputs} equal parts", "axis")


@SHAPES.register(ops.StridedSlice)
def _strided(op: ops.StridedSlice, call: InputShapes) -> tuple[Shape, ...]:
    axis = normalized_axis(op.axis, len(call.x))
    start, size = call.resolve(op.start), call.resolve(op.size)
    shape = (*call.x[:axis], size, *call.x[axis + 1 :])
    last = start + (size - 1) * op.step
    if op.step == 0:
        raise ShapeError("takes every 0th entry", "axis", (shape,))
    outside = (start, last, call.x[axis] - 1 - start, call.x[axis] - 1 - last)
    if size != 0 and any(isinstance(slack, int) and slack < 0 for slack in outside):
        message = f"takes entries {start} to {last} of an axis of {call.x[axis]}"
        raise ShapeError(message, "axis", (shape,))
    return (shape,)


@SHAPES.register(ops.Expand)
def _expand(op: ops.Expand, call: InputShapes) -> tuple[Shape, ...]:
    sizes = tuple(map(call.resolve, op.sizes))
    behind = sizes[len(sizes) - len(call.x) :]
    pairs = list(zip(call.x, behind, strict=False))
    if len(call.x) > len(sizes) or any(n != 1 and provably_differ(n, m) for n, m in pairs):
        message = f"repeats {text_of(call.x)} to {text_of(sizes)}"
        raise ShapeError(message, "merge", (sizes,))
    return (sizes,)


@SHAPES.register(ops.Tile)
def _tile(op: ops.Tile, call: InputShapes) -> tuple[Shape, ...]:
    axis = normalized_axis(op.axis, len(call.x))
    return ((*call.x[:axis], call.x[axis] * call.resolve(op.tiles), *call.x[axis + 1 :]),)


@SHAPES.register(ops.Reshape)
def _reshape(op: ops.Reshape, call: InputShapes) -> tuple[Shape, ...]:
    rank = len(call.x)
    start = op.axis if op.axis >= 0 else rank + 1 + op.axis
    end = rank if op.num_axes == -1 else start + op.num_axes
    if not 0 <= start <= end <= rank:
        raise ShapeError(f"reshapes axes {start} to {end} of {text_of(call.x)}", "axis")
    dims = tuple(map(call.resolve, op.dims))
    middle = _reshaped(dims, call.x, start, multiply(call.x[start:end]))
    return ((*call.x[:start], *middle, *call.x[end:]),)


def _reshaped(dims: Shape, x: Shape, start: int, total: Size) -> list[Size]:
    if any(dim == 0 and start + index >= len(x) for index, dim in enumerate(dims)):
        raise ShapeError("a dim 0 copies an axis the input does not have", "reshape")
    copied: list[Size] = [x[start + index] if dim == 0 else dim for index, dim in enumerate(dims)]
    known = multiply(size for size, dim in zip(copied, dims, strict=True) if dim != -1)
    if -1 not in dims:
        if provably_differ(known, total):
            raise ShapeError(f"reshapes {total} values into {text_of(copied)}", "reshape")
        return copied
    if isinstance(known, int) and isinstance(total, int) and (not known or total % known):
        raise ShapeError(f"{total} values do not divide by {known}", "reshape")
    missing = geometry.inferred_axis(total, known)
    return [missing if dim == -1 else size for size, dim in zip(copied, dims, strict=True)]


@SHAPES.register(ops.Flatten)
def _flatten(op: ops.Flatten, call: InputShapes) -> tuple[Shape, ...]:
    axis = normalized_axis(op.axis, len(call.x))
    end = normalized_axis(op.end_axis, len(call.x)) + 1
    return ((*call.x[:axis], multiply(call.x[axis:end]), *call.x[end:]),)


@SHAPES.register(ops.Permute)
def _permute(op: ops.Permute, call: InputShapes) -> tuple[Shape, ...]:
    if sorted(op.order) != list(range(len(call.x))):
        raise ShapeError(f"order {list(op.order)} does not permute {text_of(call.x)}", "axis")
    return (tuple(call.x[axis] for axis in op.order),)


@SHAPES.register(ops.ChannelShuffle)
def _shuffle(op: ops.ChannelShuffle, call: InputShapes) -> tuple[Shape, ...]:
    require_axes(call.x, 2)
    require_groups(call.x[1], op.groups, op.groups)
    return (call.x,)


@SHAPES.register(ops.SpaceToDepth)
def _space_to_depth(op: ops.SpaceToDepth, call: InputShapes) -> tuple[Shape, ...]:
    _require_blocks(op.block, call.x)
    for size in call.x[2:]:
        if isinstance(size, int) and size % op.block:
            raise ShapeError(f"{size} pixels do not divide into blocks of {op.block}", "axis")
    cells = op.block ** (len(call.x) - 2)
    if op.mode == "darknet":
        _require_cells(call.x[1], cells)
    channels = call.x[1] * cells
    return ((call.x[0], channels, *(size // op.block for size in call.x[2:])),)


@SHAPES.register(ops.DepthToSpace)
def _depth_to_space(op: ops.DepthToSpace, call: InputShapes) -> tuple[Shape, ...]:
    _require_blocks(op.block, call.x)
    cells = op.block ** (len(call.x) - 2)
    _require_cells(call.x[1], cells**2 if op.mode == "darknet" else cells)
    return ((call.x[0], call.x[1] // cells, *(size * op.block for size in call.x[2:])),)


def _require_blocks(block: int, x: Shape) -> None:
    require_axes(x, 3)
    if block < 1:
        raise ShapeError(f"blocks of {block} pixels", "axis")


def _require_cells(channels: Size, cells: int) -> None:
    if isinstance(channels, int) and channels % cells:
        raise ShapeError(f"{channels} channels do not divide by {cells}", "channels")
