"""Entries of an axis picked by constant numbers, or read backwards."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from upconv.converters.ir import operators as ops
from upconv.converters.readers.assembly.axes import Value
from upconv.converters.readers.assembly.picking import MAX_PICKED, MAX_RUNS, runs_of
from upconv.converters.readers.tensorflow.lowering import Call, lowers
from upconv.converters.readers.tensorflow.ops_shape import axis_at, counted, without_axes
from upconv.converters.readers.tensorflow.values import Entry


@lowers("Gather", "GatherV2")
def _gather(call: Call) -> Entry:
    """Entries along one axis, or a single one, whose axis goes."""
    if call.node.integer("batch_dims"):
        raise call.unsupported("entries picked for each sample of the batch")
    axis = call.integer(2, "axis") if len(call.entries) > 2 else 0
    shape = call.known(1, "indices").shape
    if len(shape) > 1 or prod(shape) > MAX_PICKED:
        raise call.unsupported(f"indices of the shape {shape}")
    value = call.real(call.value())
    picked = pick(call, value, axis, call.ints(1, "indices"))
    if len(shape) == 1:
        return picked
    return without_axes(call, picked, [axis % len(call.ranked(picked))])


@lowers("ReverseV2")
def _reverse(call: Call) -> Entry:
    value = call.real(call.value())
    named = call.ints(1, "axis")
    axes = counted(call, named, len(call.ranked(value)))
    if len(axes) < len(named):
        raise call.invalid(f"reverses an axis twice: {list(named)}")
    for axis in axes:
        value = reverse(call, value, axis)
    return value


def reverse(call: Call, value: Value, axis: int) -> Value:
    """An axis of known size, counted from the front, read backwards."""
    size = call.number(value.sizes[axis], "size to read backwards")
    if size > MAX_RUNS:
        raise call.unsupported(f"an axis of {size} read backwards")
    return pick(call, value, axis, range(size)[::-1])


def pick(call: Call, value: Value, axis: int, numbers: Sequence[int]) -> Value:
    """The entries of one of TensorFlow's axes with these numbers, in this order."""
    axes = call.ranked(value)
    (axis,) = counted(call, [axis], len(axes))
    place = axis_at(call, axes, axis)
    size = call.number(value.sizes[axis], "size to pick from")
    if not numbers or not all(0 <= one < size for one in numbers):
        raise call.invalid(f"picks entries that an axis of {size} has not")
    runs = runs_of(numbers)
    if runs is None:
        raise call.unsupported(f"{len(numbers)} of {size} entries picked one by one")
    suffixes = [f"run{axis}_{index}" for index in range(len(runs))]
    boxes = [
        call.emit(ops.Crop(place, (start,), (length,)), [value.name], suffix=suffix)
        for (start, length), suffix in zip(runs, suffixes, strict=True)
    ]
    name = call.emit(ops.Concat(place), boxes, suffix=f"picked{axis}")
    return Value(name, axes)
