"""Solved relations against trying every size."""

from __future__ import annotations

from math import prod

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.converters.audit.expressions import sizes
from upconv.converters.audit.growth import Growths, Unsayable
from upconv.converters.audit.relations import Kind, Relation, solutions
from upconv.converters.audit.size_sets import SizeSet
from upconv.converters.ir.dims import Size, ceil_div, evaluate, multiply, symbol

H, W = symbol("H"), symbol("W")
KINDS: st.SearchStrategy[Kind] = st.sampled_from(["==", ">="])


def _tried(left: Size, kind: str, right: Size, count: int) -> set[int]:
    found = set()
    for n in range(1, count + 1):
        one, other = (evaluate(size, {"H": n}) for size in (left, right))
        if one == other or (kind == ">=" and one > other):
            found.add(n)
    return found


def _beyond(found: SizeSet) -> int:
    length = found.length + 3 * found.modulus + 2
    assume(length < 3000)
    return length


@settings(max_examples=400)
@given(sizes("H"), KINDS, sizes("H", leaves=4))
def test_the_set_is_what_every_size_says(left: Size, kind: Kind, right: Size) -> None:
    found = solutions(Relation.of(left, kind, right), Growths("H"))
    count = _beyond(found)
    assert {n for n in range(1, count + 1) if n in found} == _tried(left, kind, right, count)


@settings(max_examples=200)
@given(st.lists(sizes("H", leaves=3), min_size=2, max_size=3), KINDS, st.integers(-400, 400))
def test_products_against_a_number(factors: list[Size], kind: Kind, number: int) -> None:
    relation = Relation.of(multiply(factors), kind, number)
    try:
        found = solutions(relation, Growths("H"))
    except Unsayable as refused:
        assert kind == ">=" or "product" in str(refused)
        return
    count = _beyond(found)
    wanted = _tried(multiply(factors), kind, number, count)
    assert {n for n in range(1, count + 1) if n in found} == wanted


def test_a_flatten_into_a_fixed_layer() -> None:
    tokens = (H // 32) * (H // 32) * 512
    found = solutions(Relation.of(tokens, "==", 512 * 49), Growths("H"))
    assert found.rule("H") == "224 <= H <= 255"
    assert prod((255 // 32, 255 // 32)) == 49


@pytest.mark.parametrize(
    ("relation", "text"),
    [
        (Relation.of(6 * ceil_div(H, 2), "==", 3 * H), "2*ceil(H/2) == H"),
        (Relation.of(H, "==", 2 * ceil_div(H, 2)), "2*ceil(H/2) == H"),
        (Relation.of(H // 2, ">=", 3), "floor(H/2) >= 3"),
        (Relation.of(2 * H - 1, ">=", 2), "H >= 2"),
        (
            Relation.of(ceil_div(H, 8) * ceil_div(W, 8) * 64, "==", 64 * 49),
            "ceil(H/8)*ceil(W/8) == 49",
        ),
        (Relation.of(H, "==", W), "H == W"),
    ],
)
def test_relations_are_written_without_common_factors(relation: Relation, text: str) -> None:
    assert str(relation) == text


@given(sizes("H", leaves=4), KINDS, sizes("H", leaves=4), st.integers(1, 7))
def test_multiples_of_a_relation_are_the_same(
    left: Size, kind: Kind, right: Size, times: int
) -> None:
    assert Relation.of(left * times, kind, right * times) == Relation.of(left, kind, right)


def test_a_multiple_is_no_number_between() -> None:
    assert Relation.of(2 * H, "==", 2 * W + 1).always is False
