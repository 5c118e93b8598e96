"""Sizes of one axis as sequences that end in a repeating rise: exact for every size of the input.

Let f(n) be a size of a net at input size n = 1, 2, 3 ... Call f a *growth* where from some n on
f(n + m) = f(n) + r, with a period m and a rise r that do not depend on n. Finitely many numbers
say all of f: its first values (the head), one period behind them (the cycle), and r.

Sizes are built from n and whole numbers by sums, multiples, floor divisions, minima and maxima,
and growths are closed under these:

- n itself: m = 1, r = 1. A number: m = 1, r = 0.
- a*f + b*g: over M = lcm(m_f, m_g) each rises evenly, by r*M/m, so the sum does too.
- floor(f/k), k > 0: over M = m*k/gcd(k, r), f rises by R = r*k/gcd(k, r), a multiple of k; then
  floor((f + R)/k) = floor(f/k) + R/k.
- max(f, g): where both rise as fast, over a common period both rise by the same, and so does the
  larger. Where f is faster, f - g rises by R > 0 over M, so in each of the M classes of n it is
  positive from some n on and stays so: behind that the maximum is f.
- floor(f/g), where g rises (and else where g ends in one number): with L the ratio of the slopes
  and l = floor(L), f - l*g and (l+1)*g - f do not fall. If L is no whole number both rise, and
  once they and g are positive the quotient is l. If L = l, then f - l*g ends in a cycle h without
  a rise, and once g > |h| the quotient is l where h >= 0, else l - 1.
- f*g where neither rises, or one of them ends in one number.

Other products (a flatten of two free axes) are no growths, and sequences longer than LONGEST are
not written out: `Unsayable` says so. Nothing is ever read off from samples.

>>> from upconv.converters.ir.dims import ceil_div, symbol
>>> H = symbol("H")
>>> growth = growth_of(2 * ceil_div(H, 2) - H, "H")
>>> growth.head, growth.cycle, growth.rise
((), (1, 0), 0)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from math import gcd, lcm, prod
from typing import Final, Literal

from upconv.converters.ir.dims import Dim, Extreme, Like, Product, Quotient, Size, Symbol
from upconv.converters.ir.records import record

LONGEST: Final = 1 << 16
"""How many sizes, head and cycle together, are written out at most."""
DEEPEST: Final = 60
MOST: Final = 1 << 22
"""How deep an expression may be, and how many sizes are written out for one symbol in all."""


class Unsayable(Exception):
    """Why a set of sizes cannot be said exactly; the text goes on from "because"."""


@record(frozen=True, slots=True)
class Growth:
    """f(1), f(2), ...: the head's values, then the cycle's, each time raised by `rise`."""

    head: tuple[int, ...]
    cycle: tuple[int, ...]
    rise: int

    def __call__(self, n: int) -> int:
        """f(n), for n from 1 on."""
        if n <= len(self.head):
            return self.head[n - 1]
        times, at = divmod(n - 1 - len(self.head), len(self.cycle))
        return self.cycle[at] + times * self.rise

    def values(self, count: int) -> list[int]:
        """f(1) to f(count)."""
        found = list(self.head[:count])
        lift, rest = 0, count - len(found)
        while rest > 0:
            found += [value + lift for value in self.cycle[:rest]] if lift else self.cycle[:rest]
            lift += self.rise
            rest -= len(self.cycle)
        return found

    @property
    def slope(self) -> Fraction:
        """How much it rises for one pixel of the input."""
        return Fraction(self.rise, len(self.cycle))

    @property
    def limit(self) -> int | None:
        """The one number in which it ends; None where it has none."""
        return self.cycle[0] if not self.rise and len(set(self.cycle)) == 1 else None


def constant(value: int) -> Growth:
    """The growth that is `value` everywhere."""
    return Growth((), (value,), 0)


IDENTITY: Final = Growth((), (1,), 1)
"""The input's size itself."""


def growth_of(size: Size, name: str) -> Growth:
    """The growth of a size in the symbol `name`, for name = 1, 2, 3 ...

    Raises Unsayable for what is no growth, or too long a one.
    """
    return Growths(name).of(size)


def settled(growth: Growth) -> Growth:
    """The same with a head so long that no value behind it changes its sign from a cycle to the
    next: all have the sign of the rise, or there is no rise."""
    if not growth.rise:
        return growth
    step = 1 if growth.rise > 0 else -1
    # steps until value * step + times * |rise| >= 1
    late = max(-((value * step - 1) // abs(growth.rise)) for value in growth.cycle)
    return stretched(growth, len(growth.head) + max(late, 0) * len(growth.cycle), 1)


class Growths:
    """The growths of sizes in one symbol; parts that sizes share are worked out once.

    A file may hold any expression, so what is written out in all, and how deep, is bounded.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._known: dict[int, tuple[Growth, Size]] = {}
        self._depth = 0
        self._written = 0

    def of(self, size: Size) -> Growth:
        """The growth of a size; raises Unsayable where it has none."""
        if isinstance(size, int):
            return constant(size)
        key = id(size)
        if key not in self._known:
            found = self._sum(size)
            self._known[key] = (found, size)  # the size is kept, so that its id stays its own
        return self._known[key][0]

    def _sum(self, size: Dim) -> Growth:
        if self._depth >= DEEPEST or self._written > MOST:
            raise Unsayable("its sizes are expressions without end")
        self._depth += 1
        try:
            parts = [(factor, self._atom(atom)) for atom, factor in size.terms]
        finally:
            self._depth -= 1
        found = scaled_sum(parts, size.constant)
        self._written += len(found.head) + len(found.cycle)
        return found

    def _atom(self, atom: object) -> Growth:
        match atom:
            case Symbol(name):
                if name != self.name:
                    raise Unsayable(f"it depends on {name} too")
                return IDENTITY
            case Quotient(numerator, divisor):
                return _quotient(self.of(numerator), self.of(divisor))
            case Extreme(kind, arguments):
                return _extreme(kind, [self.of(argument) for argument in arguments])
            case Product(factors):
                return _product([self.of(factor) for factor in factors])
            case Like():
                raise Unsayable(f"{atom} is not resolved")
        raise TypeError(f"no growth of {atom!r}")


def scaled_sum(parts: Sequence[tuple[int, Growth]], extra: int) -> Growth:
    """extra + the sum of factor * growth."""
    if not parts:
        return constant(extra)
    if len(parts) == 1:  # as most are: then nothing has to be brought to one shape
        factor, only = parts[0]
        head, cycle = ([factor * n + extra for n in row] for row in (only.head, only.cycle))
        return Growth(tuple(head), tuple(cycle), factor * only.rise)
    rows = aligned([growth for _, growth in parts])
    factors = [factor for factor, _ in parts]

    def total(values: tuple[int, ...]) -> int:
        return sum(map(int.__mul__, factors, values)) + extra

    return mapped(total, rows, total(tuple(one.rise for one in rows)) - extra)


def _quotient(upper: Growth, lower: Growth) -> Growth:
    """Their floor division."""
    if lower.rise < 0 or (lower.limit or 0) < 0:
        upper, lower = (scaled_sum([(-1, one)], 0) for one in (upper, lower))
    if 0 in lower.head or (0 in lower.cycle and not lower.rise):
        raise Unsayable("a size is divided by one that may be 0")
    if lower.rise:
        return _ratio(upper, lower)
    if not upper.rise:
        return mapped(_divided, aligned((upper, lower)), 0)
    divisor = lower.limit
    if divisor is None:
        raise Unsayable("a size is divided by one that goes up and down")
    even = stretched(upper, len(upper.head), divisor // gcd(divisor, upper.rise))
    return mapped(_divided, aligned((even, lower)), even.rise // divisor)


def _divided(pair: tuple[int, ...]) -> int:
    return pair[0] // pair[1]


def _ratio(upper: Growth, lower: Growth) -> Growth:
    """The quotient by a growth that rises: it ends in a cycle without a rise."""
    level = upper.slope // lower.slope
    over = scaled_sum([(1, upper), (-level, lower)], 0)
    under = scaled_sum([(level + 1, lower), (-1, upper)], 0)
    room = lower
    if not over.rise:  # it may stay negative, but no lower than minus the divisor
        room = scaled_sum([(1, lower)], -max(map(abs, over.cycle)))
    length = max(len(settled(one).head) for one in (over, under, room))
    pair = aligned((upper, lower), length)
    if 0 in pair[1].head + pair[1].cycle:
        raise Unsayable("a size is divided by one that may be 0")
    return mapped(_divided, pair, 0)


def _extreme(kind: Literal["min", "max"], growths: Sequence[Growth]) -> Growth:
    choose: Callable[[Iterable[int]], int] = min if kind == "min" else max
    found = growths[0]
    for other in growths[1:]:
        apart = settled(scaled_sum([(1, found), (-1, other)], 0))
        pair = aligned((found, other), len(apart.head))
        found = mapped(choose, pair, choose(one.rise for one in pair))
    return found


def _product(growths: Sequence[Growth]) -> Growth:
    rising = [one for one in growths if one.rise]
    limits = [one.limit for one in growths if not one.rise]
    if len(rising) > 1 or (rising and None in limits):
        raise Unsayable("it holds a product of sizes")
    rows = aligned(growths)
    steady = prod(limit or 0 for limit in limits)
    return mapped(prod, rows, steady * sum(one.rise for one in rows))


def mapped(
    combine: Callable[[tuple[int, ...]], int], growths: Sequence[Growth], rise: int
) -> Growth:
    """Growths of one shape combined value by value; the result rises by `rise`."""
    head, cycle = (
        tuple(map(combine, zip(*rows, strict=True)))
        for rows in ([one.head for one in growths], [one.cycle for one in growths])
    )
    return _shortened(Growth(head, cycle, rise))


def aligned(growths: Sequence[Growth], least: int = 0) -> list[Growth]:
    """The same growths with heads of one length, `least` or more, and cycles of one length."""
    length = max(least, *(len(one.head) for one in growths))
    period = lcm(*(len(one.cycle) for one in growths))
    return [stretched(one, length, period // len(one.cycle)) for one in growths]


def stretched(growth: Growth, length: int, times: int) -> Growth:
    """The same with a head of `length` and a cycle `times` as long."""
    if length == len(growth.head) and times == 1:
        return growth
    period = len(growth.cycle) * times
    if length + period > LONGEST:
        raise Unsayable(f"its rule repeats only after more than {LONGEST} sizes")
    found = growth.values(length + period)
    return Growth(tuple(found[:length]), tuple(found[length:]), growth.rise * times)


def _shortened(growth: Growth) -> Growth:
    """The same with the shortest cycle, and then the shortest head."""
    head, cycle, rise = growth.head, growth.cycle, growth.rise
    for divisor in primes(len(cycle)):
        while len(cycle) % divisor == 0 and rise % divisor == 0:
            part, lift = len(cycle) // divisor, rise // divisor
            if any(b != a + lift for a, b in zip(cycle, cycle[part:], strict=False)):
                break
            cycle, rise = cycle[:part], lift
    shorter = Growth(head, cycle, rise)
    kept = len(head)
    while kept and head[kept - 1] == _before(shorter, kept - 1):
        kept -= 1
    return stretched(shorter, kept, 1)


def _before(growth: Growth, index: int) -> int:
    """What the cycle would say at an index of the head, were it to begin there."""
    times, at = divmod(index - len(growth.head), len(growth.cycle))
    return growth.cycle[at] + times * growth.rise


def primes(number: int) -> list[int]:
    """The primes that divide a number.

    >>> primes(96), primes(35)
    ([2, 3], [5, 7])
    """
    found, candidate = [], 2
    while candidate * candidate <= number:
        if number % candidate == 0:
            found.append(candidate)
            while number % candidate == 0:
                number //= candidate
        candidate += 1
    return [*found, number] if number > 1 else found
