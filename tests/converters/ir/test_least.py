"""Bounds of sizes: never wrong, on expressions drawn at random."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from upconv.converters.ir.dims import Size, ceil_div, evaluate, maximum, minimum, symbol
from upconv.converters.ir.least import larger, least, most, smaller

H, W = symbol("H"), symbol("W")
LETTERS = (1, 1, 2, 3, 7, 50)


def drawn(random: Random, depth: int) -> Size:
    if depth == 0:
        leaves: list[Size] = [H, W, random.randint(-5, 5)]
        return random.choice(leaves)
    a, b = drawn(random, depth - 1), drawn(random, depth - 1)
    number = random.randint(1, 5)
    ways: list[Callable[[], Size]] = [
        lambda: a + b,
        lambda: a - b,
        lambda: a * random.randint(-3, 3),
        lambda: a // number,
        lambda: ceil_div(a, number),
        lambda: minimum(a, b),
        lambda: maximum(a, b),
        lambda: a * b if depth < 3 else a,
    ]
    return random.choice(ways)()


@pytest.mark.parametrize("seed", range(20))
def test_no_value_lies_outside(seed: int) -> None:
    random = Random(seed)
    known = 0
    for _ in range(60):
        one, other = (drawn(random, random.randint(1, 4)) for _ in range(2))
        low, high = least(one), most(one)
        known += low is not None
        small, large = smaller(one, other), larger(one, other)
        for _ in range(12):
            at = {"H": random.choice(LETTERS), "W": random.choice(LETTERS)}
            value, rival = evaluate(one, at), evaluate(other, at)
            assert low is None or low <= value, one
            assert high is None or high >= value, one
            assert evaluate(small, at) == min(value, rival)
            assert evaluate(large, at) == max(value, rival)
    assert known > 20


@pytest.mark.parametrize(
    ("size", "low", "high"),
    [
        (minimum(H // 2 + 1, H) - H // 2, 1, 1),
        (H - 2 * (H // 2), 0, 1),
        (H - maximum(H - 1, 0), 1, 1),
        (maximum(H - 4, 0) - W, None, None),
    ],
)
def test_what_cancels_is_seen(size: Size, low: int | None, high: int | None) -> None:
    assert (least(size), most(size)) == (low, high)
