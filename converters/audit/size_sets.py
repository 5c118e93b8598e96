"""Sets of input sizes that end in a pattern, exact for every whole number from 1 on.

>>> evens = SizeSet.of_pattern((), (False, True))
>>> evens.rule("H"), 6 in evens, evens.below(9), evens.above(9)
('H % 2 == 0', True, 8, 10)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from upconv.converters.audit.growth import Growth, Unsayable, aligned, mapped, settled

LISTED: Final = 8
"""How many numbers a rule lists; of more it gives the count."""

MOST_LOOKED_AT: Final = 64
"""How many sizes are looked at one by one where formulas do not hold."""


@dataclass(frozen=True, slots=True)
class SizeSet:
    """Which of 1, 2, 3 ... belong to it: 1 or 0 for each, as a growth that does not rise.

    A growth is kept in its shortest form, so equal sets compare equal. A size belongs to the set
    if it is among `exceptions`, or is at least `start` and its rest by `modulus` is in `rests`:
    the modulus is the least there is, and `start` the least member behind the exceptions.
    """

    member: Growth

    def __repr__(self) -> str:
        return f"SizeSet({self.rule('n')})"

    @staticmethod
    def of_pattern(head: Iterable[bool], cycle: Iterable[bool]) -> SizeSet:
        """1, 2 ... as the head says, and from there on as the cycle says again and again."""
        one = Growth(tuple(map(int, head)), tuple(map(int, cycle)), 0)
        return SizeSet(mapped(lambda row: row[0], [one], 0))

    @staticmethod
    def only(size: int) -> SizeSet:
        """The set of one size."""
        return SizeSet.of_pattern((False,) * (size - 1) + (True,), (False,))

    def few(self) -> tuple[int, ...]:
        """Its sizes, to be looked at one by one; raises Unsayable where they are many."""
        if not self.is_finite or len(self.exceptions) > MOST_LOOKED_AT:
            raise Unsayable("an axis of 1 is repeated at many sizes")
        return self.exceptions

    def __contains__(self, size: int) -> bool:
        return size >= 1 and self.member(size) == 1

    def __and__(self, other: SizeSet) -> SizeSet:
        return SizeSet(_together(min, self, other))

    def __or__(self, other: SizeSet) -> SizeSet:
        return SizeSet(_together(max, self, other))

    def __invert__(self) -> SizeSet:
        return SizeSet(mapped(lambda row: 1 - row[0], [self.member], 0))

    def shifted(self, by: int) -> SizeSet:
        """Every size `by` larger.

        >>> SizeSet.of_pattern((), (False, True)).shifted(3).rule("H")
        'H >= 5 and H % 2 == 1'
        """
        length = max(len(self.member.head) + by, 0)
        numbers = range(1, length + self.modulus + 1)
        inside = [n - by in self for n in numbers]
        return SizeSet.of_pattern(inside[:length], inside[length:])

    @property
    def exceptions(self) -> tuple[int, ...]:
        return tuple(n for n, inside in enumerate(self.member.head, 1) if inside)

    @property
    def start(self) -> int:
        head, cycle = self.member.head, self.member.cycle
        return len(head) + 1 + (cycle.index(1) if 1 in cycle else 0)

    @property
    def modulus(self) -> int:
        return len(self.member.cycle)

    @property
    def rests(self) -> tuple[int, ...]:
        first = len(self.member.head) + 1
        inside = (n for n, bit in enumerate(self.member.cycle, first) if bit)
        return tuple(sorted(n % self.modulus for n in inside))

    @property
    def is_finite(self) -> bool:
        return not any(self.member.cycle)

    def members(self) -> Iterator[int]:
        """Its sizes in order; without an end where it is not finite."""
        yield from self.exceptions
        first = len(self.member.head) + 1
        offsets = [at for at, bit in enumerate(self.member.cycle, first) if bit]
        while offsets:
            yield from offsets
            offsets = [at + self.modulus for at in offsets]

    def above(self, size: int) -> int | None:
        """The least member that is `size` or larger."""
        start = max(size, 1)
        end = max(start, len(self.member.head) + 1) + self.modulus
        return next((n for n in range(start, end) if n in self), None)

    def below(self, size: int) -> int | None:
        """The largest member that is `size` or smaller."""
        end = max(size - self.modulus, 0)
        near = next((n for n in range(size, end, -1) if n in self), None)
        return near or max((n for n in self.exceptions if n <= size), default=None)

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


def _together(choose: Callable[[tuple[int, ...]], int], left: SizeSet, right: SizeSet) -> Growth:
    return mapped(choose, aligned([left.member, right.member]), 0)


EVERY: Final = SizeSet(Growth((), (1,), 0))
NONE: Final = SizeSet(Growth((), (0,), 0))


def zeros(growth: Growth) -> SizeSet:
    """Where a growth is 0."""
    return _where(growth, lambda value: value == 0)


def not_negative(growth: Growth) -> SizeSet:
    """Where a growth is 0 or more."""
    return _where(growth, lambda value: value >= 0)


def _where(growth: Growth, test: Callable[[int], bool]) -> SizeSet:
    found = settled(growth)
    return SizeSet.of_pattern(map(test, found.head), map(test, found.cycle))


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
    return f"{len(numbers)} {many} from {low} to {high}" if many else ""


def _braces(numbers: Sequence[int]) -> str:
    return f"{{{', '.join(map(str, numbers))}}}"
