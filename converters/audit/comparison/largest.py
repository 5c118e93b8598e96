"""The largest of many values and their places: each way to write them as one."""

from __future__ import annotations

from dataclasses import replace

from upconv.converters.audit.comparison.rewriting import Change, Net
from upconv.converters.audit.comparison.values import Values
from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import is_constant
from upconv.converters.ir.model import Layer


def placed(net: Net, layer: Layer) -> Change | None:
    """The largest of an image with its place, as the largest and the place."""
    if layer.operator != ops.GlobalPool("max") or len(layer.outputs) != 2:
        return None
    x, y = net.shape(layer.inputs[0]), net.shape(layer.outputs[1])
    if x is None or y is None or not is_constant(*y):
        return None
    flat, place = f"{layer.name}/flat", f"{layer.name}/place"
    largest = replace(layer, outputs=layer.outputs[:1])
    steps = (
        (flat, ops.Reshape((0, 0, -1)), layer.inputs[0]),
        (place, ops.ArgMax(2, 1, "indices", "first"), flat),
    )
    made = [
        replace(layer, name=name, operator=op, inputs=(read,), outputs=(name,))
        for name, op, read in steps
    ]
    back = replace(
        layer,
        name=f"{layer.name}/back",
        operator=ops.Reshape(y),
        inputs=(place,),
        outputs=layer.outputs[1:],
    )
    return Change(back, ahead=(largest, *made))


def over_all(net: Net, layer: Layer) -> Change | None:
    """The largest of a whole image as the largest of a row, with places and values apart."""
    op = layer.operator
    if not isinstance(op, ops.ArgMax) or op.axis is not None:
        return None
    y = net.shape(layer.outputs[0])
    if y is None or not is_constant(*y):
        return None
    row = f"{layer.name}/row"
    steps = [replace(layer, name=row, operator=ops.Flatten(), outputs=(row,))]
    found = []
    for kind in ("indices", "values") if op.output == "both" else (op.output,):
        name = f"{layer.name}/{kind}"
        top = replace(op, axis=1, output=kind)
        steps.append(replace(layer, name=name, operator=top, inputs=(row,), outputs=(name,)))
        if op.output == "both":
            raised = f"{name}/raised"
            widened = ops.Reshape((1,), 1, 0)
            steps.append(
                replace(layer, name=raised, operator=widened, inputs=(name,), outputs=(raised,))
            )
            name = raised
        found.append(name)
    if len(found) > 1:
        both = f"{layer.name}/both"
        join = replace(
            layer, name=both, operator=ops.Concat(1), inputs=tuple(found), outputs=(both,)
        )
        steps.append(join)
        found = [both]
    back = replace(layer, operator=ops.Reshape(y), inputs=(found[0],))
    return Change(back, ahead=tuple(steps))


def of_equals(net: Net, layer: Layer) -> Change | None:
    """Of equals the last as the first of an axis that is turned round; values do not tell."""
    op = layer.operator
    if isinstance(op, ops.ArgMax) and op.output == "values" and op.axis is not None:
        x = _turned(layer, op.axis, net.values)
        made = replace(layer, operator=replace(op, ties="first"), inputs=(x or layer.inputs[0],))
        return Change(made) if made != layer else None
    found = net.values.operator(layer.inputs[0], ops.ArgMax) if layer.inputs else None
    if found is None or not isinstance(op, ops.Power):
        return None
    top, shape = found.operator, net.shape(found.inputs[0])
    assert isinstance(top, ops.ArgMax)
    if shape is None or top.axis is None or (top.output, top.ties) != ("indices", "first"):
        return None
    from_the_end = op == ops.Power(scale=-1.0, shift=float(str(shape[top.axis] - 1)))
    x = _turned(found, top.axis, net.values)
    if x is None or not from_the_end:
        return None
    return Change(replace(layer, operator=replace(top, ties="last"), inputs=(x,)))


def _turned(layer: Layer, axis: int, values: Values) -> str | None:
    """What a layer reads backwards along an axis of a known size."""
    slice_ = values.operator(layer.inputs[0], ops.StridedSlice)
    shape = values.shapes.get(layer.inputs[0])
    if slice_ is None or shape is None or not isinstance(size := shape[axis], int):
        return None
    backwards = ops.StridedSlice(axis % len(shape), size - 1, size, -1)
    return slice_.inputs[0] if slice_.operator == backwards else None
