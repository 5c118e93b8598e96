"""Sampling at places that the file holds, as one sum of pixels: a convolution of 1 x 1 whose
channels are the pixels of the image. Places that a network computes have no such form."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Final, TypeAlias

from upconv.converters.ir import operators as ops
from upconv.converters.ir.model import Layer, Shape
from upconv.converters.ir.tensors import FloatArray
from upconv.converters.passes.portable.chain import chain
from upconv.converters.passes.portable.interpolated import along

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Places: TypeAlias = NDArray[np.float64]
    Taps: TypeAlias = list[tuple[NDArray[np.int64], Places]]

MOST_WEIGHTS: Final = 1 << 22
"""Pixels times pixels: 16 MB of zeros for the most part."""


def sampled(op: ops.GridSample, layer: Layer, x: Shape, y: Shape) -> Iterator[tuple[Layer, ...]]:
    """One matrix for all channels, where one grid of known places serves the whole batch."""
    import numpy as np

    held = layer.weights.get(layer.inputs[1])
    sizes = [size for size in (*x[2:], *y[2:]) if isinstance(size, int)]
    if held is None or len(sizes) < len(x) + len(y) - 4 or prod(sizes) > MOST_WEIGHTS:
        return
    grid = np.asarray(held.array(), np.float64)
    if grid.shape[0] != 1 or not np.isfinite(grid).all():
        return
    weights = _weights(op, grid[0], sizes[: len(x) - 2])
    flat = (*x[:2], weights.shape[1], 1)
    steps = [
        ("view", ops.Reshape(flat), {}),
        *along(flat, 2, weights),
        ("view", ops.Reshape(y), {}),
    ]
    yield chain(replace(layer, inputs=layer.inputs[:1], weights={}), steps)


def _weights(op: ops.GridSample, grid: Places, sizes: Sequence[int]) -> FloatArray:
    """(pixels of the result, pixels of the image): how much of each goes into each, as ONNX's
    GridSample has it.

    `grid` is (out..., axes), with the last axis' places first.
    """
    import numpy as np

    places = grid.reshape(-1, len(sizes))[:, ::-1]
    found = np.zeros((len(places), prod(sizes)))
    rows = np.arange(len(places))
    for taps in product(*(_taps(op, places[:, axis], n) for axis, n in enumerate(sizes))):
        column, weight = np.zeros(len(places), np.int64), np.ones(len(places))
        for (index, share), n in zip(taps, sizes, strict=True):
            column, weight = column * n + index, weight * share
        found[rows, column] += weight
    return found.astype(np.float32)


def _taps(op: ops.GridSample, place: Places, n: int) -> Taps:
    """(pixel, weight) of each tap along an axis; a weight is 0 where the pixel is outside."""
    import numpy as np

    at = (place + 1) * (n - 1) / 2 if op.align_corners else ((place + 1) * n - 1) / 2
    at = np.clip(at, -FAR, FAR)
    if op.mode != "cubic":
        at = _brought_inside(op, at, n)
    if op.mode == "nearest":
        taps = [(np.rint(at), np.ones_like(at))]
    elif op.mode == "linear":
        low = np.floor(at)
        taps = [(low, 1 - (at - low)), (low + 1, at - low)]
    else:
        low = np.floor(at)
        taps = [(low + step, _keys(np.abs(at - low - step))) for step in (-1, 0, 1, 2)]
    return [_tap(op, pixel, weight, n) for pixel, weight in taps]


FAR: Final = 2.0**40


def _tap(
    op: ops.GridSample, pixel: Places, weight: Places, n: int
) -> tuple[NDArray[np.int64], Places]:
    import numpy as np

    pixel = _brought_inside(op, pixel, n)
    inside = (pixel >= 0) & (pixel < n)
    return np.where(inside, pixel, 0).astype(np.int64), np.where(inside, weight, 0.0)


def _brought_inside(op: ops.GridSample, at: Places, n: int) -> Places:
    """Border: the nearest pixel. Reflection: mirrored at a pixel's outer edge, with align_corners
    at its centre, as often as it takes."""
    import numpy as np

    if op.padding == "zeros":
        return at
    if op.padding == "reflection":
        edge, width = (0.0, n - 1.0) if op.align_corners else (-0.5, float(n))
        if width:
            away = np.abs(at - edge)
            turns = np.floor(away / width)
            rest = away - turns * width
            at = np.where(turns % 2 == 0, rest, width - rest) + edge
    return np.clip(at, 0, n - 1)


def _keys(d: Places) -> Places:
    """Keys' kernel with a = -0.75 (PyTorch's grid_sample)."""
    import numpy as np

    near = (1.25 * d - 2.25) * d * d + 1
    far = ((-0.75 * d + 3.75) * d - 6) * d + 3
    return np.where(d <= 1, near, np.where(d < 2, far, 0.0))
