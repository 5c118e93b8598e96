"""Real numbers that sizes are made of on the way: exact, or refused.

A program scales a size by 1.7 and rounds the product. Here that is a ratio of a size and a whole
number until it is rounded; a float is taken for the simple fraction that people meant by it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import isfinite, lcm
from typing import Final

from upconv.converters.ir.dims import Size, ceil_div
from upconv.converters.ir.errors import UnsupportedError
from upconv.converters.readers.assembly.bounds import excess

CHECKED_SIZES: Final = 1 << 14
MAX_DENOMINATOR: Final = 10_000
LARGEST: Final = 1 << 63


class NoSizeError(UnsupportedError):
    """What no size of a network is made of."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """A real number that a size is made of on the way: numerator / denominator.

    `factor`: the float the file multiplies with, where the product is a rounded one.
    """

    numerator: Size
    denominator: int = 1
    factor: float | None = None

    def __post_init__(self) -> None:
        """Raise NoSizeError for what no size of a network is made of, on the way to it."""
        size = self.numerator
        numbers = [size] if isinstance(size, int) else [factor for _, factor in size.terms]
        if max(map(abs, (*numbers, self.denominator)), default=0) >= LARGEST:
            raise NoSizeError("a number of more than 64 bits")
        if problem := excess(size):
            raise NoSizeError(problem)


def of_float(number: float) -> Ratio:
    """The simple fraction that people meant by a float (1.7 is 17/10)."""
    if not isfinite(number):
        raise NoSizeError(f"the number {number!r}")
    fraction = Fraction(number).limit_denominator(MAX_DENOMINATOR)
    if float(fraction) != number:
        raise UnsupportedError(f"sizes are multiplied with {number!r}, which is no simple fraction")
    return Ratio(fraction.numerator, fraction.denominator, number)


def plus(parts: Sequence[Ratio]) -> Ratio:
    """The sum."""
    denominator = lcm(*(part.denominator for part in parts))
    total: Size = 0
    for part in parts:
        total = total + part.numerator * (denominator // part.denominator)
    return Ratio(total, denominator)


def times(parts: Sequence[Ratio]) -> Ratio:
    """The product; it is rounded as its one float factor makes it."""
    numerator: Size = 1
    denominator = 1
    factors = [part.factor for part in parts if part.factor is not None]
    for part in parts:
        numerator = numerator * part.numerator
        denominator *= part.denominator
    return Ratio(numerator, denominator, factors[0] if len(factors) == 1 else None)


def divide(over: Ratio, under: Ratio) -> Ratio:
    """The quotient by a fixed number."""
    divisor = under.numerator
    if not isinstance(divisor, int):
        raise NoSizeError("a division by a size that is not fixed")
    if divisor == 0:
        raise NoSizeError("a division by zero")
    scaled = over.numerator * under.denominator
    sign = 1 if divisor > 0 else -1
    return Ratio(scaled * sign, over.denominator * abs(divisor), None)


def floor(part: Ratio) -> Ratio:
    """The largest whole number that is not above it."""
    if part.factor is not None:
        _require_exact(part.factor, floor_of_product)
    return Ratio(part.numerator // part.denominator)


def ceil(part: Ratio) -> Ratio:
    """The smallest whole number that is not below it."""
    if part.factor is not None:
        _require_exact(part.factor, lambda n, fraction: -floor_of_product(n, -fraction))
    return Ratio(ceil_div(part.numerator, part.denominator))


def floor_of_product(size: int, factor: Fraction) -> int:
    """floor(size * factor), exactly.

    >>> floor_of_product(10, Fraction(17, 10))
    17
    """
    return size * factor.numerator // factor.denominator


def exact_factor(factor: float) -> Fraction | None:
    """The simple fraction p/q for which trunc(n * factor), in double precision, is n*p//q for
    every size n up to CHECKED_SIZES; None where there is none.

    >>> exact_factor(1.7)
    Fraction(17, 10)
    """
    fraction = Fraction(factor).limit_denominator(MAX_DENOMINATOR)
    p, q = fraction.numerator, fraction.denominator
    if float(fraction) != factor:
        return None
    exact = all(int(n * factor) == n * p // q for n in range(CHECKED_SIZES))
    return fraction if exact else None


def _require_exact(factor: float, rounded: Callable[[int, Fraction], int]) -> None:
    """A rounded product may fall to the other side of a whole number; then no integers say it."""
    if Fraction(factor).denominator <= 1 << 12:
        return  # exact in double precision for every size there is
    if exact_factor(factor) is None:
        raise UnsupportedError(f"sizes are multiplied with {factor!r} and rounded, inexactly")
