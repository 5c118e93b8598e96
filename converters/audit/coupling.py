"""Conditions on several axes at once: what each axis may be, given that the others can follow.

Of a condition on H and W, an axis' own set is its projection: the H for which some allowed W
fulfils it. It can be said exactly where the condition is

- f(H) + g(W) == 0: the values of -g at the allowed W are finitely many numbers and finitely many
  arithmetic progressions of one step r. Behind the last of their beginnings a number is among them
  if its rest by r is, so where f rises too its membership repeats, and where f ends in a cycle it
  is decided once for the cycle.
- f(H) + g(W) >= 0: the largest value of g counts, if it has one.
- f(H) * g(W) == t, with t not 0 (a flatten that a fixed inner product reads): f and g divide t, so
  each divisor of t that one of them takes is tried.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import reduce
from math import gcd, prod
from operator import or_

from upconv.converters.audit.growth import (
    Growth,
    Growths,
    Unsayable,
    aligned,
    mapped,
    scaled_sum,
    stretched,
)
from upconv.converters.audit.relations import Relation, Scaled, as_product, outgrown
from upconv.converters.audit.size_sets import EVERY, NONE, SizeSet, not_negative
from upconv.converters.ir.dims import Dim, Extreme, Size, Symbol, leaves, substitute
from upconv.converters.ir.records import record

Sets = Mapping[str, SizeSet]


def identity(relation: Relation) -> tuple[str, Size] | None:
    """`W == H + c` as ("W", H + c): the letter that comes last, and what it is."""
    size = relation.difference
    if relation.kind != "==" or not isinstance(size, Dim) or len(size.terms) != 2:
        return None
    (first, one), (last, other) = size.terms
    if not isinstance(first, Symbol) or not isinstance(last, Symbol) or one != -other:
        return None
    if abs(one) != 1:
        return None
    return last.name, Dim(((first, 1),), 0) + size.constant * one


def renamed(relation: Relation, letter: str, meaning: Size) -> Relation:
    """A relation with one letter written as what it is."""
    return Relation.of(rewritten(relation.difference, letter, meaning), relation.kind, 0)


def rewritten(size: Size, letter: str, meaning: Size) -> Size:
    """A size with one letter written as what it is."""
    return substitute(
        size,
        lambda leaf: meaning if isinstance(leaf, Symbol) and leaf.name == letter else None,
    )


def split(relation: Relation) -> list[Relation]:
    """min(a, b) + c >= 0 as a + c >= 0 and b + c >= 0; other relations as they are."""
    size = relation.difference
    for atom, factor in size.terms if isinstance(size, Dim) and relation.kind == ">=" else ():
        if isinstance(atom, Extreme) and (atom.kind == "min") == (factor > 0):
            rest = size - Dim(((atom, factor),))
            return [
                part
                for argument in atom.arguments
                for part in split(Relation.of(rest + factor * argument, ">=", 0))
            ]
    return [relation]


def projected(relation: Relation, letter: str, allowed: Sets) -> SizeSet:
    """The sizes of one letter for which the others have allowed sizes that fulfil a relation.

    Raises Unsayable for a relation of another form than those above.
    """
    size = relation.difference
    assert isinstance(size, Dim)
    product = as_product(size)
    if product is not None and relation.kind == "==":
        return _of_product(product, letter, allowed)
    mine, other, name = _two_parts(size, letter)
    ours, theirs = Growths(letter).of(mine), Growths(name).of(other)
    if relation.kind == ">=":
        return _of_inequality(ours, theirs, allowed[name])
    turned = [scaled_sum([(-1, one)], 0) for one in (ours, theirs)]
    if theirs.rise > 0:  # theirs == -ours, said so that the values rise
        return _meeting(turned[0], _Values.of(theirs, allowed[name]))
    return _meeting(ours, _Values.of(turned[1], allowed[name]))


def _two_parts(size: Dim, letter: str) -> tuple[Size, Size, str]:
    """A size as a part in one letter, a part in one other, and that other."""
    parts: dict[str, Size] = {letter: size.constant}
    for atom, factor in size.terms:
        term = Dim(((atom, factor),))
        names = {leaf.name for leaf in leaves(term) if isinstance(leaf, Symbol)}
        if len(names) != 1:
            raise Unsayable(f"{term} mixes {' and '.join(sorted(names))}")
        name = names.pop()
        parts[name] = parts.get(name, 0) + term
    mine = parts.pop(letter)
    if len(parts) != 1:
        raise Unsayable(f"{len(parts) + 1} axes are added up")
    name, other = parts.popitem()
    return mine, other, name


def _of_inequality(ours: Growth, theirs: Growth, allowed: SizeSet) -> SizeSet:
    """Where ours + (the largest of theirs) >= 0."""
    growth, member = aligned((theirs, allowed.indicator))
    if growth.rise > 0 and any(member.cycle):
        return EVERY
    # what falls is largest in its first cycle, and what does not rise says all there
    written = zip(growth.head + growth.cycle, member.head + member.cycle, strict=True)
    largest = max((value for value, inside in written if inside), default=None)
    return NONE if largest is None else not_negative(scaled_sum([(1, ours)], largest))


@record(frozen=True, slots=True)
class _Values:
    """The numbers of `few`, and for each entry of `starts` all of start, start + step, ..."""

    few: frozenset[int]
    starts: Mapping[int, int]  # rest by the step -> the least start with that rest
    step: int

    @staticmethod
    def of(growth: Growth, allowed: SizeSet) -> _Values:
        """The values of a growth at the allowed sizes; its rise must not be negative."""
        values, member = aligned((growth, allowed.indicator))
        few = {v for v, inside in zip(values.head, member.head, strict=True) if inside}
        many = [v for v, inside in zip(values.cycle, member.cycle, strict=True) if inside]
        if not values.rise:
            return _Values(frozenset(few | set(many)), {}, 0)
        starts: dict[int, int] = {}
        for value in sorted(many, reverse=True):
            starts[value % values.rise] = value
        return _Values(frozenset(few), starts, values.rise)

    def __contains__(self, value: int) -> bool:
        if value in self.few:
            return True
        return bool(self.starts) and value >= self.starts.get(value % self.step, value + 1)

    @property
    def limit(self) -> int:
        """No special case is larger: behind it, and before minus it, the rest decides."""
        return max(map(abs, (0, *self.few, *self.starts.values())))


def _meeting(ours: Growth, values: _Values) -> SizeSet:
    """Where a growth takes one of the values."""
    length, times = len(ours.head), 1
    if ours.rise:
        length = outgrown(ours, values.limit)
        times = values.step // gcd(values.step, ours.rise) if values.step else 1
    return _where(stretched(ours, length, times), values.__contains__)


def _where(growth: Growth, test: Callable[[int], bool]) -> SizeSet:
    return SizeSet.of_pattern(map(test, growth.head), map(test, growth.cycle))


def _of_product(product: Scaled, letter: str, allowed: Sets) -> SizeSet:
    if product.extra % product.factor or not product.extra:
        raise Unsayable("a product of several axes is 0")
    target = -product.extra // product.factor
    groups: dict[str, list[Dim]] = {}
    for size in product.sizes:
        names = {leaf.name for leaf in leaves(size) if isinstance(leaf, Symbol)}
        if len(names) != 1:
            raise Unsayable(f"{size} mixes {' and '.join(sorted(names))}")
        groups.setdefault(names.pop(), []).append(size)
    taken = {name: _divisors(sizes, name, target, allowed[name]) for name, sizes in groups.items()}
    others = [tuple(found) for name, found in taken.items() if name != letter]
    reachable = set(_products(others, target))
    sets = (s for value, s in taken[letter].items() if target // value in reachable)
    return reduce(or_, sets, NONE)


def _divisors(
    sizes: Sequence[Dim], letter: str, target: int, allowed: SizeSet
) -> dict[int, SizeSet]:
    """The divisors of a number that a product in one letter takes, and where."""
    growths = Growths(letter)
    factors = [growths.of(size) for size in sizes]
    rising = [one for one in factors if one.rise]
    if rising:  # behind this length it is larger than the number
        length = min(outgrown(one, abs(target)) for one in rising)
        values = zip(*(one.values(length) for one in factors), strict=True)
        whole = Growth(tuple(map(prod, values)), (0,), 0)
    else:
        whole = mapped(prod, aligned(factors), 0)
    found = {value for value in whole.head + whole.cycle if value and target % value == 0}
    sets = {value: _where(whole, value.__eq__) & allowed for value in found}
    return {value: where for value, where in sets.items() if where != NONE}


def _products(choices: Sequence[Sequence[int]], target: int) -> Iterator[int]:
    """The divisors of `target` that are a product of one number of each choice."""
    if not choices:
        yield 1
        return
    for value in choices[0]:
        if target % value == 0:
            yield from (value * rest for rest in _products(choices[1:], target // value))
