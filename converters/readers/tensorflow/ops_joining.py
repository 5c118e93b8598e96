"""Tensors put together and taken apart."""

from __future__ import annotations

from collections.abc import Sequence

from upconv.converters.ir import operators as ops
from upconv.converters.readers.assembly.axes import Copies, Value
from upconv.converters.readers.tensorflow.lowering import Call, lowers
from upconv.converters.readers.tensorflow.ops_shape import axis_at, repeated, without_axes
from upconv.converters.readers.tensorflow.values import Entry, Part


@lowers("ConcatV2", "Concat")
def _concat(call: Call) -> Entry:
    first = call.node.op == "Concat"
    places = range(1, len(call.entries)) if first else range(len(call.entries) - 1)
    axis = call.integer(0 if first else -1, "axis")
    repeated = _repeated_parts(call, [call.entries[place] for place in places], axis)
    if repeated is not None:
        return repeated
    values = _tensors(call, places)
    axes = call.ranked(next((v for v in values if v.axes is not None), values[0]))
    if any(value.axes is not None and len(value.axes) != len(axes) for value in values):
        raise call.invalid("inputs of different numbers of axes")
    names = [call.arranged(value, axes) for value in values]
    return Value(call.emit(ops.Concat(axis_at(call, axes, axis)), names), axes)


def _tensors(call: Call, places: Sequence[int]) -> list[Value]:
    """The inputs at these places; UnreadableError where there are none."""
    if not places:
        raise call.invalid("joins nothing")
    return [call.tensor(place) for place in places]


def _repeated_parts(call: Call, entries: Sequence[Entry], axis: int) -> Value | None:
    """A split whose parts, each of size 1, are joined again, every one several times in a row
    (repeat_elements of Keras)."""
    parts = [entry for entry in entries if isinstance(entry, Part)]
    if not parts or len(parts) != len(entries):
        return None
    count, source = parts[0].count, parts[0].source
    axes = call.ranked(source)
    factor = len(parts) // count
    fits = all(
        part.source == source and part.index == at // max(factor, 1)
        for at, part in enumerate(parts)
    )
    same = parts[0].axis == axis % max(len(axes), 1)
    if factor < 2 or len(parts) != factor * count or not fits or not same:
        return None
    if call.known_sizes(source)[parts[0].axis] != count:
        return None
    if len(axes) < 3 or axis % len(axes) == 0:
        return None
    return repeated(call, source, axis % len(axes), factor)


@lowers("Split", "SplitV")
def _split(call: Call) -> tuple[Entry, ...]:
    even = call.node.op == "Split"
    value = call.real(call.value(1 if even else 0))
    axes = call.ranked(value)
    axis = call.integer(0 if even else 2, "axis")
    place = axis_at(call, axes, axis)
    sizes = () if even else call.ints(1, "sizes")
    count = call.node.integer("num_split", 1) if even else len(sizes)
    if not 0 < count <= 1 << 16:
        raise call.invalid(f"a split into {count} parts")
    names = call.emit_many(ops.Slice(place, _points(call, value, axis, sizes)), [value.name], count)
    made = tuple(Value(name, axes) for name in names)
    if not even:
        return made
    source_axis = axis % len(axes)
    return tuple(Part(part, value, source_axis, i, count) for i, part in enumerate(made))


def _points(call: Call, value: Value, axis: int, sizes: Sequence[int]) -> tuple[int, ...]:
    """Where the parts after the first begin; one size of -1 is what is left."""
    filled = list(sizes)
    if -1 in filled:
        total = call.number(value.sizes[axis], "size to split")
        filled[filled.index(-1)] = total - sum(filled) - 1
    points = [sum(filled[: index + 1]) for index in range(len(filled) - 1)]
    return tuple(points)


@lowers("Unpack")
def _unpack(call: Call) -> tuple[Entry, ...]:
    value = call.real(call.value())
    axes = call.ranked(value)
    axis = call.node.integer("axis")
    place = axis_at(call, axes, axis)
    count = call.number(value.sizes[axis], "size to take apart")
    if not 0 < count <= 1 << 16:
        raise call.invalid(f"takes {count} parts apart")
    names = call.emit_many(ops.Slice(place), [value.name], count)
    return tuple(without_axes(call, Value(name, axes), [axis % len(axes)]) for name in names)


@lowers("Pack")
def _pack(call: Call) -> Entry:
    values = _tensors(call, range(len(call.entries)))
    axes = call.ranked(values[0])
    at = call.node.integer("axis") % (len(axes) + 1)
    wanted = call.real(Value(values[0].name, (*axes[:at], Copies(), *axes[at:])))
    order = call.ranked(wanted)
    names = []
    for value in values:
        own = call.ranked(value)
        names.append(call.arranged(Value(value.name, (*own[:at], Copies(), *own[at:])), order))
    return Value(call.emit(ops.Concat(axis_at(call, order, at)), names), order)
