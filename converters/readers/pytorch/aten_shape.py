"""The same values in other shapes, orders and boxes: views, cuts, joins, paddings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal

from converters import operators as ops
from converters.dims import Size, maximum, minimum
from converters.errors import UnsupportedError
from converters.readers.pytorch.lowering import Call, lowers
from converters.readers.pytorch.schema import TensorRef

NO_END: Final = (1 << 63) - 1


@lowers(
    "alias.default",
    "clone.default",
    "contiguous.default",
    "detach.default",
    "detach_.default",
    "lift_fresh_copy.default",
)
def _same(call: Call) -> None:
    call.same()


@lowers("to.dtype", "to.device", "to.dtype_layout", "_to_copy.default", "type_as.default")
def _converted(call: Call) -> None:
    """Only from float32 to float32; index tensors stay what they are."""
    before = call.meta("self").dtype
    after = call.state.metas[call.node.outputs[0]]
    if before != after.dtype:
        raise UnsupportedError(f"it converts to {after.dtype_name}")
    call.same()


# Views


@lowers(
    "view.default",
    "reshape.default",
    "_unsafe_view.default",
    "unflatten.int",
    "flatten.using_ints",
)
def _view(call: Call) -> None:
    """The axes that change, between those that stay in front and behind."""
    before, after = call.shape(), requested_shape(call)
    front = _equal_run(before, after)
    back = _equal_run(before[front:][::-1], after[front:][::-1])
    inner = after[front : len(after) - back]
    operator = ops.Reshape(_with_inferred(inner), front, len(before) - front - back)
    call.emit(operator, [call.value("self")])


def requested_shape(call: Call) -> tuple[Size, ...]:
    """The new shape, which the exporter has simplified. Dynamic sizes that the input has too are
    the input's own."""
    known = call.state.sizes_of(call.node.outputs[0])
    before = call.state.sizes_of(call.get("self").name)
    if known is None or before is None:
        raise UnsupportedError("its shape is not in the file")
    own = dict(zip(before, call.shape(), strict=True))
    return tuple(size if isinstance(size, int) else own.get(size, size) for size in known)


def _equal_run(before: Sequence[Size], after: Sequence[Size]) -> int:
    count = 0
    for left, right in zip(before, after, strict=False):
        if left != right:
            break
        count += 1
    return count


def _with_inferred(sizes: Sequence[Size]) -> tuple[Size, ...]:
    """One dynamic size is inferred, so that none is computed twice."""
    dynamic = [index for index, size in enumerate(sizes) if not isinstance(size, int)]
    if len(dynamic) != 1 or 0 in sizes:
        return tuple(sizes)
    return tuple(-1 if index == dynamic[0] else size for index, size in enumerate(sizes))


@lowers("unsqueeze.default")
def _unsqueeze(call: Call) -> None:
    axis = call.fixed("dim", 0) % (call.rank() + 1)
    call.emit(ops.Reshape((1,), axis, 0), [call.value("self")])


@lowers("squeeze.default", "squeeze.dim", "squeeze.dims")
def _squeeze(call: Call) -> None:
    """The axes of size 1 among those that are named, or all of them, go."""
    shape = call.meta("self").sizes
    named = call.get("dim")
    axes = named if isinstance(named, list) else ([named] if named is not None else None)
    chosen = range(len(shape)) if axes is None else sorted(axis % len(shape) for axis in axes)
    gone = [axis for axis in chosen if shape[axis] == 1]
    value = call.value("self")
    for index, axis in enumerate(reversed(gone), start=1):
        operator = ops.Reshape((), axis, 1)
        if index == len(gone):
            call.emit(operator, [value])
        else:
            value = call.step(operator, [value], f"squeeze{axis}")
    if not gone:
        call.same()


@lowers("permute.default")
def _permute(call: Call) -> None:
    rank = call.rank()
    order = tuple(axis % rank for axis in call.ints("dims", rank))
    call.emit(ops.Permute(order), [call.value("self")])


@lowers("transpose.int", "t.default", "numpy_T.default")
def _transpose(call: Call) -> None:
    rank = call.rank()
    order = list(range(rank))
    first, second = call.fixed("dim0", 0) % rank, call.fixed("dim1", -1) % rank
    order[first], order[second] = order[second], order[first]
    call.emit(ops.Permute(tuple(order)), [call.value("self")])


@lowers("expand.default", "expand_as.default")
def _expand(call: Call) -> None:
    """Axes of size 1 are repeated, new ones put in front."""
    before, after = call.shape(), call.output_shape()
    value = call.value("self")
    added = len(after) - len(before)
    if added:
        value = call.step(ops.Reshape((1,) * added, 0, 0), [value], "axes")
    padded = (1,) * added + before
    own = call.state.sizes_of(call.get("self").name) or before
    same = (1,) * added + own
    for axis, size in enumerate(after):
        if same[axis] == 1 and size != 1 and padded[axis] == 1:
            value = call.step(ops.Tile(axis, size), [value], f"tile{axis}")
    call.emit(ops.Identity(), [value])


@lowers("repeat.default")
def _repeat(call: Call) -> None:
    counts = call.get("repeats", [])
    value = call.value("self")
    added = len(counts) - call.rank()
    if added:
        value = call.step(ops.Reshape((1,) * added, 0, 0), [value], "axes")
    for axis, count in enumerate(counts):
        if count != 1:
            value = call.step(ops.Tile(axis, count), [value], f"tile{axis}")
    call.emit(ops.Identity(), [value])


# Blocks of pixels


@lowers("pixel_shuffle.default")
def _pixel_shuffle(call: Call) -> None:
    _blocks(call, ops.DepthToSpace(call.fixed("upscale_factor", 1), "CRD"))


@lowers("pixel_unshuffle.default")
def _pixel_unshuffle(call: Call) -> None:
    _blocks(call, ops.SpaceToDepth(call.fixed("downscale_factor", 1), "CRD"))


def _blocks(call: Call, operator: ops.DepthToSpace | ops.SpaceToDepth) -> None:
    """torch takes any number of axes in front of (C, H, W); they are folded into one."""
    value, rank = call.value("self"), call.rank()
    if operator.block == 1:
        call.same()
    elif rank == 4:
        call.emit(operator, [value])
    else:
        shape = call.shape()
        front = ops.Reshape((1,), 0, 0) if rank == 3 else ops.Flatten(0, rank - 4)
        value = call.step(front, [value], "batch")
        value = call.step(operator, [value], "blocks")
        call.emit(ops.Reshape(() if rank == 3 else shape[: rank - 3], 0, 1), [value])


@lowers("channel_shuffle.default", "native_channel_shuffle.default")
def _channel_shuffle(call: Call) -> None:
    call.emit(ops.ChannelShuffle(call.fixed("groups", 1)), [call.value("self")])


# Boxes


@lowers("slice.Tensor")
def _slice(call: Call) -> None:
    axis = call.fixed("dim", 0) % call.rank()
    size = call.shape()[axis]
    start = _bounded(call.get("start"), size, 0)
    step = call.fixed("step", 1)
    if step == 1:
        length = requested_shape(call)[axis]
    elif call.get("end") in (None, NO_END):
        length = size - start
    else:
        length = maximum(_bounded(call.get("end"), size, size) - start, 0)
    _cut(call, axis, start, length, step)


def _bounded(bound: Any, size: Size, default: Size) -> Size:
    """A bound as Python reads it: negative from the end, never outside."""
    if bound is None or bound == NO_END:
        return default
    if isinstance(bound, int):
        if bound == 0:
            return 0
        place = size + bound if bound < 0 else bound
        inside: Size = maximum(place, 0) if bound < 0 else minimum(place, size)
        return inside
    within: Size = minimum(bound, size)
    return within


def _cut(call: Call, axis: int, start: Size, length: Size, step: int) -> None:
    value = call.value("self")
    whole = start == 0 and length == call.shape()[axis]
    if step == 1:
        operator = ops.Identity() if whole else ops.Crop(axis, (start,), (length,))
        call.emit(operator, [value])
        return
    rank = call.rank()
    if axis < 2 or rank < 3:
        raise UnsupportedError(f"it takes every {step}th along axis {axis}, which is not spatial")
    if not whole:
        value = call.step(ops.Crop(axis, (start,), (length,)), [value], "box")
    call.emit(_every(axis, step, rank), [value])


def _every(axis: int, step: int, rank: int) -> ops.Pool:
    """Every step-th pixel: the maximum of windows of one pixel."""
    ones, nothing = (1,) * (rank - 2), (0,) * (rank - 2)
    strides = tuple(step if a == axis else 1 for a in range(2, rank))
    return ops.Pool("max", ones, strides, ones, nothing, nothing, "floor", "never", False)


@lowers("select.int")
def _select(call: Call) -> None:
    axis = call.fixed("dim", 0) % call.rank()
    index = call.get("index", 0)
    size = call.shape()[axis]
    if isinstance(index, int) and index < 0:
        index = size + index
    box = call.step(ops.Crop(axis, (index,), (1,)), [call.value("self")], "box")
    call.emit(ops.Reshape((), axis, 1), [box])


@lowers("narrow.default")
def _narrow(call: Call) -> None:
    axis = call.fixed("dim", 0) % call.rank()
    _cut(call, axis, call.get("start", 0), call.get("length", 0), 1)


@lowers("chunk.default", "split.Tensor", "split_with_sizes.default", "unbind.int")
def _split(call: Call) -> None:
    """Parts along an axis, of the lengths that the file says; unbind drops the axis too."""
    rank = call.rank()
    axis = call.fixed("dim", 0) % rank
    drop = call.node.target.startswith("aten.unbind")
    outputs = call.node.outputs
    lengths = [1 if drop else call.output_shape(index)[axis] for index in range(len(outputs))]
    value = call.value("self")
    start: Size = 0
    for output, length in zip(outputs, lengths, strict=True):
        box = ops.Crop(axis, (start,), (length,))
        if drop:
            part = call.step(box, [value], f"box{start}")
            call.emit(ops.Reshape((), axis, 1), [part], outputs=[output])
        else:
            call.emit(box, [value], outputs=[output])
        start = start + length


@lowers("cat.default", "concat.default")
def _concat(call: Call) -> None:
    """Empty tensors of one axis are left out, as torch does."""
    parts = [one for one in call.get("tensors", []) if not _is_nothing(call, one)]
    axis = call.fixed("dim", 0)
    _joined(call, [call.value(one) for one in parts], axis)


def _is_nothing(call: Call, reference: TensorRef) -> bool:
    meta = call.state.metas.get(reference.name)
    return meta is not None and meta.sizes == (0,)


def _joined(call: Call, values: list[str], axis: int) -> None:
    if len(values) == 1:
        call.emit(ops.Identity(), values)
    else:
        call.emit(ops.Concat(axis), values)


@lowers("stack.default")
def _stack(call: Call) -> None:
    tensors = call.get("tensors", [])
    rank = len(call.output_shape())
    axis = call.fixed("dim", 0) % rank
    parts = [
        call.step(ops.Reshape((1,), axis, 0), [call.value(one)], f"axis{index}")
        for index, one in enumerate(tensors)
    ]
    _joined(call, parts, axis)


# Padding

Edge = Literal["constant", "reflect", "edge"]
PAD_MODES: Final[dict[str, Edge]] = {
    "constant": "constant",
    "reflect": "reflect",
    "replicate": "edge",
}


@lowers("pad.default", "constant_pad_nd.default")
def _pad(call: Call) -> None:
    mode = call.get("mode", "constant")
    value = call.get("value")
    if mode == "circular":
        _circular(call)
        return
    if mode not in PAD_MODES:
        raise UnsupportedError(f"its padding mode is '{mode}'")
    _padded(call, PAD_MODES[mode], 0.0 if value is None else float(call.number("value", 0.0)))


@lowers(*(f"reflection_pad{n}d.default" for n in (1, 2, 3)))
def _reflect(call: Call) -> None:
    _padded(call, "reflect", 0.0, "padding")


@lowers(*(f"replication_pad{n}d.default" for n in (1, 2, 3)))
def _replicate(call: Call) -> None:
    _padded(call, "edge", 0.0, "padding")


def _padded(call: Call, mode: Edge, value: float, name: str = "pad") -> None:
    begin, end = _amounts(call, name)
    call.emit(ops.Pad(begin, end, mode, value), [call.value("self")])


def _amounts(call: Call, name: str) -> tuple[tuple[Size, ...], tuple[Size, ...]]:
    """torch lists (begin, end) pairs from the last axis on."""
    listed = call.get(name, [])
    pairs = list(zip(listed[::2], listed[1::2], strict=True))[::-1]
    pairs = [(0, 0)] * (call.rank() - len(pairs)) + pairs
    return tuple(begin for begin, _ in pairs), tuple(end for _, end in pairs)


def _circular(call: Call) -> None:
    """The end before the begin, and the begin behind the end."""
    begins, ends = _amounts(call, "pad")
    known = [amount for amount in (*begins, *ends) if isinstance(amount, int)]
    if len(known) < 2 * len(begins) or min(known) < 0:
        raise UnsupportedError("a circular padding by amounts that change or cut")
    value = call.value("self")
    for axis, (begin, end) in enumerate(zip(begins, ends, strict=True)):
        size = call.shape()[axis]
        parts = []
        if begin != 0:
            parts.append(call.step(ops.Crop(axis, (size - begin,), (begin,)), [value], f"e{axis}"))
        parts.append(value)
        if end != 0:
            parts.append(call.step(ops.Crop(axis, (0,), (end,)), [value], f"b{axis}"))
        if len(parts) > 1:
            value = call.step(ops.Concat(axis), parts, f"circle{axis}")
    call.emit(ops.Identity(), [value])


# Reductions

REDUCTIONS: Final[dict[str, Literal["sum", "mean", "max", "min"]]] = {
    "sum": "sum",
    "mean": "mean",
    "amax": "max",
    "amin": "min",
}


@lowers(
    "mean.default",
    "mean.dim",
    "sum.default",
    "sum.dim_IntList",
    "amax.default",
    "amin.default",
)
def _reduce(call: Call) -> None:
    kind = REDUCTIONS[call.node.target.split(".")[1]]
    _reduced(call, kind, call.get("dim"))


@lowers("max.dim", "min.dim")
def _extreme_along(call: Call) -> None:
    if len(call.used_outputs()) > 1:
        raise UnsupportedError("the indices of its extremes are used")
    kind: Literal["max", "min"] = "max" if call.node.target == "aten.max.dim" else "min"
    _reduced(call, kind, [call.fixed("dim", 0)])


def _reduced(call: Call, kind: Literal["sum", "mean", "max", "min"], dims: Any) -> None:
    """The reduced axes are brought to the end, and come back with size 1 where they are kept."""
    rank = call.rank()
    named = dims if isinstance(dims, list) else ([dims] if dims is not None else [])
    axes = sorted(axis % rank for axis in named) or list(range(rank))
    keep, outputs = bool(call.get("keepdim", False)), call.node.outputs[:1]
    value = call.value("self")
    if keep and rank > 2 and axes == list(range(2, rank)) and kind in ("mean", "max"):
        pooled = ops.GlobalPool("average" if kind == "mean" else "max")
        call.emit(pooled, [value], outputs=outputs)
        return
    order = tuple(axis for axis in range(rank) if axis not in axes) + tuple(axes)
    if order != tuple(range(rank)):
        value = call.step(ops.Permute(order), [value], "order")
    operator = ops.Reduce(kind, rank - len(axes))
    if not keep:
        call.emit(operator, [value], outputs=outputs)
        return
    value = call.step(operator, [value], "reduced")
    for index, axis in enumerate(axes, start=1):
        insert = ops.Reshape((1,), axis, 0)
        if index == len(axes):
            call.emit(insert, [value], outputs=outputs)
        else:
            value = call.step(insert, [value], f"axis{axis}")
