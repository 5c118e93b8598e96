"""Operations that move values or axes and compute nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from converters import operators as ops
from converters.dims import Size, like, minimum, multiply
from converters.geometry import inferred_axis
from converters.readers.tensorflow.folding import (
    scalar,
    shape_of_known,
    sizes_as_known,
)
from converters.readers.tensorflow.lowering import Call, lowers
from converters.readers.tensorflow.slices import Item, items_of
from converters.readers.tensorflow.values import (
    Axes,
    Axis,
    Copies,
    Entry,
    Known,
    Part,
    Value,
    channels_last,
    plain,
)
from converters.readers.tensorflow.windows import is_channels_last

_UNBOUNDED: Final = (1 << 31) - 1


# What is known of a tensor's shape


@lowers("Shape", "ShapeN")
def _shape(call: Call) -> Entry | tuple[Entry, ...]:
    found = tuple(_shape_of(call, index) for index in range(len(call.entries)))
    return found if call.node.op == "ShapeN" else found[0]


def _shape_of(call: Call, index: int) -> Known:
    entry = call.entry(index)
    if isinstance(entry, Known):
        return shape_of_known(entry)
    value = call.value(index)
    call.ranked(value)
    return sizes_as_known(call.network.sizes(value))


@lowers("Size")
def _size(call: Call) -> Entry:
    value = call.value()
    call.ranked(value)
    return scalar(multiply(call.network.sizes(value)))


@lowers("Rank")
def _rank(call: Call) -> Entry:
    return scalar(len(call.ranked(call.value())))


# Axes


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
    value = call.value()
    axes = call.ranked(value)
    listed = call.node.integers("squeeze_dims") or call.node.integers("axis")
    sizes = call.network.known_sizes(value)
    ones = [axis for axis, size in enumerate(sizes) if size == 1]
    gone = sorted({axis % max(len(axes), 1) for axis in listed}) if listed else ones
    for axis in gone:
        if isinstance(sizes[axis], int) and sizes[axis] != 1:
            raise call.invalid(f"squeezes axis {axis}, whose size is {sizes[axis]}")
    return without_axes(call, value, gone)


@lowers("ExpandDims")
def _expand(call: Call) -> Entry:
    value = call.value()
    axes = call.ranked(value)
    (axis,) = call.ints(1, "axis") or (0,)
    if not -len(axes) - 1 <= axis <= len(axes):
        raise call.invalid(f"a new axis {axis} of {len(axes)}")
    at = axis % (len(axes) + 1)
    return Value(value.name, (*axes[:at], Copies(), *axes[at:]))


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
    before = call.network.known_sizes(value)
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
    known = [call.network.known(size) for size in wanted]
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
    factors = tuple(factor if at == place else 1 for at in range(2, rank))
    operator = ops.Resize("nearest", "asymmetric", factor=factors, nearest_mode="floor")
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


# Joining and splitting


@lowers("ConcatV2", "Concat")
def _concat(call: Call) -> Entry:
    first = call.node.op == "Concat"
    places = range(1, len(call.entries)) if first else range(len(call.entries) - 1)
    (axis,) = call.ints(0 if first else -1, "axis") or (0,)
    repeated = _repeated_parts(call, [call.entries[place] for place in places], axis)
    if repeated is not None:
        return repeated
    values = [call.network.real(call.value(place), call.origin) for place in places]
    axes = call.ranked(next((v for v in values if v.axes is not None), values[0]))
    if any(value.axes is not None and len(value.axes) != len(axes) for value in values):
        raise call.invalid("inputs of different numbers of axes")
    names = [call.arranged(value, axes) for value in values]
    return Value(call.emit(ops.Concat(_axis_at(call, axes, axis)), names), axes)


def _axis_at(call: Call, axes: Axes, axis: int) -> int:
    """The tensor's axis for one of TensorFlow's."""
    if not -len(axes) <= axis < len(axes):
        raise call.invalid(f"axis {axis} of {len(axes)}")
    place = axes[axis]
    assert isinstance(place, int), "all axes are there"
    return place


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
    if call.network.known_sizes(source)[parts[0].axis] != count:
        return None
    if len(axes) < 3 or axis % len(axes) == 0:
        return None
    return repeated(call, source, axis % len(axes), factor)


@lowers("Split", "SplitV")
def _split(call: Call) -> tuple[Entry, ...]:
    even = call.node.op == "Split"
    value = call.network.real(call.value(1 if even else 0), call.origin)
    axes = call.ranked(value)
    (axis,) = call.ints(0 if even else 2, "axis") or (0,)
    place = _axis_at(call, axes, axis)
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
        total = call.number(call.network.sizes(value)[axis], "size to split")
        filled[filled.index(-1)] = total - sum(filled) - 1
    points = [sum(filled[: index + 1]) for index in range(len(filled) - 1)]
    return tuple(points)


@lowers("Unpack")
def _unpack(call: Call) -> tuple[Entry, ...]:
    value = call.network.real(call.value(), call.origin)
    axes = call.ranked(value)
    axis = call.node.integer("axis")
    place = _axis_at(call, axes, axis)
    count = call.number(call.network.sizes(value)[axis], "size to take apart")
    if not 0 < count <= 1 << 16:
        raise call.invalid(f"takes {count} parts apart")
    names = call.emit_many(ops.Slice(place), [value.name], count)
    return tuple(without_axes(call, Value(name, axes), [axis % len(axes)]) for name in names)


@lowers("Pack")
def _pack(call: Call) -> Entry:
    values = [call.value(index) for index in range(len(call.entries))]
    axes = call.ranked(values[0])
    at = call.node.integer("axis") % (len(axes) + 1)
    wanted = call.network.real(
        Value(values[0].name, (*axes[:at], Copies(), *axes[at:])), call.origin
    )
    order = call.ranked(wanted)
    names = []
    for value in values:
        own = call.ranked(value)
        names.append(call.arranged(Value(value.name, (*own[:at], Copies(), *own[at:])), order))
    return Value(call.emit(ops.Concat(_axis_at(call, order, at)), names), order)


# Boxes


@lowers("Slice")
def _slice(call: Call) -> Entry:
    begin, sizes = call.size_list(1, "begin"), call.size_list(2, "size")
    items = [
        Item(first, None if size == -1 else first + size)
        for first, size in zip(begin, sizes, strict=False)
    ]
    return _box(call, items)


@lowers("StridedSlice")
def _strided(call: Call) -> Entry:
    value = call.value()
    rank = len(call.ranked(value))
    begin, end = call.size_list(1, "begin"), call.size_list(2, "end")
    return _box(call, items_of(call.node, rank, begin, end, call.ints(3, "strides")))


@dataclass(frozen=True, slots=True)
class _Range:
    """What is kept of one axis."""

    offset: Size
    size: Size
    stride: int
    whole: bool


def _box(call: Call, items: Sequence[Item]) -> Value:
    value = call.network.real(call.value(), call.origin)
    axes = call.ranked(value)
    old = [item for item in items if not item.is_new]
    if len(old) != len(axes):
        raise call.invalid(f"a slice of {len(old)} axes on an input of {len(axes)}")
    sizes = call.network.sizes(value)
    ranges = [_range(call, item, size) for item, size in zip(old, sizes, strict=True)]
    value = _stepped(call, _cropped(call, value, ranges), ranges)
    value = without_axes(call, value, [i for i, item in enumerate(old) if item.shrinks])
    left = iter(call.ranked(value))
    shown = [item for item in items if not item.shrinks]
    order: list[Axis] = [Copies() if item.is_new else next(left) for item in shown]
    return Value(value.name, tuple(order))


def _range(call: Call, item: Item, size: Size) -> _Range:
    begin = _bound(call, item.begin, size, 0)
    if item.shrinks:
        return _Range(begin, 1, 1, whole=False)
    if item.stride < 1:
        raise call.unsupported("a slice that runs backwards")
    end = _bound(call, item.end, size, size)
    length = end - begin
    whole = begin == 0 and call.network.known(end) == call.network.known(size)
    known = call.network.known(length)
    if isinstance(known, int) and known <= 0:
        raise call.invalid("a slice without values")
    return _Range(begin, size if whole else length, item.stride, whole)


def _bound(call: Call, bound: Size | None, size: Size, default: Size) -> Size:
    """A begin or end: negative ones count from the end, and none lies outside."""
    if bound is None or (isinstance(bound, int) and bound >= _UNBOUNDED):
        return default if bound is None else size
    known = call.network.known(bound)
    if isinstance(known, int) and known < 0:
        return size + bound
    clipped = minimum(call.network.known(size), known)
    return bound if not isinstance(bound, int) or clipped == known else minimum(bound, size)


def _cropped(call: Call, value: Value, ranges: Sequence[_Range]) -> Value:
    """The box alone, along the tensor's axes from the first that loses something to the last."""
    axes = call.ranked(value)
    by_place = {axis: (i, ranges[i]) for i, axis in enumerate(axes) if isinstance(axis, int)}
    lossy = sorted(place for place, (_, range_) in by_place.items() if not range_.whole)
    if not lossy:
        return value
    first, last = lossy[0], lossy[-1]
    picked = [by_place[place][1] for place in range(first, last + 1)]
    operator = ops.Crop(
        first, tuple(range_.offset for range_ in picked), tuple(range_.size for range_ in picked)
    )
    return Value(call.emit(operator, [value.name]), axes)


def _stepped(call: Call, value: Value, ranges: Sequence[_Range]) -> Value:
    """Every n-th pixel: a pooling whose window is one pixel."""
    strided = [i for i, range_ in enumerate(ranges) if range_.stride != 1]
    if not strided:
        return value
    axes = spatial_axes(call, value, strided)
    spatial = range(2, len(axes))
    strides = {axis: range_.stride for axis, range_ in zip(axes, ranges, strict=True)}
    one, none = (1,) * len(spatial), (0,) * len(spatial)
    stride = tuple(strides[place] for place in spatial)
    pool = ops.Pool("max", one, stride, one, none, none, "floor", "never", False)
    return Value(call.emit(pool, [call.arranged(value, axes)], suffix="stride"), axes)


_MIRROR: Final[dict[str, Literal["reflect", "symmetric"]]] = {
    "REFLECT": "reflect",
    "SYMMETRIC": "symmetric",
}


@lowers("Pad", "PadV2", "MirrorPad")
def _pad(call: Call) -> Entry:
    value = call.network.real(call.value(), call.origin)
    axes = call.ranked(value)
    amounts = call.size_list(1, "paddings")
    if len(amounts) != 2 * len(axes):
        raise call.invalid(f"{len(amounts)} paddings for {len(axes)} axes")
    begin: list[Size] = [0] * len(axes)
    end: list[Size] = [0] * len(axes)
    for i, axis in enumerate(axes):
        if isinstance(axis, int):
            begin[axis], end[axis] = amounts[2 * i], amounts[2 * i + 1]
    fill = float(call.numbers(2, "value").reshape(-1)[0]) if call.node.op == "PadV2" else 0.0
    if call.node.op == "MirrorPad":
        word = call.node.word("mode", "REFLECT")
        if word not in _MIRROR:
            raise call.invalid(f"the mode '{word}'")
        return call.unary(ops.Pad(tuple(begin), tuple(end), _MIRROR[word]), value)
    return call.unary(ops.Pad(tuple(begin), tuple(end), value=fill), value)


# Channels and space


@lowers("DepthToSpace", "SpaceToDepth")
def _blocks(call: Call) -> Entry:
    last = is_channels_last(call)
    block = call.node.integer("block_size", 2)
    if block < 1:
        raise call.invalid(f"a block of {block}")
    kind = ops.DepthToSpace if call.node.op == "DepthToSpace" else ops.SpaceToDepth
    x = call.spatial(0, 4, last=last)
    return Value(call.emit(kind(block, "DCR"), [x]), channels_last(4) if last else plain(4))
