"""Layers that join several tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, Literal

from upconv.converters.ir import operators as ops
from upconv.converters.ir.operators import Operator
from upconv.converters.ir.shapes import Shape, text_of
from upconv.converters.readers.keras.fields import ir_axis, number
from upconv.converters.readers.keras.lowering import KerasLayer, Step, Value, lowers

_KINDS: Final[dict[str, ops.Eltwise]] = {
    "Add": ops.Eltwise("sum"),
    "Multiply": ops.Eltwise("product"),
    "Subtract": ops.Eltwise("difference"),
    "Maximum": ops.Eltwise("max"),
    "Minimum": ops.Eltwise("min"),
}
_SCALES: Final[dict[str, Literal["bias", "scale"]]] = {"sum": "bias", "product": "scale"}


@lowers(*_KINDS)
def _merge(layer: KerasLayer, step: Step) -> Value:
    if any(isinstance(item, int | float) for item in layer.call.arguments):
        raise layer.unsupported("joins a tensor and a number")
    return joined(layer, step, layer.inputs, _KINDS[layer.type])


@lowers("Average")
def _average(layer: KerasLayer, step: Step) -> Value:
    count = len(layer.inputs)
    return joined(layer, step, layer.inputs, ops.Eltwise("sum", (1 / max(count, 1),) * count))


@lowers("CustomScaleLayer")
def _scaled_sum(layer: KerasLayer, step: Step) -> Value:
    """x + scale * y (keras/src/applications/inception_resnet_v2.py)."""
    sum_ = ops.Eltwise("sum", (1.0, number(layer, "scale", 1.0)))
    return joined(layer, step, layer.inputs, sum_)


@lowers("Concatenate")
def _concatenate(layer: KerasLayer, step: Step) -> Value:
    return concatenated(layer, step, layer.inputs, layer.config.get("axis", -1))


def concatenated(layer: KerasLayer, step: Step, inputs: Sequence[Value], axis: object) -> Value:
    """The inputs one behind the other along `axis`, in Keras's order of axes."""
    values = alike(layer, step, inputs)
    return step.add(ops.Concat(ir_axis(layer, step, axis, values[0])), values)


def alike(layer: KerasLayer, step: Step, inputs: Sequence[Value]) -> list[Value]:
    """The inputs with their axes in one order: channels first where any has them so."""
    if not inputs:
        raise layer.invalid("has no input")
    moved = any(value.moved for value in inputs)
    return [step.moved(value) if moved else value for value in inputs]


def joined(layer: KerasLayer, step: Step, inputs: Sequence[Value], op: ops.Eltwise) -> Value:
    """Element by element; tensors with axes of size 1 are repeated along them."""
    values = alike(layer, step, inputs)
    shapes = [step.shape(value) for value in values]
    known = [shape for shape in shapes if shape is not None]
    if len(known) < len(shapes) or not _broadcasts(known):
        # sizes that only the image decides may be 1 on one side
        return step.add(replace(op, broadcast=len(set(shapes)) > 1), values)
    if len({len(shape) for shape in known}) > 1:
        raise layer.unsupported(f"joins tensors of {', '.join(map(text_of, known))}")
    if len(values) == 2 and op.kind in _SCALES and not op.coefficients:
        scaled = _scaled(step, values, known, op)
        if scaled is not None:
            return scaled
    return step.add(op, [_widened(layer, step, value, known) for value in values])


def _broadcasts(shapes: Sequence[Shape]) -> bool:
    ranks = {len(shape) for shape in shapes}
    return len(ranks) > 1 or any(
        1 in sizes and set(sizes) != {1} for sizes in zip(*shapes, strict=True)
    )


def _scaled(
    step: Step, values: Sequence[Value], shapes: Sequence[Shape], op: ops.Eltwise
) -> Value | None:
    """A tensor of one number per image and channel, say, times or plus a feature map."""
    for x, y in ((0, 1), (1, 0)):
        covered = len(shapes[y])
        while covered > 1 and shapes[y][covered - 1] == 1:
            covered -= 1
        if shapes[x][:covered] == shapes[y][:covered]:
            dims = tuple(0 for _ in range(covered))
            flat = step.add(ops.Reshape(dims), [values[y]], suffix="flat", moved=False)
            return step.add(ops.Scale(0, _SCALES[op.kind]), [values[x], flat])
    return None


def _widened(layer: KerasLayer, step: Step, value: Value, shapes: Sequence[Shape]) -> Value:
    """The value repeated along its axes of size 1 where others have more."""
    shape = step.shape(value) or ()
    for axis, size in enumerate(shape):
        wanted = next((other[axis] for other in shapes if other[axis] != 1), 1)
        if size != 1 or wanted == 1:
            continue
        if not isinstance(wanted, int):
            raise layer.unsupported("repeats a tensor along an axis whose size is not fixed")
        tile: Operator = ops.Tile(axis, wanted)
        value = step.add(tile, [value], suffix=f"repeat_{axis}")
    return value
