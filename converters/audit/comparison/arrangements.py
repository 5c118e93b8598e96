"""Operators that move values, written as reshapes around others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final, TypeAlias

from upconv.converters.audit.comparison.values import Values
from upconv.converters.audit.comparison.weights import is_idle
from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import multiply
from upconv.converters.ir.model import Layer
from upconv.converters.ir.shapes import Shape


def rearranged(layer: Layer, values: Values) -> Layer | None:
    """A reshape of something that works on a reshaped image, as what it does to the image itself;
    None for other layers."""
    inner = values.producers.get(layer.inputs[0]) if layer.inputs else None
    y = values.shapes.get(layer.outputs[0])
    if not isinstance(layer.operator, ops.Reshape) or inner is None or y is None:
        return None
    before = values.operator(inner.inputs[0], ops.Reshape) if inner.inputs else None
    seen = values.shapes.get(inner.inputs[0]) if before is not None else None
    x = values.shapes.get(before.inputs[0]) if before is not None else None
    make = INSIDE.get(type(inner.operator))
    if before is None or make is None or x is None or seen is None or len(x) < 3:
        return None
    operator = make(inner, (x, seen, y))
    if operator is None:
        return None
    inputs = before.inputs[:1]
    if isinstance(operator, ops.Unpool):
        inputs += (values.behind(inner.inputs[1], ops.Reshape),)
    return replace(layer, operator=operator, inputs=inputs, weights={})


Shapes: TypeAlias = tuple[Shape, Shape, Shape]
"""Of the image, of what the operator in between reads, and of the result."""


def _of_groups(layer: Layer, shapes: Shapes) -> ops.Operator | None:
    """A normalisation of groups of channels: one of (N, groups, everything else) that multiplies
    by ones and adds zeros."""
    (x, seen, y), op = shapes, layer.operator
    assert isinstance(op, ops.GroupNorm)
    alike = is_idle(layer) and x == y and len(seen) == 3 and seen[:2] == (x[0], op.groups)
    return op if alike else None


def _of_shuffle(layer: Layer, shapes: Shapes) -> ops.Operator | None:
    """A turn of axes that reshapes have split, by the first of the operators that split and turn
    so."""
    (x, seen, y), op = shapes, layer.operator
    assert isinstance(op, ops.Permute)
    order = tuple(op.order)
    if len(seen) == 4 and order == (0, 2, 1, 3) and x == y and seen[0] == x[0]:
        groups, each = seen[1:3]
        if isinstance(groups, int) and groups * each == x[1]:
            return ops.ChannelShuffle(groups)
    if len(seen) != 2 * len(x) - 2 or not isinstance(block := seen[3], int) or block < 1:
        return None
    outer, inner = range(2, len(seen), 2), range(3, len(seen), 2)
    parts = tuple(part for size in x[2:] for part in (size // block, block))
    if seen != (*x[:2], *parts) or y[2:] != tuple(size // block for size in x[2:]):
        return None
    orders = {(0, *inner, 1, *outer): "DCR", (0, 1, *inner, *outer): "CRD"}
    mode: Any = orders.get(order)
    return ops.SpaceToDepth(block, mode) if mode is not None else None


def _of_blocks(layer: Layer, shapes: Shapes) -> ops.Operator | None:
    """Darknet's order of blocks: those of an image of other sizes with as many values."""
    (x, seen, y), op = shapes, layer.operator
    assert isinstance(op, ops.SpaceToDepth | ops.DepthToSpace)
    if op.mode != "DCR" or len(x) != 4 or not isinstance(x[1], int):
        return None
    large = (x[0], x[1] // op.block**2, x[2] * op.block, x[3] * op.block)
    if isinstance(op, ops.SpaceToDepth):
        small = (x[0], x[1] * op.block**2, x[2] // op.block, x[3] // op.block)
        fits = x[1] % op.block**2 == 0 and seen == large and y == small
    else:
        fits = seen == large == y
    return replace(op, mode="darknet") if fits else None


def _of_planes(layer: Layer, shapes: Shapes) -> ops.Operator | None:
    """An unpooling of planes that lie flat."""
    (x, seen, y), op = shapes, layer.operator
    assert isinstance(op, ops.Unpool)
    flat = len(seen) == 3 and seen[:2] == x[:2] == y[:2] and len(op.size) == 1
    return ops.Unpool(y[2:]) if flat and multiply(y[2:]) == multiply(op.size) else None


def _of_line(layer: Layer, shapes: Shapes) -> ops.Operator | None:
    """An interpolation of a line that is seen as an image of one row."""
    (x, seen, y), op = shapes, layer.operator
    assert isinstance(op, ops.Resize)
    if len(x) != 3 or len(seen) != 4 or (*seen[:2], *seen[3:]) != x or seen[2] != 1:
        return None
    alike = op.scale is None and (op.size or op.factor or (0,))[0] == 1 and len(y) == 3
    size, factor = op.size and op.size[1:], op.factor and op.factor[1:]
    return replace(op, size=size, factor=factor) if alike else None


INSIDE: Final[dict[type, Callable[[Layer, Shapes], ops.Operator | None]]] = {
    ops.GroupNorm: _of_groups,
    ops.Permute: _of_shuffle,
    ops.SpaceToDepth: _of_blocks,
    ops.DepthToSpace: _of_blocks,
    ops.Unpool: _of_planes,
    ops.Resize: _of_line,
}
"""Operator between two reshapes -> what it is without them."""


def truncated(layer: Layer, values: Values) -> str | None:
    """The value whose whole part a layer is."""
    op = layer.operator
    if not isinstance(op, ops.Eltwise) or op.kind != "product" or len(layer.inputs) != 2:
        return None
    sign, cut = (values.producers.get(value) for value in layer.inputs)
    if sign is None or cut is None or sign.operator != ops.Sign():
        return None
    size = values.operator(cut.inputs[0], ops.Abs) if cut.operator == ops.Floor() else None
    return sign.inputs[0] if size is not None and size.inputs == sign.inputs else None


def unpooled(layer: Layer, values: Values) -> Layer | None:
    """An unpooling to the size that it has, of the values that it reads and no other."""
    op, y = layer.operator, values.shapes.get(layer.outputs[0]) if layer.outputs else None
    if not isinstance(op, ops.Unpool) or y is None:
        return None
    inputs = (layer.inputs[0], whole(layer.inputs[1], values))
    made = replace(layer, operator=ops.Unpool(y[2:]), inputs=inputs)
    return made if made != layer else None


def picked(layer: Layer, values: Values) -> Layer | None:
    """What is picked by numbers that are whole ones anyhow."""
    op = layer.operator
    computed = isinstance(op, ops.Gather) and op.indices is None
    if not computed and not isinstance(op, ops.Embedding):
        return None
    inputs = (*layer.inputs[:-1], whole(layer.inputs[-1], values))
    return replace(layer, inputs=inputs) if inputs != layer.inputs else None


def whole(value: str, values: Values) -> str:
    """The value that an operator reads as whole numbers, behind what takes their whole parts."""
    made = values.producers.get(value)
    return (truncated(made, values) if made is not None else None) or value
