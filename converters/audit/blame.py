"""Which layer made the difference at a merge, and the arithmetic of both ways that lead to it."""

from __future__ import annotations

from math import isclose, prod
from typing import Final, TypeAlias

from upconv.converters.audit.ways import Shaped, Step, common_ancestor, steps
from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Size
from upconv.converters.ir.model import Layer
from upconv.converters.ir.records import record
from upconv.converters.ir.shapes import Shape, provably_differ, text_of

SHOWN_STEPS: Final = 5
"""How many layers of a way are shown in full."""


@record(frozen=True, slots=True)
class Mismatch:
    """Two inputs of a merge that do not fit, along the first axis that tells: their names, shapes
    and the layers that changed the size on the way from where they parted."""

    layer: Layer
    names: tuple[str, str]
    shapes: tuple[Shape, Shape]
    axes: tuple[int, ...]
    ways: tuple[list[Step], list[Step]]

    @property
    def sizes(self) -> tuple[Size, Size]:
        """Of both inputs, along the axis."""
        return self.shapes[0][self.axes[0]], self.shapes[1][self.axes[0]]

    @property
    def difference(self) -> Size:
        """How much larger the first one is."""
        return self.sizes[0] - self.sizes[1]

    def __str__(self) -> str:
        kind = (
            " and ".join(axis_name(a, len(self.shapes[0])) for a in self.axes if a > 1) or "batch"
        )
        message = f"{kind} differ{'' if ' and ' in kind else 's'} at the merge: "
        told = (f"'{n}' is {text_of(s)}" for n, s in zip(self.names, self.shapes, strict=True))
        sentences = [message + ", ".join(told), arithmetic(self), culprit_text(self)]
        return ". ".join(sentence for sentence in sentences if sentence)


Pair: TypeAlias = tuple[tuple[str, str], tuple[Shape, Shape], tuple[int, ...]]
"""Two values, their shapes, and the axes along which these differ and may not."""


def differing_inputs(net: Shaped, layer: Layer) -> Pair | None:
    """The first input of a merge, and the first that does not fit it; None where all do."""
    left = net.inference.shapes.get(layer.inputs[0]) if layer.inputs else None
    for value in layer.inputs[1:]:
        right = net.inference.shapes.get(value)
        if left is None or right is None or len(left) != len(right):
            continue
        axes = differing_axes(layer, left, right)
        if axes:
            return (layer.inputs[0], value), (left, right), tuple(axes)
    return None


def mismatch(net: Shaped, layer: Layer) -> Mismatch | None:
    """What does not fit at a merge, with both ways; None where all sizes fit, or where their
    channels differ."""
    found = differing_inputs(net, layer)
    if found is None or found[2][0] == 1:
        return None
    names, shapes, axes = found
    ancestor = common_ancestor(net, *names)
    first, second = (steps(net, name, ancestor, axes[0]) for name in names)
    return Mismatch(layer, names, shapes, axes, (first, second))


def differing_axes(layer: Layer, left: Shape, right: Shape) -> list[int]:
    """The axes that differ and may not, spatial ones first."""
    free = layer.operator.axis % len(left) if isinstance(layer.operator, ops.Concat) else None
    axes = range(min(len(left), len(right)))
    found = [a for a in axes if a != free and provably_differ(left[a], right[a])]
    return sorted(found, key=lambda axis: (axis < 2, axis))


def axis_name(axis: int, rank: int) -> str:
    """`height` of axis 2 of four."""
    names = {4: ("height", "width"), 5: ("depth", "height", "width")}
    return names.get(rank, tuple(f"axis {a}" for a in range(2, rank)))[axis - 2]


def arithmetic(found: Mismatch) -> str:
    """`pool3: ceil((75-2)/2)+1 = 38; upscore: 2*(38-1)+4-2*1 = 76; merged with pool2's 75`."""
    longer, shorter = sorted((0, 1), key=lambda side: -len(found.ways[side]))
    if not found.ways[longer]:
        return ""
    other = f"merged with {found.names[shorter]}'s {found.sizes[shorter]}"
    if found.ways[shorter]:
        other += f" ({'; '.join(shown(found.ways[shorter]))})"
    return "; ".join([*shown(found.ways[longer]), other])


def shown(way: list[Step]) -> list[str]:
    """All steps of a short way; of a long one those that are not exact, and the last."""
    if len(way) <= SHOWN_STEPS:
        return [str(step) for step in way]
    telling = [step for step in way[:-1] if step.excess]
    kept = telling[-SHOWN_STEPS + 1 :]
    return ["...", *(str(step) for step in kept), str(way[-1])]


def scales(found: Mismatch) -> tuple[float, float]:
    """What both ways multiply sizes by, in all."""
    first, second = (prod(step.factor for step in way) for way in found.ways)
    return first, second


@record(frozen=True, slots=True)
class Culprit:
    """The layer that made the most of a difference, and how many pixels that is at the merge."""

    step: Step
    at_merge: float


def culprit(found: Mismatch) -> Culprit | None:
    """The layer to blame; None where the strides differ, a layer makes one size of all, or all
    layers are exact.

    A pixel gained before an upsampling by 2 is two behind it: each step's excess is followed
    through the strides behind it. On the second way what is gained makes the difference less.
    """
    if _fixed(found) is not None or not isclose(*scales(found)):
        return None
    aim = -1 if isinstance(found.difference, int) and found.difference < 0 else 1
    return worst([(way, sign * aim) for way, sign in zip(found.ways, (1, -1), strict=True)])


def _fixed(found: Mismatch) -> Step | None:
    """The first layer that makes one size of all."""
    return next(
        (
            step
            for way in found.ways
            for step in way
            if step.excess is None and isinstance(step.axis.after, int)
        ),
        None,
    )


def fixed_text(found: Mismatch) -> str:
    """`'up' makes 8 of every size`; empty where no layer does."""
    fixed = _fixed(found)
    return "" if fixed is None else f"'{fixed.layer.name}' makes {fixed.axis.after} of every size"


def divided_text(dividing: list[Step]) -> str:
    """`'pool1', 'pool2' divide the size by 4, and the merges want back what is rounded there`."""
    whole = 1 / prod(step.factor for step in dividing)
    names = [f"'{step.layer.name}'" for step in dividing]
    named = ", ".join(names) if len(names) <= SHOWN_STEPS else f"{names[0]} to {names[-1]}"
    verb = "divides" if len(names) == 1 else "divide"
    return f"{named} {verb} the size by {whole:g}, and the merges want back what is rounded there"


def worst(ways: list[tuple[list[Step], int]]) -> Culprit | None:
    """Of ways with a sign each, the step that adds the most."""
    blamed = [
        Culprit(step, excess_behind(way, at) * sign)
        for way, sign in ways
        for at, step in enumerate(way)
        if step.excess
    ]
    most = max(blamed, key=lambda one: one.at_merge, default=None)
    return most if most is not None and most.at_merge > 0 else None


def culprit_text(found: Mismatch) -> str:
    """`'pool3' rounded 37.5 up to 38, which is 1 pixel at the merge`."""
    fixed = fixed_text(found)
    if fixed:
        return fixed
    if not isclose(*scales(found)):
        pairs = zip(found.names, scales(found), strict=True)
        told = " and ".join(f"'{name}' by {_ratio(scale)}" for name, scale in pairs)
        return f"The strides differ: in all they scale {told}"
    blamed = culprit(found)
    if blamed is None:
        return ""
    excess = blamed.step.excess or 0.0
    later = (
        ""
        if abs(blamed.at_merge) == abs(excess)
        else f", which is {pixels(blamed.at_merge)} at the merge"
    )
    return f"'{blamed.step.layer.name}' {change(blamed.step)}{later}"


def excess_behind(way: list[Step], at: int) -> float:
    """A step's excess, in pixels of the way's end."""
    return (way[at].excess or 0.0) * prod(step.factor for step in way[at + 1 :])


def change(step: Step) -> str:
    """`rounded 37.5 up to 38`, or `lost 2 pixels`."""
    after, excess = step.axis.after, step.excess or 0.0
    if isinstance(after, int) and abs(excess) < 1:
        direction = "up" if excess > 0 else "down"
        return f"rounded {after - excess:g} {direction} to {after}"
    return f"{'gained' if excess > 0 else 'lost'} {pixels(excess)}"


def pixels(count: float) -> str:
    """`1 pixel`, `2 pixels`.

    >>> pixels(-0.5), pixels(1)
    ('0.5 pixels', '1 pixel')
    """
    return f"{abs(count):g} pixel{'' if abs(count) == 1 else 's'}"


def _ratio(scale: float) -> str:
    return f"1/{1 / scale:.3g}" if scale < 1 else f"{scale:.3g}"
