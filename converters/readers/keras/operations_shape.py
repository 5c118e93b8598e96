"""Functions in a graph that move, repeat, take apart and join: splits, stacks, pads, resizes."""

from __future__ import annotations

from typing import Any, Final, Literal

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import like
from upconv.converters.readers.assembly.compositions import repeated
from upconv.converters.readers.keras.arguments import argument, whole, wholes
from upconv.converters.readers.keras.fields import ir_axis, is_int
from upconv.converters.readers.keras.layers_merge import alike
from upconv.converters.readers.keras.layers_shape import permuted
from upconv.converters.readers.keras.layers_spatial import resized
from upconv.converters.readers.keras.lowering import KerasLayer, Step, Value, lowers_function


def known_rank(layer: KerasLayer, step: Step, x: Value) -> int:
    """How many axes a value has. Raises UnsupportedError where that is unknown."""
    rank = step.rank(x)
    if rank is None:
        raise layer.unsupported("the number of axes of its input is unknown")
    return rank


def counted(layer: KerasLayer, axes: list[int], rank: int) -> list[int]:
    """Axes in Keras's order, counted from the front."""
    if any(not -rank <= axis < rank for axis in axes):
        raise layer.invalid(f"axis {axes} of {rank}")
    return [axis % rank for axis in axes]


def widened(step: Step, x: Value, rank: int, axes: list[int], suffix: str = "") -> Value:
    """A plain tensor of `rank` axes with new axes of size 1 at the places `axes` of the result."""
    old = iter(range(rank))
    places = range(rank + len(axes))
    dims = tuple(1 if at in axes else like(x.name, next(old)) for at in places)
    return step.add(ops.Reshape(dims), [x], suffix=suffix, moved=False)


@lowers_function("expand_dims")
def _expand_dims(layer: KerasLayer, step: Step) -> Value:
    x = step.plain(layer.x)
    rank = known_rank(layer, step, x)
    axes = wholes(layer, "axis")
    return widened(step, x, rank, counted(layer, axes, rank + len(axes)))


@lowers_function("squeeze")
def _squeeze(layer: KerasLayer, step: Step) -> Value:
    x = step.plain(layer.x)
    rank = known_rank(layer, step, x)
    sizes = [step.size(x, axis) for axis in range(rank)]
    given = wholes(layer, "axis", default=[axis for axis, size in enumerate(sizes) if size == 1])
    gone = set(counted(layer, given, rank))
    if any(sizes[axis] != 1 for axis in gone):
        raise layer.unsupported("squeezes an axis that may have more than one entry")
    kept = tuple(like(x.name, axis) for axis in range(rank) if axis not in gone)
    return step.add(ops.Reshape(kept), [x], moved=False)


@lowers_function("swapaxes")
def _swap_axes(layer: KerasLayer, step: Step) -> Value:
    rank = known_rank(layer, step, layer.x)
    order = list(range(rank))
    given = [whole(layer, "axis1"), whole(layer, "axis2", place=2)]
    first, second = counted(layer, given, rank)
    order[first], order[second] = second, first
    return permuted(step, layer.x, tuple(order))


@lowers_function("split")
def _split(layer: KerasLayer, step: Step) -> tuple[Value, ...]:
    """Into parts, or where the later ones begin (Keras), or their sizes (TensorFlow)."""
    x = layer.x
    axis = ir_axis(layer, step, whole(layer, "axis", place=2, default=0), x)
    sizes = argument(layer, "num_or_size_splits")
    parts = argument(layer, "indices_or_sections", default=sizes)
    if is_int(parts) and 0 < parts <= 1 << 10:
        return step.add_many(ops.Slice(axis), [x], parts)
    points = wholes(layer, "indices_or_sections", "num_or_size_splits")
    if sizes is not None:
        points = [sum(points[: at + 1]) for at in range(len(points) - 1)]
    return step.add_many(ops.Slice(axis, tuple(points)), [x], len(points) + 1)


@lowers_function("stack")
def _stack(layer: KerasLayer, step: Step) -> Value:
    values = [step.plain(value) for value in alike(layer, step, layer.inputs)]
    rank = known_rank(layer, step, values[0])
    (axis,) = counted(layer, [whole(layer, "axis", default=0)], rank + 1)
    made = [widened(step, x, rank, [axis], f"part_{at}") for at, x in enumerate(values)]
    return step.add(ops.Concat(axis), made)


@lowers_function("tile")
def _tile(layer: KerasLayer, step: Step) -> Value:
    x = layer.x
    counts = wholes(layer, "repeats", "multiples")
    if len(counts) != known_rank(layer, step, x):
        raise layer.unsupported("tiles that add axes")
    for axis, count in enumerate(counts):
        if count != 1:
            place = ir_axis(layer, step, axis, x)
            x = step.add(ops.Tile(place, count), [x], suffix=f"axis_{axis}")
    return x


@lowers_function("repeat")
def _repeat(layer: KerasLayer, step: Step) -> Value:
    """Along a spatial axis, nearest-neighbour upsampling."""
    x = step.moved(layer.x)
    rank = known_rank(layer, step, x)
    axis = ir_axis(layer, step, whole(layer, "axis", place=2), x)
    count = whole(layer, "repeats")
    if axis < 2 or count < 1:
        raise layer.unsupported("repeats entries along an axis that is not spatial")
    factor = tuple(count if place == axis else 1 for place in range(2, rank))
    return step.add(repeated(factor), [x])


@lowers_function("depth_to_space", "space_to_depth")
def _depth(layer: KerasLayer, step: Step) -> Value:
    """TensorFlow's order of channels, DCR."""
    last = argument(layer, "data_format", place=2, default="channels_last")
    x = step.moved(layer.x, 4) if last in ("channels_last", "NHWC") else step.plain(layer.x, 4)
    block = whole(layer, "block_size")
    made = ops.DepthToSpace if layer.type == "depth_to_space" else ops.SpaceToDepth
    return step.add(made(block), [x])


_MODES: Final[dict[str, Literal["constant", "reflect", "edge", "symmetric"]]] = {
    "constant": "constant",
    "reflect": "reflect",
    "symmetric": "symmetric",
    "edge": "edge",
}


@lowers_function("pad")
def _pad(layer: KerasLayer, step: Step) -> Value:
    rank = known_rank(layer, step, layer.x)
    amounts = argument(layer, "pad_width", "paddings")
    mode = str(argument(layer, "mode", place=2, default="constant")).lower()
    value = argument(layer, "constant_values", place=3, default=0)
    if is_int(amounts):
        amounts = [[amounts, amounts]] * rank
    if not _are_pairs(amounts, rank) or mode not in _MODES or not isinstance(value, int | float):
        raise layer.unsupported("a pad whose amounts are no pairs of whole numbers")
    places = [ir_axis(layer, step, axis, layer.x) for axis in range(rank)]
    begin, end = ([0] * rank for _ in range(2))
    for place, (before, behind) in zip(places, amounts, strict=True):
        begin[place], end[place] = before, behind
    return step.add(ops.Pad(tuple(begin), tuple(end), _MODES[mode], float(value)), [layer.x])


def _are_pairs(amounts: Any, rank: int) -> bool:
    return (
        isinstance(amounts, list)
        and len(amounts) == rank
        and all(isinstance(pair, list) and len(pair) == 2 for pair in amounts)
        and all(is_int(amount) and amount >= 0 for pair in amounts for amount in pair)
    )


@lowers_function("resize", "resize_images")
def _resize(layer: KerasLayer, step: Step) -> Value:
    """keras.ops.image.resize and tf.image.resize, to a fixed (height, width)."""
    for name in ("crop_to_aspect_ratio", "pad_to_aspect_ratio", "preserve_aspect_ratio"):
        if argument(layer, name, place=1 << 10):
            raise layer.unsupported(f"{name} depends on the image's size")
    size = wholes(layer, "size")
    if len(size) != 2 or min(size) < 1:
        raise layer.unsupported("a resize to something else than a height and a width")
    mode = str(argument(layer, "interpolation", "method", place=2, default="bilinear")).lower()
    antialias = bool(argument(layer, "antialias", place=1 << 10, default=False))
    first = argument(layer, "data_format", place=1 << 10) == "channels_first"
    x = step.plain(layer.x, 4) if first else step.moved(layer.x, 4)
    return resized(layer, step, x, (size[0], size[1]), mode, antialias)
