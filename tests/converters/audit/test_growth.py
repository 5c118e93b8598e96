"""Growths against the sizes they stand for, number by number."""

from __future__ import annotations

from math import gcd

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.converters.audit.expressions import sizes
from upconv.converters.audit.growth import LONGEST, Growth, Unsayable, growth_of, settled
from upconv.converters.ir.dims import Size, evaluate, maximum, minimum, symbol

H = symbol("H")


def _beyond(growth: Growth, periods: int = 3) -> int:
    length = len(growth.head) + periods * len(growth.cycle) + 2
    assume(length < 5000)
    return length


@settings(max_examples=400)
@given(sizes("H"))
def test_a_growth_is_its_size_for_periods_behind_its_head(size: Size) -> None:
    growth = growth_of(size, "H")
    wanted = [evaluate(size, {"H": n}) for n in range(1, _beyond(growth) + 1)]
    assert growth.values(len(wanted)) == wanted
    assert [growth(n) for n in range(1, len(wanted) + 1)] == wanted


@settings(max_examples=200)
@given(sizes("H", leaves=5), sizes("H", leaves=4))
def test_quotients_of_two_sizes(upper: Size, lower: Size) -> None:
    assume(lower != 0)
    try:
        size = upper // lower
        growth = growth_of(size, "H")
    except (Unsayable, ZeroDivisionError):
        return
    wanted = [evaluate(size, {"H": n}) for n in range(1, _beyond(growth) + 1)]
    assert growth.values(len(wanted)) == wanted


@settings(max_examples=200)
@given(sizes("H", leaves=5), sizes("H", leaves=4))
def test_products_are_sizes_or_are_refused(left: Size, right: Size) -> None:
    try:
        growth = growth_of(left * right, "H")
    except Unsayable as refused:
        assert "product" in str(refused)
        assert growth_of(left, "H").rise
        return
    wanted = [evaluate(left * right, {"H": n}) for n in range(1, _beyond(growth) + 1)]
    assert growth.values(len(wanted)) == wanted


@settings(max_examples=200)
@given(sizes("H"))
def test_no_sign_changes_behind_a_settled_head(size: Size) -> None:
    growth = settled(growth_of(size, "H"))
    start, period = len(growth.head) + 1, len(growth.cycle)
    assume(start + 3 * period < 5000)
    for n in range(start, start + period):
        signs = {(growth(n + k * period) > 0) - (growth(n + k * period) < 0) for k in range(3)}
        assert len(signs) == 1


@pytest.mark.parametrize(
    ("size", "head", "cycle", "rise"),
    [
        (H, (), (1,), 1),
        (2 * (H // 2), (), (0, 2), 2),
        (-((-H) // 2) + H // 2, (), (1,), 1),
        ((3 * (H // 3)) // 2, (), (0, 0, 1, 1, 1, 3), 3),
        (maximum(H, 4), (4, 4, 4), (4,), 1),
        (minimum(H, 4), (1, 2, 3), (4,), 0),
    ],
)
def test_the_shortest_form(
    size: Size, head: tuple[int, ...], cycle: tuple[int, ...], rise: int
) -> None:
    assert growth_of(size, "H") == Growth(head, cycle, rise)


@pytest.mark.parametrize(
    ("size", "why"),
    [
        (H * symbol("W"), "depends on W too"),
        (H * (H + 1), "a product of sizes"),
        (H // 65537, f"more than {LONGEST} sizes"),
        (minimum(H, LONGEST + 2), f"more than {LONGEST} sizes"),
        (H // (H - 3), "one that may be 0"),
    ],
)
def test_what_cannot_be_said_says_why(size: Size, why: str) -> None:
    with pytest.raises(Unsayable, match=why):
        growth_of(size, "H")


def test_expressions_without_end_are_bounded() -> None:
    deep: Size = H
    for _ in range(35):
        deep = minimum((2 * deep + 1) // 3, H + 7)
    with pytest.raises(Unsayable, match="without end"):
        growth_of(deep, "H")


@given(st.integers(1, 60), st.integers(1, 60))
def test_periods_are_the_least(divisor: int, times: int) -> None:

    assert len(growth_of((H * times) // divisor, "H").cycle) == divisor // gcd(divisor, times)
