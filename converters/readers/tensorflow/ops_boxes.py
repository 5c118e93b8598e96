"""Boxes of tensors: slices, paddings, and blocks of pixels that become channels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Size, ceil_div
from upconv.converters.readers.assembly.axes import Axis, Copies, Value, channels_last, plain
from upconv.converters.readers.assembly.picking import backwards, bounded
from upconv.converters.readers.tensorflow.lowering import Call, lowers
from upconv.converters.readers.tensorflow.ops_shape import axis_at, without_axes
from upconv.converters.readers.tensorflow.slices import Item, items_of
from upconv.converters.readers.tensorflow.values import Entry
from upconv.converters.readers.tensorflow.windows import is_channels_last

_UNBOUNDED: Final = (1 << 31) - 1


@lowers("Slice")
def _slice(call: Call) -> Entry:
    begin, sizes = call.size_list(1, "begin"), call.size_list(2, "size")
    items = [
        Item(first, None if size == -1 else first + size)
        for first, size in zip(begin, sizes, strict=False)
    ]
    return _box(call, call.real(call.value()), items)


@lowers("StridedSlice")
def _strided(call: Call) -> Entry:
    """x[:, ::2, 1:, ::-1]."""
    value = call.real(call.value())
    rank = len(call.ranked(value))
    begin, end = call.size_list(1, "begin"), call.size_list(2, "end")
    items = items_of(call.node, rank, begin, end, call.ints(3, "strides"))
    for axis, item in enumerate(item for item in items if not item.is_new):
        if item.stride < 0:
            value = _backwards(call, value, axis, item)
    return _box(call, value, [Item() if item.stride < 0 else item for item in items])


def _backwards(call: Call, value: Value, axis: int, item: Item) -> Value:
    """An axis from `begin` down to, and without, `end`."""
    begin, count = backwards(value.sizes[axis], item.begin, item.end, item.stride)
    known = call.work.known(count)
    if isinstance(known, int) and known < 1:
        raise call.invalid("a slice without values")
    place = axis_at(call, call.ranked(value), axis)
    operator = ops.StridedSlice(place, begin, count, item.stride)
    return call.unary(operator, value, f"backwards{axis}")


@dataclass(frozen=True, slots=True)
class _Range:
    """What is kept of one axis."""

    offset: Size
    size: Size
    stride: int
    whole: bool


def _box(call: Call, value: Value, items: Sequence[Item]) -> Value:
    axes = call.ranked(value)
    old = [item for item in items if not item.is_new]
    if len(old) != len(axes):
        raise call.invalid(f"a slice of {len(old)} axes on an input of {len(axes)}")
    sizes = value.sizes
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
        raise call.invalid("a slice by steps of 0")
    end = _bound(call, item.end, size, size)
    length = end - begin
    whole = begin == 0 and call.work.known(end) == call.work.known(size)
    known = call.work.known(length)
    if isinstance(known, int) and known <= 0:
        raise call.invalid("a slice without values")
    return _Range(begin, size if whole else length, item.stride, whole)


def _bound(call: Call, bound: Size | None, size: Size, default: Size) -> Size:
    """A begin or end: negative ones count from the end, and none lies outside."""
    if bound is None or (isinstance(bound, int) and bound >= _UNBOUNDED):
        return default if bound is None else size
    known, whole = call.work.known(bound), call.work.known(size)
    if isinstance(known, int) and known < 0:
        return 0 if isinstance(whole, int) and whole + known < 0 else size + bound
    return size if known == whole else bounded(bound, size, call.work.known)


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
    """Every n-th entry of the axes that have a stride."""
    for i, range_ in enumerate(ranges):
        if range_.stride != 1:
            place, size = axis_at(call, call.ranked(value), i), value.sizes[i]
            operator = ops.StridedSlice(place, 0, ceil_div(size, range_.stride), range_.stride)
            value = call.unary(operator, value, f"stride{i}")
    return value


_MIRROR: Final[dict[str, Literal["reflect", "symmetric"]]] = {
    "REFLECT": "reflect",
    "SYMMETRIC": "symmetric",
}


@lowers("Pad", "PadV2", "MirrorPad")
def _pad(call: Call) -> Entry:
    value = call.real(call.value())
    axes = call.ranked(value)
    amounts = call.size_list(1, "paddings")
    if len(amounts) != 2 * len(axes):
        raise call.invalid(f"{len(amounts)} paddings for {len(axes)} axes")
    begin: list[Size] = [0] * len(axes)
    end: list[Size] = [0] * len(axes)
    for i, axis in enumerate(axes):
        if isinstance(axis, int):
            begin[axis], end[axis] = amounts[2 * i], amounts[2 * i + 1]
    fill = call.scalar(2, "value") if call.node.op == "PadV2" else 0.0
    if call.node.op == "MirrorPad":
        word = call.node.word("mode", "REFLECT")
        if word not in _MIRROR:
            raise call.invalid(f"the mode '{word}'")
        return call.unary(ops.Pad(tuple(begin), tuple(end), _MIRROR[word]), value)
    return call.unary(ops.Pad(tuple(begin), tuple(end), value=fill), value)


@lowers("DepthToSpace", "SpaceToDepth")
def _blocks(call: Call) -> Entry:
    last = is_channels_last(call)
    block = call.node.integer("block_size", 2)
    if block < 1:
        raise call.invalid(f"a block of {block}")
    kind = ops.DepthToSpace if call.node.op == "DepthToSpace" else ops.SpaceToDepth
    x = call.spatial(0, 4, last=last)
    return Value(call.emit(kind(block, "DCR"), [x]), channels_last(4) if last else plain(4))
