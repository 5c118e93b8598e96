"""The same values in other shapes and orders: views, permutations, blocks of pixels."""

from __future__ import annotations

from collections.abc import Sequence

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Size
from upconv.converters.ir.errors import UnsupportedError
from upconv.converters.readers.torch.aten.calls import MAX_AXES, TensorRef
from upconv.converters.readers.torch.aten.lowering import AtenCall, lowers
from upconv.converters.readers.torch.aten.ops_activations import truncated


@lowers(
    "alias.default",
    "clone.default",
    "contiguous.default",
    "detach.default",
    "detach_.default",
    "lift_fresh_copy.default",
)
def _same(call: AtenCall) -> None:
    call.same()


@lowers("to.dtype", "to.device", "to.dtype_layout", "_to_copy.default", "type_as.default")
def _converted(call: AtenCall) -> None:
    """Truth values and whole numbers are floats here already; numbers that lose digits are not."""
    before, after = call.meta("self"), call.meta(TensorRef(call.node.outputs[0]))
    kinds = before.dtype_name, after.dtype_name
    if before.dtype == after.dtype or kinds in WIDENED:
        call.same()
    elif kinds[1] == "bool":
        call.emit(ops.Compare("not_equal", 0.0), [call.value("self")])
    elif kinds == ("float32", "int64") or (kinds == ("float32", "uint8") and _are_bytes(call)):
        call.emit(ops.Identity(), [truncated(call, call.value("self"))])
    else:
        raise UnsupportedError(f"it converts {before.dtype_name} to {after.dtype_name}")


def _are_bytes(call: AtenCall) -> bool:
    """Whether a tensor's values lie between 0 and 255, as a clip behind factors and roundings says:
    others have no byte that every processor agrees on."""
    makers = {value: layer for layer in call.state.work.layers for value in layer.outputs}
    name, factors = call.value("self"), list[ops.Power]()
    while name in makers:
        layer = makers[name]
        operator, name = layer.operator, layer.inputs[0] if layer.inputs else ""
        if isinstance(operator, ops.Clip):
            ends = [operator.low, operator.high]
            for one in reversed(factors):
                ends = [one.shift + one.scale * end for end in ends]
            return min(ends) >= 0 and max(ends) <= 255
        if isinstance(operator, ops.Power) and operator.power == 1:
            factors.append(operator)
        elif not isinstance(operator, ops.Identity | ops.Round | ops.Floor | ops.Ceil):
            break
    return False


WHOLE = ("int64", "int32", "int16", "int8", "uint8")
WIDENED = {(kind, to) for kind in ("bool", *WHOLE) for to in ("float32", "int64", "int32")}
"""Element types of which the second has every value of the first that stands here."""


@lowers("copy_.default")
def _copied(call: AtenCall) -> None:
    """Its first argument becomes the second."""
    if call.meta("self").sizes != call.meta("src").sizes:
        raise UnsupportedError("it copies a tensor of another shape")
    call.emit(ops.Identity(), [call.value("src")])


@lowers(
    "view.default",
    "reshape.default",
    "_unsafe_view.default",
    "unflatten.int",
    "flatten.using_ints",
    "ravel.default",
    "view_as.default",
    "reshape_as.default",
)
def _view(call: AtenCall) -> None:
    """The axes that change, between those that stay in front and behind."""
    before, after = call.shape(), requested_shape(call)
    front = _equal_run(before, after)
    back = _equal_run(before[front:][::-1], after[front:][::-1])
    inner = after[front : len(after) - back]
    operator = ops.Reshape(_with_inferred(inner), front, len(before) - front - back)
    call.emit(operator, [call.value("self")])


def requested_shape(call: AtenCall, least: int = 0) -> tuple[Size, ...]:
    """The new shape, of at least so many axes, which the exporter has simplified. Dynamic sizes
    that the input has too are the input's own."""
    own = dict(zip(call.own_sizes(), call.shape(), strict=True))
    known = call.output_shape(least=least)
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
def _unsqueeze(call: AtenCall) -> None:
    axis = call.axis(added=1)
    call.emit(ops.Reshape((1,), axis, 0), [call.value("self")])


@lowers("squeeze.default", "squeeze.dim", "squeeze.dims")
def _squeeze(call: AtenCall) -> None:
    """The axes of size 1 among those that are named, or all of them, go."""
    shape = call.meta("self").sizes
    whole = call.get("dim") is None or not shape
    chosen = range(len(shape)) if whole else sorted(call.axes())
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
def _permute(call: AtenCall) -> None:
    if call.rank() == 0:
        call.same()
        return
    order = call.axes("dims")
    if len(order) != call.rank():
        raise UnsupportedError(f"its dims has {len(order)} values for {call.rank()} axes")
    call.emit(ops.Permute(order), [call.value("self")])


@lowers("movedim.intlist", "movedim.int", "moveaxis.intlist", "moveaxis.int")
def _move(call: AtenCall) -> None:
    """The axes `source` go to the places `destination`; the others keep their order."""
    rank = call.rank()
    if rank == 0:
        call.same()
        return
    source, place = call.axes("source"), call.axes("destination")
    if len(source) != len(place):
        raise UnsupportedError(f"it moves {len(source)} axes to {len(place)} places")
    others = iter(axis for axis in range(rank) if axis not in source)
    taken = dict(zip(place, source, strict=True))
    order = tuple(taken[at] if at in taken else next(others) for at in range(rank))
    call.emit(ops.Permute(order), [call.value("self")])


@lowers(
    "transpose.int",
    "swapaxes.default",
    "swapdims.default",
    "t.default",
    "numpy_T.default",
    "mT.default",
)
def _transpose(call: AtenCall) -> None:
    rank = call.rank()
    if rank == 0:
        call.same()
        return
    order = list(range(rank))
    first = -2 if call.node.target == "aten.mT.default" else 0
    names = ("axis0", "axis1") if call.node.target == "aten.swapaxes.default" else ("dim0", "dim1")
    first, second = call.axis(names[0], first), call.axis(names[1], -1)
    order[first], order[second] = order[second], order[first]
    call.emit(ops.Permute(tuple(order)), [call.value("self")])


@lowers("expand.default", "expand_as.default", "broadcast_to.default")
def _expand(call: AtenCall) -> None:
    """Axes of size 1 are repeated, new ones put in front; where it is not known which of the axes
    are of size 1, every size decides for itself."""
    before = call.own_sizes()
    after = call.output_shape(least=len(before))
    value = call.value("self")
    added = len(after) - len(before)
    if added:
        value = call.step(ops.Reshape((1,) * added, 0, 0), [value], "axes")
    pairs = list(zip((1,) * added + before, after, strict=True))
    if any(own not in (1, size) for own, size in pairs):
        call.emit(ops.Expand(after), [value])
        return
    for axis, (own, size) in enumerate(pairs):
        if own != size:
            value = call.step(ops.Tile(axis, size), [value], f"tile{axis}")
    call.emit(ops.Identity(), [value])


@lowers("repeat.default", "tile.default")
def _repeat(call: AtenCall) -> None:
    """Copies along every axis; where tile names fewer axes than there are, it means the last."""
    counts = call.get("repeats", call.get("dims", []))
    value = call.value("self")
    if len(counts) > MAX_AXES:
        raise UnsupportedError(f"it makes a tensor of {len(counts)} axes")
    counts = [1] * (call.rank() - len(counts)) + counts
    added = len(counts) - call.rank()
    if added:
        value = call.step(ops.Reshape((1,) * added, 0, 0), [value], "axes")
    for axis, count in enumerate(counts):
        if count != 1:
            value = call.step(ops.Tile(axis, count), [value], f"tile{axis}")
    call.emit(ops.Identity(), [value])


@lowers("pixel_shuffle.default")
def _pixel_shuffle(call: AtenCall) -> None:
    _blocks(call, ops.DepthToSpace(call.fixed("upscale_factor", 1), "CRD"))


@lowers("pixel_unshuffle.default")
def _pixel_unshuffle(call: AtenCall) -> None:
    _blocks(call, ops.SpaceToDepth(call.fixed("downscale_factor", 1), "CRD"))


def _blocks(call: AtenCall, operator: ops.DepthToSpace | ops.SpaceToDepth) -> None:
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
def _channel_shuffle(call: AtenCall) -> None:
    call.emit(ops.ChannelShuffle(call.fixed("groups", 1)), [call.value("self")])
