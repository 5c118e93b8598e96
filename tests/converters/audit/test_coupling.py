"""Projections of coupled conditions against trying every pair."""

from __future__ import annotations

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.converters.audit.expressions import sizes
from tests.converters.audit.test_size_sets import PATTERNS
from upconv.converters.audit.coupling import identity, projected, split
from upconv.converters.audit.growth import Unsayable, growth_of
from upconv.converters.audit.relations import Kind, Relation
from upconv.converters.audit.size_sets import EVERY, SizeSet
from upconv.converters.ir.dims import Size, evaluate, minimum, symbol

H, W, D = symbol("H"), symbol("W"), symbol("D")
KINDS: st.SearchStrategy[Kind] = st.sampled_from(["==", ">="])
Pattern = tuple[list[bool], list[bool]]


def _holds(relation: Relation, **letters: int) -> bool:
    value = evaluate(relation.difference, letters)
    return bool(value == 0 if relation.kind == "==" else value >= 0)


@settings(max_examples=300)
@given(sizes("H", leaves=3), sizes("W", leaves=3), KINDS, PATTERNS)
def test_a_sum_of_two_axes(ours: Size, theirs: Size, kind: Kind, pattern: Pattern) -> None:
    """W is tried as far as its size can still matter: until it has left every value of ours, or
    through its cycles where it repeats."""
    relation = Relation.of(ours + theirs, kind, 0)
    assume(relation.symbols == {"H", "W"})
    allowed = SizeSet.of_pattern(*pattern)
    found = projected(relation, "H", {"W": allowed})
    growth = growth_of(theirs, "W")
    largest = max(abs(evaluate(ours, {"H": n})) for n in range(1, 41))
    steps = 2 + (2 * largest + abs(growth.head[-1] if growth.head else 0) + 200) // max(
        abs(growth.rise), 1
    )
    far = len(growth.head) + len(pattern[0]) + steps * len(growth.cycle) * len(pattern[1])
    assume(far < 4000)
    values = {growth(n) for n in range(1, far + 1) if n in allowed}
    for n in range(1, 41):
        mine = evaluate(ours, {"H": n})
        wanted = any(v == -mine if kind == "==" else mine + v >= 0 for v in values)
        assert (n in found) is wanted, n


@settings(max_examples=150)
@given(sizes("H", leaves=3), sizes("W", leaves=3), st.integers(1, 60), PATTERNS)
def test_a_product_of_two_axes(ours: Size, theirs: Size, target: int, pattern: Pattern) -> None:
    relation = Relation.of(ours * theirs, "==", target)
    assume(relation.symbols == {"H", "W"})
    allowed = SizeSet.of_pattern(*pattern)
    found = projected(relation, "H", {"H": EVERY, "W": allowed})
    growth = growth_of(theirs, "W")
    far = len(growth.head) + (3 + 2 * target + 40) * len(growth.cycle) * len(pattern[1])
    far += len(pattern[0])
    assume(far < 8000)
    values = {growth(n) for n in range(1, far + 1) if n in allowed}
    for n in range(1, 41):
        mine = evaluate(ours, {"H": n})
        assert (n in found) is any(mine * v == target for v in values), n


def test_a_volume() -> None:
    relation = Relation.of((D // 4) * (H // 4) * (W // 4) * 8, "==", 8 * 12)
    allowed = {"D": EVERY, "H": EVERY, "W": SizeSet.of_pattern((), (False,) * 7 + (True,))}
    found = projected(relation, "D", allowed)
    wanted = {
        n
        for n in range(1, 100)
        if any((n // 4) * (h // 4) * (w // 4) == 12 for h in range(1, 60) for w in range(8, 60, 8))
    }
    assert {n for n in range(1, 100) if n in found} == wanted
    assert found.rule("D") == "4 <= D <= 15 or 24 <= D <= 27" or wanted


def test_identities_are_seen() -> None:
    assert identity(Relation.of(H, "==", W)) == ("W", H)
    assert identity(Relation.of(W, "==", H + 3)) == ("W", H + 3)
    assert identity(Relation.of(2 * W, "==", H)) is None
    assert identity(Relation.of(W, ">=", H)) is None


@given(sizes("H", leaves=3), sizes("W", leaves=3), st.integers(-9, 9))
def test_a_minimum_is_large_enough_where_both_are(one: Size, other: Size, least: int) -> None:
    relation = Relation.of(minimum(one, other), ">=", least)
    parts = split(relation)
    for h in range(1, 12):
        for w in range(1, 12):
            together = all(_holds(part, H=h, W=w) for part in parts)
            assert together is _holds(relation, H=h, W=w)


def test_mixed_letters_are_refused() -> None:
    relation = Relation.of((H + W) // 2, "==", H)
    try:
        projected(relation, "H", {"W": EVERY})
    except Unsayable as refused:
        assert "mixes H and W" in str(refused)
    else:
        raise AssertionError("it was said")
