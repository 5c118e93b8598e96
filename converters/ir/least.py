"""How small and how large a size can be, where every size of an input is at least 1.

A size is bounded from below by forms that are linear in its letters: floor(a/k) lies between
(a - k + 1)/k and a/k, and of a minimum each argument counts. The bound is not always the best one,
and never wrong.

>>> from upconv.converters.ir.dims import minimum, symbol
>>> H = symbol("H")
>>> least(H - H // 2 - 1), least(H - 7), least(7 - H)
(0, -6, None)
>>> most(minimum(H, 3)), smaller(H // 2, H) == H // 2
(3, True)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from itertools import product
from math import ceil, prod
from typing import Final, TypeAlias

from upconv.converters.ir.dims import (
    Atom,
    Extreme,
    Like,
    Product,
    Quotient,
    Size,
    Symbol,
    is_larger,
    maximum,
    minimum,
)
from upconv.converters.ir.records import record

_LARGE: Final = 1 << 20
CHOICES: Final = 3
MOST_FORMS: Final = 32
MOST_PARTS: Final = 200
"""How many arguments of a maximum are tried, how many forms, how long an expression."""


@record(frozen=True, slots=True)
class _Form:
    """sum(factor * letter) + constant."""

    factors: Mapping[Symbol | Like, Fraction]
    constant: Fraction

    def plus(self, other: _Form) -> _Form:
        letters = self.factors.keys() | other.factors.keys()
        sums = {a: self.factors.get(a, Fraction()) + other.factors.get(a, 0) for a in letters}
        return _Form(sums, self.constant + other.constant)

    def times(self, factor: Fraction) -> _Form:
        return _Form({a: f * factor for a, f in self.factors.items()}, self.constant * factor)

    def least(self, letter: int) -> int | None:
        """Where every letter is as small as it can be: there it is smallest, or it has no end."""
        if min(self.factors.values(), default=Fraction()) < 0:
            return None
        return ceil(self.constant + letter * sum(self.factors.values()))


_Forms: TypeAlias = Sequence[_Form]


class _UnboundedError(Exception):
    """Nothing is known of how small a part is."""


def least(size: Size, letter: int = 1) -> int | None:
    """A whole number that a size is never below, where every letter is at least `letter`; None
    where none is known."""
    if isinstance(size, int):
        return size
    if is_larger(size, MOST_PARTS):
        return None
    found = (_least(size, choice, letter) for choice in range(CHOICES))
    return max((one for one in found if one is not None), default=None)


def _least(size: Size, choice: int, letter: int) -> int | None:
    try:
        found = [form.least(letter) for form in _below(size, choice)]
    except _UnboundedError:
        return None
    known = [one for one in found if one is not None]
    return min(known) if len(known) == len(found) else None


def most(size: Size) -> int | None:
    """A whole number that a size is never above; None where none is known."""
    found = least(-size)
    return None if found is None else -found


def never_negative(size: Size) -> bool:
    """Whether a size is 0 or more, as far as is known."""
    found = least(size)
    return found is not None and found >= 0


def is_place(size: Size) -> bool:
    """Whether a size is 0 or more, or is so behind the first few sizes of the input: an open size
    is taken to reach as far as a program cuts from it.

    >>> from upconv.converters.ir.dims import symbol
    >>> H = symbol("H")
    >>> is_place(H - 7), is_place(-H), is_place(H - symbol("W"))
    (True, False, False)
    """
    found = least(size, _LARGE)
    return found is not None and found >= 0


def smaller(left: Size, right: Size) -> Size:
    """The minimum of two sizes, which is one of them where it is known which."""
    return _chosen(left, right, minimum)


def larger(left: Size, right: Size) -> Size:
    """The maximum of two sizes, which is one of them where it is known which."""
    return _chosen(left, right, maximum)


def _chosen(left: Size, right: Size, choose: Callable[..., Size]) -> Size:
    low, high = (left, right) if choose is minimum else (right, left)
    if never_negative(high - low):
        return left
    return right if never_negative(low - high) else choose(left, right)


def _below(size: Size, choice: int) -> _Forms:
    """Forms of which the smallest is never above the size. A maximum is never below any of its
    arguments: by `choice` one of them stands for it."""
    if isinstance(size, int):
        return (_Form({}, Fraction(size)),)
    total: _Forms = (_Form({}, Fraction(size.constant)),)
    for atom, factor in size.terms:
        scale = Fraction(abs(factor))
        parts = [form.times(scale) for form in _atom_below(atom, 1 if factor > 0 else -1, choice)]
        if len(total) * len(parts) > MOST_FORMS:
            raise _UnboundedError
        total = tuple(one.plus(other) for one, other in product(total, parts))
    return total


def _atom_below(atom: Atom, sign: int, choice: int) -> _Forms:
    """The same for an atom, or minus it."""
    match atom:
        case Symbol() | Like():
            return (_Form({atom: Fraction(sign)}, Fraction()),)
        case Quotient(numerator, int() as divisor):
            less = numerator - (divisor - 1) if sign > 0 else -numerator
            return [form.times(Fraction(1, divisor)) for form in _below(less, choice)]
        case Extreme(kind, arguments):
            turned = [argument * sign for argument in arguments]
            if (kind == "min") == (sign > 0):
                return [form for argument in turned for form in _below(argument, choice)]
            return _below(turned[choice % len(turned)], choice)
        case Product(factors) if sign > 0:
            found = [least(factor) for factor in factors]
            known = [one for one in found if one is not None and one >= 0]
            if len(known) == len(found):
                return (_Form({}, Fraction(prod(known))),)
    raise _UnboundedError
