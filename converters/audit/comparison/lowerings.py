"""Operators that say several things, as one layer for each."""

from __future__ import annotations

from dataclasses import replace

from upconv.converters.audit.comparison.rewriting import Change, Net
from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import is_constant, multiply
from upconv.converters.ir.geometry import cells_inside
from upconv.converters.ir.model import Layer
from upconv.converters.ir.tensors import weight_of


def scaled(net: Net, layer: Layer) -> Change | None:
    """A Scale by another value as a product or a sum that repeats it, brought to its axes."""
    op = layer.operator
    if not isinstance(op, ops.Scale) or op.operand == "none":
        return None
    x, by = (net.shape(value) for value in layer.inputs)
    if x is None or by is None:
        return None
    merge = ops.Eltwise("product" if op.operand == "scale" else "sum", broadcast=True)
    behind = len(x) - op.axis % len(x) - len(by)
    if behind <= 0:
        return Change(replace(layer, operator=merge))
    value = f"{layer.name}/operand"
    widened = ops.Reshape((1,) * behind, len(by), 0)
    return Change(
        replace(layer, operator=merge, inputs=(layer.inputs[0], value)),
        ahead=(
            replace(layer, name=value, operator=widened, inputs=layer.inputs[1:], outputs=(value,)),
        ),
    )


def reshaped_once(net: Net, layer: Layer) -> Change | None:
    """A reshape of what was reshaped before, as one."""
    y = net.shape(layer.outputs[0]) if layer.outputs else None
    if not isinstance(layer.operator, ops.Reshape | ops.Flatten) or y is None:
        return None
    first = net.producers.get(layer.inputs[0])
    if first is None or not isinstance(first.operator, ops.Reshape | ops.Flatten):
        return None
    if not is_constant(*y):
        return None
    return Change(replace(layer, operator=ops.Reshape(y), inputs=first.inputs[:1]))


def flattened(net: Net, layer: Layer) -> Change | None:
    """An inner product of several axes as one of rows, which are put back."""
    op, x = layer.operator, net.shape(layer.inputs[0]) if layer.inputs else None
    y = net.shape(layer.outputs[0]) if layer.outputs else None
    if not isinstance(op, ops.Linear) or x is None or y is None:
        return None
    axis, row, made = op.axis % len(x), f"{layer.name}/row", f"{layer.name}/product"
    if (axis, len(x)) == (1, 2) or (axis != 1 and not is_constant(*x)):
        return None
    flat = ops.Flatten() if axis == 1 else ops.Reshape((multiply(x[:axis]), multiply(x[axis:])))
    rows = replace(layer, name=row, operator=flat, outputs=(row,), weights={})
    product = replace(layer, operator=replace(op, axis=1), inputs=(row,))
    if len(y) == 2:
        return Change(product, ahead=(rows,))
    back = replace(layer, name=made, operator=ops.Reshape(y), inputs=(made,), weights={})
    return Change(back, ahead=(rows, replace(product, outputs=(made,))))


def mirrored(net: Net, layer: Layer) -> Change | None:
    """A margin of mirrored pixels, the last one among them, as the pixels that are taken."""
    op, x = layer.operator, net.shape(layer.inputs[0]) if layer.inputs else None
    if not isinstance(op, ops.Pad) or op.mode != "symmetric" or x is None:
        return None
    if not is_constant(*x, *op.begin, *op.end):
        return None
    steps: list[Layer] = []
    value = layer.inputs[0]
    for axis, (size, begin, end) in enumerate(zip(x, op.begin, op.end, strict=True)):
        if begin or end:
            pixels = _number(size)
            turn = [*range(pixels), *range(pixels - 1, -1, -1)]
            places = range(-_number(begin), pixels + _number(end))
            taken = tuple(turn[at % (2 * pixels)] for at in places)
            name = f"{layer.name}/axis{axis}"
            gather = ops.Gather(axis, taken)
            steps.append(
                replace(layer, name=name, operator=gather, inputs=(value,), outputs=(name,))
            )
            value = name
    if not steps:
        return None
    last = replace(steps[-1], name=layer.name, outputs=layer.outputs)
    return Change(last, ahead=tuple(steps[:-1]))


def filled(net: Net, layer: Layer) -> Change | None:
    """An unpooling that fills windows as a transposed convolution of each channel, behind a
    division by the cells of each window where it shares a value among them."""
    import numpy as np

    op, x = layer.operator, net.shape(layer.inputs[0]) if layer.inputs else None
    if not isinstance(op, ops.WindowUnpool) or x is None or not is_constant(*x, *op.size):
        return None
    channels, axes = _number(x[1]), len(op.kernel)
    kernel = (1,) * axes if op.kind == "corner" else op.kernel
    ones, none = (1,) * axes, (0,) * axes
    whole = ops.ConvTranspose(
        *(channels, kernel, op.stride, ones, op.pads_begin, none, none),
        groups=channels,
        target=op.size,
    )
    weight = weight_of(np.ones((channels, 1, *kernel), np.float32))
    made = replace(layer, operator=whole, weights={"weight": weight})
    if op.kind != "average":
        return Change(made)
    cells = np.ones(1)
    for size, k, stride, begin, target in zip(
        x[2:], op.kernel, op.stride, op.pads_begin, op.size, strict=True
    ):
        inside = cells_inside(_number(size), k, stride, begin, _number(target))
        cells = cells[..., None] * np.array(inside)
    names = f"{layer.name}/cells", f"{layer.name}/shared"
    stored = weight_of(cells[0].astype(np.float32))
    count = replace(
        layer,
        name=names[0],
        operator=ops.Constant(cells.shape[1:]),
        inputs=(),
        outputs=names[:1],
        weights={"value": stored},
    )
    divided = replace(
        layer,
        name=names[1],
        operator=ops.Eltwise("quotient", broadcast=True),
        inputs=(layer.inputs[0], names[0]),
        outputs=names[1:],
    )
    return Change(replace(made, inputs=names[1:]), ahead=(count, divided))


def _number(size: object) -> int:
    assert isinstance(size, int)
    return size
