"""Entries of an axis picked by numbers, or read backwards, and counts up to a size."""

from __future__ import annotations

from math import prod

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Dim, Size, ceil_div, maximum
from upconv.converters.readers.assembly.axes import Value, plain
from upconv.converters.readers.assembly.known import Known
from upconv.converters.readers.assembly.picking import MAX_PICKED
from upconv.converters.readers.tensorflow.lowering import Call, lowers
from upconv.converters.readers.tensorflow.ops_shape import axis_at, counted, without_axes
from upconv.converters.readers.tensorflow.values import Entry


@lowers("Gather", "GatherV2")
def _gather(call: Call) -> Entry:
    """Entries along one axis, whose place the axes of the indices take."""
    if call.node.integer("batch_dims"):
        raise call.unsupported("entries picked for each sample of the batch")
    axis = call.integer(2, "axis") if len(call.entries) > 2 else 0
    if isinstance(call.entry(1), Known):
        return _by_constants(call, axis)
    index = call.arranged(call.value(1), plain(len(call.ranked(call.value(1)))))
    rank = len(call.ranked(call.value(1)))
    table = call.entry(0)
    if isinstance(table, Known) and len(table.shape) == 2 and axis in (0, -2):
        weight = call.weight(0, "table")
        operator = ops.Embedding(*table.shape)
        return Value(call.emit(operator, [index], {"table": weight}), plain(rank + 1))
    value = call.tensor(0)
    axes = len(call.ranked(value))
    (axis,) = counted(call, [axis], axes)
    made = call.emit(ops.Gather(axis), [call.arranged(value, plain(axes)), index])
    return Value(made, plain(axes - 1 + rank))


def _by_constants(call: Call, axis: int) -> Entry:
    """Of several axes of indices all but one are made afterwards; of none, the axis goes."""
    shape = call.known(1, "indices").shape
    if prod(shape) > MAX_PICKED:
        raise call.unsupported(f"indices of the shape {shape}")
    value = call.real(call.value())
    numbers = call.ints(1, "indices")
    axes = call.ranked(value)
    (axis,) = counted(call, [axis], len(axes))
    size = call.work.known(value.sizes[axis])
    least, most = min(numbers, default=-1), max(numbers, default=-1)
    if least < 0 or (isinstance(size, int) and most >= size):
        raise call.invalid(f"picks entries that an axis of {size} has not")
    place = axis_at(call, axes, axis)
    if len(shape) > 1:
        x = call.arranged(value, plain(len(axes)))
        picked = call.emit(ops.Gather(axis, numbers), [x], suffix="picked")
        made = call.emit(ops.Reshape(shape, axis, 1), [picked])
        return Value(made, plain(len(axes) - 1 + len(shape)))
    suffix = "" if shape else "picked"
    made = call.emit(ops.Gather(place, numbers), [value.name], suffix=suffix)
    return Value(made, axes) if shape else without_axes(call, Value(made, axes), [axis])


@lowers("ReverseV2")
def _reverse(call: Call) -> Entry:
    value = call.real(call.value())
    named = call.ints(1, "axis")
    axes = counted(call, named, len(call.ranked(value)))
    if len(axes) < len(named):
        raise call.invalid(f"reverses an axis twice: {list(named)}")
    for axis in axes:
        place = axis_at(call, call.ranked(value), axis)
        size = value.sizes[axis]
        operator = ops.StridedSlice(place, size - 1, size, -1)
        value = call.unary(operator, value, "" if axis == axes[-1] else f"backwards{axis}")
    return value if axes else call.unary(ops.Identity(), value)


@lowers("Range")
def _range(call: Call) -> Entry:
    """Up to an open size; of numbers it is a constant."""
    start, limit, step = (_one(call, index) for index in range(3))
    if isinstance(start, Dim) or isinstance(step, Dim) or step < 1:
        raise call.unsupported("counts from an open size, or backwards to one")
    count = maximum(ceil_div(limit - start, step), 0)
    made = call.emit(ops.Arange(count, float(start), float(step)), [])
    call.work.whole.add(made)
    return Value(made, plain(1))


def _one(call: Call, index: int) -> Size:
    found = call.size_list(index, "bound")
    if len(found) != 1:
        raise call.invalid(f"a bound of {len(found)} numbers")
    return found[0]


@lowers("Fill")
def _fill(call: Call) -> Entry:
    """A number repeated to sizes that are open."""
    sizes = call.size_list(0, "dims")
    return Value(call.emit(ops.Expand(sizes), [call.tensor(1).name]), plain(len(sizes)))


@lowers("BroadcastTo")
def _broadcast_to(call: Call) -> Entry:
    """Axes of size 1 repeated, new ones in front."""
    value = call.tensor(0)
    x = call.arranged(value, plain(len(call.ranked(value))))
    sizes = call.size_list(1, "shape")
    return Value(call.emit(ops.Expand(sizes), [x]), plain(len(sizes)))
