"""What the conditions of a net leave of one letter's sizes: its own ones, coupled ones, doubts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import reduce
from itertools import product
from math import prod
from operator import or_
from typing import Final

from upconv.converters.audit.conditions import Condition, asked
from upconv.converters.audit.coupling import identity, projected, renamed, rewritten, split
from upconv.converters.audit.growth import Growths, Unsayable
from upconv.converters.audit.relations import Relation, solutions
from upconv.converters.audit.size_sets import EVERY, NONE, SizeSet
from upconv.converters.ir.dims import Size, Symbol, leaves, substitute
from upconv.converters.ir.inference import Inference, infer
from upconv.converters.ir.model import Model, Shape
from upconv.converters.ir.records import record

MOST_TRIED: Final = 4096
"""Combinations of sizes of tied axes that are tried one by one."""


@record(frozen=True, slots=True)
class Net:
    """A model with letters for sizes, and its conditions after letters that mean another letter
    (H, where H == W is asked) were replaced. `unknown`: why they may not be all."""

    model: Model
    inference: Inference
    conditions: tuple[Condition, ...]
    unknown: str
    meanings: Mapping[str, Size]

    def meaning(self, size: Size) -> Size:
        """A size with each letter written as what it is."""
        return substitute(
            size, lambda leaf: self.meanings.get(leaf.name) if isinstance(leaf, Symbol) else None
        )

    def sizes_of(self, value: str) -> Shape:
        """A value's shape; raises Unsayable where it is not known."""
        shape = self.inference.shapes.get(value)
        if shape is None:
            raise Unsayable(f"the shape of '{value}' is not known")
        return shape


@record(frozen=True, slots=True)
class Failure:
    """The sizes at which `condition` is the first to fail."""

    condition: Condition
    sizes: SizeSet

    @property
    def first(self) -> int:
        found = self.sizes.above(1)
        assert found is not None
        return found


@record(frozen=True, slots=True)
class Own:
    """What the conditions on one letter alone leave: no other size runs. At the doubtful ones of
    them shapes are not what the formulas say; `because` says why more may be excluded."""

    known: SizeSet
    doubtful: SizeSet
    because: str
    failures: tuple[Failure, ...]


def letters_of(model: Model) -> list[str]:
    """The letters of the inputs' sizes, in their order."""
    sizes = [size for entry in model.inputs for size in entry.shape or ()]
    found = [leaf for size in sizes for leaf in sorted(leaves(size), key=str)]
    return list(dict.fromkeys(leaf.name for leaf in found if isinstance(leaf, Symbol)))


def split_minima(conditions: Iterable[Condition]) -> list[Condition]:
    """A condition that a minimum is large enough as one on each of its arguments."""
    found: list[Condition] = []
    for one in conditions:
        parts = split(one.any_of[0]) if len(one.any_of) == 1 else []
        found += [replace(one, any_of=(part,)) for part in parts] if len(parts) > 1 else [one]
    return found


def without_identities(
    conditions: list[Condition],
) -> tuple[list[Condition], dict[str, Size]]:
    """The conditions after every H == W was used up, and what each letter that is gone means."""
    meanings: dict[str, Size] = {}
    while True:
        pairs = ((one, identity(one.any_of[0])) for one in conditions if len(one.any_of) == 1)
        by, pair = next(((one, pair) for one, pair in pairs if pair is not None), (None, None))
        if by is None or pair is None:
            return conditions, meanings
        letter, meaning = pair
        conditions = [_renamed(one, letter, meaning) for one in conditions]
        conditions.append(Condition(by.layer, (Relation.of(meaning, ">=", 1),)))
        conditions = [one for one in conditions if one.may_fail]
        meanings = {name: rewritten(size, letter, meaning) for name, size in meanings.items()}
        meanings[letter] = meaning


def _renamed(condition: Condition, letter: str, meaning: Size) -> Condition:
    any_of = tuple(renamed(one, letter, meaning) for one in condition.any_of)
    doubt = renamed(condition.doubt, letter, meaning) if condition.doubt is not None else None
    return replace(condition, any_of=any_of, doubt=doubt)


def own_sizes(net: Net, letter: str) -> Own:
    """What the conditions on one letter alone leave, in the order of the layers."""
    growths = Growths(letter)
    known, doubtful, because = EVERY, NONE, net.unknown
    failures: list[Failure] = []
    for condition in net.conditions:
        if not condition.symbols <= {letter}:
            continue
        try:
            fulfilled = _solved(condition.any_of, growths)
            failing, left = known & ~fulfilled, known & fulfilled
            if condition.doubt is not None:
                doubtful = doubtful | _solved((condition.doubt,), growths)
        except Unsayable as reason:
            because = because or f"{reason} ('{condition.layer.name}' asks for {condition})"
            continue
        known = left
        if failing != NONE:
            failures.append(Failure(condition, failing))
    return Own(known, doubtful, because, tuple(failures))


def _solved(relations: Sequence[Relation], growths: Growths) -> SizeSet:
    return reduce(or_, (solutions(one, growths) for one in relations))


def coupled_sizes(net: Net, letter: str, own: Mapping[str, Own]) -> SizeSet:
    """The sizes for which the other letters can be chosen so that coupled conditions hold.

    Raises Unsayable where that cannot be said.
    """
    coupled = _telling([one for one in net.conditions if len(one.symbols) > 1])
    mine = [one for one in coupled if letter in one.symbols]
    if not mine:
        return EVERY
    others = mine[0].symbols - {letter}
    for name in sorted(others):
        if own[name].because:
            raise Unsayable(own[name].because)
    tied = [one for one in coupled if one.symbols & (others | {letter})]
    few = _combined(coupled, letter, own)
    if few is not None:
        return few
    if len(tied) > 1:
        raise Unsayable(f"{len(tied)} conditions tie it to {' and '.join(sorted(others))}")
    if any(own[name].known & own[name].doubtful != NONE for name in others):
        raise Unsayable("an axis of 1 is repeated where sizes are coupled")
    return reduce(or_, (_projection(one, letter, own) for one in mine[0].any_of))


def _combined(coupled: Sequence[Condition], letter: str, own: Mapping[str, Own]) -> SizeSet | None:
    """The sizes that some sizes of the letters they are tied to go with, tried one by one; None
    where there are too many."""
    letters = _tied_letters(coupled, letter)
    sets = [own[name] for name in letters]
    if any(o.because or not o.known.is_finite or o.known & o.doubtful != NONE for o in sets):
        return None
    choices = [one.known.exceptions for one in sets]
    if prod(map(len, choices)) > MOST_TRIED:
        return None
    mine = [one for one in coupled if one.symbols & set(letters)]
    combined = (dict(zip(letters, sizes, strict=True)) for sizes in product(*choices))
    return SizeSet.only(*(c[letter] for c in combined if all(one.holds(c) for one in mine)))


def _tied_letters(coupled: Sequence[Condition], letter: str) -> list[str]:
    """A letter with all that conditions tie to it, directly or through others."""
    found, before = {letter}, 0
    while len(found) > before:
        before = len(found)
        found.update(*(one.symbols for one in coupled if one.symbols & found))
    return sorted(found)


def _telling(conditions: list[Condition]) -> list[Condition]:
    """The conditions without those that another one implies."""
    alone = {one.any_of[0] for one in conditions if len(one.any_of) == 1}
    return [one for one in conditions if len(one.any_of) == 1 or not alone & set(one.any_of)]


def _projection(relation: Relation, letter: str, own: Mapping[str, Own]) -> SizeSet:
    if relation.symbols <= {letter}:
        return solutions(relation, Growths(letter))
    if letter in relation.symbols:
        return projected(relation, letter, {name: one.known for name, one in own.items()})
    if len(relation.symbols) > 1:
        raise Unsayable(f"{relation} is one of several choices")
    (other,) = relation.symbols
    possible = solutions(relation, Growths(other)) & own[other].known
    return EVERY if possible != NONE else NONE


@record(frozen=True, slots=True)
class At:
    """A net with one letter replaced by a number: whether it runs, and its shapes."""

    runs: bool
    inference: Inference

    def size(self, value: str, axis: int) -> Size | None:
        shape = self.inference.shapes.get(value)
        return shape[axis] if shape is not None and axis < len(shape) else None


def look(net: Net, letter: str, number: int) -> At:
    """A net at one size, without relying on its formulas.

    Raises Unsayable where other letters are then asked for something else.
    """

    def shape_of(shape: Shape | None) -> Shape | None:
        return shape and tuple(rewritten(net.meaning(size), letter, number) for size in shape)

    inputs = tuple(replace(one, shape=shape_of(one.shape)) for one in net.model.inputs)
    model = replace(net.model, inputs=inputs)
    inference = infer(model)
    found = asked(model, inference)
    usual = {frozenset(_renamed(one, letter, number).any_of) for one in net.conditions}
    asks = split_minima(found.conditions)
    if found.unknown or any(one.symbols and frozenset(one.any_of) not in usual for one in asks):
        raise Unsayable(
            f"at {letter} = {number} an axis of 1 is repeated, and changes what follows"
        )
    return At(all(one.symbols for one in asks), inference)
