"""The shape function of every operator: input shapes in, output shapes out, as Dims.

Shapes are channels-first tuples of sizes, `(N, C, spatial...)` for operators with spatial axes.
A contradiction that can be proven raises ShapeError; what depends on a symbol is not judged.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from converters import geometry
from converters import operators as ops
from converters.dims import Size, multiply
from converters.errors import ShapeError
from converters.registry import OperatorTable

Shape: TypeAlias = tuple[Size, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """What a shape function is asked with: the shapes of the inputs, how many outputs the layer
    has, and how to turn `like(tensor, axis)` into that tensor's size."""

    inputs: tuple[Shape, ...]
    outputs: int
    resolve: Callable[[Size], Size]

    @property
    def x(self) -> Shape:
        return self.inputs[0]


ShapeFunction: TypeAlias = Callable[[Any, Call], tuple[Shape, ...]]
SHAPES: OperatorTable[ShapeFunction] = OperatorTable("shape")


def provably_differ(left: Size, right: Size) -> bool:
    """Whether two sizes differ whatever their symbols are.

    >>> provably_differ(3, 4)
    True
    """
    difference = left - right
    return isinstance(difference, int) and difference != 0


def normalized_axis(axis: int, rank: int) -> int:
    """The axis counted from the front; ShapeError where the input has no such axis."""
    if not -rank <= axis < rank:
        raise ShapeError(f"axis {axis} of an input with {rank} axes", "axis")
    return axis % rank


def _require_spatial(shape: Shape, axes: int) -> None:
    if len(shape) != axes + 2:
        raise ShapeError(
            f"works on {axes} spatial axes, so its input needs {axes + 2} axes (N, C, ...), "
            f"but has {len(shape)}: {text_of(shape)}",
            "rank",
        )


def text_of(shape: Sequence[Size]) -> str:
    """A shape as people write it.

    >>> text_of((1, 3, 500, 500))
    '1x3x500x500'
    """
    return "x".join(str(size) if isinstance(size, int) else f"({size})" for size in shape)


def _with_spatial(batch: Size, channels: Size, spatial: Sequence[Size], what: str) -> Shape:
    shape = (batch, channels, *spatial)
    for axis, size in enumerate(spatial):
        if isinstance(size, int) and size <= 0:
            name = _axis_name(axis, len(spatial))
            raise ShapeError(f"{what} gives {name} {size}", "non_positive", (shape,))
    return shape


def _axis_name(axis: int, axes: int) -> str:
    names = {1: ("width",), 2: ("height", "width"), 3: ("depth", "height", "width")}
    return names[axes][axis] if axes in names else f"spatial axis {axis}"


@SHAPES.register(ops.Conv)
def _conv(op: ops.Conv, call: Call) -> tuple[Shape, ...]:
    _require_spatial(call.x, len(op.kernel))
    spatial = [
        geometry.conv_size(size, *settings)
        for size, *settings in zip(
            call.x[2:],
            op.kernel,
            op.stride,
            op.dilation,
            op.pads_begin,
            op.pads_end,
            strict=True,
        )
    ]
    _require_groups(call.x[1], op.groups, op.out_channels)
    return (_with_spatial(call.x[0], op.out_channels, spatial, "the convolution"),)


@SHAPES.register(ops.ConvTranspose)
def _conv_transpose(op: ops.ConvTranspose, call: Call) -> tuple[Shape, ...]:
    _require_spatial(call.x, len(op.kernel))
    spatial = [
        geometry.conv_transpose_size(size, *settings)
        for size, *settings in zip(
            call.x[2:],
            op.kernel,
            op.stride,
            op.dilation,
            op.pads_begin,
            op.pads_end,
            op.output_padding,
            strict=True,
        )
    ]
    if op.target is not None:
        spatial = [call.resolve(size) for size in op.target]
    _require_groups(call.x[1], op.groups, op.out_channels)
    return (_with_spatial(call.x[0], op.out_channels, spatial, "the transposed convolution"),)


def _require_groups(channels: Size, groups: int, out_channels: int) -> None:
    if isinstance(channels, int) and channels % groups:
        raise ShapeError(
            f"{channels} input channels do not divide into {groups} groups", "channels"
        )
    if out_channels % groups:
        message = f"{out_channels} output channels do not divide into {groups} groups"
        raise ShapeError(message, "channels")


@SHAPES.register(ops.Pool)
def _pool(op: ops.Pool, call: Call) -> tuple[Shape, ...]:
    _require_spatial(call.x, len(op.kernel))
    clip = op.clip == "always" or (op.clip == "if_padded" and any(op.pads_begin + op.pads_end))
    spatial = [
        geometry.pool_size(size, *settings, rounding=op.rounding, clip=clip)
        for size, *settings in zip(
            call.x[2:],
            op.kernel,
            op.stride,
            op.dilation,
            op.pads_begin,
            op.pads_end,
            strict=True,
        )
    ]
    return (_with_spatial(call.x[0], call.x[1], spatial, "the pooling"),) * call.outputs


@SHAPES.register(ops.GlobalPool)
def _global_pool(op: ops.GlobalPool, call: Call) -> tuple[Shape, ...]:
    return ((*call.x[:2], *(1 for _ in call.x[2:])),) * call.outputs


@SHAPES.register(ops.Resize)
def _resize(op: ops.Resize, call: Call) -> tuple[Shape, ...]:
    if op.size is not None:
        spatial = tuple(call.resolve(size) for size in op.size)
    else:
        assert op.factor is not None, "a Resize has a size or a factor"
        _require_spatial(call.x, len(op.factor))
        spatial = tuple(size * f for size, f in zip(call.x[2:], op.factor, strict=True))
    _require_spatial(call.x, len(spatial))
    return (_with_spatial(call.x[0], call.x[1], spatial, "the resize"),)


@SHAPES.register(ops.Unpool, ops.WindowUnpool)
def _unpool(op: ops.Unpool | ops.WindowUnpool, call: Call) -> tuple[Shape, ...]:
    _require_spatial(call.x, len(op.size))
    spatial = tuple(call.resolve(size) for size in op.size)
    shape = _with_spatial(call.x[0], call.x[1], spatial, "the unpooling")
    if isinstance(op, ops.Unpool):
        _require_same(call.inputs[:2], ("data", "indices"), shape)
    return (shape,)


def _require_same(shapes: Sequence[Shape], names: Sequence[str], guess: Shape) -> None:
    first = shapes[0]
    for name, shape in zip(names[1:], shapes[1:], strict=True):
        if len(first) != len(shape) or any(map(provably_differ, first, shape)):
            message = f"{names[0]} has {text_of(first)}, {name} has {text_of(shape)}"
            raise ShapeError(message, "merge", (guess,))


@SHAPES.register(ops.Crop)
def _crop(op: ops.Crop, call: Call) -> tuple[Shape, ...]:
    axis = normalized_axis(op.axis, len(call.x))
    sizes = tuple(call.resolve(size) for size in op.sizes)
    shape = call.x[:axis] + sizes + call.x[axis + len(sizes) :]
    for index, (offset, size) in enumerate(zip(op.offsets, sizes, strict=True), start=axis):
        slack = call.x[index] - call.resolve(offset) - size
        if isinstance(slack, int) and slack < 0:
            message = (
                f"axis {index} holds {call.x[index]}, which is less than "
                f"offset {offset} + size {size}"
            )
            raise ShapeError(message, "crop", (shape,))
    return (shape,)


@SHAPES.register(ops.Pad)
def _pad(op: ops.Pad, call: Call) -> tuple[Shape, ...]:
    if len(op.begin) != len(call.x):
        message = f"pads {len(op.begin)} axes, its input has {text_of(call.x)}"
        raise ShapeError(message, "rank")
    begin, end = map(call.resolve, op.begin), map(call.resolve, op.end)
    padded = tuple(a + size + b for a, size, b in zip(begin, call.x, end, strict=True))
    return (_with_spatial(padded[0], padded[1], padded[2:], "the padding"),)


@SHAPES.register(ops.Concat)
def _concat(op: ops.Concat, call: Call) -> tuple[Shape, ...]:
    first = call.x
    axis = normalized_axis(op.axis, len(first))
    total = sum((shape[axis] for shape in call.inputs if len(shape) > axis), start=0)
    result = (*first[:axis], total, *first[axis + 1 :])
    for index, shape in enumerate(call.inputs[1:], start=1):
        others = [i for i in range(len(first)) if i != axis]
        if len(shape) != len(first) or any(provably_differ(first[i], shape[i]) for i in others):
            message = (
                f"input 0 has {text_of(first)}, input {index} has {text_of(shape)}: "
                f"only axis {axis} may differ"
            )
            raise ShapeError(message, "merge", (result,))
    return (result,)


@SHAPES.register(ops.Slice)
def _slice(op: ops.Slice, call: Call) -> tuple[Shape, ...]:
    axis = normalized_axis(op.axis, len(call.x))
    size = call.x[axis]
    _require_slices(op.points, size, call.outputs)
    parts = geometry.segments(size, op.points, call.outputs)
    return tuple((*call.x[:axis], part, *call.x[axis + 1 :]) for part in parts)


def _require_slices(points: tuple[int, ...], size: Size, outputs: int) -> None:
    if points and len(points) != outputs - 1:
        raise ShapeError(f"{len(points)} slice points make {len(points) + 1} parts", "axis")
    if list(points) != sorted(set(points)):
        raise ShapeError(f"slice points {list(points)} do not rise", "axis")
    if not isinstance(size, int):
        return
    if points and points[-1] >= size:
        raise ShapeError(f"slice point {points[-1]} is outside of {size}", "axis")
    if not points and size % outputs:
        raise ShapeError(f"{size} does not divide into {outputs} equal parts", "axis")


@SHAPES.register(ops.Eltwise)
def _eltwise(op: ops.Eltwise, call: Call) -> tuple[Shape, ...]:
    if op.broadcast:
        return (broadcast_shape(call.inputs),)
    names = [f"input {index}" for index in range(len(call.inputs))]
    _require_same(call.inputs, names, call.x)
    return (call.x,)


def broadcast_shape(shapes: Sequence[Shape]) -> Shape:
    """The one shape of shapes aligned at their last axis, where sizes of 1 are repeated.

    Raises ShapeError where two sizes differ and neither is 1.

    >>> broadcast_shape(((2, 8, 1, 1), (8, 5, 7)))
    (2, 8, 5, 7)
    """
    rank = max(map(len, shapes))
    aligned = [(1,) * (rank - len(shape)) + shape for shape in shapes]
    result = tuple(next((n for n in sizes if n != 1), 1) for sizes in zip(*aligned, strict=True))
    for index, shape in enumerate(aligned):
        if any(n != 1 and provably_differ(n, m) for n, m in zip(shape, result, strict=True)):
            message = f"input {index} has {text_of(shapes[index])}, the others {text_of(result)}"
            raise ShapeError(message, "merge", (result,))
    return result


@SHAPES.register(ops.Scale)
def _scale(op: ops.Scale, call: Call) -> tuple[Shape, ...]:
    axis = normalized_axis(op.axis, len(call.x)) if call.x else 0
    if op.operand != "none":
        operand = call.inputs[1]
        covered = call.x[axis : axis + len(operand)]
        if len(covered) != len(operand) or any(map(provably_differ, covered, operand)):
            message = f"the {op.operand} has {text_of(operand)}, the input {text_of(covered)} there"
            raise ShapeError(message, "merge", (call.x,))
    return (call.x,)


@SHAPES.register(
    ops.Identity,
    ops.BatchNorm,
    ops.Lrn,
    ops.MeanVarianceNorm,
    ops.GroupNorm,
    ops.LayerNorm,
    ops.L2Normalize,
    ops.Relu,
    ops.PRelu,
    ops.Elu,
    ops.Sigmoid,
    ops.Tanh,
    ops.Power,
    ops.Exp,
    ops.Log,
    ops.Abs,
    ops.Erf,
    ops.Softplus,
    ops.Threshold,
    ops.Clip,
    ops.Swish,
    ops.Gelu,
)
def _unchanged(op: object, call: Call) -> tuple[Shape, ...]:
    return (call.x,) * call.outputs


@SHAPES.register(ops.Softmax)
def _softmax(op: ops.Softmax, call: Call) -> tuple[Shape, ...]:
    normalized_axis(op.axis, len(call.x))
    return (call.x,)


@SHAPES.register(ops.ArgMax)
def _arg_max(op: ops.ArgMax, call: Call) -> tuple[Shape, ...]:
    if op.axis is None:
        ones = (1,) * max(len(call.x) - 3, 0)
        return ((call.x[0], 2 if op.output == "both" else 1, op.top_k, *ones),)
    axis = normalized_axis(op.axis, len(call.x))
    return ((*call.x[:axis], op.top_k, *call.x[axis + 1 :]),)


@SHAPES.register(ops.Tile)
def _tile(op: ops.Tile, call: Call) -> tuple[Shape, ...]:
    axis = normalized_axis(op.axis, len(call.x))
    return ((*call.x[:axis], call.x[axis] * call.resolve(op.tiles), *call.x[axis + 1 :]),)


@SHAPES.register(ops.Reduce)
def _reduce(op: ops.Reduce, call: Call) -> tuple[Shape, ...]:
    return (call.x[: normalized_axis(op.axis, len(call.x))],)


@SHAPES.register(ops.Reshape)
def _reshape(op: ops.Reshape, call: Call) -> tuple[Shape, ...]:
    rank = len(call.x)
    start = op.axis if op.axis >= 0 else rank + 1 + op.axis
    end = rank if op.num_axes == -1 else start + op.num_axes
    if not 0 <= start <= end <= rank:
        raise ShapeError(f"reshapes axes {start} to {end} of {text_of(call.x)}", "axis")
    dims = tuple(map(call.resolve, op.dims))
    middle = _reshaped(dims, call.x, start, multiply(call.x[start:end]))
    return ((*call.x[:start], *middle, *call.x[end:]),)


def _reshaped(dims: Shape, x: Shape, start: int, total: Size) -> list[Size]:
    if any(dim == 0 and start + index >= len(x) for index, dim in enumerate(dims)):
        raise ShapeError("a dim 0 copies an axis the input does not have", "reshape")
    copied: list[Size] = [x[start + index] if dim == 0 else dim for index, dim in enumerate(dims)]
    known = multiply(size for size, dim in zip(copied, dims, strict=True) if dim != -1)
    if -1 not in dims:
        if provably_differ(known, total):
            raise ShapeError(f"reshapes {total} values into {text_of(copied)}", "reshape")
        return copied
    if isinstance(known, int) and isinstance(total, int) and (not known or total % known):
        raise ShapeError(f"{total} values do not divide by {known}", "reshape")
    missing = geometry.inferred_axis(total, known)
    return [missing if dim == -1 else size for size, dim in zip(copied, dims, strict=True)]


@SHAPES.register(ops.Flatten)
def _flatten(op: ops.Flatten, call: Call) -> tuple[Shape, ...]:
    axis = normalized_axis(op.axis, len(call.x))
    end = normalized_axis(op.end_axis, len(call.x)) + 1
    return ((*call.x[:axis], multiply(call.x[axis:end]), *call.x[end:]),)


@SHAPES.register(ops.Linear)
def _linear(op: ops.Linear, call: Call) -> tuple[Shape, ...]:
    axis = normalized_axis(op.axis, len(call.x))
    return ((*call.x[:axis], op.out_features),)


@SHAPES.register(ops.MatMul)
def _matmul(op: ops.MatMul, call: Call) -> tuple[Shape, ...]:
    left, right = call.inputs
    if min(len(left), len(right)) < 2:
        raise ShapeError("a matrix product of inputs without two axes", "rank")
    if provably_differ(left[-1], right[-2]):
        message = (
            f"{text_of(left)} times {text_of(right)}: {left[-1]} columns meet {right[-2]} rows"
        )
        raise ShapeError(message, "merge")
    return ((*broadcast_shape((left[:-2], right[:-2])), left[-2], right[-1]),)


@SHAPES.register(ops.Constant)
def _constant(op: ops.Constant, call: Call) -> tuple[Shape, ...]:
    return (op.shape,)


@SHAPES.register(ops.Permute)
def _permute(op: ops.Permute, call: Call) -> tuple[Shape, ...]:
    if sorted(op.order) != list(range(len(call.x))):
        raise ShapeError(f"order {list(op.order)} does not permute {text_of(call.x)}", "axis")
    return (tuple(call.x[axis] for axis in op.order),)


@SHAPES.register(ops.ChannelShuffle)
def _shuffle(op: ops.ChannelShuffle, call: Call) -> tuple[Shape, ...]:
    _require_groups(call.x[1], op.groups, op.groups)
    return (call.x,)


@SHAPES.register(ops.SpaceToDepth)
def _space_to_depth(op: ops.SpaceToDepth, call: Call) -> tuple[Shape, ...]:
    for size in call.x[2:]:
        if isinstance(size, int) and size % op.block:
            raise ShapeError(f"{size} pixels do not divide into blocks of {op.block}", "axis")
    channels = call.x[1] * op.block ** (len(call.x) - 2)
    return ((call.x[0], channels, *(size // op.block for size in call.x[2:])),)


@SHAPES.register(ops.DepthToSpace)
def _depth_to_space(op: ops.DepthToSpace, call: Call) -> tuple[Shape, ...]:
    cells = op.block ** (len(call.x) - 2)
    if isinstance(call.x[1], int) and call.x[1] % cells:
        raise ShapeError(f"{call.x[1]} channels do not divide by {cells}", "channels")
    return ((call.x[0], call.x[1] // cells, *(size * op.block for size in call.x[2:])),)
