"""Operators that move values or axes and compute nothing, and what is known of shapes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Size, ceil_div, maximum, multiply
from upconv.converters.ir.least import never_negative
from upconv.converters.readers.assembly import rearranging
from upconv.converters.readers.assembly.known import Known, known_of, size_as_known, sizes_as_known
from upconv.converters.readers.assembly.picking import MAX_PICKED, cut
from upconv.converters.readers.onnx.entries import Entry, Value
from upconv.converters.readers.onnx.folding import NO_END, fill_of
from upconv.converters.readers.onnx.lowering import Call, lowers

# What is known of a tensor's shape


def _shape_entry(call: Call) -> tuple[Size, ...]:
    entry = call.entry(0)
    return entry.shape if isinstance(entry, Known) else call.shape(call.value())


def extended(call: Call, index: int, axes: int) -> Entry:
    """An input with so many axes of size 1 behind its own; as it is where there are none to add."""
    entry = call.entry(index)
    if axes <= 0:
        return entry
    if isinstance(entry, Known):
        shape = entry.shape + (1,) * axes
        return known_of(entry.array().reshape(shape), entry.kind)
    own = call.rank(call.value(index))
    name = call.step(ops.Reshape((1,) * axes, own, 0), [call.value(index)], "aligned")
    return Value(name, call.kind(index))


@lowers("Shape")
def _shape(call: Call) -> Entry:
    sizes = _shape_entry(call)
    end = call.integer("end", len(sizes))
    return sizes_as_known(sizes[call.integer("start", 0) : end])


@lowers("Size")
def _size(call: Call) -> Entry:
    return size_as_known(multiply(_shape_entry(call)))


# Axes


@lowers("Transpose")
def _transpose(call: Call) -> Entry:
    x = call.value()
    order = call.ints("perm") or tuple(reversed(range(call.rank(x))))
    if sorted(order) != list(range(call.rank(x))):
        raise call.invalid(f"its perm is {order} for {call.rank(x)} axes")
    return call.emit(ops.Permute(order) if order else ops.Identity(), [x])


@lowers("Squeeze")
def _squeeze(call: Call) -> Entry:
    x = call.value()
    shape, named = call.shape(x), call.listed(1, "axes")
    ones = [axis for axis, size in enumerate(shape) if size == 1]
    gone = ones if named is None else sorted(call.axes(named, len(shape)))
    if any(isinstance(shape[axis], int) and shape[axis] != 1 for axis in gone):
        raise call.invalid(f"squeezes axes {gone} of {'x'.join(map(str, shape))}")
    return _chained(call, x, rearranging.dropped(gone))


@lowers("Unsqueeze")
def _unsqueeze(call: Call) -> Entry:
    x = call.value()
    named = call.listed(1, "axes") or ()
    added = call.axes(named, call.rank(x) + len(named))
    return _chained(call, x, rearranging.added(added))


def _chained(call: Call, x: str, steps: Sequence[ops.Operator]) -> Entry:
    """Operators one after the other, the last of them the node's own."""
    for index, operator in enumerate(steps[:-1]):
        x = call.step(operator, [x], f"step{index}")
    return call.emit(steps[-1] if steps else ops.Identity(), [x])


@lowers("Reshape")
def _reshape_by_attribute(call: Call) -> Entry:
    return _reshaped(call, call.ints("shape") or ())


@lowers("Reshape", since=5)
def _reshape(call: Call) -> Entry:
    return _reshaped(call, call.sizes(1, "shape"))


def _reshaped(call: Call, dims: Sequence[Size]) -> Entry:
    """A size of 0 copies an axis, -1 is what is left."""
    x = call.value()
    if call.flag("allowzero") and 0 in dims:
        raise call.unsupported("a reshape to a tensor without values")
    known = [call.work.known(size) for size in dims]
    if known.count(-1) > 1 or any(isinstance(n, int) and n < -1 for n in known):
        raise call.invalid(f"a reshape to {[str(size) for size in dims]}")
    return call.emit(ops.Reshape(tuple(dims)), [x])


@lowers("Flatten")
def _flatten(call: Call) -> Entry:
    """Two axes are left: those before `axis` as one, and the others."""
    x = call.value()
    rank, axis = call.rank(x), call.integer("axis", 1)
    axis = axis if axis == rank else call.axis(axis, rank)
    if axis == 1 and rank > 1:
        return call.emit(ops.Flatten(), [x])
    shape = call.shape(x)
    front = multiply(shape[:axis]) if axis else 1
    return call.emit(ops.Reshape((front, 1 if axis == rank else -1)), [x])


# Parts and joins


@lowers("Concat")
def _concat(call: Call) -> Entry:
    values = [call.value(index) for index in range(len(call.entries))]
    axis = call.axis(call.integer("axis", 1), call.rank(values[0]))
    operator = ops.Concat(axis) if len(values) > 1 else ops.Identity()
    return call.emit(operator, values)


@lowers("Split")
def _split(call: Call) -> tuple[Entry, ...]:
    x = call.value()
    shape = call.shape(x)
    axis, count = call.axis(call.integer("axis", 0), len(shape)), len(call.outputs)
    sizes, size = call.listed(1, "split"), shape[axis]
    if sizes is None and call.opset >= 18 and isinstance(size, int):
        each = ceil_div(size, call.integer("num_outputs", count))
        sizes = (*(each,) * (count - 1), size - each * (count - 1))
    elif sizes is None and call.opset >= 18:
        raise call.unsupported("splits an axis of an open size", "give --input")
    if sizes is not None and (len(sizes) != count or min(sizes) < 1):
        raise call.unsupported(f"splits an axis into {sizes} for {count} outputs")
    if count == 1:
        return (call.emit(ops.Identity(), [x]),)
    points = () if sizes is None else tuple(sum(sizes[: at + 1]) for at in range(count - 1))
    return call.emit_many(ops.Slice(axis, points), [x], call.outputs)


@lowers("Slice")
def _slice_by_attributes(call: Call) -> Entry:
    starts, ends = call.ints("starts") or (), call.ints("ends") or ()
    return _sliced(call, starts, ends, call.ints("axes"), None)


@lowers("Slice", since=10)
def _slice(call: Call) -> Entry:
    axes = call.numbers(3, "axes") if call.has(3) else None
    steps = call.numbers(4, "steps") if call.has(4) else None
    return _sliced(call, call.sizes(1, "starts"), call.sizes(2, "ends"), axes, steps)


def _sliced(
    call: Call,
    starts: Sequence[Size],
    ends: Sequence[Size],
    axes: Sequence[int] | None,
    steps: Sequence[int] | None,
) -> Entry:
    x = call.value()
    shape = call.shape(x)
    named = call.axes(range(len(starts)) if axes is None else axes, len(shape))
    by = tuple(steps or (1,) * len(starts))
    if not len(starts) == len(ends) == len(named) == len(by) or 0 in by:
        raise call.invalid("its starts, ends, axes and steps do not fit each other")
    boxes = [
        box
        for axis, begin, end, step in zip(named, starts, ends, by, strict=True)
        if (box := _cut(call, axis, shape[axis], (begin, end, step))) is not None
    ]
    return _chained(call, x, boxes)


BACKWARDS: Final = (
    "goes backwards to the largest number: nothing to the specification, all to onnxruntime"
)


def _cut(call: Call, axis: int, size: Size, bounds: tuple[Size, Size, int]) -> ops.Operator | None:
    """The part of an axis between two bounds; numbers from NO_END on mean its end."""
    begin, end, step = bounds
    first, last = call.work.known(begin), call.work.known(end)
    if step < 0 and isinstance(last, int) and last >= NO_END:
        raise call.unsupported(BACKWARDS, "say the least number as its end")
    whole = isinstance(last, int) and (last >= NO_END if step > 0 else last <= -NO_END)
    behind = step < 0 and isinstance(first, int) and first >= NO_END
    asked = (None if behind else begin, None if whole else end, step)
    return cut(axis, size, asked, call.work.known)


@lowers("Gather")
def _gather(call: Call) -> Entry:
    """Numbers that are known pick entries, or cut a box where there is one."""
    axis = call.integer("axis", 0)
    if call.is_known(0) and not call.is_known(1):
        table = call.known(0, "table")
        if len(table.shape) == 2 and axis % 2 == 0 and not table.is_symbolic:
            operator = ops.Embedding(*table.shape)
            weights = {"table": call.weight(0, "table")}
            return call.emit(operator, [call.value(1)], weights, kind=call.kind(0))
    x = call.value(0)
    shape = call.shape(x)
    axis = call.axis(axis, len(shape))
    if not call.is_known(1):
        return call.emit(ops.Gather(axis), [x, call.value(1)])
    places = call.known(1, "indices").shape
    picked = [_place(call, n, shape[axis]) for n in call.numbers(1, "indices")]
    box = _picked(call, axis, picked)
    if len(places) == 1:
        return call.emit(box, [x])
    return call.emit(ops.Reshape(places, axis, 1), [call.step(box, [x], "box")])


def _place(call: Call, number: int, size: Size) -> Size:
    return size + number if number < 0 else number


def _picked(call: Call, axis: int, picked: Sequence[Size]) -> ops.Operator:
    if len(picked) == 1:
        return ops.Crop(axis, (picked[0],), (1,))
    numbers = tuple(n for n in picked if isinstance(n, int))
    if len(numbers) < len(picked) or len(picked) > MAX_PICKED or not picked:
        raise call.unsupported("picks entries counted from the end of an open axis, or too many")
    return ops.Gather(axis, numbers)


# Repeating and padding


@lowers("Expand")
def _expand(call: Call) -> Entry:
    """To what NumPy's rule makes of both shapes."""
    x, wanted = call.value(), call.sizes(1, "shape")
    shape = call.shape(x)
    rank = max(len(shape), len(wanted))
    own: tuple[Size, ...] = (1,) * (rank - len(shape)) + shape
    asked: tuple[Size, ...] = (1,) * (rank - len(wanted)) + wanted
    sizes = tuple(_larger(call, *pair) for pair in zip(own, asked, strict=True))
    return call.emit(ops.Expand(sizes) if sizes != shape else ops.Identity(), [x])


def _larger(call: Call, one: Size, other: Size) -> Size:
    """The one of two sizes that is not 1."""
    if other == 1 or call.work.known(one - other) == 0:
        return one
    return other if one == 1 else maximum(one, other)


@lowers("Tile", since=6)
def _tile(call: Call) -> Entry:
    x, counts = call.value(), call.sizes(1, "repeats")
    if len(counts) != call.rank(x):
        raise call.invalid(f"{len(counts)} repeats for {call.rank(x)} axes")
    return _chained(call, x, rearranging.tiled(counts))


@lowers("ConstantOfShape")
def _constant_of_shape(call: Call) -> Entry:
    """As large as the input: one number, repeated."""
    value = known_of(fill_of(call))
    number = call.step(ops.Constant(()), [], "number", {"value": call.weight_of(value)})
    return call.emit(ops.Expand(call.sizes(0, "shape")), [number], kind=value.kind)


@lowers("EyeLike", since=9)
def _eye_like(call: Call) -> Entry:
    """1 where the row's number and `k` are the column's, else 0, as large as the input."""
    x = call.value()
    shape, k = call.shape(x), call.integer("k", 0)
    if len(shape) != 2:
        raise call.invalid(f"its input has {len(shape)} axes, not 2")
    rows = call.step(ops.Arange(shape[0], float(k)), [], "rows")
    column = call.step(ops.Reshape((1,), 1, 0), [rows], "column")
    columns = call.step(ops.Arange(shape[1]), [], "columns")
    return call.emit(ops.Compare("equal"), [column, columns])


@lowers("Range")
def _range(call: Call) -> Entry:
    start, end, step = (_bound(call, index) for index in (0, 1, 2))
    if not isinstance(start, int | float) or not isinstance(step, int | float) or step == 0:
        raise call.unsupported("a range whose start or step depends on the input's size")
    if not isinstance(start, int) or not isinstance(step, int):
        raise call.unsupported("a range of fractions as long as the input's size")
    size = ceil_div(end - start, step) if step > 0 else ceil_div(start - end, -step)
    size = size if never_negative(call.work.known(size)) else maximum(size, 0)
    return call.emit(ops.Arange(size, float(start), float(step)), [])


def _bound(call: Call, index: int) -> Any:
    found = call.known(index, "bound").array().reshape(-1).tolist()[0]
    return int(found) if isinstance(found, float) and found.is_integer() else found


@lowers("Pad")
def _pad_by_attributes(call: Call) -> Entry:
    pads = call.ints("pads") or call.ints("paddings") or ()
    return _padded(call, pads, None, call.number("value", 0.0))


@lowers("Pad", since=11)
def _pad(call: Call) -> Entry:
    value = call.scalar(2, "constant_value") if call.has(2) else 0.0
    axes = call.numbers(3, "axes") if call.has(3) else None
    return _padded(call, call.sizes(1, "pads"), axes, value)


def _padded(call: Call, pads: Sequence[Size], axes: Sequence[int] | None, value: float) -> Entry:
    x = call.value()
    rank = call.rank(x)
    named = tuple(range(rank)) if axes is None else call.axes(axes, rank)
    if len(pads) != 2 * len(named):
        raise call.invalid(f"{len(pads)} pads for {len(named)} axes")
    mode: Literal["constant", "reflect", "edge"] | None = _MODES[
        call.word("mode", "constant", "reflect", "edge", "wrap")
    ]
    if mode is None:
        raise call.unsupported("padding that repeats the input from its other side (wrap)")
    begin, end = [0] * rank, [0] * rank  # type: list[Size], list[Size]
    for at, axis in enumerate(named):
        begin[axis], end[axis] = pads[at], pads[at + len(named)]
    if mode != "constant":
        value = 0.0
    return call.emit(ops.Pad(tuple(begin), tuple(end), mode, value), [x])


_MODES: Final[dict[str, Literal["constant", "reflect", "edge"] | None]] = {
    "constant": "constant",
    "reflect": "reflect",
    "edge": "edge",
    "wrap": None,
}


@lowers("CenterCropPad", since=18)
def _center(call: Call) -> Entry:
    """Zeros around, or a box from the middle; the odd pixel at the end."""
    x, wanted = call.value(), call.sizes(1, "shape")
    shape, named = call.shape(x), call.ints("axes")
    axes = tuple(range(len(shape))) if named is None else call.axes(named, len(shape))
    if len(wanted) != len(axes):
        raise call.invalid(f"{len(wanted)} sizes for {len(axes)} axes")
    begin: list[Size] = [0] * len(shape)
    end: list[Size] = list(begin)
    for axis, size in zip(axes, wanted, strict=True):
        more = call.work.known(size - shape[axis])
        begin[axis] = maximum(more, 0) // 2 - maximum(-more, 0) // 2
        end[axis] = more - begin[axis]
    return call.emit(ops.Pad(tuple(begin), tuple(end)), [x])


@lowers("DepthToSpace")
def _depth_to_space(call: Call) -> Entry:
    mode: Literal["DCR", "CRD"] = "CRD" if call.word("mode", "DCR", "CRD") == "CRD" else "DCR"
    return call.emit(ops.DepthToSpace(call.integer("blocksize", 0), mode), [call.value()])


@lowers("SpaceToDepth")
def _space_to_depth(call: Call) -> Entry:
    mode: Literal["DCR", "CRD"] = "CRD" if call.word("mode", "DCR", "CRD") == "CRD" else "DCR"
    return call.emit(ops.SpaceToDepth(call.integer("blocksize", 0), mode), [call.value()])
