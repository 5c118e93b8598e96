"""The two ways that lead to a merge: what each layer on them does to a size.

Sizes follow one input of every layer: a Crop's reference, else the first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

from upconv.converters.audit.formulas import Axis, formula
from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Like, Size, leaves
from upconv.converters.ir.inference import Inference
from upconv.converters.ir.model import Layer
from upconv.converters.ir.operators import targets


class Shaped(Protocol):
    """A model whose values have shapes, and the layers that write them."""

    @property
    def producers(self) -> Mapping[str, Layer]: ...

    @property
    def inference(self) -> Inference: ...


@dataclass(frozen=True, slots=True)
class Step:
    """One layer of a branch that changes the size along an axis.

    `excess` is what it gained (lost, where negative) against dividing or multiplying exactly by
    its stride; None where that has no meaning. `factor` is what the layer multiplies sizes by.
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
    sizes = [_size(net, value, axis) for value in (before, after)]
    if sizes[0] is None or sizes[1] is None or sizes[0] == sizes[1]:
        return
    layer = net.producers[after]
    excess = _excess(layer, axis - 2, *sizes)
    yield Step(layer, Axis(axis - 2, sizes[0], sizes[1]), excess, _factor(layer, axis - 2, *sizes))


def _size(net: Shaped, value: str, axis: int) -> Size | None:
    shape = net.inference.shapes.get(value)
    return shape[axis] if shape is not None and axis < len(shape) else None


def _excess(layer: Layer, axis: int, before: Size | None, after: Size | None) -> float | None:
    """Actual size minus the exact multiple or fraction the stride stands for."""
    if not isinstance(before, int) or not isinstance(after, int):
        return None
    match layer.operator:
        case ops.Conv(stride=stride) | ops.Pool(stride=stride):
            return after - before / stride[axis]
        case ops.ConvTranspose(stride=stride) | ops.WindowUnpool(stride=stride):
            return after - before * stride[axis]
        case ops.Unpool() | ops.Resize(size=tuple()):
            return after - before * _written_factor(before, after)
    return None


def _factor(layer: Layer, axis: int, before: Size | None, after: Size | None) -> float:
    match layer.operator:
        case ops.Conv(stride=stride) | ops.Pool(stride=stride):
            return 1 / stride[axis]
        case ops.ConvTranspose(stride=stride) | ops.WindowUnpool(stride=stride):
            return float(stride[axis])
        case ops.Unpool() | ops.Resize(size=tuple()):
            if isinstance(before, int) and isinstance(after, int):
                return _written_factor(before, after)
        case ops.Resize() | ops.DepthToSpace() | ops.SpaceToDepth():
            if isinstance(before, int) and isinstance(after, int):
                return after / before
    return 1.0


def _written_factor(before: int, after: int) -> float:
    """The factor that a written size stands for: a whole one, or one over it, where the size is
    within two pixels of that (as of a plane whose pooling cut a window), else the ratio.

    >>> _written_factor(60, 118), _written_factor(9, 4), _written_factor(10, 15)
    (2.0, 0.5, 1.5)
    """
    ratio = after / before if before > 0 else 1.0
    whole = float(round(ratio)) if ratio >= 1 else 1 / round(1 / ratio) if ratio > 0 else 1.0
    return whole if abs(after - before * whole) <= 2 * max(whole - 1, 0.5) else ratio
