"""Ties of nearest interpolation: where a coordinate lies on a pixel or half way between two,
rounding decides in float32, and the shared table counts neither side as wrong."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from math import ceil, floor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from upconv.converters.ir import operators as ops
from upconv.converters.probe.resized import scale_of
from upconv.converters.readers.formats import open_model
from upconv.converters.readers.options import ReadOptions
from upconv.converters.reference.coordinates import source_coordinates

Places = NDArray[np.int64]


def tied(model: Path, x: NDArray[Any], got: NDArray[Any], wrong: NDArray[np.bool_]) -> bool:
    """Whether a model is one nearest interpolation of x, and every value that is `wrong` is what
    the other side of a tie would give."""
    layers = open_model(str(model), ReadOptions()).layers
    op = layers[0].operator if len(layers) == 1 else None
    if not isinstance(op, ops.Resize) or op.mode != "nearest" or x.ndim != got.ndim:
        return False
    places = [_either(op, axis, x.shape[axis + 2], size) for axis, size in enumerate(got.shape[2:])]
    for chosen in product(range(3), repeat=len(places)):
        made = x
        for axis, side in enumerate(chosen):
            made = made.take(places[axis][side], axis + 2)
        wrong = wrong & (made != got)
    return not wrong.any()


def _either(op: ops.Resize, axis: int, size: int, out: int) -> Places:
    """(3, out): the pixels that each pixel of an axis may be; thrice the same off a tie."""
    found = source_coordinates(size, out, op.coordinate_mode, scale_of(op, axis))
    own = found.nearest(op.nearest_mode)
    rows = []
    for numerator, pixel in zip(found.numerators, own, strict=True):
        at = Fraction(numerator, found.denominator)
        on_a_pixel = at.denominator == 1
        sides = (at - 1, at, at + 1) if on_a_pixel else (floor(at), pixel, ceil(at))
        rows.append(sides if at.denominator <= 2 else (pixel,) * 3)
    return np.clip(np.array(rows, np.int64).T, 0, size - 1)
