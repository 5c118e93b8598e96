"""The same values in other shapes and orders, parts of them, and what reduces them
(matrix_op-inl.h, broadcast_reduce_op.h, init_op.h)."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Any, Final, Literal, TypeAlias

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Size, multiply
from upconv.converters.ir.operators import Operator
from upconv.converters.ir.tensors import weight_of
from upconv.converters.readers.assembly import rearranging
from upconv.converters.readers.assembly.picking import MAX_PICKED, cut
from upconv.converters.readers.assembly.reducing import Kind, reduced
from upconv.converters.readers.mxnet.lowering import GIVE_SIZE, Call, Entry, Made, lowers

Bound: TypeAlias = "int | None"


# Axes


@lowers("transpose _npi_transpose")
def _transpose(call: Call) -> Made:
    rank = call.rank()
    asked = call.ask.ints("axes") or tuple(reversed(range(rank)))
    order = tuple(call.from_front(axis, rank) for axis in asked)
    if sorted(order) != list(range(rank)):
        raise call.ask.invalid(f"axes is {order} for a tensor of {rank} axes", "axes")
    return ops.Permute(order)


@lowers("SwapAxis swapaxes")
def _swap(call: Call) -> Made:
    return rearranging.swapped(call.rank(), call.axis("dim1", 0), call.axis("dim2", 0))


@lowers("expand_dims")
def _expand(call: Call) -> Made:
    return rearranging.added([call.axis("axis", more=1)])


@lowers("squeeze")
def _squeeze(call: Call) -> Made:
    ones = [axis for axis, size in enumerate(call.shape()) if size == 1]
    return rearranging.dropped(call.axes() or ones)


@lowers("Reshape reshape")
def _reshape(call: Call) -> Made:
    """0 keeps an axis, -1 is what is left, -2 the axes that follow, -3 the product of two, -4
    splits one in two; `reverse` goes through them from the right."""
    codes, before = list(call.ask.ints("shape")), list(call.shape())
    legacy = [size or -1 for size in call.ask.ints("target_shape")]
    keeps, reverse = call.ask.flag("keep_highest"), call.ask.flag("reverse")
    if not codes:
        wanted: list[Size] = [*(before[:1] if keeps else legacy[:1]), *legacy[1:]]
    elif reverse:
        wanted = _decoded(call, codes[::-1], before[::-1])[::-1]
    else:
        wanted = _decoded(call, codes, list(before))
    if wanted.count(-1) > 1:
        raise call.ask.invalid(f"a reshape to {call.ask.word('shape', '')}", "shape")
    if wanted[:1] == before[:1] and wanted[1:] == [-1] and len(before) > 1:
        return ops.Flatten()
    return ops.Reshape(tuple(wanted))


def _decoded(call: Call, codes: list[int], before: list[Size]) -> list[Size]:
    made: list[Size] = []
    waiting = iter(codes)
    try:
        for code in waiting:
            if code > 0 or code == -1:
                made.append(code)
                del before[:1]
            elif code == -2:
                made += before
                before.clear()
            elif code == -4:
                made += _split(before.pop(0), next(waiting), next(waiting))
            elif code in (0, -3):
                size = before.pop(0)
                made.append(size * before.pop(0) if code else size)
            else:
                raise LookupError
    except (LookupError, StopIteration, ZeroDivisionError):
        raise call.ask.invalid(f"a reshape of these axes to {codes}", "shape") from None
    return made


def _split(size: Size, first: int, second: int) -> list[Size]:
    """An axis as two, one of which may be -1: what is left."""
    if first == -1:
        return [size // second, second]
    return [first, size // first if second == -1 else second]


# Parts


@lowers("slice crop")
def _slice(call: Call) -> Made:
    """[begin:end:step] of the first axes."""
    begin, end, step = (call.ask.bounds(name) for name in ("begin", "end", "step"))
    step = step or (None,) * len(begin)
    if not len(begin) == len(end) == len(step) <= call.rank() or 0 in step:
        raise call.ask.invalid("its begin, end and step do not fit each other", "begin")
    return _cut(call, [(axis, *one) for axis, one in enumerate(zip(begin, end, step, strict=True))])


def _cut(call: Call, parts: Sequence[tuple[int, Bound, Bound, Bound]]) -> Made:
    shape, known = call.shape(), call.work.known
    boxes = [cut(axis, shape[axis], (a, b, step or 1), known) for axis, a, b, step in parts]
    return [box for box in boxes if box is not None]


@lowers("slice_axis")
def _slice_axis(call: Call) -> Made:
    begin, end = (call.ask.bounds(name) or (None,) for name in ("begin", "end"))
    return _cut(call, [(call.axis(), begin[0], end[0], None)])


@lowers("reverse flip")
def _reverse(call: Call) -> Made:
    return _cut(call, [(axis, None, None, -1) for axis in call.axes()])


@lowers("slice_like")
def _slice_like(call: Call) -> Made:
    """As large as the second input, along these axes or all."""
    axes, sizes = call.axes("axes") or list(range(call.rank())), call.shape(1)
    if axes and axes[-1] >= len(sizes):
        raise call.ask.invalid(f"axis {axes[-1]} of a tensor with {len(sizes)} axes", "axes")
    return [ops.Crop(axis, (0,), (sizes[axis],)) for axis in axes]


@lowers("SliceChannel split")
def _split_channels(call: Call) -> Made:
    count, axis = call.ask.positive("num_outputs"), call.ask.integer("axis", 1)
    squeezes = call.ask.flag("squeeze_axis")
    if count > 1 << 10:
        raise call.ask.invalid(f"{count} outputs", "num_outputs")
    axis = call.axis("axis", 1) if axis < 0 or squeezes else axis
    names = [f"{call.node.name}_output{at}" for at in range(count)] if count > 1 else call.outputs
    if squeezes:
        drop = rearranging.dropped([axis])[0]
        parts = [call.step(ops.Crop(axis, (at,), (1,)), [call.x], f"part{at}")
                 for at in range(count)]  # fmt: skip
        pairs = zip(parts, names, strict=False)
        return tuple(call.emit_many(drop, [one], [to])[0] for one, to in pairs)
    return call.emit_many(ops.Slice(axis) if count > 1 else ops.Identity(), [call.x], names)


@lowers("Concat concat _npi_concatenate _rnn_param_concat")
def _concat(call: Call) -> Made:
    name, default = ("axis", 0) if call.node.op == "_npi_concatenate" else ("dim", 1)
    axis = call.ask.integer(name, default)
    return _joined(call, call.values(), call.axis(name, default) if axis < 0 else axis)


@lowers("stack")
def _stack(call: Call) -> Made:
    axis = call.axis("axis", 0, more=1)
    (apart,) = rearranging.added([axis])
    wide = [call.step(apart, [x], f"part{at}") for at, x in enumerate(call.values())]
    return _joined(call, wide, axis)


def _joined(call: Call, values: Sequence[str], axis: int) -> Made:
    return call.emit(ops.Concat(axis) if len(values) > 1 else ops.Identity(), values)


# Copies


@lowers("tile")
def _tile(call: Call) -> Made:
    counts = call.ask.ints("reps")
    missing = call.rank() - len(counts)
    if not counts or min(counts) < 1:
        raise call.ask.unsupported(f"repeats a tensor {counts} times", "reps")
    new: list[Operator] = [ops.Reshape((1,) * -missing, 0, 0)] if missing < 0 else []
    return new + rearranging.tiled(counts, max(missing, 0))


@lowers("repeat")
def _repeat(call: Call) -> Made:
    """Every entry of an axis so many times, one after the other."""
    times, axes = call.ask.positive("repeats"), call.axes()
    flat: list[Operator] = [] if axes else [ops.Reshape((-1,))]
    axis = axes[0] if axes else 0
    return [*flat, ops.Reshape((1,), axis + 1, 0), ops.Tile(axis + 1, times),
            ops.Reshape((-1,), axis, 2)]  # fmt: skip


@lowers("broadcast_axis broadcast_axes broadcast_to broadcast_like")
def _broadcast(call: Call) -> Made:
    sizes = list(call.shape())
    if call.node.op == "broadcast_like":
        if call.ask.text("lhs_axes") is not None or call.ask.text("rhs_axes") is not None:
            raise call.ask.unsupported("a broadcast like some axes of a tensor", "lhs_axes")
        sizes = list(call.shape(1))
    elif call.node.op == "broadcast_to":
        wanted = call.ask.ints("shape")
        if len(wanted) != len(sizes):
            raise call.ask.unsupported(f"a broadcast of {len(sizes)} axes to {wanted}", "shape")
        sizes = [new or old for new, old in zip(wanted, sizes, strict=True)]
    for axis, size in zip(call.ask.ints("axis"), call.ask.ints("size"), strict=False):
        sizes[call.from_front(axis, len(sizes))] = size
    return ops.Expand(tuple(sizes))


@lowers("Pad pad")
def _pad(call: Call) -> Made:
    """pad_width is (begin, end) of every axis."""
    mode, width = call.ask.word("mode", "constant", "edge", "reflect"), call.ask.ints("pad_width")
    value = call.ask.number("constant_value", 0.0) if mode == "constant" else 0.0
    if len(width) % 2 or not width or min(width) < 0 or any(width[:4]):
        raise call.ask.invalid(f"a padding of {width}", "pad_width")
    kind: Any = mode
    return ops.Pad(width[::2], width[1::2], kind, value)


# Numbers and places


@lowers("_arange _npi_arange")
def _arange(call: Call) -> Made:
    """start, start + step ... up to `stop`, which alone is from 0 on; each `repeat` times."""
    start, step = call.ask.number("start", 0.0), call.ask.number("step", 1.0)
    stop, times = call.ask.text("stop"), call.ask.positive("repeat", 1)
    begin, end = (0.0, start) if stop is None else (start, call.ask.number("stop"))
    if call.ask.flag("infer_range") and stop is None:
        raise call.ask.unsupported("a range that ends where its reader says", "infer_range")
    count = (end - begin) / step if step else 0.0
    if not 0 < count * times < MAX_PICKED:
        raise call.ask.unsupported(f"a range of {count * times:g} numbers", "stop")
    import numpy as np

    made = np.float32(begin) + np.arange(ceil(count), dtype=np.float32) * np.float32(step)
    return call.constant(weight_of(made.repeat(times)))


@lowers("_contrib_arange_like")
def _arange_like(call: Call) -> Made:
    """As many as an axis is long, or in all and in the input's shape."""
    start, step = call.ask.number("start", 0.0), call.ask.number("step", 1.0)
    shape, whole = call.shape(), call.ask.text("axis") is None
    if call.ask.positive("repeat", 1) > 1:
        raise call.ask.unsupported("a range as long as an axis, its numbers repeated", "repeat")
    operator = ops.Arange(multiply(shape) if whole else shape[call.axis()], start, step)
    if not whole:
        return call.emit(operator, [])
    return call.emit(ops.Reshape(shape), [call.step(operator, [], "numbers")])


@lowers("shape_array")
def _shape_array(call: Call) -> Made:
    (apart,) = rearranging.added([0])
    sizes = []
    for at, size in enumerate(call.shape()):
        number = call.step(ops.SizeOf(size), [], f"size{at}")
        sizes.append(call.step(apart, [number], f"axis{at}"))
    return _joined(call, sizes, 0)


@lowers("gather_nd")
def _gather_nd(call: Call) -> Made:
    """data[i, j ...] for each column of the indices (M, ...): entries of the flattened first M
    axes, which are counted here."""
    shape, places = call.shape(), call.shape(1)
    deep = places[0] if places else 0
    if not isinstance(deep, int) or not 1 <= deep <= len(shape) or len(places) > 7:
        raise call.ask.unsupported("indices into an unknown number of axes")
    flat = call.step(ops.Reshape((-1,), 0, deep), [call.x], "flat") if deep > 1 else call.x
    place = ""
    for at in range(deep):
        row = call.step(ops.Crop(0, (at,), (1,)), [call.value(1)], f"row{at}")
        if at:  # which counts from the end where it is below 0
            width = call.step(ops.SizeOf(shape[at]), [], f"width{at}")
            row = call.step(ops.Eltwise("floor_mod", broadcast=True), [row, width], f"inside{at}")
            scaled = call.step(ops.Eltwise("product", broadcast=True), [place, width], f"rows{at}")
            row = call.step(ops.Eltwise("sum"), [scaled, row], f"place{at}")
        place = row
    places_of = call.step(ops.Reshape((), 0, 1), [place], "places")
    return call.emit(ops.Gather(0), [flat, places_of])


# Reductions

_REDUCTIONS: Final[dict[str, Kind]] = {
    **dict.fromkeys(("sum", "sum_axis", "_np_sum"), "sum"),
    **dict.fromkeys(("mean", "_npi_mean"), "mean"),
    **dict.fromkeys(("max", "max_axis", "_np_max"), "max"),
    **dict.fromkeys(("min", "min_axis", "_np_min"), "min"),
    "norm": "square_sum",
}


@lowers(*_REDUCTIONS)
def _reduce(call: Call) -> Made:
    """Over these axes, or with `exclude` the others; over all where none is said. What is left of
    all is one number, with an axis."""
    rank, kind, named = call.rank(), _REDUCTIONS[call.node.op], call.axes()
    keep, order = call.ask.flag("keepdims"), call.ask.integer("ord", 2)
    axes = named or list(range(rank))
    if call.ask.flag("exclude") and named:
        axes = [axis for axis in range(rank) if axis not in named]
    if order not in (1, 2):
        raise call.ask.invalid(f"a norm of order {order}", "ord")
    if keep and rank > 2 and axes == list(range(2, rank)) and kind in ("mean", "max"):
        return ops.GlobalPool("average" if kind == "mean" else "max")
    kind = "abs_sum" if order == 1 and kind == "square_sum" else kind
    made = reduced(call.step, call.x, rank, kind, axes, keep=keep)
    after = rearranging.added([0]) if len(axes) == rank and not keep else []
    return call.chain(made, [*after, *([ops.Power(0.5)] if kind == "square_sum" else [])])


@lowers("argmax argmin argmax_channel")
def _places(call: Call) -> Made:
    """The first of equal values, as a float."""
    axis = call.axis("axis", 1 if call.node.op == "argmax_channel" else None)
    least, keep = call.node.op == "argmin", call.ask.flag("keepdims")
    return rearranging.extreme_places(axis, least=least, keep=keep)


@lowers("topk argsort sort")
def _sorted(call: Call) -> Made:
    """The k largest or, ascending, least along an axis, in order, or where they are; of equal ones
    the first comes first. All of them for a k of 0."""
    kind = "value" if call.node.op == "sort" else "indices"
    kind = call.ask.word("ret_typ", kind, "value", "indices", "both")
    up, axis = call.ask.flag("is_ascend", call.node.op != "topk"), call.axis("axis", -1)
    size = call.work.known(call.shape()[axis])
    top = call.ask.integer("k", 1 if call.node.op == "topk" else 0) or size
    if not isinstance(top, int):
        raise call.ask.unsupported("sorts an axis of an open size", "", GIVE_SIZE)
    if not 0 < top <= MAX_PICKED:
        raise call.ask.invalid(f"the first {top} of an axis", "k")
    x = call.step(ops.Power(scale=-1.0), [call.x], "negative") if up else call.x
    wanted = ("value", "indices") if kind == "both" else (kind,)
    made: list[Entry] = []
    for output, name in zip(wanted, call.outputs, strict=False):
        turned = up and output == "value"
        best: Operator = ops.ArgMax(axis, top, _OUTPUTS[output], "first")
        last = ops.Power(scale=-1.0) if turned else best
        read = call.step(best, [x], "least") if turned else x
        made += call.emit_many(last, [read], [name])
    return tuple(made)


_OUTPUTS: Final[dict[str, Literal["indices", "values"]]] = {"value": "values", "indices": "indices"}
