"""Sets of input sizes that end in a pattern, exact for every whole number from 1 on.

>>> evens = SizeSet.of_pattern((), (False, True))
>>> evens.rule("H"), 6 in evens, evens.below(9), evens.above(9)
('H % 2 == 0', True, 8, 10)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from math import lcm
from typing import Final

from upconv.converters.audit.growth import LONGEST, Growth, Unsayable, primes, scaled_sum
from upconv.converters.ir.records import record

LISTED: Final = 8
"""How many numbers a rule lists; of more it gives the count."""

MOST_LOOKED_AT: Final = 64
"""How many sizes are looked at one by one where formulas do not hold."""


@record(frozen=True, slots=True)
class SizeSet:
    """Which of 1, 2, 3 ... belong to it: bit n-1 of `head` tells of n up to `length`, and behind,
    bit (n-1-length) mod `period` of `cycle`.

    Made by the functions below only, which keep it in its shortest form, so that equal sets compare
    equal. A size belongs to the set if it is among `exceptions`, or is at least `start` and its
    rest by `modulus` is in `rests`: the modulus is the least there is, and `start` the least member
    behind the exceptions.
    """

    head: int
    length: int
    cycle: int
    period: int

    @staticmethod
    def of(head: int, length: int, cycle: int, period: int) -> SizeSet:
        """The set of these bits, in its shortest form.

        Raises Unsayable where it repeats too late.
        """
        if length + period > LONGEST:
            raise Unsayable(f"its rule repeats only after more than {LONGEST} sizes")
        for prime in primes(period):
            while period % prime == 0:
                part = cycle & _ones(period // prime)
                if _repeated(part, period // prime, period) != cycle:
                    break
                cycle, period = part, period // prime
        before = _repeated(_turned(cycle, period, -length), period, length)
        kept = (head ^ before).bit_length()
        return SizeSet(head & _ones(kept), kept, _turned(cycle, period, kept - length), period)

    @staticmethod
    def of_pattern(head: Iterable[bool], cycle: Iterable[bool]) -> SizeSet:
        """1, 2 ... as the head says, and from there on as the cycle says again and again."""
        first, then = list(head), list(cycle)
        return SizeSet.of(_bits(first), len(first), _bits(then), len(then))

    @staticmethod
    def only(*sizes: int) -> SizeSet:
        """The set of these sizes; those below 1 are none."""
        head = sum(1 << (size - 1) for size in set(sizes) if size >= 1)
        return SizeSet.of(head, head.bit_length(), 0, 1)

    def __repr__(self) -> str:
        return f"SizeSet({self.rule('n')})"

    def __contains__(self, size: int) -> bool:
        if size <= self.length:
            return size >= 1 and bool(self.head >> (size - 1) & 1)
        return bool(self.cycle >> ((size - 1 - self.length) % self.period) & 1)

    def __and__(self, other: SizeSet) -> SizeSet:
        (head, cycle), (more, again), length, period = self._beside(other)
        return SizeSet.of(head & more, length, cycle & again, period)

    def __or__(self, other: SizeSet) -> SizeSet:
        (head, cycle), (more, again), length, period = self._beside(other)
        return SizeSet.of(head | more, length, cycle | again, period)

    def __invert__(self) -> SizeSet:
        head, cycle = _ones(self.length) ^ self.head, _ones(self.period) ^ self.cycle
        return SizeSet.of(head, self.length, cycle, self.period)

    def _beside(self, other: SizeSet) -> tuple[tuple[int, int], tuple[int, int], int, int]:
        """Both with heads of one length and cycles of one period."""
        length, period = max(self.length, other.length), lcm(self.period, other.period)
        if length + period > LONGEST:
            raise Unsayable(f"its rule repeats only after more than {LONGEST} sizes")
        return self._written(length, period), other._written(length, period), length, period

    def _written(self, length: int, period: int) -> tuple[int, int]:
        """The bits of a head and a cycle of these lengths, which are no shorter."""
        more = length - self.length
        head = self.head | _repeated(self.cycle, self.period, more) << self.length
        return head, _repeated(_turned(self.cycle, self.period, more), self.period, period)

    def few(self) -> tuple[int, ...]:
        """Its sizes, to be looked at one by one; raises Unsayable where they are many."""
        if not self.is_finite or len(self.exceptions) > MOST_LOOKED_AT:
            raise Unsayable("an axis of 1 is repeated at many sizes")
        return self.exceptions

    def shifted(self, by: int) -> SizeSet:
        """Every size `by` larger.

        >>> SizeSet.of_pattern((), (False, True)).shifted(3).rule("H")
        'H >= 5 and H % 2 == 1'
        """
        if by >= 0:
            return SizeSet.of(self.head << by, self.length + by, self.cycle, self.period)
        head, cycle = self._written(max(self.length, -by), self.period)
        return SizeSet.of(head >> -by, max(self.length + by, 0), cycle, self.period)

    @property
    def indicator(self) -> Growth:
        """1 where it has a size, else 0."""
        head, cycle = (_digits(self.head, self.length), _digits(self.cycle, self.period))
        return Growth(tuple(head), tuple(cycle), 0)

    @property
    def exceptions(self) -> tuple[int, ...]:
        return tuple(_places(self.head, 1))

    @property
    def start(self) -> int:
        return self.length + (_lowest(self.cycle) or 1)

    @property
    def modulus(self) -> int:
        return self.period

    @property
    def rests(self) -> tuple[int, ...]:
        places = _places(self.cycle, self.length + 1)
        return tuple(sorted(place % self.period for place in places))

    @property
    def is_finite(self) -> bool:
        return not self.cycle

    def members(self) -> Iterator[int]:
        """Its sizes in order; without an end where it is not finite."""
        yield from self.exceptions
        places = list(_places(self.cycle, self.length + 1))
        while places:
            yield from places
            places = [place + self.period for place in places]

    def above(self, size: int) -> int | None:
        """The least member that is `size` or larger."""
        start = max(size, 1)
        if start <= self.length:
            place = _lowest(self.head >> (start - 1))
            if place:
                return start - 1 + place
            start = self.length + 1
        place = _lowest(_turned(self.cycle, self.period, start - 1 - self.length))
        return start - 1 + place if place else None

    def below(self, size: int) -> int | None:
        """The largest member that is `size` or smaller."""
        if size > self.length:
            behind = size - self.length
            place = _turned(self.cycle, self.period, behind).bit_length()
            near = size - self.period + place
            if place and near > self.length:
                return near
        found = (self.head & _ones(max(min(size, self.length), 0))).bit_length()
        return found or None

    def rule(self, name: str) -> str:
        """It in words that Python reads too, as long as no more than LISTED numbers are needed.

        >>> SizeSet.of_pattern((False, True) + (False,) * 8, (True, False, False)).rule("H")
        'H == 2 or H >= 11 and H % 3 == 2'
        """
        small = _listed(name, self.exceptions, f"other values of {name}")
        if self.is_finite:
            return small or f"no {name}"
        missing = (~self).exceptions
        if self.modulus == 1 and len(missing) == 1 < missing[0]:
            return f"{name} != {missing[0]}"
        parts = [f"{name} >= {self.start}"] if self._starts_late() else []
        if self.modulus > 1:
            parts.append(_rests(name, self.modulus, self.rests))
        large = " and ".join(parts) or f"{name} >= 1"
        return f"{small} or {large}" if small else large

    def _starts_late(self) -> bool:
        """Whether the rests alone would say too much."""
        rests = set(self.rests)
        return any(n % self.modulus in rests for n in range(1, self.start))


EVERY: Final = SizeSet(0, 0, 1, 1)
NONE: Final = SizeSet(0, 0, 0, 1)


def zeros(growth: Growth) -> SizeSet:
    """Where a growth is 0: what rises passes it once in each class of sizes."""
    if not growth.rise:
        return _where(growth, lambda value: value == 0)
    length, period = len(growth.head), len(growth.cycle)
    found = [n for n, value in enumerate(growth.head, 1) if value == 0]
    for n, value in enumerate(growth.cycle, length + 1):
        times, rest = divmod(-value, growth.rise)
        if not rest and times >= 0:
            found.append(n + times * period)
    if found and max(found) > LONGEST:
        raise Unsayable(f"its rule repeats only after more than {LONGEST} sizes")
    return SizeSet.only(*found)


def not_negative(growth: Growth) -> SizeSet:
    """Where a growth is 0 or more: what rises is so for good in each class of sizes, from some
    size on."""
    if growth.rise < 0:
        return ~not_negative(scaled_sum([(-1, growth)], -1))
    if not growth.rise:
        return _where(growth, lambda value: value >= 0)
    length, period = len(growth.head), len(growth.cycle)
    late = [max(-(value // growth.rise), 0) for value in growth.cycle]  # cycles until it is
    whole = length + max(late) * period
    if whole + 1 > LONGEST:
        raise Unsayable(f"its rule repeats only after more than {LONGEST} sizes")
    head = _bits([value >= 0 for value in growth.head])
    for at, cycles in enumerate(late):
        first = length + cycles * period
        head |= _repeated(1, period, whole - first) << (first + at) & _ones(whole)
    return SizeSet.of(head, whole, 1, 1)


def _where(growth: Growth, test: Callable[[int], bool]) -> SizeSet:
    return SizeSet.of_pattern(map(test, growth.head), map(test, growth.cycle))


def _ones(count: int) -> int:
    return (1 << count) - 1


def _bits(values: Sequence[bool]) -> int:
    """Bit i for the i-th value."""
    return int("".join("1" if value else "0" for value in reversed(values)) or "0", 2)


def _digits(bits: int, count: int) -> Iterator[int]:
    return (bits >> place & 1 for place in range(count))


def _places(bits: int, first: int) -> Iterator[int]:
    """The numbers of the bits that are set, the lowest bit having the number `first`."""
    return (n for n, digit in enumerate(reversed(f"{bits:b}"), first) if digit == "1")


def _lowest(bits: int) -> int:
    """The number of the lowest bit that is set, counted from 1; 0 of none."""
    return (bits & -bits).bit_length()


def _turned(cycle: int, period: int, by: int) -> int:
    """A cycle that begins `by` places later."""
    by %= period
    return cycle >> by | (cycle & _ones(by)) << (period - by)


def _repeated(cycle: int, period: int, count: int) -> int:
    """The first `count` bits of a cycle repeated for ever."""
    written = period
    while written < count:
        cycle |= cycle << written
        written *= 2
    return cycle & _ones(count)


def _rests(name: str, modulus: int, rests: Sequence[int]) -> str:
    """`H % 16 in {0, 5}`, `H % 32 >= 9`, or what is shortest."""
    rest, last = f"{name} % {modulus}", modulus - 1
    others = sorted(set(range(modulus)) - set(rests))
    if len(others) == 1 < len(rests):
        return f"{rest} != {others[0]}"
    inside, outside = (_listed(rest, numbers, "", last) for numbers in (rests, others))
    if inside or not outside:
        return inside or f"{len(rests)} of every {modulus} values of {name}"
    return f"not {outside}" if _is_run(others) else outside.replace(" in ", " not in ")


def _is_run(numbers: Sequence[int]) -> bool:
    return len(numbers) > 2 and all(b == a + 1 for a, b in pairwise(numbers))


def _listed(name: str, numbers: Sequence[int], many: str, last: int | None = None) -> str:
    """`H == 3`, `H <= 7`, `3 <= H <= 17` or `H in {3, 7}`; of more than LISTED their count.

    `last` is the largest number there is, where there is one; the least is then 0, and else 1.
    """
    if not numbers:
        return ""
    low, high = numbers[0], numbers[-1]
    if low == high:
        return f"{name} == {low}"
    if _is_run(numbers):
        if last == high:
            return f"{name} >= {low}"
        least = 1 if last is None else 0
        return f"{name} <= {high}" if low == least else f"{low} <= {name} <= {high}"
    if len(numbers) <= LISTED:
        return f"{name} in {_braces(numbers)}"
    if not many:
        return ""
    runs = _runs(numbers)
    if len(runs) <= LISTED // 2:
        return " or ".join(_listed(name, run, "") for run in runs)
    return f"{len(numbers)} {many} from {low} to {high}"


def _runs(numbers: Sequence[int]) -> list[list[int]]:
    """Numbers in stretches without a gap."""
    found: list[list[int]] = []
    for number in numbers:
        if found and number == found[-1][-1] + 1:
            found[-1].append(number)
        else:
            found.append([number])
    return found


def _braces(numbers: Sequence[int]) -> str:
    return f"{{{', '.join(map(str, numbers))}}}"
