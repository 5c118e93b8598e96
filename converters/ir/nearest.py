"""Which pixels an interpolation to the nearest takes, in integer arithmetic: exact."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Final

from upconv.converters.ir.records import record

MAX_DENOMINATOR: Final = 10_000


@record(frozen=True, slots=True)
class Line:
    """The source coordinate of output pixel i along an axis: (a*i + b) / d, d positive."""

    a: int
    b: int
    d: int

    def rounded(self, mode: str, i: int) -> int:
        """The pixel the coordinate is rounded to."""
        return _ROUNDINGS[mode](self.a * i + self.b, self.d)

    def is_between(self, mode: str, i: int) -> bool:
        """Whether the coordinate lies where the rounding jumps."""
        n = self.a * i + self.b
        return (
            n % self.d == 0 if mode in ("floor", "ceil") else (2 * n + self.d) % (2 * self.d) == 0
        )


_ROUNDINGS: Final[dict[str, Callable[[int, int], int]]] = {
    "floor": lambda n, d: n // d,
    "ceil": lambda n, d: -(-n // d),
    "round_prefer_floor": lambda n, d: -((d - 2 * n) // (2 * d)),
    "round_prefer_ceil": lambda n, d: (2 * n + d) // (2 * d),
}


def simple_fraction(scale: float) -> Fraction:
    """The fraction that people meant by a float: 1.2 is 6/5.

    >>> simple_fraction(1.2)
    Fraction(6, 5)
    """
    simple = Fraction(scale).limit_denominator(MAX_DENOMINATOR)
    return simple if float(simple) == scale else Fraction(scale)


def line_of(mode: str, step: Fraction, before: int = 1, after: int = 1) -> Line:
    """The coordinates of an axis with `step` input pixels per output pixel."""
    p, q = step.numerator, step.denominator
    if mode == "half_pixel":
        return Line(2 * p, p - q, 2 * q)
    if mode == "align_corners":
        return Line(before - 1, 0, max(after - 1, 1))
    return Line(p, 0, q)
