"""Equations and inequalities between sizes, and the exact set that solves one of one letter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from math import gcd, prod
from operator import or_
from typing import Literal

from upconv.converters.audit.growth import Growth, Growths, Unsayable, scaled_sum, settled
from upconv.converters.audit.size_sets import EVERY, NONE, SizeSet, not_negative, zeros
from upconv.converters.ir.dims import (
    Atom,
    Dim,
    Product,
    Size,
    Symbol,
    evaluate,
    falls,
    leaves,
    multiply,
    symbol,
)
from upconv.converters.ir.records import record

Kind = Literal["==", ">="]


@record(frozen=True, slots=True)
class Relation:
    """difference == 0, or difference >= 0; built by `of`, which leaves out common factors, so that
    relations that say the same are mostly equal.

    >>> from upconv.converters.ir.dims import ceil_div, symbol
    >>> str(Relation.of(6 * ceil_div(symbol("H"), 2), "==", 3 * symbol("H")))
    '2*ceil(H/2) == H'
    """

    difference: Size
    kind: Kind

    @staticmethod
    def of(left: Size, kind: Kind, right: Size) -> Relation:
        """left == right, or left >= right."""
        size = _without_common_letters(left - right)
        if isinstance(size, int):
            return _certain(size == 0 if kind == "==" else size >= 0, kind)
        common = gcd(*(factor for _, factor in size.terms))
        if kind == "==" and size.constant % common:
            return _certain(False, kind)  # a multiple of `common` is no such number
        reduced = Dim(tuple((a, f // common) for a, f in size.terms), size.constant // common)
        return Relation(-reduced if kind == "==" and _is_turned(reduced) else reduced, kind)

    @property
    def always(self) -> bool | None:
        """Whether it holds whatever the sizes are; None where they decide."""
        size = self.difference
        if isinstance(size, Dim):
            return None
        return size == 0 if self.kind == "==" else size >= 0

    def holds(self, sizes: Mapping[str, int]) -> bool:
        """Whether it holds where its letters are these numbers."""
        value: int = evaluate(self.difference, sizes)
        return value == 0 or (self.kind == ">=" and value > 0)

    @property
    def symbols(self) -> frozenset[str]:
        """The letters of the sizes it speaks of."""
        return frozenset(leaf.name for leaf in leaves(self.difference) if isinstance(leaf, Symbol))

    @property
    def sides(self) -> tuple[Size, Size]:
        """Left and right as people write them: without minus signs."""
        if isinstance(self.difference, int):
            return self.difference, 0
        left: Size = max(self.difference.constant, 0)
        right: Size = max(-self.difference.constant, 0)
        for atom, factor in self.difference.terms:
            if _rises(atom, factor):
                left += Dim(((atom, factor),))
            else:
                right += Dim(((atom, -factor),))
        return left, right

    def __str__(self) -> str:
        left, right = self.sides
        return f"{left} {self.kind} {right}"


def _without_common_letters(size: Size) -> Size:
    """A size divided by the letters that all of its terms have: these are positive.

    >>> from upconv.converters.ir.dims import symbol
    >>> N, H = symbol("N"), symbol("H")
    >>> str(_without_common_letters(N * H - 7 * N))
    'H-7'
    """
    if isinstance(size, int) or size.constant or not any(_is_product(a) for a, _ in size.terms):
        return size
    first = size.terms[0][0]
    for factor in first.factors if isinstance(first, Product) else (Dim(((first, 1),)),):
        ((atom, _), *_more) = factor.terms
        if isinstance(atom, Symbol) and factor == symbol(atom.name):
            parts = [_divided(term, times, factor) for term, times in size.terms]
            if None not in parts:
                total: Size = 0
                for part in parts:
                    total = total + (part or 0)
                return _without_common_letters(total)
    return size


def _is_product(atom: Atom) -> bool:
    return isinstance(atom, Product)


def _divided(atom: Atom, times: int, letter: Dim) -> Size | None:
    """A term without one of its factors; None where it has no such factor."""
    factors = list(atom.factors) if isinstance(atom, Product) else [Dim(((atom, 1),))]
    if letter not in factors:
        return None
    factors.remove(letter)
    return multiply(factors) * times


def _certain(holds: bool, kind: Kind) -> Relation:
    return Relation(0 if holds else -1, kind)


def _is_turned(size: Dim) -> bool:
    """Whether a size reads better with all signs changed: what is more than a letter goes left."""
    first = next((term for term in size.terms if not isinstance(term[0], Symbol)), size.terms[0])
    return not _rises(*first)


def _rises(atom: Atom, factor: int) -> bool:
    """Whether a term grows with its letters, as a floor does, and minus a floor of a fall."""
    inner = atom.factors if isinstance(atom, Product) else (Dim(((atom, 1),)),)
    return (factor > 0) == (sum(map(falls, inner)) % 2 == 0)


def solutions(relation: Relation, growths: Growths) -> SizeSet:
    """The sizes of one letter for which a relation in that letter holds.

    Raises Unsayable where that is no set that ends in a pattern, or none can be shown to be.
    """
    if relation.always is not None:
        return EVERY if relation.always else NONE
    size = relation.difference
    assert isinstance(size, Dim)
    product = as_product(size)
    if product is not None:
        factors = [growths.of(factor) for factor in product.sizes]
        if sum(one.rise != 0 for one in factors) > 1:
            return _of_product(product, relation.kind, factors)
    growth = growths.of(size)
    return zeros(growth) if relation.kind == "==" else not_negative(growth)


@record(frozen=True, slots=True)
class Scaled:
    """factor * (product of sizes) + extra."""

    factor: int
    sizes: tuple[Dim, ...]
    extra: int


def as_product(size: Dim) -> Scaled | None:
    """A size that is one product and a number; its ceilings, which are kept as minus a floor,
    become sizes that rise."""
    (atom, factor), *more = size.terms
    if more or not isinstance(atom, Product):
        return None
    turned = [falls(one) for one in atom.factors]
    sizes = (-one if turn else one for one, turn in zip(atom.factors, turned, strict=True))
    return Scaled(factor * (-1) ** sum(turned), tuple(sizes), size.constant)


def _of_product(product: Scaled, kind: Kind, factors: Sequence[Growth]) -> SizeSet:
    """Where factor * f * g * ... + extra is 0, or not negative, and at least f rises or falls.

    For ==: f*g*... has to be one number t, |t| <= |extra|. If t is not 0, then |f| > |extra| from
    some size on, and no product with it is t. For >=: once all factors are positive and one is
    larger than |extra|, the sign is that of `factor`. Before, each size is worked out.
    """
    limit = abs(product.extra)
    length = min(outgrown(one, limit) for one in factors if one.rise)
    if kind == "==" and not limit:
        return reduce(or_, map(zeros, factors))
    if kind == ">=":
        if any(one.rise < 0 or (not one.rise and min(one.cycle) < 1) for one in factors):
            raise Unsayable("it holds a product of sizes")
        length = max(length, *(outgrown(one, 0) for one in factors))

    def holds(values: tuple[int, ...]) -> bool:
        value = product.factor * prod(values) + product.extra
        return value == 0 if kind == "==" else value >= 0

    written = zip(*(one.values(length) for one in factors), strict=True)
    return SizeSet.of_pattern(map(holds, written), (kind == ">=" and product.factor > 0,))


def outgrown(growth: Growth, limit: int) -> int:
    """A length behind which |growth| > limit, for one that rises or falls; for another, behind
    which it repeats."""
    if not growth.rise:
        return len(growth.head)
    step = 1 if growth.rise > 0 else -1
    return len(settled(scaled_sum([(step, growth)], -limit)).head)
