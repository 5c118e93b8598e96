"""UP103: what meets at a merge does not fit, and which layer made the difference."""

from __future__ import annotations

from collections.abc import Iterator
from math import isclose, prod
from typing import TYPE_CHECKING

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Size
from upconv.converters.ir.errors import ShapeError
from upconv.converters.ir.model import Layer
from upconv.converters.ir.shapes import Shape, provably_differ, text_of
from upconv.linter.rule import Hit, rule

if TYPE_CHECKING:
    from upconv.converters.audit.ways import Step
    from upconv.linter.context import Context

_SHOWN_STEPS = 5


@rule("UP103", "merge-mismatch", severity="error", source="BVLC/caffe eltwise_layer.cpp")
def merge_mismatch(context: Context) -> Iterator[Hit]:
    """The inputs of a merge have different sizes or channels.

    What it finds:
        Eltwise, Concat, Scale and Unpooling layers whose inputs do not fit each other. The finding
        names the layer that lost or gained the pixel, and gives the arithmetic of both branches
        from the place where they parted.

    Why it is bad:
        Caffe aborts when it builds the net. The usual cause is a pooling, which rounds up, on an
        odd size: 75 -> 38, and the upsampling by 2 makes 76 of it.

    Example:
        pool3: ceil((75-2)/2)+1 = 38; upscore: 2*(38-1)+4-2*1 = 76; merged with pool2's 75

    Use instead:
        Crop the larger input to the smaller one (a Crop layer with the aligned offset), or feed an
        input size that every pooling divides.

    Fix safety:
        There is no fix: a Crop needs the offset that aligns both branches.

    References:
        BVLC/caffe src/caffe/layers/{eltwise,concat}_layer.cpp; Long, Shelhamer, Darrell 2015
    """
    for layer, error in context.contradictions("merge"):
        yield _explained(context, layer, error) or Hit(error.message, _CROP, layer)


_UNPOOL = "make '{0}' {2}, as '{1}' has it (a mask's numbers count pixels, so it cannot be cropped)"
_CROP = "crop the larger input, or change a layer so that both fit"


def _explained(context: Context, layer: Layer, error: ShapeError) -> Hit | None:
    """The first input that does not fit the first one, and why."""
    left = context.inference.shapes.get(layer.inputs[0])
    for value in layer.inputs[1:]:
        right = context.inference.shapes.get(value)
        if left is None or right is None:
            continue
        axes = _differing_axes(layer, left, right)
        if len(left) == len(right) and axes:
            names = (layer.inputs[0], value)
            if axes[0] == 1:
                return _channels(context, layer, names, (left, right))
            return _sizes(context, layer, names, axes)
    return None


def _differing_axes(layer: Layer, left: Shape, right: Shape) -> list[int]:
    """The axes that differ and may not, spatial ones first."""
    free = layer.operator.axis % len(left) if isinstance(layer.operator, ops.Concat) else None
    axes = range(min(len(left), len(right)))
    found = [a for a in axes if a != free and provably_differ(left[a], right[a])]
    return sorted(found, key=lambda axis: (axis < 2, axis))


def _channels(
    context: Context, layer: Layer, names: tuple[str, str], shapes: tuple[Shape, Shape]
) -> Hit:
    made = [
        f"'{name}' has {shape[1]} ({_channel_maker(context, name, shape[1])})"
        for name, shape in zip(names, shapes, strict=True)
    ]
    return Hit(
        f"channels differ at the merge: {' and '.join(made)}",
        "give both branches the same num_output, or merge them with a Concat",
        layer,
    )


def _channel_maker(context: Context, value: str, channels: Size) -> str:
    """The layer that decided a value's number of channels."""
    while value in context.producers:
        layer = context.producers[value]
        if isinstance(layer.operator, ops.Conv | ops.ConvTranspose):
            return f"from num_output of '{layer.name}'"
        before = context.inference.shapes.get(layer.inputs[0]) if layer.inputs else None
        if before is None or len(before) < 2 or before[1] != channels:
            return f"from '{layer.name}'"
        value = layer.inputs[0]
    return f"from the input '{value}'"


def _sizes(context: Context, layer: Layer, names: tuple[str, str], axes: list[int]) -> Hit:
    """The mismatch along the first spatial axis that differs, with both branches' arithmetic."""
    from upconv.converters.audit.ways import common_ancestor, steps

    left, right = (context.inference.shapes[name] for name in names)
    assert left is not None and right is not None
    ancestor = common_ancestor(context, *names)
    ways = [steps(context, name, ancestor, axes[0]) for name in names]
    kind = " and ".join(_axis_name(axis, len(left)) for axis in axes if axis > 1) or "batch"
    message = f"{kind} differ{'' if ' and ' in kind else 's'} at the merge: "
    message += f"'{names[0]}' is {text_of(left)}, '{names[1]}' is {text_of(right)}"
    arithmetic = _arithmetic(names, (left[axes[0]], right[axes[0]]), ways)
    if arithmetic:
        message += f". {arithmetic}"
    culprit = _culprit(names, ways, left[axes[0]] - right[axes[0]])
    if culprit:
        message += f". {culprit}"
    if isinstance(layer.operator, ops.Unpool):
        return Hit(message, _UNPOOL.format(*names, text_of(right[2:])), layer)
    return Hit(message, _next_step(names, left[axes[0]] - right[axes[0]]), layer)


def _axis_name(axis: int, rank: int) -> str:
    return {4: ("height", "width"), 5: ("depth", "height", "width")}.get(
        rank, tuple(f"axis {a}" for a in range(2, rank))
    )[axis - 2]


def _arithmetic(names: tuple[str, str], sizes: tuple[Size, Size], ways: list[list[Step]]) -> str:
    """`pool3: ceil((75-2)/2)+1 = 38; upscore: 2*(38-1)+4-2*1 = 76; merged with pool2's 75`."""
    order = sorted((0, 1), key=lambda side: -len(ways[side]))
    longer, shorter = order
    if not ways[longer]:
        return ""
    parts = _shown(ways[longer])
    other = f"merged with {names[shorter]}'s {sizes[shorter]}"
    if ways[shorter]:
        other += f" ({'; '.join(_shown(ways[shorter]))})"
    return "; ".join([*parts, other])


def _shown(way: list[Step]) -> list[str]:
    """All steps of a short way; of a long one those that are not exact, and the last."""
    if len(way) <= _SHOWN_STEPS:
        return [str(step) for step in way]
    telling = [step for step in way[:-1] if step.excess]
    kept = telling[-_SHOWN_STEPS + 1 :]
    return ["...", *(str(step) for step in kept), str(way[-1])]


def _culprit(names: tuple[str, str], ways: list[list[Step]], difference: Size) -> str:
    """The layer that made the most of the difference, and how much it is at the merge.

    A pixel gained before an upsampling by 2 is two behind it: each step's excess is followed
    through the strides behind it. On the second branch what is gained makes the difference less.
    Where the strides themselves differ, no layer's rounding is to blame.
    """
    scales = [prod(step.factor for step in way) for way in ways]
    if not isclose(*scales):
        told = [f"'{name}' by {_ratio(one)}" for name, one in zip(names, scales, strict=True)]
        return f"The strides differ: in all they scale {' and '.join(told)}"
    blamed = [
        (_at_merge(way, at) * sign, step)
        for way, sign in zip(ways, (1, -1), strict=True)
        for at, step in enumerate(way)
        if step.excess
    ]
    if not blamed:
        return ""
    aim = -1 if isinstance(difference, int) and difference < 0 else 1
    most, step = max(blamed, key=lambda entry: entry[0] * aim)
    if most * aim <= 0:
        return ""
    assert step.excess is not None
    later = f", which is {_pixels(abs(most))} at the merge" if abs(most) != abs(step.excess) else ""
    return f"'{step.layer.name}' {_change(step, step.excess)}{later}"


def _ratio(scale: float) -> str:
    return f"1/{1 / scale:.3g}" if scale < 1 else f"{scale:.3g}"


def _at_merge(way: list[Step], at: int) -> float:
    """A step's excess, in pixels of the merge."""
    excess = way[at].excess or 0.0
    for step in way[at + 1 :]:
        excess *= step.factor
    return excess


def _change(step: Step, excess: float) -> str:
    """`rounded 37.5 up to 38`, or `lost 2 pixels`."""
    after = step.axis.after
    if isinstance(after, int) and abs(excess) < 1:
        direction = "up" if excess > 0 else "down"
        return f"rounded {after - excess:g} {direction} to {after}"
    return f"{'gained' if excess > 0 else 'lost'} {_pixels(abs(excess))}"


def _pixels(count: float) -> str:
    return f"{count:g} pixel{'' if count == 1 else 's'}"


def _next_step(names: tuple[str, str], difference: Size) -> str:
    if not isinstance(difference, int):
        return _CROP
    larger, smaller = names if difference > 0 else names[::-1]
    return (
        f"crop '{larger}' by {abs(difference)} to '{smaller}' with a Crop layer, or feed a size "
        "that every stride divides"
    )
