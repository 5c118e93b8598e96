"""The two ways that lead to a merge: what each layer on them does to a size.

Sizes follow one input of every layer: a Crop's reference, else the first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Protocol

from upconv.converters.audit.formulas import Axis, formula
from upconv.converters.audit.growth import Unsayable, growth_of
from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Like, Size, leaves, substitute, symbol
from upconv.converters.ir.inference import Inference
from upconv.converters.ir.model import Layer
from upconv.converters.ir.operators import targets
from upconv.converters.ir.records import record


class Shaped(Protocol):
    """A model whose values have shapes, and the layers that write them."""

    @property
    def producers(self) -> Mapping[str, Layer]: ...

    @property
    def inference(self) -> Inference: ...


@record(frozen=True, slots=True)
class Step:
    """One layer of a branch that changes the size along an axis.

    `excess` is what it gained (lost, where negative) against dividing or multiplying exactly by
    its scale; None where it has none. `factor` is what the layer multiplies sizes by.
    """

    layer: Layer
    axis: Axis
    excess: float | None
    factor: float = 1.0

    def __str__(self) -> str:
        return formula(self.layer, self.axis)


def parent(layer: Layer) -> str | None:
    """The value whose size decides this layer's."""
    for size in targets(layer.operator):
        for leaf in leaves(size):
            if isinstance(leaf, Like):
                return leaf.tensor
    return layer.inputs[0] if layer.inputs else None


def ancestry(net: Shaped, value: str) -> list[str]:
    """The value and those its size comes from, back to an input."""
    chain = [value]
    while value in net.producers:
        before = parent(net.producers[value])
        if before is None:
            break
        chain.append(before)
        value = before
    return chain


def common_ancestor(net: Shaped, left: str, right: str) -> str | None:
    """The nearest value that both sizes come from."""
    seen = set(ancestry(net, left))
    return next((value for value in ancestry(net, right) if value in seen), None)


def steps(net: Shaped, value: str, ancestor: str | None, axis: int) -> list[Step]:
    """The layers from `ancestor` to `value` that change the size along `axis` (2 is the first
    spatial one), in the order in which they run."""
    chain = ancestry(net, value)
    if ancestor in chain:
        chain = chain[: chain.index(ancestor) + 1]
    return [
        step
        for after, before in reversed(list(pairwise(chain)))
        for step in _step(net, after, before, axis)
    ]


def _step(net: Shaped, after: str, before: str, axis: int) -> Iterator[Step]:
    was, now = (_size(net, value, axis) for value in (before, after))
    layer = net.producers[after]
    if was is None or now is None:
        return
    scale = nominal_scale(layer, axis - 2) or _of_a_mask(layer, was, now)
    if was == now and scale in (None, 1):
        return
    excess, factor = None, float(1 if scale is None else scale)
    if isinstance(was, int) and isinstance(now, int):
        if scale is not None:
            excess = float(now - was * scale)
        elif was > 0:
            factor = now / was
    yield Step(layer, Axis(axis - 2, was, now), excess, factor)


def _of_a_mask(layer: Layer, was: Size, now: Size) -> Fraction | None:
    """The factor of an unpooling whose size is written, since it undoes a pooling."""
    if not isinstance(layer.operator, ops.Unpool | ops.WindowUnpool):
        return None
    if isinstance(was, int) and isinstance(now, int):
        return written_factor(was, now)
    return None


def _size(net: Shaped, value: str, axis: int) -> Size | None:
    shape = net.inference.shapes.get(value)
    return shape[axis] if shape is not None and axis < len(shape) else None


def nominal_scale(layer: Layer, axis: int) -> Fraction | None:
    """What a layer multiplies sizes by, but for borders and rounding, along one spatial axis: its
    stride, its factor, or how fast the size that is written for it grows with the size it is like.
    None where it has no scale: the size is a number, or all is pooled.
    """
    op = layer.operator
    match op:
        case ops.Conv(stride=stride) | ops.Pool(stride=stride) if axis >= 0:
            return Fraction(1, stride[axis]) if stride[axis] else None
        case ops.ConvTranspose(stride=stride, target=None) if axis >= 0:
            return Fraction(stride[axis])
        case ops.Resize(factor=factor) if factor is not None and axis >= 0:
            return Fraction(factor[axis])
        case ops.DepthToSpace(block=block):
            return Fraction(block)
        case ops.SpaceToDepth(block=block):
            return Fraction(1, block) if block else None
        case ops.StridedSlice(axis=along, step=step):
            return Fraction(1, abs(step)) if along == axis + 2 and step else Fraction(1)
        case (
            ops.GlobalPool()
            | ops.Eltwise(broadcast=True)
            | ops.Expand()
            | ops.Reshape()
            | ops.Permute()
            | ops.Flatten()
        ):
            return None  # repeated, or another axis stands there
    return _written_scale(op, axis)


def _written_scale(op: ops.Operator, axis: int) -> Fraction | None:
    """What the size that is written for an operator multiplies by; 1 where none is."""
    sizes = getattr(op, "target", None) or getattr(op, "size", None)
    if axis < 0 or not isinstance(sizes, tuple) or not sizes:
        return Fraction(1)
    return _slope(sizes, axis)


def _slope(sizes: Sequence[Size], axis: int) -> Fraction | None:
    """How fast the size that is written for an axis grows with the one size that it is like."""
    size = sizes[axis] if axis < len(sizes) else 0
    if len(leaves(size)) != 1:
        return None
    try:
        return growth_of(substitute(size, lambda leaf: symbol("n")), "n").slope or None
    except Unsayable:
        return None


def written_factor(before: int, after: int) -> Fraction | None:
    """The factor that a written size stands for: a whole one, or one over it, where the size is
    within two pixels of that (as of a plane whose pooling cut a window); else None.

    >>> [str(written_factor(*sizes)) for sizes in ((60, 118), (9, 4), (10, 15))]
    ['2', '1/2', 'None']
    """
    if min(before, after) < 1:
        return None
    ratio = Fraction(after, before)
    whole = Fraction(round(ratio)) if ratio >= 1 else Fraction(1, round(1 / ratio))
    near = 2 * max(whole - 1, Fraction(1, 2))
    return whole if abs(after - before * whole) <= near else None
