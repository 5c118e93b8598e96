"""Functions in a graph that compare, choose, round and pick."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import like
from upconv.converters.ir.operators import Operator
from upconv.converters.ir.shapes import text_of
from upconv.converters.readers.assembly import compositions
from upconv.converters.readers.assembly.compositions import composed
from upconv.converters.readers.assembly.picking import MAX_PICKED
from upconv.converters.readers.keras.arguments import argument, whole, wholes
from upconv.converters.readers.keras.fields import ir_axis
from upconv.converters.readers.keras.layers_merge import alike
from upconv.converters.readers.keras.lowering import KerasLayer, Step, Value, lowers_function
from upconv.converters.readers.keras.operations import operands

Relation = Literal["less", "less_equal", "greater", "greater_equal", "equal", "not_equal"]

_RELATIONS: Final[dict[Relation, Relation]] = {
    "less": "greater",
    "less_equal": "greater_equal",
    "greater": "less",
    "greater_equal": "less_equal",
    "equal": "equal",
    "not_equal": "not_equal",
}
"""What is said of the second where this is said of the first."""


@lowers_function(*_RELATIONS)
def _compare(layer: KerasLayer, step: Step) -> Value:
    kind: Relation = next(name for name in _RELATIONS if name == layer.type)
    left, right = _pair(layer)
    if isinstance(left, Value) and isinstance(right, Value):
        return broadcast(layer, step, [left, right], ops.Compare(kind))
    number = right if isinstance(left, Value) else left
    if isinstance(number, Value):
        raise layer.unsupported(f"{layer.type} of two numbers")
    kind = kind if isinstance(left, Value) else _RELATIONS[kind]
    return step.add(ops.Compare(kind, float(number)), [layer.x])


def _pair(layer: KerasLayer) -> tuple[Value | float, Value | float]:
    found = [item for item in operands(layer) if isinstance(item, Value | int | float)][:2]
    if len(found) < 2 or not any(isinstance(item, Value) for item in found):
        raise layer.unsupported(f"{layer.type} of something else than tensors and numbers")
    return found[0], found[1]


def broadcast(layer: KerasLayer, step: Step, inputs: Sequence[Value], op: Operator) -> Value:
    """An operator that repeats axes of size 1 itself, on tensors with as many axes."""
    values = alike(layer, step, inputs)
    shapes = [shape for value in values if (shape := step.shape(value)) is not None]
    if values[0].moved and len({len(shape) for shape in shapes}) > 1:
        raise layer.unsupported(f"joins tensors of {', '.join(map(text_of, shapes))}")
    return step.add(op, values)


_SAME: Final = ("float32", "float")
_WHOLE: Final = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "int")


@lowers_function("cast")
def _cast(layer: KerasLayer, step: Step) -> Value:
    """All that is not 0 is true; whole numbers lack a fraction."""
    kind = argument(layer, "dtype")
    if kind in _SAME:
        return step.add(ops.Identity(), [layer.x])
    if kind == "bool":
        return step.add(ops.Compare("not_equal", 0.0), [layer.x])
    if kind not in _WHOLE:
        raise layer.unsupported(f"a cast to {kind}")
    return composed(
        compositions.TRUNCATED,
        layer.x,
        lambda operator, inputs, what: step.add(operator, inputs, suffix=what),
    )


_BOTH: Final[dict[str, Operator]] = {
    "logical_and": ops.Eltwise("min", broadcast=True),
    "logical_or": ops.Eltwise("max", broadcast=True),
    "logical_xor": ops.Compare("not_equal"),
}


@lowers_function(*_BOTH)
def _both(layer: KerasLayer, step: Step) -> Value:
    """Of truth values: other numbers are made such before."""
    left, right = _pair(layer)
    if not isinstance(left, Value) or not isinstance(right, Value):
        raise layer.unsupported(f"{layer.type} with a number")
    truths = [
        step.add(ops.Compare("not_equal", 0.0), [value], suffix=f"truth_{index}")
        for index, value in enumerate((left, right))
    ]
    return broadcast(layer, step, truths, _BOTH[layer.type])


@lowers_function("where", "where_v2")
def _where(layer: KerasLayer, step: Step) -> Value:
    found = [item for item in operands(layer) if isinstance(item, Value | int | float)]
    if len(found) != 3 or not isinstance(found[0], Value):
        raise layer.unsupported("a choice without a tensor of conditions and two things to choose")
    numbers = [None if isinstance(item, Value) else float(item) for item in found[1:]]
    values = [item for item in found if isinstance(item, Value)]
    return broadcast(layer, step, values, ops.Where(*numbers))


_MODS: Final = ("mod", "remainder", "floormod")


@lowers_function(*_MODS, "floor_divide", "floordiv")
def _rest(layer: KerasLayer, step: Step) -> Value:
    left, right = _pair(layer)
    if not isinstance(left, Value) or not isinstance(right, Value):
        raise layer.unsupported(f"{layer.type} with a number")
    if layer.type in _MODS:
        return broadcast(layer, step, [left, right], ops.Eltwise("floor_mod", broadcast=True))
    quotient = ops.Eltwise("quotient", broadcast=True)
    values = alike(layer, step, [left, right])
    return step.add(ops.Floor(), [step.add(quotient, values, suffix="quotient")])


@lowers_function("take", "gather")
def _take(layer: KerasLayer, step: Step) -> Value:
    """Entries of an axis by numbers in the file, each counted from the front."""
    given: Any = argument(layer, "indices")
    indices = wholes(layer, "indices")
    axis = ir_axis(layer, step, whole(layer, "axis", place=2), layer.x)
    if not isinstance(given, list) or len(indices) > MAX_PICKED:
        raise layer.unsupported(f"{layer.type} of {len(indices)} entries")
    size = step.size(layer.x, axis)
    if min(indices, default=0) < 0 and not isinstance(size, int):
        raise layer.unsupported("picks entries from the end of an axis of open size")
    counted = (one + size if one < 0 and isinstance(size, int) else one for one in indices)
    return step.add(ops.Gather(axis, tuple(counted)), [layer.x])


@lowers_function("flip", "reverse")
def _flip(layer: KerasLayer, step: Step) -> Value:
    """Axes read backwards."""
    x = layer.x
    axes = wholes(layer, "axis", default=list(range(step.rank(x) or 0)))
    for at, given in enumerate(axes):
        axis = ir_axis(layer, step, given, x)
        size = like(x.name, axis)
        backwards = ops.StridedSlice(axis, size - 1, size, -1)
        x = step.add(backwards, [x], suffix="" if at == len(axes) - 1 else f"axis_{at}")
    return x


@lowers_function("cumsum")
def _cum_sum(layer: KerasLayer, step: Step) -> Value:
    axis = ir_axis(layer, step, whole(layer, "axis"), layer.x)
    return step.add(ops.CumSum(axis), [layer.x])
