"""The same values in other shapes and orders, parts of them, and what reduces them
(matrix_op-inl.h, broadcast_reduce_op.h)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, TypeAlias

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Size, multiply
from upconv.converters.readers.assembly.picking import backwards, cut
from upconv.converters.readers.assembly.reducing import Kind, reduced
from upconv.converters.readers.mxnet.lowering import Call, lowers

Bound: TypeAlias = int | None


# Axes


@lowers("Flatten flatten")
def _flatten(call: Call) -> str:
    return call.emit(ops.Flatten(), [call.value()])


@lowers("transpose _npi_transpose")
def _transpose(call: Call) -> str:
    x = call.value()
    order = call.attributes.ints("axes") or tuple(reversed(range(call.rank(x))))
    rank = call.rank(x)
    order = tuple(call.axis(axis, rank) for axis in order)
    if sorted(order) != list(range(rank)):
        raise call.invalid(f"axes is {order} for a tensor of {rank} axes", "axes")
    return call.emit(ops.Permute(order), [x])


@lowers("SwapAxis swapaxes")
def _swap(call: Call) -> str:
    x = call.value()
    first, second = (
        call.axis(call.attributes.integer(name, 0), call.rank(x)) for name in ("dim1", "dim2")
    )
    order = list(range(call.rank(x)))
    order[first], order[second] = second, first
    return call.emit(ops.Permute(tuple(order)), [x])


@lowers("expand_dims")
def _expand(call: Call) -> str:
    x = call.value()
    axis = call.axis(call.attributes.integer("axis"), call.rank(x) + 1)
    return call.emit(ops.Reshape((1,), axis, 0), [x])


@lowers("squeeze")
def _squeeze(call: Call) -> str:
    x = call.value()
    shape, named = call.shape(x), call.attributes.ints("axis")
    ones = [axis for axis, size in enumerate(shape) if size == 1]
    gone = sorted({call.axis(axis, len(shape)) for axis in named}) if named else ones
    return call.chain(x, [ops.Reshape((), axis, 1) for axis in reversed(gone)])


@lowers("Reshape reshape")
def _reshape(call: Call) -> str:
    """0 keeps an axis, -1 is what is left, -2 the axes that follow, -3 the product of two, -4
    splits one in two; `reverse` goes through them from the right."""
    x, ask = call.value(), call.attributes
    codes, before = list(ask.ints("shape")), list(call.shape(x))
    legacy, keeps, reverse = ask.ints("target_shape"), ask.flag("keep_highest"), ask.flag("reverse")
    if not codes:
        wanted: list[Size] = [size or -1 for size in legacy]
        wanted[:1] = before[:1] if keeps else wanted[:1]
    elif reverse:
        wanted = _decoded(call, codes[::-1], before[::-1])[::-1]
    else:
        wanted = _decoded(call, codes, before)
    if wanted.count(-1) > 1:
        raise call.invalid(f"a reshape to {ask.word('shape', '')}", "shape")
    if wanted[:1] == before[:1] and wanted[1:] == [-1] and len(before) > 1:
        return call.emit(ops.Flatten(), [x])
    return call.emit(ops.Reshape(tuple(wanted)), [x])


def _decoded(call: Call, codes: list[int], before: list[Size]) -> list[Size]:
    made: list[Size] = []
    waiting = list(codes)
    try:
        while waiting:
            code = waiting.pop(0)
            if code > 0:
                made.append(code)
                del before[:1]
            elif code in (0, -1):
                made.append(before.pop(0) if code == 0 else -1)
                if code == -1:
                    del before[:1]
            elif code == -2:
                made += before
                before.clear()
            elif code == -3:
                made.append(before.pop(0) * before.pop(0))
            elif code == -4:
                made += _split(before.pop(0), waiting.pop(0), waiting.pop(0))
            else:
                raise IndexError
    except (IndexError, ZeroDivisionError):
        raise call.invalid(f"a reshape of these axes to {codes}", "shape") from None
    return made


def _split(size: Size, first: int, second: int) -> list[Size]:
    """An axis as two, one of which may be -1: what is left."""
    if first == -1:
        return [size // second, second]
    return [first, size // first if second == -1 else second]


# Parts


@lowers("slice crop")
def _slice(call: Call) -> str:
    """[begin:end:step] of the first axes."""
    x, ask = call.value(), call.attributes
    begin, end, step = (ask.bounds(name) for name in ("begin", "end", "step"))
    shape = call.shape(x)
    step = step or (None,) * len(begin)
    if not len(begin) == len(end) == len(step) <= len(shape) or 0 in step:
        raise call.invalid("its begin, end and step do not fit each other", "begin")
    triples = zip(begin, end, step, strict=True)
    return _cut(call, x, [(axis, *triple) for axis, triple in enumerate(triples)])


def _cut(call: Call, x: str, parts: Sequence[tuple[int, Bound, Bound, Bound]]) -> str:
    shape, known = call.shape(x), call.work.known
    boxes: list[ops.Operator] = []
    for axis, begin, end, step in parts:
        if (step or 1) < 0:
            start, count = backwards(shape[axis], begin, end, step or 1)
            boxes.append(ops.StridedSlice(axis, start, count, step or 1))
        elif (box := cut(axis, shape[axis], (begin, end, step or 1), known)) is not None:
            boxes.append(box)
    return call.chain(x, boxes)


@lowers("slice_axis")
def _slice_axis(call: Call) -> str:
    x, ask = call.value(), call.attributes
    axis = call.axis(ask.integer("axis"), call.rank(x))
    begin, end = (ask.bounds(name) or (None,) for name in ("begin", "end"))
    return _cut(call, x, [(axis, begin[0], end[0], None)])


@lowers("slice_like")
def _slice_like(call: Call) -> str:
    """As large as the second input, along these axes or all."""
    x, like = call.value(), call.value(1)
    named = call.attributes.ints("axes") or tuple(range(call.rank(x)))
    axes = sorted({call.axis(axis, call.rank(x)) for axis in named})
    sizes = call.shape(like)
    if axes and axes[-1] >= len(sizes):
        raise call.invalid(f"axis {axes[-1]} of a tensor with {len(sizes)} axes", "axes")
    return call.chain(x, [ops.Crop(axis, (0,), (sizes[axis],)) for axis in axes])


@lowers("SliceChannel split")
def _split_channels(call: Call) -> tuple[str, ...]:
    x, ask = call.value(), call.attributes
    count, axis = ask.positive("num_outputs"), ask.integer("axis", 1)
    squeezes = ask.flag("squeeze_axis")
    if count > 1 << 10:
        raise call.invalid(f"{count} outputs", "num_outputs")
    axis = call.axis(axis, call.rank(x)) if axis < 0 or squeezes else axis
    names = [f"{call.node.name}_output{at}" for at in range(count)] if count > 1 else call.outputs
    if not squeezes:
        operator = ops.Slice(axis) if count > 1 else ops.Identity()
        return call.emit_many(operator, [x], names)
    parts = [call.step(ops.Crop(axis, (at,), (1,)), [x], f"part{at}") for at in range(count)]
    pairs = zip(parts, names, strict=False)
    return tuple(call.emit_many(ops.Reshape((), axis, 1), [one], [to])[0] for one, to in pairs)


@lowers("Concat concat _npi_concatenate _rnn_param_concat")
def _concat(call: Call) -> str:
    ask, values = call.attributes, call.values()
    ask.text("num_args")
    numpy = call.node.op == "_npi_concatenate"
    axis = ask.integer("axis", 0) if numpy else ask.integer("dim", 1)
    axis = call.axis(axis, call.rank(values[0])) if axis < 0 else axis
    return call.emit(ops.Concat(axis) if len(values) > 1 else ops.Identity(), values)


@lowers("stack")
def _stack(call: Call) -> str:
    call.attributes.text("num_args")
    values = call.values()
    axis = call.axis(call.attributes.integer("axis", 0), call.rank(values[0]) + 1)
    apart = ops.Reshape((1,), axis, 0)
    wide = [call.step(apart, [x], f"part{at}") for at, x in enumerate(values)]
    return call.emit(ops.Concat(axis) if len(wide) > 1 else ops.Identity(), wide)


# More of the same


@lowers("tile")
def _tile(call: Call) -> str:
    x, counts = call.value(), call.attributes.ints("reps")
    missing = call.rank(x) - len(counts)
    if not counts or min(counts) < 1:
        raise call.unsupported(f"repeats a tensor {counts} times", "reps")
    new: list[ops.Operator] = [ops.Reshape((1,) * -missing, 0, 0)] if missing < 0 else []
    places = enumerate(counts, start=max(missing, 0))
    return call.chain(x, new + [ops.Tile(axis, n) for axis, n in places if n != 1])


@lowers("repeat")
def _repeat(call: Call) -> str:
    """Every entry of an axis so many times, one after the other."""
    x, times = call.value(), call.attributes.positive("repeats")
    named, shape = call.attributes.ints("axis"), call.shape(x)
    if not named:
        x, shape = call.step(ops.Reshape((-1,)), [x], "flat"), (multiply(shape),)
    axis = call.axis(named[0] if named else 0, len(shape))
    steps: list[ops.Operator] = [
        ops.Reshape((1,), axis + 1, 0),
        ops.Tile(axis + 1, times),
        ops.Reshape((-1,), axis, 2),
    ]
    return call.chain(x, steps)


@lowers("reverse flip")
def _reverse(call: Call) -> str:
    x = call.value()
    axes = [call.axis(axis, call.rank(x)) for axis in call.attributes.ints("axis")]
    return _cut(call, x, [(axis, None, None, -1) for axis in axes])


@lowers("broadcast_axis broadcast_axes broadcast_to broadcast_like")
def _broadcast(call: Call) -> str:
    x, ask = call.value(), call.attributes
    sizes = list(call.shape(x))
    if call.node.op == "broadcast_like":
        if ask.text("lhs_axes") is not None or ask.text("rhs_axes") is not None:
            raise call.unsupported("a broadcast like some axes of a tensor", "lhs_axes")
        sizes = list(call.shape(call.value(1)))
    elif call.node.op == "broadcast_to":
        wanted = ask.ints("shape")
        if len(wanted) != len(sizes):
            raise call.unsupported(f"a broadcast of {len(sizes)} axes to {wanted}", "shape")
        sizes = [new or old for new, old in zip(wanted, sizes, strict=True)]
    else:
        for axis, size in zip(ask.ints("axis"), ask.ints("size"), strict=False):
            sizes[call.axis(axis, len(sizes))] = size
    return call.emit(ops.Expand(tuple(sizes)), [x])


_PADS: Final[dict[str, Literal["constant", "edge", "reflect"]]] = {
    "constant": "constant",
    "edge": "edge",
    "reflect": "reflect",
}


@lowers("Pad pad")
def _pad(call: Call) -> str:
    """pad_width is (begin, end) of every axis."""
    x, ask = call.value(), call.attributes
    mode, width = ask.word("mode", "constant"), ask.ints("pad_width")
    value = ask.number("constant_value", 0.0)
    if mode not in _PADS or len(width) % 2 or not width or min(width) < 0 or any(width[:4]):
        raise call.invalid(f"a padding of {width}, {mode}", "pad_width")
    value = value if mode == "constant" else 0.0
    return call.emit(ops.Pad(width[::2], width[1::2], _PADS[mode], value), [x])


# Reductions

_REDUCTIONS: Final[dict[str, Kind]] = {
    **dict.fromkeys(("sum", "sum_axis", "_np_sum"), "sum"),
    **dict.fromkeys(("mean", "_npi_mean"), "mean"),
    **dict.fromkeys(("max", "max_axis", "_np_max"), "max"),
    **dict.fromkeys(("min", "min_axis", "_np_min"), "min"),
    "norm": "square_sum",
}


@lowers(*_REDUCTIONS)
def _reduce(call: Call) -> str:
    """Over these axes, or with `exclude` the others; over all where none is said."""
    x, ask = call.value(), call.attributes
    rank, kind = call.rank(x), _REDUCTIONS[call.node.op]
    order = ask.integer("ord", 2) if call.node.op == "norm" else 2
    ask.text("dtype")
    named, keep = ask.ints("axis"), ask.flag("keepdims")
    axes = sorted({call.axis(axis, rank) for axis in named}) if named else list(range(rank))
    if ask.flag("exclude") and named:
        axes = [axis for axis in range(rank) if axis not in axes]
    if order not in (1, 2):
        raise call.invalid(f"a norm of order {order}", "ord")
    if keep and rank > 2 and axes == list(range(2, rank)) and kind in ("mean", "max"):
        return call.emit(ops.GlobalPool("average" if kind == "mean" else "max"), [x])
    kind = "abs_sum" if order == 1 else kind
    made = reduced(call.step, x, rank, kind, axes, keep=keep)
    if len(axes) == rank and not keep:  # what is left of all is one number, with an axis
        made = call.step(ops.Reshape((1,), 0, 0), [made], "axis")
    return call.emit(ops.Power(0.5) if kind == "square_sum" else ops.Identity(), [made])


@lowers("argmax argmin argmax_channel")
def _places(call: Call) -> str:
    """The first of equal values, as a float."""
    x, ask = call.value(), call.attributes
    default = 1 if call.node.op == "argmax_channel" else None
    axis = call.axis(ask.integer("axis", default), call.rank(x))
    if call.node.op == "argmin":
        x = call.step(ops.Power(scale=-1.0), [x], "negative")
    operator = ops.ArgMax(axis, 1, "indices", "first")
    if ask.flag("keepdims"):
        return call.emit(operator, [x])
    return call.emit(ops.Reshape((), axis, 1), [call.step(operator, [x], "places")])
