"""Sampling at places that the network computes (torch grid_sampler_2d, GridSampler.h)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final

import numpy as np
from numpy.typing import NDArray

from upconv.converters.ir import operators as ops
from upconv.converters.reference.call import MEANINGS, Array, Operands
from upconv.converters.reference.interpolation import KERNELS

CUBIC_A: Final = -0.75

FAR: Final = 2.0**40
"""Pixels from the image: beyond it a coordinate is only known to be outside."""


@MEANINGS.register(ops.GridSample)
def _grid_sample(op: ops.GridSample, call: Operands) -> tuple[Array, ...]:
    x, grid = call.inputs[:2]
    return (sampled(op, x, pixels(op, grid, x.shape[2:])),)


def pixels(op: ops.GridSample, grid: Array, sizes: Sequence[int]) -> list[Array]:
    """The coordinates, in pixels, that a grid (N, out..., axes) names: (N, out...) per axis of x.

    align_corners: (g + 1)/2 * (n - 1), else ((g + 1) * n - 1)/2.
    """
    found = []
    for axis, n in enumerate(sizes):
        g = grid[..., len(sizes) - 1 - axis] + 1
        found.append(g * (n - 1) / 2 if op.align_corners else (g * n - 1) / 2)
    return found


def sampled(op: ops.GridSample, x: Array, coordinates: Sequence[Array]) -> Array:
    """x (N, C, spatial...) at these pixel coordinates, (N, out...) per spatial axis."""
    n, c, *sizes = x.shape
    flat = np.concatenate([x.reshape(n, c, -1), np.zeros((n, c, 1))], axis=2)
    nowhere = flat.shape[2] - 1
    axes = [
        _taps(op, coordinate.reshape(n, -1), size)
        for coordinate, size in zip(coordinates, sizes, strict=True)
    ]
    total = np.zeros((n, c, coordinates[0][0].size))
    for taps in product(*axes):
        weight: Array = np.ones(())
        place, inside = np.zeros((1, 1), np.int64), np.ones((1, 1), np.bool_)
        for tap, size in zip(taps, sizes, strict=True):
            weight = weight * tap.weight
            place, inside = place * size + tap.index, inside & tap.inside
        chosen = np.where(inside, place, nowhere)[:, None]
        total += np.take_along_axis(flat, chosen, 2) * weight[:, None]
    return total.reshape(n, c, *coordinates[0].shape[1:])


@dataclass(frozen=True, slots=True)
class _Tap:
    """One pixel of each sample along an axis, (N, places): its index, whether it is in the image,
    and its weight."""

    index: NDArray[np.int64]
    inside: NDArray[np.bool_]
    weight: Array


def _taps(op: ops.GridSample, coordinate: Array, size: int) -> list[_Tap]:
    known = np.isfinite(coordinate)
    c = np.clip(np.where(known, coordinate, 0.0), -FAR, FAR)
    if op.mode != "cubic":  # whose pixels are moved inside one by one, after they are weighted
        c = _padded(op, c, size)
    if op.mode == "nearest":
        return [_tap(op, np.rint(c), np.where(known, 1.0, np.nan), size)]
    first, kernel = np.floor(c), KERNELS[op.mode]
    return [
        _tap(
            op,
            first + offset,
            np.where(known, kernel.value(offset - (c - first), CUBIC_A), np.nan),
            size,
        )
        for offset in range(1 - kernel.support, kernel.support + 1)
    ]


def _tap(op: ops.GridSample, place: Array, weight: Array, size: int) -> _Tap:
    index = _padded(op, place, size)
    inside = (index >= 0) & (index < size)
    return _Tap(np.where(inside, index, 0).astype(np.int64), inside, weight)


def _padded(op: ops.GridSample, c: Array, size: int) -> Array:
    """Coordinates brought inside, as the padding says; those of zeros stay where they are."""
    if op.padding == "zeros":
        return c
    if op.padding == "reflection":
        low, span = (0.0, size - 1.0) if op.align_corners else (-0.5, float(size))
        turn = np.mod(c - low, 2 * span) if span else np.zeros_like(c)
        c = np.minimum(turn, 2 * span - turn) + low
    return np.clip(c, 0.0, size - 1.0)
