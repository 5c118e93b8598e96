"""Operations that move values or axes and compute nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Size, like, multiply
from upconv.converters.ir.geometry import inferred_axis
from upconv.converters.readers.assembly import compositions
from upconv.converters.readers.assembly.axes import Axes, Copies, Value, channels_last, plain
from upconv.converters.readers.assembly.known import Known, size_as_known, sizes_as_known
from upconv.converters.readers.tensorflow.lowering import Call, lowers
from upconv.converters.readers.tensorflow.values import Batched, Entry

_UNBOUNDED: Final = (1 << 31) - 1


# What is known of a tensor's shape


@lowers("Shape", "ShapeN")
def _shape(call: Call) -> Entry | tuple[Entry, ...]:
    if call.node.op == "Shape":
        return _shape_of(call, 0)
    return tuple(_shape_of(call, index) for index in range(len(call.entries)))


def _shape_of(call: Call, index: int) -> Known:
    entry = call.entry(index)
    if isinstance(entry, Known):
        return sizes_as_known(entry.shape)
    value = call.value(index)
    call.ranked(value)
    return sizes_as_known(value.sizes)


@lowers("Size")
def _size(call: Call) -> Entry:
    value = call.value()
    call.ranked(value)
    return size_as_known(multiply(value.sizes))


@lowers("Rank")
def _rank(call: Call) -> Entry:
    return size_as_known(len(call.ranked(call.value())))


# Axes


def counted(call: Call, axes: Sequence[int], rank: int) -> list[int]:
    """Axes counted from the front, in order, each once. Raises UnreadableError where a tensor of
    `rank` axes lacks one."""
    if any(not -rank <= axis < rank for axis in axes):
        raise call.invalid(f"works along the axes {list(axes)} of a tensor that has {rank}")
    return sorted({axis % rank for axis in axes})


def axis_at(call: Call, axes: Axes, axis: int) -> int:
    """The tensor's axis for one of TensorFlow's, where all are there."""
    (at,) = counted(call, [axis], len(axes))
    place = axes[at]
    assert isinstance(place, int), "all axes are there"
    return place


def without_axes(call: Call, value: Value, gone: Sequence[int]) -> Value:
    """The value without these of TensorFlow's axes, whose size is 1."""
    axes = call.ranked(value)
    lost = [axis for axis in (axes[i] for i in gone) if isinstance(axis, int)]
    kept: Axes = tuple(axis for i, axis in enumerate(axes) if i not in gone)
    if not lost:
        return Value(value.name, kept)
    places = [axis for axis in sorted(a for a in axes if isinstance(a, int)) if axis not in lost]
    name = call.emit(_dropping(value.name, sorted(lost), places), [value.name])
    return Value(name, _renumbered(kept, places))


def _dropping(name: str, lost: Sequence[int], places: Sequence[int]) -> ops.Operator:
    """The reshape without the axes `lost`; `places` stay."""
    if places == [0, 1]:
        return ops.Flatten()
    if lost[-1] - lost[0] == len(lost) - 1:
        return ops.Reshape((), lost[0], len(lost))
    return ops.Reshape(tuple(like(name, axis) for axis in places))


def _renumbered(axes: Axes, places: Sequence[int]) -> Axes:
    return tuple(places.index(axis) if isinstance(axis, int) else axis for axis in axes)


@lowers("Squeeze")
def _squeeze(call: Call) -> Entry:
    data = call.entry(0)
    if isinstance(data, Batched) and data.row and data.convolution is not None:
        return data  # BatchToSpaceND takes the row away
    value = call.value()
    axes = call.ranked(value)
    listed = call.node.integers("squeeze_dims") or call.node.integers("axis")
    sizes = call.known_sizes(value)
    ones = [axis for axis, size in enumerate(sizes) if size == 1]
    gone = counted(call, listed, len(axes)) if listed else ones
    for axis in gone:
        if isinstance(sizes[axis], int) and sizes[axis] != 1:
            raise call.invalid(f"squeezes axis {axis}, whose size is {sizes[axis]}")
    return without_axes(call, value, gone)


@lowers("ExpandDims")
def _expand(call: Call) -> Entry:
    axis = call.integer(1, "axis")
    data = call.entry(0)
    if isinstance(data, Batched) and axis in (1, -3):
        return _as_row(call, data)
    value = call.value()
    axes = call.ranked(value)
    if not -len(axes) - 1 <= axis <= len(axes):
        raise call.invalid(f"a new axis {axis} of {len(axes)}")
    at = axis % (len(axes) + 1)
    return Value(value.name, (*axes[:at], Copies(), *axes[at:]))


def _as_row(call: Call, data: Batched) -> Batched:
    """A sequence in blocks as an image of one row: a convolution over time is one over images."""
    axes = call.ranked(data.x)
    if data.convolution is not None or len(data.block) != 1 or len(axes) != 3:
        raise call.unsupported("blocks moved to the batch (SpaceToBatchND) for no mere dilation")
    x = Value(data.x.name, (axes[0], Copies(), *axes[1:]))
    return replace(data, x=x, block=(1, *data.block), pads=((0, 0), *data.pads), row=True)


@lowers("Transpose")
def _transpose(call: Call) -> Entry:
    """Only which axis is which changes."""
    value = call.value()
    axes = call.ranked(value)
    order = call.ints(1, "order")
    if sorted(order) != list(range(len(axes))):
        raise call.invalid(f"the order {order} of {len(axes)} axes")
    return Value(value.name, tuple(axes[axis] for axis in order))


@lowers("Tile")
def _tile(call: Call) -> Entry:
    value = call.value()
    axes = list(call.ranked(value))
    counts = call.size_list(1, "multiples")
    if len(counts) != len(axes):
        raise call.invalid(f"{len(counts)} multiples for {len(axes)} axes")
    name = value.name
    for at, count in enumerate(counts):
        axis = axes[at]
        if isinstance(axis, Copies):
            axes[at] = Copies(axis.count * count)
        elif count != 1:
            name = call.emit(ops.Tile(axis, count), [name], suffix=f"tile{at}")
    return Value(name, tuple(axes))


# Reshape


@lowers("Reshape")
def _reshape(call: Call) -> Entry:
    value = call.value()
    axes = call.ranked(value)
    wanted = call.size_list(1, "shape")
    before = call.known_sizes(value)
    after = _resolved(call, before, wanted)
    plan = _matched(axes, before, after)
    if plan is not None:
        return _moved(call, value, plan)
    x = call.arranged(value, plain(len(axes)))
    flattens = len(after) == 2 and len(axes) > 2 and after[0] == before[0]
    operator = ops.Flatten() if flattens else ops.Reshape(wanted)
    return Value(call.emit(operator, [x]), plain(len(wanted)))


def _resolved(call: Call, before: Sequence[Size], wanted: Sequence[Size]) -> tuple[Size, ...]:
    """The target in the inputs' symbols, the inferred axis filled in."""
    known = [call.work.known(size) for size in wanted]
    if known.count(-1) > 1 or 0 in known or any(isinstance(n, int) and n < -1 for n in known):
        raise call.invalid(f"a reshape to {[str(size) for size in known]}")
    if -1 not in known:
        return tuple(known)
    others = multiply(size for size in known if size != -1)
    missing = inferred_axis(multiply(before), others)
    return tuple(missing if size == -1 else size for size in known)


@dataclass(frozen=True, slots=True)
class _Step:
    """An axis of a reshape's result: `axis` of the input, enlarged by `factor`; -1 for a new
    one."""

    axis: int
    factor: int = 1


def _matched(axes: Axes, before: Sequence[Size], after: Sequence[Size]) -> list[_Step] | None:
    """How the result's axes come from the input's, where only axes of size 1 come and go, and
    copies join the axis they copy; None for any other reshape."""
    steps: list[_Step] = []
    at = 0
    for size in after:
        while at < len(before) and before[at] == 1 != size:
            at += 1
        if at < len(before) and (factor := _repeats(axes, before, at, size)):
            steps.append(_Step(at, factor))
            at += 2
        elif at < len(before) and before[at] == size:
            steps.append(_Step(at))
            at += 1
        elif size == 1:
            steps.append(_Step(-1))
        else:
            return None
    return steps if all(size == 1 for size in before[at:]) else None


def _repeats(axes: Axes, before: Sequence[Size], at: int, size: Size) -> int:
    """The count of the copies behind axis `at`, where both become one axis; else 0."""
    if not 1 <= at < len(axes) - 1 or sum(isinstance(axis, int) for axis in axes) < 3:
        return 0
    copies = axes[at + 1]
    if not isinstance(copies, Copies) or not isinstance(copies.count, int) or copies.count < 2:
        return 0
    fits = isinstance(axes[at], int) and before[at] * copies.count == size
    return copies.count if fits else 0


def _moved(call: Call, value: Value, plan: Sequence[_Step]) -> Value:
    """A matched reshape: pixels repeated are an interpolation, the rest costs nothing or drops
    axes of size 1."""
    axes = call.ranked(value)
    for step in plan:
        if step.factor > 1:
            value = _repeated(call, value, step)
    kept = [step.axis for step in plan if step.axis >= 0]
    absorbed = [step.axis + 1 for step in plan if step.factor > 1]
    gone = [axis for axis in range(len(axes)) if axis not in kept and axis not in absorbed]
    real = [axis for axis in gone if isinstance(axes[axis], int)]
    left = call.ranked(value)
    if real:
        value = without_axes(call, value, [*gone, *absorbed])
        order = iter(value.axes or ())
        return Value(value.name, tuple(next(order) if s.axis >= 0 else Copies() for s in plan))
    return Value(value.name, tuple(left[s.axis] if s.axis >= 0 else Copies() for s in plan))


def _repeated(call: Call, value: Value, step: _Step) -> Value:
    """Every value along an axis `factor` times, where copies of it stand behind it."""
    axes = call.ranked(value)
    there = [i for i, axis in enumerate(axes) if isinstance(axis, int)]
    inner = Value(value.name, tuple(axes[i] for i in there))
    made = repeated(call, inner, there.index(step.axis), step.factor)
    places = dict(zip(there, call.ranked(made), strict=True))
    return Value(made.name, tuple(places.get(i, axis) for i, axis in enumerate(axes)))


def repeated(call: Call, value: Value, axis: int, factor: int) -> Value:
    """Every entry along one of TensorFlow's axes but the first `factor` times: the nearest
    interpolation of an axis that is spatial for it."""
    rank = len(call.ranked(value))
    axes = spatial_axes(call, value, [axis])
    place = axes[axis]
    factors = [factor if at == place else 1 for at in range(2, rank)]
    operator = compositions.repeated(factors)
    return Value(call.emit(operator, [call.arranged(value, axes)]), axes)


def spatial_axes(call: Call, value: Value, wanted: Sequence[int]) -> Axes:
    """The value's axes, or others, such that the wanted ones are spatial.

    Raises UnsupportedError where the batch is wanted, or all the others are.
    """
    axes = call.ranked(value)
    rank = len(axes)
    for choice in (axes, channels_last(rank), plain(rank)):
        places = [choice[i] for i in wanted]
        if rank > 2 and all(isinstance(place, int) and place >= 2 for place in places):
            return choice
    raise call.unsupported("works along the batch, or along all axes")
