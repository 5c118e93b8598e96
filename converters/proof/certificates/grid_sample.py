"""How far a float32 GridSample may lie from the reference: its coordinates are rounded too."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import prod
from typing import Final

import numpy as np

from upconv.converters.ir import operators as ops
from upconv.converters.proof.certificates.table import (
    CERTIFICATES,
    Allowance,
    Array,
    Comparison,
)
from upconv.converters.reference.bounds import UNIT_ROUNDOFF
from upconv.converters.reference.grid_sample import pixels, sampled

COORDINATE_ROUNDINGS: Final = 8
"""Of a coordinate: four operations make it, four more mirror it; in u of |g| + 1 half axes and a
pixel."""

GAIN: Final = {"linear": 1.0, "cubic": 4.0 * 1.375}
"""How much steeper a sample may be than its pixels: the slopes of Keys' four weights (a = -0.75)
times their distances come to 3.6 at most, its weights' magnitudes to 1.375 along the other axis."""

VALUE_ROUNDINGS: Final = 32
"""Of the weights and the weighted sum, in u of the largest value of the plane."""


@CERTIFICATES.register(ops.GridSample)
def _grid_sample(op: ops.GridSample, one: Comparison) -> Allowance:
    """Nearest takes another pixel where the coordinate is so near to a tie that rounding may cross
    it; the others move by the coordinate's error times the steepest step of the plane.
    """
    x, grid = one.inputs[:2]
    sizes = x.shape[2:]
    places = pixels(op, grid, sizes)
    errors = [
        COORDINATE_ROUNDINGS * UNIT_ROUNDOFF * ((np.abs(grid[..., -1 - axis]) + 1) * size / 2 + 1)
        for axis, size in enumerate(sizes)
    ]
    if op.mode == "nearest":
        return Allowance("tolerance", _other_pixels(op, x, places, errors, one.exact))
    moved: Array = np.zeros(())
    for axis, error in enumerate(errors, start=2):
        moved = moved + _per_plane(_steps(op, x, axis), one.exact) * error[:, None]
    largest = _per_plane(np.abs(x), one.exact)
    bound = GAIN[op.mode] * (moved + VALUE_ROUNDINGS * UNIT_ROUNDOFF * largest)
    return Allowance("tolerance", bound)


def _other_pixels(
    op: ops.GridSample,
    x: Array,
    places: Sequence[Array],
    errors: Sequence[Array],
    exact: Array,
) -> Array:
    bound = np.zeros_like(exact)
    for signs in product((-1, 1), repeat=len(places)):
        rows = zip(places, errors, signs, strict=True)
        other = sampled(op, x, [place + sign * error for place, error, sign in rows])
        np.maximum(bound, np.abs(other - exact), out=bound)
    return bound


def _steps(op: ops.GridSample, x: Array, axis: int) -> Array:
    """Differences between neighbours; where zeros surround the image, with those at its border."""
    around = [(1, 1) if op.padding == "zeros" and a == axis else (0, 0) for a in range(x.ndim)]
    return np.abs(np.diff(np.pad(x, around), axis=axis))


def _per_plane(values: Array, like: Array) -> Array:
    """The largest value of every (N, C) plane, shaped to broadcast over the result."""
    planes = values.reshape(*values.shape[:2], prod(values.shape[2:]))
    largest: Array = planes.max(axis=2, initial=0.0)
    return largest.reshape(*values.shape[:2], *(1,) * (like.ndim - 2))
