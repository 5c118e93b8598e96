"""Random sizes: what nets make of a letter, and more."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from upconv.converters.ir.dims import Size, ceil_div, maximum, minimum, symbol

NUMBERS = st.integers(-9, 9)
DIVISORS = st.sampled_from([1, 2, 3, 4, 5, 8, 16])


def _scaled(size: Size, by: int, more: int) -> Size:
    return size * by + more


def _larger(parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.builds(_scaled, parts, NUMBERS, NUMBERS),
        st.builds(lambda a, b: a + b, parts, parts),
        st.builds(lambda a, b: a - b, parts, parts),
        st.builds(lambda a, k: a // k, parts, DIVISORS),
        st.builds(ceil_div, parts, DIVISORS),
        st.builds(minimum, parts, parts),
        st.builds(maximum, parts, parts),
    )


def sizes(*letters: str, leaves: int = 8) -> st.SearchStrategy[Any]:
    """Expressions of sums, multiples, floor and ceiling divisions, minima and maxima."""
    base = st.one_of(st.sampled_from([symbol(name) for name in letters]), NUMBERS)
    return st.recursive(base, _larger, max_leaves=leaves)
