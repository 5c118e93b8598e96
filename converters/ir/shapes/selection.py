"""Shapes of operators that pick values."""

from __future__ import annotations

from upconv.converters.ir import operators as ops
from upconv.converters.ir.errors import ShapeError
from upconv.converters.ir.shapes.call import (
    SHAPES,
    InputShapes,
    Shape,
    normalized_axis,
    provably_differ,
    require_axes,
    text_of,
)


@SHAPES.register(ops.Gather)
def _gather(op: ops.Gather, call: InputShapes) -> tuple[Shape, ...]:
    axis = normalized_axis(op.axis, len(call.x))
    picked = call.inputs[1] if op.indices is None else (len(op.indices),)
    shape = (*call.x[:axis], *picked, *call.x[axis + 1 :])
    size = call.x[axis]
    for one in (min(op.indices), max(op.indices)) if op.indices else ():
        if one < 0 or (isinstance(size, int) and one >= size):
            raise ShapeError(f"picks entry {one} of an axis of {size}", "axis", (shape,))
    return (shape,)


@SHAPES.register(ops.Embedding)
def _embedding(op: ops.Embedding, call: InputShapes) -> tuple[Shape, ...]:
    return ((*call.x, op.features),)


@SHAPES.register(ops.RoiMaxPool)
def _roi_max_pool(op: ops.RoiMaxPool, call: InputShapes) -> tuple[Shape, ...]:
    x, regions = call.inputs[:2]
    require_axes(x, 4)
    shape = (regions[0] if regions else 1, x[1], *op.size)
    if len(x) != 4 or len(regions) != 2 or provably_differ(5, regions[1]):
        message = f"pools regions of the shape {text_of(regions)} of {text_of(x)}"
        raise ShapeError(message, "merge", (shape,))
    return (shape,)


@SHAPES.register(ops.GridSample)
def _grid_sample(op: ops.GridSample, call: InputShapes) -> tuple[Shape, ...]:
    x, grid = call.inputs[:2]
    require_axes(x, 3)
    shape = (*x[:2], *grid[1:-1])
    pairs = ((x[:1], grid[:1]), ((len(x) - 2,), grid[-1:]))
    if len(grid) != len(x) or any(provably_differ(*a, *b) for a, b in pairs):
        message = f"samples {text_of(x)} by places of the shape {text_of(grid)}"
        raise ShapeError(message, "merge", (shape,))
    return (shape,)
