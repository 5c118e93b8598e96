"""Where an interpolated pixel comes from, in exact fractions, so that ties are true ties."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from upconv.converters.ir.nearest import simple_fraction

CoordinateMode = Literal["half_pixel", "asymmetric", "align_corners"]
NearestMode = Literal["floor", "ceil", "round_prefer_floor", "round_prefer_ceil"]
Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class SourceCoordinates:
    """The source coordinate of every output pixel along one axis: numerators / denominator.

    `share` is how many input pixels there are to an output pixel, which with align_corners is not
    how far the coordinate moves from one to the next.
    """

    numerators: tuple[int, ...]
    denominator: int
    share: Fraction

    def floors(self) -> Indices:
        return np.array([n // self.denominator for n in self.numerators], np.int64)

    def fractions(self) -> NDArray[np.float64]:
        """Coordinate minus its floor, in [0, 1), correctly rounded."""
        return np.array([n % self.denominator / self.denominator for n in self.numerators])

    def values(self) -> NDArray[np.float64]:
        return np.array([n / self.denominator for n in self.numerators])

    def nearest(self, mode: NearestMode) -> Indices:
        """The coordinates rounded to pixels, not yet clamped to the input."""
        rounded = _ROUNDINGS[mode]
        return np.array([rounded(n, self.denominator) for n in self.numerators], np.int64)


_ROUNDINGS: dict[NearestMode, Callable[[int, int], int]] = {
    "floor": lambda n, d: n // d,
    "ceil": lambda n, d: -(-n // d),
    "round_prefer_floor": lambda n, d: -((d - 2 * n) // (2 * d)),
    "round_prefer_ceil": lambda n, d: (2 * n + d) // (2 * d),
}


def source_coordinates(
    size: int, out: int, mode: CoordinateMode, scale: float | None = None
) -> SourceCoordinates:
    """The coordinates in an axis of `size` pixels of the `out` pixels it is resized to (ONNX
    Resize, coordinate_transformation_mode).

    half_pixel (i + 1/2)/scale - 1/2, asymmetric i/scale, align_corners i*(size-1)/(out-1) and 0
    for a single pixel. `scale` is out/size unless given.

    >>> source_coordinates(2, 4, "half_pixel").values()
    array([-0.25,  0.25,  0.75,  1.25])
    """
    share = Fraction(size, out) if scale is None else 1 / simple_fraction(scale)
    if mode == "align_corners":
        step = Fraction(size - 1, out - 1) if out > 1 else Fraction(0)
    else:
        step = share
    p, q = step.numerator, step.denominator
    if mode == "half_pixel":
        return SourceCoordinates(tuple((2 * i + 1) * p - q for i in range(out)), 2 * q, share)
    return SourceCoordinates(tuple(i * p for i in range(out)), q, share)
