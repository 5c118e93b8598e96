"""Interpolation as a sum of pixels along each axis: a convolution of 1 x 1 whose channels are the
axis's pixels. Engines have few readings of that."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from math import ceil, floor
from typing import Final

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import multiply
from upconv.converters.ir.model import Layer, Shape
from upconv.converters.ir.nearest import Line, line_of, simple_fraction
from upconv.converters.ir.tensors import FloatArray, weight_of
from upconv.converters.passes.portable.chain import Step, chain

LONGEST: Final = 4096
"""Pixels of an axis: the weights are a matrix of two axes."""


def mixed(op: ops.Resize, layer: Layer, x: Shape, y: Shape) -> Iterator[tuple[Layer, ...]]:
    """The axes that change, one after the other; their sizes must be known, and each pixel be made
    of some."""
    steps: list[Step] = []
    shape = x
    for axis in range(2, len(x)):
        size, out = x[axis], y[axis]
        if not isinstance(size, int) or not isinstance(out, int) or max(size, out) > LONGEST:
            return
        weights = _weights(op, axis - 2, size, out)
        if weights is None:
            return
        steps += along(shape, axis, weights)
        shape = (*shape[:axis], out, *shape[axis + 1 :])
    yield chain(layer, steps)


def along(shape: Shape, axis: int, weights: FloatArray) -> Iterator[Step]:
    """x seen as (N, before, axis, behind), the axis brought to the channels, mixed by `weights`
    (out, in), and brought back."""
    out, size = weights.shape
    before, behind = multiply(shape[1:axis]), multiply(shape[axis + 1 :])
    seen = (shape[0], before, size, behind)
    if seen != shape:
        yield "view", ops.Reshape(seen), {}
    yield "turn", ops.Permute((0, 2, 1, 3)), {}
    one, none = (1, 1), (0, 0)
    mix = ops.Conv(out, one, one, one, none, none)
    yield "mix", mix, {"weight": weight_of(weights.reshape(out, size, 1, 1))}
    yield "turn back", ops.Permute((0, 2, 1, 3)), {}
    after = (*shape[:axis], out, *shape[axis + 1 :])
    if after != (shape[0], before, out, behind):
        yield "view", ops.Reshape(after), {}


def _weights(op: ops.Resize, axis: int, size: int, out: int) -> FloatArray | None:
    """(out, size): how much of each pixel goes into each (ONNX Resize); None where all that one
    would be made of lies outside, and is left out: it is then not a number."""
    import numpy as np

    found = np.zeros((out, size), np.float64)
    step = _step(op, axis, size, out)
    line = line_of(op.coordinate_mode, step, size, out)
    for index in range(out):
        taps = _taps(op, line, step, size, index)
        if not taps:
            return None
        for pixel, weight in taps:
            found[index, min(max(pixel, 0), size - 1)] += float(weight)
    return found.astype(np.float32)


def _step(op: ops.Resize, axis: int, size: int, out: int) -> Fraction:
    if op.scale is not None:
        return 1 / simple_fraction(op.scale[axis])
    return Fraction(1, op.factor[axis]) if op.factor is not None else Fraction(size, out)


def _taps(
    op: ops.Resize, line: Line, step: Fraction, size: int, index: int
) -> list[tuple[int, Fraction]]:
    """(pixel, weight) of one output pixel; pixels beyond an edge are the edge's, unless they are
    left out of the mean, as they are with antialias. None at all where that leaves no weight."""
    if op.mode == "nearest":
        return [(line.rounded(op.nearest_mode, index), Fraction(1))]
    kernel, reach = _KERNELS[op.mode]
    inside = op.antialias or op.exclude_outside
    stretch = max(step, Fraction(1)) if op.antialias else Fraction(1)
    centre, a = Fraction(line.a * index + line.b, line.d), simple_fraction(op.cubic_a)
    first, last = floor(centre - reach * stretch), ceil(centre + reach * stretch)
    pixels = [p for p in range(first, last + 1) if not inside or 0 <= p < size]
    taps = [(p, kernel(abs(p - centre) / stretch, a)) for p in pixels]
    total = sum(weight for _, weight in taps) if inside else Fraction(1)
    return [(p, weight / total) for p, weight in taps] if total else []


def _linear(d: Fraction, a: Fraction) -> Fraction:
    return max(1 - d, Fraction(0))


def _cubic(d: Fraction, a: Fraction) -> Fraction:
    """Keys 1981, with the parameter a."""
    if d <= 1:
        return ((a + 2) * d - (a + 3)) * d * d + 1
    return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a if d < 2 else Fraction(0)


_KERNELS: Final[Mapping[str, tuple[Callable[[Fraction, Fraction], Fraction], int]]] = {
    "linear": (_linear, 1),
    "cubic": (_cubic, 2),
}
