"""Operators that move values, written as reshapes around others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final, TypeAlias

from upconv.converters.audit.comparison.values import Values
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
    defaults = {"scale": 1.0, "bias": 0.0}
    idle = all(
        weight.present and (weight.array() == defaults[name]).all()
        for name, weight in layer.weights.items()
    )
    alike = idle and x == y and len(seen) == 3 and seen[:2] == (x[0], op.groups)
    return op if alike else None


def _of_shuffle(layer: Layer, shapes: Shapes) -> ops.Operator | None:
    """Channels (groups, each) turned to (each, groups)."""
    (x, seen, y), op = shapes, layer.operator
    turned = isinstance(op, ops.Permute) and tuple(op.order[:3]) == (0, 2, 1)
    if not turned or tuple(op.order[3:]) != tuple(range(3, len(seen))) or x != y:  # type: ignore[union-attr]
        return None
    groups = seen[1]
    if not isinstance(groups, int) or seen[0] != x[0] or groups * seen[2] != x[1]:
        return None
    return ops.ChannelShuffle(groups)


def _of_blocks(layer: Layer, shapes: Shapes) -> ops.Operator | None:
    """Darknet's order of blocks: those of an image of other sizes with as many values."""
    (x, seen, y), op = shapes, layer.operator
    assert isinstance(op, ops.SpaceToDepth | ops.DepthToSpace)
    (_, channels, high, wide), b = x, op.block
    if op.mode != "DCR" or len(seen) != 4 or len(y) != 4 or not isinstance(channels, int):
        return None
    if isinstance(op, ops.SpaceToDepth):
        around = (x[0], channels // b**2, high * b, wide * b)
        made = (x[0], channels * b**2) if channels % b**2 == 0 else ()
        fits = seen == around and y[:2] == made and (y[2] * b, y[3] * b) == (high, wide)
    else:
        made = (x[0], channels // b**2, high * b, wide * b)
        fits = (seen[1], seen[2] * b, seen[3] * b) == (channels * b**2, high, wide) and y == made
    return replace(op, mode="darknet") if fits else None


def _of_planes(layer: Layer, shapes: Shapes) -> ops.Operator | None:
    """An unpooling of planes that lie flat."""
    (x, seen, y), op = shapes, layer.operator
    assert isinstance(op, ops.Unpool)
    flat = len(seen) == 3 and seen[:2] == x[:2] == y[:2] and len(op.size) == 1
    return ops.Unpool(y[2:]) if flat and multiply(y[2:]) == multiply(op.size) else None


INSIDE: Final[dict[type, Callable[[Layer, Shapes], ops.Operator | None]]] = {
    ops.GroupNorm: _of_groups,
    ops.Permute: _of_shuffle,
    ops.SpaceToDepth: _of_blocks,
    ops.DepthToSpace: _of_blocks,
    ops.Unpool: _of_planes,
}
"""Operator between two reshapes -> what it is without them."""


def truncated(layer: Layer, values: Values) -> str | None:
    """The value whose whole part an unpooling takes for its indices: they are whole numbers."""
    op = layer.operator
    if not isinstance(op, ops.Eltwise) or op.kind != "product" or len(layer.inputs) != 2:
        return None
    sign, whole = (values.producers.get(value) for value in layer.inputs)
    if sign is None or whole is None or sign.operator != ops.Sign():
        return None
    size = values.operator(whole.inputs[0], ops.Abs) if whole.operator == ops.Floor() else None
    return sign.inputs[0] if size is not None and size.inputs == sign.inputs else None


def unpooled(layer: Layer, values: Values) -> Layer | None:
    """An unpooling to the size that it has, of the values that it reads and no other."""
    op, y = layer.operator, values.shapes.get(layer.outputs[0]) if layer.outputs else None
    if not isinstance(op, ops.Unpool) or y is None:
        return None
    index = values.producers.get(layer.inputs[1])
    whole = truncated(index, values) if index is not None else None
    inputs = (layer.inputs[0], whole or layer.inputs[1])
    made = replace(layer, operator=ops.Unpool(y[2:]), inputs=inputs)
    return made if made != layer else None
